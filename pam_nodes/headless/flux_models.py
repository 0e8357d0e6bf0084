"""Flux with an HOI ControlNet on diffusers' classes: from a folder in diffusers' layout, or the small one shipped with the pack."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from ..appearance.checkpoint import detect, normalise
from ..appearance.flux_control import HOIFluxControl
from ..mini.codec import PatchAutoencoder
from ..mini.configs import FLUX, T5_LENGTH
from ..mini.files import APPEARANCE, MiniFiles
from ..tensor_files import open_tensors
from ..weights import require_complete
from .compute import Machine, require
from .files import mini_stamp, stamp_of
from .flux_single_file import load_single_file, read_config
from .text_encoders import load_clip, load_t5, t5_in_4_bits

TEXT_PARTS = ("text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2")


@dataclass(frozen=True)
class Prompt:
    """One prompt as Flux reads it: ``tokens`` (1, L, D) of T5 and ``pooled`` (1, V) of CLIP, on the CPU."""

    tokens: Tensor
    pooled: Tensor


class FluxModels(Protocol):
    """Where the networks of the appearance stage come from. Each is loaded when it is asked for, in the machine's dtype, on the CPU.

    Attributes:
        refines: whether the shipped refiner was made for what they make.
    """

    refines: bool

    @property
    def stamp(self) -> dict[str, str]:
        """Which weights these are, for the record."""

    def check(self) -> None:
        """Raise ValueError or FileNotFoundError for what can be seen to be wrong before loading."""

    def control(self, machine: Machine) -> HOIFluxControl: ...

    def text(self, machine: Machine) -> tuple[Any, int]:
        """A FluxPipeline of the text encoders alone, and the tokens of a prompt."""

    def transformer(self, machine: Machine) -> nn.Module: ...

    def vae(self, machine: Machine) -> nn.Module: ...


@dataclass(frozen=True)
class FluxFolder:
    """FLUX.1 as diffusers lays it out, and an HOI ControlNet.

    Attributes:
        folder: with model_index.json and its subfolders.
        control_file: the ControlNet, of any layout ``appearance.checkpoint`` knows; None where one is still to be trained.
        single_file: a transformer to take instead of the folder's (.safetensors in any key layout, or .gguf).
        condition: what a 3-channel ControlNet reads.
    """

    folder: Path
    control_file: Path | None
    single_file: Path | None = None
    condition: str = "depth"
    refines: ClassVar[bool] = False

    @property
    def stamp(self) -> dict[str, str]:
        base = self.single_file or self.folder / "transformer"
        return {"base": stamp_of(base)} | ({"control": stamp_of(self.control_file)} if self.control_file else {})

    def check(self) -> None:
        needed = ["model_index.json", *TEXT_PARTS, "vae", *([] if self.single_file else ["transformer"])]
        missing = [name for name in needed if not (self.folder / name).exists()]
        if missing:
            raise FileNotFoundError(
                f"Expected FLUX.1 in diffusers' layout in {self.folder}, found no {', '.join(missing)}: download the folders of "
                "black-forest-labs/FLUX.1-dev; a transformer in one file is given with --flux-file."
            )
        for file in (self.control_file, self.single_file):
            if file is not None and not file.exists():
                raise FileNotFoundError(f"No weights at {file}.")
        require("to load model folders", "accelerate")
        if self.single_file and self.single_file.suffix == ".gguf":
            require("for a .gguf transformer", "gguf")

    def control(self, machine: Machine) -> HOIFluxControl:
        control = load_control(self.control_file, machine.dtype, self.condition)
        base = read_config(self.single_file) if self.single_file else _config(self.folder / "transformer")
        width = base["attention_head_dim"] * base["num_attention_heads"]
        if width != control.config.hidden_size:
            raise ValueError(
                f"Expected a ControlNet for a Flux of {width} channels, found one for {control.config.hidden_size}: "
                "base and ControlNet must be of one family."
            )
        return control

    def text(self, machine: Machine) -> tuple[Any, int]:
        from diffusers import FluxPipeline

        parts = {"transformer": None, "vae": None, **t5_in_4_bits(self.folder / "text_encoder_2", machine)}
        pipeline = FluxPipeline.from_pretrained(self.folder, torch_dtype=machine.dtype, local_files_only=True, **parts)
        return pipeline, 512

    def transformer(self, machine: Machine) -> nn.Module:
        from diffusers import FluxTransformer2DModel

        if self.single_file:
            return load_single_file(self.single_file, machine)
        return FluxTransformer2DModel.from_pretrained(
            self.folder / "transformer",
            torch_dtype=machine.dtype,
            quantization_config=machine.quantization("diffusers"),
            local_files_only=True,
        )

    def vae(self, machine: Machine) -> nn.Module:
        from diffusers import AutoencoderKL

        return AutoencoderKL.from_pretrained(self.folder / "vae", torch_dtype=machine.dtype, local_files_only=True)


@dataclass(frozen=True)
class MiniFlux:
    """The small Flux shipped with the pack, or one like it in ``files``, in the same classes."""

    files: MiniFiles = APPEARANCE
    refines: ClassVar[bool] = True

    @property
    def stamp(self) -> dict[str, str]:
        return mini_stamp(self.files)

    def check(self) -> None:
        for part in ("model", "control", "vae", "t5", "clip"):
            getattr(self.files, part)  # each says so when it is not there

    def control(self, machine: Machine) -> HOIFluxControl:
        return load_control(self.files.control, machine.dtype)

    def text(self, machine: Machine) -> tuple[Any, int]:
        from diffusers import FluxPipeline

        clip, clip_tokens = load_clip(self.files, machine.dtype)
        t5, t5_tokens = load_t5(self.files, machine.dtype)
        parts = {"text_encoder": clip, "tokenizer": clip_tokens, "text_encoder_2": t5, "tokenizer_2": t5_tokens}
        return FluxPipeline(scheduler=None, vae=None, transformer=None, **parts), T5_LENGTH

    def transformer(self, machine: Machine) -> nn.Module:
        from diffusers import FluxTransformer2DModel

        return filled(FluxTransformer2DModel(**FLUX), open_tensors(self.files.model).read(), machine.dtype, "small Flux")

    def vae(self, machine: Machine) -> nn.Module:
        return filled(PatchAutoencoder(), open_tensors(self.files.vae).read(), machine.dtype, "patch autoencoder")


def filled(module: nn.Module, tensors: dict[str, Tensor], dtype: torch.dtype, what: str) -> nn.Module:
    """A network with these weights, in a dtype; raises ValueError if they do not fit."""
    require_complete(module, tensors, what)
    module.load_state_dict({name: value.to(dtype) for name, value in tensors.items()}, assign=True)
    return module.eval()


def load_control(path: Path, dtype: torch.dtype, condition: str = "depth") -> HOIFluxControl:
    """The ControlNet of a checkpoint (``condition`` as in ``detect``); raises ValueError for any other file."""
    files = open_tensors(path)
    keys = normalise(files.read())
    config = detect(keys, files.metadata, condition)
    with torch.device("meta"):
        net = HOIFluxControl(config, dtype=dtype)
    require_complete(net, keys, "HOI ControlNet for Flux")
    net.load_state_dict({name: value.to(dtype) for name, value in keys.items()}, assign=True)
    return net.eval().requires_grad_(False)


def _config(folder: Path) -> Mapping[str, Any]:
    try:
        return json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"Expected config.json of a Flux transformer in {folder}, could not read it ({error}).") from error
