"""pyrender as a renderer, in a supervised process of its own.

pyrender cannot draw inside a ComfyUI process, whose OpenGL is bound to another library (rendering.md, section 2.1). The child gets a clean
environment; it must say that it is ready, answer in time, and is started once more if it dies. After that the drawer's fallback takes over.
The last child is kept a while for the next clip of its size, as its start takes longer than most clips.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
from pathlib import Path

import numpy as np

from ..geometry.camera import Camera
from .backends import Drawer
from .child import Child, ChildError, Waiting, new_folder, reserve
from .frames import Frames
from .gl_worker import projection
from .meshes import MeshTrack
from .scene import Scene

START_SECONDS, DRAW_SECONDS = 60.0, 120.0
OFF = "PAM_NO_GL"
PLATFORMS = ("egl", "osmesa") if sys.platform.startswith("linux") else (None,)
log = logging.getLogger(__name__)


def start(width: int, height: int) -> Child:
    """A child that draws pictures of one size; what draws is in ``ready["driver"]``.

    Raises:
        ChildError: on no platform.
    """
    if os.environ.get(OFF):
        raise ChildError(f"the environment variable {OFF} is set")
    problems = []
    for platform in PLATFORMS:
        environment = {name: value for name, value in os.environ.items() if name != "PYOPENGL_PLATFORM"}
        if platform:
            environment["PYOPENGL_PLATFORM"] = platform
        command = [_python(), "-u", str(Path(__file__).with_name("gl_worker.py")), str(width), str(height)]
        try:
            return Child(_kind(width, height), command, environment, START_SECONDS)
        except ChildError as problem:
            problems.append(f"{platform or 'window'}: {problem}")
    raise ChildError("; ".join(problems))


def _kind(width: int, height: int) -> tuple:
    """What a child is good for; none where it is switched off."""
    return _python(), width, height, os.environ.get(OFF)


def _python() -> str:
    """The Python that has pyrender."""
    return os.environ.get("PAM_GL_PYTHON", sys.executable)


waiting = Waiting()


class PyrenderDrawer:
    """Draws batches of frames in a child process; what that cannot draw, the fallback draws."""

    threads = 1
    batch = 16

    def __init__(self, scene: Scene, camera: Camera, fallback: Drawer):
        self.scene, self.camera, self.fallback = scene, camera, fallback
        self.worker: Child | None = None
        self.folder: Path | None = None
        self.failures = 0

    def draw(self, first: int, frames: Frames) -> None:
        """See ``backends.Drawer``."""
        while self.failures < 2:
            try:
                return self._draw(first, frames)
            except (ChildError, OSError) as problem:
                self.failures += 1
                if self.worker:
                    self.worker.close()
                self.worker = None
                if self.failures == 2:
                    log.warning("pyrender cannot draw (%s): drawing with the built-in renderer instead.", problem)
        for row in range(len(frames)):
            self.fallback.draw(first + row, frames.part(row, row + 1))

    def close(self) -> None:
        """Let the child process wait for the next clip and remove this one's files."""
        if self.worker:
            try:
                self.worker.ask(DRAW_SECONDS, scene=None)
                waiting.put(self.worker)
            except ChildError as problem:
                log.debug("pyrender has gone: %s", problem)
            self.worker = None
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = None
        self.fallback.close()

    def _draw(self, first: int, frames: Frames) -> None:
        if self.worker is None:
            size = self.camera.width, self.camera.height
            self.worker = waiting.take(_kind(*size), lambda: start(*size))
            self._send_scene()
        size, count = (self.camera.height, self.camera.width), len(frames)
        self.worker.ask(DRAW_SECONDS, first=first, count=count, depth=str(self.folder / "depth"), packed=str(self.folder / "packed"))
        depth = np.memmap(self.folder / "depth", np.float32, "r", shape=(count, *size))
        packed = np.memmap(self.folder / "packed", np.uint8, "r", shape=(count, *size, 4))
        if frames.depth is not None:
            frames.depth[...] = depth
        if frames.instance_ids is not None:
            frames.instance_ids[...] = packed[..., 3]
        if frames.normals is not None:
            frames.normals[...] = packed[..., :3]

    def _send_scene(self) -> None:
        """Write meshes and matrices to files the child reads, and make room for its pictures."""
        if self.folder is None:
            self.folder = new_folder("pam-gl-")
            for i, track in enumerate(self.scene.tracks):
                points, faces = joined_points(track)
                np.save(self.folder / f"{i}_points.npy", points)
                np.save(self.folder / f"{i}_faces.npy", faces)
                np.save(self.folder / f"{i}_matrices.npy", np.stack([track.pose(t, self.camera.at(t)) for t in range(self._frames())]))
            lenses = [projection(self.camera.lens(t), self.camera.width, self.camera.height) for t in range(self._frames())]
            np.save(self.folder / "projections.npy", np.stack(lenses))
            pixels = self.batch * self.camera.height * self.camera.width
            for name in ("depth", "packed"):
                reserve(self.folder / name, 4 * pixels)
        instances = [track.instance for track in self.scene.tracks]
        self.worker.ask(DRAW_SECONDS, scene={"folder": str(self.folder), "instances": instances})

    def _frames(self) -> int:
        return min(len(self.scene), self.camera.length or len(self.scene))


def joined_points(track: MeshTrack) -> tuple[np.ndarray, np.ndarray]:
    """(T or 1, P, 6) float32 positions with normals, one for each pair in use, and (F, 3) uint32 index into them."""
    pairs, faces = np.unique(track.faces.astype(np.int64) << 32 | track.normal_faces, return_inverse=True)
    points = np.concatenate([track.vertices[..., pairs >> 32, :], track.normals[..., pairs & 0xFFFFFFFF, :]], axis=-1)
    points = points if points.ndim == 3 else points[None]
    return np.ascontiguousarray(points, np.float32), faces.reshape(-1, 3).astype(np.uint32)
