"""Files of the headless stages: whole or not there, exact, and readable by others."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from pam_nodes.conditions.video import MODALITIES
from pam_nodes.headless.clip_files import read_clip, write_clip
from pam_nodes.headless.condition_files import digest_of_clip, read_conditions
from pam_nodes.headless.condition_writer import write_conditions
from pam_nodes.headless.files import replacing, save_picture
from pam_nodes.headless.manifest import open_manifest
from pam_nodes.headless.motion_files import read_motion_file, write_motion_file


def test_a_file_is_whole_or_not_there(tmp_path):
    path = tmp_path / "deep" / "file.txt"
    with pytest.raises(RuntimeError, match="stopped"), replacing(path) as part:
        part.write_text("half")
        raise RuntimeError("stopped")
    assert list(path.parent.iterdir()) == []
    with replacing(path) as part:
        part.write_text("whole")
    assert [file.name for file in path.parent.iterdir()] == ["file.txt"]


def test_picture_says_how_it_was_made(tmp_path):
    save_picture(tmp_path / "a.png", np.zeros((4, 6, 3), np.uint8), {"seed": 3, "prompt": "tässä"})
    with Image.open(tmp_path / "a.png") as picture:
        assert json.loads(picture.text["pam"]) == {"seed": 3, "prompt": "tässä"}


def test_clip_keeps_speed_and_provenance(tmp_path, clip):
    write_clip(tmp_path / "a.mp4", clip.depth, 23.976, {"seed": 42}, lossless=True)
    frames, fps, made = read_clip(tmp_path / "a.mp4")
    np.testing.assert_array_equal(frames, clip.depth)
    assert made == {"seed": 42} and fps == pytest.approx(23.976)
    smooth = np.tile(np.linspace(0, 255, 96, dtype=np.uint8)[:, None, None], (5, 1, 64, 3))
    write_clip(tmp_path / "b.mp4", smooth, 15)
    assert np.abs(read_clip(tmp_path / "b.mp4")[0].astype(int) - smooth).mean() < 2


@pytest.mark.parametrize("kind", ["png", "mp4"])
def test_conditions_come_back_to_the_bit(tmp_path, clip, camera, kind):
    write_conditions(tmp_path / "c", clip, camera, kind, {"objects": ["mug"]}, preview=clip.depth)
    back, about = read_conditions(tmp_path / "c")
    for name in (*MODALITIES, "metric_depth", "instance_ids"):
        np.testing.assert_array_equal(getattr(back, name), getattr(clip, name))
    assert (back.fps, back.style, back.object_labels, back.sources) == (clip.fps, clip.style, clip.object_labels, clip.sources)
    np.testing.assert_array_equal(back.joints.pixels, clip.joints.pixels)
    np.testing.assert_array_equal(back.joints.z, clip.joints.z)
    assert (back.joints.sides, back.joints.width, back.joints.height) == (("right",), 96, 48)
    assert about["objects"] == ["mug"] and digest_of_clip(back) == digest_of_clip(clip)
    labels = np.load(tmp_path / "c" / "labels.npz")
    np.testing.assert_array_equal(labels["world_to_camera"], camera.world_to_camera)


def test_a_shorter_clip_replaces_a_longer_one(folder, clip, camera):
    for kind, length in (("mp4", 5), ("png", 3)):
        short = replace(
            clip, joints=None, **{name: getattr(clip, name)[:length] for name in (*MODALITIES[:3], "metric_depth", "instance_ids")}
        )
        write_conditions(folder, short, camera, kind, {})
        assert read_conditions(folder)[0].shape == (length, 48, 96)


def test_folders_of_others_are_read(tmp_path, clip):
    """PAM's own names (specs: pam_reference 1.6), without anything beside the clips."""
    for name, word in (("segmentation", "seg_mask"), ("keypoints", "hand_keypoints"), ("depth", "depth")):
        write_clip(tmp_path / f"{word}.mp4", getattr(clip, name), 15, lossless=True)
    back, about = read_conditions(tmp_path, style="oakink2")
    np.testing.assert_array_equal(back.keypoints, clip.keypoints)
    assert about == {} and back.style == "oakink2" and back.fps == 15.0 and back.instance_ids is None


