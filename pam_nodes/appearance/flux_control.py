"""HOI ControlNet for Flux: one network for the released double ControlNet, XLabs-style nets and the paper's design.

Layout and rules: PAM section 3.2 (two copied double blocks, zero-initialised outputs) and the released code's key names,
which are those of XLabs' ControlNetFlux. ``operations`` supplies the layer classes, so that a host can cast and offload
weights; with the default ``torch.nn`` the same class trains and runs on diffusers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention, silu

ROPE_AXES = (16, 56, 56)
ROPE_THETA = 10000.0


@dataclass(frozen=True)
class FluxControlConfig:
    """What a checkpoint holds.

    Attributes:
        hidden_size: width D; a multiple of 128, the head size of Flux.
        depth: number of copied double blocks in each branch.
        context_dim, vec_dim: width of the T5 tokens and of the pooled CLIP vector.
        guidance: True if the net embeds the distilled guidance scale.
        branches: condition names each branch reads, in channel order.
        encoding: "pixel" (RGB through a convolution stack, as released) or "latent" (VAE latents, as in the paper).
        injection: "repeat" adds residual i mod depth after every double block (released); "first" residual i after block i (paper).
    """

    hidden_size: int
    depth: int
    context_dim: int
    vec_dim: int
    guidance: bool
    branches: tuple[tuple[str, ...], ...]
    encoding: str = "pixel"
    injection: str = "repeat"

    @property
    def conditions(self) -> tuple[str, ...]:
        """All condition names in the channel order of the hint."""
        return tuple(name for branch in self.branches for name in branch)


def timestep_embedding(t: Tensor, dim: int = 256) -> Tensor:
    """Sinusoid of a time in 0..1: (B,) -> (B, dim), cosines first, frequencies 1..1/10000 of 1000 t."""
    freqs = torch.exp(-math.log(10000.0) * torch.arange(dim // 2, device=t.device, dtype=torch.float32) / (dim // 2))
    args = 1000.0 * t.float()[:, None] * freqs
    return torch.cat([args.cos(), args.sin()], dim=-1)


def rotary_table(height: int, width: int, text_length: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosines and sines (text_length + height * width, 64) of Flux's positions: text at 0, image tokens at (0, row, column)."""
    rows, columns = torch.meshgrid(torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij")
    ids = torch.zeros(text_length + height * width, len(ROPE_AXES), device=device, dtype=torch.float64)
    ids[text_length:, 1], ids[text_length:, 2] = rows.flatten().double(), columns.flatten().double()
    angles = []
    for axis, dim in enumerate(ROPE_AXES):
        omega = ROPE_THETA ** (-torch.arange(0, dim, 2, device=device, dtype=torch.float64) / dim)
        angles.append(ids[:, axis, None] * omega)
    table = torch.cat(angles, dim=-1)
    return table.cos().float(), table.sin().float()


def rotate(x: Tensor, table: tuple[Tensor, Tensor]) -> Tensor:
    """Turn interleaved pairs of (B, heads, S, 128) by the table's angles."""
    cos, sin = table
    even, odd = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1).flatten(-2).to(x.dtype)


