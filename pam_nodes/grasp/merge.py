"""Several motions in one scene."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from ..geometry.inside import Solid, fan_closed
from ..hands.skinning import SkinnedHand, skin
from .collision import collision_shape
from .interpolate import trajectory_at
from .measure import solid_of
from .trajectory import HandTrack, ObjectTrack, Trajectory


@dataclass(frozen=True)
class Collision:
    """Two things that run into each other: deepest overlap in metres, the frame where, and in how many frames."""

    first: str
    second: str
    depth: float
    frame: int
    frames: int

    def __str__(self) -> str:
        return f"{self.first} and {self.second}: {self.depth * 1000:.1f} mm in frame {self.frame}, {self.frames} frames in all"


def merge(first: Trajectory, second: Trajectory, keep_objects: str = "both") -> Trajectory:
    """Put two motions into one scene.

    Args:
        first, second: any hands and objects. The second is brought to the first's fps; the shorter one is held at its end.
        keep_objects: "both", "first" or "second": whose objects move, when both motions hold the same thing.

    Raises:
        ValueError: an unknown choice.
    """
    if keep_objects not in ("both", "first", "second"):
        raise ValueError(f"Expected 'both', 'first' or 'second', found {keep_objects!r}.")
    seconds = (len(second) - 1) / second.fps
    count = max(len(first), round(seconds * first.fps) + 1)
    one = trajectory_at(first, np.minimum(np.arange(count), len(first) - 1))
    two = trajectory_at(second, np.minimum(np.arange(count) * second.fps / first.fps, len(second) - 1))
    objects = {"both": one.objects + two.objects, "first": one.objects, "second": two.objects}[keep_objects]
    return Trajectory(one.hands + two.hands, objects, first.fps, _joint_report(first, second))


def _joint_report(first: Trajectory, second: Trajectory):
    """The report of the one that went worse."""
    reports = [trajectory.report for trajectory in (first, second) if trajectory.report is not None]
    if not reports:
        return None
    worst = min(reports, key=lambda report: (report.success, -report.slip))
    return replace(worst, message=" ".join(report.message for report in reports))


def collisions(trajectory: Trajectory, tolerance: float = 0.002) -> tuple[Collision, ...]:
    """What runs into each other: hands with hands, objects with objects, and hands with objects deeper than touching.

    Args:
        trajectory: any hands and objects.
        tolerance: metres of overlap that is let pass; skin gives way.

    Returns:
        The pairs, the deepest first.
    """
    hands = [skin(track.model, track.pose) for track in trajectory.hands]
    names = [f"{track.model.side} hand {i + 1}" for i, track in enumerate(trajectory.hands)]
    solids = [solid_of(track.mesh)[0] for track in trajectory.objects]
    found = []
    for (i, hand), (j, other) in combinations(enumerate(hands), 2):
        depth = _hands_overlap(hand, other, trajectory.hands[j])
        found.append((names[i], names[j], depth))
    for i, hand in enumerate(hands):
        for track, solid in zip(trajectory.objects, solids, strict=True):
            found.append((names[i], track.mesh.name, _points_in(hand.vertices, track, solid)))
    for (i, one), (j, two) in combinations(enumerate(trajectory.objects), 2):
        if np.array_equal(one.poses, two.poses):
            continue  # parts of one thing
        depth = np.maximum(_objects_overlap(one, two, solids[j]), _objects_overlap(two, one, solids[i]))
        found.append((one.mesh.name, two.mesh.name, depth))
    pairs = [Collision(a, b, float(d.max()), int(d.argmax()), int((d > tolerance).sum())) for a, b, d in found if d.max() > tolerance]
    return tuple(sorted(pairs, key=lambda pair: -pair.depth))


def _points_in(points: np.ndarray, track: ObjectTrack, solid) -> np.ndarray:
    """(T,) deepest of (T, N, 3) world points in a moving object."""
    local = (points - track.poses[:, None, :3, 3]) @ track.poses[:, :3, :3]
    return solid.depth(local.reshape(-1, 3)).reshape(local.shape[:2]).max(1)


def _objects_overlap(one: ObjectTrack, two: ObjectTrack, solid) -> np.ndarray:
    """(T,) deepest vertex or surface point of one object in another."""
    points = np.concatenate([one.mesh.vertices, collision_shape(one.mesh).samples])
    world = points @ np.swapaxes(one.poses[:, :3, :3], 1, 2) + one.poses[:, None, :3, 3]
    return _points_in(world, two, solid)


def _hands_overlap(hand: SkinnedHand, other: SkinnedHand, track: HandTrack) -> np.ndarray:
    """(T,) deepest vertex of one hand in the other's skin, closed at the wrist; only frames whose boxes meet are looked at."""
    low = np.maximum(hand.vertices.min(1), other.vertices.min(1))
    high = np.minimum(hand.vertices.max(1), other.vertices.max(1))
    depth = np.zeros(len(hand.vertices))
    for frame in np.flatnonzero((low < high).all(1)):
        depth[frame] = Solid(*fan_closed(other.vertices[frame], track.model.faces)).depth(hand.vertices[frame]).max()
    return depth
