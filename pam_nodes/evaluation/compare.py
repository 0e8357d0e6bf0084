"""A generated clip against the real one, frame by frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..assess.expected import expected
from ..assess.metrics import motion_fidelity, psnr, ssim
from ..assess.score import NO_MODEL, Scorer
from ..assess.tracks import exact_tracks, seen_tracks, spread_points, to_grey
from ..conditions.pack import masks, resized
from ..conditions.video import ConditionVideo
from ..progress import Progress, silent
from .distances import Lpips
from .joints import hand_errors
from .tracks import TRACKS


@dataclass(frozen=True, eq=False)
class Truth:
    """What a generated clip of T frames of H x W pixels ought to show.

    Attributes:
        pictures: (T, H, W, 3) uint8, the real clip.
        conditions: of the same T, H, W, or None: then only the pictures are compared.
        tracks: (N, T, 2) exact places of points in pixels, NaN where they are hidden; None takes the conditions' optical flow.
        notes: what of it could not be used.
    """

    pictures: np.ndarray
    conditions: ConditionVideo | None = None
    tracks: np.ndarray | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Comparison:
    """Measures of a clip.

    Attributes:
        frames: (T,) of each measure that is taken frame by frame, by name; NaN where it could not be, infinite PSNR of equal frames.
        clip: measures of the whole clip, NaN where they could not be taken.
        notes: what could not be measured, and why.
    """

    frames: dict[str, np.ndarray]
    clip: dict[str, float]
    notes: tuple[str, ...]

    @property
    def mean(self) -> dict[str, float | None]:
        """All measures by their names in the table; None where one was not taken, infinite where all frames are equal."""
        values = {name: mean(frames) for name, frames in self.frames.items()}
        return values | {name: mean(np.array([value])) for name, value in self.clip.items()}


def mean(values: np.ndarray) -> float | None:
    """Mean of the finite values; without any, infinite if one is, else None."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("inf") if np.isposinf(values).any() else None


def truth_of(
    pictures: np.ndarray, reference: np.ndarray, conditions: ConditionVideo | None = None, tracks: np.ndarray | None = None
) -> Truth:
    """The truth of a clip from parts that may not fit.

    Args:
        pictures: (T, H, W, 3) uint8, the generated clip.
        reference: the real clip, of the same shape.
        conditions: of as many frames; they are stretched to the clip's size, which drops flow.
        tracks: (N, T, 2), in pixels of the clip.

    Raises:
        ValueError: another length or size.
    """
    (length, height, width), found = pictures.shape[:3], reference.shape[:3]
    if found != (length, height, width):
        raise ValueError(
            f"Expected a reference of {length} frames of {width} x {height} like the generated clip, found {found[0]} of {found[2]} x "
            f"{found[1]}: cut and resize one to the other."
        )
    if tracks is not None and tracks.shape[1] != length:
        raise ValueError(f"Expected tracks over {length} frames like the generated clip, found {tracks.shape[1]}.")
    notes: list[str] = []
    if conditions is None:
        notes.append("hand and object are not known without conditions: only whole pictures were compared")
    else:
        if conditions.shape[0] != length:
            raise ValueError(
                f"Expected conditions of {length} frames like the generated clip, found {conditions.shape[0]}: use Fit HOI Conditions."
            )
        if conditions.flow is not None and conditions.shape[1:] != (height, width):
            size = f"{conditions.shape[2]} x {conditions.shape[1]}"
            notes.append(f"the exact flow was not used: it is of {size} pixels, the clip of {width} x {height}")
        conditions = resized(conditions, width, height)
    return Truth(reference, conditions, tracks, tuple(notes))


def compare(
    pictures: np.ndarray,
    truth: Truth,
    scorer: Scorer,
    lpips: Lpips | None = None,
    hands: Mapping[str, np.ndarray] | None = None,
    progress: Progress = silent,
) -> Comparison:
    """Take every measure that can be taken.

    Args:
        pictures: (T, H, W, 3) uint8, generated.
        truth: of the same shape.
        scorer: looks for hands.
        lpips: network, or None.
        hands: joints an estimator found in the generated clip, by side, see ``hand_errors``.
        progress: called after each frame.

    Raises:
        ValueError: pictures below 11 x 11, or hands that are not those of the clip.
    """
    total, video = len(pictures), truth.conditions
    foreground = np.zeros(pictures.shape[:3], bool) if video is None else np.logical_or(*masks(video))
    joints = None if video is None else video.joints
    frames = {name: np.full(total, np.nan) for name in ("psnr", "foreground_psnr", "ssim", "lpips", "mpjpe_px", "pa_mpjpe_px")}
    frames |= hand_errors(hands, joints, total)
    for t, (made, real) in enumerate(zip(pictures, truth.pictures, strict=True)):
        frames["psnr"][t], frames["ssim"][t] = psnr(made, real), ssim(made, real)
        if foreground[t].any():
            frames["foreground_psnr"][t] = psnr(made[foreground[t]], real[foreground[t]])
        if joints is not None and scorer.landmarker is not None:
            score = scorer.score(made, expected(video, t))
            frames["mpjpe_px"][t], frames["pa_mpjpe_px"][t] = (np.nan if v is None else v for v in (score.pixels, score.aligned))
        progress(t + 1, total)
    if lpips is not None:
        frames["lpips"] = lpips(pictures, truth.pictures)
    notes = [*truth.notes, *([NO_MODEL] if joints is not None and scorer.landmarker is None else [])]
    return Comparison(frames, _fidelities(to_grey(pictures), truth, foreground[0]), tuple(notes))


def _fidelities(grey: np.ndarray, truth: Truth, mask: np.ndarray) -> dict[str, float]:
    """Motion fidelity of points on hand and object, followed in the real clip too, and against exact tracks."""
    found = {"motion_fidelity": np.nan, "motion_fidelity_exact": np.nan}
    if len(grey) < 2:
        return found
    points, flow = spread_points(mask, TRACKS) if mask.any() else np.empty((0, 2)), truth.conditions and truth.conditions.flow
    if len(points):
        seen = seen_tracks(grey, points)
        found["motion_fidelity"] = motion_fidelity(seen, seen_tracks(to_grey(truth.pictures), points))
        if flow is not None and truth.tracks is None:
            found["motion_fidelity_exact"] = motion_fidelity(seen, exact_tracks(flow, points))
    tracks = np.empty((0, 2, 2)) if truth.tracks is None else _seen_first(truth.tracks, grey.shape[1:])
    if len(tracks):
        found["motion_fidelity_exact"] = motion_fidelity(seen_tracks(grey, tracks[:, 0]), tracks)
    return found


def _seen_first(tracks: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """About ``TRACKS`` of the tracks that begin inside the first picture."""
    first = tracks[:, 0]
    inside = np.isfinite(first).all(axis=1) & (first >= 0).all(axis=1) & (first <= np.array(size[::-1]) - 1).all(axis=1)
    return tracks[inside][:: max(1, int(inside.sum()) // TRACKS)]
