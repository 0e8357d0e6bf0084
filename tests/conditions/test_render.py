"""A real hand and a real mug from trajectory to condition clip."""

from dataclasses import replace

import numpy as np
import pytest

from pam_nodes.conditions import depth
from pam_nodes.conditions.depth import depth_range
from pam_nodes.conditions.film import film, film_parts, render_conditions
from pam_nodes.conditions.hand_keypoints import KeypointLook
from pam_nodes.conditions.keypoints import hand_colors
from pam_nodes.conditions.look import Look
from pam_nodes.conditions.modalities import (
    added,
    amodal_layers,
    contact_map,
    describe_contact,
    hand_keypoints,
    optical_flow,
    shaded_preview,
    tracking_video,
)
from pam_nodes.conditions.render import (
    COARSE,
    DENSE,
    coverage,
    mesh_tracks,
    motion_points,
    render_preview,
    skinned_hands,
)
from pam_nodes.conditions.segmentation import instance_colors
from pam_nodes.conditions.tracking import TrackingLook
from pam_nodes.geometry.camera_build import auto_frame, orbit_camera, project
from pam_nodes.geometry.primitives import demo_object
from pam_nodes.grasp.trajectory import HandTrack, ObjectTrack, Trajectory
from pam_nodes.hands.files import load_default_hand
from pam_nodes.hands.posing import place_hand, preset_pose

from .scenes import poses, sphere

SIDE = poses((0.03, 0, 0))[0]


def moving(pose, steps):
    """A pose held over frames while the wrist moves by (T, 3) steps."""
    repeat = {name: np.repeat(getattr(pose, name), len(steps), axis=0) for name in ("global_orient", "hand_pose")}
    return replace(pose, transl=pose.transl + steps, **repeat)


@pytest.fixture(scope="module")
def trajectory():
    """A right hand that comes down beside a mug which is lifted: 5 frames."""
    model = load_default_hand("right")
    steps = np.linspace([0, 0, 0.06], [0, 0, 0], 5)
    pose = moving(place_hand(model, preset_pose("relaxed"), (0.09, -0.12, 0.1)), steps)
    mug = demo_object("mug")
    lift = poses(*np.linspace([0, 0, 0], [0, 0, 0.05], 5)) @ mug.object_to_world
    return Trajectory((HandTrack(model, pose),), (ObjectTrack(mug, lift),), 15.0)


@pytest.fixture(scope="module")
def camera(trajectory):
    return auto_frame(motion_points(trajectory), 25, 30, 40, 192, 128)


@pytest.fixture(scope="module")
def clip(trajectory, camera):
    return render_conditions(trajectory, camera, normals=True)


def test_every_modality_has_its_place_and_colours(clip, trajectory):
    assert clip.shape == (5, 128, 192) and clip.fps == 15.0 and clip.num_hands == 1
    assert set(np.unique(clip.instance_ids)) == {0, 1, 2}
    colors = instance_colors(1, [trajectory.objects[0].mesh.label])
    np.testing.assert_array_equal(clip.segmentation, colors[clip.instance_ids])
    background = clip.instance_ids == 0
    for name in ("depth", "normals"):
        pictures = getattr(clip, name)
        assert not pictures[background].any() and pictures[~background].any(axis=1).all()
    assert {name for name, _ in clip.sources} == {"depth", "segmentation", "keypoints", "normals"}


def test_auto_frame_keeps_the_whole_motion_inside(clip):
    seen = clip.instance_ids > 0
    assert not seen[:, [0, -1]].any() and not seen[:, :, [0, -1]].any()
    assert seen.any(axis=0).mean() > 0.1


def test_key_points_lie_on_the_hand(clip, trajectory, camera):
    """Joints are inside the hand, so the pixel of each is the hand's, or the mug's in front of it."""
    hand = skinned_hands(trajectory)[0]
    for t in range(5):
        pixels, z = project(camera, hand.keypoints[t], t)
        u, v = np.rint(pixels).astype(int).T
        ids, surface = clip.instance_ids[t, v, u], clip.metric_depth[t, v, u]
        assert (ids > 0).mean() >= 20 / 21
        assert (surface[ids > 0] < z[ids > 0] + 0.004).all()
    drawn, covered = clip.keypoints.any(axis=3), clip.instance_ids > 0
    assert (drawn & covered).sum() > 0.85 * drawn.sum()


