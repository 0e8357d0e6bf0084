"""Where the networks run, in which numbers, and what is kept in the card's memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn

from .words import DTYPES, OFFLOAD, QUANTIZE, check_word

TORCH = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
STORAGE = torch.float8_e4m3fn
PARTWISE = ("group", "sequential")


@dataclass(frozen=True)
class Compute:
    """What a person chooses.

    Attributes:
        device: "auto" (CUDA, else Apple's GPU, else the CPU), or a name as torch has it.
        dtype: of the computation: "bf16", "fp16", "fp32", or "auto": bf16 on a GPU and fp32 on the CPU.
        quantize: weights of base model and control are stored in 8 bits ("fp8", diffusers' layerwise casting) or those of the base
            model in 4 bits ("nf4", bitsandbytes).
        offload: "none" keeps what samples on the device; "model" moves whole networks there in turn; "group" moves one block at a time
            and the next one ahead, "sequential" one layer at a time (diffusers' group offloading).
    """

    device: str = "auto"
    dtype: str = "auto"
    quantize: str = "none"
    offload: str = "none"


@dataclass(frozen=True)
class Machine:
    """A ``Compute`` that can be had here."""

    device: torch.device
    dtype: torch.dtype
    quantize: str
    offload: str

    @property
    def look(self) -> dict[str, str]:
        """What of it changes the result, for the record."""
        return {"dtype": str(self.dtype).removeprefix("torch."), "quantize": self.quantize}

    def place(self, module: nn.Module, by_block: bool = False) -> nn.Module:
        """Make a sampling network ready: quantised storage, then the device or the hooks that bring its parts there.

        Args:
            module: in ``dtype``, on the CPU.
            by_block: all of it runs in its own ``forward`` and its lists of blocks are most of it, so that "group" may move whole
                blocks, the next one while one computes.
        """
        from diffusers.hooks import apply_layerwise_casting

        module.eval().requires_grad_(False)
        if self.quantize != "none" and not _quantised(module):
            apply_layerwise_casting(module, STORAGE, self.dtype, skip_modules_pattern=_delicate(module))
        if self.offload == "none":
            return module.to(self.device)
        if self.offload in PARTWISE:
            self._hook(module, by_block and self.offload == "group")
        return module

    def _hook(self, module: nn.Module, by_block: bool) -> None:
        """Have diffusers bring the module's blocks or layers to the device when they are called.

        Only blocks are fetched ahead: that learns the order of calls from one forward pass, and our control networks, and the patch
        embedding beside them, are also called outside of it.
        """
        from diffusers.hooks import apply_group_offloading

        kind = {"offload_type": "block_level", "num_blocks_per_group": 1} if by_block else {"offload_type": "leaf_level"}
        stream = by_block and self.device.type == "cuda"
        apply_group_offloading(module, self.device, torch.device("cpu"), use_stream=stream, **kind)

    @contextmanager
    def encoding(self, *encoders: nn.Module) -> Iterator[None]:
        """Have text encoders ready while the block runs, as a whole or layer by layer; they are not used again."""
        encoders = [encoder.eval().requires_grad_(False) for encoder in encoders if not _quantised(encoder)]
        if self.offload in PARTWISE:
            for encoder in encoders:
                self._hook(encoder, by_block=False)
            yield
            return
        with self.holding(*encoders):
            yield

    @contextmanager
    def holding(self, *modules: nn.Module) -> Iterator[None]:
        """Have whole networks on the device while the block runs; with any offloading they leave it afterwards."""
        for module in modules:
            module.to(self.device)
        try:
            yield
        finally:
            if self.offload != "none":
                for module in modules:
                    module.to("cpu")

    @contextmanager
    def sampling(self, *modules: nn.Module) -> Iterator[None]:
        """Have networks that were ``place``d ready while the block runs."""
        with self.holding(*(modules if self.offload == "model" else ())):
            yield

    def generator(self, seed: int, device: str | torch.device = "cpu") -> torch.Generator:
        """Random numbers of a seed. Those of the CPU are the same on every machine, and those of ComfyUI."""
        return torch.Generator(device).manual_seed(seed)

    def quantization(self, library: str) -> Any:
        """The config that ``from_pretrained`` of "diffusers" or "transformers" takes for nf4, None otherwise."""
        if self.quantize != "nf4":
            return None
        return import_module(library).BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=self.dtype)


def _quantised(module: nn.Module) -> bool:
    """Whether a package keeps its weights in few bits, on the device."""
    return bool(getattr(module, "is_quantized", False))


def _delicate(module: nn.Module) -> tuple[str, ...]:
    """Names of the layers that stay in full numbers: the model's own list, or norms and embeddings."""
    return tuple(getattr(module, "_skip_layerwise_casting_patterns", None) or ("norm", "img_in", "pos_embed_input"))


def machine(choice: Compute) -> Machine:
    """Check a choice against this computer, before anything is loaded.

    Raises:
        ValueError: a word that is none, or a device that is not there.
        ImportError: a package is missing.
    """
    check_word(choice.dtype, DTYPES, "dtype")
    check_word(choice.quantize, QUANTIZE, "quantisation")
    check_word(choice.offload, OFFLOAD, "way to offload")
    device = _device(choice.device)
    if choice.quantize == "nf4":
        _check_nf4(device, choice.offload)
    if choice.offload in PARTWISE:
        require(f"for --offload {choice.offload}", "accelerate")
    if choice.offload != "none" and device.type == "cpu" and choice.device == "auto":
        raise ValueError(f"Expected a GPU for --offload {choice.offload}, found only the CPU: leave the option out.")
    dtype = TORCH[choice.dtype] if choice.dtype != "auto" else torch.float32 if device.type == "cpu" else torch.bfloat16
    return Machine(device, dtype, choice.quantize, choice.offload)


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:  # torch asserts that it was built with CUDA
        found = f"{torch.cuda.device_count()} CUDA devices"
        raise ValueError(
            f"Expected a device that torch {torch.__version__} can use, found '{name}' and {found}: choose --device."
        ) from error
    return device


def require(purpose: str, *packages: str) -> None:
    """Raise ImportError naming the packages that are not installed."""
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise ImportError(
            f"Expected {' and '.join(packages)} {purpose}, found no {' and no '.join(missing)}: pip install {' '.join(missing)}."
        )


def _check_nf4(device: torch.device, offload: str) -> None:
    require("for --quantize nf4", "bitsandbytes", "accelerate")
    if device.type == "cpu":
        raise ValueError("Expected a GPU for --quantize nf4, found the CPU: choose --quantize fp8 or none.")
    if offload in PARTWISE:
        raise ValueError(f"Expected --offload none or model with --quantize nf4, found {offload}: 4-bit weights are small enough to stay.")
