"""Points followed through pictures whose motion is known."""

import cv2
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.ndimage import shift as move

from pam_nodes.assess.tracks import carried, drift, exact_tracks, follow, seen_tracks, shift, spread_points
from pam_nodes.conditions.flow import OCCLUDED, UNKNOWN, VISIBLE, FlowVideo


@pytest.fixture(scope="module")
def texture():
    """(H, W) float32 smooth random grey levels."""
    return (gaussian_filter(np.random.default_rng(0).normal(size=(120, 160)), 2) * 400 + 128).astype(np.float32)


def moving(texture, step, frames):
    """The texture moving by (x, y) pixels a frame."""
    return np.stack([move(texture, (t * step[1], t * step[0]), order=3, mode="nearest") for t in range(frames)])


def points_of(shape, margin=20):
    mask = np.zeros(shape, bool)
    mask[margin:-margin, margin:-margin] = True
    return spread_points(mask, 60)


@pytest.mark.parametrize("step", [(0.4, -0.3), (3.2, 2.1), (-9.0, 6.5)])
def test_known_motion_is_found(texture, step):
    first, second = moving(texture, step, 2)
    points = points_of(texture.shape)
    error = np.abs(follow(first, second, points, points) - points - step)
    assert np.nanmedian(error) < 0.05 and np.mean(error.max(axis=1) < 0.3) > 0.85
    np.testing.assert_allclose(shift(first, second, points, points), step, atol=0.1)


def test_the_same_as_opencv(texture):
    first, second = moving(texture, (2.3, -1.4), 2).clip(0, 255).astype(np.uint8)
    points = points_of(texture.shape)
    theirs = cv2.calcOpticalFlowPyrLK(first, second, points.astype(np.float32)[:, None], None, winSize=(11, 11), maxLevel=2)[0][:, 0]
    assert np.median(np.abs(follow(first, second, points, points) - theirs)) < 0.05


def test_plain_areas_are_lost_and_points_that_leave_too(texture):
    flat = np.full((60, 60), 90.0, np.float32)
    assert np.isnan(follow(flat, flat, np.array([[30.0, 30]]), np.array([[30.0, 30]]))).all()
    first, second = moving(texture, (-8, 0), 2)
    assert np.isnan(follow(first, second, np.array([[3.0, 60]]), np.array([[3.0, 60]]))).all()


def test_tracks_of_pictures_and_of_flow_agree(texture):
    step, frames = np.array([1.5, -0.75]), 6
    flow = FlowVideo(np.tile(step.astype(np.float32), (frames, *texture.shape, 1)), np.full((frames, *texture.shape), VISIBLE, np.uint8))
    points = points_of(texture.shape)
    exact = exact_tracks(flow, points)
    np.testing.assert_allclose(exact, points[:, None] + step * np.arange(frames)[None, :, None])
    assert np.nanmedian(np.abs(seen_tracks(moving(texture, step, frames), points) - exact)) < 0.1
    flow.state[2] = OCCLUDED
    assert np.isfinite(exact_tracks(flow, points)[:, :3]).all() and np.isnan(exact_tracks(flow, points)[:, 3:]).all()


def test_drift_is_what_the_picture_does_beyond_the_flow(texture):
    frames, mask = 5, np.zeros((5, *texture.shape), bool)
    mask[:, 40:80, 50:110] = True
    state = np.where(mask, VISIBLE, UNKNOWN).astype(np.uint8)
    flow = FlowVideo(np.zeros((*mask.shape, 2), np.float32), state)
    flow.flow[mask] = (1.0, 0.5)
    true = drift(moving(texture, (1.0, 0.5), frames), flow, mask, mask & False)
    assert np.abs(true).max() < 0.2
    none = mask & False
    still, faster = (drift(moving(texture, step, frames), flow, mask, none) for step in ((0, 0), (2.0, 0.5)))
    np.testing.assert_allclose(still[-1], (-4, -2), atol=0.2)
    np.testing.assert_allclose(faster[-1], (4, 0), atol=0.3)
    nothing = drift(np.full_like(mask, 100, np.float32), flow, mask, mask & False)
    np.testing.assert_allclose(nothing[-1], (-4, -2), atol=1e-5)


def test_what_lies_beside_a_hand_does_not_count(texture):
    """A hand that moves otherwise beside the object pulls at its pixels; away from it nothing does."""
    frames, mask = 4, np.zeros((4, *texture.shape), bool)
    mask[:, 40:80, 40:120] = True
    hand = np.zeros_like(mask)
    hand[:, 30:90, 60:80] = True
    pictures = moving(texture, (0, 0), frames)
    other = moving(np.rot90(texture, 2).copy(), (4, 0), frames)
    flow = FlowVideo(np.zeros((*mask.shape, 2), np.float32), np.where(mask & ~hand, VISIBLE, UNKNOWN).astype(np.uint8))
    assert np.abs(drift(np.where(hand, other, pictures), flow, mask & ~hand, hand)).max() < 0.1
    everywhere = np.ones_like(hand)
    assert not drift(pictures, flow, mask, everywhere).any()


def test_carried_is_the_inverse_of_the_motion(texture):
    second = moving(texture, (3, 2), 2)[1]
    back = carried(second, np.broadcast_to(np.array([3.0, 2.0]), (*texture.shape, 2)))
    assert np.abs(back - texture)[10:-10, 10:-10].max() < 0.5


def test_points_are_spread_over_a_mask():
    mask = np.zeros((50, 60), bool)
    mask[10:30, 20:50] = True
    points = spread_points(mask, 40)
    assert 20 <= len(points) <= 60 and mask[tuple(points.astype(int).T[::-1])].all()
    assert len(spread_points(mask & False, 40)) == 0
