"""Small model folders and conditions, made once."""

import numpy as np
import pytest

from pam_nodes.conditions.hand_keypoints import HandKeypoints
from pam_nodes.conditions.video import ConditionVideo
from pam_nodes.geometry.camera_build import orbit_camera
from pam_nodes.headless.condition_files import write_conditions

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
