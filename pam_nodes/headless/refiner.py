"""The shipped refiner beside the small models, without ComfyUI."""

from __future__ import annotations

from typing import Protocol

import torch

from ..mini.files import refiner_file
from ..mini.refiner import FrameRefiner
from ..tensor_files import open_tensors
from .flux_models import filled


class Models(Protocol):
    """Models of a stage; ``refines`` tells whether the refiner was made for what they make."""

    refines: bool


def check_refine(share: float, models: Models) -> None:
    """Raise ValueError for a share of the refiner's pictures that makes no sense, or not with these models."""
    if not 0 <= share <= 1:
        raise ValueError(f"Expected a share between 0 and 1 with --refine, found {share:g}.")
    if share and not models.refines:
        raise ValueError("Expected --mini with --refine, found a large model: the refiner was made for the small ones' pictures.")


def load_refiner(device: torch.device) -> FrameRefiner:
    """The refiner on a device, in fp32, as it is small."""
    return filled(FrameRefiner(), open_tensors(refiner_file()).read(), torch.float32, "refiner").to(device)
