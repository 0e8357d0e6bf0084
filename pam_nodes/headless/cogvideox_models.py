"""CogVideoX with an HOI control on diffusers' classes: from a folder in diffusers' layout, or the small one shipped with the pack."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import torch
from torch import nn

from ..mini.codec import PatchAutoencoder3D
from ..mini.configs import COGVIDEOX, T5_LENGTH
from ..mini.files import MOTION, MiniFiles
from ..motion.checkpoint import detect, part_of, to_module_keys
from ..motion.control import CogVideoXControlConfig, HOICogVideoXControl
from ..motion.frames import require_decodable
from ..tensor_files import open_tensors
from ..weights import require_complete
from .compute import Machine, require
from .files import mini_stamp, stamp_of
from .flux_models import filled
from .text_encoders import load_t5, t5_in_4_bits

PARTS = ("model_index.json", "text_encoder", "tokenizer", "transformer", "scheduler", "vae")
NOISE_SCHEDULE = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "prediction_type": "v_prediction",
    "rescale_betas_zero_snr": True,
    "snr_shift_scale": 1.0,
    "clip_sample": False,
    "set_alpha_to_one": True,
}
"""Of CogVideoX-5B, which the small model was trained with."""


class CogVideoXModels(Protocol):
    """Where the networks of the motion stage come from. Each is loaded when it is asked for, in the machine's dtype, on the CPU.

    Attributes:
        refines: whether the shipped refiner was made for what they make.
    """

    refines: bool

    @property
    def stamp(self) -> dict[str, str]:
        """Which weights these are, for the record."""

    def check(self, size: tuple[int, int], length: int) -> None:
        """Raise ValueError or FileNotFoundError for what can be seen to be wrong before loading."""

    def control(self, machine: Machine) -> HOICogVideoXControl: ...

    def text(self, machine: Machine) -> tuple[Any, int]:
        """A CogVideoXImageToVideoPipeline of the text encoder alone, and the tokens of a prompt."""

    def transformer(self, machine: Machine) -> nn.Module: ...

    def vae(self, machine: Machine) -> nn.Module: ...

    def schedule(self) -> dict[str, Any]:
        """Config of the noise schedule."""


@dataclass(frozen=True)
class CogVideoXFolder:
    """CogVideoX-5b-I2V as diffusers lays it out, and an HOI control.

    Attributes:
        folder: with model_index.json and its subfolders.
        control_file: control-only or merged checkpoint, a file or a folder of shards; None where one is still to be trained.
    """

    folder: Path
    control_file: Path | None
    refines: ClassVar[bool] = False

    @property
    def stamp(self) -> dict[str, str]:
        control = {"control": stamp_of(self.control_file)} if self.control_file else {}
        return {"base": stamp_of(self.folder / "transformer")} | control

    def check(self, size: tuple[int, int], length: int) -> None:
        missing = [name for name in PARTS if not (self.folder / name).exists()]
        if missing:
            raise FileNotFoundError(
                f"Expected CogVideoX in diffusers' layout in {self.folder}, found no {', '.join(missing)}: download the folders of "
                "THUDM/CogVideoX-5b-I2V."
            )
        if self.control_file is not None and not self.control_file.exists():
            raise FileNotFoundError(f"No weights at {self.control_file}.")
        require("to load model folders", "accelerate")
        config = self._json("transformer/config.json")
        if config.get("patch_size_t") is not None or config.get("in_channels") != 32:
            raise ValueError(
                f"Expected a CogVideoX 1.0 image-to-video model, found another version or kind in {self.folder}: use CogVideoX-5b-I2V."
            )
        require_decodable(length)
        width, height, frames = (config.get(f"sample_{name}", default) for name, default in (("width", 90), ("height", 60), ("frames", 49)))
        learned = config.get("use_learned_positional_embeddings", False)
        if learned and (size, length) != ((8 * width, 8 * height), frames):
            raise ValueError(
                f"Expected {8 * width} x {8 * height} pixels and {frames} frames, the only size with learned positions this model has, "
                f"found {size[0]} x {size[1]} and {length}: render the conditions so, or give --width, --height and --length."
            )

    def control(self, machine: Machine) -> HOICogVideoXControl:
        control = load_control(self.control_file, machine.dtype)
        config = self._json("transformer/config.json")
        check_pair(control.config, config["num_attention_heads"] * config["attention_head_dim"], config["num_layers"])
        return control

    def text(self, machine: Machine) -> tuple[Any, int]:
        from diffusers import CogVideoXImageToVideoPipeline

        parts = {"transformer": None, "vae": None, **t5_in_4_bits(self.folder / "text_encoder", machine)}
        pipeline = CogVideoXImageToVideoPipeline.from_pretrained(self.folder, torch_dtype=machine.dtype, local_files_only=True, **parts)
        return pipeline, int(self._json("transformer/config.json").get("max_text_seq_length", 226))

    def transformer(self, machine: Machine) -> nn.Module:
        from diffusers import CogVideoXTransformer3DModel

        return CogVideoXTransformer3DModel.from_pretrained(
            self.folder / "transformer",
            torch_dtype=machine.dtype,
            quantization_config=machine.quantization("diffusers"),
            local_files_only=True,
        )

    def vae(self, machine: Machine) -> nn.Module:
        from diffusers import AutoencoderKLCogVideoX

        vae = AutoencoderKLCogVideoX.from_pretrained(self.folder / "vae", torch_dtype=machine.dtype, local_files_only=True)
        vae.enable_tiling()
        vae.enable_slicing()
        return vae

    def schedule(self) -> dict[str, Any]:
        return self._json("scheduler/scheduler_config.json")

    def _json(self, name: str) -> dict[str, Any]:
        try:
            return json.loads((self.folder / name).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ValueError(f"Expected {name} in {self.folder}, could not read it ({error}).") from error


@dataclass(frozen=True)
class MiniCogVideoX:
    """The small CogVideoX shipped with the pack, or one like it in ``files``, in the same classes."""

    files: MiniFiles = MOTION
    refines: ClassVar[bool] = True

    @property
    def stamp(self) -> dict[str, str]:
        return mini_stamp(self.files)

    def check(self, size: tuple[int, int], length: int) -> None:
        for part in ("model", "control", "vae", "t5"):
            getattr(self.files, part)  # each says so when it is not there

    def control(self, machine: Machine) -> HOICogVideoXControl:
        return load_control(self.files.control, machine.dtype)

    def text(self, machine: Machine) -> tuple[Any, int]:
        from diffusers import CogVideoXImageToVideoPipeline

        t5, tokenizer = load_t5(self.files, machine.dtype)
        parts = {"text_encoder": t5, "tokenizer": tokenizer, "vae": None, "transformer": None, "scheduler": None}
        return CogVideoXImageToVideoPipeline(**parts), T5_LENGTH

    def transformer(self, machine: Machine) -> nn.Module:
        from diffusers import CogVideoXTransformer3DModel

        return filled(CogVideoXTransformer3DModel(**COGVIDEOX), open_tensors(self.files.model).read(), machine.dtype, "small CogVideoX")

    def vae(self, machine: Machine) -> nn.Module:
        return filled(PatchAutoencoder3D(), open_tensors(self.files.vae).read(), machine.dtype, "patch autoencoder")

    def schedule(self) -> dict[str, Any]:
        return NOISE_SCHEDULE


def load_control(path: Path, dtype: torch.dtype) -> HOICogVideoXControl:
    """The control of a control-only or merged checkpoint, of which nothing else is read; raises ValueError for any other file."""
    files = open_tensors(path)
    control = part_of(files)
    config = detect(control, files.metadata)
    keys = to_module_keys(control, config)
    with torch.device("meta"):
        net = HOICogVideoXControl(config, dtype=dtype)
    require_complete(net, keys, "HOI control for CogVideoX")
    net.load_state_dict({name: value.to(dtype) for name, value in keys.items()}, assign=True)
    return net.eval().requires_grad_(False)


def check_pair(config: CogVideoXControlConfig, width: int, blocks: int) -> None:
    """Raise ValueError if a base model of this width and depth cannot carry the control."""
    if width != config.dim or blocks < config.num_blocks:
        raise ValueError(
            f"Expected a CogVideoX of {config.dim} channels and {config.num_blocks} blocks or more, found {width} and {blocks}: "
            "base and control must be of one family."
        )
