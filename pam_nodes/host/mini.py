"""The shipped small models as the host's MODEL, CLIP and VAE, through the classes the large ones use."""

from __future__ import annotations

import logging
import math

import comfy.model_management as mm
import comfy.model_patcher
import comfy.sd
import comfy.supported_models_base
import comfy.text_encoders.cogvideo
import comfy.text_encoders.flux
import torch
from comfy.sd1_clip import SDTokenizer
from transformers import PreTrainedTokenizerFast

from ..mini.codec import PatchAutoencoder, PatchAutoencoder3D
from ..mini.files import APPEARANCE, MOTION, MiniFiles
from ..weights import require_complete
from .checkpoints import load_checkpoint
from .cogvideox_model import load_cogvideox, load_hoi_control
from .flux_control import load_hoi_controlnet
from .refiner import host_refiner

T5_LENGTH = 32
CLIP_WORDS = "text_model.embeddings.token_embedding.weight"
CLIP_ROWS = 49408
"""The host's CLIP always has this many words; those beyond the small vocabulary are never used."""
CLIP_SPECIAL_TOKENS = {"start": 3, "end": 1, "pad": 1}


def load_appearance() -> tuple:
    """(MODEL, CLIP, VAE, CONTROL_NET, REFINER) of the small Flux."""
    model = comfy.sd.load_diffusion_model_state_dict(load_checkpoint(APPEARANCE.model)[0])
    vae = PatchVAE(PatchAutoencoder(), load_checkpoint(APPEARANCE.vae)[0])
    return model, _flux_clip(APPEARANCE), vae, load_hoi_controlnet(*load_checkpoint(APPEARANCE.control)), host_refiner()


def load_motion() -> tuple:
    """(MODEL, CLIP, VAE, MODEL_PATCH, REFINER) of the small CogVideoX."""
    model = load_cogvideox(load_checkpoint(MOTION.model)[0])
    vae = PatchVAE(PatchAutoencoder3D(), load_checkpoint(MOTION.vae)[0])
    return model, _cogvideox_clip(MOTION), vae, load_hoi_control(*load_checkpoint(MOTION.control)), host_refiner()


class PatchVAE(comfy.sd.VAE):
    """A patch autoencoder behind the host's VAE, with the latent shapes of Flux's (2D) or CogVideoX's (3D)."""

    def __init__(self, codec: PatchAutoencoder | PatchAutoencoder3D, tensors: dict[str, torch.Tensor]):
        self._set_defaults()
        self.latent_channels = 16
        if isinstance(codec, PatchAutoencoder3D):
            self.latent_dim = 3
            self.upscale_ratio = (lambda frames: max(0, frames * 4 - 3), 8, 8)
            self.upscale_index_formula = (4, 8, 8)
            self.downscale_ratio = (lambda frames: max(0, math.floor((frames + 3) / 4)), 8, 8)
            self.downscale_index_formula = (4, 8, 8)
        require_complete(codec, tensors, "patch autoencoder")
        codec.load_state_dict(tensors)
        self.first_stage_model = codec.eval()
        self.device, self.vae_dtype, self.output_device = mm.vae_device(), torch.float32, mm.intermediate_device()
        self.patcher = comfy.model_patcher.CoreModelPatcher(codec, load_device=self.device, offload_device=mm.vae_offload_device())
        self.model_size()

    def _set_defaults(self) -> None:
        """Let the host fill in its fields from an empty file, without its warning that this is no VAE it knows."""
        root = logging.getLogger()
        root.addFilter(_not_the_warning)
        try:
            super().__init__(sd={})
        finally:
            root.removeFilter(_not_the_warning)


def _not_the_warning(record: logging.LogRecord) -> bool:
    """False for the one line to leave out; what other threads log meanwhile passes."""
    return "No VAE weights detected" not in record.getMessage()


def _flux_clip(files: MiniFiles) -> comfy.sd.CLIP:
    """The host's Flux text encoders with the small configs and tokenizers."""

    class Tokenizer(comfy.text_encoders.flux.FluxTokenizer):
        def __init__(self, embedding_directory=None, tokenizer_data=None):
            self.clip_l = SDTokenizer(str(files.tokenizer("clip")), tokenizer_class=PreTrainedTokenizerFast, embedding_size=64)
            self.t5xxl = _t5_tokenizer(files)

    target = comfy.supported_models_base.ClipTarget(Tokenizer, comfy.text_encoders.flux.FluxClipModel)
    options = {"t5xxl_model_config": files.config("t5"), "clip_l_model_config": files.config("clip")}
    words = load_checkpoint(files.clip)[0]
    rows = words[CLIP_WORDS]
    words[CLIP_WORDS] = torch.cat([rows, rows.new_zeros(CLIP_ROWS - len(rows), rows.shape[1])])
    words["text_projection.weight"] = torch.eye(rows.shape[1])
    clip = comfy.sd.CLIP(target, model_options=options, state_dict=[words, load_checkpoint(files.t5)[0]])
    clip.cond_stage_model.clip_l.special_tokens = CLIP_SPECIAL_TOKENS
    return clip


def _cogvideox_clip(files: MiniFiles) -> comfy.sd.CLIP:
    """The host's CogVideoX text encoder with the small config and tokenizer."""

    class Tokenizer(comfy.text_encoders.cogvideo.CogVideoXTokenizer):
        def __init__(self, embedding_directory=None, tokenizer_data=None):
            self.clip_name, self.clip = "t5xxl", "t5xxl"
            self.t5xxl = _t5_tokenizer(files)

    target = comfy.supported_models_base.ClipTarget(Tokenizer, comfy.text_encoders.cogvideo.CogVideoXT5XXL)
    return comfy.sd.CLIP(target, model_options={"t5xxl_model_config": files.config("t5")}, state_dict=[load_checkpoint(files.t5)[0]])


def _t5_tokenizer(files: MiniFiles) -> SDTokenizer:
    return SDTokenizer(
        str(files.tokenizer("t5")),
        pad_with_end=False,
        embedding_size=128,
        embedding_key="t5xxl",
        tokenizer_class=PreTrainedTokenizerFast,
        has_start_token=False,
        pad_to_max_length=False,
        max_length=99999999,
        min_length=T5_LENGTH,
    )
