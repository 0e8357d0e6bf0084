"""The refiner of frames: from clips as they are, and as the small video model samples them from their conditions.

Loss: 2 MSE + L1, and L1 of the differences between neighbouring pixels; hand and object, and where they were at first, count more.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..conditions.pack import masks
from ..conditions.video import ConditionVideo
from ..dataset.clips import ClipSource
from ..dataset.shards import SAMPLED, LatentStore
from ..headless.codec import decode, to_pictures, to_pixels
from ..mini.codec import PatchAutoencoder3D
from ..mini.refine import known, shown
from ..mini.refiner import CONDITIONS, FrameRefiner
from .codec import KEPT, below, weighted, window, write_network
from .config import TrainConfig
from .draws import Draw, happens

MADE = 0.4
"""Share of references that are the model's own first frame."""
SHIFTED, FARTHEST = 0.1, 40
"""Share of references that do not fit, as with a moving camera, and by how many pixels at most."""
RECOLORED, GAIN, OFFSET = 0.5, 0.3, 0.15
"""Share of samples in other colours: channels exchanged, each times up to 1 +- GAIN, all plus up to OFFSET."""
FLIPPED = 0.5
SEEN = (*CONDITIONS, "instance_ids")
"""Of the conditions."""
Area = tuple[slice, ...]
"""Rows and columns."""


@dataclass(frozen=True, eq=False)
class SampledClip:
    """A clip as it is and as it is made.

    Attributes:
        pictures, made: (T, H, W, 3) uint8, as they are and by the video model.
        foreground: (T, H, W) bool, pixels of hand or object.
        conditions: of the clip.
    """

    pictures: np.ndarray
    made: np.ndarray
    foreground: np.ndarray
    conditions: ConditionVideo


@dataclass(frozen=True, eq=False)
class FrameStore:
    """Parts of the frames of clips.

    Attributes:
        source: of the clips.
        latents: of them, sampled too.
        codec: that decodes these.
        config: of the run: its masking says how often a condition, or the reference (``first_frame``), is left out.
    """

    source: ClipSource
    latents: LatentStore
    codec: PatchAutoencoder3D
    config: TrainConfig

    def __len__(self) -> int:
        return len(self.latents)

    def sample(self, index: int, generator: torch.Generator, training: bool) -> dict[str, Tensor]:
        """``frame``, ``reference``, ``known`` as the refiner takes them, ``target`` like the frame, and the ``weight`` (1, H, W) of
        each pixel, of a part of a frame that is not the first; ``training`` with things left out, references that do not fit, and other
        colours.
        """
        clip, masking = _clip(self, index), self.config.masking
        at = 1 + below(len(clip.pictures) - 1, generator)
        here = window(clip.foreground[[at]], generator)
        there = _moved(here, clip.foreground.shape[1:], generator) if happens(SHIFTED, generator) and training else here
        references = clip.made if happens(MADE, generator) else clip.pictures
        given = not (happens(masking.first_frame, generator) and training)
        absent = [name for name in CONDITIONS if happens(masking.conditions.get(name, 0.0), generator) and training]
        views = ((clip.made, at, here), (references, 0, there), (clip.pictures, at, here))
        pictures = torch.cat([to_pixels(of[(slice(frame, frame + 1), *area)]) for of, frame, area in views])
        if happens(RECOLORED, generator) and training:
            pictures = _recolored(pictures, generator)
        first, now = (_part(clip.conditions, frame, area, absent) for frame, area in ((0, there), (at, here)))
        facts = known(now, shown(first)[0] if given else None)[0]
        row = {"frame": pictures[0], "reference": pictures[1] * given, "target": pictures[2], "known": facts}
        foreground = clip.foreground[(slice(at, at + 1), *here)] | clip.foreground[(slice(1), *here)]
        row["weight"] = 1 + (self.config.foreground - 1) * torch.from_numpy(foreground).float()
        flipped = happens(FLIPPED, generator) and training
        return {name: value.flip(-1) if flipped else value for name, value in row.items()}


