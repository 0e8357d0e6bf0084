"""Files of people in the host's output folder."""

import os

import folder_paths


def save_numbered(prefix: str, ending: str, content: bytes) -> dict[str, str]:
    """Write a new file ``<prefix>_00001_<ending>`` under the output folder; never replaces one, and leaves none half-written.

    Returns:
        The host's description of it: filename, subfolder, type.

    Raises:
        ValueError: a prefix outside the output folder.
        OSError: the disk is full or the folder cannot be written.
    """
    base = folder_paths.get_output_directory()
    folder, name, counter, subfolder, _ = folder_paths.get_save_image_path(prefix, base)
    part = None
    try:
        while True:
            path = os.path.join(folder, f"{name}_{counter:05}_{ending}")
            if not os.path.exists(path):
                break
            counter += 1
        part = f"{path}.part"
        with open(part, "xb") as file:
            file.write(content)
        os.replace(part, path)
    except OSError:
        if part and os.path.exists(part):
            os.remove(part)
        raise
    return {"filename": os.path.basename(path), "subfolder": subfolder, "type": "output"}
