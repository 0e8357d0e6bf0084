"""How deep points lie inside a closed mesh."""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise

import numpy as np

BINS = 96
"""Cells along each side of the grid in which faces are looked up."""

NEAREST = 12
"""Faces around a point that are measured."""

CHUNK = 1 << 20
"""Pairs of point and face measured at a time; bounds memory to about 200 MB."""


class Solid:
    """A closed mesh, ready for many questions.

    Faces are looked up by their shadow along one axis: a point is inside when the ray along that axis meets an odd number of them. Depth
    is the distance to the nearest of the faces with the nearest middles, on a copy whose edges are short.
    """

    def __init__(self, vertices: np.ndarray, faces: np.ndarray):
        from scipy.spatial.transform import Rotation

        # Turned by an arbitrary angle, so that rays do not run along edges and faces of boxes.
        self._turn = Rotation.from_rotvec([0.37, 0.71, 0.19]).as_matrix()
        self._vertices, self._faces = np.asarray(vertices, np.float64) @ self._turn.T, np.asarray(faces)
        self._low, self._high = self._vertices.min(0), self._vertices.max(0)
        self._size = np.maximum((self._high - self._low)[:2] / BINS, 1e-9)

    def depth(self, points: np.ndarray) -> np.ndarray:
        """(N,) metres from each of (N, 3) points inside the mesh to its surface; 0 outside."""
        points = np.asarray(points, np.float64) @ self._turn.T
        depths = np.zeros(len(points))
        near = np.flatnonzero(((points > self._low) & (points < self._high)).all(1))
        inside = near[self._inside(points[near])]
        if len(inside):
            depths[inside] = self._distance(points[inside])
        return depths

    def distance(self, points: np.ndarray) -> np.ndarray:
        """(N,) metres from each of (N, 3) points to the surface, on either side; the mesh need not be closed for this."""
        return self._distance(np.asarray(points, np.float64) @ self._turn.T)

    @cached_property
    def _shadows(self) -> tuple[np.ndarray, np.ndarray]:
        """Faces sorted by the cells their shadows may touch, and where each cell begins."""
        corners = self._vertices[self._faces][:, :, :2]
        first, last = (self._cell(edge) for edge in (corners.min(1), corners.max(1)))
        across = last - first + 1
        counts = across.prod(1)
        face = np.repeat(np.arange(len(self._faces)), counts)
        rank = np.arange(len(face)) - np.repeat(np.cumsum(counts) - counts, counts)
        cell = (first[face, 0] + rank // across[face, 1]) * BINS + first[face, 1] + rank % across[face, 1]
        order = np.argsort(cell, kind="stable")
        return face[order], np.searchsorted(cell[order], np.arange(BINS * BINS + 1))

    def _cell(self, places: np.ndarray) -> np.ndarray:
        return np.clip(((places - self._low[:2]) / self._size).astype(np.int64), 0, BINS - 1)

    def _inside(self, points: np.ndarray) -> np.ndarray:
        """(N,) bool: an odd number of faces above the point."""
        faces, starts = self._shadows
        cell = self._cell(points[:, :2]) @ np.array([BINS, 1])
        counts = starts[cell + 1] - starts[cell]
        above = np.zeros(len(points), np.int64)
        for part in _parts(counts):
            point, rank = _pairs(counts[part])
            point = point + part.start
            face = faces[starts[cell[point]] + rank]
            a, b, c = (self._vertices[self._faces[face, k]] for k in range(3))
            p = points[point]
            area = _cross(b - a, c - a)
            with np.errstate(divide="ignore", invalid="ignore"):
                u, v = _cross(p - a, c - a) / area, _cross(b - a, p - a) / area
                hit = (u >= 0) & (v >= 0) & (u + v <= 1) & (a[:, 2] + u * (b - a)[:, 2] + v * (c - a)[:, 2] > p[:, 2])
            above += np.bincount(point[hit], minlength=len(points))
        return above % 2 == 1

    @cached_property
    def _fine(self):
        """(F', 3, 3) corners of faces with edges short against the mesh, and a search tree of their middles."""
        import trimesh
        from scipy.spatial import cKDTree

        longest = max(np.ptp(self._vertices, axis=0).max() / 24, 0.004)
        vertices, faces = trimesh.remesh.subdivide_to_size(self._vertices, self._faces, longest, max_iter=12)
        corners = vertices[faces]
        return corners, cKDTree(corners.mean(1))

    def _distance(self, points: np.ndarray) -> np.ndarray:
        """(N,) distance to the surface."""
        corners, tree = self._fine
        count = min(NEAREST, len(corners))
        nearest = np.empty(len(points))
        for start in range(0, len(points), CHUNK // NEAREST):
            part = slice(start, start + CHUNK // NEAREST)
            _, near = tree.query(points[part], k=count)
            owner = np.repeat(np.arange(len(near)), count)
            distance = point_to_triangles(points[part][owner], corners[near.ravel()])
            nearest[part] = distance.reshape(-1, count).min(1)
        return nearest


def fan_closed(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A mesh with one hole, such as a hand open at the wrist, closed by a fan around the middle of its rim; closed meshes as they are."""
    edges = np.stack([faces, np.roll(faces, -1, axis=1)], axis=-1).reshape(-1, 2)
    code, back = edges @ [len(vertices), 1], edges[:, ::-1] @ [len(vertices), 1]
    rim = edges[~np.isin(code, back)]
    if not len(rim):
        return vertices, faces
    fan = np.column_stack([rim[:, ::-1], np.full(len(rim), len(vertices))])
    return np.concatenate([vertices, vertices[rim[:, 0]].mean(0, keepdims=True)]), np.concatenate([faces, fan])


def point_to_triangles(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """(N,) distances of (N, 3) points to (N, 3, 3) triangles (Ericson, Real-Time Collision Detection, 5.1.5)."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    ab, ac, ap = b - a, c - a, points - a
    d00, d01, d11 = _dot(ab, ab), _dot(ab, ac), _dot(ac, ac)
    d20, d21 = _dot(ap, ab), _dot(ap, ac)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = d00 * d11 - d01 * d01
        v, w = (d11 * d20 - d01 * d21) / scale, (d00 * d21 - d01 * d20) / scale
    over = np.where(((v >= 0) & (w >= 0) & (v + w <= 1))[:, None], v[:, None] * ab + w[:, None] * ac, np.inf)
    best = np.linalg.norm(ap - np.where(np.isfinite(over), over, 1e9), axis=1)
    for start, end in ((a, b), (b, c), (c, a)):
        side, from_start = end - start, points - start
        along = np.clip(_dot(from_start, side) / np.maximum(_dot(side, side), 1e-30), 0, 1)
        best = np.minimum(best, np.linalg.norm(from_start - along[:, None] * side, axis=1))
    return best


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.einsum("nc,nc->n", a, b)


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


def _pairs(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Owner and rank within the owner of each of ``counts.sum()`` items."""
    owner = np.repeat(np.arange(len(counts)), counts)
    return owner, np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)


def _parts(counts: np.ndarray) -> list[slice]:
    """Slices of the owners with about ``CHUNK`` items each."""
    total = np.cumsum(counts)
    cuts = np.searchsorted(total, np.arange(CHUNK, total[-1] if len(total) else 0, CHUNK)) + 1
    edges = np.unique(np.concatenate([[0], cuts, [len(counts)]]))
    return [slice(int(a), int(b)) for a, b in pairwise(edges)]
