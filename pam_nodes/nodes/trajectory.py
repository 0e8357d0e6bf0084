"""Nodes: editing motion."""

from __future__ import annotations

from comfy_api.latest import io

from . import sockets

TRAJECTORY_OUT = sockets.HoiTrajectory.Output("trajectory", tooltip="The changed motion.")


def trajectory_input(name: str = "trajectory", tooltip: str = "Hands and objects over time.") -> io.Input:
    return sockets.HoiTrajectory.Input(name, tooltip=tooltip)


def share_input(name: str, default: float, tooltip: str, **more) -> io.Input:
    return io.Float.Input(name, default=default, min=0.0, max=1.0, step=0.01, tooltip=tooltip, **more)


class PAMRetimeTrajectory(io.ComfyNode):
    """Bring a motion to a number of frames and a pace."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMRetimeTrajectory",
            display_name="Retime Trajectory (PAM)",
            category=sockets.POSE,
            description="Brings a motion to the frames of a video: stretches it to a length or keeps its pace, slows what is too fast, "
            "eases in and out, and holds the first and last pose.",
            search_aliases=["resample", "fps", "slow down", "speed", "time warp", "length", "ease"],
            inputs=[
                trajectory_input(),
                io.Int.Input("length", default=49, min=0, max=100000, tooltip="Frames; CogVideoX takes 4k + 1. 0: as many as it takes."),
                io.Float.Input("fps", default=30.0, min=1.0, max=240.0, step=1.0, tooltip="Frames a second of the result."),
                io.Boolean.Input(
                    "fit",
                    default=True,
                    tooltip="On: the whole motion is stretched to the length. Off: it keeps its pace, and is cut or held at the end.",
                ),
                io.Float.Input("speed", default=1.0, min=0.05, max=20.0, step=0.05, tooltip="Pace, 2 is twice as fast. Not with fit."),
                io.Float.Input(
                    "speed_limit",
                    default=0.0,
                    min=0.0,
                    max=20.0,
                    step=0.05,
                    tooltip="Metres a second that wrists and objects do not pass; faster parts are slowed down smoothly. 0: no limit. "
                    "Recorded grasps reach 2.5 m/s; 0.8 looks calm.",
                ),
                share_input("ease_in", 0.0, "Share of the time in which the motion gathers speed."),
                share_input("ease_out", 0.0, "Share of the time in which the motion comes to rest."),
                io.Int.Input("hold_start", default=0, min=0, max=10000, advanced=True, tooltip="Frames of standing still before it."),
                io.Int.Input("hold_end", default=0, min=0, max=10000, advanced=True, tooltip="Frames of standing still after it."),
            ],
            outputs=[TRAJECTORY_OUT],
        )

    @classmethod
    def execute(cls, trajectory, **timing) -> io.NodeOutput:
        from ..grasp.retime import Timing, retime

        return io.NodeOutput(retime(trajectory, Timing(**timing)))


class PAMTrimTrajectory(io.ComfyNode):
    """Cut frames off."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMTrimTrajectory",
            display_name="Trim Trajectory (PAM)",
            category=sockets.POSE,
            description="Keeps a part of a motion.",
            search_aliases=["cut", "crop", "frames", "range"],
            inputs=[
                trajectory_input(),
                io.Int.Input("start", default=0, min=-100000, max=100000, tooltip="First frame to keep; -1 is the last frame."),
                io.Int.Input("end", default=-1, min=-100000, max=100000, tooltip="Last frame to keep; -1 is the last frame."),
            ],
            outputs=[TRAJECTORY_OUT],
        )

    @classmethod
    def execute(cls, trajectory, start: int, end: int) -> io.NodeOutput:
        from ..grasp.edit import trim

        return io.NodeOutput(trim(trajectory, start, end))


class PAMConcatTrajectories(io.ComfyNode):
    """One motion after another."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMConcatTrajectories",
            display_name="Concatenate Trajectories (PAM)",
            category=sockets.POSE,
            description="Plays one motion after another, with frames in between that lead over. Both need the same hands, objects and fps.",
            search_aliases=["append", "join", "sequence", "concat"],
            inputs=[
                trajectory_input("first", "Plays first."),
                trajectory_input("second", "Plays after it."),
                io.Int.Input("bridge", default=8, min=0, max=1000, tooltip="Frames in between, from the last pose to the next first one."),
            ],
            outputs=[TRAJECTORY_OUT],
        )

    @classmethod
    def execute(cls, first, second, bridge: int) -> io.NodeOutput:
        from ..grasp.edit import concat

        return io.NodeOutput(concat(first, second, bridge))


class PAMMirrorTrajectory(io.ComfyNode):
    """Left becomes right."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMMirrorTrajectory",
            display_name="Mirror Trajectory (PAM)",
            category=sockets.POSE,
            description="Mirrors hands and objects in the plane x = 0: a right hand's motion becomes a left hand's.",
            search_aliases=["flip", "left hand", "right hand"],
            inputs=[trajectory_input()],
            outputs=[TRAJECTORY_OUT],
        )

    @classmethod
    def execute(cls, trajectory) -> io.NodeOutput:
        from ..grasp.edit import mirror_trajectory

        return io.NodeOutput(mirror_trajectory(trajectory))


