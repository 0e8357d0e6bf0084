"""Labelled clips to latents and text embeddings, once, so that training holds neither VAE nor text encoders."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from ..conditions.pack import masks
from ..conditions.video import MODALITIES
from ..headless.codec import factors, to_pixels
from ..headless.compute import TORCH, Compute, Machine, machine
from ..headless.frame_stage import check_size
from ..headless.manifest import Manifest, open_manifest
from ..headless.pose_stage import Bars, no_bars
from ..headless.words import check_word
from ..motion.frames import TEMPORAL_COMPRESSION, latent_length
from .clips import EVERY, STILLS, ClipSource, LabelledClip
from .sampled import Resampler
from .shards import ABSENT, FIRST, FOREGROUND, LATENTS, PICTURE, SAMPLED, TEXT, TOKENS, read_header, shard_name, write_shard

log = logging.getLogger(__name__)
STAGES = ("appearance", "motion")
HINTS = ("latent", "pixel")
DEVIATION = "_std"
"""Beside each name, such as that of the photograph, stands ``<name>_std``, the deviation of the VAE's distribution."""
SPATIAL = 8
"""Pixels of the side of a latent pixel."""
BLACK = (0, 0, 0)
"""The picture of an absent condition of the appearance stage (pam_reference 1.1)."""


class Encoders(Protocol):
    """VAE and text encoders of a stage, as ``FluxModels`` and ``CogVideoXModels`` give them."""

    @property
    def stamp(self) -> dict[str, str]: ...

    def vae(self, machine: Machine) -> nn.Module: ...

    def text(self, machine: Machine) -> tuple[Any, int]: ...


@dataclass(frozen=True)
class EncodeOptions:
    """What is stored.

    Attributes:
        stage: "appearance" (stills) or "motion" (clips).
        size: (width, height), to which clips are stretched.
        length: frames of a clip (motion); PAM's rule picks them.
        conditions: modalities; those a clip lacks are left out of its sample.
        hints: of the appearance stage: "latent" (the paper) or "pixel" (the released ControlNets read pictures).
        every, most: frames between stills and stills of a clip.
        moments: also keep the deviation of the VAE's distribution, so that training can draw, as PAM's does.
        dtype: of what is stored.
        shard: clips of a file.
        sampled: steps in which the models also sample each clip from its conditions (motion), 0 for none.
    """

    stage: str
    size: tuple[int, int]
    length: int = 49
    conditions: tuple[str, ...] = ("depth", "segmentation", "keypoints")
    hints: str = "latent"
    every: int = EVERY
    most: int = STILLS
    moments: bool = False
    dtype: str = "bf16"
    shard: int = 32
    sampled: int = 0

    def check(self) -> None:
        """Raise ValueError for what cannot work."""
        check_word(self.stage, STAGES, "stage")
        check_word(self.hints, HINTS, "kind of hint")
        check_word(self.dtype, tuple(TORCH), "dtype")
        for name in self.conditions:
            check_word(name, MODALITIES, "condition")
        check_size(self.size, "the latents")
        if self.stage == "motion":
            latent_length(self.length)
        elif self.sampled:
            raise ValueError("Expected the motion stage for clips that are sampled too, found the appearance stage: leave --sampled out.")
        if min(self.every, self.most, self.shard, len(self.conditions)) < 1:
            raise ValueError("Expected at least 1 for every number of stills and clips, and at least one condition.")


