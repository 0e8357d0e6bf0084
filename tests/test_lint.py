"""ruff finds nothing."""

import subprocess
import sys
from pathlib import Path


def test_ruff():
    done = subprocess.run([sys.executable, "-m", "ruff", "check", "."], cwd=Path(__file__).parents[1], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
