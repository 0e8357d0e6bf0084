"""``python -m pam_nodes``: choose a command, run it, say in one sentence what is wrong."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sys
import threading
import warnings
from collections.abc import Sequence
from pathlib import Path

from ..progress import Progress
from . import appearance, chain, data, encode, evaluate, motion, pose, render, train

log = logging.getLogger("pam_nodes")
COMMANDS = (pose, render, appearance, motion, chain, data, encode, train, evaluate)
BAD_INPUT, FAILED, STOPPED = 2, 1, 130
KEPT = "Finished files stay: the same command goes on after them."


_stopping = threading.Event()


def stop(*_) -> None:
    """Handler of Ctrl-C. Python loses an interrupt that meets a destructor, so the next step of any progress raises it again."""
    _stopping.set()
    raise KeyboardInterrupt


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="python -m pam_nodes", description=__doc__.splitlines()[0])
    top.add_argument("-q", "--quiet", action="store_true", help="only warnings and errors")
    top.add_argument("--debug", action="store_true", help="show where an error comes from")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in COMMANDS:
        name = module.__name__.rsplit(".", 1)[1]
        summary = module.__doc__.strip().splitlines()[0]
        sub = commands.add_parser(
            name,
            help=summary,
            usage=f"%(prog)s {module.INPUT} --out FOLDER [options]",
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            epilog=KEPT,
            allow_abbrev=False,
        )
        sub.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where results go; finished ones there are kept")
        sub.add_argument("--overwrite", action="store_true", help="make results anew that were made with other settings")
        module.add_arguments(sub)
        sub.set_defaults(run=module.run)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns:
        0, or 2 for input that cannot work, 1 for a failure on the way, 130 after Ctrl-C.
    """
    args = parser().parse_args(arguments)
    logging.basicConfig(format="%(message)s", level=logging.WARNING if args.quiet else logging.INFO, stream=sys.stderr)
    for name in ("DIFFUSERS_VERBOSITY", "TRANSFORMERS_VERBOSITY"):
        os.environ.setdefault(name, "error")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    warnings.filterwarnings("ignore", category=FutureWarning, module="diffusers")
    try:
        with _logs_beside_bars():
            results = args.run(args, _bars)
    except KeyboardInterrupt:
        log.warning("Stopped. %s", KEPT)
        return STOPPED
    except (ValueError, FileNotFoundError, NotADirectoryError, ImportError) as error:
        log.error("%s", error, exc_info=args.debug)
        return BAD_INPUT
    except (OSError, RuntimeError) as error:
        log.error("%s", _explained(error), exc_info=args.debug)
        return FAILED
    sys.stdout.writelines(f"{path}\n" for path in results)
    return 0


def _explained(error: Exception) -> str:
    """One sentence, and what to do about it."""
    if "out of memory" in str(error).lower():
        return f"The GPU's memory is too small for this: add --quantize fp8 or --offload group, or free memory. {KEPT}"
    return f"{type(error).__name__}: {str(error).rstrip('.')}. {KEPT}"


def _bars(label: str) -> Progress:
    """A bar on a terminal; nothing elsewhere."""
    from tqdm import tqdm

    bar = tqdm(desc=label, disable=None, leave=False)

    def report(done: int, total: int) -> None:
        if _stopping.is_set():
            raise KeyboardInterrupt
        bar.total = total
        bar.update(done - bar.n)
        if done >= total:
            bar.close()

    return report


def _logs_beside_bars() -> contextlib.AbstractContextManager:
    from tqdm.contrib.logging import logging_redirect_tqdm

    return logging_redirect_tqdm()
