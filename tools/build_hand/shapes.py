"""Rest mesh, shape directions, closed wrist, vertex order and joint regressor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import trimesh
from scipy.optimize import nnls

from pam_nodes.hands.model import PARENTS

from .makehuman import MANO_FINGERS, TIPS, Body, HandCut, cut_hand
from .rest_pose import flatten, flatten_rotations, neighbour_mean, palm_space, smoothed_weights, unit

LARGEST_MOVE = {
    "finger_length": 0.0030,
    "finger_thickness": 0.0012,
    "masculinity": 0.0040,
    "weight": 0.0020,
    "muscle": 0.0015,
    "age": 0.0015,
    "youth": 0.0050,
    "finger_spread": 0.0030,
}
"""Metres that the farthest vertex moves for a coefficient of 1. ``size`` makes the hand 5 % longer instead."""

TIP_IDS = ((744, 745), (320, 317, 333), (443, 444, 445), (554, 555, 556), (671, 672, 673))
"""Vertex ids that tools take for fingertips, thumb to pinky, smplx's first; all of them become tip vertices here."""


@dataclass
class Shaped:
    """Rest hand and its S shape directions, also of the joints. Metres."""

    vertices: np.ndarray
    faces: np.ndarray
    weights: np.ndarray
    joints: np.ndarray
    ends: np.ndarray
    directions: np.ndarray
    joint_directions: np.ndarray
    names: list[str]


