"""How good a motion is: what touches, how deep, how fast, and what no hand can do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry.inside import Solid
from ..geometry.mesh import ObjectMesh
from ..hands.limits import Excess, excesses
from ..hands.skinning import SkinnedHand, skin
from .collision import collision_shape
from .trajectory import HandTrack, ObjectTrack, Trajectory

TOUCH = 0.0015
"""Metres from the surface within which skin counts as touching."""

LIFTED = 0.1
HELD = 0.01
"""Metres an object has risen by when it counts as held."""


@dataclass(frozen=True, eq=False)
class MotionQuality:
    """Measured on the skin and the meshes, over T frames. Metres and seconds.

    Attributes:
        success: the rollout's verdict; without one, whether an object rose more than 10 cm. None without objects.
        penetration: (T,) deepest point of any hand in any object.
        contact_links: (T,) links of all hands that touch an object.
        table: (T,) height of the lowest hand vertex above the table.
        wrist_speed, object_speed: (T,) largest, m/s; 0 in the first frame.
        wrist_acceleration: (T,) largest, m/s2; 0 in the first and last frame.
        slip: how far an object moved in the hand while it was held.
        excesses: joints beyond what a hand can do.
        notes: sentences on what was approximated.
    """

    success: bool | None
    penetration: np.ndarray
    contact_links: np.ndarray
    table: np.ndarray
    wrist_speed: np.ndarray
    object_speed: np.ndarray
    wrist_acceleration: np.ndarray
    slip: float
    excesses: tuple[Excess, ...]
    notes: tuple[str, ...] = ()

    @property
    def mean_penetration(self) -> float:
        """Mean over the frames in which a hand is inside an object, metres."""
        deep = self.penetration[self.penetration > 0]
        return float(deep.mean()) if len(deep) else 0.0


def measure(trajectory: Trajectory) -> MotionQuality:
    """Judge a motion.

    Depth is that of hand vertices in the object's mesh; in a mesh that is not closed, that in its convex pieces, which is an upper bound.

    Args:
        trajectory: at least one hand.

    Raises:
        ValueError: no hand, or numbers that are not finite.
    """
    if not trajectory.hands:
        raise ValueError("Expected a motion with at least one hand, found none.")
    if not all(track.pose.finite for track in trajectory.hands) or not all(np.isfinite(t.poses).all() for t in trajectory.objects):
        raise ValueError("The motion holds NaN or infinite numbers, expected finite ones: check where it comes from.")
    hands = [skin(track.model, track.pose) for track in trajectory.hands]
    total = len(trajectory)
    depth, links, notes = np.zeros(total), np.zeros(total, int), []
    for track in trajectory.objects:
        solid, note = solid_of(track.mesh)
        notes += [note] if note else []
        for hand, hand_track in zip(hands, trajectory.hands, strict=True):
            deepest, touching = _contact(hand, hand_track, track, solid)
            depth, links = np.maximum(depth, deepest), links + touching
    wrists = np.stack([hand.joints[:, 0] for hand in hands], 1)
    speed, acceleration = _speeds(wrists, trajectory.fps)
    moved = _speeds(_middles(trajectory), trajectory.fps)[0] if trajectory.objects else np.zeros(total)
    return MotionQuality(
        success=_success(trajectory),
        penetration=depth,
        contact_links=links,
        table=np.min([hand.vertices[..., 2].min(1) for hand in hands], 0),
        wrist_speed=speed,
        object_speed=moved,
        wrist_acceleration=acceleration,
        slip=_slip(trajectory, hands),
        excesses=tuple(found for track in trajectory.hands for found in excesses(track.model, track.pose)),
        notes=tuple(notes),
    )


def solid_of(mesh: ObjectMesh):
    """Something with ``depth(points)`` for a mesh, and a sentence when it is an approximation."""
    import trimesh

    closed = trimesh.Trimesh(mesh.vertices, mesh.faces, process=True)
    if closed.is_watertight:
        return Solid(closed.vertices, closed.faces), ""
    note = f"The mesh of the {mesh.name} is not closed: depth is measured in its convex pieces, which cover a little more."
    return Pieces(collision_shape(mesh).pieces), note


class Pieces:
    """Convex pieces in place of a closed mesh."""

    def __init__(self, pieces: tuple[np.ndarray, ...]):
        from scipy.spatial import ConvexHull

        self._planes = [ConvexHull(piece).equations for piece in pieces]

    def depth(self, points: np.ndarray) -> np.ndarray:
        """(N,) metres to the nearest side of the piece that a point is deepest in; 0 outside."""
        points = np.asarray(points, np.float64)
        deepest = np.zeros(len(points))
        for planes in self._planes:
            deepest = np.maximum(deepest, -(points @ planes[:, :3].T + planes[:, 3]).max(1))
        return deepest


def _contact(hand: SkinnedHand, hand_track: HandTrack, track: ObjectTrack, solid) -> tuple[np.ndarray, np.ndarray]:
    """(T,) deepest point and (T,) number of touching links of one hand and one object."""
    turn, place = track.poses[:, :3, :3], track.poses[:, :3, 3]
    local = (hand.vertices - place[:, None]) @ turn
    low, high = track.mesh.vertices.min(0) - TOUCH, track.mesh.vertices.max(0) + TOUCH
    frame, vertex = np.nonzero(((local > low) & (local < high)).all(2))
    deepest, links = np.zeros(len(local)), np.zeros(len(local), int)
    if not len(frame):
        return deepest, links
    points = local[frame, vertex]
    normals = _normals(hand.vertices, hand_track.model.faces)
    outside = points + TOUCH * np.einsum("nc,ncd->nd", normals[frame, vertex], turn[frame])
    depth = solid.depth(points)
    np.maximum.at(deepest, frame, depth)
    touching = (depth > 0) | (solid.depth(outside) > 0)
    owner = hand_track.model.weights.argmax(1)[vertex]
    pairs = np.unique(np.stack([frame[touching], owner[touching]], 1), axis=0)
    return deepest, np.bincount(pairs[:, 0].astype(int), minlength=len(local)) if len(pairs) else links


def _normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(T, V, 3) unit normals of a deforming mesh."""
    from scipy.sparse import csr_array

    a, b, c = (vertices[:, faces[:, k]] for k in range(3))
    weighted = np.cross(b - a, c - a)
    face, size = np.repeat(np.arange(len(faces)), 3), (vertices.shape[1], len(faces))
    around = csr_array((np.ones(faces.size, np.float32), (faces.ravel(), face)), shape=size)
    normals = (around @ np.moveaxis(weighted, 1, 0).reshape(len(faces), -1)).reshape(vertices.shape[1], len(vertices), 3)
    normals = np.moveaxis(normals, 0, 1)
    return normals / (np.linalg.norm(normals, axis=2, keepdims=True) + 1e-12)


