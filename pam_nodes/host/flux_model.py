"""FLUX.1 as a MODEL from whatever it is kept in: core reads single files only, the published folder has three shards."""

from __future__ import annotations

import comfy.sd

from .devices import WEIGHT_DTYPES
from .model_folders import open_checkpoint

FOLDERS = ("diffusion_models",)


def load_flux(name: str, dtype: str = "default"):
    """Build a MODEL as core does, from a file or a folder in diffusers' layout.

    Args:
        name: as ``model_folders.checkpoint_names`` lists it. dtype: a key of ``WEIGHT_DTYPES``; "default" leaves it to the host.

    Raises:
        ValueError: the tensors are not those of a Flux transformer.
    """
    files = open_checkpoint(name, *FOLDERS)
    if not any("double_blocks.0." in key or key.startswith("single_transformer_blocks.0.") for key in files.places):
        found = ", ".join(sorted(files.places)[:3]) or "none at all"
        raise ValueError(f"Expected a Flux transformer, found keys like {found}: choose the transformer of FLUX.1-dev.")
    kept = WEIGHT_DTYPES[dtype]
    options = {} if kept is None else {"dtype": kept}
    model = comfy.sd.load_diffusion_model_state_dict(files.read(), model_options=options, metadata=files.metadata)
    if model is None:
        raise ValueError(f"Expected a whole Flux transformer in {name}, found parts of one: download it again.")
    return model
