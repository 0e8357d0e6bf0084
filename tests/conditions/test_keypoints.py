"""Key points against OpenCV, pixel by pixel."""

import colorsys
import math
from dataclasses import replace

import numpy as np
import pytest

from pam_nodes.conditions.hand_keypoints import (
    BEHIND_HAND,
    BEHIND_OBJECT,
    OUTSIDE,
    VISIBLE,
    HandKeypoints,
    KeypointLook,
    draw_keypoints,
    project_hands,
    with_occlusion,
)
from pam_nodes.conditions.keypoints import BONES, auto_scale, draw_hand, hand_colors
from pam_nodes.conditions.polygon import disc, discs, ellipses, paint

from .scenes import camera

ALL = np.ones(21, bool)


def one_hand(points, z, width=640, height=480):
    """One frame of one right hand at (21, 2) pixels and (21,) depths."""
    return HandKeypoints(points[None, None], np.zeros((1, 1, 21), np.uint8), ("right",), width, height, z[None, None])


def opencv_hand(cv2, points, shape, order=range(20), widths=(6, 3)):
    """PAM's drawing with OpenCV, as pam_reference.md 1.4 describes it."""
    canvas = np.zeros((*shape, 3), np.uint8)
    joints, bones = hand_colors()
    for j in range(21):
        cv2.circle(canvas, tuple(points[j].tolist()), 3, joints[j].tolist(), -1)
    for bone in order:
        (x1, y1), (x2, y2) = points[BONES[bone][0]].tolist(), points[BONES[bone][1]].tolist()
        length = math.hypot(x1 - x2, y1 - y2)
        if 5 < length < 150:
            angle = int(math.degrees(math.atan2(y1 - y2, x1 - x2)))
            centre, axes = (int((x1 + x2) / 2), int((y1 + y2) / 2)), (int(length / 2), widths[bone >= 4])
            cv2.fillConvexPoly(canvas, cv2.ellipse2Poly(centre, axes, angle, 0, 360, 1), bones[bone].tolist())
    return canvas


def random_hand(rng, spread):
    """21 pixels: five wandering chains from a wrist, some of them out of the picture."""
    wrist = rng.uniform([60, 60], [580, 420])
    chains = [wrist + np.cumsum(rng.normal(0, spread, (4, 2)), axis=0) for _ in range(5)]
    return np.concatenate([wrist[None], *chains])


@pytest.mark.parametrize("spread", [3, 20, 60])
def test_hands_equal_opencv(spread):
    cv2 = pytest.importorskip("cv2")
    rng = np.random.default_rng(spread)
    differing = drawn = 0
    for _ in range(25):
        points = random_hand(rng, spread)
        for thumb_on_top, order in ((False, range(20)), (True, reversed(range(20)))):
            ours = np.zeros((480, 640, 3), np.uint8)
            draw_hand(ours, points, ALL, thumb_on_top=thumb_on_top)
            theirs = opencv_hand(cv2, np.rint(points).astype(int), (480, 640), order)
            differing += (ours != theirs).any(axis=2).sum()
            drawn += theirs.any(axis=2).sum()
    assert drawn > 10_000 and differing == 0


WHITE = (255, 255, 255)


def test_shapes_equal_opencv_at_every_size():
    cv2 = pytest.importorskip("cv2")
    rng = np.random.default_rng(7)
    for radius in range(1, 15):
        theirs = np.zeros((40, 40, 3), np.uint8)
        cv2.circle(theirs, (20, 20), radius, WHITE, -1)
        ours = np.zeros_like(theirs)
        paint(ours, discs(np.array([[20, 20]]), radius), np.full((2 * radius + 1, 3), 255, np.uint8))
        np.testing.assert_array_equal(ours, theirs)
    sizes = [(a, b, angle) for a in (0, 1, 2) for b in (1, 2) for angle in range(0, 360, 15)]
    sizes += zip(rng.integers(3, 170, 500).tolist(), rng.integers(1, 20, 500).tolist(), rng.integers(-180, 181, 500).tolist(), strict=True)
    sizes, centres = np.array(sizes), rng.integers(200, 204, (len(sizes), 2))
    spans, shape = ellipses(centres, *sizes.T)
    for i, (centre, (a, b, angle)) in enumerate(zip(centres.tolist(), sizes.tolist(), strict=True)):
        theirs, ours = np.zeros((404, 404, 3), np.uint8), np.zeros((404, 404, 3), np.uint8)
        cv2.fillConvexPoly(theirs, cv2.ellipse2Poly(tuple(centre), (a, b), angle, 0, 360, 1), WHITE)
        paint(ours, spans[:, shape == i], np.full(((shape == i).sum(), 3), 255, np.uint8))
        np.testing.assert_array_equal(ours, theirs)