def _middles(trajectory: Trajectory) -> np.ndarray:
    """(T, K, 3) world: the middle of each object."""
    middles = []
    for track in trajectory.objects:
        middle = (track.mesh.vertices.min(0) + track.mesh.vertices.max(0)) / 2
        middles.append(track.poses[:, :3, :3] @ middle + track.poses[:, :3, 3])
    return np.stack(middles, 1)


def _speeds(places: np.ndarray, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """(T,) largest speed and acceleration of (T, K, 3) points."""
    speed, acceleration = np.zeros(len(places)), np.zeros(len(places))
    steps = np.diff(places, axis=0) * fps
    speed[1:] = np.linalg.norm(steps, axis=2).max(1)
    if len(places) > 2:
        acceleration[1:-1] = np.linalg.norm(np.diff(steps, axis=0) * fps, axis=2).max(1)
    return speed, acceleration


def _success(trajectory: Trajectory) -> bool | None:
    if trajectory.report is not None:
        return trajectory.report.success
    if not trajectory.objects:
        return None
    heights = _middles(trajectory)[..., 2]
    return bool((heights - heights[0]).max() > LIFTED)


def _slip(trajectory: Trajectory, hands: list[SkinnedHand]) -> float:
    """Largest motion of an object against the hand nearest to it, from when it has been lifted to when it is highest, metres."""
    if not trajectory.objects:
        return 0.0
    worst = 0.0
    for middles in np.moveaxis(_middles(trajectory), 1, 0):
        risen = middles[:, 2] - middles[0, 2]
        if risen.max() <= HELD:
            continue
        held = slice(int(np.argmax(risen > HELD)), int(np.argmax(risen)) + 1)
        nearest = min(hands, key=lambda hand: np.linalg.norm(hand.joints[held, 0] - middles[held], axis=1).mean())
        frames = nearest.transforms[held, 0]
        local = np.einsum("tc,tcd->td", middles[held] - frames[:, :3, 3], frames[:, :3, :3])
        worst = max(worst, float(np.linalg.norm(local - local[0], axis=1).max()))
    return worst
