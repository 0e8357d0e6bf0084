"""What a clip of the small models is worth: distance from the truth, hands that are found, colours that were asked for, flicker."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.held_out import Scene, table_pixels
from pam_nodes.assess.color import LIGHTNESS, to_lab
from pam_nodes.assess.consistency import flicker
from pam_nodes.assess.expected import expected
from pam_nodes.assess.score import Scorer
from pam_nodes.assess.tracks import to_grey
from pam_nodes.conditions.look import Color, to_linear, to_srgb
from pam_nodes.conditions.pack import masks
from pam_nodes.dataset.looks import COLORS, TABLES

EVERY = 4
"""Frames between those whose colours are looked at."""
FEWEST = 30
"""Pixels of a region whose colour is judged."""


def foreground_psnr(pictures: np.ndarray, scene: Scene, first: int = 0) -> float:
    """Decibels over the pixels of hand and object from a frame on; ``pictures`` (T, H, W, 3) uint8, perhaps of the first frame alone."""
    frames = slice(first, len(pictures))
    both = np.logical_or(*masks(scene.conditions))[frames]
    error = (pictures[frames].astype(float) - scene.pictures[frames])[both]
    return float(-10 * np.log10(np.mean(error**2) / 255**2))


@dataclass(frozen=True)
class Landmarks:
    """What the landmark model sees of the hand in the frames of a clip.

    Attributes:
        found: (T,) whether it finds it.
        errors: (T,) distances from the joints, as a share of the hand's box.
        points: (T, 21, 2) the landmarks, as a share of it too.
    """

    found: np.ndarray
    errors: np.ndarray
    points: np.ndarray


def landmarks(pictures: np.ndarray, scene: Scene, scorer: Scorer) -> Landmarks:
    """Look for the hand of a scene in every frame."""
    errors, points = np.full(len(pictures), np.nan), np.full((len(pictures), 21, 2), np.nan)
    for frame, picture in enumerate(pictures):
        about = expected(scene.conditions, frame)
        score = scorer.score(picture, about)
        if score.error is not None:
            errors[frame], points[frame] = score.error, score.hands[0].found.pixels / about.hands[0].box
    return Landmarks(np.isfinite(errors), errors, points)


def hand_figures(made: Landmarks, true: Landmarks, first: int = 0) -> dict[str, float | None]:
    """Of the frames from ``first`` on: share with a hand found among those with one in the truth, and the medians of ``hand_errors``."""
    known = true.found.copy()
    known[:first] = False
    share = 100 * float((made.found & known).sum() / known.sum()) if known.any() else None
    return {"hand found %": share, **{name: median(values) for name, values in hand_errors(made, true, first).items()}}


def hand_errors(made: Landmarks, true: Landmarks, first: int = 0) -> dict[str, np.ndarray]:
    """Of the frames from ``first`` on in which the hand is found here and in the truth: mean distance, % of the hand's box, of the
    landmarks from the joints, and from the landmarks in the truth, in which the model errs as well.
    """
    both = made.found & true.found
    both[:first] = False
    apart = np.linalg.norm(made.points - true.points, axis=2).mean(axis=1)
    return {"hand error %": 100 * made.errors[both], "hand from truth %": 100 * apart[both]}


def median(values: np.ndarray) -> float | None:
    """Of what there is, or None."""
    return float(np.median(values)) if len(values) else None


def background_flicker(pictures: np.ndarray, scene: Scene) -> float:
    """Mean change of the background from frame to frame, 8-bit levels."""
    return float(np.nanmean(flicker(to_grey(pictures), np.logical_or(*masks(scene.conditions)))))


def regions(scene: Scene) -> dict[str, np.ndarray]:
    """(T', H, W) masks of object and table in every ``EVERY``-th frame; the object without its outline where it is large enough."""
    from scipy.ndimage import binary_erosion

    whole = masks(scene.conditions)[1][::EVERY]
    inner = np.stack([binary_erosion(mask) for mask in whole])
    table = np.broadcast_to(table_pixels(scene), whole.shape)
    return {"object": inner if inner.sum() >= FEWEST else whole, "table": table}


@dataclass(frozen=True)
class NamedColors:
    """Tells which of the named colours a region has, under a light.

    A surface looks as its colour times the light on it, in linear light. How much light reaches object and table is measured on true
    pictures: ``gains`` has for each region and light the median of their luminance over that of the surface's colour.
    """

    gains: dict[tuple[str, str], float]

    def name(self, region: str, light: str, pixels: np.ndarray) -> str:
        """The colour word of (N, 3) uint8 pixels: the nearest in CIELAB of the named colours under that light, lightness counting less."""
        seen = to_lab(np.median(pixels, axis=0))

        def distance(word: str) -> float:
            lit = to_srgb(np.clip(to_linear(PALETTES[region][word]) * self.gains[region, light], 0, 1))
            return float(np.linalg.norm((seen - to_lab(lit)) * (LIGHTNESS, 1, 1)))

        return min(PALETTES[region], key=distance)

    def right(self, pictures: np.ndarray, scene: Scene) -> dict[str, bool]:
        """Whether object and table have the colours of the prompt; a region that is too small is left out."""
        wanted = {"object": scene.words.color, "table": scene.words.table}
        return {
            f"{region} colour": self.name(region, scene.words.light, pictures[::EVERY][mask]) == wanted[region]
            for region, mask in regions(scene).items()
            if mask.sum() >= FEWEST
        }


PALETTES = {"object": COLORS, "table": TABLES}


def calibrated(scenes: list[Scene]) -> NamedColors:
    """The gains of true pictures; a light that no scene has is not known."""
    found: dict[tuple[str, str], list[float]] = {}
    for scene in scenes:
        surfaces = {"object": scene.look.object_color, "table": scene.look.table}
        for region, mask in regions(scene).items():
            if mask.sum() >= FEWEST:
                seen = np.median(scene.pictures[::EVERY][mask], axis=0) / 255
                found.setdefault((region, scene.words.light), []).append(luminance(seen) / luminance(surfaces[region]))
    return NamedColors({key: float(np.median(values)) for key, values in found.items()})


def luminance(color: Color) -> float:
    """Of an sRGB colour in 0..1 (Rec. 709)."""
    return float(to_linear(color) @ (0.2126, 0.7152, 0.0722))
