"""Node: grasp rollout."""

from __future__ import annotations

import logging

from comfy_api.latest import io

from . import sockets

log = logging.getLogger(__name__)


class PAMGraspRollout(io.ComfyNode):
    """Simulate a hand that grasps and lifts an object."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMGraspRollout",
            display_name="Grasp Rollout (PAM)",
            category=sockets.POSE,
            description="Simulates the hand from its start pose to a grasp of the object, then lifts and holds it (MuJoCo physics on the CPU). "
            "With a target pose the hand closes as that pose says; without one it looks for a grasp itself. "
            "Tries again with variations until the object stays in the hand.",
            search_aliases=["grasp", "hand motion", "hoi trajectory", "graspxl", "simulate hand", "pick up", "mujoco"],
            inputs=[
                sockets.ManoModel.Input("hand", tooltip="The hand, from Load MANO Hand."),
                sockets.ManoPose.Input("start_pose", tooltip="Hand on the first frame (h_0), clear of the object and within 1 m of it."),
                sockets.HoiObject.Input("object", tooltip="The object where it stands at the start (o_0), resting on the table (z = 0)."),
                sockets.ManoPose.Input(
                    "target_pose",
                    optional=True,
                    tooltip="Hand at the moment it has grasped the object where it stands (h_T). Not connected: grasps are sampled.",
                ),
                io.Int.Input("length", default=49, min=2, max=1000, tooltip="Frames. The whole motion is fitted to them; CogVideoX takes 4k + 1."),
                io.Float.Input("fps", default=15.0, min=1.0, max=120.0, step=1.0, tooltip="Frames a second of the trajectory and its previews."),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    control_after_generate=True,
                    tooltip="Picks the sampled grasps and the variations between attempts. The same seed gives the same motion.",
                ),
                io.Float.Input("lift_height", default=0.2, min=0.02, max=1.0, step=0.01, tooltip="How high to lift the object, metres."),
                io.Int.Input(
                    "max_attempts", default=8, min=1, max=100, tooltip="Simulations to try at most, about 0.3 s each. The best one is kept."
                ),
                io.Float.Input(
                    "object_density",
                    default=300.0,
                    min=1.0,
                    max=20000.0,
                    step=10.0,
                    advanced=True,
                    tooltip="Density of the solid mesh in kg/m3. Every object weighs at least 50 g.",
                ),
                io.Boolean.Input(
                    "require_success",
                    default=False,
                    advanced=True,
                    tooltip="Stop the workflow when no attempt holds the object. Off: the best attempt goes on, with a warning in the report.",
                ),
            ],
            outputs=[
                sockets.HoiTrajectory.Output(display_name="TRAJECTORY", tooltip="Hand and object over all frames, world frame."),
                io.String.Output(display_name="REPORT", tooltip="One line: success, lift, tilt, slip, overlap, contacts and attempts."),
            ],
        )

    @classmethod
    def execute(
        cls, hand, start_pose, object, length, fps, seed, lift_height, max_attempts, object_density, require_success, target_pose=None
    ) -> io.NodeOutput:
        from ..grasp.quality import describe
        from ..grasp.rollout import RolloutOptions, rollout
        from ..host.progress import reporter

        options = RolloutOptions(length, fps, seed, lift_height, max_attempts, object_density, require_success)
        trajectory = rollout(hand, start_pose, object, target_pose, options, reporter())
        report = describe(trajectory.report)
        if not trajectory.report.success:
            log.warning("Grasp Rollout (PAM): %s", report)
        return io.NodeOutput(trajectory, report, ui={"text": [report]})


NODES: list[type] = [PAMGraspRollout]
