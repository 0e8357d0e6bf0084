"""Arrays of the core as the host's tensors."""

from __future__ import annotations


def image(pictures):
    """(T, H, W, 3) uint8 pictures as an IMAGE."""
    import torch

    from ..conditions.pack import to_float

    return torch.from_numpy(to_float(pictures))


def mask(values):
    """(T, H, W) bool or 0..1 array as a MASK."""
    import numpy as np
    import torch

    return torch.from_numpy(np.ascontiguousarray(values, np.float32))


def bytes_of(image_tensor):
    """IMAGE as (T, H, W, 3) uint8 pictures."""
    from ..conditions.pack import to_bytes

    return to_bytes(image_tensor.cpu().numpy())
