"""POSE_KEYPOINT out and in."""

from dataclasses import replace

import numpy as np
import pytest

from pam_nodes.conditions.hand_keypoints import BEHIND_OBJECT, OUTSIDE, VISIBLE, HandKeypoints
from pam_nodes.conditions.pose_keypoint import from_pose_keypoint, to_pose_keypoint


@pytest.fixture
def clip():
    """Two frames of three hands; joint 3 of the first is hidden, joint 4 outside."""
    pixels = np.random.default_rng(0).uniform(20, 100, (2, 3, 21, 2))
    visibility = np.zeros((2, 3, 21), np.uint8)
    visibility[:, 0, 3], visibility[:, 0, 4] = BEHIND_OBJECT, OUTSIDE
    return HandKeypoints(pixels, visibility, ("right", "left", "right"), 160, 120)


def test_layout_of_the_socket(clip):
    """peers E3: flat x, y, confidence; people with one left and one right hand; readers want body and face."""
    frames = to_pose_keypoint(clip)
    assert len(frames) == 2 and frames[0]["canvas_width"] == 160 and frames[0]["canvas_height"] == 120
    first, second = frames[1]["people"]
    assert len(first["pose_keypoints_2d"]) == 54 and len(first["face_keypoints_2d"]) == 210 and not any(first["pose_keypoints_2d"])
    right = np.reshape(first["hand_right_keypoints_2d"], (21, 3))
    np.testing.assert_allclose(right[0], [*clip.pixels[1, 0, 0], 1])
    assert right[3, 2] == 0.5 and right[4].tolist() == [0, 0, 0]
    np.testing.assert_allclose(np.reshape(first["hand_left_keypoints_2d"], (21, 3))[5, :2], clip.pixels[1, 1, 5])
    assert not any(second["hand_left_keypoints_2d"]) and any(second["hand_right_keypoints_2d"])


def test_there_and_back(clip):
    back = from_pose_keypoint(to_pose_keypoint(clip))
    assert back.sides == ("left", "right", "right") and (back.width, back.height) == (160, 120) and back.z is None
    seen = np.delete(np.arange(21), 4)
    np.testing.assert_allclose(back.pixels[:, [1, 0, 2]][:, :, seen], clip.pixels[:, :, seen])
    assert (back.visibility[:, 1, 4] == OUTSIDE).all() and (back.visibility[:, 1, seen] == VISIBLE).all()


def test_shares_of_the_canvas_and_other_canvases_become_pixels(clip):
    frames = to_pose_keypoint(clip)
    for person in frames[0]["people"]:
        for field in ("hand_left_keypoints_2d", "hand_right_keypoints_2d"):
            person[field] = (np.reshape(person[field], (21, 3)) / [160, 120, 1]).ravel().tolist()
    frames[1] |= {"canvas_width": 320, "canvas_height": 240}
    back = from_pose_keypoint(frames)
    np.testing.assert_allclose(back.pixels[0, 1, 0], clip.pixels[0, 0, 0])
    np.testing.assert_allclose(back.pixels[1, 1, 0], clip.pixels[1, 0, 0] / 2)


def test_missing_people_and_unsure_joints_are_left_out(clip):
    frames = to_pose_keypoint(replace(clip, sides=("right",), pixels=clip.pixels[:, :1], visibility=clip.visibility[:, :1]))
    frames[0]["people"] = []
    frames[1]["people"][0]["hand_left_keypoints_2d"] = None
    back = from_pose_keypoint(frames, threshold=0.6)
    assert back.sides == ("right",) and (back.visibility[0] == OUTSIDE).all()
    assert back.visibility[1, 0, 3] == OUTSIDE and back.visibility[1, 0, 5] == VISIBLE
    assert from_pose_keypoint({"people": [], "canvas_width": 8, "canvas_height": 8}).pixels.shape == (1, 0, 21, 2)


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([], "found none"),
        ([{"people": []}], "canvas_width"),
        ([{"people": [], "canvas_width": 10**9, "canvas_height": 1}], "16384"),
        ([{"people": [{"hand_left_keypoints_2d": [1.0] * 60}], "canvas_width": 8, "canvas_height": 8}], "63 numbers .* found 60"),
    ],
)
def test_broken_frames_say_why(frames, message):
    with pytest.raises(ValueError, match=message):
        from_pose_keypoint(frames)


def test_infinite_numbers_count_as_not_found():
    values = [5.0, 5.0, 1.0] * 21
    values[0:3] = [float("nan"), 5.0, float("inf")]
    back = from_pose_keypoint([{"people": [{"hand_right_keypoints_2d": values}], "canvas_width": 8, "canvas_height": 8}])
    assert back.visibility[0, 0, 0] == OUTSIDE and back.visibility[0, 0, 1] == VISIBLE and np.isfinite(back.pixels).all()
