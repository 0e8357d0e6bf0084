"""ComfyUI's models with our control compute what diffusers' models with our control compute, from the same files."""

import json
import subprocess
from pathlib import Path

import pytest

from hostkit.host import find_host

SCRIPT = Path(__file__).with_name("parity_in_host.py")
CASES = ("flux", "cogvideox", "positions", "sampling", "later", "plain", "vae", "windows")


@pytest.fixture(scope="module")
def measured(host_session):
    """Difference and effect of every case, from one process with the host's own Python."""
    if isinstance(host_session, str):
        return {}
    command = [str(find_host().python), str(SCRIPT), str(host_session.host.comfyui), *CASES]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("case", CASES)
def test_native_equals_diffusers(host, measured, case):
    assert measured[case]["effect"] > 0.01
    assert measured[case]["difference"] < 1e-5