def test_joint_disc_has_29_pixels():
    row, left, right = disc(3)
    assert (right - left + 1).sum() == 29 and row.tolist() == [-3, -2, -1, 0, 1, 2, 3]


def test_shapes_are_cut_at_the_border_of_the_picture():
    """Far, partly and just outside on every side: the same as in a larger picture."""
    large, small = np.zeros((60, 60, 3), np.uint8), np.zeros((20, 20, 3), np.uint8)
    centres = np.array([[10, 10], [0, 19], [-4, 3], [22, 8], [5, -3], [7, 23], [-30, 10], [10**9, -(10**9)]])
    spans, shape = ellipses(centres, np.full(8, 6), np.full(8, 4), np.arange(8) * 40)
    colors = np.arange(1, 9, dtype=np.uint8)[shape, None].repeat(3, axis=1)
    paint(small, spans, colors)
    paint(large, spans + 20, colors)
    np.testing.assert_array_equal(small, large[20:40, 20:40])
    assert set(np.unique(small)) == {0, 1, 2, 3, 4, 5, 6}


def test_colours_of_the_specification():
    joints, bones = hand_colors("dexycb")
    assert bones[:4].tolist() == [[139, 53, 255], [174, 88, 255], [209, 123, 255], [244, 158, 255]]
    assert bones[16:].tolist() == [[147, 147, 0], [182, 182, 35], [217, 217, 70], [252, 252, 105]]
    assert joints[4].tolist() == [0, 56, 255] and joints[20].tolist() == [70, 17, 145]
    right, left = (hand_colors("oakink2", side)[1] for side in ("right", "left"))
    assert right[:4].tolist() == [[255, 0, 0], [34, 35, 35], [69, 70, 70], [104, 105, 105]]
    assert right[12:16].tolist() == [[255] * 3, [34] * 3, [69] * 3, [104] * 3]
    assert left[4:8].tolist() == [[0, 56, 255], [35, 91, 34], [70, 126, 69], [105, 161, 104]]


def test_bones_too_short_or_too_long_are_left_out():
    points = np.full((21, 2), 100.0)
    points[1] = [104, 103]
    canvas = np.zeros((480, 640, 3), np.uint8)
    draw_hand(canvas, points, ALL)
    shown = {tuple(c) for c in canvas.reshape(-1, 3)}
    assert tuple(hand_colors()[1][0]) not in shown - {tuple(hand_colors()[0][0])}
    points[1] = [251, 100]
    far = np.zeros_like(canvas)
    draw_hand(far, points, ALL)
    assert not far[100, 150].any()


def test_order_turns_only_in_the_motion_variant():
    """Thumb and little finger on the same pixels: the wrist nearer than the little tip brings the thumb to the top."""
    points = np.full((21, 2), 300.0)
    points[1:5] = points[17:21] = [340, 300]
    thumb, little = (hand_colors()[1][b].tolist() for b in (0, 16))
    for wrist_z, variant, expected in ((0.5, "motion", thumb), (1.5, "motion", little), (0.5, "appearance", little)):
        clip = one_hand(points, np.r_[wrist_z, np.ones(20)])
        assert draw_keypoints(clip, KeypointLook(variant=variant))[0, 300, 320].tolist() == expected
    unknown = draw_keypoints(replace(clip, z=None), KeypointLook())
    assert unknown[0, 300, 320].tolist() == little


