"""Other looks and sizes of a bundle."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pam_nodes.conditions.colormap import INFERNO
from pam_nodes.conditions.depth import PERCENTILES, depth_range, grey_depth
from pam_nodes.conditions.flow import FlowVideo
from pam_nodes.conditions.pack import first_frames, fitted, picked, resize
from pam_nodes.conditions.relook import depth_look, segmentation_look
from pam_nodes.conditions.video import ConditionVideo


def bundle(frames=3, height=12, width=16, style="dexycb"):
    """A hand at 0.5 to 0.7 m on the left, an object at 0.8 m on the right, background in a stripe between."""
    rng = np.random.default_rng(0)
    ids = np.zeros((frames, height, width), np.uint8)
    ids[:, :, : width // 3], ids[:, :, width // 2 :] = 1, 2
    depth = np.where(ids == 1, rng.uniform(0.5, 0.7, ids.shape), np.where(ids == 2, 0.8, 0)).astype(np.float32)
    colors = rng.integers(0, 256, (frames, height, width, 3), dtype=np.uint8)
    pictures = {name: colors for name in ("depth", "segmentation", "keypoints", "normals")}
    return ConditionVideo(30.0, style, **pictures, metric_depth=depth, instance_ids=ids, object_labels=(14,))


def test_depth_in_metres_and_grey():
    clip = bundle()
    same, metres, limits = depth_look(clip, "metres", "clip", 0, 0)
    assert same is clip and limits == pytest.approx((clip.metric_depth[clip.metric_depth > 0].min(), 0.8))
    np.testing.assert_array_equal(metres[..., 1], clip.metric_depth)
    grey, pictures, _ = depth_look(clip, "grey linear", "fixed", 0.4, 0.9)
    seen = clip.instance_ids > 0
    np.testing.assert_allclose(pictures[seen][:, 0], (0.9 - clip.metric_depth[seen]) / 0.5, atol=1e-5)
    assert not pictures[~seen].any() and np.abs(grey.depth / 255 - pictures).max() <= 0.5 / 255 + 1e-6
    assert dict(grey.sources)["depth"] == "rendered, grey linear, 0.4 to 0.9 m"
    _, inverse, _ = depth_look(clip, "grey inverse", "fixed", 0.4, 0.9)
    z = clip.metric_depth[seen]
    np.testing.assert_allclose(inverse[seen][:, 2], (1 / z - 1 / 0.9) / (1 / 0.4 - 1 / 0.9), atol=1e-5)


def test_pam_look_in_a_fixed_range():
    clip = bundle()
    _, pictures, limits = depth_look(clip, "pam", "fixed", 0.5, 1.0)
    value = np.floor(255 * (1 / 0.8 - 1) / (1 / 0.5 - 1)).astype(int)
    np.testing.assert_allclose(pictures[0, 0, -1], INFERNO[value] / 255, atol=1e-6)
    assert limits == (0.5, 1.0) and depth_look(clip, "pam", "pam", 0, 0)[2] == depth_range(clip.metric_depth)


def test_one_near_pixel_does_not_darken_a_clip():
    depth = np.full((1, 100, 100), 0.6, np.float32)
    calm = depth_range(depth)
    depth[0, 0, :5] = 0.05
    assert depth_range(depth) == pytest.approx(calm) and PERCENTILES[0] == 1
    assert grey_depth(np.full((1, 2, 2), 0.5, np.float32)).min() == pytest.approx(1, abs=1e-4)  # flat, not 0 / 0


def test_long_clips_are_sampled_for_their_range(monkeypatch):
    depth = np.zeros((2, 50, 50), np.float32)
    depth[1, 20:40, 20:40] = np.random.default_rng(0).uniform(0.5, 1.0, (20, 20))
    full = depth_range(depth)
    monkeypatch.setattr("pam_nodes.conditions.depth.MOST", 2500)
    assert depth_range(depth) == pytest.approx(full, rel=0.03)
    depth[:] = 0
    depth[0, 0, 1] = 0.7  # between the samples
    assert depth_range(depth)[0] == pytest.approx(0.7 / 1.02)


def test_segmentation_palettes():
    clip = bundle()
    own = segmentation_look(clip, "dexycb").segmentation
    assert {tuple(c) for c in own.reshape(-1, 3).tolist()} == {(0, 0, 0), (92, 0, 255), (8, 255, 51)}
    named = segmentation_look(clip, "dexycb", "cracker box").segmentation
    assert tuple(named[0, 0, -1]) == (6, 230, 230)
    custom = segmentation_look(clip, "custom", hand_color="#010203", object_colors="#0a0b0c, #111111").segmentation
    assert tuple(custom[0, 0, 0]) == (1, 2, 3) and tuple(custom[0, 0, -1]) == (10, 11, 12)
    assert tuple(segmentation_look(clip, "oakink2").segmentation[0, 0, 0]) == (61, 230, 250)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("dexycb", "mug, bowl"), "1 YCB names"),
        (("dexycb", "teapot"), "teapot"),
        (("coco",), "coco"),
        (("custom", "", "red"), 'found "red"'),
        (("custom", "", "#010203, #010203"), "one hand colour"),
        (("custom", "", "#010203", ""), "object colour"),
    ],
)
def test_bad_palettes_say_why(arguments, message):
    with pytest.raises(ValueError, match=message):
        segmentation_look(bundle(), *arguments)


def test_what_a_bundle_lacks_is_named():
    bare = replace(bundle(), metric_depth=None, instance_ids=None)
    with pytest.raises(ValueError, match="depth in metres"):
        depth_look(bare, "pam", "pam", 0, 0)
    with pytest.raises(ValueError, match="instance ids"):
        segmentation_look(bare, "dexycb")
    with pytest.raises(ValueError, match="near < far"):
        depth_look(bundle(), "pam", "fixed", 1.0, 0.5)
    with pytest.raises(ValueError, match='found "blue" and "clip"'):
        depth_look(bundle(), "blue", "clip", 0, 0)


def test_pictures_are_resized_as_pams_loaders_do():
    """torchvision's resize of tensors is torch's interpolate: nearest for DexYCB's labels, antialiased bilinear for the rest."""
    clip = bundle(2, 48, 64)
    large = fitted(clip, 72, 48)
    for name in ("segmentation", "keypoints", "instance_ids"):
        source = torch.from_numpy(getattr(clip, name)).float()
        planes = source.movedim(-1, 1) if source.ndim == 4 else source[:, None]
        expected = torch.nn.functional.interpolate(planes, (48, 72), mode="nearest").movedim(1, -1).numpy()
        np.testing.assert_array_equal(getattr(large, name).reshape(expected.shape), expected)
    for width, height in ((72, 48), (40, 30)):
        planes = torch.from_numpy(clip.normals).float().movedim(-1, 1)
        expected = torch.nn.functional.interpolate(planes, (height, width), mode="bilinear", antialias=True, align_corners=False)
        got = resize(clip.normals, width, height, sharp=False)
        assert np.abs(got - expected.movedim(1, -1).numpy()).max() <= 1.01  # Pillow rounds after each of its two passes
    background = large.instance_ids == 0
    assert not large.depth[background].any() and large.depth[~background].any(axis=1).mean() > 0.9


