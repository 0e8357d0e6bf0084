"""Sample a first frame with diffusers' FluxPipeline, our HOI ControlNet beside its transformer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..appearance.flux_blocks import pack, rotary_table
from ..appearance.flux_control import HOIFluxControl
from ..appearance.schedule import noise, sigmas
from ..progress import Progress, silent
from .codec import decode, encode
from .compute import Machine
from .flux_models import Prompt
from .words import NOISE, SHIFTS, check_span, check_word

PIXELS = 16
"""Pixels of a token's side."""


@dataclass(frozen=True)
class FluxSampling:
    """How a picture is sampled.

    Attributes:
        steps: Euler steps.
        guidance: scale that FLUX.1-dev embeds.
        cfg: true classifier-free guidance with the negative prompt; 1 is off.
        shift: of the times: "true" by the number of tokens (diffusers and the authors of Flux), "released" by PAM's odd length, "none".
        noise: "cpu" (the same picture on every machine, and ComfyUI's noise) or "device" (as released).
        strength: of the control. start, end: share of the steps during which it acts.
    """

    steps: int = 28
    guidance: float = 4.0
    cfg: float = 1.0
    shift: str = "true"
    noise: str = "cpu"
    strength: float = 1.0
    start: float = 0.0
    end: float = 1.0

    def check(self) -> None:
        """Raise ValueError for numbers that make no sense."""
        if self.steps < 1:
            raise ValueError(f"Expected at least 1 step, found {self.steps}.")
        check_span(self.start, self.end)
        check_word(self.shift, SHIFTS, "shift")
        check_word(self.noise, NOISE, "source of noise")


