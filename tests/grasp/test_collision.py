"""Convex pieces and mass properties against closed forms."""

import numpy as np
import pytest
import trimesh

from pam_nodes.geometry.mesh import ObjectMesh
from pam_nodes.grasp.collision import MIN_MASS, collision_shape

from .setting import placed


def from_trimesh(mesh) -> ObjectMesh:
    return ObjectMesh(np.asarray(mesh.vertices, dtype=np.float32), np.asarray(mesh.faces, dtype=np.int64))


def test_box():
    shape = collision_shape(from_trimesh(trimesh.creation.box((0.1, 0.2, 0.3)).apply_translation([0, 0, 0.15])))
    assert len(shape.pieces) == 1 and shape.volume == pytest.approx(0.006, rel=1e-5)
    assert shape.mass(300) == pytest.approx(1.8, rel=1e-5)
    assert shape.center_of_mass == pytest.approx([0, 0, 0.15], abs=1e-6)
    assert np.diag(shape.unit_inertia) == pytest.approx(np.array([0.13, 0.10, 0.05]) / 12, rel=1e-4)


def test_open_mesh_uses_its_hull():
    mesh = trimesh.creation.box((0.1, 0.1, 0.1))
    mesh.update_faces(np.arange(len(mesh.faces)) > 1)
    assert collision_shape(from_trimesh(mesh)).volume == pytest.approx(0.001, rel=1e-4)


def test_light_objects_weigh_50_grams():
    assert collision_shape(placed("mug")).mass(300) == MIN_MASS


def test_mug_is_hollow_for_the_fingers():
    pytest.importorskip("vhacdx")
    pieces = collision_shape(placed("mug")).pieces
    hulls = [trimesh.convex.convex_hull(piece) for piece in pieces]
    assert not any(hull.contains([[0, 0, 0.06]])[0] for hull in hulls), "the inside is empty"
    assert not any(hull.contains([[0.05, 0, 0.05]])[0] for hull in hulls), "so is the handle"


def test_equal_content_is_measured_once():
    assert collision_shape(placed("bowl")) is collision_shape(placed("bowl"))
    assert collision_shape(placed("bowl", 1.1)) is not collision_shape(placed("bowl"))
