"""Every format, from a file written here by that data set's own rule to the skin it must give."""

import io
import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from pam_nodes.hands.files import load_default_hand
from pam_nodes.hands.joints import rest_joints
from pam_nodes.hands.pose import HandPose
from pam_nodes.hands.skinning import skin
from pam_nodes.recordings.read import read_motion
from pam_nodes.recordings.recording import ReadOptions

RIGHT, LEFT = (replace(load_default_hand(side), is_mano=True) for side in ("right", "left"))
HANDS = {"right": RIGHT, "left": LEFT}
BETAS = np.array([0.5, -0.4, 0.3, 0, 0, 0.2, 0, 0, 0, 0.1], np.float32)
T = 4


def motion(side="right", seed=0, betas=BETAS) -> HandPose:
    """Random fingers and wrist; what every file below holds in its own words."""
    rng = np.random.default_rng(seed)
    return HandPose(
        rng.normal(scale=0.8, size=(T, 3)), rng.normal(scale=0.25, size=(T, 45)), rng.normal(scale=0.2, size=(T, 3)), betas, side
    )


def vertices(pose: HandPose) -> np.ndarray:
    return skin(HANDS[pose.side], pose).vertices


def matches(read: HandPose, expected: np.ndarray, tolerance=2e-6) -> None:
    assert np.abs(vertices(read) - expected).max() < tolerance


def npz(path, **entries):
    np.savez(path, **entries)
    return path


def pickled(path, content, protocol=4):
    path.write_bytes(pickle.dumps(content, protocol))
    return path


def saved(path, content):
    np.save(path, np.array(content, dtype=object), allow_pickle=True)
    return path


def test_own_names(tmp_path):
    pose = motion("left")
    entries = dict(global_orient=pose.global_orient, hand_pose=pose.hand_pose, transl=pose.transl, betas=BETAS, side="left", fps=24.0)
    for path in (npz(tmp_path / "a.npz", **entries), tmp_path / "a.json"):
        if path.suffix == ".json":
            path.write_text(json.dumps({key: np.asarray(value).tolist() for key, value in entries.items()}))
        recording = read_motion(path, HANDS)
        assert recording.fps == 24 and recording.hands[0].pose.side == "left"
        matches(recording.hands[0].pose, vertices(pose))


def test_own_names_relative_to_the_mean_and_in_codes(tmp_path):
    pose = motion()
    base = dict(global_orient=pose.global_orient, transl=pose.transl, betas=BETAS)
    path = npz(tmp_path / "a.npz", hand_pose=pose.hand_pose - RIGHT.hands_mean, flat_hand_mean=False, **base)
    matches(read_motion(path, HANDS).hands[0].pose, vertices(pose))
    codes = np.random.default_rng(3).normal(size=(T, 12))
    expected = vertices(replace(pose, hand_pose=codes @ RIGHT.hands_components[:12] + RIGHT.hands_mean))
    matches(read_motion(npz(tmp_path / "b.npz", hand_pose=codes, **base), HANDS).hands[0].pose, expected)


def graspxl(pose: HandPose, model=RIGHT) -> dict:
    part = {"trans": pose.transl, "rot": pose.global_orient, "pose": pose.hand_pose - model.hands_mean}
    turn = Rotation.from_rotvec([[0, 0, 0.1 * t] for t in range(T)])
    thing = {"trans": np.arange(3 * T).reshape(T, 3) / 10, "rot": turn.as_rotvec(), "angle": np.zeros((T, 1))}
    return {"right_hand": {k: v.astype(np.float32) for k, v in part.items()}, "abc123": {k: v.astype(np.float32) for k, v in thing.items()}}


def test_graspxl(tmp_path):
    pose = motion(betas=np.zeros(0, np.float32))
    path = saved(tmp_path / "mano_1.npy", graspxl(pose))
    recording = read_motion(path, HANDS, ReadOptions(fix_pinky=False))
    assert recording.format == "graspxl" and recording.fps == 100
    matches(recording.hands[0].pose, vertices(pose), 1e-5)
    assert np.allclose(recording.objects["abc123"][2, :3, 3], [0.6, 0.7, 0.8])
    assert np.allclose(recording.objects["abc123"][3, :3, :3], Rotation.from_euler("z", 0.3).as_matrix(), atol=1e-6)


