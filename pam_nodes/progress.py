"""How long core loops report progress and are interrupted, without knowing the host."""

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called as ``progress(done, total)`` in every long loop. It may raise to cancel; the loop must let that pass."""


def silent(done: int, total: int) -> None:
    """Report nothing: the default of every core function that takes a ``Progress``."""


def stage(progress: Progress, index: int, count: int) -> Progress:
    """A ``Progress`` for the ``index``-th of ``count`` stages that take about as long each and as many steps."""
    return lambda done, total: progress(index * total + done, count * total)
