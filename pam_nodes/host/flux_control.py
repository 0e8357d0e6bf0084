"""The HOI ControlNet of Flux as a CONTROL_NET of the host."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import comfy.controlnet
import comfy.latent_formats
import comfy.ldm.common_dit
import comfy.model_management
import comfy.utils
import folder_paths
import torch
from torch.nn.functional import interpolate

from ..appearance.checkpoint import detect, normalise, save
from ..appearance.flux_blocks import rotary_table
from ..appearance.flux_control import HOIFluxControl
from ..appearance.hints import HintFrames, hint_frames, parse_frames
from ..appearance.looks import look_warnings
from ..conditions.video import ConditionVideo
from ..weights import require_complete
from .attention import attend
from .devices import WEIGHT_DTYPES, placement
from .files import free_path

PIXELS_PER_LATENT = 8
LATENT_CHANNELS = 16


@dataclass(frozen=True, eq=False)
class Guidance:
    """How *Apply HOI ControlNet* wants the net to act, beyond what any CONTROL_NET knows.

    Attributes:
        hint: condition pictures, resized as PAM does; None for a plain picture from core's Apply ControlNet, cropped as core does.
        branches: factor of each branch, None for 1.
        mask: (M, H, W) in 0..1, where the net acts, stretched over the picture; None for everywhere.
    """

    hint: HintFrames | None = None
    branches: tuple[float, ...] | None = None
    mask: torch.Tensor | None = None


@dataclass(frozen=True)
class Prepared:
    """What one sampling run computes once, by latent size: tokens of the hint, masks, and rotary tables also by text length."""

    hints: dict[tuple, list[torch.Tensor]] = field(default_factory=dict)
    masks: dict[tuple, torch.Tensor] = field(default_factory=dict)
    tables: dict[tuple, tuple[torch.Tensor, torch.Tensor]] = field(default_factory=dict)


class HOIControlNet(comfy.controlnet.ControlNet):
    """Control for the host's samplers: hints are encoded once a generation, residuals go in after Flux's double blocks."""

    def __init__(self, control_model: HOIFluxControl | None, load_device=None, manual_cast_dtype=None):
        super().__init__(control_model, load_device=load_device, manual_cast_dtype=manual_cast_dtype)
        self.latent_format = comfy.latent_formats.Flux() if control_model and control_model.config.encoding == "latent" else None
        self.guidance = Guidance()
        self.prepared = Prepared()
        self.num_blocks = 0

    def copy(self) -> HOIControlNet:
        c = HOIControlNet(None, load_device=self.load_device, manual_cast_dtype=self.manual_cast_dtype)
        c.control_model, c.control_model_wrapped = self.control_model, self.control_model_wrapped
        c.guidance = self.guidance
        self.copy_to(c)
        return c

    def set_cond_hint(self, cond_hint, strength=1.0, timestep_percent_range=(0.0, 1.0), vae=None, extra_concat=()):
        """Take a hint of (B, 3n, H, W) in 0..1, three channels for each condition of the net."""
        names = self.control_model.config.conditions
        if cond_hint.shape[1] != 3 * len(names):
            raise ValueError(
                f"Expected {3 * len(names)} hint channels ({', '.join(names)}), found {cond_hint.shape[1]}: "
                "use Apply HOI ControlNet, which fills them from the conditions."
            )
        if self.latent_format is not None:
            found = "none" if vae is None else f"one of {vae.latent_channels} channels"
            if vae is None or vae.latent_channels != LATENT_CHANNELS:
                raise ValueError(
                    f"Expected a VAE of {LATENT_CHANNELS} channels for this ControlNet, which reads latent conditions, found {found}: "
                    "connect Flux's VAE."
                )
        return super().set_cond_hint(cond_hint, strength, timestep_percent_range, vae, list(extra_concat))

    def pre_run(self, model, percent_to_timestep_function):
        super().pre_run(model, percent_to_timestep_function)
        width = getattr(model.diffusion_model, "hidden_size", None)
        if width != self.control_model.config.hidden_size:
            raise ValueError(
                f"Expected a Flux model {self.control_model.config.hidden_size} channels wide for this ControlNet, found "
                f"{width or type(model.diffusion_model).__name__}: load the base model the ControlNet was trained for."
            )
        self.num_blocks = len(model.diffusion_model.double_blocks)
        self.prepared = Prepared()  # an interrupted run was not cleaned up

    def cleanup(self):
        self.prepared = Prepared()
        super().cleanup()

    def get_control(self, x_noisy, t, cond, batched_number, transformer_options):
        previous = None
        if self.previous_controlnet is not None:
            previous = self.previous_controlnet.get_control(x_noisy, t, cond, batched_number, transformer_options)
        idle = self.strength == 0 or (self.guidance.branches is not None and not any(self.guidance.branches))
        if idle or (self.timestep_range is not None and not self.timestep_range[1] <= t[0] <= self.timestep_range[0]):
            return previous
        residuals = self._residuals(x_noisy, t, cond, batched_number)
        control = {"input": self.control_model.placed(residuals, self.num_blocks), "output": []}
        return self.control_merge(control, previous, output_dtype=None)

    def _residuals(self, x_noisy, t, cond, batched_number: int) -> list[torch.Tensor]:
        dtype = self.manual_cast_dtype or self.control_model.dtype
        sampling = self.model_sampling_current
        x = comfy.ldm.common_dit.pad_to_patch_size(sampling.calculate_input(t, x_noisy).to(dtype), (2, 2))
        context = cond.get("crossattn_controlnet", cond["c_crossattn"]).to(x)
        residuals = self.control_model(
            x,
            self._tokens(x, batched_number),
            sampling.timestep(t).float(),
            context,
            self._vector(cond, x),
            cond["guidance"].to(x) if cond.get("guidance") is not None else None,
            attention=attend,
            table=self._table(x, context.shape[1]),
            strengths=self.guidance.branches,
        )
        if self.guidance.mask is None:
            return residuals
        mask = comfy.controlnet.broadcast_image_to(self._mask(x), x.shape[0], batched_number)
        return [residual * mask for residual in residuals]

    def _vector(self, cond, x: torch.Tensor) -> torch.Tensor:
        pooled = cond.get("y")
        width = self.control_model.config.vec_dim
        return x.new_zeros(x.shape[0], width) if pooled is None else pooled[:, :width].to(x)

    def _tokens(self, x: torch.Tensor, batched_number: int) -> list[torch.Tensor]:
        """Hint tokens for each picture of the batch: one frame for all, or the frames in turn."""
        size = x.shape[2:]
        if size not in self.prepared.hints:
            self.prepared.hints[size] = self._encode_hint(x)
        hints, pictures = self.prepared.hints[size], x.shape[0] // batched_number
        frames = hints[0].shape[0]
        if self.guidance.hint is not None and pictures % frames:
            raise ValueError(
                f"Expected a batch of {frames} pictures, or a multiple, for {frames} frames of conditions, found {pictures}: "
                f"set batch_size of the empty latent to {frames}."
            )
        return [comfy.controlnet.broadcast_image_to(hint, x.shape[0], batched_number) for hint in hints]

    def _table(self, x: torch.Tensor, text_length: int) -> tuple[torch.Tensor, torch.Tensor]:
        key = (*x.shape[2:], text_length)
        if key not in self.prepared.tables:
            self.prepared.tables[key] = rotary_table(x.shape[2] // 2, x.shape[3] // 2, text_length, x.device)
        return self.prepared.tables[key]

    def _mask(self, x: torch.Tensor) -> torch.Tensor:
        size = x.shape[2:]
        if size not in self.prepared.masks:
            tokens = interpolate(self.guidance.mask[:, None].to(x), (size[0] // 2, size[1] // 2), mode="area")
            self.prepared.masks[size] = tokens.flatten(2).movedim(1, 2)
        return self.prepared.masks[size]

    def _encode_hint(self, x: torch.Tensor) -> list[torch.Tensor]:
        height, width = x.shape[2] * PIXELS_PER_LATENT, x.shape[3] * PIXELS_PER_LATENT
        if self.guidance.hint is not None:
            hint = self.guidance.hint.at(width, height)
        else:
            hint = comfy.utils.common_upscale(self.cond_hint_original, width, height, self.upscale_algorithm, "center")
        if self.latent_format is not None:
            loaded = comfy.model_management.loaded_models(only_currently_used=True)
            groups = [self.vae.encode(group.movedim(1, -1)) for group in hint.split(3, dim=1)]
            comfy.model_management.load_models_gpu(loaded)
            hint = torch.cat([self.latent_format.process_in(group) for group in groups], dim=1)
        else:
            hint = hint * 2 - 1
        return self.control_model.encode_hint(hint.to(x))


def load_hoi_controlnet(
    state_dict: dict[str, torch.Tensor], metadata: dict | None = None, condition: str = "depth", weight_dtype: str = "default"
) -> HOIControlNet:
    """Build a CONTROL_NET from a checkpoint's tensors; raises ValueError for any other file.

    Args:
        state_dict, metadata, condition: as for ``normalise`` and ``detect``.
        weight_dtype: a key of ``WEIGHT_DTYPES``; fp8 halves the memory of the weights, sums stay in the host's precision.
    """
    tensors = normalise(state_dict)
    config = detect(tensors, metadata, condition)
    place = placement(tensors, WEIGHT_DTYPES[weight_dtype])
    net = HOIFluxControl(config, place.operations, device=place.offload_device, dtype=place.dtype).eval()
    require_complete(net, tensors, "HOI ControlNet for Flux")
    net.load_state_dict(tensors)
    return HOIControlNet(net, load_device=place.load_device, manual_cast_dtype=place.manual_cast_dtype)


def require_hoi_controlnet(control_net) -> HOIFluxControl:
    """The network inside a CONTROL_NET of ours; raises ValueError for any other."""
    if not isinstance(control_net, HOIControlNet):
        raise ValueError(
            f"Expected an HOI ControlNet, found {type(control_net).__name__}: use Load HOI ControlNet Flux, or core's Apply ControlNet "
            "with one picture of Unpack HOI Conditions."
        )
    return control_net.control_model


def guidance_of(
    control_net,
    conditions: ConditionVideo,
    frames: str,
    modalities: dict[str, float],
    branches: tuple[float, float],
    mask: torch.Tensor | None,
) -> tuple[Guidance, list[str]]:
    """Choose from the conditions what this net reads.

    Args:
        frames: as in ``parse_frames``, one frame a picture.
        modalities: strength of each condition, 0..1.
        branches: factors of the first and second branch; nets of one branch have only the CONTROL_NET's strength.
        mask: (M, H, W) where the net acts, or None. A mask for each frame of the conditions gives each chosen frame its own.

    Returns:
        The guidance, and one sentence for each look that is not the trained one.

    Raises:
        ValueError: another kind of CONTROL_NET, or conditions the net cannot use (see ``hint_frames``).
    """
    config = require_hoi_controlnet(control_net).config
    length = conditions.shape[0]
    chosen = parse_frames(frames, length)
    hint = hint_frames(conditions, config, chosen, modalities)
    if mask is not None and length > 1 and mask.shape[0] == length:
        mask = mask[chosen]
    warnings = look_warnings(hint, config)
    for sentence in warnings:
        logging.warning("PAM: %s", sentence)
    return Guidance(hint, branches if len(config.branches) == 2 else None, mask), warnings


def apply_control(
    positive: list, negative: list, control_net: HOIControlNet, guidance: Guidance, strength: float, span: tuple[float, float], vae
) -> tuple[list, list]:
    """Attach the control to both conditionings, before any control that is there already.

    Args:
        guidance: from ``guidance_of``, with a hint.
        strength: factor of the residuals. span: (start_percent, end_percent) of sampling.
        vae: Flux's, for nets that read latents.
    """
    _, height, width = guidance.hint.video.shape
    hint, chained = guidance.hint.at(width, height), {}

    def attach(conditioning: list) -> list:
        out = []
        for embedding, options in conditioning:
            previous = options.get("control")
            if previous not in chained:
                control = control_net.copy().set_cond_hint(hint, strength, span, vae).set_previous_controlnet(previous)
                control.guidance = guidance
                chained[previous] = control
            out.append([embedding, {**options, "control": chained[previous], "control_apply_to_uncond": False}])
        return out

    return attach(positive), attach(negative)


def save_hoi_controlnet(control_net, folder: str, prefix: str, dtype: str) -> str:
    """Write the net of a CONTROL_NET to a new file; returns its name relative to the folder.

    Args:
        folder: "controlnet" (the first of the host's model folders for it) or "output".
        prefix: folder and beginning of the name below that.
        dtype: as in ``appearance.checkpoint.save``.

    Raises:
        ValueError: another kind of CONTROL_NET, or a prefix outside the folder.
    """
    net = require_hoi_controlnet(control_net)
    base = folder_paths.get_output_directory() if folder == "output" else folder_paths.get_folder_paths("controlnet")[0]
    path = free_path(prefix, ".safetensors", base)
    save(net, path, dtype)
    return path.relative_to(base).as_posix()
