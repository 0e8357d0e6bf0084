"""Depth in meshes against shapes whose depth is known."""

import numpy as np
import pytest
import trimesh

from pam_nodes.geometry.inside import Solid, fan_closed, point_to_triangles

POINTS = np.random.default_rng(0).uniform(-0.06, 0.06, (20000, 3))


def ball():
    return trimesh.creation.icosphere(5, 0.05), np.maximum(0.05 - np.linalg.norm(POINTS, axis=1), 0), 2e-5


def block():
    return trimesh.creation.box((0.1, 0.06, 0.04)), np.maximum((np.array([0.05, 0.03, 0.02]) - np.abs(POINTS)).min(1), 0), 1e-12


def ring():
    radius = np.hypot(POINTS[:, 0], POINTS[:, 1])
    wall = np.minimum(np.minimum(0.05 - radius, radius - 0.02), 0.04 - np.abs(POINTS[:, 2]))
    return trimesh.creation.annulus(0.02, 0.05, 0.08, sections=200), np.maximum(wall, 0), 1e-4


@pytest.mark.parametrize("shape", [ball, block, ring])
def test_depth(shape):
    mesh, expected, tolerance = shape()
    found = Solid(mesh.vertices, mesh.faces).depth(POINTS)
    assert np.abs(found - expected).max() < tolerance


def test_nothing_is_inside_far_away():
    mesh = trimesh.creation.box((0.1, 0.1, 0.1))
    assert not Solid(mesh.vertices, mesh.faces).depth(POINTS + 1).any()


def test_distance_to_triangles():
    triangle = np.tile(np.array([[[0, 0, 0], [1, 0, 0], [0, 1, 0.0]]]), (4, 1, 1))
    points = np.array([[0.2, 0.2, 0.5], [2, 0, 0], [-1, -1, 0], [0.7, 0.7, 0.1]])
    expected = [0.5, 1.0, 2**0.5, np.hypot(0.4 / 2**0.5, 0.1)]
    assert np.allclose(point_to_triangles(points, triangle), expected)


def test_open_mesh_is_closed_by_a_fan():
    mesh = trimesh.creation.icosphere(3, 0.05)
    cut = mesh.faces[mesh.vertices[mesh.faces].mean(1)[:, 2] < 0.03]
    vertices, faces = fan_closed(mesh.vertices, cut)
    closed = trimesh.Trimesh(vertices, faces, process=False)
    assert closed.is_watertight and closed.volume > 0
    assert Solid(vertices, faces).depth(np.array([[0.0, 0.0, 0.0]]))[0] == pytest.approx(0.03, abs=0.004)
