"""What a rollout starts from, and its settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.spatial.transform import Rotation

from ..geometry.mesh import ObjectMesh
from ..hands.joints import rest_joints
from ..hands.model import HandModel
from ..hands.pose import HandPose
from ..hands.skinning import skin
from .carry import Carry
from .collision import MIN_MASS, CollisionShape, collision_shape
from .hand_body import HandBody, build_hand_body, to_hand_pose, to_hinges
from .mjcf import inertia_of
from .policy_objectives import ObjectiveChoice
from .scene import Scene, State

MAX_DISTANCE = 1.0
"""Metres between the wrist and the object at the start."""


@dataclass(frozen=True)
class RolloutOptions:
    """Settings of a rollout.

    Attributes:
        length: frames of the result.
        fps: frames a second of the result. The motion is warped to fit ``length``; its natural duration is 3 to 4 seconds.
        seed: of the variations between attempts.
        lift_height: metres.
        max_attempts: simulations to try at most.
        object_density: kg/m3 of the solid mesh; objects weigh at least 50 g.
        require_success: raise when no attempt holds the object, instead of returning the best one.
        object_mass: kg, 0 takes it from the density.
        friction: between hand and object; RaiSim's and GraspXL's is 3.
        carry: where the object goes after the lift.
        choice: what is fixed of the sampled grasps (policy only).
        fix_pinky: give the little finger the ring finger's bend in the result: GraspXL's own is odd (policy only).
    """

    length: int = 49
    fps: float = 15.0
    seed: int = 0
    lift_height: float = 0.2
    max_attempts: int = 8
    object_density: float = 300.0
    require_success: bool = False
    object_mass: float = 0.0
    friction: float = 3.0
    carry: Carry | None = None
    choice: ObjectiveChoice = field(default_factory=ObjectiveChoice)
    fix_pinky: bool = True


@dataclass(frozen=True, eq=False)
class Setting:
    """A right hand before an object, ready for physics.

    Attributes:
        hand: the model.
        body: the hand as a physics body.
        shape, avoid: the object, and a part of it that must not be touched.
        mass: of both together, kg.
        center_of_mass: (3,) of both together, object frame, metres.
        first: h_0 and o_0.
        grasp: h_T with the object where it starts, or None.
        name: of the object, for messages.
    """

    hand: HandModel
    body: HandBody
    shape: CollisionShape
    avoid: CollisionShape | None
    mass: float
    center_of_mass: np.ndarray
    first: State
    grasp: State | None
    name: str

    def limits(self, *angles: np.ndarray) -> np.ndarray:
        """(45, 2) hinge bounds that admit the poses given and some more angles."""
        states = [self.first] + ([self.grasp] if self.grasp else [])
        return self.body.widened(*angles, *(state.hinges for state in states))

    def below_table(self, states: Sequence[State]) -> float:
        """Metres by which the skin reaches under the table, and under where h_0 and h_T have it."""
        given = [self.first] + ([self.grasp] if self.grasp else [])
        heights = self.skin([*given, *states])[..., 2].min(1)
        return max(0.0, float(min(0.0, *heights[: len(given)]) - heights.min()))

    def skin(self, states: Sequence[State]) -> np.ndarray:
        """(N, V, 3) vertices of the hand, world frame, metres."""
        orient = Rotation.from_matrix([state.rotation for state in states]).as_rotvec()
        hand_pose = to_hand_pose(np.stack([state.hinges for state in states]))
        transl = np.stack([state.wrist for state in states]) - wrist_origin(self.hand, self.body.betas)
        return skin(self.hand, HandPose(orient, hand_pose, transl, self.body.betas)).vertices

    def check_start(self, scene: Scene) -> None:
        """Raise ValueError when the hand begins inside the object."""
        depth, _ = scene.overlap(self.first)
        if depth > 0.005:
            raise ValueError(f"The start pose h_0 is {depth * 1000:.0f} mm inside the {self.name}: move the start pose away from it.")


def prepare(
    hand: HandModel, start: HandPose, mesh: ObjectMesh, target: HandPose | None, avoid: ObjectMesh | None, options: RolloutOptions
) -> Setting:
    """Measure hand and object.

    Raises:
        ValueError: the object is too far from the hand.
    """
    shape, other = collision_shape(mesh), None if avoid is None else collision_shape(avoid)
    first = _state(hand, start, mesh)
    surface = shape.samples @ mesh.object_to_world[:3, :3].T + mesh.object_to_world[:3, 3]
    distance = np.linalg.norm(surface - first.wrist, axis=1).min()
    if distance > MAX_DISTANCE:
        raise ValueError(f"The {mesh.name} is {distance:.1f} m from the wrist of the start pose, expected at most 1 m: move one of them.")
    volume = shape.volume + (other.volume if other else 0.0)
    mass = options.object_mass or max(volume * options.object_density, MIN_MASS)
    center, _ = inertia_of(shape, other, mass)
    grasp = None if target is None else _state(hand, target, mesh)
    return Setting(hand, build_hand_body(hand, start.betas), shape, other, mass, center, first, grasp, mesh.name)


def wrist_origin(hand: HandModel, betas: np.ndarray) -> np.ndarray:
    """(3,) J0(betas): where the wrist is for a zero ``transl``."""
    return np.asarray(rest_joints(hand, betas)[0], dtype=np.float64)


def _state(hand: HandModel, pose: HandPose, mesh: ObjectMesh) -> State:
    """A hand pose of one frame with the object at its start."""
    rotation = Rotation.from_rotvec(np.asarray(pose.global_orient[0], dtype=np.float64)).as_matrix()
    wrist = wrist_origin(hand, pose.betas) + pose.transl[0]
    return State(wrist, rotation, to_hinges(pose.hand_pose[0]), np.asarray(mesh.object_to_world, dtype=np.float64))
