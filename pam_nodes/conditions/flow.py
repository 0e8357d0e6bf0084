"""Exact optical flow of a trajectory, and its colours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry.camera import Camera
from ..progress import Progress, silent
from .colormap import as_pixels
from .material import look, sees
from .scene import Scene
from .threads import in_order

UNKNOWN, VISIBLE, OCCLUDED = range(3)
WHEEL_STEPS = ((15, (255, 0, 0), (255, 255, 0)), (6, (255, 255, 0), (0, 255, 0)), (4, (0, 255, 0), (0, 255, 255)))
WHEEL_STEPS += ((11, (0, 255, 255), (0, 0, 255)), (13, (0, 0, 255), (255, 0, 255)), (6, (255, 0, 255), (255, 0, 0)))
"""Steps from one colour to the next around the Middlebury wheel (Baker et al. 2011)."""


@dataclass(frozen=True, eq=False)
class FlowVideo:
    """Forward flow of a clip.

    Attributes:
        flow: (T, H, W, 2) float32 pixels (right, down): what a pixel of frame t sees is that much farther in frame t + 1; zero in the last
            frame and where it is unknown.
        state: (T, H, W) uint8: UNKNOWN where nothing is seen, VISIBLE if the point is seen in the next frame too, OCCLUDED if it is hidden
            or outside the picture there. The last frame is UNKNOWN.
    """

    flow: np.ndarray
    state: np.ndarray


def render_flow(scene: Scene, camera: Camera, length: int, table: bool = False, progress: Progress = silent) -> FlowVideo:
    """Flow from the motion of the surfaces themselves, nothing is estimated.

    Args:
        scene: the meshes.
        camera: fixed or moving.
        length: frames.
        table: the table top (z = 0) has flow too, which matters when the camera moves.
        progress: called once a frame.
    """
    shape = (length, camera.height, camera.width)
    flow, state = np.zeros((*shape, 2), np.float32), np.zeros(shape, np.uint8)
    with in_order(lambda t: look(scene, camera, t, table), length) as sights:
        now = next(sights)
        for t, after in enumerate(sights):
            material = now.material
            target, _, seen = sees(camera, t + 1, after.depth, material.at(scene, t + 1))
            row = material.pixels // camera.width
            way = target - np.stack([material.pixels - row * camera.width, row], axis=1)
            _as_vectors(flow[t])[material.pixels] = _as_vectors(way.astype(np.float32))
            state[t].reshape(-1)[material.pixels] = np.where(seen, VISIBLE, OCCLUDED)
            now = after
            progress(t + 1, length)
    progress(length, length)
    return FlowVideo(flow, state)


def as_vectors(video: FlowVideo) -> np.ndarray:
    """(T, H, W, 3) float32: pixels right, pixels down, and 1 where the point stays visible, 0.5 where it is occluded, 0 where unknown."""
    known = np.array([0, 1, 0.5], np.float32)[video.state]
    return np.concatenate([video.flow, known[..., None]], axis=3)


def colorize_flow(flow: np.ndarray, state: np.ndarray, largest: float = 0.0) -> np.ndarray:
    """Flow as the Middlebury colour wheel: hue is direction, white is no motion, full colour the largest one.

    Args:
        flow, state: of a ``FlowVideo``.
        largest: pixels a frame that get full colour; 0 takes the 99th percentile of the clip. Faster motion is darker.

    Returns:
        (T, H, W, 3) uint8; black where the flow is unknown.
    """
    known = state != UNKNOWN
    if largest <= 0:
        speed = np.hypot(*np.moveaxis(flow[known], -1, 0)) if known.any() else np.zeros(1)
        largest = max(float(np.percentile(speed, 99)), 1e-3)
    wheel = _wheel()
    pictures = np.zeros((*state.shape, 3), np.uint8)
    for vectors, has, picture in zip(flow, known, pictures, strict=True):
        hit = np.flatnonzero(has)
        right, down = vectors.reshape(-1, 2)[hit].T / largest
        radius = np.hypot(right, down)
        position = (np.arctan2(-down, -right) / np.pi + 1) / 2 * (len(wheel) - 1)
        low = position.astype(np.int64)
        share, high, slow = position - low, (low + 1) % len(wheel), radius <= 1
        colors = np.empty((len(hit), 3), np.uint8)
        for channel, steps in zip(colors.T, wheel.T, strict=True):
            color = (1 - share) * steps.take(low) + share * steps.take(high)
            channel[...] = np.where(slow, 255 - radius * (255 - color), 0.75 * color)
        as_pixels(picture)[hit] = as_pixels(colors)
    return pictures


def _as_vectors(flow: np.ndarray) -> np.ndarray:
    """Contiguous (..., 2) float32 as a flat view of whole vectors, which NumPy moves faster than rows of two numbers."""
    return flow.reshape(-1, 2).view("V8")[:, 0]


def _wheel() -> np.ndarray:
    """(55, 3) float colours."""
    parts = [np.linspace(start, end, steps, endpoint=False) for steps, start, end in WHEEL_STEPS]
    return np.concatenate(parts)
