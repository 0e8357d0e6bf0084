"""Say what a checkpoint is by its tensor names, and which node takes it: what the motion loaders answer to a wrong file."""

from __future__ import annotations

import re
from collections.abc import Iterable

KNOWN = (
    (r"lora_(A|B|up|down|unet)\b|\.lora\.|lora_unet_", "a LoRA: connect Load CogVideoX LoRA (PAM) or core's LoRA loader behind the model"),
    (r"input_hint_block\.|pos_embed_input\.", "a ControlNet for Flux: use Load HOI ControlNet Flux (PAM)"),
    (r"double_blocks\.0\.img_attn", "a Flux checkpoint: use core's Load Diffusion Model"),
    (r"^(input_blocks|control_model|model\.diffusion_model\.input_blocks)\.", "a Stable Diffusion checkpoint: use core's loaders"),
    (r"^(encoder|shared)\.(block|weight|embed_tokens)", "a T5 text encoder: use core's Load CLIP with type cogvideox"),
    (r"^text_model\.|transformer\.resblocks", "a CLIP text encoder: use core's Load CLIP"),
    (r"^decoder\.(conv_in|mid)|^encoder\.down_blocks|first_stage_model\.", "a VAE: use core's Load VAE"),
    (r"blocks\.0\.(self_attn|cross_attn)\.", "a Wan model: use core's Load Diffusion Model"),
    (r"out_projectors\.|controlnet_blocks\.|controlnet_encode", "a ControlNet of another layout, which no node here takes"),
    (r"transformer_blocks_copy\.", "an HOI control for CogVideoX: use Load HOI Control CogVideoX (PAM)"),
    (r"(transformer_)?blocks\.0\.norm1\.linear", "a CogVideoX base model without control: use Load CogVideoX (PAM)"),
)
"""Pattern of a tensor name -> what such a file is and where it belongs; the first that fits wins."""


def told(expected: str, names: Iterable[str]) -> str:
    """One sentence: what was expected, what these tensors are, what to do."""
    names = list(names)
    for pattern, found in KNOWN:
        if any(re.search(pattern, name) for name in names):
            return f"Expected {expected}, found {found}."
    some = ", ".join(sorted(names)[:3]) or "none at all"
    return f"Expected {expected}, found tensors like {some}: choose another file."
