"""Checkpoint files of people and of the pack: tensors and header, without running anything that is in them."""

import os
import pickle

import comfy.utils
import folder_paths
import torch
from safetensors import SafetensorError


def load_checkpoint(path: str | os.PathLike) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Tensors by name, and the safetensors header's metadata.

    Raises:
        ValueError: the file is broken, or a pickle that names anything but tensors.
    """
    try:
        tensors, metadata = comfy.utils.load_torch_file(str(path), safe_load=True, return_metadata=True)
    except (pickle.UnpicklingError, SafetensorError, EOFError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0][:160] if str(error).strip() else type(error).__name__
        raise ValueError(f"Expected a checkpoint with nothing but tensors, could not read {os.path.basename(path)} ({reason}).") from error
    return tensors, metadata or {}


def load_from(folder: str, name: str) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """``load_checkpoint`` of a file in one of the host's model folders."""
    return load_checkpoint(folder_paths.get_full_path_or_raise(folder, name))


def stamp(folder: str, name: str) -> str:
    """Size and time of a model file, for ``fingerprint_inputs``: a hash of many gigabytes would take longer than loading them."""
    path = folder_paths.get_full_path(folder, name)
    if path is None:
        return ""
    status = os.stat(path)
    return f"{path} {status.st_size} {status.st_mtime_ns}"
