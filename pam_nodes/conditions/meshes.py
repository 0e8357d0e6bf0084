"""Meshes of a scene over time, ready to be drawn: world-space vertices, normals and instance ids."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .transform import F, cross, rotate, transform

CREASE = np.radians(40.0)
"""Faces that meet at a larger angle have an edge between them, not a rounded one."""
FRAMES = 8
"""Of which normals are worked out at once, so that work stays in the processor's cache."""


@dataclass(frozen=True, eq=False)
class MeshTrack:
    """One mesh over T frames.

    Attributes:
        vertices: (T, V, 3) float32 world, metres, for a mesh that deforms; (V, 3) in its own frame for a rigid one.
        faces: (F, 3) int64, counter-clockwise seen from outside.
        normals: (T, N, 3) or (N, 3) float32 unit normals in the frame of ``vertices``.
        normal_faces: (F, 3) int64 index into ``normals`` of each corner.
        instance: id from 1 up, unique in the scene.
        poses: (T, 4, 4) mesh to world of a rigid mesh, else None.
        color: RGB in 0..1, or None for skin.
    """

    vertices: np.ndarray
    faces: np.ndarray
    normals: np.ndarray
    normal_faces: np.ndarray
    instance: int
    poses: np.ndarray | None = None
    color: tuple[float, float, float] | None = None

    def __len__(self) -> int:
        return len(self.vertices if self.poses is None else self.poses)

    def vertices_at(self, frame: int, world_to_camera: np.ndarray | None = None, out: np.ndarray | None = None) -> np.ndarray:
        """(V, 3) float32 vertices of one frame, world, or seen from a (4, 4) pose; out: (3, V) to write them to."""
        points = self.vertices if self.poses is not None else self.vertices[frame]
        pose = self.pose(frame, world_to_camera)
        if pose is not None:
            return transform(pose, points, out)
        if out is None:
            return points
        out[:] = points.T
        return out.T

    def corner_normals(self, frame: int, faces: np.ndarray, world_to_camera: np.ndarray) -> np.ndarray:
        """(3, 3, len(faces)) float32: coordinates of the normals at each corner of some faces, seen from a (4, 4) pose."""
        index, normals = self._columns
        index = index.take(faces, axis=1)
        normals = (normals if self.poses is not None else self.normals[frame].T).take(index.ravel(), axis=1)
        return rotate(self.pose(frame, world_to_camera), normals.T).T.reshape(3, *index.shape)

    @cached_property
    def _columns(self) -> tuple[np.ndarray, np.ndarray]:
        """``normal_faces`` and, of a rigid mesh, ``normals``, each column in one piece."""
        normals = self.normals if self.poses is not None else np.empty((0, 3), F)
        return np.ascontiguousarray(self.normal_faces.T), np.ascontiguousarray(normals.T)

    def rotation(self, frame: int, world_to_camera: np.ndarray) -> np.ndarray:
        """(3, 3) rotation of ``normals`` to the camera."""
        return self.pose(frame, world_to_camera)[:3, :3]

    @cached_property
    def planes(self) -> np.ndarray:
        """(4, F) float32 of a rigid mesh: outward normals n and offsets d of the faces; a point p before a face has n . p > d."""
        a, b, c = (np.asarray(self.vertices, F).take(corner, axis=0).T for corner in self.faces.T)
        normals = np.stack(cross(b - a, c - a))
        return np.concatenate([normals, (normals * a).sum(axis=0, keepdims=True)])

    def away(self, frame: int, world_to_camera: np.ndarray, vertices: np.ndarray) -> np.ndarray:
        """(F,) bool, faces whose clockwise side the camera sees, but for rounding; vertices: (V, 3) of the frame, seen from it."""
        if self.poses is None:
            a, b, c = (vertices.T.take(corner, axis=1) for corner in self.faces.T)
            return sum(p * q for p, q in zip(a, cross(b, c), strict=True)) >= 0
        pose = self.pose(frame, world_to_camera)
        x, y, z = -(pose[:3, :3].T @ pose[:3, 3]).astype(F)  # where the camera is, seen from the mesh
        nx, ny, nz, offset = self.planes
        side = nx * x
        side += ny * y
        side += nz * z
        return side <= offset

    def pose(self, frame: int, world_to_camera: np.ndarray | None) -> np.ndarray | None:
        """Frame of ``vertices`` to the camera (to the world without one); None where they are the same."""
        if self.poses is None or world_to_camera is None:
            return world_to_camera if self.poses is None else self.poses[frame]
        return np.asarray(world_to_camera, np.float64) @ self.poses[frame]


