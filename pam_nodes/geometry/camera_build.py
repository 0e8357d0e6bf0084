"""Cameras from what people say: an orbit, "fit everything", or the viewpoint of a 3D viewer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .camera import Camera
from .rotations import pose_matrix

VIEWER_TO_WORLD = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""three.js (Y up) to the project's world (Z up)."""
VIEWER_FOV = 35.0
"""Degrees, for a viewer camera that does not state its own."""


def project(camera: Camera, points: np.ndarray, frame: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """World points to pixels: the one place that knows that pixel centres are integers.

    Args:
        camera: the camera.
        points: (..., 3) metres, world.
        frame: which pose and lens of a moving camera.

    Returns:
        (..., 2) float64 pixel (u, v), where (0, 0) is the centre of the top-left pixel, and (...) camera z in metres; points at z <= 0 have
        no meaningful pixel.
    """
    pose, k = camera.at(frame), camera.lens(frame)
    turned = points @ pose[:3, :3].T
    x, y, z = (turned[..., i] + pose[i, 3] for i in range(3))
    with np.errstate(divide="ignore", invalid="ignore"):
        pixels = np.stack([x / z * k[0, 0] + k[0, 2], y / z * k[1, 1] + k[1, 2]], axis=-1)
    return pixels, z


def unproject(intrinsics: np.ndarray, pixels: np.ndarray, z: np.ndarray) -> np.ndarray:
    """The inverse of ``project``: (T, ..., 2) pixels and (T, ...) metres of camera z to (T, ..., 3) metres, camera frame.

    Args:
        intrinsics: (3, 3) K, or (T, 3, 3), one a frame.
        pixels, z: as ``project`` gives them.
    """
    k = intrinsics.reshape(-1, *(1,) * (z.ndim - 1), 3, 3)
    focal, centre = np.stack([k[..., 0, 0], k[..., 1, 1]], axis=-1), k[..., :2, 2]
    return np.concatenate([(pixels - centre) / focal * z[..., None], z[..., None]], axis=-1)


def intrinsics_from_fov(fov: float, width: int, height: int) -> np.ndarray:
    """(3, 3) K of square pixels from the vertical field of view in degrees, optical axis at the picture's centre."""
    if not 0 < fov < 180:
        raise ValueError(f"Expected a vertical field of view between 0 and 180 degrees, found {fov:g}.")
    focal = height / (2 * np.tan(np.radians(fov) / 2))
    return np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])


def orbit_rotation(azimuth: float, elevation: float) -> np.ndarray:
    """(3, 3) world_to_camera rotation of a camera that looks at its target.

    Args:
        azimuth: degrees; 0 stands on the world's -y side, looking along +y, with x to the right; positive goes towards +x.
        elevation: degrees above the table; 90 looks straight down with +y at the top.
    """
    a, e = np.radians([azimuth, elevation])
    right = np.array([np.cos(a), np.sin(a), 0.0])
    forward = -np.array([np.sin(a) * np.cos(e), -np.cos(a) * np.cos(e), np.sin(e)])
    return np.stack([right, np.cross(forward, right), forward])


def orbit_camera(
    target: np.ndarray,
    distance: float,
    azimuth: float,
    elevation: float,
    fov: float,
    width: int,
    height: int,
    intrinsics: np.ndarray | None = None,
) -> Camera:
    """Camera at a distance from a target, which comes to the principal point.

    Args:
        target: (3,) metres, world.
        distance: metres.
        azimuth, elevation: degrees, see ``orbit_rotation``.
        fov: vertical field of view, degrees.
        width, height: pixels.
        intrinsics: (3, 3) K to use instead of ``fov``.
    """
    if distance <= 0:
        raise ValueError(f"Expected a camera distance above 0 m, found {distance:g}.")
    rotation = orbit_rotation(azimuth, elevation)
    intrinsics = intrinsics_from_fov(fov, width, height) if intrinsics is None else intrinsics
    return camera_at(rotation, np.asarray(target) - distance * rotation[2], intrinsics, width, height)


