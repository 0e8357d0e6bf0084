"""Metric depth to PAM's depth picture: inverse depth of the foreground, normalised over the clip, in inferno on black.

The training pictures are DepthCrafter results (pam_reference.md, 1.2): affine-invariant inverse depth, min-max over the whole clip and the
full frame with its background, near = bright, then masked. A simulation has no background, so one is assumed: the picture's dark end lies
at ``BACKGROUND`` times the nearest foreground distance, or farther back where that is needed to keep the farthest foreground point at
``DARKEST`` or brighter. With a hand and an object on a table the medians come to about 125 to 180 of 255, near those of training.
"""

from __future__ import annotations

import numpy as np

from .colormap import INFERNO

BACKGROUND = 1.75
DARKEST = 0.15
"""Smallest value of a foreground point, where 0 is the background and 1 the nearest point (about the 1 % quantile in training)."""


def depth_range(metric_depth: np.ndarray) -> tuple[float, float]:
    """Near and far end of the depth picture of a clip.

    Args:
        metric_depth: (T, H, W) float32 metres, 0 where nothing was hit.

    Returns:
        (near, far) in metres: the nearest hit of all frames, and the assumed background, which may be infinitely far.
    """
    hits = metric_depth[metric_depth > 0]
    if not len(hits):
        raise ValueError("Expected hand or object in the depth clip, found only background: point the camera at them.")
    near, farthest = float(hits.min()), float(hits.max())
    inverse = min(1 / (BACKGROUND * near), (1 / farthest - DARKEST / near) / (1 - DARKEST))
    return near, 1 / inverse if inverse > 0 else np.inf


def colorize_depth(metric_depth: np.ndarray, limits: tuple[float, float] | None = None) -> np.ndarray:
    """PAM's depth picture.

    Args:
        metric_depth: (T, H, W) float32 metres, 0 where nothing was hit.
        limits: (near, far) in metres, default ``depth_range`` of this clip. Nearer and farther points are clamped.

    Returns:
        (T, H, W, 3) uint8: ``inferno[floor(255 v)]`` with v = 1 at near and 0 at far, linear in 1 / z; background (0, 0, 0).
    """
    near, far = limits or depth_range(metric_depth)
    scale = 1 / (1 / near - 1 / far)
    table = np.concatenate([np.zeros((1, 3), np.uint8), INFERNO])
    pictures = np.empty((*metric_depth.shape, 3), np.uint8)
    for depth, picture in zip(metric_depth, pictures, strict=True):
        hit = depth > 0
        value = (1 / np.where(hit, depth, near) - 1 / far) * scale
        index = np.floor(255 * np.clip(value, 0, 1)).astype(np.int16) + 1
        np.take(table, np.where(hit, index, 0), axis=0, out=picture)
    return pictures
