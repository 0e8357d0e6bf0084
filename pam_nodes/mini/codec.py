"""Patch autoencoders: the small stand-ins for the VAEs of Flux and CogVideoX.

A linear map of 8 x 8 pixel patches, started from their principal components, plus a small residual convolution net on each
side. Latents have the shapes of the large models' VAEs: 16 channels at 1/8 size; video as first frame plus groups of four.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

PATCH = 8
LATENT_CHANNELS = 16


def _chain(*layers: nn.Module) -> nn.Sequential:
    """Put SiLU between convolutions and start the last one at zero, so that the linear map alone acts at first."""
    last = next(layer for layer in reversed(layers) if isinstance(layer, nn.Conv2d))
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    spaced: list[nn.Module] = []
    for index, layer in enumerate(layers):
        spaced.append(layer)
        if isinstance(layer, nn.Conv2d) and index + 1 < len(layers):
            spaced.append(nn.SiLU())
    return nn.Sequential(*spaced)


class PatchCodec(nn.Module):
    """Autoencoder of one group of frames stacked as channels.

    Args:
        frames: frames in a group; the pictures come as (B, 3 * frames, H, W), H and W multiples of 8.
        width: channels of the residual nets.
    """

    def __init__(self, frames: int = 1, width: int = 64):
        super().__init__()
        channels = 3 * frames
        self.mean = nn.Parameter(torch.zeros(channels * PATCH**2))
        self.analysis = nn.Parameter(torch.zeros(LATENT_CHANNELS, channels * PATCH**2))
        self.synthesis = nn.Parameter(torch.zeros(channels * PATCH**2, LATENT_CHANNELS))
        quarter = 16 * channels
        self.encoder = _chain(
            nn.PixelUnshuffle(4),
            nn.Conv2d(quarter, width, 3, padding=1),
            nn.Conv2d(width, width, 3, padding=1, stride=2),
            nn.Conv2d(width, LATENT_CHANNELS, 3, padding=1),
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(LATENT_CHANNELS, 4 * width, 3, padding=1),
            nn.SiLU(),
            nn.PixelShuffle(2),
            _chain(
                nn.Conv2d(width, width, 3, padding=1),
                nn.Conv2d(width, width, 3, padding=1),
                nn.Conv2d(width, quarter, 3, padding=1),
            ),
            nn.PixelShuffle(4),
        )

    def encode(self, pixels: Tensor) -> Tensor:
        """(B, 3 * frames, H, W) in -1..1 to (B, 16, H/8, W/8), about unit variance."""
        patches = pixel_unshuffle(pixels, PATCH) - self.mean[:, None, None]
        return torch.einsum("bphw,cp->bchw", patches, self.analysis) + self.encoder(pixels)

    def decode(self, latent: Tensor) -> Tensor:
        """The inverse of ``encode``, nearly."""
        patches = torch.einsum("bchw,pc->bphw", latent, self.synthesis) + self.mean[:, None, None]
        return pixel_shuffle(patches, PATCH) + self.decoder(latent)

    @torch.no_grad()
    def start_from_patches(self, patches: Tensor) -> None:
        """Set the linear map to the first 16 principal components of (N, 3 * frames * 64) patches in -1..1.

        Components are scaled by the square root of their deviation: between whitening, which feeds the diffusion model noise,
        and none, which hides all but the brightest component from it.
        """
        mean = patches.mean(0)
        values, vectors = torch.linalg.eigh((patches - mean).T @ (patches - mean) / len(patches))
        basis, deviation = vectors[:, -LATENT_CHANNELS:].flip(1), values[-LATENT_CHANNELS:].flip(0).clamp_min(1e-8).sqrt()
        scale = deviation.sqrt()
        scale = scale * ((deviation / scale) ** 2).mean().sqrt()
        self.mean.copy_(mean)
        self.analysis.copy_((basis / scale).T)
        self.synthesis.copy_(basis * scale)


class PatchAutoencoder(nn.Module):
    """Image codec in the latent convention of Flux's VAE: ``(z - shift) * scale`` has about unit variance."""

    scaling_factor = 0.3611
    shift_factor = 0.1159

    def __init__(self, width: int = 64):
        super().__init__()
        self.frame = PatchCodec(1, width)

    def encode(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) in -1..1 to (B, 16, H/8, W/8)."""
        return self.frame.encode(pixels) / self.scaling_factor + self.shift_factor

    def decode(self, latent: Tensor) -> Tensor:
        """(B, 16, h, w) to (B, 3, 8h, 8w) in -1..1."""
        return self.frame.decode((latent - self.shift_factor) * self.scaling_factor)


class PatchAutoencoder3D(nn.Module):
    """Video codec in the latent convention of CogVideoX's VAE: first frame alone, then groups of four."""

    scaling_factor = 1.15258426

    def __init__(self, width: int = 64):
        super().__init__()
        self.first = PatchCodec(1, width)
        self.group = PatchCodec(4, width)

    def encode(self, pixels: Tensor) -> Tensor:
        """(B, 3, 4k + 1, H, W) in -1..1 to (B, 16, k + 1, H/8, W/8)."""
        b, c, t, h, w = pixels.shape
        latents = [self.first.encode(pixels[:, :, 0])[:, :, None]]
        if t > 1:
            groups = pixels[:, :, 1:].reshape(b, c, -1, 4, h, w).permute(0, 2, 3, 1, 4, 5).reshape(-1, 4 * c, h, w)
            coded = self.group.encode(groups)
            latents.append(coded.reshape(b, -1, *coded.shape[1:]).transpose(1, 2))
        return torch.cat(latents, dim=2) / self.scaling_factor

    def decode(self, latent: Tensor) -> Tensor:
        """(B, 16, k + 1, h, w) to (B, 3, 4k + 1, 8h, 8w) in -1..1."""
        latent = latent * self.scaling_factor
        b, c, k, h, w = latent.shape
        frames = [self.first.decode(latent[:, :, 0])[:, :, None]]
        if k > 1:
            pictures = self.group.decode(latent[:, :, 1:].transpose(1, 2).reshape(-1, c, h, w))
            frames.append(pictures.reshape(b, 4 * (k - 1), 3, 8 * h, 8 * w).transpose(1, 2))
        return torch.cat(frames, dim=2)
