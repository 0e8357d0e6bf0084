"""The command line makes what the shipped workflow makes in ComfyUI: the same motion, conditions, picture and clip."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks.mini_graph import decoder, result
from pam_nodes.cli.app import main
from pam_nodes.headless.clip_files import read_clip
from pam_nodes.headless.codec import to_pictures, to_pixels
from pam_nodes.headless.cogvideox import ClipSampler, encode_prompts
from pam_nodes.headless.cogvideox_models import MiniCogVideoX
from pam_nodes.headless.compute import Compute, machine
from pam_nodes.headless.condition_files import read_conditions
from pam_nodes.headless.files import read_picture
from pam_nodes.headless.presets import clip_options
from pam_nodes.headless.refiner import load_refiner
from pam_nodes.mini.refine import refine
from workflow_graphs.stages import FINGERS, START, TARGET

from .mini_graphs import find, node, shipped

STEPS, CPU = 5, torch.device("cpu")
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
    poses, steps = ["--start", words(START), "--target", words(TARGET)], ["--frame-steps", str(STEPS), "--clip-steps", str(STEPS)]
    code = main(["-q", "chain", "demo:mug", "--mini", *poses, *steps, "--out", str(out)])
    assert code == 0
    return out


def probed_graph(info: dict, first_frame: str) -> dict:
    """The shipped workflow with probes on conditions, picture and clip instead of previews; the clip starts from a picture file."""
    prompt = shipped(NAME, info)
    for item in prompt.values():
        if "start_image" in item["inputs"]:
            item["inputs"]["start_image"] = ["file", 0]
    seen = {
        "conditions": [find(prompt, "PAMRenderConditions"), 0],
        "picture": [result(prompt, "PAMLoadMiniAppearance"), 0],
        "decoded": [decoder(prompt, "PAMLoadMiniMotion"), 0],
        "clip": [result(prompt, "PAMLoadMiniMotion"), 0],
    }
    for item in prompt.values():
        if item["class_type"] == "KSampler":
            item["inputs"]["steps"] = STEPS
    shown = {"PreviewImage", "SaveVideo", "CreateVideo", "Preview3D", "PAMPreviewMotion3D"}
    kept = {key: item for key, item in prompt.items() if item["class_type"] not in shown}
    probes = {name: node("PamProbe", value=source, name=f"headless_{name}") for name, source in seen.items()}
    return kept | probes | {"file": node("LoadImage", image=first_frame)}


def filmed(conditions, picture) -> tuple[np.ndarray, np.ndarray]:
    """The clip that the command makes of these, before it is compressed: as decoded, and refined."""
    place, models = machine(Compute("cpu")), MiniCogVideoX()
    options = clip_options(mini=True, released=False)
    sampling = replace(options.sampling, steps=STEPS)
    words = [options.prompt.replace("{object}", "mug"), options.negative]
    prompt, negative = encode_prompts(*models.text(place), words, place)
    sampler = ClipSampler(place, models.transformer(place), models.control(place), models.vae(place), models.schedule())
    slots, start = sampler.encode_slots(conditions), sampler.encode_start(picture)
    pixels = sampler.decode(sampler.denoise(slots, start, prompt, negative, sampling, 42)).clamp(-1, 1)
    return to_pictures(pixels), to_pictures(refine(load_refiner(CPU), pixels, conditions, to_pixels(picture[None])))


def test_same_as_in_comfyui(host, client, run_prompt, probed, commanded):
    frame = commanded / "frames" / "motion_0_frame42.png"
    (host.base / "input").mkdir(exist_ok=True)
    shutil.copy(frame, host.base / "input" / "headless.png")
    result = run_prompt(probed_graph(client.object_info(), "headless.png"))
    conditions, _ = read_conditions(commanded / "conditions" / "motion_0")
    theirs = probed(result, "conditions")[0]
    for name in ("depth", "segmentation", "keypoints"):
        np.testing.assert_array_equal(getattr(conditions, name), theirs[f"value.{name}"])
    picture = probed(result, "picture")[0]["value"][0] * 255
    assert np.abs(read_picture(frame) - picture).max() < 1
    clip = probed(result, "clip")[0]["value"].reshape(17, 192, 288, 3) * 255
    decoded, refined = filmed(conditions, read_picture(frame))
    before = probed(result, "decoded")[0]["value"].reshape(clip.shape)
    assert np.abs(decoded - before * 255).max() < 1
    again = refine(load_refiner(CPU), torch.from_numpy(before).movedim(-1, 1) * 2 - 1, conditions, to_pixels(read_picture(frame)[None]))
    assert np.abs(to_pictures(again) - clip).max() < 0.51, "of the same frames the refiner makes the same"
    apart = np.abs(refined - clip)  # the refiner makes more of the difference in a few pixels
    assert apart.max() < 2 and (apart > 1).mean() < 1e-5
    written = read_clip(commanded / "clips" / f"{frame.stem}_clip42.mp4")[0]
    assert np.abs(written - clip).mean() < 3  # what H.264 costs
