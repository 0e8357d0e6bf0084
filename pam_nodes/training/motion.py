"""v-prediction of a video model with its HOI control (PAM section 3.3; pam_reference 4.3, 4.4).

The released loss is mean((x0_pred - x0)^2) / (1 - alpha_bar_t). With x_t = a x0 + s n and v = a n - s x0 the prediction is
x0_pred = a x_t - s v_pred, so x0_pred - x0 = -s (v_pred - v), and as s^2 = 1 - alpha_bar_t it is the mean squared error of v.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..dataset.shards import FIRST, PICTURE, LatentStore
from ..motion.control import HOICogVideoXControl
from ..motion.inject import controlled
from ..motion.positions import rotary
from ..motion.schedule import TRAIN_STEPS, alphas_cumprod
from .config import TrainConfig
from .draws import happens, mean_or_draw, random_time, weights

VALIDATION_TIMES = (150, 400, 650, 900)
TextIds = Callable[[str], dict[str, Tensor]]


@dataclass(frozen=True)
class MotionDraw:
    """Samples for the trainee (attributes as in ``AppearanceDraw``; ``time`` is a step of 0..999)."""

    store: LatentStore
    config: TrainConfig
    time: int | None = None
    ids: TextIds | None = None

    def __call__(self, index: int, generator: torch.Generator) -> dict[str, Tensor]:
        """``x``, ``noise`` (T', 16, h, w), ``t`` (), ``first`` (T', 16, h, w), ``slots`` (n, T', 32, h, w), and the text."""
        sample, masking, training = self.store.sample(index), self.config.masking, self.time is None
        x = mean_or_draw(sample, PICTURE, generator).transpose(0, 1)
        noise = torch.randn(x.shape, generator=generator)
        t = (random_time(self.config, generator) * TRAIN_STEPS).long().clamp(max=TRAIN_STEPS - 1) if training else torch.tensor(self.time)
        first = mean_or_draw(sample, PICTURE + FIRST, generator).transpose(0, 1)
        if masking.image_noise:
            mean, deviation = masking.image_noise
            strength = torch.exp(torch.randn((), generator=generator) * deviation + mean)
            first = first + training * strength * torch.randn(first.shape, generator=generator)
        kept = not (happens(masking.first_frame, generator) and training)
        slots = [self._slot(sample, name, x, kept, generator) for name in self.config.names]
        empty = happens(masking.prompt, generator) and training
        prompt = "" if empty else self.store.rows[index].prompt
        text = self.ids(prompt) if self.ids else {"tokens": self.store.text(prompt)["tokens"].float()}
        known = {"first": kept * _padded(first, len(x)), "slots": torch.stack(slots)}
        return {"x": x, "noise": noise, "t": t, **known, **weights(sample, self.config), **text}

    def _slot(self, sample: dict[str, Tensor], name: str, like: Tensor, kept: bool, generator: torch.Generator) -> Tensor:
        """(T', 32, h, w) of a condition beside its first frame, or what stands for an absent one."""
        masking = self.config.masking
        masked = happens(masking.conditions.get(name, 0.0), generator) and self.time is None
        if name not in sample or name in masking.never or masked:
            if masking.absent == "zero":
                return torch.zeros(len(like), 32, *like.shape[2:])
            clip, first = (torch.randn(shape, generator=generator) * masking.noise_scale for shape in (like.shape, like[:1].shape))
        else:
            clip, first = (mean_or_draw(sample, key, generator).transpose(0, 1) for key in (name, name + FIRST))
        return torch.cat([clip, kept * _padded(first, len(like))], dim=1)


def _padded(first: Tensor, length: int) -> Tensor:
    """(1, 16, h, w) followed by zeros."""
    return torch.cat([first, first.new_zeros(length - 1, *first.shape[1:])])


class MotionTrainee(nn.Module):
    """CogVideoX image-to-video with its control as one function of a batch; its parameters are those that learn.

    Args:
        transformer: diffusers' CogVideoXTransformer3DModel, 1.0.
        control: the branch. Its ``hidden_linear`` is the sum of the slots' weights and does not learn by itself.
        text: an encoder that learns too: t5 ids to tokens. With it the transformer learns as well, from windows of the latents too.
    """

    def __init__(self, transformer: nn.Module, control: HOICogVideoXControl, text: nn.Module | None = None):
        super().__init__()
        control.hidden_linear.requires_grad_(False)
        self.control, self.text = control, text
        if text is not None:
            self.transformer = transformer
        self.base = [transformer]
        # No buffer, whose numbers DeepSpeed would round with the weights.
        self.signal = [alphas_cumprod().float()]

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """(B,) mean squared error of v of each sample, weighted by ``weight`` (B, T', h, w) if there is one."""
        x, noise, t = batch["x"], batch["noise"], batch["t"]
        signal = self.signal[0].to(t.device)[t]
        a, s = (part.sqrt()[:, None, None, None, None] for part in (signal, 1 - signal))
        predicted = self.velocity(torch.cat([a * x + s * noise, batch["first"]], dim=2), t, batch["slots"], batch)
        error = (predicted.float() - (a * noise - s * x)) ** 2
        return (error * batch["weight"][:, :, None] if "weight" in batch else error).flatten(1).mean(1)

    def velocity(self, x: Tensor, t: Tensor, slots: Tensor, batch: dict[str, Tensor]) -> Tensor:
        """v (B, T', 16, h, w) of noisy and first-frame latents (B, T', 32, h, w) and slots (B, n, T', 32, h, w)."""
        base, config = self.base[0], self.base[0].config
        tokens = batch["tokens"] if self.text is None else self.text(batch["t5_ids"])[0]
        length = tokens.shape[1]
        conditions = [base.patch_embed(tokens, slot)[:, length:] for slot in slots.unbind(1)]
        table = None
        if config.use_rotary_positional_embeddings:
            rows, columns = x.shape[3] // config.patch_size, x.shape[4] // config.patch_size
            # Small models learn at one size: what differs from it is a window, whose positions are whole steps.
            grid = None if self.text is not None else (config.sample_height // config.patch_size, config.sample_width // config.patch_size)
            table = rotary(config.attention_head_dim, x.shape[1], rows, columns, grid, x.device)

        def start(hidden: Tensor) -> Tensor:
            return self.control.released_start(hidden, conditions)

        with controlled(base.transformer_blocks, self.control, start):
            return base(x, tokens, t, image_rotary_emb=table, return_dict=False)[0]
