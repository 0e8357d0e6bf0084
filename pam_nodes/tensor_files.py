"""Tensors in files: one safetensors or torch file, or a sharded folder, of which only what is asked for is read."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

INDEX = ".safetensors.index.json"
"""How the table of a sharded checkpoint ends (diffusers, transformers)."""
LARGEST_TABLE = 64 << 20
WRAPPERS, MOST_LEVELS = ("module", "state_dict", "model_state_dict", "model", "controlnet"), 8
"""Where training tools put the weights inside their own state: DeepSpeed "module", Lightning "state_dict", others the rest."""


@dataclass(frozen=True)
class TensorFiles:
    """Where the tensors of a checkpoint lie.

    Attributes:
        places: tensor name -> file that holds it. metadata: the header's, of the first file that has one.
        config: content of the ``config.json`` beside them, or empty.
    """

    places: dict[str, Path]
    metadata: dict[str, str]
    config: dict

    def read(self, wanted: Callable[[str], bool] = lambda name: True) -> dict[str, Tensor]:
        """The tensors whose names are wanted, on the CPU; memory-mapped, so that what is not used is never read from the disk.

        Raises:
            ValueError: a file is broken, lacks a tensor of the table, or is a pickle that names anything but tensors.
        """
        found: dict[str, Tensor] = {}
        by_file: dict[Path, list[str]] = {}
        for name, path in self.places.items():
            if wanted(name):
                by_file.setdefault(path, []).append(name)
        for path, names in by_file.items():
            found.update(_read(path, names))
        return found


def open_tensors(path: str | os.PathLike) -> TensorFiles:
    """Look into a checkpoint: a ``.safetensors`` or torch file, a ``.safetensors.index.json``, or a folder with one of them.

    Raises:
        ValueError: what is there is no checkpoint, or one of its shards is missing.
    """
    path = Path(path)
    if path.is_dir():
        path = _of_folder(path)
    config = _json(path.with_name("config.json")) if path.with_name("config.json").is_file() else {}
    if path.name.endswith(INDEX):
        return _sharded(path, config)
    names, metadata = _names(path)
    return TensorFiles(dict.fromkeys(names, path), metadata, config)


def _of_folder(folder: Path) -> Path:
    """The table or the single file of a model folder; ``transformer`` below it stands for a whole pipeline."""
    for place in (folder, folder / "transformer"):
        for pattern in (f"*{INDEX}", "*.safetensors", "*.bin"):
            found = sorted(place.glob(pattern)) if place.is_dir() else []
            if found:
                return found[0]
    raise ValueError(f"Expected a model folder with .safetensors files, found {folder.name} without any: download it again.")


def _sharded(table: Path, config: dict) -> TensorFiles:
    files = _json(table).get("weight_map")
    if not isinstance(files, dict) or not files or not all(isinstance(name, str) and Path(name).name == name for name in files.values()):
        raise ValueError(f"Expected a table of tensors and the files beside it, found another content in {table.name}: download it again.")
    missing = sorted({name for name in files.values() if not (table.parent / name).is_file()})
    if missing:
        total = len(set(files.values()))
        raise ValueError(f"Expected {total} files beside {table.name}, found {total - len(missing)}: {missing[0]} is missing.")
    metadata = _names(table.parent / next(iter(files.values())))[1]
    return TensorFiles({key: table.parent / name for key, name in files.items()}, metadata, config)


def _json(path: Path) -> dict:
    if path.stat().st_size > LARGEST_TABLE:
        raise ValueError(f"Expected a small table in {path.name}, found {path.stat().st_size >> 20} MB.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"Expected JSON in {path.name}, found something else: download it again.") from error
    return content if isinstance(content, dict) else {}


def _names(path: Path) -> tuple[list[str], dict[str, str]]:
    if path.suffix == ".safetensors":
        with told(path), _open(path) as file:
            return list(file.keys()), dict(file.metadata() or {})
    return list(_torch_file(path)), {}


def _read(path: Path, names: Iterable[str]) -> dict[str, Tensor]:
    if path.suffix != ".safetensors":
        tensors = _torch_file(path)
        return {name: tensors[name] for name in names}
    with told(path), _open(path) as file:
        return {name: file.get_tensor(name) for name in names}


def _open(path: Path):
    from safetensors import safe_open

    return safe_open(path, framework="pt")


def unwrapped(content: Mapping[str, object]) -> Mapping[str, object]:
    """The dictionary of weights inside a training state; a few levels, for a file may hold itself."""
    for _ in range(MOST_LEVELS):
        content = next((content[name] for name in WRAPPERS if isinstance(content.get(name), Mapping)), content)
    return content


def _torch_file(path: Path) -> dict[str, Tensor]:
    """Tensors of a pickle that may hold nothing else, without a training tool's wrapping; memory-mapped where its format allows it."""
    import torch

    with told(path):
        try:
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError as error:
            if "mmap" not in str(error):
                raise
            content = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(content, dict):
            raise ValueError(f"it holds a {type(content).__name__}")
        return {key: value for key, value in unwrapped(content).items() if isinstance(value, torch.Tensor)}


@contextlib.contextmanager
def told(path: str | os.PathLike):
    """Turn what readers raise for broken files into one sentence."""
    from safetensors import SafetensorError

    try:
        yield
    except (pickle.UnpicklingError, SafetensorError, EOFError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0][:160] if str(error).strip() else type(error).__name__
        raise ValueError(f"Expected a checkpoint with nothing but tensors, could not read {Path(path).name} ({reason}).") from error


def write_tensors(path: str | os.PathLike, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a safetensors file; it appears when it is complete, and a full disk or an interrupt leaves nothing behind.

    Raises:
        OSError: the disk is full or the folder cannot be written; the sentence says how much was to be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    part = Path(f"{path}.part")
    try:
        save_file({key: value.contiguous() for key, value in tensors.items()}, part, metadata=metadata)
        os.replace(part, path)
    except (OSError, SafetensorError) as error:
        size = sum(value.numel() * value.element_size() for value in tensors.values()) / 1e9
        raise OSError(f"Could not write {Path(path).name} ({size:.2f} GB): {error}. Free some disk space and run again.") from error
    finally:
        part.unlink(missing_ok=True)
