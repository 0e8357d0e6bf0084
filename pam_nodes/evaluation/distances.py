"""Distances by learned features: LPIPS and FVD with networks a person brings, and one that needs none and is no FVD."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from ..headless.codec import to_pixels
from ..headless.cogvideox_models import MiniCogVideoX
from ..headless.compute import Machine
from ..mini.codec import PATCH
from ..progress import Progress, silent

T = TypeVar("T")
FEWEST = 2
"""Clips of each kind of which there is a covariance."""
FEW_CLIPS = 256
"""Below so many clips a Fréchet distance says little: its bias is larger than most differences."""


def load_script(path: Path, what: str, machine: Machine) -> nn.Module:
    """A TorchScript network, for the machine.

    TorchScript runs what is in it: take such files from people you trust.

    Raises:
        FileNotFoundError, ValueError: there is none, or it is something else.
    """
    if not path.is_file():
        raise FileNotFoundError(f"No {what} network at {path}.")
    try:
        place = "cpu" if machine.offload == "model" else machine.device
        return torch.jit.load(str(path), map_location=place).eval()
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
    def __call__(self, one: np.ndarray, two: np.ndarray) -> np.ndarray:
        """(T,) distances of the frames of two (T, H, W, 3) uint8 clips; raises ValueError if the network does something else."""
        with self.machine.holding(self.network):
            return np.array([self._frame(a, b) for a, b in zip(one, two, strict=True)])

    def _frame(self, one: np.ndarray, two: np.ndarray) -> float:
        pair = (to_pixels(picture[None]).to(self.machine.device) for picture in (one, two))
        try:
            found = self.network(*pair)
        except RuntimeError as error:
            raise ValueError(
                f"Expected an LPIPS network that takes two pictures (1, 3, H, W) in -1..1; it failed ({_last_line(error)})."
            ) from error
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
            with self.machine.holding(self.network):
                found = self.network(pixels, rescale=True, resize=True, return_features=True)
        except RuntimeError as error:
            raise ValueError(
                f"Expected an I3D network called with rescale, resize and return_features, and clips of 9 frames or more; it failed on "
                f"{len(clip)} frames ({_last_line(error)})."
            ) from error
        return found.flatten().cpu().double().numpy()


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1][:160]


NETWORKS = {"LPIPS": Lpips, "I3D": VideoFeatures}
"""What a person may bring, by the name people know it by."""


def load_network(kind: str, path: str | Path, machine: Machine) -> Lpips | VideoFeatures:
    """A network of ``NETWORKS`` from a TorchScript file; raises as ``load_script``."""
    return NETWORKS[kind](load_script(Path(path), kind, machine), machine)


def of_kind(network: Lpips | VideoFeatures | None, kind: type[T]) -> T | None:
    """The network if it is of a kind, or None for none; raises ValueError for the other kind."""
    if network is not None and not isinstance(network, kind):
        wanted, found = (next(name for name, known in NETWORKS.items() if known is cls) for cls in (kind, type(network)))
        raise ValueError(f"Expected a network of the kind {wanted} here, found {found}: choose {wanted} in Load Metric Network.")
    return network


class LatentFeatures:
    """Features without any download: statistics of the latents of the pack's own video codec.

    Mean and deviation of the 16 channels over space and time, and the deviation of their change from frame to frame: (48,) numbers that
    tell colours, sharpness and the amount of motion. The distance of these is called latent Frechet distance; it is not FVD.
    """

    def __init__(self, machine: Machine):
        self.machine = machine
        self.vae = MiniCogVideoX().vae(machine)

    @torch.no_grad()
    def __call__(self, clip: np.ndarray) -> np.ndarray:
        """(48,) float64 of a (T, H, W, 3) uint8 clip; its last frames and rows that fill no group of 4 or 8 are left out."""
        length, height, width = (1 + (len(clip) - 1) // 4 * 4, *(side // PATCH * PATCH for side in clip.shape[1:3]))
        pixels = to_pixels(clip[:length, :height, :width]).transpose(0, 1)[None].to(self.machine.device, self.machine.dtype)
        with self.machine.holding(self.vae):
            latents = self.vae.encode(pixels)[0].cpu().double()
        groups = latents[:, 1:] if latents.shape[1] > 1 else latents
        steps = groups.diff(dim=1) if groups.shape[1] > 1 else torch.zeros_like(groups)
        parts = (latents.mean((1, 2, 3)), latents.std((1, 2, 3)), steps.flatten(1).std(1))
        return torch.cat(parts).numpy()


class Distances:
    """Collects the features of generated and of real clips, and tells how far apart the two kinds are.

    Args:
        latent: for the latent Fréchet distance, which is no FVD.
        video: for FVD, or None.
    """

    def __init__(self, latent: LatentFeatures, video: VideoFeatures | None = None):
        self.networks = {"latent_frechet": latent, "fvd": video}
        self.made: dict[str, list[np.ndarray]] = {name: [] for name in self.networks}
        self.real: dict[str, list[np.ndarray]] = {name: [] for name in self.networks}

    def add(self, clip: np.ndarray, real: bool) -> None:
        """A (T, H, W, 3) uint8 clip."""
        for name, network in self.networks.items():
            if network is not None:
                (self.real if real else self.made)[name].append(network(clip))

    @property
    def values(self) -> dict[str, float | None]:
        """The squared distances; None without the network, or with fewer than two clips of either kind."""
        return {name: frechet(np.array(self.made[name]), np.array(self.real[name])) for name in self.networks}


def video_distances(
    made: list[np.ndarray], real: list[np.ndarray], latent: LatentFeatures, video: VideoFeatures | None = None, progress: Progress = silent
) -> dict[str, float | None]:
    """``Distances.values`` of lists of (T, H, W, 3) uint8 clips, all of one length and size.

    Raises:
        ValueError: fewer than two clips of either kind, or clips of different shapes.
    """
    if min(len(made), len(real)) < FEWEST:
        raise ValueError(
            f"Expected lists of at least {FEWEST} generated and {FEWEST} real clips, found {len(made)} and {len(real)}: a distance of "
            "distributions needs several; compare single clips with Compare Clips."
        )
    shapes = sorted({clip.shape[:3] for clip in (*made, *real)})
    if len(shapes) > 1:
        found = " and ".join(f"{t} frames of {w} x {h}" for t, h, w in shapes[:3])
        raise ValueError(f"Expected clips of one length and size, found {found}: cut and resize them.")
    distances, total = Distances(latent, video), len(made) + len(real)
    for done, clip in enumerate((*made, *real), start=1):
        distances.add(clip, real=done > len(made))
        progress(done, total)
    return distances.values


def describe(values: dict[str, float | None], made: int, real: int) -> str:
    """For people: the distances, and what so many clips are worth."""
    fvd = "- (no I3D network)" if values["fvd"] is None else f"{values['fvd']:.2f}"
    lines = [f"FVD {fvd}", f"latent Fréchet distance (not FVD) {values['latent_frechet']:.4f}", f"{made} generated and {real} real clips"]
    if min(made, real) < FEW_CLIPS:
        lines.append(
            f"Note: below some {FEW_CLIPS} clips of each kind the distance is biased upwards: compare only runs with as many clips, "
            "never with a paper's number."
        )
    return "\n".join(lines)


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
