"""Which samples a step learns from, and all its chance.

Every random number is drawn from the seed and the running number of the sample, not from a state that goes on: a run that is ended
and started again, on one process or on several, sees what it would have seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from ..dataset.shards import FOREGROUND
from .config import TrainConfig

Draw = Callable[[int, torch.Generator], dict[str, Tensor]]
"""Index of a sample and chance to what the network is given."""


def generator_of(*numbers: int) -> torch.Generator:
    """Random numbers of a seed and counters, on the CPU."""
    digest = hashlib.sha256(repr(numbers).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


@lru_cache(maxsize=2)
def shuffled(count: int, seed: int, epoch: int) -> list[int]:
    """0..count-1 in the order of one pass over the data."""
    return torch.randperm(count, generator=generator_of(seed, -1 - epoch)).tolist()


@dataclass(frozen=True)
class Draws(torch.utils.data.Dataset):
    """Samples by their running number, without end.

    Attributes:
        indices: of the samples that are learnt from.
        draw: makes one.
        seed: of all chance.
        window: (width, height) of the part of the latents that the first ``windowed`` samples are cut to, empty for none.
    """

    indices: Sequence[int]
    draw: Draw
    seed: int
    window: tuple[int, ...] = ()
    windowed: int = 0

    def __getitem__(self, counter: int) -> dict[str, Tensor]:
        epoch, place = divmod(counter, len(self.indices))
        index = self.indices[shuffled(len(self.indices), self.seed, epoch)[place]]
        generator = generator_of(self.seed, counter)
        sample = self.draw(index, generator)
        return cut(sample, self.window, generator) if self.window and counter < self.windowed else sample


@dataclass(frozen=True)
class Batches:
    """Running numbers of the samples of one process, batch by batch, from a step on.

    Attributes:
        start, stop: steps.
        accumulate, batch: of a step, and samples of each.
        rank, world: which process of how many.
    """

    start: int
    stop: int
    accumulate: int
    batch: int
    rank: int = 0
    world: int = 1

    def __iter__(self) -> Iterator[list[int]]:
        for part in range(self.start * self.accumulate, self.stop * self.accumulate):
            first = (part * self.world + self.rank) * self.batch
            yield list(range(first, first + self.batch))

    def __len__(self) -> int:
        return (self.stop - self.start) * self.accumulate


def cut(sample: dict[str, Tensor], window: tuple[int, ...], generator: torch.Generator) -> dict[str, Tensor]:
    """A random part of (width, height) latent pixels of a sample, on the grid of 2 x 2 tokens, the same of all its latents."""
    whole = sample["x"].shape[-2:]
    sides = [min(side, full) for side, full in zip(window[::-1], whole, strict=True)]
    top, left = (2 * int(torch.randint((full - side) // 2 + 1, (), generator=generator)) for full, side in zip(whole, sides, strict=True))
    spans = (..., slice(top, top + sides[0]), slice(left, left + sides[1]))
    return {name: value[spans] if value.shape[-2:] == whole else value for name, value in sample.items()}


def random_time(config: TrainConfig, generator: torch.Generator) -> Tensor:
    """() a time in 0..1, 1 is noise."""
    if config.times == "uniform":
        return torch.rand((), generator=generator)
    mean, deviation = config.times_shape
    return torch.sigmoid(torch.randn((), generator=generator) * deviation + mean)


def weights(sample: dict[str, Tensor], config: TrainConfig) -> dict[str, Tensor]:
    """``weight`` of the latent pixels in the loss, mean 1, where they are not all alike."""
    if config.foreground == 1:
        return {}
    weight = 1 + (config.foreground - 1) * sample[FOREGROUND].float()
    return {"weight": weight / weight.mean()}


def mean_or_draw(sample: dict[str, Tensor], name: str, generator: torch.Generator) -> Tensor:
    """Latents of a sample in float32: drawn from the VAE's distribution where it is stored, else its mean."""
    mean = sample[name].float()
    deviation = sample.get(f"{name}_std")
    return mean if deviation is None else mean + deviation.float() * torch.randn(mean.shape, generator=generator)


def happens(probability: float, generator: torch.Generator) -> bool:
    """Chance; always uses one number, so that what follows does not depend on the outcome."""
    return bool(torch.rand(1, generator=generator) < probability)
