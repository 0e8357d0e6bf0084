"""All meshes of a scene as one, and one frame of it as a camera sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..geometry.camera import Camera
from .meshes import MeshTrack
from .raster import Surface, rasterize, resolve, rotate, seen, transform


@dataclass(frozen=True, eq=False)
class View:
    """One frame seen from a camera.

    Attributes:
        surface: the hit pixels.
        instance: (N,) uint8 instance id of each.
        normals: (N, 3) float32 unit normals, camera frame, turned towards the camera.
    """

    surface: Surface
    instance: np.ndarray
    normals: np.ndarray


class Scene:
    """Several mesh tracks joined into one vertex and face list.

    Attributes:
        tracks: the meshes, all of the same length.
        faces, normal_faces: (F, 3) int64 into the joined vertices and normals.
        face_instance: (F,) uint8.
    """

    def __init__(self, tracks: Sequence[MeshTrack]):
        self.tracks = tuple(tracks)
        vertices = np.cumsum([0] + [track.vertices.shape[-2] for track in self.tracks])
        normals = np.cumsum([0] + [track.normals.shape[-2] for track in self.tracks])
        self.faces = np.concatenate([track.faces + first for track, first in zip(self.tracks, vertices, strict=False)]).astype(np.int64)
        self.normal_faces = np.concatenate([track.normal_faces + first for track, first in zip(self.tracks, normals, strict=False)])
        self.face_instance = np.repeat(np.array([t.instance for t in self.tracks], np.uint8), [len(t.faces) for t in self.tracks])

    def __len__(self) -> int:
        return min(len(track) for track in self.tracks)

    def at(self, frame: int) -> tuple[np.ndarray, np.ndarray]:
        """World vertices (V, 3) and normals (N, 3) of all meshes in one frame."""
        vertices, normals = zip(*(track.at(frame) for track in self.tracks), strict=True)
        return np.concatenate(vertices), np.concatenate(normals)

    def bounds(self) -> tuple[np.ndarray, float]:
        """Centre (3,) and radius of a sphere that holds every vertex of every frame, metres, world."""
        low, high = np.full(3, np.inf), np.full(3, -np.inf)
        for frame in range(len(self)):
            vertices = self.at(frame)[0]
            low, high = np.minimum(low, vertices.min(axis=0)), np.maximum(high, vertices.max(axis=0))
        return (low + high) / 2, float(np.linalg.norm(high - low) / 2)

    def visible(self, frame: int, camera: Camera) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Flat index, float32 z and instance id of each pixel that sees something."""
        vertices = transform(camera.at(frame), self.at(frame)[0])
        pixels, faces, z = seen(rasterize(vertices, self.faces, camera.intrinsics, camera.width, camera.height))
        return pixels, z, self.face_instance[faces]

    def view(self, frame: int, camera: Camera) -> View:
        """Like ``visible``, with normals and points."""
        world, world_normals = self.at(frame)
        pose = camera.at(frame)
        vertices = transform(pose, world)
        buffer = rasterize(vertices, self.faces, camera.intrinsics, camera.width, camera.height)
        surface = resolve(buffer, vertices, self.faces, camera.intrinsics, camera.width)
        return View(surface, self.face_instance[surface.faces], self._normals(surface, rotate(pose, world_normals)))

    def _normals(self, surface: Surface, normals: np.ndarray) -> np.ndarray:
        """Corner normals mixed with the pixel's weights; the inside of an open mesh shows its back, so it gets the opposite normal."""
        corners = self.normal_faces[surface.faces]
        mixed = sum(surface.barycentric[:, k, None] * normals[corners[:, k]] for k in range(3))
        length = np.sqrt((mixed * mixed).sum(axis=1, keepdims=True)) + np.float32(1e-12)
        return mixed / np.where(surface.front[:, None], length, -length)
