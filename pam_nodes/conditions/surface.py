"""What the hit pixels of a frame see: the point, where on the face it lies, and the normal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from .raster import seen
from .transform import F, cross

THIN = F(0.01)
"""Pixels. A face seen thinner than this has one normal: across it, weights are mostly rounding."""
BLOCK = 1 << 15


@dataclass(frozen=True, eq=False)
class Surface:
    """What the hit pixels of one frame see. N is their number; camera frame, OpenCV axes.

    Attributes:
        hit: (height * width,) bool, the pixels that see something.
        faces: (N,) int64 face index.
        z: (N,) float32 metres along the optical axis.
        hit_faces: (U,) int64 the different faces among ``faces``, ascending.
        slot: (N,) int64 index of each pixel's face in ``hit_faces``.
        corners: three (3, U) float32 corners of the hit faces.
        forms: three (3, U) float32 ``weight_forms`` of them.
        intrinsics: (3, 3) K.
        width: of the picture, pixels.
    """

    hit: np.ndarray
    faces: np.ndarray
    z: np.ndarray
    hit_faces: np.ndarray
    slot: np.ndarray
    corners: tuple[np.ndarray, np.ndarray, np.ndarray]
    forms: tuple[np.ndarray, np.ndarray, np.ndarray]
    intrinsics: np.ndarray
    width: int

    @cached_property
    def pixels(self) -> np.ndarray:
        """(N,) int64 flat pixel index, row * width + column."""
        return np.flatnonzero(self.hit)

    @cached_property
    def rays(self) -> np.ndarray:
        """(N, 3) float32 direction through the pixel centre with z = 1, so that ``z * rays`` is the point."""
        columns, rows = _grid(self.width, len(self.hit) // self.width)
        return pixel_rays(columns[self.hit], rows[self.hit], self.intrinsics)

    @cached_property
    def front(self) -> np.ndarray:
        """(N,) bool, the face's counter-clockwise side is seen."""
        return along(self.forms[0], self.slot, self.rays) > 0

    @cached_property
    def barycentric(self) -> np.ndarray:
        """(N, 3) float32 perspective-correct weights of the face's corners."""
        whole, first, second = (along(form, self.slot, self.rays) for form in self.forms)
        with np.errstate(divide="ignore", invalid="ignore"):
            b1, b2 = first / whole, second / whole
        # A face seen exactly edge-on has no solution: any of its points will do.
        b1, b2 = (np.clip(np.nan_to_num(k, nan=0.0, posinf=1.0, neginf=0.0), 0, 1) for k in (b1, b2))
        return np.stack([np.maximum(1 - b1 - b2, 0), b1, b2], axis=1)


def resolve(buffer: np.ndarray, vertices: np.ndarray, faces: np.ndarray, intrinsics: np.ndarray, width: int) -> Surface:
    """Turn a visibility buffer into surface points, for the hit pixels only (arguments as in ``raster.rasterize``)."""
    hit, seen_faces, z = seen(buffer)
    mark = np.zeros(len(faces), bool)
    mark[seen_faces] = True
    unique = np.nonzero(mark)[0]
    slots = np.empty(len(faces), np.int64)
    slots[unique] = np.arange(len(unique))
    corners = tuple(vertices.T.take(corner.take(unique), axis=1) for corner in faces.T)
    return Surface(hit, seen_faces, z, unique, slots.take(seen_faces), corners, weight_forms(*corners), intrinsics, width)


def weight_forms(a: Sequence[np.ndarray], b: Sequence[np.ndarray], c: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ray-triangle intersection (Moller and Trumbore 1997) written as forms that are linear in the ray.

    Args:
        a, b, c: the three coordinates, each (U,), of the faces' corners in the camera frame.

    Returns:
        (3, U) each: along a ray r from the eye, ``r . whole`` is positive on the counter-clockwise side, and ``r . first / r . whole`` and
        ``r . second / r . whole`` are the weights of corners b and c. They hold for faces cut at the near plane too.
    """
    e1, e2 = ([q - p for p, q in zip(a, corner, strict=True)] for corner in (b, c))
    return cross(e2, e1), cross(a, e2), cross(e1, a)


def surface_normals(surface: Surface, corner_normals: Sequence[np.ndarray]) -> np.ndarray:
    """Unit normals of the hit pixels, turned towards the camera: the inside of an open mesh shows the opposite normal.

    Args:
        surface: the hit pixels.
        corner_normals: three (U, 3) unit normals in the camera frame, of the corners of ``surface.hit_faces``.

    Returns:
        (N, 3) float32, each coordinate contiguous.
    """
    whole, first, second = surface.forms
    n0, n1, n2 = (corner.T for corner in corner_normals)
    # The mixed normal times the determinant is linear in the ray, row by row of a matrix a face; its sign turns it to the camera.
    matrix = n0[:, None] * whole + (n1 - n0)[:, None] * first + (n2 - n0)[:, None] * second
    a, b, c = surface.corners
    longest = np.sqrt(np.maximum(((b - a) ** 2).sum(axis=0), ((c - a) ** 2).sum(axis=0)))
    thin = np.abs((a * whole).sum(axis=0)) * F(surface.intrinsics[0, 0]) < THIN * a[2] * a[2] * longest
    matrix[:, :, thin] = ((n0 + n1 + n2)[:, None] * whole)[:, :, thin]
    normals = np.empty((3, len(surface.z)), F)
    for start in range(0, len(surface.z), BLOCK):
        block = slice(start, start + BLOCK)
        slot, rays, vectors = surface.slot[block], surface.rays[block], normals[:, block]
        scale, spare = np.zeros((2, len(slot)), F)
        for row, value in zip(matrix, vectors, strict=True):
            along(row, slot, rays, value, spare)
            scale += np.multiply(value, value, out=spare)
        np.sqrt(scale, out=scale)
        scale += F(1e-30)
        vectors *= np.divide(F(1), scale, out=scale)
    return normals.T


def along(
    form: np.ndarray, slot: np.ndarray, rays: np.ndarray, out: np.ndarray | None = None, spare: np.ndarray | None = None
) -> np.ndarray:
    """(N,) value on each ray (N, 3) of the form (3, U) that its slot names; out, spare: (N,) float32 to work in."""
    value, spare = (np.empty(len(slot), F) if array is None else array for array in (out, spare))
    form[0].take(slot, out=value, mode="clip")  # no slot is out of range; "raise" would copy
    value *= rays[:, 0]
    form[1].take(slot, out=spare, mode="clip")
    spare *= rays[:, 1]
    value += spare
    value += form[2].take(slot, out=spare, mode="clip")
    return value


@lru_cache(maxsize=2)
def _grid(width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """(height * width,) float32 column and row of every pixel of a picture."""
    rows, columns = np.mgrid[:height, :width].astype(F)
    return columns.ravel(), rows.ravel()


def pixel_rays(u: np.ndarray, v: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """(N, 3) float32 directions, z = 1, through the pixel centres (u, v); integer centres."""
    fx, fy, cx, cy = (F(intrinsics[i]) for i in ((0, 0), (1, 1), (0, 2), (1, 2)))
    rays = np.ones((3, len(u)), F)
    for ray, at, centre, focal in ((rays[0], u, cx, fx), (rays[1], v, cy, fy)):
        np.subtract(at.astype(F, copy=False), centre, out=ray)
        ray /= focal
    return rays.T
