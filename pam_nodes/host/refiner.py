"""The refiner on the host's device, and its pictures."""

from __future__ import annotations

import comfy.model_management as mm
import comfy.model_patcher
import torch

from ..conditions.pack import part
from ..conditions.video import ConditionVideo
from ..headless.refiner import load_refiner
from ..mini.refine import refine
from ..progress import Progress
from .cogvideox_start import fitted


def host_refiner() -> comfy.model_patcher.CoreModelPatcher:
    """The shipped refiner as a REFINER, which the host brings to its device when it is used."""
    net = load_refiner(torch.device("cpu")).requires_grad_(False)
    return comfy.model_patcher.CoreModelPatcher(net, load_device=mm.get_torch_device(), offload_device=mm.unet_offload_device())


def refine_images(
    refiner: comfy.model_patcher.CoreModelPatcher,
    images: torch.Tensor,
    conditions: ConditionVideo,
    start_image: torch.Tensor | None,
    strength: float,
    first_frame: bool,
    progress: Progress,
) -> torch.Tensor:
    """Refine an IMAGE.

    Args:
        images: (T, H, W, C) in 0..1.
        conditions, strength, progress: see ``mini.refine.refine``.
        first_frame: each picture shows the conditions' first frame, not one after the other.
        start_image: (B, h, w, C), of which the first shows what the first frame does; None for none.

    Returns:
        (T, H, W, 3) in 0..1.

    Raises:
        ValueError: conditions of another size or length, or pictures with NaN.
    """
    frames = images[..., :3].float().cpu()
    if not torch.isfinite(frames).all():
        raise ValueError("Expected pictures to refine, found NaN in them: the node before failed, look at its preview.")
    height, width = frames.shape[1:3]
    reference = None if start_image is None else _pixels(fitted(start_image[:1], width, height, "stretch"))
    if first_frame:
        conditions = part(conditions, slice(1))
    mm.load_models_gpu([refiner])
    made = refine(refiner.model, _pixels(frames), conditions, reference, strength, progress)
    return ((made.clamp(-1, 1) + 1) / 2).movedim(1, -1)


def _pixels(image: torch.Tensor) -> torch.Tensor:
    """(T, H, W, 3) in 0..1 to (T, 3, H, W) in -1..1."""
    return image.movedim(-1, 1) * 2 - 1
