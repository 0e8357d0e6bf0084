"""Model folders of the pack, registered with the host's own folder lists."""

import os

import folder_paths

MANO_EXTENSIONS = {".pkl", ".npz", ".safetensors"}
MESH_EXTENSIONS = {".obj", ".ply", ".stl", ".glb", ".off"}


def register_folders() -> None:
    """Make ``models/mano`` known, so that extra_model_paths.yaml can redirect it with the key ``mano``."""
    folder_paths.add_model_folder_path("mano", os.path.join(folder_paths.models_dir, "mano"), is_default=True)
    paths, _ = folder_paths.folder_names_and_paths["mano"]
    folder_paths.folder_names_and_paths["mano"] = (paths, MANO_EXTENSIONS)
