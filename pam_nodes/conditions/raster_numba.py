"""The span rasteriser as compiled loops, for machines where numba is installed: the same bits as ``raster``, several times faster.

numba is never required; importing this without it raises ImportError.
"""

from __future__ import annotations

import numpy as np

from ..geometry.camera import Camera
from . import raster_kernels as kernels
from .frames import Frames
from .raster import EMPTY
from .surface import Surface, pixel_rays
from .transform import F
from .triangles import clip_near, projected

KINDS = (F, np.uint8, np.uint8)
"""Of ``Frames.buffers``."""


def rasterize(
    vertices: np.ndarray,
    faces: np.ndarray,
    intrinsics: np.ndarray,
    width: int,
    height: int,
    buffer: np.ndarray | None = None,
    away: np.ndarray | None = None,
) -> np.ndarray:
    """Like ``raster.rasterize``; which faces are seen from behind costs nothing to find out here."""
    buffer = np.empty(height * width, np.int64) if buffer is None else buffer
    buffer.fill(EMPTY)
    vertices, faces, owners = clip_near(vertices, faces)
    x, y, w = projected(vertices, intrinsics)
    kernels.fill(x, y, w, *(np.ascontiguousarray(corner) for corner in faces.T), owners, width, height, buffer)
    return buffer


def normals(scene, surface: Surface, vertices: np.ndarray, frame: int, camera: Camera) -> np.ndarray:
    """Like ``scene.numpy_normals``."""
    result = np.empty((3, len(surface.z)), F)
    matrices = _matrices(scene, surface.hit_faces, vertices, frame, camera)
    kernels.normal_vectors(surface.pixels, surface.slot, matrices, *_rays(camera), result)
    return result.T


def draw(scene, frame: int, camera: Camera, frames: Frames, row: int) -> None:
    """Draw one frame of a ``Scene`` into the clip's arrays, all zero before; depth, ids and normals where they are not None."""
    camera = camera.still(frame)
    vertices = scene.vertices(frame, camera.at(frame))
    width, height = camera.width, camera.height
    buffer = rasterize(vertices, scene.faces, camera.intrinsics, width, height, scene.buffer(width * height))
    pixels, slots, hit_faces = kernels.hits(buffer, len(scene.faces))
    wanted = [np.empty(0, kind) if array is None else array[row].reshape(-1) for array, kind in zip(frames.buffers, KINDS, strict=True)]
    matrices = np.empty((0, 9), F) if frames.normals is None else _matrices(scene, hit_faces, vertices, frame, camera)
    kernels.paint(buffer, pixels, slots, scene.face_instance.take(hit_faces), matrices, *_rays(camera), *wanted)


def _matrices(scene, hit_faces: np.ndarray, vertices: np.ndarray, frame: int, camera: Camera) -> np.ndarray:
    """(U, 9) float32 matrices from rays to normals of some faces."""
    matrices = np.empty((len(hit_faces), 9), F)
    for track, first, vertex in zip(scene.tracks, scene.first_face, scene.first_vertex, strict=False):
        rotation = track.rotation(frame, camera.at(frame)).astype(F)
        directions = track.normals if track.poses is not None else track.normals[frame]
        mesh = (track.faces, vertices[vertex:].T, directions, track.normal_faces, rotation)
        kernels.normal_matrices(hit_faces, first, *mesh, F(camera.intrinsics[0, 0]), matrices)
    return matrices


def _rays(camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Slopes of the rays through the columns (W,) and the rows (H,)."""
    columns = pixel_rays(np.arange(camera.width), np.zeros(camera.width), camera.intrinsics)
    rows = pixel_rays(np.zeros(camera.height), np.arange(camera.height), camera.intrinsics)
    return np.ascontiguousarray(columns[:, 0]), np.ascontiguousarray(rows[:, 1])
