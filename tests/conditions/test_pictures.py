"""Depth and segmentation looks, and the clip renderer."""

import numpy as np
import pytest

from pam_nodes.conditions.clip import render_clip
from pam_nodes.conditions.colormap import INFERNO
from pam_nodes.conditions.depth import colorize_depth, depth_range
from pam_nodes.conditions.look import Look, table_look
from pam_nodes.conditions.meshes import crease_normals, deforming_track, rigid_track
from pam_nodes.conditions.segmentation import ADE20K, colorize_instances, instance_colors

from .scenes import camera, cube, poses, sphere


def inferno_index(pictures):
    """Nearest map entry of each pixel."""
    return np.abs(pictures[..., None, :].astype(int) - INFERNO).sum(-1).argmin(-1)


def test_inferno_ends_and_brightness():
    assert INFERNO[0].tolist() == [0, 0, 4] and INFERNO[255].tolist() == [252, 255, 164]
    assert (np.diff(INFERNO.astype(float) @ [0.2126, 0.7152, 0.0722]) > -0.8).all()


def test_depth_is_brighter_when_nearer_and_black_behind():
    depth = np.zeros((2, 1, 40), np.float32)
    depth[0, 0, :30], depth[1, 0, :30] = np.linspace(0.5, 0.7, 30), np.linspace(0.6, 0.7, 30)
    picture = colorize_depth(depth)
    index = inferno_index(picture[:, 0, :30])
    assert (np.diff(index[0]) < 0).all() and index[0, 0] >= 244
    assert not picture[:, :, 30:].any()
    near, far = depth_range(depth)
    assert near == pytest.approx(0.5 / 1.02, rel=0.01) and far == pytest.approx(2.1 * near)
    expected = np.floor(255 * (1 / depth[1, 0, 5] - 1 / far) / (1 / near - 1 / far))
    assert index[1, 5] == expected


def test_far_foreground_stays_off_the_black():
    depth = np.array([[[0.3, 0.6, 0.9]]], np.float32)
    near, far = depth_range(depth)
    assert (1 / 0.9 - 1 / far) / (1 / near - 1 / far) == pytest.approx(0.15, abs=0.006)
    assert inferno_index(colorize_depth(depth))[0, 0, 2] in (36, 37, 38)
    assert depth_range(np.array([[[0.1, 50.0]]], np.float32))[1] == np.inf
    assert colorize_depth(np.array([[[0.1, 50.0]]], np.float32)).any(axis=3).all()


def test_same_distance_has_the_same_colour_in_every_frame():
    depth = np.stack([np.full((4, 4), 0.6), np.full((4, 4), 0.6)]).astype(np.float32)
    depth[0, 0, 0] = 0.4
    picture = colorize_depth(depth)
    np.testing.assert_array_equal(picture[0, 1], picture[1, 1])


def test_depth_without_foreground_says_so():
    with pytest.raises(ValueError, match="only background"):
        colorize_depth(np.zeros((1, 4, 4), np.float32))


def test_palette_is_the_specification_table():
    table = {1: (180, 120, 120), 2: (6, 230, 230), 3: (80, 50, 50), 5: (120, 120, 80), 14: (8, 255, 51), 21: (61, 230, 250)}
    for label, color in table.items():
        assert tuple(instance_colors(1, [label])[2]) == color
    assert instance_colors(2, [])[:3].tolist() == [[0, 0, 0], [92, 0, 255], [92, 0, 255]]
    oakink = instance_colors(1, [1, 2, 3], "oakink2").tolist()
    assert oakink == [[0, 0, 0], [61, 230, 250], [255, 6, 51], [11, 102, 255], [255, 7, 71]]
    assert ADE20K[148].tolist() == [102, 255, 0]


@pytest.mark.parametrize(("labels", "style", "message"), [([22], "dexycb", "1 to 21"), ([1], "coco", "dexycb")])
def test_palette_refuses_what_it_has_no_colour_for(labels, style, message):
    with pytest.raises(ValueError, match=message):
        instance_colors(1, labels, style)


def scene():
    """A ball that comes nearer (a hand stands behind it as id 1) and a cube beside it."""
    vertices, faces = sphere(0.05, np.zeros(3), 40)
    moving = vertices + np.array([[[-0.1, 0, 0.8]], [[-0.1, 0, 0.6]]])
    return [deforming_track(moving, faces, 1), rigid_track(*cube(), poses((0.1, 0, 0.8), (0.1, 0.02, 0.7)), 2, (0.2, 0.5, 0.8))]


