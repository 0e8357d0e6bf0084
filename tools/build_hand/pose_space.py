"""Pose correctives and the PCA of hand poses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from pam_nodes.hands.model import PARENTS

from .makehuman import MANO_FINGERS
from .rest_pose import UP, back, flexion_axis, unit

PRESETS = Path(__file__).parents[2] / "pam_nodes" / "assets" / "hand" / "poses.json"
DUAL_QUATERNION_SHARE = 0.65


def pose_correctives(vertices: np.ndarray, joints: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(V, 3, 135) posedirs, so that linear blend skinning comes near dual-quaternion skinning, which keeps volume at bent joints.

    Ridge fit, one joint at a time, over bends, sideways turns and twists within its range.
    """
    correctives = np.zeros((len(vertices), 3, 135))
    for joint in range(1, 16):
        finger, bone = MANO_FINGERS[(joint - 1) // 3], (joint - 1) % 3
        axis, normal = flexion_axis(finger, bone), back(finger)
        along = unit(np.cross(axis, normal))
        features, offsets = [], []
        for bend in np.linspace(-20, 105 if bone < 2 else 80, 14):
            for side in (-15, 0, 15) if bone == 0 else (0,):
                for twist in (-8, 0, 8):
                    turn = Rotation.from_rotvec(np.radians(side) * normal) * Rotation.from_rotvec(np.radians(bend) * axis)
                    rotation = (turn * Rotation.from_rotvec(np.radians(twist) * along)).as_matrix()
                    features.append((rotation - np.eye(3)).ravel())
                    offsets.append(_offset(joint, rotation, vertices, joints, weights))
        features, offsets = np.array(features), np.array(offsets)
        active = np.linalg.norm(offsets, axis=2).max(0) > 5e-5
        ridge = features.T @ features + 1e-3 * len(features) * np.eye(9)
        fit = np.linalg.solve(ridge, features.T @ offsets[:, active].reshape(len(features), -1))
        correctives[active, :, 9 * (joint - 1) : 9 * joint] = fit.reshape(9, -1, 3).transpose(1, 2, 0)
    return correctives


def _offset(joint: int, rotation: np.ndarray, vertices: np.ndarray, joints: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(V, 3) rest-frame offsets that linear skinning lacks when one joint turns."""
    turns, places = [np.eye(3)], [joints[0]]
    for k in range(1, 16):
        parent = PARENTS[k]
        turns.append(turns[parent] @ (rotation if k == joint else np.eye(3)))
        places.append(places[parent] + turns[parent] @ (joints[k] - joints[parent]))
    turns = np.stack(turns)
    shifts = np.stack(places) - np.einsum("kij,kj->ki", turns, joints)
    blend = np.einsum("vk,kij->vij", weights, turns)
    linear = np.einsum("vij,vj->vi", blend, vertices) + weights @ shifts
    missing = DUAL_QUATERNION_SHARE * (_dual_quaternion_skinning(turns, shifts, weights, vertices) - linear)
    return np.linalg.solve(blend + 1e-6 * np.eye(3), missing[..., None])[..., 0]


def _dual_quaternion_skinning(turns: np.ndarray, shifts: np.ndarray, weights: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    real = Rotation.from_matrix(turns).as_quat(scalar_first=True)
    for k in range(1, 16):
        if real[k] @ real[PARENTS[k]] < 0:
            real[k] = -real[k]
    dual = 0.5 * _product(np.c_[np.zeros(16), shifts], real)
    real, dual = weights @ real, weights @ dual
    length = np.linalg.norm(real, axis=1, keepdims=True)
    real, dual = real / length, dual / length
    shift = 2 * _product(dual, real * [1, -1, -1, -1])[:, 1:]
    return Rotation.from_quat(real, scalar_first=True).apply(vertices) + shift


def _product(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Products of quaternions, scalar first."""
    scalar = p[:, :1] * q[:, :1] - (p[:, 1:] * q[:, 1:]).sum(1, keepdims=True)
    return np.c_[scalar, p[:, :1] * q[:, 1:] + q[:, :1] * p[:, 1:] + np.cross(p[:, 1:], q[:, 1:])]


def mean_and_components(samples: int = 6000) -> tuple[np.ndarray, np.ndarray]:
    """(45,) mean pose, which is the relaxed preset, and (45, 45) PCA rows scaled by their deviation, as MANO's are.

    The poses are random mixtures of the presets and a spread hand with noise on every joint.
    """
    presets = {name: np.ravel(rows) for name, rows in json.loads(PRESETS.read_text(encoding="utf-8"))["presets"].items()}
    corners = np.stack([*presets.values(), _spread_hand()])
    rng = np.random.default_rng(0)
    poses = np.array([rng.dirichlet(np.full(len(corners), 0.35)) @ corners + _noise(rng) for _ in range(samples)])
    _, deviation, rows = np.linalg.svd(poses - poses.mean(0), full_matrices=False)
    return presets["relaxed"], (deviation / np.sqrt(samples))[:, None] * rows


def _spread_hand() -> np.ndarray:
    pose = np.zeros((15, 3))
    for finger, degrees in {"index": 12, "ring": -10, "pinky": -18}.items():
        pose[3 * MANO_FINGERS.index(finger)] = np.radians(degrees) * UP
    bends = [Rotation.from_rotvec(np.radians(degrees) * flexion_axis("thumb", bone)) for bone, degrees in enumerate((-8, -5, -5))]
    bends[0] = Rotation.from_rotvec(np.radians(12) * back("thumb")) * bends[0]
    pose[12:] = [bend.as_rotvec() for bend in bends]
    return pose.ravel()


def _noise(rng: np.random.Generator) -> np.ndarray:
    noise = np.zeros((15, 3))
    for joint in range(15):
        finger, bone = MANO_FINGERS[joint // 3], joint % 3
        noise[joint] = np.radians(rng.normal(0, 9)) * flexion_axis(finger, bone)
        if bone == 0:
            noise[joint] += np.radians(rng.normal(0, 5)) * back(finger) + np.radians(rng.normal(0, 3)) * np.array([1.0, 0, 0])
        else:
            noise[joint] += np.radians(rng.normal(0, 2, 3))
    return noise.ravel()