def encode_clips(
    source: ClipSource, models: Encoders, options: EncodeOptions, compute: Compute, out: Path, overwrite: bool = False, bars: Bars = no_bars
) -> list[Path]:
    """Encode every shard that is not there yet, then the prompts.

    Args:
        source: clips. Those that are too short or broken are left out with a warning.
        models: VAE and text encoders.
        options: what is stored.
        compute: where.
        out: folder of the shards, for ``LatentStore``.
        overwrite: make everything anew.
        bars: progress.

    Returns:
        The shards.

    Raises:
        ValueError, FileNotFoundError, ImportError: input that cannot work, before any network is loaded, or no clip that can be read.
    """
    options.check()
    check_models(models, options.stage, options.size, options.length)
    place, names = machine(compute), source.names
    manifest = open_manifest(out, "encode", {**asdict(options), **place.look, "models": models.stamp}, overwrite)
    groups = [names[start : start + options.shard] for start in range(0, len(names), options.shard)]
    made = _encode_pictures(source, groups, models, options, place, manifest, bars)
    if not made:
        raise ValueError("Expected at least one clip that can be read and is long enough, found none.")
    return [*made, *_encode_texts(made, models, options, place, manifest, bars)]


def check_models(models: Any, stage: str, size: tuple[int, int], length: int) -> None:
    """Raise ValueError, FileNotFoundError or ImportError for models that are not there or do not take clips of this size."""
    if stage == "appearance":
        models.check()
    else:
        models.check(size, length)


def _encode_pictures(source, groups, models, options: EncodeOptions, place: Machine, manifest: Manifest, bars: Bars) -> list[Path]:
    """Shards of latents, in order."""
    paths, vae, resampler = [], None, None
    progress = bars("latents")
    for index, group in enumerate(groups):
        name, facts = shard_name(LATENTS, index), {"clips": hashlib.sha256("\n".join(group).encode()).hexdigest()}
        if not manifest.finished(name, **facts):
            vae = vae or _ready(models.vae(place), place)
            samples = (sample for clip in _readable(source, group, options) for sample in _samples(clip, options))
            # Only latents are kept of a clip: the pictures of a shard would be many gigabytes.
            rows = [(_encoded(sample, vae, options), sample.prompt, sample.name) for sample in samples]
            if options.sampled:
                resampler = resampler or Resampler.of(models, options.sampled, place)
                for seed, (row, prompt, _) in enumerate(rows, start=index * options.shard):
                    row[SAMPLED] = resampler(row, prompt, seed)
            if not rows:
                continue
            write_shard(manifest.path_of(name), *zip(*rows, strict=True))
            manifest.record(name, **facts, samples=len(rows))
        paths.append(manifest.path_of(name))
        progress(index + 1, len(groups))
    if paths and options.stage == "appearance" and options.hints == "latent" and not manifest.finished(ABSENT):
        width, height = options.size
        black = to_pixels(np.full((1, height, width, 3), BLACK, np.uint8))
        with torch.no_grad():
            write_shard(manifest.path_of(ABSENT), [_moments(vae or _ready(models.vae(place), place), black, PICTURE, options)], [""])
        manifest.record(ABSENT)
    return paths


def _readable(source: ClipSource, group: list[str], options: EncodeOptions) -> Iterable[LabelledClip]:
    """The clips of a group that can be read, in the size of the latents."""
    for name in group:
        try:
            clip = source.read(name)
            length = options.length if options.stage == "motion" else len(clip.pictures)
            yield clip.fitted(*options.size, length)
        except (ValueError, FileNotFoundError) as error:
            log.warning("%s is left out: %s", name, error)


def _samples(clip: LabelledClip, options: EncodeOptions) -> list[LabelledClip]:
    return clip.stills(options.every, options.most) if options.stage == "appearance" else [clip]


@torch.no_grad()
def _encoded(clip: LabelledClip, vae: nn.Module, options: EncodeOptions) -> dict[str, Tensor]:
    """Tensors of one sample, on the CPU: (16, h, w) of a still, (16, T', h, w) of a clip, or (3, H, W) uint8 pictures."""
    pictures = {PICTURE: clip.pictures} | {name: getattr(clip.conditions, name) for name in options.conditions}
    row: dict[str, Tensor] = _foreground(clip, options)
    for name, frames in pictures.items():
        if frames is None:
            continue
        if options.stage == "motion":
            pixels = to_pixels(frames).transpose(0, 1)[None]
            row |= _moments(vae, pixels, name, options) | _moments(vae, pixels[:, :, :1], name + FIRST, options)
        elif name != PICTURE and options.hints == "pixel":
            row[name] = torch.tensor(frames[0]).movedim(-1, 0).contiguous()
        else:
            row |= _moments(vae, to_pixels(frames), name, options)
    return row


