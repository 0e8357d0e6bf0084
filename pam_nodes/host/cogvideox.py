"""CogVideoX of the host with the settings of the 1.0 image-to-video family, and the HOI control as a patch of it."""

from __future__ import annotations

import comfy.ldm.cogvideo.model
import comfy.ldm.common_dit
import comfy.model_base
import comfy.model_detection
import comfy.model_management
import comfy.model_patcher
import comfy.patcher_extension
import comfy.supported_models
import comfy.utils
import node_helpers
import torch

from ..conditions.video import ConditionVideo
from ..motion.checkpoint import control_part, detect, to_module_keys
from ..motion.control import HOICogVideoXControl
from ..motion.convert import cogvideox_to_native
from ..motion.frames import latent_length
from ..motion.inject import controlled
from ..weights import require_complete
from .attention import attend
from .devices import placement

KEY = "pam_hoi_control"


class CogVideoXImageToVideo(comfy.supported_models.CogVideoX_I2V):
    """The host's model in the variance-exploding view of v-prediction: the same maths, and every sampler of the host fits it."""

    def get_model(self, state_dict, prefix="", device=None):
        return comfy.model_base.CogVideoX(self, comfy.model_base.ModelType.V_PREDICTION, image_to_video=True, device=device)


def load_cogvideox(state_dict: dict[str, torch.Tensor]) -> comfy.model_patcher.ModelPatcher:
    """Build a MODEL from diffusers or native tensors of a CogVideoX 1.0 image-to-video model, or of a merged PAM file.

    The host's own detection turns rotary positions off where learned ones are stored and stretches them by 1.875; this
    family has both, unstretched (specs: host §5.4), which makes the host's class equal to diffusers'.

    Raises:
        ValueError: the tensors are not those of such a model.
    """
    tensors = cogvideox_to_native(state_dict)
    if "blocks.0.norm1.linear.weight" not in tensors or tensors.get("patch_embed.proj.weight", torch.empty(0)).ndim != 4:
        raise ValueError(
            f"Expected a CogVideoX 1.0 image-to-video model, found keys like {', '.join(sorted(state_dict)[:3])}: "
            "choose the transformer of CogVideoX-5b-I2V or PAM's motion checkpoint."
        )
    config = comfy.model_detection.detect_unet_config(tensors, "")
    learned = "patch_embed.pos_embedding" in tensors
    config.update(
        use_rotary_positional_embeddings=True,
        use_learned_positional_embeddings=learned,
        spatial_interpolation_scale=1.0,
    )
    model_config = CogVideoXImageToVideo(config)
    place = placement(tensors)
    model_config.set_inference_dtype(place.dtype, place.manual_cast_dtype, device=place.load_device)
    model = model_config.get_model(tensors, "", device=place.offload_device)
    model.load_model_weights(tensors, "")
    return comfy.model_patcher.CoreModelPatcher(model, load_device=place.load_device, offload_device=place.offload_device)


def load_hoi_control(state_dict: dict[str, torch.Tensor], metadata: dict[str, str] | None = None) -> comfy.model_patcher.ModelPatcher:
    """Build a MODEL_PATCH from a control-only or merged checkpoint; raises ValueError for any other file."""
    control = control_part(state_dict)
    config = detect(control, metadata)
    tensors = to_module_keys(control, config)
    place = placement(tensors)
    net = HOICogVideoXControl(config, place.operations, device=place.offload_device, dtype=place.dtype).eval()
    require_complete(net, tensors, "HOI control for CogVideoX")
    net.load_state_dict(tensors)
    return comfy.model_patcher.CoreModelPatcher(net, load_device=place.load_device, offload_device=place.offload_device)


def encode_slots(conditions: ConditionVideo, slots: tuple[str, ...], vae, process_in, progress) -> list[torch.Tensor | None]:
    """Latents of each slot, one modality at a time: (1, 32, T', h, w), the map beside its first frame; None where absent.

    Args:
        vae: the host's video VAE. process_in: the model's latent scaling. progress: called once a slot.
    """
    latent_length(conditions.shape[0])
    if all(getattr(conditions, name, None) is None for name in slots):
        raise ValueError(f"Expected at least one of {', '.join(slots)} for this control, found none in the conditions: render or pack one.")
    encoded: list[torch.Tensor | None] = []
    for index, name in enumerate(slots):
        progress(index, len(slots))
        pictures = getattr(conditions, name, None)
        if pictures is None:
            encoded.append(None)
            continue
        latent = process_in(vae.encode(torch.from_numpy(pictures).float() / 255.0))
        first = torch.cat([latent[:, :, :1], torch.zeros_like(latent[:, :, 1:])], dim=2)
        encoded.append(torch.cat([latent, first], dim=1))
    progress(len(slots), len(slots))
    return encoded


