"""Whether condition pictures look like those a ControlNet was trained with."""

from __future__ import annotations

import numpy as np

from ..conditions.pack import SAME_COLOR
from ..conditions.segmentation import ADE20K, HAND
from .flux_control import FluxControlConfig
from .hints import HintFrames

NAMES = {"dexycb": "DexYCB", "oakink2": "OAKINK2"}
GREY = 8
"""Largest difference between the channels of a grey pixel."""


def look_warnings(hint: HintFrames, config: FluxControlConfig) -> list[str]:
    """One sentence for each condition whose look is not the trained one; empty if all is well or the trained look is not known.

    Colours are looked at, not only the bundle's style: pictures may have been packed from anywhere.
    """
    if config.style not in HAND:
        return []
    used = {name for name, strength in zip(hint.names, hint.strengths, strict=True) if strength > 0}
    trained, video = NAMES[config.style], hint.video
    found = []
    if video.style in HAND and video.style != config.style:
        found.append(
            f"These conditions have the colours of {NAMES[video.style]}, this ControlNet was trained with those of {trained}: "
            f"set the style of Render HOI Conditions to {config.style}."
        )
    elif "segmentation" in used and video.segmentation is not None and _foreign_hand(video.segmentation, config.style):
        found.append(f"No hand in the segmentation has {trained}'s colour, but another data set's: use Segmentation Look, {config.style}.")
    if "depth" in used and video.depth is not None and _is_grey(video.depth):
        found.append("Depth is grey, this ControlNet was trained with inferno colours: use Depth Look, pam, or colour it while packing.")
    return found


def _foreign_hand(segmentation: np.ndarray, style: str) -> bool:
    colors = {name: ADE20K[index].astype(np.int16) for name, index in HAND.items()}
    seen = {name: bool((np.abs(segmentation - color) <= SAME_COLOR).all(axis=3).any()) for name, color in colors.items()}
    return not seen[style] and any(seen.values())


def _is_grey(depth: np.ndarray) -> bool:
    return bool(depth.any()) and int((depth.max(axis=3) - depth.min(axis=3)).max()) <= GREY
