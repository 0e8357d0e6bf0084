"""A Flux transformer in one file, of any key layout, without asking the network what it is."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import nn

from .compute import Machine

HEAD_DIM = 128
PREFIX = "model.diffusion_model."


def read_config(path: Path) -> dict[str, Any]:
    """The architecture, in the words of diffusers' config, from names and shapes alone.

    Raises:
        ValueError: the file is no Flux transformer.
    """
    shapes = {key.removeprefix(PREFIX): shape for key, shape in _shapes(path).items()}
    original = "double_blocks.0.img_attn.proj.weight" in shapes
    double, single = ("double_blocks", "single_blocks") if original else ("transformer_blocks", "single_transformer_blocks")
    image, text, pooled = (
        ("img_in.weight", "txt_in.weight", "vector_in.in_layer.weight")
        if original
        else ("x_embedder.weight", "context_embedder.weight", "time_text_embed.text_embedder.linear_1.weight")
    )
    if not all(name in shapes for name in (image, text, pooled)) or not _count(shapes, double):
        raise ValueError(f"Expected a Flux transformer in {path.name}, found keys like {', '.join(sorted(shapes)[:3]) or 'none'}.")
    return {
        "_class_name": "FluxTransformer2DModel",
        "in_channels": shapes[image][1],
        "num_layers": _count(shapes, double),
        "num_single_layers": _count(shapes, single),
        "attention_head_dim": HEAD_DIM,
        "num_attention_heads": shapes[image][0] // HEAD_DIM,
        "joint_attention_dim": shapes[text][1],
        "pooled_projection_dim": shapes[pooled][1],
        "guidance_embeds": any("guidance" in key for key in shapes),
    }


def load_single_file(path: Path, machine: Machine) -> nn.Module:
    """diffusers' FluxTransformer2DModel of a .safetensors or .gguf file; raises ValueError for any other."""
    from diffusers import FluxTransformer2DModel, GGUFQuantizationConfig

    quantization = machine.quantization("diffusers")
    if path.suffix == ".gguf":
        quantization = GGUFQuantizationConfig(compute_dtype=machine.dtype)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(read_config(path)))
        return FluxTransformer2DModel.from_single_file(
            str(path), config=folder, torch_dtype=machine.dtype, quantization_config=quantization, local_files_only=True
        )


def _count(shapes: dict[str, tuple[int, ...]], name: str) -> int:
    found = [int(match[1]) for key in shapes if (match := re.match(rf"{name}\.(\d+)\.", key))]
    return max(found, default=-1) + 1


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Shape of each tensor, as torch has it, read from the header."""
    if path.suffix == ".gguf":
        return _gguf_shapes(path)
    try:
        with safe_open(str(path), framework="pt") as file:
            return {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}
    except (SafetensorError, OSError) as error:
        raise ValueError(f"Expected a .safetensors or .gguf file, could not read {path.name} ({error}).") from error


def _gguf_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    from gguf import GGUFReader

    try:
        return {tensor.name: tuple(int(n) for n in reversed(tensor.shape)) for tensor in GGUFReader(str(path)).tensors}
    except (ValueError, IndexError, KeyError, OverflowError) as error:
        raise ValueError(f"Expected a .gguf file of a Flux transformer, could not read {path.name} ({error}).") from error
