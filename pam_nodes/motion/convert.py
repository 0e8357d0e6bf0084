"""Key names of CogVideoX: diffusers' layout to the native one of ComfyUI."""

from __future__ import annotations

import re

from torch import Tensor

from .checkpoint import CONTROL

RULES = (
    (r"^transformer_blocks\.", "blocks."),
    (r"\.attn1\.to_([qkv])\.", r".\1."),
    (r"\.attn1\.norm_([qk])\.", r".norm_\1."),
    (r"\.attn1\.to_out\.0\.", ".attn_out."),
    (r"\.ff\.net\.0\.proj\.", ".ff_proj."),
    (r"\.ff\.net\.2\.", ".ff_out."),
    (r"^(time|ofs)_embedding\.linear_", r"\1_embedding_linear_"),
)


def cogvideox_to_native(state_dict: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename a base model's tensors; native names pass through, a merged file's control branch is left out."""
    native = {}
    for key, value in state_dict.items():
        if key.startswith(CONTROL):
            continue
        for pattern, new in RULES:
            key = re.sub(pattern, new, key)
        native[key] = value
    return native
