"""From the 100 Hz recording to the frames of a video: the whole motion is warped to fit the clip."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from .hand_body import to_hand_pose
from .interpolate import lerp, poses_at, slerp, slerp_vectors
from .scene import CONTROL_RATE, State
from .timing import slowed_times


def resample(states: tuple[State, ...], length: int, speed_limit: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Evenly spaced frames from the first state to the last.

    Positions are interpolated linearly, rotations (wrist, object and each finger joint) on the sphere.

    Args:
        states: N >= 2 states.
        length: T frames, T >= 2; the first frame is the first state and the last frame is the last state.
        speed_limit: metres a second for wrist and object, in the time of the simulation; faster parts are slowed down. 0 has no limit.

    Returns:
        wrist positions (T, 3), wrist axis-angles (T, 3), hand_pose (T, 45) and object_to_world (T, 4, 4).
    """
    times = np.linspace(0, len(states) - 1, length)
    places = np.stack([s.wrist for s in states])
    if speed_limit > 0:
        points = np.stack([places, [s.object_to_world[:3, 3] for s in states]], axis=1)
        shown = slowed_times(points, CONTROL_RATE, speed_limit)
        times = np.interp(np.linspace(0, shown[-1], length), shown, np.arange(len(states)))
    wrist = lerp(places, times)
    orient = slerp(Rotation.from_matrix([s.rotation for s in states]), times).as_rotvec()
    hand_pose = slerp_vectors(to_hand_pose(np.stack([s.hinges for s in states])), times)
    return wrist, orient, hand_pose, poses_at(np.stack([s.object_to_world for s in states]), times)
