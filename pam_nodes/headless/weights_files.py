"""Tensors of checkpoint files, sharded or not, without running anything that is in them and without reading what is not wanted."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from zipfile import is_zipfile

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

ENDINGS = (".safetensors", ".bin", ".pt", ".pth")


def read_tensors(path: Path, wanted: Callable[[str], bool] = lambda key: True) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors by name, and the safetensors header's metadata.

    Args:
        path: a file, or a folder with shards or one file.
        wanted: which names to read; the others are skipped in the file where its format allows.

    Raises:
        ValueError: broken, none of the known kinds, or a pickle that names anything but tensors.
        FileNotFoundError: there is no such file.
    """
    tensors: dict[str, Tensor] = {}
    metadata: dict[str, str] = {}
    for file in _files(path):
        found, header = _safetensors(file, wanted) if file.suffix == ".safetensors" else (_torch(file, wanted), {})
        tensors.update(found)
        metadata.update(header)
    return tensors, metadata


def names_of(path: Path) -> list[str]:
    """Names of all tensors, for messages."""
    names: list[str] = []

    def seen(key: str) -> bool:
        names.append(key)
        return False

    read_tensors(path, seen)
    return names


def _files(path: Path) -> list[Path]:
    """The file itself, or the weights in a folder: the shards its index names, else every file of the first kind there is."""
    if not path.exists():
        raise FileNotFoundError(f"No weights at {path}: give a file ({', '.join(ENDINGS)}) or a folder with one.")
    if path.is_file():
        if path.suffix not in ENDINGS:
            raise ValueError(f"Expected weights as {', '.join(ENDINGS)}, found {path.name}.")
        return [path]
    for index in sorted(path.glob("*.index.json")):
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        shards = [path / name for name in names]
        missing = [shard.name for shard in shards if shard.parent != path or not shard.is_file()]
        if missing:
            raise ValueError(f"Expected the shards of {index.name} beside it, found no {', '.join(missing[:3])}: download them too.")
        return shards
    for ending in ENDINGS:
        if files := sorted(path.glob(f"*{ending}")):
            return files
    raise FileNotFoundError(f"No weights in {path}: expected a file ending in {', '.join(ENDINGS)}.")


def _safetensors(path: Path, wanted: Callable[[str], bool]) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(str(path), framework="pt", device="cpu") as file:
            return {key: file.get_tensor(key) for key in file.keys() if wanted(key)}, file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise ValueError(f"Expected a checkpoint with nothing but tensors, could not read {path.name} ({error}).") from error


def _torch(path: Path, wanted: Callable[[str], bool]) -> dict[str, Tensor]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zipfile(path))
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:160]
        raise ValueError(f"Expected a checkpoint with nothing but tensors, could not read {path.name} ({reason}).") from error
    for wrapper in ("module", "state_dict"):  # what DeepSpeed and trainers put around it
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict):
        raise ValueError(f"Expected tensors by name in {path.name}, found a {type(content).__name__}.")
    return {key: value for key, value in content.items() if isinstance(value, Tensor) and wanted(key)}
