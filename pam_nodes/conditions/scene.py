"""All meshes of a scene as one, and one frame of it as a camera sees it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..geometry.camera import Camera
from .meshes import MeshTrack
from .raster import rasterize, seen
from .surface import Surface, resolve, surface_normals


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


@dataclass(frozen=True)
class Loops:
    """What most of the time goes into, for which there are compiled loops too.

    Attributes:
        rasterize: ``raster.rasterize`` or its equal.
        normals: ``numpy_normals`` or its equal.
        ordered: whether ``rasterize`` is faster if it is told which faces are seen from behind.
    """

    rasterize: Callable[..., np.ndarray]
    normals: Callable[..., np.ndarray]
    ordered: bool = False


class Scene:
    """Several mesh tracks joined into one vertex and face list.

    Attributes:
        tracks: the meshes, all of the same length.
        faces: (F, 3) int64 into the joined vertices, each corner contiguous.
        face_instance: (F,) uint8.
        first_vertex, first_face: where each track starts in the lists, and their ends.
        loops: who does the work, default NumPy.
    """

    def __init__(self, tracks: Sequence[MeshTrack], loops: Loops | None = None):
        self.tracks, self.loops = tuple(tracks), loops or NUMPY
        self.first_vertex = np.cumsum([0] + [track.vertices.shape[-2] for track in self.tracks])
        self.first_face = np.cumsum([0] + [len(track.faces) for track in self.tracks])
        joined = [track.faces + first for track, first in zip(self.tracks, self.first_vertex, strict=False)]
        self.faces = np.asfortranarray(np.concatenate(joined), np.int64)
        self.face_instance = np.repeat(np.array([t.instance for t in self.tracks], np.uint8), np.diff(self.first_face))
        self._scratch = threading.local()

    def __len__(self) -> int:
        return min(len(track) for track in self.tracks)

    def vertices(self, frame: int, world_to_camera: np.ndarray | None = None) -> np.ndarray:
        """(V, 3) float32 vertices of all meshes in one frame, world, or seen from a (4, 4) pose; each coordinate contiguous."""
        joined = np.empty((3, self.first_vertex[-1]), np.float32)
        for track, low, high in zip(self.tracks, self.first_vertex, self.first_vertex[1:], strict=False):
            track.vertices_at(frame, world_to_camera, out=joined[:, low:high])
        return joined.T

    def bounds(self) -> tuple[np.ndarray, float]:
        """Centre (3,) and radius of a sphere that holds every vertex of every frame, metres, world."""
        low, high = np.full(3, np.inf), np.full(3, -np.inf)
        for frame in range(len(self)):
            vertices = self.vertices(frame)
            low, high = np.minimum(low, vertices.min(axis=0)), np.maximum(high, vertices.max(axis=0))
        return (low + high) / 2, float(np.linalg.norm(high - low) / 2)

    def keys(
        self, frame: int, world_to_camera: np.ndarray, intrinsics: np.ndarray, width: int, height: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """``vertices`` of a frame and its visibility buffer, see ``rasterize``; this thread's next call overwrites the buffer."""
        vertices = self.vertices(frame, world_to_camera)
        away = self._away(frame, world_to_camera, vertices) if self.loops.ordered else None
        return vertices, self.loops.rasterize(vertices, self.faces, intrinsics, width, height, self.buffer(width * height), away)

    def _away(self, frame: int, world_to_camera: np.ndarray, vertices: np.ndarray) -> np.ndarray:
        """(F,) bool, which faces are seen from behind."""
        ends = zip(self.tracks, self.first_vertex, self.first_vertex[1:], strict=False)
        return np.concatenate([track.away(frame, world_to_camera, vertices[low:high]) for track, low, high in ends])

    def buffer(self, size: int) -> np.ndarray:
        """(size,) int64 scratch memory of this thread."""
        buffer = getattr(self._scratch, "buffer", None)
        if buffer is None or len(buffer) != size:
            buffer = self._scratch.buffer = np.empty(size, np.int64)
        return buffer

    def visible(self, frame: int, camera: Camera) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(H * W,) bool, the pixels that see something, and the float32 z and instance id of each."""
        camera = camera.still(frame)
        hit, faces, z = seen(self.keys(frame, camera.at(frame), camera.intrinsics, camera.width, camera.height)[1])
        return hit, z, self.face_instance.take(faces)

    def view(self, frame: int, camera: Camera) -> View:
        """Like ``visible``, with normals and points."""
        camera = camera.still(frame)
        vertices, buffer = self.keys(frame, camera.at(frame), camera.intrinsics, camera.width, camera.height)
        surface = resolve(buffer, vertices, self.faces, camera.intrinsics, camera.width)
        return View(surface, self.face_instance.take(surface.faces), self.loops.normals(self, surface, vertices, frame, camera))

    def corner_normals(self, faces: np.ndarray, frame: int, world_to_camera: np.ndarray) -> list[np.ndarray]:
        """Three (U, 3) camera-frame unit normals at the corners of some faces, given in ascending order."""
        normals = np.empty((3, 3, len(faces)), np.float32)
        ends = np.searchsorted(faces, self.first_face)
        for track, first, low, high in zip(self.tracks, self.first_face, ends, ends[1:], strict=False):
            normals[:, :, low:high] = track.corner_normals(frame, faces[low:high] - first, world_to_camera)
        return [corner.T for corner in normals.swapaxes(0, 1)]


def numpy_normals(scene: Scene, surface: Surface, vertices: np.ndarray, frame: int, camera: Camera) -> np.ndarray:
    """(N, 3) float32 unit normals of hit pixels, camera frame; vertices: (V, 3) of the frame, seen from the camera."""
    return surface_normals(surface, scene.corner_normals(surface.hit_faces, frame, camera.at(frame)))


NUMPY = Loops(rasterize, numpy_normals, ordered=True)
