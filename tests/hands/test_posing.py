"""Presets, sliders, numbers and the placed wrist."""

import numpy as np
import pytest

from pam_nodes.hands.conventions import Convention
from pam_nodes.hands.files import load_default_hand
from pam_nodes.hands.posing import PRESETS, FingerSlider, finger_pose, place_hand, pose_from_numbers, preset_pose, with_betas
from pam_nodes.hands.skinning import skin

FINGERS = ("thumb", "index", "middle", "ring", "pinky")
SIDES = ("right", "left")


def keypoints(side, hand_pose, wrist=(0, 0, 0), rotation=(0, 0, 0)):
    hand = load_default_hand(side)
    return skin(hand, place_hand(hand, hand_pose, wrist, rotation)).keypoints[0]


def bends(points):
    """(5, 3) degrees between neighbouring bones, thumb to pinky, base to tip (the first against the metacarpal)."""
    chains = np.stack([np.concatenate([points[:1], points[base : base + 4]]) for base in (1, 5, 9, 13, 17)])
    bones = np.diff(chains, axis=1)
    bones /= np.linalg.norm(bones, axis=2, keepdims=True)
    return np.degrees(np.arccos(np.clip((bones[:, 1:] * bones[:, :-1]).sum(2), -1, 1)))


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_stay_within_what_a_finger_can_do(preset):
    pose = preset_pose(preset)
    assert pose.shape == (45,) and np.isfinite(pose).all()
    found = bends(keypoints("right", pose))
    assert (found[1:] < [100, 110, 80]).all() and (found[0] < [85, 65, 85]).all()


def test_presets_mean_what_they_say():
    def tips(preset):
        points = keypoints("right", preset_pose(preset))
        return points[[4, 8, 12, 16, 20]], points

    fist, flat = tips("fist")[1], tips("flat")[1]
    assert (np.linalg.norm(fist[[8, 12, 16, 20]] - fist[0], axis=1) < 0.6 * np.linalg.norm(flat[[8, 12, 16, 20]] - flat[0], axis=1)).all()
    pinch = tips("pinch")[0]
    assert np.linalg.norm(pinch[0] - pinch[1]) < 0.025 < np.linalg.norm(pinch[0] - pinch[3])
    point = tips("point")[1]
    np.testing.assert_allclose(np.linalg.norm(point[8] - point[5]), np.linalg.norm(flat[8] - flat[5]), rtol=0.02)
    assert (bends(point)[2:, 1] > 70).all()
    grasp = tips("grasp")[0]
    assert 0.04 < np.linalg.norm(grasp[0] - grasp[1:3].mean(0)) < 0.09


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("preset", PRESETS)
def test_sliders_at_zero_keep_the_preset(preset, side):
    hand = load_default_hand(side)
    pose = finger_pose(hand, preset, {finger: FingerSlider() for finger in FINGERS})
    np.testing.assert_allclose(pose, preset_pose(preset, side), atol=1e-9)


def test_sliders_leave_the_presets_alone():
    before = preset_pose("flat").copy()
    finger_pose(load_default_hand(), "flat", {"index": FingerSlider(1.0, 1.0)})
    np.testing.assert_array_equal(preset_pose("flat"), before)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("finger", FINGERS)
def test_flexion_curls_this_finger_only_and_towards_the_palm(finger, side):
    hand = load_default_hand(side)
    flat = keypoints(side, preset_pose("flat", side))
    curled = keypoints(side, finger_pose(hand, "flat", {finger: FingerSlider(flexion=1.0)}))
    row = FINGERS.index(finger)
    others = [i for i in range(5) if i != row]
    np.testing.assert_allclose(bends(curled)[others], bends(flat)[others], atol=0.01)
    if finger != "thumb":
        assert (bends(curled)[row, 1:] > [85, 45]).all()
        middle_joint = 4 * row + 2
        assert curled[middle_joint, 2] < flat[middle_joint, 2] - 0.02  # palm down: towards the palm is down
    else:
        assert (bends(curled)[0, 1:] > [35, 45]).all()


@pytest.mark.parametrize("side", SIDES)
def test_flexion_never_leaves_the_anatomical_range(side):
    hand = load_default_hand(side)
    for preset in PRESETS:
        for amount in (-1.0, 1.0):
            pose = finger_pose(hand, preset, {finger: FingerSlider(flexion=amount) for finger in FINGERS})
            assert (bends(keypoints(side, pose))[1:] < [100, 112, 82]).all(), (preset, amount)


@pytest.mark.parametrize("side", SIDES)
def test_stretching_a_fist_opens_it(side):
    hand = load_default_hand(side)
    open_hand = keypoints(side, finger_pose(hand, "fist", {finger: FingerSlider(flexion=-1.0) for finger in FINGERS}))
    assert (bends(open_hand)[1:, 1:] < 12).all()


