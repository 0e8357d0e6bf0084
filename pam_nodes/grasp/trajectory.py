"""Hands and objects moving together: what the pose stage hands to every later stage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry.mesh import ObjectMesh
from ..hands.model import HandModel
from ..hands.pose import HandPose


@dataclass(frozen=True, eq=False)
class HandTrack:
    """One hand over T frames, world frame."""

    model: HandModel
    pose: HandPose


@dataclass(frozen=True, eq=False)
class ObjectTrack:
    """One object over T frames: ``poses`` is (T, 4, 4) float64 object_to_world, metres."""

    mesh: ObjectMesh
    poses: np.ndarray


@dataclass(frozen=True)
class GraspReport:
    """How a rollout ended. Lengths in metres, angles in radians.

    Attributes:
        success: the object was lifted, did not slip and, with a goal, arrived; the hand did not reach under the table.
        lifted: rise of the object's centre of mass.
        slip: of the object in the hand while it was held.
        penetration, penetration_mean: overlap of the hand's capsules and the object while it was held, deepest and mean.
        contact_links: of the hand, at the end of the hold.
        attempts: simulations made.
        message: one sentence for people.
        tilt: by how much the object's vertical axis turned from the start to the end of the hold.
        goal_distance, goal_angle: of the object from its goal at the end, None without a goal.
        below_table: by how much the skin reaches under the table, and under where the given poses have it.
        controller: "policy" or "tracking", what moved the hand.
    """

    success: bool
    lifted: float
    slip: float
    penetration: float
    contact_links: int
    attempts: int
    message: str = ""
    tilt: float = 0.0
    penetration_mean: float = 0.0
    goal_distance: float | None = None
    goal_angle: float | None = None
    below_table: float = 0.0
    controller: str = "tracking"


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Hands and objects of equal length T at ``fps`` frames a second, world frame (Z up, table top at z = 0)."""

    hands: tuple[HandTrack, ...]
    objects: tuple[ObjectTrack, ...]
    fps: float
    report: GraspReport | None = None

    def __len__(self) -> int:
        return len(self.hands[0].pose) if self.hands else len(self.objects[0].poses)
