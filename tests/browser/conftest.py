"""The real frontend in headless Chromium."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from hostkit.setup import BROWSER, find_chromium

HERE = Path(__file__).parent


@pytest.fixture
def open_workflow(host, skip_for, tmp_path):
    """``open_workflow(path, nodes2=False) -> dict``: load a workflow into the page.

    The answer holds ``prompt`` and ``workflow`` (what the page exports), ``nodes`` and ``groups`` with the ``box`` each is drawn in,
    ``missing`` (nodes of unknown class), ``rendered`` (nodes drawn as elements) and ``errors`` of the console. A screenshot is written to
    ``.pam/screenshots``.
    """
    chromium, node, modules = find_chromium(), shutil.which("node"), BROWSER / "node_modules"
    lacking = [name for name, there in (("Chromium", chromium), ("Node.js", node), ("playwright-core", modules.is_dir())) if not there]
    if lacking:
        skip_for("browser", f"Missing: {', '.join(lacking)}. Install Chromium or Chrome and Node.js, then `python3 tools/pam.py test`.")
    home = {name: str(tmp_path) for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME")}  # Chromium writes there whatever its profile folder is

    def load(path: Path, nodes2: bool = False) -> dict:
        screenshot = BROWSER.parent / "screenshots" / f"{Path(path).stem}_{'nodes2' if nodes2 else 'classic'}.png"
        job = {"url": host.url, "workflow": str(path), "screenshot": str(screenshot), "nodes2": nodes2}
        job |= {"chromium": chromium, "modules": str(modules)}
        command = [node, str(HERE / "open_workflow.mjs"), json.dumps(job)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, env={**os.environ, **home})
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return load
