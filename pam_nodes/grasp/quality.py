"""Judge one attempt: was the object lifted and did it stay in the hand."""

from __future__ import annotations

import numpy as np

from .controller import Recording
from .scene import State
from .trajectory import GraspReport

LIFTED, SLIP = 0.1, 0.02
"""Metres: success means lifted more than the first and slipped less than the second while held (specs: graspxl 10)."""

TOPPLED = 0.03
"""Metres: an object that moved further before the hand arrived did not rest where it was placed."""


def assess(recording: Recording, lift_height: float, attempts: int) -> GraspReport:
    """Report of one attempt.

    Args:
        recording: its states.
        lift_height: metres that were asked for; half of it is enough when it is small.
        attempts: how many were made so far.
    """
    first, last = recording.states[0], recording.states[-1]
    lifted = float((last.object_to_world - first.object_to_world)[2, 3])
    slip = float(np.linalg.norm(in_hand(last) - in_hand(recording.states[recording.hold])))
    enough = min(LIFTED, lift_height / 2)
    success = lifted > enough and slip < SLIP
    links = len(recording.links)
    if success:
        message = f"Lifted {lifted * 100:.0f} cm, {links} links in contact."
    elif lifted > enough:
        message = f"Lifted {lifted * 100:.0f} cm, but the object slipped {slip * 100:.1f} cm while held."
    elif not links:
        message = "The hand lost the object or never touched it: move the target pose or the start pose closer around it."
    else:
        message = f"The object rose only {max(lifted, 0) * 100:.0f} cm: try another pose, more attempts or a lighter object."
    return GraspReport(success, lifted, slip, recording.overlap, links, attempts, message)


def in_hand(state: State) -> np.ndarray:
    """(3,) position of the object's origin seen from the wrist."""
    return state.rotation.T @ (state.object_to_world[:3, 3] - state.wrist)


def describe(report: GraspReport) -> str:
    """The report as one line for people."""
    verdict = "success" if report.success else "no stable grasp"
    return (
        f"{verdict} after {report.attempts} attempt{'s' if report.attempts > 1 else ''}. {report.message} "
        f"Lift {report.lifted * 100:.1f} cm, slip {report.slip * 1000:.1f} mm, overlap {report.penetration * 1000:.1f} mm, "
        f"{report.contact_links} contact links."
    )
