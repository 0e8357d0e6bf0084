"""Pinhole camera: OpenCV axes, integer pixel centres."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera, fixed, moving or zooming.

    OpenCV frame: x right, y down, z forward. The centre of the top-left pixel is (0, 0), as in DexYCB.

    Attributes:
        intrinsics: (3, 3) float64 K, pixels, or (T, 3, 3) for a camera that zooms.
        world_to_camera: (4, 4), or (T, 4, 4) for a moving camera, float64, metres.
        width, height: picture size in pixels.
    """

    intrinsics: np.ndarray
    world_to_camera: np.ndarray
    width: int
    height: int

    def at(self, frame: int) -> np.ndarray:
        """(4, 4) world_to_camera of one frame; a moving camera stays at its last pose after its end."""
        return _of_frame(self.world_to_camera, frame)

    def lens(self, frame: int) -> np.ndarray:
        """(3, 3) K of one frame; a zooming camera keeps its last one after its end."""
        return _of_frame(self.intrinsics, frame)

    def still(self, frame: int) -> Camera:
        """The fixed camera of one frame."""
        return replace(self, intrinsics=self.lens(frame), world_to_camera=self.at(frame))

    @property
    def length(self) -> int | None:
        """Frames of which pose and lens are known; None for a fixed camera, which has them for all."""
        return min((len(values) for values in (self.intrinsics, self.world_to_camera) if values.ndim == 3), default=None)


def _of_frame(matrices: np.ndarray, frame: int) -> np.ndarray:
    """One of (T, n, n) matrices, the last one after their end; or the only one."""
    return matrices if matrices.ndim == 2 else matrices[min(frame, len(matrices) - 1)]
