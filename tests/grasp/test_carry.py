"""Carrying a lifted object to a goal: the path, the simulation with both ends, and goals that cannot be reached."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pam_nodes.geometry.placement import place_object
from pam_nodes.grasp.carry import SPEED, Carry, carry_path
from pam_nodes.grasp.rollout import RolloutOptions, rollout
from pam_nodes.hands.files import load_default_hand
from pam_nodes.hands.joints import rest_joints

from .setting import MUG_START, MUG_TARGET, placed, posed

PLACE, TURN = (0.25, 0.1, 0.0), (0, 0, 40)


def goal(place=PLACE, turn=TURN, on_table: bool = True) -> np.ndarray:
    return place_object(placed("mug"), place, turn, on_table).object_to_world


def carried(carry: Carry):
    options = RolloutOptions(length=61, fps=8, carry=carry)
    return rollout(load_default_hand(), posed(MUG_START), placed("mug"), posed(MUG_TARGET), options)


def pose(place, turn) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = Rotation.from_euler("xyz", turn, degrees=True).as_matrix(), place
    return matrix


def test_path_is_rigid_smooth_and_arrives_from_above():
    wrist, held, end = pose((-0.1, 0, 0.3), (20, 0, 0)), pose((0, 0, 0.2), (0, 10, 0)), pose((0.4, 0.2, 0), (0, 0, 90))
    path = carry_path(wrist, held, end, 100.0)
    things = path @ np.linalg.inv(wrist) @ held
    assert np.allclose(things[-1], end, atol=1e-9)
    speed = np.linalg.norm(np.diff(things[:, :3, 3], axis=0), axis=1) * 100
    assert speed.max() < 2 * SPEED and speed[0] < 0.01 and speed[-1] < 0.01
    assert np.abs(np.diff(speed)).max() * 100 < 4
    near = np.linalg.norm(things[:, :2, 3] - end[:2, 3], axis=1) < 1e-6
    assert things[near, 2, 3].max() > 0.05 and things[~near, 2, 3].min() > 0.05


@pytest.fixture(scope="module")
def put_down():
    return carried(Carry(goal(), put_down=True))


def test_mug_is_put_down_at_its_goal(put_down):
    report = put_down.report
    assert report.success and report.goal_distance < 0.02 and report.goal_angle < np.radians(10)
    last = put_down.objects[0].poses[-1]
    assert np.linalg.norm(last[:2, 3] - np.array(PLACE[:2])) < 0.02 and abs(last[2, 3]) < 0.003


def test_hand_lets_go_and_draws_back(put_down):
    hand = put_down.hands[0]
    wrist = hand.pose.transl + rest_joints(hand.model)[0]
    things = put_down.objects[0].poses
    away = np.linalg.norm(wrist - things[:, :3, 3], axis=1)
    assert away[-1] > away[len(away) // 2] + 0.08
    assert np.linalg.norm(np.diff(things[-4:, :3, 3], axis=0), axis=1).max() < 0.002


def test_mug_is_held_at_a_goal_in_the_air():
    trajectory = carried(Carry(goal((0.2, 0.05, 0.15), on_table=False), put_down=False))
    report = trajectory.report
    assert report.success and report.goal_distance < 0.02 and report.goal_angle < np.radians(10)
    assert trajectory.objects[0].poses[-1][2, 3] > 0.13


@pytest.mark.parametrize(
    ("place", "down", "message"),
    [
        ((0, 0, -0.05), True, "below the table"),
        ((0, 0, -0.05), False, "below the table"),
        ((2.0, 0, 0), True, "from its start"),
        ((0.1, 0, 0.2), True, "above the table"),
        ((np.nan, 0, 0), True, "finite"),
    ],
)
def test_goals_that_cannot_be_reached(place, down, message):
    matrix = np.eye(4)
    matrix[:3, 3] = place
    with pytest.raises(ValueError, match=message):
        carried(Carry(matrix, down))
