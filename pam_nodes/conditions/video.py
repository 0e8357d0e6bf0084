"""The condition bundle: what the simulator tells the diffusion models, frame by frame, kept compact."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from .flow import FlowVideo
from .hand_keypoints import HandKeypoints
from .painted import Field, Painted, Pictures

MODALITIES = ("depth", "segmentation", "keypoints", "normals", "tracking")
"""Names of the condition pictures, in the order the bundle lists them."""


@dataclass(frozen=True, eq=False, repr=False)
class ConditionVideo:
    """Condition pictures of one clip. Every array that is present has the same T, H, W.

    Attributes:
        depth, segmentation, keypoints, normals, tracking: (T, H, W, 3) uint8 RGB pictures in the style's look, or None if absent. The
            first three may be given as ``Painted``; then asking for one has all its pictures painted and kept, see ``stored``.
        metric_depth: (T, H, W) float32 camera z in metres, 0 where nothing was hit, or None.
        instance_ids: (T, H, W) uint8: 0 background, 1..n_hands hands, then objects, or None.
        flow: forward optical flow of the clip, or None.
        joints: where the hands' joints are in the pictures, and which can be seen, or None.
        num_hands: how many of the instance ids are hands.
        object_labels: YCB id of each object, in the order of their instance ids; empty if they are not known.
        fps: frames a second.
        style: "dexycb" or "oakink2": whose look the pictures have.
        sources: one line per present modality, how it was made ("depth", "rendered, clip-normalised inferno").
    """

    fps: float
    style: str = "dexycb"
    depth: np.ndarray | None = Field()  # noqa: RUF009 (a descriptor)
    segmentation: np.ndarray | None = Field()  # noqa: RUF009 (a descriptor)
    keypoints: np.ndarray | None = Field()  # noqa: RUF009 (a descriptor)
    normals: np.ndarray | None = None
    tracking: np.ndarray | None = None
    metric_depth: np.ndarray | None = None
    instance_ids: np.ndarray | None = None
    flow: FlowVideo | None = None
    joints: HandKeypoints | None = None
    num_hands: int = 1
    object_labels: tuple[int, ...] = ()
    sources: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        """What there is, without painting it: hosts and debuggers print what nodes are given."""
        present = ", ".join(name for name, value in self.__dict__.items() if isinstance(value, np.ndarray | Painted))
        return f"ConditionVideo({self.style}, {self.fps:g} fps: {present or 'no pictures'})"

    @property
    def shape(self) -> tuple[int, int, int]:
        """(T, H, W) of the pictures; raises ValueError for a bundle without any picture."""
        for name in (*MODALITIES, "instance_ids"):
            frames = self.stored(name)
            if frames is not None:
                return frames.shape[:3]
        if self.flow is not None:
            return self.flow.state.shape
        raise ValueError("Expected at least one condition picture, found an empty bundle: connect depth, segmentation or keypoints.")

    def stored(self, name: str) -> Pictures | None:
        """A modality as it is kept: an array, or ``Painted`` pictures, which can be cut and looked at one by one."""
        return self.__dict__[name]

    def changed(self, **changes) -> ConditionVideo:
        """A bundle with some fields replaced, the others as they are kept."""
        return ConditionVideo(**{field.name: self.stored(field.name) for field in fields(self)} | changes)
