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
TRIANGLE_BLOCK, PIXEL_BLOCK = 1 << 16, 1 << 14
TILE = 8
HIDDEN_WORTH = 1 << 18
"""So many pixels in the boxes of the far sides make looking for hidden triangles pay."""


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
    """Draw everything; in a close-up the sides that face the camera first, so that most of what is behind them can be left out."""
    pixels = sum(float(((boxes.width + 1) * (boxes.height + 1)).take(boxes.far).sum()) for boxes in sets)
    if pixels < HIDDEN_WORTH:
        for boxes in sets:
            _draw(buffer, set_up(boxes, np.concatenate([boxes.near, boxes.far])), width)
        return
    for boxes in sets:
        _draw(buffer, set_up(boxes, boxes.near), width)
    windows = _farthest(buffer.reshape(height, width))
    for boxes in sets:
        _draw(buffer, set_up(boxes, boxes.far.compress(~_hidden(boxes, windows))), width)


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


def _hidden(boxes: Boxes, windows: np.ndarray) -> np.ndarray:
    """Which far sides lie wholly behind what is drawn; exact, as it only leaves out what could not win (windows: see ``_farthest``)."""
    left, top, width, height = (getattr(boxes, name).take(boxes.far) for name in ("left", "top", "width", "height"))
    w0, w1, w2 = (depth.take(boxes.far) for depth in boxes.inverse_depths)
    nearest = (F(1) / np.maximum(np.maximum(w0, w1), w2)).view(np.int32).astype(np.int64) << 32
    left, top, right, bottom = (v.astype(np.int64) // TILE for v in (left, top, left + width, top + height))
    reach = np.maximum(right - left, bottom - top)
    level = (reach > 1).astype(np.int64) + (reach > 3)
    right, bottom = np.maximum(right + 1 - (1 << level), left), np.maximum(bottom + 1 - (1 << level), top)
    farthest, flat, size, across = np.zeros(len(left), np.int64), windows.ravel(), windows[0].size, windows.shape[2]
    for row in (top, bottom):
        line = level * size + row * across
        for column in (left, right):
            np.maximum(farthest, flat.take(line + column), out=farthest)
    return (nearest > farthest) & (reach < 8)


def _draw(buffer: np.ndarray, t: Triangles, width: int) -> None:
    """Draw triangles into the buffer: triangles to rows, rows to spans, spans to pixels.

    Positions are taken in strips that grow, here pixels of spans and in ``_spans`` rows of triangles, so that work goes over whole arrays,
    owner beside owner, although some have one position and some hundreds.
    """
    parts = [_spans(t, *strip, width) for strip in _strips(t.height)]
    if not parts:
        return
    spans = Spans(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Spans)))
    first, length = 0, 1
    while len(spans.start):
        block = max(1, PIXEL_BLOCK // length)
        for low in range(0, len(spans.start), block):
            _fill(buffer, spans.pick(slice(low, low + block)), first, length)
        first = length = first + length
        spans = spans.pick(np.flatnonzero(spans.more >= first))


def _strips(last: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """Take positions 0..last of owners with falling ``last`` in strips that grow: first position, length, and how many owners reach it."""
    first, length, rising = 0, 1, -last
    while reach := int(np.searchsorted(rising, -first, "right")):
        yield first, length, reach
        first += length
        length = first


def _spans(t: Triangles, first: int, length: int, reach: int, width: int) -> Spans:
    """Spans of ``length`` rows, from row ``first`` on, of the first ``reach`` triangles."""
    row = np.arange(first, first + length, dtype=F)[:, None]
    low, high = np.zeros((length, reach), F), np.broadcast_to(t.width[:reach], (length, reach)).copy()
    column, bound = np.empty_like(low), np.empty_like(low)
    for crossing, step, closes in zip(t.crossing[:, :reach], t.step[:, :reach], t.closes[:, :reach], strict=True):
        np.multiply(step, row, out=column)
        column += crossing
        np.maximum(low, np.add(column, closes, out=bound), out=low)
        np.minimum(high, np.add(column, closes + FAR, out=bound), out=high)
    np.ceil(np.subtract(low, EDGE, out=low), out=low)
    np.floor(np.add(high, EDGE, out=high), out=high)
    held = high >= low
    if length > 1:
        held &= row <= t.height[:reach]
    full = np.flatnonzero(held)
    low, more = low.ravel().take(full), high.ravel().take(full)
    more -= low
    line = full // reach if length > 1 else 0
    tri, line = full - line * reach, line + first
    slope = t.w_u.take(tri)
    value = t.w_v.take(tri) * np.asarray(line, F)
    value += t.w.take(tri)
    value += slope * low
    low += t.left.take(tri)
    start = (t.top.take(tri).astype(np.int64) + line) * width
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
