"""Nodes: hand models and hand poses."""

from __future__ import annotations

from comfy_api.latest import io

from ..host import paths
from . import sockets
from .hand_tools import CONVENTIONS

EMBEDDED = "embedded CC0 hand"
FROM_SWITCH = "axis-angle, as the switch says"
FINGERS = ("thumb", "index", "middle", "ring", "pinky")
PRESETS = ["flat", "relaxed", "fist", "pinch", "tripod", "grasp", "point"]


def wrist_inputs() -> list[io.Input]:
    """Where the wrist is and how it is turned."""
    place = "of the wrist joint, metres. World: X right, Y away, Z up, table top at z = 0."
    turn = "Degrees. All three at 0: palm down, fingers along +Y. Turns about the fixed world X, then Y, then Z axis, around the wrist."
    defaults = {"x": 0.0, "y": -0.2, "z": 0.12}
    return [
        *(
            io.Float.Input(f"wrist_{axis}", default=value, min=-5.0, max=5.0, step=0.005, round=False, tooltip=f"{axis.upper()} {place}")
            for axis, value in defaults.items()
        ),
        *(
            io.Float.Input(f"rotation_{axis}", default=0.0, min=-360.0, max=360.0, step=1.0, round=False, tooltip=f"{axis.upper()}: {turn}")
            for axis in "xyz"
        ),
    ]


def finger_inputs() -> list[io.Input]:
    """Two sliders for each finger."""
    says = {
        "flexion": "Bends the {} on top of the preset: 1 curls it, -1 stretches it, 0 keeps the preset. Stays within what a hand can do.",
        "spread": "Turns the {} sideways: 1 away from the middle finger, -1 towards it, 0 keeps the preset.",
    }
    return [
        io.Float.Input(
            f"{finger}_{motion}",
            default=0.0,
            min=-1.0,
            max=1.0,
            step=0.01,
            display_mode=io.NumberDisplay.slider,
            advanced=True,
            tooltip=text.format(finger if finger == "thumb" else f"{finger} finger"),
        )
        for finger in FINGERS
        for motion, text in says.items()
    ]


class PAMLoadManoHand(io.ComfyNode):
    """A hand model file, or the embedded hand."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMLoadManoHand",
            display_name="Load MANO Hand (PAM)",
            category=sockets.POSE,
            description="Loads a rigged hand: the embedded CC0 hand, or a MANO file from models/mano.",
            search_aliases=["mano", "hand model", "load hand", "MANO_RIGHT", "MANO_LEFT"],
            inputs=[
                io.Combo.Input(
                    "hand_file",
                    options=[EMBEDDED, *paths.model_files("mano")],
                    default=EMBEDDED,
                    tooltip="The embedded CC0 hand needs no download. MANO files (.pkl, .npz, .safetensors) go into models/mano.",
                ),
                io.Combo.Input("side", options=["right", "left"], default="right", tooltip="Which hand; a file must hold that hand."),
                io.String.Input(
                    "betas",
                    default="",
                    optional=True,
                    tooltip="Shape of the hand: up to ten numbers, about -3..3, separated by commas. Empty is the average hand. "
                    "Betas of MANO data fit the MANO files only.",
                ),
                io.Combo.Input(
                    "left_shape",
                    options=["as_file", "fixed"],
                    default="as_file",
                    optional=True,
                    advanced=True,
                    tooltip="MANO_LEFT.pkl has mirrored shape directions in x. 'as_file' keeps them, as DexYCB needs; "
                    "'fixed' repairs them, so that equal betas give mirrored hands.",
                ),
                io.Combo.Input(
                    "fingertips",
                    options=["manopth", "smplx", "ho3d", "freihand"],
                    default="manopth",
                    optional=True,
                    advanced=True,
                    tooltip="Which vertices count as fingertips. manopth: DexYCB, OAKINK2 and PAM's pictures; smplx: HaMeR, ARCTIC.",
                ),
                io.Combo.Input(
                    "backend",
                    options=["pam", "smplx"],
                    default="pam",
                    optional=True,
                    advanced=True,
                    tooltip="Code that poses the skin. Both give the same to a thousandth of a millimetre; smplx must be installed by you.",
                ),
            ],
            outputs=[sockets.ManoModel.Output("hand", tooltip="The hand model, for poses, rollouts and renders.")],
        )

    @classmethod
    def validate_inputs(cls, hand_file: str) -> bool | str:
        try:
            if hand_file not in (None, EMBEDDED):
                paths.model_path("mano", hand_file)
        except FileNotFoundError as error:
            return str(error)
        return True

    @classmethod
    def fingerprint_inputs(cls, hand_file: str, **_kwargs) -> str:
        return EMBEDDED if hand_file in (None, EMBEDDED) else paths.file_digest(paths.model_path("mano", hand_file))

    @classmethod
    def execute(
        cls, hand_file: str, side: str, betas: str = "", left_shape: str = "as_file", fingertips: str = "manopth", backend: str = "pam"
    ) -> io.NodeOutput:
        from ..hands.files import choose_hand
        from ..hands.posing import with_betas

        path = None if hand_file == EMBEDDED else paths.model_path("mano", hand_file)
        return io.NodeOutput(with_betas(choose_hand(path, side, left_shape, fingertips, backend), betas))


class PAMHandPose(io.ComfyNode):
    """A preset, bent finger by finger, at a place."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMHandPose",
            display_name="Pose Hand (PAM)",
            category=sockets.POSE,
            description="Poses a hand from a preset and sliders for each finger, and puts its wrist into the scene.",
            search_aliases=["hand pose", "grasp pose", "finger", "preset", "h_0", "h_T"],
            inputs=[
                sockets.ManoModel.Input("hand", tooltip="From Load MANO Hand."),
                io.Combo.Input("preset", options=PRESETS, default="relaxed", tooltip="Pose that the sliders start from."),
                *wrist_inputs(),
                *finger_inputs(),
            ],
            outputs=[sockets.ManoPose.Output("pose", tooltip="One hand pose, for example the start or the goal of a rollout.")],
        )

    @classmethod
    def execute(
        cls,
        hand,
        preset: str,
        wrist_x: float,
        wrist_y: float,
        wrist_z: float,
        rotation_x: float,
        rotation_y: float,
        rotation_z: float,
        **sliders: float,
    ) -> io.NodeOutput:
        from ..hands.posing import FingerSlider, finger_pose, place_hand

        fingers = {name: FingerSlider(sliders.get(f"{name}_flexion", 0.0), sliders.get(f"{name}_spread", 0.0)) for name in FINGERS}
        hand_pose = finger_pose(hand, preset, fingers)
        return io.NodeOutput(place_hand(hand, hand_pose, (wrist_x, wrist_y, wrist_z), (rotation_x, rotation_y, rotation_z)))


