"""Labelled clips: made by real rollouts, the same whatever the workers, gone on with after an end."""

import json

import numpy as np
import pytest

from pam_nodes.cli.app import main
from pam_nodes.conditions.pack import masks
from pam_nodes.dataset.generate import DataOptions, make_data
from pam_nodes.dataset.looks import COLORS, SKINS, VERBS, random_look, stages
from pam_nodes.dataset.scenes import SceneOptions
from pam_nodes.geometry.camera import Camera
from pam_nodes.geometry.camera_build import project
from pam_nodes.hands.files import load_default_hand
from pam_nodes.hands.skinning import skin
from pam_nodes.headless.clip_files import read_clip
from pam_nodes.headless.condition_files import read_conditions
from pam_nodes.headless.files import save_picture
from pam_nodes.headless.motion_files import read_motion_file

SCENES = SceneOptions(objects=("demo:ball", "demo:can"), length=9, fps=4.0, attempts=3)
OPTIONS = DataOptions(SCENES, clips=2, seed=3, size=(96, 64))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("data")
    return out, make_data(OPTIONS, out)


def test_labels_are_those_of_the_motion(made):
    out, folders = made
    assert [folder.name for folder in folders] == ["clip_00000", "clip_00001"]
    clip, about = read_conditions(folders[0])
    pictures = read_clip(folders[0] / "preview.mp4")[0]
    assert clip.shape == (9, 64, 96) and pictures.shape == (9, 64, 96, 3) and len(about["frame_prompts"]) == 9
    hands = {side: load_default_hand(side) for side in ("right", "left")}
    trajectory, _ = read_motion_file(out / "motions" / "clip_00000.npz", hands, [])
    with np.load(folders[0] / "labels.npz") as labels:
        camera = Camera(labels["intrinsics"], labels["world_to_camera"], 96, 64)
    joints = skin(trajectory.hands[0].model, trajectory.hands[0].pose).keypoints
    pixels, z = project(camera, joints[4], 4)
    np.testing.assert_allclose(clip.joints.pixels[4, 0], pixels, atol=0.02)
    np.testing.assert_allclose(clip.joints.z[4, 0], z, atol=1e-4)
    assert clip.joints.sides == (trajectory.hands[0].pose.side,)
    assert trajectory.objects[0].poses[-1, 2, 3] > trajectory.objects[0].poses[0, 2, 3] + 0.05


def test_picture_shows_what_the_prompt_says(made):
    for folder in made[1]:
        clip, about = read_conditions(folder)
        color = next(word for word in about["prompt"].split() if word in COLORS)
        shown = read_clip(folder / "preview.mp4")[0][masks(clip)[1]].mean(axis=0)
        skins = next(word for word in about["prompt"].split() if word in SKINS)
        hand = read_clip(folder / "preview.mp4")[0][masks(clip)[0]].mean(axis=0)
        if color not in ("white", "black"):
            assert np.argmax(shown) == np.argmax(COLORS[color])
        assert np.argsort(hand).tolist() == np.argsort(SKINS[skins]).tolist()
        assert about["prompt"].split(" on ")[0].endswith(about["objects"][0])


def test_clips_do_not_depend_on_workers_and_unfinished_ones_are_made(made, tmp_path):
    out, folders = made
    again = make_data(OPTIONS, tmp_path / "two", workers=2)
    for one, two in zip(folders, again, strict=True):
        assert (one / "conditions.json").read_text() == (two / "conditions.json").read_text()
        np.testing.assert_array_equal(read_clip(one / "preview.mp4")[0], read_clip(two / "preview.mp4")[0])
    kept = (folders[0] / "preview.mp4").stat().st_mtime_ns
    text = (folders[1] / "conditions.json").read_text()
    (folders[1] / "conditions.json").unlink()
    assert make_data(OPTIONS, out) == folders
    assert (folders[1] / "conditions.json").read_text() == text
    assert (folders[0] / "preview.mp4").stat().st_mtime_ns == kept


def test_backgrounds_stand_behind_half_of_the_scenes(tmp_path):
    picture = np.zeros((40, 90, 3), np.uint8)
    picture[..., 1] = 200
    save_picture(tmp_path / "wall.png", picture)
    looks = [random_look(np.random.default_rng(seed), (tmp_path / "wall.png",), (96, 64)) for seed in range(40)]
    shown = [(look, words) for look, words in looks if look.background is not None]
    assert 10 < len(shown) < 30
    for look, words in shown:
        assert look.background.shape == (1, 64, 96, 3) and (look.background[..., 1] == 200).all()
        assert "table" not in words.prompt("mug", VERBS[0])


def test_stages():
    assert stages(np.array([0, 0, 0, 0, 0.01, 0.1])).tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--clips", "0"], "at least 1 clip"),
        (["--size", "100x64"], "multiples of 16"),
        (["nothing.obj"], "No mesh file nothing.obj"),
        (["--backgrounds", "nowhere"], "Expected pictures"),
        (["--hand", "x.pkl"], "without a hand file"),
        (["--workers", "0"], "at least 1 worker"),
    ],
)
def test_bad_input_is_one_sentence(arguments, sentence, tmp_path, caplog):
    assert main(["data", *arguments, "--out", str(tmp_path / "out")]) == 2
    assert sentence in caplog.text and not (tmp_path / "out").exists()


def test_command_records_what_it_made(made):
    record = json.loads((made[0] / "manifest.json").read_text())
    assert record["command"] == "data" and record["settings"]["seed"] == 3 and len(record["made"]) == 2