def pack(latent: Tensor) -> Tensor:
    """2 x 2 patches of (B, C, H, W) as tokens (B, H/2 * W/2, 4 C), channel-major like Flux."""
    b, c, h, w = latent.shape
    return latent.reshape(b, c, h // 2, 2, w // 2, 2).permute(0, 2, 4, 1, 3, 5).reshape(b, h * w // 4, c * 4)


class MLPEmbedder(nn.Module):
    """Two linear layers with SiLU between."""

    def __init__(self, in_dim: int, dim: int, ops, **factory):
        super().__init__()
        self.in_layer = ops.Linear(in_dim, dim, **factory)
        self.out_layer = ops.Linear(dim, dim, **factory)

    def forward(self, x: Tensor) -> Tensor:
        return self.out_layer(silu(self.in_layer(x)))


class QKNorm(nn.Module):
    """RMS norm of queries and keys over the head size."""

    def __init__(self, dim: int, ops, **factory):
        super().__init__()
        self.query_norm = ops.RMSNorm(dim, eps=1e-6, **factory)
        self.key_norm = ops.RMSNorm(dim, eps=1e-6, **factory)


class StreamAttention(nn.Module):
    """Projections of one stream; attention itself joins the two streams."""

    def __init__(self, dim: int, num_heads: int, ops, **factory):
        super().__init__()
        self.num_heads = num_heads
        self.qkv = ops.Linear(dim, 3 * dim, **factory)
        self.norm = QKNorm(dim // num_heads, ops, **factory)
        self.proj = ops.Linear(dim, dim, **factory)

    def heads(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        q, k, v = self.qkv(x).unflatten(-1, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        return self.norm.query_norm(q).to(v), self.norm.key_norm(k).to(v), v


class Modulation(nn.Module):
    """Shift, scale and gate of the attention and of the MLP half, from the conditioning vector."""

    def __init__(self, dim: int, ops, **factory):
        super().__init__()
        self.lin = ops.Linear(dim, 6 * dim, **factory)

    def forward(self, vec: Tensor) -> tuple[Tensor, ...]:
        return self.lin(silu(vec))[:, None].chunk(6, dim=-1)


class DoubleBlock(nn.Module):
    """Flux's two-stream block."""

    def __init__(self, dim: int, num_heads: int, ops, **factory):
        super().__init__()
        for stream in ("img", "txt"):
            setattr(self, f"{stream}_mod", Modulation(dim, ops, **factory))
            setattr(self, f"{stream}_attn", StreamAttention(dim, num_heads, ops, **factory))
            mlp = {"0": ops.Linear(dim, 4 * dim, **factory), "2": ops.Linear(4 * dim, dim, **factory)}
            setattr(self, f"{stream}_mlp", nn.ModuleDict(mlp))
        self.norm = ops.LayerNorm(dim, eps=1e-6, elementwise_affine=False, **factory)

    def forward(self, img: Tensor, txt: Tensor, vec: Tensor, table: tuple[Tensor, Tensor], attention) -> tuple[Tensor, Tensor]:
        img_mod, txt_mod = self.img_mod(vec), self.txt_mod(vec)
        img_q, img_k, img_v = self.img_attn.heads(self._modulated(img, *img_mod[:2]))
        txt_q, txt_k, txt_v = self.txt_attn.heads(self._modulated(txt, *txt_mod[:2]))
        q, k, v = torch.cat([txt_q, img_q], 2), torch.cat([txt_k, img_k], 2), torch.cat([txt_v, img_v], 2)
        mixed = attention(rotate(q, table), rotate(k, table), v).transpose(1, 2).flatten(2)
        txt_mixed, img_mixed = mixed.split([txt.shape[1], img.shape[1]], dim=1)
        img = self._finish(img, img_mixed, img_mod, self.img_attn, self.img_mlp)
        txt = self._finish(txt, txt_mixed, txt_mod, self.txt_attn, self.txt_mlp)
        return img, txt

    def _modulated(self, x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
        return (1 + scale) * self.norm(x) + shift

    def _finish(self, x: Tensor, mixed: Tensor, mod: tuple[Tensor, ...], attn: StreamAttention, mlp: nn.ModuleDict) -> Tensor:
        _, _, gate, mlp_shift, mlp_scale, mlp_gate = mod
        x = x + gate * attn.proj(mixed)
        return x + mlp_gate * mlp["2"](gelu(mlp["0"](self._modulated(x, mlp_shift, mlp_scale)), approximate="tanh"))


class PixelHint(nn.Sequential):
    """RGB conditions (B, C, 8h, 8w) in -1..1 to 16 channels at 1/8 size: eight 3x3 convolutions, three of them with stride 2."""

    def __init__(self, channels: int, ops, **factory):
        layers: list[nn.Module] = []
        for index, stride in enumerate((1, 1, 2, 1, 2, 1, 2, 1)):
            layers += [ops.Conv2d(channels if index == 0 else 16, 16, 3, stride=stride, padding=1, **factory), nn.SiLU()]
        super().__init__(*layers[:-1])


class FluxControlBranch(nn.Module):
    """One ControlNet: the start of Flux with its first ``depth`` double blocks, fed with one group of conditions."""

    def __init__(self, config: FluxControlConfig, conditions: tuple[str, ...], ops, **factory):
        super().__init__()
        dim = config.hidden_size
        self.guidance = config.guidance
        self.img_in = ops.Linear(64, dim, **factory)
        self.txt_in = ops.Linear(config.context_dim, dim, **factory)
        self.time_in = MLPEmbedder(256, dim, ops, **factory)
        self.vector_in = MLPEmbedder(config.vec_dim, dim, ops, **factory)
        if config.guidance:
            self.guidance_in = MLPEmbedder(256, dim, ops, **factory)
        self.double_blocks = nn.ModuleList(DoubleBlock(dim, dim // sum(ROPE_AXES), ops, **factory) for _ in range(config.depth))
        self.controlnet_blocks = nn.ModuleList(ops.Linear(dim, dim, **factory) for _ in range(config.depth))
        if config.encoding == "pixel":
            self.input_hint_block = PixelHint(3 * len(conditions), ops, **factory)
            self.pos_embed_input = ops.Linear(64, dim, **factory)
        else:
            self.pos_embed_input = ops.Linear(64 * len(conditions), dim, **factory)

    def encode_hint(self, hint: Tensor) -> Tensor:
        """Tokens of a condition group, which do not depend on the step: RGB (B, 3n, 8h, 8w) or latents (B, 16n, h, w)."""
        if hasattr(self, "input_hint_block"):
            hint = self.input_hint_block(hint)
        return self.pos_embed_input(pack(hint))

    def forward(self, x, hint_tokens, timesteps, context, y, guidance, table, attention) -> list[Tensor]:
        img = self.img_in(x) + hint_tokens
        txt = self.txt_in(context)
        vec = self.time_in(timestep_embedding(timesteps).to(x.dtype)) + self.vector_in(y)
        if self.guidance and guidance is not None:
            vec = vec + self.guidance_in(timestep_embedding(guidance).to(x.dtype))
        residuals = []
        for block, out in zip(self.double_blocks, self.controlnet_blocks, strict=True):
            img, txt = block(img, txt, vec, table, attention)
            residuals.append(out(img))
        return residuals


class HOIFluxControl(nn.Module):
    """The HOI ControlNet: one or two branches whose residuals are summed (PAM section 3.2, released ``DoubleControl``)."""

    def __init__(self, config: FluxControlConfig, operations=nn, device=None, dtype=None):
        super().__init__()
        self.config = config
        self.dtype = dtype or torch.float32
        factory = {"device": device, "dtype": dtype}
        for index, conditions in enumerate(config.branches, start=1):
            setattr(self, f"controlnet{index}", FluxControlBranch(config, conditions, operations, **factory))

    def branches(self) -> list[FluxControlBranch]:
        """The ControlNets in the order of ``config.branches``."""
        return [getattr(self, f"controlnet{index}") for index in range(1, len(self.config.branches) + 1)]

    def encode_hint(self, hint: Tensor) -> list[Tensor]:
        """Split the hint by branch and encode it once per generation. Channels follow ``config.conditions``."""
        width = 3 if self.config.encoding == "pixel" else 16
        groups = hint.split([width * len(names) for names in self.config.branches], dim=1)
        return [branch.encode_hint(group) for branch, group in zip(self.branches(), groups, strict=True)]

    def forward(
        self,
        x: Tensor,
        hint_tokens: list[Tensor],
        timesteps: Tensor,
        context: Tensor,
        y: Tensor,
        guidance: Tensor | None = None,
        attention=scaled_dot_product_attention,
    ) -> list[Tensor]:
        """Residuals of one denoising step.

        Args:
            x: (B, 16, h, w) noisy latent.
            hint_tokens: from ``encode_hint``, one (B, h/2 * w/2, D) a branch.
            timesteps: (B,) in 0..1 (1 is noise). guidance: (B,) scale or None.
            context: (B, L, context_dim) T5 tokens. y: (B, vec_dim) pooled CLIP vector.
            attention: maps (B, heads, S, 128) q, k, v to the same shape.

        Returns:
            ``depth`` tensors (B, h/2 * w/2, D), summed over the branches.
        """
        table = rotary_table(x.shape[2] // 2, x.shape[3] // 2, context.shape[1], x.device)
        tokens = pack(x)
        total: list[Tensor] | None = None
        for branch, hint in zip(self.branches(), hint_tokens, strict=True):
            residuals = branch(tokens, hint, timesteps, context, y, guidance, table, attention)
            total = residuals if total is None else [a + b for a, b in zip(total, residuals, strict=True)]
        return total

    def placed(self, residuals: list[Tensor], num_blocks: int) -> list[Tensor | None]:
        """The residual that belongs after each of the base model's double blocks, by the checkpoint's injection rule."""
        if self.config.injection == "repeat":
            return [residuals[i % len(residuals)] for i in range(num_blocks)]
        return (residuals + [None] * num_blocks)[:num_blocks]
