"""CogVideoX's noise schedule, PAM's steps and its moving guidance (specs: pam_reference 3.6; diffusers' CogVideoXDPMScheduler)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

TRAIN_STEPS = 1000
GUIDANCES = ("released", "constant", "ramp")


@dataclass(frozen=True)
class Preset:
    """How to sample: number of steps, sampler, how the guidance moves, and how readily a step is reused (0: never)."""

    steps: int
    sampler: str
    guidance: str
    reuse: float


PRESETS = {
    "quality (as released)": Preset(50, "cogvideox_dpm", "released", 0.0),
    "balanced (step cache)": Preset(50, "cogvideox_dpm", "released", 0.7),
    "fast": Preset(20, "dpmpp_2m", "constant", 0.0),
}


def alphas_cumprod() -> Tensor:
    """(1000,) float64 share of signal at each training step: scaled-linear betas 0.00085..0.012, rescaled to end in pure noise."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, TRAIN_STEPS, dtype=torch.float64) ** 2
    root = torch.cumprod(1 - betas, 0).sqrt()
    return ((root - root[-1]) * root[0] / (root[0] - root[-1])) ** 2


def trailing_steps(count: int) -> list[int]:
    """Training steps visited by ``count`` steps, spaced from the end: 999, 979, ..., 19 for 50.

    Raises:
        ValueError: fewer than 1 or more than 1000 steps.
    """
    if not 1 <= count <= TRAIN_STEPS:
        raise ValueError(f"Expected 1 to {TRAIN_STEPS} steps, found {count}: PAM uses 50.")
    return [round(TRAIN_STEPS - index * TRAIN_STEPS / count) - 1 for index in range(count)]


def guidance_at(mode: str, scale: float, step: int, timestep: int, count: int) -> float:
    """Guidance of one step.

    Args:
        mode: "constant"; "released": the formula of CogVideoX's pipelines, which puts the training step (0..999) where the number
            of the step was meant and so jumps between 1 and 1 + scale; "ramp": the same formula with the number of the step,
            which grows from 1 to 1 + scale.
        step: 0 for the first. timestep: training step. count: number of steps.

    Raises:
        ValueError: another mode.
    """
    if mode == "constant":
        return scale
    if mode not in GUIDANCES:
        raise ValueError(f"Expected a guidance of {', '.join(GUIDANCES)}, found {mode}.")
    left = count - step if mode == "ramp" else timestep
    return 1 + scale * (1 - math.cos(math.pi * ((count - left) / count) ** 5.0)) / 2
