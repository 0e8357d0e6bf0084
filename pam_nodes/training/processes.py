"""Many processes through accelerate: each with the whole network (DDP), or with a part of it (FSDP, DeepSpeed)."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..headless.compute import TORCH, Machine
from .config import TrainConfig

AVERAGE = "average.safetensors"


def make_accelerator(config: TrainConfig, place: Machine) -> Any:
    """accelerate's ``Accelerator`` on the chosen device; of several processes each has its own.

    Batch, accumulation and clipping are the configuration's, whatever a launcher's or DeepSpeed's own says of them.

    Raises:
        ValueError: a moving average of weights that DeepSpeed keeps in parts.
    """
    from accelerate import Accelerator, DistributedDataParallelKwargs

    logging.getLogger("accelerate").setLevel(logging.WARNING)
    if place.device.type == "cuda" and place.device.index is not None:
        torch.cuda.set_device(place.device)
    mixed, best = "no" if config.precision == "fp32" else config.precision, config.optimization
    # The text stream of the last copied block ends unused.
    unused = DistributedDataParallelKwargs(find_unused_parameters=True)
    accelerator = Accelerator(cpu=place.device.type == "cpu", mixed_precision=mixed, kwargs_handlers=[unused])
    # Not as an argument, which gives way to the launcher's environment.
    accelerator.gradient_accumulation_steps = best.accumulate
    if accelerator.distributed_type == "DEEPSPEED":
        plugin = accelerator.state.deepspeed_plugin
        if plugin.zero_stage == 3 and best.ema:
            raise ValueError(f"Expected no optimization.ema with DeepSpeed's stage 3, found {best.ema}: set 0, or take stage 2 or FSDP.")
        plugin.deepspeed_config |= {
            "train_batch_size": best.batch * best.accumulate * accelerator.num_processes,
            "train_micro_batch_size_per_gpu": best.batch,
            "gradient_accumulation_steps": best.accumulate,
            "gradient_clipping": best.clip,
        }
    return accelerator


def numbers(accelerator: Any) -> torch.autocast:
    """Mixed precision of the network's computation; accelerate leaves it to others with DeepSpeed, where the frozen base knows of none."""
    mixed = accelerator.mixed_precision
    return torch.autocast(accelerator.device.type, TORCH.get(mixed, torch.float32), enabled=mixed in TORCH)


def learning(model: nn.Module) -> list[nn.Parameter]:
    """What learns of a prepared network, in this process; FSDP makes parameters of its own in preparing it."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def begin_states(accelerator: Any, model: nn.Module, optimizer: Any) -> None:
    """Give all weights their state in a new optimiser, also those that no gradient reaches: FSDP asks for all when a run goes on."""
    from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict

    if not accelerator.is_fsdp2:
        return
    # It makes them by a step of rate 0, which must not count.
    get_optimizer_state_dict(model, optimizer.optimizer)
    for state in optimizer.optimizer.state.values():
        state["step"] *= 0


def mine(value: Tensor) -> Tensor:
    """The part of a tensor that this process has, the whole where it is not in parts."""
    from torch.distributed.tensor import DTensor

    return value.to_local() if isinstance(value, DTensor) else value


def layout(accelerator: Any) -> str:
    """How the weights lie in a checkpoint, which must be so again to go on."""
    kind = accelerator.distributed_type
    return f"{kind.value} of {accelerator.num_processes} processes" if kind in ("FSDP", "DEEPSPEED") else "whole"


def average_file(accelerator: Any, folder: Path) -> Path:
    """The moving average in a checkpoint: of all processes, or with FSDP this one's part."""
    return folder / (f"average_{accelerator.process_index}.safetensors" if accelerator.distributed_type == "FSDP" else AVERAGE)
