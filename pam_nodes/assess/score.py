"""One picture measured against one frame of the conditions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .color import ColorMatch, match_color
from .expected import OBJECT, Expected, ExpectedHand
from .landmarks import HandLandmarker, HandLandmarks, available
from .metrics import mpjpe, pa_mpjpe
from .silhouette import color_overlap, edge_agreement

PRESENT = 0.5
"""Presence from which on a hand counts as found, MediaPipe's default."""
FARTHEST = 0.3
"""Landmark error, as a share of the hand's box, that counts as no agreement. Exact renderings have 0.07, those of a wrong pose 0.25."""
NO_MODEL = "hands were not looked for: pip install ai-edge-litert"


@dataclass(frozen=True, eq=False)
class HandScore:
    """A hand that ought to be seen.

    Attributes:
        found: what the landmark model sees in its place.
        side: "right" or "left" as expected, "" if not known.
        error: mean distance of the landmarks from the joints, as a share of the longer side of the joints' box; joints that are hidden
            count less. None if the conditions have no joints.
        aligned: the same in pixels, after the best shift, turn and scale: the pose alone. None without joints.
        pixels: ``error`` in pixels.
    """

    found: HandLandmarks
    side: str
    error: float | None
    aligned: float | None
    pixels: float | None

    @property
    def present(self) -> bool:
        """Whether there is a hand at all."""
        return self.found.presence >= PRESENT

    @property
    def value(self) -> float:
        """0..1: presence times the agreement of the landmarks."""
        return self.found.presence * (1.0 if self.error is None else max(0.0, 1 - self.error / FARTHEST))


@dataclass(frozen=True, eq=False)
class FrameScore:
    """How well a picture keeps to its conditions; a measure that could not be taken is None.

    Attributes:
        hands: of the hands that ought to be seen; None if the landmark model is not installed.
        shape: overlap of hand and object with the pixels that have their colours, averaged.
        edges: ``edge_agreement``.
        color: of the object.
    """

    hands: tuple[HandScore, ...] | None
    shape: float | None
    edges: float | None
    color: ColorMatch | None

    @property
    def hand(self) -> float | None:
        """Mean value of the hands, None if there is none to be seen."""
        return float(np.mean([hand.value for hand in self.hands])) if self.hands else None

    @property
    def error(self) -> float | None:
        """Mean landmark error of the hands that were found, None if none was."""
        return self._of_found("error")

    @property
    def pixels(self) -> float | None:
        """``error`` in pixels: MPJPE in the picture."""
        return self._of_found("pixels")

    @property
    def aligned(self) -> float | None:
        """PA-MPJPE in the picture, pixels: what is left after the best shift, turn and scale of each hand."""
        return self._of_found("aligned")

    def _of_found(self, name: str) -> float | None:
        values = [getattr(hand, name) for hand in self.hands or () if hand.present and hand.error is not None]
        return float(np.mean(values)) if values else None

    @property
    def parts(self) -> dict[str, float]:
        """The measures that make the score, by name, 0..1 each."""
        color = None if self.color is None else self.color.agreement
        every = {"hand": self.hand, "shape": self.shape, "edges": self.edges, "colour": color}
        return {name: value for name, value in every.items() if value is not None}

    @property
    def score(self) -> float:
        """0..1: the mean of all parts."""
        return float(np.mean(list(self.parts.values()))) if self.parts else 0.0

    @property
    def lines(self) -> tuple[str, str]:
        """For people: the score and the hands; all else."""
        first, second = [f"{self.score:.2f}"], [f"{name} {value:.2f}" for name, value in self.parts.items() if name in ("shape", "edges")]
        for hand in self.hands or ():
            off = "" if hand.error is None else f", off by {100 * hand.error:.0f} %"
            first.append(f"{hand.side} hand {hand.found.presence:.2f}{off}".strip())
        if self.color is not None:
            wanted = "" if self.color.agreement is None else f" {self.color.agreement:.2f}"
            second.append(f"object {self.color.name}{wanted}")
        return "; ".join(first), "; ".join(second)


class Scorer:
    """Scores pictures; holds the landmark model, or None where it is not installed."""

    def __init__(self):
        self.landmarker = HandLandmarker() if available() else None

    def score(self, picture: np.ndarray, frame: Expected, color: tuple[int, int, int] | None = None) -> FrameScore:
        """Measure one (H, W, 3) uint8 picture of the conditions' size; ``color`` is the object's, 8-bit sRGB."""
        hands = None
        if self.landmarker is not None:
            hands = tuple(self._hand(picture, hand) for hand in frame.hands)
        overlap = color_overlap(picture, frame.labels, 3)
        overlap = overlap[np.isfinite(overlap)]
        edges = edge_agreement(picture, frame.labels)
        return FrameScore(
            hands,
            float(overlap.mean()) if len(overlap) else None,
            edges if np.isfinite(edges) else None,
            match_color(picture[frame.labels == OBJECT], color),
        )

    def _hand(self, picture: np.ndarray, hand: ExpectedHand) -> HandScore:
        found = self.landmarker.find(picture, hand.crop)
        if hand.pixels is None:
            return HandScore(found, hand.side, None, None, None)
        pixels = mpjpe(found.pixels, hand.pixels, hand.confidence)
        return HandScore(found, hand.side, pixels / hand.box, pa_mpjpe(found.pixels, hand.pixels), pixels)
