"""PAM's released appearance rules by an independent implementation: diffusers' Flux and ControlNets, the released Euler loop.

``python tests/appearance/reference.py`` writes ``golden/released.npz``. Nothing here imports the pack. The rules are those of
pam_reference.md 2.2 and 2.3: two nets of 6 pixel channels, residuals summed, residual i mod 2 after every double block, guidance 4
for base and nets, 28 Euler steps with the shift of the short token count. Everything is small, and computed in float64 from numbers
that NumPy's frozen generator draws, so that every version of torch starts from the same.
"""

import math
import zlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from diffusers import FluxControlNetModel, FluxTransformer2DModel
from torch import nn

GOLDEN = Path(__file__).parent / "golden" / "released.npz"
HEIGHT, WIDTH, TEXT = 6, 8, 5
STEPS = 28
NARROW = {
    "patch_size": 1, "in_channels": 64, "num_single_layers": 1, "attention_head_dim": 128, "num_attention_heads": 1,
    "joint_attention_dim": 48, "pooled_projection_dim": 32, "guidance_embeds": True, "axes_dims_rope": (16, 56, 56),
}  # fmt: skip
RENAMED = {
    "x_embedder": "img_in",
    "context_embedder": "txt_in",
    "controlnet_x_embedder": "pos_embed_input",
    "time_text_embed.timestep_embedder.linear_1": "time_in.in_layer",
    "time_text_embed.timestep_embedder.linear_2": "time_in.out_layer",
    "time_text_embed.guidance_embedder.linear_1": "guidance_in.in_layer",
    "time_text_embed.guidance_embedder.linear_2": "guidance_in.out_layer",
    "time_text_embed.text_embedder.linear_1": "vector_in.in_layer",
    "time_text_embed.text_embedder.linear_2": "vector_in.out_layer",
    "norm1.linear": "img_mod.lin",
    "norm1_context.linear": "txt_mod.lin",
    "attn.to_out.0": "img_attn.proj",
    "attn.to_add_out": "txt_attn.proj",
    "attn.norm_q": "img_attn.norm.query_norm",
    "attn.norm_k": "img_attn.norm.key_norm",
    "attn.norm_added_q": "txt_attn.norm.query_norm",
    "attn.norm_added_k": "txt_attn.norm.key_norm",
    "ff.net.0.proj": "img_mlp.0",
    "ff.net.2": "img_mlp.2",
    "ff_context.net.0.proj": "txt_mlp.0",
    "ff_context.net.2": "txt_mlp.2",
    "input_hint_block.conv_in": "input_hint_block.0",
    **{f"input_hint_block.blocks.{i}": f"input_hint_block.{2 * i + 2}" for i in range(6)},
    "input_hint_block.conv_out": "input_hint_block.14",
}
"""diffusers' names -> the released ones (pam_reference.md 2.1)."""