def times(sampling: FluxSampling, width: int, height: int) -> np.ndarray:
    """(steps,) times of the steps, 1 is noise; the last step ends at 0."""
    if sampling.shift == "none":
        return np.linspace(1.0, 1.0 / sampling.steps, sampling.steps)
    return sigmas(height // 8, width // 8, sampling.steps, sampling.shift)[:-1].numpy()


class FluxSampler:
    """The networks that sample, ready on a machine."""

    def __init__(self, machine: Machine, transformer: nn.Module, control: HOIFluxControl, vae: nn.Module):
        from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline

        self.machine, self.control = machine, machine.place(control)
        self.vae = vae.requires_grad_(False)
        self.pipeline = FluxPipeline(
            scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=False, shift=1.0),
            transformer=machine.place(transformer, by_block=True),
            **dict.fromkeys(("vae", "text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2")),
        )
        self.pipeline.set_progress_bar_config(disable=True)

    @torch.no_grad()
    def encode_hint(self, hint: Tensor) -> Tensor:
        """(1, 3n, H, W) in 0..1 to what the ControlNet reads: -1..1, or latents of each picture."""
        pixels = hint * 2 - 1
        if self.control.config.encoding == "pixel":
            return pixels
        with self.machine.holding(self.vae):
            return torch.cat([encode(self.vae, picture) for picture in pixels.split(3, dim=1)], dim=1)

    def paint(
        self,
        hint: Tensor,
        prompt: Prompt,
        negative: Prompt | None,
        sampling: FluxSampling,
        seed: int,
        size: tuple[int, int],
        progress: Progress = silent,
    ) -> Tensor:
        """One picture, (1, 3, H, W) in about -1..1.

        Args:
            hint: from ``encode_hint``. size: (width, height) in pixels, multiples of 16.
            progress: called after each step; may raise to stop.
        """
        width, height = size
        start = noise([seed], height // 8, width // 8, self.machine.device if sampling.noise == "device" else "cpu")
        latents = self.denoise(start, hint, prompt, negative, sampling, progress)
        with torch.no_grad(), self.machine.holding(self.vae):
            return decode(self.vae, latents)

    @torch.no_grad()
    def denoise(
        self, start: Tensor, hint: Tensor, prompt: Prompt, negative: Prompt | None, sampling: FluxSampling, progress: Progress = silent
    ) -> Tensor:
        """Latents (1, 16, h, w) of ``start``, noise of that shape, and the rest as in ``sample``."""
        device, dtype = self.machine.device, self.machine.dtype
        height, width = (8 * side for side in start.shape[-2:])
        guided = self._guided(hint.to(device, dtype), (width, height), sampling)
        with self.machine.sampling(self.pipeline.transformer, self.control), guided:
            latents = self.pipeline(
                **_prompt_inputs(prompt, negative, device, dtype),
                true_cfg_scale=sampling.cfg,
                guidance_scale=sampling.guidance,
                num_inference_steps=sampling.steps,
                sigmas=times(sampling, width, height),
                latents=pack(start),
                width=width,
                height=height,
                output_type="latent",
                callback_on_step_end=reporting(progress, sampling.steps),
            ).images
        return unpack(latents, (width, height))

    @contextmanager
    def _guided(self, hint: Tensor, size: tuple[int, int], sampling: FluxSampling) -> Iterator[None]:
        """Give the transformer the control's residuals in each call while the context is open."""
        transformer, control = self.pipeline.transformer, self.control
        blocks = len(transformer.transformer_blocks)
        width, height = (side // PIXELS for side in size)
        once: list[Any] = []

        def before(module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
            step = self.pipeline.scheduler.step_index or 0
            if not sampling.start <= step / sampling.steps < sampling.end or sampling.strength == 0:
                return args, kwargs
            words = kwargs["encoder_hidden_states"]
            if not once:
                once.extend([control.encode_hint(hint), rotary_table(height, width, words.shape[1], hint.device)])
            tokens, table = once
            x = unpack(kwargs["hidden_states"], size)
            residuals = control(x, tokens, kwargs["timestep"], words, kwargs["pooled_projections"], kwargs["guidance"], table=table)
            nothing = x.new_zeros(1)
            placed = [nothing if part is None else part * sampling.strength for part in control.placed(residuals, blocks)]
            return args, {**kwargs, "controlnet_block_samples": placed}

        handle = transformer.register_forward_pre_hook(before, with_kwargs=True)
        try:
            yield
        finally:
            handle.remove()


def unpack(tokens: Tensor, size: tuple[int, int]) -> Tensor:
    """The inverse of ``pack``: (B, S, 4 C) to (B, C, H/8, W/8) for a picture of (width, height) pixels."""
    width, height = (side // PIXELS for side in size)
    return tokens.unflatten(2, (-1, 2, 2)).unflatten(1, (height, width)).permute(0, 3, 1, 4, 2, 5).flatten(4, 5).flatten(2, 3)


def _prompt_inputs(prompt: Prompt, negative: Prompt | None, device: torch.device, dtype: torch.dtype) -> dict[str, Tensor]:
    inputs = {"prompt_embeds": prompt.tokens, "pooled_prompt_embeds": prompt.pooled}
    if negative is not None:
        inputs |= {"negative_prompt_embeds": negative.tokens, "negative_pooled_prompt_embeds": negative.pooled}
    return {name: value.to(device, dtype) for name, value in inputs.items()}


def reporting(progress: Progress, steps: int, before: Callable[[int], None] = lambda step: None):
    """diffusers' callback after a step: tells ``progress``, and ``before`` which step comes next."""

    def report(pipeline, step: int, timestep, kwargs: dict) -> dict:
        progress(step + 1, steps)
        before(step + 1)
        return {}

    return report


@torch.no_grad()
def encode_prompts(pipeline: Any, length: int, texts: list[str], machine: Machine) -> list[Prompt]:
    """Prompts as Flux reads them.

    Args:
        pipeline: a FluxPipeline with text encoders, from ``FluxModels.text``.
        length: tokens of a prompt.
        texts: the prompts.
    """
    prompts = []
    with machine.encoding(pipeline.text_encoder, pipeline.text_encoder_2):
        for text in texts:
            tokens, pooled, _ = pipeline.encode_prompt(text, text, device=machine.device, max_sequence_length=length)
            prompts.append(Prompt(tokens.cpu(), pooled.cpu()))
    return prompts
