"""Generated clips against the real ones they were conditioned on: many files, one table."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..assess.score import NO_MODEL, Scorer
from ..dataset.clips import ClipSource, FolderClips, LabelledClip
from ..hands.model import HandModel
from ..headless.clip_files import read_clip
from ..headless.files import save_bytes, save_json
from ..headless.pose_stage import Bars, no_bars
from .compare import Truth, compare, mean
from .distances import Distances, LatentFeatures, Lpips, VideoFeatures
from .joints import find_joints, read_joints
from .paper import OFF_SCALE, PAPER, table
from .tracks import fitted_tracks, given_tracks, rendered_tracks

log = logging.getLogger(__name__)
REPORT, TABLE = "evaluation.json", "evaluation.md"
RENDERED = "rendered"
"""Instead of a folder of tracks: those of the motions beside the clips."""


@dataclass(frozen=True)
class Networks:
    """What measures beyond arithmetic: ``latent`` is the pack's own; ``lpips`` and ``video`` are a person's, or None."""

    latent: LatentFeatures
    lpips: Lpips | None = None
    video: VideoFeatures | None = None


@dataclass(frozen=True)
class Given:
    """What a person knows beyond the clips.

    Attributes:
        joints: folder of the joints an estimator found in each generated clip (see ``joints.read_joints``), named after it, or None.
        tracks: folder of tracks of each real clip (see ``tracks.given_tracks``), ``RENDERED``, or None.
        hands: by side, what parameters are posed with and the clips were made with.
    """

    joints: Path | None = None
    tracks: Path | str | None = None
    hands: Mapping[str, HandModel] = field(default_factory=dict)


def evaluate(
    generated: list[Path],
    source: ClipSource,
    networks: Networks,
    out: Path,
    data: str = "DexYCB",
    label: str = "these clips",
    given: Given = Given(),
    bars: Bars = no_bars,
) -> list[Path]:
    """Measure clips and write a table and JSON.

    Args:
        generated: .mp4 files named after the source's clips: ``<name>.mp4`` or ``<name>_...mp4``, "/" in a name as "_".
        source: the real clips; each is brought to the size and length of the generated one by PAM's rule.
        networks: for the learned measures.
        out: folder of ``evaluation.json`` and ``evaluation.md``.
        data: whose numbers of the paper stand beside, a key of ``PAPER``.
        label: of the row.
        given: estimated joints and known tracks.
        bars: progress.

    Returns:
        The two files.

    Raises:
        ValueError, FileNotFoundError: a clip without a real one, of a length its real one does not have, or without joints or tracks.
    """
    pairs = [(path, partner(path, source.names)) for path in generated]
    if not pairs:
        raise ValueError("Expected at least one generated clip, found none.")
    joints = None if given.joints is None else {path: find_joints(given.joints, path.stem) for path, _ in pairs}
    progress, scorer, distances = bars("evaluate"), Scorer(), Distances(networks.latent, networks.video)
    rows: dict[str, dict[str, float | None]] = {}
    for done, (path, name) in enumerate(pairs, start=1):
        pictures, clip = read_clip(path)[0], source.read(name)
        length, height, width = pictures.shape[:3]
        fitted = clip.fitted(width, height, length)
        truth = Truth(fitted.pictures, fitted.conditions, _tracks(given, source, clip, pictures.shape[:3]))
        hands = None if joints is None else read_joints(joints[path], given.hands)
        rows[path.stem] = _plain(compare(pictures, truth, scorer, networks.lpips, hands).mean)
        distances.add(pictures, real=False)
        distances.add(truth.pictures, real=True)
        progress(done, len(pairs))
    means = {key: _mean([row[key] for row in rows.values()]) for key in next(iter(rows.values()))} | distances.values
    notes = [OFF_SCALE, *([] if scorer.landmarker is not None else [NO_MODEL])]
    content = {"clips": rows, "mean": means, "count": len(rows), "paper": PAPER[data], "notes": notes}
    save_json(out / REPORT, content)
    text = table({f"{label} ({len(rows)})": means}, data) + "\n" + "\n".join(notes) + "\n"
    save_bytes(out / TABLE, text.encode())
    log.info("%s", text)
    return [out / TABLE, out / REPORT]


def partner(path: Path, names: list[str]) -> str:
    """The clip a generated file is named after, the longest name that fits; raises ValueError for none."""
    fitting = [name for name in names if f"{path.stem}_".startswith(f"{name.replace('/', '_')}_")]
    if not fitting:
        raise ValueError(f"Expected {path.name} to be named after a clip such as {names[0].replace('/', '_')}, found no clip for it.")
    return max(fitting, key=len)


def _tracks(given: Given, source: ClipSource, clip: LabelledClip, shape: tuple[int, int, int]) -> np.ndarray | None:
    """Tracks of a real clip, brought to the length and size of the generated one; or None."""
    if given.tracks is None:
        return None
    if given.tracks != RENDERED:
        tracks = given_tracks(Path(given.tracks), clip.name)
    elif isinstance(source, FolderClips):
        tracks = rendered_tracks(source, clip.name, clip.conditions, given.hands)
    else:
        raise ValueError("Expected a folder of the data command for rendered tracks, found another data set: give a folder of tracks.")
    return fitted_tracks(tracks, clip.pictures.shape[:3], shape)


def _plain(row: dict[str, float | None]) -> dict[str, float | None]:
    """Numbers JSON has: clips that are equal have no PSNR."""
    return {key: value if value is None or np.isfinite(value) else None for key, value in row.items()}


def _mean(values: list[float | None]) -> float | None:
    return mean(np.array([np.nan if value is None else value for value in values]))