def test_depth_values_lie_in_the_range_of_the_training_pictures(clip):
    """pam_reference 1.2: inferno index percentiles 10/50/90 are 115/178/224 for hands and 72/147/204 for objects."""
    near, far = depth_range(clip.metric_depth)
    z = clip.metric_depth[clip.metric_depth > 0]
    index = 255 * (1 / z - 1 / far) / (1 / near - 1 / far)
    low, median, high = np.percentile(index, [10, 50, 90])
    assert 40 < low < 140 and 120 < median < 200 and 160 < high < 245


def test_hand_alone_object_alone_and_two_hands(trajectory, camera):
    hand = trajectory.hands[0]
    assert set(np.unique(render_conditions(replace(trajectory, objects=()), camera).instance_ids)) == {0, 1}
    alone = render_conditions(replace(trajectory, hands=()), camera)
    assert set(np.unique(alone.instance_ids)) == {0, 1} and alone.num_hands == 0 and not alone.keypoints.any()
    left = load_default_hand("left")
    second = HandTrack(left, moving(place_hand(left, preset_pose("relaxed", "left"), (-0.09, -0.12, 0.1)), np.zeros((5, 3))))
    both = render_conditions(replace(trajectory, hands=(hand, second)), orbit_camera([0, 0, 0.1], 0.8, 0, 35, 40, 192, 128))
    assert set(np.unique(both.instance_ids)) == {0, 1, 2, 3} and both.num_hands == 2
    oakink = render_conditions(trajectory, camera, style="oakink2")
    label = trajectory.objects[0].mesh.label
    expected = {tuple(c) for c in instance_colors(1, [label], "oakink2").tolist()}
    assert {tuple(c) for c in oakink.segmentation.reshape(-1, 3).tolist()} == expected and (61, 230, 250) in expected


def test_length_takes_the_first_frames(trajectory, camera, clip):
    short = render_conditions(trajectory, camera, length=2)
    np.testing.assert_array_equal(short.instance_ids, clip.instance_ids[:2])


@pytest.mark.parametrize("style", ["dexycb", "oakink2"])
def test_parts_are_the_whole_clip(style, trajectory, camera, monkeypatch):
    """Two hands, every modality and the preview, in parts of two frames; so few samples that parts share none of them evenly."""
    monkeypatch.setattr(depth, "MOST", 1000)
    left = load_default_hand("left")
    second = HandTrack(left, moving(place_hand(left, preset_pose("relaxed", "left"), (-0.09, -0.12, 0.1)), np.zeros((5, 3))))
    both = replace(trajectory, hands=(*trajectory.hands, second))
    settings = {"style": style, "normals": True, "look": Look()}
    whole, shaded = film(both, camera, **settings)
    steps = []
    parts = list(film_parts(both, camera, at_once=2, progress=lambda done, total: steps.append((done, total)), **settings))
    assert [part.shape[0] for part, _ in parts] == [2, 2, 1] and sorted(set(steps)) == [(k + 1, 10) for k in range(10)]
    for name in ("depth", "segmentation", "keypoints", "normals", "metric_depth", "instance_ids"):
        np.testing.assert_array_equal(np.concatenate([getattr(part, name) for part, _ in parts]), getattr(whole, name))
    np.testing.assert_array_equal(np.concatenate([preview for _, preview in parts]), shaded)
    for name in ("pixels", "visibility", "z"):
        np.testing.assert_array_equal(np.concatenate([getattr(p.joints, name) for p, _ in parts]), getattr(whole.joints, name))
    assert {(part.fps, part.style, part.sources, part.object_labels) for part, _ in parts} == {
        (whole.fps, whole.style, whole.sources, whole.object_labels)
    }


def test_a_frame_without_anything_is_found_before_the_first_part(trajectory):
    leaving = replace(trajectory, hands=(), objects=(ObjectTrack(trajectory.objects[0].mesh, poses((0, 0, 0), (0, 0, 0), (9, 0, 0))),))
    with pytest.raises(ValueError, match=r"1 of 3 frames \(first: frame 2\)"):
        next(film_parts(leaving, orbit_camera([0, 0, 0.05], 0.6, 0, 20, 40, 64, 48), at_once=1))


