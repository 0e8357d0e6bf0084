"""Filled discs and ellipses with OpenCV's pixels, without OpenCV.

The key-point pictures PAM was trained on were drawn by OpenCV, so its integer rules are followed: the midpoint circle of ``circle``, the
one-degree polygon of ``ellipse2Poly`` with its seven-digit sine table, and the outline and fill of ``fillConvexPoly``.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from .colormap import as_pixels


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
    x, row = _spans(-extent, extent)
    return np.stack([x, row - radius], axis=1)


def ellipses(centre: np.ndarray, half_length: np.ndarray, half_width: np.ndarray, angle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of N filled rotated ellipses.

    Args:
        centre: (N, 2) int64 pixels.
        half_length, half_width: (N,) int64 half axes, pixels.
        angle: (N,) int64 degrees, clockwise in the picture.

    Returns:
        (M, 2) int64 pixels (x, y), one ellipse after the other, and (M,) the ellipse each belongs to.
    """
    # Halves are rounded to even, so a centre matters only by its parity.
    parity = centre % 2
    corners = _polygons(parity, half_length, half_width, angle)
    start, end, shape = _segments(corners)
    border_x, border_y, owner = (np.concatenate(parts) for parts in zip(_outline(start, end), _fill_ends(start, end), strict=True))
    owner = shape[owner]
    top, bottom = corners[1].min(axis=1), corners[1].max(axis=1)
    first = np.concatenate([[0], np.cumsum(bottom - top + 1)])
    line = first[owner] + border_y - top[owner]
    left, right = np.full(first[-1], 1 << 30), np.full(first[-1], -(1 << 30))
    np.minimum.at(left, line, border_x)
    np.maximum.at(right, line, border_x)
    x, line = _spans(left, right)
    shape_of_line = np.repeat(np.arange(len(centre)), np.diff(first))
    shape = shape_of_line[line]
    y = line - first[shape] + top[shape]
    return np.stack([x, y], axis=1) + (centre - parity)[shape], shape


@cache
def _sines() -> np.ndarray:
    """OpenCV's table: sines of 0 to 450 degrees, seven digits in single precision."""
    return np.round(np.sin(np.radians(np.arange(451))), 7).astype(np.float32).astype(np.float64)


def _polygons(centre: np.ndarray, half_length: np.ndarray, half_width: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """(2, N, 361) int64 x and y of the corners at each degree, rounded."""
    sine, degrees, turn = _sines(), np.arange(361), angle % 360
    alpha, beta = sine[450 - turn][:, None], sine[turn][:, None]
    along, across = half_length[:, None] * sine[450 - degrees], half_width[:, None] * sine[degrees]
    x, y = along * alpha - across * beta, along * beta + across * alpha
    return np.rint(np.stack([x, y]) + centre.T[:, :, None]).astype(np.int64)


def _segments(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Start and end (2, S) of the polygons' sides and the (S,) polygon of each; repeated corners make no side, but the first."""
    moves = (corners[..., 1:] != corners[..., :-1]).any(axis=0)
    shape, at = np.nonzero(moves)
    every = np.arange(corners.shape[1])
    start = np.concatenate([corners[:, shape, at], corners[:, every, 0]], axis=1)
    end = np.concatenate([corners[:, shape, at + 1], corners[:, every, 0]], axis=1)
    return start, end, np.concatenate([shape, every])


def _outline(start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, y and side of the pixels of the 8-connected lines between points, drawn from left to right."""
    swap = end[0] < start[0]
    start, end = np.where(swap, end, start), np.where(swap, start, end)
    delta = end - start
    sign, length = np.sign(delta), np.abs(delta)
    steep = length[1] > length[0]
    long, short = np.where(steep, length[1], length[0]), np.where(steep, length[0], length[1])
    side = np.repeat(np.arange(len(long)), long + 1)
    step = np.arange(len(side)) - np.repeat(np.cumsum(long + 1) - long - 1, long + 1)
    aside = np.maximum((2 * short[side] * step + long[side] - 1) // np.maximum(2 * long[side], 1), 0)
    steep = steep[side]
    x = start[0, side] + sign[0, side] * np.where(steep, aside, step)
    y = start[1, side] + sign[1, side] * np.where(steep, step, aside)
    return x, y, side


def _fill_ends(start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, y and side of the fill's rows on each side, in 16-bit fixed point, halves up: now and then one pixel outside the outline."""
    upward = end[1] < start[1]
    start, end = np.where(upward, end, start), np.where(upward, start, end)
    height = end[1] - start[1]
    twice = 2 * ((end[0] - start[0]) << 16) + height
    slope = np.sign(twice) * (np.abs(twice) // np.maximum(2 * height, 1))
    side = np.repeat(np.arange(len(height)), height)
    step = np.arange(len(side)) - np.repeat(np.cumsum(height) - height, height)
    return ((start[0, side] << 16) + slope[side] * step + (1 << 15)) >> 16, start[1, side] + step, side


def _spans(left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Column and row index of the pixels of rows that reach from left to right, both included."""
    count = right - left + 1
    row = np.repeat(np.arange(len(left)), count)
    return np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(left, count), row


def paint(canvas: np.ndarray, pixels: np.ndarray, colors: np.ndarray) -> None:
    """Colour (N, 2) pixels (x, y) that lie on the contiguous (H, W, 3) uint8 canvas; of (N, 3) uint8 colours the last at a pixel stays."""
    height, width = canvas.shape[:2]
    x, y = pixels[:, 0], pixels[:, 1]
    place = y * width + x
    on = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    if on.all():
        as_pixels(canvas)[place] = as_pixels(colors)
    else:
        as_pixels(canvas)[place[on]] = as_pixels(colors)[on]
