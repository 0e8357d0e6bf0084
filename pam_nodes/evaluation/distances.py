"""Distances by learned features: LPIPS and FVD with networks a person brings, and one that needs none and is no FVD."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..headless.codec import to_pixels
from ..headless.cogvideox_models import MiniCogVideoX
from ..headless.compute import Machine
from ..mini.codec import PATCH

FEWEST = 2
"""Clips of each kind of which there is a covariance."""


def load_script(path: Path, what: str, machine: Machine) -> nn.Module:
    """A TorchScript network on the machine.

    TorchScript runs what is in it: take such files from people you trust.

    Raises:
        FileNotFoundError, ValueError: there is none, or it is something else.
    """
    if not path.is_file():
        raise FileNotFoundError(f"No {what} network at {path}.")
    try:
        return torch.jit.load(str(path), map_location=machine.device).eval()
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"Expected a TorchScript file for {what}, could not read {path.name}: save it with torch.jit.") from error


@dataclass(frozen=True)
class Lpips:
    """LPIPS (Zhang et al. 2018) by a TorchScript network: (N, 3, H, W) twice in -1..1 to N distances.

    ``torch.jit.trace(lpips.LPIPS(net="alex").eval(), (x, x)).save("lpips_alex.pt")`` makes one.
    """

    network: nn.Module
    machine: Machine

    @torch.no_grad()
    def __call__(self, one: np.ndarray, two: np.ndarray) -> float:
        """Mean over the frames of two (T, H, W, 3) uint8 clips; raises ValueError if the network gives something else."""
        values = [self._frame(a, b) for a, b in zip(one, two, strict=True)]
        return float(np.mean(values))

    def _frame(self, one: np.ndarray, two: np.ndarray) -> float:
        pair = (to_pixels(picture[None]).to(self.machine.device) for picture in (one, two))
        found = self.network(*pair)
        if not isinstance(found, Tensor) or found.numel() != 1:
            raise ValueError("Expected one distance for a pair of pictures of the LPIPS network, found something else.")
        return float(found)


@dataclass(frozen=True)
class VideoFeatures:
    """Features of clips by the TorchScript I3D that StyleGAN-V and most FVD code share (400 logits of Kinetics), called with
    (1, 3, T, H, W) in 0..255.
    """

    network: nn.Module
    machine: Machine

    @torch.no_grad()
    def __call__(self, clip: np.ndarray) -> np.ndarray:
        """(D,) float64 of a (T, H, W, 3) uint8 clip; raises ValueError for a clip the network does not take."""
        pixels = torch.tensor(clip).permute(3, 0, 1, 2)[None].float().to(self.machine.device)
        try:
            found = self.network(pixels, rescale=True, resize=True, return_features=True)
        except RuntimeError as error:
            raise ValueError(
                f"Expected an I3D network called with rescale, resize and return_features, and clips of 9 frames or more; it failed on "
                f"{len(clip)} frames ({str(error).strip().splitlines()[-1][:160]})."
            ) from error
        return found.double().flatten().cpu().numpy()


class LatentFeatures:
    """Features without any download: statistics of the latents of the pack's own video codec.

    Mean and deviation of the 16 channels over space and time, and the deviation of their change from frame to frame: (48,) numbers that
    tell colours, sharpness and the amount of motion. The distance of these is called latent Frechet distance; it is not FVD.
    """

    def __init__(self, machine: Machine):
        self.machine = machine
        self.vae = MiniCogVideoX().vae(machine).to(machine.device)

    @torch.no_grad()
    def __call__(self, clip: np.ndarray) -> np.ndarray:
        """(48,) float64 of a (T, H, W, 3) uint8 clip; its last frames and rows that fill no group of 4 or 8 are left out."""
        length, height, width = (1 + (len(clip) - 1) // 4 * 4, *(side // PATCH * PATCH for side in clip.shape[1:3]))
        pixels = to_pixels(clip[:length, :height, :width]).transpose(0, 1)[None].to(self.machine.device, self.machine.dtype)
        latents = self.vae.encode(pixels)[0].double()
        groups = latents[:, 1:] if latents.shape[1] > 1 else latents
        steps = groups.diff(dim=1) if groups.shape[1] > 1 else torch.zeros_like(groups)
        parts = (latents.mean((1, 2, 3)), latents.std((1, 2, 3)), steps.flatten(1).std(1))
        return torch.cat(parts).cpu().numpy()


def frechet(one: np.ndarray, two: np.ndarray) -> float | None:
    """Distance of the normal distributions that fit two sets of features best, squared (Heusel et al. 2017; Dowson and Landau 1982).

    Args:
        one, two: (N, D) and (M, D).

    Returns:
        |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), or None for fewer than two of either.
    """
    if min(len(one), len(two)) < FEWEST:
        return None
    means = one.mean(0) - two.mean(0)
    first, second = (np.atleast_2d(np.cov(rows, rowvar=False)) for rows in (one, two))
    values, vectors = np.linalg.eigh(first)
    root = vectors * np.sqrt(values.clip(0)) @ vectors.T
    # tr (C1 C2)^(1/2) = tr (C1^(1/2) C2 C1^(1/2))^(1/2), which is symmetric.
    mixed = np.sqrt(np.linalg.eigvalsh(root @ second @ root).clip(0)).sum()
    return max(0.0, float(means @ means + np.trace(first) + np.trace(second) - 2 * mixed))
