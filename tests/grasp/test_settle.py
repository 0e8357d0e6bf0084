"""Resting poses by physics."""

import numpy as np

from pam_nodes.geometry.mesh import ObjectMesh
from pam_nodes.geometry.placement import place_object
from pam_nodes.geometry.primitives import demo_object
from pam_nodes.grasp.settle import settle


def lowest(mesh) -> float:
    return float((mesh.vertices @ mesh.object_to_world[2, :3]).min() + mesh.object_to_world[2, 3])


def test_standing_objects_stay():
    for kind in ("mug", "can", "box"):
        mesh = place_object(demo_object(kind), (0.1, 0.2, 0), (0, 0, 30))
        rest = settle(mesh)
        assert np.abs(rest.object_to_world - mesh.object_to_world).max() < 0.003, kind


def test_leaning_box_falls_on_a_face():
    mesh = place_object(demo_object("box"), (0, 0, 0), (25, 0, 0))
    rest = settle(mesh)
    up = np.abs(rest.object_to_world[2, :3])
    assert up.max() > 0.9999, "a face lies flat"
    assert abs(lowest(rest)) < 1e-9


def test_hammer_lies_down():
    rest = settle(place_object(demo_object("hammer"), (0, 0, 0), (60, 0, 0)))
    z = rest.vertices @ rest.object_to_world[2, :3]
    assert np.ptp(z) < 0.15, "its 28 cm handle lies"


def test_resting_pose_is_the_start_of_a_rollout():
    """Nothing moves by itself from a settled pose: settling again changes nothing."""
    once = settle(place_object(demo_object("bowl"), (0, 0, 0), (20, 0, 0)))
    assert np.abs(settle(once).object_to_world - once.object_to_world).max() < 0.003


def test_thin_sheet_settles():
    """A mesh without volume is given one for physics."""
    sheet = ObjectMesh(np.float32([[0, 0, 0], [0.1, 0, 0], [0.1, 0.1, 0], [0, 0.1, 0]]), np.array([[0, 1, 2], [0, 2, 3]]), "sheet")
    assert abs(lowest(settle(sheet))) < 1e-9
