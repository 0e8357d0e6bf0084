"""Triangles on their way to the pixels: projected, cut at the near plane, thinned to those that hold a pixel centre, and set up.

The rules are those of ``raster``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .transform import F

NEAR = F(0.01)
"""Metres. Triangles that cross this plane are cut at it."""
LEAST = F(1e-30)
"""Twice the area, square pixels, from which on a triangle can be seen; the inverse of anything less is no number to count with."""
FAR = F(1e30)
"""Columns farther than any edge: added to where an edge is no bound."""
BLOCK = 1 << 15
"""Faces that are looked at together, so that work stays in the processor's cache."""


@dataclass(frozen=True, eq=False)
class Boxes:
    """Triangles and the pixels around them, K of them. Float32 unless said.

    Attributes:
        left, top, width, height: (K,) box of pixels; width and height are one less than the number of columns and rows.
        x1, x2, y1, y2: (K,) from the first corner to the second and third, pixels.
        du, dv: (K,) from the first corner to (left, top).
        area: (K,) twice the area, positive where the clockwise side is seen: the far side of a closed mesh, or the inside of an open one.
        inverse_depths: three (K,) of the corners.
        owner: (K,) int64 face index.
        near, far: int64 index of those that may hold a pixel centre, by the side that is seen.
    """

    left: np.ndarray
    top: np.ndarray
    width: np.ndarray
    height: np.ndarray
    x1: np.ndarray
    x2: np.ndarray
    y1: np.ndarray
    y2: np.ndarray
    du: np.ndarray
    dv: np.ndarray
    area: np.ndarray
    inverse_depths: tuple[np.ndarray, np.ndarray, np.ndarray]
    owner: np.ndarray
    near: np.ndarray
    far: np.ndarray


@dataclass(frozen=True, eq=False)
class Triangles:
    """Triangles ready to be drawn, the tallest first; K is their number. Float32 unless said.

    Attributes:
        left, top, width, height, owner: as in ``Boxes``.
        crossing, step: (3, K) column, from left, where the row at top meets each edge, and how far that moves from row to row.
        closes: (3, K) ``-FAR`` where the inside lies left of the edge, else 0.
        w, w_u, w_v: (K,) inverse depth at (left, top) and its slopes.
        least, most: (K,) inverse depth of the farthest and of the nearest corner.
    """

    left: np.ndarray
    top: np.ndarray
    width: np.ndarray
    height: np.ndarray
    crossing: np.ndarray
    step: np.ndarray
    closes: np.ndarray
    w: np.ndarray
    w_u: np.ndarray
    w_v: np.ndarray
    least: np.ndarray
    most: np.ndarray
    owner: np.ndarray