@lru_cache(maxsize=KEPT)
def _clip(store: FrameStore, index: int) -> SampledClip:
    """A clip of the store; its latents are decoded when it is first asked for."""
    row, latents, settings = store.latents.rows[index], store.latents.sample(index), store.latents.settings
    clip = store.source.read(row.name).fitted(*settings["size"], settings["length"])
    with torch.no_grad():
        made = to_pictures(decode(store.codec, latents[SAMPLED].float()[None])[0].transpose(0, 1))
    seen = {name: getattr(clip.conditions, name) for name in SEEN}
    conditions = ConditionVideo(clip.conditions.fps, clip.conditions.style, num_hands=clip.conditions.num_hands, **seen)
    return SampledClip(clip.pictures, made, np.logical_or(*masks(conditions)), conditions)


def _moved(area: Area, sides: tuple[int, ...], generator: torch.Generator) -> Area:
    """Rows and columns moved by chance within a picture of these sides."""
    starts = [part.start + below(2 * FARTHEST + 1, generator) - FARTHEST for part in area]
    lengths = [min(part.stop, side) - part.start for part, side in zip(area, sides, strict=True)]
    starts = [min(max(start, 0), side - length) for start, side, length in zip(starts, sides, lengths, strict=True)]
    return tuple(slice(start, start + length) for start, length in zip(starts, lengths, strict=True))


def _part(clip: ConditionVideo, frame: int, area: Area, absent: list[str]) -> ConditionVideo:
    """An area of a frame of a clip, as a clip; without the conditions that are absent."""
    pictures = {name: getattr(clip, name) for name in SEEN if name not in absent}
    cut = {name: of[(slice(frame, frame + 1), *area)] for name, of in pictures.items() if of is not None}
    return ConditionVideo(clip.fps, clip.style, num_hands=clip.num_hands, **cut)


def _recolored(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """(N, 3, H, W) in other colours, all the same way."""
    order = torch.randperm(3, generator=generator)
    gain = 1 + GAIN * (2 * torch.rand(3, 1, 1, generator=generator) - 1)
    return pictures[:, order] * gain + OFFSET * (2 * torch.rand((), generator=generator) - 1)


class RefinerTrainee(nn.Module):
    """The refiner as one function of a batch."""

    text = None

    def __init__(self, net: FrameRefiner):
        super().__init__()
        self.net = net.to(memory_format=torch.channels_last)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """(B,) loss of each sample."""
        difference = self.net(batch["frame"], batch["reference"], batch["known"]).float() - batch["target"]
        weight = batch["weight"]
        error = weighted(2 * difference**2 + difference.abs(), weight)
        rows = weighted(difference.diff(dim=-2).abs(), weight[:, :, 1:])
        return error + rows + weighted(difference.diff(dim=-1).abs(), weight[..., 1:])


@dataclass(frozen=True)
class RefinerTask:
    """The refiner as the training loop sees it (see ``tasks.Task``)."""

    config: TrainConfig
    store: FrameStore
    trainee: RefinerTrainee
    times: tuple[float, ...] = (0.0,)

    def draw(self, time: float | None = None) -> Draw:
        """Samples; for validation (a time) all that is known is given."""
        return lambda index, generator: self.store.sample(index, generator, time is None)

    def learnt(self, held: int) -> range:
        """The clips that are learnt from when the first ``held`` are not."""
        return range(held, len(self.store))

    def write(self, folder: Path, state: dict[str, Tensor]) -> list[Path]:
        """``refiner.safetensors`` as the pack's."""
        return write_network(folder / "refiner.safetensors", state, "net.")


def make_refiner_task(
    config: TrainConfig, source: ClipSource, latents: LatentStore, codec: PatchAutoencoder3D, start: FrameRefiner | None
) -> RefinerTask:
    """A refiner that learns.

    Args:
        config: of the stage "refiner".
        source: clips.
        latents: of these clips, by the codec, see ``check_sampled``.
        codec: of the latents.
        start: what is gone on from, None for a new one.
    """
    torch.manual_seed(config.seed)
    net = FrameRefiner() if start is None else start
    return RefinerTask(config, FrameStore(source, latents, codec.requires_grad_(False), config), RefinerTrainee(net))
