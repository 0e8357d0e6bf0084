"""Key points against OpenCV, pixel by pixel."""

import math

import numpy as np
import pytest

from pam_nodes.conditions.keypoints import BONES, auto_scale, draw_hand, draw_keypoints, hand_colors
from pam_nodes.conditions.polygon import disc, ellipse

from .scenes import camera


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
        for z, order in ((np.linspace(1, 0.9, 21), range(20)), (np.linspace(0.9, 1, 21), reversed(range(20)))):
            ours = np.zeros((480, 640, 3), np.uint8)
            draw_hand(ours, points, z)
            theirs = opencv_hand(cv2, np.rint(points).astype(int), (480, 640), order)
            differing += (ours != theirs).any(axis=2).sum()
            drawn += theirs.any(axis=2).sum()
    assert drawn > 10_000 and differing == 0


def test_shapes_equal_opencv_at_every_size():
    cv2 = pytest.importorskip("cv2")
    rng = np.random.default_rng(7)
    for radius in range(1, 15):
        theirs = np.zeros((40, 40), np.uint8)
        cv2.circle(theirs, (20, 20), radius, 255, -1)
        ours = np.zeros_like(theirs)
        ours[tuple((disc(radius) + 20).T[::-1])] = 255
        np.testing.assert_array_equal(ours, theirs)
    sizes = [(a, b, angle) for a in (0, 1, 2) for b in (1, 2) for angle in range(0, 360, 15)]
    sizes += zip(rng.integers(3, 170, 500).tolist(), rng.integers(1, 20, 500).tolist(), rng.integers(-180, 181, 500).tolist(), strict=True)
    for a, b, angle in sizes:
        centre = rng.integers(200, 204, 2)
        theirs, ours = np.zeros((404, 404), np.uint8), np.zeros((404, 404), np.uint8)
        cv2.fillConvexPoly(theirs, cv2.ellipse2Poly(tuple(centre.tolist()), (a, b), angle, 0, 360, 1), 255)
        ours[tuple((ellipse(a, b, angle % 360, *(centre % 2 == 1)) + centre).T[::-1])] = 255
        np.testing.assert_array_equal(ours, theirs)


def test_joint_disc_has_29_pixels():
    assert len(disc(3)) == len(np.unique(disc(3), axis=0)) == 29


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
    draw_hand(canvas, points, np.ones(21))
    shown = {tuple(c) for c in canvas.reshape(-1, 3)}
    assert tuple(hand_colors()[1][0]) not in shown - {tuple(hand_colors()[0][0])}
    points[1] = [251, 100]
    far = np.zeros_like(canvas)
    draw_hand(far, points, np.ones(21))
    assert not far[100, 150].any()


def test_order_turns_only_in_the_motion_variant():
    """Thumb and little finger on the same pixels: the wrist nearer than the little tip brings the thumb to the top."""
    points = np.full((21, 2), 300.0)
    points[1:5] = points[17:21] = [340, 300]
    thumb, little = (hand_colors()[1][b].tolist() for b in (0, 16))
    for wrist_z, variant, expected in ((0.5, "motion", thumb), (1.5, "motion", little), (0.5, "appearance", little)):
        canvas = np.zeros((480, 640, 3), np.uint8)
        draw_hand(canvas, points, np.r_[wrist_z, np.ones(20)], variant=variant)
        assert canvas[300, 320].tolist() == expected


def test_small_pictures_keep_every_bone_visible():
    rng = np.random.default_rng(2)
    assert auto_scale(640, 480) == auto_scale(720, 480) == 1 and auto_scale(192, 128) == pytest.approx(0.267, abs=1e-3)
    angle = np.linspace(0.3, 2.8, 5)
    fingers = np.stack([np.cos(angle), -np.sin(angle)], 1)[:, None] * np.linspace(12, 40, 4)[:, None]
    points = np.array([96, 100]) + np.concatenate([np.zeros((1, 2)), fingers.reshape(-1, 2)]) + rng.uniform(-1, 1, (21, 2))
    canvas = np.zeros((128, 192, 3), np.uint8)
    draw_hand(canvas, points, np.ones(21), scale=auto_scale(192, 128))
    shown = {tuple(c) for c in canvas.reshape(-1, 3).tolist()}
    assert {tuple(c) for c in hand_colors()[1].tolist()} <= shown


@pytest.mark.parametrize("height", [16, 64, 128, 1080])
def test_hands_of_any_size_are_drawn_at_any_size(height):
    rng = np.random.default_rng(height)
    for spread in (0, 0.5, 2, 30):
        canvas = np.zeros((height, height, 3), np.uint8)
        for _ in range(20):
            points = height / 2 + rng.normal(0, 1, (21, 2)) * spread
            draw_hand(canvas, points, np.ones(21), scale=auto_scale(height, height))
        assert canvas.any()


def test_joints_land_where_the_camera_sees_them_and_behind_it_nothing():
    cam = camera(640, 480, focal=600.0)
    joints = np.tile([0.1, -0.05, 1.0], (21, 1))
    picture = draw_keypoints([joints], ["right"], cam)
    rows, columns = np.nonzero(picture.any(axis=2))
    assert (rows.min() + rows.max()) / 2 == round(600 * -0.05 + 239.5) and (columns.min() + columns.max()) / 2 == round(600 * 0.1 + 319.5)
    assert not draw_keypoints([-joints], ["right"], cam).any()


def test_nearer_hand_covers_the_farther():
    cam = camera(640, 480, focal=600.0)
    left, right = np.tile([0.0, 0.0, 1.0], (21, 1)), np.tile([0.0, 0.0, 2.0], (21, 1))
    picture = draw_keypoints([left, right], ["left", "right"], cam, style="oakink2")
    assert picture[240, 320].tolist() == hand_colors("oakink2", "left")[0][20].tolist()