class PAMSmoothTrajectory(io.ComfyNode):
    """Take jitter out."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMSmoothTrajectory",
            display_name="Smooth Trajectory (PAM)",
            category=sockets.POSE,
            description="Takes jitter out of recorded or estimated motion. The first and last frame stay as they are.",
            search_aliases=["filter", "jitter", "gaussian", "denoise motion"],
            inputs=[
                trajectory_input(),
                io.Float.Input("seconds", default=0.05, min=0.0, max=2.0, step=0.01, tooltip="Width of the window; 0.03 to 0.1 is usual."),
                io.Boolean.Input("hands", default=True, tooltip="Smooth the hands."),
                io.Boolean.Input("objects", default=True, tooltip="Smooth the objects; a held object needs the same as its hand."),
            ],
            outputs=[TRAJECTORY_OUT],
        )

    @classmethod
    def execute(cls, trajectory, seconds: float, hands: bool, objects: bool) -> io.NodeOutput:
        from ..grasp.smooth import smooth

        return io.NodeOutput(smooth(trajectory, seconds, hands, objects))


class PAMOffsetTrajectory(io.ComfyNode):
    """Move a motion elsewhere."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        turn = "Degrees. Turns about the world's origin: X, then Y, then Z."
        return io.Schema(
            node_id="PAMOffsetTrajectory",
            display_name="Offset Trajectory (PAM)",
            category=sockets.POSE,
            description="Moves and turns a whole motion, or only its hands or objects.",
            search_aliases=["move", "translate", "rotate", "transform"],
            inputs=[
                trajectory_input(),
                io.Combo.Input("what", options=["all", "hands", "objects"], default="all", tooltip="What is moved."),
                *(
                    io.Float.Input(axis, default=0.0, min=-10.0, max=10.0, step=0.005, round=False, tooltip=f"Metres along {axis.upper()}.")
                    for axis in "xyz"
                ),
                *(
                    io.Float.Input(
                        f"rotation_{axis}", default=0.0, min=-360.0, max=360.0, step=1.0, round=False, tooltip=f"{axis.upper()}: {turn}"
                    )
                    for axis in "xyz"
                ),
            ],
            outputs=[TRAJECTORY_OUT],
        )

    @classmethod
    def execute(cls, trajectory, what, x, y, z, rotation_x, rotation_y, rotation_z) -> io.NodeOutput:
        from ..geometry.rotations import euler_degrees_to_matrix, pose_matrix
        from ..grasp.edit import offset

        transform = pose_matrix(euler_degrees_to_matrix((rotation_x, rotation_y, rotation_z)), (x, y, z))
        return io.NodeOutput(offset(trajectory, transform, what))


class PAMBlendTrajectories(io.ComfyNode):
    """A motion between two."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMBlendTrajectories",
            display_name="Blend Trajectories (PAM)",
            category=sockets.POSE,
            description="Mixes two motions of equal length, or fades from one into the other. Both need the same hands and objects.",
            search_aliases=["crossfade", "mix", "interpolate"],
            inputs=[
                trajectory_input("first", "Share 0."),
                trajectory_input("second", "Share 1."),
                share_input("start", 0.0, "Share of the second motion in the first frame."),
                share_input("end", 1.0, "Share of the second motion in the last frame; equal to start for the same mix throughout."),
            ],
            outputs=[TRAJECTORY_OUT],
        )

    @classmethod
    def execute(cls, first, second, start: float, end: float) -> io.NodeOutput:
        from ..grasp.blend import blend

        return io.NodeOutput(blend(first, second, start, end))


NODES: list[type] = [
    PAMRetimeTrajectory,
    PAMTrimTrajectory,
    PAMConcatTrajectories,
    PAMMirrorTrajectory,
    PAMSmoothTrajectory,
    PAMOffsetTrajectory,
    PAMBlendTrajectories,
]
