"""The ways in which an open hand can take hold of things: with palm and fingers, or between the tips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from ..hands.posing import preset_pose
from .hand_body import to_hinges
from .scene import Scene, State

SPAN = 0.12
"""Metres: the widest grip of a hand of ``REFERENCE_LENGTH`` (specs: graspxl 7)."""

REFERENCE_LENGTH = 0.178
"""Metres from the wrist to the tip of the middle finger of an adult hand."""

OPENED = np.concatenate([
    [0.0, 0.05, 0.10, 0.0, 0.0, 0.25, 0.0, 0.0, 0.15],
    [-0.05, 0.0, 0.10, -0.05, 0.0, 0.25, -0.05, 0.0, 0.15],
    [-0.20, 0.0, 0.10, -0.15, 0.0, 0.25, -0.05, 0.0, 0.15],
    [-0.10, 0.0, 0.10, -0.12, 0.0, 0.25, -0.05, 0.0, 0.15],
    [1.10, 0.40, 0.30, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
])  # fmt: skip
"""(45,) hinge angles of an open hand with the thumb opposite the fingers."""

CURLED = OPENED + np.tile([0, 0, 0.35], 15)
"""(45,) hinge angles half-way through closing, for the table test."""

PINCH_OPENINGS, PINCH_FINGERS, PAD = (0.35, 0.5, 0.65), (0, 1, 4), 0.008
"""Radians by which index, middle finger and thumb are open before a pinch; metres of skin around a fingertip's bone."""

_PINCH_SHARES = np.concatenate([np.tile([1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.3, 0.3, 0.3], 4), np.ones(9)])
"""(45,) shares of that opening by joint: the fingers open mostly at the knuckles."""

PINCH_HEADING, FLAT = 0.5, 0.05
"""Pinches come from above (Z of their heading); what is lower than so many metres is better pinched than held in the palm."""


@dataclass(frozen=True, eq=False)
class Grip:
    """The open hand as a gripper, wrist frame.

    Attributes:
        center: (3,) between thumb and fingers, where the object shall be.
        forward, across: (3,) unit vectors at right angles, from the wrist towards the object and from the thumb to the fingers.
        opened: (45,) hinge angles before closing.
        swept: (42, 3) joints and tips, open and half-way through closing.
        span: metres of the widest object.
        closed: (45,) hinge angles that a pinch closes to; None closes until contact.
        margin: metres that joints and tips stay above the table.
        depth: metres by which the grip reaches over the top of the object, at most.
        retreat: metres by which the hand may stay back and still have hold of the object.
        breadth: metres of the object on each side of the grip that the fingers meet.
    """

    center: np.ndarray
    forward: np.ndarray
    across: np.ndarray
    opened: np.ndarray
    swept: np.ndarray
    span: float
    closed: np.ndarray | None
    margin: float
    depth: float
    retreat: float
    breadth: float

    @property
    def pinch(self) -> bool:
        """Whether it holds with the tips of thumb, index and middle finger only."""
        return self.closed is not None

    def reach(self, thickness: float) -> float:
        """How deep below the top of a part so thick the grip goes: a pinch as deep as it can, a palm to the middle."""
        return min(thickness if self.pinch else thickness / 2, self.depth)

    def frame(self, heading: np.ndarray, across: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """The heading and closing direction with which this grip would come, or None: pinches come steeply from above and close level."""
        if not self.pinch:
            return heading, across
        if heading[2] < PINCH_HEADING:
            return None
        level = np.array([across[0], across[1], 0.0])
        level /= np.linalg.norm(level) + 1e-9
        heading = heading + np.array([0.0, 0.0, 1.0])
        heading = heading - level * (heading @ level)
        return heading / np.linalg.norm(heading), level

    def cost(self, top: float) -> float:
        """What speaks against this grip for a part whose top is so many metres above the table."""
        return 1.5 * (self.pinch != (top < FLAT))


def measure_grip(scene: Scene) -> Grip:
    """Grip of the whole open hand (the hand centre of specs: graspxl 5)."""
    points = scene.hand_points(np.zeros(3), Rotation.identity(), OPENED)
    knuckles, tips = points[[2, 5, 8, 11]], points[16:]
    center = (knuckles.mean(0) + tips[4]) / 2
    forward = center / np.linalg.norm(center)
    across = tips[:4].mean(0) - tips[4]
    across -= forward * (across @ forward)
    across /= np.linalg.norm(across)
    return Grip(
        center,
        forward,
        across,
        OPENED,
        _swept(scene, OPENED, CURLED),
        SPAN * _size(scene),
        None,
        margin=0.006,
        depth=0.05,
        retreat=0.025,
        breadth=0.04,
    )


def measure_pinch(scene: Scene, opening: float) -> Grip:
    """Grip of the tips of thumb, index and middle finger, open by so many radians, for what lies flat; the other two stay bent."""
    closed = np.asarray(to_hinges(preset_pose("tripod")), dtype=np.float64).ravel()
    scene.reset(State(np.zeros(3), np.eye(3), closed, np.eye(4)))
    moving = np.repeat([finger in PINCH_FINGERS for finger in range(5)], 9)
    way = opening * np.where(moving, scene.opening_direction() * _PINCH_SHARES, 0.0)
    opened = np.clip(closed + way, *scene.limits.T)
    points = scene.hand_points(np.zeros(3), Rotation.identity(), opened)
    tips = points[16:]
    fingers = tips[:2].mean(0)
    across = (fingers - tips[4]) / np.linalg.norm(fingers - tips[4])
    forward = np.cross(across, tips[1] - tips[0])
    forward *= np.sign(forward @ fingers) / np.linalg.norm(forward)
    swept = _swept(scene, opened, closed + way / 2)
    near, far = (points[[15, 20]] @ across).max() + PAD, (points[[3, 6, 16, 17]] @ across).min() - PAD
    center = (fingers + tips[4]) / 2
    center = center + across * ((near + far) / 2 - center @ across) + forward * ((swept - center) @ forward).max()
    return Grip(center, forward, across, opened, swept, far - near, closed, margin=0.002, depth=0.03, retreat=0.0125, breadth=0.02)


def _swept(scene: Scene, *poses: np.ndarray) -> np.ndarray:
    return np.concatenate([scene.hand_points(np.zeros(3), Rotation.identity(), hinges) for hinges in poses])


def _size(scene: Scene) -> float:
    """Length of the scene's hand over that of an adult's."""
    return float(np.linalg.norm(scene.body.tips[1])) / REFERENCE_LENGTH
