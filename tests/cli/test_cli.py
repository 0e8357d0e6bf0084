"""The commands as people run them."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from hostkit.host import ROOT
from pam_nodes.cli.app import main
from pam_nodes.cli.arguments import seeds
from pam_nodes.headless.clip_files import read_clip, write_clip
from pam_nodes.headless.files import read_picture
from tests.headless import tiny

COMMAND = [sys.executable, "-m", "pam_nodes"]
FAST = ["--mini", "--frame-steps", "3", "--clip-steps", "2", "--frame-seeds", "1-2", "--max-attempts", "1"]


def run(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run([*COMMAND, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def chained(tmp_path_factory):
    """Folder of the whole chain on the shipped models, and what the command said."""
    out = tmp_path_factory.mktemp("chain")
    return out, run("chain", "demo:mug", *FAST, "--out", out)


def test_chain_from_mesh_to_clips(chained):
    out, done = chained
    assert done.returncode == 0, done.stderr
    clips = [out / "clips" / f"motion_0_frame{seed}_clip42.mp4" for seed in (1, 2)]
    assert done.stdout.split() == [str(clip) for clip in clips]
    pictures = []
    for clip, seed in zip(clips, (1, 2), strict=True):
        frames, fps, made = read_clip(clip)
        assert frames.shape == (17, 192, 288, 3) and fps == 8
        assert made["prompt"] == "a light skin hand picking up a red mug on a grey table, bright light"
        pictures.append(read_picture(out / "frames" / f"motion_0_frame{seed}.png").astype(int))
        assert np.abs(frames[0] - pictures[-1]).mean() < 12
        assert np.abs(frames[-1].astype(int) - frames[0]).mean() > 2
    assert np.abs(pictures[0] - pictures[1]).mean() > 2


def test_labels_lie_beside_the_pictures(chained):
    """Everything a hand-pose data set needs, for every frame."""
    labels = np.load(chained[0] / "conditions" / "motion_0" / "labels.npz")
    shapes = {name: labels[name].shape for name in labels.files}
    assert shapes["metric_depth"] == shapes["instance_ids"] == (17, 192, 288) and shapes["joints"] == (17, 1, 21, 2)
    motion = np.load(chained[0] / "motions" / "motion_0.npz")
    assert motion["right_hand_pose"].shape == (17, 45) and motion["object_0_pose"].shape == (17, 4, 4)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """FLUX.1-dev, CogVideoX-5b-I2V and their controls in diffusers' layout, tiny and random, as arguments."""
    place = tmp_path_factory.mktemp("models")
    flux, cogvideox = tiny.flux_folder(place / "flux"), tiny.cogvideox_folder(place / "cogvideox")
    controls = tiny.flux_control_file(place / "controlnet.bin"), tiny.cogvideox_control_file(place / "merged.safetensors")
    return {
        "flux": ["--flux", str(flux), "--flux-control", str(controls[0])],
        "cogvideox": ["--cogvideox", str(cogvideox), "--cogvideox-control", str(controls[1])],
    }


def test_large_models_as_released(chained, folders, tmp_path):
    """Folders of the large models' layout through the same commands, in 8 bits, with PAM's sampling."""
    conditions, small = str(chained[0] / "conditions" / "motion_0"), ["--sampling", "released", "--quantize", "fp8", "--steps", "2"]
    size = ["--width", "96", "--height", "48"]
    frame = ["appearance", conditions, *folders["flux"], *small, *size, "--wording", "photo", "--seeds", "1-2"]
    assert main([*frame, "--out", str(tmp_path / "f")]) == 0
    pictures = [tmp_path / "f" / f"motion_0_frame{seed}.png" for seed in (1, 2)]
    assert read_picture(pictures[0]).shape == (48, 96, 3)
    made = json.loads((tmp_path / "f" / "manifest.json").read_text())
    prompts = [facts["prompt"] for facts in made["made"].values()]
    assert len(set(prompts)) == 2 and all("mug" in prompt for prompt in prompts)
    assert made["settings"]["sampling"]["shift"] == "released" and made["settings"]["quantize"] == "fp8"
    clip = ["motion", conditions, str(pictures[0]), *folders["cogvideox"], *small, *size, "--length", "9"]
    assert main([*clip, "--out", str(tmp_path / "v")]) == 0
    frames, fps, facts = read_clip(tmp_path / "v" / "motion_0_frame1_clip42.mp4")
    assert frames.shape == (9, 48, 96, 3) and fps == 8 and facts["settings"]["sampling"]["unused"] == "grey"


def test_chain_again_makes_nothing(chained, capsys):
    out, done = chained
    files = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    assert main(["chain", "demo:mug", *FAST, "--out", str(out)]) == 0
    assert capsys.readouterr().out == done.stdout
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()} == files


