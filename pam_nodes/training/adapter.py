"""A LoRA of a base model, by peft, as the only thing that learns."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..headless.compute import require
from .config import Adapter

MARK, LAYER = "lora_", ".default."
"""In the names of a LoRA's tensors, and what peft puts into them that files do not have."""


def add(transformer: nn.Module, adapter: Adapter) -> None:
    """Put a LoRA that changes nothing yet, in fp32, into a frozen model of diffusers.

    Raises:
        ImportError: peft is missing.
        ValueError: the model has no such layers.
    """
    require("to train a LoRA", "peft")
    from peft import LoraConfig

    config = LoraConfig(r=adapter.rank, lora_alpha=adapter.rank, init_lora_weights="gaussian", target_modules=list(adapter.layers))
    transformer.add_adapter(config)
    for name, parameter in transformer.named_parameters():
        if MARK in name:
            parameter.data = parameter.data.to(torch.float32)


def learn_alone(trainee: nn.Module) -> None:
    """Make the LoRA of a trainee's base model its only parameters; the control is used, but neither learns nor is saved."""
    control = trainee._modules.pop("control")
    trainee.__dict__["control"] = control
    found = {name.replace(".", "/"): value for name, value in trainee.base[0].named_parameters() if MARK in name}
    trainee.adapter = nn.ParameterDict(found)


def as_diffusers(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The LoRA in a trainee's state under the names that diffusers' pipelines and ComfyUI read."""
    named = ((name.removeprefix("adapter.").replace("/", "."), value) for name, value in state.items() if name.startswith("adapter."))
    return {f"transformer.{name.replace(LAYER, '.')}": value.detach().cpu() for name, value in named}
