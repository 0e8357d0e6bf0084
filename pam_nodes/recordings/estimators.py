"""Outputs of HaMeR and WiLoR (specs: hands 1.8).

One hand a row: ``global_orient`` (N, 1, 3, 3) and ``hand_pose`` (N, 15, 3, 3) rotation matrices, flat-hand convention, ``betas`` (N, 10),
``is_right`` (N,), and ``cam_t`` / ``pred_cam_t_full`` / ``pred_cam_t`` (N, 3), the camera-frame translation of the mesh (OpenCV, metres). A
left hand is a right hand in a mirrored picture: its pose is mirrored back here. May be under ``pred_mano_params`` or ``mano_params``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from ..hands.posing import MIRROR
from .recording import Context, RecordedHand, Recording

NAME = "hamer"
TRANSLATIONS = ("pred_cam_t_full", "cam_t_full", "cam_t", "pred_cam_t", "cam_transl", "transl")
NESTED = ("pred_mano_params", "mano_params", "mano")


def recognise(content: Any) -> bool:
    """Whether it is such a file: matrices where others hold vectors."""
    flat = _flat(content)
    return flat is not None and np.shape(flat["hand_pose"])[-2:] == (3, 3)


def read(content: Any, context: Context) -> Recording:
    """Content to motion."""
    flat = _flat(content)
    fingers = np.asarray(flat["hand_pose"], np.float64).reshape(-1, 15, 3, 3)
    orient = np.asarray(flat["global_orient"], np.float64).reshape(-1, 3, 3)
    total = len(fingers)
    right = np.broadcast_to(np.asarray(flat.get("is_right", flat.get("right", 1)), np.float64).ravel() > 0.5, (total,))
    place = next((np.asarray(flat[key], np.float64).reshape(-1, 3) for key in TRANSLATIONS if key in flat), None)
    if place is None:
        place = np.zeros((total, 3))
        context.note("The file has no translation: the hand stays at the origin.")
    if len(orient) != total or len(place) != total:
        raise ValueError(f"expected as many rotations and translations as hand poses, found {len(orient)}, {len(place)} and {total}")
    betas = np.asarray(flat["betas"], np.float64).reshape(total, -1).mean(0) if "betas" in flat else None
    vectors = _vectors(orient), _vectors(fingers)
    both = right.any() and not right.all()
    hands = [
        _hand(context, side, rows, vectors, place, betas, alone=not both)
        for side, rows in (("right", right), ("left", ~right))
        if rows.any() and context.wants(side)
    ]
    return Recording(NAME, tuple(hands), {}, float(np.asarray(flat.get("fps", 0)).item()), camera_frame=True)


def _hand(context: Context, side: str, rows: np.ndarray, vectors, place: np.ndarray, betas, alone: bool) -> RecordedHand:
    """One hand's rows. With both hands in a file every row of the other hand is a frame of its own only if the two take turns."""
    orient, fingers = (part[rows] for part in vectors)
    if side == "left":
        orient, fingers = orient * MIRROR, (fingers.reshape(-1, 15, 3) * MIRROR).reshape(-1, 45)
    if not alone:
        context.note("The file lists both hands in one column; each hand's rows are read as its frames, in order.")
    return context.hand(side, orient, fingers, place[rows], betas)


def _vectors(matrices: np.ndarray) -> np.ndarray:
    return Rotation.from_matrix(matrices.reshape(-1, 3, 3)).as_rotvec().reshape(len(matrices), -1)


def _flat(content: Any) -> dict[str, Any] | None:
    """The dict that holds the hand parameters, from one dict or a list with one dict a frame."""
    if isinstance(content, list) and content and all(isinstance(frame, dict) for frame in content):
        frames = [_flat(frame) for frame in content]
        if any(frame is None for frame in frames):
            return None
        return {key: np.concatenate([np.atleast_1d(np.asarray(frame[key])) for frame in frames]) for key in frames[0] if key in frames[-1]}
    if not isinstance(content, dict):
        return None
    inner = next((content[key] for key in NESTED if isinstance(content.get(key), dict)), {})
    flat = {**content, **inner}
    return flat if {"global_orient", "hand_pose"} <= set(flat) else None
