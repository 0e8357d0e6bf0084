"""Arrays of the core as the host's tensors."""

from __future__ import annotations

IN_FILES = "film it in parts into files with python -m pam_nodes render"


def check_view(trajectory, camera, length: int, pixel_bytes: int, what: str, advice: str = "lower the length or the size") -> None:
    """Raise before any work if what a trajectory is drawn as does not fit into memory; arguments as in ``check_fits``, length 0 is all."""
    from ..conditions.memory import check_fits

    check_fits(min(length or len(trajectory), len(trajectory)), camera.height, camera.width, pixel_bytes, what, advice)


def check_bundle(conditions, pixel_bytes: int, what: str, length: int | None = None) -> None:
    """Raise before any work if pictures made of a bundle do not fit into memory; length: of its frames, default all."""
    from ..conditions.memory import check_fits

    total, height, width = conditions.shape
    check_fits(length or total, height, width, pixel_bytes, what, "pick fewer frames or fewer modalities with Pick HOI Condition")


def image(pictures, progress=None):
    """(T, H, W, 3) uint8 pictures as an IMAGE; progress is called once a frame."""
    import torch

    from ..conditions.pack import to_float
    from ..progress import silent

    return torch.from_numpy(to_float(pictures, progress or silent))


def modality(conditions, name: str, start: int = 0, length: int | None = None, progress=None):
    """One modality of a bundle as an IMAGE; if the bundle has none, one black frame that stands for all, so that it costs nothing."""
    import torch

    from ..conditions.pack import picked

    pictures = picked(conditions, name, start, length)
    if pictures is None:
        total, height, width = conditions.shape
        return torch.zeros((1, height, width, 3)).expand(length or total - start, -1, -1, -1)
    return image(pictures, progress)


def array(value):
    """A tensor, array or nested list as an array."""
    import numpy as np

    return value.cpu().numpy() if hasattr(value, "cpu") else np.asarray(value)


def mask(values):
    """(T, H, W) bool or 0..1 array as a MASK."""
    import numpy as np
    import torch

    return torch.from_numpy(np.ascontiguousarray(values, np.float32))


def bytes_of(image_tensor):
    """IMAGE as (T, H, W, 3) uint8 pictures."""
    from ..conditions.pack import to_bytes

    return to_bytes(image_tensor.cpu().numpy())
