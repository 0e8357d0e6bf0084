"""The patch autoencoders of the small models: started from principal components, then refined on pictures and conditions.

Loss: 5 MSE + L1 of what is decoded from latents with a little noise, so that the diffusion model's errors are forgiven.
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

from ..dataset.clips import ClipSource
from ..headless.codec import to_pixels
from ..mini.codec import PATCH, PatchAutoencoder, PatchAutoencoder3D, PatchCodec
from ..tensor_files import write_tensors
from .config import TrainConfig
from .draws import generator_of

KINDS = ("pictures", "pictures", "pictures", "depth", "segmentation", "keypoints")
"""What a group is cut from; photographs, which people look at, as often as all conditions together."""
LATENT_NOISE = 0.03
SAMPLES, PATCHES = 384, 60_000
"""Groups and patches whose principal components are the start."""
KEPT = 64
"""Clips held in memory."""


@dataclass(frozen=True)
class PictureStore:
    """Clips as groups of frames: of one frame (image codec), or the first frame and the groups of four after it (video codec).

    Attributes:
        source: of the clips.
        names: of those that are used.
        size: (width, height) of the groups.
        video: for the video codec.
    """

    source: ClipSource
    names: tuple[str, ...]
    size: tuple[int, int]
    video: bool

    def __len__(self) -> int:
        return len(self.names)

    def group(self, index: int, generator: torch.Generator) -> dict[str, Tensor]:
        """``first`` (3, H, W) and, for video, ``group`` (12, H, W) in -1..1, of one clip and a random kind of picture."""
        pictures = _frames(self, index)[KINDS[int(torch.randint(len(KINDS), (), generator=generator))]]
        frame = int(torch.randint(len(pictures), (), generator=generator))
        if not self.video:
            return {"first": to_pixels(pictures[[frame]])[0]}
        start = 1 + 4 * int(torch.randint((len(pictures) - 1) // 4, (), generator=generator))
        return {"first": to_pixels(pictures[[frame]])[0], "group": to_pixels(pictures[start : start + 4]).flatten(0, 1)}


@lru_cache(maxsize=KEPT)
def _frames(store: PictureStore, index: int) -> dict[str, np.ndarray]:
    """Pictures of a clip by kind, in the store's size."""
    clip = store.source.read(store.names[index])
    clip = clip.fitted(*store.size, len(clip.pictures))
    kinds = {name: getattr(clip.conditions, name) for name in KINDS[3:]}
    return {"pictures": clip.pictures} | {name: frames for name, frames in kinds.items() if frames is not None}


class CodecTrainee(nn.Module):
    """The codec as one function of a batch."""

    text = None

    def __init__(self, codec: PatchAutoencoder | PatchAutoencoder3D):
        super().__init__()
        self.codec = codec

    def parts(self) -> dict[str, PatchCodec]:
        """Codecs by the name of what they take."""
        if isinstance(self.codec, PatchAutoencoder):
            return {"first": self.codec.frame}
        return {"first": self.codec.first, "group": self.codec.group}

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """(B,) loss of each sample, over its parts."""
        total = torch.zeros((), device=batch["first"].device)
        for name, codec in self.parts().items():
            pixels = batch[name]
            latent = codec.encode(pixels)
            error = codec.decode(latent + LATENT_NOISE * batch[f"{name}_noise"]) - pixels
            total = total + (5 * error**2 + error.abs()).flatten(1).mean(1)
        return total


@dataclass(frozen=True)
class CodecTask:
    """The codec as the training loop sees it (see ``tasks.Task``)."""

    config: TrainConfig
    store: PictureStore
    trainee: CodecTrainee
    times: tuple[float, ...] = (0.0,)

    def draw(self, time: float | None = None) -> Callable[[int, torch.Generator], dict[str, Tensor]]:
        """Groups and the noise of their latents, none for validation."""

        def one(index: int, generator: torch.Generator) -> dict[str, Tensor]:
            row = self.store.group(index, generator)
            shape = (16, *(side // PATCH for side in row["first"].shape[1:]))
            return row | {f"{name}_noise": (time is None) * torch.randn(shape, generator=generator) for name in self.trainee.parts()}

        return one

    def learnt(self, held: int) -> range:
        """The clips that are learnt from when the first ``held`` are not."""
        return range(held, len(self.store))

    def write(self, folder: Path, state: dict[str, Tensor]) -> list[Path]:
        """``vae.safetensors`` as the pack's."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "vae.safetensors"
        write_tensors(path, {name.removeprefix("codec."): value.cpu().to(torch.float16, copy=True) for name, value in state.items()}, {})
        return [path]


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
    if video and len(_frames(store, 0)["pictures"]) < 5:
        raise ValueError(f"Expected clips of 5 frames or more for the video codec, found {len(_frames(store, 0)['pictures'])}.")
    trainee = CodecTrainee(PatchAutoencoder3D() if video else PatchAutoencoder())
    held = min(config.watching.samples, len(store) - 1)
    rows = [store.group(held + number % (len(store) - held), generator_of(config.seed, -2, number)) for number in range(SAMPLES)]
    for name, codec in trainee.parts().items():
        patches = pixel_unshuffle(torch.stack([row[name] for row in rows]), PATCH).movedim(1, -1).flatten(0, 2)
        some = torch.randperm(len(patches), generator=generator_of(config.seed, -3))[:PATCHES]
        codec.start_from_patches(patches[some])
    return CodecTask(config, store, trainee)
