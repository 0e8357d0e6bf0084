"""HOI control of CogVideoX: copies of its first blocks, fed with condition latents (PAM section 3.3).

Key names are those of the released checkpoint (``transformer_blocks_copy``, ``combine_linears``,
``initial_combine_linear``). ``operations`` supplies the layer classes as in ``appearance.flux_control``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, linear, scaled_dot_product_attention, silu

from .positions import Rotary

RELEASED_SLOTS = ("tracking", "normals", "depth", "segmentation", "keypoints")
PAPER_SLOTS = ("depth", "segmentation", "keypoints")


@dataclass(frozen=True)
class CogVideoXControlConfig:
    """What a control checkpoint holds: ``dim`` wide, ``num_blocks`` copied blocks, one slot for each named condition."""

    dim: int
    num_blocks: int
    head_dim: int
    time_dim: int
    slots: tuple[str, ...]


class ZeroNorm(nn.Module):
    """Layer norm of both streams with shift, scale and gate from the time embedding."""

    def __init__(self, time_dim: int, dim: int, ops, **factory):
        super().__init__()
        self.linear = ops.Linear(time_dim, 6 * dim, **factory)
        self.norm = ops.LayerNorm(dim, eps=1e-5, **factory)

    def forward(self, video: Tensor, text: Tensor, temb: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        shift, scale, gate, text_shift, text_scale, text_gate = self.linear(silu(temb))[:, None].chunk(6, dim=-1)
        return self.norm(video) * (1 + scale) + shift, self.norm(text) * (1 + text_scale) + text_shift, gate, text_gate


class JointAttention(nn.Module):
    """Attention over text and video tokens; rotary positions on the video part only."""

    def __init__(self, dim: int, head_dim: int, ops, **factory):
        super().__init__()
        self.head_dim = head_dim
        self.to_q = ops.Linear(dim, dim, **factory)
        self.to_k = ops.Linear(dim, dim, **factory)
        self.to_v = ops.Linear(dim, dim, **factory)
        self.norm_q = ops.LayerNorm(head_dim, eps=1e-6, **factory)
        self.norm_k = ops.LayerNorm(head_dim, eps=1e-6, **factory)
        self.to_out = nn.ModuleList([ops.Linear(dim, dim, **factory)])

    def forward(self, x: Tensor, text_length: int, rotary: Rotary | None, attention) -> Tensor:
        q, k, v = (to(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2) for to in (self.to_q, self.to_k, self.to_v))
        q, k = self.norm_q(q).to(v), self.norm_k(k).to(v)
        if rotary is not None:
            q, k = _rotate_video(q, text_length, rotary), _rotate_video(k, text_length, rotary)
        return self.to_out[0](attention(q, k, v).transpose(1, 2).flatten(2))


def _rotate_video(x: Tensor, text_length: int, rotary: Rotary) -> Tensor:
    cos, sin = rotary
    text, video = x[:, :, :text_length], x[:, :, text_length:]
    even, odd = video.float().unflatten(-1, (-1, 2)).unbind(-1)
    turned = torch.stack([-odd, even], dim=-1).flatten(-2)
    return torch.cat([text, (video.float() * cos + turned * sin).to(x.dtype)], dim=2)


class FeedForward(nn.Module):
    """GELU (tanh) MLP; ``net`` keeps diffusers' key names."""

    def __init__(self, dim: int, ops, **factory):
        super().__init__()
        first = nn.Module()
        first.proj = ops.Linear(dim, 4 * dim, **factory)
        self.net = nn.ModuleDict({"0": first, "2": ops.Linear(4 * dim, dim, **factory)})

    def forward(self, x: Tensor) -> Tensor:
        return self.net["2"](gelu(self.net["0"].proj(x), approximate="tanh"))


class ControlBlock(nn.Module):
    """A CogVideoX block whose text output is thrown away."""

    def __init__(self, config: CogVideoXControlConfig, ops, **factory):
        super().__init__()
        self.norm1 = ZeroNorm(config.time_dim, config.dim, ops, **factory)
        self.attn1 = JointAttention(config.dim, config.head_dim, ops, **factory)
        self.norm2 = ZeroNorm(config.time_dim, config.dim, ops, **factory)
        self.ff = FeedForward(config.dim, ops, **factory)

    def forward(self, video: Tensor, text: Tensor, temb: Tensor, rotary: Rotary | None, attention) -> Tensor:
        length = text.shape[1]
        video_in, text_in, gate, _ = self.norm1(video, text, temb)
        mixed = self.attn1(torch.cat([text_in, video_in], dim=1), length, rotary, attention)
        video = video + gate * mixed[:, length:]
        video_in, _, gate, _ = self.norm2(video, text[:, :0], temb)  # nobody reads the text from here on
        return video + gate * self.ff(video_in)


class HOICogVideoXControl(nn.Module):
    """The control branch. The released file's ``initial_combine_linear`` [D, slots * D] is held as one linear a slot.

    Its start is c0 = sum_k W_k (h + tokens_k) + b (specs: released code, forward step 4) and is split into
    ``start(h)`` each step and ``constant(tokens)`` once a clip.
    """

    def __init__(self, config: CogVideoXControlConfig, operations=nn, device=None, dtype=None):
        super().__init__()
        self.config = config
        self.dtype = dtype or torch.float32
        factory = {"device": device, "dtype": dtype}
        dim = config.dim
        self.slot_linears = nn.ModuleList(operations.Linear(dim, dim, bias=index == 0, **factory) for index in range(len(config.slots)))
        self.hidden_linear = operations.Linear(dim, dim, bias=False, **factory)
        self.transformer_blocks_copy = nn.ModuleList(ControlBlock(config, operations, **factory) for _ in range(config.num_blocks))
        self.combine_linears = nn.ModuleList(operations.Linear(dim, dim, **factory) for _ in range(config.num_blocks))

    def constant(self, slot_tokens: Iterable[Tensor]) -> Tensor:
        """The part of the start that does not depend on the step: sum_k W_k tokens_k + b, tokens (1, S, D) in slot order.

        An iterator is used up slot by slot, so that only one slot's tokens need be held at a time.
        """
        return sum(part(tokens) for part, tokens in zip(self.slot_linears, slot_tokens, strict=True))

    def start(self, hidden: Tensor, constant: Tensor) -> Tensor:
        """Control state before the first block: ``hidden`` (B, S, D) video tokens after the base model's patch embedding."""
        return self.hidden_linear(hidden) + constant

    def released_start(self, hidden: Tensor, slot_tokens: list[Tensor]) -> Tensor:
        """The same without the split, in the released order of sums: equal to the last bit, five times the work.

        For proofs and training on plain layers; ``hidden`` (B, S, D), tokens (1 or B, S, D) in slot order.
        """
        weight = torch.cat([part.weight for part in self.slot_linears], dim=1)
        return linear(torch.cat([hidden + tokens for tokens in slot_tokens], dim=-1), weight, self.slot_linears[0].bias)

    def step(self, index: int, state: Tensor, text: Tensor, temb: Tensor, rotary: Rotary | None, attention=scaled_dot_product_attention):
        """Advance by one copied block. The projected result is both the residual and the next block's input.

        Args:
            index: which block. state: (B, S, D) from ``start`` or the last ``step``.
            text: (B, L, D) text tokens after base block ``index``. temb: (B, time_dim).
        """
        return self.combine_linears[index](self.transformer_blocks_copy[index](state, text, temb, rotary, attention))
