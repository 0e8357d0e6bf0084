"""Simulate again and again until a grasp holds; keep the best."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace

from ..progress import Progress
from .controller import Recording, Tick
from .quality import STEADY, merit
from .scene import UnstableSimulationError
from .trajectory import GraspReport

log = logging.getLogger(__name__)

Attempt = Callable[[int, Tick], tuple[Recording, GraspReport]]
"""``attempt(number, tick)`` simulates once; ``tick`` is called in each control step."""


def best_of(attempts: Iterable[Attempt], most: int, steps: int, progress: Progress) -> tuple[Recording, GraspReport]:
    """Attempts until one holds the object upright; else the best of them.

    Args:
        attempts: at most ``most`` of them.
        most: attempts.
        steps: control steps of one attempt at most, the unit of the progress report.
        progress: called in each control step; may raise to cancel.

    Raises:
        UnstableSimulationError: every attempt diverged.
    """
    total = most * steps
    best: tuple[Recording, GraspReport] | None = None
    number = 0
    for number, attempt in enumerate(attempts, start=1):
        ticks = iter(range((number - 1) * steps, total))

        def tick(ticks=ticks) -> None:
            progress(next(ticks), total)

        try:
            recording, report = attempt(number, tick)
        except UnstableSimulationError:
            log.info("Attempt %d became unstable.", number)
            continue
        log.debug("Attempt %d: %s", number, report)
        if best is None or merit(report) > merit(best[1]):
            best = recording, report
        if report.success and report.tilt < STEADY:
            break
    if best is None:
        raise UnstableSimulationError(
            f"The simulation became unstable in all {number} attempts: try a simpler mesh, another pose or a heavier object."
        )
    progress(total, total)
    return best[0], replace(best[1], attempts=number)
