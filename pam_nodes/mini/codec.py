"""Patch autoencoders: the small stand-ins for the VAEs of Flux and CogVideoX.

A linear map of 8 x 8 pixel patches, started from their principal components, plus a small residual convolution net on each
side. Latents have the shapes of the large models' VAEs: 16 channels at 1/8 size; video as first frame plus groups of four.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle, silu

PATCH = 8
LATENT_CHANNELS = 16
GROUP = 4
"""Frames that share a latent frame."""


def _silent(layer: nn.Conv2d) -> nn.Conv2d:
    """Start a convolution at zero, so that what stands beside it acts alone at first."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def _chain(*layers: nn.Module) -> nn.Sequential:
    """Put SiLU between convolutions, of which the last is silent."""
    spaced: list[nn.Module] = []
    for index, layer in enumerate(layers):
        spaced.append(layer)
        if isinstance(layer, nn.Conv2d) and index + 1 < len(layers):
            spaced.append(nn.SiLU())
    _silent(spaced[-1])
    return nn.Sequential(*spaced)


class LinearCodec(nn.Module):
    """The linear map of one group of frames stacked as channels: their principal components, which do not learn.

    Args:
        frames: frames in a group; the pictures come as (B, 3 * frames, H, W), H and W multiples of 8.
    """

    def __init__(self, frames: int):
        super().__init__()
        size = 3 * frames * PATCH**2
        shapes = {"mean": (size,), "analysis": (LATENT_CHANNELS, size), "synthesis": (size, LATENT_CHANNELS)}
        for name, shape in shapes.items():
            setattr(self, name, nn.Parameter(torch.zeros(shape), requires_grad=False))

    def project(self, pixels: Tensor) -> Tensor:
        """(B, 3 * frames, H, W) in -1..1 to (B, 16, H/8, W/8)."""
        patches = pixel_unshuffle(pixels, PATCH) - self.mean[:, None, None]
        return torch.einsum("bphw,cp->bchw", patches, self.analysis)

    def restore(self, latent: Tensor) -> Tensor:
        """The inverse of ``project``, nearly."""
        return pixel_shuffle(torch.einsum("bchw,pc->bphw", latent, self.synthesis) + self.mean[:, None, None], PATCH)

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


def _encoder(channels: int, width: int) -> nn.Sequential:
    """The residual net beside the projection of a group of so many channels."""
    return _chain(
        nn.PixelUnshuffle(4),
        nn.Conv2d(16 * channels, width, 3, padding=1),
        nn.Conv2d(width, width, 3, padding=1, stride=2),
        nn.Conv2d(width, LATENT_CHANNELS, 3, padding=1),
    )


