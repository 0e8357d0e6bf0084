"""Recognise an HOI ControlNet checkpoint for Flux by its keys and shapes, never by its file name, and write clean ones."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ..conditions.segmentation import HAND
from ..conditions.video import MODALITIES
from ..tensor_files import unwrapped, write_tensors
from .flux_control import INJECTIONS, FluxControlConfig, HOIFluxControl

RELEASED_BRANCHES = (("depth", "normals"), ("keypoints", "segmentation"))
SINGLE_BRANCH = ("depth", "normals", "keypoints", "segmentation")
PAPER_BRANCH = ("depth", "segmentation", "keypoints")
ANCHOR = "pos_embed_input.weight"
"""A key that every HOI ControlNet has once a branch; what stands before it is the prefix of a wrapper."""
DTYPES = {"as loaded": None, "bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


def normalise(state_dict: Mapping[str, object]) -> dict[str, Tensor]:
    """Bring a checkpoint to our key names: ``controlnet1.…`` for every branch, norms as ``.weight``.

    Takes the released file, a single net, and what training leaves behind: any prefix of wrappers (``module.``, ``_orig_mod.``),
    DeepSpeed's and Lightning's outer dictionaries, entries that are no tensors, other networks beside this one.

    Raises:
        ValueError: the keys are not those of an HOI ControlNet for Flux, or the weights are one shard of ZeRO-3.
    """
    state = unwrapped(state_dict)
    anchors = [key for key in state if key.endswith(ANCHOR)]
    if not anchors or not any(key.endswith("double_blocks.0.img_attn.qkv.weight") for key in state):
        raise ValueError(refusal(state))
    root = re.sub(r"controlnet\d\.$", "", anchors[0].removesuffix(ANCHOR))
    beside = [key for key in state if not key.startswith(root)]
    if beside:
        logging.info("PAM: left out %d entries beside the ControlNet, such as %s", len(beside), beside[0])
    keys = {}
    for key, value in state.items():
        if isinstance(value, Tensor) and key.startswith(root):
            if value.numel() == 0:
                raise ValueError(f"Expected whole tensors, found {key} empty, as ZeRO-3 saves them: run DeepSpeed's zero_to_fp32.py first.")
            keys[re.sub(r"(query|key)_norm\.scale$", r"\1_norm.weight", key.removeprefix(root))] = value
    if not any(key.startswith("controlnet1.") for key in keys):
        keys = {f"controlnet1.{key}": value for key, value in keys.items()}
    return keys


def refusal(state_dict: Mapping[str, object]) -> str:
    """One sentence on what a wrong file is and which node takes it."""
    expected = "Expected an HOI ControlNet for Flux (keys double_blocks.0.… and pos_embed_input.…), found "
    keys = state_dict.keys()
    if any("transformer_blocks_copy." in key for key in keys):
        return expected + "an HOI control for CogVideoX: use Load HOI Control CogVideoX."
    if any(key.startswith(("input_blocks.", "control_model.", "zero_convs.", "controlnet_cond_embedding.")) for key in keys):
        return expected + "a ControlNet for Stable Diffusion: use core's Load ControlNet Model."
    if any("controlnet_x_embedder." in key for key in keys):
        return expected + "a Flux ControlNet in the InstantX layout: use core's Load ControlNet Model."
    if any(key.endswith("final_layer.linear.weight") for key in keys):
        return expected + "a whole Flux model: use core's Load Diffusion Model."
    if any("lora_A." in key or "lora_down." in key for key in keys):
        return expected + "a LoRA: use core's Load LoRA."
    return expected + f"keys like {', '.join(sorted(keys)[:3]) or 'none at all'}: choose PAM's controlnet.bin or another HOI ControlNet."


def detect(keys: dict[str, Tensor], metadata: Mapping[str, str] | None = None, condition: str = "depth") -> FluxControlConfig:
    """Read the architecture from normalised keys.

    Args:
        keys: from ``normalise``.
        metadata: safetensors header; what ``metadata_of`` writes wins over the defaults of a layout.
        condition: the condition a 3-channel (XLabs) net reads, which its file does not tell.

    Raises:
        ValueError: channels that no known layout has, or a header that names unknown conditions or rules.
    """
    metadata = metadata or {}
    hint = keys.get("controlnet1.input_hint_block.0.weight")
    double = any(key.startswith("controlnet2.") for key in keys)
    named = tuple(tuple(branch.split(",")) for branch in metadata.get("pam.conditions", "").split(";") if branch)
    if hint is None:
        count, encoding, injection = keys["controlnet1.pos_embed_input.weight"].shape[1] // 64, "latent", "first"
        branches = named or (PAPER_BRANCH[:count],)
    else:
        count, encoding, injection = hint.shape[1] // 3, "pixel", "repeat"
        branches = named or _known_branches(condition).get((count, double), ())
    if not branches or len(branches[0]) != count or len(branches) != 1 + double:
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
        branches=tuple(tuple(_one_of(name, MODALITIES, "condition") for name in branch) for branch in branches),
        encoding=encoding,
        injection=_one_of(metadata.get("pam.injection", injection), INJECTIONS, "injection"),
        style=_one_of(metadata.get("pam.style", "dexycb" if branches == RELEASED_BRANCHES else ""), (*HAND, ""), "style"),
    )


def _known_branches(condition: str) -> dict[tuple[int, bool], tuple]:
    """Conditions of layouts without metadata, by conditions in a branch and whether there are two."""
    return {
        (1, False): ((condition,),),
        (1, True): (("normals",), ("keypoints",)),
        (2, False): RELEASED_BRANCHES[:1],
        (2, True): RELEASED_BRANCHES,
        (4, False): (SINGLE_BRANCH,),
    }


def _one_of(value: str, known: tuple[str, ...], what: str) -> str:
    if value not in known:
        raise ValueError(f'Expected the {what} {", ".join(filter(None, known))} in the file\'s metadata, found "{value[:40]}".')
    return value


def metadata_of(config: FluxControlConfig) -> dict[str, str]:
    """The safetensors header that makes a file self-describing."""
    return {
        "pam.conditions": ";".join(",".join(branch) for branch in config.branches),
        "pam.encoding": config.encoding,
        "pam.injection": config.injection,
        "pam.style": config.style,
    }


def released_keys(net: HOIFluxControl) -> dict[str, Tensor]:
    """A net's tensors under the names PAM's and XLabs' own code reads: norms as ``.scale``, a single net without prefix."""
    single = len(net.config.branches) == 1
    renamed = {}
    for key, value in net.state_dict().items():
        key = key.removeprefix("controlnet1.") if single else key
        renamed[re.sub(r"(query|key)_norm\.weight$", r"\1_norm.scale", key)] = value
    return renamed


def save(net: HOIFluxControl, path: Path, dtype: str = "as loaded") -> None:
    """Write one safetensors file with metadata, in the numbers of a key of ``DTYPES``: whole or not at all, never over another file.

    Raises:
        FileExistsError: there is such a file.
        OSError: the disk is full or the folder cannot be written.
    """
    if path.exists():
        raise FileExistsError(f"There is a file {path.name} already: choose another name.")
    kind = DTYPES[dtype]
    tensors = {key: value.detach().to("cpu", kind or value.dtype) for key, value in released_keys(net).items()}
    write_tensors(path, tensors, metadata_of(net.config))
