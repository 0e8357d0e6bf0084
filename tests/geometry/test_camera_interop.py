"""Cameras of other packs, and lenses."""

import logging

import numpy as np
import pytest

from pam_nodes.geometry.camera_build import auto_frame, from_load3d, orbit_camera, project
from pam_nodes.geometry.camera_interop import camera_from_matrices, extrinsics, intrinsics, to_cameractrl, to_load3d
from pam_nodes.geometry.camera_lens import dataset_intrinsics, resized_camera
from pam_nodes.geometry.camera_path import CameraMove, end_keys, moving_camera

FIXED = orbit_camera([0.1, 0, 0.1], 0.7, 20, 30, 40, 640, 480)
MOVING = moving_camera(FIXED, np.zeros(3), CameraMove(end_keys(orbit=40, roll=10)), 5, 15.0)
ZOOMING = moving_camera(FIXED, np.zeros(3), CameraMove(end_keys(orbit=40, zoom=2)), 5, 15.0)


@pytest.mark.parametrize("camera", [FIXED, MOVING, ZOOMING])
def test_matrices_there_and_back(camera):
    count = camera.length or 1
    back = camera_from_matrices(extrinsics(camera, count), intrinsics(camera, count), 640, 480)
    np.testing.assert_allclose(back.world_to_camera, camera.world_to_camera, atol=1e-6)
    np.testing.assert_allclose(back.intrinsics, camera.intrinsics, rtol=1e-6)
    rows = camera_from_matrices(extrinsics(camera, count)[:, :3], camera.intrinsics, 640, 480)
    np.testing.assert_allclose(rows.world_to_camera, back.world_to_camera)


def test_viewer_there_and_back():
    """By the quaternion, and without roll by the target alone."""
    for frame in (0, 4):
        back = from_load3d(to_load3d(MOVING, frame), 640, 480)
        np.testing.assert_allclose(back.world_to_camera, MOVING.at(frame), atol=1e-12)
        np.testing.assert_allclose(back.intrinsics, MOVING.intrinsics, atol=1e-9)
    plain = {key: value for key, value in to_load3d(FIXED).items() if key != "quaternion"}
    np.testing.assert_allclose(from_load3d(plain, 640, 480).world_to_camera, FIXED.world_to_camera, atol=1e-12)


def test_viewer_is_told_about_lenses_it_does_not_have(caplog):
    with caplog.at_level(logging.WARNING):
        to_load3d(FIXED)
        assert not caplog.records
        to_load3d(orbit_camera([0, 0, 0], 0.7, 0, 30, 40, 720, 480, dataset_intrinsics("DexYCB", 720, 480)))
    assert "off-centre" in caplog.text


def test_cameractrl_lines():
    """RealEstate10K: time, lens as shares of the picture whose corner is (0, 0), two zeros, three rows."""
    lines = to_cameractrl(MOVING, 5)
    assert [len(line) for line in lines] == [19] * 5 and [line[0] for line in lines] == [0, 1, 2, 3, 4]
    k = MOVING.intrinsics
    np.testing.assert_allclose(lines[3][1:7], [k[0, 0] / 640, k[1, 1] / 480, 0.5, 0.5, 0, 0], atol=1e-12)
    np.testing.assert_allclose(np.reshape(lines[3][7:], (3, 4)), MOVING.at(3)[:3])


def test_a_zoom_leaves_and_returns_frame_by_frame():
    """Viewer and CameraCtrl get the lens of their frame; a lens that only rounding changes is one; the pose may stand still."""
    for frame in (0, 4):
        np.testing.assert_allclose(from_load3d(to_load3d(ZOOMING, frame), 640, 480).intrinsics, ZOOMING.lens(frame), atol=1e-9)
    lines = to_cameractrl(ZOOMING, 5)
    assert lines[4][1] == pytest.approx(2 * lines[0][1]) and lines[4][3] == lines[0][3]
    assert camera_from_matrices(FIXED.world_to_camera, np.stack([FIXED.intrinsics] * 3) * (1 + 1e-8), 640, 480).intrinsics.shape == (3, 3)
    still = camera_from_matrices(FIXED.world_to_camera, ZOOMING.intrinsics, 640, 480)
    assert still.length == 5 and still.still(4).length is None
    np.testing.assert_array_equal(still.at(3), FIXED.world_to_camera)


@pytest.mark.parametrize(
    ("pose", "k", "message"),
    [
        (np.eye(3), np.eye(3), r"extrinsics of shape .* found \(3, 3\)"),
        (np.eye(4), np.eye(4), "intrinsics of shape"),
        (np.diag([2.0, 2, 2, 1]), np.eye(3), "scale or mirror"),
        (np.diag([1.0, 1, -1, 1]), np.eye(3), "scale or mirror"),
        (np.full((4, 4), np.nan), np.eye(3), "finite"),
        (np.eye(4), np.diag([-1.0, 1, 1]), "above 0 pixels"),
        (np.stack([np.eye(4)] * 3), np.stack([np.eye(3), 2 * np.eye(3)]), "as many intrinsics as extrinsics"),
    ],
)
def test_bad_matrices_say_why(pose, k, message):
    with pytest.raises(ValueError, match=message):
        camera_from_matrices(pose, k, 64, 48)


def test_stretched_camera_sees_the_stretched_picture():
    """The borders of the picture stay its borders: pixel -0.5 goes to -0.5, the far border to the far border."""
    points = np.random.default_rng(0).normal([0.1, 0, 0.1], 0.05, (50, 3))
    before, _ = project(FIXED, points)
    after, _ = project(resized_camera(FIXED, 720, 480), points)
    np.testing.assert_allclose(after, (before + 0.5) * [720 / 640, 1] - 0.5, atol=1e-9)
    zoomed, wide = project(ZOOMING, points, 4)[0], project(resized_camera(ZOOMING, 720, 480), points, 4)[0]
    np.testing.assert_allclose(wide, (zoomed + 0.5) * [720 / 640, 1] - 0.5, atol=1e-9)


def test_dexycb_lens():
    k = dataset_intrinsics("DexYCB", 640, 480)
    assert k[[0, 1, 0, 1], [0, 1, 2, 2]].tolist() == [616, 615, 315, 242]
    wide = dataset_intrinsics("DexYCB", 720, 480)
    assert wide[0, 0] == pytest.approx(693) and wide[1, 1] == 615 and wide[0, 2] == pytest.approx(315.5 * 1.125 - 0.5)
    with pytest.raises(ValueError, match="DexYCB"):
        dataset_intrinsics("HO3D", 640, 480)


@pytest.mark.parametrize("margin", [0.0, 0.2])
def test_auto_frame_with_an_off_centre_lens_touches_the_margin(margin):
    points = np.random.default_rng(1).normal([0.1, -0.3, 0.2], [0.2, 0.05, 0.1], (200, 3))
    k = np.array([[500.0, 0, 210], [0, 450, 300], [0, 0, 1]])
    for azimuth, elevation in ((0, 0), (35, 30), (180, 80)):
        pixels, z = project(auto_frame(points, azimuth, elevation, 40, 640, 480, margin, k), points)
        low, high = pixels.min(axis=0) / [639, 479], pixels.max(axis=0) / [639, 479]
        assert z.min() > 0 and (low > margin - 1e-9).all() and (high < 1 - margin + 1e-9).all()
        assert (np.isclose(low, margin) & np.isclose(high, 1 - margin)).any()
