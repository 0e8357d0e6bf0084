"""Make hand poses from presets, finger sliders and plain numbers, and put the wrist where it is wanted.

Neutral wrist, rotation (0, 0, 0), both hands: palm down (-Z), fingers along +Y, so the thumb points to -X on the right hand and +X on
the left. The rotation then turns the hand about its wrist, about the fixed world axes X, Y, Z in this order.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..geometry.rotations import axis_angle_to_matrix, euler_degrees_to_matrix, matrix_to_axis_angle
from .conventions import SIZES, Convention, from_flat, to_flat
from .joints import first_joint, rest_joints
from .model import HandModel
from .pose import HandPose

PRESETS = ("flat", "relaxed", "fist", "pinch", "tripod", "grasp", "point")
PRESETS_FILE = Path(__file__).parents[1] / "assets" / "hand" / "poses.json"

MIRROR = np.array([1.0, -1.0, -1.0])
"""Signs that turn an axis-angle of one hand into that of the other."""

NEUTRAL = {
    "right": np.array([[0.0, 0, -1], [-1, 0, 0], [0, 1, 0]]),
    "left": np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]),
}
"""Rest mesh (fingers along -x right, +x left; thumb +z; palm -y) to the neutral wrist."""


@dataclass(frozen=True)
class FingerRange:
    """How a finger's sliders move its three joints, base to tip. Degrees.

    Attributes:
        flexion: added by a slider at 1, removed at -1.
        least, most: flexion is kept within these, unless the preset is already outside.
        spread: sideways turn of the base joint at 1, away from the middle finger (the middle finger turns to the index).
        together: the same at -1, the other way. Long fingers have less room there before they cross.
    """

    flexion: tuple[float, float, float]
    least: tuple[float, float, float]
    most: tuple[float, float, float]
    spread: float
    together: float


LONG_FINGER = FingerRange(flexion=(85, 100, 60), least=(-20, -5, -5), most=(90, 105, 75), spread=18, together=9)
THUMB = FingerRange(flexion=(25, 45, 60), least=(-20, -15, -15), most=(40, 60, 80), spread=30, together=30)


@dataclass(frozen=True)
class FingerSlider:
    """Change of one finger on top of a preset: both in -1..1, 0 keeps the preset."""

    flexion: float = 0.0
    spread: float = 0.0


@lru_cache(maxsize=1)
def _presets() -> dict[str, np.ndarray]:
    content = json.loads(PRESETS_FILE.read_text(encoding="utf-8"))
    return {name: np.array(rows) for name, rows in content["presets"].items()}


def preset_pose(preset: str, side: str = "right") -> np.ndarray:
    """(45,) axis-angle of a preset, flat-hand convention, mirrored for the left hand."""
    presets = _presets()
    if preset not in presets:
        raise ValueError(f"Expected a hand preset out of {', '.join(PRESETS)}, found '{preset}'.")
    return (presets[preset] * (1 if side == "right" else MIRROR)).ravel()


def finger_pose(model: HandModel, preset: str, sliders: dict[str, FingerSlider]) -> np.ndarray:
    """A preset with single fingers bent or spread.

    Args:
        model: gives the directions of the finger bones.
        preset: one of ``PRESETS``.
        sliders: by finger name (thumb, index, middle, ring, pinky); fingers left out keep the preset.

    Returns:
        (45,) axis-angle, radians.
    """
    rows = preset_pose(preset).reshape(15, 3)
    joints = rest_joints(model).astype(np.float64)
    if model.side == "left":
        joints = joints * [-1, 1, 1]
    for finger, slider in sliders.items():
        base = first_joint(finger)
        rows[base - 1 : base + 2] = _bend(finger, joints[base : base + 3], rows[base - 1 : base + 2], slider)
    if model.side == "left":
        rows = rows * MIRROR
    return rows.ravel()


def _bend(finger: str, joints: np.ndarray, rows: np.ndarray, slider: FingerSlider) -> np.ndarray:
    """Bend one right-hand finger: (3, 3) rest joints and axis-angles, base to tip, to new axis-angles.

    The flexion axis is square to the bone and to the back of the finger: +y for the long fingers, a diagonal for the thumb, whose nail
    looks sideways. Spreading turns the base joint about that back direction.
    """
    reach = THUMB if finger == "thumb" else LONG_FINGER
    back = np.full(3, 3**-0.5) if finger == "thumb" else np.array([0.0, 1.0, 0.0])
    axis = np.cross(back, joints[2] - joints[0])
    axis /= np.linalg.norm(axis)
    matrices = axis_angle_to_matrix(rows)
    for i in range(3):
        present = _twist(rows[i], axis)
        low, high = np.radians(reach.least[i]), np.radians(reach.most[i])
        wanted = present + np.radians(reach.flexion[i]) * slider.flexion
        change = np.clip(wanted, min(low, present), max(high, present)) - present
        matrices[i] = matrices[i] @ axis_angle_to_matrix(axis * change)
    sideways = np.radians(slider.spread * (reach.spread if slider.spread > 0 else reach.together))
    outwards = 1.0 if finger in ("thumb", "index", "middle") else -1.0
    matrices[0] = axis_angle_to_matrix(back * outwards * sideways) @ matrices[0]
    return matrix_to_axis_angle(matrices)


def _twist(axis_angle: np.ndarray, axis: np.ndarray) -> float:
    """Angle of a rotation about one axis: the twist of its swing-twist decomposition, radians."""
    angle = np.linalg.norm(axis_angle)
    if angle == 0:
        return 0.0
    return float(2 * np.arctan2(np.sin(angle / 2) * (axis_angle @ axis) / angle, np.cos(angle / 2)))


def pose_from_numbers(numbers: str | list[float] | np.ndarray, model: HandModel, convention: Convention = Convention.FLAT) -> np.ndarray:
    """Read the numbers of a hand pose.

    Args:
        numbers: of 15 joints in MANO order (index, middle, pinky, ring, thumb), as many as the convention has; text may separate them by
            spaces, commas, semicolons, brackets and line breaks.
        model: the hand they were made for.
        convention: what they mean.

    Returns:
        (45,) float64 axis-angle, flat hand at zero.

    Raises:
        ValueError: another count, not numbers, not finite, or PCA codes for a hand that is not MANO.
    """
    if isinstance(numbers, str):
        try:
            values = np.array([float(word) for word in _words(numbers)])
        except ValueError as error:
            raise ValueError(f"Expected numbers separated by commas or spaces, found something else: {error}.") from error
    else:
        values = np.asarray(numbers, dtype=np.float64).ravel()
    expected = SIZES.get(convention)
    if expected is not None and len(values) != expected:
        raise ValueError(f"Expected {expected} numbers (15 joints, {convention.value}), found {len(values)}.")
    finite = np.isfinite(values)
    if not finite.all():
        raise ValueError(f"Expected finite numbers, found {values[~finite][0]} at place {np.argmin(finite) + 1}.")
    return to_flat(model, values, convention)


def numbers_of(model: HandModel, pose: HandPose, convention: str, components: int, frame: int) -> tuple[str, str, str, str]:
    """One frame as text: the fingers in a convention, wrist rotation (axis-angle), translation and betas, separated by commas.

    Raises:
        ValueError: a frame that is not there, or PCA codes of a hand that is not MANO.
    """
    if not -len(pose) <= frame < len(pose):
        raise ValueError(f"Expected a frame within {-len(pose)}..{len(pose) - 1}, found {frame}.")
    one = pose.frame(frame)
    fingers = from_flat(model, one.hand_pose[0], Convention(convention), components)
    rows = (fingers, one.global_orient[0], one.transl[0], one.betas)
    return tuple(", ".join(f"{value:.9g}" for value in np.ravel(row)) for row in rows)


def place_hand(
    model: HandModel,
    hand_pose: np.ndarray,
    wrist: tuple[float, float, float],
    rotation: tuple[float, float, float] = (0.0, 0.0, 0.0),
    betas: np.ndarray | tuple[float, ...] | None = None,
) -> HandPose:
    """Put a posed hand into the world by its wrist joint.

    Args:
        model: the hand.
        hand_pose: (45,) axis-angle, flat-hand convention.
        wrist: position of the wrist joint, metres, world frame.
        rotation: degrees about the fixed world axes X, Y, Z from the neutral wrist (palm down, fingers along +Y).
        betas: shape coefficients, None for the model's own.

    Returns:
        A pose of one frame.
    """
    betas = np.asarray(model.betas if betas is None else betas, dtype=np.float32)
    if not np.isfinite([*wrist, *rotation]).all():
        raise ValueError(f"Expected a finite wrist position and rotation, found {wrist} and {rotation}.")
    orient = matrix_to_axis_angle(euler_degrees_to_matrix(rotation) @ NEUTRAL[model.side])
    transl = np.asarray(wrist) - rest_joints(model, betas)[0]
    row = [np.asarray(part, dtype=np.float32)[None] for part in (orient, hand_pose, transl)]
    return HandPose(*row, betas=betas, side=model.side)


def with_betas(model: HandModel, text: str) -> HandModel:
    """The hand with shape coefficients typed by a person; empty text is the mean shape.

    Raises:
        ValueError: not numbers, too many, or far outside what people have.
    """
    try:
        betas = tuple(float(word) for word in _words(text))
    except ValueError as error:
        raise ValueError(f"Expected betas as numbers separated by commas or spaces, found something else: {error}.") from error
    if len(betas) > model.num_betas:
        raise ValueError(f"Expected at most {model.num_betas} betas for the hand '{model.name}', found {len(betas)}.")
    if not np.all(np.abs(betas) <= 10):
        raise ValueError(f"Expected betas within -10..10 (people are within -3..3), found {text.strip()}.")
    return replace(model, betas=betas)


def _words(text: str) -> list[str]:
    """Numbers of a text as people paste them: separated by spaces, commas, semicolons, brackets or line breaks."""
    return [word for word in re.split(r"[\s,;\[\]()]+", text) if word]
