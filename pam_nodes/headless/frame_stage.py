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
from ..mini.refine import refine
from ..prompting.compose import Wording, compose, object_words
from ..prompting.presets import PRESETS
from .codec import to_pictures
from .compute import Compute, Machine, machine
from .condition_files import digest_of_clip, leave_out, one_frame, read_conditions
from .files import save_picture
from .flux import FluxSampler, FluxSampling, Prompt, encode_prompts
from .flux_models import FluxModels
from .manifest import Manifest, open_manifest
from .pose_stage import Bars, no_bars
from .refiner import check_refine, load_refiner
from .render_stage import check_names
from .words import check_word

log = logging.getLogger(__name__)
OBJECT = "{object}"
"""Stands for the object's name in a prompt."""
STEP = 16
"""Pixels of which width and height are multiples."""


@dataclass(frozen=True)
class FrameOptions:
    """What is painted (see *Apply HOI ControlNet* and *PAM's* prompts).

    Attributes:
        prompt, negative: words; ``{object}`` stands for the object's name. The negative prompt acts with ``sampling.cfg`` above 1.
        wording: a preset of ``prompting`` that words each picture anew, by its seed, instead of the prompt; None for none.
        sampling: how.
        refine: share of the refiner's picture, 0 for none; of the small model only.
        seeds: a picture for each.
        frame: of the conditions that guides it.
        size: (width, height), None takes that of the conditions; they are stretched to it as PAM does.
        style: of foreign condition folders, None takes theirs.
        without: modalities to leave out.
    """

    prompt: str
    negative: str = ""
    wording: str | None = None
    sampling: FluxSampling = field(default_factory=FluxSampling)
    refine: float = 0.0
    seeds: tuple[int, ...] = (42,)
    frame: int = 0
    size: tuple[int, int] | None = None
    style: str | None = None
    without: tuple[str, ...] = ()

    def check(self, models: FluxModels) -> None:
        """Raise ValueError for what makes no sense, or not with these models."""
        self.sampling.check()
        check_refine(self.refine, models)
        if self.wording is not None:
            check_word(self.wording, tuple(PRESETS), "wording")

    def settings(self) -> dict:
        """What decides the result but for the seed, for the record."""
        plain = asdict(self)
        del plain["seeds"]
        return plain


@dataclass(frozen=True, eq=False)
class Job:
    """A picture still to be made.

    Attributes:
        name: of its file.
        clip: the one frame of conditions that guides it, in the picture's size.
        facts: what is recorded of it, and decides whether it is made anew.
    """

    name: str
    clip: ConditionVideo
    facts: dict


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
    options.check(models)
    check_names(folders)
    models.check()
    place = machine(compute)
    scenes = [_read(folder, options) for folder in folders]
    manifest = open_manifest(out, "appearance", {**options.settings(), **place.look, "models": models.stamp}, overwrite)
    paths, jobs = [], []
    for folder, (clip, sources) in zip(folders, scenes, strict=True):
        for seed in options.seeds:
            name = f"{folder.stem}_frame{seed}.png"
            facts = {**sources, "seed": seed, "prompt": _prompt(options, seed, sources["object"])}
            paths.append(manifest.path_of(name))
            if not manifest.finished(name, **facts):
                jobs.append(Job(name, clip, facts))
    log.info("%d of %d pictures to make", len(jobs), len(paths))
    if jobs:
        _paint(jobs, models, options, place, manifest, bars)
    return paths


def object_of(about: dict) -> str:
    """What a clip's first object is called, in words."""
    return object_words(next(iter(about.get("objects", [])), "object"))


def check_size(size: tuple[int, int], what: str) -> None:
    """Raise ValueError unless width and height are multiples of 16 pixels."""
    if any(side < STEP or side % STEP for side in size):
        fit = " x ".join(str(max(STEP, round(side / STEP) * STEP)) for side in size)
        raise ValueError(f"Expected width and height in multiples of {STEP}, found {size[0]} x {size[1]} for {what}: use {fit}.")


def _read(folder: Path, options: FrameOptions) -> tuple[ConditionVideo, dict]:
    """The frame of conditions that guides the pictures, in their size, and where it comes from."""
    clip, about = read_conditions(folder, style=options.style)
    clip = leave_out(one_frame(clip, options.frame), options.without)
    _, height, width = clip.shape
    size = options.size or (width, height)
    check_size(size, folder.name)
    clip = resized(clip, *size)
    return clip, {"conditions": digest_of_clip(clip), "motion": about.get("motion_sha256"), "object": object_of(about)}


def _prompt(options: FrameOptions, seed: int, name: str) -> str:
    if options.wording is None:
        return options.prompt.replace(OBJECT, name)
    return compose(Wording(options.wording, fields={"object": name}), seed)[0].text


def _paint(jobs: list[Job], models: FluxModels, options: FrameOptions, place: Machine, manifest: Manifest, bars: Bars) -> None:
    """Load what is needed, one network after the other, and make the pictures."""
    log.info("loading the ControlNet, the text encoders and Flux")
    refiner = load_refiner(place.device) if options.refine else None
    control = models.control(place)
    hints = [_hint(job, control.config) for job in jobs]
    prompts = _prompts(models, place, jobs, options)
    sampler = FluxSampler(place, models.transformer(place), control, models.vae(place))
    negative = prompts[options.negative] if options.sampling.cfg > 1 else None
    for job, hint in zip(jobs, hints, strict=True):
        begin = time.monotonic()
        encoded = sampler.encode_hint(hint)
        size = (hint.shape[3], hint.shape[2])
        prompt, seed = prompts[job.facts["prompt"]], job.facts["seed"]
        pixels = sampler.paint(encoded, prompt, negative, options.sampling, seed, size, bars(Path(job.name).stem))
        if refiner is not None:
            pixels = refine(refiner, pixels, job.clip, strength=options.refine)
        save_picture(manifest.path_of(job.name), to_pictures(pixels)[0], {**manifest.provenance, **job.facts})
        manifest.record(job.name, **job.facts, seconds=round(time.monotonic() - begin, 2))


def _hint(job: Job, config: FluxControlConfig) -> Tensor:
    """(1, 3n, H, W) in 0..1 of a job's conditions; what does not look like the net's training data is said."""
    hint = hint_frames(job.clip, config)
    for sentence in look_warnings(hint, config):
        log.warning("%s: %s", job.name, sentence)
    _, height, width = job.clip.shape
    return hint.at(width, height)


def _prompts(models: FluxModels, place: Machine, jobs: list[Job], options: FrameOptions) -> dict[str, Prompt]:
    """Every prompt once; the text encoders are freed afterwards."""
    texts = sorted({job.facts["prompt"] for job in jobs} | ({options.negative} if options.sampling.cfg > 1 else set()))
    pipeline, length = models.text(place)
    return dict(zip(texts, encode_prompts(pipeline, length, texts, place), strict=True))
