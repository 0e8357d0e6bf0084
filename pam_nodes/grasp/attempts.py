"""Simulate again and again until a grasp holds; keep the best."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice, zip_longest

from ..progress import Progress
from .controller import Recording, Tick
from .quality import assess, good, merit
from .scene import UnstableSimulationError
from .setting import RolloutOptions, Setting
from .trajectory import GraspReport

log = logging.getLogger(__name__)

Attempt = Callable[[int, Tick], tuple[Recording, GraspReport]]
"""``attempt(number, tick)`` simulates once; ``tick`` is called in each control step."""

LEAD = 2
"""Attempts made before others get a turn."""

TABLE_STRIDE = 5
"""Every how many states the hand's height above the table is looked at."""


def attempt_of(run: Callable[[Tick], Recording], setting: Setting, options: RolloutOptions, controller: str) -> Attempt:
    """A simulation with its report; ``controller`` names what moves the hand."""

    def attempt(number: int, tick: Tick) -> tuple[Recording, GraspReport]:
        recording = run(tick)
        goal = options.carry.goal if options.carry else None
        below = setting.below_table(recording.states[: recording.end : TABLE_STRIDE])
        return recording, assess(recording, setting.center_of_mass, options.lift_height, number, goal, below, controller)

    return attempt


def in_turn(attempts: Iterable[Attempt], others: Iterable[Attempt]) -> Iterator[Attempt]:
    """Some attempts first, then others and the rest of them in turn; others that raise ValueError are left out."""
    attempts = iter(attempts)
    yield from islice(attempts, LEAD)
    for pair in zip_longest(_until_refused(others), attempts):
        yield from (attempt for attempt in pair if attempt is not None)


def _until_refused(attempts: Iterable[Attempt]) -> Iterator[Attempt]:
    try:
        yield from attempts
    except ValueError as refusal:
        log.info("%s", refusal)


def best_of(attempts: Iterable[Attempt], most: int, steps: int, progress: Progress) -> tuple[Recording, GraspReport]:
    """Attempts until one holds the object upright and above the table; else the best of them.

    Args:
        attempts: as many as there are.
        most: attempts to make.
        steps: control steps of one attempt at most, the unit of the progress report.
        progress: called in each control step; may raise to cancel.

    Raises:
        UnstableSimulationError: every attempt diverged.
    """
    total = most * steps
    best: tuple[Recording, GraspReport] | None = None
    number = 0
    for number, attempt in enumerate(islice(attempts, most), start=1):
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
        if good(report):
            break
    if best is None:
        raise UnstableSimulationError(
            f"The simulation became unstable in all {number} attempts: try a simpler mesh, another pose or a heavier object."
        )
    progress(total, total)
    return best[0], replace(best[1], attempts=number)