def test_stages_one_by_one_make_the_same(chained, tmp_path, capsys):
    """Conditions of PAM's own names, by the commands of the single stages."""
    out, _ = chained
    motion = str(out / "motions" / "motion_0.npz")
    size = ["--width", "288", "--height", "192"]
    assert main(["render", motion, *size, "--pictures", "mp4", "--preview", "tan", "--out", str(tmp_path / "c")]) == 0
    conditions = tmp_path / "c" / "motion_0"
    assert capsys.readouterr().out.split() == [str(conditions)]
    assert {path.name for path in conditions.iterdir()} >= {"depth.mp4", "preview.mp4", "labels.npz"}
    assert main(["render", motion, *size, "--length", "2", "--camera-keys", "100%: zoom 2", "--out", str(tmp_path / "short")]) == 0
    capsys.readouterr()
    assert len(list((tmp_path / "short" / "motion_0" / "depth").glob("*.png"))) == 2
    frame = ["--mini", "--steps", "3", "--seeds", "1"]
    assert main(["appearance", str(conditions), *frame, "--out", str(tmp_path / "f")]) == 0
    ours, theirs = tmp_path / "f" / "motion_0_frame1.png", out / "frames" / "motion_0_frame1.png"
    np.testing.assert_array_equal(read_picture(ours), read_picture(theirs))
    assert main(["motion", str(conditions), str(ours), "--mini", "--steps", "2", "--out", str(tmp_path / "v")]) == 0
    made = read_clip(tmp_path / "v" / "motion_0_frame1_clip42.mp4")[0]
    np.testing.assert_array_equal(made, read_clip(out / "clips" / "motion_0_frame1_clip42.mp4")[0])


def test_ctrl_c_keeps_finished_pictures(chained, tmp_path):
    conditions = chained[0] / "conditions" / "motion_0"
    arguments = ["appearance", conditions, "--mini", "--steps", "8", "--seeds", "0-60", "--out", tmp_path / "out"]
    process = subprocess.Popen([*COMMAND, *map(str, arguments)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    first = tmp_path / "out" / "motion_0_frame0.png"
    end = time.monotonic() + 120
    while not first.exists() and time.monotonic() < end and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Finished files stay" in said and "Traceback" not in said
    assert read_picture(first).shape == (192, 288, 3)
    assert not list((tmp_path / "out").glob(".part*"))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["pose", "nothing.obj"], "No mesh file nothing.obj"),
        (["pose", "demo:teapot"], "Expected a demo object out of mug"),
        (["pose", "demo:mug", "--start", "{"], "Expected JSON of a hand pose for --start"),
        (["pose", "demo:mug", "--hand", "nothing.pkl"], "nothing.pkl"),
        (["pose", "demo:ball", "--position", "9", "0", "0"], "from the wrist"),
        (["pose", "demo:mug", "--length", "1"], "at least 2 frames"),
        (["render", "nothing.npz"], "nothing.npz"),
        (["appearance", "nothing", "--mini"], "no folder nothing"),
        (["appearance", "nothing"], "Expected --flux FOLDER and --flux-control FILE, or --mini"),
        (["appearance", "nothing", "--mini", "--width", "64"], "both --width and --height"),
        (["appearance", "nothing", "--mini", "--steps", "0"], "at least 1 step"),
        (["appearance", "nothing", "--mini", "--offload", "group"], "found only the CPU"),
        (["appearance", "nothing", "--flux", ".", "--flux-control", "x.bin"], "FLUX.1 in diffusers' layout"),
        (["motion", "nothing", "x.png", "--cogvideox", "."], "Expected --cogvideox FOLDER and --cogvideox-control PATH"),
        (["motion", "nothing", "x.png", "--mini", "--quantize", "nf4"], "--quantize nf4"),
        (["chain", "demo:mug", "--mini", "--length", "16"], "4k + 1"),
        (["chain", "demo:mug", "--mini", "--width", "200"], "multiples of 16"),
    ],
)
def test_bad_input_is_one_sentence(arguments, sentence, tmp_path, caplog):
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 2
    said = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(said) == 1 and sentence in said[0] and "\n" not in said[0]
    assert not (tmp_path / "out").exists()


def test_words_argparse_refuses(capsys):
    for arguments in (["pose"], ["pose", "demo:mug"], ["pose", "demo:mug", "--out", "x", "--seeds", "9-1"], ["nonsense"]):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 2
    assert "rising range" in capsys.readouterr().err


def test_seeds():
    assert seeds("42") == (42,) and seeds("3-5,1,4") == (3, 4, 5, 1)


def test_foreign_names_and_other_sizes(tmp_path, chained):
    """A folder as PAM's scripts have it, of another size, through the small model."""
    frames = read_clip(chained[0] / "clips" / "motion_0_frame1_clip42.mp4")[0]
    for word in ("depth", "seg_mask", "hand_keypoints"):
        write_clip(tmp_path / "scene_3" / f"{word}.mp4", frames[:, ::2, ::2], 15, lossless=True)
    size = ["--width", "96", "--height", "64"]
    arguments = ["appearance", str(tmp_path / "scene_3"), "--mini", "--steps", "1", *size, "--frame", "-1", "--out", str(tmp_path / "out")]
    assert main(arguments) == 0
    assert read_picture(tmp_path / "out" / "scene_3_frame42.png").shape == (64, 96, 3)
