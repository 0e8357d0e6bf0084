"""The parts of Flux that a control network copies: positions, embedders and the two-stream block.

Every class takes the layer classes (``ops``) from outside, so that a host can cast and offload the weights.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, silu

ROPE_AXES = (16, 56, 56)
ROPE_THETA = 10000.0


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
    """Flux's two-stream block; ``last`` leaves out the text stream's end, which nothing reads after the last block."""

    def __init__(self, dim: int, num_heads: int, ops, **factory):
        super().__init__()
        for stream in ("img", "txt"):
            setattr(self, f"{stream}_mod", Modulation(dim, ops, **factory))
            setattr(self, f"{stream}_attn", StreamAttention(dim, num_heads, ops, **factory))
            mlp = {"0": ops.Linear(dim, 4 * dim, **factory), "2": ops.Linear(4 * dim, dim, **factory)}
            setattr(self, f"{stream}_mlp", nn.ModuleDict(mlp))
        self.norm = ops.LayerNorm(dim, eps=1e-6, elementwise_affine=False, **factory)

    def forward(self, img: Tensor, txt: Tensor, vec: Tensor, table: tuple[Tensor, Tensor], attention, last: bool = False):
        img_mod, txt_mod = self.img_mod(vec), self.txt_mod(vec)
        img_q, img_k, img_v = self.img_attn.heads(self._modulated(img, *img_mod[:2]))
        txt_q, txt_k, txt_v = self.txt_attn.heads(self._modulated(txt, *txt_mod[:2]))
        q, k, v = torch.cat([txt_q, img_q], 2), torch.cat([txt_k, img_k], 2), torch.cat([txt_v, img_v], 2)
        mixed = attention(rotate(q, table), rotate(k, table), v).transpose(1, 2).flatten(2)
        txt_mixed, img_mixed = mixed.split([txt.shape[1], img.shape[1]], dim=1)
        img = self._finish(img, img_mixed, img_mod, self.img_attn, self.img_mlp)
        return img, txt if last else self._finish(txt, txt_mixed, txt_mod, self.txt_attn, self.txt_mlp)

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
