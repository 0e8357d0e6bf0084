"""Condition clips from and to pictures."""

import numpy as np
import pytest

from pam_nodes.conditions.colormap import INFERNO
from pam_nodes.conditions.pack import mask_pictures, masks, pack_images, resize, resized, to_bytes, to_float
from pam_nodes.conditions.painted import Painted
from pam_nodes.conditions.segmentation import instance_pictures
from pam_nodes.conditions.video import ConditionVideo


@pytest.fixture
def clip():
    """Two frames of 4 x 6 with a hand in column 1 and an object in column 3."""
    ids = np.zeros((2, 4, 6), np.uint8)
    ids[:, :, 1], ids[:, :, 3] = 1, 2
    colors = np.array([[0, 0, 0], [92, 0, 255], [8, 255, 51]], np.uint8)
    return ConditionVideo(fps=15.0, depth=INFERNO[ids * 90], segmentation=colors[ids], instance_ids=ids, sources=(("depth", "rendered"),))


def test_float_and_back_changes_nothing():
    pictures = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=3)
    images = to_float(pictures)
    assert images.dtype == np.float32 and images.max() == 1.0
    np.testing.assert_array_equal(to_bytes(images), pictures)


def test_segmentation_is_never_mixed(clip):
    large = resized(clip, 50, 33)
    assert large.shape == (2, 33, 50)
    assert {tuple(c) for c in large.segmentation.reshape(-1, 3)} == {(0, 0, 0), (92, 0, 255), (8, 255, 51)}
    assert set(np.unique(large.instance_ids)) == {0, 1, 2}


def test_depth_is_averaged_when_it_shrinks():
    board = (np.indices((8, 8)).sum(axis=0) % 2 * 255).astype(np.uint8)[None, :, :, None].repeat(3, axis=3)
    assert np.abs(resize(board, 4, 4, sharp=False).astype(int) - 128).max() < 20
    assert set(np.unique(resize(board, 3, 3, sharp=True))) <= {0, 255}


def test_masks_from_ids_and_from_colours_agree(clip):
    from dataclasses import replace

    hand, thing = masks(clip)
    assert hand[:, :, 1].all() and hand.sum() == 8 and thing[:, :, 3].all() and thing.sum() == 8
    noisy = replace(clip, instance_ids=None, segmentation=np.clip(clip.segmentation.astype(int) + 12, 0, 255).astype(np.uint8))
    for one, two in zip(masks(clip), masks(noisy), strict=True):
        np.testing.assert_array_equal(one, two)
    assert not np.any(masks(replace(clip, instance_ids=None, segmentation=None)))


@pytest.mark.parametrize(("style", "hand_color"), [("dexycb", (92, 0, 255)), ("oakink2", (61, 230, 250))])
def test_masks_become_a_segmentation(clip, style, hand_color):
    """Soft masks of another size, the hand before the object; taken apart again they are the same."""
    hand, thing = (np.zeros((2, 8, 12), np.float32) for _ in range(2))
    hand[:, 2:6, 2:6], thing[:, 2:8, 4:10], thing[0, 0, 0] = 0.9, 1.0, 0.4
    packed = pack_images({"segmentation": mask_pictures(hand, thing, style, 2)}, style=style)
    assert tuple(packed.segmentation[0, 3, 5]) == hand_color and not packed.segmentation[0, 0, 0].any()
    assert style == "oakink2" or tuple(packed.segmentation[1, 7, 9]) == (6, 230, 230)
    found = masks(packed)
    np.testing.assert_array_equal(found[0], hand > 0.5)
    np.testing.assert_array_equal(found[1], (thing > 0.5) & (hand <= 0.5))
    into = pack_images({"segmentation": mask_pictures(hand, None)}, clip)
    assert into.shape == clip.shape and into.depth is clip.depth and masks(into)[0].sum() == 8
    with pytest.raises(ValueError, match=r"masks of one length and size .* found \(2, 8, 12\) and \(1, 8, 12\)"):
        mask_pictures(hand, thing[:1])


def test_packing_paints_nothing_that_is_not_replaced(clip):
    """A long clip keeps its pictures unpainted."""
    colors = np.array([[0, 0, 0], [92, 0, 255], [8, 255, 51]], np.uint8)
    lazy = clip.changed(segmentation=instance_pictures(clip.instance_ids, colors))
    packed = pack_images({"depth": np.ones((2, 4, 6, 3), np.float32)}, lazy)
    assert isinstance(packed.stored("segmentation"), Painted)


def test_replacing_depth_keeps_the_rest_and_colours_grey(clip):
    grey = np.tile(np.linspace(0.2, 0.8, 12, dtype=np.float32), (2, 8, 1))[..., None].repeat(3, axis=3)
    packed = pack_images({"depth": grey}, clip)
    assert packed.shape == (2, 4, 6) and packed.fps == 15.0
    np.testing.assert_array_equal(packed.segmentation, clip.segmentation)
    assert not packed.depth[clip.instance_ids == 0].any()
    assert (np.abs(packed.depth[:, :, 3][..., None, :].astype(int) - INFERNO).sum(-1).min(-1) == 0).all()
    assert dict(packed.sources)["depth"] == "given as pictures"
    plain = pack_images({"depth": grey}, clip, color_grey_depth=False)
    assert np.ptp(plain.depth, axis=3).max() == 0


def test_new_bundle_of_pictures(clip):
    images = {name: to_float(getattr(clip, name)) for name in ("depth", "segmentation")}
    packed = pack_images(images, fps=24.0, style="dexycb")
    np.testing.assert_array_equal(packed.depth, clip.depth)
    assert packed.fps == 24.0 and packed.instance_ids is None
    assert packed.keypoints is None
    np.testing.assert_array_equal(masks(packed)[0], masks(clip)[0])


def test_bad_packs_say_why(clip):
    with pytest.raises(ValueError, match="found neither"):
        pack_images({})
    with pytest.raises(ValueError, match="Expected 2 frames in every modality, found 3 in depth"):
        pack_images({"depth": np.zeros((3, 4, 6, 3), np.float32)}, clip)
    with pytest.raises(ValueError, match="found flow"):
        pack_images({"flow": np.zeros((2, 4, 6, 3), np.float32)}, clip)
