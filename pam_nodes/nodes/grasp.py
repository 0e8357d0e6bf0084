"""Nodes: grasp rollout, and what steers it."""

from __future__ import annotations

import logging

from comfy_api.latest import io

from ..host import paths
from . import sockets

log = logging.getLogger(__name__)

HEADINGS = {
    "free": None,
    "from above": (0.0, 0.0, 1.0),
    "from the front": (0.0, -1.0, 0.0),
    "from behind": (0.0, 1.0, 0.0),
    "from the left": (-1.0, 0.0, 0.0),
    "from the right": (1.0, 0.0, 0.0),
}
CUSTOM = "custom"


class PAMLoadGraspPolicy(io.ComfyNode):
    """A network that grasps."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMLoadGraspPolicy",
            display_name="Load GraspXL Policy (PAM)",
            category=sockets.POSE,
            description="Loads GraspXL's pretrained policy for the MANO hand from models/graspxl. It runs on the CPU, without RaiSim.",
            search_aliases=["graspxl", "grasp policy", "reinforcement learning", "full_5600_r", "raisim"],
            inputs=[
                io.Combo.Input(
                    "policy_file",
                    options=paths.model_files("graspxl"),
                    tooltip="full_5600_r.pt of GraspXL (data_all/floating_mixed), in models/graspxl. Its licence is CC BY-NC 4.0.",
                ),
            ],
            outputs=[sockets.GraspPolicy.Output("policy", tooltip="For the policy input of Grasp Rollout.")],
        )

    @classmethod
    def validate_inputs(cls, policy_file: str) -> bool | str:
        try:
            if policy_file is not None:
                paths.model_path("graspxl", policy_file)
        except FileNotFoundError as error:
            return str(error)
        return True

    @classmethod
    def fingerprint_inputs(cls, policy_file: str, **_kwargs) -> str:
        return paths.file_digest(paths.model_path("graspxl", policy_file))

    @classmethod
    def execute(cls, policy_file: str) -> io.NodeOutput:
        from ..grasp.policy import load_policy

        return io.NodeOutput(load_policy(paths.model_path("graspxl", policy_file)))


class PAMGraspObjective(io.ComfyNode):
    """What kind of grasp is looked for."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMGraspObjective",
            display_name="Grasp Objective (PAM)",
            category=sockets.POSE,
            description="Says how Grasp Rollout should grasp when no target pose is given: from which side, how the hand is turned, "
            "which point it holds, and which part of the object it keeps away from. What is left free is sampled.",
            search_aliases=["grasp direction", "heading", "affordance", "forbidden part", "midpoint"],
            inputs=[
                io.Combo.Input(
                    "heading",
                    options=[*HEADINGS, CUSTOM],
                    default="free",
                    tooltip="Side of the object that the wrist comes from. 'custom' takes the three numbers below.",
                ),
                *(
                    io.Float.Input(
                        f"heading_{axis}",
                        default=float(axis == "z"),
                        min=-1.0,
                        max=1.0,
                        step=0.05,
                        advanced=True,
                        tooltip=f"{axis.upper()} of the direction from the object to the wrist, world frame, for 'custom'.",
                    )
                    for axis in "xyz"
                ),
                io.Boolean.Input(
                    "fix_turn", default=False, tooltip="On: the hand is turned as set below. Off: any turn. For the policy only."
                ),
                io.Float.Input(
                    "turn",
                    default=0.0,
                    min=-180.0,
                    max=180.0,
                    step=1.0,
                    tooltip="Degrees about the heading; 0 closes the hand across the object's narrow side.",
                ),
                io.Boolean.Input("fix_point", default=False, tooltip="On: the point below is grasped. Off: any point of the surface."),
                *(
                    io.Float.Input(
                        f"point_{axis}",
                        default=0.0,
                        min=-5.0,
                        max=5.0,
                        step=0.005,
                        round=False,
                        tooltip=f"{axis.upper()} of the point to grasp where the object starts, metres, world frame.",
                    )
                    for axis in "xyz"
                ),
                io.Float.Input(
                    "max_width", default=0.12, min=0.01, max=0.3, step=0.005, advanced=True, tooltip="Metres: wider parts are not grasped."
                ),
                sockets.HoiObject.Input(
                    "forbidden_part",
                    optional=True,
                    tooltip="A part of the object that the hand keeps away from, a blade for example: a mesh in the object's own frame "
                    "(recenter off for both). It moves with the object and is drawn too. For the policy; tracking only collides with it.",
                ),
            ],
            outputs=[sockets.GraspObjective.Output("objective", tooltip="For the objective input of Grasp Rollout.")],
        )

    @classmethod
    def validate_inputs(cls, heading: str, heading_x=0.0, heading_y=0.0, heading_z=1.0) -> bool | str:
        if heading == CUSTOM and not any((heading_x, heading_y, heading_z)):
            return "Expected a direction for the custom heading, found (0, 0, 0): set at least one of its three numbers."
        return True

    @classmethod
    def execute(
        cls, heading, heading_x, heading_y, heading_z, fix_turn, turn, fix_point, point_x, point_y, point_z, max_width, forbidden_part=None
    ) -> io.NodeOutput:
        from math import radians

        from ..grasp.policy_objectives import ObjectiveChoice

        direction = (heading_x, heading_y, heading_z) if heading == CUSTOM else HEADINGS[heading]
        point = (point_x, point_y, point_z) if fix_point else None
        return io.NodeOutput(ObjectiveChoice(direction, radians(turn) if fix_turn else None, point, max_width, forbidden_part))


