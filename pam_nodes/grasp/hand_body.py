"""The hand as a physics body: joint origins, hinge limits and capsules, all taken from the loaded hand model."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.spatial.transform import Rotation

from ..hands.joints import MANO_FINGERS, rest_joints
from ..hands.model import HandModel

LIMITS = {
    "index": [
        (-0.14, 0.46),
        (-0.61, 0.32),
        (-0.38, 1.25),
        (-0.43, 0.58),
        (-0.26, 0.21),
        (-0.14, 1.3),
        (-0.39, 0.43),
        (-0.17, 0.35),
        (-0.25, 1.15),
    ],
    "middle": [
        (-0.5, 0.42),
        (-0.61, 0.21),
        (-0.49, 1.44),
        (-0.47, 0.02),
        (-0.29, 0.05),
        (-0.45, 1.33),
        (-0.38, 0),
        (-0.14, 0.22),
        (-0.35, 0.88),
    ],
    "pinky": [
        (-1.31, 0.42),
        (-0.63, 0.62),
        (-0.06, 1.65),
        (-1.11, 0.98),
        (-0.42, 0.61),
        (-0.37, 1.29),
        (-1.16, 0.46),
        (-0.25, 0.51),
        (-1.06, 0.46),
    ],
    "ring": [
        (-0.45, 0.32),
        (-0.44, 0.35),
        (-0.28, 1.48),
        (-0.58, -0.11),
        (-0.47, 0.3),
        (-0.35, 1.46),
        (-0.45, -0.01),
        (-0.08, 0.33),
        (-0.28, 0.77),
    ],
    "thumb": [
        (-1.9, 2.43),
        (-1.96, 2.03),
        (-1.94, 2.6),
        (-1.56, 1.8),
        (-1.52, 1.8),
        (-1.52, 2.5),
        (-1.32, 1.85),
        (-1.03, 1.2),
        (-0.86, 1.36),
    ],
}
"""Lower and upper bound in radians of the x, y, z hinges of joints 1, 2, 3 of a right hand (specs: graspxl 6); z is flexion."""

FINGER_MASS, PALM_MASS = 0.0058, 0.001
"""Kilograms of one finger link and one palm capsule: GraspXL's low-mass hand (specs: graspxl 6)."""


@dataclass(frozen=True, eq=False)
class Capsule:
    """A capsule fixed to one joint: end points (3,) relative to the joint's origin in the rest frame, and radius, metres."""

    joint: int
    start: np.ndarray
    end: np.ndarray
    radius: float


@dataclass(frozen=True, eq=False)
class HandBody:
    """A right hand ready for simulation. All rest frames are parallel to the hand model's.

    Attributes:
        joints: (16, 3) rest joints, metres, wrist at the origin.
        tips: (5, 3) fingertips at rest, MANO finger order, wrist at the origin.
        capsules: one for each finger link (15) and one for each metacarpal (4).
        limits: (45, 2) hinge bounds, radians, XYZ Euler angles of the 15 joints.
        betas: (n,) shape coefficients it was built with.
    """

    joints: np.ndarray
    tips: np.ndarray
    capsules: tuple[Capsule, ...]
    limits: np.ndarray
    betas: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def widened(self, *angles: np.ndarray) -> np.ndarray:
        """(45, 2) limits that also admit the given (45,) hinge angles."""
        stack = np.stack([*self.limits.T, *angles])
        return np.stack([stack.min(0), stack.max(0)], 1)


def to_hinges(hand_pose: np.ndarray) -> np.ndarray:
    """Axis-angle (..., 45) to the angles of three hinges x, y, z in series at each joint (intrinsic XYZ Euler)."""
    hand_pose = np.asarray(hand_pose, dtype=np.float64)
    return Rotation.from_rotvec(hand_pose.reshape(-1, 3)).as_euler("XYZ").reshape(hand_pose.shape)


def to_hand_pose(hinges: np.ndarray) -> np.ndarray:
    """Hinge angles (..., 45) back to axis-angle, the inverse of ``to_hinges``."""
    return Rotation.from_euler("XYZ", hinges.reshape(-1, 3)).as_rotvec().reshape(hinges.shape)


def build_hand_body(model: HandModel, betas: np.ndarray) -> HandBody:
    """Measure a right hand model.

    Args:
        model: a right hand (mirror a left one first).
        betas: (n,) shape coefficients.

    Returns:
        The body, with capsules fitted to the skin around each bone.
    """
    betas = np.asarray(betas, dtype=np.float32)
    joints = np.asarray(rest_joints(model, betas), dtype=np.float64)
    skin = model.v_template + model.shapedirs[:, :, : len(betas)] @ betas - joints[0]
    joints = joints - joints[0]
    by_finger = dict(zip(("thumb", "index", "middle", "ring", "pinky"), model.tip_ids, strict=True))
    tips = np.array([skin[by_finger[finger]] for finger in MANO_FINGERS], dtype=np.float64)
    owner = model.weights.argmax(1)
    capsules = [*_finger_capsules(joints, tips, skin, owner), *_palm_capsules(joints, skin[owner == 0])]
    limits = np.array([pair for finger in MANO_FINGERS for pair in LIMITS[finger]])
    return HandBody(joints, tips, tuple(capsules), limits, betas)


def _finger_capsules(joints: np.ndarray, tips: np.ndarray, skin: np.ndarray, owner: np.ndarray) -> list[Capsule]:
    """One capsule for each of the 15 finger joints, from it to the next one or to the tip."""
    capsules = []
    for joint in range(1, 16):
        last = joint % 3 == 0
        end = tips[joint // 3 - 1] if last else joints[joint + 1]
        capsules.append(_fit(joint, joints[joint], end, skin[owner == joint], shorten=last))
    return capsules


def _palm_capsules(joints: np.ndarray, palm: np.ndarray) -> list[Capsule]:
    """One capsule for each metacarpal of the four fingers, fitted to the palm skin nearest to it."""
    knuckles = joints[[1, 4, 7, 10]]
    along = np.clip(np.einsum("vc,kc->kv", palm, knuckles) / (knuckles**2).sum(1)[:, None], 0, 1)
    nearest = np.linalg.norm(palm - along[:, :, None] * knuckles[:, None], axis=2).argmin(0)
    return [_fit(0, 0.25 * knuckle, knuckle, palm[nearest == i], shorten=False) for i, knuckle in enumerate(knuckles)]


def _fit(joint: int, start: np.ndarray, end: np.ndarray, skin: np.ndarray, shorten: bool) -> Capsule:
    """Capsule around a bone: axis through the middle of the skin's cross section, radius its mean distance.

    ``shorten`` pulls the far end in by one radius, so that the round cap ends at the fingertip.
    """
    length = np.linalg.norm(end - start)
    axis = (end - start) / length
    height = (skin - start) @ axis
    around = skin[(height > 0) & (height < length)] - start
    around = around - np.outer(around @ axis, axis)
    middle = (around.min(0) + around.max(0)) / 2
    middle -= axis * (middle @ axis)
    radius = float(np.linalg.norm(around - middle, axis=1).mean())
    origin = np.zeros(3) if joint == 0 else start
    shift = start - origin
    reach = max(length - radius, 0.2 * length) if shorten else length
    return Capsule(joint, shift + middle, shift + middle + axis * reach, radius)
