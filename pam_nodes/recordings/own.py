"""The pack's own motion file: every number by name, as .npz, .json or .safetensors.

Keys: ``format`` ("pam_motion"), ``version`` (1), ``fps``; for each side present ``right_global_orient`` (T, 3), ``right_hand_pose``
(T, 45), ``right_transl`` (T, 3), ``right_betas`` (S,), ``right_hand`` (digest of the hand model the betas belong to),
``right_flat_hand_mean`` (default true); for object i ``object_i_name`` and ``object_i_pose`` (T, 4, 4) object_to_world. Metres and
radians, smplx's meaning of ``transl``, world with Z up and the table at 0.
A bare ``global_orient, hand_pose, transl, betas, side`` file, as many tools write, is read too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .content import numbers
from .recording import Context, RecordedHand, Recording

NAME, VERSION = "pam_motion", 1
PARTS = ("global_orient", "hand_pose", "transl")


def recognise(content: Any) -> bool:
    """Whether it is such a file."""
    return isinstance(content, dict) and (_text(content.get("format")) == NAME or set(PARTS) <= set(content))


def read(content: dict[str, Any], context: Context) -> Recording:
    """Content to motion; raises ValueError when something is missing or newer than this version."""
    if "format" not in content:
        return _bare(content, context)
    version = int(float(_text(content.get("version", 0))))
    if version != VERSION:
        raise ValueError(f"expected version {VERSION} of the motion file, found {version}: update the pack")
    hands = tuple(
        _hand(content, context, side, f"{side}_") for side in ("right", "left") if f"{side}_hand_pose" in content and context.wants(side)
    )
    objects = {}
    index = 0
    while f"object_{index}_pose" in content:
        name = _text(content.get(f"object_{index}_name", f"object {index}"))
        objects[name] = np.asarray(content[f"object_{index}_pose"], np.float64).reshape(-1, 4, 4)
        index += 1
    return Recording(NAME, hands, objects, float(_text(content.get("fps", 0))))


def _bare(content: dict[str, Any], context: Context) -> Recording:
    side = _text(content.get("side", "right"))
    if side not in ("right", "left"):
        raise ValueError(f"expected side 'right' or 'left', found '{side[:20]}'")
    hands = (_hand(content, context, side, ""),) if context.wants(side) else ()
    return Recording("hand_pose", hands, {}, float(_text(content.get("fps", 0))))


def _hand(content: dict[str, Any], context: Context, side: str, prefix: str) -> RecordedHand:
    orient, fingers, transl = (numbers(content, prefix + part) for part in PARTS)
    flat = _text(content.get(f"{prefix}flat_hand_mean", True)).lower() not in ("false", "0", "0.0")
    if fingers.shape[1] != 45:
        fingers = context.from_pca(side, fingers)
    elif not flat:
        fingers = context.from_mean(side, fingers)
    betas = content.get(f"{prefix}betas")
    model = context.model(side)
    if betas is not None and _text(content.get(f"{prefix}hand", "")) == model.digest:
        return RecordedHand(_posed(side, orient, fingers, transl, betas), np.ones(len(fingers), bool))
    return context.hand(side, orient, fingers, transl, betas)


def _posed(side: str, orient: np.ndarray, fingers: np.ndarray, transl: np.ndarray, betas: Any):
    from ..hands.pose import HandPose

    return HandPose(orient, fingers, transl, np.asarray(betas, np.float32).reshape(-1), side)


def _text(value: Any) -> str:
    """Text of an entry that may be a 0-d array, bytes, a number or text."""
    value = value.item() if isinstance(value, np.ndarray) and value.size == 1 else value
    return value.decode() if isinstance(value, bytes) else str(value)
