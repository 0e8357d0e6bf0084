"""The grasp that a target pose h_T asks for: checked, and with a way in."""

from __future__ import annotations

import numpy as np
from scipy.spatial import ConvexHull
from scipy.spatial.transform import Rotation

from .controller import Goal
from .scene import Scene, State

MAX_OVERLAP = 0.02
"""Metres h_T may lie inside the object; the simulated fingers stop at the surface instead."""

OPENING = 0.45
"""Radians by which the fingers open on the way to h_T."""


def target_goal(scene: Scene, start: State, grasp: State, name: str) -> Goal:
    """Turn h_T into a goal.

    Args:
        scene: hand and object.
        start: h_0 and o_0.
        grasp: h_T, the object where it starts.
        name: of the object, for messages.

    Returns:
        The goal. Fingers open by going back along the closing gradient; the way in is the one of a few directions, between straight from
        the start, out of the palm and along the fingers, on which the open hand stays clear.

    Raises:
        ValueError: the hand of h_T is deep inside the object.
    """
    depth = _depth_inside(scene, grasp)
    if depth > MAX_OVERLAP:
        raise ValueError(
            f"The target pose h_T is {depth * 1000:.0f} mm inside the {name}, expected at most {MAX_OVERLAP * 1000:.0f} mm: "
            "move the target pose outwards or open its fingers."
        )
    scene.reset(grasp)
    opened = np.clip(grasp.hinges - OPENING * scene.closing_gradient(), *scene.limits.T)
    rotation = Rotation.from_matrix(grasp.rotation)
    goals = [Goal(grasp.wrist, rotation, way, opened, grasp.hinges) for way in _ways_in(scene, start, grasp)]
    return min(goals, key=lambda goal: _obstruction(scene, start, goal))


def _depth_inside(scene: Scene, grasp: State) -> float:
    """Deepest overlap of the hand with the object; for the palm, whose thin-walled surroundings say little, with its convex hull."""
    overlap, _ = scene.overlap(grasp)
    joints = scene.hand_points(grasp.wrist, Rotation.from_matrix(grasp.rotation), grasp.hinges)[[0, 1, 4, 7, 10]]
    pose = grasp.object_to_world
    in_object = (joints - pose[:3, 3]) @ pose[:3, :3]
    hull = ConvexHull(np.concatenate(scene.shape.pieces))
    inside = -(in_object @ hull.equations[:, :3].T + hull.equations[:, 3]).max(1)
    return max(overlap, float(inside.max()))


def _ways_in(scene: Scene, start: State, grasp: State) -> list[np.ndarray]:
    """Unit vectors away from the grasp, the most direct first."""
    direct = start.wrist - grasp.wrist
    direct /= np.linalg.norm(direct) + 1e-9
    backwards = -grasp.rotation @ scene.body.tips[1] / np.linalg.norm(scene.body.tips[1])
    out_of_palm = grasp.rotation @ np.array([0.0, 1.0, 0.0])
    ways = [direct] + [(1 - t) * out_of_palm + t * backwards for t in (0.0, 0.25, 0.5, 0.75, 1.0)]
    ways = [way / np.linalg.norm(way) for way in ways if np.linalg.norm(way) > 0.1]
    return sorted(ways, key=lambda way: -float(way @ direct))


def _obstruction(scene: Scene, start: State, goal: Goal) -> float:
    """Deepest overlap of the open hand with the object on the last 12 cm, in whole millimetres so that ties keep the order given."""
    depths = [
        scene.overlap(State(goal.wrist + back * goal.approach, goal.rotation.as_matrix(), goal.opened, start.object_to_world))[0]
        for back in np.linspace(0.0, 0.12, 7)
    ]
    return float(np.round(max(depths), 3))
