"""CogVideoX of the host with diffusers' positions, and its loaders: base model and HOI control."""

from __future__ import annotations

from collections.abc import Mapping

import comfy.ldm.cogvideo.model
import comfy.model_base
import comfy.model_patcher
import comfy.ops
import comfy.supported_models
import torch

from ..motion.base import BaseConfig, detect_base, to_native
from ..motion.checkpoint import control_part, detect, to_module_keys
from ..motion.control import HOICogVideoXControl
from ..motion.positions import rotary, sines
from ..weights import require_complete
from .devices import WEIGHT_DTYPES, placement

PIXELS = 8


class Transformer(comfy.ldm.cogvideo.model.CogVideoXTransformer3DModel):
    """The host's transformer with the positions that diffusers gives each family, and plain words for inputs that do not fit.

    The host turns rotary positions off where learned ones are stored, stretches them by 1.875, and has another sine table for 2B
    (specs: host 5.4).
    """

    def __init__(self, pam: BaseConfig, **settings):
        super().__init__(**settings)
        self.pam = pam

    def _get_rotary_emb(self, h: int, w: int, t: int, device):
        size = self.pam.sample
        base = None if size is None or self.pam.patch_size_t else (size[1] // self.patch_size, size[0] // self.patch_size)
        return rotary(self.attention_head_dim, t, h, w, base, device)

    def _forward(self, x, timestep, context, ofs=None, transformer_options=None, **kwargs):
        self._check(x, context)
        if not self.pam.rotary:
            self._place_sines(x)
        return super()._forward(x, timestep, context, ofs, transformer_options, **kwargs)

    def _check(self, x: torch.Tensor, context: torch.Tensor) -> None:
        if context.shape[-1] != self.pam.text_dim:
            raise ValueError(
                f"Expected prompts of {self.pam.text_dim} numbers a word for this model, found {context.shape[-1]}: "
                "load its own T5 (t5xxl) with core's Load CLIP, type cogvideox."
            )
        if self.pam.learned:
            width, height, frames = self.pam.sample
            if x.shape[4] != width or x.shape[3] != height or x.shape[2] > frames:
                raise ValueError(
                    f"Expected {_pixels(width, height, frames)} or fewer, the only size this model has positions for, found "
                    f"{_pixels(x.shape[4], x.shape[3], x.shape[2])}: use that size, and CogVideoX Long Video (PAM) for more frames."
                )

    def _place_sines(self, x: torch.Tensor) -> None:
        """Put the sine table of this size where the patch embedding adds it; the host may put an older one back between runs."""
        grid = x.shape[2], x.shape[3] // self.patch_size, x.shape[4] // self.patch_size
        embed = self.patch_embed
        if getattr(embed.pos_embedding, "pam_grid", None) != grid:
            table = sines(self.dim, *grid, self.pam.interpolation, x.device)
            embed.pos_embedding = torch.cat([table.new_zeros(1, embed.max_text_seq_length, self.dim), table], dim=1)
            embed.pos_embedding.pam_grid = grid


def _pixels(width: int, height: int, frames: int) -> str:
    return f"{width * PIXELS} x {height * PIXELS} pixels and {frames * 4 - 3} frames"


class CogVideoX(comfy.model_base.CogVideoX):
    """The host's model around our transformer, in the variance-exploding view of v-prediction: same maths, and every sampler fits."""

    def __init__(self, model_config, pam: BaseConfig, device=None):
        comfy.model_base.BaseModel.__init__(
            self,
            model_config,
            comfy.model_base.ModelType.V_PREDICTION,
            device=device,
            unet_model=lambda **settings: Transformer(pam, **settings),
        )
        self.image_to_video = pam.image_to_video


def load_cogvideox(state_dict: Mapping[str, torch.Tensor], config: Mapping | None = None, dtype: str = "default"):
    """Build a MODEL from diffusers' or native tensors of a CogVideoX model, or of a merged PAM file.

    Args:
        state_dict: tensors; they may be memory-mapped, each is read once.
        config: diffusers' ``config.json``, or None.
        dtype: key of ``WEIGHT_DTYPES``; "default" leaves it to the host.

    Raises:
        ValueError: the tensors are not those of such a model, or some are missing.
    """
    tensors = to_native(state_dict)
    pam = detect_base(tensors, config)
    place = placement(tensors, WEIGHT_DTYPES[dtype])
    model_config = _host_config(pam)
    model_config.set_inference_dtype(place.dtype, place.manual_cast_dtype, device=place.load_device)
    model = CogVideoX(model_config, pam, device=place.offload_device)
    if not pam.rotary:
        tensors["patch_embed.pos_embedding"] = model.diffusion_model.patch_embed.pos_embedding
    require_complete(model.diffusion_model, tensors, "CogVideoX")
    # The host computes the embeddings in the numbers of their weights, which may come in fp8.
    tensors = {key: value.float() if key.startswith("patch_embed.") else value for key, value in tensors.items()}
    model.load_model_weights(tensors, "")
    return comfy.model_patcher.CoreModelPatcher(model, load_device=place.load_device, offload_device=place.offload_device)


def _host_config(pam: BaseConfig):
    """The host's description of such a model."""
    settings = {
        "image_model": "cogvideox",
        "num_attention_heads": pam.dim // 64,
        "attention_head_dim": 64,
        "num_layers": pam.num_layers,
        "in_channels": pam.in_channels,
        "text_embed_dim": pam.text_dim,
        "time_embed_dim": pam.time_dim,
        "patch_size": 2,
        "use_rotary_positional_embeddings": pam.rotary,
        "use_learned_positional_embeddings": pam.learned or not pam.rotary,
        "spatial_interpolation_scale": 1.0,
    }
    if pam.patch_size_t is not None:
        settings["patch_size_t"] = pam.patch_size_t
    if pam.ofs_dim is not None:
        settings["ofs_embed_dim"] = pam.ofs_dim
    if pam.sample is not None:
        width, height, frames = pam.sample
        settings.update(sample_width=width, sample_height=height, sample_frames=4 * frames - 3)
    kind = comfy.supported_models.CogVideoX_I2V if pam.image_to_video else comfy.supported_models.CogVideoX_T2V
    return kind(settings)


def load_hoi_control(state_dict: Mapping[str, torch.Tensor], metadata: Mapping[str, str] | None = None, dtype: str = "default"):
    """Build a MODEL_PATCH from a control-only or merged checkpoint; arguments as ``load_cogvideox``.

    Raises:
        ValueError: any other file, or one that lacks tensors: nothing is ever filled in with fresh weights.
    """
    control = control_part(state_dict)
    config = detect(control, metadata)
    tensors = to_module_keys(control, config)
    place = placement(tensors, WEIGHT_DTYPES[dtype])
    # Layers that cast to their input: base and control may be kept in different numbers.
    net = HOICogVideoXControl(config, comfy.ops.manual_cast, device=place.offload_device, dtype=place.dtype).eval()
    require_complete(net, tensors, "HOI control for CogVideoX")
    net.load_state_dict(tensors)
    return comfy.model_patcher.CoreModelPatcher(net, load_device=place.load_device, offload_device=place.offload_device)


def base_of(model) -> Transformer:
    """The transformer inside a MODEL; raises ValueError for any other model."""
    base = model.get_model_object("diffusion_model")
    if not isinstance(base, Transformer):
        if isinstance(base, comfy.ldm.cogvideo.model.CogVideoXTransformer3DModel):
            raise ValueError("Expected a MODEL of Load CogVideoX (PAM), found core's, which has other positions: load it with that node.")
        raise ValueError(f"Expected a CogVideoX model, found {type(base).__name__}: connect Load CogVideoX (PAM).")
    return base
