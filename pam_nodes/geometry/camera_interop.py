"""Cameras of other node packs: EXTRINSICS and INTRINSICS, LOAD3D_CAMERA, CAMERACTRL_POSES (peers.md, E2 and E4)."""

from __future__ import annotations

import logging

import numpy as np

from .camera import Camera
from .camera_build import VIEWER_TO_WORLD
from .camera_lens import field_of_view

log = logging.getLogger(__name__)
SAME = 1e-6
"""Relative difference up to which the intrinsics of all frames are one lens: rounding of float32."""


def extrinsics(camera: Camera, length: int) -> np.ndarray:
    """(T, 4, 4) float32 world_to_camera, OpenCV axes; the world is this project's, Z up."""
    return np.stack([camera.at(t) for t in range(length)]).astype(np.float32)


def intrinsics(camera: Camera, length: int) -> np.ndarray:
    """(T, 3, 3) float32 K in pixels, for integer pixel centres."""
    return np.stack([camera.lens(t) for t in range(length)]).astype(np.float32)


def camera_from_matrices(world_to_camera: np.ndarray, k: np.ndarray, width: int, height: int) -> Camera:
    """Camera of another pack's matrices.

    Args:
        world_to_camera: (4, 4), (3, 4), or a batch of them, OpenCV axes, metres.
        k: (3, 3), or a batch of them for a camera that zooms, pixels.
        width, height: pixels.
    """
    pose, k = np.asarray(world_to_camera, np.float64), np.asarray(k, np.float64)
    if pose.ndim not in (2, 3) or pose.shape[-2:] not in ((4, 4), (3, 4)):
        raise ValueError(f"Expected extrinsics of shape (4, 4) or (T, 4, 4), found {pose.shape}: connect world-to-camera matrices.")
    if k.ndim not in (2, 3) or k.shape[-2:] != (3, 3):
        raise ValueError(f"Expected intrinsics of shape (3, 3) or (T, 3, 3), found {k.shape}.")
    if not (np.isfinite(pose).all() and np.isfinite(k).all()):
        raise ValueError("Expected camera matrices of finite numbers, found infinite or missing ones.")
    turns = pose[..., :3, :3]
    if np.abs(turns @ np.swapaxes(turns, -1, -2) - np.eye(3)).max() > 1e-3 or np.linalg.det(turns).min() < 0:
        raise ValueError("Expected rotations without scale or mirror in the extrinsics, found other matrices: give metres and OpenCV axes.")
    if k[..., [0, 1], [0, 1]].min() <= 0:
        raise ValueError(f"Expected focal lengths above 0 pixels, found {k[..., [0, 1], [0, 1]].min():g}.")
    if k.ndim == 3 and np.abs(k - k[0]).max() <= SAME * np.abs(k[0]).max():
        k = k[0]
    full = np.tile(np.eye(4), (*pose.shape[:-2], 1, 1))
    full[..., :3, :] = pose[..., :3, :]
    if full.ndim == 3 and len(full) == 1:
        full = full[0]
    if k.ndim == full.ndim == 3 and len(k) != len(full):
        raise ValueError(f"Expected as many intrinsics as extrinsics, or one, found {len(k)} and {len(full)}: cut the longer ones.")
    return Camera(k, full, width, height)


def to_load3d(camera: Camera, frame: int = 0, distance: float = 1.0) -> dict:
    """One pose as core's LOAD3D_CAMERA: three.js axes, Y up; the target lies ``distance`` metres ahead.

    The viewer has square pixels and no principal point, so an off-centre or stretched lens is only approximated, with a log line.
    """
    k = camera.lens(frame)
    centre = (np.array([camera.width, camera.height]) - 1) / 2
    if np.abs(k[:2, 2] - centre).max() > 1 or abs(k[0, 0] / k[1, 1] - 1) > 0.01:
        log.warning("A 3D viewer has no off-centre or stretched lens: its picture differs a little from this camera's.")
    pose = camera.at(frame)
    eye = -pose[:3, :3].T @ pose[:3, 3]
    axes = VIEWER_TO_WORLD.T @ pose[:3, :3].T @ np.diag([1.0, -1.0, -1.0])
    from scipy.spatial.transform import Rotation

    quaternion = Rotation.from_matrix(axes).as_quat()
    return {
        "position": _named(VIEWER_TO_WORLD.T @ eye),
        "target": _named(VIEWER_TO_WORLD.T @ (eye + distance * pose[2, :3])),
        "quaternion": _named(quaternion),
        "zoom": 1.0,
        "cameraType": "perspective",
        "fov": field_of_view(k, camera.height),
        "aspect": camera.width / camera.height,
        "near": 0.01,
        "far": 100.0,
    }


def to_cameractrl(camera: Camera, length: int) -> list[list[float]]:
    """CAMERACTRL_POSES: for each frame [time, fx, fy, cx, cy, 0, 0, world_to_camera rows], intrinsics as shares of the picture.

    The layout of RealEstate10K; there the picture's corner is (0, 0), half a pixel before the centre of our first pixel.
    """
    size = np.array([camera.width, camera.height])

    def line(t: int) -> list[float]:
        k = camera.lens(t)
        return [float(v) for v in (t, *(k[[0, 1], [0, 1]] / size), *((k[:2, 2] + 0.5) / size), 0, 0, *camera.at(t)[:3].ravel())]

    return [line(t) for t in range(length)]


def _named(values: np.ndarray) -> dict[str, float]:
    """A viewer's {"x", "y", "z"} or {"x", "y", "z", "w"}."""
    return {axis: float(value) for axis, value in zip("xyzw", values, strict=False)}
