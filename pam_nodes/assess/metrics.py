"""The usual metrics of pictures, joints and motion."""

from __future__ import annotations

import numpy as np

K1, K2, SIGMA, RADIUS = 0.01, 0.03, 1.5, 5


def psnr(one: np.ndarray, two: np.ndarray, peak: float = 255.0) -> float:
    """Peak signal-to-noise ratio in decibels of equal-shaped arrays; infinite if they are equal."""
    _same_shape(one, two)
    error = np.mean((np.asarray(one, np.float64) - np.asarray(two, np.float64)) ** 2)
    return float("inf") if error == 0 else float(10 * np.log10(peak**2 / error))


def ssim(one: np.ndarray, two: np.ndarray, peak: float = 255.0) -> float:
    """Structural similarity of two (H, W) or (H, W, C) pictures, channels averaged.

    Wang et al. 2004, "Image quality assessment: from error visibility to structural similarity", equation 13: Gaussian window of 11 x 11
    with sigma 1.5, only where it fits into the picture.

    Raises:
        ValueError: different shapes, or a picture smaller than the window.
    """
    from scipy.ndimage import gaussian_filter

    _same_shape(one, two)
    if min(one.shape[:2]) <= 2 * RADIUS:
        raise ValueError(f"Expected pictures of at least 11 x 11 pixels, found {one.shape[1]} x {one.shape[0]}.")
    x, y = (np.asarray(a, np.float64).reshape(*a.shape[:2], -1) for a in (one, two))

    def mean(values: np.ndarray) -> np.ndarray:
        smooth = gaussian_filter(values, (SIGMA, SIGMA, 0), radius=(RADIUS, RADIUS, 0))
        return smooth[RADIUS:-RADIUS, RADIUS:-RADIUS]

    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    c1, c2 = (K1 * peak) ** 2, (K2 * peak) ** 2
    return float(np.mean((2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))))


def mpjpe(found: np.ndarray, true: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Mean distance of (N, D) points in their own unit; ``weights`` (N,) count some more than others."""
    _same_shape(found, true)
    return float(np.average(np.linalg.norm(found - true, axis=-1), weights=weights))


def pa_mpjpe(found: np.ndarray, true: np.ndarray) -> float:
    """``mpjpe`` of (N, D) points after the best shift, turn and scale of those found."""
    return mpjpe(align(found, true), true)


def align(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    """(N, D) points moved, turned and scaled to lie nearest to others in the least-squares sense (Umeyama 1991, equations 39 to 42)."""
    _same_shape(found, true)
    a, b = found - found.mean(axis=0), true - true.mean(axis=0)
    u, spread, vt = np.linalg.svd(b.T @ a)
    signs = np.ones(len(spread))
    signs[-1] = np.sign(np.linalg.det(u) * np.linalg.det(vt))
    turn = u * signs @ vt
    scale = (spread * signs).sum() / max((a**2).sum(), 1e-12)
    return scale * a @ turn.T + true.mean(axis=0)


def motion_fidelity(found: np.ndarray, true: np.ndarray) -> float:
    """How alike the motion of two sets of tracks is, -1 to 1.

    Yatim et al. 2024, "Space-Time Diffusion Features for Zero-Shot Text-Driven Motion Transfer", equation 6: every track is matched with
    the one of the other set whose displacements point most alike, and these cosines are averaged over both sets.

    Args:
        found, true: (N, T, 2) and (M, T, 2) places in pixels, NaN from where a track is lost. Steps shorter than a hundredth of a pixel in
            both tracks agree; in one of them only, they do not.
    """
    if found.ndim != 3 or true.ndim != 3 or found.shape[1:] != true.shape[1:] or found.shape[1] < 2:
        raise ValueError(f"Expected tracks (N, T, 2) of equal length T > 1, found {found.shape} and {true.shape}.")
    cosine = _track_cosines(np.diff(found, axis=1), np.diff(true, axis=1))
    has = np.isfinite(cosine)
    if not has.any():
        return float("nan")
    best = np.where(has, cosine, -np.inf)
    rows, columns = has.any(axis=1), has.any(axis=0)
    return float((best.max(axis=1)[rows].mean() + best.max(axis=0)[columns].mean()) / 2)


def _track_cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N, M) mean cosine of the steps that both tracks have; NaN where they share none."""
    total, count = np.zeros((len(a), len(b))), np.zeros((len(a), len(b)))
    for step in range(a.shape[1]):
        one, two = a[:, step], b[:, step]
        length, other = np.linalg.norm(one, axis=1), np.linalg.norm(two, axis=1)
        still = (length < 0.01)[:, None], (other < 0.01)[None]
        cosine = np.nan_to_num(one) @ np.nan_to_num(two).T / np.maximum(np.nan_to_num(np.outer(length, other)), 1e-12)
        cosine = np.where(still[0] | still[1], (still[0] & still[1]).astype(float), cosine)
        both = np.isfinite(length)[:, None] & np.isfinite(other)[None]
        total, count = total + np.where(both, cosine, 0), count + both
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def _same_shape(one: np.ndarray, two: np.ndarray) -> None:
    if one.shape != two.shape:
        raise ValueError(f"Expected two arrays of one shape, found {one.shape} and {two.shape}.")
