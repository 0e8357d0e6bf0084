"""New control networks, started from the base model they are to steer (pam_reference 2.1, 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..appearance.flux_control import FluxControlConfig, HOIFluxControl
from ..motion.control import CogVideoXControlConfig, HOICogVideoXControl
from ..weights import require_complete
from .config import ControlDesign

EMBEDDERS = {
    "img_in": "x_embedder",
    "txt_in": "context_embedder",
    "time_in.in_layer": "time_text_embed.timestep_embedder.linear_1",
    "time_in.out_layer": "time_text_embed.timestep_embedder.linear_2",
    "guidance_in.in_layer": "time_text_embed.guidance_embedder.linear_1",
    "guidance_in.out_layer": "time_text_embed.guidance_embedder.linear_2",
    "vector_in.in_layer": "time_text_embed.text_embedder.linear_1",
    "vector_in.out_layer": "time_text_embed.text_embedder.linear_2",
}
STREAMS = {
    "img": ("norm1.linear", ("attn.to_q", "attn.to_k", "attn.to_v"), "attn.norm_q", "attn.norm_k", "attn.to_out.0", "ff.net"),
    "txt": (
        "norm1_context.linear",
        ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
        "attn.norm_added_q",
        "attn.norm_added_k",
        "attn.to_add_out",
        "ff_context.net",
    ),
}
"""Names in diffusers' blocks: modulation, queries, keys and values, their norms, output, feed-forward."""


def new_flux_control(design: ControlDesign, transformer: nn.Module) -> HOIFluxControl:
    """A ControlNet of copies of the base model's first double blocks, whose residuals are zero."""
    base = transformer.config
    config = FluxControlConfig(
        hidden_size=base.num_attention_heads * base.attention_head_dim,
        depth=design.blocks,
        context_dim=base.joint_attention_dim,
        vec_dim=base.pooled_projection_dim,
        guidance=base.guidance_embeds,
        branches=design.conditions,
        encoding=design.encoding,
        injection=design.injection,
        style=design.style,
    )
    if design.blocks > base.num_layers:
        raise ValueError(f"Expected at most {base.num_layers} copied blocks, as the base model has, found {design.blocks}.")
    control = HOIFluxControl(config)
    copied = flux_names(transformer.state_dict(), design.blocks)
    for branch in control.branches():
        own = branch.state_dict()
        branch.load_state_dict(own | {name: value.float() for name, value in copied.items() if name in own})
        _zero(*branch.controlnet_blocks)
        if design.zero_start:
            _zero(branch.input_hint_block[-1] if config.encoding == "pixel" else branch.pos_embed_input)
    return control


def flux_names(state: dict[str, Tensor], blocks: int) -> dict[str, Tensor]:
    """Embedders and first double blocks of diffusers' Flux under the names of the ControlNet, which are those of Flux's authors."""
    found = {}
    for ours, theirs in EMBEDDERS.items():
        found |= {f"{ours}.{part}": state[f"{theirs}.{part}"] for part in ("weight", "bias") if f"{theirs}.{part}" in state}
    for block in range(blocks):
        for stream, (mod, qkv, norm_q, norm_k, out, mlp) in STREAMS.items():
            here, there = f"double_blocks.{block}.{stream}", f"transformer_blocks.{block}."
            found[f"{here}_attn.norm.query_norm.weight"] = state[f"{there}{norm_q}.weight"]
            found[f"{here}_attn.norm.key_norm.weight"] = state[f"{there}{norm_k}.weight"]
            for part in ("weight", "bias"):
                found[f"{here}_mod.lin.{part}"] = state[f"{there}{mod}.{part}"]
                found[f"{here}_attn.qkv.{part}"] = torch.cat([state[f"{there}{name}.{part}"] for name in qkv])
                found[f"{here}_attn.proj.{part}"] = state[f"{there}{out}.{part}"]
                found[f"{here}_mlp.0.{part}"] = state[f"{there}{mlp}.0.proj.{part}"]
                found[f"{here}_mlp.2.{part}"] = state[f"{there}{mlp}.2.{part}"]
    return found


def new_cogvideox_control(design: ControlDesign, transformer: nn.Module) -> HOICogVideoXControl:
    """A control of copies of the base model's first blocks, whose residuals are zero."""
    base = transformer.config
    dim = base.num_attention_heads * base.attention_head_dim
    if design.blocks > base.num_layers:
        raise ValueError(f"Expected at most {base.num_layers} copied blocks, as the base model has, found {design.blocks}.")
    control = HOICogVideoXControl(
        CogVideoXControlConfig(dim, design.blocks, base.attention_head_dim, base.time_embed_dim, design.conditions[0])
    )
    for copy, block in zip(control.transformer_blocks_copy, transformer.transformer_blocks, strict=False):
        copied = {name: value.float() for name, value in block.state_dict().items()}
        require_complete(copy, copied, "block of CogVideoX")
        copy.load_state_dict(copied)
    _zero(*control.combine_linears)
    for linear in control.slot_linears:
        if design.zero_start:
            _zero(linear)
        else:
            nn.init.normal_(linear.weight, std=0.04)
    return control


def _zero(*layers: nn.Module) -> None:
    """Start layers at zero, as ControlNets do (Zhang et al. 2023)."""
    for layer in layers:
        for parameter in layer.parameters():
            nn.init.zeros_(parameter)
