"""The HOI ControlNet of Flux as a CONTROL_NET of the host."""

from __future__ import annotations

import comfy.controlnet
import comfy.latent_formats
import comfy.ldm.common_dit
import comfy.model_management
import comfy.utils
import torch

from ..appearance.checkpoint import detect, normalise
from ..appearance.flux_control import HOIFluxControl
from ..appearance.hints import hint_channels
from ..conditions.video import ConditionVideo
from ..weights import require_complete
from .attention import attend
from .devices import placement

PIXELS_PER_LATENT = 8


class HOIControlNet(comfy.controlnet.ControlNet):
    """Control for the host's samplers: hints are encoded once a generation, residuals go in after Flux's double blocks."""

    def __init__(self, control_model: HOIFluxControl | None, load_device=None, manual_cast_dtype=None):
        super().__init__(control_model, load_device=load_device, manual_cast_dtype=manual_cast_dtype)
        self.latent_format = comfy.latent_formats.Flux() if control_model and control_model.config.encoding == "latent" else None
        self.hint_tokens: list[torch.Tensor] | None = None
        self.num_blocks = 0

    def copy(self) -> HOIControlNet:
        c = HOIControlNet(None, load_device=self.load_device, manual_cast_dtype=self.manual_cast_dtype)
        c.control_model, c.control_model_wrapped = self.control_model, self.control_model_wrapped
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
        if self.latent_format is not None and vae is None:
            raise ValueError("Expected a VAE for this ControlNet, which reads latent conditions, found none: connect Flux's VAE.")
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

    def cleanup(self):
        self.hint_tokens = None
        super().cleanup()

    def get_control(self, x_noisy, t, cond, batched_number, transformer_options):
        previous = None
        if self.previous_controlnet is not None:
            previous = self.previous_controlnet.get_control(x_noisy, t, cond, batched_number, transformer_options)
        if self.timestep_range is not None and not self.timestep_range[1] <= t[0] <= self.timestep_range[0]:
            return previous
        dtype = self.manual_cast_dtype or self.control_model.dtype
        sampling = self.model_sampling_current
        x = comfy.ldm.common_dit.pad_to_patch_size(sampling.calculate_input(t, x_noisy).to(dtype), (2, 2))
        if self.hint_tokens is None:
            self.hint_tokens = self._encode_hint(x)
        tokens = [comfy.controlnet.broadcast_image_to(hint, x.shape[0], batched_number) for hint in self.hint_tokens]
        residuals = self.control_model(
            x,
            tokens,
            sampling.timestep(t).to(dtype),
            cond["c_crossattn"].to(x),
            self._vector(cond, x),
            cond["guidance"].to(x) if cond.get("guidance") is not None else None,
            attention=attend,
        )
        control = {"input": self.control_model.placed(residuals, self.num_blocks), "output": []}
        return self.control_merge(control, previous, output_dtype=x_noisy.dtype)

    def _vector(self, cond, x: torch.Tensor) -> torch.Tensor:
        pooled = cond.get("y")
        width = self.control_model.config.vec_dim
        return x.new_zeros(x.shape[0], width) if pooled is None else pooled[:, :width].to(x)

    def _encode_hint(self, x: torch.Tensor) -> list[torch.Tensor]:
        height, width = x.shape[2] * PIXELS_PER_LATENT, x.shape[3] * PIXELS_PER_LATENT
        hint = comfy.utils.common_upscale(self.cond_hint_original, width, height, self.upscale_algorithm, "center")
        if self.latent_format is not None:
            loaded = comfy.model_management.loaded_models(only_currently_used=True)
            groups = [self.vae.encode(group.movedim(1, -1)) for group in hint.split(3, dim=1)]
            comfy.model_management.load_models_gpu(loaded)
            hint = torch.cat([self.latent_format.process_in(group) for group in groups], dim=1)
        else:
            hint = hint * 2 - 1
        return self.control_model.encode_hint(hint.to(x))


def load_hoi_controlnet(state_dict: dict[str, torch.Tensor], metadata: dict | None = None, condition: str = "depth") -> HOIControlNet:
    """Build a CONTROL_NET from a checkpoint's tensors (arguments as in ``detect``); raises ValueError for any other file."""
    tensors = normalise(state_dict)
    config = detect(tensors, metadata, condition)
    place = placement(tensors)
    net = HOIFluxControl(config, place.operations, device=place.offload_device, dtype=place.dtype).eval()
    require_complete(net, tensors, "HOI ControlNet for Flux")
    net.load_state_dict(tensors)
    return HOIControlNet(net, load_device=place.load_device, manual_cast_dtype=place.manual_cast_dtype)


def apply_conditions(positive, negative, control_net, conditions: ConditionVideo, strength: float, span: tuple, frame: int, vae):
    """Attach the control with one frame of the conditions as its hint; raises ValueError for another kind of CONTROL_NET."""
    if not isinstance(control_net, HOIControlNet):
        raise ValueError(
            f"Expected an HOI ControlNet, found {type(control_net).__name__}: use Load HOI ControlNet Flux, or core's Apply ControlNet "
            "with one picture of Unpack HOI Conditions."
        )
    hint = hint_channels(conditions, control_net.control_model.config, frame)
    return apply_control(positive, negative, control_net, hint, strength, span, vae)


def apply_control(positive: list, negative: list, control_net: HOIControlNet, hint: torch.Tensor, strength: float, span: tuple, vae):
    """Attach the control to both conditionings, before any control that is there already.

    Args:
        hint: (B, 3n, H, W) in 0..1. span: (start_percent, end_percent) of sampling.
    """
    chained: dict = {}

    def attach(conditioning: list) -> list:
        out = []
        for embedding, options in conditioning:
            previous = options.get("control")
            if previous not in chained:
                chained[previous] = control_net.copy().set_cond_hint(hint, strength, span, vae).set_previous_controlnet(previous)
            out.append([embedding, {**options, "control": chained[previous], "control_apply_to_uncond": False}])
        return out

    return attach(positive), attach(negative)
