"""Triangles on their way to the pixels: projected, cut at the near plane, thinned to those that hold a pixel centre, and set up.

The rules are those of ``raster``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .transform import F

NEAR = F(0.01)
"""Metres. Triangles that cross this plane are cut at it."""
LEAST = F(1e-30)
"""Twice the area, square pixels, from which on a triangle can be seen; the inverse of anything less is no number to count with."""
FAR = F(1e30)
"""Columns farther than any edge: added to where an edge is no bound."""


@dataclass(frozen=True, eq=False)
class Boxes:
    """Triangles and the pixels around them, K of them.

    Attributes:
        table: (14, K) float32, in one piece as whole tables are moved faster than their rows one by one:
            left, top, width, height: box of pixels; width and height are one less than the number of columns and rows;
            inverse depths of the three corners;
            x1, x2, y1, y2: from the first corner to the second and third, pixels; du, dv: from the first corner to (left, top);
            twice the area, positive where the clockwise side is seen: the far side of a closed mesh, or the inside of an open one.
        owner: (K,) int64 face index.
        kept: int64 index of those that may hold a pixel centre.
    """

    table: np.ndarray
    owner: np.ndarray
    kept: np.ndarray


@dataclass(frozen=True, eq=False)
class Triangles:
    """Triangles ready to be drawn, K of them. Float32 unless said.

    Attributes:
        width, height: (K,) as in ``Boxes``.
        edges: (3, 3, K), for each edge: the column, from left, where the row at top meets it; how far that moves from row to row; and
            ``-FAR`` where the inside lies left of it, else 0.
        table: (8, K): how much the inverse depth changes from row to row; left; top; nothing; its change from column to column; itself at
            (left, top); that of the farthest corner; and of the nearest.
        owner: (K,) int64.
    """

    width: np.ndarray
    height: np.ndarray
    edges: np.ndarray
    table: np.ndarray
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


def cells(x: np.ndarray, y: np.ndarray, width: int, height: int) -> np.ndarray:
    """Where points (V,) lie among pixel centres: ``_cells`` of the row in the high half of a number, of the column in the low half."""
    kind = np.int32 if max(width, height) < 1 << 14 else np.int64
    packed = _cells(y, height).astype(kind)
    packed <<= 4 * packed.itemsize
    packed |= _cells(x, width).astype(kind)
    return packed


def holding_centres(cells: np.ndarray, corners: Sequence[np.ndarray]) -> np.ndarray:
    """Faces whose box holds a pixel centre of the picture: most triangles of a fine mesh do not, and cost nothing from here on."""
    kind, half = cells.dtype.type, 4 * cells.itemsize
    column = kind((1 << half) - 1)
    on_centre = kind(1 << half | 1)
    a, b, c = (cells.take(corner) for corner in corners)
    b ^= a
    c ^= a
    b |= c
    # Either way, three corners in one gap between centres hold none; a corner on a centre has an even cell.
    b |= np.bitwise_and(np.invert(a, out=a), on_centre, out=a)
    return (((b & column) != 0) & (b > column)).nonzero()[0]


def _cells(coordinate: np.ndarray, size: int) -> np.ndarray:
    """Where coordinates lie among pixel centres: 2 n + 2 on centre n of 0..size - 1, the odd number between in a gap, the ends beyond."""
    limited = np.minimum(np.maximum(coordinate, F(-0.5)), F(size - 0.5))
    cells = np.floor(limited)
    cells += np.ceil(limited, out=limited)
    cells += F(2)
    return cells


def turned_away(x: np.ndarray, y: np.ndarray, corners: Sequence[np.ndarray]) -> np.ndarray:
    """(F,) bool, triangles that are seen from behind."""
    return _area(*(v.take(corner) for v in (x, y) for corner in corners)) > 0


def _area(x0: np.ndarray, x1: np.ndarray, x2: np.ndarray, y0: np.ndarray, y1: np.ndarray, y2: np.ndarray) -> np.ndarray:
    """Twice the area of triangles; x1, x2, y1 and y2 become those seen from the first corner."""
    for coordinate, origin in ((x1, x0), (x2, x0), (y1, y0), (y2, y0)):
        coordinate -= origin
    area = x1 * y2
    area -= x2 * y1
    return area


def _box(a: np.ndarray, b: np.ndarray, c: np.ndarray, size: int, first: np.ndarray, more: np.ndarray) -> np.ndarray:
    """How far the last pixel centre between three coordinates is from the first; which centre within 0..size - 1 is, and more of them."""
    np.ceil(np.minimum(np.minimum(a, b, out=first), c, out=first), out=first)
    np.floor(np.maximum(np.maximum(a, b, out=more), c, out=more), out=more)
    whole = more - first
    np.maximum(first, 0, out=first)
    np.minimum(more, size - 1, out=more)
    more -= first
    return whole


def boxed(
    x: np.ndarray, y: np.ndarray, w: np.ndarray, corners: list[np.ndarray], owner: np.ndarray, width: int, height: int
) -> Boxes:
    """Boxes of triangles with corners (K,) among the projected points."""
    table = np.empty((14, len(owner)), F)
    left, top, columns, rows, w0, w1, w2, x1, x2, y1, y2, du, dv, area = table
    x0, y0 = np.empty_like(left), np.empty_like(left)
    for value, targets in ((x, (x0, x1, x2)), (y, (y0, y1, y2)), (w, (w0, w1, w2))):
        for corner, target in zip(corners, targets, strict=True):
            value.take(corner, out=target, mode="clip")  # none is out of range; "raise" would copy
    extent = _box(x0, x1, x2, width, left, columns)
    np.maximum(extent, _box(y0, y1, y2, height, top, rows), out=extent)
    area[:] = _area(x0, x1, x2, y0, y1, y2)
    np.subtract(left, x0, out=du)
    np.subtract(top, y0, out=dv)
    held = np.abs(area) >= LEAST
    small = (extent <= 1).nonzero()[0]
    if 2 * len(small) > len(held):
        held &= (extent > 1) | _may_hold(*table[7:])
    elif len(small):
        held[small] &= _may_hold(*table[7:].take(small, axis=1))
    return Boxes(table, owner, held.nonzero()[0])


def set_up(boxes: Boxes, index: np.ndarray) -> Triangles:
    """Affine functions of some triangles, given by their index."""
    left, top, width, height, w0, w1, w2, x1, x2, y1, y2, du, dv, area = boxes.table.take(index, axis=1)
    # Barycentric weights, and with them the inverse depth, are affine in the picture.
    inverse = F(1) / area
    weight, slope, move, edges = *np.empty((3, 3, len(index)), F), np.empty((3, 3, len(index)), F)
    for i, across, down in ((1, y2, x2), (2, y1, x1)):
        np.multiply(across, inverse, out=slope[i])
        np.multiply(down, inverse, out=move[i])
    np.negative(move[1], out=move[1])
    np.negative(slope[2], out=slope[2])
    np.multiply(slope[1:], du, out=weight[1:])
    weight[1:] += move[1:] * dv
    for value, one in ((weight, F(1)), (slope, F(0)), (move, F(0))):
        np.subtract(one, value[1], out=value[0])
        value[0] -= value[2]
    with np.errstate(divide="ignore", over="ignore"):
        per_column = F(-1) / slope
    per_column[slope == 0] = 0  # a level edge bounds no row: the box already ends there
    np.multiply(weight, per_column, out=edges[:, 0])
    np.multiply(move, per_column, out=edges[:, 1])
    np.multiply(slope < 0, -FAR, out=edges[:, 2])
    table = np.empty((8, len(index)), F)
    np.minimum(np.minimum(w0, w1, out=table[6]), w2, out=table[6])
    np.maximum(np.maximum(w0, w1, out=table[7]), w2, out=table[7])
    w1 -= w0
    w2 -= w0
    for target, first, second in ((table[0], move[1], move[2]), (table[4], slope[1], slope[2])):
        np.multiply(first, w1, out=target)
        target += second * w2
    np.add(w0, weight[1] * w1, out=table[5])
    table[5] += weight[2] * w2
    table[1], table[2] = left, top
    return Triangles(width, height, edges, table, boxes.owner.take(index))


def _may_hold(
    x1: np.ndarray, x2: np.ndarray, y1: np.ndarray, y2: np.ndarray, du: np.ndarray, dv: np.ndarray, area: np.ndarray
) -> np.ndarray:
    """Whether triangles whose box is at most 2 x 2 pixels may hold one of the centres: most triangles of a fine mesh do not.

    The three areas with a centre in a corner's place have the sign of the triangle's when it is inside. The tolerance is wider than
    ``EDGE`` and rounding.
    """
    sign = np.copysign(F(1), area)
    size = np.abs(area)
    x1, x2, y1, y2 = x1 * sign, x2 * sign, y1 * sign, y2 * sign
    e1, e2 = du * y2, dv * x1
    e1 -= dv * x2
    e2 -= du * y1
    best, worst = np.full_like(e1, -1), np.empty_like(e1)
    # The centres in turn: at (left, top), right of it, below that, and left again.
    for column, row in ((0, 0), (1, 0), (0, 1), (-1, 0)):
        if column:
            e1, e2 = (e1 + y2, e2 - y1) if column > 0 else (e1 - y2, e2 + y1)
        elif row:
            e1, e2 = e1 - x2, e2 + x1
        np.subtract(size, e1, out=worst)
        worst -= e2
        np.minimum(np.minimum(worst, e1, out=worst), e2, out=worst)
        np.maximum(best, worst, out=best)
    return best > F(-1e-3)