def auto_frame(
    points: np.ndarray,
    azimuth: float,
    elevation: float,
    fov: float,
    width: int,
    height: int,
    margin: float = 0.08,
    intrinsics: np.ndarray | None = None,
) -> Camera:
    """The closest camera of a given direction that keeps every point of the whole motion in the picture.

    In camera axes each point p limits the eye c by low (p_z - c_z) <= p_x - c_x <= high (p_z - c_z), where low and high are the slopes of
    the picture's borders, and likewise in y; the four planes that touch the points give the eye in closed form.

    Args:
        points: (..., 3) metres, world, all frames of all meshes.
        azimuth, elevation: degrees, see ``orbit_rotation``.
        fov: vertical field of view, degrees.
        width, height: pixels.
        margin: share of the picture's width and height left free at each side, 0 to 0.45.
        intrinsics: (3, 3) K to use instead of ``fov``; the principal point may be anywhere.
    """
    if not 0 <= margin <= 0.45:
        raise ValueError(f"Expected a margin between 0 and 0.45, found {margin:g}.")
    intrinsics = intrinsics_from_fov(fov, width, height) if intrinsics is None else intrinsics
    rotation = orbit_rotation(azimuth, elevation)
    local = np.asarray(points, np.float64).reshape(-1, 3) @ rotation.T
    size, focal, centre = np.array([width - 1, height - 1]), intrinsics[[0, 1], [0, 1]], intrinsics[:2, 2]
    low, high = (size * margin - centre) / focal, (size * (1 - margin) - centre) / focal
    least = (local[:, :2] - high * local[:, 2:]).max(axis=0)
    most = (local[:, :2] - low * local[:, 2:]).min(axis=0)
    nearest = 0.05
    depth = min(((most - least) / (high - low)).min(), local[:, 2].min() - nearest)
    eye = np.array([*(least + most + (low + high) * depth) / 2, depth])
    return camera_at(rotation, rotation.T @ eye, intrinsics, width, height)


def from_load3d(info: Mapping, width: int, height: int) -> Camera:
    """Camera of a core 3D viewer (``LOAD3D_CAMERA``: three.js, Y up, looks along -z; position, target, zoom, fov, quaternion).

    The viewer's vertical field of view is kept; its aspect ratio is not.
    """
    if info.get("cameraType", "perspective") != "perspective":
        raise ValueError("Expected a perspective viewer camera, found an orthographic one: switch the camera type in the 3D viewer.")
    position = _xyz(info, "position")
    if info.get("quaternion"):
        axes = _quaternion_matrix(*(float(info["quaternion"][k]) for k in "xyzw"))
    else:
        axes = _look_at(position, _xyz(info, "target"))
    rotation = np.diag([1.0, -1.0, -1.0]) @ (VIEWER_TO_WORLD @ axes).T
    intrinsics = intrinsics_from_fov(float(info.get("fov", VIEWER_FOV)), width, height)
    intrinsics[[0, 1], [0, 1]] *= float(info.get("zoom", 1.0))
    return camera_at(rotation, VIEWER_TO_WORLD @ position, intrinsics, width, height)


def camera_at(rotation: np.ndarray, eye: np.ndarray, intrinsics: np.ndarray, width: int, height: int) -> Camera:
    """Camera from its (..., 3, 3) rotations, world to camera, its (..., 3) places in the world, and its K, one or one a frame."""
    pose = pose_matrix(rotation, -(rotation @ eye[..., None])[..., 0])
    return Camera(intrinsics, pose, width, height)


def _xyz(info: Mapping, key: str) -> np.ndarray:
    """A viewer's {"x", "y", "z"} as (3,)."""
    try:
        return np.array([float(info[key][axis]) for axis in "xyz"])
    except (KeyError, TypeError, ValueError):
        raise ValueError(f'Expected a viewer camera with a "{key}" of x, y, z: connect the camera_info output of a Load 3D node.') from None


def _look_at(position: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(3, 3) columns are the camera's x, y, z axes in viewer space, no roll."""
    back = position - target
    if not back.any():
        raise ValueError("Expected a viewer camera away from its target, found both at the same place: move the camera in the 3D viewer.")
    back = back / np.linalg.norm(back)
    up = np.array([0.0, 1.0, 0.0]) if abs(back[1]) < 0.9999 else np.array([0.0, 0.0, -np.sign(back[1])])
    right = np.cross(up, back)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(back, right), back], axis=1)


def _quaternion_matrix(x: float, y: float, z: float, w: float) -> np.ndarray:
    """(3, 3) rotation of a quaternion of any length but zero."""
    x, y, z, w = np.array([x, y, z, w]) / np.linalg.norm([x, y, z, w])
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
