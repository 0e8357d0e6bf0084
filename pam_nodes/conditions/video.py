"""The condition bundle: what the simulator tells the diffusion models, frame by frame, kept compact."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MODALITIES = ("depth", "segmentation", "keypoints", "normals")
"""Names of the condition pictures, in the order the bundle lists them."""


@dataclass(frozen=True, eq=False)
class ConditionVideo:
    """Condition pictures of one clip. Every array that is present has the same T, H, W.

    Attributes:
        depth, segmentation, keypoints, normals: (T, H, W, 3) uint8 RGB pictures in the style's look, or None if absent.
        metric_depth: (T, H, W) float32 camera z in metres, 0 where nothing was hit, or None.
        instance_ids: (T, H, W) uint8: 0 background, 1..n_hands hands, then objects, or None.
        num_hands: how many of the instance ids are hands.
        fps: frames a second.
        style: "dexycb" or "oakink2": whose look the pictures have.
        sources: one line per present modality, how it was made ("depth", "rendered, clip-normalised inferno").
    """

    fps: float
    style: str = "dexycb"
    depth: np.ndarray | None = None
    segmentation: np.ndarray | None = None
    keypoints: np.ndarray | None = None
    normals: np.ndarray | None = None
    metric_depth: np.ndarray | None = None
    instance_ids: np.ndarray | None = None
    num_hands: int = 1
    sources: tuple[tuple[str, str], ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        """(T, H, W) of the pictures; raises ValueError for a bundle without any picture."""
        for name in (*MODALITIES, "instance_ids"):
            frames = getattr(self, name)
            if frames is not None:
                return frames.shape[:3]
        raise ValueError("Expected at least one condition picture, found an empty bundle: connect depth, segmentation or keypoints.")
