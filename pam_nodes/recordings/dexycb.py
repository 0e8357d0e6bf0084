"""DexYCB: ``pose.npz`` of a sequence and ``labels_*.npz`` of a frame (specs: hands 1.8).

``pose_m`` (T, n, 51) or (n, 51): rotation 3, 45 PCA codes relative to the mean pose, translation 3, smplx's ``transl``; all zeros where
there is no hand. ``pose_y``: object poses, (T, n, 7) quaternion xyzw and translation in ``pose.npz``, (n, 3, 4) matrices in labels.
Camera frame (OpenCV), metres, 30 fps. Betas are in the calibration (``mano_*/mano.yml``), the side is in the sequence's ``meta.yml``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from ..geometry.rotations import pose_matrix
from .recording import Context, Recording

NAME, FPS = "dexycb", 30.0


def recognise(content: Any) -> bool:
    """Whether it is such a file."""
    return isinstance(content, dict) and "pose_m" in content


def read(content: dict[str, Any], context: Context) -> Recording:
    """Content to motion; the file does not say which hand it is: the only one connected, else the right one."""
    rows = np.asarray(content["pose_m"], np.float64)
    rows = rows[None] if rows.ndim == 2 else rows
    if rows.ndim != 3 or rows.shape[2] != 51:
        raise ValueError(f"expected 'pose_m' of 51 numbers a hand, found {np.shape(content['pose_m'])}")
    side = "right" if "right" in context.hands else "left"
    context.note(f"DexYCB does not say which hand it is in this file; it is read as the {side} one.")
    context.note("Positions are in the camera's frame: place them with the camera's extrinsics, or choose how to bring them to the table.")
    hand = rows[:, 0]
    valid = np.any(hand != 0, axis=1)
    if not valid.any():
        raise ValueError("expected a hand in at least one frame, found none")
    fingers = np.where(valid[:, None], context.from_pca(side, hand[:, 3:48]), 0.0)
    betas = np.asarray(context.options.dataset_betas, np.float32) if context.options.dataset_betas else None
    if betas is None:
        context.note("DexYCB keeps betas in its calibration: enter those of mano.yml, the mean shape is used.")
    found = context.hand(side, hand[:, :3], fingers, hand[:, 48:], betas, valid)
    return Recording(NAME, (found,), _objects(content), FPS, camera_frame=True)


def _objects(content: dict[str, Any]) -> dict[str, np.ndarray]:
    if "pose_y" not in content:
        return {}
    poses = np.asarray(content["pose_y"], np.float64)
    if poses.ndim == 3 and poses.shape[1:] == (3, 4):
        full = np.tile(np.eye(4), (len(poses), 1, 1))
        full[:, :3] = poses
        return {f"object {i + 1}": pose[None] for i, pose in enumerate(full)}
    if poses.ndim == 3 and poses.shape[2] == 7:
        return {f"object {i + 1}": _from_rows(rows) for i, rows in enumerate(poses.swapaxes(0, 1))}
    raise ValueError(f"expected 'pose_y' of (T, n, 7) or (n, 3, 4), found {poses.shape}")


def _from_rows(rows: np.ndarray) -> np.ndarray:
    """(T, 7) quaternion xyzw and translation to (T, 4, 4); rows of zeros, where the object is not seen, stand at the origin."""
    seen = np.any(rows[:, :4], axis=1)[:, None]
    turn = Rotation.from_quat(np.where(seen, rows[:, :4], [0.0, 0.0, 0.0, 1.0]))
    return pose_matrix(turn.as_matrix(), rows[:, 4:])
