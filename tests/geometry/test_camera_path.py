"""Moving cameras."""

import numpy as np
import pytest

from pam_nodes.geometry.camera import Camera
from pam_nodes.geometry.camera_build import orbit_camera, project, unproject
from pam_nodes.geometry.camera_lens import field_of_view
from pam_nodes.geometry.camera_path import MOVES, SHAKE_DEGREES, CameraMove, end_keys, moving_camera, parse_keys

TARGET = np.array([0.02, -0.05, 0.1])


@pytest.fixture
def start():
    return orbit_camera(TARGET, 0.8, 10, 25, 40, 640, 480)


def path(camera, length=9, **moves):
    return moving_camera(camera, TARGET, CameraMove(end_keys(**moves)), length, 15.0)


def test_orbit_rise_and_dolly_end_where_an_orbit_camera_stands(start):
    moved = path(start, orbit=30, rise=20, dolly=0.5)
    np.testing.assert_allclose(moved.at(0), start.world_to_camera, atol=1e-12)
    np.testing.assert_allclose(moved.at(8), orbit_camera(TARGET, 0.4, 40, 45, 40, 640, 480).world_to_camera, atol=1e-12)
    middle = orbit_camera(TARGET, 0.6, 25, 35, 40, 640, 480)
    np.testing.assert_allclose(moved.at(4), middle.world_to_camera, atol=1e-12)
    for t in range(9):
        np.testing.assert_allclose(project(moved, TARGET, t)[0], [319.5, 239.5], atol=1e-8)


@pytest.mark.parametrize(
    ("move", "value", "axis", "sign"), [("pan", 5, 0, -1), ("tilt", 5, 1, 1), ("truck", 0.05, 0, -1), ("pedestal", 0.05, 1, 1)]
)
def test_camera_moves_push_the_scene_the_other_way(start, move, value, axis, sign):
    shift = project(path(start, **{move: value}), TARGET, 8)[0] - [319.5, 239.5]
    assert np.sign(shift[axis]) == sign and abs(shift[1 - axis]) < 1e-6 < 10 < abs(shift[axis])


def test_roll_turns_the_picture_anticlockwise(start):
    above = project(path(start, roll=90), TARGET + np.array([0, 0, 0.1]), 8)[0]
    assert above[0] < 300 and above[1] == pytest.approx(239.5, abs=1e-6)


def test_ease_starts_and_stops_gently(start):
    smooth, even = (
        moving_camera(start, TARGET, CameraMove({"truck": {1.0: 0.1}}, smooth), 11, 15.0).world_to_camera[:, 0, 3]
        for smooth in (True, False)
    )
    assert np.ptp(np.diff(even)) < 1e-12
    speed = np.abs(np.diff(smooth))
    assert speed[0] < 0.3 * speed.max() and speed[-1] < 0.3 * speed.max() and smooth[-1] == pytest.approx(even[-1])


def test_several_keys_are_met_and_not_overshot(start):
    keys = {"orbit": {0.0: -20.0, 0.5: 20.0, 1.0: 20.0}}
    moved = moving_camera(start, TARGET, CameraMove(keys), 9, 15.0)
    expected = orbit_camera(TARGET, 0.8, 30, 25, 40, 640, 480).world_to_camera
    for t in (4, 5, 6, 7, 8):
        np.testing.assert_allclose(moved.at(t), expected, atol=1e-9)
    np.testing.assert_allclose(moved.at(0), orbit_camera(TARGET, 0.8, -10, 25, 40, 640, 480).world_to_camera, atol=1e-12)


def test_shake_is_seeded_smooth_and_starts_at_rest(start):
    one, again, other = (moving_camera(start, TARGET, CameraMove(shake=1, seed=s), 120, 30.0) for s in (4, 4, 5))
    np.testing.assert_array_equal(one.world_to_camera, again.world_to_camera)
    np.testing.assert_allclose(one.at(0), start.world_to_camera, atol=1e-14)
    assert np.abs(one.world_to_camera - other.world_to_camera).max() > 1e-3
    rows = one.world_to_camera[:, 2, :3] @ start.world_to_camera[2, :3]
    degrees = np.degrees(np.arccos(np.clip(rows, -1, 1)))
    assert 0.2 * SHAKE_DEGREES < degrees.mean() < 5 * SHAKE_DEGREES
    steps = np.linalg.norm(np.diff(one.world_to_camera[:, :3, 3], axis=0), axis=1)
    assert steps.max() < 0.004  # metres a thirtieth of a second


