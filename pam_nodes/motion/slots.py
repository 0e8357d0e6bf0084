"""What the control is told: for each of its slots the latents of a whole clip, and any window of frames of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

UNUSED = ("zero latents", "released evaluation", "grey")
"""What a slot without a condition holds (specs: pam_reference 3.5, 4.4; diffusion 4): nothing; nothing beside its first picture, grey if
there is none, as in PAM's DexYCB and OAKINK2 evaluation; or a clip of grey pictures, as in its evaluation in the wild."""


@dataclass(frozen=True)
class SlotLatents:
    """Scaled latents of one slot.

    Attributes:
        clip: (1, 16, T', h, w) of the condition, or None: zeros.
        first: (1, 16, 1, h, w) of its first picture, which stands beside the first latent frame, or None: zeros.
    """

    clip: Tensor | None = None
    first: Tensor | None = None

    def window(self, frames: Sequence[int], with_first: bool, like: Tensor) -> Tensor:
        """(1, 32, len(frames), h, w): the latent frames asked for, beside the first picture and zeros.

        Args:
            frames: indices of latent frames. with_first: whether this window shows the model its first frame.
            like: gives size, device and dtype; (B, C, len(frames), h, w).
        """
        result = like.new_zeros(1, 32, len(frames), *like.shape[3:])
        if self.clip is not None:
            result[:, :16] = self.clip[:, :, list(frames)].to(like)
        if self.first is not None and with_first:
            result[:, 16:, :1] = self.first.to(like)
        return result


def fit_rgb(latent: Tensor, pictures: Tensor) -> tuple[list[list[float]], list[float]]:
    """The linear map from latents to colours that fits best, for previews while sampling.

    Args:
        latent: (1, 16, T', h, w) scaled. pictures: (T, H, W, 3) in 0..1, the clip the latent was made of.

    Returns:
        16 rows of red, green, blue, and the bias, for colours in -1..1.
    """
    height, width = latent.shape[3:]
    small = torch.nn.functional.interpolate(pictures[:1].movedim(-1, 1), (height, width), mode="area")
    colours = small[0].flatten(1).T.double() * 2 - 1
    known = latent[0, :, 0].flatten(1).T.double().cpu()
    known = torch.cat([known, known.new_ones(len(known), 1)], dim=1)
    steady = 1e-3 * len(known) * torch.eye(known.shape[1], dtype=known.dtype)
    map_ = torch.linalg.solve(known.T @ known + steady, known.T @ colours.to(known))
    return map_[:-1].tolist(), map_[-1].tolist()
