"""Processes that help NumPy draw: the same bits, they wait for the next clip, and nothing is lost when one of them dies."""

import time
from dataclasses import replace

import numpy as np
import pytest

from pam_nodes.conditions import child, helpers, threads
from pam_nodes.conditions.backends import MANY_PIXELS, NumpyDrawer, boxed_pixels, drawer_for
from pam_nodes.conditions.clip import render_clip
from pam_nodes.conditions.frames import blank_frames
from pam_nodes.conditions.helpers import SharedDrawer
from pam_nodes.conditions.scene import Scene
from pam_nodes.geometry.camera_build import orbit_camera

from .scenes import cube, poses, sphere
from .test_gl import tracks  # noqa: F401 (a fixture)

ALL = {"depth", "ids", "normals"}
FRAMES = 12


@pytest.fixture
def moving(tracks):  # noqa: F811
    """An open hand that deforms and a cube that is lifted, and a camera that moves and zooms."""
    hand, box = tracks
    twice = [np.concatenate([getattr(hand, name)] * (FRAMES // 2)) for name in ("vertices", "normals")]
    lifted = replace(box, poses=poses(*((0, 0, 0.03 + 0.002 * t) for t in range(FRAMES))))
    camera = orbit_camera([0, -0.05, 0.08], 0.32, 20, 35, 40, 480, 320)
    shift = np.tile(camera.world_to_camera, (FRAMES, 1, 1))
    shift[:, 0, 3] += np.linspace(0, 0.02, FRAMES)
    zoom = np.tile(camera.intrinsics, (FRAMES, 1, 1))
    zoom[:, [0, 1], [0, 1]] *= np.linspace(1, 1.3, FRAMES)[:, None]
    return [replace(hand, vertices=twice[0], normals=twice[1]), lifted], replace(camera, world_to_camera=shift, intrinsics=zoom)


@pytest.fixture(autouse=True)
def no_one_waits():
    """Every test begins without idle helpers."""
    for place in helpers.places:
        if (idle := place._leave()) is not None:
            idle.close()


def come(drawer: SharedDrawer) -> list:
    """The helpers of a drawer, which has begun, once all are there."""
    deadline = time.monotonic() + 60
    while drawer.free.qsize() < drawer.threads and time.monotonic() < deadline:
        time.sleep(0.02)
    found = [drawer.free.get() for _ in range(drawer.free.qsize())]
    assert len(found) == drawer.threads
    return [helper for helper in found if helper is not None]


def alone(tracks, camera):  # noqa: F811
    """The frames by NumPy in this process."""
    frames = blank_frames(ALL, FRAMES, camera.height, camera.width)
    NumpyDrawer(Scene(tracks), camera).draw(0, frames)
    return frames


def test_a_helper_draws_the_same_bits(moving):
    scene, camera = moving
    drawer, expected = SharedDrawer(Scene(scene), camera), alone(scene, camera)
    try:
        drawer.draw(0, blank_frames(ALL, 1, camera.height, camera.width))
        for helper in come(drawer):
            made = blank_frames(ALL, FRAMES, camera.height, camera.width)
            for first in range(0, FRAMES, drawer.batch):
                helper.draw(first, made.part(first, first + drawer.batch))
            for one, other in zip(made.buffers, expected.buffers, strict=True):
                np.testing.assert_array_equal(one, other)
            drawer.free.put(helper)
    finally:
        drawer.close()
    assert not drawer.folder.exists()


def test_only_what_is_wanted_is_drawn(moving):
    scene, camera = moving
    drawer = SharedDrawer(Scene(scene), camera)
    drawer.draw(0, blank_frames({"ids"}, 1, camera.height, camera.width))
    made = blank_frames({"ids"}, 2, camera.height, camera.width)
    for helper in come(drawer):
        helper.draw(3, made)
        drawer.free.put(helper)
    drawer.close()
    np.testing.assert_array_equal(made.instance_ids, alone(scene, camera).instance_ids[3:5])


def test_helpers_wait_for_the_next_clip_and_then_go(moving, monkeypatch):
    scene, camera = moving
    for _ in range(2):
        drawer = SharedDrawer(Scene(scene), camera)
        drawer.draw(0, blank_frames(ALL, 1, camera.height, camera.width))
        children = {helper.child for helper in come(drawer) if drawer.free.put(helper) is None}
        drawer.close()
        assert children == {place.child for place in helpers.places} and all(one.alive for one in children)
    monkeypatch.setattr(child, "IDLE_SECONDS", 0.1)
    idle = helpers.places[0]._leave()
    helpers.places[0].put(idle)
    deadline = time.monotonic() + 20
    while idle.alive and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not idle.alive and helpers.places[0].child is None


def test_a_helper_that_dies_costs_nothing(moving):
    """Its frames are drawn here."""
    scene, camera = moving
    drawer, made = SharedDrawer(Scene(scene), camera), blank_frames(ALL, FRAMES, camera.height, camera.width)
    drawer.draw(0, made.part(0, 1))
    for helper in come(drawer):
        helper.child.process.kill()
        drawer.free.put(helper)
    for frame in range(1, FRAMES):
        drawer.draw(frame, made.part(frame, frame + 1))
    drawer.close()
    np.testing.assert_array_equal(made.depth, alone(scene, camera).depth)


def test_a_clip_that_is_over_before_they_come_leaves_nothing(moving):
    """Closed at once: no folder, and whoever was on the way waits for the next clip."""
    scene, camera = moving
    drawer = SharedDrawer(Scene(scene), camera)
    drawer.draw(0, blank_frames(ALL, 1, camera.height, camera.width))
    drawer.close()
    deadline = time.monotonic() + 60
    while any(place.child is None for place in helpers.places) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert all(place.child.alive for place in helpers.places) and not (drawer.folder and drawer.folder.exists())


def test_without_helpers_all_is_drawn_here(moving, monkeypatch):
    scene, camera = moving
    monkeypatch.setenv("PAM_NO_HELPERS", "1")
    drawer, made = SharedDrawer(Scene(scene), camera), blank_frames(ALL, FRAMES, camera.height, camera.width)
    assert drawer.threads == 1
    drawer.draw(0, made)
    drawer.close()
    np.testing.assert_array_equal(made.depth, alone(scene, camera).depth)
    assert all(place.child is None for place in helpers.places)


def test_helpers_are_asked_where_it_pays(tracks):  # noqa: F811
    """For many faces or a close-up, and not for a few frames or small scenes."""
    box, faces = cube(0.2)
    close = orbit_camera([0, 0, 0], 0.4, 0, 0, 40, 720, 480)
    near = [replace(tracks[1], vertices=box, faces=faces, poses=np.tile(np.eye(4), (FRAMES, 1, 1)))]
    assert boxed_pixels(Scene(near), close) > MANY_PIXELS
    drawer = drawer_for("numpy", Scene(near), close)
    assert isinstance(drawer, SharedDrawer) and drawer.threads == threads.THREADS
    far = replace(close, world_to_camera=orbit_camera([0, 0, 0], 3.0, 0, 0, 40, 720, 480).world_to_camera)
    assert boxed_pixels(Scene(near), far) < MANY_PIXELS and isinstance(drawer_for("numpy", Scene(near), far), NumpyDrawer)
    assert isinstance(drawer_for("numpy", Scene([replace(near[0], poses=near[0].poses[:2])]), close), NumpyDrawer)


def test_a_clip_drawn_with_helpers_is_the_clip(moving):
    """Through the whole renderer, warm: with a sphere of many faces."""
    scene, camera = moving
    ball, faces = sphere(0.03, np.array([0.05, 0, 0.05]), 200)
    assert len(faces) > 1 << 15
    up = np.zeros_like(ball) + np.float32([0, 0, 1])
    many = [scene[0], replace(scene[1], vertices=ball, faces=faces, normals=up, normal_faces=faces)]
    for _ in range(2):
        made = render_clip(many, camera, ALL, backend="numpy")
    for one, other in zip(made.buffers, alone(many, camera).buffers, strict=True):
        np.testing.assert_array_equal(one, other)


def test_without_room_for_the_scene_all_is_drawn_here(moving, monkeypatch, tmp_path):
    """A helper that cannot be told the scene waits for another."""
    scene, camera = moving
    monkeypatch.setattr(helpers, "new_folder", lambda prefix: tmp_path / "gone")
    drawer, made = SharedDrawer(Scene(scene), camera), blank_frames(ALL, FRAMES, camera.height, camera.width)
    drawer.draw(0, made)
    deadline = time.monotonic() + 60
    while any(place.child is None for place in helpers.places) and time.monotonic() < deadline:
        time.sleep(0.02)
    drawer.close()
    np.testing.assert_array_equal(made.depth, alone(scene, camera).depth)
    assert all(place.child.alive for place in helpers.places)
