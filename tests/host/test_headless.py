"""The command line makes what the shipped workflow makes in ComfyUI: the same motion, conditions, picture and clip."""

import json

import numpy as np
import pytest

from pam_nodes.cli.app import main
from pam_nodes.headless.clip_files import read_clip
from pam_nodes.headless.condition_files import read_conditions
from pam_nodes.headless.files import read_picture
from workflow_graphs.stages import FINGERS, START, TARGET

from .mini_graphs import find, node, shipped

NAME = "pam_pose_appearance_motion_mini"


def words(sliders: dict) -> str:
    """Values of a Pose Hand node as the command line takes them."""
    fingers = {key.removesuffix("_flexion"): {"flexion": value} for key, value in sliders.items() if key in FINGERS}
    wrist, rotation = ([sliders[f"{name}_{axis}"] for axis in "xyz"] for name in ("wrist", "rotation"))
    return json.dumps({"preset": sliders["preset"], "wrist": wrist, "rotation": rotation, "fingers": fingers})


@pytest.fixture(scope="module")
def commanded(tmp_path_factory):
    """Folder of ``chain --mini`` with the shipped workflow's poses."""
    out = tmp_path_factory.mktemp("headless")
    code = main(["-q", "chain", "demo:mug", "--mini", "--start", words(START), "--target", words(TARGET), "--out", str(out)])
    assert code == 0
    return out


def probed_graph(info: dict) -> dict:
    """The shipped workflow with probes on conditions, picture and clip instead of previews."""
    prompt = shipped(NAME, info)
    decoders = {prompt[item["inputs"]["vae"][0]]["class_type"]: key for key, item in prompt.items() if item["class_type"] == "VAEDecode"}
    seen = {
        "conditions": [find(prompt, "PAMRenderConditions"), 0],
        "picture": [decoders["PAMLoadMiniAppearance"], 0],
        "clip": [decoders["PAMLoadMiniMotion"], 0],
    }
    shown = {"PreviewImage", "SaveVideo", "CreateVideo", "Preview3D", "PAMPreviewMotion3D"}
    kept = {key: item for key, item in prompt.items() if item["class_type"] not in shown}
    return kept | {name: node("PamProbe", value=source, name=f"headless_{name}") for name, source in seen.items()}


def test_same_as_in_comfyui(host, client, run_prompt, probed, commanded):
    result = run_prompt(probed_graph(client.object_info()))
    conditions, _ = read_conditions(commanded / "conditions" / "motion_0")
    theirs = probed(result, "conditions")[0]
    for name in ("depth", "segmentation", "keypoints"):
        np.testing.assert_array_equal(getattr(conditions, name), theirs[f"value.{name}"])
    picture = read_picture(commanded / "frames" / "motion_0_frame42.png").astype(float)
    difference = np.abs(picture - probed(result, "picture")[0]["value"][0] * 255)
    assert difference.max() <= 2
    clip = read_clip(commanded / "clips" / "motion_0_frame42_clip42.mp4")[0].astype(float)
    difference = np.abs(clip - probed(result, "clip")[0]["value"].reshape(clip.shape) * 255)
    print(difference.mean(), difference.max())
    assert difference.mean() < 3
