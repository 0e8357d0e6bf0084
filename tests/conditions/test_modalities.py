"""Flow, tracking, contact and layers against what depth and known motions say."""

from dataclasses import replace

import numpy as np
import pytest

from pam_nodes.conditions.clip import render_clip
from pam_nodes.conditions.colormap import INFERNO
from pam_nodes.conditions.contact import TOUCH, render_contact
from pam_nodes.conditions.flow import OCCLUDED, UNKNOWN, VISIBLE, as_vectors, colorize_flow, render_flow
from pam_nodes.conditions.layers import render_layer
from pam_nodes.conditions.look import Look
from pam_nodes.conditions.meshes import deforming_track, rigid_track
from pam_nodes.conditions.scene import Scene
from pam_nodes.conditions.tracking import TrackingLook, render_tracking
from pam_nodes.geometry.camera import Camera
from pam_nodes.geometry.camera_build import orbit_camera, project
from pam_nodes.geometry.rotations import axis_angle_to_matrix, pose_matrix

from .scenes import camera, cube, poses, sphere


def turning_cube(frames=4):
    """A cube that turns and moves before the camera; returns its track and poses."""
    angle = np.linspace(0.2, 0.7, frames)[:, None] * np.array([0.2, 1.0, 0.3])
    pose = pose_matrix(axis_angle_to_matrix(angle), np.linspace([-0.03, 0, 0.5], [0.03, 0.01, 0.45], frames))
    return rigid_track(*cube(), pose, 1, (0.5, 0.5, 0.5)), pose


def moved(cam, depth, frame_pose, other_pose):
    """World points of a frame's pixels, carried from one object pose to another: (N, 3), and their flat pixels."""
    pixels = np.flatnonzero(depth)
    row, column = np.divmod(pixels, cam.width)
    z = depth.ravel()[pixels].astype(np.float64)
    k = cam.intrinsics
    world = np.stack([(column - k[0, 2]) / k[0, 0] * z, (row - k[1, 2]) / k[1, 1] * z, z], axis=1)
    local = (world - frame_pose[:3, 3]) @ frame_pose[:3, :3]
    return local @ other_pose[:3, :3].T + other_pose[:3, 3], pixels


def test_flow_of_a_turning_cube_follows_its_pose():
    """Independent way: depth to the object's frame, its next pose, projection."""
    cam = camera(160, 120, focal=150.0, cx=70.0, cy=66.0)
    track, pose = turning_cube()
    depth = render_clip([track], cam, {"depth"}).depth
    video = render_flow(Scene([track]), cam, 4)
    for t in range(3):
        points, pixels = moved(cam, depth[t], pose[t], pose[t + 1])
        expected = project(cam, points)[0] - np.stack(np.divmod(pixels, 160)[::-1], axis=1)
        np.testing.assert_allclose(video.flow[t].reshape(-1, 2)[pixels], expected, atol=2e-3)
        assert (video.state[t].ravel()[pixels] != UNKNOWN).all()
    assert not video.flow[3].any() and (video.state[3] == UNKNOWN).all()
    assert (video.state[0] == VISIBLE).sum() > 0.9 * (video.state[0] != UNKNOWN).sum()


def test_flow_and_tracking_of_a_zoom_alone_spread_from_the_principal_point():
    """Nothing moves: the flow is the change of lens, (zoom - 1) times the way from the principal point; colours keep their place."""
    still = camera(160, 120, focal=150.0, cx=70.0, cy=66.0)
    cam = replace(still, intrinsics=np.stack([still.intrinsics] * 2))
    cam.intrinsics[1, [0, 1], [0, 1]] *= 1.25
    track = rigid_track(*cube(0.08), poses(*[(0, 0, 0.4)] * 2), 1, (0.5, 0.5, 0.5))
    video = render_flow(Scene([track]), cam, 2)
    row, column = np.nonzero(video.state[0])
    expected = 0.25 * (np.stack([column, row], axis=1) - [70, 66])
    np.testing.assert_allclose(video.flow[0, row, column], expected, atol=2e-3)
    picture = render_tracking(Scene([track]), cam, 2, TrackingLook("dense"))
    goal = np.rint(np.stack([column, row], axis=1) + expected).astype(int)
    seen = ((goal >= 0) & (goal < [160, 120])).all(axis=1)
    moved_on = picture[1, goal[seen, 1], goal[seen, 0], :2].astype(int)
    assert np.abs(moved_on - picture[0, row[seen], column[seen], :2]).max() <= 2 and seen.sum() > 500


