"""What a person gives the evaluation besides clips: joints of an estimator in any file, tracks, and the motion that was filmed."""

import json

import numpy as np
import pytest

from pam_nodes.cli.app import main
from pam_nodes.dataset.clips import FolderClips
from pam_nodes.dataset.generate import DataOptions, make_data
from pam_nodes.dataset.scenes import SceneOptions
from pam_nodes.evaluation.joints import read_joints, trajectory_joints
from pam_nodes.evaluation.tracks import fitted_tracks, given_tracks, rendered_tracks, tracks_from
from pam_nodes.geometry.camera_build import project
from pam_nodes.hands.files import load_default_hand
from pam_nodes.headless.clip_files import write_clip
from pam_nodes.headless.condition_files import read_camera
from pam_nodes.headless.motion_files import read_motion_file
from pam_nodes.recordings.write import write_motion
from tests.grasp.motions import walk

HANDS = {side: load_default_hand(side) for side in ("right", "left")}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """One clip of the data command: 9 frames of 192 x 128."""
    root = tmp_path_factory.mktemp("data")
    make_data(DataOptions(SceneOptions(("demo:ball",), side="right", length=9, fps=4.0), 1, 5, (192, 128)), root)
    return root


@pytest.fixture(scope="module")
def truth(data):
    return FolderClips(data, "all").read("clip_00000")


def saved(path, **arrays):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)
    return path


def test_labels_hold_joints_in_the_camera(data, truth):
    """The points of the bundle are the motion's joints, moved by the camera's matrix."""
    trajectory, _ = read_motion_file(data / "motions" / "clip_00000.npz", HANDS, [])
    joints, pose = trajectory_joints(trajectory)["right"], read_camera(data / "conditions" / "clip_00000").at(0)
    np.testing.assert_allclose(truth.conditions.joints.points[:, 0], joints @ pose[:3, :3].T + pose[:3, 3], atol=1e-6)
    half = truth.fitted(96, 64, 4).conditions.joints.points
    np.testing.assert_array_equal(half, truth.conditions.joints.points[:8:2])


def test_rendered_tracks_move_with_the_ball(data, truth):
    """Points on the ball, carried by its recorded poses and projected, are where the tracks say."""
    source = FolderClips(data, "all")
    tracks = rendered_tracks(source, "clip_00000", truth.conditions, HANDS)
    np.testing.assert_allclose(tracks[:, 0], np.rint(tracks[:, 0]), atol=1e-4)
    camera, video = read_camera(data / "conditions" / "clip_00000"), truth.conditions
    poses = read_motion_file(data / "motions" / "clip_00000.npz", HANDS, [])[0].objects[0].poses
    column, row = np.rint(tracks[:, 0]).astype(int).T
    z = video.metric_depth[0, row, column].astype(float)
    on_ball = video.instance_ids[0, row, column] == 2
    lens, view = camera.lens(0), camera.at(0)
    rays = np.stack([(column - lens[0, 2]) / lens[0, 0], (row - lens[1, 2]) / lens[1, 1], np.ones(len(z))], axis=1)
    world = (rays * z[:, None] - view[:3, 3]) @ view[:3, :3]
    local = (world - poses[0, :3, 3]) @ poses[0, :3, :3]
    seen = 0
    for t in range(1, 9):
        pixels, _ = project(camera, local @ poses[t, :3, :3].T + poses[t, :3, 3])
        known = on_ball & np.isfinite(tracks[:, t, 0])
        seen += known.sum()
        np.testing.assert_allclose(tracks[known, t], pixels[known], atol=0.01)
    assert on_ball.sum() > 20 and seen > 60


def test_evaluate_measures_in_space_and_against_the_filmed_motion(data, truth, tmp_path):
    """The real clip at half size and length: exact motion, and the error of the joints that was put in."""
    small = truth.fitted(96, 64, 4)
    write_clip(tmp_path / "clips" / "clip_00000_frame1.mp4", small.pictures, 4, lossless=True)
    joints = small.conditions.joints.points[:, 0].copy()
    joints[:, 4] += [0.0, 0.042, 0.0]
    saved(tmp_path / "joints" / "clip_00000_frame1.npz", joints=joints)
    command = ["evaluate", str(tmp_path / "clips" / "clip_00000_frame1.mp4"), "--data", str(data), "--device", "cpu"]
    more = ["--joints", str(tmp_path / "joints"), "--tracks", "rendered"]
    assert main([*command, *more, "--out", str(tmp_path / "out")]) == 0
    row = json.loads((tmp_path / "out" / "evaluation.json").read_text())["clips"]["clip_00000_frame1"]
    assert row["mpjpe_mm"] == pytest.approx(2) and row["pa_mpjpe_mm"] > 0
    assert row["motion_fidelity"] == pytest.approx(1) and row["motion_fidelity_exact"] > 0.6
    assert row["psnr"] is None and row["foreground_psnr"] is None
    assert "MF, exact tracks" in (tmp_path / "out" / "evaluation.md").read_text()


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--joints", "."], "Expected the estimated joints of clip_00000"),
        (["--tracks", "nothing"], "Expected the tracks of clip_00000 at nothing"),
        (["--tracks", "rendered"], "Expected the motion of clip_00000 at"),
    ],
)
def test_what_is_not_there_is_named(data, truth, tmp_path, caplog, more, sentence):
    write_clip(tmp_path / "clip_00000.mp4", truth.pictures, 4, lossless=True)
    (tmp_path / "data").symlink_to(data / "conditions")
    command = ["evaluate", str(tmp_path / "clip_00000.mp4"), "--data", str(tmp_path / "data"), "--device", "cpu"]
    assert main([*command, *more, "--out", str(tmp_path / "out")]) == 2
    assert sentence in caplog.text


