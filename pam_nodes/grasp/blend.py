"""A motion between two motions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from ..hands.pose import HandPose
from .edit import check_same
from .timing import eased
from .trajectory import HandTrack, ObjectTrack, Trajectory


def blend(first: Trajectory, second: Trajectory, start: float, end: float) -> Trajectory:
    """Mix two motions of equal length, frame by frame.

    Args:
        first, second: of the same hands, objects, fps and length.
        start, end: share of the second motion in the first and in the last frame, 0..1; equal for one mix throughout, 0 and 1 for a
            cross-fade. In between the share changes smoothly.

    Raises:
        ValueError: motions that differ in more than their poses.
    """
    check_same(first, second)
    if len(first) != len(second):
        raise ValueError(f"Expected two motions of the same length, found {len(first)} and {len(second)} frames: use Retime Trajectory.")
    if not (0 <= start <= 1 and 0 <= end <= 1):
        raise ValueError(f"Expected shares from 0 to 1, found {start} and {end}.")
    share = start + (end - start) * eased(np.linspace(0, 1, len(first)), 0.5, 0.5)
    hands = tuple(HandTrack(a.model, blend_poses(a.pose, b.pose, share)) for a, b in zip(first.hands, second.hands, strict=True))
    objects = tuple(ObjectTrack(a.mesh, _objects(a.poses, b.poses, share)) for a, b in zip(first.objects, second.objects, strict=True))
    return replace(first, hands=hands, objects=objects, report=None)


def blend_poses(first: HandPose, second: HandPose, share: np.ndarray | float, what: str = "all") -> HandPose:
    """Hand poses between two, every joint on the sphere.

    Args:
        first, second: T frames each; a single frame goes with any T.
        share: (T,) or one number, 0 gives the first and 1 the second.
        what: "all", "fingers" or "wrist"; the rest is the first's.

    Raises:
        ValueError: hands of two sides, or lengths that do not fit.
    """
    if first.side != second.side:
        raise ValueError(f"Expected two poses of the same hand, found a {first.side} and a {second.side} one: mirror one of them.")
    total = max(len(first), len(second))
    if {len(first), len(second)} - {1, total}:
        raise ValueError(f"Expected two poses of the same length, or a single frame, found {len(first)} and {len(second)} frames.")
    if what not in ("all", "fingers", "wrist"):
        raise ValueError(f"Expected 'all', 'fingers' or 'wrist', found {what!r}.")
    weight = np.broadcast_to(np.asarray(share, np.float64), (total,))
    fingers, wrist = (np.zeros(total) if what == other else weight for other in ("wrist", "fingers"))
    parts = {}
    for name, part in (("global_orient", wrist), ("hand_pose", fingers)):
        a, b = (np.asarray(getattr(pose, name), np.float64) for pose in (first, second))
        parts[name] = _turned(*(np.broadcast_to(rows, (total, rows.shape[1])) for rows in (a, b)), part)
    a, b = np.asarray(first.transl, np.float64), np.asarray(second.transl, np.float64)
    return replace(first, **parts, transl=a + wrist[:, None] * (b - a))


def _turned(first: np.ndarray, second: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(T, 3 J) axis-angles on the way from one to the other."""
    start = Rotation.from_rotvec(np.array(first).reshape(-1, 3))
    way = (start.inv() * Rotation.from_rotvec(np.array(second).reshape(-1, 3))).as_rotvec()
    part = np.repeat(weight, first.shape[1] // 3)[:, None]
    return (start * Rotation.from_rotvec(part * way)).as_rotvec().reshape(first.shape)


def _objects(first: np.ndarray, second: np.ndarray, weight: np.ndarray) -> np.ndarray:
    result = first.copy()
    result[:, :3, 3] += weight[:, None] * (second - first)[:, :3, 3]
    start = Rotation.from_matrix(first[:, :3, :3])
    way = (start.inv() * Rotation.from_matrix(second[:, :3, :3])).as_rotvec()
    result[:, :3, :3] = (start * Rotation.from_rotvec(weight[:, None] * way)).as_matrix()
    return result
