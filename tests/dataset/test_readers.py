"""Folders of clips as PAM prepares them, made to the specification, and our own."""

import json

import numpy as np
import pytest

from pam_nodes.conditions.colormap import INFERNO
from pam_nodes.conditions.pack import masks
from pam_nodes.dataset.clips import FolderClips, chosen
from pam_nodes.dataset.depth_videos import read_depth_video
from pam_nodes.dataset.dexycb import DexYCBClips
from pam_nodes.dataset.oakink2 import OakInk2Clips
from pam_nodes.headless.clip_files import write_clip
from pam_nodes.headless.files import save_picture

T, H, W = 5, 48, 64
CAMERA = "20200709-subject-01/20200709_141754/836212060125"


def hand_joints() -> np.ndarray:
    """(21, 2) pixels of a spread hand."""
    fingers = [np.array([30, 40]) + step * np.array([finger - 2, -2]) * 2 for finger in range(5) for step in range(1, 5)]
    return np.array([[30, 40], *fingers], np.float32)


@pytest.fixture
def dexycb(tmp_path):
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 255, (T, H, W, 3), dtype=np.uint8)
    write_clip(tmp_path / "dexycb_videos" / CAMERA / "video.mp4", pictures, 30, lossless=True)
    ramp = np.broadcast_to(np.linspace(0, 255, 32).astype(np.uint8)[None, :, None], (T, 24, 32, 3))
    write_clip(tmp_path / "dexycb_depth" / CAMERA / "depth.mp4", ramp, 15, lossless=True)
    labels = tmp_path / "dexycb" / CAMERA
    labels.mkdir(parents=True)
    for t in range(T):
        seg = np.zeros((H, W), np.uint8)
        seg[10:20, 10:30], seg[12:40, 25:40] = 2, 255
        joints = hand_joints() if t else np.full((21, 2), -1)
        depth = np.full((21, 3), 0.7) if t else np.full((21, 3), -1)
        np.savez_compressed(labels / f"labels_{t:06}.npz", seg=seg, joint_2d=joints[None], joint_3d=depth[None], pose_y=np.zeros(1))
    (tmp_path / "dexycb_videos" / CAMERA / "descriptions.json").write_text(json.dumps({"0": "at first", "2": "later"}))
    (labels.parent / "meta.yml").write_text("serials:\n- 1\nmano_sides:\n- left\nnum_frames: 5\n")
    line = {"video_path": f"data/dexycb_videos/{CAMERA}/video.mp4", "response": "A hand takes a box."}
    (tmp_path / "dexycb_prompt.jsonl").write_text(json.dumps(line) + "\n")
    return tmp_path, pictures


def test_dexycb_conditions_are_pams(dexycb):
    root, pictures = dexycb
    clip = DexYCBClips(root).read(CAMERA)
    np.testing.assert_array_equal(clip.pictures, pictures)
    segmentation = clip.conditions.segmentation
    assert segmentation[0, 15, 12].tolist() == [6, 230, 230]  # the cracker box, pam_reference 1.3
    assert segmentation[0, 30, 30].tolist() == [92, 0, 255] and not segmentation[0, 0, 0].any()
    assert clip.conditions.object_labels == (2,)
    hands, objects = masks(clip.conditions)
    assert hands[0, 30, 30] and objects[0, 15, 12] and not (hands | objects)[0, 0, 0]
    depth = clip.conditions.depth
    assert not depth[0, 0].any() and depth[0, 15, 12].any()
    assert any(np.abs(INFERNO.astype(int) - depth[0, 15, 12]).sum(axis=1) < 12)
    keypoints = clip.conditions.keypoints
    assert keypoints[0].any(axis=2).sum() == 4 and keypoints[0, 0, 0].tolist() == [70, 17, 145]  # PAM's dot for a missing hand, 1.4
    assert keypoints[1].any(axis=2).sum() > 50 and not keypoints[1, 0, 0].any()
    joints = clip.conditions.joints
    assert joints.sides == ("left",) and np.isnan(joints.points[0]).all() and (joints.points[1:] == 0.7).all() and (joints.z[0] == -1).all()
    assert clip.prompt == "A hand takes a box." and clip.frame_prompts == ("at first", "at first", "later", "later", "later")


def test_dexycb_split_is_s0(tmp_path):
    for sequence in range(6):
        for camera in ("a", "b"):
            path = tmp_path / "dexycb_videos" / "s-subject-01" / f"sequence_{sequence}" / camera
            path.mkdir(parents=True)
            (path / "video.mp4").touch()
    assert DexYCBClips(tmp_path, "val").names == ["s-subject-01/sequence_4/a", "s-subject-01/sequence_4/b"]
    train = DexYCBClips(tmp_path, "train").names
    assert len(train) == 10 and not any("sequence_4" in name for name in train)
    assert len(DexYCBClips(tmp_path, "all").names) == 12


def test_dexycb_says_what_is_missing(dexycb):
    root, _ = dexycb
    (root / "dexycb_depth" / CAMERA / "depth.mp4").unlink()
    with pytest.raises(FileNotFoundError, match="run DepthCrafter"):
        DexYCBClips(root).read(CAMERA)
    (root / "dexycb" / CAMERA / "labels_000003.npz").write_bytes(b"broken")
    with pytest.raises(ValueError, match="labels_000003"):
        DexYCBClips(root).read(CAMERA)


