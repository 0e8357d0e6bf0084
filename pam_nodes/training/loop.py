"""The training loop: on one device or many through accelerate, ended and gone on with at any time."""

from __future__ import annotations

import logging
import math
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..headless.compute import require
from ..headless.manifest import open_manifest
from ..headless.pose_stage import Bars, no_bars
from . import states
from .codec import CodecTask
from .config import Optimization, TrainConfig
from .draws import Batches, Draws, generator_of
from .processes import begin_states, learning, numbers
from .refiner import RefinerTask
from .tasks import Task

log = logging.getLogger(__name__)
Sheet = Callable[[int, dict[str, Tensor]], None]
"""Step and state of the trainee, to a picture of samples on disk."""


@dataclass(frozen=True)
class Run:
    """A training run on disk.

    Attributes:
        out: its folder: ``checkpoints``, ``log.jsonl``, ``tensorboard``, ``sheets`` and, newest, what was learnt.
        task: what is trained.
        held_out: latents for validation; None holds out the first of the task's own.
        sheet: draws samples on the main process, None for none.
    """

    out: Path
    task: Task | CodecTask | RefinerTask
    held_out: Task | None = None
    sheet: Sheet | None = None


def open_run(out: Path, config: TrainConfig, data: dict, stamp: dict[str, str], overwrite: bool) -> None:
    """Record what decides the result: configuration, what the data say of themselves, and models.

    Raises:
        ValueError: the folder holds a run of other settings.
    """
    settings = asdict(config)
    del settings["watching"]
    settings["held_out"] = config.watching.samples
    manifest = open_manifest(out, "train", {**settings, "models": stamp, "data": data}, overwrite)
    if overwrite and states.newest(out)[1] is not None:
        shutil.rmtree(out / states.FOLDER)
    manifest.record(states.LOG)


def train(run: Run, accelerator: Any, bars: Bars = no_bars) -> list[Path]:
    """Train until ``watching.steps``, from the newest checkpoint on.

    Args:
        run: what and where.
        accelerator: accelerate's, of any number of processes; it decides device and precision.
        bars: progress.

    Returns:
        The files of what was learnt, on the main process.

    Raises:
        ValueError: loss or gradients are no longer finite; the checkpoints from before are as they were.
        OSError: a checkpoint could not be written, as on a full disk.
    """
    config = run.task.config
    trainer = Trainer(run, accelerator)
    start = trainer.go_on()
    batches, schedule = iter(loader(run, start, accelerator)), rates(config.optimization, config.watching.steps)
    record = states.Log(run.out, start) if accelerator.is_main_process else None
    progress = bars("steps")
    try:
        for step in range(start, config.watching.steps):
            rate = config.optimization.rate * schedule(step)
            values = {"loss": trainer.step(batches, rate, step + 1), "rate": rate} | trainer.measure(step + 1)
            if record is not None:
                record.add(step + 1, **values)
            # After the line of the log: a run that ends here drops it and makes the step again, so that no step is left out.
            trainer.keep(step + 1)
            if "validation" in values and accelerator.is_main_process:
                log.info("step %d: loss %.4f, validation %.4f", step + 1, values["loss"], values["validation"])
            progress(step + 1, config.watching.steps)
    finally:
        if record is not None:
            record.close()
    return trainer.write()


