"""Visibility of triangles by spans: which face every pixel sees, and how far it is.

Exact rules (rendering.md, section 6), so that tests can ask for exact pixels: vertices are projected in float32; a pixel belongs to a
triangle when its integer centre is inside or on an edge; every pixel keeps the smallest key ``bits(z) << 32 | face``, so nearest wins and
ties go to the lower face; both sides of a face are drawn. The result depends neither on the order of work nor on the machine, and
``raster_torch`` and ``raster_numba`` give the same bits.

Work goes in blocks that stay in the processor's cache: fresh memory costs more than arithmetic here.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from .transform import F

EMPTY = np.int64(0x7F800000) << np.int64(32)
"""Key of a pixel that sees nothing: an infinite z."""
NEAR = F(0.01)
"""Metres. Triangles that cross this plane are cut at it."""
EDGE = F(1e-4)
"""Pixels by which a span may miss a centre and still hold it: a centre on an edge must not fall to rounding."""
CULL_BLOCK, TRIANGLE_BLOCK, PIXEL_BLOCK = 1 << 15, 1 << 13, 1 << 14
TILE = 16
HIDDEN_WORTH = 1 << 17
"""So many pixels in the boxes of the far sides make looking for hidden triangles pay."""


@dataclass(frozen=True, eq=False)
class Triangles:
    """Triangles that hold a pixel centre, ready to be drawn; K is their number. Float32 unless said.

    Attributes:
        left, top, width, height: (K,) box of pixels; width and height are one less than the number of columns and rows.
        crossing, step: (3, K) column, from left, where the row at top meets each edge, and how far that moves from row to row.
        opens: (3, K) bool, the inside lies right of the edge.
        w, w_u, w_v: (K,) inverse depth at (left, top) and its slopes.
        turned: (K,) bool, the clockwise side is seen: the far side of a closed mesh, or the inside of an open one.
        owner: (K,) int64 face index.
    """

    left: np.ndarray
    top: np.ndarray
    width: np.ndarray
    height: np.ndarray
    crossing: np.ndarray
    step: np.ndarray
    opens: np.ndarray
    w: np.ndarray
    w_u: np.ndarray
    w_v: np.ndarray
    turned: np.ndarray
    owner: np.ndarray

    def pick(self, which: np.ndarray) -> Triangles:
        """Those where (K,) bool ``which`` holds."""
        index = np.nonzero(which)[0]
        return Triangles(*(getattr(self, field.name).take(index, axis=-1) for field in fields(self)))


def rasterize(
    vertices: np.ndarray, faces: np.ndarray, intrinsics: np.ndarray, width: int, height: int, buffer: np.ndarray | None = None
) -> np.ndarray:
    """Visibility buffer of one frame.

    Args:
        vertices: (V, 3) float32, camera frame, metres. Fastest when each coordinate is contiguous, as ``transform`` leaves them.
        faces: (F, 3) int64, likewise.
        intrinsics: (3, 3) K for integer pixel centres.
        width, height: pixels.
        buffer: (height * width,) int64 to draw into, default a new one.

    Returns:
        (height * width,) int64 keys, ``EMPTY`` where nothing is seen.
    """
    buffer = np.empty(height * width, np.int64) if buffer is None else buffer
    buffer.fill(EMPTY)
    vertices, faces, owners = clip_near(vertices, faces)
    x, y, w = projected(vertices, intrinsics)
    corners = tuple(faces.T)
    keep = _holding_centres(x, y, corners, width, height)
    blocks = [keep[first : first + TRIANGLE_BLOCK] for first in range(0, len(keep), TRIANGLE_BLOCK)]
    sets = [_set_up(x, y, w, [corner[k] for corner in corners], owners[k], width, height) for k in blocks]
    _draw_all(buffer, sets, width, height)
    return buffer


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


def _holding_centres(x: np.ndarray, y: np.ndarray, corners: tuple[np.ndarray, ...], width: int, height: int) -> np.ndarray:
    """Faces whose box holds a pixel centre of the picture: most triangles of a fine mesh do not, and cost nothing from here on."""
    columns, rows = _cells(x, width), _cells(y, height)
    kept = [np.empty(0, np.int64)]
    for first in range(0, len(corners[0]), CULL_BLOCK):
        index = [corner[first : first + CULL_BLOCK] for corner in corners]
        on_rows = np.nonzero(_differ([rows.take(i) for i in index]))[0]
        on_both = _differ([columns.take(i.take(on_rows)) for i in index])
        kept.append(first + on_rows[on_both])
    return np.concatenate(kept)


def _cells(coordinate: np.ndarray, size: int) -> np.ndarray:
    """Where coordinates lie among pixel centres: 2 n on centre n of 0..size - 1, the odd number between in a gap, and the ends beyond."""
    limited = np.minimum(np.maximum(coordinate, F(-0.5)), F(size - 0.5))
    return (np.floor(limited) + np.ceil(limited)).astype(np.int32)


def _differ(cells: list[np.ndarray]) -> np.ndarray:
    """Whether three corners are not all in the same gap between centres."""
    a, b, c = cells
    return (a != b) | (b != c) | ((a & 1) == 0)


def _box(corners: list[np.ndarray], size: int) -> tuple[np.ndarray, np.ndarray]:
    """First pixel centre between three coordinates within 0..size - 1, and how far the last is from it; negative when there is none."""
    a, b, c = corners
    low = np.ceil(np.minimum(np.minimum(a, b), c))
    high = np.floor(np.maximum(np.maximum(a, b), c))
    np.maximum(low, 0, out=low)
    np.minimum(high, size - 1, out=high)
    high -= low
    return low, high


def _set_up(
    x: np.ndarray, y: np.ndarray, w: np.ndarray, corners: list[np.ndarray], owners: np.ndarray, width: int, height: int
) -> Triangles:
    """Boxes and affine functions of triangles; those without area, or with one row that holds no centre, are left out."""
    (x0, x1, x2), (y0, y1, y2) = ([v.take(k) for k in corners] for v in (x, y))
    left, columns = _box([x0, x1, x2], width)
    top, rows = _box([y0, y1, y2], height)
    area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
    inverse = F(1) / np.where(area != 0, area, F(np.inf))
    # Barycentric weights 1 and 2, and with them the inverse depth, are affine in the picture.
    b1_u, b1_v, b2_u, b2_v = (y2 - y0) * inverse, (x0 - x2) * inverse, (y0 - y1) * inverse, (x1 - x0) * inverse
    du, dv = left - x0, top - y0
    b1, b2 = du * b1_u + dv * b1_v, du * b2_u + dv * b2_v
    slopes = np.stack([-b1_u - b2_u, b1_u, b2_u])
    # A level edge bounds no row: the box already ends there.
    per_column = F(-1) / np.where(slopes != 0, slopes, F(np.inf))
    crossing, opens = np.stack([F(1) - b1 - b2, b1, b2]) * per_column, slopes >= 0
    index = np.nonzero((area != 0) & ((rows > 0) | _meets(crossing, opens, columns)))[0]

    w0, w1, w2 = (w.take(k.take(index)) for k in corners)
    d1, d2 = w1 - w0, w2 - w0
    b1, b1_u, b1_v, b2, b2_u, b2_v = (v.take(index) for v in (b1, b1_u, b1_v, b2, b2_u, b2_v))
    return Triangles(
        left=left.take(index),
        top=top.take(index),
        width=columns.take(index),
        height=rows.take(index),
        crossing=crossing.take(index, axis=1),
        step=np.stack([-b1_v - b2_v, b1_v, b2_v]) * per_column.take(index, axis=1),
        opens=opens.take(index, axis=1),
        w=w0 + b1 * d1 + b2 * d2,
        w_u=b1_u * d1 + b2_u * d2,
        w_v=b1_v * d1 + b2_v * d2,
        turned=area.take(index) > 0,
        owner=owners.take(index),
    )


def _meets(crossing: np.ndarray, opens: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Whether the first row of triangles holds a centre: nearly always no for those that have one row only."""
    low = np.maximum(np.where(opens, crossing, F(0)).max(axis=0), 0)
    high = np.minimum(np.where(opens, width, crossing).min(axis=0), width)
    return np.floor(high + EDGE) >= np.ceil(low - EDGE)


