"""Progress and cancel of the host, in the form core loops understand."""

import comfy.model_management
import comfy.utils

from ..progress import Progress


def reporter() -> Progress:
    """A ``Progress`` that moves the running node's bar and raises when the person presses cancel."""
    bar = None

    def report(done: int, total: int) -> None:
        nonlocal bar
        comfy.model_management.throw_exception_if_processing_interrupted()
        bar = bar or comfy.utils.ProgressBar(total)
        bar.update_absolute(done, total)

    return report
