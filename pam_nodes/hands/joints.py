"""Joint names, orders and the maps between them.

MANO order: 0 wrist, then index, middle, pinky, ring, thumb with three joints each. "MANO-21" appends the tips of thumb, index, middle,
ring, pinky as 16..20. OpenPose order (also MediaPipe, DexYCB, FreiHAND): wrist, then thumb to pinky, base to tip. specs: hands 1.2.
"""

from __future__ import annotations

import numpy as np

from .model import HandModel

MANO_FINGERS = ("index", "middle", "pinky", "ring", "thumb")
"""Fingers in the order MANO stores them: finger i owns joints 1 + 3 i .. 3 + 3 i."""

FINGERS = ("thumb", "index", "middle", "ring", "pinky")
"""Fingers in the order people count them, which is also the order of the tips and of OpenPose."""

MANO21_TO_OPENPOSE = (0, 13, 14, 15, 16, 1, 2, 3, 17, 4, 5, 6, 18, 10, 11, 12, 19, 7, 8, 9, 20)
OPENPOSE_TO_MANO21 = (0, 5, 6, 7, 9, 10, 11, 17, 18, 19, 13, 14, 15, 1, 2, 3, 4, 8, 12, 16, 20)
INTERHAND_TO_OPENPOSE = (20, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12, 19, 18, 17, 16)
OPENPOSE_TO_INTERHAND = (4, 3, 2, 1, 8, 7, 6, 5, 12, 11, 10, 9, 16, 15, 14, 13, 20, 19, 18, 17, 0)
MANO21_TO_INTERHAND = (16, 15, 14, 13, 17, 3, 2, 1, 18, 6, 5, 4, 19, 12, 11, 10, 20, 9, 8, 7, 0)
MANO21_TO_HOT3D = (16, 17, 18, 19, 20, 0, 14, 15, 1, 2, 3, 4, 5, 6, 10, 11, 12, 7, 8, 9)
"""Maps between joint orders, used as ``out = joints[..., list(map), :]``. InterHand2.6M lists each finger from tip to base, the wrist last;
HOT3D has 20 landmarks; HO-3D's "simple" order is OpenPose's."""

TIP_TABLES = {
    "manopth": {"right": (745, 317, 444, 556, 673), "left": (745, 317, 445, 556, 673)},
    "smplx": {"right": (744, 320, 443, 554, 671), "left": (744, 320, 443, 554, 671)},
    "ho3d": {"right": (744, 333, 444, 555, 672), "left": (744, 333, 444, 555, 672)},
    "freihand": {"right": (745, 333, 444, 555, 672), "left": (745, 333, 444, 555, 672)},
}
"""Fingertip vertex ids, thumb to pinky. DexYCB's labels and PAM's own script use manopth's. specs: hands 1.3."""


def first_joint(finger: str) -> int:
    """MANO index of the joint at the base of a finger."""
    return 1 + 3 * MANO_FINGERS.index(finger)


def rest_joints(model: HandModel, betas: np.ndarray | tuple[float, ...] = ()) -> np.ndarray:
    """Joints of the unposed hand.

    Args:
        model: the hand.
        betas: (n,) shape coefficients, n at most ``model.num_betas``; missing ones are zero.

    Returns:
        (16, 3) float32 metres, in the frame of the rest mesh.
    """
    betas = np.asarray(betas, dtype=np.float32)
    shaped = model.v_template + model.shapedirs[:, :, : len(betas)] @ betas
    return model.J_regressor @ shaped


def joints21(vertices: np.ndarray, joints: np.ndarray, tip_ids: tuple[int, ...]) -> np.ndarray:
    """The 21 joints that the keypoint pictures draw.

    Args:
        vertices: (..., V, 3) posed mesh.
        joints: (..., 16, 3) posed joints, MANO order.
        tip_ids: vertex ids of the tips, thumb to pinky.

    Returns:
        (..., 21, 3) in OpenPose order.
    """
    mano21 = np.concatenate([joints, vertices[..., list(tip_ids), :]], axis=-2)
    return mano21[..., list(MANO21_TO_OPENPOSE), :]
