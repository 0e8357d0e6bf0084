"""Recognise a CogVideoX transformer by its tensors: its family, its positions, and the size it was made for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from ..tensor_files import TensorFiles
from .checkpoint import CONTROL
from .recognise import told

EXPECTED = "a CogVideoX model (keys transformer_blocks.0.norm1.linear.weight and patch_embed.proj.weight)"
WIDE = 3072
"""Channels of CogVideoX-5B, 1.0 and 1.5."""
PLAIN = 1920
"""Channels of CogVideoX-2B, the one family without rotary positions."""
RENAMED = (
    (r"^(?:model\.|module\.|transformer\.)?(?:diffusion_model\.)?transformer_blocks\.", "blocks."),
    (r"^(?:model\.)?diffusion_model\.", ""),
    (r"\.attn1\.to_([qkv])\.", r".\1."),
    (r"\.attn1\.norm_([qk])\.", r".norm_\1."),
    (r"\.attn1\.to_out\.0\.", ".attn_out."),
    (r"\.ff\.net\.0\.proj\.", ".ff_proj."),
    (r"\.ff\.net\.2\.", ".ff_out."),
    (r"^(time|ofs)_embedding\.linear_", r"\1_embedding_linear_"),
)
"""Key names of diffusers' layout -> ComfyUI's."""


@dataclass(frozen=True)
class BaseConfig:
    """What a CogVideoX file holds.

    Attributes:
        dim: channels. num_layers: blocks. in_channels: 16 text to video, 32 image to video.
        text_dim, time_dim, ofs_dim: widths of prompt, time and offset embeddings; ``ofs_dim`` is None but in 1.5 image to video.
        patch_size_t: None in 1.0, 2 in 1.5 (two latent frames a token).
        rotary: rotary positions. learned: a stored table of positions is added too.
        sample: (width, height, latent frames) in latent pixels the positions were made for; None if the file does not tell.
        interpolation: scale of the added sine positions of 2B.
    """

    dim: int
    num_layers: int
    in_channels: int
    text_dim: int
    time_dim: int
    ofs_dim: int | None
    patch_size_t: int | None
    rotary: bool
    learned: bool
    sample: tuple[int, int, int] | None
    interpolation: float = 1.875

    @property
    def image_to_video(self) -> bool:
        """True when half of the input channels are the first frame."""
        return self.in_channels == 32


def part_of(files: TensorFiles) -> dict[str, Tensor]:
    """The base model's tensors of a checkpoint, read without a control branch; raises ValueError for a file without a base."""
    if not any(is_base(key) for key in files.places):
        raise ValueError(told(EXPECTED, files.places))
    return files.read(is_base)


def to_native(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename a base model's tensors to ComfyUI's; native names pass through, a merged file's control branch is left out."""
    native = {}
    for key, value in state_dict.items():
        if is_base(key):
            for pattern, new in RENAMED:
                key = re.sub(pattern, new, key)
            native[key] = value
    return native


def is_base(key: str) -> bool:
    """False for the tensors of the control branch in a merged file."""
    return not any(name in key for name in CONTROL)


def detect_base(native: Mapping[str, Tensor], config: Mapping | None = None) -> BaseConfig:
    """Read the architecture from native tensors and, where there is one, from diffusers' ``config.json``.

    Raises:
        ValueError: the tensors are those of another model, or of a position table of unknown size.
    """
    config = config or {}
    names = ("blocks.0.norm1.linear.weight", "patch_embed.proj.weight", "patch_embed.text_proj.weight")
    norm, patch, text = (native.get(name) for name in names)
    if norm is None or patch is None or text is None or norm.shape[0] % 6:
        raise ValueError(told(EXPECTED, native))
    later = patch.ndim == 2
    dim = norm.shape[0] // 6
    ofs = native.get("ofs_embedding_linear_1.weight")
    table = native.get("patch_embed.pos_embedding")
    in_channels = patch.shape[1] // 8 if later else patch.shape[1]
    if in_channels not in (16, 32):
        raise ValueError(f"Expected a CogVideoX of 16 or 32 input channels, found {in_channels}: CogVideoX-Fun has core's own nodes.")
    return BaseConfig(
        dim=dim,
        num_layers=1 + max(int(key.split(".")[1]) for key in native if key.startswith("blocks.")),
        in_channels=in_channels,
        text_dim=text.shape[1],
        time_dim=norm.shape[1],
        ofs_dim=None if ofs is None else ofs.shape[1],
        patch_size_t=2 if later else None,
        rotary=bool(config.get("use_rotary_positional_embeddings", dim != PLAIN)),
        learned=table is not None,
        sample=_sample(dim, later, table, config),
        interpolation=float(config.get("spatial_interpolation_scale", 1.875)),
    )


def _sample(dim: int, later: bool, table: Tensor | None, config: Mapping) -> tuple[int, int, int] | None:
    """The size of the positions: of the config, else of the released family; checked against the stored table."""
    if "sample_width" in config:
        frames = (int(config.get("sample_frames", 49)) - 1) // int(config.get("temporal_compression_ratio", 4)) + 1
        sample = (int(config["sample_width"]), int(config["sample_height"]), frames)
    elif dim in (WIDE, PLAIN) or table is not None:
        sample = (170, 96, 21) if later else (90, 60, 13)
    else:
        return None
    if table is not None and table.shape[1] - 226 != (sample[0] // 2) * (sample[1] // 2) * sample[2]:
        raise ValueError(
            f"Expected a table of positions for {sample[0] * 8} x {sample[1] * 8} pixels and {sample[2] * 4 - 3} frames, found "
            f"{table.shape[1] - 226} positions: put the model's config.json beside the file."
        )
    return sample
