"""What lies wholly behind what is drawn already, and so need not be drawn. Exact: it only leaves out what could not win a pixel."""

from __future__ import annotations

import numpy as np

from .transform import F
from .triangles import Boxes

EMPTY = np.int64(0x7F800000) << np.int64(32)
"""Key of a pixel that sees nothing: an infinite z."""
SHIFT = 2
TILE = 1 << SHIFT
"""Pixels across."""
LEVELS = 4
"""Squares of 1, 2, 4 and 8 tiles: what is wider than two of the largest is not asked about."""


class Windows:
    """The farthest of what is drawn in squares of 1, 2, 4 and 8 tiles of ``TILE`` x ``TILE`` pixels, as the bits of its z.

    Args:
        buffer: (height * width,) int64 keys, see ``raster``.
        width, height: pixels.
        packed: (V,) ``triangles.cells`` of all points that triangles may have as corners: nothing is asked about tiles beyond them.
    """

    def __init__(self, buffer: np.ndarray, width: int, height: int, packed: np.ndarray):
        kind, half = packed.dtype.type, 4 * packed.itemsize
        self._column, self._row = kind((1 << half) - 1), kind(half)
        rows, columns = packed >> self._row, packed & self._column
        # A cell is half a pixel wide, and pixel 0 is cell 2.
        self.top, self.left = (max(0, int(part.min()) // 2 - 1) // TILE for part in (rows, columns))
        bottom, right = (int(part.max()) // 2 for part in (rows, columns))
        keys = buffer.reshape(height, width)[self.top * TILE : bottom, self.left * TILE : right]
        for _ in ("rows", "columns"):
            greatest = keys[::TILE].copy()
            for offset in range(1, TILE):
                line = keys[offset::TILE]
                np.maximum(greatest[: len(line)], line, out=greatest[: len(line)])
            keys = greatest.T
        windows = [(keys >> 32).astype(np.int32)]
        for level in range(LEVELS - 1):
            step, wider = 1 << level, windows[-1].copy()
            np.maximum(wider[:-step], windows[-1][step:], out=wider[:-step])
            wider[:, :-step] = np.maximum(wider[:, :-step], wider[:, step:])
            windows.append(wider)
        self.farthest = np.stack(windows)

    def not_behind(self, packed: np.ndarray, w: np.ndarray, which: np.ndarray, *corners: np.ndarray) -> list[np.ndarray]:
        """Leave out faces whose corners lie behind all that is drawn around them, if they are no larger than a tile.

        Args:
            packed: (V,) as above.
            w: (V,) float32 inverse depths.
            which: (K,) faces.
            corners: three (K,) int64 points.

        Returns:
            which and corners of the others.
        """
        behind = self._behind(packed, w)
        hidden = behind.take(corners[0])
        for corner in corners[1:]:
            hidden &= behind.take(corner)
        some = hidden.nonzero()[0]
        a, b, c = (packed.take(corner.take(some)) for corner in corners)
        a -= b
        b -= c
        c = a + b
        # Each corner is less than a tile from the others: their differences, made positive, stay below two tiles.
        for difference in (a, b, c):
            difference += self._both(2 * TILE - 1)
        a |= b
        a |= c
        a &= ~self._both(4 * TILE - 1)
        hidden[some.compress(a != 0)] = False
        left = (~hidden).nonzero()[0]
        return [part.take(left) for part in (which, *corners)]

    def _behind(self, packed: np.ndarray, w: np.ndarray) -> np.ndarray:
        """(V,) bool, which points lie behind all that is drawn in the nine tiles around them."""
        tiles, across = self.farthest.shape[1:]
        around = np.zeros((tiles + 2, across + 2), np.int32)
        for row in range(3):
            for column in range(3):
                inner = around[row : row + tiles, column : column + across]
                np.maximum(inner, self.farthest[0], out=inner)
        kind, shift = packed.dtype.type, packed.dtype.type(SHIFT + 1)
        place = packed + self._both(2 * TILE - 2)  # there is one tile more on each side
        tile = place >> (self._row + shift)
        tile *= kind(across + 2)
        place &= self._column
        place >>= shift
        tile += place
        tile -= kind(self.top * (across + 2) + self.left)
        return (F(1) / w).view(np.int32) > around.ravel().take(tile)

    def _both(self, cells: int) -> np.integer:
        """So many rows and columns, packed."""
        return type(self._row)(cells << int(self._row) | cells)

    def not_hidden(self, boxes: Boxes) -> np.ndarray:
        """Index of those of the kept boxes that do not lie wholly behind what was drawn."""
        which = boxes.kept
        left, top, width, height, w0, w1, w2 = boxes.table[:7].take(which, axis=1)
        left, top, right, bottom = (v.astype(np.int64) >> SHIFT for v in (left, top, left + width, top + height))
        reach = np.maximum(right - left, bottom - top)
        level = (reach > 1).astype(np.int64)
        for more in range(2, LEVELS):
            level += reach >= 1 << more
        size = 1 << level
        right, bottom = np.maximum(right + 1 - size, left) - self.left, np.maximum(bottom + 1 - size, top) - self.top
        left -= self.left
        top -= self.top
        _, tiles, across = self.farthest.shape
        flat, farthest = self.farthest.ravel(), np.zeros(len(left), np.int32)
        for line in (top, bottom):
            line = (level * tiles + line) * across
            for at in (left, right):
                np.maximum(farthest, flat.take(line + at), out=farthest)
        nearest = (F(1) / np.maximum(np.maximum(w0, w1), w2)).view(np.int32)
        return which.compress((nearest <= farthest) | (reach >= 1 << LEVELS))
