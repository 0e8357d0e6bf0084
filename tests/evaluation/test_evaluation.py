"""Evaluation of clips: right for known answers, with networks a person brings, in a table beside the paper's."""

import json

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from pam_nodes.cli.app import main
from pam_nodes.dataset.clips import FolderClips
from pam_nodes.evaluation.distances import LatentFeatures, frechet
from pam_nodes.evaluation.measure import partner
from pam_nodes.evaluation.paper import PAPER, table
from pam_nodes.headless.clip_files import read_clip, write_clip
from pam_nodes.headless.compute import Compute, machine
from tests.dataset.clips import write_folder

CPU = machine(Compute("cpu"))


class Distance(torch.nn.Module):
    """Stands where LPIPS stands: mean absolute difference of pictures in -1..1."""

    def forward(self, one: torch.Tensor, two: torch.Tensor) -> torch.Tensor:
        return (one - two).abs().mean((1, 2, 3), keepdim=True)


class Video(torch.nn.Module):
    """Called as I3D is: mean colours of a clip."""

    def forward(self, x: torch.Tensor, rescale: bool = False, resize: bool = False, return_features: bool = False) -> torch.Tensor:
        return x.mean((2, 3, 4)) if return_features and rescale and resize else x.flatten(1)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Real clips; copies of them; and clips that stand still and are brighter."""
    root = tmp_path_factory.mktemp("clips")
    source = FolderClips(write_folder(root / "data", 4), "all")
    for name in source.names:
        frames = source.read(name).pictures
        write_clip(root / "same" / f"{name}.mp4", frames, 8, lossless=True)
        write_clip(root / "still" / f"{name}_frame1_clip2.mp4", np.repeat(frames[:1], len(frames), axis=0) + np.uint8(20), 8, lossless=True)
    return root


def evaluated(clips, kind, out, *more):
    files = sorted(str(path) for path in (clips / kind).iterdir())
    assert main(["evaluate", *files, "--data", str(clips / "data"), "--device", "cpu", "--out", str(out), *more]) == 0
    return json.loads((out / "evaluation.json").read_text())


def test_equal_clips_are_perfect_and_others_are_not(clips, tmp_path):
    torch.jit.script(Distance()).save(tmp_path / "lpips.pt")
    torch.jit.script(Video()).save(tmp_path / "i3d.pt")
    networks = ["--lpips", str(tmp_path / "lpips.pt"), "--i3d", str(tmp_path / "i3d.pt")]
    same, still = (evaluated(clips, kind, tmp_path / kind, *networks)["mean"] for kind in ("same", "still"))
    assert same["psnr"] is None and same["ssim"] == pytest.approx(1) and same["motion_fidelity"] == pytest.approx(1)
    assert same["lpips"] == 0 and same["fvd"] == pytest.approx(0, abs=1e-3) and same["latent_frechet"] == pytest.approx(0, abs=1e-5)
    assert still["psnr"] < 30 and still["ssim"] < 0.99 and still["motion_fidelity"] < 0.6
    assert still["fvd"] > 300 and still["latent_frechet"] > 0.01
    first = read_clip(clips / "data" / "clip_0" / "rgb.mp4")[0].astype(float)
    frames = read_clip(clips / "still" / "clip_0_frame1_clip2.mp4")[0].astype(float)
    lpips = json.loads((tmp_path / "still" / "evaluation.json").read_text())["clips"]["clip_0_frame1_clip2"]["lpips"]
    assert lpips == pytest.approx(np.abs(first - frames).mean() / 127.5, rel=1e-4)
    text = (tmp_path / "still" / "evaluation.md").read_text()
    assert "| these clips (4) |" in text and "PAM all (paper, DexYCB) | 29.13 | - | 0.712" in text and "not FVD" in text


def test_frechet_is_the_textbooks():
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=(60, 5)), rng.normal(size=(50, 5)) @ rng.normal(size=(5, 5)) + 1
    first, second = np.cov(one, rowvar=False), np.cov(two, rowvar=False)
    expected = ((one.mean(0) - two.mean(0)) ** 2).sum() + np.trace(first + second - 2 * sqrtm(first @ second).real)
    assert frechet(one, two) == pytest.approx(expected)
    assert frechet(one, one) == pytest.approx(0, abs=1e-9) and frechet(one[:1], two) is None


def test_latent_features_tell_blur_and_motion():
    rng = np.random.default_rng(0)
    features, sharp = LatentFeatures(CPU), rng.integers(0, 255, (9, 32, 48, 3), dtype=np.uint8)
    flat = np.broadcast_to(sharp.mean((1, 2), keepdims=True), sharp.shape).astype(np.uint8)
    still = np.repeat(sharp[:1], 9, axis=0)
    values = {name: features(clip) for name, clip in (("sharp", sharp), ("flat", flat), ("still", still))}
    assert all(value.shape == (48,) for value in values.values())
    assert values["flat"][16:32].mean() < 0.7 * values["sharp"][16:32].mean()
    assert values["still"][32:].max() < 1e-4 < values["sharp"][32:].min()


def test_joints_are_measured_against_the_labels(tmp_path, skip_for):
    """The pack's own shaded hand, found by the landmark model, is near its own joints and far from those of another clip."""
    from pam_nodes.assess.landmarks import available
    from pam_nodes.assess.score import Scorer
    from pam_nodes.dataset.generate import DataOptions, make_data
    from pam_nodes.dataset.scenes import SceneOptions
    from pam_nodes.evaluation.compare import Truth, compare

    if not available():
        skip_for("litert", "no ai_edge_litert")
    make_data(DataOptions(SceneOptions(("demo:ball",), side="right", length=5, fps=2.0), 1, 5, (256, 192)), tmp_path)
    clip = FolderClips(tmp_path, "all").read("clip_00000")
    truth = Truth(clip.pictures, clip.conditions)
    own, off = (compare(pictures, truth, Scorer()).mean for pictures in (clip.pictures, np.roll(clip.pictures, 12, axis=2)))
    assert own["mpjpe_px"] is not None and own["mpjpe_px"] < 8 and own["pa_mpjpe_px"] <= own["mpjpe_px"]
    assert off["mpjpe_px"] is None or off["mpjpe_px"] > own["mpjpe_px"] + 4


def test_names(tmp_path):
    names = ["a", "a_b", "s-01/seq/cam"]
    assert partner(tmp_path / "a_b_frame1.mp4", names) == "a_b" and partner(tmp_path / "a_frame1.mp4", names) == "a"
    assert partner(tmp_path / "s-01_seq_cam_frame3.mp4", names) == "s-01/seq/cam"
    with pytest.raises(ValueError, match="named after a clip"):
        partner(tmp_path / "ab.mp4", names)


def test_papers_numbers():
    assert PAPER["OAKINK2"]["PAM all"]["motion_fidelity"] == 0.777 and PAPER["DexYCB"]["PAM depth+seg"]["mpjpe_mm"] == 22.51
    assert table({"x": {"psnr": 30.0}}, "OAKINK2").splitlines()[2].startswith("| x | - | - | - | - | - | 30.00 |")


@pytest.mark.parametrize(
    ("more", "sentence"), [(["--lpips", "nothing.pt"], "No LPIPS network"), (["--i3d", __file__], "Expected a TorchScript file")]
)
def test_bad_networks(clips, tmp_path, caplog, more, sentence):
    clip = next((clips / "same").iterdir())
    assert main(["evaluate", str(clip), "--data", str(clips / "data"), *more, "--device", "cpu", "--out", str(tmp_path / "out")]) == 2
    assert sentence in caplog.text and not (tmp_path / "out").exists()
