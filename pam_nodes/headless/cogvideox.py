"""Sample a clip with diffusers' CogVideoXImageToVideoPipeline, our HOI control beside its transformer's blocks."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..conditions.video import ConditionVideo
from ..motion.control import HOICogVideoXControl
from ..motion.frames import latent_length
from ..motion.inject import controlled
from ..motion.slots import UNUSED, SlotLatents
from ..progress import Progress, silent
from .codec import decode, encode, to_pictures, to_pixels
from .compute import Machine
from .flux import reporting
from .words import NOISE, SCHEDULERS, check_span, check_word

GREY = 128
"""Of the pictures in a slot without a condition."""


@dataclass(frozen=True)
class ClipSampling:
    """How a clip is sampled.

    Attributes:
        steps: of the scheduler.
        scheduler: "dpm" (CogVideoX's stochastic DPM, as released) or "ddim" (deterministic), both with trailing times.
        guidance: classifier-free guidance with the negative prompt; 1 is off.
        dynamic: let it vary over the steps, as released (diffusers' formula).
        noise: "cpu" (ComfyUI's noise, the same on every machine) or "device" (as released).
        draw: sample latents of pictures from the VAE's distribution, as released, instead of taking its mode.
        strength: of the control. start, end: share of the steps during which it acts.
        unused: what a slot without a condition holds, one of ``motion.slots.UNUSED``.
    """

    steps: int = 50
    scheduler: str = "dpm"
    guidance: float = 6.0
    dynamic: bool = True
    noise: str = "cpu"
    draw: bool = False
    strength: float = 1.0
    start: float = 0.0
    end: float = 1.0
    unused: str = UNUSED[0]

    def check(self) -> None:
        """Raise ValueError for numbers that make no sense."""
        if self.steps < 1:
            raise ValueError(f"Expected at least 1 step, found {self.steps}.")
        check_span(self.start, self.end)
        check_word(self.scheduler, SCHEDULERS, "scheduler")
        check_word(self.noise, NOISE, "source of noise")
        check_word(self.unused, UNUSED, "content of unused slots")


class ClipSampler:
    """The networks that sample, ready on a machine."""

    def __init__(self, machine: Machine, transformer: nn.Module, control: HOICogVideoXControl, vae: nn.Module, schedule: dict[str, Any]):
        self.machine, self.control = machine, machine.place(control)
        self.vae, self.schedule = vae.requires_grad_(False), schedule
        self.transformer = machine.place(transformer, by_block=True)

    @torch.no_grad()
    def encode_slots(self, clip: ConditionVideo, unused: str = UNUSED[0], generator: torch.Generator | None = None) -> list[SlotLatents]:
        """Latents of the conditions, one modality at a time.

        The first frame is coded by itself, as the released code does: a VAE that normalises over time codes it otherwise in the clip.

        Args:
            unused: what a slot without a condition holds, one of ``motion.slots.UNUSED``.
            generator: draw latents instead of taking the mode.

        Raises:
            ValueError: a length the VAE does not take, or none of the conditions the control reads.
        """
        latent_length(clip.shape[0])
        names = self.control.config.slots
        if all(getattr(clip, name) is None for name in names):
            raise ValueError(f"Expected at least one of {', '.join(names)} for this control, found none in the conditions: render them.")
        with self.machine.holding(self.vae):
            return [self._slot(getattr(clip, name), clip.shape, unused, generator) for name in names]

    @torch.no_grad()
    def encode_start(self, picture: np.ndarray, generator: torch.Generator | None = None) -> Tensor:
        """(1, 1, 16, h, w) latent of the first frame, (H, W, 3) uint8."""
        with self.machine.holding(self.vae):
            return self._latents(picture[None], generator).transpose(1, 2)

    def sample(
        self,
        slots: list[SlotLatents],
        start: Tensor,
        prompt: Tensor,
        negative: Tensor,
        sampling: ClipSampling,
        seed: int,
        progress: Progress = silent,
    ) -> np.ndarray:
        """One clip, (T, H, W, 3) uint8; arguments as of ``denoise``."""
        return to_pictures(self.decode(self.denoise(slots, start, prompt, negative, sampling, seed, progress)))

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """(T, 3, H, W) pixels in about -1..1 of the latents of one clip."""
        with self.machine.holding(self.vae):
            return decode(self.vae, latents)[0].transpose(0, 1)

    @torch.no_grad()
    def denoise(
        self,
        slots: list[SlotLatents],
        start: Tensor,
        prompt: Tensor,
        negative: Tensor,
        sampling: ClipSampling,
        seed: int,
        progress: Progress = silent,
    ) -> Tensor:
        """Latents of one clip, (1, 16, T', h, w).

        Args:
            slots, start: from ``encode_slots`` and ``encode_start``.
            prompt, negative: (1, L, D) T5 tokens.
            progress: called after each step; may raise to stop.
        """
        device, dtype = self.machine.device, self.machine.dtype
        frames = next(slot.clip.shape[2] for slot in slots if slot.clip is not None)
        height, width = (8 * side for side in start.shape[-2:])
        generator = self.machine.generator(seed, device if sampling.noise == "device" else "cpu")
        first = torch.cat([start, start.new_zeros(1, frames - 1, *start.shape[2:])], dim=1)
        noise = self._noise(generator, frames, height // 8, width // 8)
        pipeline = _denoiser(self.transformer, _scheduler(sampling.scheduler, self.schedule), noise, first.to(device, dtype))
        prompt = prompt.to(device, dtype)
        with self.machine.sampling(self.transformer, self.control), ExitStack() as guide:
            turn = self._guided(guide, self._start(slots, (frames, *start.shape[-2:]), prompt), sampling)
            turn(0)
            latents = pipeline(
                image=torch.zeros(1, 3, height, width),
                prompt_embeds=prompt,
                negative_prompt_embeds=negative.to(device, dtype) if sampling.guidance > 1 else None,
                width=width,
                height=height,
                num_frames=4 * frames - 3,
                num_inference_steps=sampling.steps,
                guidance_scale=sampling.guidance,
                use_dynamic_cfg=sampling.dynamic,
                generator=generator,
                output_type="latent",
                callback_on_step_end=reporting(progress, sampling.steps, turn),
            ).frames
        return latents.transpose(1, 2)

    def _latents(self, pictures: np.ndarray, generator: torch.Generator | None) -> Tensor:
        """(1, 16, T', h, w) of (T, H, W, 3) uint8, on the CPU."""
        return encode(self.vae, to_pixels(pictures).transpose(0, 1)[None], generator).cpu()

    def _slot(self, pictures: np.ndarray | None, shape: tuple[int, ...], unused: str, generator: torch.Generator | None) -> SlotLatents:
        if pictures is None and unused == UNUSED[0]:
            return SlotLatents()
        only_first = pictures is None and unused == UNUSED[1]
        if pictures is None:
            pictures = np.full((*shape, 3), GREY, np.uint8)
        return SlotLatents(None if only_first else self._latents(pictures, generator), self._latents(pictures[:1], generator))

    def _noise(self, generator: torch.Generator, frames: int, height: int, width: int) -> Tensor:
        """(1, T', 16, h, w) noise. ComfyUI draws channels first; the released code frames first, in the computation's dtype."""
        if generator.device.type == "cpu":
            noise = torch.randn(1, 16, frames, height, width, generator=generator).transpose(1, 2)
        else:
            noise = torch.randn(1, frames, 16, height, width, generator=generator, device=generator.device, dtype=self.machine.dtype)
        return noise.to(self.machine.device, self.machine.dtype)

    def _start(self, slots: list[SlotLatents], shape: tuple[int, int, int], prompt: Tensor) -> Callable[[Tensor], Tensor]:
        """The control's start. Its constant part is made when it is first asked for: then the patch embedding is on the device."""
        constant: list[Tensor] = []
        embed = self.transformer.patch_embed

        def start(hidden: Tensor) -> Tensor:
            if not constant:
                like = prompt.new_empty(1, 32, *shape)
                windows = (slot.window(range(shape[0]), True, like).transpose(1, 2) for slot in slots)
                constant.append(self.control.constant(embed(prompt, window)[:, prompt.shape[1] :] for window in windows))
            return self.control.start(hidden, constant[0])

        return start

    def _guided(self, guide: ExitStack, start: Callable[[Tensor], Tensor], sampling: ClipSampling) -> Callable[[int], None]:
        """A function to call before each step, which has the control run beside the blocks as long as ``guide`` is open and it is time."""
        blocks, acts = self.transformer.transformer_blocks, False

        def turn(step: int) -> None:
            nonlocal acts
            wanted = sampling.strength != 0 and sampling.start <= step / sampling.steps < sampling.end
            if wanted and not acts:
                guide.enter_context(controlled(blocks, self.control, start, sampling.strength))
            elif acts and not wanted:
                guide.close()
            acts = wanted

        return turn


def _denoiser(transformer: nn.Module, scheduler: Any, noise: Tensor, first: Tensor):
    """diffusers' pipeline for latents alone: no text encoder and no VAE; noise and first frame's latents, (1, T', 16, h, w), are given."""
    from diffusers import CogVideoXImageToVideoPipeline

    class Denoiser(CogVideoXImageToVideoPipeline):
        def prepare_latents(self, *args, **kwargs) -> tuple[Tensor, Tensor]:
            return noise * self.scheduler.init_noise_sigma, first

    pipeline = Denoiser(tokenizer=None, text_encoder=None, vae=None, transformer=transformer, scheduler=scheduler)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _scheduler(name: str, schedule: dict[str, Any]):
    from diffusers import CogVideoXDDIMScheduler, CogVideoXDPMScheduler

    kind = CogVideoXDPMScheduler if name == "dpm" else CogVideoXDDIMScheduler
    return kind.from_config(schedule, timestep_spacing="trailing")


@torch.no_grad()
def encode_prompts(pipeline: Any, length: int, texts: list[str], machine: Machine) -> list[Tensor]:
    """(1, length, D) T5 tokens of each prompt, on the CPU.

    Args:
        pipeline: a CogVideoXImageToVideoPipeline with its text encoder, from ``CogVideoXModels.text``.
        length: tokens of a prompt.
        texts: the prompts.
    """
    with machine.encoding(pipeline.text_encoder):
        embeds = (
            pipeline.encode_prompt(text, do_classifier_free_guidance=False, max_sequence_length=length, device=machine.device)[0]
            for text in texts
        )
        return [embed.cpu() for embed in embeds]
