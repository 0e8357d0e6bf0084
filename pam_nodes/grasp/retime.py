"""Bring a motion to the frames of a video."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..hands.joints import rest_joints
from .interpolate import trajectory_at
from .timing import eased, slowed_times, smoothing_window
from .trajectory import Trajectory


@dataclass(frozen=True)
class Timing:
    """How a motion is played.

    Attributes:
        length: frames of the result, 0 for as many as the motion takes in real time.
        fps: frames a second of the result.
        fit: the whole motion is stretched to ``length``; otherwise it keeps its pace, and is cut or held at the end.
        speed: factor of the pace, 2 is twice as fast. Not used with ``fit``.
        speed_limit: m/s for wrists and objects in the result; faster parts are slowed down. 0 has no limit. With ``fit`` the parts keep
            their share of the time, and the limit is reached when there are enough frames.
        ease_in, ease_out: share of the time in which the motion gathers and loses speed.
        hold_start, hold_end: frames of standing still before and after.
    """

    length: int = 49
    fps: float = 30.0
    fit: bool = True
    speed: float = 1.0
    speed_limit: float = 0.0
    ease_in: float = 0.0
    ease_out: float = 0.0
    hold_start: int = 0
    hold_end: int = 0


def retime(trajectory: Trajectory, timing: Timing) -> Trajectory:
    """Play a motion at another pace.

    Args:
        trajectory: T >= 1 frames.
        timing: how.

    Returns:
        The motion at ``timing.fps``. Its first frame is the first of the motion to the bit, and so is the last unless it was cut.

    Raises:
        ValueError: settings that contradict each other.
    """
    _check(timing)
    total = len(trajectory)
    held = timing.hold_start + timing.hold_end
    shown = _clock(trajectory, timing)
    if timing.fit and timing.length:
        count = timing.length - held
        if count < min(total, 2):
            raise ValueError(f"Expected room for the motion, found {timing.length} frames of which {held} are held: hold fewer frames.")
        seconds = np.linspace(0, shown[-1], count)
    else:
        count = max(int(np.floor(shown[-1] * timing.fps + 1e-6)) + 1, 1)
        seconds = np.arange(count) / timing.fps
        if shown[-1] - seconds[-1] > 1e-6:
            seconds = np.append(seconds, shown[-1])
    if shown[-1] > 0:
        seconds = shown[-1] * eased(seconds / shown[-1], timing.ease_in, timing.ease_out)
    frames = np.interp(seconds, shown, np.arange(total)) if total > 1 else np.zeros(len(seconds))
    frames = np.concatenate([np.zeros(timing.hold_start), frames, np.full(timing.hold_end, frames[-1])])
    if timing.length and not timing.fit:
        frames = np.concatenate([frames, np.full(max(timing.length - len(frames), 0), frames[-1])])[: timing.length]
    return trajectory_at(trajectory, frames, timing.fps)


def motion_points(trajectory: Trajectory) -> np.ndarray:
    """(T, K, 3) world points whose speed counts: the wrist of each hand and the middle of each object."""
    points = [rest_joints(track.model, track.pose.betas)[0] + track.pose.transl for track in trajectory.hands]
    for track in trajectory.objects:
        middle = (track.mesh.vertices.min(0) + track.mesh.vertices.max(0)) / 2
        points.append(track.poses[:, :3, :3] @ middle + track.poses[:, :3, 3])
    return np.stack(points, axis=1)


def _clock(trajectory: Trajectory, timing: Timing) -> np.ndarray:
    """(T,) seconds at which each frame is shown at the wanted pace, before easing."""
    total = len(trajectory)
    speed = 1.0 if timing.fit and timing.length else timing.speed
    if timing.speed_limit <= 0 or total < 2:
        return np.arange(total) / (trajectory.fps * speed)
    limit = timing.speed_limit * (1 - (timing.ease_in + timing.ease_out) / 2)
    rate = trajectory.fps * speed
    if timing.fit and timing.length:
        rate = min(rate, (total - 1) * timing.fps / max(timing.length - timing.hold_start - timing.hold_end - 1, 1))
        return _fitted(motion_points(trajectory), rate, limit, timing, smoothing_window(trajectory.fps))
    return slowed_times(motion_points(trajectory), rate, limit)


def _fitted(points: np.ndarray, rate: float, limit: float, timing: Timing, window: int) -> np.ndarray:
    """Clock of a motion of given duration: slow only what is too fast, and take the time from the rest."""
    wanted = max(timing.length - timing.hold_start - timing.hold_end - 1, 1) / timing.fps
    low, high = rate, rate * 64
    least = slowed_times(points, high, limit, window)[-1]
    if least > wanted:
        need = int(np.ceil(least * timing.fps)) + 1 + timing.hold_start + timing.hold_end
        raise ValueError(
            f"The motion needs {need} frames at {timing.fps:g} fps to stay below {timing.speed_limit:g} m/s, found {timing.length}: "
            "raise the length or the speed limit, or trim the motion."
        )
    for _ in range(40):
        middle = (low * high) ** 0.5
        if slowed_times(points, middle, limit, window)[-1] > wanted:
            low = middle
        else:
            high = middle
    return slowed_times(points, high, limit, window)


def _check(timing: Timing) -> None:
    if timing.length < 0 or timing.hold_start < 0 or timing.hold_end < 0:
        raise ValueError(f"Expected a length and holds of 0 or more frames, found {timing.length}, {timing.hold_start}, {timing.hold_end}.")
    if not (timing.fps > 0 and timing.speed > 0 and timing.speed_limit >= 0):
        found = f"{timing.fps}, {timing.speed} and {timing.speed_limit}"
        raise ValueError(f"Expected fps and speed above 0 and a speed limit of 0 or more, found {found}.")
    if timing.length == 1 and timing.fit:
        raise ValueError("Expected a length of at least 2 frames to fit a motion into, found 1.")
