"""Model folders in diffusers' layout: the real classes, a few thousand random weights."""

from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderKLCogVideoX,
    CogVideoXDPMScheduler,
    CogVideoXImageToVideoPipeline,
    CogVideoXTransformer3DModel,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
)
from safetensors.torch import save_file
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer, T5Config, T5EncoderModel, T5Tokenizer

from pam_nodes.appearance.flux_control import FluxControlConfig, HOIFluxControl
from pam_nodes.motion.checkpoint import from_module_keys
from pam_nodes.motion.control import RELEASED_SLOTS, CogVideoXControlConfig, HOICogVideoXControl

LETTERS = "abcdefghijklmnopqrstuvwxyz"
WIDE, CONTEXT, POOLED = 256, 48, 32
FLUX_CONTROL = FluxControlConfig(WIDE, 2, CONTEXT, POOLED, True, (("depth", "normals"), ("keypoints", "segmentation")))
SIZE, LENGTH = (96, 48), 9
"""Of the CogVideoX folder, whose learned positions fit nothing else; large enough that its VAE works in tiles."""


def shake(module: nn.Module, seed: int = 0) -> nn.Module:
    """Random weights everywhere, the same in each call; norms stay near 1."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in module.named_parameters():
        centre = 1.0 if name.endswith("weight") and parameter.ndim == 1 else 0.0
        parameter.data = centre + torch.randn(parameter.shape, generator=generator) * 0.1
    return module.eval()


def t5() -> tuple[T5EncoderModel, T5Tokenizer]:
    words = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -9.0), *((letter, -10.0) for letter in LETTERS)]
    tokenizer = T5Tokenizer(vocab=words, extra_ids=0)
    config = T5Config(
        vocab_size=len(tokenizer), d_model=CONTEXT, d_kv=16, d_ff=64, num_layers=1, num_heads=3, feed_forward_proj="gated-gelu"
    )
    return shake(T5EncoderModel(config)), tokenizer


def clip() -> tuple[CLIPTextModel, CLIPTokenizer]:
    pieces = ["<|startoftext|>", "<|endoftext|>", *LETTERS, *(f"{letter}</w>" for letter in LETTERS)]
    tokenizer = CLIPTokenizer(vocab={piece: index for index, piece in enumerate(pieces)}, merges=[], model_max_length=77)
    ends = {"eos_token_id": tokenizer.eos_token_id, "bos_token_id": tokenizer.bos_token_id, "pad_token_id": tokenizer.pad_token_id}
    config = CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=POOLED, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, **ends
    )
    return shake(CLIPTextModel(config)), tokenizer


def flux_transformer() -> FluxTransformer2DModel:
    return shake(
        FluxTransformer2DModel(
            in_channels=64,
            num_layers=3,
            num_single_layers=1,
            attention_head_dim=128,
            num_attention_heads=2,
            joint_attention_dim=CONTEXT,
            pooled_projection_dim=POOLED,
            guidance_embeds=True,
        )
    )


def flux_folder(folder: Path) -> Path:
    """FLUX.1-dev in small."""
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4, block_out_channels=(8, 8, 8, 16),
        layers_per_block=1, latent_channels=16, norm_num_groups=4, use_quant_conv=False, use_post_quant_conv=False,
        scaling_factor=0.3611, shift_factor=0.1159,
    )  # fmt: skip
    (encoder, tokenizer), (encoder_2, tokenizer_2) = clip(), t5()
    FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True), vae=shake(vae), text_encoder=encoder, tokenizer=tokenizer,
        text_encoder_2=encoder_2, tokenizer_2=tokenizer_2, transformer=flux_transformer(),
    ).save_pretrained(folder)  # fmt: skip
    return folder


def flux_control_file(path: Path, config: FluxControlConfig = FLUX_CONTROL) -> Path:
    """A released-like controlnet.bin: two 6-channel nets, as torch saves them."""
    state = shake(HOIFluxControl(config), seed=1).state_dict()
    torch.save({f"module.{key}": value for key, value in state.items()}, path)
    return path


def cogvideox_transformer(**changes) -> CogVideoXTransformer3DModel:
    base = dict(
        num_attention_heads=2, attention_head_dim=64, in_channels=32, out_channels=16, time_embed_dim=32, text_embed_dim=CONTEXT,
        num_layers=3, sample_width=SIZE[0] // 8, sample_height=SIZE[1] // 8, sample_frames=LENGTH, max_text_seq_length=12,
        use_rotary_positional_embeddings=True, use_learned_positional_embeddings=True,
    )  # fmt: skip
    return shake(CogVideoXTransformer3DModel(**{**base, **changes}))


def cogvideox_vae() -> AutoencoderKLCogVideoX:
    return shake(
        AutoencoderKLCogVideoX(
            block_out_channels=(8, 8, 8, 8),
            latent_channels=16,
            layers_per_block=1,
            norm_num_groups=4,
            temporal_compression_ratio=4,
            sample_height=96,
            sample_width=160,
            scaling_factor=0.7,
        )
    )


def cogvideox_folder(folder: Path, **changes) -> Path:
    """CogVideoX-5b-I2V in small."""
    encoder, tokenizer = t5()
    scheduler = CogVideoXDPMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", prediction_type="v_prediction", rescale_betas_zero_snr=True,
        snr_shift_scale=1.0, timestep_spacing="linspace", set_alpha_to_one=True,
    )  # fmt: skip
    CogVideoXImageToVideoPipeline(
        tokenizer=tokenizer, text_encoder=encoder, vae=cogvideox_vae(), transformer=cogvideox_transformer(**changes), scheduler=scheduler
    ).save_pretrained(folder)
    return folder


def cogvideox_control(slots: tuple[str, ...] = RELEASED_SLOTS) -> HOICogVideoXControl:
    return shake(HOICogVideoXControl(CogVideoXControlConfig(128, 2, 64, 32, slots)), seed=2)


def cogvideox_control_file(path: Path, slots: tuple[str, ...] = RELEASED_SLOTS) -> Path:
    """A merged checkpoint of base and control, as released."""
    net = cogvideox_control(slots)
    control = from_module_keys(net.state_dict(), net.config)
    save_file({key: value.contiguous() for key, value in {**cogvideox_transformer().state_dict(), **control}.items()}, path)
    return path