def test_a_clip_that_does_not_fit_into_memory_is_not_read(folder):
    pytest.importorskip("psutil")
    about = json.loads((folder / "conditions.json").read_text())
    (folder / "conditions.json").write_text(json.dumps({**about, "length": 10**6, "height": 4096, "width": 4096}))
    with pytest.raises(ValueError, match=r"Expected 285212.7 GB .* with the conditions of scene \(17 bytes a pixel\)"):
        read_conditions(folder)


def test_condition_folders_that_do_not_fit_are_named(tmp_path, folder, clip):
    with pytest.raises(ValueError, match="no folder"):
        read_conditions(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="found none"):
        read_conditions(tmp_path / "empty")
    (folder / "depth" / "00003.png").unlink()
    with pytest.raises(ValueError, match="depth 8 x 96 x 48, segmentation 9 x 96 x 48"):
        read_conditions(folder)
    (folder / "conditions.json").write_text("{")
    with pytest.raises(ValueError, match="pam_conditions version 1"):
        read_conditions(folder)
    (folder / "labels.npz").write_bytes(b"PK\x03\x04 broken")
    (folder / "conditions.json").unlink()
    save_picture(folder / "depth" / "00003.png", clip.depth[3])
    with pytest.raises(ValueError, match="Expected depth and ids"):
        read_conditions(folder)


def test_motion_brings_its_meshes(tmp_path, trajectory):
    write_motion_file(tmp_path / "m.npz", trajectory)
    hand = trajectory.hands[0]
    back, notes = read_motion_file(tmp_path / "m.npz", {"right": hand.model}, [])
    mesh, wanted = back.objects[0].mesh, trajectory.objects[0].mesh
    np.testing.assert_array_equal(mesh.vertices, wanted.vertices)
    np.testing.assert_array_equal(mesh.faces, wanted.faces)
    np.testing.assert_array_equal(back.objects[0].poses, trajectory.objects[0].poses)
    np.testing.assert_array_equal(back.hands[0].pose.transl, hand.pose.transl)
    assert (mesh.name, mesh.label, mesh.color, notes) == ("cup", 7, pytest.approx((0.1, 0.2, 0.3)), ())


def test_hostile_meshes_in_a_motion_are_refused(tmp_path, trajectory):
    write_motion_file(tmp_path / "m.npz", trajectory)
    content = dict(np.load(tmp_path / "m.npz"))
    for key, value in (("object_0_faces", np.full((4, 3), 10**6)), ("object_0_vertices", np.full((4, 3), np.nan))):
        np.savez(tmp_path / "bad.npz", **{**content, key: value})
        with pytest.raises(ValueError, match=r"Cannot read the meshes in the motion 'bad\.npz'"):
            read_motion_file(tmp_path / "bad.npz", {"right": trajectory.hands[0].model}, [])


def test_folder_of_other_settings_is_refused(tmp_path):
    manifest = open_manifest(tmp_path, "appearance", {"steps": 4, "size": (3, 4)})
    (tmp_path / "a.png").touch()
    manifest.record("a.png", seed=1)
    again = open_manifest(tmp_path, "appearance", {"size": [3, 4], "steps": 4})
    assert again.finished("a.png", seed=1) and not again.finished("a.png", seed=2) and not again.finished("b.png")
    with pytest.raises(ValueError, match="with another steps"):
        open_manifest(tmp_path, "appearance", {"steps": 5, "size": (3, 4)})
    assert not open_manifest(tmp_path, "appearance", {"steps": 5}, overwrite=True).finished("a.png")
    assert not (tmp_path / "a.png").exists()


def test_record_that_points_outside_removes_nothing(tmp_path):
    """A manifest is a file of people: overwriting removes results of its folder and nothing else."""
    folder, other = tmp_path / "out", tmp_path / "precious.txt"
    other.touch()
    manifest = open_manifest(folder, "pose", {"a": 1})
    manifest.record("../precious.txt")
    open_manifest(folder, "pose", {"a": 2}, overwrite=True)
    assert other.exists()
    (folder / "manifest.json").write_text("[]")
    with pytest.raises(ValueError, match="record of an earlier run"):
        open_manifest(folder, "pose", {"a": 1})