class PAMHandPoseFromNumbers(io.ComfyNode):
    """A pose that another program made."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMHandPoseFromNumbers",
            display_name="Pose Hand from Numbers (PAM)",
            category=sockets.POSE,
            description="Poses a hand from 45 axis-angle numbers (MANO hand_pose) and puts its wrist into the scene.",
            search_aliases=["hand_pose", "mano parameters", "axis angle", "45"],
            inputs=[
                sockets.ManoModel.Input("hand", tooltip="From Load MANO Hand."),
                io.String.Input(
                    "hand_pose",
                    multiline=True,
                    default=", ".join(["0"] * 45),
                    tooltip="45 numbers: axis-angle x y z in radians of 15 joints, index, middle, pinky, ring, thumb, base to tip.",
                ),
                *wrist_inputs(),
                io.Boolean.Input(
                    "flat_hand_mean",
                    default=True,
                    tooltip="On: zeros are the flat hand. Off: the numbers are relative to the hand's mean pose (GraspXL, ARCTIC, DexYCB). "
                    "On the embedded hand that mean is its own, so the result is approximate.",
                ),
                io.Combo.Input(
                    "convention",
                    options=[FROM_SWITCH, *CONVENTIONS],
                    default=FROM_SWITCH,
                    optional=True,
                    advanced=True,
                    tooltip="What the numbers are: 45 axis-angles (the switch says from where), 1 to 45 PCA codes (MANO hands only), "
                    "60 of quaternions wxyz, 135 of matrices, 45 Euler angles.",
                ),
            ],
            outputs=[sockets.ManoPose.Output("pose", tooltip="One hand pose, for example the start or the goal of a rollout.")],
        )

    @classmethod
    def execute(
        cls,
        hand,
        hand_pose: str,
        wrist_x: float,
        wrist_y: float,
        wrist_z: float,
        rotation_x: float,
        rotation_y: float,
        rotation_z: float,
        flat_hand_mean: bool,
        convention: str = FROM_SWITCH,
    ) -> io.NodeOutput:
        from ..hands.conventions import Convention
        from ..hands.posing import place_hand, pose_from_numbers

        if convention == FROM_SWITCH:
            convention = Convention.FLAT if flat_hand_mean else Convention.MEAN
        numbers = pose_from_numbers(hand_pose, hand, Convention(convention))
        return io.NodeOutput(place_hand(hand, numbers, (wrist_x, wrist_y, wrist_z), (rotation_x, rotation_y, rotation_z)))


NODES = [PAMLoadManoHand, PAMHandPose, PAMHandPoseFromNumbers]
