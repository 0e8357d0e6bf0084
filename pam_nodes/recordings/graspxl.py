"""GraspXL's released sequences and ARCTIC's hand and object files, which share one layout (specs: graspxl 8, hands 1.8).

GraspXL ``<n>.npy``: a pickled dict of ``right_hand`` {trans (T, 3), rot (T, 3), pose (T, 45)} and ``<object id>`` {trans, rot, angle}.
ARCTIC ``<name>.mano.npy``: ``right`` and ``left`` {rot, pose, trans, shape, fitting_err}; ``<name>.object.npy``: (T, 7) angle, rot, trans
in mm.
Rotations are axis-angles, fingers relative to the mean pose, ``trans`` is smplx's ``transl``; metres, world with Z up (GraspXL).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from ..geometry.rotations import pose_matrix
from .content import numbers
from .recording import Context, Recording

GRASPXL, ARCTIC = "graspxl", "arctic"
GRASPXL_FPS, ARCTIC_FPS = 100.0, 30.0
PINKY, RING = slice(18, 27), slice(27, 36)
HAND = {"trans", "rot", "pose"}


def recognise(content: Any) -> bool:
    """Whether it is one of these files."""
    return _is_graspxl(content) or _is_arctic(content) or _is_arctic_object(content)


def read(content: Any, context: Context) -> Recording:
    """Content to motion."""
    if _is_arctic_object(content):
        return _arctic_object(np.asarray(content, np.float64), context)
    return _graspxl(content, context) if _is_graspxl(content) else _arctic(content, context)


def _has(content: Any, key: str) -> bool:
    return isinstance(content, dict) and isinstance(content.get(key), dict) and set(content[key]) >= HAND


def _is_graspxl(content: Any) -> bool:
    return _has(content, "right_hand") or _has(content, "left_hand")


def _is_arctic(content: Any) -> bool:
    return _has(content, "right") or _has(content, "left")


def _is_arctic_object(content: Any) -> bool:
    return isinstance(content, np.ndarray) and content.ndim == 2 and content.shape[1] == 7 and content.dtype.kind == "f"


def _graspxl(content: dict[str, Any], context: Context) -> Recording:
    hands = []
    for side in ("right", "left"):
        if _has(content, f"{side}_hand") and context.wants(side):
            hands.append(_hand(content[f"{side}_hand"], context, side, fix=context.options.fix_pinky))
    objects = {
        str(name): pose_matrix(Rotation.from_rotvec(numbers(part, "rot", 3)).as_matrix(), numbers(part, "trans", 3))
        for name, part in content.items()
        if not str(name).endswith("_hand") and isinstance(part, dict) and {"trans", "rot"} <= set(part)
    }
    return Recording(GRASPXL, tuple(hands), objects, GRASPXL_FPS)


def _arctic(content: dict[str, Any], context: Context) -> Recording:
    sides = [side for side in ("right", "left") if _has(content, side) and context.wants(side)]
    return Recording(ARCTIC, tuple(_hand(content[side], context, side, fix=False) for side in sides), {}, ARCTIC_FPS)


def _hand(part: dict[str, Any], context: Context, side: str, fix: bool):
    fingers = numbers(part, "pose", 45)
    if fix and np.array_equal(fingers[:, PINKY], fingers[:, RING]):
        context.note("The little finger repeats the ring finger, as GraspXL's released data does.")
    elif fix:
        fingers = fingers.copy()
        fingers[:, PINKY] = fingers[:, RING]
        context.note("The little finger was given the ring finger's pose: the policy's own is odd.")
    betas = part.get("shape")
    return context.hand(side, numbers(part, "rot", 3), context.from_mean(side, fingers), numbers(part, "trans", 3), betas)


def _arctic_object(rows: np.ndarray, context: Context) -> Recording:
    if np.ptp(rows[:, 0]) > 1e-3:
        context.note("The object's hinge moves in the recording; it is left closed.")
    poses = pose_matrix(Rotation.from_rotvec(rows[:, 1:4]).as_matrix(), rows[:, 4:7] / 1000)
    return Recording(ARCTIC, (), {"object": poses}, ARCTIC_FPS)
