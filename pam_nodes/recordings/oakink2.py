"""OAKINK2: ``anno_preview/*.pkl`` (specs: hands 1.8).

``raw_mano[frame]`` holds ``rh__`` and ``lh__`` parts: ``pose_coeffs`` (1, 16, 4) quaternions wxyz, wrist first, flat-hand convention,
``tsl`` (1, 3) the wrist's place (manotorch with ``center_idx=0``), ``betas`` (1, 10). ``obj_transf`` {object id: {frame: (4, 4)}}.
World of the motion capture, metres; ``mocap_frame_id_list`` runs at 120 Hz in steps that make 30 fps.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from .recording import Context, RecordedHand, Recording

NAME, FPS = "oakink2", 30.0
PREFIX = {"right": "rh__", "left": "lh__"}


def recognise(content: Any) -> bool:
    """Whether it is such a file."""
    return isinstance(content, dict) and isinstance(content.get("raw_mano"), dict)


def read(content: dict[str, Any], context: Context) -> Recording:
    """Content to motion."""
    raw = content["raw_mano"]
    frames = sorted(frame for frame in raw if isinstance(frame, int))
    if not frames:
        raise ValueError("expected numbered frames in 'raw_mano', found none")
    sides = [side for side in ("right", "left") if _present(raw, frames, side) and context.wants(side)]
    hands = [_hand(raw, frames, side, context) for side in sides]
    objects = {}
    for name, poses in (content.get("obj_transf") or {}).items():
        known = [frame for frame in frames if frame in poses]
        if len(known) < len(frames):
            context.note(f"The object {name} is missing in {len(frames) - len(known)} frames, where it stays as before.")
        if known:
            index = np.searchsorted(known, frames, side="right").clip(1) - 1
            objects[str(name)] = np.stack([np.asarray(poses[known[i]], np.float64).reshape(4, 4) for i in index])
    return Recording(NAME, tuple(hands), objects, FPS)


def _present(raw: dict[int, Any], frames: list[int], side: str) -> bool:
    return any(f"{PREFIX[side]}pose_coeffs" in raw[frame] for frame in frames)


def _hand(raw: dict[int, Any], frames: list[int], side: str, context: Context) -> RecordedHand:
    prefix = PREFIX[side]
    valid = np.array([f"{prefix}pose_coeffs" in raw[frame] for frame in frames])
    first = next(frame for frame, present in zip(frames, valid, strict=True) if present)

    def stacked(key: str, size: int) -> np.ndarray:
        shown = [frame if present else first for frame, present in zip(frames, valid, strict=True)]
        rows = [np.asarray(raw[frame][prefix + key], np.float64).ravel() for frame in shown]
        if any(row.size != size for row in rows):
            raise ValueError(f"expected {size} numbers in '{prefix}{key}' of each frame, found others")
        return np.stack(rows)

    quaternions = stacked("pose_coeffs", 64).reshape(-1, 4)
    vectors = Rotation.from_quat(quaternions, scalar_first=True).as_rotvec().reshape(len(frames), 48)
    betas = stacked("betas", 10)
    return context.hand(side, vectors[:, :3], vectors[:, 3:], stacked("tsl", 3), betas.mean(0), valid, wrist_centred=True)