def test_oakink_labels_are_mixed_and_mask_the_depth():
    clip = replace(bundle(1, 8, 8, "oakink2"), depth=np.full((1, 8, 8, 3), 200, np.uint8))
    colors = np.zeros((1, 8, 8, 3), np.uint8)
    colors[:, :, 4:] = [61, 230, 250]
    large = fitted(replace(clip, segmentation=colors), 16, 8)
    assert len(np.unique(large.segmentation.reshape(-1, 3), axis=0)) > 2
    dark = (large.segmentation <= 19).all(axis=3)
    assert not large.depth[dark].any() and (large.depth[~dark] == 200).all() and dark.any()


def test_frames_are_chosen_by_pams_rule():
    """pam_reference 1.1: stride = floor(n / 49), then the first 49."""
    clip = replace(bundle(100, 4, 4), tracking=np.zeros((100, 4, 4, 3), np.uint8))
    clip.metric_depth[:] = np.arange(100)[:, None, None]
    for total, step in ((72, 1), (49, 1), (98, 2), (100, 2)):
        short = replace(clip, **{n: getattr(clip, n)[:total] for n in ("depth", "segmentation", "keypoints", "normals", "tracking")})
        short = replace(short, metric_depth=clip.metric_depth[:total], instance_ids=clip.instance_ids[:total])
        chosen = first_frames(short, 49)
        assert chosen.shape[0] == 49 and chosen.metric_depth[:, 0, 0].tolist() == list(range(0, 49 * step, step))
    assert first_frames(clip, 49, stretch=False).metric_depth[-1, 0, 0] == 48
    assert fitted(clip, 4, 4, 49, fps=15.0).fps == 15.0 and fitted(clip, 4, 4).fps == 30.0
    with pytest.raises(ValueError, match="at least 101 frames, found 100"):
        first_frames(clip, 101)


def test_flow_stays_only_while_it_holds():
    flow = FlowVideo(np.zeros((3, 12, 16, 2), np.float32), np.zeros((3, 12, 16), np.uint8))
    clip = replace(bundle(), flow=flow)
    assert first_frames(clip, 2, stretch=False).flow.state.shape == (2, 12, 16)
    assert first_frames(clip, 1).flow is None and fitted(clip, 8, 6).flow is None and fitted(clip, 16, 12).flow is flow


def test_part_of_one_modality():
    clip = bundle()
    np.testing.assert_array_equal(picked(clip, "normals", 1, 2), clip.normals[1:])
    assert picked(clip, "tracking") is None
    with pytest.raises(ValueError, match="between 0 and 3, found 2 to 5"):
        picked(clip, "depth", 2, 3)
