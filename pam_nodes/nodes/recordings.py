"""Nodes: recorded motion in and out."""

from __future__ import annotations

from comfy_api.latest import io

from ..host import paths
from . import sockets
from .trajectory import trajectory_input

EMBEDDED = "embedded example"
KINDS = ["pam npz", "pam json", "glb", "graspxl npy", "arctic npy", "dexycb npz", "hamer npz", "joints npz", "joints csv"]


class PAMLoadRecordedMotion(io.ComfyNode):
    """A motion file of a data set, an estimator or the pack."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMLoadRecordedMotion",
            display_name="Load Recorded Motion (PAM)",
            category=sockets.POSE,
            description="Loads hand and object motion: the pack's own files, GraspXL, ARCTIC, DexYCB, OAKINK2, HaMeR, WiLoR, HOI4D, HO-3D, "
            "GRAB and InterHand. The format is recognised by the file's content.",
            search_aliases=["graspxl", "arctic", "dexycb", "oakink2", "hamer", "wilor", "hoi4d", "ho3d", "grab", "mocap", "npy", "npz"],
            inputs=[
                io.Combo.Input(
                    "motion_file",
                    options=[EMBEDDED, *paths.motion_files()],
                    default=EMBEDDED,
                    tooltip="A file in input/motion, or the pack's example: the default hand picks up the demo mug.",
                ),
                sockets.ManoModel.Input("hand", tooltip="The hand that is shown. Data sets fit MANO's hand; others are approximate."),
                sockets.ManoModel.Input("second_hand", optional=True, tooltip="The other side, for files with two hands."),
                sockets.HoiObject.Input(
                    "object", optional=True, tooltip="Mesh of the recorded object in its own frame (recenter off), found by name or order."
                ),
                sockets.HoiObject.Input("second_object", optional=True, tooltip="Another one."),
                io.Combo.Input(
                    "up_axis",
                    options=["auto", "z", "y", "-y"],
                    default="auto",
                    tooltip="What points up in the file. auto: -y for files in a camera's frame, z for the rest.",
                ),
                io.Boolean.Input("ground", default=True, tooltip="Put the lowest point of the first frame on the table (z = 0)."),
                io.Boolean.Input("recenter", default=True, tooltip="Put the first frame over the world's origin."),
                io.Float.Input(
                    "fps", default=0.0, min=0.0, max=1000.0, step=1.0, advanced=True, tooltip="Frames a second; 0 takes the file's own."
                ),
                io.Combo.Input(
                    "betas",
                    options=["use", "drop"],
                    default="use",
                    advanced=True,
                    tooltip="Hand shape of the file: use it (MANO hands only), or drop it and keep the loaded hand's shape.",
                ),
                io.String.Input(
                    "dataset_betas",
                    default="",
                    advanced=True,
                    tooltip="For DexYCB: ten numbers of the calibration's mano.yml, which the labels do not hold.",
                ),
                io.Boolean.Input(
                    "fix_pinky",
                    default=True,
                    advanced=True,
                    tooltip="For GraspXL: give the little finger the ring finger's pose, as the released data does.",
                ),
            ],
            outputs=[
                sockets.HoiTrajectory.Output("trajectory", tooltip="Hands and objects over time."),
                sockets.ManoPose.Output("pose", tooltip="The first hand alone, all frames."),
                io.String.Output("info", tooltip="Format, frames, and what was assumed or approximated."),
            ],
        )

    @classmethod
    def validate_inputs(cls, motion_file: str) -> bool | str:
        try:
            if motion_file not in (None, EMBEDDED):
                paths.motion_path(motion_file)
        except (FileNotFoundError, ValueError) as error:
            return str(error)
        return True

    @classmethod
    def fingerprint_inputs(cls, motion_file: str, **_kwargs) -> str:
        return EMBEDDED if motion_file in (None, EMBEDDED) else paths.file_digest(paths.motion_path(motion_file))

    @classmethod
    def execute(
        cls,
        motion_file,
        hand,
        up_axis,
        ground,
        recenter,
        fps,
        betas,
        dataset_betas,
        fix_pinky,
        second_hand=None,
        object=None,
        second_object=None,
    ) -> io.NodeOutput:
        from ..hands.posing import with_betas
        from ..recordings.place import Placing, to_trajectory
        from ..recordings.read import EXAMPLE, by_side, read_motion
        from ..recordings.recording import ReadOptions

        hands = by_side(hand, second_hand)
        path = EXAMPLE if motion_file == EMBEDDED else paths.motion_path(motion_file)
        options = ReadOptions(betas, fix_pinky, with_betas(hand, dataset_betas).betas)
        recording = read_motion(path, hands, options)
        meshes = [mesh for mesh in (object, second_object) if mesh is not None]
        trajectory, notes = to_trajectory(recording, hands, meshes, Placing(up_axis, ground, recenter, fps))
        info = "\n".join([f"{recording.format}, {len(trajectory)} frames at {trajectory.fps:g} fps", *notes])
        return io.NodeOutput(trajectory, trajectory.hands[0].pose, info, ui={"text": [info]})


class PAMSaveMotion(io.ComfyNode):
    """A motion to a file."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMSaveMotion",
            display_name="Save Motion (PAM)",
            category=sockets.POSE,
            description="Writes a motion to the output folder: the pack's own file, an animated GLB, formats of data sets, or joints as "
            "tables. Files are numbered, none is overwritten.",
            search_aliases=["export", "glb", "npz", "csv", "joints", "mano parameters", "save trajectory"],
            inputs=[
                trajectory_input(),
                io.Combo.Input(
                    "format",
                    options=KINDS,
                    default="pam npz",
                    tooltip="pam: everything, to the bit. glb: for 3D programs. graspxl, arctic, dexycb, hamer: as those data sets. "
                    "joints: 21 joints of each frame in metres.",
                ),
                io.String.Input("filename_prefix", default="PAM/motion", tooltip="Folder and beginning of the name in the output folder."),
            ],
            outputs=[io.String.Output("path", tooltip="The file, relative to the output folder.")],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, trajectory, format: str, filename_prefix: str) -> io.NodeOutput:
        from ..host.files import save_numbered
        from ..recordings.write import write_motion

        ending, content = write_motion(trajectory, format)
        saved = save_numbered(filename_prefix, ending, content)
        name = f"{saved['subfolder']}/{saved['filename']}".lstrip("/")
        return io.NodeOutput(name, ui={"files": [saved], "text": [name]})


NODES: list[type] = [PAMLoadRecordedMotion, PAMSaveMotion]
