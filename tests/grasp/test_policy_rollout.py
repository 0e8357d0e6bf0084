"""Rollouts by a policy: a plain network that closes the hand for what must always hold, GraspXL's own where it is at hand."""

from dataclasses import replace

import numpy as np
import pytest
import trimesh

from pam_nodes.geometry.mesh import ObjectMesh
from pam_nodes.geometry.placement import place_object
from pam_nodes.geometry.simplify import cluster
from pam_nodes.grasp import policy_rollout as module
from pam_nodes.grasp.carry import Carry
from pam_nodes.grasp.collision import collision_shape
from pam_nodes.grasp.controller import Recording
from pam_nodes.grasp.edit import pick_frame
from pam_nodes.grasp.mirror import mirror_mesh, mirror_pose
from pam_nodes.grasp.policy import load_policy
from pam_nodes.grasp.policy_objectives import ObjectiveChoice, Part, sample_objective
from pam_nodes.grasp.policy_scene import PolicyScene
from pam_nodes.grasp.quality import UNDER_TABLE, assess, good, merit
from pam_nodes.grasp.rollout import rollout
from pam_nodes.grasp.scene import UnstableSimulationError
from pam_nodes.grasp.setting import RolloutOptions, prepare
from pam_nodes.hands.files import load_default_hand
from pam_nodes.hands.joints import rest_joints
from pam_nodes.hands.posing import place_hand
from pam_nodes.hands.skinning import skin

from .policies import checkpoint, closing
from .setting import FRONT, MUG_START, placed, posed


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return load_policy(checkpoint(tmp_path_factory.mktemp("policy"), closing()))


@pytest.fixture
def released(shared_dir):
    return load_policy(shared_dir / "data/graspxl/policy/full_5600_r.pt")


def run(policy, kind="can", start=FRONT, target=None, hand=None, mesh=None, **options):
    hand = hand or load_default_hand()
    chosen = RolloutOptions(**{"length": 25, "max_attempts": 1, **options})
    return rollout(hand, posed(start, hand), mesh or placed(kind), target, chosen, policy=policy)


def test_first_frame_is_the_input(plain):
    result, start = run(plain), posed(FRONT)
    pose = result.hands[0].pose
    assert np.array_equal(pose.transl[0], start.transl[0].astype(np.float64))
    assert np.array_equal(pose.hand_pose[0], start.hand_pose[0].astype(np.float64))
    assert np.array_equal(result.objects[0].poses[0], placed("can").object_to_world)
    assert len(result) == 25 and "other proportions" in result.report.message


