"""Clips compared with the truth in the host: numbers by their definitions, networks from the model folder, lists of clips."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from hostkit.client import NodeFailed, PromptRejected
from pam_nodes.assess.landmarks import available
from pam_nodes.evaluation.distances import frechet
from pam_nodes.evaluation.joints import trajectory_joints
from pam_nodes.geometry.camera_build import orbit_camera
from pam_nodes.grasp.edit import offset
from pam_nodes.recordings.write import write_motion
from tests.evaluation.test_evaluation import Distance, Video
from tests.grasp.motions import walk

from .mini_graphs import find, node, shipped
from .test_condition_nodes import filmed, probe
from .test_modality_nodes import VIEW, fetched

MEASURES = ("psnr", "ssim", "foreground_psnr", "lpips", "motion_fidelity", "motion_fidelity_exact")
MEASURES += ("mpjpe_px", "pa_mpjpe_px", "mpjpe_mm", "pa_mpjpe_mm", "frame_psnr", "report", "plot", "difference")
WORDS = dict.fromkeys(("skin", "action", "color", "object", "scene", "light", "camera"), "")
GRAY = node("EmptyImage", width=96, height=64, batch_size=5, color=0x808080)


@pytest.fixture
def scene():
    """``filmed``: its shaded film (6, 6), masks (6, 4) and (6, 5), its bundle with flow ("flow", 3), and a grey clip."""
    flow = node("PAMOpticalFlow", **{**VIEW, "camera": ["5", 0]}, table=False, full_color=0.0, conditions=["6", 0])
    return filmed(preview=True) | {"flow": flow, "gray": GRAY}


@pytest.fixture
def networks(host):
    """TorchScript files in models/metrics, called as LPIPS and I3D are."""
    folder = host.base / "models" / "metrics"
    folder.mkdir(parents=True, exist_ok=True)
    paths = {"LPIPS": folder / "distance.pt", "I3D": folder / "video.pt"}
    torch.jit.script(Distance()).save(paths["LPIPS"])
    torch.jit.script(Video()).save(paths["I3D"])
    yield {kind: path.name for kind, path in paths.items()}
    for path in paths.values():
        path.unlink()


def compared(images, reference, **more):
    return node("PAMCompareClips", images=images, reference=reference, paper="DexYCB", **more)


def outputs_of(name: str) -> dict:
    return {f"{name}.{measure}": (name, i) for i, measure in enumerate(MEASURES)}


def test_numbers_are_those_of_the_pictures(run_prompt, probed, scene, networks):
    scene |= {
        "net": node("PAMLoadMetricNetwork", kind="LPIPS", network_file=networks["LPIPS"]),
        "same": compared(["6", 6], ["6", 6], conditions=["flow", 3], estimated_hands=["4", 0]),
        "other": compared(["gray", 0], ["6", 6], conditions=["6", 0], lpips=["net", 0]),
    }
    wanted = {name: source for name, source in (outputs_of("same") | outputs_of("other")).items() if not name.endswith("frame_psnr")}
    got = fetched(run_prompt, probed, scene, wanted | {"film": ("6", 6), "hand": ("6", 4), "thing": ("6", 5)})
    assert got["same.psnr"] == np.inf and got["same.ssim"] == pytest.approx(1) and got["same.motion_fidelity"] == pytest.approx(1)
    assert got["same.motion_fidelity_exact"] > 0.5 and np.isnan(got["same.lpips"])
    assert got["same.pa_mpjpe_mm"] < 0.01 < 10 < got["same.mpjpe_mm"], "the rollout's axes are the world's, not the camera's"
    squares = (np.rint(got["film"] * 255) - 0x80) ** 2
    mask = (got["hand"] + got["thing"]) > 0
    assert got["other.psnr"] == pytest.approx(np.mean([10 * np.log10(255**2 / frame.mean()) for frame in squares]), rel=1e-5)
    by_frame = [10 * np.log10(255**2 / frame[where].mean()) for frame, where in zip(squares, mask, strict=True)]
    assert got["other.foreground_psnr"] == pytest.approx(np.mean(by_frame), rel=1e-5)
    assert got["other.lpips"] == pytest.approx(np.abs(np.rint(got["film"] * 255) - 0x80).mean() / 127.5, rel=1e-4)
    assert np.isnan(got["other.motion_fidelity_exact"]) and np.isnan(got["other.mpjpe_mm"])
    assert "| this clip | PAM all (paper, DexYCB) |" in got["other.report"] and "| MPJPE mm | - | 19.37 |" in got["other.report"]
    assert got["same.difference"].shape == got["film"].shape and got["other.plot"].shape[2:] == (640, 3)
    assert not got["same.difference"][..., 0].any() and got["other.difference"].max() > 0.5
    if available():
        assert np.isnan(got["other.mpjpe_px"]) and "not looked for" not in got["same.report"]


def test_joints_of_an_estimator(run_prompt, probed, host):
    """Hands in HaMeR's file, in the axes of the camera that films the true motion: no error; those of another pose have one."""
    camera = orbit_camera([0.0, 0.0, 0.2], 0.9, 20.0, 30.0, 40.0, 96, 64)
    true = walk(5, speed=0.2)
    fingers = replace(true.hands[0].pose, hand_pose=true.hands[0].pose.hand_pose * 0.5)
    other = replace(true, hands=(replace(true.hands[0], pose=fingers),))
    folder = host.base / "input" / "motion"
    folder.mkdir(parents=True, exist_ok=True)
    files = {"true.npz": write_motion(true, "pam npz")[1]}
    files |= {f"{name}.npz": write_motion(offset(motion, camera.world_to_camera), "hamer npz")[1] for name, motion in
              (("same", true), ("bent", other))}  # fmt: skip
    for name, content in files.items():
        (folder / name).write_bytes(content)
    view = dict(mode="orbit", width=96, height=64, fov=40.0, azimuth=20.0, elevation=30.0, margin=0.08, distance=0.9)
    options = filmed(preview=True)
    prompt = {
        "hand": options["1"],
        "true": loaded("motion/true.npz", ground=False, recenter=False),
        "camera": node("PAMHOICamera", **view, target_x=0.0, target_y=0.0, target_z=0.2),
        "film": node("PAMRenderConditions", **{**options["6"]["inputs"], "trajectory": ["true", 0], "camera": ["camera", 0]}),
    }
    for name in ("same", "bent"):
        prompt |= {f"{name}_hands": loaded(f"motion/{name}.npz")}
        prompt[name] = compared(["film", 6], ["film", 6], conditions=["film", 0], estimated_hands=[f"{name}_hands", 0])
    got = fetched(run_prompt, probed, prompt, {"same": ("same", 8), "same_pa": ("same", 9), "bent": ("bent", 8)})
    assert got["same"] == pytest.approx(0, abs=0.01) and got["same_pa"] == pytest.approx(0, abs=0.01)
    joints = [trajectory_joints(motion)["right"].astype(float) for motion in (true, other)]
    apart = np.subtract(*(part - part[:, :1] for part in joints))
    assert got["bent"] == pytest.approx(1000 * np.linalg.norm(apart, axis=2).mean(), rel=1e-3)


