"""Joints in space: those an estimator found in a generated clip, and how far they are from the true ones."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..assess.metrics import mpjpe, pa_mpjpe
from ..conditions.hand_keypoints import HandKeypoints
from ..grasp.trajectory import Trajectory
from ..hands.model import HandModel
from ..hands.skinning import skin
from ..recordings.content import read_content
from ..recordings.read import read_motion

ENDINGS = (".npz", ".npy", ".json", ".pkl", ".pt", ".safetensors")
LARGEST = 0.6
"""Metres: no hand is so long, so larger ones are in millimetres."""
TABLE = re.compile(r"hand_\d+_(right|left)")
"""Names of hands in the joint tables of *Save Motion*."""
UNKNOWN = ""
"""Side of joints whose file does not say it."""


def hand_errors(hands: Mapping[str, np.ndarray] | None, joints: HandKeypoints | None, length: int) -> dict[str, np.ndarray]:
    """(T,) MPJPE and PA-MPJPE in millimetres, means over the hands, NaN where none is known.

    MPJPE is taken with the wrists on each other, as estimators from single pictures do not know the distance well; PA-MPJPE after the best
    shift, turn and scale of each frame.

    Args:
        hands: (T, 21, 3) metres by side, in the axes of the clip's camera, OpenPose order, NaN where no hand was found; or None.
        joints: the true ones, or None.
        length: T.

    Raises:
        ValueError: true joints are not known, another length, or none of the clip's hands.
    """
    errors = {name: np.full(length, np.nan) for name in ("mpjpe_mm", "pa_mpjpe_mm")}
    if hands is None:
        return errors
    if joints is None or joints.points is None:
        raise ValueError(
            "Expected the clip's own joints in space to compare the estimated hands with, found none: rendered conditions, clips of the "
            "data command and DexYCB have them."
        )
    pairs = [(hands[side], joints.points[:, i]) for i, side in enumerate(_named(hands, joints.sides)) if side in hands]
    if not pairs:
        sides = [" and ".join(part) or "no" for part in (joints.sides, hands)]
        raise ValueError(f"Expected an estimated {sides[0]} hand as in the clip, found {sides[1]}.")
    if wrong := [len(found) for found, _ in pairs if len(found) != length]:
        raise ValueError(f"Expected estimated hands in {length} frames like the clip, found {wrong[0]}.")
    for t in range(length):
        known = [(found[t], true[t]) for found, true in pairs if np.isfinite(found[t]).all() and np.isfinite(true[t]).all()]
        if known:
            errors["mpjpe_mm"][t] = 1000 * np.mean([mpjpe(found - found[0], true - true[0]) for found, true in known])
            errors["pa_mpjpe_mm"][t] = 1000 * np.mean([pa_mpjpe(found, true) for found, true in known])
    return errors


def _named(hands: Mapping[str, np.ndarray], sides: tuple[str, ...]) -> tuple[str, ...]:
    """The sides to look up: joints of an unknown side are the only hand's."""
    return (UNKNOWN,) if UNKNOWN in hands and len(sides) == 1 else sides


def trajectory_joints(trajectory: Trajectory) -> dict[str, np.ndarray]:
    """(T, 21, 3) joints of the hands of a motion by side."""
    return {track.model.side: skin(track.model, track.pose).keypoints.astype(np.float64) for track in trajectory.hands}


def find_joints(folder: Path, stem: str) -> Path:
    """The file of a clip's joints; raises FileNotFoundError for none."""
    found = next((path for ending in ENDINGS if (path := folder / f"{stem}{ending}").is_file()), None)
    if found is None:
        raise FileNotFoundError(f"Expected the estimated joints of {stem} in {folder}, found no {stem}.npz, .npy, .json or .pkl.")
    return found


def read_joints(path: Path, hands: Mapping[str, HandModel]) -> dict[str, np.ndarray]:
    """Joints that an estimator found, by side.

    Args:
        path: ``joints`` (T, 21, 3) or (T, n, 21, 3) with ``sides`` (n,), a bare array of the same, the tables of *Save Motion*
            (``hand_0_right``), or hand parameters of HaMeR, WiLoR and other formats that ``read_motion`` knows. Metres, OpenPose order.
        hands: models that parameters are posed with, by side.

    Returns:
        (T, 21, 3) float64, NaN where there was no hand.

    Raises:
        ValueError: something else; one sentence.
    """
    try:
        tables = _tables(read_content(path))
    except ValueError as error:
        raise ValueError(f"Cannot read the joints '{path.name}': {str(error).rstrip('.')}.") from error
    if not tables:
        recording = read_motion(path, hands)
        posed = ((hand, skin(hands[hand.pose.side], hand.pose).keypoints) for hand in recording.hands)
        tables = {hand.pose.side: np.where(hand.valid[:, None, None], points, np.nan) for hand, points in posed}
    extent = max((np.ptp(points[np.isfinite(points).all(axis=(1, 2))], axis=1).max(initial=0) for points in tables.values()), default=0)
    if extent > LARGEST:
        raise ValueError(f"Expected joints in metres in '{path.name}', found a hand {extent:.0f} long: divide millimetres by 1000.")
    return tables


def _tables(content: Any) -> dict[str, np.ndarray]:
    """Joints that stand in a file as they are; none for other content."""
    if not isinstance(content, dict):
        return _by_side(content, None)
    if "joints" in content:
        return _by_side(content["joints"], content.get("sides"))
    named = {match[1]: value for key, value in content.items() if (match := TABLE.fullmatch(str(key)))}
    return {side: points for side, value in named.items() for points in _by_side(value, None).values()}


def _by_side(values: Any, sides: Any) -> dict[str, np.ndarray]:
    try:
        array = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        return {}
    if array.ndim == 3 and array.shape[1:] == (21, 3):
        array = array[:, None]
    if array.ndim != 4 or array.shape[2:] != (21, 3):
        return {}
    names = [str(side) for side in np.atleast_1d(sides)] if sides is not None else [UNKNOWN]
    if len(names) != array.shape[1]:
        raise ValueError(f"expected a name in 'sides' for each of {array.shape[1]} hands, found {len(names)}")
    return {name: array[:, i] for i, name in enumerate(names)}
