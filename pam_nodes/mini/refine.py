"""Refine a clip, or pictures of its first frame, with the refiner."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from ..conditions.pack import masks, part
from ..conditions.video import ConditionVideo
from ..progress import Progress, silent
from .refiner import CONDITIONS, MULTIPLE, FrameRefiner

BATCH = 4
"""Frames at once."""


def shown(conditions: ConditionVideo) -> Tensor:
    """(T, 2, H, W) float32, 1 at the pixels of hands, and of objects; 0 without segmentation: who leaves that out wants it unknown."""
    found = torch.from_numpy(np.stack(masks(conditions), axis=1)).float()
    return found * (conditions.segmentation is not None)


def known(conditions: ConditionVideo, first: Tensor | None) -> Tensor:
    """What is known of each pixel of some frames: (T, KNOWN, H, W) float32.

    Args:
        conditions: of these frames. Colours become -1..1, those of an absent condition -1 (black).
        first: (2, H, W), what is ``shown`` in the reference, or None without one.
    """
    total, height, width = conditions.shape
    found = []
    for name in CONDITIONS:
        pictures = getattr(conditions, name)
        black = torch.full((total, 3, height, width), -1.0)
        found.append(black if pictures is None else torch.from_numpy(np.ascontiguousarray(pictures)).movedim(-1, 1) / 127.5 - 1)
    there = torch.zeros(2, height, width) if first is None else first
    given = torch.full((total, 1, height, width), float(first is not None))
    return torch.cat([*found, shown(conditions), there.expand(total, -1, -1, -1), given], dim=1)


@torch.no_grad()
def refine(
    net: FrameRefiner,
    frames: Tensor,
    conditions: ConditionVideo,
    reference: Tensor | None = None,
    strength: float = 1.0,
    progress: Progress = silent,
) -> Tensor:
    """Draw hands and objects of frames anew.

    Args:
        net: on the device to use.
        frames: (T, 3, H, W) in about -1..1; what is beyond is cut off.
        conditions: of the same T, H, W; of one frame, they hold for all pictures.
        reference: (1, 3, H, W) picture of the conditions' first frame, or None.
        strength: 0 leaves the frames as they are, 1 takes the refiner's.
        progress: called after every few frames; may raise to stop.

    Returns:
        (T, 3, H, W) float32 on the CPU, about -1..1.

    Raises:
        ValueError: conditions of another size or length.
    """
    total, _, height, width = frames.shape
    if conditions.shape not in ((total, height, width), (1, height, width)):
        raise ValueError(
            f"Expected conditions of {total} frames of {width} x {height} like the pictures, found {conditions.shape[0]} of "
            f"{conditions.shape[2]} x {conditions.shape[1]}: give those the pictures were made with, or fit them."
        )
    first_shown = None if reference is None else shown(part(conditions, slice(1)))[0]
    given = torch.zeros_like(frames[:1]) if reference is None else reference
    right, below = (-side % MULTIPLE for side in (width, height))
    like, made = next(net.parameters()), []
    for first in range(0, total, BATCH):
        some = frames[first : first + BATCH].float().clamp(-1, 1)
        told = part(conditions, slice(first, first + BATCH) if conditions.shape[0] > 1 else slice(1))
        about = known(told, first_shown).expand(len(some), -1, -1, -1)
        parts = (some, given.expand_as(some), about)
        seen = net(*(pad(value, (0, right, 0, below), mode="replicate").to(like) for value in parts))[..., :height, :width]
        made.append(torch.lerp(some.cpu(), seen.float().cpu(), strength))
        progress(min(first + BATCH, total), total)
    return torch.cat(made)