def test_clip_has_every_instance_where_it_is():
    cam = camera(160, 120, focal=130.0)
    calls = []
    frames = render_clip(scene(), cam, {"depth", "ids", "normals"}, progress=lambda *step: calls.append(step))
    assert calls == [(1, 2), (2, 2)]
    assert set(np.unique(frames.instance_ids)) == {0, 1, 2}
    np.testing.assert_array_equal(frames.depth > 0, frames.instance_ids > 0)
    assert frames.depth[1][frames.instance_ids[1] == 1].min() == pytest.approx(0.55, abs=1e-3)
    colors = colorize_instances(frames.instance_ids, instance_colors(1, [14]))
    assert {tuple(c) for c in colors.reshape(-1, 3)} == {(0, 0, 0), (92, 0, 255), (8, 255, 51)}
    # The ball's point nearest to the eye faces it: straight towards the viewer is (128, 128, 255).
    depth = np.where(frames.instance_ids[0] == 1, frames.depth[0], 9)
    middle = frames.normals[0][np.unravel_index(depth.argmin(), depth.shape)]
    assert np.abs(middle.astype(int) - [128, 128, 255]).max() < 30
    assert not frames.normals[frames.instance_ids == 0].any()


def test_two_runs_are_bit_equal():
    cam = camera(96, 64, focal=80.0)
    one, two = (render_clip(scene(), cam, {"depth", "rgb"}) for _ in range(2))
    np.testing.assert_array_equal(one.depth.view(np.int32), two.depth.view(np.int32))
    np.testing.assert_array_equal(one.rgb, two.rgb)


def test_cancel_passes_through():
    class CancelledError(BaseException):
        pass

    def cancel(done, total):
        raise CancelledError

    with pytest.raises(CancelledError):
        render_clip(scene(), camera(), progress=cancel)


def test_cube_keeps_its_edges_and_ball_its_roundness():
    vertices, faces = cube()
    normals, corners = crease_normals(vertices, faces)
    outward = np.repeat(vertices[faces].mean(axis=1), 3, axis=0)
    assert np.abs(normals).max(axis=1).min() > 0.9999
    assert (normals[corners].reshape(-1, 3) * outward).sum(axis=1).min() > 0.049
    vertices, faces = sphere(1.0, np.zeros(3), 40)
    normals, corners = crease_normals(vertices, faces)
    used = normals[corners].reshape(-1, 3)
    solid = np.linalg.norm(np.cross(*(vertices[faces][:, k] - vertices[faces][:, 0] for k in (1, 2))), axis=1) > 1e-9
    inside = np.repeat(solid, 3)
    assert (used[inside] * vertices[faces].reshape(-1, 3)[inside]).sum(axis=1).min() > 0.98


def test_shaded_view_shows_skin_object_table_wall_and_a_shadow():
    """From above onto the table: lit table, shadow beside the cube, wall nowhere; a cube without table stands before the wall."""
    pose = np.diag([1.0, -1, -1, 1])
    pose[2, 3] = 1.0
    cam = camera(120, 120, focal=140.0, pose=pose)
    track = rigid_track(*cube(), poses((0, 0, 0.05)), 1, (0.1, 0.2, 0.9))
    look = Look(light_azimuth=90, light_elevation=45, table_size=None)
    picture = render_clip([track], cam, {"rgb"}, look).rgb[0].astype(int)
    top, lit, shadow = picture[60, 60], picture[60, 110], picture[60, 42]
    assert top[2] > top[0] + 60
    assert lit.min() > 120 and shadow.sum() < 0.75 * lit.sum()
    bare = render_clip([track], cam, {"rgb"}, Look(table=None)).rgb[0].astype(int)
    assert np.abs(bare[5, 5] - bare[5, 110]).max() <= 2 and bare[5, 5][2] >= bare[5, 5][0]
    fine = render_clip([track], cam, {"rgb"}, Look(supersample=2)).rgb[0]
    assert fine.shape == picture.shape


def test_background_picture_is_shown_and_shadowed_where_the_table_is():
    """From above: a cube at (0, 0), light from +x, so its shadow falls to the left; the rest of the picture is untouched."""
    pose = np.diag([1.0, -1, -1, 1])
    pose[2, 3] = 1.0
    cam = camera(120, 120, focal=140.0, pose=pose)
    track = rigid_track(*cube(), poses((0, 0, 0.05), (0, 0, 0.05)), 1, (0.1, 0.2, 0.9))
    pictures = np.random.default_rng(0).integers(40, 256, (2, 120, 120, 3), dtype=np.uint8)
    look = table_look("plain", "#808080", pictures, light_azimuth=90, light_elevation=45)
    shown = render_clip([track], cam, {"rgb"}, look).rgb
    for t in range(2):
        assert np.abs(shown[t, :, 100:].astype(int) - pictures[t, :, 100:]).max() <= 1
        assert shown[t, 55:65, 40:44].mean() < 0.8 * pictures[t, 55:65, 40:44].mean()
    plain = render_clip([track], cam, {"rgb"}, table_look("none", "#102030", supersample=2)).rgb[0]
    assert plain[5, 5, 2] > plain[5, 5, 1] > plain[5, 5, 0] and table_look("wood", "#000000").pattern == "wood"


def test_render_clip_names_what_it_cannot_draw():
    with pytest.raises(ValueError, match="found flow"):
        render_clip(scene(), camera(), {"flow"})
