"""The two stages as the training loop sees them: a network, samples, and files that the nodes load."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..appearance.checkpoint import metadata_of as flux_metadata
from ..appearance.checkpoint import released_keys
from ..appearance.flux_control import HOIFluxControl
from ..dataset.shards import FOREGROUND, LatentStore
from ..headless.compute import Machine
from ..motion.checkpoint import from_module_keys
from ..motion.checkpoint import metadata_of as cogvideox_metadata
from ..tensor_files import write_tensors
from . import adapter, appearance, motion
from .config import TrainConfig
from .draws import Draw
from .initial import new_cogvideox_control, new_flux_control
from .small import TextEncoders, small_transformer, text_files

CONTROL, LORA = "control.safetensors", "lora.safetensors"


@dataclass(frozen=True)
class Task:
    """A stage that is trained.

    Attributes:
        config: of the run.
        store: latents.
        trainee: the network; (B,) losses of a batch.
        times: of the validation.
    """

    config: TrainConfig
    store: LatentStore
    trainee: nn.Module
    times: tuple[float, ...]

    def draw(self, time: float | None = None) -> Draw:
        """Samples, for training or at a fixed time for validation."""
        kind = appearance.AppearanceDraw if self.config.stage == "appearance" else motion.MotionDraw
        return kind(self.store, self.config, time, self.trainee.text.ids if self.trainee.text is not None else None)

    def learnt(self, held: int) -> range:
        """The samples that are learnt from when the first ``held`` are not: none of a clip of which a still is held out."""
        rows, start = self.store.rows, held
        while 0 < start < len(rows) and rows[start].name.rpartition(":")[0] == rows[held - 1].name.rpartition(":")[0] != "":
            start += 1
        return range(start, len(rows))

    def write(self, folder: Path, state: dict[str, Tensor]) -> list[Path]:
        """Write what was learnt, of a state of the trainee, as files the nodes load.

        Returns:
            The control's file, or the LoRA's in diffusers' names; with everything learning also model, text encoders and their
            tokenizers, as the pack's own small models.
        """
        folder.mkdir(parents=True, exist_ok=True)
        text, kind = self.trainee.text, torch.float32
        if self.config.learn == "lora":
            files = {LORA: (adapter.as_diffusers(state), {})}
        else:
            files = {CONTROL: self._control(part(state, "control."))}
        if text is not None:
            kind = torch.float16
            files["model.safetensors"] = (part(state, "transformer."), {})
            files |= {f"{name}.safetensors": (found, {}) for name, found in text_files(part(state, "text.")).items()}
            text.write_beside(folder)
        for name, (tensors, metadata) in files.items():
            write_tensors(folder / name, {key: value.detach().cpu().to(kind, copy=True) for key, value in tensors.items()}, metadata)
        return [folder / name for name in files]

    def _control(self, tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, str]]:
        """A control's tensors under the released names, and the header that says what it is."""
        config = self.trainee.control.config
        if self.config.stage == "motion":
            return from_module_keys(tensors, config), cogvideox_metadata(config)
        with torch.device("meta"):
            net = HOIFluxControl(config)
        net.load_state_dict(tensors, assign=True)
        return released_keys(net), flux_metadata(config)


def make_task(config: TrainConfig, store: LatentStore, models: Any, machine: Machine, start: bool, folder: Path) -> Task:
    """The network of a configuration, its frozen part ready on the machine.

    Args:
        models: where base model and, with ``start``, the control to go on from come from (``FluxModels``, ``CogVideoXModels``).
        machine: where the base model runs, and in which numbers.
        start: train the models' control, or with everything learning all of their weights, instead of new ones.
        folder: of the tokenizers, with everything learning.

    Raises:
        ValueError: base and control do not fit.
    """
    torch.manual_seed(config.seed)
    text, full = None, replace(machine, dtype=torch.float32)
    if config.learn == "all":
        settings = store.settings
        text = TextEncoders(folder, with_clip=config.stage == "appearance")
        transformer = small_transformer(config.stage, tuple(settings["size"]), settings["length"])
        if start:
            text.start_from(models.files)
            transformer.load_state_dict(models.transformer(full).state_dict())
    else:
        transformer = models.transformer(machine).requires_grad_(False).eval()
    new = new_flux_control if config.stage == "appearance" else new_cogvideox_control
    control = models.control(full).requires_grad_(True).train() if start else new(config.control, transformer)
    if config.learn == "control":
        transformer = machine.place(transformer)
    if config.learn == "lora":
        control = control.requires_grad_(False).eval().to(machine.device)
        adapter.add(transformer, config.lora)
    if config.checkpointing:
        recompute([*transformer.children(), *control.modules()])
    if config.stage == "appearance":
        trainee, times = appearance.AppearanceTrainee(transformer, control, config.guidance, text), appearance.VALIDATION_TIMES
    else:
        trainee, times = motion.MotionTrainee(transformer, control, text), motion.VALIDATION_TIMES
    if config.learn == "lora":
        adapter.learn_alone(trainee)
    return Task(config, store, trainee, times)


def check_store(config: TrainConfig, store: LatentStore) -> None:
    """Raise ValueError for latents of another stage, with other hints, or without the conditions or the foreground."""
    settings = store.settings
    found = settings.get("stage"), settings.get("hints") if config.stage == "appearance" else None
    wanted = config.stage, config.control.encoding if config.stage == "appearance" else None
    if found != wanted:
        raise ValueError(
            f"Expected latents of the {wanted[0]} stage{f' with {wanted[1]} hints' if wanted[1] else ''}, found "
            f"{found[0]}{f' with {found[1]} hints' if found[1] else ''} in {store.folder}: encode them so."
        )
    known = [name for name in config.names if name in settings["conditions"] and name not in config.masking.never]
    if not known:
        raise ValueError(f"Expected latents of {' or '.join(config.names)}, found {', '.join(settings['conditions'])} in {store.folder}.")
    if config.foreground != 1:
        store.require(FOREGROUND)


def recompute(modules: list[nn.Module]) -> None:
    """Have the blocks among modules keep no activations and compute them again when gradients are asked for.

    Only a block's own ``forward`` is computed again, not the hooks around it, by which the control is put beside CogVideoX's blocks.
    """
    for module in modules:
        if isinstance(module, nn.ModuleList):
            for block in module:
                if sum(1 for _ in block.parameters()) > 4:
                    block.forward = _recomputed(block.forward)


def _recomputed(forward: Callable) -> Callable:
    def again(*args, **kwargs):
        return checkpoint(forward, *args, use_reentrant=False, **kwargs)

    return again


def part(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors under a prefix, without it."""
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
