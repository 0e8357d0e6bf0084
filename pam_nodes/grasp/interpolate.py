"""Hands and objects between frames: positions on straight lines, every rotation on the sphere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from ..geometry.rotations import pose_matrix
from ..hands.pose import HandPose
from .trajectory import HandTrack, ObjectTrack, Trajectory


def lerp(values: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(T, C) values at (N,) frame numbers, which may be fractions."""
    return np.stack([np.interp(times, np.arange(len(values)), column) for column in np.asarray(values, np.float64).T], 1)


def slerp(rotations: Rotation, times: np.ndarray) -> Rotation:
    """Rotations at frame numbers, each pair joined by the shortest turn."""
    return rotations[np.zeros(len(times), int)] if len(rotations) == 1 else Slerp(np.arange(len(rotations)), rotations)(times)


def slerp_vectors(axis_angle: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(T, 3 J) axis-angles of J joints at (N,) frame numbers: (N, 3 J)."""
    joints = np.asarray(axis_angle, np.float64).reshape(len(axis_angle), -1, 3)
    turned = [slerp(Rotation.from_rotvec(joints[:, j]), times).as_rotvec() for j in range(joints.shape[1])]
    return np.stack(turned, 1).reshape(len(times), -1)


def pose_at(pose: HandPose, times: np.ndarray) -> HandPose:
    """A hand at (N,) frame numbers in 0 .. T - 1. Whole numbers give the frame itself, to the bit."""
    if len(pose) == 1:
        times = np.zeros(len(times))
    whole, index = _whole(times)
    parts = {}
    for name, between in (("global_orient", slerp_vectors), ("hand_pose", slerp_vectors), ("transl", lerp)):
        frames = np.asarray(getattr(pose, name), np.float64)
        parts[name] = np.where(whole[:, None], frames[index], between(frames, times))
    return replace(pose, **parts)


def poses_at(poses: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(T, 4, 4) object poses at (N,) frame numbers: (N, 4, 4). Whole numbers give the frame itself, to the bit."""
    if len(poses) == 1:
        return poses[np.zeros(len(times), int)]
    whole, index = _whole(times)
    turned = slerp(Rotation.from_matrix(poses[:, :3, :3]), times).as_matrix()
    return np.where(whole[:, None, None], poses[index], pose_matrix(turned, lerp(poses[:, :3, 3], times)))


def trajectory_at(trajectory: Trajectory, times: np.ndarray, fps: float | None = None) -> Trajectory:
    """Every hand and object at (N,) frame numbers in 0 .. T - 1."""
    hands = tuple(HandTrack(track.model, pose_at(track.pose, times)) for track in trajectory.hands)
    objects = tuple(ObjectTrack(track.mesh, poses_at(track.poses, times)) for track in trajectory.objects)
    return replace(trajectory, hands=hands, objects=objects, fps=fps or trajectory.fps)


def _whole(times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which frame numbers are whole, and the nearest frame of each."""
    index = np.rint(times).astype(int)
    return np.abs(times - index) < 1e-9, index
