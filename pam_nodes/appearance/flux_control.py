"""HOI ControlNet for Flux: one network for the released double ControlNet, XLabs-style nets and the paper's design.

Layout and rules: PAM section 3.2 (two copied double blocks, zero-initialised outputs) and the released code's key names,
which are those of XLabs' ControlNetFlux. ``operations`` supplies the layer classes, so that a host can cast and offload
weights; with the default ``torch.nn`` the same class trains and runs on diffusers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from .flux_blocks import ROPE_AXES, DoubleBlock, MLPEmbedder, PixelHint, pack, rotary_table, timestep_embedding

INJECTIONS = ("repeat", "first")


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
        style: "dexycb" or "oakink2", whose colours it was trained with; empty if that is not known.
    """

    hidden_size: int
    depth: int
    context_dim: int
    vec_dim: int
    guidance: bool
    branches: tuple[tuple[str, ...], ...]
    encoding: str = "pixel"
    injection: str = "repeat"
    style: str = ""

    @property
    def conditions(self) -> tuple[str, ...]:
        """All condition names in the channel order of the hint."""
        return tuple(name for branch in self.branches for name in branch)


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
        residuals: list[Tensor] = []
        for block, out in zip(self.double_blocks, self.controlnet_blocks, strict=True):
            img, txt = block(img, txt, vec, table, attention, last=len(residuals) + 1 == len(self.double_blocks))
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
        table: tuple[Tensor, Tensor] | None = None,
        strengths: Sequence[float] | None = None,
    ) -> list[Tensor]:
        """Residuals of one denoising step.

        Args:
            x: (B, 16, h, w) noisy latent.
            hint_tokens: from ``encode_hint``, one (B, h/2 * w/2, D) a branch.
            timesteps: (B,) in 0..1 (1 is noise). guidance: (B,) scale or None.
            context: (B, L, context_dim) T5 tokens. y: (B, vec_dim) pooled CLIP vector.
            attention: maps (B, heads, S, 128) q, k, v to the same shape.
            table: ``rotary_table(h/2, w/2, L)``, which is the same in every step; None computes it.
            strengths: factor of each branch's residuals, 1 as released; a branch of factor 0 is not computed.

        Returns:
            ``depth`` tensors (B, h/2 * w/2, D), summed over the branches.
        """
        if table is None:
            table = rotary_table(x.shape[2] // 2, x.shape[3] // 2, context.shape[1], x.device)
        tokens = pack(x)
        factors = strengths or [1.0] * len(self.config.branches)
        total: list[Tensor] | None = None
        for branch, hint, factor in zip(self.branches(), hint_tokens, factors, strict=True):
            if factor == 0:
                continue
            residuals = branch(tokens, hint, timesteps, context, y, guidance, table, attention)
            if factor != 1:
                residuals = [residual * factor for residual in residuals]
            total = residuals if total is None else [a + b for a, b in zip(total, residuals, strict=True)]
        return total or [tokens.new_zeros(1, 1, 1) for _ in range(self.config.depth)]

    def placed(self, residuals: list[Tensor], num_blocks: int) -> list[Tensor | None]:
        """The residual that belongs after each of the base model's double blocks, by the checkpoint's injection rule."""
        if self.config.injection == "repeat":
            return [residuals[i % len(residuals)] for i in range(num_blocks)]
        return (residuals + [None] * num_blocks)[:num_blocks]