def test_graspxl_pinky(tmp_path):
    pose = motion(betas=np.zeros(0, np.float32))
    path = saved(tmp_path / "own_policy.npy", graspxl(pose))
    fixed = read_motion(path, HANDS).hands[0].pose.hand_pose - RIGHT.hands_mean
    assert np.allclose(fixed[:, 18:27], fixed[:, 27:36]) and np.allclose(fixed[:, 27:36], (pose.hand_pose - RIGHT.hands_mean)[:, 27:36])


def test_arctic(tmp_path):
    content = {}
    for side, seed in (("right", 1), ("left", 2)):
        pose = motion(side, seed)
        part = {"rot": pose.global_orient, "pose": pose.hand_pose - HANDS[side].hands_mean, "trans": pose.transl, "shape": BETAS}
        content[side] = {**part, "fitting_err": np.zeros(T)}
    recording = read_motion(saved(tmp_path / "box_grab.mano.npy", content), HANDS)
    assert recording.format == "arctic" and [hand.pose.side for hand in recording.hands] == ["right", "left"]
    for hand, seed in zip(recording.hands, (1, 2), strict=True):
        matches(hand.pose, vertices(motion(hand.pose.side, seed)))


def test_arctic_object(tmp_path):
    rows = np.concatenate([np.linspace(0, 1, T)[:, None], np.tile([0, 0, np.pi / 2], (T, 1)), np.full((T, 3), 250.0)], axis=1)
    np.save(tmp_path / "box.object.npy", rows)
    recording = read_motion(tmp_path / "box.object.npy", HANDS)
    assert np.allclose(recording.objects["object"][0, :3, 3], 0.25), "millimetres become metres"
    assert "hinge moves" in recording.notes[0]


def dexycb_rows(pose: HandPose) -> np.ndarray:
    codes = (pose.hand_pose - RIGHT.hands_mean) @ np.linalg.inv(RIGHT.hands_components.astype(np.float64))
    return np.concatenate([pose.global_orient, codes, pose.transl], axis=1)


def test_dexycb_sequence(tmp_path):
    """45 codes are codes, never axis-angles; zeros are no hand; betas come from the calibration."""
    pose = motion()
    rows = dexycb_rows(pose)
    rows[2] = 0
    things = np.zeros((T, 2, 7))
    things[:, :, 3] = 1
    things[:, 1, 4:] = [0.1, 0.2, 0.9]
    path = npz(tmp_path / "pose.npz", pose_m=rows[:, None], pose_y=things)
    recording = read_motion(path, {"right": RIGHT}, ReadOptions(dataset_betas=tuple(BETAS)))
    hand = recording.hands[0]
    assert recording.camera_frame and hand.valid.tolist() == [True, True, False, True]
    expected = vertices(pose)
    assert np.abs(vertices(hand.pose)[hand.valid] - expected[hand.valid]).max() < 2e-5
    assert np.allclose(recording.objects["object 2"][0, :3, 3], [0.1, 0.2, 0.9])


def test_dexycb_label(tmp_path):
    pose = motion(betas=np.zeros(0, np.float32))
    things = np.tile(np.eye(4)[:3], (3, 1, 1))
    path = npz(
        tmp_path / "labels_000000.npz", pose_m=dexycb_rows(pose)[:1], pose_y=things, joint_3d=np.zeros((1, 21, 3)), seg=np.zeros((4, 4))
    )
    recording = read_motion(path, {"right": RIGHT})
    assert len(recording) == 1 and len(recording.objects) == 3
    assert np.abs(vertices(recording.hands[0].pose) - vertices(pose)[:1]).max() < 2e-5