def test_small_pictures_keep_every_bone_visible():
    rng = np.random.default_rng(2)
    assert auto_scale(640, 480) == auto_scale(720, 480) == 1 and auto_scale(192, 128) == pytest.approx(0.267, abs=1e-3)
    angle = np.linspace(0.3, 2.8, 5)
    fingers = np.stack([np.cos(angle), -np.sin(angle)], 1)[:, None] * np.linspace(12, 40, 4)[:, None]
    points = np.array([96, 100]) + np.concatenate([np.zeros((1, 2)), fingers.reshape(-1, 2)]) + rng.uniform(-1, 1, (21, 2))
    canvas = np.zeros((128, 192, 3), np.uint8)
    draw_hand(canvas, points, ALL, scale=auto_scale(192, 128))
    shown = {tuple(c) for c in canvas.reshape(-1, 3).tolist()}
    assert {tuple(c) for c in hand_colors()[1].tolist()} <= shown


@pytest.mark.parametrize("height", [16, 64, 128, 1080])
def test_hands_of_any_size_are_drawn_at_any_size(height):
    rng = np.random.default_rng(height)
    for spread in (0, 0.5, 2, 30):
        canvas = np.zeros((height, height, 3), np.uint8)
        for _ in range(20):
            points = height / 2 + rng.normal(0, 1, (21, 2)) * spread
            draw_hand(canvas, points, ALL, scale=auto_scale(height, height))
        assert canvas.any()


def test_joints_land_where_the_camera_sees_them_and_behind_it_nothing():
    cam = camera(640, 480, focal=600.0)
    joints = np.tile([0.1, -0.05, 1.0], (1, 21, 1))
    picture = draw_keypoints(project_hands([joints], ["right"], cam, 1))[0]
    rows, columns = np.nonzero(picture.any(axis=2))
    assert (rows.min() + rows.max()) / 2 == round(600 * -0.05 + 239.5) and (columns.min() + columns.max()) / 2 == round(600 * 0.1 + 319.5)
    behind = project_hands([-joints], ["right"], cam, 1)
    assert not draw_keypoints(behind).any() and (behind.visibility == OUTSIDE).all()


def test_nearer_hand_covers_the_farther():
    cam = camera(640, 480, focal=600.0)
    left, right = (np.tile([0.0, 0.0, z], (1, 21, 1)) for z in (1.0, 2.0))
    picture = draw_keypoints(project_hands([left, right], ["left", "right"], cam, 1), KeypointLook("oakink2"))[0]
    assert picture[240, 320].tolist() == hand_colors("oakink2", "left")[0][20].tolist()


def test_two_oakink_hands_share_pixels_by_their_surfaces():
    """Both hands drawn on the same pixels: the right one is nearer in the left half, the left one keeps the rest and every tie."""
    points = np.full((21, 2), 100.0)
    clip = HandKeypoints(np.stack([points, points])[None], np.zeros((1, 2, 21), np.uint8), ("right", "left"), 200, 200, np.ones((1, 2, 21)))
    right, left = np.full((1, 200, 200), 0.9, np.float32), np.full((1, 200, 200), 0.8, np.float32)
    right[..., :100] = 0.7
    left[:, 101:], right[:, 101:] = 0, 0
    picture = draw_keypoints(clip, KeypointLook("oakink2", scale=1.0), [right, left])[0]
    colors = {side: hand_colors("oakink2", side)[0][20].tolist() for side in ("right", "left")}
    assert picture[100, 98].tolist() == colors["right"] and picture[100, 102].tolist() == colors["left"]
    assert picture[102, 98].tolist() == picture[102, 101].tolist() == colors["left"]
    assert (picture.any(axis=2)).sum() == 29


def test_missing_hand_leaves_the_corner_dot_only_when_asked():
    """pam_reference 1.4: a 2 x 2 dot of the last joint's colour in the top-left corner."""
    nobody = HandKeypoints(np.zeros((1, 0, 21, 2)), np.zeros((1, 0, 21), np.uint8), (), 64, 48)
    assert not draw_keypoints(nobody).any()
    dot = draw_keypoints(nobody, KeypointLook(scale=1.0, missing_dot=True))[0]
    assert dot[:2, :2].reshape(-1, 3).tolist() == [[70, 17, 145]] * 4 and dot.any(axis=2).sum() == 4
    assert not draw_keypoints(nobody, KeypointLook("oakink2", missing_dot=True)).any()


