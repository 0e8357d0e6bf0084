"""Several pictures of one frame: scored, drawn on, and one of them chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from ..conditions.video import ConditionVideo
from ..progress import Progress, silent
from .annotate import annotate_all
from .color import parse_color
from .expected import expected, fitted_pictures
from .score import NO_MODEL, FrameScore, Scorer

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Ranking:
    """Scores of N pictures, (N, H, W, 3) uint8 pictures with the scores on them, and what could not be judged."""

    frames: tuple[FrameScore, ...]
    annotated: np.ndarray
    notes: tuple[str, ...]

    @property
    def scores(self) -> list[float]:
        """0..1 for each picture."""
        return [frame.score for frame in self.frames]

    @property
    def best(self) -> int:
        """Index of the highest score, the first of equal ones."""
        return best_of(self.scores)

    @property
    def report(self) -> str:
        """A line for each picture, the best marked, and what could not be measured."""
        lines = [f"{'*' if i == self.best else ' '} {i}: {'; '.join(frame.lines)}" for i, frame in enumerate(self.frames)]
        return "\n".join([*lines, *(f"Note: {note}" for note in self.notes)])


def rank_pictures(
    pictures: Sequence[np.ndarray], video: ConditionVideo, frame: int = 0, colors: Sequence[str] = ("",), progress: Progress = silent
) -> Ranking:
    """Score pictures that were all made for the same frame of the conditions.

    Args:
        pictures: (H, W, 3) uint8 of any size; they are stretched to that of the conditions.
        video: with a segmentation or joints.
        frame: of the conditions, -1 the last.
        colors: of the object, one for all or one for each picture, see ``parse_color``; "" and words that are no colour are not
            judged.
        progress: called after each picture.

    Raises:
        ValueError: no such frame, conditions without labels and joints, or another number of colours.
    """
    wanted = [parse_color(item_of(colors, i, len(pictures), "")) for i in range(len(pictures))]
    want, scorer, scores = expected(video, frame), Scorer(), []
    fitted = np.concatenate([fitted_pictures(picture[None], video) for picture in pictures])
    for picture, color in zip(fitted, wanted, strict=True):
        scores.append(scorer.score(picture, want, color))
        progress(len(scores), len(pictures))
    notes = [] if scorer.landmarker else [NO_MODEL]
    unknown = sorted({color for color in colors if color.strip() and parse_color(color) is None})
    if unknown:
        notes.append(f"not judged, for these are no colours that are known: {', '.join(unknown)}")
    return Ranking(tuple(scores), annotate_all(fitted, [want] * len(fitted), scores), tuple(notes))


@dataclass(frozen=True)
class Picked:
    """The chosen picture: its index, or None while none is chosen; its score, 0 without scores; and a line for people."""

    index: int | None
    score: float
    text: str


def pick_frame(count: int, scores: Sequence[float], index: int | None = None, stop_below: float = 0.0) -> Picked:
    """Choose one of ``count`` pictures.

    Args:
        count: how many there are.
        scores: one for each, or none.
        index: the picture to take, -1 to take none yet; None takes the best by score.
        stop_below: least score.

    Raises:
        ValueError: no scores to choose by, another number of scores, no such picture, or a score that is too low.
    """
    if scores and len(scores) != count:
        raise ValueError(f"Expected a score for each of the {count} pictures, found {len(scores)}: connect those of the same pictures.")
    if index is None and not scores:
        raise ValueError("Expected scores to pick the best by, found none: connect Score HOI Frames, or pick by eye.")
    if index == -1:
        return Picked(None, 0.0, f"Look at the {count} pictures and set index to a number from 0 to {count - 1}.")
    at = best_of(scores) if index is None else index
    if at >= count:
        raise ValueError(f"Expected a picture from 0 to {count - 1}, found index {at}.")
    score = float(scores[at]) if scores else 0.0
    if scores and score < stop_below:
        raise ValueError(f"Pick Frame: the score {score:.2f} of picture {at} is below {stop_below:g}: try other seeds or another prompt.")
    return Picked(at, score, f"Picture {at} of {count}" + (f", score {score:.2f}" if scores else ""))


def best_of(scores: Sequence[float]) -> int:
    """Index of the highest score, the first of equal ones."""
    return int(np.argmax(scores))


def item_of(items: Sequence[T], index: int, count: int, default: T) -> T:
    """What belongs to one of ``count`` pictures: its own item, the only one there is, or ``default`` without any.

    Raises:
        ValueError: another number of items.
    """
    if len(items) not in (0, 1, count):
        raise ValueError(f"Expected one value for all or one for each of the {count} pictures, found {len(items)}.")
    return items[index if len(items) == count else 0] if items else default


def the_only(items: Sequence[T], what: str) -> T:
    """The one item of a list; ValueError if there are more, ``what`` names them."""
    if len(items) != 1:
        raise ValueError(f"Expected one {what} for all pictures, found {len(items)}: score the pictures of each by themselves.")
    return items[0]