@pytest.mark.parametrize("side", SIDES)
def test_spread_moves_the_fingers_apart(side):
    hand = load_default_hand(side)

    def gaps(amount):
        points = keypoints(side, finger_pose(hand, "flat", {f: FingerSlider(spread=amount) for f in ("thumb", "index", "ring", "pinky")}))
        return np.linalg.norm(points[[4, 8, 16, 20]] - points[12], axis=1)

    assert (gaps(1.0) > gaps(0.0)).all() and (gaps(0.0) > gaps(-1.0)).all()


def test_left_slider_pose_is_the_mirror_of_the_right():
    sliders = {"thumb": FingerSlider(0.3, 0.7), "index": FingerSlider(-0.5, 0.4), "pinky": FingerSlider(0.9, -0.6)}
    right, left = (finger_pose(load_default_hand(side), "grasp", sliders).reshape(15, 3) for side in SIDES)
    np.testing.assert_allclose(left, right * [1, -1, -1], atol=1e-7)


@pytest.mark.parametrize("side", SIDES)
def test_wrist_lands_where_it_is_put(side):
    points = keypoints(side, preset_pose("relaxed", side), (0.1, -0.2, 0.3), (20, 40, -60))
    np.testing.assert_allclose(points[0], [0.1, -0.2, 0.3], atol=1e-6)


def palm_direction(side, points):
    """Out of the palm: fingers x thumb side on a right hand."""
    normal = np.cross(points[5] - points[17], points[9] - points[0])
    return normal / np.linalg.norm(normal) * (1 if side == "right" else -1)


@pytest.mark.parametrize(
    ("side", "rotation", "fingers", "palm"),
    [
        ("right", (0, 0, 0), (0, 1, 0), (0, 0, -1)),
        ("left", (0, 0, 0), (0, 1, 0), (0, 0, -1)),
        ("right", (0, 90, 0), (0, 1, 0), (-1, 0, 0)),
        ("left", (0, -90, 0), (0, 1, 0), (1, 0, 0)),
        ("right", (0, 180, 0), (0, 1, 0), (0, 0, 1)),
        ("right", (-90, 0, 0), (0, 0, -1), (0, -1, 0)),
        ("right", (0, 90, 90), (-1, 0, 0), (0, -1, 0)),
        ("left", (0, -90, -90), (1, 0, 0), (0, -1, 0)),
    ],
)
def test_rotation_table_of_the_help_page(side, rotation, fingers, palm):
    points = keypoints(side, preset_pose("flat", side), rotation=rotation)
    along = points[12] - points[0]
    assert along @ np.array(fingers) / np.linalg.norm(along) > 0.98
    assert palm_direction(side, points) @ np.array(palm) > 0.98


def test_neutral_thumb_points_inwards():
    assert keypoints("right", preset_pose("flat"))[4, 0] < -0.03
    assert keypoints("left", preset_pose("flat", "left"))[4, 0] > 0.03


def test_numbers_may_be_pasted_in_any_form():
    rows = np.arange(45).reshape(15, 3) / 100
    for text in (str(rows.tolist()), np.array2string(rows, max_line_width=30, threshold=99), "; ".join(map(str, rows.ravel()))):
        np.testing.assert_allclose(pose_from_numbers(text, load_default_hand()), rows.ravel())
    hand = load_default_hand()
    np.testing.assert_allclose(pose_from_numbers(rows, hand, Convention.MEAN), rows.ravel() + hand.hands_mean)


@pytest.mark.parametrize(
    ("numbers", "sentence"),
    [
        ("1 2 3", "Expected 45 numbers .* found 3"),
        ("", "found 0"),
        (" ".join(["0"] * 48), "found 48"),
        (" ".join(["0"] * 44) + " nan", "found nan at place 45"),
        ("inf " + " ".join(["0"] * 44), "found inf at place 1"),
        (" ".join(["0"] * 44) + " __import__('os')", "something else"),
    ],
)
def test_bad_numbers_get_one_sentence(numbers, sentence):
    with pytest.raises(ValueError, match=sentence):
        pose_from_numbers(numbers, load_default_hand())


def test_betas_change_the_hand_and_its_wrist_stays():
    hand = with_betas(load_default_hand(), "[2.5, -1]")
    assert hand.betas == (2.5, -1.0)
    pose = place_hand(hand, preset_pose("flat"), (0, 0, 0))
    big, mean = skin(hand, pose), keypoints("right", preset_pose("flat"))
    np.testing.assert_allclose(big.joints[0, 0], 0, atol=1e-6)
    assert np.linalg.norm(big.keypoints[0, 12]) > 1.04 * np.linalg.norm(mean[12])


@pytest.mark.parametrize("text", ["a, b", "1 " * 11, "nan", "50"])
def test_bad_betas_are_refused(text):
    with pytest.raises(ValueError, match=r"Expected .*betas"):
        with_betas(load_default_hand(), text)


def test_unknown_preset_and_infinite_wrist_are_refused():
    with pytest.raises(ValueError, match="found 'wave'"):
        preset_pose("wave")
    with pytest.raises(ValueError, match="finite wrist"):
        place_hand(load_default_hand(), preset_pose("flat"), (0, 0, float("nan")))