def test_another_hand_than_the_clips(data, truth, tmp_path):
    content = dict(np.load(data / "motions" / "clip_00000.npz"))
    saved(tmp_path / "motions" / "clip_00000.npz", **content | {"right_hand": "another"})
    (tmp_path / "conditions").symlink_to(data / "conditions")
    with pytest.raises(ValueError, match="the right hand that clip_00000 was made with, found another"):
        rendered_tracks(FolderClips(tmp_path, "all"), "clip_00000", truth.conditions, HANDS)


def test_joints_come_in_many_files(tmp_path):
    motion = walk(4)
    joints = trajectory_joints(motion)["right"]
    np.save(tmp_path / "bare.npy", joints)
    (tmp_path / "list.json").write_text(json.dumps({"joints": joints.tolist()}))
    saved(tmp_path / "two.npz", joints=np.stack([joints, -joints], axis=1), sides=np.array(["left", "right"]))
    for kind, name in (("joints npz", "table.npz"), ("hamer npz", "hamer.npz"), ("pam npz", "pam.npz")):
        (tmp_path / name).write_bytes(write_motion(motion, kind)[1])
    sides = {"bare.npy": "", "list.json": "", "two.npz": "left", "table.npz": "right", "hamer.npz": "right", "pam.npz": "right"}
    for name, side in sides.items():
        np.testing.assert_allclose(read_joints(tmp_path / name, HANDS)[side], joints, atol=2e-6, err_msg=name)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"joints": np.full((3, 21, 3), 0.1) + 180 * np.eye(21, 3)}, "in metres in 'x.npz', found a hand 180 long"),
        ({"joints": np.zeros((3, 2, 21, 3)), "sides": np.array(["left"])}, "a name in 'sides' for each of 2 hands, found 1"),
        ({"joints": np.zeros((3, 20, 3))}, "which is none of"),
    ],
)
def test_joints_that_are_none(tmp_path, content, sentence):
    with pytest.raises(ValueError, match=sentence):
        read_joints(saved(tmp_path / "x.npz", **content), HANDS)


def test_files_that_are_programs_are_not_run(tmp_path):
    """A pickle in disguise is refused before anything of it runs."""
    import pickle

    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    (tmp_path / "x.npz").write_bytes(pickle.dumps({"joints": Evil()}))
    with pytest.raises(ValueError, match=r"Cannot read the joints 'x\.npz'"):
        read_joints(tmp_path / "x.npz", HANDS)
    with pytest.raises(ValueError, match=r"Cannot read the tracks 'x\.npz'"):
        given_tracks(tmp_path, "x")
    assert not (tmp_path / "ran").exists()


def test_tracks_in_the_usual_form(tmp_path):
    """CoTracker's batch of (frames, points), into ours; half the size and every second frame keep to pixel centres."""
    places = np.arange(60.0).reshape(1, 5, 6, 2)
    visible = np.ones((1, 5, 6, 1), bool)
    visible[0, 3, 2] = False
    saved(tmp_path / "a_b.npz", tracks=places, visibility=visible)
    tracks = given_tracks(tmp_path, "a/b")
    assert tracks.shape == (6, 5, 2) and np.isnan(tracks[2, 3]).all() and np.isfinite(tracks).sum() == 58
    np.testing.assert_array_equal(tracks[4, 1], places[0, 1, 4])
    small = fitted_tracks(tracks, (5, 40, 80), (2, 20, 40))
    np.testing.assert_array_equal(small[:, 1], (tracks[:, 2] + 0.5) / 2 - 0.5)
    with pytest.raises(ValueError, match="over the 6 frames of the real clip, found 5"):
        fitted_tracks(tracks, (6, 40, 80), (2, 20, 40))
    with pytest.raises(ValueError, match=r"tracks \(frames, points, 2\), found"):
        tracks_from(np.zeros((5, 6, 3)))
    saved(tmp_path / "c.npz", points=places)
    with pytest.raises(ValueError, match=r"Cannot read the tracks 'c\.npz': expected an entry 'tracks'"):
        given_tracks(tmp_path, "c")
