"""Who draws: NumPy, compiled loops, torch, or pyrender in a process of its own. All draw the same picture."""

from __future__ import annotations

import logging
from functools import cache
from typing import Protocol

import numpy as np

from ..geometry.camera import Camera
from .colormap import as_pixels
from .frames import Frames
from .scene import NUMPY, Loops, Scene, View
from .threads import THREADS
from .triangles import NEAR

MANY_FACES, MANY_PIXELS = 1 << 15, 1 << 17
"""From so many faces, or pixels in the boxes around the meshes, it pays to have other processes help NumPy."""
FEW_FRAMES = 8
"""Fewer are drawn before a helper comes."""
BACKENDS = ("auto", "numpy", "numba", "torch", "pyrender")
log = logging.getLogger(__name__)


class Drawer(Protocol):
    """Draws frames of one scene from one camera.

    Attributes:
        threads: how many calls of ``draw`` may run at once.
        batch: how many frames to give to a call.
    """

    threads: int
    batch: int

    def draw(self, first: int, frames: Frames) -> None:
        """Fill the depth, ids and normals that are not None, all zero before, beginning with frame ``first`` of the scene."""

    def close(self) -> None:
        """Let go of everything."""


def chosen(backend: str) -> str:
    """The backend to use; "auto" is numba where it works, torch where it has CUDA, else NumPy.

    Raises:
        ValueError: an unknown name, or a backend that is not installed.
    """
    if backend not in BACKENDS:
        raise ValueError(f'Expected the renderer {", ".join(BACKENDS)}, found "{backend}".')
    if backend == "numba" and not numba_works():
        raise ValueError('The renderer "numba" needs the package numba, which cannot be imported: install it, or choose "auto".')
    if backend != "auto":
        return backend
    return "numba" if numba_works() else "torch" if cuda_works() else "numpy"


@cache
def numba_works() -> bool:
    """Whether the compiled loops can be made."""
    try:
        from . import raster_numba  # noqa: F401
    except ImportError as problem:
        log.debug("Drawing without numba: %s", problem)
        return False
    return True


def cuda_works() -> bool:
    """Whether torch has a CUDA device."""
    import torch

    return torch.cuda.is_available()


def drawer_for(backend: str, scene: Scene, camera: Camera) -> Drawer:
    """A drawer of a ``chosen`` backend."""
    if backend == "torch":
        from .raster_torch import TorchDrawer

        return TorchDrawer(scene, camera)
    if backend == "pyrender":
        from .gl_client import PyrenderDrawer

        return PyrenderDrawer(scene, camera, drawer_for(chosen("auto"), scene, camera))
    if backend == "numba":
        return NumbaDrawer(scene, camera)
    if len(scene) >= FEW_FRAMES and (len(scene.faces) >= MANY_FACES or boxed_pixels(scene, camera) >= MANY_PIXELS):
        from .helpers import SharedDrawer

        return SharedDrawer(scene, camera)
    return NumpyDrawer(scene, camera)


def loops_for(backend: str = "auto") -> Loops:
    """The loops that go with a backend, for what is drawn by the scene itself: shading, shadows, flow."""
    if backend == "numba" or (backend != "numpy" and numba_works()):
        from . import raster_numba

        return Loops(raster_numba.rasterize, raster_numba.normals)
    return NUMPY


class NumpyDrawer:
    """One frame at a time with array operations; threads would only wait for each other's interpreter lock."""

    batch = threads = 1

    def __init__(self, scene: Scene, camera: Camera):
        self.scene, self.camera = scene, camera

    def close(self) -> None:
        """Nothing is held."""

    def draw(self, first: int, frames: Frames) -> None:
        """See ``Drawer``."""
        for row in range(len(frames)):
            if frames.normals is None:
                store(frames, row, *self.scene.visible(first + row, self.camera))
            else:
                store_view(frames, row, self.scene.view(first + row, self.camera))


def boxed_pixels(scene: Scene, camera: Camera) -> float:
    """Pixels in the boxes around each mesh in the first frame: what it covers, and not much more."""
    x, y, z = scene.vertices(0, camera.at(0)).T
    k, z = camera.lens(0), np.maximum(z, NEAR)
    sides = []
    for place, focal, centre, most in ((x, k[0, 0], k[0, 2], camera.width), (y, k[1, 1], k[1, 2], camera.height)):
        seen = np.clip(place / z * focal + centre, 0, most)
        starts = scene.first_vertex[:-1]
        sides.append(np.maximum.reduceat(seen, starts) - np.minimum.reduceat(seen, starts))
    return float(sides[0] @ sides[1])


class NumbaDrawer(NumpyDrawer):
    """One frame at a time with compiled loops."""

    threads = THREADS

    def draw(self, first: int, frames: Frames) -> None:
        """See ``Drawer``."""
        from . import raster_numba

        for row in range(len(frames)):
            raster_numba.draw(self.scene, first + row, self.camera, frames, row)


def store_view(frames: Frames, row: int, view: View) -> None:
    """Write one frame; normals as colours: x right, y up, z to the viewer."""
    hit = view.surface.hit
    store(frames, row, hit, view.surface.z, view.instance)
    if frames.normals is not None:
        colors = np.empty(view.normals.shape, np.uint8)
        for k, sign in enumerate((127.5, -127.5, -127.5)):
            value = view.normals[:, k] * np.float32(sign)
            value += np.float32(128)
            colors[:, k] = value
        as_pixels(frames.normals[row])[hit] = as_pixels(colors)


def store(frames: Frames, row: int, hit: np.ndarray, z: np.ndarray, instance: np.ndarray) -> None:
    """Write depth and ids of the pixels that were hit, (H * W,) bool, where they are wanted."""
    if frames.depth is not None:
        frames.depth[row].reshape(-1)[hit] = z
    if frames.instance_ids is not None:
        frames.instance_ids[row].reshape(-1)[hit] = instance
