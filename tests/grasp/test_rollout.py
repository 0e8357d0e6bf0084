"""Rollouts of the demo objects: what must hold for every motion, and how often the grasp succeeds."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pam_nodes.grasp.mirror import mirror_mesh, mirror_pose
from pam_nodes.grasp.quality import describe
from pam_nodes.grasp.rollout import RolloutOptions, rollout
from pam_nodes.hands.files import load_default_hand
from pam_nodes.hands.joints import rest_joints
from pam_nodes.hands.skinning import skin

from .setting import FRONT, MUG_START, MUG_TARGET, placed, posed


@pytest.fixture(scope="module")
def mug():
    """The rollout of the shipped workflow, 17 frames."""
    return rollout(load_default_hand(), posed(MUG_START), placed("mug"), posed(MUG_TARGET), RolloutOptions(length=17, fps=8))


def test_target_grasp_lifts_the_mug_upright(mug):
    report = mug.report
    assert report.success and report.attempts == 1
    assert 0.17 < report.lifted < 0.23 and report.slip < 0.005 and report.tilt < np.radians(10)
    assert report.contact_links >= 4 and report.penetration < 0.002
    assert describe(report).startswith("success after 1 attempt.")


def test_first_frame_is_the_input(mug):
    start, pose = posed(MUG_START), mug.hands[0].pose
    assert np.array_equal(pose.transl[0], start.transl[0].astype(np.float64))
    assert np.array_equal(pose.global_orient[0], start.global_orient[0].astype(np.float64))
    assert np.array_equal(pose.hand_pose[0], start.hand_pose[0].astype(np.float64))
    assert np.array_equal(mug.objects[0].poses[0], placed("mug").object_to_world)


def test_motion_goes_through_the_target_then_up(mug):
    wrist = mug.hands[0].pose.transl + rest_joints(mug.hands[0].model)[0]
    assert np.linalg.norm(wrist - np.array(MUG_TARGET[1]), axis=1).min() < 0.005
    assert abs(wrist[-1, 2] - MUG_TARGET[1][2] - 0.2) < 0.01
    heights = mug.objects[0].poses[:, 2, 3]
    assert np.abs(heights[:7]).max() < 0.003 and heights[-1] > 0.17


def test_hand_moves_smoothly_and_stays_out_of_the_mug(mug):
    hand, track = mug.hands[0], mug.objects[0]
    skinned = skin(hand.model, hand.pose)
    assert np.linalg.norm(np.diff(skinned.joints, axis=0), axis=2).max() < 0.12
    radius, wall = 0.041, 0.0035
    for vertices, pose in zip(skinned.vertices, track.poses, strict=True):
        local = (vertices - pose[:3, 3]) @ pose[:3, :3]
        beside = (local[:, 2] > 0.01) & (local[:, 2] < 0.085)
        depth = radius - np.hypot(*local[beside, :2].T)
        assert (depth < wall + 0.003).all(), "skin may sink a little more than the capsules do"


def test_length_only_resamples(mug):
    long = rollout(load_default_hand(), posed(MUG_START), placed("mug"), posed(MUG_TARGET), RolloutOptions(length=49, fps=8))
    assert len(long) == 49 and long.fps == 8
    assert np.abs(long.objects[0].poses[::3] - mug.objects[0].poses).max() < 1e-9
    turns = Rotation.from_rotvec(long.hands[0].pose.global_orient[::3]) * Rotation.from_rotvec(mug.hands[0].pose.global_orient).inv()
    assert turns.magnitude().max() < 1e-6


def test_left_hand_is_the_mirror_image(mug):
    left = rollout(
        load_default_hand("left"),
        mirror_pose(posed(MUG_START)),
        mirror_mesh(placed("mug")),
        mirror_pose(posed(MUG_TARGET)),
        RolloutOptions(length=17, fps=8),
    )
    assert left.hands[0].pose.side == left.hands[0].model.side == "left" and left.report.success
    there = skin(left.hands[0].model, left.hands[0].pose).vertices
    here = skin(mug.hands[0].model, mug.hands[0].pose).vertices
    assert np.abs(there * [-1, 1, 1] - here).max() < 1e-4
    assert np.abs(left.objects[0].poses[:, :3, 3] * [-1, 1, 1] - mug.objects[0].poses[:, :3, 3]).max() < 1e-6


def test_left_hand_grasps_the_plain_mug():
    hand = load_default_hand("left")
    report = rollout(hand, posed(FRONT, hand), placed("mug"), None, RolloutOptions(length=9, max_attempts=16)).report
    assert report.success


def test_sampled_grasps_lift_the_demo_objects():
    kinds = ("mug", "bottle", "can", "box", "hammer", "bowl", "ball")
    options = RolloutOptions(length=9, seed=1)
    reports = {kind: rollout(load_default_hand(), posed(FRONT), placed(kind), None, options).report for kind in kinds}
    held = [kind for kind, report in reports.items() if report.success]
    assert len(held) >= 6, {kind: report.message for kind, report in reports.items()}


def test_sampled_hand_stays_above_the_table():
    trajectory = rollout(load_default_hand(), posed(FRONT), placed("ball"), None, RolloutOptions(length=17))
    assert skin(trajectory.hands[0].model, trajectory.hands[0].pose).joints[..., 2].min() > 0


def test_seed_decides():
    def run(seed):
        return rollout(load_default_hand(), posed(FRONT), placed("ball"), None, RolloutOptions(length=9, seed=seed, max_attempts=2))

    first, again, other = run(3), run(3), run(4)
    assert np.array_equal(first.hands[0].pose.hand_pose, again.hands[0].pose.hand_pose)
    assert np.array_equal(first.objects[0].poses, again.objects[0].poses)
    assert not np.allclose(first.hands[0].pose.hand_pose, other.hands[0].pose.hand_pose)


def test_progress_counts_up_and_may_cancel():
    class Cancelled(BaseException):
        pass

    seen = []

    def progress(done, total):
        seen.append((done, total))
        if len(seen) == 50:
            raise Cancelled

    with pytest.raises(Cancelled):
        rollout(load_default_hand(), posed(MUG_START), placed("mug"), posed(MUG_TARGET), RolloutOptions(), progress)
    assert [done for done, _ in seen] == list(range(50)) and len({total for _, total in seen}) == 1


def test_an_exploding_simulation_leaves_no_file_behind(tmp_path, monkeypatch):
    """MuJoCo's own log would land in the working directory; its warning handler is given back afterwards."""
    import mujoco

    from pam_nodes.grasp.scene import warnings_to_log

    monkeypatch.chdir(tmp_path)
    model = mujoco.MjModel.from_xml_string('<mujoco><worldbody><body><freejoint/><geom size="1" mass="1"/></body></worldbody></mujoco>')
    data = mujoco.MjData(model)
    before = mujoco.get_mju_user_warning()
    with warnings_to_log():
        data.qvel[:] = np.nan
        mujoco.mj_step(model, data)
    assert data.warning[mujoco.mjtWarning.mjWARN_BADQVEL].number == 1
    assert list(tmp_path.iterdir()) == []
    assert mujoco.get_mju_user_warning() is before