def test_joints_know_what_hides_them():
    """A wall of hand before joint 1, of object before joint 2; joint 3 outside; joint 4 under a centimetre of its own flesh."""
    clip = one_hand(np.stack([np.arange(21) * 10.0 + 20, np.full(21, 20.0)], 1), np.full(21, 1.0), 240, 40)
    pixels = clip.pixels.copy()
    pixels[0, 0, 3] = [-30, 20]
    clip = replace(clip, pixels=pixels, visibility=np.where(pixels[..., 0] < 0, OUTSIDE, VISIBLE).astype(np.uint8))
    depth, ids = np.full((1, 40, 240), 1.2, np.float32), np.zeros((1, 40, 240), np.uint8)
    for joint, z, instance in ((1, 0.9, 1), (2, 0.999, 2), (4, 0.99, 1), (5, 1.001, 2)):
        depth[0, 20, 20 + 10 * joint], ids[0, 20, 20 + 10 * joint] = z, instance
    seen = with_occlusion(clip, depth, ids).visibility[0, 0]
    assert seen[1:6].tolist() == [BEHIND_HAND, BEHIND_OBJECT, OUTSIDE, VISIBLE, VISIBLE] and seen[0] == VISIBLE


def test_hidden_joints_can_be_dimmed_or_dropped():
    clip = one_hand(np.stack([np.arange(21) * 10.0 + 20, np.full(21, 20.0)], 1), np.full(21, 1.0), 240, 40)
    clip = replace(clip, visibility=np.where(np.arange(21) == 20, BEHIND_OBJECT, VISIBLE).astype(np.uint8)[None, None])
    full, dim, drop = (draw_keypoints(clip, KeypointLook(hidden=h, scale=0.5))[0, 20, 220].tolist() for h in ("draw", "dim", "drop"))
    assert full == hand_colors()[1][19].tolist() and dim == [round(0.35 * c) for c in full] and drop == [0, 0, 0]


def test_smooth_drawing_averages_the_sharp_one():
    clip = one_hand(random_hand(np.random.default_rng(5), 20), np.ones(21))
    sharp, smooth = draw_keypoints(clip)[0], draw_keypoints(clip, KeypointLook(supersample=4))[0]
    assert len(np.unique(smooth.reshape(-1, 3), axis=0)) > 5 * len(np.unique(sharp.reshape(-1, 3), axis=0))
    assert np.abs(sharp.astype(int) - smooth).mean() < 0.1 * sharp[sharp.any(axis=2)].mean()


def test_openpose_style_is_that_of_the_preprocessors():
    """Compared with OpenCV's lines of width 2: the dots are equal, the lines to a pixel's width."""
    cv2 = pytest.importorskip("cv2")
    points = random_hand(np.random.default_rng(1), 30)
    ours = draw_keypoints(one_hand(points, np.ones(21)), KeypointLook("openpose"))[0]
    theirs = np.zeros((480, 640, 3), np.uint8)
    whole = points.astype(int).tolist()
    for bone, (parent, child) in enumerate(BONES):
        color = [255 * c for c in colorsys.hsv_to_rgb(bone / 20, 1, 1)]
        cv2.line(theirs, whole[parent], whole[child], color, 2)
    for x, y in whole:
        cv2.circle(theirs, (x, y), 4, (0, 0, 255), -1)
    np.testing.assert_array_equal((ours == [0, 0, 255]).all(axis=2), (theirs == [0, 0, 255]).all(axis=2))
    drawn = theirs.any(axis=2)
    around = cv2.dilate(drawn.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    assert (around | ~ours.any(axis=2)).all() and (ours.any(axis=2) & drawn).sum() > 0.8 * drawn.sum()


def test_looks_that_do_not_exist_are_named():
    for wrong in ({"style": "coco"}, {"variant": "still"}, {"hidden": "blink"}):
        with pytest.raises(ValueError, match="found"):
            KeypointLook(**wrong)