def projected(vertices: np.ndarray, intrinsics: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixel column, row and inverse depth (V,) of camera-frame points, float32."""
    fx, fy, cx, cy = (F(intrinsics[i]) for i in ((0, 0), (1, 1), (0, 2), (1, 2)))
    w = F(1) / np.maximum(vertices[:, 2], NEAR)
    return vertices[:, 0] * w * fx + cx, vertices[:, 1] * w * fy + cy, w


def clip_near(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut triangles at the near plane.

    Returns:
        vertices (V', 3), the given ones first; faces (M, 3) whose corners all have z >= ``NEAR``; and (M,) the face each came from.
    """
    ahead = vertices[:, 2] >= NEAR
    if ahead.all():
        return vertices, faces, np.arange(len(faces))
    count = ahead[faces].sum(axis=1)
    whole = np.nonzero(count == 3)[0]
    points, kept, owners, total = [vertices], [faces[whole]], [whole], len(vertices)
    for inside in (1, 2):
        cut = np.nonzero(count == inside)[0]
        # The corner that is alone on its side comes first; the winding is kept.
        alone = np.argmax(ahead[faces[cut]] == (inside == 1), axis=1)
        a, b, c = (faces[cut, (alone + k) % 3] for k in range(3))
        points += [_at_near(vertices[a], vertices[b]), _at_near(vertices[a], vertices[c])]
        ab, ac = total + np.arange(len(cut)), total + len(cut) + np.arange(len(cut))
        total += 2 * len(cut)
        pieces = [(a, ab, ac)] if inside == 1 else [(ab, b, c), (ab, c, ac)]
        kept += [np.stack(piece, axis=1) for piece in pieces]
        owners += [cut] * len(pieces)
    return np.concatenate(points), np.concatenate(kept), np.concatenate(owners)


def _at_near(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Points where the lines from a to b pass the near plane, exactly on it."""
    t = (NEAR - a[:, 2]) / (b[:, 2] - a[:, 2])
    point = a + t[:, None] * (b - a)
    point[:, 2] = NEAR
    return point


def holding_centres(x: np.ndarray, y: np.ndarray, corners: tuple[np.ndarray, ...], width: int, height: int) -> np.ndarray:
    """Faces whose box holds a pixel centre of the picture: most triangles of a fine mesh do not, and cost nothing from here on."""
    kind, shift = (np.int32, 16) if max(width, height) < 1 << 14 else (np.int64, 32)
    cells = _cells(y, height).astype(kind) << shift | _cells(x, width).astype(kind)
    column = kind((1 << shift) - 1)
    on_centre = kind(1 << shift | 1)
    kept = [np.empty(0, np.int64)]
    for first in range(0, len(corners[0]), BLOCK):
        a, b, c = (cells.take(corner[first : first + BLOCK]) for corner in corners)
        b ^= a
        c ^= a
        # Either way, three corners in one gap between centres hold none; a corner on a centre has an even cell.
        differ = b | c | (~a & on_centre)
        kept.append(first + np.flatnonzero(((differ & column) != 0) & (differ > column)))
    return np.concatenate(kept)


def _cells(coordinate: np.ndarray, size: int) -> np.ndarray:
    """Where coordinates lie among pixel centres: 2 n + 2 on centre n of 0..size - 1, the odd number between in a gap, the ends beyond."""
    limited = np.minimum(np.maximum(coordinate, F(-0.5)), F(size - 0.5))
    return np.floor(limited) + np.ceil(limited) + F(2)


def _box(corners: list[np.ndarray], size: int) -> tuple[np.ndarray, np.ndarray]:
    """First pixel centre between three coordinates within 0..size - 1, and how far the last is from it; negative when there is none."""
    a, b, c = corners
    low = np.ceil(np.minimum(np.minimum(a, b), c))
    high = np.floor(np.maximum(np.maximum(a, b), c))
    np.maximum(low, 0, out=low)
    np.minimum(high, size - 1, out=high)
    high -= low
    return low, high


def boxed(x: np.ndarray, y: np.ndarray, w: np.ndarray, corners: list[np.ndarray], owner: np.ndarray, width: int, height: int) -> Boxes:
    """Boxes of triangles with corners (K,) among the projected points."""
    (x0, x1, x2), (y0, y1, y2) = ([v.take(k) for k in corners] for v in (x, y))
    left, columns = _box([x0, x1, x2], width)
    top, rows = _box([y0, y1, y2], height)
    for coordinate, origin in ((x1, x0), (x2, x0), (y1, y0), (y2, y0)):
        coordinate -= origin
    du, dv = left - x0, top - y0
    area = x1 * y2 - x2 * y1
    held = (columns + rows > 0) | _may_hold(x1, x2, y1, y2, du, dv, area)
    near, far = np.flatnonzero(held & (area <= -LEAST)), np.flatnonzero(held & (area >= LEAST))
    depths = tuple(w.take(k) for k in corners)
    return Boxes(left, top, columns, rows, x1, x2, y1, y2, du, dv, area, depths, owner, near, far)


def set_up(boxes: Boxes, which: np.ndarray) -> Triangles:
    """Affine functions of some triangles, given by their index."""
    index = which.take(_falling(boxes.height.take(which)))
    x1, x2, y1, y2, du, dv, area = (getattr(boxes, name).take(index) for name in ("x1", "x2", "y1", "y2", "du", "dv", "area"))
    # Barycentric weights 1 and 2, and with them the inverse depth, are affine in the picture.
    inverse = F(1) / area
    b1_u, b1_v, b2_u, b2_v = y2 * inverse, -x2 * inverse, -y1 * inverse, x1 * inverse
    b1, b2 = du * b1_u + dv * b1_v, du * b2_u + dv * b2_v
    crossing, step, closes = (np.empty((3, len(index)), F) for _ in range(3))
    for i, (weight, slope, move) in enumerate(((F(1) - b1 - b2, -b1_u - b2_u, -b1_v - b2_v), (b1, b1_u, b1_v), (b2, b2_u, b2_v))):
        with np.errstate(divide="ignore", over="ignore"):
            per_column = F(-1) / slope
        per_column[np.flatnonzero(slope == 0)] = 0  # a level edge bounds no row: the box already ends there
        np.multiply(weight, per_column, out=crossing[i])
        np.multiply(move, per_column, out=step[i])
        np.multiply((slope < 0).astype(F), -FAR, out=closes[i])
    w0, w1, w2 = (depth.take(index) for depth in boxes.inverse_depths)
    least, most = np.minimum(np.minimum(w0, w1), w2), np.maximum(np.maximum(w0, w1), w2)
    w1 -= w0
    w2 -= w0
    w, w_u, w_v = w0 + b1 * w1 + b2 * w2, b1_u * w1 + b2_u * w2, b1_v * w1 + b2_v * w2
    box = (getattr(boxes, name).take(index) for name in ("left", "top", "width", "height"))
    return Triangles(*box, crossing, step, closes, w, w_u, w_v, least, most, boxes.owner.take(index))


def _may_hold(
    x1: np.ndarray, x2: np.ndarray, y1: np.ndarray, y2: np.ndarray, du: np.ndarray, dv: np.ndarray, area: np.ndarray
) -> np.ndarray:
    """Whether triangles whose box is one pixel may hold its centre: nearly always no in a fine mesh.

    The three areas with the centre in a corner's place have one sign when it is inside. The tolerance is wider than ``EDGE`` and rounding.
    """
    e1, e2 = du * y2 - dv * x2, dv * x1 - du * y1
    e0 = area - e1 - e2
    low, high = np.minimum(np.minimum(e0, e1), e2), np.maximum(np.maximum(e0, e1), e2)
    return (low > F(-1e-3)) | (high < F(1e-3))


def _falling(values: np.ndarray) -> np.ndarray:
    """Order of whole numbers up to 65535, greatest first; as 16 bits they are sorted by counting."""
    return np.argsort((0xFFFF - values).astype(np.uint16), kind="stable")
