"""The patch autoencoders of the small models: started from principal components, then refined on pictures and conditions.

Loss: 5 MSE + L1, hand and object counting more, and L1 of the differences between neighbouring pixels, of what is decoded from latents with
noise, so that the diffusion model's errors are forgiven; of the decoder alone, from latents that the diffusion model sampled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_unshuffle

from ..conditions.pack import masks
from ..dataset.clips import ClipSource
from ..dataset.shards import PICTURE, SAMPLED, LatentStore
from ..headless.codec import to_pixels
from ..mini.codec import GROUP, LATENT_CHANNELS, PATCH, LinearCodec, PatchAutoencoder, PatchAutoencoder3D
from ..tensor_files import write_tensors
from .config import TrainConfig
from .draws import generator_of
from .tasks import part

KINDS = ("pictures", "pictures", "pictures", "depth", "segmentation", "keypoints")
"""What a sample shows; photographs, which people look at, as often as all conditions together."""
LATENT_NOISE = 0.1
"""Deviation of the deviation of the noise on latents: some samples have little, some much."""
FOREGROUND, EDGES, SPREAD = 5.0, 1.0, 0.01
"""Weight of a pixel of hand or object, of differences between neighbours, and of the latents' mean square, which should be 1."""
WINDOW = 128
"""Pixels of the sides of the parts that are learnt from, on the grid of the patches."""
AROUND_FOREGROUND = 0.8
"""Share of them that hold a pixel of hand or object by intention."""
SAMPLED_SHARE = 0.75
"""Of the samples of a decoder that are decoded from sampled latents; the others from those of the pictures."""
SAMPLES, PATCHES = 96, 60_000
"""Clips and patches whose principal components are the start."""
KEPT = 512
"""Clips held in memory."""


