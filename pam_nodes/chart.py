"""Small line charts for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

PAPER, INK, GRID, SMALL, LIMIT = (250, 250, 250), (40, 40, 40), (215, 215, 215), (110, 110, 110), (200, 60, 60)


@dataclass(frozen=True, eq=False)
class Row:
    """One chart of a sheet.

    Attributes:
        title: over it, with the unit.
        values: (T,) a value each frame; NaN leaves a gap.
        color: of the line, 8-bit RGB.
        limit: a value drawn as a red line, or None.
    """

    title: str
    values: np.ndarray
    color: tuple[int, int, int]
    limit: float | None = None


def chart(rows: Sequence[Row], width: int = 640, height: int = 480) -> np.ndarray:
    """(H, W, 3) uint8: the rows below each other, zero always in sight."""
    from PIL import Image, ImageDraw, ImageFont

    image = Image.new("RGB", (width, height), PAPER)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(14)
    left, right, each = 64, width - 16, height // len(rows)
    for i, row in enumerate(rows):
        values = np.asarray(row.values, np.float64)
        shown = [0.0, *values[np.isfinite(values)], *([] if row.limit is None else [row.limit])]
        low, high = min(shown), max(*shown, 1e-6)
        top, bottom = i * each + 26, (i + 1) * each - 14

        def level(value, low=low, high=high, top=top, bottom=bottom):
            return bottom - (value - low) / (high - low) * (bottom - top)

        draw.text((left, i * each + 6), row.title, INK, font)
        for value in (low, high):
            draw.line([(left, level(value)), (right, level(value))], GRID)
            draw.text((8, level(value) - 8), f"{value:.4g}", SMALL, font)
        if row.limit is not None:
            draw.line([(left, level(row.limit)), (right, level(row.limit))], LIMIT)
        _line(draw, np.linspace(left, right, len(values)), level(values), row.color)
    return np.asarray(image)


def _line(draw, x: np.ndarray, y: np.ndarray, color: tuple[int, int, int]) -> None:
    """The values that are there, joined where neighbours both are."""
    for place in np.flatnonzero(np.isfinite(y)):
        if place and np.isfinite(y[place - 1]):
            draw.line([x[place - 1], y[place - 1], x[place], y[place]], color, 2)
        else:
            draw.ellipse([x[place] - 1, y[place] - 1, x[place] + 1, y[place] + 1], fill=color)
