"""What a hand can do: known bends are read as such, all presets are within, and too much is brought back."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pam_nodes.hands.files import load_default_hand
from pam_nodes.hands.joints import first_joint, rest_joints
from pam_nodes.hands.limits import check, clamped, excesses, joint_angles, ranges
from pam_nodes.hands.posing import MIRROR, PRESETS, FingerSlider, finger_pose, place_hand, preset_pose
from pam_nodes.hands.skinning import skin

HAND = load_default_hand()


def pose_of(rows, hand=HAND):
    return place_hand(hand, np.asarray(rows, np.float64).ravel(), (0, 0, 0))


def bent(finger, joint, axis, degrees):
    """Only one joint turned, about an axis of its own bone: (15, 3)."""
    base = first_joint(finger)
    joints = rest_joints(HAND).astype(np.float64)
    tip = HAND.v_template[HAND.tip_ids[("thumb", "index", "middle", "ring", "pinky").index(finger)]]
    chain = np.concatenate([joints[base : base + 3], [tip]])
    bone = chain[joint] - chain[joint - 1]
    bone /= np.linalg.norm(bone)
    flex = np.cross([0, 1, 0], chain[2] - chain[0])
    flex -= bone * (bone @ flex)
    flex /= np.linalg.norm(flex)
    rows = np.zeros((15, 3))
    rows[base + joint - 2] = np.radians(degrees) * {"flexion": flex, "spread": np.cross(bone, flex), "twist": bone}[axis]
    return rows


@pytest.mark.parametrize("finger", ["index", "middle", "ring", "pinky"])
@pytest.mark.parametrize(("axis", "place"), [("flexion", 0), ("spread", 1), ("twist", 2)])
def test_angles_are_what_was_turned(finger, axis, place):
    for joint in (1, 2, 3):
        angles = np.degrees(joint_angles(HAND, pose_of(bent(finger, joint, axis, 20.0))))[0]
        expected = np.zeros((15, 3))
        expected[first_joint(finger) + joint - 2, place] = 20.0
        assert np.allclose(np.abs(angles), expected, atol=0.01)


def test_flexion_closes_the_finger():
    """The tip goes to the palm side, which is -y in the rest frame."""
    rest, closed = (skin(HAND, pose_of(rows)).keypoints[0] for rows in (np.zeros((15, 3)), bent("index", 1, "flexion", 60)))
    palm = skin(HAND, pose_of(np.zeros((15, 3)))).transforms[0, 0, :3, :3] @ [0, -1, 0]
    assert (closed[8] - rest[8]) @ palm > 0.03


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("preset", PRESETS)
def test_presets_and_sliders_are_within(preset, side):
    hand = load_default_hand(side)
    poses = [preset_pose(preset, side)]
    poses += [
        finger_pose(hand, preset, {f: FingerSlider(value, 0) for f in ("thumb", "index", "middle", "ring", "pinky")}) for value in (-1, 1)
    ]
    for rows in poses:
        assert [str(found) for found in excesses(hand, pose_of(rows, hand))] == []


def test_too_much_is_named():
    (found,) = excesses(HAND, pose_of(bent("ring", 2, "flexion", 150)))
    assert (found.finger, found.joint, found.motion) == ("ring", 2, "flexion")
    assert found.limit == pytest.approx(118) and found.degrees == pytest.approx(150, abs=0.01)
    assert str(found) == "frame 0: ring joint 2 flexion 150 deg, limit 118"


def test_left_hands_have_the_mirrored_limits():
    left = load_default_hand("left")
    rows = bent("pinky", 1, "spread", 50)
    right_found, left_found = excesses(HAND, pose_of(rows)), excesses(left, pose_of(rows * MIRROR, left))
    assert [str(a) for a in right_found] == [str(b) for b in left_found] != []


def test_clamp_brings_back_what_is_beyond_and_nothing_else():
    rows = preset_pose("grasp").reshape(15, 3) + bent("index", 2, "flexion", 90) + bent("pinky", 1, "spread", 40)
    pose = pose_of(rows)
    result = clamped(HAND, pose)
    assert excesses(HAND, pose) and not excesses(HAND, result, 0.01)
    before, after = pose.hand_pose.reshape(15, 3), result.hand_pose.reshape(15, 3)
    touched = {first_joint("index"), first_joint("pinky") - 1}
    assert all(np.array_equal(before[j], after[j]) for j in range(15) if j not in touched)
    for j in touched:
        moved = (Rotation.from_rotvec(before[j]) * Rotation.from_rotvec(after[j]).inv()).magnitude()
        assert 0.05 < moved < 1.5
    left = load_default_hand("left")
    mirrored = pose_of(rows * MIRROR, left)
    assert np.allclose(clamped(left, mirrored).hand_pose.reshape(15, 3) * MIRROR, after, atol=1e-5)


def test_clamp_keeps_a_good_pose_to_the_bit():
    pose = pose_of(preset_pose("fist"))
    assert np.array_equal(clamped(HAND, pose).hand_pose, pose.hand_pose)


def test_check_for_people():
    pose = pose_of(bent("index", 2, "flexion", 150))
    sequence = replace(pose, **{name: np.tile(getattr(pose, name), (60, 1)) for name in ("global_orient", "hand_pose", "transl")})
    result, found, text = check(HAND, sequence, 3.0, clamp=True)
    assert len(found) == 60 and text.endswith("and 20 more") and not excesses(HAND, result, 0.01)
    same, found, text = check(HAND, pose_of(preset_pose("pinch")), 3.0, clamp=False)
    assert not found and text == "All joints of 1 frame within a hand's range." and len(same) == 1
    with pytest.raises(ValueError, match="found a right one: load a right hand"):
        check(load_default_hand("left"), pose, 3.0, False)
    with pytest.raises(ValueError, match="NaN"):
        check(HAND, replace(pose, hand_pose=pose.hand_pose * np.nan), 3.0, False)


def test_ranges_are_ranges():
    limits = np.degrees(ranges())
    assert limits.shape == (15, 3, 2) and (limits[..., 0] < 0).all() and (limits[..., 1] > 0).all()
