"""The training loop: on one device or many through accelerate, ended and gone on with at any time."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
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
        sheet: draws samples, None for none.
    """

    out: Path
    task: Task | CodecTask
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


def train(run: Run, accelerator: Any, overwrite: bool = False, bars: Bars = no_bars) -> list[Path]:
    """Train until ``watching.steps``, from the newest checkpoint on.

    Args:
        run: what and where.
        accelerator: accelerate's, of any number of processes; it decides device and precision.
        bars: progress.

    Returns:
        The files of what was learnt.
    """
    task, config = run.task, run.task.config
    best, watching = config.optimization, config.watching
    learning = [parameter for parameter in task.trainee.parameters() if parameter.requires_grad]
    log.info("%.2f M numbers learn, of %d samples", sum(p.numel() for p in learning) / 1e6, len(task.store))
    optimizer, average = make_optimizer(best, learning), make_average(best, learning)
    model, optimizer = accelerator.prepare(task.trainee, optimizer)
    if average is not None:
        average.to(accelerator.device)
    start, folder = states.newest(run.out)
    if folder is not None:
        states.load(accelerator, average, folder, start)
        log.info("going on from step %d", start)
    schedule = rates(best, watching.steps)
    record = states.Log(run.out, start) if accelerator.is_main_process else None
    batches = iter(loader(run, start, accelerator))
    progress = bars("steps")
    for step in range(start, watching.steps):
        for group in optimizer.param_groups:
            group["lr"] = best.rate * schedule(step)
        loss = _step(model, optimizer, batches, best, accelerator)
        if average is not None:
            average.step(learning)
        done = step + 1
        if record is not None:
            record.add(done, loss=loss, rate=best.rate * schedule(step))
        if done % watching.validate == 0 or done == watching.steps:
            measured = validate(run, model, average, learning, accelerator)
            if record is not None:
                record.add(done, validation=measured)
                log.info("step %d: loss %.4f, validation %.4f", done, loss, measured)
        if done % watching.save == 0 or done == watching.steps:
            states.save(accelerator, average, run.out, done, watching.keep)
            state = state_of(model, average, learning, accelerator)
            if accelerator.is_main_process:
                task.write(run.out, state)
        if run.sheet is not None and watching.sheet and done % watching.sheet == 0:
            state = state_of(model, average, learning, accelerator)
            if accelerator.is_main_process:
                run.sheet(done, state)
        progress(done, watching.steps)
    state = state_of(model, average, learning, accelerator)
    if record is not None:
        record.close()
    return task.write(run.out, state) if accelerator.is_main_process else []


def _step(model: Any, optimizer: Any, batches: Any, best: Optimization, accelerator: Any) -> float:
    """One step of the optimiser over ``accumulate`` batches; the mean loss of all processes."""
    total = torch.zeros((), device=accelerator.device)
    model.train()
    for part in range(best.accumulate):
        batch = {name: value.to(accelerator.device, non_blocking=True) for name, value in next(batches).items()}
        last = part + 1 == best.accumulate
        with accelerator.no_sync(model) if not last else torch.enable_grad():
            loss = model(batch).mean() / best.accumulate
            accelerator.backward(loss)
        total += loss.detach()
    if best.clip:
        accelerator.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], best.clip)
    optimizer.step()
    optimizer.zero_grad()
    return float(accelerator.reduce(total, "mean"))


def loader(run: Run, start: int, accelerator: Any) -> torch.utils.data.DataLoader:
    """Batches of this process from a step on."""
    config = run.task.config
    learnt = run.task.learnt(0 if run.held_out is not None else config.watching.samples)
    if not learnt:
        raise ValueError(
            f"Expected clips beside the {config.watching.samples} samples held out for validation, found {len(run.task.store)} samples: "
            "encode more clips, lower watching.samples, or give --validation."
        )
    draws = Draws(learnt, run.task.draw(), config.seed)
    best, watching = config.optimization, config.watching
    batches = Batches(start, watching.steps, best.accumulate, best.batch, accelerator.process_index, accelerator.num_processes)
    pinned = accelerator.device.type == "cuda"
    return torch.utils.data.DataLoader(draws, batch_sampler=batches, num_workers=watching.workers, pin_memory=pinned)


@torch.no_grad()
def validate(run: Run, model: Any, average: Any | None, learning: list, accelerator: Any) -> float:
    """Mean loss of held-out samples at fixed times with fixed noise, with the averaged weights where there are some."""
    task = run.held_out or run.task
    config = task.config
    count = min(config.watching.samples, len(task.store))
    if average is not None:
        average.store(learning)
        average.copy_to(learning)
    model.eval()
    losses = []
    for number, time in enumerate(task.times):
        draw = task.draw(time)
        for first in range(0, count, config.optimization.batch):
            places = range(first, min(first + config.optimization.batch, count))
            rows = [draw(index, generator_of(config.seed, number, index)) for index in places]
            batch = {name: torch.stack([row[name] for row in rows]).to(accelerator.device) for name in rows[0]}
            losses.append(model(batch).float())
    if average is not None:
        average.restore(learning)
    return float(torch.cat(losses).mean())


def state_of(model: Any, average: Any | None, learning: list, accelerator: Any) -> dict[str, Tensor]:
    """The trainee's tensors, averaged where there is an average."""
    if average is not None:
        average.store(learning)
        average.copy_to(learning)
    state = {name: value.detach().clone() for name, value in accelerator.get_state_dict(model).items()}
    if average is not None:
        average.restore(learning)
    return state


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
