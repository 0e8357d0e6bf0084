"""Skinning against smplx, an independent implementation, and against what the hand's frame promises."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pam_nodes.hands.files import load_default_hand, mirrored
from pam_nodes.hands.joints import MANO21_TO_OPENPOSE, OPENPOSE_TO_MANO21, joints21, rest_joints
from pam_nodes.hands.model import PARENTS
from pam_nodes.hands.pose import HandPose
from pam_nodes.hands.skinning import HandLayer, rotation_matrices, skin


def random_pose(side: str, frames: int = 7) -> HandPose:
    rng = np.random.default_rng(4)
    return HandPose(
        rng.normal(0, 1.2, (frames, 3)), rng.normal(0, 0.6, (frames, 45)), rng.normal(0, 0.4, (frames, 3)), rng.normal(0, 1, 10), side
    )


@pytest.mark.parametrize("side", ["right", "left"])
def test_matches_smplx(side):
    smplx = pytest.importorskip("smplx", reason="smplx is optional (research licence)")
    from smplx.utils import Struct

    hand, pose = load_default_hand(side), random_pose(side)
    names = "v_template weights J_regressor shapedirs posedirs hands_mean hands_components".split()
    content = {name: getattr(hand, name) for name in names}
    content.update(f=hand.faces, kintree_table=np.array([PARENTS, range(16)]))
    oracle = smplx.MANO("unused.pkl", data_struct=Struct(**content), is_rhand=side == "right", use_pca=False, flat_hand_mean=True)
    rows = {name: torch.tensor(getattr(pose, name), dtype=torch.float32) for name in ("global_orient", "hand_pose", "transl")}
    with torch.no_grad():
        expected = oracle(betas=torch.tensor(pose.betas, dtype=torch.float32).expand(len(pose), -1), **rows)
    found = skin(hand, pose)
    np.testing.assert_allclose(found.vertices, expected.vertices.numpy(), atol=1e-6)
    np.testing.assert_allclose(found.joints, expected.joints.numpy(), atol=1e-6)


def test_rotations_match_scipy_also_near_zero_and_pi():
    from scipy.spatial.transform import Rotation

    directions = np.random.default_rng(0).normal(size=(20, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    for angle in (0.0, 1e-9, 1e-5, 1e-4, 1e-3, 1.0, np.pi - 1e-3, np.pi, 6.0):
        vectors = directions * angle
        found = rotation_matrices(torch.tensor(vectors)).numpy()
        np.testing.assert_allclose(found, Rotation.from_rotvec(vectors).as_matrix(), atol=1e-12)


def test_gradient_is_finite_at_the_flat_hand():
    layer = HandLayer(load_default_hand())
    pose = torch.zeros(1, 45, requires_grad=True)
    vertices, _ = layer(torch.zeros(1, 3), pose, torch.zeros(1, 3), torch.zeros(0))
    vertices[0, 317].sum().backward()
    assert torch.isfinite(pose.grad).all() and pose.grad.abs().max() > 0.01


def test_wrist_is_rest_wrist_plus_transl_and_turns_about_itself():
    hand, pose = load_default_hand(), random_pose("right")
    wrist = rest_joints(hand, pose.betas)[0] + pose.transl
    np.testing.assert_allclose(skin(hand, pose).joints[:, 0], wrist, atol=1e-6)


def test_chunks_give_the_same_frames():
    hand, pose = load_default_hand(), random_pose("right", 9)
    np.testing.assert_allclose(skin(hand, pose, chunk=4).vertices, skin(hand, pose).vertices, atol=1e-7)


def test_transforms_carry_the_rigid_parts():
    hand, pose = load_default_hand(), random_pose("right")
    posed = skin(hand, replace(pose, hand_pose=np.zeros((7, 45))))
    local = hand.v_template + hand.shapedirs @ pose.betas.astype(np.float32) - posed.rest_joints[0]
    wrist = posed.transforms[:, 0]
    np.testing.assert_allclose(posed.vertices, local @ wrist[:, :3, :3].transpose(0, 2, 1) + wrist[:, None, :3, 3], atol=2e-6)


def test_left_hand_is_the_exact_mirror():
    right, left, pose = load_default_hand("right"), load_default_hand("left"), random_pose("right")
    flip = np.array([1.0, -1, -1])
    other = HandPose(pose.global_orient * flip, pose.hand_pose * np.tile(flip, 15), pose.transl * [-1, 1, 1], pose.betas, "left")
    a, b = skin(right, pose), skin(left, other)
    np.testing.assert_allclose(b.vertices, a.vertices * [-1, 1, 1], atol=1e-7)
    np.testing.assert_allclose(b.keypoints, a.keypoints * [-1, 1, 1], atol=1e-7)


def test_mirroring_twice_changes_nothing():
    hand = load_default_hand()
    back = mirrored(mirrored(hand))
    for name in "v_template faces weights J_regressor shapedirs posedirs hands_mean hands_components".split():
        np.testing.assert_array_equal(getattr(back, name), getattr(hand, name))
    assert back.side == "right" and load_default_hand("left").digest != hand.digest


def test_joint_maps_are_inverse_and_tips_follow_their_finger():
    assert [MANO21_TO_OPENPOSE[i] for i in OPENPOSE_TO_MANO21] == list(range(21))
    hand = load_default_hand()
    keypoints = skin(hand, random_pose("right")).keypoints
    for base in (1, 5, 9, 13, 17):
        bones = np.linalg.norm(np.diff(keypoints[:, base : base + 4], axis=1), axis=2)
        assert (bones > 0.012).all() and (bones < 0.07).all()


def test_joints21_takes_any_batch():
    vertices, joints = np.zeros((2, 3, 800, 3)), np.zeros((2, 3, 16, 3))
    assert joints21(vertices, joints, (745, 317, 444, 556, 673)).shape == (2, 3, 21, 3)


def test_wrong_side_and_too_many_betas_are_refused():
    hand, pose = load_default_hand("left"), random_pose("right")
    with pytest.raises(ValueError, match="found a right one"):
        skin(hand, pose)
    with pytest.raises(ValueError, match="at most 10 betas"):
        skin(load_default_hand(), replace(pose, betas=np.zeros(11)))
