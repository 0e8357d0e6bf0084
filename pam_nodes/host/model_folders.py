"""Checkpoints in the host's model folders: single files, and folders in diffusers' layout with one or many files."""

from __future__ import annotations

import os

import folder_paths

from ..tensor_files import INDEX, TensorFiles, open_tensors

FOLDERS = "diffusers"
"""Category of whole model folders."""
OTHER_PARTS = {"vae", "text_encoder", "text_encoder_2", "image_encoder", "safety_checker"}
"""Folders of a pipeline that hold no transformer."""


def checkpoint_names(*categories: str) -> list[str]:
    """Everything that can be chosen: files of the categories, and model folders in them and in ``models/diffusers``.

    A folder is named by its path; the parts of a sharded checkpoint are not listed by themselves.
    """
    folders = {name: None for category in (*categories, FOLDERS) for name in _model_folders(category)}
    files: dict[str, None] = {}
    for category in categories:
        for name in folder_paths.get_filename_list(category):
            name = name.replace(os.sep, "/")
            if not any(name.startswith(f"{folder}/") for folder in folders):
                files[name] = None
    return [*files, *folders]


def _model_folders(category: str) -> list[str]:
    """Folders below the category's with a table of shards or a diffusers config, relative, with forward slashes."""
    found = []
    for root in folder_paths.get_folder_paths(category):
        for place, _, names in os.walk(root, followlinks=True):
            kept = [name for name in names if name.endswith((INDEX, ".safetensors"))]
            if place == root or os.path.basename(place) in OTHER_PARTS:
                continue
            if kept and (any(name.endswith(INDEX) for name in kept) or "config.json" in names):
                found.append(os.path.relpath(place, root).replace(os.sep, "/"))
    return sorted(found)


def checkpoint_path(name: str, *categories: str) -> str:
    """Path of a name from ``checkpoint_names``.

    Raises:
        ValueError: a name that leads out of the model folders.
        FileNotFoundError: nothing of that name is there.
    """
    for category in (*categories, FOLDERS):
        for root in folder_paths.get_folder_paths(category):
            path = os.path.abspath(os.path.join(root, name))
            if not path.startswith(os.path.abspath(root) + os.sep):
                raise ValueError(f"Expected a file inside the model folders, found '{name}'.")
            if os.path.exists(path):
                return path
    searched = ", ".join(root for category in (*categories, FOLDERS) for root in folder_paths.get_folder_paths(category))
    raise FileNotFoundError(f"No '{name}' in {searched}: put it there and refresh the node list (press R).")


def open_checkpoint(name: str, *categories: str) -> TensorFiles:
    """Look into a checkpoint by name; see ``tensor_files.open_tensors`` for what it raises."""
    return open_tensors(checkpoint_path(name, *categories))


def checkpoint_stamp(name: str, *categories: str) -> str:
    """Sizes and times of its files, for ``fingerprint_inputs``: a hash of many gigabytes would take longer than loading them."""
    try:
        path = checkpoint_path(name, *categories)
    except (ValueError, FileNotFoundError):
        return ""
    files = sorted(entry.path for entry in os.scandir(path) if entry.is_file()) if os.path.isdir(path) else [path]
    return " ".join(f"{file} {os.stat(file).st_size} {os.stat(file).st_mtime_ns}" for file in files)
