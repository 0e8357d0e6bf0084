"""Cameras: projections with known answers."""

import numpy as np
import pytest

from pam_nodes.geometry.camera import Camera
from pam_nodes.geometry.camera_build import auto_frame, from_load3d, orbit_camera, project


def test_pixel_centres_are_integers():
    camera = Camera(np.array([[100.0, 0, 31.5], [0, 100, 23.5], [0, 0, 1]]), np.eye(4), 64, 48)
    pixels, z = project(camera, np.array([[0, 0, 2.0], [0.1, -0.05, 1.0]]))
    np.testing.assert_allclose(pixels, [[31.5, 23.5], [41.5, 18.5]])
    np.testing.assert_allclose(z, [2, 1])


def test_orbit_looks_at_its_target_with_z_up():
    for azimuth, elevation in ((0, 0), (30, 40), (-120, 10), (200, 90), (45, -30)):
        camera = orbit_camera([0.1, 0.2, 0.3], 0.8, azimuth, elevation, 40, 640, 480)
        pixels, z = project(camera, np.array([[0.1, 0.2, 0.3], [0.1, 0.2, 0.31]]))
        np.testing.assert_allclose(pixels[0], [319.5, 239.5], atol=1e-9)
        assert z[0] == pytest.approx(0.8)
        assert np.linalg.det(camera.world_to_camera[:3, :3]) == pytest.approx(1)
        assert pixels[1, 0] == pytest.approx(319.5) and (elevation == 90 or pixels[1, 1] < 239.5)


def test_orbit_azimuth_zero_has_x_to_the_right_and_turns_towards_x():
    front = orbit_camera([0, 0, 0], 1.0, 0, 0, 40, 640, 480)
    pixels, _ = project(front, np.array([[0.1, 0, 0], [0, 0, 0.1]]))
    focal = 480 / (2 * np.tan(np.radians(20)))
    np.testing.assert_allclose(pixels, [[319.5 + 0.1 * focal, 239.5], [319.5, 239.5 - 0.1 * focal]])
    side = orbit_camera([0, 0, 0], 1.0, 90, 0, 40, 640, 480)
    eye = -side.world_to_camera[:3, :3].T @ side.world_to_camera[:3, 3]
    np.testing.assert_allclose(eye, [1, 0, 0], atol=1e-12)


@pytest.mark.parametrize("margin", [0.0, 0.1, 0.3])
@pytest.mark.parametrize(("width", "height"), [(720, 480), (192, 128), (256, 512)])
def test_auto_frame_holds_every_point_and_touches_the_margin(width, height, margin):
    rng = np.random.default_rng(0)
    points = rng.normal([0.1, -0.3, 0.2], [0.2, 0.05, 0.1], (3, 200, 3))
    for azimuth, elevation in ((0, 0), (35, 30), (180, 80), (-60, -20)):
        pixels, z = project(auto_frame(points, azimuth, elevation, 40, width, height, margin), points)
        size = np.array([width - 1, height - 1])
        low, high = pixels.min(axis=(0, 1)) / size, pixels.max(axis=(0, 1)) / size
        assert z.min() > 0
        assert (low > margin - 1e-9).all() and (high < 1 - margin + 1e-9).all()
        tight = np.isclose(low, margin) & np.isclose(high, 1 - margin)
        assert tight.any()


def test_auto_frame_of_one_point_keeps_a_distance():
    pixels, z = project(auto_frame(np.zeros((1, 3)), 0, 0, 40, 64, 48), np.zeros(3))
    np.testing.assert_allclose(pixels, [31.5, 23.5])
    assert z >= 0.05 - 1e-12


def test_viewer_camera_by_hand():
    """three.js eye (0, 0.5, 2) that looks along its -z: our world eye (0, -2, 0.5), looking along +y, z up."""
    info = {"position": {"x": 0, "y": 0.5, "z": 2}, "target": {"x": 0, "y": 0.5, "z": 0}, "zoom": 2, "cameraType": "perspective", "fov": 90}
    camera = from_load3d(info, 200, 100)
    np.testing.assert_allclose(camera.intrinsics, [[100, 0, 99.5], [0, 100, 49.5], [0, 0, 1]])
    pixels, z = project(camera, np.array([[0.4, 0, 0.5], [0, 0, 0.7]]))
    np.testing.assert_allclose(pixels, [[99.5 + 100 * 0.4 / 2, 49.5], [99.5, 49.5 - 100 * 0.2 / 2]])
    np.testing.assert_allclose(z, [2, 2])


def test_viewer_quaternion_is_the_rotation_of_the_same_look_at():
    from scipy.spatial.transform import Rotation

    position, target = np.array([1.0, 2.0, 3.0]), np.array([0.2, 0.1, -0.4])
    back = (position - target) / np.linalg.norm(position - target)
    right = np.cross([0, 1, 0], back) / np.linalg.norm(np.cross([0, 1, 0], back))
    quaternion = Rotation.from_matrix(np.stack([right, np.cross(back, right), back], 1)).as_quat()
    info = {"position": dict(zip("xyz", position, strict=True)), "target": dict(zip("xyz", target, strict=True)), "zoom": 1}
    plain = from_load3d(info, 64, 48)
    turned = from_load3d({**info, "quaternion": dict(zip("xyzw", quaternion, strict=True))}, 64, 48)
    np.testing.assert_allclose(turned.world_to_camera, plain.world_to_camera, atol=1e-12)
    pixels, _ = project(plain, np.array([target[0], -target[2], target[1]]))
    np.testing.assert_allclose(pixels, [31.5, 23.5], atol=1e-9)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: orbit_camera([0, 0, 0], 0, 0, 0, 40, 64, 48), "distance"),
        (lambda: orbit_camera([0, 0, 0], 1, 0, 0, 180, 64, 48), "field of view"),
        (lambda: auto_frame(np.zeros((1, 3)), 0, 0, 40, 64, 48, 0.6), "margin"),
        (lambda: from_load3d({"cameraType": "orthographic"}, 64, 48), "perspective"),
        (lambda: from_load3d({}, 64, 48), "position"),
        (lambda: from_load3d({"position": {"x": 0, "y": 0, "z": 0}, "target": {"x": 0, "y": 0, "z": 0}}, 64, 48), "same place"),
    ],
)
def test_bad_cameras_say_why(build, message):
    with pytest.raises(ValueError, match=message):
        build()
