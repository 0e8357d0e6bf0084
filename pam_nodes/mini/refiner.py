"""The refiner: draws hands and objects anew in frames that a small video model left soft, where the conditions say they are.

A U-net of one frame at a time. It sees the frame, a reference picture of the same scene (the clip's first frame) and what is known of
every pixel, and answers with a share of the reference, for what stands still, and a change of the frame.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle, silu

CONDITIONS = ("depth", "segmentation", "keypoints")
KNOWN = 3 * len(CONDITIONS) + 5
"""Channels of what is known: the conditions' colours; pixels of hand and object, here and in the reference; whether there is one."""
WIDTHS = (64, 128, 192)
"""Channels at 1/2, 1/4 and 1/8 of the size."""
MULTIPLE = 8
"""Of pixels, that the sides must be."""
STEP = 0.05
"""Factor of the answer: the frame is nearly right, so that what is learnt first must stay small."""
RARE = 2.0
"""Logit by which the reference is left aside at first."""


class _Norm(nn.LayerNorm):
    """Of the channels of each pixel, so that a picture's size does not matter."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class _Residual(nn.Module):
    """Two convolutions beside the identity, nothing at first."""

    def __init__(self, width: int):
        super().__init__()
        self.norm, self.inner, self.outer = _Norm(width), *(nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.outer(silu(self.inner(self.norm(x))))


class FrameRefiner(nn.Module):
    """The network.

    Args:
        widths: channels of each level.
    """

    def __init__(self, widths: tuple[int, ...] = WIDTHS):
        super().__init__()
        *outer, inmost = widths
        pairs = list(pairwise(widths))
        self.first = nn.Conv2d(4 * (6 + KNOWN), widths[0], 3, padding=1)
        self.before = nn.ModuleList(_Residual(width) for width in outer)
        self.down = nn.ModuleList(nn.Conv2d(wide, deep, 2, stride=2) for wide, deep in pairs)
        self.middle = nn.Sequential(*(_Residual(inmost) for _ in range(4)))
        self.up = nn.ModuleList(nn.Conv2d(deep, 4 * wide, 1) for wide, deep in pairs)
        self.after = nn.ModuleList(nn.Sequential(_Residual(width), _Residual(width)) for width in outer)
        self.norm, self.last = _Norm(widths[0]), nn.Conv2d(widths[0], 16, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, frame: Tensor, reference: Tensor, known: Tensor) -> Tensor:
        """Refined frames.

        Args:
            frame, reference: (B, 3, H, W) in -1..1, H and W multiples of 8; a reference that is not known is 0.
            known: (B, KNOWN, H, W), see ``refine.known``.

        Returns:
            (B, 3, H, W), about -1..1.
        """
        x, kept = self.first(pixel_unshuffle(torch.cat([frame, reference, known], dim=1), 2)), []
        for before, down in zip(self.before, self.down, strict=True):
            kept.append(before(x))
            x = down(kept[-1])
        x = self.middle(x)
        for up, after, wide in zip(*(reversed(part) for part in (self.up, self.after, kept)), strict=True):
            x = after(pixel_shuffle(up(x), 2) + wide)
        answer = STEP * pixel_shuffle(self.last(self.norm(x)), 2)
        return frame + torch.sigmoid(answer[:, 3:] - RARE) * (reference - frame) + answer[:, :3]
