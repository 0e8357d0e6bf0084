"""Model folders of the pack and the files of people, always through the host's own folder lists."""

import hashlib
import os

import folder_paths

MESH_EXTENSIONS = {".obj", ".ply", ".stl", ".glb", ".off"}
MOTION_EXTENSIONS = {".npz", ".npy", ".json", ".safetensors", ".pkl", ".pickle", ".pt", ".pth"}


FOLDERS = {
    "mano": {".pkl", ".npz", ".safetensors"},
    "graspxl": {".pt", ".npz", ".safetensors"},
    "metrics": {".pt", ".pth", ".ts", ".torchscript"},
}
"""Model folders of the pack below ``models``, and the files they take."""

NAMES = {"mano": "MANO_RIGHT and MANO_LEFT", "graspxl": "full_5600_r", "metrics": "LPIPS and I3D networks"}
ADVICE = {
    "mano": "register at https://mano.is.tue.mpg.de, download mano_v1_2 and put the files of its models folder there, "
    "or choose the embedded CC0 hand.",
    "graspxl": "take full_5600_r.pt from raisimGymTorch/data_all/floating_mixed of the GraspXL repository (CC BY-NC 4.0) and put it there.",
    "metrics": "export LPIPS with torch.jit.trace, or take the i3d_torchscript.pt that FVD code shares, and put it there.",
}


def register_folders() -> None:
    """Make the folders known, so that extra_model_paths.yaml can redirect each with its key."""
    for key, extensions in FOLDERS.items():
        folder_paths.add_model_folder_path(key, os.path.join(folder_paths.models_dir, key), is_default=True)
        paths, _ = folder_paths.folder_names_and_paths[key]
        folder_paths.folder_names_and_paths[key] = (paths, extensions)


def model_files(key: str) -> list[str]:
    """Files in the host's folders of one kind, a key of ``FOLDERS``."""
    return folder_paths.get_filename_list(key)


def model_path(key: str, name: str) -> str:
    """Path of one such file; raises FileNotFoundError that says how to get one."""
    path = folder_paths.get_full_path(key, name)
    if path is None:
        searched = ", ".join(folder_paths.get_folder_paths(key))
        kinds = ", ".join(sorted(FOLDERS[key]))
        raise FileNotFoundError(f"No file '{name}' in {searched}, which take {NAMES[key]} as {kinds}: {ADVICE[key]}")
    return path


def mesh_files() -> list[str]:
    """Mesh files in ``input/3d`` and its subfolders, relative to the input folder, with forward slashes."""
    return _input_files("3d", MESH_EXTENSIONS)


def mesh_path(name: str) -> str:
    """Path of a mesh file in the input, output or temp folder; raises FileNotFoundError or ValueError."""
    return _input_path(name, "mesh", "3d")


def motion_files() -> list[str]:
    """Motion files in ``input/motion`` and its subfolders."""
    return _input_files("motion", MOTION_EXTENSIONS)


def motion_path(name: str) -> str:
    """Path of a motion file in the input, output or temp folder; raises FileNotFoundError or ValueError."""
    return _input_path(name, "motion", "motion")


def _input_files(folder: str, extensions: set[str]) -> list[str]:
    base = folder_paths.get_input_directory()
    found = []
    for place, _, names in os.walk(os.path.join(base, folder), followlinks=True):
        for name in names:
            if os.path.splitext(name)[1].lower() in extensions:
                found.append(os.path.relpath(os.path.join(place, name), base).replace(os.sep, "/"))
    return sorted(found)


def _input_path(name: str, what: str, folder: str) -> str:
    path = folder_paths.get_annotated_filepath(name)
    bases = (folder_paths.get_input_directory(), folder_paths.get_output_directory(), folder_paths.get_temp_directory())
    if not any(os.path.abspath(path).startswith(os.path.abspath(base) + os.sep) for base in bases):
        raise ValueError(f"Expected a {what} file inside the input folder, found '{name}'.")
    if not os.path.isfile(path):
        place = os.path.join(bases[0], folder)
        raise FileNotFoundError(f"No {what} file '{name}': put it into {place} and refresh the node list (press R).")
    return path


def file_digest(path: str) -> str:
    """sha256 of a file's content, for ``fingerprint_inputs``."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
