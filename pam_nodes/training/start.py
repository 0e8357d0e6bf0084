"""From a configuration and folders to a training run."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from ..dataset.clips import ClipSource
from ..dataset.encode import check_models
from ..dataset.shards import LatentStore
from ..headless.cogvideox_models import CogVideoXModels, MiniCogVideoX
from ..headless.compute import TORCH, Compute, Machine, machine, require
from ..headless.flux_models import FluxModels
from ..headless.frame_stage import check_size
from ..headless.pose_stage import Bars, no_bars
from ..headless.refiner import load_refiner
from ..mini.files import MOTION
from .codec import check_sampled, make_codec_task, make_decoder_task
from .config import TrainConfig
from .loop import Run, open_run, train
from .processes import make_accelerator
from .refiner import make_refiner_task
from .sheets import Sheets
from .small import write_tokenizers
from .tasks import Task, check_store, make_task

TEXT = "text"
"""Folder of the tokenizers in a run's."""


@dataclass(frozen=True)
class Start:
    """What a run begins with.

    Attributes:
        config: how.
        data: folder of latents.
        models: base model, and the control to go on from.
        from_control: train the models' control instead of a new one; with everything learning, all of the models' weights.
        validation: folder of held-out latents, None takes the first of ``data``.
        small: the models are the pack's.
    """

    config: TrainConfig
    data: Path
    models: FluxModels | CogVideoXModels
    from_control: bool = False
    validation: Path | None = None
    small: bool = False


def start_training(start: Start, compute: Compute, out: Path, overwrite: bool = False, bars: Bars = no_bars) -> list[Path]:
    """Train in a folder, or go on there.

    Returns:
        The files of what was learnt.

    Raises:
        ValueError, FileNotFoundError, ImportError: input that cannot work, before the base model is loaded.
    """
    config = start.config
    _check(start)
    store = LatentStore(start.data)
    held_out = None if start.validation is None else LatentStore(start.validation)
    for latents in (store, held_out or store):
        check_store(config, latents)
    check_models(start.models, config.stage, tuple(store.settings["size"]), store.settings["length"])
    place = machine(compute)
    accelerator = make_accelerator(config, place)
    place = replace(place, device=accelerator.device, dtype=_base_dtype(config, accelerator.device), offload="none")
    stamp = {"base": "from nothing"} if config.learn == "all" and not start.from_control else dict(start.models.stamp)
    if accelerator.is_main_process:
        open_run(out, config, {**store.settings, "samples": len(store)}, stamp | {"from_control": str(start.from_control)}, overwrite)
        if config.learn == "all" and not (out / TEXT).is_dir():
            _tokenizers(start, store, out / TEXT)
    accelerator.wait_for_everyone()
    task = make_task(config, store, start.models, place, start.from_control, out / TEXT)
    other = None if held_out is None else Task(config, held_out, task.trainee, task.times)
    drawn = config.watching.sheet and config.learn != "lora" and accelerator.is_main_process
    sheet = _sheets(start, other or task, place, out) if drawn else None
    paths = train(Run(out, task, other, sheet), accelerator, bars=bars)
    if config.learn == "all" and accelerator.is_main_process:
        paths.append(Path(shutil.copy(start.models.files.vae, out / "vae.safetensors")))
    return paths


def _tokenizers(start: Start, store: LatentStore, folder: Path) -> None:
    """Those of the weights gone on from, or new ones for the words of the prompts."""
    if not start.from_control:
        write_tokenizers(sorted({row.prompt for row in store.rows}), folder)
        return
    for encoder in ("t5", "clip") if start.config.stage == "appearance" else ("t5",):
        shutil.copytree(start.models.files.tokenizer(encoder), folder / f"{encoder}_tokenizer", dirs_exist_ok=True)


def _check(start: Start) -> None:
    """Raise for a configuration that cannot work with what there is."""
    config = start.config
    config.check()
    require("to train", "accelerate")
    if config.learn == "all" and not start.small:
        raise ValueError("Expected --mini with 'learn: all', which trains models of the pack's size.")
    if config.learn == "lora" and not start.from_control:
        raise ValueError("Expected --from-control with 'learn: lora': the base model learns beside a control that is there.")
    if config.optimization.name == "adamw8bit":
        require("for adamw8bit", "bitsandbytes")


@dataclass(frozen=True)
class CodecStart:
    """What the run of a small model's autoencoder, or of the refiner, begins with.

    Attributes:
        config: how.
        source: clips.
        size: (width, height) of their pictures.
        codec: file of the codec whose decoder learns or whose latents are sampled, None for the pack's.
        sampled: folder of latents that decoder or refiner learn from.
        again: go on from the pack's refiner.
    """

    config: TrainConfig
    source: ClipSource
    size: tuple[int, int]
    codec: Path | None = None
    sampled: Path | None = None
    again: bool = False

    @property
    def learns_from_samples(self) -> bool:
        """Whether it is about what the video model makes."""
        return self.config.stage == "refiner" or self.config.learn == "decoder"


def start_codec(start: CodecStart, compute: Compute, out: Path, overwrite: bool, bars: Bars) -> list[Path]:
    """Train an autoencoder of the small models, or their refiner, on clips, or go on with it (arguments and errors as in
    ``start_training``).
    """
    require("to train", "accelerate")
    check_size(start.size, "the clips")
    if start.learns_from_samples != (start.sampled is not None):
        raise ValueError(
            "Expected --sampled LATENTS of 'encode motion --sampled' with the refiner or 'learn: decoder', and with nothing else."
        )
    names, place = start.source.names, machine(compute)
    accelerator = make_accelerator(start.config, place)
    data, latents = {"clips": len(names), "size": list(start.size), "first": names[0]}, None
    if start.sampled is not None:
        latents = LatentStore(start.sampled)
        check_sampled(latents, names)
        data |= {"latents": latents.settings}
    if accelerator.is_main_process:
        open_run(out, start.config, data, {"from": "the pack's"} if start.again else {}, overwrite)
    accelerator.wait_for_everyone()
    if latents is None:
        task = make_codec_task(start.config, start.source, start.size)
    else:
        models, full = MiniCogVideoX(replace(MOTION, own_vae=start.codec)), replace(place, dtype=torch.float32)
        if start.config.stage == "refiner":
            before = load_refiner(full.device) if start.again else None
            task = make_refiner_task(start.config, start.source, latents, models.vae(full), before)
        else:
            task = make_decoder_task(start.config, start.source, latents, models.vae(full))
    return train(Run(out, task), accelerator, bars=bars)


def _base_dtype(config: TrainConfig, device: torch.device) -> torch.dtype:
    """Numbers of the frozen base model: those of the computation on a GPU, fp32 on a CPU, whose norms do not take two kinds."""
    return torch.float32 if device.type == "cpu" else TORCH[config.precision]


def _sheets(start: Start, task: Task, place: Machine, out: Path) -> Sheets:
    vae = start.models.vae(place).to(place.device).eval().requires_grad_(False)
    schedule = {} if start.config.stage == "appearance" else start.models.schedule()
    return Sheets(task, vae, place, schedule, out / "sheets", start.small)
