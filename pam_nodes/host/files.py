"""Files of people in the host's output folder, and in others by choice."""

import os
from pathlib import Path

import folder_paths


def free_path(prefix: str, ending: str, base: str) -> Path:
    """First ``<base>/<prefix>_00001_<ending>`` that is not there yet; makes its folder.

    Raises:
        ValueError: a prefix outside ``base``.
    """
    if not Path(os.path.abspath(os.path.join(base, os.path.normpath(prefix)))).is_relative_to(os.path.abspath(base)):
        raise ValueError(f"Expected a file name inside {os.path.basename(base)}, found '{prefix}': leave out '..' and drive names.")
    folder, name, counter, _, _ = folder_paths.get_save_image_path(prefix, base)
    while (path := Path(folder, f"{name}_{counter:05}_{ending}")).exists():
        counter += 1
    return path


def save_numbered(prefix: str, ending: str, content: bytes) -> dict[str, str]:
    """Write a new file ``<prefix>_00001_<ending>`` under the output folder; never replaces one, and leaves none half-written.

    Returns:
        The host's description of it: filename, subfolder, type.

    Raises:
        ValueError: a prefix outside the output folder.
        OSError: the disk is full or the folder cannot be written.
    """
    base = folder_paths.get_output_directory()
    path = free_path(prefix, ending, base)
    part = path.with_name(f"{path.name}.part")
    try:
        with open(part, "xb") as file:
            file.write(content)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    subfolder = path.parent.relative_to(base).as_posix()
    return {"filename": path.name, "subfolder": "" if subfolder == "." else subfolder, "type": "output"}