def _draw_all(buffer: np.ndarray, sets: list[Triangles], width: int, height: int) -> None:
    """Draw everything; in a close-up the sides that face the camera first, so that most of what is behind them can be left out."""
    far = [t.turned for t in sets]
    if sum(float(((t.width + 1) * (t.height + 1))[f].sum()) for t, f in zip(sets, far, strict=True)) < HIDDEN_WORTH:
        for triangles in sets:
            _draw(buffer, triangles, width)
        return
    for triangles, f in zip(sets, far, strict=True):
        _draw(buffer, triangles.pick(~f), width)
    tiles = np.maximum.reduceat(buffer.reshape(height, width), np.arange(0, height, TILE), axis=0)
    tiles = np.maximum.reduceat(tiles, np.arange(0, width, TILE), axis=1)
    for triangles, f in zip(sets, far, strict=True):
        back = triangles.pick(f)
        _draw(buffer, back.pick(~_hidden(back, tiles)), width)


def _hidden(t: Triangles, tiles: np.ndarray) -> np.ndarray:
    """Which triangles lie wholly behind what is drawn; exact, as it only leaves out what could not win.

    tiles: the greatest key of each ``TILE`` x ``TILE`` square. A triangle is looked up where it touches at most 2 x 2 of them.
    """
    bound = np.maximum(t.w_u, 0) * t.width + np.maximum(t.w_v, 0) * t.height + t.w
    bound += F(1e-4) * (np.abs(t.w_u) * t.width + np.abs(t.w_v) * t.height + np.abs(t.w))
    nearest = (F(1) / bound).view(np.int32).astype(np.int64) << 32
    left, top = t.left.astype(np.int64) // TILE, t.top.astype(np.int64) // TILE
    right, bottom = (t.left + t.width).astype(np.int64) // TILE, (t.top + t.height).astype(np.int64) // TILE
    farthest = np.maximum(np.maximum(tiles[top, left], tiles[top, right]), np.maximum(tiles[bottom, left], tiles[bottom, right]))
    return (bound > 0) & (nearest > farthest) & (right - left <= 1) & (bottom - top <= 1)


