"""From a condition bundle to the hint channels a Flux ControlNet reads."""

from __future__ import annotations

import torch
from torch import Tensor

from ..conditions.video import ConditionVideo
from .flux_control import FluxControlConfig


def hint_channels(conditions: ConditionVideo, config: FluxControlConfig, frame: int = 0) -> Tensor:
    """RGB channels of one frame in the checkpoint's order.

    Args:
        conditions: the bundle. A picture it lacks becomes black, the "absent" PAM trained with (-1 after scaling).
        config: which conditions the net reads.
        frame: index into the clip; negative counts from the end.

    Returns:
        (1, 3n, H, W) float32 in 0..1.

    Raises:
        ValueError: the frame is outside the clip, or none of the net's conditions is present.
    """
    length, height, width = conditions.shape
    if not -length <= frame < length:
        raise ValueError(f"Expected a frame between 0 and {length - 1}, found {frame}: the conditions have {length} frames.")
    pictures = [getattr(conditions, name) for name in config.conditions]
    if all(picture is None for picture in pictures):
        raise ValueError(
            f"Expected at least one of {', '.join(config.conditions)} for this ControlNet, found none in the conditions: "
            "connect Render HOI Conditions or pack one of them."
        )
    hint = torch.zeros(1, 3 * len(pictures), height, width)
    for index, picture in enumerate(pictures):
        if picture is not None:
            hint[0, 3 * index : 3 * index + 3] = torch.from_numpy(picture[frame]).movedim(-1, 0) / 255.0
    return hint
