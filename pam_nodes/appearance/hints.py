"""From a condition bundle to the hint channels a Flux ControlNet reads."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..conditions.pack import resized
from ..conditions.video import MODALITIES, ConditionVideo
from .flux_control import FluxControlConfig

MODALITY_STRENGTHS = {name: 0.0 if name == "normals" else 1.0 for name in MODALITIES}
"""As PAM was trained: its normal channels always held the absent picture (pam_reference.md 4.2)."""
SAME_SHAPE = 0.05
"""How far the ratio of width and height may differ from the picture's: rounding to multiples of 16 pixels, no more."""


@dataclass(frozen=True, eq=False)
class HintFrames:
    """The condition pictures a ControlNet reads, of one or several frames; drawn at a size by ``at``.

    Attributes:
        video: only the chosen frames.
        names: conditions in channel order.
        strengths: share of each condition in 0..1; 0 is the absent picture.
    """

    video: ConditionVideo
    names: tuple[str, ...]
    strengths: tuple[float, ...]

    def at(self, width: int, height: int) -> Tensor:
        """Hint channels (F, 3n, height, width) float32 in 0..1, resized as PAM's loaders do.

        Raises:
            ValueError: the picture has another shape than the conditions, so that hands would be stretched.
        """
        _, own_height, own_width = self.video.shape
        if abs(own_width / own_height * height / width - 1) > SAME_SHAPE:
            raise ValueError(
                f"Expected conditions shaped like the picture, {width} x {height}, found {own_width} x {own_height}: set the camera to "
                "the picture's size, or use Fit HOI Conditions to stretch them as PAM does."
            )
        video = resized(self.video, width, height)
        hint = torch.zeros(video.shape[0], 3 * len(self.names), height, width)
        for index, (name, strength) in enumerate(zip(self.names, self.strengths, strict=True)):
            pictures = getattr(video, name)
            if pictures is not None and strength > 0:
                hint[:, 3 * index : 3 * index + 3] = torch.from_numpy(pictures).movedim(-1, 1) / 255.0 * strength
        return hint


def hint_frames(
    conditions: ConditionVideo, config: FluxControlConfig, frames: Sequence[int] = (0,), strengths: Mapping[str, float] | None = None
) -> HintFrames:
    """Choose what a ControlNet reads.

    Args:
        conditions: the bundle. A picture it lacks becomes black, the "absent" PAM trained with (-1 after scaling).
        config: which conditions the net reads.
        frames: indices into the clip, one a picture; negative ones count from the end.
        strengths: share of each condition, 0 (absent) to 1; missing names have those of ``MODALITY_STRENGTHS``.

    Raises:
        ValueError: a frame is outside the clip, a strength outside 0..1, or none of the net's conditions is left.
    """
    length = conditions.shape[0]
    outside = [frame for frame in frames if not -length <= frame < length]
    if outside:
        raise ValueError(f"Expected a frame between 0 and {length - 1}, found {outside[0]}: the conditions have {length} frames.")
    shares = {**MODALITY_STRENGTHS, **(strengths or {})}
    wrong = [name for name in config.conditions if not 0 <= shares[name] <= 1]
    if wrong:
        raise ValueError(f"Expected a strength between 0 and 1 for {wrong[0]}, found {shares[wrong[0]]}: 0 leaves it out, 1 is as trained.")
    present = [name for name in config.conditions if getattr(conditions, name) is not None]
    if not any(shares[name] > 0 for name in present):
        found = f"only {', '.join(present)} with strength 0" if present else "none in the conditions"
        raise ValueError(
            f"Expected at least one of {', '.join(config.conditions)} for this ControlNet, found {found}: "
            "connect Render HOI Conditions, pack one of them, or raise its strength."
        )
    kept = {*present, "segmentation", "instance_ids"}
    changes = {name: _frames(conditions, name, frames) if name in kept else None for name in (*MODALITIES, "instance_ids")}
    video = replace(conditions, **changes, metric_depth=None, flow=None)
    return HintFrames(video, config.conditions, tuple(shares[name] for name in config.conditions))


def _frames(conditions: ConditionVideo, name: str, frames: Sequence[int]):
    pictures = getattr(conditions, name)
    return None if pictures is None else pictures[list(frames)]


def parse_frames(text: str, length: int) -> list[int]:
    """Frame numbers of a text such as "0, 8, -1" or "0:49:8" (start, end before which it stops, step), of a clip of ``length`` frames.

    Raises:
        ValueError: anything else, or a range without a frame.
    """
    chosen: list[int] = []
    for word in text.replace(",", " ").split():
        if not re.fullmatch(r"-?\d{1,6}|(-?\d{1,6})?:(-?\d{1,6})?(:\d{1,6})?", word):
            raise ValueError(f'Expected frames such as "0, 8, 16" or "0:49:8", found "{word}".')
        if ":" not in word:
            chosen.append(int(word))
            continue
        start, end, step = ([int(part) if part else None for part in word.split(":")] + [None])[:3]
        if step == 0:
            raise ValueError(f'Expected a step of at least 1 in a range of frames, found "{word}".')
        chosen += range(*slice(start, end, step).indices(length))
    if not chosen:
        raise ValueError(f'Expected at least one frame of the {length} in the conditions, found "{text}".')
    return chosen
