"""Pictures that are painted when they are looked at are the pictures that would have been kept."""

import numpy as np
import pytest

from pam_nodes.conditions.depth import colorize_depth, depth_pictures
from pam_nodes.conditions.hand_keypoints import KeypointLook, draw_keypoints, keypoint_pictures, project_hands
from pam_nodes.conditions.pack import first_frames, picked, to_float
from pam_nodes.conditions.painted import Painted
from pam_nodes.conditions.segmentation import colorize_instances, instance_colors, instance_pictures
from pam_nodes.conditions.video import ConditionVideo
from pam_nodes.hands.files import load_default_hand
from pam_nodes.hands.posing import place_hand, preset_pose
from pam_nodes.hands.skinning import skin

from .scenes import camera, poses

COLORS = instance_colors(1, [14])


@pytest.fixture
def frames():
    """Depth and ids of 5 frames of blobs that grow."""
    row, column = np.mgrid[:48, :64]
    ids = np.stack([((row - 20) ** 2 + (column - 30) ** 2 < 40 * (t + 1)) * np.uint8(1 + t % 2) for t in range(5)]).astype(np.uint8)
    return np.where(ids > 0, 0.5 + 0.01 * row, 0).astype(np.float32), ids


@pytest.fixture
def clip(frames):
    depth, ids = frames
    pictures = {"depth": depth_pictures(depth), "segmentation": instance_pictures(ids, COLORS)}
    return ConditionVideo(15.0, **pictures, metric_depth=depth, instance_ids=ids)


def test_who_asks_gets_an_array_which_is_kept_from_then_on(clip, frames):
    assert isinstance(clip.stored("depth"), Painted) and clip.shape == (5, 48, 64)
    np.testing.assert_array_equal(clip.depth, colorize_depth(frames[0]))
    np.testing.assert_array_equal(clip.segmentation, colorize_instances(frames[1], COLORS))
    assert clip.depth is clip.depth and clip.stored("depth") is clip.depth
    assert clip.keypoints is None and ConditionVideo(15.0).depth is None


def test_bundles_are_cut_and_changed_without_painting(clip, frames):
    whole = colorize_depth(frames[0])
    for cut in (first_frames(clip, 2), first_frames(clip, 2).changed(fps=8.0)):
        assert isinstance(cut.stored("depth"), Painted)
        np.testing.assert_array_equal(cut.depth, whole[:4:2])
    np.testing.assert_array_equal(to_float(picked(clip, "depth", 3)), to_float(whole[3:]))
    assert repr(clip) == "ConditionVideo(dexycb, 15 fps: depth, segmentation, metric_depth, instance_ids)"
    assert isinstance(clip.stored("depth"), Painted), "only what was asked for is painted"


def test_one_picture_at_a_time_is_held(frames):
    """A clip that would not fit in any memory can be made, cut and looked at."""
    painted = []

    def paint(t):
        painted.append(t)
        return np.full((4, 6, 3), t % 256, np.uint8)

    long = Painted(paint, range(10**12), 4, 6)
    assert long.shape == (10**12, 4, 6, 3) and not painted
    np.testing.assert_array_equal(long[10**11 : 10**11 + 9 : 3].whole()[:, 0, 0, 0], np.arange(10**11, 10**11 + 9, 3) % 256)
    assert painted == [10**11, 10**11 + 3, 10**11 + 6]


def test_key_points_are_drawn_as_in_a_clip():
    model = load_default_hand("right")
    joints = skin(model, place_hand(model, preset_pose("relaxed"), (0.0, -0.15, 0.12))).keypoints
    cam = camera(pose=poses((0, 0.05, 0.4))[0])
    points = project_hands([np.concatenate([joints, joints + 0.01])], ["right"], cam, 2)
    for look in (KeypointLook(), KeypointLook("openpose", supersample=2)):
        drawn = draw_keypoints(points, look)
        assert drawn.any()
        np.testing.assert_array_equal(keypoint_pictures(points, look).whole(), drawn)
