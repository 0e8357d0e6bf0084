"""Motion to files: the pack's own, GraspXL's, ARCTIC's, DexYCB's, HaMeR's, an animated GLB, and tables of joints."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable

import numpy as np
from scipy.spatial.transform import Rotation

from ..grasp.export_glb import trajectory_to_glb
from ..grasp.trajectory import HandTrack, Trajectory
from ..hands.conventions import Convention, from_flat
from ..hands.posing import MIRROR
from ..hands.skinning import skin
from .own import NAME, VERSION

JOINTS = ("wrist", *(f"{finger}{i}" for finger in ("thumb", "index", "middle", "ring", "pinky") for i in (1, 2, 3, 4)))
"""OpenPose order; 4 is the tip."""


def own_entries(trajectory: Trajectory) -> dict[str, np.ndarray]:
    """The entries of the pack's own file as arrays (see ``own``)."""
    entries: dict[str, np.ndarray] = {"format": np.array(NAME), "version": np.array(VERSION), "fps": np.array(float(trajectory.fps))}
    for track in trajectory.hands:
        side, pose = track.model.side, track.pose
        if f"{side}_hand_pose" in entries:
            raise ValueError(f"Expected at most one {side} hand to write, found two: write them one by one.")
        for name in ("global_orient", "hand_pose", "transl"):
            entries[f"{side}_{name}"] = np.asarray(getattr(pose, name), np.float64)
        entries[f"{side}_betas"] = np.asarray(pose.betas, np.float32)
        entries[f"{side}_hand"] = np.array(track.model.digest)
    for i, track in enumerate(trajectory.objects):
        entries[f"object_{i}_name"], entries[f"object_{i}_pose"] = np.array(track.mesh.name), np.asarray(track.poses, np.float64)
    return entries


def to_npz(trajectory: Trajectory) -> bytes:
    """The pack's own file, arrays to the bit."""
    stream = io.BytesIO()
    np.savez_compressed(stream, **own_entries(trajectory))
    return stream.getvalue()


def to_json(trajectory: Trajectory) -> bytes:
    """The pack's own file as text; numbers keep every digit."""
    return json.dumps({key: value.tolist() for key, value in own_entries(trajectory).items()}).encode()


def to_graspxl(trajectory: Trajectory) -> bytes:
    """GraspXL's layout: one dict in an .npy, fingers relative to the hand's mean pose."""
    content = {f"{track.model.side}_hand": _mean_relative(track) for track in trajectory.hands}
    for track in trajectory.objects:
        turn = Rotation.from_matrix(track.poses[:, :3, :3]).as_rotvec()
        still = np.zeros((len(track.poses), 1), np.float32)
        content[track.mesh.name] = {"trans": _single(track.poses[:, :3, 3]), "rot": _single(turn), "angle": still}
    return _npy(content)


def to_arctic(trajectory: Trajectory) -> bytes:
    """ARCTIC's hand file: right and left with their betas. ARCTIC keeps objects in a file of their own."""
    content = {}
    for track in trajectory.hands:
        shape = np.zeros(10, np.float32)
        shape[: len(track.pose.betas)] = track.pose.betas[:10]
        error = np.zeros(len(trajectory), np.float32)
        content[track.model.side] = {**_mean_relative(track), "shape": shape, "fitting_err": error}
    return _npy(content)


def to_dexycb(trajectory: Trajectory) -> bytes:
    """DexYCB's ``pose.npz``: 45 PCA codes, in the world's frame (no camera is part of a motion).

    Raises:
        ValueError: not one MANO hand, whose pose space the codes belong to.
    """
    if len(trajectory.hands) != 1:
        raise ValueError(f"Expected one hand for a DexYCB file, found {len(trajectory.hands)}.")
    track = trajectory.hands[0]
    pose = track.pose
    codes = from_flat(track.model, pose.hand_pose, Convention.PCA)
    rows = np.concatenate([pose.global_orient, codes, pose.transl], axis=1).astype(np.float32)
    turns = [Rotation.from_matrix(t.poses[:, :3, :3]).as_quat() for t in trajectory.objects]
    poses = [np.concatenate([turn, t.poses[:, :3, 3]], axis=1) for turn, t in zip(turns, trajectory.objects, strict=True)]
    stream = io.BytesIO()
    objects = np.stack(poses, axis=1).astype(np.float32) if poses else np.zeros((len(rows), 0, 7), np.float32)
    np.savez_compressed(stream, pose_m=rows[:, None], pose_y=objects)
    return stream.getvalue()


