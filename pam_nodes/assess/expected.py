"""What the conditions say of one frame, in the form the measures need."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..conditions.hand_keypoints import CONFIDENCE
from ..conditions.pack import masks, resize
from ..conditions.video import ConditionVideo
from .landmarks import HandCrop, crop_of_joints, crop_of_mask

BACKGROUND, HAND, OBJECT = range(3)
TRUST = np.array([CONFIDENCE[visibility] for visibility in sorted(CONFIDENCE)])
"""Weight of a joint by its visibility."""
ENOUGH = 6.0
"""Sum of the joints' confidence from which on a hand ought to be found: less of it is hidden or outside the picture."""


@dataclass(frozen=True, eq=False)
class ExpectedHand:
    """A hand that ought to be seen.

    Attributes:
        crop: where to look.
        pixels: (21, 2) joints, or None if the conditions have none.
        confidence: (21,) 1 for joints that can be seen, less for hidden ones, 0 outside the picture; all 1 without joints.
        side: "right", "left", or "" if not known.
    """

    crop: HandCrop
    pixels: np.ndarray | None
    confidence: np.ndarray
    side: str

    @property
    def box(self) -> float:
        """Longer side of the joints' box, pixels."""
        return float(max(np.ptp(self.pixels, axis=0).max(), 1.0))


@dataclass(frozen=True, eq=False)
class Expected:
    """A frame of the conditions: (H, W) uint8 labels BACKGROUND, HAND or OBJECT, and the hands that ought to be found."""

    labels: np.ndarray
    hands: tuple[ExpectedHand, ...]


def expected(video: ConditionVideo, frame: int) -> Expected:
    """What ought to be seen in a frame; -1 is the last.

    Raises:
        ValueError: no such frame, or conditions that show neither labels nor joints.
    """
    total = video.shape[0]
    if not -total <= frame < total:
        raise ValueError(f"Expected a frame from 0 to {total - 1}, or from -{total} to -1, found {frame}.")
    if video.joints is None and video.instance_ids is None and video.segmentation is None:
        raise ValueError("Expected a segmentation or joints in the conditions, found neither: connect those of Render HOI Conditions.")
    frame %= total
    labels = _labels(video, frame)
    return Expected(labels, _hands(video, frame, labels == HAND))


def _labels(video: ConditionVideo, frame: int) -> np.ndarray:
    ids, colors = (None if clip is None else clip[frame : frame + 1] for clip in (video.instance_ids, video.segmentation))
    if ids is None and colors is None:
        return np.zeros(video.shape[1:], np.uint8)
    one = ConditionVideo(video.fps, video.style, segmentation=colors, instance_ids=ids, num_hands=video.num_hands)
    hands, objects = (mask[0] for mask in masks(one))
    return np.where(hands, HAND, np.where(objects, OBJECT, BACKGROUND)).astype(np.uint8)


def _hands(video: ConditionVideo, frame: int, mask: np.ndarray) -> tuple[ExpectedHand, ...]:
    if video.joints is None:
        crop = crop_of_mask(mask)
        return () if crop is None else (ExpectedHand(crop, None, np.ones(21), ""),)
    found = []
    for pixels, visibility, side in zip(video.joints.pixels[frame], video.joints.visibility[frame], video.joints.sides, strict=True):
        confidence = TRUST[visibility]
        if confidence.sum() >= ENOUGH:
            found.append(ExpectedHand(crop_of_joints(pixels), pixels, confidence, side))
    return tuple(found)


def fitted_pictures(pictures: np.ndarray, video: ConditionVideo) -> np.ndarray:
    """(T, H, W, 3) uint8 pictures stretched to the conditions' size, in which joints, labels and flow are exact."""
    return resize(pictures, video.shape[2], video.shape[1], sharp=False)
