"""Two processes of one command, as a user starts them."""

import os
import subprocess
import sys

from hostkit.host import ROOT


def two_processes(module: str, command: list[str], settings: dict[str, str] | None = None) -> subprocess.CompletedProcess:
    """A module's command by torchrun, with these variables in its environment."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone", "-m", module]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **(settings or {})}
    return subprocess.run([*launcher, *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
