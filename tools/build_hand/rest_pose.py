"""Bring a hand into MANO's rest pose: flat, fingers along -x, thumb +z, palm -y, metres.

The bone directions, the thumb's back direction and the wrist position were chosen knowing MANO's rest pose, so that axis-angles transfer.
They are the only thing taken from there.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.sparse import csr_matrix, diags
from scipy.spatial.transform import Rotation

from pam_nodes.hands.model import PARENTS

from .makehuman import MANO_FINGERS, TIPS

WRIST = np.array([0.0957, 0.0064, 0.0062])
SCALE = 0.95
"""Adult mean: wrist joint to middle tip 18 cm."""
KNUCKLE_SHIFT = {"index": 0.011, "middle": 0.008, "ring": 0.009, "pinky": 0.010}
"""Metres that a base joint moves from the web of the fingers, where MakeHuman has it, to the knuckle."""
UP = np.array([0.0, 1.0, 0.0])
THUMB_BACK = np.full(3, 3**-0.5)


def unit(vector: np.ndarray) -> np.ndarray:
    """The vector with length 1."""
    return np.asarray(vector, dtype=float) / np.linalg.norm(vector)


def heading(yaw: float, pitch: float = 0.0) -> np.ndarray:
    """Direction turned from -x to +z by yaw and raised by pitch, degrees."""
    yaw, pitch = np.radians([yaw, pitch])
    return np.array([-np.cos(yaw) * np.cos(pitch), np.sin(pitch), np.sin(yaw) * np.cos(pitch)])


DIRECTIONS = {
    "index": [heading(3)] * 3,
    "middle": [heading(-9)] * 3,
    "ring": [heading(-16)] * 3,
    "pinky": [heading(-32)] * 3,
    "thumb": [heading(50), heading(38, -6), heading(42, -4)],
}
"""Rest directions of the three bones of each finger, base to tip."""


def back(finger: str) -> np.ndarray:
    """Direction a finger's back looks to."""
    return THUMB_BACK if finger == "thumb" else UP


def flexion_axis(finger: str, bone: int = 0) -> np.ndarray:
    """Axis about which a finger curls to the palm."""
    return unit(np.cross(back(finger), DIRECTIONS[finger][bone]))


def palm_space(vertices: np.ndarray, joints: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points of the body (decimetres) in a frame of the palm with the wrist at 0 (metres), base joints at the knuckles."""
    x = unit(joints[0] - joints[4])
    z = joints[1] - joints[7]
    z = unit(z - x * (z @ x))
    turn = np.stack([x, np.cross(z, x), z]).T * 0.1
    v, j, e = ((points - joints[0]) @ turn for points in (vertices, joints, ends))
    for finger, shift in KNUCKLE_SHIFT.items():
        base = 1 + 3 * MANO_FINGERS.index(finger)
        j[base] = j[base] - shift * unit(j[base] - j[0])
    return SCALE * v, SCALE * j, SCALE * e


def flatten_rotations(joints: np.ndarray, ends: np.ndarray) -> list[np.ndarray]:
    """World rotation of each of the 16 joints that turns a relaxed hand into the flat one."""
    rotations = [np.eye(3)] * 16
    for number, finger in enumerate(MANO_FINGERS):
        base = 1 + 3 * number
        chain = [*joints[base : base + 3], ends[TIPS.index(finger)]]
        bones = [unit(b - a) for a, b in pairwise(chain)]
        bend = np.cross(bones[1], bones[2]) + np.cross(bones[0], bones[2])
        if finger != "thumb":
            bend = bend + np.cross(bones[0], bones[1])
        if bend @ flexion_axis(finger) < 0:
            bend = -bend
        nearly_straight = finger != "thumb" and np.degrees(np.arccos(np.clip(bones[0] @ bones[2], -1, 1))) < 13
        for k in range(3):
            wanted = DIRECTIONS[finger][k]
            if nearly_straight:  # its bend plane is noise
                rotations[base + k] = Rotation.align_vectors([wanted], [bones[k]])[0].as_matrix()
            else:
                rotations[base + k] = _frame(wanted, np.cross(back(finger), wanted)) @ _frame(bones[k], bend).T
    return rotations


def _frame(along: np.ndarray, normal: np.ndarray) -> np.ndarray:
    first = unit(along)
    second = unit(normal - first * (normal @ first))
    return np.stack([first, second, np.cross(first, second)], 1)


def flatten(vertices, joints, ends, weights, rotations) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Skin a hand in palm space with world rotations of its joints; returns vertices, joints and ends around ``WRIST``."""
    moved = np.zeros_like(joints)
    for joint in range(1, 16):
        parent = PARENTS[joint]
        moved[joint] = moved[parent] + rotations[parent] @ (joints[joint] - joints[parent])
    tips = []
    for number, finger in enumerate(TIPS):
        last = 3 + 3 * MANO_FINGERS.index(finger)
        tips.append(moved[last] + rotations[last] @ (ends[number] - joints[last]))
    turn = np.stack(rotations)
    shift = moved - np.einsum("kij,kj->ki", turn, joints)
    skinned = np.einsum("vk,kij,vj->vi", weights, turn, vertices) + weights @ shift
    return skinned + WRIST, moved + WRIST, np.array(tips) + WRIST


def neighbour_mean(faces: np.ndarray, count: int) -> csr_matrix:
    """(V, V) matrix that replaces each vertex value by the mean of its neighbours."""
    edges = faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    edges = np.vstack([edges, edges[:, ::-1]])
    graph = csr_matrix((np.ones(len(edges)), edges.T), (count, count))
    graph.data[:] = 1
    return diags(1 / np.asarray(graph.sum(1)).ravel()) @ graph


def smoothed_weights(weights: np.ndarray, faces: np.ndarray, rounds: int = 6) -> np.ndarray:
    """Skinning weights after Laplacian smoothing, small ones dropped, rows summing to 1."""
    mean = neighbour_mean(faces, len(weights))
    for _ in range(rounds):
        weights = 0.5 * weights + 0.5 * (mean @ weights)
    weights = weights / weights.sum(1, keepdims=True)
    weights[weights < 0.004] = 0
    return weights / weights.sum(1, keepdims=True)
