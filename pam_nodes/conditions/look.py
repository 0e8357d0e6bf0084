"""How a scene is coloured and lit."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import numpy as np

from ..geometry.primitives import parse_color
from .transform import F

Color = tuple[float, float, float]
SKIN_TONES: dict[str, Color] = {
    "light": (0.93, 0.77, 0.68),
    "medium": (0.86, 0.67, 0.56),
    "tan": (0.72, 0.52, 0.40),
    "brown": (0.52, 0.35, 0.26),
    "dark": (0.36, 0.24, 0.18),
}
PATTERNS = ("plain", "wood", "tiles")


@dataclass(frozen=True)
class Look:
    """Light and colours of a shaded view. Colours are sRGB in 0..1.

    Attributes:
        skin: colour of hands.
        object_color: colour of every object, or None for each mesh's own.
        table: colour of the table top (z = 0), or None for no table.
        pattern: one of ``PATTERNS``.
        table_size: full width (x) and depth (y) in metres, centred on the origin, or None for a table without end.
        wall: colour behind the table.
        light_azimuth, light_elevation: where the lamp stands, degrees; azimuth as in ``orbit_camera``.
        light_strength, ambient: brightness of lamp and sky.
        gloss: strength of the objects' highlight.
        shadow_softness: width of the shadow's edge, metres.
        supersample: pixels are drawn at this multiple and averaged, for smooth edges.
        background: (1 or T, H, W, 3) uint8 sRGB pictures of the view's size, shown instead of table and wall; shadows fall on them
            where the table would be.
    """

    skin: Color = SKIN_TONES["medium"]
    object_color: Color | None = None
    table: Color | None = (0.62, 0.60, 0.57)
    pattern: str = "plain"
    table_size: tuple[float, float] | None = (1.8, 1.2)
    wall: Color = (0.80, 0.82, 0.84)
    light_azimuth: float = -40.0
    light_elevation: float = 55.0
    light_strength: float = 0.85
    ambient: float = 0.42
    gloss: float = 0.22
    shadow_softness: float = 0.006
    supersample: int = 1
    background: np.ndarray | None = field(default=None, compare=False)

    @property
    def light_direction(self) -> np.ndarray:
        """(3,) unit vector from the scene to the lamp, world."""
        azimuth, elevation = np.radians([self.light_azimuth, self.light_elevation])
        return np.array([np.sin(azimuth) * np.cos(elevation), -np.cos(azimuth) * np.cos(elevation), np.sin(elevation)], F)


def table_look(pattern: str, wall: str, background: np.ndarray | None = None, **values) -> Look:
    """Look of people's words.

    Args:
        pattern: one of ``PATTERNS``, or "none" for no table.
        wall: colour behind it, such as "#ccd1d6".
        background: as in ``Look``; the table, on which shadows fall, then has no end.
        values: further attributes of ``Look``.
    """
    values |= {"wall": parse_color(wall), "background": background}
    if pattern == "none":
        return Look(table=None, **values)
    return Look(pattern=pattern, table_size=Look.table_size if background is None else None, **values)


def to_linear(color: Color) -> np.ndarray:
    """sRGB in 0..1 to linear light, (3,) float32 (IEC 61966-2-1)."""
    c = np.asarray(color, F)
    return np.where(c <= 0.04045, c / F(12.92), ((c + F(0.055)) / F(1.055)) ** F(2.4)).astype(F)


def to_srgb(linear: np.ndarray) -> np.ndarray:
    """Linear light to 8-bit sRGB, cut at white."""
    index = np.multiply(linear, F(4095))
    np.clip(index, 0, 4095, out=index)
    return _srgb_table()[index.astype(np.uint16)]


@cache
def _srgb_table() -> np.ndarray:
    """8-bit sRGB of 4096 steps of linear light."""
    c = np.arange(4096) / 4095
    return np.rint(255 * np.where(c <= 0.0031308, 12.92 * c, 1.055 * c ** (1 / 2.4) - 0.055)).astype(np.uint8)


def sky(up: np.ndarray, look: Look) -> np.ndarray:
    """(N, 3) sky light on surfaces whose normal has the world height ``up`` (N,): white from above, the table's colour from below."""
    bounce = to_linear(look.table or look.wall) * F(0.55)
    mix = (F(0.5) + F(0.5) * up)[:, None]
    return F(look.ambient) * (mix + (1 - mix) * bounce)


def wall_light(directions: np.ndarray, look: Look) -> np.ndarray:
    """(N, 3) linear background along view directions (N, 3): the wall colour, a little darker towards the floor."""
    height = directions[:, 2] / np.linalg.norm(directions, axis=1)
    return to_linear(look.wall) * (F(0.78) + F(0.3) * np.clip(height + F(0.3), -1, 1))[:, None].astype(F)


def table_pattern(points: np.ndarray, pattern: str) -> np.ndarray:
    """(N,) brightness of the table's material at world points (N, 3), around 1."""
    x, y = points[:, 0], points[:, 1]
    if pattern == "wood":
        plank = np.floor(y / F(0.11))
        shift = np.sin(plank * F(12.9898)) * F(43.7)
        shift -= np.floor(shift)
        grain = np.sin(y * F(310) + F(5) * np.sin(x * F(6) + shift * F(20)) + shift * F(40))
        seam = np.abs(y / F(0.11) - np.rint(y / F(0.11))) < F(0.012)
        return (F(0.9) + F(0.16) * shift + F(0.05) * grain) * np.where(seam, F(0.7), F(1))
    if pattern == "tiles":
        return np.where((np.floor(x / F(0.1)) + np.floor(y / F(0.1))) % 2 == 0, F(1.08), F(0.88))
    if pattern == "plain":
        return np.ones(len(points), F)
    raise ValueError(f'Expected the table pattern {", ".join(PATTERNS)}, found "{pattern}".')