class Canonical:
    """Flatten any shape of the body in the same way, with a plane wrist and a relaxed thumb web."""

    def __init__(self, body: Body, neutral: np.ndarray, cut: HandCut):
        self.body, self.ids = body, cut.ids
        self.weights = smoothed_weights(cut.weights, cut.faces)
        self.mean = neighbour_mean(cut.faces, len(cut.ids))
        self.rotations = flatten_rotations(*self.palm(neutral)[1:])
        self.blend = np.clip(6 * self.weights[:, 13] * (self.weights[:, 0] + self.weights[:, 1]), 0, 1)
        self.blend[cut.ring] = 0
        wrist_x = flatten(*self.palm(neutral), self.weights, self.rotations)[0][cut.ring, 0]
        self.plane = np.zeros(len(cut.ids))
        self.plane[cut.ring] = wrist_x.mean() - wrist_x

    def palm(self, body_vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Hand, joints and ends of a body in palm space."""
        return palm_space(body_vertices[self.ids], *self.body.joints(body_vertices))

    def __call__(self, body_vertices: np.ndarray, keep_rotations: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Flat vertices, joints and ends; ``keep_rotations`` of the neutral hand, so that spread fingers stay spread."""
        points = self.palm(body_vertices)
        rotations = self.rotations if keep_rotations else flatten_rotations(*points[1:])
        vertices, joints, ends = flatten(*points, self.weights, rotations)
        vertices[:, 0] += self.plane
        for _ in range(12):
            vertices = vertices + 0.5 * self.blend[:, None] * (self.mean @ vertices - vertices)
        return vertices, joints, ends


def shaped_hand(body: Body) -> Shaped:
    """The rest hand with ten shape directions, closed at the wrist and in its final vertex order."""
    neutral = body.vertices + body.mixed()
    cut = cut_hand(body, neutral)
    canonical = Canonical(body, neutral, cut)
    vertices, joints, ends = canonical(neutral)
    found = {}
    for name, offsets in body.shape_offsets().items():
        other = canonical(neutral + offsets, keep_rotations=name == "finger_spread")
        move = [b - a for a, b in zip((vertices, joints, ends), other, strict=True)]
        found[name] = [_factor(name, move, joints, ends) * part for part in move[:2]]
    found["palm_width"] = _palm_width(vertices, joints, canonical.weights)
    names = "size finger_length finger_thickness palm_width masculinity weight muscle age youth finger_spread".split()
    directions, joint_directions = (np.stack([found[name][i] for name in names], -1) for i in range(2))
    hand = Shaped(vertices, cut.faces, canonical.weights, joints, ends, directions, joint_directions, names)
    tips = [_tip(hand, number) for number in range(5)]
    _close(hand, cut.ring)
    _reorder(hand, tips)
    return hand


def _factor(name: str, move: list[np.ndarray], joints: np.ndarray, ends: np.ndarray) -> float:
    if name == "size":
        length = np.linalg.norm(ends[2] - joints[0])
        longer = np.linalg.norm(ends[2] + move[2][2] - joints[0] - move[1][0])
        return 0.05 / (longer / length - 1)
    return LARGEST_MOVE[name] / np.linalg.norm(move[0], axis=1).max()


def _palm_width(vertices: np.ndarray, joints: np.ndarray, weights: np.ndarray, widen: float = 0.05) -> list[np.ndarray]:
    """Spread the metacarpus sideways from the middle finger; the fingers ride along with their base joints."""

    def share(x: np.ndarray) -> np.ndarray:
        return np.clip((joints[0, 0] - x) / (joints[0, 0] - joints[4, 0]), 0, 1)

    joint_move = np.zeros_like(joints)
    for base in range(1, 16, 3):
        joint_move[base : base + 3, 2] = widen * (joints[base, 2] - joints[4, 2]) * share(joints[base, 0])
    move = np.zeros_like(vertices)
    move[:, 2] = weights[:, 0] * widen * (vertices[:, 2] - joints[4, 2]) * share(vertices[:, 0]) + weights @ joint_move[:, 2]
    return [move, joint_move]


def _tip(hand: Shaped, number: int) -> int:
    """Vertex at the end of a finger: far along the last bone and near its axis."""
    last = 3 + 3 * MANO_FINGERS.index(TIPS[number])
    axis = unit(hand.ends[number] - hand.joints[last])
    distal = np.where(hand.weights[:, last] > 0.9)[0]
    offset = hand.vertices[distal] - hand.joints[last]
    along = offset @ axis
    return int(distal[np.argmax(along - 0.35 * np.linalg.norm(offset - along[:, None] * axis, axis=1))])


def _close(hand: Shaped, ring: np.ndarray) -> None:
    """Fan-close the wrist with one new vertex that belongs to the wrist joint."""
    centre = len(hand.vertices)
    cap = np.stack([np.roll(ring, -1), ring, np.full(len(ring), centre)], 1)
    hand.vertices = np.vstack([hand.vertices, hand.vertices[ring].mean(0)])
    hand.directions = np.concatenate([hand.directions, hand.directions[ring].mean(0, keepdims=True)])
    hand.weights = np.vstack([hand.weights, np.eye(16)[0]])
    hand.faces = np.vstack([hand.faces, cap])
    solid = trimesh.Trimesh(hand.vertices, hand.faces, process=False)
    if not (solid.is_watertight and solid.is_winding_consistent and solid.volume > 0):
        raise RuntimeError("Expected a closed hand with faces outwards, found another.")


def _reorder(hand: Shaped, tips: list[int]) -> None:
    """Permute vertices so that every id in ``TIP_IDS`` is a vertex at that fingertip."""
    wanted, used = {}, set(tips)
    for number, ids in enumerate(TIP_IDS):
        last = 3 + 3 * MANO_FINGERS.index(TIPS[number])
        wanted[ids[0]] = tips[number]
        near = np.argsort(np.linalg.norm(hand.vertices - hand.vertices[tips[number]], axis=1))[:12]
        for place in ids[1:]:
            vertex = next(int(v) for v in near if int(v) not in used and hand.weights[v, last] > 0.9)
            used.add(vertex)
            wanted[place] = vertex
    rest = iter(sorted(set(range(len(hand.vertices))) - set(wanted.values())))
    order = np.array([wanted[i] if i in wanted else next(rest) for i in range(len(hand.vertices))])
    hand.vertices, hand.directions, hand.weights = hand.vertices[order], hand.directions[order], hand.weights[order]
    hand.faces = np.argsort(order)[hand.faces]


def joint_regressor(hand: Shaped) -> np.ndarray:
    """(16, V) sparse, non-negative rows that give the joints of the rest hand and of its shape directions from near vertices."""
    regressor = np.zeros((16, len(hand.vertices)))
    for joint in range(16):
        distance = np.linalg.norm(hand.vertices - hand.joints[joint], axis=1)
        distance[(hand.weights[:, joint] <= 0.05) & (hand.weights[:, max(PARENTS[joint], 0)] <= 0.05)] = 9
        near = np.argsort(distance)[: 160 if joint == 0 else 110]
        rows = [hand.vertices[near].T - hand.joints[joint][:, None]]
        rows += [2.8 * (hand.directions[near, :, s].T - hand.joint_directions[joint, :, s][:, None]) for s in range(len(hand.names))]
        rows.append(np.full((1, len(near)), 0.5))
        penalty = distance[near] + 0.006
        rows.append(2e-5 * np.diag(penalty / penalty.mean()))
        goal = np.zeros(sum(len(row) for row in rows))
        goal[-len(near) - 1] = 0.5
        solution, _ = nnls(np.vstack(rows), goal)
        regressor[joint, near] = solution / solution.sum()
    return regressor