class ControlRun:
    """The wrapper around one sampling run: holds condition latents, and the start's constant part once it is known."""

    def __init__(self, patch, slots: list[torch.Tensor | None], strength: float, sigmas: tuple[float, float]):
        self.patch, self.slots, self.strength, self.sigmas = patch, slots, strength, sigmas
        self.constants: dict[tuple, torch.Tensor] = {}

    def __call__(self, executor, x, timestep, context, ofs, transformer_options, **kwargs):
        sigma = transformer_options.get("sigmas")
        if sigma is not None and not self.sigmas[1] <= float(sigma[0]) <= self.sigmas[0]:
            return executor(x, timestep, context, ofs, transformer_options, **kwargs)
        control, base = self.patch.model, executor.class_obj
        constant = self._constant(base, x, context, transformer_options)
        with controlled(base.blocks, control, lambda hidden: control.start(hidden, constant), self.strength, attend):
            return executor(x, timestep, context, ofs, transformer_options, **kwargs)

    def _constant(self, base, x: torch.Tensor, context: torch.Tensor, transformer_options: dict) -> torch.Tensor:
        window = transformer_options.get("context_window")
        frames = tuple(window.index_list) if window is not None else tuple(range(x.shape[2]))
        key = (frames, x.shape[3:], x.dtype, x.device)
        if key not in self.constants:
            tokens = [self._tokens(base, slot, x, context, frames) for slot in self.slots]
            self.constants[key] = self.patch.model.constant(tokens)
        return self.constants[key]

    def _tokens(self, base, slot: torch.Tensor | None, x: torch.Tensor, context: torch.Tensor, frames: tuple[int, ...]) -> torch.Tensor:
        """Tokens of one slot through the base model's own patch embedding, (1, S, D)."""
        if slot is None:
            latent = x.new_zeros(1, *x.shape[1:])
        else:
            if slot.shape[3:] != x.shape[3:] or slot.shape[2] <= max(frames):
                found, wanted = _pixels(slot), _pixels(x)
                raise ValueError(f"Expected conditions of {wanted} like the video, found {found}: render them with that size and length.")
            latent = slot[:, :, list(frames)].to(x)
        latent = comfy.ldm.common_dit.pad_to_patch_size(latent, (1, base.patch_size, base.patch_size))
        return base.patch_embed(context[:1], latent.permute(0, 2, 1, 3, 4))[:, context.shape[1] :]

    def forget(self, *_) -> None:
        """Free what sampling left behind."""
        self.constants.clear()


def _pixels(latent: torch.Tensor) -> str:
    return f"{latent.shape[4] * 8} x {latent.shape[3] * 8} pixels and {latent.shape[2] * 4 - 3} frames"


def apply_hoi_control(model, patch, vae, conditions: ConditionVideo, strength: float, start_percent: float, end_percent: float, progress):
    """Clone the MODEL with the control beside its blocks; raises ValueError for models it does not fit."""
    if not isinstance(patch.model, HOICogVideoXControl):
        raise ValueError(f"Expected an HOI control for CogVideoX, found {type(patch.model).__name__}: use Load HOI Control CogVideoX.")
    base = model.get_model_object("diffusion_model")
    if not isinstance(base, comfy.ldm.cogvideo.model.CogVideoXTransformer3DModel):
        raise ValueError(f"Expected a CogVideoX model, found {type(base).__name__}: connect the MODEL this control was trained for.")
    config = patch.model.config
    width = base.num_attention_heads * base.attention_head_dim
    if width != config.dim or len(base.blocks) < config.num_blocks:
        raise ValueError(
            f"Expected a CogVideoX of {config.dim} channels and {config.num_blocks} blocks or more, found {width} and {len(base.blocks)}: "
            "base and control must be of one family."
        )
    slots = encode_slots(conditions, config.slots, vae, model.get_model_object("latent_format").process_in, progress)
    sampling = model.get_model_object("model_sampling")
    run = ControlRun(patch, slots, strength, (sampling.percent_to_sigma(start_percent), sampling.percent_to_sigma(end_percent)))
    clone = model.clone()
    clone.add_wrapper_with_key(comfy.patcher_extension.WrappersMP.DIFFUSION_MODEL, KEY, run)
    clone.add_callback_with_key(comfy.patcher_extension.CallbacksMP.ON_CLEANUP, KEY, run.forget)
    clone.set_additional_models(KEY, [*clone.get_additional_models_with_key(KEY), patch])
    return clone


def start_from_image(positive: list, negative: list, vae, image: torch.Tensor | None, width: int, height: int, length: int):
    """Both conditionings with the first frame's latent for the model's second half of channels, and an empty video latent.

    Args:
        image: (B, H, W, 3) in 0..1; the first one counts, stretched to width x height as PAM does. None for text to video.

    Returns:
        positive, negative, {"samples": (1, 16, T', h, w)}.
    """
    frames = latent_length(length)
    if width % 16 or height % 16:
        fit = f"{max(16, width // 16 * 16)} x {max(16, height // 16 * 16)}"
        raise ValueError(f"Expected width and height in multiples of 16, found {width} x {height}: use {fit}.")
    latent = torch.zeros(1, 16, frames, height // 8, width // 8, device=comfy.model_management.intermediate_device())
    if image is not None:
        stretched = comfy.utils.common_upscale(image[:1, ..., :3].movedim(-1, 1), width, height, "bicubic", "disabled").movedim(1, -1)
        values = {"concat_latent_image": vae.encode(stretched.clamp(0, 1))}
        positive = node_helpers.conditioning_set_values(positive, values)
        negative = node_helpers.conditioning_set_values(negative, values)
    return positive, negative, {"samples": latent}
