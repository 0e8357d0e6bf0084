"""The process beside another that draws some of its frames, started and asked by ``helpers``. Scenes and pictures are files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..geometry.camera import Camera
from .backends import NumpyDrawer
from .frames import Frames, mapped_frames
from .gl_worker import converse
from .meshes import MeshTrack
from .scene import Scene

ARRAYS = ("vertices", "faces", "normals", "normal_faces", "poses")
"""Of a mesh track, each a file."""


class Desk:
    """The scene that is drawn, and where to leave its frames."""

    def __init__(self, folder: Path, instances: list[int], output: Path, shape: list[int]):
        tracks = [MeshTrack(instance=instance, **_arrays(folder, index)) for index, instance in enumerate(instances)]
        _, height, width = shape
        lens = {name: np.load(folder / f"{name}.npy") for name in ("intrinsics", "world_to_camera")}
        self.drawer = NumpyDrawer(Scene(tracks), Camera(**lens, width=width, height=height))
        self.frames = mapped_frames(output, *shape)

    def draw(self, first: int, count: int, want: list[bool]) -> None:
        """Draw some frames from ``first`` on; want: which of ``Frames.buffers``."""
        frames = Frames(*(buffer[:count] if wanted else None for buffer, wanted in zip(self.frames.buffers, want, strict=True)))
        for buffer in frames.buffers:
            if buffer is not None:
                buffer[...] = 0
        self.drawer.draw(first, frames)


def _arrays(folder: Path, index: int) -> dict[str, np.ndarray]:
    """Of one track; those of each frame stay on file until they are asked for."""
    paths = {name: folder / f"{index}_{name}.npy" for name in ARRAYS}
    found = {name: np.load(path, mmap_mode="r").view(np.ndarray) for name, path in paths.items() if path.exists()}
    return {name: array if array.ndim == 3 else np.array(array, order="K") for name, array in found.items()}


def main() -> None:
    """Draw until the input ends."""
    desk: Desk | None = None

    def serve(job: dict) -> None:
        nonlocal desk
        if "scene" not in job:
            desk.draw(job["first"], job["count"], job["want"])
            return
        about = job["scene"]
        desk = about and Desk(Path(about["folder"]), about["instances"], Path(about["output"]), about["shape"])

    converse(lambda: ({}, serve))
