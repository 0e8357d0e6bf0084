"""What was drawn of a clip, compactly."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

BYTES = {"depth": 4, "ids": 1, "normals": 3, "rgb": 3}
"""Of a pixel."""
WANT = tuple(BYTES)


@dataclass(frozen=True, eq=False)
class Frames:
    """What was drawn of T frames; None where it was not wanted.

    Attributes:
        depth: (T, H, W) float32 camera z, metres, 0 where nothing was hit.
        instance_ids: (T, H, W) uint8, 0 where nothing was hit.
        normals: (T, H, W, 3) uint8, camera-space normal * 127.5 + 127.5 with x right, y up, z to the viewer; black where nothing was hit.
        rgb: (T, H, W, 3) uint8 shaded picture.
    """

    depth: np.ndarray | None = None
    instance_ids: np.ndarray | None = None
    normals: np.ndarray | None = None
    rgb: np.ndarray | None = None

    def __len__(self) -> int:
        return next((len(a) for a in (*self.buffers, self.rgb) if a is not None), 0)

    @property
    def buffers(self) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]:
        """Depth, ids and normals."""
        return self.depth, self.instance_ids, self.normals

    def part(self, first: int, last: int) -> Frames:
        """Views of the frames first..last - 1."""
        return Frames(*(None if a is None else a[first:last] for a in (*self.buffers, self.rgb)))


def mapped_frames(path: Path, length: int, height: int, width: int) -> Frames:
    """Depth, ids and normals in a file that has room for them, so that two processes can share them."""
    shape, offset, buffers = (length, height, width), 0, []
    for name, kind, more in (("depth", np.float32, ()), ("ids", np.uint8, ()), ("normals", np.uint8, (3,))):
        buffers.append(np.memmap(path, kind, "r+", offset, (*shape, *more)))
        offset += BYTES[name] * length * height * width
    return Frames(*buffers)


def frame_bytes(want: Collection[str]) -> int:
    """Bytes that each pixel of a frame takes."""
    return sum(BYTES[name] for name in want)


def blank_frames(want: Collection[str], length: int, height: int, width: int) -> Frames:
    """Frames with nothing in them. Their memory costs nothing until it is written."""
    shape = (length, height, width)
    return Frames(
        depth=np.zeros(shape, np.float32) if "depth" in want else None,
        instance_ids=np.zeros(shape, np.uint8) if "ids" in want else None,
        normals=np.zeros((*shape, 3), np.uint8) if "normals" in want else None,
        rgb=np.empty((*shape, 3), np.uint8) if "rgb" in want else None,
    )
