"""Intrinsics of known cameras, and cameras of stretched or enlarged pictures."""

from __future__ import annotations

import numpy as np

from .camera import Camera

DATASET_LENSES: dict[str, tuple[int, int, float, float, float, float]] = {
    "DexYCB": (640, 480, 616.0, 615.0, 315.0, 242.0),
}
"""Width, height, fx, fy, cx, cy in pixels. DexYCB: rounded means over its eight cameras, which differ by about 1 % (cx, cy by 7 pixels)."""


def dataset_intrinsics(name: str, width: int, height: int) -> np.ndarray:
    """(3, 3) K of a data set's camera for its pictures stretched to a size, as PAM stretches 640 x 480 to 720 x 480."""
    if name not in DATASET_LENSES:
        raise ValueError(f'Expected the lens {" or ".join(DATASET_LENSES)}, found "{name}".')
    own_width, own_height, fx, fy, cx, cy = DATASET_LENSES[name]
    return stretched_intrinsics(np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]), width / own_width, height / own_height)


def stretched_intrinsics(intrinsics: np.ndarray, across: float, down: float) -> np.ndarray:
    """(..., 3, 3) K of a picture stretched by two factors about its corner; pixel centres are integers, so that is at (-0.5, -0.5)."""
    return np.array([[across, 0, (across - 1) / 2], [0, down, (down - 1) / 2], [0, 0, 1]]) @ intrinsics


def field_of_view(intrinsics: np.ndarray, height: int) -> float:
    """Vertical field of view in degrees of a (3, 3) K, its optical axis taken to be at the picture's centre."""
    return float(np.degrees(2 * np.arctan(height / 2 / intrinsics[1, 1])))


def resized_camera(camera: Camera, width: int, height: int) -> Camera:
    """The camera of the same pictures stretched to another size."""
    intrinsics = stretched_intrinsics(camera.intrinsics, width / camera.width, height / camera.height)
    return Camera(intrinsics, camera.world_to_camera, width, height)
