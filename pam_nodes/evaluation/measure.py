"""Generated clips against the real ones they were conditioned on."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..assess.expected import expected
from ..assess.metrics import motion_fidelity, psnr, ssim
from ..assess.score import NO_MODEL, Scorer
from ..assess.tracks import seen_tracks, spread_points, to_grey
from ..conditions.pack import masks
from ..dataset.clips import ClipSource, LabelledClip
from ..headless.clip_files import read_clip
from ..headless.files import save_bytes, save_json
from ..headless.pose_stage import Bars, no_bars
from .distances import LatentFeatures, Lpips, VideoFeatures, frechet
from .paper import PAPER, table

log = logging.getLogger(__name__)
TRACKS = 200
"""Points followed through a clip, on hand and object."""
REPORT, TABLE = "evaluation.json", "evaluation.md"
OFF_SCALE = (
    "MF follows points by Lucas-Kanade; MPJPE px is of MediaPipe's landmarks against the labels' joints in the picture. The paper's "
    "numbers come from other estimators: compare rows of your own with each other."
)


@dataclass(frozen=True)
class Networks:
    """What measures beyond arithmetic: ``latent`` is the pack's own; ``lpips`` and ``video`` are a person's, or None."""

    latent: LatentFeatures
    lpips: Lpips | None = None
    video: VideoFeatures | None = None


def evaluate(
    generated: list[Path],
    source: ClipSource,
    networks: Networks,
    out: Path,
    data: str = "DexYCB",
    label: str = "these clips",
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
        bars: progress.

    Returns:
        The two files.

    Raises:
        ValueError: a clip without a real one, or of a length its real one does not have.
    """
    pairs = [(path, partner(path, source.names)) for path in generated]
    if not pairs:
        raise ValueError("Expected at least one generated clip, found none.")
    progress, scorer = bars("evaluate"), Scorer()
    rows: dict[str, dict[str, float | None]] = {}
    features: dict[str, tuple[list, list]] = {"latent_frechet": ([], []), "fvd": ([], [])}
    for done, (path, name) in enumerate(pairs, start=1):
        pictures = read_clip(path)[0]
        length, height, width = pictures.shape[:3]
        truth = source.read(name).fitted(width, height, length)
        rows[path.stem] = measure(pictures, truth, scorer, networks.lpips)
        for key, network in (("latent_frechet", networks.latent), ("fvd", networks.video)):
            if network is not None:
                for values, clip in zip(features[key], (pictures, truth.pictures), strict=True):
                    values.append(network(clip))
        progress(done, len(pairs))
    mean = {key: _mean([row[key] for row in rows.values()]) for key in next(iter(rows.values()))}
    mean |= {key: frechet(np.array(made), np.array(true)) for key, (made, true) in features.items()}
    notes = [OFF_SCALE, *([] if scorer.landmarker is not None else [NO_MODEL])]
    content = {"clips": rows, "mean": mean, "count": len(rows), "paper": PAPER[data], "notes": notes}
    save_json(out / REPORT, content)
    text = table({f"{label} ({len(rows)})": mean}, data) + "\n" + "\n".join(notes) + "\n"
    save_bytes(out / TABLE, text.encode())
    log.info("%s", text)
    return [out / TABLE, out / REPORT]


def partner(path: Path, names: list[str]) -> str:
    """The clip a generated file is named after, the longest name that fits; raises ValueError for none."""
    fitting = [name for name in names if f"{path.stem}_".startswith(f"{name.replace('/', '_')}_")]
    if not fitting:
        raise ValueError(f"Expected {path.name} to be named after a clip such as {names[0].replace('/', '_')}, found no clip for it.")
    return max(fitting, key=len)


def measure(pictures: np.ndarray, truth: LabelledClip, scorer: Scorer, lpips: Lpips | None = None) -> dict[str, float | None]:
    """Measures of one (T, H, W, 3) uint8 clip; None where one cannot be taken."""
    frames = list(zip(pictures, truth.pictures, strict=True))
    row: dict[str, float | None] = {
        "psnr": _mean([psnr(one, two) for one, two in frames if not np.array_equal(one, two)]),
        "ssim": _mean([ssim(one, two) for one, two in frames]),
        "motion_fidelity": fidelity(pictures, truth),
        "lpips": None if lpips is None else lpips(pictures, truth.pictures),
    }
    return row | joint_errors(pictures, truth, scorer)


def fidelity(pictures: np.ndarray, truth: LabelledClip) -> float | None:
    """Motion fidelity of points on hand and object of the first frame, followed in both clips."""
    hands, objects = masks(truth.conditions)
    points = spread_points((hands | objects)[0], TRACKS) if (hands | objects)[0].any() else np.empty((0, 2))
    if len(points) == 0 or len(pictures) < 2:
        return None
    value = motion_fidelity(*(seen_tracks(to_grey(clip), points) for clip in (pictures, truth.pictures)))
    return value if np.isfinite(value) else None


def joint_errors(pictures: np.ndarray, truth: LabelledClip, scorer: Scorer) -> dict[str, float | None]:
    """Mean MPJPE and PA-MPJPE in pixels over frames whose hand is found, where the clip has joints."""
    if scorer.landmarker is None or truth.conditions.joints is None:
        return {"mpjpe_px": None, "pa_mpjpe_px": None}
    scores = [scorer.score(picture, expected(truth.conditions, frame)) for frame, picture in enumerate(pictures)]
    return {"mpjpe_px": _mean([s.pixels for s in scores]), "pa_mpjpe_px": _mean([s.aligned for s in scores])}


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
