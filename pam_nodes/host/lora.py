"""LoRAs of CogVideoX in the layouts they are published in, on the host's MODEL."""

from __future__ import annotations

from collections.abc import Mapping

import comfy.lora
import torch

from ..motion.base import to_native
from .cogvideox_model import base_of

PREFIX = "diffusion_model."


def add_lora(model, tensors: Mapping[str, torch.Tensor], strength: float):
    """Clone the MODEL with a LoRA in diffusers', peft's or ComfyUI's names; core's loader knows only the last for this model.

    Raises:
        ValueError: none of the file's tensors belongs to a CogVideoX model.
    """
    base_of(model)
    native = {f"{PREFIX}{key.removeprefix(PREFIX)}": value for key, value in to_native(_without_wrapping(tensors)).items()}
    patches = comfy.lora.load_lora(native, comfy.lora.model_lora_keys_unet(model.model, {}))
    patched = model.clone()
    if not patched.add_patches(patches, strength):
        some = ", ".join(sorted(tensors)[:3]) or "none at all"
        raise ValueError(f"Expected a LoRA of CogVideoX, found tensors like {some}: choose one trained on this model.")
    return patched


def _without_wrapping(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Names without peft's own prefix and without the name of an adapter."""
    return {key.removeprefix("base_model.model.").replace(".default.weight", ".weight"): value for key, value in tensors.items()}
