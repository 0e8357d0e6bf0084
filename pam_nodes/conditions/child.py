"""A process beside this one that draws: it must say that it is ready, answer in time, and waits a while for the next clip.

It reads and writes lines of JSON; arrays are files, in memory where the system has such a place.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

IDLE_SECONDS = 60.0
MEMORY = "/dev/shm"


class ChildError(RuntimeError):
    """The process cannot draw; the text says why."""


class Child:
    """A running process.

    Attributes:
        kind: what it can be used for.
        ready: what it said when it was.
    """

    def __init__(self, kind: tuple, command: list[str], environment: dict[str, str], seconds: float):
        self.kind = kind
        pipe, quiet = subprocess.PIPE, subprocess.DEVNULL
        unseen = getattr(subprocess, "CREATE_NO_WINDOW", 0)
        try:
            self.process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=quiet, text=True, env=environment, creationflags=unseen
            )
        except OSError as problem:
            raise ChildError(str(problem)) from problem
        self.answers: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._listen, args=(self.process.stdout,), daemon=True).start()
        self.ready = self._answer(seconds)

    def _listen(self, stream) -> None:
        with stream:
            for line in stream:
                self.answers.put(line)
        self.answers.put(None)

    def ask(self, seconds: float, **job) -> dict:
        """Send a request and wait for its answer; raises ChildError."""
        try:
            self.process.stdin.write(json.dumps(job) + "\n")
            self.process.stdin.flush()
        except OSError as problem:
            self.close()
            raise ChildError("the process has ended") from problem
        return self._answer(seconds)

    def _answer(self, seconds: float) -> dict:
        try:
            line = self.answers.get(timeout=seconds)
            message = {"error": "the process has ended"} if line is None else json.loads(line)
        except (queue.Empty, ValueError) as problem:
            message = {"error": f"no answer within {seconds:.0f} s" if isinstance(problem, queue.Empty) else "an answer that is not JSON"}
        if "error" in message:
            self.close()
            raise ChildError(message["error"])
        return message

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.process.poll() is None

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()
        # What an ended process has not read is flushed once more here, which fails again.
        with suppress(OSError):
            self.process.stdin.close()


class Waiting:
    """The place of one idle child, who goes when nobody has come for it in time."""

    def __init__(self):
        self.lock, self.child, self.timer = threading.Lock(), None, None

    def take(self, kind: tuple, start: Callable[[], Child]) -> Child:
        """The waiting child if it is of this kind and alive, else a new one."""
        child = self._leave()
        if child is not None:
            if child.kind == kind and child.alive:
                return child
            child.close()
        return start()

    def put(self, child: Child) -> None:
        """Let a child wait; the one before it goes."""
        before = self._leave()
        if before is not None:
            before.close()
        with self.lock:
            self.child, self.timer = child, threading.Timer(IDLE_SECONDS, self._end, [child])
            self.timer.daemon = True
            self.timer.start()

    def _leave(self) -> Child | None:
        with self.lock:
            child, timer = self.child, self.timer
            self.child = self.timer = None
        if timer is not None:
            timer.cancel()
        return child

    def _end(self, child: Child) -> None:
        with self.lock:
            if self.child is not child:
                return
            self.child = self.timer = None
        child.close()


def new_folder(prefix: str) -> Path:
    """A folder for the arrays of a clip, in memory where that is possible."""
    return Path(tempfile.mkdtemp(prefix=prefix, dir=MEMORY if os.access(MEMORY, os.W_OK) else None))


def reserve(path: Path, size: int) -> None:
    """Make a file of so many bytes; raises OSError now if there is no room, and not when they are written."""
    with open(path, "wb") as file:
        file.truncate(size)
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
