"""Points followed through a clip: exactly by the conditions' flow, and as its pictures show them."""

from __future__ import annotations

import numpy as np

from ..conditions.flow import VISIBLE, FlowVideo
from ..progress import Progress, silent

WINDOW = 5
"""Half side of the square that is compared around a point, pixels."""
LEVELS = 3
"""Pictures of half the size each, coarse to fine: motion up to about 4 * WINDOW pixels beyond the guess is found."""
STEPS, SMALL = 12, 0.01
BLURS = (4.0, 2.0, 1.0)
"""Standard deviations of the blur of ``shift``, pixels, coarse to fine; less for what is smaller than 32 pixels."""
TEXTURE = 4.0
"""Least eigenvalue, in squared grey levels a pixel, of a square that can be told from its surroundings."""
BESIDE, FEWEST, PIXELS = 0.02, 30, 3000
"""Of ``drift``: share of the picture's shorter side that counts as beside something; least and most pixels that are followed."""
FAINT = 0.05
"""The same of what ``shift`` follows as a whole."""
SMALL_SHARE, UNEXPLAINED = 0.05, 0.8
"""Shifts beyond this share of the size must leave less than this share of the difference unexplained."""


def follow(before: np.ndarray, after: np.ndarray, points: np.ndarray, guess: np.ndarray) -> np.ndarray:
    """Where points of one picture are in the next: pyramidal Lucas-Kanade (Bouguet 2001, "Pyramidal implementation of the LK tracker").

    Args:
        before, after: (H, W) grey levels.
        points: (N, 2) pixels in the first picture.
        guess: (N, 2) pixels in the second, to start from.

    Returns:
        (N, 2) pixels, NaN where the picture has no texture to follow or the point leaves it.
    """
    from scipy.ndimage import gaussian_filter

    pyramid = [(np.asarray(before, np.float32), np.asarray(after, np.float32))]
    while len(pyramid) < LEVELS and min(pyramid[-1][0].shape) >= 8 * WINDOW:
        pyramid.append(tuple(gaussian_filter(picture, 1.0)[::2, ::2] for picture in pyramid[-1]))
    moved, lost = np.array(guess - points, float), np.zeros(len(points), bool)
    for level in reversed(range(len(pyramid))):
        scale = 2**level
        step, flat = _refine(*pyramid[level], points / scale, moved / scale)
        moved = np.where(flat[:, None], moved, step * scale)
        lost = flat
    found = points + moved
    height, width = pyramid[0][0].shape
    lost |= ((found < 0) | (found > (width - 1, height - 1))).any(axis=1)
    return np.where(lost[:, None], np.nan, found)


