"""What CogVideoX starts from: its first frame as conditioning, and an empty latent of the right size."""

from __future__ import annotations

import logging

import comfy.ldm.cogvideo.vae
import comfy.model_management
import comfy.utils
import node_helpers
import torch

from ..conditions.video import ConditionVideo
from ..motion.continuation import next_chunk
from ..motion.frames import latent_length, padding, require_decodable
from .cogvideox_model import base_of
from .condition_latents import Encoding, encode

log = logging.getLogger(__name__)


def start_from_image(
    positive: list, negative: list, vae, image: torch.Tensor | None, width: int, height: int, length: int, fit: str = "stretch", model=None
):
    """Both conditionings with the first frame's latent for the model's second half of channels, and an empty video latent.

    Args:
        image: (B, H, W, 3) in 0..1; the first one counts. None for text to video.
        fit: "stretch" it to width x height as PAM does, "crop" its middle, or "pad" it with black bars.
        model: if given, size and length are checked against it, and a CogVideoX 1.5 gets the frames it needs before the clip.

    Returns:
        positive, negative, {"samples": (1, 16, T', h, w)}, latent frames to cut off before decoding.

    Raises:
        ValueError: a size, a length or a picture that does not fit.
    """
    frames = latent_length(length)
    if width % 16 or height % 16:
        multiple = f"{max(16, width // 16 * 16)} x {max(16, height // 16 * 16)}"
        raise ValueError(f"Expected width and height in multiples of 16, found {width} x {height}: use {multiple}.")
    if _in_eights(vae):
        require_decodable(length)
    base = None if model is None else base_of(model)
    before = 0 if base is None else padding(frames, base.patch_size_t)
    if base is not None:
        _require_positions(base, width, height, frames, in_windows="context_handler" in model.model_options)
    latent = torch.zeros(1, 16, frames + before, height // 8, width // 8, device=comfy.model_management.intermediate_device())
    if image is not None:
        first = encode(vae, fitted(image[:1], width, height, fit), Encoding())
        if base is not None and base.pam.ofs_dim is not None:
            # CogVideoX 1.5 divides where 1.0 multiplies by the VAE's scale (invert_scale_latents); the host multiplies.
            first = first / model.get_model_object("latent_format").scale_factor ** 2
        values = {"concat_latent_image": first.repeat(1, 1, before + 1, 1, 1)}
        positive = node_helpers.conditioning_set_values(positive, values)
        negative = node_helpers.conditioning_set_values(negative, values)
    return positive, negative, {"samples": latent}, before


def continue_clip(positive: list, negative: list, vae, images: torch.Tensor, conditions: ConditionVideo, length: int):
    """What the next chunk of a clip starts from: its last frame, and the part of the conditions that belongs to it.

    Args:
        images: (T, H, W, 3) all frames made so far. conditions: of the whole clip. length: frames of a chunk.

    Returns:
        positive, negative, {"samples": ...}, the part of the conditions, how many frames are left after it.
    """
    chunk, left = next_chunk(conditions, len(images), length, 8 if _in_eights(vae) else 4)
    count, height, width = chunk.shape
    positive, negative, latent, _ = start_from_image(positive, negative, vae, images[-1:], width, height, count)
    return positive, negative, latent, chunk, left


def _in_eights(vae) -> bool:
    """True for CogVideoX's own VAE, which gives 8k + 1 pictures back and no other number."""
    return isinstance(vae.first_stage_model, comfy.ldm.cogvideo.vae.AutoencoderKLCogVideoX)


def _require_positions(base, width: int, height: int, frames: int, in_windows: bool) -> None:
    """Raise ValueError for a size or a length that a model with stored positions has none for."""
    if not base.pam.learned:
        return
    wide, high, most = base.pam.sample
    if (width // 8, height // 8) != (wide, high):
        wanted = f"{wide * 8} x {high * 8}"
        raise ValueError(f"Expected {wanted} pixels, the only size this model has positions for, found {width} x {height}: use {wanted}.")
    if frames > most and not in_windows:
        raise ValueError(
            f"Expected at most {4 * most - 3} frames, for which this model has positions, found {4 * frames - 3}: connect the MODEL of "
            "CogVideoX Long Video (PAM)."
        )


def fitted(image: torch.Tensor, width: int, height: int, fit: str) -> torch.Tensor:
    """(1, H, W, C) picture brought to a size, (1, height, width, 3); raises ValueError for one with NaN."""
    image = image[..., :3].float().cpu()
    if not torch.isfinite(image).all():
        raise ValueError("Expected a start image, found NaN in it: the node before it failed, look at its preview.")
    pixels = image.movedim(-1, 1)
    stretch = pixels.shape[3] / pixels.shape[2] / (width / height)
    if fit == "stretch" and not 0.8 < stretch < 1.25:
        log.warning("The start image is %s x %s and is stretched to %s x %s: fit can crop or pad it.", *pixels.shape[3:1:-1], width, height)
    if fit == "pad":
        scale = min(width / pixels.shape[3], height / pixels.shape[2])
        size = (max(1, round(pixels.shape[3] * scale)), max(1, round(pixels.shape[2] * scale)))
        inner = comfy.utils.common_upscale(pixels, *size, "bicubic", "disabled")
        left, top = (width - size[0]) // 2, (height - size[1]) // 2
        pixels = torch.nn.functional.pad(inner, (left, width - size[0] - left, top, height - size[1] - top))
    else:
        pixels = comfy.utils.common_upscale(pixels, width, height, "bicubic", "center" if fit == "crop" else "disabled")
    return pixels.movedim(1, -1).clamp(0, 1)
