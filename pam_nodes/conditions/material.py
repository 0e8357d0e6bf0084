"""Points of the surface that stay with it: what a pixel sees, and where that is in any other frame.

Every modality that needs correspondence (flow, tracking) goes through here, so it is exact: a point is a face and three weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..geometry.camera import Camera
from ..geometry.camera_build import project
from .scene import Scene
from .surface import BLOCK, pixel_rays

HIDDEN_BY = 0.004
"""Metres by which something must be nearer than a point to hide it; less is the point's own surface seen from another pixel."""


@dataclass(frozen=True, eq=False)
class Material:
    """N points of a scene: M of its meshes, then those of the table.

    Attributes:
        pixels: (N,) int64 flat pixel index in the frame they were taken from.
        faces: (M,) int64 face.
        weights: (M, 3) float64 of the face's corners.
        still: (N - M, 3) float64 world place of the points of the table.
    """

    pixels: np.ndarray
    faces: np.ndarray
    weights: np.ndarray
    still: np.ndarray

    def at(self, scene: Scene, frame: int) -> np.ndarray:
        """(N, 3) float64 world places in a frame."""
        vertices, corners = scene.vertices(frame), scene.faces[self.faces]
        moving = sum(self.weights[:, k, None] * vertices[corners[:, k]] for k in range(3))
        return np.concatenate([moving, self.still]) if len(self.still) else moving

    def chosen(self, which: np.ndarray) -> Material:
        """The points where ``which`` (N,) is true."""
        moving, still = np.split(which, [len(self.faces)])
        return Material(self.pixels[which], self.faces[moving], self.weights[moving], self.still[still])


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
    pixels, still = surface.pixels, np.empty((0, 3))
    if table:
        behind, still = table_points(camera, frame, np.flatnonzero(depth == 0))
        pixels = np.concatenate([pixels, behind])
    material = Material(pixels, surface.faces, surface.barycentric.astype(np.float64), still)
    return Sight(material, depth.reshape(camera.height, camera.width))


def table_points(camera: Camera, frame: int, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which of (N,) flat pixels look at the table top, and (M, 3) where, world."""
    pose = camera.at(frame)
    eye = -pose[:3, :3].T @ pose[:3, 3]
    found, places = [pixels[:0]], [np.empty((0, 3))]
    for part in _blocks(len(pixels)) if eye[2] > 0 else ():
        row = pixels[part] // camera.width
        column = pixels[part] - row * camera.width
        directions = pixel_rays(column, row, camera.lens(frame)).astype(np.float64) @ pose[:3, :3]
        down = directions[:, 2] < -1e-4
        x, y, z = directions.T if down.all() else directions[down].T
        distance = -eye[2] / z
        found.append(pixels[part][down])
        places.append(np.stack([eye[0] + x * distance, eye[1] + y * distance, eye[2] + z * distance], axis=1))
    return np.concatenate(found), np.concatenate(places)


def sees(camera: Camera, frame: int, depth: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where points appear in a frame, and whether nothing is before them there.

    Args:
        camera, frame: the view.
        depth: (H, W) metres of that frame, 0 where nothing was hit.
        points: (N, 3) world, metres.

    Returns:
        (N, 2) pixels, (N,) camera z, and (N,) bool: in the picture and not hidden by more than ``HIDDEN_BY``.
    """
    count = len(points)
    pixels, z, seen = np.empty((count, 2)), np.empty(count), np.empty(count, bool)
    for part in _blocks(count):
        pixels[part], z[part] = project(camera, points[part], frame)
        inside = z[part] > 0
        for places, size in zip(pixels[part].T, (camera.width, camera.height), strict=True):
            inside &= (places >= -0.5) & (places < size - 0.5)
        column, row = (np.rint(np.where(inside, places, 0)).astype(np.int64) for places in pixels[part].T)
        before = depth.reshape(-1).take(row * camera.width + column)
        seen[part] = inside & ((before == 0) | (before > z[part] - HIDDEN_BY))
    return pixels, z, seen


def _blocks(count: int) -> Iterator[slice]:
    """Parts of so many points that what is computed of them stays in the processor's cache."""
    return (slice(start, start + BLOCK) for start in range(0, count, BLOCK))
