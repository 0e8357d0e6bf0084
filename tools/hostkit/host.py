"""Which ComfyUI is used: the one asked for, the one the pack lives in, or the pinned one below ``.pam``."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The pack."""
HOME = ROOT / ".pam"
"""Everything the kit writes."""


class HostNotFound(LookupError):
    """No ComfyUI to run; the message says how to get one."""


@dataclass(frozen=True)
class Host:
    """A ComfyUI checkout and the Python that runs it; ``pinned`` when the kit made both."""

    comfyui: Path
    python: Path
    pinned: bool = False


def venv_python(venv: Path) -> Path:
    """The interpreter of a virtual environment."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


PINNED = Host(HOME / "ComfyUI", venv_python(HOME / "venv"), pinned=True)


def find_host() -> Host:
    """Return the host to run.

    In this order: ``COMFYUI_PATH``, the ComfyUI whose ``custom_nodes`` holds this pack, the pinned host in ``.pam``.

    Raises:
        HostNotFound: none of them is there.
    """
    asked = os.environ.get("COMFYUI_PATH")
    if asked:
        if not (Path(asked) / "main.py").is_file():
            raise HostNotFound(f"COMFYUI_PATH={asked} is no ComfyUI checkout: expected main.py in it.")
        return foreign_host(Path(asked).resolve())
    around = ROOT.parent.parent
    if ROOT.parent.name == "custom_nodes" and (around / "main.py").is_file():
        return foreign_host(around)
    if (PINNED.comfyui / "main.py").is_file() and PINNED.python.is_file():
        return PINNED
    raise HostNotFound("No ComfyUI found: run `python3 tools/pam.py setup`, or point COMFYUI_PATH (and PAM_PYTHON) at yours.")


def foreign_host(comfyui: Path) -> Host:
    """A ComfyUI the kit did not make. Its Python: ``PAM_PYTHON``, a virtual environment beside or in it, else the running one."""
    if os.environ.get("PAM_PYTHON"):
        return Host(comfyui, Path(os.environ["PAM_PYTHON"]))
    candidates = [venv_python(comfyui / name) for name in ("venv", ".venv")]
    candidates.append(comfyui.parent / "python_embeded" / "python.exe")  # spelt so in the portable Windows build
    return Host(comfyui, next((path for path in candidates if path.is_file()), Path(sys.executable)))


def has_nvidia_gpu() -> bool:
    """True when the NVIDIA driver's own tool is on the path."""
    return shutil.which("nvidia-smi") is not None
