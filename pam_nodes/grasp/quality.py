"""Judge one attempt: was the object lifted and did it stay in the hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .controller import Recording
from .scene import State
from .trajectory import GraspReport

LIFTED, SLIP = 0.1, 0.02
"""Metres: success means lifted more than the first and slipped less than the second while held (specs: graspxl 10)."""

STEADY = np.radians(30)
"""Tilt of the object at which an attempt is taken at once; a successful one that tilts it more is kept in case no better one comes."""

UNDER_TABLE = 0.01
"""Metres that skin may be under the table, about what it would give; a grasp that reaches deeper has not succeeded."""

ARRIVED, ALIGNED = 0.03, np.radians(20)
"""Metres and radians from its goal within which an object has arrived."""


def assess(
    recording: Recording,
    center: np.ndarray,
    lift_height: float,
    attempts: int,
    goal: np.ndarray | None = None,
    below_table: float = 0.0,
    controller: str = "tracking",
) -> GraspReport:
    """Report of one attempt.

    Args:
        recording: its states.
        center: (3,) centre of mass in the object's frame, whose rise and slip are measured.
        lift_height: metres that were asked for; half of it is enough when it is small.
        attempts: how many were made so far.
        goal: (4, 4) object_to_world at the end, if the object was carried.
        below_table: metres by which the hand reaches under the table.
        controller: what moved the hand.
    """
    first, last = recording.states[0], recording.states[recording.end]
    lifted = float((_world(last, center) - _world(first, center))[2])
    slip = float(np.linalg.norm(_in_hand(last, center) - _in_hand(recording.states[recording.hold], center)))
    turn = last.object_to_world[:3, :3] @ first.object_to_world[:3, :3].T
    tilt = float(np.arccos(np.clip(turn[2, 2], -1, 1)))
    enough = min(LIFTED, lift_height / 2)
    success, links = lifted > enough and slip < SLIP, len(recording.links)
    distance = angle = None
    if goal is not None:
        distance, angle = _from_goal(recording.states[-1], center, goal)
    if success:
        message = f"Lifted {lifted * 100:.0f} cm, {links} links in contact."
    elif lifted > enough:
        message = f"Lifted {lifted * 100:.0f} cm, but the object slipped {slip * 100:.1f} cm while held."
    elif not links:
        message = "The hand lost the object or never touched it: move the target pose or the start pose closer around it."
    else:
        message = f"The object rose only {max(lifted, 0) * 100:.0f} cm: try another pose, more attempts or a lighter object."
    if success and below_table > UNDER_TABLE:
        success = False
        message = f"Lifted, but the hand reaches {below_table * 100:.0f} cm under the table: try more attempts, or give a target pose."
    if distance is not None and success and not (distance < ARRIVED and angle < ALIGNED):
        success = False
        message = f"Lifted, but the object ended {distance * 100:.0f} cm and {np.degrees(angle):.0f} degrees from its goal."
    mean, deepest = contact_summary(recording.overlaps)
    return GraspReport(success, lifted, slip, deepest, links, attempts, message, tilt, mean, distance, angle, below_table, controller)


def contact_summary(overlaps: Sequence[float]) -> tuple[float, float]:
    """Mean and largest of the overlaps, metres, over the steps with contact; zeros without any."""
    touching = np.array([depth for depth in overlaps if depth > 0])
    return (float(touching.mean()), float(touching.max())) if len(touching) else (0.0, 0.0)


def _from_goal(state: State, center: np.ndarray, goal: np.ndarray) -> tuple[float, float]:
    """Distance of the centre of mass and angle of the object from its goal."""
    offset = _world(state, center) - (goal[:3, :3] @ center + goal[:3, 3])
    turn = state.object_to_world[:3, :3] @ goal[:3, :3].T
    return float(np.linalg.norm(offset)), float(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1)))


def good(report: GraspReport) -> bool:
    """Whether to look no further: held, and upright."""
    return report.success and report.tilt < STEADY


def merit(report: GraspReport) -> tuple[bool, float]:
    """Order of attempts: success first, then upright and firmly held ones that go least under the table."""
    firm = min(report.lifted, 2 * LIFTED) - report.slip - 0.1 * report.tilt
    return report.success, firm - 2 * report.below_table


def _world(state: State, center: np.ndarray) -> np.ndarray:
    return state.object_to_world[:3, :3] @ center + state.object_to_world[:3, 3]


def _in_hand(state: State, center: np.ndarray) -> np.ndarray:
    return state.rotation.T @ (_world(state, center) - state.wrist)


def describe(report: GraspReport) -> str:
    """The report as one line for people."""
    verdict = "success" if report.success else "no stable grasp"
    goal = ""
    if report.goal_distance is not None:
        goal = f" {report.goal_distance * 1000:.0f} mm and {np.degrees(report.goal_angle):.0f} deg from the goal."
    return (
        f"{verdict} after {report.attempts} attempt{'s' if report.attempts > 1 else ''}. {report.message} "
        f"Lift {report.lifted * 100:.1f} cm, tilt {np.degrees(report.tilt):.0f} deg, slip {report.slip * 1000:.1f} mm, "
        f"overlap {report.penetration * 1000:.1f} mm, {report.contact_links} contact links.{goal}"
    )
