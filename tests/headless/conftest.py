"""Small model folders and conditions, made once."""

from dataclasses import replace

import numpy as np
import pytest

from pam_nodes.conditions.hand_keypoints import HandKeypoints
from pam_nodes.conditions.video import ConditionVideo
from pam_nodes.geometry.camera_build import orbit_camera
from pam_nodes.geometry.primitives import demo_object
from pam_nodes.grasp.trajectory import HandTrack, ObjectTrack, Trajectory
from pam_nodes.hands.files import load_default_hand
from pam_nodes.hands.posing import place_hand, preset_pose
from pam_nodes.headless.condition_writer import write_conditions

from . import tiny


@pytest.fixture(scope="session")
def flux_folder(tmp_path_factory):
    return tiny.flux_folder(tmp_path_factory.mktemp("models") / "flux")


@pytest.fixture(scope="session")
def flux_control(tmp_path_factory):
    return tiny.flux_control_file(tmp_path_factory.mktemp("models") / "controlnet.bin")


@pytest.fixture(scope="session")
def cogvideox_folder(tmp_path_factory):
    return tiny.cogvideox_folder(tmp_path_factory.mktemp("models") / "cogvideox")


@pytest.fixture(scope="session")
def cogvideox_control(tmp_path_factory):
    return tiny.cogvideox_control_file(tmp_path_factory.mktemp("models") / "merged.safetensors")


@pytest.fixture
def clip() -> ConditionVideo:
    """Nine frames of 96 x 48 with a hand and an object."""
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 3, (9, 48, 96), dtype=np.uint8)
    pictures = {name: rng.integers(0, 255, (9, 48, 96, 3), dtype=np.uint8) for name in ("depth", "segmentation", "keypoints")}
    metric = rng.random((9, 48, 96), dtype=np.float32)
    joints = HandKeypoints(rng.random((9, 1, 21, 2)), np.ones((9, 1, 21), np.uint8), ("right",), 96, 48, rng.random((9, 1, 21)))
    facts = {"joints": joints, "object_labels": (14,), "sources": (("depth", "made up"),)}
    return ConditionVideo(15.0, metric_depth=metric, instance_ids=ids, **facts, **pictures)


@pytest.fixture
def camera():
    return orbit_camera((0, 0, 0.1), 0.7, 25, 30, 40, 96, 48)


@pytest.fixture
def folder(tmp_path, clip, camera):
    """The clip on disk."""
    write_conditions(tmp_path / "scene", clip, camera, "png", {"objects": ["mug"], "motion_sha256": "ab12"})
    return tmp_path / "scene"


def motion_of(side: str, steps: int = 3) -> Trajectory:
    """A hand that stays, and a cup that rises."""
    hand = load_default_hand(side)
    one = place_hand(hand, preset_pose("grasp", side), (0, -0.1, 0.1))
    pose = replace(one, **{name: np.tile(getattr(one, name), (steps, 1)) for name in ("global_orient", "hand_pose", "transl")})
    mesh = replace(demo_object("mug"), name="cup", label=7, color=(0.1, 0.2, 0.3))
    poses = np.tile(np.eye(4), (steps, 1, 1))
    poses[:, 2, 3] = np.linspace(0, 0.1, steps)
    return Trajectory((HandTrack(hand, pose),), (ObjectTrack(mesh, poses),), 15.0)


@pytest.fixture
def trajectory() -> Trajectory:
    return motion_of("right")
