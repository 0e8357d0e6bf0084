"""What the video model makes of a clip's conditions, for its decoder to learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ..headless.cogvideox import ClipSampler, ClipSampling, encode_prompts
from ..headless.compute import Machine
from ..motion.slots import SlotLatents
from .shards import FIRST, PICTURE


@dataclass(frozen=True, eq=False)
class Resampler:
    """The networks that sample.

    Attributes:
        sampler: of clips.
        text: pipeline that encodes prompts, and their length.
        steps: of DDIM.
        machine: where.
    """

    sampler: ClipSampler
    text: tuple[Any, int]
    steps: int
    machine: Machine

    @classmethod
    def of(cls, models: Any, steps: int, machine: Machine) -> Resampler:
        """Load the networks of ``CogVideoXModels``."""
        networks = models.transformer(machine), models.control(machine), models.vae(machine)
        return cls(ClipSampler(machine, *networks, models.schedule()), models.text(machine), steps, machine)

    def __call__(self, row: dict[str, Tensor], prompt: str, seed: int) -> Tensor:
        """(16, T', h, w) latents sampled from the conditions and the first frame of a row."""
        known = {name: value.float()[None] for name, value in row.items()}
        slots = stored_slots(known, self.sampler.control.config.slots)
        words = encode_prompts(*self.text, [prompt], self.machine)[0]
        settings = ClipSampling(self.steps, "ddim", guidance=1.0, dynamic=False)
        start = known[PICTURE + FIRST].transpose(1, 2)
        return self.sampler.denoise(slots, start, words, words, settings, seed)[0].to(row[PICTURE])


def stored_slots(sample: dict[str, Tensor], names: Sequence[str]) -> list[SlotLatents]:
    """The slots of conditions in a sample (1, 16, T', h, w) of a store; those it lacks are unused."""
    return [SlotLatents(sample[name], sample[name + FIRST]) if name in sample else SlotLatents() for name in names]
