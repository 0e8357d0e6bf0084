"""The ways in which data sets and programs write the 15 finger joints of a hand (specs: hands 1.4).

Inside the pack a pose is always axis-angle with a flat hand at zero. These functions are the border.
"""

from __future__ import annotations

from enum import Enum

import numpy as np
from scipy.spatial.transform import Rotation

from .model import HandModel


class Convention(str, Enum):
    """What the numbers of a hand pose mean; the values are shown to people.

    ``FLAT`` and ``MEAN`` are 45 axis-angle numbers, from the flat hand (``flat_hand_mean=True``) or from the mean pose. ``PCA`` are n <= 45
    coefficients of MANO's pose space, from the mean pose. ``QUATERNION`` (wxyz), ``MATRIX`` (row-major) and ``EULER`` (intrinsic XYZ,
    radians) are 60, 135 and 45 numbers from the flat hand.
    """

    FLAT = "axis-angle, flat"
    MEAN = "axis-angle, mean"
    PCA = "PCA, mean"
    QUATERNION = "quaternion wxyz, flat"
    MATRIX = "matrix, flat"
    EULER = "Euler XYZ, flat"


SIZES = {
    Convention.FLAT: 45,
    Convention.MEAN: 45,
    Convention.QUATERNION: 60,
    Convention.MATRIX: 135,
    Convention.EULER: 45,
}
"""Numbers a frame; PCA has any from 1 to 45."""


def to_flat(model: HandModel, numbers: np.ndarray, convention: Convention) -> np.ndarray:
    """Numbers of a convention to the pack's.

    Args:
        model: the hand they were made for.
        numbers: (..., n).
        convention: what they mean. PCA codes are multiplied with the basis of the hand's file, for any n (smplx takes 45 of them for
            axis-angles).

    Returns:
        (..., 45) axis-angle, flat hand at zero, radians.

    Raises:
        ValueError: another count of numbers, quaternions or matrices that are no rotations, or PCA codes for a hand that is not MANO.
    """
    numbers = np.asarray(numbers, np.float64)
    _check_size(numbers.shape[-1], convention)
    if convention is Convention.FLAT:
        return numbers
    if convention is Convention.MEAN:
        return numbers + model.hands_mean
    if convention is Convention.PCA:
        require_mano(model, "PCA codes")
        return numbers @ model.hands_components[: numbers.shape[-1]].astype(np.float64) + model.hands_mean
    if convention is Convention.QUATERNION:
        lengths = np.linalg.norm(numbers.reshape(-1, 4), axis=1)
        _check_rotations(np.abs(lengths - 1), "quaternions of length 1")
        rotations = Rotation.from_quat(numbers.reshape(-1, 4), scalar_first=True)
    elif convention is Convention.MATRIX:
        matrices = numbers.reshape(-1, 3, 3)
        squares = np.abs(matrices @ matrices.transpose(0, 2, 1) - np.eye(3)).max((1, 2))
        _check_rotations(np.maximum(squares, np.linalg.det(matrices) < 0), "rotation matrices")
        rotations = Rotation.from_matrix(matrices)
    else:
        rotations = Rotation.from_euler("XYZ", numbers.reshape(-1, 3))
    return rotations.as_rotvec().reshape(*numbers.shape[:-1], 45)


def from_flat(model: HandModel, hand_pose: np.ndarray, convention: Convention, components: int = 45) -> np.ndarray:
    """The pack's numbers in another convention, the inverse of ``to_flat``.

    Args:
        model: the hand.
        hand_pose: (..., 45).
        convention: wanted.
        components: PCA only: how many coefficients; fewer than 45 keep the nearest pose in their span.

    Returns:
        (..., n) float64.

    Raises:
        ValueError: PCA codes of a hand that is not MANO, or a count of them outside 1..45.
    """
    hand_pose = np.asarray(hand_pose, np.float64)
    if convention is Convention.FLAT:
        return hand_pose
    if convention is Convention.MEAN:
        return hand_pose - model.hands_mean
    if convention is Convention.PCA:
        require_mano(model, "PCA codes")
        _check_size(components, convention)
        # The rows are not of unit length, so the inverse is not the transpose (otaheri/MANO#13).
        return (hand_pose - model.hands_mean) @ np.linalg.pinv(model.hands_components[:components].astype(np.float64))
    rotations = Rotation.from_rotvec(hand_pose.reshape(-1, 3))
    if convention is Convention.QUATERNION:
        values = rotations.as_quat(scalar_first=True)
    else:
        values = rotations.as_matrix() if convention is Convention.MATRIX else rotations.as_euler("XYZ")
    return values.reshape(*hand_pose.shape[:-1], SIZES[convention])


def require_mano(model: HandModel, what: str) -> None:
    """Raise ValueError when numbers of MANO's own spaces are used with another hand."""
    if not model.is_mano:
        raise ValueError(f"{what} belong to MANO's own spaces and mean nothing on '{model.name}': load a MANO hand, or use axis-angles.")


def _check_size(found: int, convention: Convention) -> None:
    expected = SIZES.get(convention)
    if expected is None and not 1 <= found <= 45:
        raise ValueError(f"Expected 1 to 45 PCA codes a frame, found {found}.")
    if expected is not None and found != expected:
        raise ValueError(f"Expected {expected} numbers a frame ({convention.value}), found {found}.")


def _check_rotations(errors: np.ndarray, what: str, tolerance: float = 0.05) -> None:
    """Refuse what rounding does not explain."""
    bad = np.flatnonzero(~(errors <= tolerance))
    if len(bad):
        raise ValueError(f"Expected {what}, found none at joint {bad[0] % 15 + 1} of 15: check the order of the numbers.")
