"""Points of the surface that stay with it: what a pixel sees, and where that is in any other frame.

Every modality that needs correspondence (flow, tracking) goes through here, so it is exact: a point is a face and three weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry.camera import Camera
from ..geometry.camera_build import project
from .scene import Scene
from .surface import pixel_rays

HIDDEN_BY = 0.004
"""Metres by which something must be nearer than a point to hide it; less is the point's own surface seen from another pixel."""


@dataclass(frozen=True, eq=False)
class Material:
    """N points of a scene.

    Attributes:
        pixels: (N,) int64 flat pixel index in the frame they were taken from.
        faces: (N,) int64 face, or -1 for a point of the table.
        weights: (N, 3) float64 of the face's corners.
        still: (N, 3) float64 world place of points of the table; others zero.
        instance: (N,) uint8; 0 for the table.
    """

    pixels: np.ndarray
    faces: np.ndarray
    weights: np.ndarray
    still: np.ndarray
    instance: np.ndarray

    def at(self, scene: Scene, frame: int) -> np.ndarray:
        """(N, 3) float64 world places in a frame."""
        vertices = scene.vertices(frame)
        on_mesh = np.flatnonzero(self.faces >= 0)
        corners, weights = scene.faces[self.faces[on_mesh]], self.weights[on_mesh]
        places = self.still.copy()
        places[on_mesh] = sum(weights[:, k, None] * vertices[corners[:, k]] for k in range(3))
        return places

    def chosen(self, which: np.ndarray) -> Material:
        """Some of the points."""
        return Material(*(getattr(self, name)[which] for name in ("pixels", "faces", "weights", "still", "instance")))


@dataclass(frozen=True, eq=False)
class Sight:
    """What a frame shows: the material of each pixel, and the (H, W) float32 depth of the meshes in metres, 0 where there is none."""

    material: Material
    depth: np.ndarray


def look(scene: Scene, camera: Camera, frame: int, table: bool = False) -> Sight:
    """What each pixel of a frame sees.

    Args:
        scene, camera, frame: the view.
        table: pixels that look down past every mesh see the table top (z = 0, without end).
    """
    view = scene.view(frame, camera)
    surface = view.surface
    depth = np.zeros(camera.width * camera.height, np.float32)
    depth[surface.pixels] = surface.z
    still = np.zeros((len(surface.pixels), 3))
    seen = Material(surface.pixels, surface.faces, surface.barycentric.astype(np.float64), still, view.instance)
    if table:
        seen = _with_table(seen, *table_points(camera, frame, np.flatnonzero(depth == 0)))
    return Sight(seen, depth.reshape(camera.height, camera.width))


def _with_table(seen: Material, pixels: np.ndarray, points: np.ndarray) -> Material:
    count = len(pixels)
    return Material(
        np.concatenate([seen.pixels, pixels]),
        np.concatenate([seen.faces, np.full(count, -1)]),
        np.concatenate([seen.weights, np.zeros((count, 3))]),
        np.concatenate([seen.still, points]),
        np.concatenate([seen.instance, np.zeros(count, np.uint8)]),
    )


def table_points(camera: Camera, frame: int, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which of (N,) flat pixels look at the table top, and (M, 3) where, world."""
    pose = camera.at(frame)
    row, column = np.divmod(pixels, camera.width)
    directions = pixel_rays(column, row, camera.lens(frame)).astype(np.float64) @ pose[:3, :3]
    eye = -pose[:3, :3].T @ pose[:3, 3]
    down = np.flatnonzero((directions[:, 2] < -1e-4) & (eye[2] > 0))
    return pixels[down], eye + directions[down] * (-eye[2] / directions[down, 2])[:, None]


def sees(camera: Camera, frame: int, depth: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where points appear in a frame, and whether nothing is before them there.

    Args:
        camera, frame: the view.
        depth: (H, W) metres of that frame, 0 where nothing was hit.
        points: (N, 3) world, metres.

    Returns:
        (N, 2) pixels, (N,) camera z, and (N,) bool: in the picture and not hidden by more than ``HIDDEN_BY``.
    """
    pixels, z = project(camera, points, frame)
    inside = (z > 0) & ((pixels >= -0.5) & (pixels < np.array([camera.width, camera.height]) - 0.5)).all(axis=1)
    column, row = np.rint(np.where(inside[:, None], pixels, 0)).astype(np.int64).T
    before = depth[row, column]
    return pixels, z, inside & ((before == 0) | (before > z - HIDDEN_BY))
