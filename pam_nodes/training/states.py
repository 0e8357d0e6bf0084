"""Checkpoints of a run: whole or not there, the newest found by its step, only the last few kept."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from torch import Tensor

from ..headless.files import save_json
from ..tensor_files import open_tensors, write_tensors
from .processes import average_file, layout, mine

FOLDER, LOG, STEP = "checkpoints", "log.jsonl", "step.json"


def newest(out: Path) -> tuple[int, Path | None]:
    """Step and folder of the last whole checkpoint; (0, None) without one."""
    found = [(int(match[1]), path) for path in (out / FOLDER).glob("step_*") if (match := re.fullmatch(r"step_(\d+)", path.name))]
    return max(found, default=(0, None))


def save(accelerator: Any, average: Any | None, out: Path, step: int, keep: int) -> None:
    """Write weights that learn, optimiser and moving average; the folder gets its name when all is in it.

    Raises:
        OSError: it cannot be written, as on a full disk; the checkpoints from before stay, and nothing is left of this one.
    """
    from safetensors import SafetensorError

    folder = out / FOLDER / f"step_{step:07}"
    part = folder.with_name(f".part-{folder.name}")
    try:
        _write(accelerator, average, folder, part, step)
    except (OSError, RuntimeError, SafetensorError) as error:
        shutil.rmtree(part, ignore_errors=True)
        raise OSError(f"Could not write the checkpoint of step {step} ({error}): free some disk space and run again") from error
    if accelerator.is_main_process:
        for old in sorted(folder.parent.glob("step_*"))[:-keep]:
            shutil.rmtree(old)
    accelerator.wait_for_everyone()


def _write(accelerator: Any, average: Any | None, folder: Path, part: Path, step: int) -> None:
    if accelerator.is_main_process:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
    accelerator.wait_for_everyone()
    accelerator.save_state(str(part))
    if average is not None and (accelerator.is_main_process or accelerator.distributed_type == "FSDP"):
        shadow = {name: mine(value) for name, value in enumerate_names(average.shadow_params)}
        write_tensors(average_file(accelerator, part), shadow, {})
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        save_json(part / STEP, {"step": step, "weights": layout(accelerator)})
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)


def load(accelerator: Any, average: Any | None, folder: Path, step: int) -> None:
    """Bring weights, optimiser and moving average back.

    Raises:
        ValueError: a file is broken or missing, or the weights are in other parts.
    """
    from safetensors import SafetensorError
    from torch.cuda import OutOfMemoryError

    try:
        kept, wanted = _layout(folder), layout(accelerator)
        if kept == wanted:
            _load(accelerator, average, folder, step)
    except OutOfMemoryError:
        raise
    except (OSError, RuntimeError, ValueError, KeyError, EOFError, SafetensorError, UnpicklingError) as error:
        reason = str(error).strip().partition("\n")[0][:160]
        raise ValueError(
            f"Expected a whole checkpoint in {folder}, could not read it ({reason}): delete it, the run goes on from the one before."
        ) from error
    if kept != wanted:
        raise ValueError(f"Expected a checkpoint with weights {wanted}, found {kept} in {folder}: start as many processes of that kind.")


def _load(accelerator: Any, average: Any | None, folder: Path, step: int) -> None:
    accelerator.load_state(str(folder))
    if average is not None:
        found = open_tensors(average_file(accelerator, folder)).read()
        for name, value in enumerate_names(average.shadow_params):
            mine(value).copy_(found[name])
        average.optimization_step = step


def _layout(folder: Path) -> str:
    """How the weights of a checkpoint lie."""
    path = folder / STEP
    return json.loads(path.read_text(encoding="utf-8")).get("weights", "whole") if path.is_file() else "whole"


def enumerate_names(values: list[Tensor]) -> list[tuple[str, Tensor]]:
    """Names for tensors in a list."""
    return [(f"{index:05}", value) for index, value in enumerate(values)]


class Log:
    """What was measured, a line of JSON each, and in TensorBoard where it is installed; lines after the step gone on from are dropped."""

    def __init__(self, out: Path, step: int):
        self.path = out / LOG
        kept = [line for line in read_log(out) if line["step"] <= step]
        out.mkdir(parents=True, exist_ok=True)
        self.path.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
        try:
            from torch.utils.tensorboard import SummaryWriter

            self.board = SummaryWriter(str(out / "tensorboard"), purge_step=step + 1)
        except ImportError:
            self.board = None

    def add(self, step: int, **values: float) -> None:
        """Note values of a step."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
        for name, value in values.items():
            if self.board is not None:
                self.board.add_scalar(name, value, step)

    def close(self) -> None:
        """Write what is still held back."""
        if self.board is not None:
            self.board.close()


def read_log(out: Path) -> list[dict]:
    """The lines of a run's log; a line cut off by a crash is left out."""
    path = out / LOG
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            lines.append(json.loads(text))
        except ValueError:
            continue
    return lines
