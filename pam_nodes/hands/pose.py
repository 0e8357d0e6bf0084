"""Hand poses over time, in the flat-hand convention."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, eq=False)
class HandPose:
    """T >= 1 hand poses (smplx words and meaning, ``flat_hand_mean=True``: zeros are the flat hand).

    Attributes:
        global_orient: (T, 3) axis-angle of the wrist, radians, world frame; the hand turns about its wrist joint.
        hand_pose: (T, 45) axis-angle of 15 joints in MANO order (index, middle, pinky, ring, thumb), radians.
        transl: (T, 3) metres. The wrist is at ``J0(betas) + transl``, not at ``transl``.
        betas: (S,) shape coefficients of the model the pose was made for; may be shorter than the model's.
        side: "right" or "left".
    """

    global_orient: np.ndarray
    hand_pose: np.ndarray
    transl: np.ndarray
    betas: np.ndarray
    side: str = "right"

    def __len__(self) -> int:
        return len(self.hand_pose)

    @property
    def finite(self) -> bool:
        """Whether every number is finite."""
        return all(np.isfinite(part).all() for part in (self.global_orient, self.hand_pose, self.transl, self.betas))

    def frame(self, index: int) -> HandPose:
        """Return one frame as a pose of length 1. Negative indices count from the end."""
        pick = [range(len(self))[index]]
        return replace(self, global_orient=self.global_orient[pick], hand_pose=self.hand_pose[pick], transl=self.transl[pick])
