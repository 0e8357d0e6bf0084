"""Visibility of triangles by spans: which face every pixel sees, and how far it is.

Exact rules (rendering.md, section 6), so that tests can ask for exact pixels: vertices are projected in float32; a pixel belongs to a
triangle when its integer centre is inside or on an edge; every pixel keeps the smallest key ``bits(z) << 32 | face``, so nearest wins and
ties go to the lower face; no pixel of a triangle is nearer or farther than its corners, however thin it is seen; both sides of a face are
drawn. The result depends neither on the order of work nor on the machine, and
``raster_torch`` and ``raster_numba`` give the same bits.

Work goes in blocks that stay in the processor's cache: fresh memory costs more than arithmetic here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np

from .transform import F
from .triangles import FAR, Boxes, Triangles, boxed, clip_near, holding_centres, projected, set_up

EMPTY = np.int64(0x7F800000) << np.int64(32)
"""Key of a pixel that sees nothing: an infinite z."""
EDGE = F(1e-4)
"""Pixels by which a span may miss a centre and still hold it: a centre on an edge must not fall to rounding."""
TRIANGLE_BLOCK, ROW_BLOCK, PIXEL_BLOCK = 1 << 16, 1 << 15, 1 << 14
TILE = 8
FIRST = F(0)
HIDDEN_WORTH = 1 << 18
"""So many pixels in the boxes of the far sides make looking for hidden triangles pay."""
HIDDEN_MANY = 1 << 13
"""And so do so many far sides."""


@dataclass(frozen=True, eq=False)
class Spans:
    """Runs of neighbouring pixels, N of them.

    Attributes:
        start: (N,) int64 flat index of the first pixel.
        more: (N,) float32 how many pixels follow it.
        value, slope: (N,) float32 inverse depth at the first pixel and its change from pixel to pixel.
        least, most: (N,) float32 limits of the inverse depth.
        owner: (N,) int64 face.
    """

    start: np.ndarray
    more: np.ndarray
    value: np.ndarray
    slope: np.ndarray
    least: np.ndarray
    most: np.ndarray
    owner: np.ndarray

    def pick(self, which: slice | np.ndarray) -> Spans:
        """Some of them; views for a slice."""
        parts = (getattr(self, field.name) for field in fields(self))
        return Spans(*(part[which] if isinstance(which, slice) else part.take(which) for part in parts))


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
    keep = holding_centres(x, y, corners, width, height)
    blocks = [keep[first : first + TRIANGLE_BLOCK] for first in range(0, len(keep), TRIANGLE_BLOCK)]
    sets = [boxed(x, y, w, [corner.take(k) for corner in corners], owners.take(k), width, height) for k in blocks]
    _draw_all(buffer, sets, width, height)
    return buffer


def _draw_all(buffer: np.ndarray, sets: list[Boxes], width: int, height: int) -> None:
    """Draw everything; where it pays the sides that face the camera first, so that most of what is behind them can be left out."""
    pixels = sum(float(((boxes.width + 1) * (boxes.height + 1)).take(boxes.far).sum()) for boxes in sets)
    if pixels < HIDDEN_WORTH and sum(len(boxes.far) for boxes in sets) < HIDDEN_MANY:
        for boxes in sets:
            _draw(buffer, set_up(boxes, np.concatenate([boxes.near, boxes.far])), width)
        return
    for boxes in sets:
        _draw(buffer, set_up(boxes, boxes.near), width)
    windows = _farthest(buffer.reshape(height, width))
    for boxes in sets:
        far = boxes.far.compress(~_covered(boxes, buffer, width))
        _draw(buffer, set_up(boxes, far.compress(~_hidden(boxes, far, windows))), width)


def _nearest(boxes: Boxes, which: np.ndarray) -> np.ndarray:
    """Keys that no pixel of some triangles goes below."""
    w0, w1, w2 = (depth.take(which) for depth in boxes.inverse_depths)
    return (F(1) / np.maximum(np.maximum(w0, w1), w2)).view(np.int32).astype(np.int64) << 32


def _covered(boxes: Boxes, buffer: np.ndarray, width: int) -> np.ndarray:
    """Which far sides with a box of at most 2 x 2 pixels lie behind what is drawn in all of them; exact, as ``_hidden``."""
    right, down = boxes.width.take(boxes.far), boxes.height.take(boxes.far)
    small = np.flatnonzero(np.maximum(right, down) < 2)
    which = boxes.far.take(small)
    top_left = boxes.top.take(which).astype(np.int64) * width
    top_left += boxes.left.take(which).astype(np.int64)
    right, down = right.take(small).astype(np.int64), down.take(small).astype(np.int64) * width
    farthest = buffer.take(top_left)
    for step in (right, down, right + down):
        np.maximum(farthest, buffer.take(top_left + step), out=farthest)
    covered = np.zeros(len(boxes.far), bool)
    covered[small] = _nearest(boxes, which) > farthest
    return covered


def _farthest(keys: np.ndarray) -> np.ndarray:
    """The greatest key of each square of ``TILE`` x ``TILE`` pixels, and then of windows of 2 x 2 and 4 x 4 such tiles, by their first."""
    for _ in ("rows", "columns"):
        greatest = keys[::TILE].copy()
        for offset in range(1, TILE):
            line = keys[offset::TILE]
            np.maximum(greatest[: len(line)], line, out=greatest[: len(line)])
        keys = greatest.T
    windows = [keys]
    for step in (1, 2):
        wider = windows[-1].copy()
        np.maximum(wider[:-step], windows[-1][step:], out=wider[:-step])
        wider[:, :-step] = np.maximum(wider[:, :-step], wider[:, step:])
        windows.append(wider)
    return np.stack(windows)


def _hidden(boxes: Boxes, which: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """Which of them lie wholly behind what is drawn; exact, as it only leaves out what could not win (windows: see ``_farthest``)."""
    left, top, width, height = (getattr(boxes, name).take(which) for name in ("left", "top", "width", "height"))
    left, top, right, bottom = (v.astype(np.int64) // TILE for v in (left, top, left + width, top + height))
    reach = np.maximum(right - left, bottom - top)
    level = (reach > 1).astype(np.int64) + (reach > 3)
    right, bottom = np.maximum(right + 1 - (1 << level), left), np.maximum(bottom + 1 - (1 << level), top)
    farthest, flat, size, across = np.zeros(len(left), np.int64), windows.ravel(), windows[0].size, windows.shape[2]
    for row in (top, bottom):
        line = level * size + row * across
        for column in (left, right):
            np.maximum(farthest, flat.take(line + column), out=farthest)
    return (_nearest(boxes, which) > farthest) & (reach < 8)


def _draw(buffer: np.ndarray, t: Triangles, width: int) -> None:
    """Draw triangles into the buffer: triangles to rows, rows to spans, spans to pixels.

    Pixels of spans are taken in strips that grow, so that work goes over whole arrays, span beside span, although some have one pixel and
    some hundreds.
    """
    parts = [_spans(t, width), *(_spans(t, width, *rows) for rows in _further_rows(t))]
    spans = Spans(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Spans)))
    first, length = 0, 1
    while len(spans.start):
        block = max(1, PIXEL_BLOCK // length)
        for low in range(0, len(spans.start), block):
            _fill(buffer, spans.pick(slice(low, low + block)), first, length)
        first = length = first + length
        spans = spans.pick(np.flatnonzero(spans.more >= first))


def _further_rows(t: Triangles) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Index and row of the triangles' rows but the first, block by block."""
    more = t.height[: np.searchsorted(-t.height, 0)].astype(np.int64)
    ends = np.cumsum(more)
    low = 0
    while low < len(more):
        first = ends[low] - more[low]
        high = max(low + 1, int(np.searchsorted(ends, first + ROW_BLOCK, "right")))
        index = np.repeat(np.arange(low, high), more[low:high])
        row = np.arange(first + 1, first + 1 + len(index))
        row -= (ends - more).take(index)
        yield index, row.astype(F)
        low = high


