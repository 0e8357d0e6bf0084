"""What a hand can do: how far each finger joint bends, spreads and twists, and poses that go further.

A joint's rotation is taken apart by where it moves the bone it carries: flexion in the plane of the finger, spread out of that plane, and
the twist about the bone itself. The ranges are those of healthy adults in clinical goniometry (American Academy of Orthopaedic Surgeons,
Joint Motion; thumb after Barakat et al. 2013), widened where skinned models need play.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from .joints import FINGERS, MANO_FINGERS, first_joint, rest_joints
from .model import HandModel
from .pose import HandPose
from .posing import MIRROR

MOTIONS = ("flexion", "spread", "twist")
LONG_FINGER = (
    ((-35, 95), (-28, 28), (-25, 25)),
    ((-12, 118), (-12, 12), (-15, 15)),
    ((-20, 92), (-12, 12), (-15, 15)),
)
THUMB = (
    ((-60, 70), (-65, 65), (-75, 75)),
    ((-35, 75), (-40, 40), (-50, 50)),
    ((-40, 95), (-25, 25), (-40, 40)),
)
"""Degrees of flexion, spread and twist of a finger's joints, base to tip."""

MAX_LINES = 40


@dataclass(frozen=True)
class Excess:
    """One joint that goes beyond its range.

    Attributes:
        frame: of the pose.
        finger, joint: which one, joint 1 is the base.
        motion: one of ``MOTIONS``.
        degrees: the angle; ``limit`` is the end of the range it passed.
        limit: degrees.
    """

    frame: int
    finger: str
    joint: int
    motion: str
    degrees: float
    limit: float

    def __str__(self) -> str:
        return f"frame {self.frame}: {self.finger} joint {self.joint} {self.motion} {self.degrees:.0f} deg, limit {self.limit:.0f}"


def ranges() -> np.ndarray:
    """(15, 3, 2) radians: lowest and highest flexion, spread and twist of each joint in MANO order."""
    return np.radians([THUMB[i] if finger == "thumb" else LONG_FINGER[i] for finger in MANO_FINGERS for i in range(3)])


def joint_angles(model: HandModel, pose: HandPose) -> np.ndarray:
    """Flexion, spread and twist of every joint.

    Args:
        model: the hand; its rest bones give the directions.
        pose: T frames.

    Returns:
        (T, 15, 3) radians, MANO order. Spread is positive towards the thumb side of a right hand.
    """
    rotations = Rotation.from_rotvec(_right_rows(model, pose).reshape(-1, 3))
    bone, flex = _axes(model, pose)
    count = len(pose)
    bones, flexes = (np.tile(axes, (count, 1)) for axes in (bone, flex))
    moved = rotations.apply(bones)
    ahead, bent = (moved * bones).sum(1), (moved * np.cross(flexes, bones)).sum(1)
    flexion = np.arctan2(bent, ahead)
    spread = np.arcsin(np.clip((moved * flexes).sum(1), -1, 1))
    quaternion = rotations.as_quat()
    twist = 2 * np.arctan2((quaternion[:, :3] * bones).sum(1), quaternion[:, 3])
    twist = (twist + np.pi) % (2 * np.pi) - np.pi
    return np.stack([flexion, spread, twist], 1).reshape(count, 15, 3)


