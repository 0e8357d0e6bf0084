"""3-D tracking video: every surface point keeps the colour of its place in the first frame.

The colours are those of Diffusion-as-Shader (pam_reference.md, 1.5): red is x and green is y in the first picture, blue its inverse depth
between the 2 % and 98 % quantiles. The correspondence is exact: colours come from the mesh, not from a tracker.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry.camera import Camera
from ..geometry.camera_build import project
from ..progress import Progress, silent
from .colormap import as_pixels
from .material import Material, look, sees
from .scene import Scene
from .threads import in_order

QUANTILES = (2, 98)
DENSE, POINTS = "dense", "points"


@dataclass(frozen=True)
class TrackingLook:
    """How a tracking video is drawn.

    Attributes:
        kind: "points": a grid of points seen in the first frame, as small rectangles while they can be seen (the training look of
            Diffusion-as-Shader). "dense": every pixel, also of surfaces that come into view later.
        grid: points along each side of the picture, 70 in training.
        table: the table top is tracked too; otherwise hands and objects on black.
    """

    kind: str = POINTS
    grid: int = 70
    table: bool = False


def render_tracking(scene: Scene, camera: Camera, length: int, style: TrackingLook, progress: Progress = silent) -> np.ndarray:
    """(T, H, W, 3) uint8 tracking video of a scene from a fixed or moving camera."""
    if style.kind not in (DENSE, POINTS):
        raise ValueError(f'Expected the tracking look "{POINTS}" or "{DENSE}", found "{style.kind}".')
    if not 2 <= style.grid <= 1024:
        raise ValueError(f"Expected 2 to 1024 points along each side of the picture, found {style.grid}.")
    first = look(scene, camera, 0, style.table).material
    if not len(first.pixels):
        raise ValueError("Expected hand or object in the first frame of the tracking video, found nothing: move the camera.")
    scale = _blue_range(scene, camera, first)
    points = first.chosen(np.isin(first.pixels, _grid(camera, style.grid)))
    colors, half = _colors(scene, camera, points, scale), _half_size(camera, style.grid)
    pictures = np.zeros((length, camera.height, camera.width, 3), np.uint8)

    def draw(t: int) -> None:
        sight = look(scene, camera, t, style.table and style.kind == DENSE)
        if style.kind == DENSE:
            as_pixels(pictures[t])[sight.material.pixels] = as_pixels(_colors(scene, camera, sight.material, scale))
        else:
            pixels, z, seen = sees(camera, t, sight.depth, points.at(scene, t))
            order = np.flatnonzero(seen)[np.argsort(-z[seen], kind="stable")]
            _rectangles(pictures[t], np.rint(pixels[order]).astype(np.int64), colors[order], half)

    with in_order(draw, length) as drawn:
        for done, _ in enumerate(drawn, start=1):
            progress(done, length)
    return pictures


def point_tracks(scene: Scene, camera: Camera, length: int, pixels: np.ndarray) -> np.ndarray:
    """(N, T, 2) exact places of the surface points that (M,) flat pixel indices of the first frame see, NaN while they are hidden."""
    first = look(scene, camera, 0).material
    points = first.chosen(np.isin(first.pixels, pixels))
    tracks = np.full((len(points.pixels), length, 2), np.nan)
    for t in range(length):
        places, _, seen = sees(camera, t, look(scene, camera, t).depth, points.at(scene, t))
        tracks[seen, t] = places[seen]
    return tracks


def _grid(camera: Camera, count: int) -> np.ndarray:
    """Flat indices of a regular grid of pixels, clear of the border by half a step."""
    columns, rows = (np.unique(((np.arange(count) + 0.5) * size / count).astype(np.int64)) for size in (camera.width, camera.height))
    return (rows[:, None] * camera.width + columns).ravel()


def _half_size(camera: Camera, grid: int) -> tuple[int, int]:
    """Half width and half height of a point's rectangle, pixels: as wide as half the grid's step each way, 1 / 1.5 as high."""
    half = camera.width / grid / 2
    return max(1, round(half)), max(1, round(half / 1.5))


def _blue_range(scene: Scene, camera: Camera, first: Material) -> tuple[float, float]:
    """The quantiles of inverse depth in the first frame."""
    z = project(camera, first.at(scene, 0), 0)[1]
    low, high = np.percentile(1 / z, QUANTILES)
    return float(low), max(float(high), float(low) + 1e-6)


def _colors(scene: Scene, camera: Camera, material: Material, scale: tuple[float, float]) -> np.ndarray:
    """(N, 3) uint8 colours of points by where they are in the first frame, seen there or not."""
    pixels, z = project(camera, material.at(scene, 0), 0)
    x, y = (pixels / (np.array([camera.width, camera.height]) - 1)).T
    blue = (1 / np.maximum(z, 1e-6) - scale[0]) / (scale[1] - scale[0])
    return (255 * np.clip(np.nan_to_num(np.stack([x, y, blue], axis=1)), 0, 1)).astype(np.uint8)


def _rectangles(picture: np.ndarray, centres: np.ndarray, colors: np.ndarray, half: tuple[int, int]) -> None:
    """Filled rectangles, the later over the earlier."""
    height, width = picture.shape[:2]
    y, x = np.mgrid[-half[1] : half[1] + 1, -half[0] : half[0] + 1]
    pixels = centres[:, None] + np.stack([x.ravel(), y.ravel()], axis=1)
    inside = ((pixels >= 0) & (pixels < [width, height])).all(axis=2)
    flat = (pixels[..., 1] * width + pixels[..., 0])[inside]
    as_pixels(picture)[flat] = as_pixels(np.repeat(colors, inside.sum(axis=1), axis=0))
