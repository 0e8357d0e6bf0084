"""Rotation helpers. One Euler convention for the whole pack, and it is Blender's "XYZ"."""

from __future__ import annotations

import numpy as np


def axis_angle_to_matrix(axis_angle: np.ndarray) -> np.ndarray:
    """Rotation matrices of axis-angle vectors.

    Args:
        axis_angle: (..., 3) radians.

    Returns:
        (..., 3, 3) float64.
    """
    from scipy.spatial.transform import Rotation

    vectors = np.asarray(axis_angle, dtype=np.float64)
    return Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix().reshape(*vectors.shape, 3)


def matrix_to_axis_angle(matrix: np.ndarray) -> np.ndarray:
    """Axis-angle vectors (..., 3), radians and at most pi long, of rotation matrices (..., 3, 3)."""
    from scipy.spatial.transform import Rotation

    matrices = np.asarray(matrix, dtype=np.float64)
    return Rotation.from_matrix(matrices.reshape(-1, 3, 3)).as_rotvec().reshape(matrices.shape[:-1])


def euler_degrees_to_matrix(degrees: tuple[float, float, float]) -> np.ndarray:
    """Rotation about the fixed world axes: first X, then Y, then Z (R = Rz Ry Rx; Blender's XYZ Euler).

    Args:
        degrees: angles about X, Y and Z, right-handed.

    Returns:
        (3, 3) float64.
    """
    from scipy.spatial.transform import Rotation

    return Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()


def matrix_to_euler_degrees(matrix: np.ndarray) -> np.ndarray:
    """(3,) X, Y, Z degrees: the inverse of ``euler_degrees_to_matrix``."""
    from scipy.spatial.transform import Rotation

    return Rotation.from_matrix(matrix).as_euler("xyz", degrees=True)


def pose_matrix(rotation: np.ndarray, translation: np.ndarray) -> np.ndarray:
    """Rigid transforms from their parts.

    Args:
        rotation: (..., 3, 3).
        translation: (..., 3), metres.

    Returns:
        (..., 4, 4) float64.
    """
    translation = np.asarray(translation, dtype=np.float64)
    pose = np.zeros((*translation.shape[:-1], 4, 4))
    pose[..., :3, :3] = rotation
    pose[..., :3, 3] = translation
    pose[..., 3, 3] = 1.0
    return pose


def transform_points(pose: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points (N, 3) moved by one rigid transform (4, 4)."""
    return np.asarray(points) @ pose[:3, :3].T + pose[:3, 3]
