"""Colours by name, and how near a region of a picture is to one."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

NAMED = {
    "black": (18, 18, 20),
    "white": (235, 235, 230),
    "grey": (128, 128, 128),
    "gray": (128, 128, 128),
    "red": (200, 30, 30),
    "orange": (237, 122, 26),
    "yellow": (237, 200, 31),
    "green": (41, 140, 56),
    "turquoise": (40, 180, 170),
    "blue": (31, 77, 191),
    "purple": (118, 51, 158),
    "pink": (235, 130, 170),
    "brown": (110, 68, 40),
    "beige": (214, 196, 160),
    "cream": (240, 228, 200),
}
"""8-bit sRGB of the basic colour words."""
LIGHTNESS = 0.4
"""Weight of lightness against hue and chroma: light and shadow change it most."""
FARTHEST = 60.0
"""Weighted CIELAB distance from which on a colour is quite another one."""
D65 = np.array([0.95047, 1.0, 1.08883])
TO_XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])


@dataclass(frozen=True)
class ColorMatch:
    """The colour of a region.

    Attributes:
        name: the nearest colour word.
        rgb: its median, 8-bit sRGB.
        agreement: 0..1 with the colour asked for, None if none was.
    """

    name: str
    rgb: tuple[int, int, int]
    agreement: float | None


def to_lab(rgb: np.ndarray) -> np.ndarray:
    """(..., 3) 8-bit sRGB to CIELAB, white D65 (IEC 61966-2-1, CIE 15)."""
    value = np.asarray(rgb, np.float64) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    ratio = linear @ TO_XYZ.T / D65
    root = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def parse_color(text: str) -> tuple[int, int, int] | None:
    """8-bit sRGB of "#c62122" or of the first colour word in a text, also of CSS; None if it names no colour."""
    from PIL import ImageColor

    code = re.search(r"#([0-9a-f]{6})\b", text.lower())
    if code:
        return tuple(bytes.fromhex(code[1]))
    for word in re.findall(r"[a-z]+", text.lower()):
        if word in NAMED:
            return NAMED[word]
        if word in ImageColor.colormap:
            return ImageColor.getrgb(word)[:3]
    return None


def match_color(pixels: np.ndarray, wanted: tuple[int, int, int] | None = None) -> ColorMatch | None:
    """The colour of (N, 3) uint8 pixels, and how near it is to the one asked for; None without pixels."""
    if not len(pixels):
        return None
    rgb = np.median(pixels, axis=0)
    name = min(NAMED, key=lambda word: _distance(rgb, NAMED[word]))
    agreement = None if wanted is None else max(0.0, 1 - _distance(rgb, wanted) / FARTHEST)
    return ColorMatch(name, tuple(int(value) for value in np.rint(rgb)), agreement)


def _distance(one, two) -> float:
    return float(np.linalg.norm((to_lab(one) - to_lab(two)) * (LIGHTNESS, 1, 1)))