@pytest.mark.parametrize("tensors", [False, True])
def test_oakink2(tmp_path, tensors):
    """Quaternions wxyz, wrist first; ``tsl`` is where the wrist is."""
    wrap = torch.from_numpy if tensors else np.asarray
    raw, poses = {}, {side: motion(side, seed) for side, seed in (("right", 4), ("left", 5))}
    for t, frame in enumerate((30, 34, 38, 42)):
        raw[frame] = {}
        for side, prefix in (("right", "rh__"), ("left", "lh__")):
            pose = poses[side]
            rotations = Rotation.from_rotvec(np.concatenate([pose.global_orient[t], pose.hand_pose[t]]).reshape(16, 3))
            wrist = pose.transl[t] + rest_joints(HANDS[side], BETAS)[0]
            raw[frame] |= {
                f"{prefix}pose_coeffs": wrap(rotations.as_quat(scalar_first=True)[None]),
                f"{prefix}tsl": wrap(wrist[None]),
                f"{prefix}betas": wrap(BETAS[None]),
            }
    moved = {frame: np.eye(4) for frame in raw}
    moved[42] = np.diag([1.0, -1, -1, 1])
    path = pickled(tmp_path / "scene.pkl", {"raw_mano": raw, "obj_transf": {"O02@0015@00001": moved}, "mocap_frame_id_list": list(raw)})
    recording = read_motion(path, HANDS)
    assert recording.format == "oakink2" and recording.fps == 30
    for hand in recording.hands:
        matches(hand.pose, vertices(poses[hand.pose.side]))
    assert np.allclose(recording.objects["O02@0015@00001"][3], moved[42])


@pytest.mark.parametrize("kind", ["npz", "frames", "torch"])
def test_hamer_left_hands_are_mirrored_right_ones(tmp_path, kind):
    """The mesh of a left hand is the right model's with x negated, then moved by the camera translation."""
    pose, place = motion("right", 7), np.random.default_rng(1).normal(size=(T, 3))
    matrices = {
        "global_orient": Rotation.from_rotvec(pose.global_orient).as_matrix()[:, None],
        "hand_pose": Rotation.from_rotvec(pose.hand_pose.reshape(-1, 3)).as_matrix().reshape(T, 15, 3, 3),
        "betas": np.tile(BETAS, (T, 1)),
    }
    if kind == "npz":
        path = npz(tmp_path / "hamer.npz", **matrices, cam_t=place, is_right=np.zeros(T))
    elif kind == "frames":
        frames = [
            {"pred_mano_params": {key: value[t] for key, value in matrices.items()}, "pred_cam_t_full": place[t], "is_right": 0}
            for t in range(T)
        ]
        path = pickled(tmp_path / "wilor.pkl", frames)
    else:
        path = tmp_path / "out.pt"
        torch.save({key: torch.from_numpy(value) for key, value in {**matrices, "cam_t": place, "is_right": np.zeros(T)}.items()}, path)
    hand = read_motion(path, HANDS).hands[0].pose
    assert hand.side == "left"
    expected = vertices(replace(pose, transl=np.zeros((T, 3)))) * [-1, 1, 1] + place[:, None]
    matches(hand, expected, 1e-5)


def test_hoi4d(tmp_path):
    pose = motion()
    frames = [
        {
            "poseCoeff": np.concatenate([pose.global_orient[t], pose.hand_pose[t]]),
            "beta": BETAS,
            "trans": pose.transl[t],
            "kps2D": np.zeros((21, 2)),
        }
        for t in range(T)
    ]
    one = read_motion(pickled(tmp_path / "0.pickle", frames[0], 2), HANDS)
    assert one.format == "hoi4d" and np.abs(vertices(one.hands[0].pose) - vertices(pose)[:1]).max() < 2e-6
    matches(read_motion(pickled(tmp_path / "all.pickle", frames), HANDS).hands[0].pose, vertices(pose))


def test_ho3d_has_opengl_axes(tmp_path):
    """The file's mesh, with y and z negated, is where ours must be."""
    pose = motion()
    content = {
        "handPose": np.concatenate([pose.global_orient[0], pose.hand_pose[0]]), "handTrans": pose.transl[0], "handBeta": BETAS,
        "objRot": np.array([[0.0], [0.0], [np.pi / 2]]), "objTrans": np.array([0.1, 0.2, -0.5]), "objName": "025_mug",
    }  # fmt: skip
    recording = read_motion(pickled(tmp_path / "0000.pkl", content, 2), {"right": RIGHT})
    expected = vertices(pose.frame(0)) * [1, -1, -1]
    assert np.abs(vertices(recording.hands[0].pose) - expected).max() < 2e-6
    place = recording.objects["025_mug"][0]
    assert np.allclose(place[:3, 3], [0.1, -0.2, 0.5])
    point = np.array([0.3, 0.1, 0.2])
    in_gl = Rotation.from_rotvec([0, 0, np.pi / 2]).apply(point) + np.array([0.1, 0.2, -0.5])
    assert np.allclose(place[:3, :3] @ point + place[:3, 3], in_gl * [1, -1, -1])