@dataclass(frozen=True)
class PictureStore:
    """Parts of clips, for the codecs.

    Attributes:
        source: of the clips.
        names: of those that are used.
        size: (width, height) of the clips.
        video: whole clips for the video codec; else one frame.
        latents: of the clips, for a decoder that learns from them, or None.
    """

    source: ClipSource
    names: tuple[str, ...]
    size: tuple[int, int]
    video: bool
    latents: LatentStore | None = None

    def __len__(self) -> int:
        return len(self.names)

    def sample(self, index: int, generator: torch.Generator) -> dict[str, Tensor]:
        """``pixels`` (3, T, H, W) in -1..1 of a random kind of picture and ``foreground`` (T, H, W) of 0 and 1: a random part of a clip, or
        of one of its frames. For a decoder of the photograph, with ``latent`` (16, T', h, w).
        """
        clip = _frames(self, index)
        kind = clip[KINDS[below(len(KINDS), generator)] if self.latents is None else KINDS[0]]
        first = 0 if self.video else below(len(kind), generator)
        frames = slice(first, first + (1 + (len(kind) - 1) // GROUP * GROUP if self.video else 1))
        rows, columns = window(clip["foreground"][frames], generator)
        pixels = to_pixels(kind[frames, rows, columns]).transpose(0, 1)
        row = {"pixels": pixels, "foreground": torch.tensor(clip["foreground"][frames, rows, columns]).float()}
        if self.latents is not None:
            name = SAMPLED if torch.rand((), generator=generator) < SAMPLED_SHARE else PICTURE
            cells = tuple(slice(side.start // PATCH, side.stop // PATCH) for side in (rows, columns))
            row["latent"] = self.latents.sample(index)[name].float()[(..., *cells)]
        return row


def window(foreground: np.ndarray, generator: torch.Generator) -> tuple[slice, slice]:
    """Rows and columns of a part of (T, H, W), often around a pixel of the foreground."""
    spots = np.argwhere(foreground[below(len(foreground), generator)])
    around = torch.rand((), generator=generator) < AROUND_FOREGROUND and len(spots)
    sides = foreground.shape[1:]
    spot = spots[below(len(spots), generator)] if around else [below(side, generator) for side in sides]
    starts = [min(max(int(at) - below(WINDOW, generator), 0), max(side - WINDOW, 0)) for at, side in zip(spot, sides, strict=True)]
    starts = [start // PATCH * PATCH for start in starts]
    return tuple(slice(start, start + WINDOW) for start in starts)


def below(count: int, generator: torch.Generator) -> int:
    """A number of 0..count - 1."""
    return int(torch.randint(count, (), generator=generator))


@lru_cache(maxsize=KEPT)
def _frames(store: PictureStore, index: int) -> dict[str, np.ndarray]:
    """Pictures of a clip by kind, in the store's size, and its foreground (T, H, W)."""
    clip = store.source.read(store.names[index])
    clip = clip.fitted(*store.size, len(clip.pictures))
    hands, objects = masks(clip.conditions)
    kinds = {name: getattr(clip.conditions, name) for name in KINDS[3:]}
    found = {name: frames for name, frames in kinds.items() if frames is not None}
    return {"pictures": clip.pictures, "foreground": hands | objects} | found


class CodecTrainee(nn.Module):
    """The codec as one function of a batch."""

    text = None

    def __init__(self, codec: PatchAutoencoder | PatchAutoencoder3D):
        super().__init__()
        self.codec = codec.to(memory_format=torch.channels_last)

    def learn_decoder(self) -> None:
        """Have the decoder of the groups learn alone."""
        self.requires_grad_(False)
        self.codec.group.decoder.requires_grad_(True)

    def start_from(self, pixels: Tensor, generator: torch.Generator) -> None:
        """Take the principal components of (B, 3, T, H, W)."""
        if isinstance(self.codec, PatchAutoencoder):
            _start(self.codec.frame, pixels.transpose(1, 2).flatten(0, 1), generator)
            return
        _start(self.codec.first, pixels.transpose(1, 2).flatten(0, 1), generator)
        groups = pixels[:, :, 1:].unfold(2, GROUP, GROUP).permute(0, 2, 5, 1, 3, 4)
        _start(self.codec.group, groups.flatten(2, 3).flatten(0, 1), generator)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """(B,) loss of each sample."""
        pixels = batch["pixels"]
        if isinstance(self.codec, PatchAutoencoder):
            pixels = pixels[:, :, 0]
        latent = batch["latent"] / self.codec.scaling_factor if "latent" in batch else self.codec.encode(pixels)
        difference = (self.codec.decode(latent + batch["noise"].view_as(latent)) - pixels).float()
        weight = (1 + (FOREGROUND - 1) * batch["foreground"]).view(len(pixels), 1, *pixels.shape[2:])
        error = weighted(5 * difference**2 + difference.abs(), weight)
        edges = sum(difference.diff(dim=side).abs().flatten(1).mean(1) for side in (-1, -2))
        return error + EDGES * edges + SPREAD * (latent.float().square().flatten(1).mean() - 1) ** 2


def weighted(values: Tensor, weight: Tensor) -> Tensor:
    """(B,) means of (B, 3, ...) values with weights (B, 1, ...)."""
    return (weight * values).flatten(1).mean(1) / weight.flatten(1).mean(1)


def write_network(path: Path, state: dict[str, Tensor], prefix: str) -> list[Path]:
    """Write a network of a trainee's state, whose names begin with a prefix, in fp16 as the pack's files are; the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_tensors(path, {name: value.cpu().to(torch.float16, copy=True) for name, value in part(state, prefix).items()}, {})
    return [path]


def _start(codec: LinearCodec, pixels: Tensor, generator: torch.Generator) -> None:
    """Start from patches of (N, C, H, W)."""
    patches = pixel_unshuffle(pixels, PATCH).movedim(1, -1).flatten(0, 2)
    codec.start_from_patches(patches[torch.randperm(len(patches), generator=generator)[:PATCHES]])


@dataclass(frozen=True)
class CodecTask:
    """The codec as the training loop sees it (see ``tasks.Task``)."""

    config: TrainConfig
    store: PictureStore
    trainee: CodecTrainee
    times: tuple[float, ...] = (0.0,)

    def draw(self, time: float | None = None) -> Callable[[int, torch.Generator], dict[str, Tensor]]:
        """Samples and the noise of their latents, none for validation."""

        def one(index: int, generator: torch.Generator) -> dict[str, Tensor]:
            row = self.store.sample(index, generator)
            length, *sides = row["foreground"].shape
            noise = torch.randn(LATENT_CHANNELS, 1 + (length - 1) // GROUP, *(side // PATCH for side in sides), generator=generator)
            strength = LATENT_NOISE * torch.randn((), generator=generator) * (time is None)
            return row | {"noise": strength * noise}

        return one

    def learnt(self, held: int) -> range:
        """The clips that are learnt from when the first ``held`` are not."""
        return range(held, len(self.store))

    def write(self, folder: Path, state: dict[str, Tensor]) -> list[Path]:
        """``vae.safetensors`` as the pack's."""
        return write_network(folder / "vae.safetensors", state, "codec.")


def make_codec_task(config: TrainConfig, source: ClipSource, size: tuple[int, int]) -> CodecTask:
    """A codec whose linear maps are the principal components of the clips.

    Args:
        config: of the stage "image_codec" or "video_codec".
        source: clips.
        size: (width, height) in multiples of 8 pixels.

    Raises:
        ValueError: clips too short for groups of four.
    """
    torch.manual_seed(config.seed)
    video = config.stage == "video_codec"
    store = PictureStore(source, tuple(source.names), size, video)
    length = len(_frames(store, 0)["pictures"])
    if video and length <= GROUP:
        raise ValueError(f"Expected clips of {GROUP + 1} frames or more for the video codec, found {length}.")
    trainee = CodecTrainee(PatchAutoencoder3D() if video else PatchAutoencoder())
    held = min(config.watching.samples, len(store) - 1)
    rows = [store.sample(held + number % (len(store) - held), generator_of(config.seed, -2, number)) for number in range(SAMPLES)]
    trainee.start_from(torch.stack([row["pixels"] for row in rows]), generator_of(config.seed, -3))
    return CodecTask(config, store, trainee)


def check_sampled(latents: LatentStore, names: list[str]) -> None:
    """Raise ValueError for latents that were not sampled too, or of other clips than those with these names."""
    latents.require(SAMPLED)
    if foreign := sorted({row.name for row in latents.rows} - set(names)):
        raise ValueError(f"Expected latents of the clips in --data, found those of {foreign[0]}: give the folder that was encoded.")


def make_decoder_task(config: TrainConfig, source: ClipSource, latents: LatentStore, codec: PatchAutoencoder3D) -> CodecTask:
    """A codec that is there, of which the decoder of the groups learns.

    Args:
        config: of the stage "video_codec".
        source: clips.
        latents: of these clips, by the codec, see ``check_sampled``.
        codec: what is gone on from.
    """
    names = tuple(row.name for row in latents.rows)
    trainee = CodecTrainee(codec)
    trainee.learn_decoder()
    return CodecTask(config, PictureStore(source, names, tuple(latents.settings["size"]), True, latents), trainee)
