"""ComfyUI's models with our control compute what diffusers' models with our control compute, from the same files."""

import json
import subprocess
from pathlib import Path

import pytest

from hostkit.host import find_host

SCRIPT = Path(__file__).with_name("parity_in_host.py")


@pytest.mark.parametrize(("which", "bound"), [("flux", 1e-5), ("cogvideox", 1e-5), ("positions", 1e-5)])
def test_native_equals_diffusers(host, which, bound):
    command = [str(find_host().python), str(SCRIPT), str(host.host.comfyui), which]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["effect"] > 0.01
    assert result["difference"] < bound
