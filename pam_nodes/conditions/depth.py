"""Metric depth to depth pictures: PAM's inferno look, plain grey, and the ranges they are normalised with.

PAM's training pictures are DepthCrafter results (pam_reference.md, 1.2): affine-invariant inverse depth, min-max over the whole clip and
the full frame with its background, near = bright, then masked. A simulation has no background, so one is assumed. In inverse depth, the
bright end lies ``HEADROOM`` times beyond the nearest foreground, the dark end at 1 / ``BACKGROUND`` of that, or farther back where that is
needed to keep the farthest foreground at ``DARKEST`` or brighter. The three numbers were chosen on random reaching scenes to come near the
data set's percentiles (``python -m benchmarks.depth_statistics``).
"""

from __future__ import annotations

import numpy as np

from .colormap import INFERNO, as_pixels
from .painted import Painted

HEADROOM = 1.02
BACKGROUND = 2.1
DARKEST = 0.15
OUTLIERS = 1
"""Percent of the foreground's pixels at either end that do not decide the range: a fingertip passing the lens must not darken a clip."""
MOST = 1_000_000
"""So many pixels, spread evenly over all frames, decide the range of a clip that has more."""
NO_DEPTH = "Expected hand or object in the depth clip, found only background: point the camera at them."
PERCENTILES = (1, 10, 50, 90, 99)
TRAINING_PERCENTILES = {"hand": (33, 115, 178, 224, 243), "object": (23, 72, 147, 204, 228)}
"""``PERCENTILES`` of the inferno index in DexYCB's depth pictures (pam_reference.md, 1.2)."""

Limits = tuple[float, float]
"""Near and far in metres; far may be infinite."""


def depth_range(metric_depth: np.ndarray) -> Limits:
    """PAM's range of a clip.

    Args:
        metric_depth: (T, H, W) float32 metres, 0 where nothing was hit.

    Returns:
        (near, far) in metres: just before the nearest foreground of all frames, and the assumed background, which may be infinitely far.
    """
    sample = DepthSample(metric_depth.size)
    sample.add(metric_depth)
    return sample.range()


class DepthSample:
    """Foreground depths among ``MOST`` pixels of a clip that may come in parts, or all of them while those see none."""

    def __init__(self, pixels: int):
        """pixels: of the whole clip."""
        self.step, self.next = 1 + pixels // MOST, 0
        self.some, self.every = [], []

    def add(self, metric_depth: np.ndarray) -> None:
        """The next (T, H, W) frames, as in ``depth_range``."""
        pixels = metric_depth.reshape(-1)
        chosen = pixels[self.next :: self.step]
        self.next = (self.next - pixels.size) % self.step
        self.some.append(chosen[chosen > 0])
        if not any(map(len, self.some)):
            self.every.append(pixels[pixels > 0])

    def range(self) -> Limits:
        """``depth_range`` of all frames so far."""
        hits = np.concatenate(self.some if any(map(len, self.some)) else self.every)
        if not len(hits):
            raise ValueError(NO_DEPTH)
        inverse = 1 / hits
        farthest, nearest = (float(q) for q in np.percentile(inverse, [OUTLIERS, 100 - OUTLIERS]))
        bright = HEADROOM * nearest
        dark = min(bright / BACKGROUND, (farthest - DARKEST * bright) / (1 - DARKEST))
        return 1 / bright, 1 / dark if dark > 0 else np.inf


def clip_limits(metric_depth: np.ndarray) -> Limits:
    """Nearest and farthest foreground of all frames, metres; a millimetre apart at least (argument as in ``depth_range``)."""
    hits = metric_depth[metric_depth > 0]
    if not len(hits):
        raise ValueError(NO_DEPTH)
    near = float(hits.min())
    return near, max(float(hits.max()), near + 1e-3)


def checked_limits(near: float, far: float) -> Limits:
    """A range that somebody typed."""
    if not 0 < near < far:
        raise ValueError(f"Expected a depth range of 0 < near < far in metres, found near {near:g} and far {far:g}.")
    return near, far


def colorize_depth(metric_depth: np.ndarray, limits: Limits | None = None) -> np.ndarray:
    """PAM's depth picture.

    Args:
        metric_depth: (T, H, W) float32 metres, 0 where nothing was hit.
        limits: (near, far) in metres, default ``depth_range`` of this clip. Nearer and farther points are clamped.

    Returns:
        (T, H, W, 3) uint8: ``inferno[floor(255 v)]`` with v = 1 at near and 0 at far, linear in 1 / z; background (0, 0, 0).
    """
    limits = limits or depth_range(metric_depth)
    pictures = np.zeros((*metric_depth.shape, 3), np.uint8)
    for depth, picture in zip(metric_depth, pictures, strict=True):
        hit = depth.ravel() > 0
        value = brightness(depth.ravel()[hit], limits)
        value *= np.float32(255)
        as_pixels(picture)[hit] = np.take(as_pixels(INFERNO), value.astype(np.uint8))
    return pictures


def depth_pictures(metric_depth: np.ndarray, limits: Limits | None = None) -> Painted:
    """``colorize_depth`` a picture at a time, when it is looked at; the range is worked out now."""
    limits = limits or depth_range(metric_depth)
    length, height, width = metric_depth.shape
    return Painted(lambda t: colorize_depth(metric_depth[t : t + 1], limits)[0], range(length), height, width)


def grey_depth(metric_depth: np.ndarray, limits: Limits | None = None, inverse: bool = True) -> np.ndarray:
    """Depth as brightness, near = 1, background = 0, for ControlNets that want plain grey.

    Args:
        metric_depth: (T, H, W) float32 metres, 0 where nothing was hit.
        limits: (near, far) in metres, default ``clip_limits`` of this clip.
        inverse: linear in 1 / z, as most depth estimators and ControlNets have it; otherwise linear in z.

    Returns:
        (T, H, W) float32 in 0..1.
    """
    limits = limits or clip_limits(metric_depth)
    result = np.zeros(metric_depth.shape, np.float32)
    for depth, grey in zip(metric_depth, result, strict=True):
        hit = depth.ravel() > 0
        grey.reshape(-1)[hit] = brightness(depth.ravel()[hit], limits, inverse)
    return result


def brightness(z: np.ndarray, limits: Limits, inverse: bool = True) -> np.ndarray:
    """(N,) float32 values in 0..1 of (N,) depths: 1 at the near limit, 0 at the far one, linear in 1 / z, or in z."""
    near, far = limits
    ends = (1 / near, 1 / far) if inverse else (near, far)
    scale = np.float32(1 / (ends[0] - ends[1]))
    value = np.reciprocal(z) if inverse else z.copy()
    value -= np.float32(ends[1])
    value *= scale
    return np.clip(value, 0, 1, out=value)
