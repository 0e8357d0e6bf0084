"""Visibility of triangles by spans: which face every pixel sees, and how far it is.

Exact rules (rendering.md, section 6), so that tests can ask for exact pixels: vertices are projected in float32; a pixel belongs to a
triangle when its integer centre is inside or on an edge; every pixel keeps the smallest key ``bits(z) << 32 | face``, so nearest wins and
ties go to the lower face; no pixel of a triangle is nearer or farther than its corners, however thin it is seen; both sides of a face are
drawn. The result depends neither on the order of work nor on the machine, and
``raster_torch`` and ``raster_numba`` give the same bits.

What faces the camera is drawn first; most of what does not is then known to be hidden (``hidden``) and never set up. Arrays that are
used together are rows of one table and blocks are large: a call of NumPy costs as much as work on a thousand numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .hidden import EMPTY, Windows
from .transform import F
from .triangles import FAR, Boxes, Triangles, boxed, cells, clip_near, holding_centres, projected, set_up, turned_away

EDGE = F(1e-4)
"""Pixels by which a span may miss a centre and still hold it: a centre on an edge must not fall to rounding."""
MANY = 1 << 13
"""Faces from which on it pays to ask where all points are before asking where the faces are."""
FACE_BLOCK, TRIANGLE_BLOCK, ROW_BLOCK, PIXEL_BLOCK = 1 << 16, 1 << 16, 1 << 16, 1 << 15


@dataclass(frozen=True, eq=False)
class Spans:
    """Runs of neighbouring pixels, N of them.

    Attributes:
        table: (5, N) float32: how many pixels follow the first; change of the inverse depth from pixel to pixel; inverse depth at the
            first; its least; and its greatest.
        places: (2, N) int64: flat index of the first pixel, and face.
    """

    table: np.ndarray
    places: np.ndarray

    def __len__(self) -> int:
        return self.table.shape[1]

    def part(self, low: int, high: int) -> Spans:
        """Views of the spans low..high - 1."""
        return Spans(self.table[:, low:high], self.places[:, low:high])

    def beyond(self, length: int) -> Spans:
        """Those of more pixels."""
        longer = (self.table[0] >= length).nonzero()[0]
        return Spans(self.table.take(longer, axis=1), self.places.take(longer, axis=1))


def rasterize(
    vertices: np.ndarray,
    faces: np.ndarray,
    intrinsics: np.ndarray,
    width: int,
    height: int,
    buffer: np.ndarray | None = None,
    away: np.ndarray | None = None,
) -> np.ndarray:
    """Visibility buffer of one frame.

    Args:
        vertices: (V, 3) float32, camera frame, metres. Fastest when each coordinate is contiguous, as ``transform`` leaves them.
        faces: (F, 3) int64, likewise.
        intrinsics: (3, 3) K for integer pixel centres.
        width, height: pixels.
        buffer: (height * width,) int64 to draw into, default a new one.
        away: (F,) bool, which faces are seen from behind: they are drawn last, when most of them are hidden. Any will do, and give the
            same keys.

    Returns:
        (height * width,) int64 keys, ``EMPTY`` where nothing is seen.
    """
    buffer = np.empty(height * width, np.int64) if buffer is None else buffer
    buffer.fill(EMPTY)
    known = vertices
    vertices, faces, owners = clip_near(vertices, faces)
    x, y, w = points = projected(vertices, intrinsics)
    away = away if away is not None and vertices is known else turned_away(x, y, faces.T)
    packed = cells(x, y, width, height)
    keep = [np.empty(0, np.int64)]
    for first in range(0, len(faces), FACE_BLOCK):
        keep.append(first + holding_centres(packed, [corner[first : first + FACE_BLOCK] for corner in faces.T]))
    keep = np.concatenate(keep)
    away = away.take(keep)
    near, far = (keep.take(side.nonzero()[0]) for side in (~away, away))
    corners = [corner.take(near) for corner in faces.T]
    for boxes in _boxes(points, corners, owners.take(near), width, height):
        _draw(buffer, set_up(boxes, boxes.kept), width)
    if len(far):
        windows = Windows(buffer, width, height, packed)
        corners = [corner.take(far) for corner in faces.T]
        if len(far) >= MANY:
            far, *corners = windows.not_behind(packed, w, far, *corners)
        for boxes in _boxes(points, corners, owners.take(far), width, height):
            _draw(buffer, set_up(boxes, windows.not_hidden(boxes)), width)
    return buffer


def _boxes(points: tuple[np.ndarray, ...], corners: list[np.ndarray], owners: np.ndarray, width: int, height: int) -> Iterator[Boxes]:
    """``boxed`` of triangles, block by block."""
    for first in range(0, len(owners), TRIANGLE_BLOCK):
        block = slice(first, first + TRIANGLE_BLOCK)
        yield boxed(*points, [corner[block] for corner in corners], owners[block], width, height)


def _draw(buffer: np.ndarray, t: Triangles, width: int) -> None:
    """Draw triangles into the buffer: triangles to rows, rows to spans, spans to pixels.

    Pixels of spans are taken in strips that grow, so that work goes over whole arrays, span beside span, although some have one pixel and
    some hundreds.
    """
    longer = []
    for rows in (None, *_further_rows(t)):
        spans = _spans(t, width, rows)
        _fill(buffer, spans, 0, 1)
        longer.append(spans.beyond(1))
    spans = Spans(*(np.concatenate(parts, axis=1) for parts in zip(*((part.table, part.places) for part in longer), strict=True)))
    first = length = 1
    while len(spans):
        block = max(1, PIXEL_BLOCK // length)
        for low in range(0, len(spans), block):
            _fill(buffer, spans.part(low, low + block), first, length)
        first = length = first + length
        spans = spans.beyond(first)


def _further_rows(t: Triangles) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Index and row of the triangles' rows but the first, block by block."""
    tall = t.height.nonzero()[0]
    more = t.height.take(tall).astype(np.int64)
    ends = np.cumsum(more)
    begins = ends - more
    low = 0
    while low < len(tall):
        high = max(low + 1, int(np.searchsorted(ends, begins[low] + ROW_BLOCK, "right")))
        index, begin = np.repeat(np.stack([tall[low:high], begins[low:high]]), more[low:high], axis=1)
        row = np.arange(begins[low] + 1, ends[high - 1] + 1)
        row -= begin
        yield index, row.astype(F)
        low = high


