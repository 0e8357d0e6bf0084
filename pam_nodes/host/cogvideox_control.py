"""The HOI control as a patch of the host's CogVideoX: a wrapper around its forward pass and a model loaded beside it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

import comfy.ldm.common_dit
import comfy.patcher_extension
import torch

from ..conditions.video import ConditionVideo
from ..motion.control import HOICogVideoXControl
from ..motion.inject import controlled
from ..motion.slots import SlotLatents, fit_rgb
from ..progress import Progress
from .attention import attend
from .cogvideox_model import base_of
from .condition_latents import Encoding, encode, encode_slots

KEY = "pam_hoi_control"
WINDOWS_KEPT = 8
"""Windows of a long video whose constant part stays on the device, 108 MB each at 5B and 720 x 480."""


@dataclass(frozen=True)
class Guidance:
    """How a control acts.

    Attributes:
        strength: factor of its residuals. start_percent, end_percent: the part of sampling in which it acts.
        strengths: factor of a single modality's latents. unused: what a slot without a condition holds.
        encoding: how the conditions are encoded.
    """

    strength: float = 1.0
    start_percent: float = 0.0
    end_percent: float = 1.0
    strengths: Mapping[str, float] = field(default_factory=dict)
    unused: str = "zero latents"
    encoding: Encoding = field(default_factory=Encoding)


class ControlRun:
    """The wrapper around the forward passes of one MODEL: holds condition latents, and the start's constant part once it is known."""

    def __init__(self, patch, slots: list[SlotLatents], strength: float, sigmas: tuple[float, float]):
        self.patch, self.slots, self.strength, self.sigmas = patch, slots, strength, sigmas
        self.constants: OrderedDict[tuple, torch.Tensor] = OrderedDict()

    def __call__(self, executor, x, timestep, context, ofs, transformer_options, **kwargs):
        sigma = transformer_options.get("sigmas")
        outside = sigma is not None and not self.sigmas[1] <= float(sigma[0]) <= self.sigmas[0]
        if outside or self.strength == 0:
            return executor(x, timestep, context, ofs, transformer_options, **kwargs)
        control, base = self.patch.model, executor.class_obj
        frames = _frames(x, transformer_options)
        self._require_fit(x, frames)

        def start(hidden: torch.Tensor) -> torch.Tensor:
            return control.start(hidden, self._constant(base, x, context, frames))

        with controlled(base.blocks, control, start, self.strength, attend):
            return executor(x, timestep, context, ofs, transformer_options, **kwargs)

    def _require_fit(self, x: torch.Tensor, frames: tuple[int, ...]) -> None:
        clip = next(slot.clip for slot in self.slots if slot.clip is not None)
        if clip.shape[3:] != x.shape[3:] or clip.shape[2] <= max(frames):
            wanted = f"{_size(x)} and {4 * max(len(frames), max(frames) + 1) - 3} frames"
            raise ValueError(
                f"Expected conditions of {wanted} like the video, found {_size(clip)} and {4 * clip.shape[2] - 3} frames: "
                "render them with that size and length."
            )

    def _constant(self, base, x: torch.Tensor, context: torch.Tensor, frames: tuple[int, ...]) -> torch.Tensor:
        """The start's constant part for a window of frames; computed inside the base model's forward pass, when it is ready."""
        with_first = frames[0] == 0 or bool(x[:, 16:, 0].any())
        key = (frames, with_first, x.shape[3:], x.dtype, x.device)
        if key not in self.constants:
            tokens = (_tokens(base, slot.window(frames, with_first, x), context) for slot in self.slots)
            self.constants[key] = self.patch.model.constant(tokens)
            while len(self.constants) > WINDOWS_KEPT:
                self.constants.popitem(last=False)
        self.constants.move_to_end(key)
        return self.constants[key]

    def forget(self, *_) -> None:
        """Free what sampling left behind."""
        self.constants.clear()


def _frames(x: torch.Tensor, transformer_options: dict) -> tuple[int, ...]:
    """Which latent frames of the clip this pass is about, with the frame the host may put before a window."""
    window = transformer_options.get("context_window")
    if window is None:
        return tuple(range(x.shape[2]))
    anchor = getattr(window, "causal_anchor_index", None)
    before = [anchor] if anchor is not None and anchor >= 0 else []
    return (*before, *window.index_list)


def _tokens(base, latent: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
    """Tokens of one slot through the base model's own patch embedding, (1, S, D)."""
    latent = comfy.ldm.common_dit.pad_to_patch_size(latent, (1, base.patch_size, base.patch_size))
    return base.patch_embed(context[:1], latent.permute(0, 2, 1, 3, 4))[:, context.shape[1] :]


def _size(latent: torch.Tensor) -> str:
    return f"{latent.shape[4] * 8} x {latent.shape[3] * 8} pixels"


def apply_hoi_control(model, patch, vae, conditions: ConditionVideo, guidance: Guidance, progress: Progress):
    """Clone the MODEL with the control beside its blocks; raises ValueError for models it does not fit."""
    if not isinstance(patch.model, HOICogVideoXControl):
        raise ValueError(
            f"Expected an HOI control for CogVideoX, found {type(patch.model).__name__}: use Load HOI Control CogVideoX (PAM)."
        )
    base, config = base_of(model), patch.model.config
    _require_family(base, config)
    process_in = model.get_model_object("latent_format").process_in
    slots = encode_slots(conditions, config.slots, vae, process_in, guidance.strengths, guidance.unused, guidance.encoding, progress)
    _prepare_previews(model, vae, conditions, config.slots, guidance.encoding)
    sampling = model.get_model_object("model_sampling")
    span = (sampling.percent_to_sigma(guidance.start_percent), sampling.percent_to_sigma(guidance.end_percent))
    run = ControlRun(patch, slots, guidance.strength, span)
    clone = model.clone()
    clone.add_wrapper_with_key(comfy.patcher_extension.WrappersMP.DIFFUSION_MODEL, KEY, run)
    clone.add_callback_with_key(comfy.patcher_extension.CallbacksMP.ON_CLEANUP, KEY, run.forget)
    clone.set_additional_models(KEY, [*clone.get_additional_models_with_key(KEY), patch])
    return clone


def _require_family(base, config) -> None:
    if base.patch_size_t is not None:
        raise ValueError(
            "Expected CogVideoX 1.0 for this control, found CogVideoX 1.5, whose tokens hold two latent frames: load CogVideoX-5b-I2V."
        )
    if base.pam.in_channels != 32:
        raise ValueError("Expected an image-to-video CogVideoX for this control, found a text-to-video one: load CogVideoX-5b-I2V.")
    if base.pam.dim != config.dim or base.pam.time_dim != config.time_dim or base.pam.num_layers < config.num_blocks:
        raise ValueError(
            f"Expected a CogVideoX of {config.dim} channels and {config.num_blocks} blocks or more, found {base.pam.dim} and "
            f"{base.pam.num_layers}: base and control must be of one family."
        )


def _prepare_previews(model, vae, conditions: ConditionVideo, slots: tuple[str, ...], encoding: Encoding) -> None:
    """Give the model's latents colours for previews while sampling: the host has none for CogVideoX, the conditions tell them."""
    latents = model.model.latent_format
    name = next((name for name in slots if getattr(conditions, name) is not None), None)
    if latents.latent_rgb_factors is None and name is not None:
        pictures = torch.from_numpy(getattr(conditions, name)).float() / 255.0
        latents.latent_rgb_factors, latents.latent_rgb_factors_bias = fit_rgb(latents.process_in(encode(vae, pictures, encoding)), pictures)