def test_preview_is_bright_where_the_hand_is(trajectory, camera, clip):
    preview = render_preview(trajectory, camera, length=2)
    assert preview.shape == (2, 128, 192, 3)
    skin = preview[clip.instance_ids[:2] == 1].mean(axis=0)
    assert skin[0] > skin[1] > skin[2] and 90 < skin.mean() < 230


def test_view_without_anything_says_so(trajectory):
    away = orbit_camera([5, 5, 5], 0.5, 0, 0, 40, 64, 48)
    with pytest.raises(ValueError, match=r"outside the camera in every frame \(first: frame 0\)"):
        render_conditions(trajectory, away)
    leaving = replace(trajectory, hands=(), objects=(ObjectTrack(trajectory.objects[0].mesh, poses((0, 0, 0), (0, 0, 0), (9, 0, 0))),))
    with pytest.raises(ValueError, match=r"1 of 3 frames \(first: frame 2\)"):
        render_conditions(leaving, orbit_camera([0, 0, 0.05], 0.6, 0, 20, 40, 64, 48))


def test_lengths_that_cannot_be(trajectory, camera):
    with pytest.raises(ValueError, match="at most the 5 frames"):
        render_conditions(trajectory, camera, length=6)
    with pytest.raises(ValueError, match="at least 1 frame"):
        render_conditions(trajectory, camera, length=0)
    with pytest.raises(ValueError, match="hand or an object"):
        render_conditions(Trajectory((), (), 15.0), camera)
    path = replace(camera, world_to_camera=np.tile(camera.world_to_camera, (3, 1, 1)))
    with pytest.raises(ValueError, match="5 camera poses"):
        render_conditions(trajectory, path)


DRAWINGS = {
    "conditions": render_conditions,
    "flow": optical_flow,
    "tracking": lambda motion, camera: tracking_video(motion, camera, TrackingLook("dense")),
    "contact": contact_map,
    "layers": lambda motion, camera: amodal_layers(motion, camera, "depth"),
    "key points": lambda motion, camera: hand_keypoints(motion, camera, KeypointLook()),
    "preview": lambda motion, camera: shaded_preview(motion, camera, Look()),
}


@pytest.mark.parametrize("draw", DRAWINGS.values(), ids=DRAWINGS)
def test_hands_and_objects_that_do_not_fit_together_are_named_by_every_modality(draw, trajectory, camera):
    """An object that ends early or starts late, a second hand that ends early, and a motion with a hole."""
    hand, thing = trajectory.hands[0], trajectory.objects[0]
    short = replace(hand, pose=moving(hand.pose.frame(0), np.zeros((3, 3))))
    for motion, found in (
        (replace(trajectory, objects=(replace(thing, poses=thing.poses[:3]),)), "hand 1 has 5, object 1 has 3"),
        (replace(trajectory, hands=(short,)), "hand 1 has 3, object 1 has 5"),
        (replace(trajectory, hands=(hand, short)), "hand 1 has 5, hand 2 has 3, object 1 has 5"),
    ):
        with pytest.raises(ValueError, match=f"same number of frames, found: {found}. Cut or hold the shorter ones"):
            draw(motion, camera)
    torn = thing.poses.copy()
    torn[2, 0, 3] = np.nan
    with pytest.raises(ValueError, match="Mesh 2: expected a finite pose, found one that is not in frame 2"):
        draw(replace(trajectory, objects=(replace(thing, poses=torn),)), camera)


def test_alpha_is_the_share_of_a_pixel_that_is_covered(trajectory, camera, clip):
    sharp = coverage(trajectory, camera, 1)
    np.testing.assert_array_equal(sharp > 0, clip.instance_ids > 0)
    smooth = coverage(trajectory, camera, 4, length=2)
    assert set(np.unique(smooth * 16)) <= set(range(17)) and len(np.unique(smooth)) > 8
    assert np.abs(smooth - sharp[:2]).mean() < 0.02


