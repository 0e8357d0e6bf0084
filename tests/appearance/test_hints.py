"""From the bundle to hint channels."""

import numpy as np
import pytest

from pam_nodes.appearance.flux_control import FluxControlConfig
from pam_nodes.appearance.hints import hint_channels
from pam_nodes.conditions.video import ConditionVideo

CONFIG = FluxControlConfig(128, 2, 8, 8, False, (("depth", "normals"), ("keypoints", "segmentation")))


def clip(value: int) -> np.ndarray:
    return np.full((3, 4, 6, 3), value, np.uint8) + np.arange(3, dtype=np.uint8)[:, None, None, None]


def test_order_and_absent_picture():
    hint = hint_channels(ConditionVideo(15.0, depth=clip(10), segmentation=clip(20), keypoints=clip(30)), CONFIG, -1)
    assert hint.shape == (1, 12, 4, 6)
    np.testing.assert_allclose(hint[0, :, 0, 0] * 255, [12] * 3 + [0] * 3 + [32] * 3 + [22] * 3, rtol=1e-6)


def test_frame_outside_the_clip():
    with pytest.raises(ValueError, match="between 0 and 2, found 3"):
        hint_channels(ConditionVideo(15.0, depth=clip(1)), CONFIG, 3)


def test_nothing_the_net_reads():
    only = FluxControlConfig(128, 2, 8, 8, False, (("keypoints",),))
    with pytest.raises(ValueError, match="at least one of keypoints"):
        hint_channels(ConditionVideo(15.0, depth=clip(1)), only)
