"""What the policy is asked to do: from where to grasp, how the hand is turned, and which point to hold (specs: graspxl 7)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from ..geometry.mesh import ObjectMesh
from ..geometry.simplify import cluster
from .collision import CollisionShape
from .scene import State

STANDOFF = 0.30
"""Metres between the start of an episode and the grasp."""

DEPTH = 0.01
"""Metres by which the target lies under the surface, towards the middle of the object."""

WIDTH = 0.12
"""Metres: an object wider than this across its narrow side is not grasped from there."""

TRIES = 2000
AIM_FACES = 3000
PALM = np.array([1.7, 1.0, 0.0]) / np.linalg.norm([1.7, 1.0, 0.0])
ACROSS = np.array([-((1 / 3.25) ** 0.5), (2.25 / 3.25) ** 0.5, 0.0])
"""Directions of the open MANO hand in its wrist frame: out of the back of the grasp, and square to it."""


@dataclass(frozen=True, eq=False)
class Objective:
    """One grasp to try, object frame.

    Attributes:
        heading: (3,) unit vector from the object towards the wrist.
        rotation: (3, 3) orientation of the wrist.
        target: (3,) point the hand centre goes to, metres.
        place: (3,) of the wrist at the start of the episode.
    """

    heading: np.ndarray
    rotation: np.ndarray
    target: np.ndarray
    place: np.ndarray

    def start(self, object_to_world: np.ndarray, hinges: np.ndarray) -> State:
        """The hand at the start of the episode, world frame."""
        turn, origin = object_to_world[:3, :3], object_to_world[:3, 3]
        return State(turn @ self.place + origin, turn @ self.rotation, hinges, object_to_world)

    def moved(self, shift: np.ndarray) -> Objective:
        """The same grasp (3,) metres away, object frame."""
        return replace(self, target=self.target + shift, place=self.place + shift)


@dataclass(frozen=True)
class ObjectiveChoice:
    """What the person fixes; None is sampled.

    Attributes:
        heading: (3,) direction from the object to the wrist, world frame at the start.
        turn: radians about the heading, 0 closes across the narrow side.
        midpoint: (3,) world point to grasp.
        span: metres, the widest the hand closes on.
        avoid: a part of the object, in its frame, that the hand keeps away from; it moves with the object.
    """

    heading: tuple[float, float, float] | None = None
    turn: float | None = None
    midpoint: tuple[float, float, float] | None = None
    span: float = WIDTH
    avoid: ObjectMesh | None = None


@dataclass(frozen=True, eq=False)
class Part:
    """A surface to aim at: (V, 3) vertices, (F, 3) faces, (N, 3) samples, all in the object frame."""

    vertices: np.ndarray
    faces: np.ndarray
    samples: np.ndarray

    @classmethod
    def of(cls, shape: CollisionShape) -> Part:
        """The part behind a collision shape, coarse enough to aim at a thousand times."""
        return cls(*cluster(shape.vertices, shape.faces, AIM_FACES), shape.samples)

    @property
    def centroid(self) -> np.ndarray:
        """(3,) middle of the surface."""
        return self.samples.mean(axis=0)

    def hit(self, origin: np.ndarray, direction: np.ndarray) -> np.ndarray | None:
        """First point (3,) where a ray meets the surface (Moller and Trumbore 1997), or None."""
        a, b, c = (self.vertices[self.faces[:, k]] for k in range(3))
        e1, e2 = b - a, c - a
        p = np.cross(direction, e2)
        determinant = (p * e1).sum(1)
        with np.errstate(divide="ignore", invalid="ignore"):
            s = origin - a
            u = (s * p).sum(1) / determinant
            q = np.cross(s, e1)
            v, along = (q @ direction) / determinant, (q * e2).sum(1) / determinant
            inside = (u >= 0) & (v >= 0) & (u + v <= 1) & (along > 0)
        return origin + along[inside].min() * direction if inside.any() else None


def sample_objective(
    part: Part, avoid: Part | None, choice: ObjectiveChoice, rotation: np.ndarray, rng: np.random.Generator
) -> Objective | None:
    """Draw one objective.

    Args:
        part: the surface to grasp.
        avoid: a surface of the same object to keep away from.
        choice: what is fixed, its directions and points already in the object frame.
        rotation: (3, 3) object to world at the start; headings from below are not sampled.
        rng: source of what is free.

    Returns:
        The objective, or None when this draw does not suit the object: draw again.
    """
    heading = _heading(choice, rotation, rng)
    flat = part.vertices - np.outer(part.vertices @ heading, heading)
    minor = np.linalg.eigh(np.cov(flat.T))[1][:, 1]
    turn = rng.uniform(-np.pi, np.pi) if choice.turn is None else choice.turn
    closing = Rotation.from_rotvec(heading * turn).apply(minor)
    if max(np.ptp(flat @ minor), np.ptp(flat @ closing)) > choice.span:
        return None
    through = part.vertices[rng.integers(len(part.vertices))] if choice.midpoint is None else np.asarray(choice.midpoint)
    target = _target(part, avoid, through, heading, fixed=choice.midpoint is not None)
    if target is None:
        return None
    return Objective(heading, _orientation(heading, minor, turn), target, target + STANDOFF * heading)


def _heading(choice: ObjectiveChoice, rotation: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(3,) unit vector, never from below the table."""
    if choice.heading is not None:
        return np.asarray(choice.heading) / np.linalg.norm(choice.heading)
    while True:
        heading = rng.uniform(-1, 1, 3)
        heading /= np.linalg.norm(heading)
        if (rotation @ heading)[2] > -0.2:
            return heading


