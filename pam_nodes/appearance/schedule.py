"""Noise levels and noise of PAM's appearance sampler, beside Flux's own (pam_reference.md 2.3).

Flux moves its 28 noise levels towards more noise the larger the picture is. PAM's released code asks for that shift with
a wrong number of tokens (height * width of the latent divided by 256 instead of 4), so its pictures are made with a shift
almost independent of their size. Weights were chosen by looking at pictures made that way; "true" is what Flux was made for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

SHIFTS = ("released", "true")
STEPS = 28
GUIDANCE = 4.0
SEED = 42
BASE_TOKENS, BASE_SHIFT = 256, 0.5
MAX_TOKENS, MAX_SHIFT = 4096, 1.15


def shift_tokens(height: int, width: int, shift: str = "released") -> int:
    """The token count a shift is read off for, of a latent of height x width (1/8 of the picture)."""
    if shift not in SHIFTS:
        raise ValueError(f'Expected a shift of {" or ".join(SHIFTS)}, found "{shift}".')
    return height * width // 256 if shift == "released" else math.ceil(height / 2) * math.ceil(width / 2)


def shift_mu(tokens: int) -> float:
    """Logarithm of the time shift for a picture of that many tokens: Flux's line through (256, 0.5) and (4096, 1.15)."""
    slope = (MAX_SHIFT - BASE_SHIFT) / (MAX_TOKENS - BASE_TOKENS)
    return tokens * slope + (BASE_SHIFT - slope * BASE_TOKENS)


def sigmas(height: int, width: int, steps: int = STEPS, shift: str = "released") -> Tensor:
    """Noise levels from 1 to 0 for Euler steps: (steps + 1,) float32.

    Args:
        height, width: of the latent (1/8 of the picture).
        steps: 28 as released.
        shift: "released" (the short token count) or "true".
    """
    if steps < 1:
        raise ValueError(f"Expected at least 1 step, found {steps}.")
    e = math.exp(shift_mu(shift_tokens(height, width, shift)))
    return e / (e + (1 / torch.linspace(1, 0, steps + 1) - 1))


def noise(seeds: Sequence[int], height: int, width: int, device: torch.device | str = "cpu") -> Tensor:
    """Start noise (len(seeds), 16, height, width) float32, each picture from a generator of its own on ``device``, as released.

    A GPU's generator gives other numbers than the CPU's for the same seed; the released pictures were made on a GPU.
    """
    pictures = []
    for seed in seeds:
        generator = torch.Generator(device).manual_seed(seed)
        pictures.append(torch.randn(1, 16, height, width, device=device, dtype=torch.float32, generator=generator))
    return torch.cat(pictures)
