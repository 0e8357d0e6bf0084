"""Two clips compared, for people: a table, a plot, and pictures of the difference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..assess.score import Scorer
from ..chart import Row, chart
from ..conditions.colormap import INFERNO
from ..conditions.video import ConditionVideo
from ..grasp.trajectory import Trajectory
from ..progress import Progress, silent
from .compare import Comparison, compare, truth_of
from .distances import Lpips, VideoFeatures, of_kind
from .joints import trajectory_joints
from .paper import OFF_SCALE, narrow_table
from .tracks import tracks_from

BRIGHTEST = 64
"""Difference in 8-bit levels that is brightest in the pictures of ``differences``."""
ROWS = {
    "psnr": ("PSNR, dB", (46, 134, 193)),
    "foreground_psnr": ("PSNR of hand and object, dB", (39, 150, 100)),
    "ssim": ("SSIM", (150, 110, 40)),
    "lpips": ("LPIPS", (120, 80, 170)),
    "mpjpe_px": ("MPJPE, pixels", (214, 69, 65)),
    "mpjpe_mm": ("MPJPE, mm", (180, 60, 120)),
}


@dataclass(frozen=True, eq=False)
class Extras:
    """What may be known beyond two clips: the bundle of the real one, an LPIPS network, a motion with the hands that an estimator found
    in the generated one (in the camera's axes), and true tracks of the real one, (T, N, 2) pixels with (T, N) visibility.
    """

    conditions: ConditionVideo | None = None
    lpips: Lpips | VideoFeatures | None = None
    hands: Trajectory | None = None
    tracks: tuple[np.ndarray, np.ndarray] | None = None


@dataclass(frozen=True, eq=False)
class Report:
    """A comparison for people: numbers by measure (NaN: not taken), PSNR of each frame, a table, a plot and pictures of the difference."""

    numbers: dict[str, float]
    frame_psnr: list[float]
    report: str
    plot: np.ndarray
    difference: np.ndarray


def compare_clips(pictures: np.ndarray, reference: np.ndarray, extras: Extras, paper: str, progress: Progress = silent) -> Report:
    """``compare`` with all checks, and its report.

    Args:
        pictures, reference: (T, H, W, 3) uint8, the generated and the real clip.
        extras: what else is known.
        paper: whose numbers stand beside, a key of ``PAPER``.
        progress: called after each frame.

    Raises:
        ValueError: parts that do not fit to each other.
    """
    lpips = of_kind(extras.lpips, Lpips)
    truth = truth_of(pictures, reference, extras.conditions, None if extras.tracks is None else tracks_from(*extras.tracks))
    hands = None if extras.hands is None else trajectory_joints(extras.hands)
    comparison = compare(pictures, truth, Scorer(), lpips, hands, progress)
    means = comparison.mean
    notes = [OFF_SCALE, *(f"Note: {note}" for note in comparison.notes)]
    text = narrow_table(means, paper) + "\n" + "\n".join(notes)
    numbers = {name: float("nan") if value is None else value for name, value in means.items()}
    return Report(numbers, comparison.frames["psnr"].tolist(), text, plot(comparison), differences(pictures, reference))


def plot(comparison: Comparison) -> np.ndarray:
    """(H, 640, 3) uint8: the measures over the frames."""
    taken = {name: values for name, values in comparison.frames.items() if name in ROWS and np.isfinite(values).any()}
    rows = [Row(ROWS[name][0], values, ROWS[name][1]) for name, values in taken.items()]
    return chart(rows, height=120 * len(rows))


def differences(pictures: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """(T, H, W, 3) uint8: mean absolute difference of the channels in inferno, brightest from ``BRIGHTEST`` levels on."""
    result = np.empty_like(pictures)
    for one, two, target in zip(pictures, reference, result, strict=True):
        levels = np.abs(one.astype(np.float32) - two).mean(axis=2) * (255 / BRIGHTEST)
        target[...] = INFERNO[np.minimum(np.rint(levels), 255).astype(np.uint8)]
    return result