def deforming_track(vertices: np.ndarray, faces: np.ndarray, instance: int) -> MeshTrack:
    """Track of a hand: (T, V, 3) world vertices, smooth normals anew in each frame."""
    vertices = np.asarray(vertices, F)
    return MeshTrack(vertices, faces, vertex_normals(vertices, faces), faces, instance)


def rigid_track(vertices: np.ndarray, faces: np.ndarray, poses: np.ndarray, instance: int, color: tuple[float, float, float]) -> MeshTrack:
    """Track of an object: (V, 3) vertices moved by (T, 4, 4) poses, hard edges where faces meet at more than ``CREASE``."""
    vertices = np.asfortranarray(vertices, F)
    normals, normal_faces = crease_normals(vertices, faces)
    return MeshTrack(vertices, faces, normals, normal_faces, instance, np.asarray(poses), color)


def face_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(F, 3, ...) face normals of (V, 3, ...) vertices, as long as twice the face's area."""
    a, b, c = (vertices.take(faces[:, k], axis=0) for k in range(3))
    b -= a
    c -= a
    normals = a
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        np.multiply(b[:, j], c[:, k], out=normals[:, i])
        normals[:, i] -= b[:, k] * c[:, j]
    return normals


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(T, V, 3) unit normals of (T, V, 3) vertices: the area-weighted mean of the faces around each vertex."""
    normals = np.empty(vertices.shape, F)
    incidence = _incidence(faces, vertices.shape[1])
    for first in range(0, len(vertices), FRAMES):
        block = np.ascontiguousarray(np.moveaxis(vertices[first : first + FRAMES], 0, -1))
        normals[first : first + FRAMES] = np.moveaxis(_gathered(face_normals(block, faces), incidence), -1, 0)
    return normals


def crease_normals(vertices: np.ndarray, faces: np.ndarray, angle: float = CREASE) -> tuple[np.ndarray, np.ndarray]:
    """Normals that are smooth over rounded parts and sharp at edges.

    Corners are joined across every edge whose two faces meet at less than ``angle``; each joined group shares one normal.

    Args:
        vertices: (V, 3) float32.
        faces: (F, 3) int64.
        angle: radians.

    Returns:
        (N, 3) float32 unit normals and (F, 3) int64 index of each corner's normal.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    weighted = face_normals(np.ascontiguousarray(vertices), faces)
    unit = _unit(weighted)
    corner = np.arange(faces.size).reshape(faces.shape)
    following = np.roll(corner, -1, axis=1)
    ends = np.stack([faces, np.roll(faces, -1, axis=1)], axis=-1).reshape(-1, 2)
    at_ends = np.stack([corner, following], axis=-1).reshape(-1, 2)
    turned = ends[:, 0] > ends[:, 1]
    ends[turned], at_ends[turned] = ends[turned, ::-1], at_ends[turned, ::-1]
    order = np.lexsort((ends[:, 1], ends[:, 0]))
    ends, at_ends = ends[order], at_ends[order]
    pair = np.nonzero((ends[1:] == ends[:-1]).all(axis=1))[0]
    one, two = at_ends[pair], at_ends[pair + 1]
    smooth = (unit[one[:, 0] // 3] * unit[two[:, 0] // 3]).sum(axis=1) > np.cos(angle)
    one, two = one[smooth].ravel(), two[smooth].ravel()
    links = coo_array((np.ones(len(one), bool), (one, two)), shape=(faces.size, faces.size))
    groups, group = connected_components(links, directed=False)
    normal_faces = group.reshape(faces.shape).astype(np.int64)
    return _gathered(weighted, _incidence(normal_faces, groups)), normal_faces


def _incidence(faces: np.ndarray, count: int):
    """Sparse (count, F) matrix, 1 where a face has a corner."""
    from scipy.sparse import csr_array

    ones, owner = np.ones(faces.size, F), np.repeat(np.arange(len(faces)), 3)
    return csr_array((ones, (faces.ravel(), owner)), shape=(count, len(faces)))


def _gathered(weighted: np.ndarray, incidence) -> np.ndarray:
    """Unit sums (V, 3, ...) of the (F, 3, ...) normals of the faces around each vertex."""
    total = incidence @ weighted.reshape(len(weighted), -1)
    return _unit(total.reshape(len(total), *weighted.shape[1:]))


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors (N, 3, ...) of length one; a zero vector (flat face, lone vertex) becomes +z."""
    length = np.sqrt((vectors * vectors).sum(axis=1))
    none = length == 0
    length[none] = 1
    unit = vectors / length[:, None]
    unit[:, 2][none] = 1
    return unit
