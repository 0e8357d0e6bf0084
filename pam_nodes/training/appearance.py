"""Flow matching of a first-frame model with its HOI ControlNet (PAM section 3.2; pam_reference 4.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ..appearance.flux_blocks import pack, rotary_table
from ..appearance.flux_control import HOIFluxControl
from ..dataset.shards import PICTURE, LatentStore
from .config import TrainConfig
from .draws import happens, mean_or_draw, random_time, weights

VALIDATION_TIMES = (0.15, 0.4, 0.65, 0.9)
TextIds = Callable[[str], dict[str, Tensor]]
"""Token ids of a prompt, where text encoders learn too."""


@dataclass(frozen=True)
class AppearanceDraw:
    """Samples for the trainee.

    Attributes:
        store: latents.
        config: masking and times.
        time: None draws it and masks conditions and prompt; a number fixes it and keeps everything, for validation.
        ids: in place of the store's text embeddings.
    """

    store: LatentStore
    config: TrainConfig
    time: float | None = None
    ids: TextIds | None = None
    absent: dict[str, Tensor] = field(init=False)

    def __post_init__(self):
        object.__setattr__(self, "absent", self.store.absent())

    def __call__(self, index: int, generator: torch.Generator) -> dict[str, Tensor]:
        """``x``, ``noise`` (16, h, w), ``t`` (), ``hint`` (3n, H, W) in -1..1 or (16n, h, w), and the text."""
        sample, masking, training = self.store.sample(index), self.config.masking, self.time is None
        x = mean_or_draw(sample, PICTURE, generator)
        noise = torch.randn(x.shape, generator=generator)
        t = random_time(self.config, generator) if training else torch.tensor(self.time)
        hints = []
        for name in self.config.names:
            masked = happens(masking.conditions.get(name, 0.0), generator) and training
            hints.append(self._hint(sample, None if masked or name in masking.never else name, generator))
        empty = happens(masking.prompt, generator) and training
        prompt = "" if empty else self.store.rows[index].prompt
        text = self.ids(prompt) if self.ids else {name: value.float() for name, value in self.store.text(prompt).items()}
        return {"x": x, "noise": noise, "t": t, "hint": torch.cat(hints), **weights(sample, self.config), **text}

    def _hint(self, sample: dict[str, Tensor], name: str | None, generator: torch.Generator) -> Tensor:
        """A condition, or the black picture for one that is absent."""
        if self.config.control.encoding == "pixel":
            known = name in sample
            picture = sample[name] if known else torch.zeros_like(next(sample[other] for other in self.config.names if other in sample))
            return picture.float() / 127.5 - 1
        return mean_or_draw(sample, name, generator) if name in sample else mean_or_draw(self.absent, PICTURE, generator)


class AppearanceTrainee(nn.Module):
    """Flux with its ControlNet as one function of a batch; its parameters are those that learn.

    Args:
        transformer: diffusers' FluxTransformer2DModel.
        control: the ControlNet.
        guidance: scale for a base model that embeds one.
        text: encoders that learn too: (t5 ids, clip ids) to (tokens, pooled). With them the transformer learns as well.
    """

    def __init__(self, transformer: nn.Module, control: HOIFluxControl, guidance: float, text: nn.Module | None = None):
        super().__init__()
        self.control, self.text, self.guidance = control, text, guidance
        if text is not None:
            self.transformer = transformer
        # A frozen base is not registered: checkpoints hold what learns alone, and no wrapper shards or synchronises the rest.
        self.base = [transformer]

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """(B,) mean squared error of the velocity, noise minus picture, of each sample."""
        x, noise, t = batch["x"], batch["noise"], batch["t"]
        mixed = torch.lerp(x, noise, t[:, None, None, None])
        velocity = self.velocity(mixed, t, batch["hint"], batch)
        error = (velocity.float() - pack(noise - x)) ** 2
        if "weight" in batch:
            error = error * pack(batch["weight"][:, None].expand_as(x))
        return error.flatten(1).mean(1)

    def velocity(self, x: Tensor, t: Tensor, hint: Tensor, batch: dict[str, Tensor]) -> Tensor:
        """Velocity (B, tokens, 64) of latents (B, 16, h, w) at times (B,), 1 is noise."""
        transformer = self.base[0]
        if self.text is None:
            tokens, pooled = batch["tokens"], batch["pooled"]
        else:
            tokens, pooled = self.text(batch["t5_ids"], batch["clip_ids"])
        guidance = torch.full_like(t, self.guidance) if transformer.config.guidance_embeds else None
        rows, columns = x.shape[2] // 2, x.shape[3] // 2
        table = rotary_table(rows, columns, tokens.shape[1], x.device)
        residuals = self.control(x, self.control.encode_hint(hint), t, tokens, pooled, guidance, table=table)
        nothing = x.new_zeros(1)
        placed = [nothing if part is None else part for part in self.control.placed(residuals, len(transformer.transformer_blocks))]
        return transformer(
            hidden_states=pack(x),
            encoder_hidden_states=tokens,
            pooled_projections=pooled,
            timestep=t,
            guidance=guidance,
            img_ids=_positions(rows, columns, x.device),
            txt_ids=torch.zeros(tokens.shape[1], 3, device=x.device),
            controlnet_block_samples=placed,
            return_dict=False,
        )[0]


def _positions(rows: int, columns: int, device: torch.device) -> Tensor:
    """(rows * columns, 3) positions of Flux's picture tokens."""
    ids = torch.zeros(rows, columns, 3, device=device)
    ids[..., 1] = torch.arange(rows, device=device)[:, None]
    ids[..., 2] = torch.arange(columns, device=device)
    return ids.reshape(-1, 3)
