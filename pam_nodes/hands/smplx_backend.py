"""The same hands by the ``smplx`` package, for people who want exactly that code.

Its licence is non-commercial research, so it is never installed with the pack and nothing else needs it. It is given arrays, never a file:
it would unpickle one without limits.
"""

from __future__ import annotations

import contextlib
import io
from functools import lru_cache

import numpy as np

from .model import PARENTS, HandModel
from .pose import HandPose


def available() -> bool:
    """Whether smplx can be imported."""
    from importlib.util import find_spec

    return find_spec("smplx") is not None


def require_smplx() -> None:
    """Raise ImportError with what to do when smplx is not installed."""
    if not available():
        raise ImportError(
            "The smplx backend needs the package smplx (its licence is for non-commercial research): pip install smplx into ComfyUI's "
            "Python, or choose the backend 'pam'."
        )


def skin_smplx(model: HandModel, pose: HandPose, device: str = "cpu", chunk: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """Pose a hand with ``smplx.MANO``.

    Args:
        model: the hand.
        pose: T frames; its betas may be fewer than the model's.
        device: torch's.
        chunk: frames at a time, bounds memory.

    Returns:
        vertices (T, V, 3) and joint positions (T, 16, 3), world frame, metres, float32.

    Raises:
        ImportError: smplx is not installed; the sentence says how to get it.
    """
    require_smplx()
    import torch

    layer = _layer(model, device)
    betas = np.zeros((len(pose), model.num_betas), np.float32)
    betas[:, : len(pose.betas)] = pose.betas
    parts = {"betas": betas, **{name: getattr(pose, name) for name in ("global_orient", "hand_pose", "transl")}}
    vertices, joints = np.empty((len(pose), len(model.v_template), 3), np.float32), np.empty((len(pose), 16, 3), np.float32)
    with torch.no_grad():
        for start in range(0, len(pose), chunk):
            rows = slice(start, start + chunk)
            given = {name: torch.as_tensor(np.array(part[rows], np.float32), device=device) for name, part in parts.items()}
            result = layer(**given)
            torch.from_numpy(vertices[rows]).copy_(result.vertices)
            torch.from_numpy(joints[rows]).copy_(result.joints[:, :16])
    return vertices, joints


@lru_cache(maxsize=4)
def _layer(model: HandModel, device: str):
    """smplx's module filled with the model's arrays, of the hands used last."""
    import smplx
    from smplx.utils import Struct

    tree = np.stack([np.array(PARENTS, np.int64), np.arange(16)])
    arrays = {
        "v_template": model.v_template,
        "f": model.faces,
        "weights": model.weights,
        "J_regressor": model.J_regressor,
        "shapedirs": model.shapedirs,
        "posedirs": model.posedirs,
        "hands_mean": model.hands_mean,
        "hands_components": model.hands_components,
        "kintree_table": tree,
    }
    with contextlib.redirect_stdout(io.StringIO()):  # it prints a warning at each construction
        return smplx.MANO(
            model_path="", data_struct=Struct(**arrays), is_rhand=model.side == "right", use_pca=False, flat_hand_mean=True,
            num_betas=model.num_betas,
        ).to(device)  # fmt: skip
