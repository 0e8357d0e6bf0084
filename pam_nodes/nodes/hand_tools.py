"""Nodes: hand poses checked, changed and taken apart."""

from __future__ import annotations

from comfy_api.latest import io

from . import sockets

CONVENTIONS = ["axis-angle, flat", "axis-angle, mean", "PCA, mean", "quaternion wxyz, flat", "matrix, flat", "Euler XYZ, flat"]


class PAMCheckHandPose(io.ComfyNode):
    """Is this a pose a hand can make?"""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMCheckHandPose",
            display_name="Check Hand Pose (PAM)",
            category=sockets.POSE,
            description="Lists finger joints that bend, spread or twist further than a hand can, and brings them back if asked to. "
            "Works on single poses and on sequences.",
            search_aliases=["anatomy", "joint limits", "valid pose", "clamp", "repair"],
            inputs=[
                sockets.ManoModel.Input("hand", tooltip="The hand the pose was made for."),
                sockets.ManoPose.Input("pose", tooltip="One pose, or one for each frame."),
                io.Float.Input("tolerance", default=3.0, min=0.0, max=90.0, step=0.5, tooltip="Degrees beyond a range that are let pass."),
                io.Boolean.Input("clamp", default=False, tooltip="On: the pose that goes out keeps to the ranges."),
            ],
            outputs=[
                sockets.ManoPose.Output("pose", tooltip="The pose as it came, or kept to the ranges."),
                io.Boolean.Output("ok", tooltip="True when every joint that came in is within its range."),
                io.String.Output("report", tooltip="A line for each joint, angle and frame beyond its range, the worst first."),
            ],
        )

    @classmethod
    def execute(cls, hand, pose, tolerance: float, clamp: bool) -> io.NodeOutput:
        from ..hands.limits import check

        result, found, text = check(hand, pose, tolerance, clamp)
        return io.NodeOutput(result, not found, text, ui={"text": [text]})


class PAMHandPoseToNumbers(io.ComfyNode):
    """A pose as numbers for other programs."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMHandPoseToNumbers",
            display_name="Hand Pose to Numbers (PAM)",
            category=sockets.POSE,
            description="Writes a hand pose as numbers, in the convention another program or data set uses.",
            search_aliases=["hand_pose", "mano parameters", "axis angle", "pca", "quaternion", "export pose"],
            inputs=[
                sockets.ManoModel.Input("hand", tooltip="The hand the pose was made for."),
                sockets.ManoPose.Input("pose", tooltip="One pose, or one for each frame."),
                io.Combo.Input(
                    "convention",
                    options=CONVENTIONS,
                    default=CONVENTIONS[0],
                    tooltip="flat: zeros are the flat hand; mean: zeros are the mean pose. PCA needs a MANO hand.",
                ),
                io.Int.Input("components", default=45, min=1, max=45, advanced=True, tooltip="How many PCA coefficients."),
                io.Int.Input("frame", default=0, min=-100000, max=100000, tooltip="Which frame; -1 is the last."),
            ],
            outputs=[
                io.String.Output("hand_pose", tooltip="The numbers of the 15 finger joints: index, middle, pinky, ring, thumb."),
                io.String.Output("global_orient", tooltip="Axis-angle of the wrist, radians, world frame."),
                io.String.Output("transl", tooltip="MANO translation, metres. The wrist is at J0(betas) + transl."),
                io.String.Output("betas", tooltip="Shape coefficients."),
            ],
        )

    @classmethod
    def execute(cls, hand, pose, convention: str, components: int, frame: int) -> io.NodeOutput:
        from ..hands.posing import numbers_of

        return io.NodeOutput(*numbers_of(hand, pose, convention, components, frame))


class PAMBlendHandPoses(io.ComfyNode):
    """A pose between two."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMBlendHandPoses",
            display_name="Blend Hand Poses (PAM)",
            category=sockets.POSE,
            description="Mixes two poses of the same hand, every joint on its own.",
            search_aliases=["interpolate pose", "mix poses", "lerp"],
            inputs=[
                sockets.ManoPose.Input("first", tooltip="Share 0."),
                sockets.ManoPose.Input("second", tooltip="Share 1."),
                io.Float.Input("share", default=0.5, min=0.0, max=1.0, step=0.01, tooltip="How much of the second pose."),
                io.Combo.Input(
                    "what",
                    options=["all", "fingers", "wrist"],
                    default="all",
                    tooltip="What is mixed; the rest is the first pose's.",
                ),
            ],
            outputs=[sockets.ManoPose.Output("pose", tooltip="The pose in between.")],
        )

    @classmethod
    def execute(cls, first, second, share: float, what: str) -> io.NodeOutput:
        from ..grasp.blend import blend_poses

        return io.NodeOutput(blend_poses(first, second, share, what))


class PAMMirrorHandPose(io.ComfyNode):
    """The other hand's pose."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMMirrorHandPose",
            display_name="Mirror Hand Pose (PAM)",
            category=sockets.POSE,
            description="Makes a left hand's pose of a right one and the other way round, mirrored in the plane x = 0.",
            search_aliases=["flip pose", "left hand", "right hand"],
            inputs=[sockets.ManoPose.Input("pose", tooltip="The pose of one hand.")],
            outputs=[sockets.ManoPose.Output("pose", tooltip="The mirrored pose, for a hand of the other side.")],
        )

    @classmethod
    def execute(cls, pose) -> io.NodeOutput:
        from ..grasp.mirror import mirror_pose

        return io.NodeOutput(mirror_pose(pose))


NODES: list[type] = [PAMCheckHandPose, PAMHandPoseToNumbers, PAMBlendHandPoses, PAMMirrorHandPose]