def _draw(buffer: np.ndarray, t: Triangles, width: int) -> None:
    """Draw triangles into the buffer: triangles to rows, rows to spans, spans to pixels."""
    tri, row = _runs(t.height.astype(np.int64) + 1)
    rowf = row.astype(F)
    first, last = _span(t, tri, rowf)
    full = np.nonzero(last >= first)[0]
    tri, row, rowf, first, last = (v.take(full) for v in (tri, row, rowf, first, last))
    slope = t.w_u.take(tri)
    value = t.w.take(tri) + t.w_v.take(tri) * rowf + slope * first
    start = (t.top.take(tri).astype(np.int64) + row) * width + (t.left.take(tri) + first).astype(np.int64)
    owner = t.owner.take(tri)
    count = (last - first).astype(np.int64) + 1
    ends = np.cumsum(count)
    low = 0
    while low < len(count):
        done = ends[low - 1] if low else 0
        high = max(int(np.searchsorted(ends, done + PIXEL_BLOCK, "right")), low + 1)
        spans = slice(low, high)
        _fill(buffer, start[spans], count[spans], value[spans], slope[spans], owner[spans])
        low = high


def _fill(buffer: np.ndarray, start: np.ndarray, count: np.ndarray, value: np.ndarray, slope: np.ndarray, owner: np.ndarray) -> None:
    """Draw spans of pixels: first flat pixel, length, inverse depth there and its slope, face."""
    span, column = _runs(count)
    z = slope.take(span)
    z *= column.astype(F)
    z += value.take(span)
    np.divide(F(1), z, out=z)
    keys = z.view(np.int32).astype(np.int64)
    keys <<= 32
    keys |= owner.take(span)
    column += start.take(span)
    np.minimum.at(buffer, column, keys)


def _runs(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Index of the owner and position within the owner of each of ``counts.sum()`` items."""
    owner = np.repeat(np.arange(len(counts)), counts)
    position = np.arange(len(owner))
    position -= (np.cumsum(counts) - counts).take(owner)
    return owner, position


def _span(t: Triangles, tri: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last column, from left, of each row of triangles; last < first is empty."""
    low, high = np.zeros_like(row), t.width.take(tri)
    extent = high.copy()
    for crossing, step, opens in zip(t.crossing, t.step, t.opens, strict=True):
        column = step.take(tri)
        column *= row
        column += crossing.take(tri)
        opening = opens.take(tri)
        np.maximum(low, np.where(opening, column, F(0)), out=low)
        np.minimum(high, np.where(opening, extent, column), out=high)
    return np.ceil(low - EDGE), np.floor(high + EDGE)


def seen(buffer: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Flat index, face and float32 z of each pixel that was hit."""
    pixels = np.nonzero(buffer != EMPTY)[0]
    keys = buffer[pixels]
    return pixels, keys & 0xFFFFFFFF, (keys >> 32).astype(np.int32).view(F)
