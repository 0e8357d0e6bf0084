"""Recognise an HOI control checkpoint for CogVideoX by its keys and shapes, and split a merged one."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from ..tensor_files import TensorFiles
from .control import PAPER_SLOTS, RELEASED_SLOTS, CogVideoXControlConfig
from .recognise import told

CONTROL = ("transformer_blocks_copy.", "combine_linears.", "initial_combine_linear.")
IN_CONTROL = re.compile(r"(?:^|\.)((?:" + "|".join(map(re.escape, CONTROL)) + r").*)$")
EXPECTED = "an HOI control for CogVideoX (keys transformer_blocks_copy.0.… and initial_combine_linear.weight)"
NEEDED = (
    "initial_combine_linear.weight",
    "initial_combine_linear.bias",
    "transformer_blocks_copy.0.attn1.norm_q.weight",
    "transformer_blocks_copy.0.norm1.linear.weight",
)
SLOTS_BY_COUNT = {1: ("tracking",), 3: PAPER_SLOTS, 5: RELEASED_SLOTS}


def control_part(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The control branch's tensors of a control-only or merged (base + control) file, without any prefix.

    Raises:
        ValueError: the file holds no such branch.
    """
    found = {}
    for key, value in state_dict.items():
        match = IN_CONTROL.search(key)
        if match:
            found[match.group(1)] = value
    if not found:
        raise ValueError(told(EXPECTED, state_dict))
    missing = [name for name in NEEDED if name not in found]
    if missing:
        raise ValueError(f"Expected {EXPECTED}, found one without {missing[0]}: the file is truncated, download or save it again.")
    return found


def part_of(files: TensorFiles) -> dict[str, Tensor]:
    """The control branch of a checkpoint, read without its other tensors; raises ValueError as ``control_part``."""
    if not any(IN_CONTROL.search(key) for key in files.places):
        raise ValueError(told(EXPECTED, files.places))
    return control_part(files.read(lambda key: IN_CONTROL.search(key) is not None))


def detect(control: dict[str, Tensor], metadata: dict[str, str] | None = None) -> CogVideoXControlConfig:
    """Read block and slot counts from the tensors.

    Raises:
        ValueError: blocks and combine linears disagree, or an unknown number of condition slots.
    """
    dim, in_features = control["initial_combine_linear.weight"].shape
    if in_features % dim:
        raise ValueError(f"Expected 1, 3 or 5 condition slots of {dim} channels, found {in_features / dim:g}: this is not a PAM control.")
    blocks = {int(key.split(".")[1]) for key in control if key.startswith("transformer_blocks_copy.")}
    linears = {int(key.split(".")[1]) for key in control if key.startswith("combine_linears.")}
    if blocks != set(range(len(blocks))) or blocks != linears:
        raise ValueError(
            f"Expected as many copied blocks as combine linears, found {len(blocks)} and {len(linears)}: "
            "the file is truncated, download or save it again."
        )
    named = tuple((metadata or {}).get("pam.slots", "").split(",")) if (metadata or {}).get("pam.slots") else ()
    slots = named or SLOTS_BY_COUNT.get(in_features // dim, ())
    if len(slots) * dim != in_features or not set(slots) <= set(RELEASED_SLOTS):
        raise ValueError(
            f"Expected 1, 3 or 5 condition slots, found {in_features // dim}: name them in the file's metadata, for example "
            "pam.slots = depth,keypoints."
        )
    return CogVideoXControlConfig(
        dim=dim,
        num_blocks=len(blocks),
        head_dim=control["transformer_blocks_copy.0.attn1.norm_q.weight"].shape[0],
        time_dim=control["transformer_blocks_copy.0.norm1.linear.weight"].shape[1],
        slots=slots,
    )


def to_module_keys(control: dict[str, Tensor], config: CogVideoXControlConfig) -> dict[str, Tensor]:
    """Released tensors as the module's: ``initial_combine_linear`` cut by slot, and its sum for the hidden state."""
    keys = {key: value for key, value in control.items() if not key.startswith("initial_combine_linear.")}
    weight = control["initial_combine_linear.weight"]
    slots = weight.split(config.dim, dim=1)
    for index, part in enumerate(slots):
        keys[f"slot_linears.{index}.weight"] = part.contiguous()
    keys["slot_linears.0.bias"] = control["initial_combine_linear.bias"]
    keys["hidden_linear.weight"] = torch.stack([part.float() for part in slots]).sum(0)
    return keys


def from_module_keys(keys: dict[str, Tensor], config: CogVideoXControlConfig) -> dict[str, Tensor]:
    """The inverse of ``to_module_keys``: what a control-only file holds."""
    control = {key: value for key, value in keys.items() if not key.startswith(("slot_linears.", "hidden_linear."))}
    control["initial_combine_linear.weight"] = torch.cat([keys[f"slot_linears.{i}.weight"] for i in range(len(config.slots))], dim=1)
    control["initial_combine_linear.bias"] = keys["slot_linears.0.bias"]
    return control


def metadata_of(config: CogVideoXControlConfig) -> dict[str, str]:
    """Header of a control-only file: what its tensors alone do not tell."""
    return {"pam.kind": "hoi_control_cogvideox", "pam.slots": ",".join(config.slots)}
