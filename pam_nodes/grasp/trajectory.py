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
    """How a rollout ended. Lengths in metres, ``tilt`` in radians: by how much the object's vertical axis turned from start to end."""

    success: bool
    lifted: float
    slip: float
    penetration: float
    contact_links: int
    attempts: int
    message: str = ""
    tilt: float = 0.0


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Hands and objects of equal length T at ``fps`` frames a second, world frame (Z up, table top at z = 0)."""

    hands: tuple[HandTrack, ...]
    objects: tuple[ObjectTrack, ...]
    fps: float
    report: GraspReport | None = None

    def __len__(self) -> int:
        return len(self.hands[0].pose) if self.hands else len(self.objects[0].poses)
