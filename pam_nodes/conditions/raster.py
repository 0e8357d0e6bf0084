"""Visibility of triangles by spans: which face every pixel sees, and where on it.

Exact rules (rendering.md, section 6), so that tests can ask for exact pixels: vertices are projected in float32; a pixel belongs to a
triangle when its integer centre is inside or on an edge; every pixel keeps the smallest key ``bits(z) << 32 | face``, so nearest wins and
ties go to the lower face; both sides of a face are drawn. The result depends neither on the order of work nor on the machine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

F = np.float32
EMPTY = np.int64(0x7F800000) << np.int64(32)
"""Key of a pixel that sees nothing: an infinite z."""
NEAR = F(0.01)
"""Metres. Triangles that cross this plane are cut at it."""
EDGE = F(1e-4)
"""Pixels by which a span may miss a centre and still hold it: a centre on an edge must not fall to rounding."""


@dataclass(frozen=True, eq=False)
class Surface:
    """What the hit pixels of one frame see. N is their number; camera frame, OpenCV axes.

    Attributes:
        pixels: (N,) int64 flat pixel index, row * width + column.
        faces: (N,) int64 face index.
        z: (N,) float32 metres along the optical axis.
        rays: (N, 3) float32 direction through the pixel centre with z = 1, so that ``z * rays`` is the point.
        barycentric: (N, 3) float32 perspective-correct weights of the face's corners.
        front: (N,) bool, the face's counter-clockwise side is seen.
    """

    pixels: np.ndarray
    faces: np.ndarray
    z: np.ndarray
    rays: np.ndarray
    barycentric: np.ndarray
    front: np.ndarray


def transform(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Move (N, 3) points by a (4, 4) matrix in float32.

    Plain multiply-adds, because the last bits of a BLAS product differ between machines.
    """
    m = matrix.astype(F)
    x, y, z = points.astype(F, copy=False).T
    moved = np.empty(points.shape, F)
    for i in range(3):
        moved[:, i] = m[i, 0] * x + m[i, 1] * y + m[i, 2] * z + m[i, 3]
    return moved


def rotate(matrix: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Turn (N, 3) directions by the rotation of a (4, 4) matrix, like ``transform``."""
    linear = np.eye(4)
    linear[:3, :3] = matrix[:3, :3]
    return transform(linear, vectors)


def rasterize(vertices: np.ndarray, faces: np.ndarray, intrinsics: np.ndarray, width: int, height: int) -> np.ndarray:
    """Visibility buffer of one frame.

    Args:
        vertices: (V, 3) float32, camera frame, metres.
        faces: (F, 3) int64.
        intrinsics: (3, 3) K for integer pixel centres.
        width, height: pixels.

    Returns:
        (height * width,) int64 keys, ``EMPTY`` where nothing is seen.
    """
    buffer = np.full(height * width, EMPTY)
    vertices, faces, owners = clip_near(vertices, faces)
    fx, fy, cx, cy = (F(intrinsics[i]) for i in ((0, 0), (1, 1), (0, 2), (1, 2)))
    w = F(1) / np.maximum(vertices[:, 2], NEAR)
    x, y = vertices[:, 0] * w * fx + cx, vertices[:, 1] * w * fy + cy
    _fill(buffer, [x[k] for k in faces.T], [y[k] for k in faces.T], w, faces, owners, width, height)
    return buffer


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


def _runs(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Index of the owner and position within the owner of each of ``counts.sum()`` items."""
    owner = np.repeat(np.arange(len(counts)), counts)
    return owner, np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)


