"""Sampled grasps: flat things are pinched from above, nothing is taken through the table, tries are really different."""

import numpy as np
import pytest
import trimesh

from pam_nodes.geometry.mesh_io import MeshOptions, object_from_arrays
from pam_nodes.grasp.grips import FLAT, PINCH_HEADING
from pam_nodes.grasp.objectives import sample_goals
from pam_nodes.grasp.rollout import RolloutOptions, rollout
from pam_nodes.grasp.scene import Scene
from pam_nodes.grasp.setting import prepare
from pam_nodes.hands.files import load_default_hand

from .setting import FRONT, placed, posed


def bar(length=0.16, width=0.03, height=0.018):
    """A ruler-like bar that lies on the table."""
    box = trimesh.creation.box((length, width, height))
    return object_from_arrays(box.vertices, box.faces, MeshOptions(), "bar")


def sampled(mesh, seed: int):
    """The scene, its start and five sampled grasps."""
    setting = prepare(load_default_hand(), posed(FRONT), mesh, None, None, RolloutOptions())
    scene = Scene(setting.body, setting.limits(np.zeros(45)), setting.shape, setting.mass)
    return scene, setting.first, sample_goals(scene, setting.first, np.random.default_rng(seed), 5, mesh.name)


@pytest.mark.parametrize("mesh", [bar(), placed("mug"), placed("bottle")], ids=["bar", "mug", "bottle"])
def test_goals_are_clear_of_table_and_object_and_differ(mesh):
    scene, _, goals = sampled(mesh, 3)
    assert goals
    for goal in goals:
        assert scene.hand_points(goal.wrist, goal.rotation, goal.opened)[:, 2].min() > 0
    for i, one in enumerate(goals):
        for other in goals[:i]:
            turn = (one.rotation * other.rotation.inv()).magnitude()
            assert np.linalg.norm(one.wrist - other.wrist) >= 0.02 or turn >= 0.3


def test_flat_things_are_pinched_between_tips_beside_them():
    mesh = bar()
    assert mesh.extents[2] < FLAT
    scene, _, goals = sampled(mesh, 0)
    for goal in goals:
        assert goal.closed is not None and goal.approach[2] > PINCH_HEADING
        tips = scene.hand_points(goal.wrist, goal.rotation, goal.opened)[[16, 17, 20]]
        assert tips[:, 2].max() < 0.04
        sides = tips @ mesh.object_to_world[:3, 1]
        assert np.abs(sides).min() > mesh.extents[1] / 2 and sides[0] * sides[2] < 0 < sides[0] * sides[1]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_flat_bar_is_lifted(seed):
    report = rollout(load_default_hand(), posed(FRONT), bar(), None, RolloutOptions(length=9, seed=seed, max_attempts=5)).report
    assert report.success, report.message