def numbers(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Standard normal float32 numbers that depend on the name alone."""
    drawn = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape)
    return torch.from_numpy(drawn.astype(np.float32))


def filled(module: nn.Module, name: str) -> nn.Module:
    """Every parameter from ``numbers``, at a size that keeps activations near 1."""
    for key, parameter in module.named_parameters():
        value = numbers(f"{name}.{key}", tuple(parameter.shape))
        if key.endswith(("norm_q.weight", "norm_k.weight", "norm_added_q.weight", "norm_added_k.weight")):
            parameter.data = 1 + 0.1 * value
        elif parameter.ndim > 1:
            parameter.data = 0.8 * value / math.sqrt(parameter[0].numel())
        else:
            parameter.data = 0.1 * value
    return module.eval()


def base() -> FluxTransformer2DModel:
    """A Flux of three double blocks and a single one."""
    return filled(FluxTransformer2DModel(num_layers=3, **NARROW), "base")


def control_net(index: int, channels: int = 6) -> FluxControlNetModel:
    """One ControlNet of two double blocks on ``channels`` pixel channels."""
    net = FluxControlNetModel(num_layers=2, conditioning_embedding_channels=16, **{**NARROW, "patch_size": 2, "num_single_layers": 0})
    net.input_hint_block.conv_in = nn.Conv2d(channels, 16, 3, padding=1)
    return filled(net, f"controlnet{index}")


def released_names(net: FluxControlNetModel) -> dict[str, torch.Tensor]:
    """A ControlNet's tensors under the released names."""
    state, keys = dict(net.state_dict()), {}
    for stream, parts in (("img", "attn.to_{}"), ("txt", "attn.add_{}_proj")):
        for block in range(len(net.transformer_blocks)):
            for kind in ("weight", "bias"):
                joined = [state.pop(f"transformer_blocks.{block}.{parts.format(part)}.{kind}") for part in "qkv"]
                keys[f"double_blocks.{block}.{stream}_attn.qkv.{kind}"] = torch.cat(joined)
    for name, value in state.items():
        stem, kind = name.rsplit(".", 1)
        prefix = ""
        if stem.startswith("transformer_blocks."):
            block, stem = stem.split(".", 2)[1:]
            prefix = f"double_blocks.{block}."
        new = RENAMED.get(stem, stem)
        keys[f"{prefix}{new}.{'scale' if new.endswith('_norm') else kind}"] = value
    return keys


def checkpoint() -> dict[str, torch.Tensor]:
    """The double ControlNet in the released layout, 172 tensors."""
    return {f"controlnet{i}.{key}": value for i in (1, 2) for key, value in released_names(control_net(i)).items()}


def packed(latent: torch.Tensor) -> torch.Tensor:
    """Channel-major 2 x 2 patches of (B, C, h, w)."""
    return nn.functional.unfold(latent, 2, stride=2).movedim(1, 2)


def inputs() -> dict[str, torch.Tensor]:
    """Start noise, prompt and the hint: depth, normals, keypoints, segmentation as 12 channels in -1..1."""
    ids = torch.cartesian_prod(torch.zeros(1), torch.arange(HEIGHT // 2).float(), torch.arange(WIDTH // 2).float())
    return {
        "noise": numbers("noise", (1, 16, HEIGHT, WIDTH)),
        "hint": numbers("hint", (1, 12, 8 * HEIGHT, 8 * WIDTH)).sigmoid().mul(255).round().div(255) * 2 - 1,
        "context": numbers("context", (1, TEXT, 48)),
        "pooled": numbers("pooled", (1, 32)),
        "ids": ids,
    }


def released_levels() -> list[float]:
    """The 28 noise levels and 0, shifted for height * width / 256 tokens."""
    mu = 0.5 + (1.15 - 0.5) / (4096 - 256) * (HEIGHT * WIDTH // 256 - 256)
    t = torch.linspace(1, 0, STEPS + 1)
    return (math.exp(mu) / (math.exp(mu) + (1 / t - 1) ** 1.0)).tolist()


@torch.no_grad()
def sample(dtype: torch.dtype = torch.float64) -> dict[str, np.ndarray]:
    """Residuals of the first step (each (1, 12, D)), and the latent after all steps (1, 12, 64) in tokens."""
    flux, nets = base().to(dtype), [control_net(i).to(dtype) for i in (1, 2)]
    given = {name: value.to(dtype) for name, value in inputs().items()}
    x, levels, first = packed(given["noise"]), released_levels(), None
    for now, then in pairwise(levels):
        common = dict(
            hidden_states=x, encoder_hidden_states=given["context"], pooled_projections=given["pooled"],
            timestep=torch.full((1,), now, dtype=dtype), guidance=torch.full((1,), 4.0, dtype=dtype),
            img_ids=given["ids"], txt_ids=torch.zeros(TEXT, 3), return_dict=False,
        )  # fmt: skip
        pairs = [net(controlnet_cond=hint, **common)[0] for net, hint in zip(nets, given["hint"].split(6, dim=1), strict=True)]
        residuals = [a + b for a, b in zip(*pairs, strict=True)]
        first = first or residuals
        x = x + (then - now) * flux(controlnet_block_samples=residuals, controlnet_blocks_repeat=True, **common)[0]
    return {"residual_0": first[0].numpy(), "residual_1": first[1].numpy(), "latent": x.numpy()}


if __name__ == "__main__":
    GOLDEN.parent.mkdir(exist_ok=True)
    np.savez_compressed(GOLDEN, **sample())