def test_grab(tmp_path):
    pose = motion(betas=np.zeros(0, np.float32))
    hand = {
        "params": {"global_orient": pose.global_orient, "hand_pose": np.zeros((T, 24)), "fullpose": pose.hand_pose, "transl": pose.transl}
    }
    row_turn = Rotation.from_rotvec([0.1, 0.2, 0.3])
    thing = {"params": {"global_orient": np.tile(row_turn.as_rotvec(), (T, 1)), "transl": np.full((T, 3), 0.4)}}
    path = npz(tmp_path / "mug_lift.npz", rhand=np.array(hand, dtype=object), object=np.array(thing, dtype=object), obj_name="mug")
    recording = read_motion(path, HANDS)
    assert recording.format == "grab" and recording.fps == 120
    matches(recording.hands[0].pose, vertices(pose))
    point = np.array([0.1, -0.2, 0.05])
    assert np.allclose(recording.objects["mug"][0, :3, :3] @ point, point @ row_turn.as_matrix()), "GRAB multiplies rows"


def test_interhand(tmp_path):
    pose = motion()
    frames = {}
    for t in range(T):
        flat = np.concatenate([pose.global_orient[t], pose.hand_pose[t] - RIGHT.hands_mean])
        frames[str(2 * t + 8)] = {"right": {"pose": flat.tolist(), "shape": BETAS.tolist(), "trans": pose.transl[t].tolist()}, "left": None}
    (tmp_path / "mano.json").write_text(json.dumps({"0": frames}))
    recording = read_motion(tmp_path / "mano.json", HANDS)
    assert recording.format == "interhand"
    matches(recording.hands[0].pose, vertices(pose))


def test_released_graspxl_sequences(shared_dir):
    """Real files: the little finger repeats the ring finger, 100 fps, one hand and its object, which is lifted."""
    files = sorted((shared_dir / "data/graspxl/sequences").glob("*/*.npy"))
    assert files
    for path in files:
        recording = read_motion(path, {"right": load_default_hand()})
        fingers = recording.hands[0].pose.hand_pose - load_default_hand().hands_mean
        assert np.allclose(fingers[:, 18:27], fingers[:, 27:36], atol=1e-6)
        (poses,) = recording.objects.values()
        assert path.parent.name in recording.objects and poses[-1, 2, 3] - poses[0, 2, 3] > 0.1
        assert any("repeats the ring finger" in note for note in recording.notes)


def test_fingertips_lie_on_the_object_of_a_real_sequence(shared_dir):
    """In the last frame thumb, index and middle tips are near the mesh, on the default hand (specs: hands 1.8)."""
    import trimesh
    from scipy.spatial import cKDTree

    path = sorted((shared_dir / "data/graspxl/sequences").glob("*/*.npy"))[0]
    hand = load_default_hand()
    recording = read_motion(path, {"right": hand})
    mesh = trimesh.load(shared_dir / "data/graspxl/sequence_objects" / f"{path.parent.name}.obj", force="mesh")
    surface = trimesh.sample.sample_surface(mesh, 20000, seed=0)[0]
    pose = recording.objects[path.parent.name][-1]
    tips = skin(hand, recording.hands[0].pose.frame(-1)).keypoints[0, [4, 8, 12]]
    distances = cKDTree(surface).query((tips - pose[:3, 3]) @ pose[:3, :3])[0]
    assert distances.min() < 0.01 and distances.max() < 0.03


def test_content_decides_not_the_name(tmp_path):
    pose = motion(betas=np.zeros(0, np.float32))
    stream = io.BytesIO()
    np.save(stream, np.array(graspxl(pose), dtype=object))
    (tmp_path / "odd.npz").write_bytes(stream.getvalue())
    assert read_motion(tmp_path / "odd.npz", HANDS).format == "graspxl"
