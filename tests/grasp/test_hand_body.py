"""The physics hand against the model it is made from and against GraspXL's own hand."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pam_nodes.grasp.collision import collision_shape
from pam_nodes.grasp.hand_body import LIMITS, build_hand_body, to_hand_pose, to_hinges
from pam_nodes.grasp.scene import Scene
from pam_nodes.hands.files import load_default_hand
from pam_nodes.hands.joints import rest_joints
from pam_nodes.hands.skinning import skin

from .setting import FRONT, MUG_TARGET, placed, posed

FLAT = np.zeros(0)


def make_scene(hand, betas=FLAT) -> Scene:
    body = build_hand_body(hand, betas)
    return Scene(body, body.widened(np.full(45, -3.0), np.full(45, 3.0)), collision_shape(placed("ball")), 0.1)


@pytest.mark.parametrize("gesture", [FRONT, MUG_TARGET, ("fist", (0.3, 0.1, 0.4), (120, -40, 200))])
def test_joints_and_tips_are_those_of_the_skinned_hand(gesture):
    hand, pose = load_default_hand(), posed(gesture)
    skinned = skin(hand, pose)
    wrist = rest_joints(hand)[0] + pose.transl[0]
    points = make_scene(hand).hand_points(wrist, Rotation.from_rotvec(pose.global_orient[0]), to_hinges(pose.hand_pose[0]))
    assert np.abs(points[:16] - skinned.joints[0]).max() < 1e-5
    tips = skinned.keypoints[0][[8, 12, 20, 16, 4]]
    assert np.linalg.norm(points[16:] - tips, axis=1).max() < 0.004, "tips move with pose correctives, which physics leaves out"


def test_betas_move_the_joints():
    hand = load_default_hand()
    body = build_hand_body(hand, np.array([2.0]))
    assert np.abs(body.joints - (rest_joints(hand, [2.0]) - rest_joints(hand, [2.0])[0])).max() < 1e-6
    assert np.linalg.norm(body.tips[1]) > 1.03 * np.linalg.norm(build_hand_body(hand, FLAT).tips[1])


def test_capsules_fill_the_skin():
    hand = load_default_hand()
    body = build_hand_body(hand, FLAT)
    vertices = hand.v_template - rest_joints(hand)[0]
    assert [capsule.joint for capsule in body.capsules] == [*range(1, 16), 0, 0, 0, 0]
    for capsule in body.capsules:
        middle = (body.joints[capsule.joint] if capsule.joint else 0) + (capsule.start + capsule.end) / 2
        nearest = np.linalg.norm(vertices - middle, axis=1).min()
        assert -0.004 < capsule.radius - nearest < 0.004
        assert 0.004 < capsule.radius < 0.02


def test_hinges_and_axis_angles_are_inverse():
    pose = np.random.default_rng(0).uniform(-0.8, 0.8, (20, 45))
    assert np.abs(to_hand_pose(to_hinges(pose)) - pose).max() < 1e-9


def test_simulation_holds_the_hand_where_it_is_commanded():
    hand, pose = load_default_hand(), posed(("pinch", (0.2, 0.1, 0.4), (30, 50, 70)))
    scene = make_scene(hand)
    hinges, rotation = to_hinges(pose.hand_pose[0]), Rotation.from_rotvec(pose.global_orient[0])
    scene.hand_points(np.array([0.2, 0.1, 0.5]), rotation * Rotation.from_rotvec([0.2, 0.1, 0.3]), hinges - 0.2)
    for _ in range(100):
        scene.command(np.array([0.2, 0.1, 0.4]), rotation, hinges)
    state = scene.state()
    assert np.abs(state.wrist - [0.2, 0.1, 0.4]).max() < 1e-3
    assert (rotation.inv() * Rotation.from_matrix(state.rotation)).magnitude() < 0.01
    assert np.abs(state.hinges - hinges).max() < 0.02


@pytest.mark.shared
def test_against_the_hand_of_graspxl(shared_dir):
    tree = ET.parse(shared_dir / "data" / "graspxl" / "hand" / "rhand_mano_low_mass.urdf").getroot()
    joints = {joint.get("name"): joint for joint in tree.findall("joint")}
    body = build_hand_body(load_default_hand(), FLAT)
    for i, finger in enumerate(("index", "middle", "pinky", "ring", "thumb")):
        for k in range(3):
            bounds = [joints[f"right_{finger}{k + 1}_{axis}"].find("limit") for axis in "xyz"]
            theirs = np.array([[float(bound.get("lower")), float(bound.get("upper"))] for bound in bounds])
            assert np.abs(np.array(LIMITS[finger][3 * k : 3 * k + 3]) - theirs).max() < 0.006
            if k:
                origin = np.array([float(x) for x in joints[f"right_{finger}{k + 1}_x"].find("origin").get("xyz").split()])
                bone = body.joints[3 * i + k + 1] - body.joints[3 * i + k]
                assert origin @ bone / np.linalg.norm(origin) / np.linalg.norm(bone) > np.cos(np.radians(25)), "axis-angles transfer"