def loaded(file: str, **changes) -> dict:
    """*Load Recorded Motion* in the file's axes."""
    values = dict(up_axis="z", ground=True, recenter=True, fps=0.0, betas="use", dataset_betas="", fix_pinky=False)
    return node("PAMLoadRecordedMotion", motion_file=file, hand=["hand", 0], **{**values, **changes})


def test_psnr_of_each_frame(run_prompt, probed, scene):
    """A list of as many numbers as frames: what follows runs once for each."""
    scene |= {"other": compared(["gray", 0], ["6", 6]), "shown": node("PreviewAny", source=["other", 10])}
    texts = run_prompt(scene).outputs["shown"]["text"]
    assert len(texts) == 5 and all(5 < float(text) < 40 for text in texts)


def test_tracks_of_core_nodes(run_prompt, probed, client):
    """Tracks across a flat picture, in which nothing can be followed: taken, and said to be unknown."""
    if "GenerateTracks" not in client.object_info():
        pytest.skip("this host has no TRACKS")
    path = dict(width=96, height=64, start_x=0.2, start_y=0.5, end_x=0.8, end_y=0.5, num_frames=5, num_tracks=4, track_spread=0.1)
    prompt = {
        "gray": GRAY,
        "tracks": node("GenerateTracks", **path, bezier=False, mid_x=0.5, mid_y=0.5, interpolation="linear"),
        "same": compared(["gray", 0], ["gray", 0], tracks=["tracks", 0]),
    }
    got = fetched(run_prompt, probed, prompt, {"exact": ("same", 5)})
    assert np.isnan(got["exact"])
    prompt["tracks"]["inputs"]["num_frames"] = 7
    with pytest.raises(NodeFailed, match="Expected tracks over 5 frames like the generated clip, found 7"):
        run_prompt(prompt | {"out": probe("refused", "same")})


