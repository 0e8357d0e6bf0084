"""Take jitter out of a motion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from .trajectory import HandTrack, ObjectTrack, Trajectory

REACH = 3.0
"""Half width of the kernel in standard deviations."""


def smooth(trajectory: Trajectory, seconds: float, hands: bool = True, objects: bool = True) -> Trajectory:
    """Average each frame with its neighbours by a Gaussian window.

    Rotations are averaged in the tangent space of their frame. Beyond the ends the motion is continued by point reflection, so the first
    and last frame stay as they are and a constant speed stays constant.

    Args:
        trajectory: T >= 1 frames.
        seconds: standard deviation of the window.
        hands, objects: what to smooth. Objects that are held drift in the hand when only one of both is smoothed.

    Raises:
        ValueError: negative or infinite time.
    """
    if not 0 <= seconds < np.inf:
        raise ValueError(f"Expected a smoothing time of 0 or more seconds, found {seconds}.")
    sigma = seconds * trajectory.fps
    if sigma < 1e-6 or len(trajectory) < 3:
        return trajectory
    reach = min(int(np.ceil(REACH * sigma)), len(trajectory) - 1)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weights /= weights.sum()
    tracks, moved = trajectory.hands, trajectory.objects
    if hands:
        tracks = tuple(HandTrack(track.model, _smooth_pose(track.pose, weights)) for track in tracks)
    if objects:
        moved = tuple(ObjectTrack(track.mesh, _smooth_object(track.poses, weights)) for track in moved)
    return replace(trajectory, hands=tracks, objects=moved)


def _smooth_pose(pose, weights: np.ndarray):
    return replace(
        pose,
        global_orient=_vectors(pose.global_orient, weights),
        hand_pose=_vectors(pose.hand_pose, weights),
        transl=_positions(np.asarray(pose.transl, np.float64), weights),
    )


def _smooth_object(poses: np.ndarray, weights: np.ndarray) -> np.ndarray:
    result = poses.copy()
    result[:, :3, 3] = _positions(poses[:, :3, 3], weights)
    result[1:-1, :3, :3] = _rotations(Rotation.from_matrix(poses[:, :3, :3]), weights).as_matrix()[1:-1]
    return result


def _positions(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(T, C) values averaged; the ends to the bit."""
    reach = len(weights) // 2
    padded = np.concatenate([2 * values[0] - values[reach:0:-1], values, 2 * values[-1] - values[-2 : -reach - 2 : -1]])
    result = sum(weight * padded[k : k + len(values)] for k, weight in enumerate(weights))
    result[0], result[-1] = values[0], values[-1]
    return result


def _vectors(axis_angle: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(T, 3 J) axis-angles averaged joint by joint; the ends to the bit."""
    values = np.asarray(axis_angle, np.float64)
    joints = values.reshape(len(values), -1, 3)
    smoothed = np.stack([_rotations(Rotation.from_rotvec(joints[:, j]), weights).as_rotvec() for j in range(joints.shape[1])], 1)
    result = smoothed.reshape(values.shape)
    result[0], result[-1] = values[0], values[-1]
    return result


def _rotations(rotations: Rotation, weights: np.ndarray) -> Rotation:
    """Each rotation moved by the weighted mean of its differences to its neighbours."""
    reach, total = len(weights) // 2, len(rotations)
    first, last = rotations[0], rotations[-1]
    before = first * rotations[np.arange(reach, 0, -1)].inv() * first
    after = last * rotations[total - 2 - np.arange(reach)].inv() * last
    padded = Rotation.concatenate([before, rotations, after])
    inverse = rotations.inv()
    step = sum(weight * (inverse * padded[np.arange(k, k + total)]).as_rotvec() for k, weight in enumerate(weights))
    return rotations * Rotation.from_rotvec(step)
