"""The stages as a whole on small real models: what is made, what is kept, what is refused before any work."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from pam_nodes.conditions import film
from pam_nodes.headless.chain import ChainOptions
from pam_nodes.headless.clip_files import read_clip
from pam_nodes.headless.clip_stage import ClipOptions, make_clips
from pam_nodes.headless.cogvideox import ClipSampling
from pam_nodes.headless.cogvideox_models import CogVideoXFolder
from pam_nodes.headless.compute import Compute, machine, require
from pam_nodes.headless.condition_files import read_conditions
from pam_nodes.headless.condition_writer import write_conditions
from pam_nodes.headless.files import read_picture, save_picture
from pam_nodes.headless.flux import FluxSampling
from pam_nodes.headless.flux_models import FluxFolder
from pam_nodes.headless.frame_stage import FrameOptions, make_frames
from pam_nodes.headless.manifest import open_manifest
from pam_nodes.headless.motion_files import write_motion_file
from pam_nodes.headless.pose_stage import PoseOptions, successes
from pam_nodes.headless.render_stage import CameraChoice, RenderOptions, render_motions
from pam_nodes.headless.scene import HandChoice, ObjectChoice, read_pose

from .conftest import motion_of

CPU = Compute("cpu", "fp32")
FRAMES = FrameOptions("a hand holds a {object}", sampling=FluxSampling(steps=2), seeds=(1, 2, 3))
CLIPS = ClipOptions("a hand lifts a {object}", "bad", ClipSampling(steps=2), seeds=(5,), fps=12.0)


@pytest.fixture
def flux(flux_folder, flux_control):
    return FluxFolder(flux_folder, flux_control)


@pytest.fixture
def cogvideox(cogvideox_folder, cogvideox_control):
    return CogVideoXFolder(cogvideox_folder, cogvideox_control)


def stop_at(name: str):
    """Progress that is like Ctrl-C in the middle of one piece of work."""

    def bars(label: str):
        def report(done: int, total: int) -> None:
            if label == name:
                raise KeyboardInterrupt

        return report

    return bars


def test_motions_are_filmed_once(tmp_path):
    """A left hand without being told, and anew when the file has changed."""
    motion, out = tmp_path / "motion_7.npz", tmp_path / "out"
    options = RenderOptions(camera=CameraChoice(96, 64, keys="100%: orbit 40"), preview="tan", normals=True)
    write_motion_file(motion, motion_of("left"))
    (folder,) = render_motions([motion], options, out)
    clip, about = read_conditions(folder)
    assert clip.shape == (3, 64, 96) and clip.joints.sides == ("left",) and about["objects"] == ["cup"]
    assert np.load(folder / "labels.npz")["world_to_camera"].shape == (3, 4, 4)
    assert len(list((folder / "preview").glob("*.png"))) == 3 and clip.normals.any()
    assert render_motions([motion], options, out, bars=stop_at("render motion_7")) == [folder]
    write_motion_file(motion, motion_of("left", steps=2))
    render_motions([motion], options, out)
    assert read_conditions(folder)[0].shape == (2, 64, 96)


@pytest.mark.parametrize("pictures", ["png", "mp4"])
def test_a_long_clip_is_filmed_in_parts_into_the_same_files(pictures, tmp_path, monkeypatch):
    """And an interrupt between two parts leaves nothing that counts as finished."""
    motion = tmp_path / "motion.npz"
    options = RenderOptions(camera=CameraChoice(96, 64, keys="100%: zoom 2"), preview="tan", normals=True, pictures=pictures)
    write_motion_file(motion, motion_of("left", steps=5))
    (whole,) = render_motions([motion], options, tmp_path / "whole")
    monkeypatch.setattr(film, "PART", 2 * 11 * 96 * 64)
    with pytest.raises(KeyboardInterrupt):
        render_motions([motion], options, tmp_path / "parts", bars=lambda _: interrupting(8))
    assert not list((tmp_path / "parts").glob("*/conditions.json")) and not list((tmp_path / "parts").glob("*/*.mp4"))
    (parts,) = render_motions([motion], options, tmp_path / "parts")
    names = sorted(path.relative_to(whole) for path in whole.rglob("*.*"))
    assert names == sorted(path.relative_to(parts) for path in parts.rglob("*.*")) and len(names) > 5
    for name in names:
        if name.suffix != ".npz":
            assert (whole / name).read_bytes() == (parts / name).read_bytes()
    one, other = (np.load(folder / "labels.npz") for folder in (whole, parts))
    assert set(one.files) == set(other.files) and one["intrinsics"].shape == (5, 3, 3)
    for name in one.files:
        np.testing.assert_array_equal(one[name], other[name])


def interrupting(frame: int):
    """Progress that is like Ctrl-C after some steps."""

    def report(done: int, total: int) -> None:
        if done == frame:
            raise KeyboardInterrupt

    return report


def test_pictures_survive_a_stop_and_are_not_made_again(tmp_path, flux, folder):
    out, whole = tmp_path / "out", tmp_path / "whole"
    with pytest.raises(KeyboardInterrupt):
        make_frames([folder], flux, FRAMES, CPU, out, bars=stop_at("scene_frame2"))
    first = out / "scene_frame1.png"
    before = first.stat().st_mtime_ns
    assert sorted(path.name for path in out.iterdir()) == ["manifest.json", "scene_frame1.png"]
    paths = make_frames([folder], flux, FRAMES, CPU, out)
    assert first.stat().st_mtime_ns == before
    for path, other in zip(paths, make_frames([folder], flux, FRAMES, CPU, whole), strict=True):
        np.testing.assert_array_equal(read_picture(path), read_picture(other))
    assert len({read_picture(path).tobytes() for path in paths}) == 3


def test_finished_pictures_need_no_models(tmp_path, flux, folder):
    """A second run neither loads nor samples: a bar would stop it."""
    options = replace(FRAMES, seeds=(1,))
    paths = make_frames([folder], flux, options, CPU, tmp_path / "out")
    assert make_frames([folder], flux, options, CPU, tmp_path / "out", bars=stop_at("scene_frame1")) == paths


def test_other_conditions_or_settings_are_made_anew(tmp_path, flux, folder, clip, camera):
    options, out = replace(FRAMES, seeds=(1,)), tmp_path / "out"
    (path,) = make_frames([folder], flux, options, CPU, out)
    before = read_picture(path)
    write_conditions(folder, replace(clip, depth=255 - clip.depth), camera, "png", {"objects": ["mug"]})
    make_frames([folder], flux, options, CPU, out)
    assert (read_picture(path) != before).any()
    with pytest.raises(ValueError, match="with another sampling"):
        make_frames([folder], flux, replace(options, sampling=FluxSampling(steps=3)), CPU, out)
    with Image.open(path) as picture:
        made = json.loads(picture.text["pam"])
    assert made["prompt"] == "a hand holds a mug" and made["seed"] == 1 and made["settings"]["sampling"]["steps"] == 2


def test_conditions_left_out(tmp_path, flux, folder):
    whole, part = (
        make_frames([folder], flux, replace(FRAMES, seeds=(1,), without=without), CPU, tmp_path / f"out{len(without)}")
        for without in ((), ("depth",))
    )
    assert (read_picture(whole[0]) != read_picture(part[0])).any()
    with pytest.raises(ValueError, match="at least one of"):
        everything = replace(FRAMES, without=("depth", "segmentation", "keypoints"))
        make_frames([folder], flux, everything, CPU, tmp_path / "none")


def test_only_grasps_that_held_go_on(tmp_path):
    manifest = open_manifest(tmp_path, "pose", {})
    for seed, success in ((0, True), (1, False), (2, True)):
        manifest.record(f"motion_{seed}.npz", success=success)
    assert [path.stem for path in successes([tmp_path / f"motion_{seed}.npz" for seed in range(3)])] == ["motion_0", "motion_2"]


def test_clip_says_everything(tmp_path, cogvideox, folder):
    picture = tmp_path / "start.png"
    save_picture(picture, np.full((30, 50, 3), 128, np.uint8))
    (path,) = make_clips([(folder, picture)], cogvideox, CLIPS, CPU, tmp_path / "out")
    frames, fps, made = read_clip(path)
    assert frames.shape == (9, 48, 96, 3) and fps == 12
    assert made["motion"] == "ab12" and made["seed"] == 5 and made["prompt"] == "a hand lifts a mug"
    assert made["settings"]["sampling"]["scheduler"] == "dpm" and "merged.safetensors" in made["settings"]["models"]["control"]
    assert make_clips([(folder, picture)], cogvideox, CLIPS, CPU, tmp_path / "out", bars=stop_at(path.stem)) == [path]


def test_clip_input_that_does_not_fit(tmp_path, cogvideox, folder):
    picture = tmp_path / "start.png"
    save_picture(picture, np.zeros((8, 8, 3), np.uint8))

    def refused(match: str, **changes):
        with pytest.raises(ValueError, match=match):
            make_clips([(folder, picture)], cogvideox, replace(CLIPS, **changes), CPU, tmp_path / "out")

    refused("4k \\+ 1", length=8)
    refused("multiples of 16.*use 96 x 48", size=(100, 50))
    refused("8k \\+ 1 frames", length=13)
    refused("at least 1 step", sampling=ClipSampling(steps=0))
    picture.write_bytes(b"no picture")
    refused("could not read start.png")
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_machine_says_what_is_missing():
    def refused(kind, match: str, **choice):
        with pytest.raises(kind, match=match):
            machine(Compute(**choice))

    refused(ValueError, "found only the CPU", offload="model")
    refused(ValueError, "that torch .* can use, found 'cuda:77'", device="cuda:77")
    refused((ImportError, ValueError), "bitsandbytes|Expected a GPU for --quantize nf4", device="cpu", quantize="nf4")
    refused(ValueError, "Expected a dtype out of auto, bf16, fp16, fp32", device="cpu", dtype="int8")
    with pytest.raises(ImportError, match="no no_such_package: pip install no_such_package"):
        require("for nothing", "torch", "no_such_package")


def test_chain_is_checked_before_its_first_stage(tmp_path, flux, cogvideox):
    pose = PoseOptions(HandChoice(), ObjectChoice("demo:mug"), "{}")
    options = ChainOptions(pose, RenderOptions(), FRAMES, CLIPS, flux, cogvideox, CPU)
    with pytest.raises(ValueError, match="96 x 48 pixels and 9 frames"):
        options.check()


def test_poses_from_words_and_files(tmp_path):
    hand = HandChoice().load()
    words = '{"preset": "fist", "wrist": [0, -0.3, 0.2], "rotation": [0, 90, 0], "fingers": {"index": {"flexion": -1}}}'
    pose = read_pose(words, hand, 0, "--start")
    (tmp_path / "pose.json").write_text(words)
    np.testing.assert_array_equal(read_pose(str(tmp_path / "pose.json"), hand, 0, "--start").hand_pose, pose.hand_pose)
    fist = read_pose('{"preset": "fist"}', hand, 0, "--start")
    assert np.abs(fist.hand_pose - pose.hand_pose).max() > 0.5
    for bad, match in (
        ('{"preset": "fits"}', "hand preset"),
        ('{"wirst": [0, 0, 0]}', "found wirst"),
        ('{"wrist": [0, 0]}', "not three numbers"),
        ('{"fingers": {"index": 1}}', "numbers as --help shows"),
        ('{"preset', "JSON of a hand pose for --start"),
    ):
        with pytest.raises(ValueError, match=match):
            read_pose(bad, hand, 0, "--start")
    with pytest.raises(FileNotFoundError, match="No pose file"):
        read_pose("missing.json", hand, 0, "--start")