def test_what_moves_behind_something_is_occluded():
    """A far cube goes behind a near one and out of the picture on the other side."""
    cam = camera(200, 80, focal=150.0)
    near = rigid_track(*cube(0.08), poses(*[(0, 0, 0.4)] * 2), 1, (0.5, 0.5, 0.5))
    far = rigid_track(*cube(0.08), poses((-0.17, 0, 0.8), (0, 0, 0.8)), 2, (0.5, 0.5, 0.5))
    leaving = rigid_track(*cube(0.08), poses((0.2, 0, 0.8), (0.9, 0, 0.8)), 3, (0.5, 0.5, 0.5))
    ids = render_clip([near, far, leaving], cam, {"ids"}).instance_ids[0]
    state = render_flow(Scene([near, far, leaving]), cam, 2).state[0]
    assert (state[ids == 1] == VISIBLE).all() and (state[ids >= 2] == OCCLUDED).all() and (ids >= 2).sum() > 200


def test_table_flows_with_the_camera():
    """The point under the middle pixel is where an orbiting camera aims: it does not flow, the rest does, and exactly."""
    start, end = (orbit_camera([0, 0, 0], 0.8, azimuth, 40, 40, 81, 61) for azimuth in (0, 6))
    cam = Camera(start.intrinsics, np.stack([start.world_to_camera, end.world_to_camera]), 81, 61)
    small = rigid_track(*cube(0.01), poses(*[(0.2, 0.1, 0.005)] * 2), 1, (0.5, 0.5, 0.5))
    flow = render_flow(Scene([small]), cam, 2, table=True)
    assert np.abs(flow.flow[0, 30, 40]).max() < 1e-3 and np.hypot(*flow.flow[0, 5, 5]) > 1
    assert (flow.state[0] != UNKNOWN).all()
    pixel, _ = project(cam, np.array([0.1, -0.05, 0.0]), 0)
    goal, _ = project(cam, np.array([0.1, -0.05, 0.0]), 1)
    column, row = np.rint(pixel).astype(int)
    assert np.abs(flow.flow[0, row, column] - (goal - pixel)).max() < 0.15


def test_flow_colours_are_the_wheel():
    flow = np.zeros((1, 1, 5, 2), np.float32)
    flow[0, 0, 1:4] = [[4, 0], [0, 4], [8, 0]]
    state = np.array([[[1, 1, 1, 2, 0]]], np.uint8)
    picture = colorize_flow(flow, state, largest=4)[0, 0].astype(int)
    assert picture[0].tolist() == [255, 255, 255] and picture[4].tolist() == [0, 0, 0]
    assert picture[1, 0] == 255 and picture[1, 1:].max() < 10  # right is red, as in Middlebury's code
    assert picture[2, 0] > 200 and picture[2, 1] > 200 and picture[2, 2] < 10  # down is yellow
    assert picture[3, 0] == 191  # faster than full colour is darker
    assert colorize_flow(flow * 0, state)[0, 0, :4].min() == 255
    from pam_nodes.conditions.flow import FlowVideo

    assert as_vectors(FlowVideo(flow, state))[0, 0].tolist()[2:] == [[0, 4, 1], [8, 0, 0.5], [0, 0, 0]]


def test_dense_tracking_keeps_the_colour_of_the_first_place():
    cam = camera(160, 120, focal=150.0)
    track, pose = turning_cube()
    depth = render_clip([track], cam, {"depth"}).depth
    picture = render_tracking(Scene([track]), cam, 4, TrackingLook("dense"))
    low, high = np.percentile(1 / depth[0][depth[0] > 0], [2, 98])
    for t in (0, 3):
        points, pixels = moved(cam, depth[t], pose[t], pose[0])
        first, z = project(cam, points)
        expected = np.column_stack([first / [159, 119], (1 / z - low) / (high - low)])
        got = picture[t].reshape(-1, 3)[pixels]
        assert np.abs(got - np.floor(255 * np.clip(expected, 0, 1))).max() <= 1
        assert not picture[t][depth[t] == 0].any()


def test_point_tracks_are_rectangles_that_vanish_when_hidden():
    """A still far wall behind a cube that moves from left to right; pam_reference 1.5: half the grid's step wide, 1 / 1.5 as high."""
    cam = camera(120, 90, focal=60.0)
    wall = rigid_track(*cube(4.0), poses(*[(0, 0, 3.5)] * 2), 1, (0.5, 0.5, 0.5))
    mover = rigid_track(*cube(0.2), poses((-0.3, 0, 0.6), (0.3, 0, 0.6)), 2, (0.5, 0.5, 0.5))
    picture = render_tracking(Scene([wall, mover]), cam, 2, TrackingLook("points", grid=12))
    first, second = (frame.any(axis=2) for frame in picture)
    ids = render_clip([wall, mover], cam, {"ids"}).instance_ids
    uncovered = (ids[0] == 2) & (ids[1] == 1)
    assert second[ids[1] == 2].mean() > 0.85 and second[uncovered].mean() < 0.25
    assert first.mean() > 0.6
    lone = render_tracking(Scene([mover]), cam, 1, TrackingLook("points", grid=2))
    assert not lone.any() or lone[0].any(axis=2).sum() <= 4 * 61 * 41


