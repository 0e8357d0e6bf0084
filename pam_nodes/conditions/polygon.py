"""Filled discs and ellipses with OpenCV's pixels, without OpenCV.

The key-point pictures PAM was trained on were drawn by OpenCV, so its integer rules are followed: the midpoint circle of ``circle``, the
one-degree polygon of ``ellipse2Poly`` with its seven-digit sine table, and the outline and fill of ``fillConvexPoly``.
"""

from __future__ import annotations

from functools import cache, lru_cache

import numpy as np


@cache
def disc(radius: int) -> np.ndarray:
    """(N, 2) int64 offsets (x, y) of a filled circle: the midpoint rule."""
    extent = np.full(2 * radius + 1, -1)
    error, dx, dy, plus, minus = 0, radius, 0, 1, 2 * radius - 1
    while dx >= dy:
        for row, half in ((dy, dx), (dx, dy)):
            extent[[radius - row, radius + row]] = np.maximum(extent[[radius - row, radius + row]], half)
        dy, error, plus = dy + 1, error + plus, plus + 2
        if error > 0:
            error, dx, minus = error - minus, dx - 1, minus - 2
    return _rows(-extent, extent, -radius)


@lru_cache(maxsize=20000)
def ellipse(half_length: int, half_width: int, angle: int, odd_x: bool = False, odd_y: bool = False) -> np.ndarray:
    """Filled rotated ellipse.

    Args:
        half_length, half_width: half axes, pixels.
        angle: degrees, clockwise in the picture.
        odd_x, odd_y: parity of the centre: halves are rounded to even, so it decides ties.

    Returns:
        (N, 2) int64 offsets (x, y) from the centre.
    """
    parity = np.array([odd_x, odd_y], np.int64)
    start = _polygon(half_length, half_width, angle, parity)
    end = np.roll(start, -1, axis=0)
    border = np.concatenate([_outline(start, end), _fill_ends(start, end)])
    top, bottom = border[:, 1].min(), border[:, 1].max()
    left, right = np.full(bottom - top + 1, 1 << 30), np.full(bottom - top + 1, -(1 << 30))
    np.minimum.at(left, border[:, 1] - top, border[:, 0])
    np.maximum.at(right, border[:, 1] - top, border[:, 0])
    return _rows(left, right, top) - parity


def _polygon(half_length: int, half_width: int, angle: int, centre: np.ndarray) -> np.ndarray:
    """(N, 2) int64 corners at each degree, rounded, repeats dropped."""
    sine = np.round(np.sin(np.radians(np.arange(451))), 7).astype(np.float32).astype(np.float64)
    turn = angle % 360
    alpha, beta = sine[450 - turn], sine[turn]
    degrees = np.arange(361)
    x, y = half_length * sine[450 - degrees], half_width * sine[degrees]
    points = np.rint(np.stack([centre[0] + x * alpha - y * beta, centre[1] + x * beta + y * alpha], axis=1)).astype(np.int64)
    return points[np.r_[True, (points[1:] != points[:-1]).any(axis=1)]]


def _outline(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """(N, 2) pixels of the 8-connected lines between points, drawn from left to right."""
    swap = end[:, 0] < start[:, 0]
    start, end = np.where(swap[:, None], end, start), np.where(swap[:, None], start, end)
    delta = end - start
    length = np.abs(delta)
    major = (length[:, 1] > length[:, 0]).astype(np.int64)
    every = np.arange(len(delta))
    long, short = length[every, major], length[every, 1 - major]
    step = np.arange(long.max() + 1)
    aside = (2 * short[:, None] * step + long[:, None] - 1) // np.maximum(2 * long[:, None], 1)
    pixels = np.empty((len(delta), len(step), 2), np.int64)
    sign = np.sign(delta)
    pixels[every, :, major] = start[every, major, None] + sign[every, major, None] * step
    pixels[every, :, 1 - major] = start[every, 1 - major, None] + sign[every, 1 - major, None] * np.maximum(aside, 0)
    return pixels[step <= long[:, None]]


def _fill_ends(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """(N, 2) ends of the fill's rows on each edge, in 16-bit fixed point, halves up: now and then one pixel outside the outline."""
    upward = end[:, 1] < start[:, 1]
    start, end = np.where(upward[:, None], end, start), np.where(upward[:, None], start, end)
    height = end[:, 1] - start[:, 1]
    sloped = height > 0
    start, end, height = start[sloped], end[sloped], height[sloped]
    twice = 2 * ((end[:, 0] - start[:, 0]) << 16) + height
    slope = np.sign(twice) * (np.abs(twice) // (2 * height))
    step = np.arange(height.max(initial=0))
    x = ((start[:, 0, None] << 16) + slope[:, None] * step + (1 << 15)) >> 16
    y = start[:, 1, None] + step
    inside = step < height[:, None]
    return np.stack([x[inside], y[inside]], axis=1)


def _rows(left: np.ndarray, right: np.ndarray, top: int) -> np.ndarray:
    """(N, 2) pixels of rows that reach from left to right, both included."""
    count = right - left + 1
    row = np.repeat(np.arange(len(left)), count)
    x = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(left, count)
    return np.stack([x, row + top], axis=1)


def paint(canvas: np.ndarray, offsets: np.ndarray, centre: tuple[int, int], color: np.ndarray) -> None:
    """Colour the pixels ``centre + offsets`` that lie on the (H, W, 3) canvas."""
    x, y = offsets[:, 0] + centre[0], offsets[:, 1] + centre[1]
    on = (x >= 0) & (x < canvas.shape[1]) & (y >= 0) & (y < canvas.shape[0])
    canvas[y[on], x[on]] = color