@pytest.mark.parametrize(
    ("size", "sentence"),
    [
        (dict(width=96, height=64, batch_size=3), r"a reference of 3 frames of 96 x 64 .* found 5 of 96 x 64: cut and resize"),
        (dict(width=48, height=64, batch_size=5), r"a reference of 5 frames of 48 x 64 .* found 5 of 96 x 64"),
    ],
)
def test_clips_of_another_size_are_refused(run_prompt, size, sentence):
    prompt = {"gray": GRAY, "x": node("EmptyImage", color=0, **size), "c": compared(["x", 0], ["gray", 0]), "out": probe("no", "c")}
    with pytest.raises(NodeFailed, match=sentence):
        run_prompt(prompt)


def test_networks_that_are_none(run_prompt, host, networks):
    prompt = {
        "gray": GRAY,
        "net": node("PAMLoadMetricNetwork", kind="I3D", network_file=networks["I3D"]),
        "c": compared(["gray", 0], ["gray", 0], lpips=["net", 0]),
        "out": probe("no", "c"),
    }
    with pytest.raises(NodeFailed, match="of the kind LPIPS here, found I3D: choose LPIPS in Load Metric Network"):
        run_prompt(prompt)
    weights = host.base / "models" / "metrics" / "weights.pt"
    torch.save({"x": torch.zeros(3)}, weights)
    try:
        prompt["net"]["inputs"] = {"kind": "LPIPS", "network_file": weights.name}
        with pytest.raises(NodeFailed, match=r"Expected a TorchScript file for LPIPS, could not read weights\.pt"):
            run_prompt(prompt)
    finally:
        weights.unlink()
    prompt["net"]["inputs"]["network_file"] = "missing.pt"
    with pytest.raises(PromptRejected, match=r"models.metrics|not in list"):
        run_prompt(prompt)


def words(seed: int, count: int) -> dict:
    return node("PAMHOIPrompt", preset="mini appearance", seed=seed, count=count, template="", lists="", **WORDS)


def test_lists_of_clips_are_compared_as_distributions(run_prompt, probed, networks):
    """Flat clips of the colours 3, 4, 5 and of 1, 2: their mean colours are the features, so FVD is known."""
    flat = dict(width=32, height=32, batch_size=9)
    prompt = {
        "a": words(3, 3),
        "b": words(1, 2),
        "made": node("EmptyImage", color=["a", 2], **flat),
        "real": node("EmptyImage", color=["b", 2], **flat),
        "net": node("PAMLoadMetricNetwork", kind="I3D", network_file=networks["I3D"]),
        "d": node("PAMVideoDistance", images=["made", 0], reference=["real", 0], i3d=["net", 0]),
        "bare": node("PAMVideoDistance", images=["made", 0], reference=["real", 0]),
    }
    outputs = {"fvd": ("d", 0), "latent": ("d", 1), "report": ("d", 2), "none": ("bare", 0), "again": ("bare", 1)}
    got = fetched(run_prompt, probed, prompt, outputs)
    blue = [np.array([[0.0, 0.0, value] for value in values]) for values in ((3, 4, 5), (1, 2))]
    assert got["fvd"] == pytest.approx(frechet(*blue), abs=1e-3) and got["latent"] > 0 and got["again"] == got["latent"]
    assert "3 generated and 2 real clips" in got["report"] and "not FVD" in got["report"] and np.isnan(got["none"])
    prompt["a"]["inputs"]["count"] = 1
    with pytest.raises(NodeFailed, match=r"lists of at least 2 generated and 2 real clips, found 1 and 2"):
        run_prompt(prompt | {"out": probe("few", "d")})


def test_shipped_workflow_compares_clips(run_prompt, client):
    """Two scenes on the small video model with few steps: a report for each, one for both."""
    prompt = shipped("compare_clips", client.object_info())
    assert "PAMLoadMetricNetwork" not in {item["class_type"] for item in prompt.values()}, "muted until there is a file"
    prompt[find(prompt, "KSampler")]["inputs"]["steps"] = 4
    result = run_prompt(prompt)
    reports = [text for key, item in prompt.items() if item["class_type"] == "PreviewAny" for text in result.outputs[key]["text"]]
    single = [text for text in reports if "| this clip |" in text]
    assert len(single) == 2 and len(reports) == 3 and single[0] != single[1]
    for text in single:
        rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()[2:] if line.startswith("|")]
        numbers = {name: float(value) for name, value, _ in rows if value != "-"}
        assert 10 < numbers["PSNR dB"] < 40 and 0.2 < numbers["SSIM"] < 1 and numbers["PSNR dB of hand and object"] > 8
        assert -1 <= numbers["MF"] <= 1 and -1 <= numbers["MF, exact tracks"] <= 1
    assert "2 generated and 2 real clips" in next(text for text in reports if text.startswith("FVD - (no I3D network)"))