@pytest.fixture
def oakink2(tmp_path):
    seg = np.zeros((T, H, W, 3), np.uint8)
    seg[:, 10:30, 10:30] = (61, 230, 250)
    seg[:, 0, 0] = 15
    rng = np.random.default_rng(1)
    depth = INFERNO[rng.integers(60, 250, (T, H, W))]
    for index in range(3):
        name = f"scene/clip_{index}"
        for folder, file, frames in (
            ("videos", "video.mp4", rng.integers(0, 255, (T, H, W, 3), dtype=np.uint8)),
            ("processed_depth", "color.mp4", depth),
            ("processed_seg_mask", "output_seg.mp4", seg),
            ("processed_hand_keypoints", "output_hand.mp4", seg[:, ::-1]),
        ):
            write_clip(tmp_path / folder / name / file, frames, 15, lossless=True)
    return tmp_path, depth


def test_oakink2_clips(oakink2):
    root, depth = oakink2
    assert OakInk2Clips(root, "train", train=2).names == ["scene/clip_0", "scene/clip_1"]
    assert OakInk2Clips(root, "val", train=2).names == ["scene/clip_2"]
    clip = OakInk2Clips(root).read("scene/clip_1")
    assert clip.conditions.style == "oakink2" and clip.prompt == "One or two hands are moving."
    np.testing.assert_array_equal(clip.conditions.depth[:, 10:30, 10:30], depth[:, 10:30, 10:30])
    assert not clip.conditions.depth[:, 0, 0].any() and not clip.conditions.depth[:, 40:].any()
    (root / "processed_seg_mask" / "scene/clip_0/output_seg.mp4").unlink()
    with pytest.raises(FileNotFoundError, match=r"output_seg\.mp4 beside the video"):
        OakInk2Clips(root).read("scene/clip_0")


def test_depthcrafter_arrays_and_grey_videos(tmp_path):
    depth = np.linspace(2, 4, T * H * W, dtype=np.float32).reshape(T, H, W)
    np.savez(tmp_path / "depth.npz", depth=depth)
    pictures = read_depth_video(tmp_path / "depth.npz")
    assert pictures[0, 0, 0].tolist() == INFERNO[0].tolist() and pictures[-1, -1, -1].tolist() == INFERNO[255].tolist()
    grey = np.repeat(np.arange(T, dtype=np.uint8)[:, None, None, None] * 50, 3, axis=3) * np.ones((1, H, W, 1), np.uint8)
    write_clip(tmp_path / "grey.mp4", grey, 15, lossless=True)
    np.testing.assert_array_equal(read_depth_video(tmp_path / "grey.mp4")[2], np.broadcast_to(INFERNO[100], (H, W, 3)))
    np.savez(tmp_path / "flat.npz", depth=np.ones((2, 3, 4)))
    with pytest.raises(ValueError, match="different numbers"):
        read_depth_video(tmp_path / "flat.npz")


def test_foreign_folders_frames_and_prompts(tmp_path):
    """PNGs and videos by PAM's names; every n-th frame and frames 0, 8, 16."""
    shade = np.arange(20, dtype=np.uint8)[:, None, None, None] * np.full((1, 16, 32, 3), 10, np.uint8)
    for index, frame in enumerate(shade):
        save_picture(tmp_path / "clip" / "rgb" / f"{index:05}.png", frame)
    for word in ("depth", "seg_mask", "hand_keypoints"):
        write_clip(tmp_path / "clip" / f"{word}.mp4", shade, 15, lossless=True)
    (tmp_path / "clip" / "prompt.txt").write_text("A prompt.\n")
    source = FolderClips(tmp_path, "all")
    assert source.names == ["clip"]
    clip = source.read("clip")
    assert clip.prompt == "A prompt."
    short = clip.fitted(64, 32, 9)
    assert short.pictures.shape == (9, 32, 64, 3) and short.conditions.shape == (9, 32, 64)
    assert short.pictures[:, 0, 0, 0].tolist() == short.conditions.depth[:, 0, 0, 0].tolist() == list(range(0, 180, 20))
    stills = clip.stills()
    assert [still.name for still in stills] == ["clip:0", "clip:8", "clip:16"]
    assert stills[1].pictures[0, 0, 0, 0] == stills[1].conditions.segmentation[0, 0, 0, 0] == 80
    with pytest.raises(ValueError, match="at least 21"):
        clip.fitted(64, 32, 21)
    with pytest.raises(ValueError, match="data command"):
        _ = FolderClips(tmp_path / "clip").names


def test_unfinished_clips_are_left_out(tmp_path):
    """As the data command leaves them when it is killed while it writes one."""
    frames = np.zeros((2, 16, 32, 3), np.uint8)
    for name in ("clip_0", "clip_1"):
        write_clip(tmp_path / "conditions" / name / "preview.mp4", frames, 15, lossless=True)
    assert FolderClips(tmp_path, "all").names == ["clip_0", "clip_1"]
    (tmp_path / "conditions" / "clip_1" / "conditions.json").write_text("{}")
    assert FolderClips(tmp_path, "all").names == ["clip_1"]


def test_split_words():
    names = [str(index) for index in range(10)]
    assert chosen(names, "val") == ["4", "9"] and len(chosen(names, "train")) == 8
    with pytest.raises(ValueError, match="train, val, all"):
        chosen(names, "test")
