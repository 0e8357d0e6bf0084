"""Where a network lives and in which numbers, by the host's own rules."""

from dataclasses import dataclass
from typing import Any

import comfy.model_management as mm
import comfy.ops
import comfy.utils
import torch

from ..headless.compute import Machine

DTYPES = [torch.bfloat16, torch.float16, torch.float32]
WEIGHT_DTYPES = {"default": None, "bf16": torch.bfloat16, "fp16": torch.float16, "fp8_e4m3fn": torch.float8_e4m3fn}
"""What loader nodes offer to keep weights in; "default" leaves it to the host."""


@dataclass(frozen=True)
class Placement:
    """Layer classes, devices and dtypes for a network about to be built."""

    operations: Any
    load_device: torch.device
    offload_device: torch.device
    dtype: torch.dtype
    manual_cast_dtype: torch.dtype | None


def measuring() -> Machine:
    """The host's device for networks that measure, in full numbers; they leave it when they have measured."""
    return Machine(mm.get_torch_device(), torch.float32, "none", "model")


def placement(state_dict: dict[str, torch.Tensor], dtype: torch.dtype | None = None) -> Placement:
    """Choose devices and dtype (unless it is given) for these weights as the host does for its own models."""
    load_device = mm.get_torch_device()
    dtype = dtype or mm.unet_dtype(
        model_params=comfy.utils.calculate_parameters(state_dict),
        supported_dtypes=DTYPES,
        weight_dtype=comfy.utils.weight_dtype(state_dict),
    )
    manual_cast = mm.unet_manual_cast(dtype, load_device, DTYPES)
    operations = comfy.ops.pick_operations(dtype, manual_cast, load_device=load_device, disable_fast_fp8=True)
    return Placement(operations, load_device, mm.unet_offload_device(), dtype, manual_cast)
