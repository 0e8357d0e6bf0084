#!/usr/bin/env python3
"""The project's commands. Needs nothing but Python 3.10 or newer; everything it makes lies in ``.pam``.

    python3 tools/pam.py demo     run the whole chain once, print where the clip is
    python3 tools/pam.py test     run every test that needs no GPU
    python3 tools/pam.py serve    start ComfyUI with this pack for a browser
    python3 tools/pam.py setup    only get ComfyUI and what it needs

Settings, all optional, are environment variables:
    COMFYUI_PATH   use this ComfyUI checkout instead of the pinned one
    PAM_PYTHON     the Python that runs that ComfyUI
    PAM_TORCH      pip arguments that install torch, torchvision and torchaudio into the pinned host
    PAM_CHROMIUM   the browser of the browser tests
"""

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

TOOLS = Path(__file__).resolve().parent
sys.path.insert(0, str(TOOLS))

from hostkit.host import HOME, ROOT, Host, HostNotFound  # noqa: E402
from hostkit.setup import prepare  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", help="run the mini workflow from hand poses to clip")
    demo.add_argument("--keep", action="store_true", help="leave ComfyUI running afterwards and print its address")
    demo.add_argument("--workflow", type=Path, default=ROOT / "workflows/pam_pose_appearance_motion_mini.json", help="another workflow")
    serve = commands.add_parser("serve", help="start ComfyUI with the pack for a browser")
    serve.add_argument("--port", type=int, default=8188)
    commands.add_parser("test", help="run the tests; further arguments go to pytest")
    commands.add_parser("setup", help="get ComfyUI and what it needs")
    options, rest = parser.parse_known_args()
    if rest and options.command != "test":
        parser.error(f"unknown arguments: {' '.join(rest)}")
    try:
        host = prepare(tests=options.command == "test")
    except HostNotFound as error:
        return complain(str(error))
    except subprocess.CalledProcessError as error:
        return complain(f"Setting up stopped at this command, see above for its reason; run again to go on:\n  {' '.join(error.cmd)}")
    if options.command == "setup":
        print(f"ComfyUI: {host.comfyui}\nPython:  {host.python}")
        return 0
    if options.command == "test":
        return in_host(host, "-m", "pytest", f"--basetemp={HOME / 'pytest'}", *rest, folder=ROOT)
    if options.command == "serve":
        return in_host(host, "-m", "hostkit", "serve", "--port", str(options.port), folder=TOOLS)
    keep = ["--keep"] if options.keep else []
    return in_host(host, "-m", "hostkit", "demo", "--workflow", str(options.workflow.resolve()), *keep, folder=TOOLS)


def in_host(host: Host, *arguments: str, folder: Path) -> int:
    """Run the host's Python and return its exit code. Ctrl-C reaches it too and is its to handle; SIGTERM is passed on."""
    chosen = {"COMFYUI_PATH": str(host.comfyui), "PAM_PYTHON": str(host.python)}
    process = subprocess.Popen([str(host.python), *arguments], cwd=folder, env={**os.environ, **({} if host.pinned else chosen)})
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


def complain(message: str) -> int:
    """Print an error and return the exit code of a failure."""
    print(message, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
