"""Frames out of a recording."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pam_nodes.grasp.resample import resample
from pam_nodes.grasp.scene import State


def turning(count: int) -> tuple[State, ...]:
    """A wrist that moves along x and turns 2 rad about z, an object that turns the other way."""
    states = []
    for t in np.linspace(0, 1, count):
        pose = np.eye(4)
        pose[:3, :3] = Rotation.from_rotvec([0, 0, -2 * t]).as_matrix()
        pose[:3, 3] = [0, t, 0]
        states.append(State(np.array([t, 0, 0]), Rotation.from_rotvec([0, 0, 2 * t]).as_matrix(), np.full(45, 0.3 * t), pose))
    return tuple(states)


@pytest.mark.parametrize("length", [2, 17, 49, 240])
def test_constant_speed_stays_constant(length):
    wrist, orient, hand_pose, objects = resample(turning(101), length)
    t = np.linspace(0, 1, length)
    assert wrist == pytest.approx(np.stack([t, 0 * t, 0 * t], 1), abs=1e-12)
    assert orient == pytest.approx(np.stack([0 * t, 0 * t, 2 * t], 1), abs=1e-9)
    assert objects[:, 1, 3] == pytest.approx(t, abs=1e-12)
    assert Rotation.from_matrix(objects[:, :3, :3]).as_rotvec()[:, 2] == pytest.approx(-2 * t, abs=1e-9)
    assert hand_pose.shape == (length, 45) and np.allclose(hand_pose[0], 0)
