"""Grasps without learned weights: the hand follows a target pose, or a sampled grasp, by physics (specs: graspxl 10)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np
from scipy.spatial.transform import Rotation

from .attempts import Attempt, attempt_of
from .controller import CLOSE_STEPS, HOLD_STEPS, LIFT_STEPS, Goal, Tuning, run_attempt
from .objectives import sample_goals
from .scene import Scene
from .setting import RolloutOptions, Setting
from .target import target_goals

DEEPER = 0.01
"""Metres by which each later attempt at a target pose goes further; its fingers then close until contact, whatever the pose says."""

STEPS = 250 + CLOSE_STEPS + LIFT_STEPS + HOLD_STEPS
"""Control steps of an attempt at most, without a carry."""


def tracked_grasps(setting: Setting, options: RolloutOptions) -> Iterator[Attempt]:
    """Attempts that approach, close, squeeze, lift and hold, each with other variations.

    Raises:
        ValueError: no grasp of this object can be tried.
    """
    scene = Scene(setting.body, setting.limits(np.zeros(45)), setting.shape, setting.mass, setting.avoid)
    setting.check_start(scene)
    for goal, tuning in _plans(scene, setting, options):
        run = partial(run_attempt, scene, setting.first, goal, tuning, options.lift_height, carry=options.carry)
        yield attempt_of(run, setting, options, "tracking")


def _plans(scene: Scene, setting: Setting, options: RolloutOptions) -> Iterator[tuple[Goal, Tuning]]:
    """What each attempt does: the grasps as they are first, then variations of them."""
    rng = np.random.default_rng(options.seed)
    if setting.grasp is None:
        goals = sample_goals(scene, setting.first, rng, options.max_attempts, setting.name, options.choice)
    else:
        goals = target_goals(scene, setting.first, setting.grasp, setting.name)
    for attempt in range(options.max_attempts):
        goal, tuning = goals[attempt % len(goals)], Tuning(friction=options.friction)
        if attempt >= len(goals):
            goal, tuning = _varied(goal, options.friction, rng)
            if setting.grasp is not None:
                deeper = min(attempt - len(goals), 2) * DEEPER
                goal = replace(goal, closed=None, wrist=goal.wrist - deeper * goal.approach)
        yield goal, tuning


def _varied(goal: Goal, friction: float, rng: np.random.Generator) -> tuple[Goal, Tuning]:
    """The same grasp a few millimetres away, with another squeeze and another way in."""
    tuning = Tuning(
        squeeze=rng.uniform(0.25, 0.6),
        reach=rng.uniform(0.35, 0.8),
        advance=rng.uniform(0.0, 0.025),
        standoff=rng.uniform(0.08, 0.2),
        stiffness=rng.choice([10.0, 16.0, 24.0]),
        friction=friction * rng.choice([1.0, 4 / 3]),
        patience=rng.choice([0, 60]),
    )
    return replace(goal, wrist=goal.wrist + rng.normal(scale=0.004, size=3)), tuning


def unrest(setting: Setting) -> str:
    """A sentence when the object does not stay where it was placed while the hand stands still, else nothing."""
    first = setting.first
    scene = Scene(setting.body, setting.limits(np.zeros(45)), setting.shape, setting.mass, setting.avoid)
    scene.reset(first)
    for _ in range(60):
        scene.command(first.wrist, Rotation.from_matrix(first.rotation), first.hinges)
    moved = np.linalg.norm(scene.state().object_to_world[:3, 3] - first.object_to_world[:3, 3])
    if moved < 0.02:
        return ""
    return f" The {setting.name} does not rest at its start pose, it moves {moved * 100:.0f} cm by itself: place it on the table."
