"""Core's context windows with the settings CogVideoX needs."""

from __future__ import annotations

from comfy_extras.nodes_context_windows import ContextWindowsManualNode

from ..motion.frames import latent_length
from .cogvideox_model import base_of

TIME = 2
"""Axis of the frames in a video latent (B, C, T, h, w)."""


def in_windows(model, window: int, overlap: int, fuse: str, keep_first_frame: bool, freenoise: bool):
    """Clone the MODEL so that long clips are made in overlapping windows.

    Args:
        window: pictures of a window, 4k + 1. overlap: pictures that neighbours share.
        keep_first_frame: every window sees the start image. freenoise: windows share their noise.

    Raises:
        ValueError: another model, a window it has no positions for, or an overlap that leaves nothing new.
    """
    base = base_of(model)
    frames, shared = latent_length(window), overlap // 4
    if base.pam.learned and frames > base.pam.sample[2]:
        most = 4 * base.pam.sample[2] - 3
        raise ValueError(f"Expected a window of at most {most} frames, for which this model has positions, found {window}: use {most}.")
    if shared >= frames:
        raise ValueError(f"Expected an overlap smaller than the window of {window} frames, found {overlap}: use {window // 2 // 4 * 4}.")
    kept = "0" if keep_first_frame else ""
    windowed = ContextWindowsManualNode.execute(model, frames, shared, "standard_static", 1, False, fuse, TIME, freenoise, kept).args[0]
    # The fix for causal windows puts a frame before each window, one more than the model was trained for.
    windowed.model_options["context_handler"].causal_window_fix = False
    return windowed
