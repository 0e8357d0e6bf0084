"""Stage two: condition clips and a prompt to first frames, one for each seed."""

from __future__ import annotations

import logging
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from torch import Tensor

from ..appearance.flux_control import FluxControlConfig
from ..appearance.hints import hint_frames
from ..appearance.looks import look_warnings
from ..conditions.pack import resized
from ..conditions.video import ConditionVideo
from .compute import Compute, Machine, machine
from .condition_files import digest_of_clip, leave_out, read_conditions
from .files import save_picture
from .flux import FluxSampler, FluxSampling, Prompt, encode_prompts
from .flux_models import FluxModels
from .manifest import Manifest, open_manifest
from .pose_stage import Bars, no_bars
from .render_stage import check_names

log = logging.getLogger(__name__)
STEP = 16
"""Pixels of which width and height are multiples."""


@dataclass(frozen=True)
class FrameOptions:
    """What is painted (see *Apply HOI ControlNet* and *PAM's* prompts).

    Attributes:
        prompt, negative: words; ``{object}`` stands for the object's name. The negative prompt acts with ``sampling.cfg`` above 1.
        sampling: how.
        seeds: a picture for each.
        frame: of the conditions that guides it.
        size: (width, height), None takes that of the conditions; they are stretched to it as PAM does.
        style: of foreign condition folders, None takes theirs.
        without: modalities to leave out.
    """

    prompt: str
    negative: str = ""
    sampling: FluxSampling = field(default_factory=FluxSampling)
    seeds: tuple[int, ...] = (42,)
    frame: int = 0
    size: tuple[int, int] | None = None
    style: str | None = None
    without: tuple[str, ...] = ()

    def settings(self) -> dict:
        """What decides the result but for the seed, for the record."""
        plain = asdict(self)
        del plain["seeds"]
        return plain


@dataclass(frozen=True, eq=False)
class Job:
    """A picture still to be made."""

    name: str
    seed: int
    clip: ConditionVideo
    prompt: str
    digest: str


def make_frames(
    folders: list[Path],
    models: FluxModels,
    options: FrameOptions,
    compute: Compute,
    out: Path,
    overwrite: bool = False,
    bars: Bars = no_bars,
) -> list[Path]:
    """Paint each seed of each clip that has no picture yet.

    Args:
        folders: condition clips, as ``render_motions`` makes them.
        models: where the networks come from.
        options: what and how.
        compute: where.
        out: folder of ``<name of the clip>_frame<seed>.png``; what is finished there stays.
        overwrite: make everything anew.
        bars: progress of each picture.

    Returns:
        The pictures of all clips and seeds, in their order.

    Raises:
        ValueError, FileNotFoundError, ImportError: input that cannot work, found before the large networks are loaded.
    """
    options.sampling.check()
    check_names(folders)
    models.check()
    place = machine(compute)
    manifest = open_manifest(out, "appearance", {**options.settings(), **compute.look, "models": models.stamp}, overwrite)
    paths, jobs = [], []
    for folder in folders:
        clip, about = read_conditions(folder, style=options.style)
        clip = _fitted(leave_out(clip, options.without), options.size, folder)
        prompt, digest = worded(options.prompt, about), digest_of_clip(clip)
        for seed in options.seeds:
            name = f"{folder.stem}_frame{seed}.png"
            paths.append(manifest.path_of(name))
            if not manifest.finished(name, conditions=digest, prompt=prompt):
                jobs.append(Job(name, seed, clip, prompt, digest))
    log.info("%d of %d pictures to make", len(jobs), len(paths))
    if jobs:
        _paint(jobs, models, options, place, manifest, bars)
    return paths


def worded(prompt: str, about: dict) -> str:
    """A prompt with the clip's object in place of ``{object}``."""
    return prompt.replace("{object}", next(iter(about.get("objects", [])), "object"))


def check_size(size: tuple[int, int], what: str) -> None:
    """Raise ValueError unless width and height are multiples of 16 pixels."""
    if any(side < STEP or side % STEP for side in size):
        fit = " x ".join(str(max(STEP, round(side / STEP) * STEP)) for side in size)
        raise ValueError(f"Expected width and height in multiples of {STEP}, found {size[0]} x {size[1]} for {what}: use {fit}.")


def _fitted(clip: ConditionVideo, size: tuple[int, int] | None, folder: Path) -> ConditionVideo:
    _, height, width = clip.shape
    size = size or (width, height)
    check_size(size, folder.name)
    return resized(clip, *size)


def _paint(jobs: list[Job], models: FluxModels, options: FrameOptions, place: Machine, manifest: Manifest, bars: Bars) -> None:
    """Load what is needed, one network after the other, and make the pictures."""
    control = models.control(place)
    hints = {job.digest: _hint(job, control.config, options.frame) for job in jobs}
    prompts = _prompts(models, place, jobs, options)
    sampler = FluxSampler(place, models.transformer(place), control, models.vae(place))
    encoded = {digest: sampler.encode_hint(hint) for digest, hint in hints.items()}
    for job in jobs:
        begin = time.monotonic()
        _, height, width = job.clip.shape
        negative = prompts[options.negative] if options.sampling.cfg > 1 else None
        picture = sampler.sample(
            encoded[job.digest], prompts[job.prompt], negative, options.sampling, job.seed, (width, height), bars(Path(job.name).stem)
        )
        made = {**manifest.provenance, "seed": job.seed, "prompt": job.prompt, "conditions": job.digest}
        save_picture(manifest.path_of(job.name), picture, made)
        facts = {"seed": job.seed, "prompt": job.prompt, "conditions": job.digest}
        manifest.record(job.name, **facts, seconds=round(time.monotonic() - begin, 2))


def _hint(job: Job, config: FluxControlConfig, frame: int) -> Tensor:
    """(1, 3n, H, W) in 0..1 of a job's conditions; what does not look like the net's training data is said."""
    hint = hint_frames(job.clip, config, (frame,))
    for sentence in look_warnings(hint, config):
        log.warning("%s: %s", job.name, sentence)
    _, height, width = job.clip.shape
    return hint.at(width, height)


def _prompts(models: FluxModels, place: Machine, jobs: list[Job], options: FrameOptions) -> dict[str, Prompt]:
    """Every prompt once; the text encoders are freed afterwards."""
    texts = sorted({job.prompt for job in jobs} | ({options.negative} if options.sampling.cfg > 1 else set()))
    pipeline, length = models.text(place)
    return dict(zip(texts, encode_prompts(pipeline, length, texts, place), strict=True))
