"""Defaults of the stages: for the shipped models, for the large ones, and as PAM released it (pam_reference 1.6, 2.3, 3.6)."""

from __future__ import annotations

from dataclasses import replace

from ..prompting.presets import PRESETS
from .clip_stage import ClipOptions
from .cogvideox import ClipSampling
from .flux import FluxSampling
from .frame_stage import FrameOptions

MINI_SIZE, MINI_LENGTH, MINI_FPS = (288, 192), 17, 8.0
SIZE, LENGTH, FPS = (720, 480), 49, 15.0
RELEASED_SIZE = (640, 480)
"""Of the first frames as released, which are then stretched to the clip's size."""

MINI_PROMPT = "a light skin hand reaching for a red {object} on a grey table, bright light"
MINI_CLIP_PROMPT = "a light skin hand picking up a red {object} on a grey table, bright light"


def frame_options(mini: bool, released: bool) -> FrameOptions:
    """Of the appearance stage. Released: PAM's shift of the times and noise of the device."""
    if mini:
        return FrameOptions(MINI_PROMPT, sampling=FluxSampling(steps=20, cfg=1.5, shift="none"), refine=1.0)
    options = FrameOptions(PRESETS["PAM appearance"].template)
    if released:
        return replace(options, sampling=replace(options.sampling, shift="released", noise="device"), size=RELEASED_SIZE)
    return options


def clip_options(mini: bool, released: bool) -> ClipOptions:
    """Of the motion stage. Released: latents of pictures are drawn, noise of the device, grey clips in unused slots."""
    if mini:
        sampling = ClipSampling(steps=2, scheduler="ddim", guidance=1.0, dynamic=False)
        return ClipOptions(MINI_CLIP_PROMPT, sampling=sampling, refine=1.0)
    wording = PRESETS["PAM motion"]
    options = ClipOptions(wording.template, wording.negative, size=SIZE)
    if released:
        return replace(options, sampling=replace(options.sampling, noise="device", draw=True, unused="grey"))
    return options
