"""Filled discs and ellipses with OpenCV's pixels, without OpenCV.

The key-point pictures PAM was trained on were drawn by OpenCV, so its integer rules are followed: the midpoint circle of ``circle``, the
one-degree polygon of ``ellipse2Poly`` with its seven-digit sine table, and the outline and fill of ``fillConvexPoly``. Shapes are kept as
spans, rows of pixels from left to right, both included.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np

from .colormap import as_pixels


@cache
def disc(radius: int) -> np.ndarray:
    """(3, N) int64 row, left and right of the spans of a filled circle about (0, 0): the midpoint rule."""
    extent = np.full(2 * radius + 1, -1)
    error, dx, dy, plus, minus = 0, radius, 0, 1, 2 * radius - 1
    while dx >= dy:
        for row, half in ((dy, dx), (dx, dy)):
            extent[[radius - row, radius + row]] = np.maximum(extent[[radius - row, radius + row]], half)
        dy, error, plus = dy + 1, error + plus, plus + 2
        if error > 0:
            error, dx, minus = error - minus, dx - 1, minus - 2
    return np.stack([np.arange(-radius, radius + 1), -extent, extent])


def discs(centre: np.ndarray, radius: int) -> np.ndarray:
    """(3, M) int64 spans of filled circles about (N, 2) int64 centres (x, y), as many for each."""
    return (disc(radius)[:, None] + centre.T[[1, 0, 0], :, None]).reshape(3, -1)


def ellipses(centre: np.ndarray, half_length: np.ndarray, half_width: np.ndarray, angle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Spans of N filled rotated ellipses.

    Args:
        centre: (N, 2) int64 pixels.
        half_length, half_width: (N,) int64 half axes, pixels.
        angle: (N,) int64 degrees, clockwise in the picture.

    Returns:
        (3, M) int64 row, left and right, one ellipse after the other, and (M,) the ellipse each belongs to.
    """
    # Halves are rounded to even, so a centre matters only by its parity.
    parity = centre % 2
    x, y = _polygons(parity, half_length, half_width, angle)
    top, bottom = y.min(axis=1), y.max(axis=1)
    first = np.concatenate([[0], np.cumsum(bottom - top + 1)])
    left, right = np.full(first[-1], 1 << 30), np.full(first[-1], -(1 << 30))
    for border_x, border_y, owner in _borders(x, y):
        line = (first[:-1] - top)[owner] + border_y
        np.minimum.at(left, line, border_x)
        np.maximum.at(right, line, border_x)
    shape = np.repeat(np.arange(len(centre)), np.diff(first))
    column, row = (centre - parity).T[:, shape]
    return np.stack([np.arange(len(shape)) - (first[:-1] - top)[shape] + row, left + column, right + column]), shape


@cache
def _sines() -> np.ndarray:
    """OpenCV's table: sines of 0 to 450 degrees, seven digits in single precision."""
    return np.round(np.sin(np.radians(np.arange(451))), 7).astype(np.float32).astype(np.float64)


def _polygons(centre: np.ndarray, half_length: np.ndarray, half_width: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """(2, N, 361) int64 x and y of the corners at each degree, rounded."""
    sine, degrees, turn = _sines(), np.arange(181), angle % 360
    alpha, beta = sine[450 - turn][:, None], sine[turn][:, None]
    along, across = half_length[:, None] * sine[450 - degrees], half_width[:, None] * sine[degrees]
    half = np.stack([along * alpha - across * beta, along * beta + across * alpha])
    # The table has the sine's symmetry to the last bit, so the second half turn is the first one mirrored.
    corners = np.concatenate([half, -half[:, :, 1:]], axis=2)
    corners += centre.T[:, :, None]
    return np.rint(corners, out=corners).astype(np.int64)


def _borders(x: np.ndarray, y: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """x, y and polygon of the pixels on the borders of polygons with (N, C) corners, some of them more than once."""
    new = np.ones(x.shape, bool)
    new[:, 1:] = (x[:, 1:] != x[:, :-1]) | (y[:, 1:] != y[:, :-1])
    at = np.flatnonzero(new)
    shape, end = at // x.shape[1], np.stack([x.ravel()[at], y.ravel()[at]])
    yield *end, shape
    # Between neighbouring pixels a side has no others.
    far = 1 + np.flatnonzero((np.abs(end[:, 1:] - end[:, :-1]) > 1).any(axis=0) & (shape[1:] == shape[:-1]))
    if len(far):
        for draw in (_outline, _fill_ends):
            border_x, border_y, side = draw(end[:, far - 1], end[:, far])
            yield border_x, border_y, shape[far][side]


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


def paint(canvas: np.ndarray, spans: np.ndarray, colors: np.ndarray) -> None:
    """Colour what of (3, N) spans lies on the contiguous (H, W, 3) uint8 canvas in (N, 3) uint8 colours, the later over the earlier."""
    height, width = canvas.shape[:2]
    row, left, right = spans
    left = np.maximum(left, 0)
    count = np.maximum(np.minimum(right, width - 1) - left + 1, 0)
    count[(row < 0) | (row >= height)] = 0
    place = np.repeat(row * width + left - np.cumsum(count) + count, count)
    place += np.arange(len(place))
    as_pixels(canvas)[place] = np.repeat(as_pixels(colors), count)
