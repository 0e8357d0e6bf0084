"""Recognise an HOI ControlNet checkpoint for Flux by its keys and shapes, never by its file name."""

from __future__ import annotations

import re

from torch import Tensor

from .flux_control import FluxControlConfig

RELEASED_BRANCHES = (("depth", "normals"), ("keypoints", "segmentation"))
SINGLE_BRANCH = ("depth", "normals", "keypoints", "segmentation")
PAPER_BRANCH = ("depth", "segmentation", "keypoints")
WRAPPERS = ("module.", "model.", "controlnet.")


def normalise(state_dict: dict[str, Tensor]) -> dict[str, Tensor]:
    """Bring a checkpoint to our key names: ``controlnet1.…`` for every branch, norms as ``.weight``.

    Raises:
        ValueError: the keys are not those of an HOI ControlNet for Flux.
    """
    keys = {}
    for key, value in state_dict.items():
        while key.startswith(WRAPPERS):
            key = key.split(".", 1)[1]
        keys[re.sub(r"(query|key)_norm\.scale$", r"\1_norm.weight", key)] = value
    if not any(key.startswith("controlnet1.") for key in keys):
        keys = {f"controlnet1.{key}": value for key, value in keys.items()}
    if "controlnet1.pos_embed_input.weight" not in keys or "controlnet1.double_blocks.0.img_attn.qkv.weight" not in keys:
        raise ValueError(refusal(state_dict))
    return keys


def refusal(state_dict: dict[str, Tensor]) -> str:
    """One sentence on what a wrong file is and which node takes it."""
    expected = "Expected an HOI ControlNet for Flux (keys double_blocks.0.… and pos_embed_input.…), found "
    keys = state_dict.keys()
    if any("transformer_blocks_copy." in key for key in keys):
        return expected + "an HOI control for CogVideoX: use Load HOI Control CogVideoX."
    if any(key.startswith(("input_blocks.", "control_model.", "zero_convs.")) for key in keys):
        return expected + "a ControlNet for Stable Diffusion: use core's Load ControlNet Model."
    if any("controlnet_x_embedder." in key for key in keys):
        return expected + "a Flux ControlNet in the InstantX layout: use core's Load ControlNet Model."
    if any(key.endswith("final_layer.linear.weight") for key in keys):
        return expected + "a whole Flux model: use core's Load Diffusion Model."
    return expected + f"keys like {', '.join(sorted(keys)[:3]) or 'none at all'}: choose PAM's controlnet.bin or another HOI ControlNet."


def detect(keys: dict[str, Tensor], metadata: dict[str, str] | None = None, condition: str = "depth") -> FluxControlConfig:
    """Read the architecture from normalised keys.

    Args:
        keys: from ``normalise``.
        metadata: safetensors header; ``pam.conditions`` and ``pam.injection`` win over the defaults of a layout.
        condition: the condition a 3-channel (XLabs) net reads, which its file does not tell.

    Raises:
        ValueError: channels that no known layout has.
    """
    metadata = metadata or {}
    hint = keys.get("controlnet1.input_hint_block.0.weight")
    named = tuple(tuple(branch.split(",")) for branch in metadata.get("pam.conditions", "").split(";") if branch)
    if hint is None:
        count, encoding, injection = keys["controlnet1.pos_embed_input.weight"].shape[1] // 64, "latent", "first"
        branches = named or (PAPER_BRANCH[:count],)
    else:
        count, encoding, injection = hint.shape[1] // 3, "pixel", "repeat"
        double = "controlnet2.input_hint_block.0.weight" in keys
        known = {1: ((condition,),), 2: RELEASED_BRANCHES if double else (RELEASED_BRANCHES[0],), 4: (SINGLE_BRANCH,)}
        branches = named or known.get(count, ())
    if not branches or len(branches[0]) != count:
        raise ValueError(
            f"Expected a hint of 3, 6 or 12 pixel channels or 16 to 48 latent channels, found {count} conditions in one branch: "
            "save the file with pam.conditions in its metadata."
        )
    return FluxControlConfig(
        hidden_size=keys["controlnet1.img_in.weight"].shape[0],
        depth=1 + max(int(key.split(".")[2]) for key in keys if key.startswith("controlnet1.double_blocks.")),
        context_dim=keys["controlnet1.txt_in.weight"].shape[1],
        vec_dim=keys["controlnet1.vector_in.in_layer.weight"].shape[1],
        guidance="controlnet1.guidance_in.in_layer.weight" in keys,
        branches=branches,
        encoding=encoding,
        injection=metadata.get("pam.injection", injection),
    )


def metadata_of(config: FluxControlConfig) -> dict[str, str]:
    """The safetensors header that makes a file self-describing."""
    return {
        "pam.conditions": ";".join(",".join(branch) for branch in config.branches),
        "pam.encoding": config.encoding,
        "pam.injection": config.injection,
    }
