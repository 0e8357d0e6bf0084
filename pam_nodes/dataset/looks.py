"""How a scene looks, drawn at random, and the words that say so."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..conditions.look import Color, Look
from ..headless.files import read_picture

SKINS: dict[str, Color] = {
    "pale": (0.95, 0.80, 0.71),
    "light": (0.88, 0.68, 0.56),
    "tan": (0.76, 0.55, 0.41),
    "brown": (0.53, 0.35, 0.25),
    "dark": (0.32, 0.20, 0.15),
}
COLORS: dict[str, Color] = {
    "red": (0.78, 0.13, 0.12),
    "green": (0.16, 0.55, 0.22),
    "blue": (0.12, 0.30, 0.75),
    "yellow": (0.93, 0.78, 0.12),
    "orange": (0.93, 0.48, 0.10),
    "purple": (0.46, 0.20, 0.62),
    "white": (0.92, 0.92, 0.90),
    "black": (0.10, 0.10, 0.11),
}
TABLES: dict[str, Color] = {
    "white": (0.88, 0.88, 0.86),
    "grey": (0.55, 0.55, 0.55),
    "brown": (0.48, 0.31, 0.19),
    "black": (0.16, 0.16, 0.17),
    "green": (0.30, 0.45, 0.34),
    "blue": (0.33, 0.43, 0.58),
}
LIGHTS = {"bright": (1.0, 0.45), "soft": (0.55, 0.62), "dim": (0.55, 0.28)}
"""Strength of the lamp and of the sky."""
VERBS = ("reaching for", "grasping", "lifting")
"""Of single frames, by ``stages``."""
CLIP_VERBS = ("picking up", "grasping and lifting", "lifting")


@dataclass(frozen=True)
class Words:
    """What a prompt says of a scene; ``table`` is empty before a background picture, which nothing is known of."""

    skin: str
    color: str
    table: str
    light: str

    def prompt(self, thing: str, verb: str) -> str:
        """The sentence of a picture of something."""
        where = f" on a {self.table} table" if self.table else ""
        return f"a {self.skin} skin hand {verb} a {self.color} {thing}{where}, {self.light} light"


def random_look(rng: np.random.Generator, backgrounds: tuple[Path, ...] = (), size: tuple[int, int] = (0, 0)) -> tuple[Look, Words]:
    """A look and its words.

    Args:
        rng: where chance comes from.
        backgrounds: picture files; with some, half of the scenes stand before one of them instead of a wall with a table.
        size: (width, height) the backgrounds are cut and scaled to.
    """
    skin, color, table, light = (str(rng.choice(list(names))) for names in (SKINS, COLORS, TABLES, LIGHTS))
    strength, ambient = LIGHTS[light]
    wall = rng.uniform(0.55, 0.9)
    pattern = "wood" if table == "brown" else str(rng.choice(["plain", "plain", "plain", "tiles"]))
    shown = bool(backgrounds) and rng.random() < 0.5
    look = Look(
        skin=_near(SKINS[skin], rng),
        object_color=_near(COLORS[color], rng),
        table=_near(TABLES[table], rng),
        pattern=pattern,
        table_size=None if shown else Look.table_size,
        wall=_near((wall, wall, wall * 1.03), rng),
        light_azimuth=rng.uniform(-70, 70),
        light_elevation=rng.uniform(40, 70),
        light_strength=strength,
        ambient=ambient,
        supersample=2,
        background=_cut(read_picture(backgrounds[rng.integers(len(backgrounds))]), size, rng)[None] if shown else None,
    )
    return look, Words(skin, color, "" if shown else table, light)


def stages(heights: np.ndarray) -> np.ndarray:
    """(T,) index into ``VERBS`` of each frame of a motion, by the (T,) height of its object, metres.

    The object rests before it is lifted; the first half of that time is reaching, the second grasping.
    """
    lifted = np.flatnonzero(heights > heights[0] + 0.005)
    start = int(lifted[0]) if len(lifted) else len(heights)
    frames = np.arange(len(heights))
    return np.where(frames >= start, 2, np.where(frames >= start / 2, 1, 0))


def _near(color: Color, rng: np.random.Generator) -> Color:
    """A colour that still goes by the same name."""
    return tuple(float(value) for value in np.clip(np.array(color) + rng.normal(0, 0.02, 3), 0, 1))


def _cut(picture: np.ndarray, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A random part of a picture with the shape of ``size``, scaled to it."""
    from PIL import Image

    height, width = picture.shape[:2]
    scale = min(width / size[0], height / size[1]) * rng.uniform(0.7, 1.0)
    wide, tall = max(1, int(size[0] * scale)), max(1, int(size[1] * scale))
    left, top = rng.integers(0, width - wide + 1), rng.integers(0, height - tall + 1)
    part = Image.fromarray(picture[top : top + tall, left : left + wide])
    return np.asarray(part.resize(size, Image.Resampling.LANCZOS))
