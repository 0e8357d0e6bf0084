"""Conventions of hand poses, joint orders, fingertips, and smplx as the other backend."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pam_nodes.hands.conventions import SIZES, Convention, from_flat, to_flat
from pam_nodes.hands.files import choose_hand, load_default_hand, mirrored
from pam_nodes.hands.joints import (
    INTERHAND_TO_OPENPOSE,
    MANO21_TO_HOT3D,
    MANO21_TO_INTERHAND,
    MANO21_TO_OPENPOSE,
    OPENPOSE_TO_INTERHAND,
    TIP_TABLES,
)
from pam_nodes.hands.pose import HandPose
from pam_nodes.hands.posing import numbers_of, pose_from_numbers
from pam_nodes.hands.skinning import skin
from pam_nodes.hands.smplx_backend import available, skin_smplx

MANO = replace(load_default_hand(), is_mano=True)
POSES = np.random.default_rng(0).normal(scale=0.4, size=(5, 45))


def random_pose(frames=5, betas=10, side="right") -> HandPose:
    rng = np.random.default_rng(1)
    return HandPose(
        rng.normal(size=(frames, 3)), POSES[:frames], rng.normal(size=(frames, 3)), rng.normal(size=betas).astype(np.float32), side
    )


@pytest.mark.parametrize("convention", list(Convention))
def test_there_and_back(convention):
    numbers = from_flat(MANO, POSES, convention)
    assert numbers.shape == (5, SIZES.get(convention, 45))
    turned = Rotation.from_rotvec(to_flat(MANO, numbers, convention).reshape(-1, 3)) * Rotation.from_rotvec(POSES.reshape(-1, 3)).inv()
    assert turned.magnitude().max() < 1e-6


def test_codes_are_codes_for_any_count():
    """45 as well: smplx takes 45 codes for axis-angles without a word (specs: hands 1.4)."""
    for count in (6, 24, 45):
        codes = np.random.default_rng(count).normal(size=(3, count))
        expected = codes @ MANO.hands_components[:count] + MANO.hands_mean
        assert np.allclose(to_flat(MANO, codes, Convention.PCA), expected)
        assert np.allclose(from_flat(MANO, expected, Convention.PCA, count), codes, atol=1e-5), "by the inverse, not the transpose"


def test_few_codes_give_the_nearest_pose():
    codes = from_flat(MANO, POSES, Convention.PCA, 12)
    left = POSES - to_flat(MANO, codes, Convention.PCA)
    assert np.abs(left @ MANO.hands_components[:12].T.astype(np.float64)).max() < 1e-4, "what is lost is square to the basis"


def test_numbers_mean_what_they_say():
    rows = POSES[0].reshape(15, 3)
    assert np.allclose(from_flat(MANO, POSES[0], Convention.QUATERNION)[:4], Rotation.from_rotvec(rows[0]).as_quat(scalar_first=True))
    assert np.allclose(from_flat(MANO, POSES[0], Convention.MATRIX)[9:18].reshape(3, 3), Rotation.from_rotvec(rows[1]).as_matrix())
    assert np.allclose(from_flat(MANO, MANO.hands_mean, Convention.MEAN), 0)
    assert np.allclose(from_flat(MANO, MANO.hands_mean, Convention.PCA), 0, atol=1e-6)


def test_codes_need_mano():
    hand = load_default_hand()
    for work in (lambda: to_flat(hand, np.zeros(6), Convention.PCA), lambda: from_flat(hand, POSES, Convention.PCA)):
        with pytest.raises(ValueError, match="PCA codes belong to MANO's own spaces and mean nothing on 'CC0 hand'"):
            work()


@pytest.mark.parametrize(
    ("convention", "count"), [(Convention.QUATERNION, 45), (Convention.PCA, 46), (Convention.PCA, 0), (Convention.FLAT, 44)]
)
def test_wrong_counts(convention, count):
    with pytest.raises(ValueError, match=f"found {count}"):
        to_flat(MANO, np.zeros(count), convention)


def test_numbers_that_are_no_rotations_are_refused():
    quaternions, matrices = (from_flat(MANO, POSES[:2], convention) for convention in (Convention.QUATERNION, Convention.MATRIX))
    rounded = to_flat(MANO, quaternions.astype(np.float16), Convention.QUATERNION)
    assert np.abs(rounded - POSES[:2]).max() < 0.01
    quaternions[1, 8:12] *= 3
    with pytest.raises(ValueError, match="Expected quaternions of length 1, found none at joint 3"):
        to_flat(MANO, quaternions, Convention.QUATERNION)
    for bad in (np.zeros(9), -np.eye(3).ravel()):
        matrices[0, 18:27] = bad
        with pytest.raises(ValueError, match="Expected rotation matrices, found none at joint 3"):
            to_flat(MANO, matrices, Convention.MATRIX)


def test_numbers_of_a_pose_are_read_back():
    pose = random_pose()
    for convention in Convention:
        text, orient, transl, betas = numbers_of(MANO, pose, convention.value, 45, 2)
        back = Rotation.from_rotvec(pose_from_numbers(text, MANO, convention).reshape(-1, 3))
        assert (back * Rotation.from_rotvec(POSES[2].reshape(-1, 3)).inv()).magnitude().max() < 1e-6
    assert np.allclose([float(v) for v in orient.split(",")], pose.global_orient[2]) and len(transl.split(",")) == 3
    assert len(betas.split(",")) == 10
    with pytest.raises(ValueError, match=r"frame within -5\.\.4, found 5"):
        numbers_of(MANO, pose, Convention.FLAT.value, 45, 5)


def test_joint_orders():
    """specs: hands 1.2, by the names of the joints."""
    fingers = ("thumb", "index", "middle", "ring", "pinky")
    openpose = ["wrist"] + [f"{finger}{i}" for finger in fingers for i in (1, 2, 3, 4)]
    interhand = [f"{finger}{i}" for finger in fingers for i in (4, 3, 2, 1)] + ["wrist"]
    mano21 = ["wrist"] + [f"{finger}{i}" for finger in ("index", "middle", "pinky", "ring", "thumb") for i in (1, 2, 3)]
    mano21 += [f"{finger}4" for finger in fingers]
    assert [mano21[i] for i in MANO21_TO_OPENPOSE] == openpose
    assert [interhand[i] for i in INTERHAND_TO_OPENPOSE] == openpose
    assert [openpose[i] for i in OPENPOSE_TO_INTERHAND] == interhand
    assert [mano21[i] for i in MANO21_TO_INTERHAND] == interhand
    hot3d = [f"{finger}4" for finger in fingers] + ["wrist", "thumb2", "thumb3"]
    hot3d += [f"{finger}{i}" for finger in ("index", "middle", "ring", "pinky") for i in (1, 2, 3)]
    assert [mano21[i] for i in MANO21_TO_HOT3D] == hot3d


@pytest.mark.parametrize("tips", list(TIP_TABLES))
def test_every_table_points_at_fingertips(tips):
    """On the default hand, whose vertices are ordered so, all tables agree to 3 mm (specs: hands 1.3)."""
    first = skin(load_default_hand(), random_pose()).keypoints
    other = skin(choose_hand(None, "right", "as_file", tips, "pam"), random_pose()).keypoints
    assert np.linalg.norm(first - other, axis=2).max() < 0.0035
    assert np.array_equal(first[:, [0, 1, 2, 3]], other[:, [0, 1, 2, 3]])


def test_mirrored_twice_is_the_same_hand_for_caches():
    hand = load_default_hand()
    assert mirrored(mirrored(hand)).digest == hand.digest != mirrored(hand).digest


@pytest.mark.parametrize("side", ["right", "left"])
def test_smplx_gives_the_same_skin(side, skip_for):
    if not available():
        skip_for("smplx", "smplx is not installed.")
    hand, pose = load_default_hand(side), random_pose(side=side)
    ours = skin(hand, pose)
    vertices, joints = skin_smplx(hand, pose)
    assert np.abs(ours.vertices - vertices).max() < 1e-6 and np.abs(ours.joints - joints).max() < 1e-6
    chosen = skin(choose_hand(None, side, "as_file", "manopth", "smplx"), pose)
    assert np.array_equal(chosen.vertices, vertices) and np.abs(chosen.keypoints - ours.keypoints).max() < 1e-6
    few = replace(pose, betas=pose.betas[:3])
    assert np.abs(skin(hand, few).vertices - skin_smplx(hand, few)[0]).max() < 1e-6


def test_missing_smplx_says_what_to_do(monkeypatch):
    monkeypatch.setattr("pam_nodes.hands.smplx_backend.available", lambda: False)
    with pytest.raises(ImportError, match="pip install smplx into ComfyUI's Python, or choose the backend 'pam'"):
        choose_hand(None, "right", "as_file", "manopth", "smplx")