def _orientation(heading: np.ndarray, minor: np.ndarray, turn: float) -> np.ndarray:
    """Wrist whose palm axis lies along the heading, turned about it to close across the minor axis."""
    axis = np.cross(PALM, heading)
    length = np.linalg.norm(axis)
    axis = axis / length if length > 1e-9 else np.array([0.0, 0.0, 1.0])
    onto = Rotation.from_rotvec(axis * np.arccos(np.clip(PALM @ heading, -1, 1)))
    angle = np.arccos(np.clip(onto.apply(ACROSS) @ minor, -1, 1)) + np.pi / 10 + turn
    return (Rotation.from_rotvec(heading * angle) * onto).as_matrix()


def _target(part: Part, avoid: Part | None, through: np.ndarray, heading: np.ndarray, fixed: bool) -> np.ndarray | None:
    """Point to grasp: where a ray along the heading meets the surface, a little under it; None when it does not suit."""
    middle = part.centroid
    hit = part.hit(through + 0.5 * heading, -heading)
    if hit is None:
        return through if fixed else None
    if (hit - middle) @ heading < 0 and not fixed:
        return None
    target = hit + DEPTH * (middle - hit) / (np.linalg.norm(middle - hit) + 1e-9)
    if avoid is not None:
        near, far = target + STANDOFF * heading, target + 0.1 * heading
        if np.linalg.norm(hit - middle) > _gap(hit, avoid) or _gap(near, avoid) < _gap(near, part):
            return None
        if np.linalg.norm(far - middle) > np.linalg.norm(far - avoid.centroid):
            return None
        other = avoid.hit(through + 0.5 * heading, -heading)
        if other is not None and (other - hit) @ heading > 0:
            return None
    return target


def _gap(point: np.ndarray, part: Part) -> float:
    return float(np.sqrt(((part.samples - point) ** 2).sum(1).min()))


def objective_of_pose(wrist: np.ndarray, rotation: np.ndarray, center: np.ndarray) -> Objective:
    """The objective that carries the wrist to a given grasp h_T (specs: graspxl 8).

    Args:
        wrist, rotation: (3,) and (3, 3) of the wrist in the object frame.
        center: (3,) hand centre in the wrist frame.
    """
    heading = -(rotation @ center) / np.linalg.norm(center)
    target = wrist + rotation @ center
    return Objective(heading, rotation, target, target + STANDOFF * heading)
