"""Sheets of samples while a run goes on: a held-out sample each row, the truth, its conditions, and what the model makes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..appearance.flux_control import HOIFluxControl
from ..appearance.schedule import noise
from ..dataset.sampled import stored_slots
from ..dataset.shards import FIRST, PICTURE
from ..headless.codec import decode, to_pictures
from ..headless.cogvideox import ClipSampler, ClipSampling
from ..headless.compute import Machine
from ..headless.files import save_picture
from ..headless.flux import FluxSampler, FluxSampling
from ..headless.flux_models import Prompt
from ..motion.control import HOICogVideoXControl
from .small import small_transformer
from .tasks import Task, part

ROWS = 6


@dataclass(frozen=True)
class Sheets:
    """Draws sheets of a task.

    Attributes:
        task: some of the samples held out are shown.
        vae: of the latents.
        machine: where.
        schedule: of CogVideoX, {} for Flux.
        out: folder of ``step_0001000.png``.
        small: the model is one of the pack's size, which has times without shift.
    """

    task: Task
    vae: nn.Module
    machine: Machine
    schedule: dict
    out: Path
    small: bool

    def __call__(self, step: int, state: dict[str, Tensor]) -> None:
        """Sample with a state of the trainee and write the sheet."""
        rows = self._stills(state) if self.task.config.stage == "appearance" else self._clips(state)
        save_picture(self.out / f"step_{step:07}.png", np.concatenate([np.concatenate(row, axis=1) for row in rows]))

    def _networks(self, state: dict[str, Tensor], kind: Callable) -> tuple[nn.Module, nn.Module]:
        """Transformer and a control of its own with the state, so that sampling changes nothing of what learns."""
        trainee, config = self.task.trainee, self.task.config
        control = kind(trainee.control.config)
        control.load_state_dict(part(state, "control."))
        if trainee.text is None:
            return trainee.base[0], control.to(self.machine.dtype)
        settings = self.task.store.settings
        transformer = small_transformer(config.stage, tuple(settings["size"]), settings["length"])
        transformer.load_state_dict(part(state, "transformer."))
        return transformer.to(self.machine.dtype), control.to(self.machine.dtype)

    def _text(self, prompt: str) -> dict[str, Tensor]:
        """Embeddings of a prompt, (1, ...)."""
        text = self.task.trainee.text
        if text is None:
            return {name: value[None].float() for name, value in self.task.store.text(prompt).items()}
        device = next(text.parameters()).device
        with torch.no_grad():
            tokens, pooled = text(**{name: ids[None].to(device) for name, ids in text.ids(prompt).items()})
        return {"tokens": tokens.cpu(), **({} if pooled is None else {"pooled": pooled.cpu()})}

    def _rows(self) -> list[int]:
        """Samples spread over those held out."""
        held = min(self.task.config.watching.samples, len(self.task.store))
        return [index * held // min(ROWS, held) for index in range(min(ROWS, held))]

    def _stills(self, state: dict[str, Tensor]) -> list[list[np.ndarray]]:
        config, store = self.task.config, self.task.store
        sampler = FluxSampler(self._plain, *self._networks(state, HOIFluxControl), self.vae)
        draw = self.task.draw(0.0)
        rows = []
        for index in self._rows():
            hint = draw(index, torch.Generator().manual_seed(index))["hint"][None]
            truth = store.sample(index)[PICTURE].float()[None]
            settings = FluxSampling(steps=config.watching.sheet_steps, guidance=config.guidance, shift="none" if self.small else "true")
            start = noise([index], *truth.shape[-2:])
            made = sampler.denoise(start, hint, Prompt(**self._text(store.rows[index].prompt)), None, settings)
            groups = hint.split(3 if config.control.encoding == "pixel" else 16, dim=1)
            shown = [to_pictures(group)[0] if config.control.encoding == "pixel" else self._decoded(group) for group in groups]
            rows.append([self._decoded(truth), *shown, self._decoded(made)])
        return rows

    def _clips(self, state: dict[str, Tensor]) -> list[list[np.ndarray]]:
        """Each row: the truth's first, middle and last frame, then the sample's."""
        config, store = self.task.config, self.task.store
        sampler = ClipSampler(self._plain, *self._networks(state, HOICogVideoXControl), self.vae, self.schedule)
        settings = ClipSampling(steps=config.watching.sheet_steps, scheduler="ddim", guidance=1.0, dynamic=False)
        rows = []
        for index in self._rows():
            stored = store.sample(index).items()
            sample = {name: value.float()[None] for name, value in stored if name not in config.masking.never}
            slots = stored_slots(sample, config.names)
            words = self._text(store.rows[index].prompt)["tokens"]
            made = sampler.sample(slots, sample[PICTURE + FIRST].transpose(1, 2), words, words, settings, index)
            with torch.no_grad():
                truth = to_pictures(decode(self.vae, sample[PICTURE])[0].transpose(0, 1))
            picks = (0, len(truth) // 2, len(truth) - 1)
            rows.append([*(truth[t] for t in picks), *(made[t] for t in picks)])
        return rows

    @property
    def _plain(self) -> Machine:
        """The machine for networks that are placed and quantised already."""
        return replace(self.machine, quantize="none", offload="none")

    def _decoded(self, latents: Tensor) -> np.ndarray:
        with torch.no_grad():
            return to_pictures(decode(self.vae, latents))[0]
