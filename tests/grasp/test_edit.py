"""Cutting, joining, moving, mirroring, smoothing, blending and merging motion."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pam_nodes.geometry.rotations import pose_matrix
from pam_nodes.grasp.blend import blend, blend_poses
from pam_nodes.grasp.edit import concat, make_trajectory, mirror_trajectory, offset, pick_frame, trim
from pam_nodes.grasp.interpolate import trajectory_at
from pam_nodes.grasp.merge import collisions, merge
from pam_nodes.grasp.smooth import smooth
from pam_nodes.grasp.trajectory import Trajectory
from pam_nodes.hands.files import load_default_hand
from pam_nodes.hands.skinning import skin

from .motions import box, walk
from .setting import FRONT, posed


def vertices(trajectory: Trajectory, hand: int = 0) -> np.ndarray:
    return skin(trajectory.hands[hand].model, trajectory.hands[hand].pose).vertices


def same(a: Trajectory, b: Trajectory) -> bool:
    poses = all(
        np.array_equal(getattr(x.pose, k), getattr(y.pose, k))
        for x, y in zip(a.hands, b.hands, strict=True)
        for k in ("global_orient", "hand_pose", "transl")
    )
    return poses and all(np.array_equal(x.poses, y.poses) for x, y in zip(a.objects, b.objects, strict=True)) and a.fps == b.fps


def test_whole_frames_are_kept_to_the_bit():
    motion = walk()
    assert same(trajectory_at(motion, np.arange(20)), motion)


def test_between_frames_rotations_go_the_short_way():
    motion = walk(3)
    half = trajectory_at(motion, np.array([0.5]))
    a, b, c = (Rotation.from_rotvec(t.hands[0].pose.global_orient[i]) for t, i in ((motion, 0), (half, 0), (motion, 1)))
    assert np.isclose((a.inv() * b).magnitude(), (b.inv() * c).magnitude())
    assert np.isclose((a.inv() * c).magnitude(), 2 * (a.inv() * b).magnitude())


def test_trim():
    motion = walk()
    part = trim(motion, 3, -2)
    assert len(part) == 16 and np.array_equal(part.hands[0].pose.transl, motion.hands[0].pose.transl[3:19])
    assert same(trim(motion, 0, -1), motion)
    for start, end in ((5, 4), (0, 20), (-21, 3)):
        with pytest.raises(ValueError, match=r"Expected frames within 0\.\.19"):
            trim(motion, start, end)


def test_concat_bridges():
    first, second = walk(6), offset(walk(6), pose_matrix(np.eye(3), np.array([0, 0, 0.4])))
    joined = concat(first, second, bridge=3)
    assert len(joined) == 15
    assert same(trim(joined, 0, 5), first) and same(trim(joined, 9, 14), second)
    heights = joined.objects[0].poses[5:10, 2, 3]
    assert np.allclose(np.diff(heights), 0.1), "evenly from one to the other"
    with pytest.raises(ValueError, match="same fps, found 30 and 15"):
        concat(first, replace(second, fps=15.0))
    with pytest.raises(ValueError, match="same hands in both motions, found right and left"):
        concat(first, walk(6, side="left"))
    with pytest.raises(ValueError, match="same objects in both motions, found box and none"):
        concat(first, replace(second, objects=()))


def test_offset_moves_the_skin_rigidly():
    motion = walk(4)
    transform = pose_matrix(Rotation.from_euler("xyz", [0.3, 1, -2]).as_matrix(), np.array([0.1, -0.4, 0.2]))
    moved = offset(motion, transform)
    expected = vertices(motion) @ transform[:3, :3].T + transform[:3, 3]
    assert np.abs(vertices(moved) - expected).max() < 1e-6
    assert np.allclose(moved.objects[0].poses, transform @ motion.objects[0].poses)
    assert np.array_equal(offset(motion, transform, "hands").objects[0].poses, motion.objects[0].poses)
    assert np.array_equal(offset(motion, transform, "objects").hands[0].pose.transl, motion.hands[0].pose.transl)


def test_mirror_is_a_reflection_and_its_own_inverse():
    motion = walk(4)
    other = mirror_trajectory(motion)
    assert other.hands[0].model.side == other.hands[0].pose.side == "left"
    assert np.abs(vertices(other) * [-1, 1, 1] - vertices(motion)).max() < 1e-5
    track, seen = motion.objects[0], other.objects[0]
    world = track.mesh.vertices @ track.poses[2, :3, :3].T + track.poses[2, :3, 3]
    assert np.allclose((seen.mesh.vertices @ seen.poses[2, :3, :3].T + seen.poses[2, :3, 3]) * [-1, 1, 1], world)
    assert np.abs(vertices(mirror_trajectory(other)) - vertices(motion)).max() < 1e-6


def test_smooth_takes_noise_and_keeps_ends_and_constant_speed():
    motion, rng = walk(60), np.random.default_rng(0)
    track = motion.hands[0]
    noisy = replace(track.pose, transl=track.pose.transl + rng.normal(scale=0.004, size=(60, 3)))
    shaky = replace(motion, hands=(replace(track, pose=noisy),))
    calm = smooth(shaky, 0.1)

    def jitter(trajectory):
        return np.abs(np.diff(trajectory.hands[0].pose.transl, 2, axis=0)).mean()

    assert jitter(calm) < 0.1 * jitter(shaky)
    for frame in (0, -1):
        assert np.array_equal(calm.hands[0].pose.transl[frame], noisy.transl[frame])
        assert np.array_equal(calm.hands[0].pose.hand_pose[frame], noisy.hand_pose[frame])
    straight = smooth(motion, 0.1)
    assert np.abs(straight.hands[0].pose.transl - track.pose.transl).max() < 1e-9
    assert np.abs(straight.objects[0].poses - motion.objects[0].poses).max() < 1e-9
    assert same(smooth(motion, 0.0), motion) and same(smooth(shaky, 0.1, hands=False, objects=False), shaky)


def test_smooth_turns_at_constant_speed_stay():
    motion = walk(40)
    spin = Rotation.from_rotvec(np.outer(np.arange(40) * 0.1, [0, 0, 1])).as_rotvec()
    pose = replace(motion.hands[0].pose, global_orient=spin)
    turned = smooth(replace(motion, hands=(replace(motion.hands[0], pose=pose),)), 0.1).hands[0].pose.global_orient
    assert (Rotation.from_rotvec(turned) * Rotation.from_rotvec(spin).inv()).magnitude().max() < 1e-9


def test_blend():
    a, b = walk(9), offset(walk(9), pose_matrix(np.eye(3), np.array([0, 0, 1.0])))
    fade = blend(a, b, 0, 1)
    rise = fade.hands[0].pose.transl[:, 2] - a.hands[0].pose.transl[:, 2]
    assert rise[0] == 0 and np.isclose(rise[-1], 1) and np.isclose(rise[4], 0.5) and (np.diff(rise) > 0).all()
    assert np.abs(vertices(blend(a, b, 0, 0)) - vertices(a)).max() < 1e-6
    half = blend(a, b, 0.5, 0.5)
    assert np.allclose(half.objects[0].poses[:, 2, 3], 0.53)
    with pytest.raises(ValueError, match="same length, found 9 and 5 frames"):
        blend(a, trim(b, 0, 4), 0, 1)


def test_blend_of_poses_takes_a_single_frame():
    motion = walk(5).hands[0].pose
    still = motion.frame(0)
    assert np.allclose(blend_poses(motion, still, 1.0).hand_pose, np.tile(still.hand_pose, (5, 1)))
    with pytest.raises(ValueError, match="found a right and a left one"):
        blend_poses(motion, walk(5, side="left").hands[0].pose, 0.5)


def test_pick_frame_as_a_target():
    motion = walk(10)
    pose, mesh = pick_frame(motion, -1, at_start=True)
    assert np.array_equal(mesh.object_to_world, motion.objects[0].poses[0])
    shift = motion.objects[0].poses[0, :3, 3] - motion.objects[0].poses[-1, :3, 3]
    moved = skin(motion.hands[0].model, pose).vertices[0] - shift
    assert np.abs(moved - vertices(motion)[-1]).max() < 1e-6
    with pytest.raises(ValueError, match=r"hand number 0 to 0, found 1: the motion has 1 hand\."):
        pick_frame(motion, 0, hand=1)
    with pytest.raises(ValueError, match=r"frame within -10\.\.9, found 10"):
        pick_frame(motion, 10)


def test_make_trajectory():
    hand, pose = load_default_hand(), posed(FRONT)
    still = make_trajectory(hand, pose, (box(),), 24.0, 12)
    assert len(still) == 12 and len(still.objects[0].poses) == 12
    assert np.array_equal(still.hands[0].pose.transl, np.tile(np.asarray(pose.transl, np.float64), (12, 1)))
    assert len(make_trajectory(hand, walk(7).hands[0].pose, (), 24.0)) == 7
    with pytest.raises(ValueError, match="Expected a length of 0 or 7"):
        make_trajectory(hand, walk(7).hands[0].pose, (), 24.0, 5)
    with pytest.raises(ValueError, match="NaN"):
        make_trajectory(hand, replace(pose, transl=pose.transl * np.nan), (), 24.0)


def test_merge_matches_fps_and_length():
    right, left = walk(20, 30.0), offset(walk(5, 15.0, side="left"), pose_matrix(np.eye(3), np.array([0, 2.0, 0])))
    both = merge(right, left)
    assert len(both) == 20 and both.fps == 30 and [h.model.side for h in both.hands] == ["right", "left"]
    assert np.allclose(both.hands[1].pose.transl[2], left.hands[0].pose.transl[1]), "15 fps played at 30"
    assert np.allclose(both.hands[1].pose.transl[-1], left.hands[0].pose.transl[-1]), "then held"
    assert len(both.objects) == 2 and len(merge(right, left, "first").objects) == 1
    assert collisions(both) == ()


def test_collisions_are_found_and_measured():
    right = walk(6, speed=0.0)
    other = offset(walk(6, side="left", speed=0.0), pose_matrix(np.eye(3), np.array([0.15, 0, 0])))
    pairs = {(c.first, c.second) for c in collisions(merge(right, other, "first"))}
    assert ("right hand 1", "left hand 2") in pairs
    one = replace(right, hands=())
    two = offset(one, pose_matrix(np.eye(3), np.array([0.05, 0, 0])))
    (hit,) = collisions(merge(one, two))
    assert hit.frames == 6 and 0.005 < hit.depth <= 0.0101, "two 6 cm boxes that overlap by 1 cm"