class PatchCodec(LinearCodec):
    """Autoencoder of single pictures.

    Args:
        width: channels of the residual nets.
    """

    def __init__(self, width: int = 64):
        super().__init__(1)
        self.encoder = _encoder(3, width)
        self.decoder = nn.Sequential(
            nn.Conv2d(LATENT_CHANNELS, 4 * width, 3, padding=1),
            nn.SiLU(),
            nn.PixelShuffle(2),
            _chain(
                nn.Conv2d(width, width, 3, padding=1),
                nn.Conv2d(width, width, 3, padding=1),
                nn.Conv2d(width, 48, 3, padding=1),
            ),
            nn.PixelShuffle(4),
        )

    def encode(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) in -1..1 to (B, 16, H/8, W/8), about unit variance."""
        return self.project(pixels) + self.encoder(pixels)

    def decode(self, latent: Tensor) -> Tensor:
        """The inverse of ``encode``, nearly."""
        return self.restore(latent) + self.decoder(latent)


class Residual(nn.Module):
    """Two convolutions beside the identity, nothing at first."""

    def __init__(self, width: int):
        super().__init__()
        self.net = _chain(nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        return x + self.net(silu(x))


class GroupCodec(LinearCodec):
    """Autoencoder of groups of four frames. Each is encoded by itself; it is decoded with the latents before and after it and those of the
    first frame in view, which know what stands still and whence things come.

    Args:
        width: channels of the encoder's net. wide: of the decoder's at 1/8 of the size, twice those at 1/4.
    """

    def __init__(self, width: int = 64, wide: int = 192):
        super().__init__(GROUP)
        self.encoder = _encoder(3 * GROUP, width)
        self.decoder = nn.Sequential(
            nn.Conv2d(4 * LATENT_CHANNELS, wide, 3, padding=1),
            Residual(wide),
            Residual(wide),
            Residual(wide),
            nn.Conv2d(wide, 2 * wide, 3, padding=1),
            nn.PixelShuffle(2),
            Residual(wide // 2),
            Residual(wide // 2),
            _silent(nn.Conv2d(wide // 2, 48 * GROUP, 3, padding=1)),
            nn.PixelShuffle(4),
        )

    def encode(self, pixels: Tensor) -> Tensor:
        """(B, 12, H, W) in -1..1 to (B, 16, H/8, W/8), about unit variance."""
        return self.project(pixels) + self.encoder(pixels)

    def decode(self, latent: Tensor, around: Tensor) -> Tensor:
        """The inverse of ``encode``, nearly; ``around`` (B, 48, H/8, W/8) are the latents before, after (zero at the end) and of the first
        frame.
        """
        return self.restore(latent) + self.decoder(torch.cat([latent, around], dim=1))


class PatchAutoencoder(nn.Module):
    """Image codec in the latent convention of Flux's VAE: ``(z - shift) * scale`` has about unit variance."""

    scaling_factor = 0.3611
    shift_factor = 0.1159

    def __init__(self, width: int = 64):
        super().__init__()
        self.frame = PatchCodec(width)

    def encode(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) in -1..1 to (B, 16, H/8, W/8)."""
        return self.frame.encode(pixels) / self.scaling_factor + self.shift_factor

    def decode(self, latent: Tensor) -> Tensor:
        """(B, 16, h, w) to (B, 3, 8h, 8w) in -1..1."""
        return self.frame.decode((latent - self.shift_factor) * self.scaling_factor)


class PatchAutoencoder3D(nn.Module):
    """Video codec in the latent convention of CogVideoX's VAE: first frame alone, then groups of four.

    Args:
        width: channels of the nets. wide: of the one that decodes groups.
    """

    scaling_factor = 1.15258426

    def __init__(self, width: int = 64, wide: int = 192):
        super().__init__()
        self.first = PatchCodec(width)
        self.group = GroupCodec(width, wide)

    def encode(self, pixels: Tensor) -> Tensor:
        """(B, 3, 4k + 1, H, W) in -1..1 to (B, 16, k + 1, H/8, W/8)."""
        b, c, t, h, w = pixels.shape
        latents = [self.first.encode(pixels[:, :, 0])[:, :, None]]
        if t > 1:
            groups = pixels[:, :, 1:].reshape(b, c, -1, GROUP, h, w).permute(0, 2, 3, 1, 4, 5).reshape(-1, GROUP * c, h, w)
            coded = self.group.encode(groups)
            latents.append(coded.reshape(b, -1, *coded.shape[1:]).transpose(1, 2))
        return torch.cat(latents, dim=2) / self.scaling_factor

    def decode(self, latent: Tensor) -> Tensor:
        """(B, 16, k + 1, h, w) to (B, 3, 4k + 1, 8h, 8w) in -1..1."""
        latent = latent * self.scaling_factor
        b, _, k, h, w = latent.shape
        frames = [self.first.decode(latent[:, :, 0])[:, :, None]]
        if k > 1:
            groups, first = latent[:, :, 1:], latent[:, :, :1]
            after = torch.cat([groups[:, :, 1:], torch.zeros_like(first)], dim=2)
            around = torch.cat([latent[:, :, :-1], after, first.expand_as(groups)], dim=1)
            groups, around = (part.transpose(1, 2).flatten(0, 1) for part in (groups, around))
            pictures = self.group.decode(groups, around)
            frames.append(pictures.reshape(b, GROUP * (k - 1), 3, 8 * h, 8 * w).transpose(1, 2))
        return torch.cat(frames, dim=2)
