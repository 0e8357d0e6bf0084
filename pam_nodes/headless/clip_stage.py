"""Stage three: first frames and condition clips to video, one for each picture and seed."""

from __future__ import annotations

import logging
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from ..conditions.pack import fitted
from ..conditions.video import ConditionVideo
from ..mini.refine import refine
from ..motion.frames import latent_length
from ..motion.slots import SlotLatents
from .clip_files import require_av, write_clip
from .codec import to_pictures, to_pixels
from .cogvideox import ClipSampler, ClipSampling, encode_prompts
from .cogvideox_models import CogVideoXModels
from .compute import Compute, Machine, machine
from .condition_files import digest_of_clip, leave_out, read_conditions
from .files import digest_of, read_picture
from .frame_stage import OBJECT, check_size, object_of
from .manifest import Manifest, open_manifest
from .pose_stage import Bars, no_bars
from .refiner import check_refine, load_refiner
from .render_stage import check_names

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClipOptions:
    """What is filmed (see *Apply HOI Control CogVideoX*).

    Attributes:
        prompt, negative: words; ``{object}`` stands for the object's name.
        sampling: how.
        refine: share of the refiner's frames in the clip, 0 for none; of the small model only.
        seeds: a clip for each.
        size: (width, height), None takes that of the conditions; conditions and picture are stretched to it as PAM does.
        length: frames, None takes all; longer conditions are thinned by PAM's rule.
        fps: of the clip, None takes that of the conditions.
        style: of foreign condition folders, None takes theirs.
        without: modalities to leave out.
    """

    prompt: str
    negative: str = ""
    sampling: ClipSampling = field(default_factory=ClipSampling)
    refine: float = 0.0
    seeds: tuple[int, ...] = (42,)
    size: tuple[int, int] | None = None
    length: int | None = None
    fps: float | None = None
    style: str | None = None
    without: tuple[str, ...] = ()

    def check(self, models: CogVideoXModels) -> None:
        """Raise ValueError for numbers that make no sense, or not with these models."""
        self.sampling.check()
        check_refine(self.refine, models)
        if not 0 <= self.refine <= 1:
            raise ValueError(f"Expected a share of refining between 0 and 1, found {self.refine:g}.")

    def settings(self) -> dict:
        """What decides the result but for the seed, for the record."""
        plain = asdict(self)
        del plain["seeds"]
        return plain


@dataclass(frozen=True)
class Job:
    """A clip still to be made.

    Attributes:
        name: of its file.
        folder, frame: its conditions and first frame.
        facts: what is recorded of it, and decides whether it is made anew.
    """

    name: str
    folder: Path
    frame: Path
    facts: dict


def make_clips(
    pairs: list[tuple[Path, Path]],
    models: CogVideoXModels,
    options: ClipOptions,
    compute: Compute,
    out: Path,
    overwrite: bool = False,
    bars: Bars = no_bars,
) -> list[Path]:
    """Film each picture with each seed that has no clip yet.

    Args:
        pairs: folder of conditions and first frame of each clip.
        models: where the networks come from.
        options: what and how.
        compute: where.
        out: folder of ``<name of the picture>_clip<seed>.mp4``; what is finished there stays.
        overwrite: make everything anew.
        bars: progress of each clip.

    Returns:
        The clips of all pictures and seeds, in their order.

    Raises:
        ValueError, FileNotFoundError, ImportError: input that cannot work, found before the large networks are loaded.
    """
    options.check(models)
    check_names([picture for _, picture in pairs])
    require_av()
    place = machine(compute)
    sources = [_sources(folder, frame, options, models) for folder, frame in pairs]
    manifest = open_manifest(out, "motion", {**options.settings(), **place.look, "models": models.stamp}, overwrite)
    paths, jobs = [], []
    for (folder, frame), source in zip(pairs, sources, strict=True):
        for seed in options.seeds:
            name, facts = f"{frame.stem}_clip{seed}.mp4", {**source, "seed": seed}
            paths.append(manifest.path_of(name))
            if not manifest.finished(name, **facts):
                jobs.append(Job(name, folder, frame, facts))
    log.info("%d of %d clips to make", len(jobs), len(paths))
    if jobs:
        _film(jobs, models, options, place, manifest, bars)
    return paths


def stretched(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """(height, width, 3) uint8 of a picture of any size, with the filter of PAM's simulation script (pam_reference 3.6)."""
    from PIL import Image

    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS))


def _sources(folder: Path, frame: Path, options: ClipOptions, models: CogVideoXModels) -> dict:
    """What a clip is made of, for the record; raises for what the models do not take."""
    clip, about = _read(folder, options, models)
    read_picture(frame)
    made_of = {"conditions": digest_of_clip(clip), "first_frame": digest_of(frame), "motion": about.get("motion_sha256")}
    return {**made_of, "prompt": options.prompt.replace(OBJECT, object_of(about))}


def _read(folder: Path, options: ClipOptions, models: CogVideoXModels) -> tuple[ConditionVideo, dict]:
    """Conditions as the models take them, and what their folder says about them."""
    clip, about = read_conditions(folder, options.fps, options.style)
    total, height, width = clip.shape
    size, length = options.size or (width, height), options.length or total
    check_clip(size, length, models, folder.name)
    return fitted(leave_out(clip, options.without), *size, length), about


def check_clip(size: tuple[int, int], length: int, models: CogVideoXModels, what: str) -> None:
    """Raise for a size or length that the models do not make."""
    latent_length(length)
    check_size(size, what)
    models.check(size, length)


def _film(jobs: list[Job], models: CogVideoXModels, options: ClipOptions, place: Machine, manifest: Manifest, bars: Bars) -> None:
    """Load what is needed, one network after the other, and make the clips."""
    log.info("loading the control, the text encoder and CogVideoX")
    refiner = load_refiner(place.device) if options.refine else None
    control = models.control(place)
    texts = sorted({options.negative, *(job.facts["prompt"] for job in jobs)})
    prompts = dict(zip(texts, encode_prompts(*models.text(place), texts, place), strict=True))
    sampler = ClipSampler(place, models.transformer(place), control, models.vae(place), models.schedule())
    known: dict[tuple, tuple[ConditionVideo, list[SlotLatents]]] = {}
    for job in jobs:
        begin, seed = time.monotonic(), job.facts["seed"]
        draw = place.generator(seed) if options.sampling.draw else None
        key = (job.folder, seed if options.sampling.draw else None)
        if key not in known:
            clip, _ = _read(job.folder, options, models)
            known = {key: (clip, sampler.encode_slots(clip, options.sampling.unused, draw))}
        clip, slots = known[key]
        _, height, width = clip.shape
        picture = stretched(read_picture(job.frame), width, height)
        start = sampler.encode_start(picture, draw)
        words = (prompts[job.facts["prompt"]], prompts[options.negative])
        pixels = sampler.decode(sampler.denoise(slots, start, *words, options.sampling, seed, bars(Path(job.name).stem)))
        if refiner is not None:
            pixels = refine(refiner, pixels, clip, to_pixels(picture[None]), options.refine)
        write_clip(manifest.path_of(job.name), to_pictures(pixels), clip.fps, {**manifest.provenance, **job.facts})
        manifest.record(job.name, **job.facts, seconds=round(time.monotonic() - begin, 2))