def _spans(t: Triangles, width: int, index: np.ndarray | None = None, row: np.ndarray = FIRST) -> Spans:
    """Spans of the first row of all triangles, or of some rows of some; none for rows that hold no pixel centre."""
    crossings, steps, closings, last = (
        v if index is None else v.take(index, axis=-1) for v in (t.crossing, t.step, t.closes, t.width)
    )
    low, high = np.zeros(len(last), F), last.copy()
    column, bound = np.empty_like(low), np.empty_like(low)
    for crossing, step, closes in zip(crossings, steps, closings, strict=True):
        np.multiply(step, row, out=column)
        column += crossing
        np.maximum(low, np.add(column, closes, out=bound), out=low)
        np.minimum(high, np.add(column, closes + FAR, out=bound), out=high)
    np.ceil(np.subtract(low, EDGE, out=low), out=low)
    np.floor(np.add(high, EDGE, out=high), out=high)
    held = np.flatnonzero(high >= low)
    low, more = low.take(held), high.take(held)
    more -= low
    tri, row = (held, row) if index is None else (index.take(held), row.take(held))
    slope = t.w_u.take(tri)
    value = t.w_v.take(tri) * row
    value += t.w.take(tri)
    value += slope * low
    low += t.left.take(tri)
    start = (t.top.take(tri) + row).astype(np.int64)
    start *= width
    start += low.astype(np.int64)
    return Spans(start, more, value, slope, t.least.take(tri), t.most.take(tri), t.owner.take(tri))


def _fill(buffer: np.ndarray, spans: Spans, first: int, length: int) -> None:
    """Draw the pixels ``first`` to ``first + length - 1`` of spans; those past the end are the last one again."""
    column = np.arange(first, first + length, dtype=F)[:, None]
    if length > 1:
        column = np.minimum(column, spans.more)
    z = spans.slope * column
    z += spans.value
    np.minimum(np.maximum(z, spans.least, out=z), spans.most, out=z)
    np.divide(F(1), z, out=z)
    keys = z.view(np.int32).astype(np.int64)
    keys <<= 32
    keys |= spans.owner
    pixels = spans.start + column.astype(np.int64)
    np.minimum.at(buffer, pixels.ravel(), keys.ravel())


def seen(buffer: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Flat index, face and float32 z of each pixel that was hit."""
    pixels = np.flatnonzero(buffer != EMPTY)
    keys = buffer.take(pixels)
    return pixels, keys & 0xFFFFFFFF, (keys >> 32).astype(np.int32).view(F)