def _fill(
    buffer: np.ndarray,
    x: list[np.ndarray],
    y: list[np.ndarray],
    w: np.ndarray,
    faces: np.ndarray,
    owners: np.ndarray,
    width: int,
    height: int,
) -> None:
    """Draw triangles into the buffer: triangles to rows, rows to spans, spans to pixels. x, y: pixels of the three corners; w: 1 / z."""
    left, right = np.ceil(_least(*x)), np.floor(_greatest(*x))
    top, bottom = np.ceil(_least(*y)), np.floor(_greatest(*y))
    for low, high, size in ((left, right, width), (top, bottom, height)):
        np.maximum(low, 0, out=low)
        np.minimum(high, size - 1, out=high)
    # Most triangles of a fine mesh hold no pixel centre; they cost nothing from here on.
    keep = np.nonzero((right >= left) & (bottom >= top))[0]
    left, right, top, bottom = left[keep], right[keep], top[keep], bottom[keep]
    (x0, x1, x2), (y0, y1, y2), (w0, w1, w2) = ([v[keep] for v in x], [v[keep] for v in y], [w[faces[keep, k]] for k in range(3)])
    area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)

    # Barycentric weights 1 and 2 and the inverse depth are affine in the picture: value at (left, top) and both slopes.
    inverse = F(1) / np.where(area != 0, area, F(np.inf))
    b1_u, b1_v, b2_u, b2_v = (y2 - y0) * inverse, (x0 - x2) * inverse, (y0 - y1) * inverse, (x1 - x0) * inverse
    d1, d2 = w1 - w0, w2 - w0
    w_u, w_v = b1_u * d1 + b2_u * d2, b1_v * d1 + b2_v * d2
    du, dv = left - x0, top - y0
    b1, b2 = du * b1_u + dv * b1_v, du * b2_u + dv * b2_v
    w_start = w0 + b1 * d1 + b2 * d2

    tri, row = _runs(np.where(area != 0, bottom - top + 1, 0).astype(np.int64))
    rowf = row.astype(F)
    e1, e2 = b1[tri] + b1_v[tri] * rowf, b2[tri] + b2_v[tri] * rowf
    first, last = _span(e1, b1_u[tri], e2, b2_u[tri], (right - left)[tri])
    count = np.maximum(last - first + 1, 0).astype(np.int64)
    full = np.nonzero(count)[0]
    tri, row, rowf, first = tri[full], row[full], rowf[full], first[full]
    w_row = w_start[tri] + w_v[tri] * rowf + w_u[tri] * first
    start = (top[tri].astype(np.int64) + row) * width + (left[tri] + first).astype(np.int64)

    span, column = _runs(count[full])
    z = F(1) / (w_row[span] + w_u[tri][span] * column.astype(F))
    keys = (z.view(np.int32).astype(np.int64) << 32) | owners[keep][tri][span]
    np.minimum.at(buffer, start[span] + column, keys)


def _least(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    return np.minimum(np.minimum(a, b), c)


def _greatest(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    return np.maximum(np.maximum(a, b), c)


def _span(e1: np.ndarray, s1: np.ndarray, e2: np.ndarray, s2: np.ndarray, extent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last column offset of each row where all three weights are >= 0, for weights ``e + s * column``; last < first is empty."""
    low, high = np.zeros_like(e1), extent.copy()
    with np.errstate(divide="ignore", invalid="ignore"):
        for e, s in ((1 - e1 - e2, -s1 - s2), (e1, s1), (e2, s2)):
            crossing = -e / s
            np.maximum(low, crossing, out=low, where=s > 0)
            np.minimum(high, crossing, out=high, where=s < 0)
            high[(s == 0) & (e < 0)] = -1
    return np.ceil(low - EDGE), np.floor(high + EDGE)


def seen(buffer: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Flat index, face and float32 z of each pixel that was hit."""
    pixels = np.nonzero(buffer != EMPTY)[0]
    keys = buffer[pixels]
    return pixels, keys & 0xFFFFFFFF, (keys >> 32).astype(np.int32).view(F)


def resolve(buffer: np.ndarray, vertices: np.ndarray, faces: np.ndarray, intrinsics: np.ndarray, width: int) -> Surface:
    """Turn a visibility buffer into surface points, for the hit pixels only (arguments as in ``rasterize``)."""
    pixels, hit, z = seen(buffer)
    v, u = np.divmod(pixels, width)
    rays = pixel_rays(u, v, intrinsics)
    # One ray-triangle solve (Moller and Trumbore 1997) on the uncut face, which also holds for faces cut at the near plane.
    a, b, c = (vertices[faces[hit, k]] for k in range(3))
    e1, e2 = b - a, c - a
    p = _cross(rays, e2)
    determinant = (p * e1).sum(axis=1)
    q = _cross(-a, e1)
    with np.errstate(divide="ignore", invalid="ignore"):
        b1, b2 = (-a * p).sum(axis=1) / determinant, (rays * q).sum(axis=1) / determinant
    # A face seen exactly edge-on has no solution: any of its points will do.
    b1, b2 = (np.clip(np.nan_to_num(k, nan=0.0, posinf=1.0, neginf=0.0), 0, 1) for k in (b1, b2))
    return Surface(
        pixels=pixels,
        faces=hit,
        z=z,
        rays=rays,
        barycentric=np.stack([np.maximum(1 - b1 - b2, 0), b1, b2], axis=1),
        front=determinant > 0,
    )


def pixel_rays(u: np.ndarray, v: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """(N, 3) float32 directions, z = 1, through the pixel centres (u, v); integer centres."""
    fx, fy, cx, cy = (F(intrinsics[i]) for i in ((0, 0), (1, 1), (0, 2), (1, 2)))
    return np.stack([(u.astype(F) - cx) / fx, (v.astype(F) - cy) / fy, np.ones(len(u), F)], axis=1)


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Row-wise cross product, several times faster than ``np.cross``."""
    return np.stack(
        [a[:, 1] * b[:, 2] - a[:, 2] * b[:, 1], a[:, 2] * b[:, 0] - a[:, 0] * b[:, 2], a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]], axis=1
    )
