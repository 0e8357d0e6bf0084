"""pyrender as a renderer, in a supervised process of its own.

pyrender cannot draw inside a ComfyUI process, whose OpenGL is bound to another library (rendering.md, section 2.1). The child gets a clean
environment; it must say that it is ready, answer in time, and is started once more if it dies. After that the drawer's fallback takes over.
The last child is kept for the next clip of its size for ``IDLE_SECONDS``, as its start takes longer than most clips.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np

from ..geometry.camera import Camera
from .backends import Drawer
from .frames import Frames
from .gl_worker import projection
from .meshes import MeshTrack
from .scene import Scene

START_SECONDS, DRAW_SECONDS, IDLE_SECONDS = 60.0, 120.0, 60.0
PLATFORMS = ("egl", "osmesa") if sys.platform.startswith("linux") else (None,)
log = logging.getLogger(__name__)


class GlError(RuntimeError):
    """The child process cannot draw; the text says why."""


class Worker:
    """A running child process that draws pictures of one size."""

    def __init__(self, width: int, height: int):
        if os.environ.get("PAM_NO_GL"):
            raise GlError("the environment variable PAM_NO_GL is set")
        self.kind = _python(), width, height
        problems = []
        for platform in PLATFORMS:
            try:
                self._start(platform, width, height)
                return
            except GlError as problem:
                problems.append(f"{platform or 'window'}: {problem}")
        raise GlError("; ".join(problems))

    def _start(self, platform: str | None, width: int, height: int) -> None:
        environment = {name: value for name, value in os.environ.items() if name != "PYOPENGL_PLATFORM"}
        if platform:
            environment["PYOPENGL_PLATFORM"] = platform
        command = [_python(), "-u", str(Path(__file__).with_name("gl_worker.py")), str(width), str(height)]
        try:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
            )
        except OSError as problem:
            raise GlError(str(problem)) from problem
        self.answers: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._listen, args=(self.process.stdout,), daemon=True).start()
        self.driver = self._answer(START_SECONDS)["driver"]

    def _listen(self, stream) -> None:
        with stream:
            for line in stream:
                self.answers.put(line)
        self.answers.put(None)

    def ask(self, **job) -> None:
        """Send a request and wait until it is done; raises GlError."""
        try:
            self.process.stdin.write(json.dumps(job) + "\n")
            self.process.stdin.flush()
        except OSError as problem:
            self.close()
            raise GlError("the process has ended") from problem
        self._answer(DRAW_SECONDS)

    def _answer(self, seconds: float) -> dict:
        try:
            line = self.answers.get(timeout=seconds)
            message = {"error": "the process has ended"} if line is None else json.loads(line)
        except (queue.Empty, ValueError) as problem:
            message = {"error": f"no answer within {seconds:.0f} s" if isinstance(problem, queue.Empty) else "an answer that is not JSON"}
        if "error" in message:
            self.close()
            raise GlError(message["error"])
        return message

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()
        # What an ended process has not read is flushed once more here, which fails again.
        with suppress(OSError):
            self.process.stdin.close()


def _python() -> str:
    """The Python that has pyrender."""
    return os.environ.get("PAM_GL_PYTHON", sys.executable)


class Waiting:
    """The place of one idle worker, who goes when nobody has come for it in time."""

    def __init__(self):
        self.lock, self.worker, self.timer = threading.Lock(), None, None

    def take(self, width: int, height: int) -> Worker:
        """The waiting worker if it is of this size and alive, else a new one."""
        worker = self._leave()
        if worker is not None:
            if worker.kind == (_python(), width, height) and worker.process.poll() is None and not os.environ.get("PAM_NO_GL"):
                return worker
            worker.close()
        return Worker(width, height)

    def put(self, worker: Worker) -> None:
        """Let a worker wait; the one before it goes."""
        before = self._leave()
        if before is not None:
            before.close()
        with self.lock:
            self.worker, self.timer = worker, threading.Timer(IDLE_SECONDS, self._end, [worker])
            self.timer.daemon = True
            self.timer.start()

    def _leave(self) -> Worker | None:
        with self.lock:
            worker, timer = self.worker, self.timer
            self.worker = self.timer = None
        if timer is not None:
            timer.cancel()
        return worker

    def _end(self, worker: Worker) -> None:
        with self.lock:
            if self.worker is not worker:
                return
            self.worker = self.timer = None
        worker.close()


waiting = Waiting()


class PyrenderDrawer:
    """Draws batches of frames in a child process; what that cannot draw, the fallback draws."""

    threads = 1
    batch = 16

    def __init__(self, scene: Scene, camera: Camera, fallback: Drawer):
        self.scene, self.camera, self.fallback = scene, camera, fallback
        self.worker: Worker | None = None
        self.folder: Path | None = None
        self.failures = 0

    def draw(self, first: int, frames: Frames) -> None:
        """See ``backends.Drawer``."""
        while self.failures < 2:
            try:
                return self._draw(first, frames)
            except GlError as problem:
                self.failures += 1
                self.worker = None
                if self.failures == 2:
                    log.warning("pyrender cannot draw (%s): drawing with the built-in renderer instead.", problem)
        for row in range(len(frames)):
            self.fallback.draw(first + row, frames.part(row, row + 1))

    def close(self) -> None:
        """Let the child process wait for the next clip and remove this one's files."""
        if self.worker:
            try:
                self.worker.ask(scene=None)
                waiting.put(self.worker)
            except GlError as problem:
                log.debug("pyrender has gone: %s", problem)
            self.worker = None
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = None

    def _draw(self, first: int, frames: Frames) -> None:
        size = self.camera.height, self.camera.width
        if self.worker is None:
            self.worker = waiting.take(self.camera.width, self.camera.height)
            self._send_scene()
        count = len(frames)
        self.worker.ask(first=first, count=count, depth=str(self.folder / "depth"), packed=str(self.folder / "packed"))
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
            memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
            self.folder = Path(tempfile.mkdtemp(prefix="pam-gl-", dir=memory))
            for i, track in enumerate(self.scene.tracks):
                points, faces = joined_points(track)
                np.save(self.folder / f"{i}_points.npy", points)
                np.save(self.folder / f"{i}_faces.npy", faces)
                np.save(self.folder / f"{i}_matrices.npy", np.stack([track.pose(t, self.camera.at(t)) for t in range(self._frames())]))
            lenses = [projection(self.camera.lens(t), self.camera.width, self.camera.height) for t in range(self._frames())]
            np.save(self.folder / "projections.npy", np.stack(lenses))
            pixels = self.batch * self.camera.height * self.camera.width
            for name in ("depth", "packed"):
                with open(self.folder / name, "wb") as file:
                    file.truncate(4 * pixels)
        instances = [track.instance for track in self.scene.tracks]
        self.worker.ask(scene={"folder": str(self.folder), "instances": instances})

    def _frames(self) -> int:
        return min(len(self.scene), self.camera.length or len(self.scene))


def joined_points(track: MeshTrack) -> tuple[np.ndarray, np.ndarray]:
    """(T or 1, P, 6) float32 positions with normals, one for each pair in use, and (F, 3) uint32 index into them."""
    pairs, faces = np.unique(track.faces.astype(np.int64) << 32 | track.normal_faces, return_inverse=True)
    points = np.concatenate([track.vertices[..., pairs >> 32, :], track.normals[..., pairs & 0xFFFFFFFF, :]], axis=-1)
    points = points if points.ndim == 3 else points[None]
    return np.ascontiguousarray(points, np.float32), faces.reshape(-1, 3).astype(np.uint32)
