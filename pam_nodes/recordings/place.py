"""A recording as a motion in the pack's world: Z up, the table at z = 0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..geometry.mesh import ObjectMesh
from ..grasp.edit import offset
from ..grasp.trajectory import HandTrack, ObjectTrack, Trajectory
from ..hands.model import HandModel
from ..hands.skinning import skin
from .recording import Recording

TURNS = {
    "z": np.eye(3),
    "y": np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]),
    "-y": np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),
}
"""What points up in the file; an OpenCV camera held level has "-y"."""


@dataclass(frozen=True)
class Placing:
    """Where a recording goes.

    Attributes:
        up_axis: of the file, a key of ``TURNS``, or "auto": "-y" for a camera's frame, "z" for the rest.
        ground: put the lowest point of the first frame's objects (of its hands, without objects) on the table.
        recenter: put their middle over the world's origin.
        fps: frames a second, 0 takes the file's.
    """

    up_axis: str = "auto"
    ground: bool = True
    recenter: bool = True
    fps: float = 0.0


def to_trajectory(
    recording: Recording, hands: Mapping[str, HandModel], meshes: Sequence[ObjectMesh], placing: Placing
) -> tuple[Trajectory, tuple[str, ...]]:
    """Join a recording with hands and meshes.

    Args:
        recording: from ``read_motion``.
        hands: the models it was read for, by side.
        meshes: of the objects, matched by name, else in the file's order. Further meshes stand still where they are placed.
        placing: how to bring it to the table.

    Returns:
        The motion, and the notes of the recording with what was decided here.

    Raises:
        ValueError: no hand in the file, or an unknown axis.
    """
    if not recording.hands:
        raise ValueError("Expected a hand in the motion file, found only objects: choose the file with the hand.")
    notes = list(recording.notes)
    tracks = tuple(HandTrack(hands[hand.pose.side], hand.pose) for hand in recording.hands)
    for hand in recording.hands:
        if not hand.valid.all():
            notes.append(f"The {hand.pose.side} hand is missing in {int((~hand.valid).sum())} frames; the nearest pose is kept there.")
    objects = tuple(ObjectTrack(mesh, poses) for mesh, poses in _matched(recording, meshes, notes))
    fps = placing.fps or recording.fps
    if not fps:
        fps = 30.0
        notes.append("The file does not say its frames a second; 30 is assumed.")
    trajectory = Trajectory(tracks, objects, fps)
    return offset(trajectory, _transform(trajectory, recording, placing)), tuple(notes)


def _matched(recording: Recording, meshes: Sequence[ObjectMesh], notes: list[str]) -> list[tuple[ObjectMesh, np.ndarray]]:
    """Each mesh with the poses it follows."""
    free = dict(recording.objects)
    found = {i: free.pop(mesh.name) for i, mesh in enumerate(meshes) if mesh.name in free}
    for i, mesh in enumerate(meshes):
        if i in found:
            continue
        if free:
            name = next(iter(free))
            found[i] = free.pop(name)
            notes.append(f"The {mesh.name} follows the file's object '{name}'.")
        else:
            found[i] = np.tile(mesh.object_to_world, (len(recording), 1, 1))
            notes.append(f"The {mesh.name} stands still: the file has no further object.")
    if free:
        notes.append(f"Left out, for want of a mesh: {', '.join(free)}. Connect it as an object to have it.")
    return [(mesh, found[i]) for i, mesh in enumerate(meshes)]


def _transform(trajectory: Trajectory, recording: Recording, placing: Placing) -> np.ndarray:
    """(4, 4) from the file's frame to the world."""
    axis = placing.up_axis
    if axis == "auto":
        axis = "-y" if recording.camera_frame else "z"
    if axis not in TURNS:
        raise ValueError(f"Expected an up axis out of auto, {', '.join(TURNS)}, found '{axis}'.")
    transform = np.eye(4)
    transform[:3, :3] = TURNS[axis]
    points = _first_points(trajectory) @ TURNS[axis].T
    if placing.ground:
        transform[2, 3] = -points[:, 2].min()
    if placing.recenter:
        transform[:2, 3] = -(points[:, :2].min(0) + points[:, :2].max(0)) / 2
    return transform


def _first_points(trajectory: Trajectory) -> np.ndarray:
    """(N, 3) vertices of the first frame: of the objects, without any of the hands."""
    if trajectory.objects:
        return np.concatenate([t.mesh.vertices @ t.poses[0, :3, :3].T + t.poses[0, :3, 3] for t in trajectory.objects])
    return np.concatenate([skin(track.model, track.pose.frame(0)).vertices[0] for track in trajectory.hands])
