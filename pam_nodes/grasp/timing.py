"""Slow a motion down where it is too fast, and ease it in and out."""

from __future__ import annotations

import numpy as np

SMOOTHING = 0.12
"""Seconds over which the playback speed changes."""


def slowed_times(places: np.ndarray, rate: float, limit: float, window: int = 0) -> np.ndarray:
    """When each sample is shown so that no point moves faster than a limit.

    Samples keep their order and their distance in time grows only near where it must: the stretch of each step is the running mean of
    the running maximum of what the steps need, so it is smooth and nowhere less than needed.

    Args:
        places: (T, K, 3) positions of K points, metres.
        rate: samples a second.
        limit: metres a second.
        window: samples over which the pace changes, default as many as ``SMOOTHING`` lasts.

    Returns:
        (T,) seconds, from 0, increasing.

    Raises:
        ValueError: the limit is not positive.
    """
    if not limit > 0:
        raise ValueError(f"Expected a speed limit above 0 m/s, found {limit}.")
    if len(places) < 2:
        return np.zeros(len(places))
    from scipy.ndimage import maximum_filter1d, uniform_filter1d

    speed = np.linalg.norm(np.diff(places, axis=0), axis=2).max(axis=1) * rate
    stretch = np.maximum(speed / limit, 1.0)
    window = window or smoothing_window(rate)
    stretch = uniform_filter1d(maximum_filter1d(stretch, window, mode="nearest"), window, mode="nearest")
    return np.concatenate([[0.0], np.cumsum(stretch / rate)])


def smoothing_window(rate: float) -> int:
    """Samples in ``SMOOTHING``, odd and at least 3."""
    return 2 * max(1, round(SMOOTHING * rate / 2)) + 1


def eased(progress: np.ndarray, ease_in: float, ease_out: float) -> np.ndarray:
    """0..1 to 0..1 with zero speed at the ends, over the given shares of the time.

    Args:
        progress: (N,) in 0..1.
        ease_in, ease_out: share of the time in which the motion gathers and loses speed; together at most 1.

    Returns:
        (N,): speed rises linearly over ``ease_in``, is constant, and falls over ``ease_out``.
    """
    if ease_in < 0 or ease_out < 0 or ease_in + ease_out > 1 + 1e-9:
        raise ValueError(f"Expected ease in and ease out from 0 to 1 and together at most 1, found {ease_in} and {ease_out}.")
    speed = 1 / (1 - (ease_in + ease_out) / 2)
    t = np.clip(progress, 0.0, 1.0)
    way = speed * (t - ease_in / 2)
    if ease_in > 0:
        way = np.where(t < ease_in, speed * t * t / (2 * ease_in), way)
    if ease_out > 0:
        way = np.where(t > 1 - ease_out, 1 - speed * (1 - t) ** 2 / (2 * ease_out), way)
    return way
