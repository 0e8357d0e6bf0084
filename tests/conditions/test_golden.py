"""Our pictures against golden ones that a second, independent implementation drew (``reference.py``)."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pam_nodes.conditions.colormap import INFERNO
from pam_nodes.conditions.depth import colorize_depth
from pam_nodes.conditions.keypoints import draw_hand
from pam_nodes.conditions.segmentation import colorize_instances, instance_colors

GOLDEN = Path(__file__).parent / "golden"
HANDS = {
    "dexycb": ("dexycb", "right", 1, False),
    "dexycb_turned": ("dexycb", "left", 2, True),
    "oakink2_left": ("oakink2", "left", 3, False),
    "oakink2_right": ("oakink2", "right", 4, True),
}


def golden(name):
    return np.asarray(Image.open(GOLDEN / f"{name}.png").convert("RGB"))


@pytest.mark.parametrize("name", HANDS)
def test_hand_equals_the_golden_picture(name):
    style, side, _, turned = HANDS[name]
    canvas = np.zeros((480, 640, 3), np.uint8)
    draw_hand(canvas, np.loadtxt(GOLDEN / f"{name}.txt"), np.ones(21, bool), style, side, turned)
    assert golden(name).any(axis=2).sum() > 3000
    np.testing.assert_array_equal(canvas, golden(name))


def test_segmentation_equals_the_golden_palette():
    ids = np.tile(np.arange(23, dtype=np.uint8), (1, 4, 1))
    np.testing.assert_array_equal(colorize_instances(ids, instance_colors(1, range(1, 22)))[0], golden("palette"))


def test_golden_pictures_are_those_of_the_reference():
    pytest.importorskip("cv2")
    from . import reference

    for name, picture in reference.pictures().items():
        np.testing.assert_array_equal(golden(name), picture)
    for name, (_, _, seed, _) in HANDS.items():
        np.testing.assert_array_equal(np.loadtxt(GOLDEN / f"{name}.txt"), reference.joints(seed))


def test_depth_is_inferno_of_inverse_depth():
    """Published anchors of the colour map at 0, 1/4, 1/2, 3/4 and 1, and the depths that must land on them."""
    anchors = {0: (0, 0, 4), 64: (87, 16, 110), 128: (188, 55, 84), 192: (249, 142, 9), 255: (252, 255, 164)}
    near, far = 0.4, 1.2
    for index, color in anchors.items():
        value = (index + 0.5) / 255 if index < 255 else 1.0
        z = 1 / (1 / far + value * (1 / near - 1 / far))
        picture = colorize_depth(np.array([[[z, 0]]], np.float32), (near, far))[0, 0]
        assert np.abs(INFERNO[index].astype(int) - color).max() <= 1
        assert picture.tolist() == [INFERNO[index].tolist(), [0, 0, 0]]
