"""Nodes: motion put together and taken apart."""

from __future__ import annotations

import logging

from comfy_api.latest import io

from . import sockets
from .trajectory import trajectory_input

log = logging.getLogger(__name__)


class PAMMergeTrajectories(io.ComfyNode):
    """Two motions in one scene."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMMergeTrajectories",
            display_name="Merge Trajectories (PAM)",
            category=sockets.POSE,
            description="Puts two motions into one scene, for two hands for example, and reports what runs into each other. "
            "The second is brought to the fps of the first, and the shorter one is held at its end.",
            search_aliases=["two hands", "bimanual", "combine", "collision"],
            inputs=[
                trajectory_input("first", "Keeps its fps."),
                trajectory_input("second", "Is added to it."),
                io.Combo.Input(
                    "objects",
                    options=["both", "first", "second"],
                    default="both",
                    tooltip="Whose objects are kept: one of them when both motions hold the same thing.",
                ),
                io.Float.Input("tolerance", default=2.0, min=0.0, max=50.0, step=0.5, tooltip="Millimetres of overlap that are let pass."),
            ],
            outputs=[
                sockets.HoiTrajectory.Output("trajectory", tooltip="Both motions."),
                io.String.Output("collisions", tooltip="One line for each pair that overlaps: how deep, where, how long."),
                io.Boolean.Output("clear", tooltip="True when nothing overlaps."),
            ],
        )

    @classmethod
    def execute(cls, first, second, objects: str, tolerance: float) -> io.NodeOutput:
        from ..grasp.merge import collisions, merge

        merged = merge(first, second, objects)
        found = collisions(merged, tolerance / 1000)
        text = "\n".join(map(str, found)) or "Nothing overlaps."
        if found:
            log.warning("Merge Trajectories (PAM): %s", text)
        return io.NodeOutput(merged, text, not found, ui={"text": [text]})


class PAMGetTrajectoryFrame(io.ComfyNode):
    """One moment of a motion."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMGetTrajectoryFrame",
            display_name="Get Trajectory Frame (PAM)",
            category=sockets.POSE,
            description="Takes a hand and an object out of one frame of a motion, for example as the start or target pose of a rollout.",
            search_aliases=["pose from trajectory", "keyframe", "pick frame", "h_T", "h_0"],
            inputs=[
                trajectory_input(),
                io.Int.Input("frame", default=-1, min=-100000, max=100000, tooltip="Which frame; -1 is the last."),
                io.Int.Input("hand", default=0, min=0, max=9, tooltip="Which hand, 0 is the first."),
                io.Int.Input("object", default=0, min=0, max=9, tooltip="Which object, 0 is the first."),
                io.Boolean.Input(
                    "object_at_start",
                    default=False,
                    tooltip="On: put the object back to where it starts and take the hand along, so that a grasp becomes a target pose.",
                ),
            ],
            outputs=[
                sockets.ManoPose.Output("pose", tooltip="The hand in this frame."),
                sockets.HoiObject.Output("object", tooltip="The object where it is in this frame, or where it starts."),
                sockets.ManoModel.Output("hand", tooltip="The hand model of the motion."),
            ],
        )

    @classmethod
    def execute(cls, trajectory, frame: int, hand: int, object: int, object_at_start: bool) -> io.NodeOutput:
        from ..grasp.edit import pick_frame

        pose, mesh = pick_frame(trajectory, frame, hand, object, object_at_start)
        return io.NodeOutput(pose, mesh, trajectory.hands[hand].model)


class PAMMakeTrajectory(io.ComfyNode):
    """A motion of poses."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMMakeTrajectory",
            display_name="Make Trajectory (PAM)",
            category=sockets.POSE,
            description="Makes a motion of hand poses and objects that stand still: of one pose for a still picture, "
            "or of a sequence that another node gives.",
            search_aliases=["pose to trajectory", "still", "static", "sequence"],
            inputs=[
                sockets.ManoModel.Input("hand", tooltip="The hand the pose was made for."),
                sockets.ManoPose.Input("pose", tooltip="One pose, or one for each frame."),
                sockets.HoiObject.Input("object", optional=True, tooltip="Stands where it is placed."),
                sockets.HoiObject.Input("second_object", optional=True, tooltip="Another one."),
                io.Int.Input("length", default=0, min=0, max=100000, tooltip="Frames that a single pose is held for; 0: as many as poses."),
                io.Float.Input("fps", default=30.0, min=1.0, max=240.0, step=1.0, tooltip="Frames a second."),
            ],
            outputs=[sockets.HoiTrajectory.Output("trajectory", tooltip="Hand and objects over time.")],
        )

    @classmethod
    def execute(cls, hand, pose, length: int, fps: float, object=None, second_object=None) -> io.NodeOutput:
        from ..grasp.edit import make_trajectory

        objects = tuple(mesh for mesh in (object, second_object) if mesh is not None)
        return io.NodeOutput(make_trajectory(hand, pose, objects, fps, length))


NODES: list[type] = [PAMMergeTrajectories, PAMGetTrajectoryFrame, PAMMakeTrajectory]