def test_tracking_names_what_it_cannot_do():
    cam, scene = camera(), Scene([turning_cube()[0]])
    for look, message in ((TrackingLook("lines"), "points"), (TrackingLook(grid=1), "2 to 1024")):
        with pytest.raises(ValueError, match=message):
            render_tracking(scene, cam, 1, look)
    behind = Scene([rigid_track(*cube(), poses((0, 0, -1)), 1, (0.5, 0.5, 0.5))])
    with pytest.raises(ValueError, match="found nothing"):
        render_tracking(behind, cam, 1, TrackingLook())


def test_contact_is_the_distance_of_the_surfaces():
    """A ball ("hand") of 5 cm whose surface is 1 cm, then 2 mm from a box, a coarse mesh of 12 faces."""
    cam = camera(160, 120, focal=200.0)
    vertices, faces = sphere(0.05, np.zeros(3), 60)
    ball = deforming_track(vertices + np.array([[[-0.06, 0, 0.5]], [[-0.052, 0, 0.5]]]), faces, 1)
    box = rigid_track(*cube(0.1), poses((0.05, 0, 0.5), (0.05, 0, 0.5)), 2, (0.5, 0.5, 0.5))
    contact = render_contact(Scene([ball, box]), 1, cam, 2, largest=0.05)
    ids = render_clip([ball, box], cam, {"ids"}).instance_ids
    assert contact.nearest[1] < contact.nearest[0] and contact.nearest[0] == pytest.approx(0.0125, abs=0.003)
    assert not contact.mask[0].any() and (contact.mask[1] <= (ids[1] > 0)).all()
    np.testing.assert_array_equal(contact.pictures.any(axis=3), ids > 0)
    far = contact.pictures[0][:, 20:40][ids[0][:, 20:40] == 1].astype(int)
    assert np.ptp(far, axis=1).max() < 25  # grey
    depth = render_clip([ball, box], cam, {"depth"}).depth[1]
    row, column = np.nonzero(ids[1] == 1)
    z = depth[row, column].astype(float)
    x = (column - cam.intrinsics[0, 2]) / 200 * z
    touching = contact.mask[1][row, column]
    assert (x[touching] > -TOUCH - 3e-4).all() and (x[~touching] < -TOUCH + 3e-4)[np.abs(row - 59.5)[~touching] < 20].all()


def test_contact_colours_and_bad_input():
    assert INFERNO[255].tolist() == [252, 255, 164]
    track, _ = turning_cube()
    for count in (0, 1):
        with pytest.raises(ValueError, match="a hand and an object"):
            render_contact(Scene([track]), count, camera(), 1)
    ball = deforming_track(sphere(0.05, np.array([[0, 0, 0.5]]), 20)[0][None], sphere(0.05, np.zeros(3), 20)[1], 1)
    with pytest.raises(ValueError, match="above 0 m"):
        render_contact(Scene([ball, rigid_track(*cube(), poses((0, 0, 0.6)), 2, (1, 1, 1))]), 1, camera(), 1, 0.0)


@pytest.mark.parametrize("look", ["normals", "depth", "segmentation", "shaded"])
def test_layer_shows_what_is_hidden(look):
    cam = camera(120, 90, focal=100.0)
    near = rigid_track(*cube(0.08), poses((0, 0, 0.4)), 2, (0.9, 0.1, 0.1))
    far = rigid_track(*cube(0.2), poses((0, 0, 0.8)), 1, (0.1, 0.9, 0.1))
    together = render_clip([far, near], cam, {"ids"}).instance_ids
    colors = np.array([[0, 0, 0], [92, 0, 255], [8, 255, 51]], np.uint8)
    layer = render_layer([far], cam, 1, look, colors, Look())
    assert layer.mask[together == 1].all() and layer.mask.sum() > (together == 1).sum()
    np.testing.assert_array_equal(layer.pictures.any(axis=3), layer.mask)
    nothing = render_layer([], cam, 1, look, colors, Look())
    assert not nothing.mask.any() and nothing.pictures.shape == layer.pictures.shape
