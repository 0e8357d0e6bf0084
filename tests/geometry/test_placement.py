"""Objects on the table."""

import numpy as np
import pytest

from pam_nodes.geometry.placement import place_object
from pam_nodes.geometry.primitives import KINDS, demo_object
from pam_nodes.geometry.rotations import transform_points


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rotation", [(0, 0, 0), (90, 0, 0), (31, -47, 12), (180, 0, 0)])
def test_object_rests_on_the_table(kind, rotation):
    mesh = place_object(demo_object(kind), (0.1, -0.2, 0.7), rotation)
    world = transform_points(mesh.object_to_world, mesh.vertices)
    assert world[:, 2].min() == pytest.approx(0, abs=1e-7)
    np.testing.assert_allclose(mesh.object_to_world[:2, 3], [0.1, -0.2])


def test_lying_bottle_is_as_high_as_it_is_wide():
    mesh = place_object(demo_object("bottle"), (0, 0, 0), (90, 0, 0))
    world = transform_points(mesh.object_to_world, mesh.vertices)
    np.testing.assert_allclose(np.ptp(world, axis=0), [0.066, 0.215, 0.066], atol=1e-3)
    assert world[:, 1].min() == pytest.approx(-0.215, abs=1e-3)  # +90 degrees about X lays the top towards -Y


def test_in_the_air_the_position_is_taken_as_it_is():
    mesh = place_object(demo_object("ball"), (0, 0, 0.5), on_table=False)
    np.testing.assert_allclose(mesh.object_to_world[:3, 3], [0, 0, 0.5])


def test_placing_replaces_and_leaves_the_given_object_alone():
    mesh = demo_object("can")
    twice = place_object(place_object(mesh, (1, 1, 0), (0, 0, 45)), (0, 0, 0))
    np.testing.assert_allclose(twice.object_to_world, np.eye(4), atol=1e-7)
    np.testing.assert_array_equal(mesh.object_to_world, np.eye(4))


@pytest.mark.parametrize(("position", "rotation"), [((np.nan, 0, 0), (0, 0, 0)), ((0, 0, 0), (np.inf, 0, 0)), ((99, 0, 0), (0, 0, 0))])
def test_nonsense_is_refused(position, rotation):
    with pytest.raises(ValueError, match="Expected a position"):
        place_object(demo_object("ball"), position, rotation)
