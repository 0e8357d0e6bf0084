"""A generated clip measured against its conditions, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..chart import Row, chart
from ..conditions.flow import UNKNOWN, VISIBLE, FlowVideo
from ..conditions.pack import masks
from ..conditions.video import ConditionVideo
from ..grasp.verdict import Verdict
from ..progress import Progress, silent
from .expected import Expected, expected, fitted_pictures
from .metrics import motion_fidelity
from .score import NO_MODEL, FrameScore, Scorer
from .tracks import carried, drift, exact_tracks, seen_tracks, spread_points, to_grey

TRACKS = 150
"""Points of the first frame whose tracks are compared."""


@dataclass(frozen=True)
class ClipDemands:
    """What a clip must keep to; 0 does not look at it.

    Attributes:
        hands: share of the frames with a hand to be seen in which it is found.
        error: mean landmark error, as a share of the hand's box.
        shape: mean overlap of hand and object with the pixels of their colours.
        flicker: mean change of the background from frame to frame, 8-bit levels.
        drift: how far the object comes from its motion, as a share of its size.
    """

    hands: float = 0.5
    error: float = 0.2
    shape: float = 0.5
    flicker: float = 6.0
    drift: float = 0.2


@dataclass(frozen=True, eq=False)
class ClipQuality:
    """Measurements of T frames.

    Attributes:
        pictures: (T, H, W, 3) uint8, of the size of the conditions.
        frames: what was expected in each, and scores: how the picture keeps to it.
        flicker: (T,) mean absolute change of the background since the frame before, 8-bit levels; NaN in the first.
        drift: (T,) distance of the object from its exact motion as a share of its size, or None without flow or object.
        fidelity: motion fidelity of hand and object, -1 to 1, or None without flow.
        notes: what could not be measured.
    """

    pictures: np.ndarray
    frames: tuple[Expected, ...]
    scores: tuple[FrameScore, ...]
    flicker: np.ndarray
    drift: np.ndarray | None
    fidelity: float | None
    notes: tuple[str, ...]

    @property
    def presence(self) -> np.ndarray:
        """(T,) least presence of the hands of each frame; NaN where none is to be seen."""
        return np.array([min((hand.found.presence for hand in score.hands or ()), default=np.nan) for score in self.scores])

    @property
    def found(self) -> float:
        """Share of the frames with a hand to be seen in which all hands are found; NaN without such a frame."""
        seen = [all(hand.present for hand in score.hands) for score in self.scores if score.hands]
        return float(np.mean(seen)) if seen else float("nan")

    @property
    def error(self) -> np.ndarray:
        """(T,) landmark error of the hands that were found; NaN where none was."""
        return self._floats("error")

    @property
    def shape(self) -> np.ndarray:
        """(T,) overlap of hand and object with their colours; NaN without labels."""
        return self._floats("shape")

    @property
    def mpjpe(self) -> float:
        """Mean landmark error of the hands that were found, pixels; NaN without any."""
        return _mean(self._floats("pixels"))

    @property
    def pa_mpjpe(self) -> float:
        """The same after the best shift, turn and scale of each hand."""
        return _mean(self._floats("aligned"))

    def _floats(self, name: str) -> np.ndarray:
        values = [getattr(score, name) for score in self.scores]
        return np.array([np.nan if value is None else value for value in values])


def measure_clip(pictures: np.ndarray, video: ConditionVideo, progress: Progress = silent) -> ClipQuality:
    """Measure a clip.

    Args:
        pictures: (T, H, W, 3) uint8; they are stretched to the size of the conditions.
        video: as many frames; with its exact flow, the object's motion is judged too.
        progress: called after each frame, twice with flow.

    Raises:
        ValueError: another number of frames, or conditions without labels and joints.
    """
    total = video.shape[0]
    if len(pictures) != total:
        raise ValueError(f"Expected {total} pictures, as many as the conditions have frames, found {len(pictures)}: fit one to the other.")
    steps = total if video.flow is None else 2 * total
    frames = tuple(expected(video, t) for t in range(total))
    pictures, scorer, scores = fitted_pictures(pictures, video), Scorer(), []
    for picture, frame in zip(pictures, frames, strict=True):
        scores.append(scorer.score(picture, frame))
        progress(len(scores), steps)
    grey, (hands, objects) = to_grey(pictures), masks(video)
    notes = [] if scorer.landmarker else [NO_MODEL]
    away = fidelity = None
    if video.flow is None:
        notes.append("the object's motion was not judged: give Render Optical Flow this bundle, and connect the bundle it makes")
    else:
        away = object_drift(grey, video.flow, objects, hands, lambda done, _: progress(total + done, steps))
        fidelity = _fidelity(grey, video.flow, (hands | objects)[0])
    return ClipQuality(pictures, frames, tuple(scores), flicker(grey, hands | objects, video.flow), away, fidelity, tuple(notes))


def flicker(grey: np.ndarray, foreground: np.ndarray, flow: FlowVideo | None = None) -> np.ndarray:
    """(T,) mean absolute change of the background since the frame before, 8-bit levels; NaN in the first frame.

    The measure is VBench's temporal flickering (Huang et al. 2024), of the background alone. It takes the camera to be fixed, unless the
    flow covers the background (*Render Optical Flow* with ``table``): then the change along the flow counts.

    Args:
        grey: (T, H, W) float32 grey levels.
        foreground: (T, H, W) bool: what is no background.
        flow: exact flow.
    """
    change = np.full(len(grey), np.nan)
    for t in range(len(grey) - 1):
        still = ~foreground[t] & ~foreground[t + 1]
        after = grey[t + 1]
        if flow is not None and (flow.state[t][still] != UNKNOWN).any():
            still = ~foreground[t] & (flow.state[t] == VISIBLE)
            after = carried(after, flow.flow[t])
        if still.any():
            change[t + 1] = np.abs(after - grey[t])[still].mean()
    return change


def object_drift(
    grey: np.ndarray, flow: FlowVideo, objects: np.ndarray, hands: np.ndarray, progress: Progress = silent
) -> np.ndarray | None:
    """(T,) length of ``drift`` as a share of the object's size (the root of the most pixels it covers); None if it is never seen."""
    size = np.sqrt(objects.sum(axis=(1, 2)).max())
    return np.linalg.norm(drift(grey, flow, objects, hands, progress), axis=1) / size if size else None


