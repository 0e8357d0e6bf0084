"""NumPy's renderer in this process and in a few beside it, which share the frames of a clip.

Threads of one process wait for each other's interpreter lock: two of them gain a sixth on large scenes. The helpers are started when the
first frame is drawn and join in when they are ready; what one of them fails to draw is drawn here.
"""

from __future__ import annotations

import logging
import os
import queue
import shutil
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..geometry.camera import Camera
from .backends import NumpyDrawer
from .child import Child, ChildError, Waiting, new_folder, reserve
from .frames import Frames, frame_bytes, mapped_frames
from .helper_process import ARRAYS
from .scene import Scene
from .threads import THREADS

START_SECONDS, DRAW_SECONDS = 60.0, 120.0
OFF = "PAM_NO_HELPERS"
ROOT = Path(__file__).resolve().parents[2]
SCRIPT = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from pam_nodes.conditions.helper_process import main; main()"
log = logging.getLogger(__name__)
places = [Waiting() for _ in range(THREADS - 1)]
"""Of idle helpers."""


def start() -> Child:
    """A helper; raises ChildError."""
    return Child((), [sys.executable, "-c", SCRIPT], dict(os.environ), START_SECONDS)


@dataclass(frozen=True, eq=False)
class Helper:
    """A child that knows the scene, the place where it waits for the next one, and where it leaves what it draws."""

    child: Child
    place: Waiting
    left: Frames

    def draw(self, first: int, frames: Frames) -> None:
        """See ``backends.Drawer``; raises ChildError."""
        self.child.ask(DRAW_SECONDS, first=first, count=len(frames), want=[target is not None for target in frames.buffers])
        for target, left in zip(frames.buffers, self.left.buffers, strict=True):
            if target is not None:
                target[...] = left[: len(frames)]

    def leave(self) -> None:
        """Forget the scene and wait for the next one."""
        try:
            self.child.ask(DRAW_SECONDS, scene=None)
            self.place.put(self.child)
        except ChildError as problem:
            log.debug("A helper has gone: %s", problem)


class SharedDrawer:
    """Draws a few frames at a time, here or in a helper, whoever is free.

    Args:
        scene, camera: what is drawn.
    """

    batch = 2

    def __init__(self, scene: Scene, camera: Camera):
        self.scene, self.camera, self.own = scene, camera, NumpyDrawer(scene, camera)
        self.places = () if os.environ.get(OFF) else places
        self.threads = 1 + len(self.places)
        self.free: queue.SimpleQueue[Helper | None] = queue.SimpleQueue()
        self.lock, self.folder, self.begun, self.closed = threading.Lock(), None, False, False

    def draw(self, first: int, frames: Frames) -> None:
        """See ``backends.Drawer``."""
        self._begin()
        helper = self.free.get()
        try:
            if helper is not None:
                try:
                    return helper.draw(first, frames)
                except ChildError as problem:
                    log.debug("A helper cannot draw: %s", problem)
                    helper = None
            self.own.draw(first, frames)
        finally:
            self.free.put(helper)

    def close(self) -> None:
        """Let the helpers wait for the next clip and remove this one's files."""
        with self.lock:
            self.closed = True
        while not self.free.empty():
            helper = self.free.get()
            if helper is not None:
                helper.leave()
            helper = None  # and with it the files that are looked at
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _begin(self) -> None:
        """Have the helpers come, once; None in the queue stands for this process."""
        if self.begun:
            return
        with self.lock:
            if self.begun:
                return
            self.begun = True
        self.free.put(None)
        for number in range(len(self.places)):
            threading.Thread(target=self._bring, args=(number,), daemon=True).start()

    def _bring(self, number: int) -> None:
        """Start a helper, or take the one that waits, and tell it the scene if there still is something to draw."""
        try:
            child = self.places[number].take((), start)
        except ChildError as problem:
            log.debug("A helper does not come: %s", problem)
            return
        try:
            with self.lock:
                if not self.closed:
                    self.free.put(self._told(child, number))
                    return
        except (ChildError, OSError) as problem:
            log.debug("A helper cannot be told the scene: %s", problem)
        if child.alive:
            self.places[number].put(child)

    def _told(self, child: Child, number: int) -> Helper:
        """A helper that knows the scene."""
        if self.folder is None:
            folder = new_folder("pam-draw-")
            _write_scene(self.scene, self.camera, folder)
            self.folder = folder
        shape = self.batch, self.camera.height, self.camera.width
        mine = self.folder / str(number)
        reserve(mine, self.batch * shape[1] * shape[2] * frame_bytes(("depth", "ids", "normals")))
        instances = [track.instance for track in self.scene.tracks]
        child.ask(START_SECONDS, scene={"folder": str(self.folder), "instances": instances, "output": str(mine), "shape": shape})
        return Helper(child, self.places[number], mapped_frames(mine, *shape))


def _write_scene(scene: Scene, camera: Camera, folder: Path) -> None:
    """Meshes and camera as files that ``helper_process`` reads."""
    for index, track in enumerate(scene.tracks):
        for name in ARRAYS:
            if (array := getattr(track, name)) is not None:
                np.save(folder / f"{index}_{name}.npy", array)
    for name in ("intrinsics", "world_to_camera"):
        np.save(folder / f"{name}.npy", getattr(camera, name))
