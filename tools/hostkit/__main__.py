"""``demo`` and ``serve`` of ``tools/pam.py``, run by the host's Python."""

import argparse
import json
import signal
import sys
import time
from pathlib import Path

from .client import Client, NodeFailed, PromptRejected, Result
from .convert import convert
from .host import HOME, find_host
from .server import Server

BASE = HOME / "base"
"""Models, inputs, outputs and settings of ``demo`` and ``serve``: kept between runs."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="hostkit")
    commands = parser.add_subparsers(dest="command", required=True)
    demo_parser = commands.add_parser("demo")
    demo_parser.add_argument("--workflow", type=Path, required=True)
    demo_parser.add_argument("--keep", action="store_true")
    serve_parser = commands.add_parser("serve")
    serve_parser.add_argument("--port", type=int, default=8188)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return demo(options.workflow, options.keep) if options.command == "demo" else serve(options.port)
    except KeyboardInterrupt:
        print("\nstopped")
        return 130
    except (NodeFailed, PromptRejected, FileNotFoundError, RuntimeError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1


def demo(workflow_file: Path, keep: bool) -> int:
    """Run a workflow in the host with one line per node, and say where its clip is and how to see the graph."""
    workflow = json.loads(workflow_file.read_text(encoding="utf-8"))
    print("starting ComfyUI ...", flush=True)
    begin = time.monotonic()
    with Server(find_host(), BASE) as server:
        print(f"started in {time.monotonic() - begin:.0f} s; its log: {server.log}", flush=True)
        client = Client(server.url)
        prompt = convert(workflow, client.object_info())
        begin = time.monotonic()
        result = client.run(prompt, NodeLines(prompt), timeout=3600, extra_data={"extra_pnginfo": {"workflow": workflow}})
        print(f"\nthe graph took {time.monotonic() - begin:.0f} s")
        for clip in saved(server, result, ".mp4"):
            print(f"clip: {clip}")
        if not keep:
            print(f"to see the graph in your browser: {command('demo --keep')}")
            return 0
        return wait_for_browser(server, workflow_file.stem)


def serve(port: int) -> int:
    """Run ComfyUI until Ctrl-C."""
    with Server(find_host(), BASE, port=port) as server:
        return wait_for_browser(server, "pam_pose_appearance_motion_mini")


def wait_for_browser(server: Server, template: str) -> int:
    """Print where the graph is found, then wait for the server to end or for Ctrl-C."""
    print(f"open {server.url}, then Templates > Extensions > pam_hoi > {template}")
    print(f"model files go below {server.base / 'models'}; stop with Ctrl-C", flush=True)
    try:
        return server.process.wait()
    except KeyboardInterrupt:
        return 0


def saved(server: Server, result: Result, suffix: str) -> list[Path]:
    """The files of one kind that the prompt saved."""
    items = [item for ui in result.outputs.values() for files in ui.values() if isinstance(files, list) for item in files]
    return [server.file(item) for item in items if isinstance(item, dict) and str(item.get("filename", "")).endswith(suffix)]


def command(arguments: str) -> str:
    """How a person calls this project's commands."""
    return f"{'python' if sys.platform == 'win32' else 'python3'} tools/pam.py {arguments}"


class NodeLines:
    """Prints one line for each node as it ends."""

    def __init__(self, prompt: dict):
        self.prompt = prompt
        self.printed: set[str] = set()

    def __call__(self, kind: str, data: dict, result: Result) -> None:
        """Called by the client for each event."""
        for node in sorted(result.cached - self.printed):
            self.line(node, "unchanged")
        for node, seconds in result.seconds.items():
            if node not in self.printed:
                self.line(node, f"{seconds:7.1f} s")

    def line(self, node: str, text: str) -> None:
        """One line: how many are done, how long, which node."""
        self.printed.add(node)
        title = self.prompt.get(node, {}).get("_meta", {}).get("title", node)
        print(f"[{len(self.printed):3d}/{len(self.prompt)}] {text:>9}  {title}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