def excesses(model: HandModel, pose: HandPose, tolerance: float = 1.0) -> list[Excess]:
    """Every joint and frame beyond its range by more than ``tolerance`` degrees, in the order of frames."""
    angles, limits = np.degrees(joint_angles(model, pose)), np.degrees(ranges())
    low, high = angles < limits[..., 0] - tolerance, angles > limits[..., 1] + tolerance
    found = []
    for frame, joint, motion in zip(*np.nonzero(low | high), strict=True):
        limit = limits[joint, motion, int(high[frame, joint, motion])]
        finger = MANO_FINGERS[joint // 3]
        found.append(Excess(int(frame), finger, int(joint) % 3 + 1, MOTIONS[motion], float(angles[frame, joint, motion]), float(limit)))
    return found


def clamped(model: HandModel, pose: HandPose) -> HandPose:
    """The nearest pose within the ranges: joints that are within keep their rotation to the bit."""
    angles, limits = joint_angles(model, pose), ranges()
    inside = np.clip(angles, limits[..., 0], limits[..., 1])
    bone, flex = _axes(model, pose)
    rows = _right_rows(model, pose)
    beyond = np.argwhere((np.abs(inside - angles) > 1e-9).any(2))
    for frame, joint in beyond:
        flexion, spread, twist = inside[frame, joint]
        rows[frame, joint] = _compose(bone[joint], flex[joint], flexion, spread, twist)
    if model.side == "left":
        rows = rows * MIRROR
    changed = np.asarray(pose.hand_pose, np.float64).reshape(len(pose), 15, 3).copy()
    changed[beyond[:, 0], beyond[:, 1]] = rows[beyond[:, 0], beyond[:, 1]]
    return replace(pose, hand_pose=changed.reshape(len(pose), 45).astype(pose.hand_pose.dtype))


def check(model: HandModel, pose: HandPose, tolerance: float, clamp: bool) -> tuple[HandPose, list[Excess], str]:
    """Check a pose for a person.

    Args:
        model: the hand.
        pose: T frames.
        tolerance: degrees beyond the range that are let pass.
        clamp: give back the pose kept to the ranges.

    Returns:
        The pose, what is beyond its range, the worst first, and lines that say so.

    Raises:
        ValueError: a pose of the other hand, or one that is not finite.
    """
    if pose.side != model.side:
        raise ValueError(f"Expected a pose of a {model.side} hand for '{model.name}', found a {pose.side} one: load a {pose.side} hand.")
    if not pose.finite:
        raise ValueError("The hand pose holds NaN or infinite numbers, expected finite ones: check where it comes from.")
    found = sorted(excesses(model, pose, tolerance), key=lambda item: -abs(item.degrees - item.limit))
    lines = [str(item) for item in found[:MAX_LINES]] + ([f"and {len(found) - MAX_LINES} more"] if len(found) > MAX_LINES else [])
    text = "\n".join(lines) or f"All joints of {len(pose)} frame{'s' if len(pose) > 1 else ''} within a hand's range."
    return (clamped(model, pose) if clamp else pose), found, text


def _compose(bone: np.ndarray, flex: np.ndarray, flexion: float, spread: float, twist: float) -> np.ndarray:
    """Axis-angle of the rotation with these angles: the shortest turn of the bone to its place, after the twist."""
    side = np.cross(flex, bone)
    aim = np.cos(spread) * (np.cos(flexion) * bone + np.sin(flexion) * side) + np.sin(spread) * flex
    axis = np.cross(bone, aim)
    length = np.linalg.norm(axis)
    swing = Rotation.identity() if length < 1e-12 else Rotation.from_rotvec(axis / length * np.arctan2(length, bone @ aim))
    return (swing * Rotation.from_rotvec(bone * twist)).as_rotvec()


def _right_rows(model: HandModel, pose: HandPose) -> np.ndarray:
    """(T, 15, 3) axis-angles of the right hand that is the mirror image, if it is a left one."""
    rows = np.array(pose.hand_pose, np.float64).reshape(len(pose), 15, 3)
    return rows * MIRROR if model.side == "left" else rows


def _axes(model: HandModel, pose: HandPose) -> tuple[np.ndarray, np.ndarray]:
    """(15, 3) unit bone directions and flexion axes at rest, as a right hand's."""
    betas = np.asarray(pose.betas, np.float32)
    joints = rest_joints(model, betas).astype(np.float64)
    skin = model.v_template + model.shapedirs[:, :, : len(betas)] @ betas
    bones, flexes = np.zeros((15, 3)), np.zeros((15, 3))
    for finger, tip in zip(FINGERS, model.tip_ids, strict=True):
        base = first_joint(finger)
        chain = np.concatenate([joints[base : base + 3], skin[[tip]].astype(np.float64)])
        if model.side == "left":
            chain = chain * [-1, 1, 1]
        back = np.full(3, 3**-0.5) if finger == "thumb" else np.array([0.0, 1.0, 0.0])
        bone = np.diff(chain, axis=0)
        flex = np.cross(back, chain[2] - chain[0])
        bone /= np.linalg.norm(bone, axis=1, keepdims=True)
        flex = flex - bone * (bone @ flex)[:, None]
        bones[base - 1 : base + 2], flexes[base - 1 : base + 2] = bone, flex / np.linalg.norm(flex, axis=1, keepdims=True)
    return bones, flexes
