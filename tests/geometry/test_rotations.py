"""Rotation helpers against their definition."""

import numpy as np
import pytest

from pam_nodes.geometry.rotations import (
    axis_angle_to_matrix,
    euler_degrees_to_matrix,
    matrix_to_axis_angle,
    matrix_to_euler_degrees,
    pose_matrix,
    transform_points,
)


def about(axis: int, degrees: float) -> np.ndarray:
    """Right-handed rotation about one axis, written out."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix = np.eye(3)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix[i, i], matrix[i, j], matrix[j, i], matrix[j, j] = c, -s, s, c
    return matrix


def test_euler_turns_about_world_x_then_y_then_z():
    np.testing.assert_allclose(euler_degrees_to_matrix((20, -35, 70)), about(2, 70) @ about(1, -35) @ about(0, 20), atol=1e-12)
    np.testing.assert_allclose(euler_degrees_to_matrix((0, 0, 90)) @ [1, 0, 0], [0, 1, 0], atol=1e-12)


def test_euler_round_trip():
    np.testing.assert_allclose(matrix_to_euler_degrees(euler_degrees_to_matrix((20, -35, 170))), [20, -35, 170], atol=1e-9)


def test_axis_angle_round_trip_keeps_the_batch():
    vectors = np.random.default_rng(0).uniform(-1.5, 1.5, (2, 5, 3))
    matrices = axis_angle_to_matrix(vectors)
    assert matrices.shape == (2, 5, 3, 3)
    np.testing.assert_allclose(matrix_to_axis_angle(matrices), vectors, atol=1e-12)
    np.testing.assert_allclose(axis_angle_to_matrix([0, np.pi / 6, 0]), about(1, 30), atol=1e-12)


@pytest.mark.parametrize("batch", [(), (4,)])
def test_pose_matrix_turns_then_moves(batch):
    rotation, translation = np.broadcast_to(about(2, 90), (*batch, 3, 3)), np.broadcast_to([1.0, 2, 3], (*batch, 3))
    pose = pose_matrix(rotation, translation)
    assert pose.shape == (*batch, 4, 4)
    np.testing.assert_allclose(transform_points(pose[(0,) * len(batch)], np.array([[1.0, 0, 0]])), [[1, 3, 3]], atol=1e-12)
