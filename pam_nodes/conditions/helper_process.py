"""The process beside another that draws some of its frames, started and asked by ``helpers``.

It speaks lines of JSON on its first standard output; scenes and pictures are files.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np

from ..geometry.camera import Camera
from .backends import NumpyDrawer
from .frames import BYTES, Frames
from .meshes import MeshTrack
from .scene import Scene

ARRAYS = ("vertices", "faces", "normals", "normal_faces", "poses")
"""Of a mesh track, each a file."""
OUTPUTS = ("depth", "ids", "normals")
"""In the order of ``Frames.buffers``."""


def outputs(path: Path, shape: tuple[int, int, int]) -> dict[str, np.ndarray]:
    """Room for (T, H, W) frames in a file: depth, ids and normals as in ``Frames``."""
    kinds = {"depth": (np.float32, shape), "ids": (np.uint8, shape), "normals": (np.uint8, (*shape, 3))}
    found, offset = {}, 0
    for name in OUTPUTS:
        kind, size = kinds[name]
        found[name] = np.memmap(path, kind, "r+", offset, tuple(size))
        offset += BYTES[name] * int(np.prod(shape))
    return found


class Desk:
    """The scene that is drawn, and where to leave its frames."""

    def __init__(self, folder: Path, instances: list[int], output: Path, shape: list[int]):
        tracks = [MeshTrack(instance=instance, **_arrays(folder, index)) for index, instance in enumerate(instances)]
        _, height, width = shape
        lens = {name: np.load(folder / f"{name}.npy") for name in ("intrinsics", "world_to_camera")}
        self.drawer = NumpyDrawer(Scene(tracks), Camera(**lens, width=width, height=height))
        self.outputs = outputs(output, tuple(shape))

    def draw(self, first: int, count: int, want: list[str]) -> None:
        """Draw some frames from ``first`` on."""
        for name in want:
            self.outputs[name][:count] = 0
        self.drawer.draw(first, Frames(*(self.outputs[name][:count] if name in want else None for name in OUTPUTS)))


def _arrays(folder: Path, index: int) -> dict[str, np.ndarray]:
    """Of one track; those of each frame stay on file until they are asked for."""
    paths = {name: folder / f"{index}_{name}.npy" for name in ARRAYS}
    found = {name: np.load(path, mmap_mode="r").view(np.ndarray) for name, path in paths.items() if path.exists()}
    return {name: array if array.ndim == 3 else np.array(array, order="K") for name, array in found.items()}


def main() -> None:
    """Answer requests until the input ends."""
    out, desk = os.fdopen(os.dup(1), "w"), None
    os.dup2(2, 1)  # whatever a library prints must not reach the protocol

    def answer(**message) -> None:
        out.write(json.dumps(message) + "\n")
        out.flush()

    answer(ready=True)
    for line in sys.stdin:
        try:
            job = json.loads(line)
            if "scene" not in job:
                desk.draw(job["first"], job["count"], job["want"])
            else:
                about = job["scene"]
                desk = about and Desk(Path(about["folder"]), about["instances"], Path(about["output"]), about["shape"])
            answer(done=True)
        except Exception as problem:  # whatever it is, the other side draws instead
            answer(error=f"{type(problem).__name__}: {problem}")