def _refine(before: np.ndarray, after: np.ndarray, points: np.ndarray, moved: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Better (N, 2) motion on one level, and which of the points have too little texture."""
    side = np.arange(-WINDOW, WINDOW + 1)
    square = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    places = points[:, None] + square
    template = _sample(before, places)
    slope = np.stack([_sample(before, places + half) - _sample(before, places - half) for half in ((0.5, 0), (0, 0.5))], axis=-1)
    matrix = np.einsum("npi,npj->nij", slope, slope) / len(square)
    flat = np.linalg.eigvalsh(matrix)[:, 0] < TEXTURE
    inverse = np.linalg.inv(np.where(flat[:, None, None], np.eye(2), matrix))
    moved = moved.copy()
    for _ in range(STEPS):
        error = template - _sample(after, places + moved[:, None])
        step = np.einsum("nij,npj,np->ni", inverse, slope, error) / len(square)
        step[flat] = 0
        moved += step
        if np.abs(step).max(initial=0) < SMALL:
            break
    return moved, flat


def _sample(picture: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Bilinear values at (..., 2) pixels, the border repeated outside."""
    from scipy.ndimage import map_coordinates

    return map_coordinates(picture, (places[..., 1], places[..., 0]), order=1, mode="nearest")


def spread_points(mask: np.ndarray, most: int) -> np.ndarray:
    """(N, 2) float pixels (x, y) of a mask on a regular grid, about ``most`` of them."""
    spacing = max(1, int(np.ceil(np.sqrt(mask.sum() / most))))
    rows, columns = np.nonzero(mask[::spacing, ::spacing])
    return np.stack([columns, rows], axis=1).astype(float) * spacing


def exact_tracks(flow: FlowVideo, points: np.ndarray) -> np.ndarray:
    """(N, T, 2) places of points (N, 2) of the first frame, carried by exact flow; NaN from where a point is hidden."""
    length = len(flow.flow)
    tracks = np.full((len(points), length, 2), np.nan)
    tracks[:, 0] = points
    for t in range(length - 1):
        row, column, known = _rounded(tracks[:, t], flow.state.shape[1:])
        known &= flow.state[t, row, column] == VISIBLE
        tracks[known, t + 1] = tracks[known, t] + flow.flow[t, row, column][known]
    return tracks


def seen_tracks(grey: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(N, T, 2) places of points (N, 2) of the first of (T, H, W) grey pictures, followed from picture to picture; NaN once lost."""
    tracks = np.full((len(points), len(grey), 2), np.nan)
    tracks[:, 0] = points
    for t in range(len(grey) - 1):
        alive = np.flatnonzero(np.isfinite(tracks[:, t, 0]))
        here = tracks[alive, t]
        speed = here - tracks[alive, t - 1] if t else 0
        tracks[alive, t + 1] = follow(grey[t], grey[t + 1], here, here + speed)
    return tracks


def shift(before: np.ndarray, after: np.ndarray, points: np.ndarray, there: np.ndarray) -> np.ndarray:
    """(2,) pixels by which points all together are elsewhere in a picture than said: Lucas-Kanade of one translation, coarse to fine.

    Where the picture shows nothing that can be followed, or only farther away than what is followed is large, the points count as
    standing still. Changing light pulls at them too: a shift that is not small must explain a share of the difference, or is none.

    Args:
        before, after: (H, W) grey levels.
        points: (N, 2) pixels in the first picture.
        there: (N, 2) where they are said to be in the second.
    """
    from scipy.ndimage import gaussian_filter

    moved, size = np.zeros(2), np.sqrt(np.prod(np.ptp(points, axis=0) + 1))
    for blur in BLURS:
        pictures = (gaussian_filter(picture, blur * min(1.0, size / 32)) for picture in (before, after))
        moved = _translate(*pictures, points, there, moved)
        if moved is None or np.linalg.norm(moved) > size:
            return (points - there).mean(axis=0)
    template = _sample(before, points)
    unmoved, rest = (np.abs(template - _sample(after, places)).mean() for places in (there, there + moved))
    is_light = np.linalg.norm(moved) > SMALL_SHARE * size and rest > UNEXPLAINED * unmoved
    return np.zeros(2) if is_light else moved


def _translate(before: np.ndarray, after: np.ndarray, points: np.ndarray, there: np.ndarray, moved: np.ndarray) -> np.ndarray | None:
    """A better translation of all points, large differences counting less; None if there is nothing to follow."""
    template = _sample(before, points)
    slope = np.stack([_sample(before, points + half) - _sample(before, points - half) for half in ((0.5, 0), (0, 0.5))], axis=-1)
    for _ in range(STEPS):
        error = template - _sample(after, there + moved)
        trust = 1 / (1 + (error / (1 + 1.5 * np.median(np.abs(error)))) ** 2)
        weighted = slope * trust[:, None]
        matrix = weighted.T @ slope
        if np.linalg.eigvalsh(matrix)[0] < FAINT * len(points):
            return None
        step = np.linalg.solve(matrix, weighted.T @ error)
        moved = moved + step
        if np.abs(step).max() < SMALL:
            break
    return moved


def drift(grey: np.ndarray, flow: FlowVideo, mask: np.ndarray, others: np.ndarray, progress: Progress = silent) -> np.ndarray:
    """(T, 2) pixels by which what a mask covers has moved away from its exact motion, summed up from frame to frame.

    Args:
        grey: (T, H, W) float32 grey levels of the pictures.
        flow: exact flow.
        mask: (T, H, W) bool: the object.
        others: (T, H, W) bool: what moves otherwise, the hands; pixels of the object beside them are left out, and a step that leaves
            fewer than ``FEWEST`` counts as exact.
        progress: called after each frame.
    """
    reach = BESIDE * min(grey.shape[1:])
    clear, away = _far_from(others[0], reach), np.zeros((len(grey), 2))
    for t in range(len(grey) - 1):
        before, clear = clear, _far_from(others[t + 1], reach)
        points = spread_points(mask[t] & before & (flow.state[t] == VISIBLE), PIXELS)
        column, row = points.astype(int).T
        there = points + flow.flow[t, row, column]
        row, column, inside = _rounded(there, clear.shape)
        kept = inside & clear[row, column]
        step = shift(grey[t], grey[t + 1], points[kept], there[kept]) if kept.sum() >= FEWEST else 0
        away[t + 1] = away[t] + step
        progress(t + 1, len(grey))
    return away


def _far_from(mask: np.ndarray, reach: float) -> np.ndarray:
    """(H, W) bool: pixels farther from a mask than ``reach``."""
    from scipy.ndimage import distance_transform_edt

    return distance_transform_edt(~mask) > reach if mask.any() else np.ones(mask.shape, bool)


def carried(picture: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """(H, W) grey levels that the points of the frame before have in a picture, by their (H, W, 2) flow."""
    rows, columns = np.indices(picture.shape)
    return _sample(picture, np.stack([columns, rows], axis=-1) + flow)


def to_grey(pictures: np.ndarray) -> np.ndarray:
    """(T, H, W, 3) uint8 pictures as (T, H, W) float32 luma (Rec. 601)."""
    return pictures.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)


def _rounded(points: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row and column of (N, 2) pixels, and which of them are in the picture; others are at its corner."""
    inside = np.isfinite(points).all(axis=1) & ((points > -0.5) & (points < np.array(shape[::-1]) - 0.5)).all(axis=1)
    column, row = np.rint(np.where(inside[:, None], points, 0)).astype(int).T
    return row, column, inside
