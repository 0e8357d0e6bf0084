"""What a file of recorded motion holds, in the pack's conventions, and how readers get there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ..hands.conventions import Convention, to_flat
from ..hands.joints import rest_joints
from ..hands.model import HandModel
from ..hands.pose import HandPose


@dataclass(frozen=True, eq=False)
class RecordedHand:
    """One hand over T frames: ``pose`` in smplx's meaning and the flat-hand convention; ``valid`` (T,) is False where there was no hand."""

    pose: HandPose
    valid: np.ndarray


@dataclass(frozen=True, eq=False)
class Recording:
    """Content of a motion file. Metres, radians; the frame of the file (world or camera), unless a note says otherwise.

    Attributes:
        format: one of ``FORMATS``.
        hands: at most one of each side.
        objects: (T, 4, 4) object_to_world of each object by name.
        fps: frames a second, 0 when the file does not say.
        camera_frame: positions are in an OpenCV camera's frame, not in a world.
        notes: sentences on what was assumed, dropped or approximated.
    """

    format: str
    hands: tuple[RecordedHand, ...]
    objects: Mapping[str, np.ndarray]
    fps: float
    camera_frame: bool = False
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.hands[0].pose) if self.hands else len(next(iter(self.objects.values())))


@dataclass(frozen=True)
class ReadOptions:
    """Choices of a reader.

    Attributes:
        betas: "use" the file's shape coefficients, or "drop" them. A hand that is not MANO cannot use them.
        fix_pinky: GraspXL only: give the little finger the ring finger's pose, which its released data stores in both places.
        dataset_betas: shape coefficients of DexYCB's calibration, which its labels do not hold.
    """

    betas: str = "use"
    fix_pinky: bool = True
    dataset_betas: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class Context:
    """The hands a file is read for, by side, the options, and the notes a reader leaves."""

    hands: Mapping[str, HandModel]
    options: ReadOptions = field(default_factory=ReadOptions)
    notes: list[str] = field(default_factory=list)

    def note(self, sentence: str) -> None:
        """Leave a sentence for people, once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def model(self, side: str) -> HandModel:
        """The hand of a side; raises ValueError when it is not there."""
        if side not in self.hands:
            raise ValueError(f"Expected a {side} hand for this file, found only {', '.join(self.hands) or 'none'}: connect a {side} hand.")
        return self.hands[side]

    def wants(self, side: str) -> bool:
        """Whether a hand of a side is to be read; when it is not, that is noted."""
        if side in self.hands:
            return True
        self.note(f"The file's {side} hand is left out: connect a {side} hand to have it.")
        return False

    def betas(self, side: str, betas: np.ndarray | None) -> np.ndarray:
        """(n,) shape coefficients to use for a file's own.

        Raises:
            ValueError: the hand is not MANO, whose shape space they belong to, and they are not to be dropped.
        """
        model = self.model(side)
        given = None if betas is None else np.asarray(betas, np.float32).reshape(-1)
        if given is None or not np.any(given) or self.options.betas == "drop":
            if given is not None and np.any(given):
                self.note("The file's betas are dropped.")
            return np.asarray(model.betas, np.float32)
        if not model.is_mano:
            raise ValueError(
                f"The file's betas belong to MANO's shape space, '{model.name}' has another: load a MANO hand, or set betas to 'drop'."
            )
        return given[: model.num_betas]

    def from_mean(self, side: str, hand_pose: np.ndarray) -> np.ndarray:
        """(T, 45) axis-angles relative to the mean pose, in the flat-hand convention."""
        model = self.model(side)
        if not model.is_mano:
            self.note(f"Fingers are approximate: the file's are relative to MANO's mean pose, '{model.name}' has another.")
        return to_flat(model, hand_pose, Convention.MEAN)

    def from_pca(self, side: str, codes: np.ndarray) -> np.ndarray:
        """(T, n) coefficients of MANO's pose space, relative to the mean pose, in the flat-hand convention.

        Raises:
            ValueError: the hand is not MANO.
        """
        return to_flat(self.model(side), codes, Convention.PCA)

    def hand(
        self,
        side: str,
        global_orient: np.ndarray,
        hand_pose: np.ndarray,
        transl: np.ndarray,
        betas: np.ndarray | None = None,
        valid: np.ndarray | None = None,
        wrist_centred: bool = False,
    ) -> RecordedHand:
        """Put the parts of one hand together.

        Args:
            side: of the hand.
            global_orient: (T, 3) axis-angle.
            hand_pose: (T, 45) axis-angle, flat-hand convention.
            transl: (T, 3) metres: smplx's, or the wrist's place with ``wrist_centred``.
            betas: the file's.
            valid: (T,) frames with a hand, default all.
            wrist_centred: the root joint is taken to the origin before the translation, as manotorch's ``center_idx=0`` does.
        """
        shape = self.betas(side, betas)
        parts = [np.asarray(part, np.float64).reshape(len(hand_pose), -1) for part in (global_orient, hand_pose, transl)]
        for name, part, size in zip(("rotation", "hand pose", "translation"), parts, (3, 45, 3), strict=True):
            if part.shape[1] != size:
                raise ValueError(f"Expected {size} numbers a frame for the {name} of the {side} hand, found {part.shape[1]}.")
        if wrist_centred:
            parts[2] = parts[2] - rest_joints(self.model(side), shape)[0]
        present = np.ones(len(hand_pose), bool) if valid is None else np.asarray(valid, bool)
        pose = HandPose(*parts, shape, side)
        if not all(np.isfinite(part[present]).all() for part in parts):
            raise ValueError(f"The {side} hand holds NaN or infinite numbers, expected finite ones: the file is damaged.")
        return RecordedHand(_filled(pose, present), present)


def _filled(pose: HandPose, valid: np.ndarray) -> HandPose:
    """Frames without a hand take the pose of the nearest frame that has one."""
    from dataclasses import replace

    if valid.all() or not valid.any():
        return pose
    frames = np.flatnonzero(valid)
    places = np.searchsorted(frames, np.arange(len(valid))).clip(0, len(frames) - 1)
    before = frames[(places - 1).clip(0)]
    after = frames[places]
    index = np.where(np.abs(np.arange(len(valid)) - before) <= np.abs(after - np.arange(len(valid))), before, after)
    return replace(pose, global_orient=pose.global_orient[index], hand_pose=pose.hand_pose[index], transl=pose.transl[index])
