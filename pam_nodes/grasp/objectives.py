"""Grasps to try when no target pose is given: heading, in-plane turn and midpoint, sampled and ranked (specs: graspxl 7)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from .controller import Goal
from .grips import PINCH_OPENINGS, Grip, measure_grip, measure_pinch
from .policy_objectives import WIDTH, ObjectiveChoice
from .scene import Scene, State

FREE = ObjectiveChoice()
CANDIDATES = 1000
AROUND = 0.05
"""Metres around a point of the surface in which it is measured for its narrow side."""

FAR = 0.095
"""Metres by which a goal may be moved back until the open hand is clear, when there is none that needs only ``Grip.retreat``."""

UNDERSIDE = 0.008
"""Metres above the table up to which nothing can get between table and object."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """A grasp to try: how much the hand must move for it, and what speaks against its hold, both about 0 to 1."""

    goal: Goal
    grip: Grip
    effort: float
    doubt: float


def sample_goals(scene: Scene, start: State, rng: np.random.Generator, count: int, name: str, choice: ObjectiveChoice = FREE) -> list[Goal]:
    """Grasps of the object where it stands, the most promising first.

    A grasp is promising when the hand turns little from its start, comes from its own side, and holds a narrow part near the mass centre.

    Args:
        scene: hand and object.
        start: h_0 and o_0.
        rng: source of the samples.
        count: how many to return at most; they differ clearly from each other.
        name: of the object, for messages.
        choice: heading, midpoint and span that the person fixed, world frame; the turn about the heading is always sampled.

    Returns:
        Goals whose hand stays above the table and whose open hand does not touch the object.

    Raises:
        ValueError: the object is too wide in every direction tried, or no direction keeps the hand above the table.
    """
    kinds = [[measure_grip(scene)], [measure_pinch(scene, opening) for opening in PINCH_OPENINGS]]
    widest = max(grip.span for grips in kinds for grip in grips) if choice.span == WIDTH else choice.span
    candidates, widths = _candidates(scene, start, rng, kinds, widest, choice)
    if not candidates:
        raise ValueError(
            f"The {name} is {min(widths) * 100:.0f} cm wide in the narrowest direction the hand could close on, "
            f"this hand spans {widest * 100:.0f} cm: scale the object down."
        )
    goals = _distinct(scene, start, _interleave(candidates), count)
    if not goals:
        raise ValueError(f"Found no way to grasp the {name} with the open hand above the table: raise the object or give a target pose.")
    return goals


def _candidates(
    scene: Scene, start: State, rng: np.random.Generator, kinds: list[list[Grip]], widest: float, choice: ObjectiveChoice
) -> tuple[list[Candidate], list[float]]:
    """Grasps that the object is narrow enough for, and all widths that were measured.

    Of each kind of grip, narrow to wide, the first that spans the object is taken. Every other closing direction is the narrow one.
    """
    pose = start.object_to_world
    surface = scene.shape.samples @ pose[:3, :3].T + pose[:3, 3]
    middle = pose[:3, :3] @ scene.shape.center_of_mass + pose[:3, 3]
    size = np.linalg.norm(np.ptp(surface, axis=0))
    candidates, widths = [], []
    for number in range(CANDIDATES):
        heading, across = _random_frame(rng, choice.heading)
        seed = surface[rng.integers(len(surface))] if choice.midpoint is None else np.asarray(choice.midpoint, dtype=np.float64)
        if number % 2:
            across = _narrow(surface, seed, heading)
        for grips in kinds:
            frame = grips[0].frame(heading, across)
            if frame is None:
                continue
            target, width, top = _local_grip(surface, seed, *frame, grips[0])
            widths.append(width)
            grip = next((grip for grip in grips if width <= min(grip.span, widest)), None)
            if grip is None or ((target - middle) @ frame[0] < -0.01 and choice.midpoint is None):
                continue
            if not grip.pinch and target[2] - abs(frame[1][2]) * width / 2 < UNDERSIDE:
                continue
            doubt = np.linalg.norm(target - middle) / size + 0.3 * width / grip.span + grip.cost(top)
            candidates.append(_candidate(start, grip, *frame, target, middle, float(doubt)))
    return candidates, widths


def _candidate(
    start: State, grip: Grip, heading: np.ndarray, across: np.ndarray, target: np.ndarray, middle: np.ndarray, doubt: float
) -> Candidate:
    """A grasp at ``target``, with how far the hand must turn and go around the middle of the object for it."""
    rotation = _align(grip, heading, across)
    turn = (rotation * Rotation.from_matrix(start.rotation).inv()).magnitude()
    side = np.arccos(np.clip(heading @ (start.wrist - middle) / np.linalg.norm(start.wrist - middle), -1, 1))
    goal = Goal(target - rotation.apply(grip.center), rotation, heading, grip.opened, grip.closed, preshape=0.0)
    return Candidate(goal, grip, turn / np.pi + 0.7 * side / np.pi, doubt)


def _interleave(candidates: list[Candidate]) -> list[Candidate]:
    """Alternate between the order that prefers little motion and the one that prefers a good grip."""
    near = sorted(candidates, key=lambda one: one.effort + one.doubt)
    firm = sorted(candidates, key=lambda one: 0.3 * one.effort + 2 * one.doubt)
    return [one for pair in zip(near, firm, strict=True) for one in pair]


def _random_frame(rng: np.random.Generator, fixed: tuple[float, float, float] | None) -> tuple[np.ndarray, np.ndarray]:
    """A heading that does not come from below, or the fixed one, and a closing direction at right angles to it."""
    heading, across = rng.normal(size=(2, 3))
    if fixed is not None:
        heading = np.array(fixed, dtype=np.float64)
    heading /= np.linalg.norm(heading)
    if fixed is None and heading[2] < -0.2:
        heading[2] = abs(heading[2])
    across -= heading * (across @ heading)
    return heading, across / np.linalg.norm(across)


def _narrow(surface: np.ndarray, seed: np.ndarray, heading: np.ndarray) -> np.ndarray:
    """(3,) direction at right angles to the heading in which the surface around a point of it is narrowest."""
    near = surface[((surface - seed) ** 2).sum(1) < AROUND**2] - seed
    flat = near - np.outer(near @ heading, heading)
    return np.linalg.eigh(flat.T @ flat / len(flat) - np.outer(flat.mean(0), flat.mean(0)) + 10 * np.outer(heading, heading))[1][:, 0]


def _local_grip(
    surface: np.ndarray, seed: np.ndarray, heading: np.ndarray, across: np.ndarray, grip: Grip
) -> tuple[np.ndarray, float, float]:
    """Point to grasp, centred between thumb and fingers; the width there of what the hand would close on; its height (metres)."""
    beside = np.abs((surface - seed) @ np.cross(heading, across)) < grip.breadth
    height = (surface - seed) @ heading
    near = np.abs((surface - seed) @ across) < 0.015
    top = height[beside & near].max(initial=0.0)
    held = surface[beside & (height > top - grip.depth - 0.03)]
    side = (held - seed) @ across
    depth = grip.reach(np.ptp(held @ heading))
    return seed + across * (side.min() + side.max()) / 2 + heading * (top - depth), float(np.ptp(side)), float(held[:, 2].max())


def _align(grip: Grip, heading: np.ndarray, across: np.ndarray) -> Rotation:
    """Wrist orientation whose palm looks against ``heading`` and whose fingers close along ``across``."""
    hand = np.stack([grip.forward, grip.across, np.cross(grip.forward, grip.across)], 1)
    world = np.stack([-heading, across, np.cross(-heading, across)], 1)
    return Rotation.from_matrix(world @ hand.T)


def _distinct(scene: Scene, start: State, candidates: list[Candidate], count: int) -> list[Goal]:
    """First ``count`` feasible goals that differ by 2 cm or 0.3 rad; those that stay back more only if there are no others."""
    goals: list[Goal] = []
    for far in (False, True):
        if goals:
            break
        tried: list[Goal] = []
        for candidate in candidates:
            if len(goals) == count:
                return goals
            if any(_alike(candidate.goal, other) for other in tried):
                continue
            tried.append(candidate.goal)
            goal = _settle(scene, start, candidate, far)
            if goal is not None and not any(_alike(goal, other) for other in goals):
                goals.append(goal)
    return goals


def _alike(one: Goal, other: Goal) -> bool:
    return np.linalg.norm(one.wrist - other.wrist) < 0.02 and (one.rotation * other.rotation.inv()).magnitude() < 0.3


def _settle(scene: Scene, start: State, candidate: Candidate, far: bool) -> Goal | None:
    """Move the goal back along its approach, until the open hand is clear; None if it never is."""
    goal, grip = candidate.goal, candidate.grip
    lowest = (goal.rotation.apply(grip.swept) + goal.wrist)[:, 2].min()
    for back in np.arange(grip.retreat, FAR, 0.005) if far else np.arange(0.0, grip.retreat, 0.0025):
        if lowest + back * goal.approach[2] < grip.margin:
            continue
        wrist = goal.wrist + back * goal.approach
        depth, _ = scene.overlap(State(wrist, goal.rotation.as_matrix(), goal.opened, start.object_to_world))
        if depth < 1e-3:
            return replace(goal, wrist=wrist)
    return None
