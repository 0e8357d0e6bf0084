"""DepthCrafter's results as PAM's depth pictures (pam_reference 1.2)."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from ..conditions.colormap import INFERNO
from ..conditions.pack import resize
from ..headless.clip_files import read_clip

COLORFUL = 16
"""Largest difference of a pixel's channels from which on a video is in colour; codecs give grey ones up to a few levels."""


def read_depth_video(path: Path) -> np.ndarray:
    """(T, H, W, 3) uint8 inferno pictures, near bright.

    Args:
        path: DepthCrafter's coloured or grey .mp4, or its .npz: ``depth`` (T, H, W), inverse depth, normalised here over the whole clip.

    Raises:
        ValueError: the file holds something else.
    """
    if path.suffix == ".npz":
        return INFERNO[np.floor(255 * _normalised(path)).astype(np.uint8)]
    frames = read_clip(path)[0]
    some = frames[0].astype(np.int16)
    if np.percentile(some.max(axis=2) - some.min(axis=2), 99) >= COLORFUL:
        return frames
    return INFERNO[frames[..., 0]]


def masked_depth(pictures: np.ndarray, foreground: np.ndarray) -> np.ndarray:
    """Depth pictures in the size of a (T, H, W) bool mask, black outside of it; raises ValueError if there are too few."""
    length, height, width = foreground.shape
    if len(pictures) < length:
        raise ValueError(f"Expected {length} frames of depth, found {len(pictures)}.")
    return np.where(foreground[..., None], resize(pictures[:length], width, height, sharp=False), 0).astype(np.uint8)


def _normalised(path: Path) -> np.ndarray:
    """(T, H, W) float32 in 0..1 of DepthCrafter's arrays."""
    try:
        with np.load(path, allow_pickle=False) as file:
            depth = np.asarray(file["depth"], np.float32)
    except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"Expected 'depth' of DepthCrafter in {path}, could not read it ({error}).") from error
    low, high = float(depth.min()), float(depth.max())
    if depth.ndim != 3 or not np.isfinite([low, high]).all() or low == high:
        raise ValueError(f"Expected depth (T, H, W) of finite, different numbers in {path}, found shape {depth.shape}.")
    return (depth - low) / (high - low)