def _foreground(clip: LabelledClip, options: EncodeOptions) -> dict[str, Tensor]:
    """Share of hand and object in each latent pixel, the most of its frames; nothing if the clip does not know where they are."""
    hands, objects = masks(clip.conditions)
    if not (hands.any() or objects.any()):
        return {}
    shares = avg_pool2d(torch.tensor(hands | objects)[:, None].float(), SPATIAL)[:, 0]
    if options.stage == "motion":
        groups = shares[1:].unflatten(0, (-1, TEMPORAL_COMPRESSION)).amax(1) if len(shares) > 1 else shares[1:]
        shares = torch.cat([shares[:1], groups])
    else:
        shares = shares[0]
    return {FOREGROUND: shares.to(TORCH[options.dtype])}


def _moments(vae: nn.Module, pixels: Tensor, name: str, options: EncodeOptions) -> dict[str, Tensor]:
    """Scaled mean and, where asked for and the VAE has one, deviation of its distribution."""
    scale, shift = factors(vae)
    like = next(vae.parameters())
    coded = vae.encode(pixels.to(like))
    found = {name: coded} if isinstance(coded, Tensor) else {name: coded.latent_dist.mean, name + DEVIATION: coded.latent_dist.std}
    if not options.moments:
        found.pop(name + DEVIATION, None)
    kind = TORCH[options.dtype]
    return {key: ((value - (0 if key.endswith(DEVIATION) else shift)) * scale)[0].to("cpu", kind) for key, value in found.items()}


def _ready(vae: nn.Module, place: Machine) -> nn.Module:
    """The VAE on its device, encoding whole pictures, as PAM's training latents were made (pam_reference 3.6)."""
    for switch in ("disable_tiling", "disable_slicing"):
        getattr(vae, switch, lambda: None)()
    return vae.to(place.device).eval().requires_grad_(False)


def _encode_texts(
    shards: list[Path], models: Encoders, options: EncodeOptions, place: Machine, manifest: Manifest, bars: Bars
) -> list[Path]:
    """A shard of text for each of latents, with the prompts that no earlier one has; the first also has the empty prompt."""
    paths, seen, encoders = [], set(), None
    progress = bars("prompts")
    for index, shard in enumerate(shards):
        prompts = sorted(({"", *read_header(shard)[0]} if index == 0 else set(read_header(shard)[0])) - seen)
        seen |= set(prompts)
        name, facts = shard_name(TEXT, index), {"prompts": hashlib.sha256("\n".join(prompts).encode()).hexdigest()}
        if prompts and not manifest.finished(name, **facts):
            encoders = encoders or models.text(place)
            write_shard(manifest.path_of(name), encode_texts(prompts, *encoders, options, place), prompts)
            manifest.record(name, **facts)
        if prompts:
            paths.append(manifest.path_of(name))
        progress(index + 1, len(shards))
    return paths


def encode_texts(prompts: list[str], pipeline: Any, length: int, options: EncodeOptions, place: Machine) -> list[dict[str, Tensor]]:
    """``tokens`` (L, D) of T5 and, of the appearance stage, ``pooled`` (V,) of CLIP, of each prompt."""
    kind = TORCH[options.dtype]
    if options.stage == "appearance":
        from ..headless.flux import encode_prompts

        found = encode_prompts(pipeline, length, prompts, place)
        return [{TOKENS: prompt.tokens[0].to(kind), "pooled": prompt.pooled[0].to(kind)} for prompt in found]
    from ..headless.cogvideox import encode_prompts as encode_clip_prompts

    return [{TOKENS: tokens[0].to(kind)} for tokens in encode_clip_prompts(pipeline, length, prompts, place)]
