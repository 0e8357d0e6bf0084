"""Nodes: hand key points in other styles, and POSE_KEYPOINT in and out."""

from comfy_api.latest import io

from .sockets import CONDITIONS, HoiCamera, HoiConditions, HoiTrajectory, PoseKeypoint
from .tensors import check_view, image

STYLES = ["dexycb", "oakink2", "openpose"]
STYLE_TIP = (
    "dexycb, oakink2: PAM's drawing, pixel for pixel at height 480. openpose: thin rainbow lines and blue dots, for ControlNets trained on "
    "OpenPose hands."
)


def _drawing_inputs() -> list[io.Input]:
    """How joints and bones are drawn."""
    return [
        io.Combo.Input("style", options=STYLES, tooltip=STYLE_TIP),
        io.Float.Input(
            "scale",
            default=0.0,
            min=0.0,
            max=10.0,
            step=0.05,
            tooltip="Of discs and bones; 0 follows the picture's shorter side, and is exact at 480.",
            advanced=True,
        ),
        io.Int.Input("smoothing", default=1, min=1, max=4, tooltip="1 is the exact look; more smooths edges.", advanced=True),
        io.Boolean.Input(
            "corner_dot",
            default=False,
            tooltip="dexycb: in frames without a hand, draw the dot of 2 x 2 pixels in the top-left corner that PAM's training data have.",
            advanced=True,
        ),
    ]


class PAMHandKeypoints(io.ComfyNode):
    """Key points of a trajectory."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMHandKeypoints",
            display_name="Hand Keypoints (PAM)",
            category=CONDITIONS,
            description="Projects the 21 joints of every hand: drawn in PAM's or OpenPose's style, with hidden joints dimmed or dropped if "
            "you like, and as POSE_KEYPOINT for other packs.",
            search_aliases=["keypoints", "openpose", "dwpose", "skeleton", "pose keypoint", "joints", "occlusion"],
            inputs=[
                HoiTrajectory.Input("trajectory", tooltip="Hands and objects in motion."),
                HoiCamera.Input("camera", tooltip="Where it is filmed from, and the size of the pictures; may move."),
                io.Int.Input("length", default=0, min=0, max=100000, tooltip="Frames to draw from the start; 0 draws all."),
                io.Combo.Input(
                    "hidden",
                    options=["draw", "dim", "drop"],
                    tooltip="Joints behind an object or another finger: drawn like the others (as PAM does), dimmed, or left out.",
                ),
                io.Combo.Input(
                    "bone_order",
                    options=["motion", "appearance"],
                    tooltip="motion: the thumb on top when the wrist is nearer than the little fingertip. appearance: never.",
                    advanced=True,
                ),
                *_drawing_inputs(),
            ],
            outputs=[
                io.Image.Output(display_name="keypoints", tooltip="The drawing on black."),
                PoseKeypoint.Output(
                    display_name="pose_keypoint",
                    tooltip="OpenPose order, pixels; confidence is 1 for a visible joint, 0.5 for a hidden one, 0 outside the picture.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls, trajectory, camera, length: int, hidden: str, bone_order: str, style: str, scale: float, smoothing: int, corner_dot: bool
    ) -> io.NodeOutput:
        from ..conditions.hand_keypoints import KeypointLook
        from ..conditions.modalities import hand_keypoints
        from ..conditions.pose_keypoint import to_pose_keypoint
        from ..host.progress import reporter

        look = KeypointLook(style, bone_order, hidden, scale or None, smoothing, corner_dot)
        check_view(trajectory, camera, length, 20, "depth and key-point pictures")
        drawn = hand_keypoints(trajectory, camera, look, length or None, reporter())
        return io.NodeOutput(image(drawn.pictures), to_pose_keypoint(drawn.keypoints))


class PAMDrawPoseKeypoints(io.ComfyNode):
    """POSE_KEYPOINT of other packs in PAM's drawing."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMDrawPoseKeypoints",
            display_name="Draw Pose Keypoints (PAM)",
            category=CONDITIONS,
            description="Draws the hands of POSE_KEYPOINT from DWPose, SDPose or another estimator as PAM's models expect them: "
            "a real video becomes a key-point condition.",
            search_aliases=["dwpose", "openpose", "pose keypoint", "draw hands", "sdpose", "keypoints"],
            inputs=[
                PoseKeypoint.Input("pose_keypoint", tooltip="Frames of an estimator; body and face are not drawn."),
                io.Float.Input("threshold", default=0.1, min=0.0, max=1.0, step=0.05, tooltip="Joints of less confidence are left out."),
                *_drawing_inputs(),
                HoiConditions.Input("conditions", optional=True, tooltip="Bundle whose key points are replaced by the drawing."),
            ],
            outputs=[
                io.Image.Output(display_name="keypoints", tooltip="The drawing on black, in the size of the estimator's canvas."),
                HoiConditions.Output(display_name="conditions", tooltip="The bundle with this drawing; a new one if none is connected."),
            ],
        )

    @classmethod
    def execute(
        cls, pose_keypoint, threshold: float, style: str, scale: float, smoothing: int, corner_dot: bool, conditions=None
    ) -> io.NodeOutput:
        from ..conditions.hand_keypoints import KeypointLook, draw_keypoints
        from ..conditions.pack import pack_images
        from ..conditions.pose_keypoint import from_pose_keypoint

        look = KeypointLook(style, "appearance", "draw", scale or None, smoothing, corner_dot)
        drawn = image(draw_keypoints(from_pose_keypoint(pose_keypoint, threshold), look))
        return io.NodeOutput(drawn, pack_images({"keypoints": drawn.numpy()}, conditions))


NODES: list[type] = [PAMHandKeypoints, PAMDrawPoseKeypoints]
