"""MediaPipe's landmark model on renders, whose joints are known."""

import hashlib

import numpy as np
import pytest

from pam_nodes.assess.expected import expected
from pam_nodes.assess.landmarks import INPUT, MODEL, HandCrop, HandLandmarker, available, crop_of_joints, crop_of_mask, cut_out

from .clips import perfect


@pytest.fixture
def landmarker(skip_for):
    if not available():
        skip_for("litert", "pip install ai-edge-litert")
    return HandLandmarker()


def test_model_is_the_published_file():
    digest = hashlib.sha256(MODEL.read_bytes()).hexdigest()
    assert digest in (MODEL.parent / "README.md").read_text()


def test_crop_is_cut_where_it_says():
    """A picture that shows its own coordinates, cut with a turned square: the values are those of the square's places."""
    down, right = np.indices((200, 240))
    picture = np.stack([right, down, 0 * right], axis=-1).astype(np.uint8)
    crop = HandCrop((120.0, 90.0), 80.0, np.radians(30))
    cut = cut_out(picture, crop).astype(float)
    for u, v in ((20, 30), (200, 40), (112, 112), (60, 210)):
        place = crop.centre + (np.array([u + 0.5, v + 0.5]) / INPUT - 0.5) @ crop.axes * crop.size
        np.testing.assert_allclose(cut[v, u, :2], place, atol=1.0)


def test_large_crops_are_averaged_and_outside_is_black():
    board = (np.indices((900, 900)).sum(axis=0) % 2 * 255).astype(np.uint8)[..., None].repeat(3, axis=2)
    cut = cut_out(board, HandCrop((450.0, 450.0), 896.0))
    assert np.abs(cut.astype(int) - 127).max() < 5
    assert not cut_out(board, HandCrop((-300.0, 450.0), 200.0)).any()


def test_crop_of_an_upright_hand_is_not_turned_and_turns_with_it():
    joints = expected(perfect()[0], 2).hands[0].pixels
    crop = crop_of_joints(joints)
    upright = (joints - crop.centre) @ crop.axes.T
    assert abs(crop_of_joints(upright).angle) < 1e-9
    quarter = crop_of_joints(joints @ np.array([[0, 1], [-1, 0]]))
    assert np.isclose((quarter.angle - crop.angle) % (2 * np.pi), np.pi / 2) and np.isclose(quarter.size, crop.size)


def test_crop_of_a_mask_holds_it():
    mask = np.zeros((50, 80), bool)
    mask[10:30, 20:70] = True
    crop = crop_of_mask(mask)
    assert crop.centre == (44.5, 19.5) and crop.size > 50 and crop.angle == 0
    assert crop_of_mask(np.zeros((5, 5), bool)) is None


@pytest.mark.parametrize("side", ["right", "left"])
def test_hand_of_a_rendering_is_found_where_its_joints_are(landmarker, side):
    video, pictures = perfect(side)
    errors = []
    for t in range(len(pictures)):
        hand = expected(video, t).hands[0]
        found = landmarker.find(pictures[t], hand.crop)
        assert found.presence > 0.6
        errors.append(np.linalg.norm(found.pixels - hand.pixels, axis=1).mean() / hand.box)
    assert np.mean(errors) < 0.08


def test_sides_differ(landmarker):
    right, left = (
        np.mean([landmarker.find(p, expected(video, t).hands[0].crop).right for t, p in enumerate(pictures)])
        for video, pictures in (perfect("right"), perfect("left"))
    )
    assert right > left + 0.2


def test_landmarks_follow_a_turned_picture(landmarker):
    """The same picture turned by 90 degrees, with its crop: the landmarks turn with it."""
    video, pictures = perfect()
    hand = expected(video, 0).hands[0]
    straight = landmarker.find(pictures[0], hand.crop)
    width = pictures[0].shape[1]
    turned_joints = np.stack([hand.pixels[:, 1], width - 1 - hand.pixels[:, 0]], axis=1)
    turned = landmarker.find(np.rot90(pictures[0]).copy(), crop_of_joints(turned_joints))
    back = np.stack([width - 1 - turned.pixels[:, 1], turned.pixels[:, 0]], axis=1)
    assert np.abs(back - straight.pixels).max() < 0.06 * hand.box


def test_no_hand_is_found_where_there_is_none(landmarker):
    video, pictures = perfect()
    crop = expected(video, 0).hands[0].crop
    noise = np.random.default_rng(0).integers(0, 256, pictures[0].shape, dtype=np.uint8)
    for picture in (noise, np.full_like(noise, 140), pictures[0][::-1, ::-1].copy()):
        assert landmarker.find(picture, crop).presence < 0.2
