"""Labelled clips by the thousand: simulate, film, paint with the shaded preview, on as many processor cores as wanted.

Every clip has its own random numbers, drawn from the seed and its index: the same clip comes out whatever the number of workers, in
whatever order, and after any interruption. The folders are those of the headless stages: ``motions/clip_00000.npz`` and
``conditions/clip_00000/`` with the pictures, ``preview`` standing for the photograph, and ``labels.npz``.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from ..conditions.film import film
from ..headless.condition_files import NAME
from ..headless.condition_writer import write_conditions
from ..headless.files import digest_of
from ..headless.frame_stage import check_size
from ..headless.manifest import open_manifest
from ..headless.motion_files import write_motion_file
from ..headless.pose_stage import Bars, no_bars
from ..headless.words import PICTURES, check_word
from .looks import CLIP_VERBS, VERBS, random_look, stages
from .scenes import SceneOptions, random_camera, random_motion

log = logging.getLogger(__name__)
TRIES = 12
"""Scenes drawn for a clip until a grasp holds and the camera sees it."""
BACKGROUNDS = (".png", ".jpg", ".jpeg", ".webp")
STYLES = ("dexycb", "oakink2")


@dataclass(frozen=True)
class DataOptions:
    """What is made.

    Attributes:
        scenes: the random scenes.
        clips: how many.
        seed: of all chance.
        size: (width, height), multiples of 16 pixels.
        style: of the condition pictures, "dexycb" or "oakink2".
        normals: also draw normals.
        backgrounds: folder of pictures that stand behind half of the scenes, None for a wall and a table everywhere.
        pictures: "png" or "mp4" (lossless).
    """

    scenes: SceneOptions = field(default_factory=SceneOptions)
    clips: int = 100
    seed: int = 0
    size: tuple[int, int] = (720, 480)
    style: str = "dexycb"
    normals: bool = False
    backgrounds: Path | None = None
    pictures: str = "mp4"

    def check(self) -> None:
        """Raise ValueError or FileNotFoundError for what cannot work."""
        if self.clips < 1:
            raise ValueError(f"Expected at least 1 clip, found {self.clips}.")
        check_size(self.size, "the clips")
        check_word(self.style, STYLES, "style")
        check_word(self.pictures, PICTURES, "kind of picture")
        self.scenes.check()
        if self.backgrounds is not None and not self.background_files():
            raise FileNotFoundError(f"Expected pictures ({', '.join(BACKGROUNDS)}) in {self.backgrounds}, found none.")

    def background_files(self) -> tuple[Path, ...]:
        """The pictures of ``backgrounds``, by name."""
        if self.backgrounds is None:
            return ()
        return tuple(path for path in sorted(self.backgrounds.glob("[!.]*")) if path.suffix.lower() in BACKGROUNDS)

    def settings(self) -> dict:
        """What decides a clip but for its index, for the record; files by content or name."""
        plain = asdict(self)
        del plain["clips"]
        scenes = plain["scenes"]
        scenes["hand"] = None if self.scenes.hand is None else digest_of(self.scenes.hand)
        scenes["objects"] = [digest_of(Path(source)) if Path(source).is_file() else source for source in self.scenes.objects]
        plain["backgrounds"] = [path.name for path in self.background_files()]
        return plain


def make_data(options: DataOptions, out: Path, workers: int = 1, overwrite: bool = False, bars: Bars = no_bars) -> list[Path]:
    """Make every clip that is not there yet.

    Args:
        options: what.
        out: folder of ``motions`` and ``conditions``.
        workers: processes.
        overwrite: make everything anew.
        bars: progress over all clips.

    Returns:
        The condition folders, by index; clips for which no grasp held in ``TRIES`` scenes are left out.

    Raises:
        ValueError, FileNotFoundError: input that cannot work, before any simulation.
    """
    options.check()
    if workers < 1:
        raise ValueError(f"Expected at least 1 worker, found {workers}.")
    manifest = open_manifest(out, "data", options.settings(), overwrite)
    names = {index: f"conditions/clip_{index:05}/{NAME}" for index in range(options.clips)}
    missing = [index for index, name in names.items() if not manifest.finished(name)]
    log.info("%d of %d clips to make", len(missing), options.clips)
    progress = bars("clips")
    for done, (index, facts) in enumerate(_made(options, missing, out, workers), start=1):
        progress(done, len(missing))
        if facts is None:
            log.warning("clip %d: no grasp held in %d scenes, it is left out; another seed may do", index, TRIES)
        else:
            manifest.record(names[index], **facts)
    return [manifest.path_of(name).parent for name in names.values() if manifest.finished(name)]


def _made(options: DataOptions, indices: list[int], out: Path, workers: int) -> Iterator[tuple[int, dict | None]]:
    """Clips as they are finished: index and what is recorded of it."""
    if workers == 1 or len(indices) < 2:
        yield from ((index, make_clip(options, index, out)) for index in indices)
        return
    with ProcessPoolExecutor(min(workers, len(indices)), multiprocessing.get_context("spawn"), initializer=_one_thread) as pool:
        jobs = {pool.submit(make_clip, options, index, out): index for index in indices}
        try:
            for job in as_completed(jobs):
                yield jobs[job], job.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _one_thread() -> None:
    """Workers share the cores among themselves, not within."""
    import torch

    from ..conditions.helpers import OFF

    torch.set_num_threads(1)
    os.environ[OFF] = "1"


def make_clip(options: DataOptions, index: int, out: Path) -> dict | None:
    """Make one clip; returns what is recorded of it, or None if no scene was fit."""
    for attempt in range(TRIES):
        rng = np.random.default_rng([options.seed, index, attempt])
        try:
            trajectory = random_motion(options.scenes, rng)
            if not trajectory.report.success:
                continue
            camera = random_camera(trajectory, *options.size, rng)
            look, words = random_look(rng, options.background_files(), options.size)
            clip, shaded = film(trajectory, camera, None, options.style, normals=options.normals, look=look)
        except (ValueError, RuntimeError) as error:
            log.debug("clip %d, scene %d: %s", index, attempt, error)
            continue
        motion = out / "motions" / f"clip_{index:05}.npz"
        write_motion_file(motion, trajectory)
        thing = trajectory.objects[0]
        prompts = [words.prompt(thing.mesh.name, VERBS[stage]) for stage in stages(thing.poses[:, 2, 3])]
        facts = {
            "motion_sha256": digest_of(motion),
            "objects": [thing.mesh.name],
            "prompt": words.prompt(thing.mesh.name, str(rng.choice(CLIP_VERBS))),
            "frame_prompts": prompts,
            "look": {key: value for key, value in asdict(replace(look, background=None)).items() if key != "background"},
        }
        write_conditions(out / "conditions" / f"clip_{index:05}", clip, camera, options.pictures, facts, shaded)
        return {"scene": attempt, "motion": facts["motion_sha256"], "object": thing.mesh.name, "prompt": facts["prompt"]}
    return None