def test_more_modalities_of_a_real_grasp(trajectory, camera, clip):
    """Layers contain what is seen; key points know the mug; bundles take a modality more, of the right length only."""
    hands, objects = amodal_layers(trajectory, camera, "segmentation", length=2)
    assert hands.mask[clip.instance_ids[:2] == 1].all() and objects.mask[clip.instance_ids[:2] == 2].all()
    twice = replace(trajectory, objects=(*trajectory.objects, replace(trajectory.objects[0], poses=trajectory.objects[0].poses @ SIDE)))
    both, first, second = (amodal_layers(twice, camera, "segmentation", length=1, alone=k)[1].mask for k in (0, 1, 2))
    np.testing.assert_array_equal(first, objects.mask[:1])
    np.testing.assert_array_equal(first | second, both)
    assert (first & second).any() and (second & ~first).any() and not amodal_layers(twice, camera, "depth", length=1, alone=3)[1].mask.any()
    drawn = hand_keypoints(trajectory, camera, KeypointLook("openpose", hidden="dim"))
    assert drawn.pictures.shape == (5, 128, 192, 3) and set(np.unique(drawn.keypoints.visibility)) <= {0, 1, 2}
    tracking = tracking_video(trajectory, camera, TrackingLook("dense"))
    assert ((tracking > 0).any(axis=3) <= (clip.instance_ids > 0)).all()
    more = added(clip, trajectory, "rendered", tracking=tracking)
    assert more.tracking is tracking and dict(more.sources)["tracking"] == "rendered" and more.depth is clip.depth
    alone = added(None, trajectory, "exact", flow=optical_flow(trajectory, camera))
    assert alone.shape == clip.shape and alone.sources == (("flow", "exact"),)
    with pytest.raises(ValueError, match=r"Expected tracking of 5 x 128 x 192 .* found 2 x 128 x 192"):
        added(clip, trajectory, "rendered", tracking=tracking[:2])
    contact = contact_map(trajectory, camera, 0.05, length=2)
    assert describe_contact(contact).startswith(("Visible contact", "No visible contact"))
    with pytest.raises(ValueError, match="a hand in the trajectory"):
        hand_keypoints(replace(trajectory, hands=()), camera, KeypointLook())


def test_two_hands_in_the_oakink2_style_meet_by_surface_depth(trajectory):
    left = load_default_hand("left")
    second = HandTrack(left, moving(place_hand(left, preset_pose("relaxed", "left"), (0.06, -0.12, 0.1)), np.zeros((5, 3))))
    both = replace(trajectory, hands=(trajectory.hands[0], second))
    cam = auto_frame(motion_points(both), 25, 30, 40, 192, 128)
    clip = render_conditions(both, cam, style="oakink2", length=1)
    colors = {side: {tuple(c) for part in hand_colors("oakink2", side) for c in part.tolist()} for side in ("left", "right")}
    shown = {tuple(c) for c in clip.keypoints.reshape(-1, 3).tolist()}
    assert shown & colors["left"] and shown & colors["right"] and shown <= colors["left"] | colors["right"] | {(0, 0, 0)}


def test_dense_objects_are_drawn_coarser_only_by_choice(trajectory, camera):
    ball, faces = sphere(0.06, np.zeros(3), 340)
    dense = replace(trajectory.objects[0].mesh, vertices=ball, faces=faces)
    lone = replace(trajectory, objects=(ObjectTrack(dense, trajectory.objects[0].poses),))
    exact, coarse = (mesh_tracks(lone, skinned_hands(lone), coarse=choice) for choice in (False, True))
    assert len(faces) > DENSE and len(exact[1].faces) == len(faces) and 10_000 < len(coarse[1].faces) <= COARSE
    assert len(coarse[0].faces) == len(exact[0].faces)
    one, other = (render_conditions(lone, camera, length=1, coarse=choice) for choice in (False, True))
    seen = one.instance_ids == 2
    assert seen.sum() > 1000 and (one.instance_ids != other.instance_ids).sum() <= 0.01 * seen.sum()
    assert np.abs(one.metric_depth - other.metric_depth)[seen & (other.instance_ids == 2)].max() < 0.001
    assert len(mesh_tracks(trajectory, skinned_hands(trajectory), coarse=True)[1].faces) == len(trajectory.objects[0].mesh.faces)