def test_a_camera_that_moves_already_keeps_its_motion(start):
    poses = np.stack([orbit_camera(TARGET, d, 10, 25, 40, 640, 480).world_to_camera for d in (0.8, 0.7, 0.6)])
    moved = moving_camera(Camera(start.intrinsics, poses, 640, 480), TARGET, CameraMove(end_keys(orbit=90)), 3, 15.0)
    np.testing.assert_allclose(moved.at(2), orbit_camera(TARGET, 0.6, 100, 25, 40, 640, 480).world_to_camera, atol=1e-12)


def test_straight_down_can_rise_too():
    top = orbit_camera(TARGET, 0.8, 0, 90, 40, 64, 48)
    moved = path(top, rise=-30)
    np.testing.assert_allclose(project(moved, TARGET, 8)[0], [31.5, 23.5], atol=1e-6)
    assert abs(np.degrees(np.arccos(moved.at(8)[2, :3] @ top.world_to_camera[2, :3])) - 30) < 1e-6


def test_zoom_scales_the_picture_about_the_principal_point(start):
    point = TARGET + np.array([0.03, 0.0, 0.05])
    moved = path(start, zoom=2)
    assert moved.intrinsics.shape == (9, 3, 3) and path(start, orbit=3).intrinsics.shape == (3, 3)
    near, far = (project(moved, point, t)[0] - [319.5, 239.5] for t in (0, 8))
    np.testing.assert_allclose(far, 2 * near, atol=1e-9)


def test_dolly_zoom_keeps_the_size_at_the_target(start):
    """What lies in the target's plane stays where it is; what lies behind it comes nearer in the picture when the camera goes in."""
    right, _, forward = start.world_to_camera[:3, :3]
    moved = path(start, dolly=0.5, zoom=0.5)
    places = np.stack([project(moved, TARGET + 0.1 * right, t)[0] for t in range(9)])
    np.testing.assert_allclose(places, places[:1].repeat(9, axis=0), atol=1e-9)
    behind = [project(moved, TARGET + 0.1 * right + 0.4 * forward, t)[0][0] for t in (0, 8)]
    assert behind[1] < behind[0] - 5


def test_field_of_view_keys_are_met(start):
    keys = parse_keys("50%: fov 20\n100%: fov 60", 9)
    moved = moving_camera(start, TARGET, CameraMove(keys), 9, 15.0)
    found = [field_of_view(moved.lens(t), 480) for t in (0, 4, 8)]
    np.testing.assert_allclose(found, [40, 20, 60], atol=1e-9)
    np.testing.assert_array_equal(moved.intrinsics[:, :2, 2], np.tile(start.intrinsics[:2, 2], (9, 1)))


def test_typed_keys():
    keys = parse_keys("0%: orbit -20\n\n50% : orbit 0, dolly 0.8  # closer\nframe 24: pan 5", 49)
    assert keys == {"orbit": {0.0: -20.0, 0.5: 0.0}, "dolly": {0.5: 0.8}, "pan": {0.5: 5.0}}
    assert end_keys(orbit=0, dolly=1, roll=3) == {"roll": {1.0: 3}} and set(keys) <= set(MOVES)


@pytest.mark.parametrize(
    ("text", "message"),
    [("orbit 3", 'found "orbit 3"'), ("50%: fly 2", 'found "fly"'), ("50%: orbit", "camera keys like"), ("x: pan 2", "x: pan 2")],
)
def test_bad_keys_say_why(text, message):
    with pytest.raises(ValueError, match=message):
        parse_keys(text, 10)


def test_bad_paths_say_why(start):
    with pytest.raises(ValueError, match="at least 1 frame"):
        path(start, length=0)
    for move in ("dolly", "zoom"):
        with pytest.raises(ValueError, match=f"{move} factors above 0"):
            path(start, **{move: -1})
    with pytest.raises(ValueError, match="between 0 and 180"):
        path_of = CameraMove(parse_keys("100%: fov 190", 9))
        moving_camera(start, TARGET, path_of, 9, 15.0)


def test_pixels_and_depth_of_a_zooming_camera_give_the_points_back():
    camera, rng = orbit_camera([0, 0, 0], 0.8, 30, 40, 45, 96, 64), np.random.default_rng(0)
    lens = camera.intrinsics * np.array([1.0, 1.3, 1.6, 2.0])[:, None, None]
    lens[:, 2, 2] = 1
    points = rng.normal(size=(4, 2, 21, 3)) * 0.05
    for intrinsics in (lens, camera.intrinsics):
        zooming = Camera(intrinsics, camera.world_to_camera, 96, 64)
        pixels, z = (np.stack(parts) for parts in zip(*(project(zooming, points[t], t) for t in range(4)), strict=True))
        expected = points @ camera.world_to_camera[:3, :3].T + camera.world_to_camera[:3, 3]
        np.testing.assert_allclose(unproject(intrinsics, pixels, z), expected, atol=1e-12)
