"""Hand key-point pictures, drawn by PAM's rules (pam_reference.md, 1.4).

21 joints: wrist, then thumb, index, middle, ring, little with four each. All joints first as discs, then the 20 bones over them as
spindles; no anti-aliasing. The rules are in pixels of a 480 pixel high picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from .polygon import discs, ellipses, paint

BONES = tuple((0 if k == 0 else 4 * finger + k, 4 * finger + k + 1) for finger in range(5) for k in range(4))
"""(parent, child) joints of bone 4 * finger + k."""
ENDS = np.array(BONES)
WRIST, LITTLE_TIP = 0, 20
LENGTH_LIMITS = (5, 150)
"""Bones this short or long are not drawn, pixels."""
LEFT_FAMILIES = ((139, 53, 255), (0, 56, 255), (43, 140, 237), (37, 168, 36), (147, 147, 0), (70, 17, 145))
RIGHT_FAMILIES = ((255, 0, 0), (255, 85, 85), (255, 170, 170), (255, 255, 255), (200, 200, 200), (150, 150, 150))


@dataclass(frozen=True)
class Drawing:
    """How a data set draws a hand, in pixels at height 480: DexYCB's values.

    Attributes:
        radius: of the joints' discs.
        thumb, finger: half widths of the bones.
        wraps: colours overflow modulo 256, as OAKINK2's do, instead of stopping at 255.
        sided: the right hand has its own colours.
    """

    radius: int = 3
    thumb: int = 6
    finger: int = 3
    wraps: bool = False
    sided: bool = False


STYLES = {"dexycb": Drawing(), "oakink2": Drawing(thumb=4, finger=2, wraps=True, sided=True)}


@cache
def hand_colors(style: str = "dexycb", side: str = "right") -> tuple[np.ndarray, np.ndarray]:
    """(21, 3) joint and (20, 3) bone colours, uint8: a base for each family of four, + 35 for each step along it."""
    drawing = STYLES[style]
    families = RIGHT_FAMILIES if drawing.sided and side == "right" else LEFT_FAMILIES
    ramp = np.array([np.array(families[k // 4]) + 35 * (k % 4) for k in range(21)])
    colors = (ramp % 256 if drawing.wraps else np.minimum(ramp, 255)).astype(np.uint8)
    return colors, colors[:20]


def draw_hand(
    canvas: np.ndarray,
    pixels: np.ndarray,
    shown: np.ndarray,
    style: str = "dexycb",
    side: str = "right",
    thumb_on_top: bool = False,
    scale: float = 1.0,
    light: np.ndarray | None = None,
) -> None:
    """Draw one hand into an (H, W, 3) uint8 canvas.

    Args:
        canvas: drawn into.
        pixels: (21, 2) joints, pixels, rounded here.
        shown: (21,) bool; other joints are left out with their bones.
        style: "dexycb" or "oakink2".
        side: "right" or "left".
        thumb_on_top: draw from the little finger to the thumb instead of the other way, see ``thumb_is_nearer``.
        scale: of all sizes; 1 is exact for pictures 480 pixels high.
        light: (21,) brightness 0..1 of the joints and of the bones that end there; default 1.
    """
    drawing = STYLES[style]
    joint_colors, bone_colors = hand_colors(style, side)
    if light is not None:
        joint_colors = np.rint(joint_colors * light[:, None]).astype(np.uint8)
        bone_colors = np.rint(bone_colors * light[ENDS[:, 1], None]).astype(np.uint8)
    points = np.rint(np.where(shown[:, None], pixels, 0)).astype(np.int64)
    radius, joints = _sized(drawing.radius, scale), np.flatnonzero(shown)
    spindles, bone = _spindles(points, shown, drawing, thumb_on_top, scale)
    colors = np.concatenate([np.repeat(joint_colors[joints], 2 * radius + 1, axis=0), bone_colors[bone]])
    paint(canvas, np.concatenate([discs(points[joints], radius), spindles], axis=1), colors)


def _spindles(points: np.ndarray, shown: np.ndarray, drawing: Drawing, thumb_on_top: bool, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """(3, M) spans of all bones between (21, 2) int64 joints in drawing order, and the (M,) bone of each."""
    order = np.arange(20)[::-1] if thumb_on_top else np.arange(20)
    parent, child = ENDS[order].T
    length = np.hypot(*(points[parent] - points[child]).T)
    long_enough = (length > LENGTH_LIMITS[0] * scale) & (length < LENGTH_LIMITS[1] * scale)
    kept = np.flatnonzero(shown[parent] & shown[child] & long_enough)
    parent, child, order, length = parent[kept], child[kept], order[kept], length[kept]
    # The midpoint, half length and degrees are cut to integers, towards zero.
    centre = np.trunc((points[parent] + points[child]) / 2).astype(np.int64)
    across, down = (points[parent] - points[child]).T
    angle = np.trunc(np.degrees(np.arctan2(down, across))).astype(np.int64)
    half_width = np.where(order < 4, _sized(drawing.thumb, scale), _sized(drawing.finger, scale))
    spans, which = ellipses(centre, np.trunc(length / 2).astype(np.int64), half_width, angle)
    return spans, order[which]


def thumb_is_nearer(z: np.ndarray) -> bool:
    """PAM's rule for drawing the thumb last: the wrist is nearer than the little finger's tip; z is (21,) camera depths."""
    return bool(z[WRIST] < z[LITTLE_TIP])


def draw_missing_hand(canvas: np.ndarray, style: str = "dexycb") -> None:
    """What PAM's loaders draw for a DexYCB frame without a hand: all joints at (-1, -1) leave a dot of 2 x 2 pixels in the corner."""
    if style == "dexycb":
        draw_hand(canvas, np.full((21, 2), -1.0), np.ones(21, bool), style)


def merge_hands(one: np.ndarray, two: np.ndarray, two_is_nearer: np.ndarray) -> np.ndarray:
    """OAKINK2's rule for two hands: where both drew, the one whose surface is nearer; elsewhere whichever drew.

    PAM's script leaves the shared pixels black in frames in which the left hand is nowhere deeper; that is a fault and not repeated.

    Args:
        one, two: (H, W, 3) uint8 drawings of one hand each.
        two_is_nearer: (H, W) bool.
    """
    drawn = two.any(axis=2) & (two_is_nearer | ~one.any(axis=2))
    return np.where(drawn[..., None], two, one)


def auto_scale(width: int, height: int) -> float:
    """Scale of the drawing for a picture size: 1 at 640x480 and 720x480; by the shorter side otherwise."""
    return min(width, height) / 480


def _sized(pixels: int, scale: float) -> int:
    """A size at another picture height, at least one pixel."""
    return max(1, round(pixels * scale))
