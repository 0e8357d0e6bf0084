"""Measurements drawn on pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..conditions.keypoints import BONES
from .expected import HAND, OBJECT, Expected
from .score import FrameScore
from .silhouette import outline

EXPECTED, FOUND, MISSED = (255, 255, 255), (255, 60, 60), (150, 150, 150)
LINES = {HAND: (60, 200, 255), OBJECT: (255, 210, 60)}
SHORTER_SIDE = 320
"""Small pictures are enlarged to this, so that the numbers can be read."""
BAR = 36
"""Height of the two lines of text over a picture."""


def annotate(picture: np.ndarray, frame: Expected, score: FrameScore, title: str) -> np.ndarray:
    """One (H, W, 3) uint8 picture with what was expected and what was found.

    Outlines of hand (blue) and object (yellow) as the conditions have them, expected joints white, found landmarks red (grey if there
    seems to be no hand), and a bar with the numbers.
    """
    from PIL import Image, ImageDraw, ImageFont

    height, width = picture.shape[:2]
    scale = max(1, -(-SHORTER_SIDE // min(height, width)))
    canvas = np.asarray(Image.fromarray(picture).resize((width * scale, height * scale), Image.Resampling.BICUBIC)).copy()
    _draw_outlines(canvas, np.kron(frame.labels, np.ones((scale, scale), np.uint8)))
    image = Image.fromarray(canvas)
    draw = ImageDraw.Draw(image)
    for want, hand in zip(frame.hands, score.hands or (), strict=False):
        if want.pixels is not None:
            _draw_joints(draw, want.pixels, scale, EXPECTED, 1)
        _draw_joints(draw, hand.found.pixels, scale, FOUND if hand.present else MISSED, 2)
    sheet = Image.new("RGB", (image.width, image.height + BAR), (20, 20, 20))
    sheet.paste(image, (0, BAR))
    first, second = score.lines
    ImageDraw.Draw(sheet).multiline_text((6, 2), f"{title}   {first}\n{second}", (235, 235, 235), ImageFont.load_default(12), spacing=2)
    return np.asarray(sheet)


def annotate_all(pictures: np.ndarray, frames: Sequence[Expected], scores: Sequence[FrameScore]) -> np.ndarray:
    """(N, H, W, 3) uint8: each picture with its number and its measurements."""
    return np.stack([annotate(*item, f"#{i}") for i, item in enumerate(zip(pictures, frames, scores, strict=True))])


def _draw_outlines(canvas: np.ndarray, labels: np.ndarray) -> None:
    for label, color in LINES.items():
        canvas[outline(labels == label)] = color


def _draw_joints(draw, pixels: np.ndarray, scale: int, color: tuple[int, int, int], radius: int) -> None:
    points = (pixels + 0.5) * scale - 0.5
    for parent, child in BONES:
        draw.line([*points[parent], *points[child]], color, 1)
    for x, y in points:
        draw.ellipse([x - radius, y - radius, x + radius, y + radius], outline=color, fill=color)
