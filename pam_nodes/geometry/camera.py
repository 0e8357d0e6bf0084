"""Pinhole camera: OpenCV axes, integer pixel centres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera, fixed or moving.

    OpenCV frame: x right, y down, z forward. The centre of the top-left pixel is (0, 0), as in DexYCB.

    Attributes:
        intrinsics: (3, 3) float64 K, pixels.
        world_to_camera: (4, 4), or (T, 4, 4) for a moving camera, float64, metres.
        width, height: picture size in pixels.
    """

    intrinsics: np.ndarray
    world_to_camera: np.ndarray
    width: int
    height: int

    def at(self, frame: int) -> np.ndarray:
        """(4, 4) world_to_camera of one frame; a moving camera stays at its last pose after its end."""
        if self.world_to_camera.ndim == 2:
            return self.world_to_camera
        return self.world_to_camera[min(frame, len(self.world_to_camera) - 1)]
