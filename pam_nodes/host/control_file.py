"""The HOI control of CogVideoX as a file of its own in the output folder."""

from __future__ import annotations

import os

import folder_paths

from ..motion.checkpoint import from_module_keys, metadata_of
from ..motion.control import HOICogVideoXControl
from ..tensor_files import write_tensors


def save_control(patch, prefix: str) -> str:
    """Write ``<prefix>_00001_.safetensors`` below the output folder and return its name; never replaces a file.

    Raises:
        ValueError: another kind of model patch, or a prefix outside the output folder.
        OSError: the disk is full or the folder cannot be written; nothing is left behind.
    """
    net = patch.model
    if not isinstance(net, HOICogVideoXControl):
        raise ValueError(f"Expected an HOI control for CogVideoX, found {type(net).__name__}: use Load HOI Control CogVideoX (PAM).")
    base = folder_paths.get_output_directory()
    folder, name, counter, _, _ = folder_paths.get_save_image_path(prefix, base)
    path = os.path.join(folder, f"{name}_{counter:05}_.safetensors")
    while os.path.exists(path):
        counter += 1
        path = os.path.join(folder, f"{name}_{counter:05}_.safetensors")
    tensors = {key: value.cpu() for key, value in net.state_dict().items()}  # some may be on the device, some offloaded
    write_tensors(path, from_module_keys(tensors, net.config), metadata_of(net.config))
    return os.path.relpath(path, base).replace(os.sep, "/")
