"""The grasp that a target pose h_T asks for: checked, and with ways in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial import ConvexHull
from scipy.spatial.transform import Rotation

from .controller import Goal
from .scene import Scene, State

MAX_OVERLAP, MAX_PALM = 0.03, 0.02
"""Metres the links, and the bones of the palm, of h_T may lie inside the object; the simulated fingers stop at the surface instead. Links
are capsules, which go about half as deep again as the skin around them."""

MAX_BELOW = 0.02
"""Metres the wrist of h_T may be under the table."""

OPENINGS = (0.35, 0.5, 0.7, 0.9)
"""Radians by which the fingers open on the way to h_T: the first that clears the object."""


def target_goals(scene: Scene, start: State, grasp: State, name: str) -> list[Goal]:
    """Turn h_T into goals that differ in how the hand opens on its way in.

    Args:
        scene: hand and object.
        start: h_0 and o_0.
        grasp: h_T, the object where it starts.
        name: of the object, for messages.

    Returns:
        Two goals: the first opens the hand as hands open, the second takes each finger straight off the nearest surface.

    Raises:
        ValueError: the hand of h_T is deep inside the object.
    """
    check_target(grasp)
    for depth, most in ((_palm_inside(scene, grasp), MAX_PALM), (scene.overlap(grasp)[0], MAX_OVERLAP)):
        if depth > most:
            raise ValueError(
                f"The target pose h_T is {depth * 1000:.0f} mm inside the {name}, expected at most {most * 1000:.0f} mm: "
                "move the target pose outwards or open its fingers."
            )
    if _runs_through(scene, grasp):
        raise ValueError(f"The palm of the target pose h_T runs through the {name}: move the target pose outwards.")
    scene.reset(grasp)
    directions = (scene.opening_direction(), -scene.closing_gradient())
    return [_way_in(scene, start, grasp, _opened(scene, grasp, direction)) for direction in directions]


def check_target(grasp: State) -> None:
    """Raise ValueError when the wrist of h_T is under the table, where no arm comes from."""
    if grasp.wrist[2] < -MAX_BELOW:
        raise ValueError(
            f"The wrist of the target pose h_T is {-grasp.wrist[2] * 100:.0f} cm under the table (z = 0), expected above it: "
            "grasp the object from another side, or place object and target higher."
        )


def _palm_inside(scene: Scene, grasp: State) -> float:
    """Deepest overlap of the palm's bones with the convex hull of the object, metres; negative outside."""
    knuckles = scene.body.joints[[1, 4, 7, 10]]
    palm = np.concatenate([knuckles * along for along in np.linspace(0, 1, 6)]) @ grasp.rotation.T + grasp.wrist
    pose = grasp.object_to_world
    in_object = (palm - pose[:3, 3]) @ pose[:3, :3]
    hull = ConvexHull(np.concatenate(scene.shape.pieces))
    inside = -(in_object @ hull.equations[:, :3].T + hull.equations[:, 3]).max(1)
    return float(inside.max())


def _runs_through(scene: Scene, grasp: State) -> bool:
    """Whether a bone of the palm meets the object: overlap says little where walls are thinner than the hand."""
    pose = grasp.object_to_world
    palm = scene.body.joints[[0, 1, 4, 7, 10]] @ grasp.rotation.T + grasp.wrist
    palm = (palm - pose[:3, 3]) @ pose[:3, :3]
    starts, ends = np.repeat(palm[:1], 4, 0), palm[1:]
    for piece in scene.shape.pieces:
        planes = ConvexHull(piece).equations
        before, after = (points @ planes[:, :3].T + planes[:, 3] for points in (starts, ends))
        change = np.where(before == after, 1e-12, after - before)
        enter = np.where(change < 0, -before / change, -np.inf).max(1)
        leave = np.where(change > 0, -before / change, np.inf).min(1)
        if (np.maximum(enter, 0) < np.minimum(leave, 1)).any():
            return True
    return False


def _opened(scene: Scene, grasp: State, direction: np.ndarray) -> np.ndarray:
    """(45,) hinge angles of h_T with the fingers taken off the object along ``direction``."""
    tried = [np.clip(grasp.hinges + opening * direction, *scene.limits.T) for opening in OPENINGS]
    return min(tried, key=lambda hinges: round(scene.overlap(replace(grasp, hinges=hinges))[0], 3))


def _way_in(scene: Scene, start: State, grasp: State, opened: np.ndarray) -> Goal:
    """The goal with the approach on which the open hand stays clearest, the more direct one of equals.

    Tried are the way straight from the start and some between out of the palm and back along the fingers.
    """
    rotation = Rotation.from_matrix(grasp.rotation)
    direct = start.wrist - grasp.wrist
    backwards = -grasp.rotation @ scene.body.tips[1] / np.linalg.norm(scene.body.tips[1])
    out_of_palm = grasp.rotation @ np.array([0.0, 1.0, 0.0])
    ways = [(1 - t) * out_of_palm + t * backwards for t in (0.0, 0.25, 0.5, 0.75, 1.0)]
    if np.linalg.norm(direct) > 0.01:
        ways.append(direct)
    ways = sorted((way / np.linalg.norm(way) for way in ways), key=lambda way: -float(way @ direct))
    return min((Goal(grasp.wrist, rotation, way, opened, grasp.hinges) for way in ways), key=lambda goal: _obstruction(scene, start, goal))


def _obstruction(scene: Scene, start: State, goal: Goal) -> float:
    """Deepest overlap of the open hand with the object on the last 12 cm, in whole millimetres so that ties keep the order given."""
    depths = [
        scene.overlap(State(goal.wrist + back * goal.approach, goal.rotation.as_matrix(), goal.opened, start.object_to_world))[0]
        for back in np.linspace(0.0, 0.12, 7)
    ]
    return round(max(depths), 3)
