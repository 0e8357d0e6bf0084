"""Visibility of triangles by spans: which face every pixel sees, and how far it is.

Exact rules (rendering.md, section 6), so that tests can ask for exact pixels: vertices are projected in float32; a pixel belongs to a
triangle when its integer centre is inside or on an edge; every pixel keeps the smallest key ``bits(z) << 32 | face``, so nearest wins and
ties go to the lower face; both sides of a face are drawn. The result depends neither on the order of work nor on the machine, and
``raster_torch`` and ``raster_numba`` give the same bits.

Work goes in blocks that stay in the processor's cache: fresh memory costs more than arithmetic here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np

from .transform import F
from .triangles import FAR, Triangles, clip_near, falling, holding_centres, projected, set_up

EMPTY = np.int64(0x7F800000) << np.int64(32)
"""Key of a pixel that sees nothing: an infinite z."""
EDGE = F(1e-4)
"""Pixels by which a span may miss a centre and still hold it: a centre on an edge must not fall to rounding."""
SLACK = F(1e-4)
"""Share of a bound that rounding may cost."""
TRIANGLE_BLOCK, PIXEL_BLOCK = 1 << 15, 1 << 14
TILE, TILES = 16, 4
HIDDEN_WORTH = 1 << 17
"""So many pixels in the boxes of the far sides make looking for hidden triangles pay."""


@dataclass(frozen=True, eq=False)
class Spans:
    """Runs of neighbouring pixels, N of them.

    Attributes:
        start: (N,) int64 flat index of the first pixel.
        more: (N,) float32 how many pixels follow it.
        value, slope: (N,) float32 inverse depth at the first pixel and its change from pixel to pixel.
        owner: (N,) int64 face.
    """

    start: np.ndarray
    more: np.ndarray
    value: np.ndarray
    slope: np.ndarray
    owner: np.ndarray

    def pick(self, which: np.ndarray | slice) -> Spans:
        """Some of them."""
        return Spans(*(getattr(self, field.name)[which] for field in fields(self)))


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
    sets = [set_up(x, y, w, [corner[k] for corner in corners], owners[k], width, height) for k in blocks]
    _draw_all(buffer, sets, width, height)
    return buffer


def _draw_all(buffer: np.ndarray, sets: list[Triangles], width: int, height: int) -> None:
    """Draw everything; in a close-up the sides that face the camera first, so that most of what is behind them can be left out."""
    far = [t.turned for t in sets]
    if sum(float(((t.width + 1) * (t.height + 1))[f].sum()) for t, f in zip(sets, far, strict=True)) < HIDDEN_WORTH:
        for triangles in sets:
            _draw(buffer, triangles, width)
        return
    for triangles, f in zip(sets, far, strict=True):
        _draw(buffer, triangles.pick(~f), width)
    tiles = _farthest(buffer.reshape(height, width))
    for triangles, f in zip(sets, far, strict=True):
        back = triangles.pick(f)
        _draw(buffer, back.pick(~_hidden(back, tiles)), width)


def _farthest(keys: np.ndarray) -> np.ndarray:
    """The greatest key of each square of ``TILE`` x ``TILE`` pixels."""
    for _ in ("rows", "columns"):
        greatest = keys[::TILE].copy()
        for offset in range(1, TILE):
            line = keys[offset::TILE]
            np.maximum(greatest[: len(line)], line, out=greatest[: len(line)])
        keys = greatest.T
    return keys


def _hidden(t: Triangles, tiles: np.ndarray) -> np.ndarray:
    """Which triangles lie wholly behind what is drawn; exact, as it only leaves out what could not win.

    tiles: see ``_farthest``. A triangle is looked up where it touches at most ``TILES`` of them each way.
    """
    bound = np.maximum(t.w_u, 0) * t.width + np.maximum(t.w_v, 0) * t.height + t.w
    bound += SLACK * (np.abs(t.w_u) * t.width + np.abs(t.w_v) * t.height + np.abs(t.w))
    nearest = (F(1) / bound).view(np.int32).astype(np.int64) << 32
    left, top, right, bottom = (v.astype(np.int64) // TILE for v in (t.left, t.top, t.left + t.width, t.top + t.height))
    farthest, across, flat = np.zeros(len(left), np.int64), tiles.shape[1], tiles.ravel()
    columns = [np.minimum(left + column, right) for column in range(TILES)]
    for row in range(TILES):
        line = np.minimum(top + row, bottom) * across
        for column in columns:
            np.maximum(farthest, flat.take(line + column), out=farthest)
    return (bound > 0) & (nearest > farthest) & (right - left < TILES) & (bottom - top < TILES)


def _draw(buffer: np.ndarray, t: Triangles, width: int) -> None:
    """Draw triangles into the buffer: triangles to rows, rows to spans, spans to pixels."""
    parts = [_spans(t, *strip, width) for strip in _strips(t.height)]
    if not parts:
        return
    spans = Spans(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Spans)))
    spans = spans.pick(falling(spans.more))
    for first, length, reach in _strips(spans.more):
        block = max(1, PIXEL_BLOCK // length)
        for low in range(0, reach, block):
            _fill(buffer, spans.pick(slice(low, min(low + block, reach))), first, length)


def _strips(last: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """Take positions 0..last of owners with falling ``last`` in strips that grow: first position, length, and how many owners reach it.

    So work goes over whole arrays, owner beside owner, although some have one position and some hundreds.
    """
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
    low, more, row = low.ravel().take(full), high.ravel().take(full), full // reach
    more -= low
    tri = full - row * reach
    row += first
    slope, value = t.w_u.take(tri), t.w_v.take(tri)
    value *= row.astype(F)
    value += t.w.take(tri)
    value += slope * low
    low += t.left.take(tri)
    row += t.top.take(tri).astype(np.int64)
    row *= width
    row += low.astype(np.int64)
    return Spans(row, more, value, slope, t.owner.take(tri))


def _fill(buffer: np.ndarray, spans: Spans, first: int, length: int) -> None:
    """Draw the pixels ``first`` to ``first + length - 1`` of spans; those past the end are the last one again."""
    column = np.arange(first, first + length, dtype=F)[:, None]
    if length > 1:
        column = np.minimum(column, spans.more)
    z = spans.slope * column
    z += spans.value
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