def _spans(t: Triangles, width: int, rows: tuple[np.ndarray, np.ndarray] | None) -> Spans:
    """Spans of some rows (index of the triangle, row), or of the first row of all; none for rows that hold no pixel centre."""
    high = t.width.copy() if rows is None else t.width.take(rows[0])
    low, bound = np.zeros_like(high), np.empty_like(high)
    for edge in t.edges:
        column, step, closes = edge if rows is None else edge.take(rows[0], axis=1)
        if rows is not None:
            step *= rows[1]
            column += step
        np.maximum(low, np.add(column, closes, out=bound), out=low)
        np.minimum(high, np.add(column, np.add(closes, FAR, out=bound), out=bound), out=high)
    np.ceil(np.subtract(low, EDGE, out=low), out=low)
    np.floor(np.add(high, EDGE, out=high), out=high)
    high -= low
    held = (high >= 0).nonzero()[0]
    low, place = low.take(held), held if rows is None else rows[0].take(held)
    table, places = t.table.take(place, axis=1), np.empty((2, len(held)), np.int64)
    down, left, top, more, slope, value = table[:6]
    high.take(held, out=more, mode="clip")
    if rows is not None:
        row = rows[1].take(held)
        down *= row
        value += down
        top += row
    value += np.multiply(slope, low, out=down)
    left += low
    start, owner = places
    start[:] = top
    start *= width
    start += left.astype(np.int64)
    t.owner.take(place, out=owner, mode="clip")
    return Spans(table[3:], places)


def _fill(buffer: np.ndarray, spans: Spans, first: int, length: int) -> None:
    """Draw the pixels ``first`` to ``first + length - 1`` of spans; those past the end are the last one again."""
    more, slope, value, least, most = spans.table
    pixels, owner = spans.places
    if first:
        column = np.arange(first, first + length, dtype=F)[:, None]
        if length > 1:
            column = np.minimum(column, more)
        z = slope * column
        z += value
        pixels = pixels + column.astype(np.int64)
        np.maximum(z, least, out=z)
    else:
        z = np.maximum(value, least)
    np.divide(F(1), np.minimum(z, most, out=z), out=z)
    keys = z.view(np.int32).astype(np.int64)
    keys <<= 32
    keys |= owner
    np.minimum.at(buffer, pixels.ravel(), keys.ravel())


def seen(buffer: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(height * width,) bool, which pixels were hit, and the face and float32 z of each that was."""
    hit = buffer != EMPTY
    keys = buffer[hit]
    z = (keys >> 32).astype(np.int32).view(F)
    keys &= 0xFFFFFFFF
    return hit, keys, z