class Trainer:
    """Network, optimiser and moving average of a run, on the devices of all its processes."""

    def __init__(self, run: Run, accelerator: Any):
        self.run, self.accelerator, best = run, accelerator, run.task.config.optimization
        whole = learning(run.task.trainee)
        if accelerator.is_main_process:
            log.info("%.2f M numbers learn, of %d samples", sum(p.numel() for p in whole) / 1e6, len(run.task.store))
        self.model, self.optimizer = accelerator.prepare(run.task.trainee, make_optimizer(best, whole))
        begin_states(accelerator, self.model, self.optimizer)
        self.learning = learning(self.model)
        self.average = make_average(best, self.learning)
        if self.average is not None:
            # Weights in 16 bits would hardly move in an average of 16 bits.
            self.average.to(accelerator.device, torch.float32)

    def go_on(self) -> int:
        """Bring the newest checkpoint back; the number of steps that were made."""
        start, folder = states.newest(self.run.out)
        if folder is not None:
            states.load(self.accelerator, self.average, folder, start)
            log.info("going on from step %d", start)
        return start

    def step(self, batches: Iterator[dict[str, Tensor]], rate: float, number: int) -> float:
        """Step ``number`` of the optimiser over ``accumulate`` batches, only if it is finite; the mean loss of all processes."""
        accelerator, best = self.accelerator, self.run.task.config.optimization
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        total = torch.zeros((), device=accelerator.device)
        self.model.train()
        for _ in range(best.accumulate):
            batch = {name: value.to(accelerator.device, non_blocking=True) for name, value in next(batches).items()}
            # Processes exchange gradients with the last batch of a step only.
            with accelerator.accumulate(self.model):
                loss = self.losses(batch).mean()
                accelerator.backward(loss)
            total += loss.detach() / best.accumulate
        loss = float(accelerator.reduce(total, "mean"))
        self._require_finite("loss", loss, number)
        norm = accelerator.clip_grad_norm_(list(self.model.parameters()), best.clip or math.inf)
        # With fp16 gradients run over at times; the scaler leaves such steps out.
        if norm is not None and accelerator.scaler is None:
            self._require_finite("gradient", float(norm), number)
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self.average is not None:
            self.average.step(self.learning)
        return loss

    def losses(self, batch: dict[str, Tensor]) -> Tensor:
        """(B,) loss of each sample."""
        with numbers(self.accelerator):
            return self.model(batch).float()

    def _require_finite(self, what: str, value: float, step: int) -> None:
        """Raise ValueError for what would spoil the weights."""
        if math.isfinite(value):
            return
        done, folder = states.newest(self.run.out)
        kept = f"{folder} and the files beside it hold step {done}" if folder is not None else "nothing was saved yet"
        raise ValueError(
            f"Expected a finite {what}, found {value} in step {step}: {kept}; go on from there in another folder (--from-control) with "
            "a lower optimization.rate, optimization.clip or precision fp32, or look for broken latents."
        )

    def measure(self, done: int) -> dict[str, float]:
        """Validate after a step where it is time to; what was measured."""
        watching = self.run.task.config.watching
        if done != watching.steps and done % watching.validate:
            return {}
        value = self.validate()
        self._require_finite("validation loss", value, done)
        return {"validation": value}

    def keep(self, done: int) -> None:
        """Save and draw after a step where it is time to."""
        watching = self.run.task.config.watching
        if done == watching.steps or done % watching.save == 0:
            states.save(self.accelerator, self.average, self.run.out, done, watching.keep)
            self.write()
        if watching.sheet and done % watching.sheet == 0:
            state = self.state()
            if self.run.sheet is not None:
                self.run.sheet(done, state)

    @torch.no_grad()
    def validate(self) -> float:
        """Mean loss of held-out samples at fixed times with fixed noise, with the averaged weights where there are some."""
        task = self.run.held_out or self.run.task
        config, losses = task.config, []
        count, size = min(config.watching.samples, len(task.store)), config.optimization.batch
        self.model.eval()
        with self._averaged():
            for number, time in enumerate(task.times):
                draw = task.draw(time)
                for first in range(0, count, size):
                    places = range(first, min(first + size, count))
                    rows = [draw(index, generator_of(config.seed, number, index)) for index in places]
                    batch = {name: torch.stack([row[name] for row in rows]).to(self.accelerator.device) for name in rows[0]}
                    losses.append(self.losses(batch))
        return float(torch.cat(losses).mean())

    def state(self) -> dict[str, Tensor]:
        """The trainee's tensors, averaged where there is an average; of parts of it on the main process alone."""
        with self._averaged():
            found = self.accelerator.get_state_dict(self.model) or {}
            return {name: value.detach().clone() for name, value in found.items()}

    def write(self) -> list[Path]:
        """Write what was learnt so far; the files, on the main process."""
        state = self.state()
        return self.run.task.write(self.run.out, state) if self.accelerator.is_main_process else []

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """Have the averaged weights in the network while the block runs."""
        if self.average is None:
            yield
            return
        self.average.store(self.learning)
        self.average.copy_to(self.learning)
        try:
            yield
        finally:
            self.average.restore(self.learning)


def loader(run: Run, start: int, accelerator: Any) -> torch.utils.data.DataLoader:
    """Batches of this process from a step on."""
    config = run.task.config
    learnt = run.task.learnt(0 if run.held_out is not None else config.watching.samples)
    if not learnt:
        raise ValueError(
            f"Expected clips beside the {config.watching.samples} samples held out for validation, found {len(run.task.store)} samples: "
            "encode more clips, lower watching.samples, or give --validation."
        )
    best, watching, windows = config.optimization, config.watching, config.windows
    windowed = windows.steps * best.accumulate * best.batch * accelerator.num_processes
    draws = Draws(learnt, run.task.draw(), config.seed, windows.size, windowed)
    batches = Batches(start, watching.steps, best.accumulate, best.batch, accelerator.process_index, accelerator.num_processes)
    pinned = accelerator.device.type == "cuda"
    return torch.utils.data.DataLoader(draws, batch_sampler=batches, num_workers=watching.workers, pin_memory=pinned)


def make_optimizer(best: Optimization, learning: list) -> torch.optim.Optimizer:
    """Adam, in 8 bits by choice."""
    settings = {"lr": best.rate, "betas": best.betas, "eps": best.eps, "weight_decay": best.weight_decay}
    if best.name == "adamw8bit":
        require("for adamw8bit", "bitsandbytes")
        from bitsandbytes.optim import AdamW8bit

        return AdamW8bit(learning, **settings)
    return torch.optim.AdamW(learning, **settings)


def make_average(best: Optimization, learning: list) -> Any | None:
    """diffusers' moving average of the weights, which forgets the start sooner: min(decay, (1 + n) / (10 + n))."""
    if not best.ema:
        return None
    from diffusers.training_utils import EMAModel

    return EMAModel(learning, decay=best.ema)


def rates(best: Optimization, steps: int) -> Callable[[int], float]:
    """The factor of the learning rate at a step, diffusers' schedule of that name; it depends on the step alone."""
    from diffusers.optimization import get_scheduler

    nothing = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = get_scheduler(best.schedule, nothing, num_warmup_steps=best.warmup, num_training_steps=steps)
    return schedule.lr_lambdas[0]
