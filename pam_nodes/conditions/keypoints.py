"""Hand key-point pictures, drawn by PAM's rules (pam_reference.md, 1.4).

21 joints: wrist, then thumb, index, middle, ring, little with four each. All joints first as discs, then the 20 bones over them as
spindles; no anti-aliasing. The rules are in pixels of a 480 pixel high picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..geometry.camera import Camera
from ..geometry.camera_build import project
from .polygon import disc, ellipse, paint

BONES = tuple((0 if k == 0 else 4 * finger + k, 4 * finger + k + 1) for finger in range(5) for k in range(4))
"""(parent, child) joints of bone 4 * finger + k."""
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
    z: np.ndarray,
    style: str = "dexycb",
    side: str = "right",
    variant: str = "motion",
    scale: float = 1.0,
) -> None:
    """Draw one hand into an (H, W, 3) uint8 canvas.

    Args:
        canvas: drawn into.
        pixels: (21, 2) joints, pixels, rounded here.
        z: (21,) camera z of the joints, metres; joints at z <= 0 are left out with their bones.
        style: "dexycb" or "oakink2".
        side: "right" or "left".
        variant: "motion": the thumb is drawn last if the wrist is nearer than the little finger's tip; "appearance": always first.
        scale: of all sizes; 1 is exact for pictures 480 pixels high.
    """
    drawing = STYLES[style]
    joint_colors, bone_colors = hand_colors(style, side)
    seen = z > 0
    points = np.rint(np.where(seen[:, None], pixels, 0)).astype(int)
    circle = disc(_sized(drawing.radius, scale))
    for j in np.nonzero(seen)[0]:
        paint(canvas, circle, points[j], joint_colors[j])
    order = reversed(range(20)) if variant == "motion" and z[WRIST] < z[LITTLE_TIP] else range(20)
    for bone in order:
        parent, child = BONES[bone]
        if seen[parent] and seen[child]:
            half_width = _sized(drawing.thumb if bone < 4 else drawing.finger, scale)
            _draw_bone(canvas, points[parent], points[child], half_width, bone_colors[bone], scale)


def _draw_bone(canvas: np.ndarray, start: np.ndarray, end: np.ndarray, half_width: int, color: np.ndarray, scale: float) -> None:
    """A spindle between two joints; midpoint, half length and degrees are cut to integers, towards zero."""
    (x1, y1), (x2, y2) = start.tolist(), end.tolist()
    length = math.hypot(x1 - x2, y1 - y2)
    if not LENGTH_LIMITS[0] * scale < length < LENGTH_LIMITS[1] * scale:
        return
    x, y = int((x1 + x2) / 2), int((y1 + y2) / 2)
    angle = int(math.degrees(math.atan2(y1 - y2, x1 - x2)))
    paint(canvas, ellipse(int(length / 2), half_width, angle % 360, x % 2 == 1, y % 2 == 1), (x, y), color)


def _sized(pixels: int, scale: float) -> int:
    """A size at another picture height, at least one pixel."""
    return max(1, round(pixels * scale))


def auto_scale(width: int, height: int) -> float:
    """Scale of the drawing for a picture size: 1 at 640x480 and 720x480; by the shorter side otherwise."""
    return min(width, height) / 480


def draw_keypoints(
    joints: list[np.ndarray],
    sides: list[str],
    camera: Camera,
    style: str = "dexycb",
    variant: str = "motion",
    scale: float | None = None,
    frame: int = 0,
) -> np.ndarray:
    """Key-point picture of one frame.

    Hands are drawn from far to near by their mean depth, so the nearer one stays whole where both drew.

    Args:
        joints: for each hand, (21, 3) world joints, metres.
        sides: for each hand, "right" or "left".
        camera: picture size and pose.
        style, variant: see ``draw_hand``.
        scale: of all sizes, default ``auto_scale``.
        frame: which pose of a moving camera.

    Returns:
        (H, W, 3) uint8, black where nothing is drawn.
    """
    canvas = np.zeros((camera.height, camera.width, 3), np.uint8)
    scale = auto_scale(camera.width, camera.height) if scale is None else scale
    seen = [(*project(camera, points, frame), side) for points, side in zip(joints, sides, strict=True)]
    for pixels, z, side in sorted(seen, key=lambda hand: -hand[1].mean()):
        draw_hand(canvas, pixels, z, style, side, variant, scale)
    return canvas