def _fidelity(grey: np.ndarray, flow: FlowVideo, mask: np.ndarray) -> float | None:
    points = spread_points(mask, TRACKS)
    if not len(points) or len(grey) < 2:
        return None
    fidelity = motion_fidelity(seen_tracks(grey, points), exact_tracks(flow, points))
    return fidelity if np.isfinite(fidelity) else None


def judge_clip(quality: ClipQuality, demands: ClipDemands) -> Verdict:
    """Compare a clip with demands; the score is the share of them that is kept, each counted by how far it is missed."""
    away = _largest(quality.drift)
    measured = (
        ("hands", demands.hands, quality.found, True, f"Hand found in {_percent(quality.found)} of the frames that show one"),
        ("landmarks", demands.error, _mean(quality.error), False, _landmarks(quality)),
        ("shape", demands.shape, _mean(quality.shape), True, f"Colours of hand and object in place: {_mean(quality.shape):.2f}"),
        ("flicker", demands.flicker, _mean(quality.flicker), False, f"Background changes by {_mean(quality.flicker):.1f} levels a frame"),
        ("drift", demands.drift, away, False, f"Object up to {_percent(away)} of its size from its motion"),
    )
    lines, failed, marks = [], [], []
    for name, limit, value, high_is_good, text in measured:
        if not np.isfinite(value):
            continue
        kept = value >= limit if high_is_good else value <= limit
        missed = limit > 0 and not kept
        lines.append(f"{text} (limit {limit:g})" if missed else text)
        failed += [name] if missed else []
        marks.append((value / limit if high_is_good else limit / value) if missed else 1.0)
    if quality.fidelity is not None:
        lines.append(f"Motion fidelity {quality.fidelity:.2f}")
    lines += [f"Note: {note}" for note in quality.notes]
    return Verdict(float(np.mean(marks)) if marks else 0.0, tuple(lines), tuple(failed))


def plot_clip(quality: ClipQuality, demands: ClipDemands) -> np.ndarray:
    """(600, 640, 3) uint8: what was measured, frame by frame, with its limits."""
    rows = [
        Row("hand presence", quality.presence, (46, 134, 193)),
        Row("landmark error, % of the hand", quality.error * 100, (214, 69, 65), demands.error * 100 or None),
        Row("overlap of hand and object with their colours", quality.shape, (39, 150, 100), demands.shape or None),
        Row("change of the background, levels", quality.flicker, (150, 110, 40), demands.flicker or None),
    ]
    if quality.drift is not None:
        rows.append(Row("drift of the object, % of its size", quality.drift * 100, (120, 80, 170), demands.drift * 100 or None))
    return chart(rows, height=120 * len(rows))


def _landmarks(quality: ClipQuality) -> str:
    share, pixels, aligned = _percent(_mean(quality.error)), quality.mpjpe, quality.pa_mpjpe
    return f"Landmarks off by {share} of the hand, {pixels:.1f} pixels; {aligned:.1f} after the best shift, turn and scale"


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _largest(drift: np.ndarray | None) -> float:
    """The largest drift; NaN if it was not measured."""
    return float("nan") if drift is None else float(drift.max())


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
