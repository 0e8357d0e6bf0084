"""What the pack adds to ComfyUI's start: seconds, and packages imported. ``COMFYUI_PATH`` chooses another host than the pinned one.

Each measurement is a fresh process that loads ComfyUI's own nodes and an empty pack first, then the pack, by ComfyUI's own loader.

    python3 benchmarks/import_time.py
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

from hostkit.host import Host, find_host, has_nvidia_gpu
from hostkit.server import link_folder

HEAVY = {"torch", "diffusers", "transformers", "mujoco", "warp", "scipy", "trimesh", "smplx", "pyrender", "cv2", "matplotlib"}
"""Packages the pack must not be the first to import."""
RUNS = 5
CHILD = """
import asyncio, json, sys, time
import comfy.options
comfy.options.enable_args_parsing()
import nodes
asyncio.run(nodes.load_custom_node(EMPTY, module_parent="custom_nodes"))
before, begin = set(sys.modules), time.perf_counter()
loaded = asyncio.run(nodes.load_custom_node(PACK, module_parent="custom_nodes"))
seconds = time.perf_counter() - begin
packages = sorted({name.split(".")[0] for name in set(sys.modules) - before if not name.startswith(PACK.replace(".", "_x_"))})
print(json.dumps({"loaded": loaded, "seconds": seconds, "packages": packages}))
"""


def measure(host: Host, base: Path) -> dict:
    """Load the pack once in a fresh process.

    Returns: {"loaded": bool, "seconds": float, "packages": top-level packages first imported by the pack}.
    """
    pack = base / "custom_nodes" / "pam_hoi"
    pack.parent.mkdir(parents=True, exist_ok=True)
    link_folder(ROOT, pack)
    empty = pack.with_name("empty")
    empty.mkdir(exist_ok=True)
    (empty / "__init__.py").write_text("NODE_CLASS_MAPPINGS = {}\n")
    code = CHILD.replace("EMPTY", repr(str(empty))).replace("PACK", repr(str(pack)))
    arguments = ["--base-directory", str(base), *([] if has_nvidia_gpu() else ["--cpu"])]
    environment = {**os.environ, "PYTHONPATH": str(host.comfyui)}
    command = [str(host.python), "-c", code, *arguments]
    done = subprocess.run(command, cwd=host.comfyui, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Print the figures."""
    host = find_host()
    with tempfile.TemporaryDirectory() as base:
        runs = [measure(host, Path(base)) for _ in range(RUNS)]
    seconds = sorted(run["seconds"] for run in runs)
    heavy = sorted(HEAVY & set(runs[0]["packages"]))
    print(f"loaded: {all(run['loaded'] for run in runs)}")
    print(f"pack import adds {statistics.median(seconds):.3f} s (median of {RUNS}; {seconds[0]:.3f} to {seconds[-1]:.3f})")
    print(f"packages it imports: {', '.join(runs[0]['packages']) or 'none'}")
    print(f"heavy ones among them: {', '.join(heavy) or 'none'}")


if __name__ == "__main__":
    main()