def to_hamer(trajectory: Trajectory) -> bytes:
    """HaMeR's layout: rotation matrices of right hands, left ones mirrored, one row a hand and frame."""
    rows: dict[str, list[np.ndarray]] = {key: [] for key in ("global_orient", "hand_pose", "betas", "cam_t", "is_right")}
    for track in trajectory.hands:
        pose, total = track.pose, len(track.pose)
        sign = MIRROR if track.model.side == "left" else 1.0
        for name, joints in (("global_orient", 1), ("hand_pose", 15)):
            vectors = np.asarray(getattr(pose, name), np.float64).reshape(-1, 3) * sign
            rows[name].append(Rotation.from_rotvec(vectors).as_matrix().reshape(total, joints, 3, 3))
        shape = np.zeros(10)
        shape[: len(pose.betas)] = pose.betas[:10]
        rows["betas"].append(np.tile(shape, (total, 1)))
        rows["cam_t"].append(np.asarray(pose.transl, np.float64))
        rows["is_right"].append(np.full(total, float(track.model.side == "right")))
    stream = io.BytesIO()
    np.savez_compressed(stream, **{key: np.concatenate(parts).astype(np.float32) for key, parts in rows.items()}, fps=float(trajectory.fps))
    return stream.getvalue()


def joint_tables(trajectory: Trajectory) -> dict[str, np.ndarray]:
    """21 joints of each hand in the world, (T, 21, 3) metres, OpenPose order, and object_to_world of each object, by name."""
    tables: dict[str, np.ndarray] = {"fps": np.array(float(trajectory.fps)), "joint_names": np.array(JOINTS)}
    for i, track in enumerate(trajectory.hands):
        tables[f"hand_{i}_{track.model.side}"] = skin(track.model, track.pose).keypoints
    for i, track in enumerate(trajectory.objects):
        tables[f"object_{i}_{track.mesh.name}"] = track.poses
    return tables


def to_joints_npz(trajectory: Trajectory) -> bytes:
    """``joint_tables`` as .npz."""
    stream = io.BytesIO()
    np.savez_compressed(stream, **joint_tables(trajectory))
    return stream.getvalue()


def to_joints_csv(trajectory: Trajectory) -> bytes:
    """One row a frame: time, x y z of each joint of each hand, then position and quaternion wxyz of each object."""
    header, columns = ["frame", "time"], []
    for i, track in enumerate(trajectory.hands):
        header += [f"hand{i}_{track.model.side}_{joint}_{axis}" for joint in JOINTS for axis in "xyz"]
        columns.append(skin(track.model, track.pose).keypoints.reshape(len(trajectory), -1))
    for i, track in enumerate(trajectory.objects):
        name = track.mesh.name.replace(" ", "_")
        header += [f"object{i}_{name}_{axis}" for axis in ("x", "y", "z", "qw", "qx", "qy", "qz")]
        turn = Rotation.from_matrix(track.poses[:, :3, :3]).as_quat(scalar_first=True)
        columns.append(np.concatenate([track.poses[:, :3, 3], turn], axis=1))
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    for frame in range(len(trajectory)):
        values = [f"{value:.7g}" for column in columns for value in column[frame]]
        writer.writerow([frame, f"{frame / trajectory.fps:.6f}", *values])
    return stream.getvalue().encode()


WRITERS: dict[str, tuple[str, Callable[[Trajectory], bytes]]] = {
    "pam npz": (".npz", to_npz),
    "pam json": (".json", to_json),
    "glb": (".glb", trajectory_to_glb),
    "graspxl npy": (".npy", to_graspxl),
    "arctic npy": (".mano.npy", to_arctic),
    "dexycb npz": (".npz", to_dexycb),
    "hamer npz": (".npz", to_hamer),
    "joints npz": (".npz", to_joints_npz),
    "joints csv": (".csv", to_joints_csv),
}
"""Format as shown to people -> ending of the file and what makes its content."""


def write_motion(trajectory: Trajectory, kind: str) -> tuple[str, bytes]:
    """A motion as a file.

    Args:
        trajectory: at least one hand.
        kind: a key of ``WRITERS``.

    Returns:
        The file's ending and its content.

    Raises:
        ValueError: an unknown kind, no hand, or a hand the format cannot hold.
    """
    if kind not in WRITERS:
        raise ValueError(f"Expected a format out of {', '.join(WRITERS)}, found '{kind}'.")
    if not trajectory.hands:
        raise ValueError("Expected a motion with at least one hand to write, found none.")
    ending, writer = WRITERS[kind]
    return ending, writer(trajectory)


def _mean_relative(track: HandTrack) -> dict[str, np.ndarray]:
    pose = track.pose
    fingers = from_flat(track.model, pose.hand_pose, Convention.MEAN)
    return {"trans": _single(pose.transl), "rot": _single(pose.global_orient), "pose": _single(fingers)}


def _single(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, np.float32)


def _npy(content: dict) -> bytes:
    """A dict of arrays in an .npy, as ``np.save`` writes it and data sets do."""
    stream = io.BytesIO()
    np.save(stream, np.array(content, dtype=object))
    return stream.getvalue()
