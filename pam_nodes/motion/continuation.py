"""A long clip chunk by chunk: which part of the conditions the next chunk follows."""

from __future__ import annotations

import torch
from torch import Tensor

from ..conditions.pack import part
from ..conditions.video import ConditionVideo
from .frames import latent_length


def next_chunk(conditions: ConditionVideo, made: int, length: int, group: int = 4) -> tuple[ConditionVideo, int]:
    """The conditions of the next chunk, whose first frame is the last one made.

    Args:
        conditions: of the whole clip. made: frames there are already.
        length: frames of a chunk, 4k + 1; at the end of the clip it is shorter.
        group: frames the VAE can only give together after the first, 4 or 8 (see ``motion.frames``).

    Returns:
        The part, and how many frames are left after it.

    Raises:
        ValueError: nothing is made yet, or fewer frames are left than the VAE gives together.
    """
    total = conditions.shape[0]
    latent_length(length)
    if made < 1:
        raise ValueError("Expected at least one picture to go on from, found none: make the first chunk with CogVideoX First Frame.")
    start = made - 1
    count = min(length - 1, total - made) // group * group
    if count < group:
        raise ValueError(f"Expected conditions for at least {group} frames after the {made} made, found {total}: the clip is complete.")
    return part(conditions, slice(start, start + count + 1)), total - made - count


def joined(images: Tensor, next_images: Tensor, match: float = 1.0) -> Tensor:
    """Two clips (T, H, W, 3) in 0..1 as one; the last picture of the first and the first of the second are the same moment.

    Args:
        match: how much of the shift in each colour's mean and spread between those two pictures is taken back, 0 to 1.

    Raises:
        ValueError: clips of different sizes.
    """
    if images.shape[1:] != next_images.shape[1:]:
        sizes = [f"{clip.shape[2]} x {clip.shape[1]}" for clip in (images, next_images)]
        raise ValueError(f"Expected two clips of one size, found {sizes[0]} and {sizes[1]}: resize one of them.")
    here, there = images[-1].flatten(0, 1), next_images[0].flatten(0, 1)
    gain = (here.std(0) / there.std(0).clamp_min(1e-4)).clamp(0.5, 2.0)
    matched = ((next_images[1:] - there.mean(0)) * gain + here.mean(0)).clamp(0, 1)
    return torch.cat([images, torch.lerp(next_images[1:], matched, match)])
