"""Pictures and clips to latents and back, with diffusers' VAEs or the shipped patch autoencoders."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn


def encode(vae: nn.Module, pixels: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Scaled latents of (B, 3, H, W) or (B, 3, T, H, W) in -1..1.

    Args:
        generator: draw from the VAE's distribution, as PAM's released motion stage does; None takes its mode.
    """
    scale, shift = factors(vae)
    coded = vae.encode(pixels.to(_place(vae)))
    if not isinstance(coded, Tensor):
        coded = coded.latent_dist.mode() if generator is None else coded.latent_dist.sample(generator)
    return (coded - shift) * scale


def decode(vae: nn.Module, latents: Tensor) -> Tensor:
    """The inverse of ``encode``."""
    scale, shift = factors(vae)
    pixels = vae.decode((latents / scale + shift).to(_place(vae)))
    return pixels if isinstance(pixels, Tensor) else pixels.sample


def factors(vae: nn.Module) -> tuple[float, float]:
    """Scale and shift of a VAE's latents: (z - shift) * scale has about unit variance."""
    config = getattr(vae, "config", vae)
    return float(config.scaling_factor), float(getattr(config, "shift_factor", None) or 0.0)


def to_pixels(pictures: np.ndarray) -> Tensor:
    """(T, H, W, 3) uint8 to (T, 3, H, W) float32 in -1..1."""
    return torch.tensor(pictures).movedim(-1, 1).float() / 127.5 - 1


def to_pictures(pixels: Tensor) -> np.ndarray:
    """(T, 3, H, W) in -1..1 to (T, H, W, 3) uint8.

    Raises:
        ValueError: numbers that are not finite.
    """
    pixels = pixels.float()
    if not pixels.isfinite().all():
        raise ValueError("Expected finite pixels, the model made NaN or infinite ones: choose --dtype bf16 or fp32.")
    return ((pixels.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).movedim(1, -1).cpu().numpy()


def _place(vae: nn.Module) -> Tensor:
    """A tensor of the device and dtype the VAE works in."""
    return next(vae.parameters())
