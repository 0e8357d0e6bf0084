"""Checkpoint files of people and of the pack: tensors and header, without running anything that is in them."""

import os

import comfy.utils
import folder_paths
import torch

from ..tensor_files import told


def load_checkpoint(path: str | os.PathLike) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Tensors by name, and the safetensors header's metadata.

    Raises:
        ValueError: the file is broken, or a pickle that names anything but tensors.
    """
    with told(path):
        tensors, metadata = comfy.utils.load_torch_file(str(path), safe_load=True, return_metadata=True)
    return tensors, metadata or {}


def load_from(folder: str, name: str) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """``load_checkpoint`` of a file in one of the host's model folders."""
    return load_checkpoint(folder_paths.get_full_path_or_raise(folder, name))
