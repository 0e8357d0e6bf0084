"""Nodes: moving cameras, and cameras of other packs."""

from comfy_api.latest import io

from .sockets import CONDITIONS, CameraCtrlPoses, Extrinsics, HoiCamera, HoiTrajectory, Intrinsics
from .tensors import array


class PAMHOICameraPath(io.ComfyNode):
    """Makes a camera move."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        def move(name: str, default: float, low: float, high: float, tooltip: str, step: float = 1.0) -> io.Input:
            return io.Float.Input(name, default=default, min=low, max=high, step=step, round=False, tooltip=tooltip)

        return io.Schema(
            node_id="PAMHOICameraPath",
            display_name="HOI Camera Path (PAM)",
            category=CONDITIONS,
            description="Moves a camera during the clip: around the scene, towards it, with the shake of a hand, or along keys you write. "
            "The first frame stays the camera that comes in.",
            search_aliases=["camera motion", "orbit", "dolly", "zoom", "pan", "handheld", "shake", "keyframes", "camera animation"],
            inputs=[
                HoiCamera.Input("camera", tooltip="Where it starts."),
                HoiTrajectory.Input("trajectory", tooltip="Gives the length, the speed, and the centre to move around."),
                move("orbit", 30.0, -3600.0, 3600.0, "Degrees around the scene by the end, as the camera's azimuth."),
                move("rise", 0.0, -180.0, 180.0, "Degrees upwards around the scene by the end."),
                move("dolly", 1.0, 0.05, 20.0, "Factor of the distance at the end: 0.5 goes half of the way in.", 0.05),
                move("roll", 0.0, -360.0, 360.0, "Degrees clockwise about the line of sight by the end."),
                io.Boolean.Input("ease", default=True, tooltip="Start and stop gently; off moves at constant speed."),
                move("handheld", 0.0, 0.0, 10.0, "Strength of a hand's shake; 1 is a calm operator, about 0.4 degrees and 4 mm.", 0.1),
                io.Int.Input("seed", default=0, min=0, max=0xFFFFFFFF, tooltip="Which shake."),
                io.String.Input(
                    "keys",
                    default="",
                    multiline=True,
                    advanced=True,
                    tooltip="Instead of the values above, one time a line: '50%: orbit 30, dolly 0.8' or 'frame 24: pan 5'. Moves: orbit, "
                    "rise, dolly, truck, pedestal (metres), pan, tilt, roll (degrees), zoom (factor), fov (degrees).",
                ),
                io.Float.Input(
                    "zoom",
                    default=1.0,
                    min=0.05,
                    max=20.0,
                    step=0.05,
                    round=False,
                    optional=True,
                    tooltip="Factor of the focal length at the end. The same as dolly keeps the scene's size: a dolly zoom.",
                ),
            ],
            outputs=[HoiCamera.Output(display_name="camera", tooltip="The moving camera, one pose a frame, and one lens if it zooms.")],
        )

    @classmethod
    def execute(
        cls,
        camera,
        trajectory,
        orbit: float,
        rise: float,
        dolly: float,
        roll: float,
        ease: bool,
        handheld: float,
        seed: int,
        keys: str,
        zoom: float = 1.0,
    ) -> io.NodeOutput:
        from ..conditions.render import motion_centre
        from ..geometry.camera_path import CameraMove, end_keys, moving_camera, parse_keys

        length = len(trajectory)
        wanted = parse_keys(keys, length) if keys.strip() else end_keys(orbit=orbit, rise=rise, dolly=dolly, roll=roll, zoom=zoom)
        move = CameraMove(wanted, ease, handheld, seed)
        return io.NodeOutput(moving_camera(camera, motion_centre(trajectory), move, length, trajectory.fps))


class PAMCameraFromMatrices(io.ComfyNode):
    """Camera of another pack's matrices."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMCameraFromMatrices",
            display_name="HOI Camera from Matrices (PAM)",
            category=CONDITIONS,
            description="Takes the camera of another pack, an estimator or a data set: extrinsics and intrinsics, fixed or one a frame.",
            search_aliases=["extrinsics", "intrinsics", "camera matrix", "world to camera", "camera pack"],
            inputs=[
                Extrinsics.Input("extrinsics", tooltip="World to camera, (4, 4) or one a frame: OpenCV axes, metres, world Z up."),
                Intrinsics.Input("intrinsics", tooltip="K, (3, 3) or one a frame, pixels; (0, 0) is the centre of the top-left pixel."),
                io.Int.Input("width", default=640, min=16, max=8192, tooltip="Picture width that the intrinsics belong to, pixels."),
                io.Int.Input("height", default=480, min=16, max=8192, tooltip="Picture height that the intrinsics belong to, pixels."),
            ],
            outputs=[HoiCamera.Output(display_name="camera", tooltip="The same camera.")],
        )

    @classmethod
    def execute(cls, extrinsics, intrinsics, width: int, height: int) -> io.NodeOutput:
        from ..geometry.camera_interop import camera_from_matrices

        return io.NodeOutput(camera_from_matrices(array(extrinsics), array(intrinsics), width, height))


class PAMCameraToOthers(io.ComfyNode):
    """The camera as other packs want it."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMCameraToOthers",
            display_name="HOI Camera to Other Nodes (PAM)",
            category=CONDITIONS,
            description="Gives a camera to other nodes: matrices, the view of core's 3D viewers, and CameraCtrl poses for video models.",
            search_aliases=["extrinsics", "intrinsics", "load 3d camera", "camera_info", "cameractrl", "camera export", "plucker"],
            inputs=[
                HoiCamera.Input("camera", tooltip="Fixed or moving."),
                io.Int.Input(
                    "length", default=0, min=0, max=100000, tooltip="Poses to give; 0 takes those of the path, 1 of a fixed camera."
                ),
                io.Int.Input("frame", default=0, min=0, max=100000, tooltip="The pose that the 3D viewer shows."),
            ],
            outputs=[
                Extrinsics.Output(display_name="extrinsics", tooltip="(T, 4, 4) world to camera: OpenCV axes, metres."),
                Intrinsics.Output(display_name="intrinsics", tooltip="(T, 3, 3) K in pixels."),
                io.Load3DCamera.Output(
                    display_name="camera_info", tooltip="One pose for Load 3D and Preview 3D; an off-centre lens is approximated."
                ),
                CameraCtrlPoses.Output(
                    display_name="cameractrl_poses", tooltip="One line a frame: lens as shares of the picture, then pose."
                ),
                io.Int.Output(display_name="width", tooltip="Pixels."),
                io.Int.Output(display_name="height", tooltip="Pixels."),
                io.Float.Output(display_name="fov", tooltip="Vertical field of view, degrees."),
            ],
        )

    @classmethod
    def execute(cls, camera, length: int, frame: int) -> io.NodeOutput:
        import torch

        from ..geometry import camera_interop as interop

        count = length or camera.length or 1
        matrices = (torch.from_numpy(interop.extrinsics(camera, count)), torch.from_numpy(interop.intrinsics(camera, count)))
        viewer = interop.to_load3d(camera, frame)
        return io.NodeOutput(*matrices, viewer, interop.to_cameractrl(camera, count), camera.width, camera.height, viewer["fov"])


NODES: list[type] = [PAMHOICameraPath, PAMCameraFromMatrices, PAMCameraToOthers]
