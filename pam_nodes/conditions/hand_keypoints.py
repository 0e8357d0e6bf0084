"""The 2-D key points of every hand of a clip, whether a joint can be seen, and the clip of their drawings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..geometry.camera import Camera
from ..geometry.camera_build import project, unproject
from ..progress import Progress, silent
from .keypoints import auto_scale, draw_hand, draw_missing_hand, merge_hands, thumb_is_nearer
from .openpose import draw_openpose_hand
from .painted import Painted

VISIBLE, BEHIND_HAND, BEHIND_OBJECT, OUTSIDE = range(4)
CONFIDENCE = {VISIBLE: 1.0, BEHIND_HAND: 0.5, BEHIND_OBJECT: 0.5, OUTSIDE: 0.0}
FLESH = 0.02
"""Metres of its own hand that may lie before a joint that still counts as visible: joints are about 1 cm below the skin."""
DIM = 0.35
"""Brightness of a dimmed joint."""
STYLES = ("dexycb", "oakink2", "openpose")
HIDDEN = ("draw", "dim", "drop")


@dataclass(frozen=True, eq=False)
class HandKeypoints:
    """Key points of n hands over T frames, in the joint order of ``keypoints``.

    Attributes:
        pixels: (T, n, 21, 2) float64, (0, 0) is the centre of the top-left pixel.
        visibility: (T, n, 21) uint8: VISIBLE, BEHIND_HAND, BEHIND_OBJECT or OUTSIDE the picture, behind the camera, or not found.
        sides: "right" or "left" of each hand.
        width, height: pixels.
        z: (T, n, 21) float64 camera depth in metres, or None if it is not known.
        points: (T, n, 21, 3) float64 metres in the camera's frame, NaN in frames without the hand, or None if they are not known.
    """

    pixels: np.ndarray
    visibility: np.ndarray
    sides: tuple[str, ...]
    width: int
    height: int
    z: np.ndarray | None = None
    points: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.pixels)

    def frames(self, chosen: slice) -> HandKeypoints:
        """The key points of some frames."""
        z, points = (None if values is None else values[chosen] for values in (self.z, self.points))
        return replace(self, pixels=self.pixels[chosen], visibility=self.visibility[chosen], z=z, points=points)

    def stretched(self, width: int, height: int) -> HandKeypoints:
        """The key points of the same pictures stretched to another size; the corner of a picture is at (-0.5, -0.5)."""
        scale = np.array([width / self.width, height / self.height])
        return replace(self, pixels=(self.pixels + 0.5) * scale - 0.5, width=width, height=height)


@dataclass(frozen=True)
class KeypointLook:
    """How key points are drawn.

    Attributes:
        style: "dexycb" and "oakink2": PAM's rules, pixel for pixel. "openpose": thin rainbow lines, as controlnet_aux draws hands.
        variant: "motion": the thumb on top if the wrist is nearer than the little finger's tip (never without known depth);
            "appearance": never, as PAM's image stage has it.
        hidden: joints behind something are drawn like the others, dimmed, or dropped with their bones. PAM draws them.
        scale: of all sizes, default ``auto_scale``.
        supersample: draw at this multiple and average, for smooth edges; 1 for the PAM look.
        missing_dot: leave PAM's dot in the corner in frames that show no hand.
    """

    style: str = "dexycb"
    variant: str = "motion"
    hidden: str = "draw"
    scale: float | None = None
    supersample: int = 1
    missing_dot: bool = False

    def __post_init__(self):
        for value, known in ((self.style, STYLES), (self.variant, ("motion", "appearance")), (self.hidden, HIDDEN)):
            if value not in known:
                raise ValueError(f'Expected one of {", ".join(known)} for the key-point drawing, found "{value}".')


def project_hands(joints: Sequence[np.ndarray], sides: Sequence[str], camera: Camera, length: int) -> HandKeypoints:
    """Key points of hands as a camera sees them; every joint in the picture counts as visible.

    Args:
        joints: for each hand, (T, 21, 3) world, metres.
        sides: for each hand, "right" or "left".
        camera: fixed or moving.
        length: frames.
    """
    pixels, z = np.zeros((length, len(joints), 21, 2)), np.zeros((length, len(joints), 21))
    for t in range(length):
        for i, points in enumerate(joints):
            pixels[t, i], z[t, i] = project(camera, points[t], t)
    inside = (z > 0) & ((pixels > -0.5) & (pixels < np.array([camera.width, camera.height]) - 0.5)).all(axis=-1)
    visibility = np.where(inside, VISIBLE, OUTSIDE).astype(np.uint8)
    lens = camera.intrinsics if camera.intrinsics.ndim == 2 else np.stack([camera.lens(t) for t in range(length)])
    return HandKeypoints(pixels, visibility, tuple(sides), camera.width, camera.height, z, unproject(lens, pixels, z))


def with_occlusion(keypoints: HandKeypoints, metric_depth: np.ndarray, instance_ids: np.ndarray) -> HandKeypoints:
    """Say which joints lie behind something (rendering.md, 7).

    A joint is hidden by an object that is nearer than it, and by a hand that is nearer by more than ``FLESH``.

    Args:
        keypoints: with known depth; hands in the order of their instance ids, which start at 1.
        metric_depth: (T, H, W) float32 metres.
        instance_ids: (T, H, W) uint8.
    """
    inside = keypoints.visibility != OUTSIDE
    column, row = (np.where(inside, np.rint(np.where(inside, axis, 0)), 0).astype(int) for axis in np.moveaxis(keypoints.pixels, -1, 0))
    frame = np.arange(len(keypoints))[:, None, None]
    surface, instance = metric_depth[frame, row, column], instance_ids[frame, row, column]
    hand = (instance > 0) & (instance <= len(keypoints.sides))
    visibility = np.where(hand & (surface < keypoints.z - FLESH), BEHIND_HAND, VISIBLE)
    visibility = np.where((instance > len(keypoints.sides)) & (surface < keypoints.z), BEHIND_OBJECT, visibility)
    return replace(keypoints, visibility=np.where(inside, visibility, OUTSIDE).astype(np.uint8))


def draw_keypoints(
    keypoints: HandKeypoints,
    look: KeypointLook = KeypointLook(),
    surfaces: Sequence[np.ndarray] | None = None,
    progress: Progress = silent,
) -> np.ndarray:
    """Key-point pictures of a clip.

    Hands are drawn from far to near by their mean depth, so the nearer one stays whole where both drew. With known surfaces the OAKINK2
    style decides pixel by pixel, see ``merge_hands``.

    Args:
        keypoints: what to draw.
        look: how.
        surfaces: for each hand its own (T, H, W) float32 depth without anything before it, 0 where it is not.
        progress: called once a frame.

    Returns:
        (T, H, W, 3) uint8, black where nothing is drawn.
    """
    pictures = np.zeros((len(keypoints), keypoints.height, keypoints.width, 3), np.uint8)
    for t, picture in enumerate(pictures):
        _draw_frame(picture, keypoints, t, look, None if surfaces is None else [surface[t] for surface in surfaces])
        progress(t + 1, len(keypoints))
    return pictures


def keypoint_pictures(keypoints: HandKeypoints, look: KeypointLook = KeypointLook()) -> Painted:
    """``draw_keypoints`` without surfaces a picture at a time, when it is looked at."""

    def paint(t: int) -> np.ndarray:
        picture = np.zeros((keypoints.height, keypoints.width, 3), np.uint8)
        _draw_frame(picture, keypoints, t, look, None)
        return picture

    return Painted(paint, range(len(keypoints)), keypoints.height, keypoints.width)


def _draw_frame(picture: np.ndarray, keypoints: HandKeypoints, t: int, look: KeypointLook, surfaces: list[np.ndarray] | None) -> None:
    fine = look.supersample
    canvas = picture if fine == 1 else np.zeros((keypoints.height * fine, keypoints.width * fine, 3), np.uint8)
    hands = range(len(keypoints.sides))
    if keypoints.z is not None:
        hands = sorted(hands, key=lambda i: -keypoints.z[t, i].mean())
    if look.style == "oakink2" and surfaces is not None and len(hands) > 1 and fine == 1:
        _draw_merged(canvas, keypoints, t, look, surfaces)
    else:
        for i in hands:
            _draw_one(canvas, keypoints, t, i, look)
    if look.missing_dot and not _has_hand(keypoints, t):
        draw_missing_hand(canvas, look.style)
    if fine > 1:
        picture[...] = np.rint(canvas.reshape(keypoints.height, fine, keypoints.width, fine, 3).mean(axis=(1, 3)))


def _has_hand(keypoints: HandKeypoints, t: int) -> bool:
    """Whether any joint of any hand lies in the picture of a frame."""
    return bool((keypoints.visibility[t] != OUTSIDE).any())


def _draw_merged(canvas: np.ndarray, keypoints: HandKeypoints, t: int, look: KeypointLook, surfaces: list[np.ndarray]) -> None:
    """Every hand on its own canvas, then joined by surface depth; the left hand keeps pixels where both are equally far."""
    nearest = np.full(canvas.shape[:2], np.inf, np.float32)
    for i in sorted(range(len(keypoints.sides)), key=lambda i: keypoints.sides[i] != "left"):
        own = np.zeros_like(canvas)
        _draw_one(own, keypoints, t, i, look)
        depth = np.where(surfaces[i] > 0, surfaces[i], np.inf)
        canvas[...] = merge_hands(canvas, own, depth < nearest)
        nearest = np.minimum(nearest, depth)


def _draw_one(canvas: np.ndarray, keypoints: HandKeypoints, t: int, i: int, look: KeypointLook) -> None:
    """One hand of one frame; joints outside the picture are drawn if they are before the camera, for their bones reach into it."""
    visibility = keypoints.visibility[t, i]
    shown = visibility != OUTSIDE if keypoints.z is None else keypoints.z[t, i] > 0
    behind = (visibility == BEHIND_HAND) | (visibility == BEHIND_OBJECT)
    light = np.where(behind, DIM, 1.0) if look.hidden == "dim" and behind.any() else None
    if look.hidden == "drop":
        shown = shown & ~behind
    scale = auto_scale(keypoints.width, keypoints.height) if look.scale is None else look.scale
    pixels = keypoints.pixels[t, i] * look.supersample + (look.supersample - 1) / 2
    if look.style == "openpose":
        draw_openpose_hand(canvas, pixels, shown, scale * look.supersample, light)
        return
    turns = look.variant == "motion" and keypoints.z is not None and thumb_is_nearer(keypoints.z[t, i])
    draw_hand(canvas, pixels, shown, look.style, keypoints.sides[i], turns, scale * look.supersample, light)