class PAMGraspRollout(io.ComfyNode):
    """Simulate a hand that grasps and lifts an object."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMGraspRollout",
            display_name="Grasp Rollout (PAM)",
            category=sockets.POSE,
            description="Simulates the hand from its start pose to a grasp of the object, then lifts and holds it (MuJoCo, on the CPU). "
            "With a target pose the hand closes as that pose says; without one it looks for a grasp itself. "
            "With a GraspXL policy the policy moves the fingers. Tries again with variations until the object stays in the hand.",
            search_aliases=["grasp", "hand motion", "hoi trajectory", "graspxl", "simulate hand", "pick up", "mujoco", "pick and place"],
            inputs=[*_contract(), *_settings(), *_advanced()],
            outputs=[
                sockets.HoiTrajectory.Output(display_name="TRAJECTORY", tooltip="Hand and object over all frames, world frame."),
                io.String.Output(display_name="REPORT", tooltip="One line: success, lift, tilt, slip, overlap, contacts and attempts."),
            ],
        )

    @classmethod
    def execute(
        cls,
        hand,
        start_pose,
        object,
        length,
        fps,
        seed,
        lift_height,
        max_attempts,
        object_density,
        require_success,
        target_pose=None,
        policy=None,
        objective=None,
        goal_object=None,
        put_down=True,
        object_mass=0.0,
        friction=3.0,
        fix_pinky=True,
    ) -> io.NodeOutput:
        from ..grasp.carry import Carry
        from ..grasp.policy_objectives import ObjectiveChoice
        from ..grasp.quality import describe
        from ..grasp.rollout import rollout
        from ..grasp.setting import RolloutOptions
        from ..host.progress import reporter

        choice = objective or ObjectiveChoice()
        carry = None if goal_object is None else Carry(goal_object.object_to_world, put_down)
        options = RolloutOptions(
            length, fps, seed, lift_height, max_attempts, object_density, require_success, object_mass, friction, carry, choice, fix_pinky
        )
        trajectory = rollout(hand, start_pose, object, target_pose, options, reporter(), policy)
        report = describe(trajectory.report)
        if not trajectory.report.success:
            log.warning("Grasp Rollout (PAM): %s", report)
        return io.NodeOutput(trajectory, report, ui={"text": [report]})


def _contract() -> list[io.Input]:
    """What PAM's pose stage takes."""
    return [
        sockets.ManoModel.Input("hand", tooltip="The hand, from Load MANO Hand."),
        sockets.ManoPose.Input("start_pose", tooltip="Hand on the first frame (h_0), clear of the object and within 1 m of it."),
        sockets.HoiObject.Input("object", tooltip="The object where it stands at the start (o_0), resting on the table (z = 0)."),
        sockets.ManoPose.Input(
            "target_pose",
            optional=True,
            tooltip="Hand at the moment it has grasped the object where it stands (h_T). Not connected: grasps are sampled.",
        ),
        sockets.GraspPolicy.Input("policy", optional=True, tooltip="GraspXL's policy moves the hand. Not connected: it tracks a grasp."),
        sockets.GraspObjective.Input(
            "objective", optional=True, tooltip="How to grasp when there is no target pose, from Grasp Objective."
        ),
        sockets.HoiObject.Input(
            "goal_object",
            optional=True,
            tooltip="The same object where it shall go after the lift, from Place Object. Not connected: it is held in the air.",
        ),
    ]


def _settings() -> list[io.Input]:
    return [
        io.Int.Input("length", default=49, min=2, max=1000, tooltip="Frames. The whole motion is fitted to them; CogVideoX takes 4k + 1."),
        io.Float.Input("fps", default=15.0, min=1.0, max=120.0, step=1.0, tooltip="Frames a second of the trajectory."),
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
    ]


def _advanced() -> list[io.Input]:
    return [
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
            tooltip="Stop the workflow when no attempt holds the object. Off: the best attempt goes on, the report says so.",
        ),
        io.Boolean.Input(
            "put_down",
            default=True,
            optional=True,
            tooltip="With a goal object: let go there and draw the hand back. Off: hold the object at its goal.",
        ),
        io.Float.Input(
            "object_mass",
            default=0.0,
            min=0.0,
            max=20.0,
            step=0.01,
            optional=True,
            advanced=True,
            tooltip="Kilograms of the object; 0 takes it from the density. A hand lifts up to about 2 kg.",
        ),
        io.Float.Input(
            "friction",
            default=3.0,
            min=0.1,
            max=10.0,
            step=0.1,
            optional=True,
            advanced=True,
            tooltip="Friction between hand and object. 3 as in GraspXL; skin on smooth things has about 1 and slips more.",
        ),
        io.Boolean.Input(
            "fix_pinky",
            default=True,
            optional=True,
            advanced=True,
            tooltip="With the policy: bend the little finger as the ring finger, as the authors' recordings do. Its own looks odd.",
        ),
    ]


NODES: list[type] = [PAMLoadGraspPolicy, PAMGraspObjective, PAMGraspRollout]
