"""Hands as OpenPose preprocessors draw them: a line of its own hue for each bone, a blue dot for each joint."""

from __future__ import annotations

import colorsys

import numpy as np
from PIL import Image, ImageDraw

from .keypoints import BONES
from .polygon import discs, paint

RAINBOW = np.rint([[255 * c for c in colorsys.hsv_to_rgb(bone / len(BONES), 1, 1)] for bone in range(len(BONES))]).astype(int)
DOT_COLOR = np.array([0, 0, 255])
DOT_RADIUS, LINE_WIDTH = 4, 2
"""Pixels at height 480 to 512, where these preprocessors work by default."""


def draw_openpose_hand(
    canvas: np.ndarray, pixels: np.ndarray, shown: np.ndarray, scale: float = 1.0, light: np.ndarray | None = None
) -> None:
    """Draw one hand into an (H, W, 3) uint8 canvas (arguments as in ``keypoints.draw_hand``; coordinates are cut to integers)."""
    light = np.ones(21) if light is None else light
    # Pillow takes no coordinates of any size, and a joint just before the lens can be anywhere.
    shown = shown & (np.abs(pixels) < 4 * max(canvas.shape)).all(axis=1)
    points = np.trunc(np.where(shown[:, None], pixels, 0)).astype(int)
    picture = Image.fromarray(canvas)
    draw = ImageDraw.Draw(picture)
    for bone, (parent, child) in enumerate(BONES):
        if shown[parent] and shown[child]:
            color = tuple(np.rint(RAINBOW[bone] * light[child]).astype(int).tolist())
            draw.line([tuple(points[parent].tolist()), tuple(points[child].tolist())], color, max(1, round(LINE_WIDTH * scale)))
    canvas[...] = np.asarray(picture)
    radius, joints = max(1, round(DOT_RADIUS * scale)), np.flatnonzero(shown)
    colors = np.rint(DOT_COLOR * light[joints, None]).astype(np.uint8)
    paint(canvas, discs(points[joints], radius), np.repeat(colors, 2 * radius + 1, axis=0))
