"""A ComfyUI server of its own: own base directory, own port, only this pack, gone when the process ends."""

import atexit
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from .host import ROOT, Host, has_nvidia_gpu

FOLDERS = ("models", "input", "output", "temp", "user", "custom_nodes")
BOOT_SECONDS = 300


class Server:
    """Starts and stops one host process.

    Args:
        host: the ComfyUI to run.
        base: folder for models, input, output, user data, database and log; made if missing.
        packs: custom node folders by the name they get in ``custom_nodes``.
        arguments: further arguments of ComfyUI's ``main.py``.
        port: TCP port on 127.0.0.1, a free one by default.
    """

    def __init__(self, host: Host, base: Path, packs: dict[str, Path] | None = None, arguments: tuple[str, ...] = (), port: int = 0):
        self.host = host
        self.base = Path(base).resolve()
        self.packs = {"pam_hoi": ROOT} if packs is None else packs
        self.arguments = arguments
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = self.base / "server.log"
        self.process: subprocess.Popen | None = None

    def start(self) -> "Server":
        """Start the process and return once it answers.

        Raises:
            RuntimeError: it ended or stayed silent; the message holds the end of its log.
        """
        for name in FOLDERS:
            (self.base / name).mkdir(parents=True, exist_ok=True)
        for name, folder in self.packs.items():
            link_folder(folder, self.base / "custom_nodes" / name)
        with self.log.open("wb") as log:
            streams = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": subprocess.STDOUT}
            self.process = subprocess.Popen(self.command(), cwd=self.host.comfyui, env=self.environment(), **streams)
        atexit.register(self.stop)
        self.wait_until_ready()
        return self

    def command(self) -> list[str]:
        """The command line of the host."""
        device = [] if has_nvidia_gpu() else ["--cpu"]
        return [
            *(str(self.host.python), "main.py", "--listen", "127.0.0.1", "--port", str(self.port)),
            *("--base-directory", str(self.base), "--database-url", f"sqlite:///{(self.base / 'comfyui.db').as_posix()}"),
            *("--disable-auto-launch", "--disable-api-nodes", *device, *self.arguments),
        ]

    def environment(self) -> dict[str, str]:
        """The parent's environment, but with every cache inside the base directory and no look-ups on model hubs."""
        cache = str(self.base / "cache")
        own = {"XDG_CACHE_HOME": cache, "MPLCONFIGDIR": cache, "HF_HOME": cache, "HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1"}
        return {**os.environ, **own}

    def wait_until_ready(self) -> None:
        """Poll the server until it answers."""
        deadline = time.monotonic() + BOOT_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"ComfyUI ended with code {self.process.returncode} while starting:\n{self.log_tail()}")
            try:
                urllib.request.urlopen(f"{self.url}/system_stats", timeout=5).close()
                return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        self.stop()
        raise RuntimeError(f"ComfyUI did not answer within {BOOT_SECONDS} s:\n{self.log_tail()}")

    def log_tail(self, lines: int = 40) -> str:
        """The last lines of the host's log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def stop(self) -> None:
        """End the process; a stopped server stays stopped."""
        atexit.unregister(self.stop)
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def file(self, item: dict) -> Path:
        """Where a file named in a node's output (``filename``, ``subfolder``, ``type``) lies."""
        return self.base / item["type"] / item.get("subfolder", "") / item["filename"]

    def __enter__(self) -> "Server":
        return self.start()

    def __exit__(self, *_) -> None:
        self.stop()


def free_port() -> int:
    """A TCP port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def link_folder(target: Path, link: Path) -> None:
    """Make ``link`` lead to the folder ``target``: a symbolic link, on Windows a junction (needs no rights)."""
    if link.exists() and link.resolve() == target.resolve():
        return
    if link.is_symlink():
        link.unlink()
    if os.name == "nt":
        import _winapi

        _winapi.CreateJunction(str(target), str(link))
    else:
        link.symlink_to(target, target_is_directory=True)
