"""All renderers draw the same ids and depths, and what is not drawable is said before any work."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from pam_nodes.conditions import raster, triangles
from pam_nodes.conditions.backends import chosen, numba_works
from pam_nodes.conditions.clip import render_clip
from pam_nodes.conditions.meshes import deforming_track, rigid_track
from pam_nodes.conditions.scene import Scene
from pam_nodes.conditions.surface import resolve
from pam_nodes.conditions.triangles import NEAR
from pam_nodes.geometry.camera_build import orbit_camera
from pam_nodes.hands.files import load_default_hand
from pam_nodes.hands.posing import place_hand, preset_pose
from pam_nodes.hands.skinning import skin

from .scenes import camera, cube, lift, poses, sphere

ALL = {"depth", "ids", "normals"}
VIEWS = {
    "wide": ([0, -0.03, 0.08], 0.75, 160, 120),
    "close": ([0, -0.05, 0.1], 0.14, 320, 240),
    "inside the hand": ([0.0, -0.09, 0.125], 0.03, 160, 120),
}


@pytest.fixture(scope="module")
def tracks():
    """A closing right hand, a sphere that rises, a cube, and triangles without area: 3 frames."""
    model = load_default_hand("right")
    hands = [skin(model, place_hand(model, preset_pose(name), (0.0, -0.15, 0.12))).vertices for name in ("relaxed", "relaxed", "grasp")]
    ball, ball_faces = sphere(0.04, np.zeros(3), 60)
    box, box_faces = cube(0.06)
    flat = np.array([[0, 1, 1], [2, 2, 2]])
    return [
        deforming_track(np.concatenate(hands), model.faces, 1),
        rigid_track(ball, ball_faces, poses((0, 0, 0.03), (0, 0, 0.05), (0, 0, 0.07)), 2, (0.2, 0.4, 0.6)),
        rigid_track(box, np.concatenate([box_faces, flat]), poses(*[(0.08, -0.05, 0.05)] * 3), 3, (0.6, 0.4, 0.2)),
    ]


def view(name):
    centre, distance, width, height = VIEWS[name]
    return orbit_camera(centre, distance, 20, 35, 40, width, height)


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("backend", ["numba", "torch"])
def test_every_backend_has_the_same_bits(backend, name, tracks, skip_for):
    if backend == "numba" and not numba_works():
        skip_for("numba", "numba cannot be imported.")
    want, found = (render_clip(tracks, view(name), ALL, backend=b) for b in ("numpy", backend))
    assert want.instance_ids.any()
    np.testing.assert_array_equal(found.instance_ids, want.instance_ids)
    np.testing.assert_array_equal(found.depth.view(np.int32), want.depth.view(np.int32))
    difference = np.abs(found.normals.astype(int) - want.normals)
    assert (difference > 1).mean() < 1e-4


@pytest.mark.parametrize("backend", ["numpy", "numba", "torch"])
def test_a_zooming_camera_draws_each_frame_with_its_lens(backend, tracks, skip_for):
    if backend == "numba" and not numba_works():
        skip_for("numba", "numba cannot be imported.")
    zoom = replace(view("wide"), intrinsics=np.stack([view("wide").intrinsics] * 3))
    zoom.intrinsics[:, [0, 1], [0, 1]] *= np.array([1.0, 1.4, 2.0])[:, None]
    found = render_clip(tracks, zoom, {*ALL, "rgb"}, backend=backend)
    for t in range(3):
        single = render_clip(tracks, zoom.still(t), {*ALL, "rgb"}, backend=backend)
        for name in ("depth", "instance_ids", "normals", "rgb"):
            np.testing.assert_array_equal(getattr(found, name)[t], getattr(single, name)[t])
    assert (found.instance_ids[2] > 0).sum() > 2 * (found.instance_ids[0] > 0).sum()
    with pytest.raises(ValueError, match="Expected 3 camera poses, one a frame, found 2"):
        render_clip(tracks, replace(zoom, intrinsics=zoom.intrinsics[:2]))


def test_torch_draws_batches_as_single_frames(tracks):
    from pam_nodes.conditions.raster_torch import TorchDrawer

    drawer = TorchDrawer(Scene(tracks), view("close"))
    depth, ids, normals = drawer.render(0, 3)
    for t in range(3):
        for batch, single in zip((depth, ids, normals), drawer.render(t, 1), strict=True):
            assert (batch[t] == single[0]).all()


def soup(seed):
    """Triangles of every kind: large, tiny, thin, level, on pixel centres, double, flat, near and behind the eye; (V, 3), (F, 3)."""
    rng = np.random.default_rng(seed)
    centre, size = rng.uniform(-20, 180, (600, 1, 2)), 10 ** rng.uniform(-1.5, 1.5, (600, 1, 1))
    pixels = centre + size * rng.normal(size=(600, 3, 2)) * rng.choice([1, 1, 1e-3], (600, 1, 2))
    pixels[:150] = np.rint(pixels[:150])
    pixels[150:200, 1, 1] = pixels[150:200, 0, 1]
    pixels[200:210, 2] = pixels[200:210, 1]
    pixels[:20] *= 5
    points = lift(pixels.reshape(-1, 2), rng.uniform(0.3, 2.0, 1800), camera(160, 120))
    points[1500:1560, 2] *= rng.choice([-1, 0.02], 60).astype(np.float32)
    faces = np.arange(1800).reshape(600, 3)
    return points, np.concatenate([faces, faces[300:310], faces[310:320, ::-1]])


@pytest.mark.parametrize("seed", range(4))
def test_every_rasteriser_has_the_same_keys_of_any_triangles(seed, monkeypatch, skip_for):
    import torch

    from pam_nodes.conditions import raster_torch

    points, faces = soup(seed)
    cam = camera(160, 120)
    keys = raster.rasterize(points, faces, cam.intrinsics, 160, 120)
    _, owner, z = raster.seen(keys)
    assert (keys != raster.EMPTY).mean() > 0.1 and len(np.unique(owner)) > 30
    corners = np.maximum(points[faces[owner], 2], NEAR)
    assert (z >= corners.min(axis=1) * (1 - 1e-6)).all() and (z <= corners.max(axis=1) * (1 + 1e-6)).all()
    monkeypatch.setattr(raster, "ROW_BLOCK", 50)
    np.testing.assert_array_equal(raster.rasterize(points, faces, cam.intrinsics, 160, 120), keys)
    columns = tuple(torch.from_numpy(np.ascontiguousarray(axis)) for axis in points.T)
    corners = tuple(torch.from_numpy(np.ascontiguousarray(corner)) for corner in faces.T)
    np.testing.assert_array_equal(raster_torch.rasterize(columns, corners, 1, cam).numpy(), keys)
    if not numba_works():
        skip_for("numba", "numba cannot be imported.")
    from pam_nodes.conditions import raster_numba

    np.testing.assert_array_equal(raster_numba.rasterize(points, faces, cam.intrinsics, 160, 120), keys)


def test_many_objects_have_ids_of_their_own():
    """255 of them in a grid; one more is refused, as ids are bytes."""
    box, faces = cube(0.02)
    grid = [rigid_track(box, faces, poses(((i % 16 - 7.5) * 0.04, (i // 16 - 7.5) * 0.04, 1)), i + 1, (1, 1, 1)) for i in range(256)]
    ids = render_clip(grid[:255], camera(320, 320, 400.0)).instance_ids
    assert set(np.unique(ids)) == set(range(256))
    with pytest.raises(ValueError, match="at most 255 hands and objects, found 256"):
        render_clip(grid, camera(320, 320, 400.0))


def orders(faces, seed=0):
    """What may be said to be seen from behind, beginning with nothing: then all is drawn as it comes and nothing left out."""
    some = np.random.default_rng(seed).random(len(faces)) < 0.5
    return [np.zeros(len(faces), bool), some, ~some, np.ones(len(faces), bool), None]


def assert_order_does_not_count(points, faces, cam, monkeypatch, seed=0):
    """The keys, when that is so."""
    plain, *others = (raster.rasterize(points, faces, cam.intrinsics, cam.width, cam.height, away=away) for away in orders(faces, seed))
    monkeypatch.setattr(raster, "MANY", 0)
    others += [raster.rasterize(points, faces, cam.intrinsics, cam.width, cam.height, away=away) for away in orders(faces, seed)]
    for other in others:
        np.testing.assert_array_equal(other, plain)
    return plain


@pytest.mark.parametrize("seed", range(4))
def test_leaving_out_hidden_triangles_changes_nothing(seed, monkeypatch):
    assert_order_does_not_count(*soup(seed), camera(160, 120), monkeypatch, seed)


@pytest.mark.parametrize("width, height", [(1, 1), (2, 3), (1, 7), (17, 9), (33, 65), (20000, 6)])
def test_leaving_out_hidden_triangles_changes_nothing_in_pictures_of_any_size(width, height, monkeypatch):
    rng = np.random.default_rng(width)
    corners = rng.uniform(-0.3, 1.3, (2000, 1, 2)) * [width, height]
    corners = corners + 10 ** rng.uniform(-2, 2, (2000, 1, 1)) * rng.normal(size=(2000, 3, 2))
    cam = camera(width, height, focal=max(width, height))
    points = lift(corners.reshape(-1, 2), rng.uniform(0.2, 2, 6000), cam)
    for cut in (points, np.where(np.arange(6000)[:, None] % 97 == 0, -points, points)):
        assert_order_does_not_count(cut, np.arange(6000).reshape(-1, 3), cam, monkeypatch)


@pytest.mark.parametrize("name", VIEWS)
def test_leaving_out_what_a_scene_hides_changes_nothing(name, tracks, monkeypatch):
    scene, cam = Scene(tracks), view(name)
    keys = assert_order_does_not_count(scene.vertices(1, cam.at(1)), scene.faces, cam, monkeypatch)
    np.testing.assert_array_equal(scene.keys(1, cam.at(1), cam.intrinsics, cam.width, cam.height)[1], keys)


@pytest.mark.parametrize("steps, size", [(60, 0.4), (200, 0.1), (500, 0.05)])
def test_leaving_out_small_hidden_triangles_changes_nothing(steps, size, monkeypatch):
    """A ball with a hole towards the camera, so that part of its inside is seen, beside and partly outside the picture."""
    vertices, faces = sphere(size, np.array([0.01, -0.02, 0.5]), steps)
    cam = camera(320, 240, focal=300.0)
    for cut in ([-1, 0, 1], [-1, 0, -1], [0, 1, 0]):
        opened = faces[((vertices - vertices.mean(axis=0))[faces] @ cut > -0.1 * size).all(axis=1)]
        for shift in (0, 0.3, -0.5):
            keys = assert_order_does_not_count(vertices + np.array([shift, 0, 0], np.float32), opened, cam, monkeypatch)
            if not shift and cut == [-1, 0, 1]:
                assert not resolve(keys, vertices, opened, cam.intrinsics, cam.width).front.all()


def test_every_centre_that_small_triangles_hold_is_drawn(monkeypatch):
    """Triangles of at most 2 x 2 pixels, many with corners or edges on centres, are thinned out before they are drawn: none too many."""
    rng = np.random.default_rng(5)
    pixels = rng.uniform(-2, 42, (20000, 1, 2)) + rng.uniform(-1.2, 1.2, (20000, 3, 2))
    pixels[::3] = np.rint(pixels[::3] * 4) / 4
    pixels[1::9, 2] = (pixels[1::9, 0] + pixels[1::9, 1]) / 2 + 1e-4 * rng.normal(size=pixels[1::9, 0].shape)
    cam = camera(40, 30)
    points, faces = lift(pixels.reshape(-1, 2), np.repeat(rng.uniform(0.4, 0.6, 20000), 3), cam), np.arange(60000).reshape(-1, 3)
    keys = [raster.rasterize(points, faces[k : k + 50], cam.intrinsics, 40, 30) for k in range(0, 20000, 50)]
    monkeypatch.setattr(triangles, "_may_hold", lambda *parts: np.ones(len(parts[0]), bool))
    for k, found in zip(range(0, 20000, 50), keys, strict=True):
        np.testing.assert_array_equal(found, raster.rasterize(points, faces[k : k + 50], cam.intrinsics, 40, 30))


def cast(vertices, faces, cam):
    """Exact ray casting in float64: face of each pixel or -1, its depth, and how near in pixels the nearest edge of any face passes."""
    v, u = (a.ravel().astype(float) for a in np.mgrid[: cam.height, : cam.width])
    x, y = (vertices[:, k] / vertices[:, 2] * cam.intrinsics[k, k] + cam.intrinsics[k, 2] for k in (0, 1))
    hit, depth, margin = np.full(len(u), -1), np.full(len(u), np.inf), np.full(len(u), np.inf)
    for f, (a, b, c) in enumerate(faces):
        edges = []
        for p, q in ((b, c), (c, a), (a, b)):
            edges.append((x[q] - x[p]) * (v - y[p]) - (y[q] - y[p]) * (u - x[p]))
            along = np.clip(((u - x[p]) * (x[q] - x[p]) + (v - y[p]) * (y[q] - y[p])) / np.hypot(x[q] - x[p], y[q] - y[p]) ** 2, 0, 1)
            margin = np.minimum(margin, np.hypot(u - x[p] - along * (x[q] - x[p]), v - y[p] - along * (y[q] - y[p])))
        area = edges[0] + edges[1] + edges[2]
        weights = np.array(edges) / area
        z = 1 / (weights / vertices[[a, b, c], 2, None]).sum(axis=0)
        nearer = (weights >= 0).all(axis=0) & (z < depth)
        hit[nearer], depth[nearer] = f, z[nearer]
    return hit, depth, margin


def test_segmentation_is_that_of_exact_ray_casting(tracks):
    """Every pixel agrees unless an edge passes within a thousandth of a pixel of its centre."""
    cam = orbit_camera([0, -0.06, 0.1], 0.4, 20, 35, 40, 64, 48)
    model = tracks[0]
    world = model.vertices[2].astype(np.float64)
    pose = cam.at(0)
    points = world @ pose[:3, :3].T + pose[:3, 3]
    hit, depth, margin = cast(points, model.faces, cam)
    drawn = render_clip([model], cam, ALL, backend="numpy")
    ours = drawn.depth[2].ravel()
    differ = (ours > 0) != (hit >= 0)
    assert (hit >= 0).sum() > 200
    assert not (differ & (margin > 1e-3)).any() and differ.sum() <= 2
    both = (ours > 0) & (hit >= 0) & (margin > 1e-3)
    assert np.abs(ours - depth)[both].max() < 10e-6


def test_plane_depth_is_exact():
    """A tilted plane that fills the picture, within a hundredth of a millimetre of the analytic one."""
    cam = camera(320, 240, focal=300.0)
    corners = lift(np.array([[-40, -40], [400, -30], [390, 300], [-30, 280.0]]), 1.0, cam)
    normal, offset = np.array([0.3, -0.2, -1.0]), -0.6
    corners = corners * (offset / (corners @ normal))[:, None]
    keys = raster.rasterize(corners.astype(np.float32), np.array([[0, 1, 2], [0, 2, 3]]), cam.intrinsics, cam.width, cam.height)
    surface = resolve(keys, corners.astype(np.float32), np.array([[0, 1, 2], [0, 2, 3]]), cam.intrinsics, cam.width)
    assert len(surface.pixels) == cam.width * cam.height
    exact = offset / (surface.rays.astype(np.float64) @ normal)
    assert np.abs(surface.z - exact).max() < 10e-6


def test_camera_inside_a_mesh_sees_its_inside():
    ball, faces = sphere(0.1, np.zeros(3), 40)
    track = rigid_track(ball, faces, poses((0, 0, 0)), 1, (1, 1, 1))
    drawn = render_clip([track], camera(), ALL, backend="numpy")
    assert (drawn.instance_ids == 1).all() and drawn.depth.max() < 0.101
    assert (drawn.normals[..., 2] > 127).all(), "the inside shows normals that face the camera"


def test_conditions_and_preview_in_one_pass_are_those_of_two(tracks):
    cam = view("wide")
    together = render_clip(tracks, cam, ALL | {"rgb"}, backend="numpy")
    apart = [render_clip(tracks, cam, want, backend="numpy") for want in (ALL, {"rgb"})]
    np.testing.assert_array_equal(together.normals, apart[0].normals)
    np.testing.assert_array_equal(together.rgb, apart[1].rgb)


def test_preview_is_that_of_compiled_loops(tracks, skip_for):
    if not numba_works():
        skip_for("numba", "numba cannot be imported.")
    ours, compiled = (render_clip(tracks, view("wide"), {"rgb"}, backend=backend).rgb for backend in ("numpy", "numba"))
    difference = np.abs(ours.astype(int) - compiled)
    assert ours.std() > 10 and (difference > 1).mean() < 1e-4


def test_interrupt_leaves_no_thread(tracks):
    before = threading.active_count()

    class Stop(Exception):
        pass

    def stop(*_):
        raise Stop

    for backend in ("numpy", "torch"):
        with pytest.raises(Stop):
            render_clip(tracks, view("wide"), ALL, progress=stop, backend=backend)
        assert threading.active_count() == before


def test_drawing_in_a_worker_thread(tracks):
    results = []
    thread = threading.Thread(target=lambda: results.append(render_clip(tracks, view("wide"), ALL)))
    thread.start()
    thread.join()
    np.testing.assert_array_equal(results[0].depth, render_clip(tracks, view("wide"), ALL).depth)


def test_bad_input_is_named(tracks):
    cam = view("wide")
    broken = tracks[0].vertices.copy()
    broken[1, 7, 2] = np.nan
    with pytest.raises(ValueError, match=r"Mesh 1: expected finite coordinates, found nan at vertex 7 in frame 1"):
        render_clip([replace(tracks[0], vertices=broken), *tracks[1:]], cam)
    with pytest.raises(ValueError, match="mesh 1 has 3, mesh 2 has 2"):
        render_clip([tracks[0], replace(tracks[1], poses=tracks[1].poses[:2])], cam)
    with pytest.raises(ValueError, match=r"Expected 3 camera poses, one a frame, found 2"):
        render_clip(tracks, replace(cam, world_to_camera=np.tile(cam.world_to_camera, (2, 1, 1))))
    with pytest.raises(ValueError, match='found "glide"'):
        chosen("glide")
    with pytest.raises(ValueError, match="at least one mesh"):
        render_clip([], cam)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_behind_the_camera_is_nothing(backend):
    ball, faces = sphere(0.1, np.zeros(3), 40)
    track = rigid_track(ball, faces, poses((0, 0, -0.5)), 1, (1, 1, 1))
    drawn = render_clip([track], camera(), ALL, backend=backend)
    assert not drawn.instance_ids.any() and not drawn.depth.any() and not drawn.normals.any()