def test_seed_decides(plain):
    first, again, other = (run(plain, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.hands[0].pose.transl, again.hands[0].pose.transl)
    assert not np.array_equal(first.hands[0].pose.transl, other.hands[0].pose.transl)


def test_left_hand_is_the_mirror_image(plain):
    right = run(plain, kind="mug")
    left_hand = load_default_hand("left")
    chosen = RolloutOptions(length=25, max_attempts=1)
    left = rollout(left_hand, mirror_pose(posed(FRONT)), mirror_mesh(placed("mug")), None, chosen, policy=plain)
    here, there = (skin(result.hands[0].model, result.hands[0].pose).vertices for result in (right, left))
    assert np.abs(there * [-1, 1, 1] - here).max() < 1e-4


def test_motion_is_slowed_to_what_a_video_shows(plain):
    """Unlike the simulation's 2.5 m/s: between frames the wrist never moves at more than four times its mean speed."""
    pose = run(plain, length=97).hands[0].pose
    speed = np.linalg.norm(np.diff(pose.transl, axis=0), axis=1)
    assert speed.max() < 4.5 * speed.mean()


def test_little_finger_follows_the_ring_finger(plain):
    fixed = run(plain).hands[0].pose.hand_pose[-1].reshape(15, 3)
    assert np.allclose(fixed[6:9], fixed[9:12])
    own = run(plain, fix_pinky=False).hands[0].pose.hand_pose[-1].reshape(15, 3)
    assert not np.allclose(own[6:9], own[9:12], atol=1e-3)


def test_objects_no_hand_can_span(plain):
    with pytest.raises(ValueError, match=r"The ball is too wide .* this hand spans 12 cm"):
        run(plain, mesh=placed("ball", 4.0), start=("relaxed", (0, -0.4, 0.3), (0, 0, 0)))


def flat(width=0.11) -> ObjectMesh:
    """A book, or something narrower, that lies on the table; dimensions in metres."""
    box = trimesh.creation.box((0.2, width, 0.02))
    return place_object(ObjectMesh(box.vertices.astype(np.float32), box.faces, "book"), (0, 0, 0), (0, 0, 0))


def test_what_lies_flat_is_tried(plain):
    assert len(run(plain, mesh=flat())) == 25


def test_depth_under_the_table_is_that_of_the_skin():
    """Beyond what the given poses have: a start pose under the table is not the rollout's doing."""
    hand = load_default_hand()
    setting = prepare(hand, posed(FRONT), placed("can"), None, None, RolloutOptions())
    lowest = skin(hand, posed(FRONT)).vertices[..., 2].min()
    low, lower = (replace(setting.first, wrist=setting.first.wrist - [0, 0, lowest + depth]) for depth in (0.05, 0.08))
    assert setting.below_table([setting.first]) == 0
    assert setting.below_table([setting.first, low]) == pytest.approx(0.05, abs=1e-5)
    assert replace(setting, first=low).below_table([setting.first, low]) == 0
    assert replace(setting, grasp=low).below_table([lower]) == pytest.approx(0.03, abs=1e-5)


def test_grasps_under_the_table_are_no_success():
    """They come before those that lose the object, the less deep first."""
    setting = prepare(load_default_hand(), posed(FRONT), placed("can"), None, None, RolloutOptions())
    risen = setting.first.object_to_world + np.eye(4)[2][:, None] * np.eye(4)[3] * 0.2
    lifted = replace(setting.first, wrist=setting.first.wrist + np.array([0, 0, 0.2]), object_to_world=risen)
    held, lost = (Recording((setting.first, lifted, last), 1, 2, (0.0,), (1, 4)) for last in (lifted, setting.first))
    above, under, deeper = (assess(held, setting.center_of_mass, 0.2, 1, below_table=depth) for depth in (UNDER_TABLE, 0.03, 0.05))
    failed = assess(lost, setting.center_of_mass, 0.2, 1)
    assert above.success and good(above) and not under.success and "3 cm under the table" in under.message
    assert sorted([failed, deeper, above, under], key=merit, reverse=True) == [above, under, deeper, failed]


def test_tracking_helps_where_the_policy_fails(plain):
    """Not where the person fixed what only the policy keeps to."""
    helped = run(plain, "can", max_attempts=6).report
    assert helped.success and helped.controller == "tracking" and 2 < helped.attempts <= 6
    assert "Held by tracking" in helped.message
    alone = run(plain, "can", max_attempts=3, choice=ObjectiveChoice(turn=0.3)).report
    assert alone.controller == "policy" and "tracking" not in alone.message


@pytest.mark.parametrize("given", [True, False])
def test_targets_under_the_table_are_refused(plain, given):
    hand = load_default_hand()
    target = posed(("relaxed", (0, -0.1, -0.06), (0, 0, 0)))
    with pytest.raises(ValueError, match=r"wrist of the target pose h_T is \d+ cm under the table"):
        rollout(hand, posed(FRONT), placed("can"), target, RolloutOptions(), policy=plain if given else None)


def test_objectives_that_nothing_meets(plain):
    with pytest.raises(ValueError, match="Found no way to grasp the can that keeps to the objective"):
        run(plain, choice=ObjectiveChoice(avoid=placed("can")))


def test_height_above_the_table_is_that_of_the_placed_hand():
    """The quick way to it, against the hand put there."""
    setting = prepare(load_default_hand(), posed(FRONT), flat(), None, None, RolloutOptions())
    opened = module.start_hinges(setting.hand)
    scene = PolicyScene(setting.body, setting.limits(opened), setting.shape, setting.mass)
    pose, part, rng = setting.first.object_to_world, Part.of(setting.shape), np.random.default_rng(0)
    ways = module._ways(setting, scene.limits, opened)
    drawn = [sample_objective(part, None, ObjectiveChoice(), np.eye(3), rng) for _ in range(100)]
    raised = 0
    for objective in filter(None, drawn):
        moved, lowest = module._above_table(objective, pose, ways)
        start = moved.start(pose, opened)
        heights = []
        for way, curl in ((0.0, 0.0), (0.21, 0.0), (0.3, 1.0)):
            hinges = np.clip(opened + curl * module.CURL, *scene.limits.T)
            placed_there = replace(start, wrist=start.wrist - way * (pose[:3, :3] @ objective.heading), hinges=hinges)
            heights.append(setting.skin([placed_there])[..., 2].min())
        assert lowest == pytest.approx(min(heights), abs=1e-6)
        raised += not np.allclose(moved.target, objective.target)
        assert np.linalg.norm(moved.target - objective.target) <= module.RAISE + 1e-12
    assert raised


def test_nan_is_named(plain):
    hand = load_default_hand()
    start = posed(FRONT, hand)
    bad = replace(start, hand_pose=np.full_like(start.hand_pose, np.nan))
    with pytest.raises(ValueError, match="start pose holds NaN"):
        rollout(hand, bad, placed("can"), None, RolloutOptions(), policy=plain)


def test_unstable_attempts_are_retried_then_an_error(plain, monkeypatch):
    class Wild(PolicyScene):
        def __init__(self, *args):
            super().__init__(*args)
            self.model.actuator_gainprm[:, 0] = 1e9
            self.model.actuator_biasprm[:, 1] = -1e9

    monkeypatch.setattr(module, "PolicyScene", Wild)
    with pytest.raises(UnstableSimulationError, match="unstable in all 2 attempts"):
        run(plain, max_attempts=2)


def test_other_hands_are_reported(plain):
    hand = replace(load_default_hand(), is_mano=True)
    start = place_hand(hand, np.zeros(45), (0, -0.3, 0.2), betas=np.float32([2.0]))
    result = rollout(hand, start, placed("can"), None, RolloutOptions(length=5, max_attempts=1), policy=plain)
    assert "betas up to 2.0" in result.report.message


def test_huge_mesh_is_simulated_coarsely_and_kept_whole(plain):
    """A million faces: physics gets a coarser copy of the same size, the trajectory the mesh itself."""
    can = placed("can")
    vertices, faces = can.vertices, can.faces
    while len(faces) < 1_000_000:
        vertices, faces = subdivided(vertices, faces)
    mesh = ObjectMesh(vertices.astype(np.float32), faces, "fine can")
    shape = collision_shape(mesh)
    assert len(shape.faces) <= 20_000
    assert np.abs(np.ptp(shape.vertices, axis=0) - mesh.extents).max() < 0.002
    assert shape.volume == pytest.approx(collision_shape(can).volume, rel=0.03)
    assert run(plain, mesh=mesh, length=5).objects[0].mesh is mesh


def subdivided(vertices, faces):
    return trimesh.remesh.subdivide(vertices, faces)


def test_cluster_leaves_small_meshes_alone():
    can = placed("can")
    vertices, faces = cluster(can.vertices, can.faces, 20_000)
    assert vertices is can.vertices and faces is can.faces


def test_open_mesh_is_grasped(plain):
    can = placed("can")
    open_can = ObjectMesh(can.vertices, can.faces[can.vertices[can.faces].mean(1)[:, 2] < 0.12], "open can")
    assert len(run(plain, mesh=open_can, length=5)) == 5


def test_released_policy_lifts(released):
    """Most of the demo objects, with the default hand, in at most five tries."""
    kinds = ("mug", "bottle", "can", "box", "bowl", "ball")
    reports = {kind: run(released, kind, length=9, max_attempts=5).report for kind in kinds}
    held = [kind for kind, report in reports.items() if report.success]
    assert len(held) >= 5, {kind: report.message for kind, report in reports.items()}
    assert all(0.15 < reports[kind].lifted < 0.25 and reports[kind].penetration_mean < 0.003 for kind in held)


def test_released_policy_lifts_what_lies_flat(released):
    """A book by its short side or end, a bar from above; neither through the table."""
    for width in (0.11, 0.04):
        report = run(released, mesh=flat(width), max_attempts=8).report
        assert report.success and report.below_table <= UNDER_TABLE, report.message


def test_released_policy_follows_a_target(released):
    """h_T from one of its own grasps: the wrist comes near it in the object's frame, and the object is lifted."""
    free = run(released, "can", length=200)
    assert free.report.success
    model = free.hands[0].model
    frame = int(np.argmax(free.objects[0].poses[:, 2, 3] > 0.01)) - 1
    target, _ = pick_frame(free, frame, at_start=True)
    result = rollout(model, posed(FRONT), placed("can"), target, RolloutOptions(length=100, max_attempts=3), policy=released)
    assert result.report.success
    origin = rest_joints(model)[0]

    def wrist_in_object(trajectory, index):
        place = trajectory.objects[0].poses[index]
        return (trajectory.hands[0].pose.transl[index] + origin - place[:3, 3]) @ place[:3, :3]

    last = int(np.argmax(result.objects[0].poses[:, 2, 3] > 0.01)) - 1
    assert np.linalg.norm(wrist_in_object(result, last) - wrist_in_object(free, frame)) < 0.06


def test_released_policy_with_a_side_and_a_carry(released):
    goal = place_object(placed("can"), (0.2, 0.1, 0)).object_to_world
    options = dict(length=97, max_attempts=6, carry=Carry(goal), choice=ObjectiveChoice(heading=(0.0, -1.0, 0.3)))
    result = run(released, "can", **options)
    assert np.linalg.norm(result.objects[0].poses[-1, :3, 3] - goal[:3, 3]) < 0.05
    assert result.report.goal_distance is not None


def test_forbidden_part_moves_along(released):
    lower = placed("can")
    upper = replace(lower, vertices=lower.vertices + np.float32([0, 0, 0.122]), name="upper can")
    options = dict(length=9, max_attempts=3, choice=ObjectiveChoice(avoid=upper))
    result = run(released, mesh=lower, start=MUG_START, **options)
    assert len(result.objects) == 2 and np.array_equal(result.objects[0].poses, result.objects[1].poses)
