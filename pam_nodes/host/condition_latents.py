"""Conditions through the host's video VAE: one modality at a time, whole or in tiles, and never the same pictures twice."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import comfy.ldm.cogvideo.vae
import torch

from ..conditions.video import ConditionVideo
from ..motion.frames import latent_length
from ..motion.slots import UNUSED, SlotLatents
from ..progress import Progress

KEPT = 32
"""Clips and pictures whose latents stay with the VAE: at most 4.5 MB each at 720 x 480 and 49 frames."""
CACHE = "pam_condition_latents"
TILE = (360, 240)
"""Width and height of a tile, as diffusers' CogVideoX VAE has them at 720 x 480."""
OVERLAP = 64


@dataclass(frozen=True)
class Encoding:
    """How pictures become latents.

    Attributes:
        seed: of a sample from the VAE's distribution, as PAM's pipeline takes; None: its most likely value.
        tiled: encode in tiles, which needs less memory; without it the host changes to tiles when memory runs out.
    """

    seed: int | None = None
    tiled: bool = False


def encode_slots(
    conditions: ConditionVideo,
    slots: tuple[str, ...],
    vae,
    process_in: Callable[[torch.Tensor], torch.Tensor],
    strengths: Mapping[str, float],
    unused: str,
    encoding: Encoding,
    progress: Progress,
) -> list[SlotLatents]:
    """Latents of every slot.

    Args:
        vae: the host's video VAE. process_in: the model's latent scaling.
        strengths: factor of a modality's latents, 1 if it is not named; 0 leaves the slot as if the modality were missing.
        unused: what a slot without a condition holds, one of ``motion.slots.UNUSED``.

    Raises:
        ValueError: no modality of the control is there, or the length is not 4k + 1.
    """
    latent_length(conditions.shape[0])
    if unused not in UNUSED:
        raise ValueError(f"Expected one of {', '.join(UNUSED)} for unused conditions, found {unused}.")
    used = [name for name in slots if getattr(conditions, name) is not None and strengths.get(name, 1.0) != 0]
    if not used:
        raise ValueError(
            f"Expected at least one of {', '.join(slots)} for this control, found none in the conditions (or all at strength 0): "
            "render or pack one."
        )
    result = []
    for index, name in enumerate(slots):
        progress(index, len(slots))
        if name in used:
            pictures, factor = _floats(conditions, name), strengths.get(name, 1.0)
            clip, first = (process_in(encode(vae, part, encoding)) * factor for part in (pictures, pictures[:1]))
            result.append(SlotLatents(clip, first))
        else:
            result.append(_unused(unused, conditions, name, vae, process_in, encoding))
    progress(len(slots), len(slots))
    return result


def _unused(unused: str, conditions: ConditionVideo, name: str, vae, process_in, encoding: Encoding) -> SlotLatents:
    """What stands for a condition that is missing or at strength 0; the released evaluation shows its first picture if there is one."""
    if unused == "zero latents":
        return SlotLatents()
    pictures = torch.full((*conditions.shape, 3), 0.5)
    if unused == "released evaluation" and getattr(conditions, name) is not None:
        pictures = _floats(conditions, name)
    first = process_in(encode(vae, pictures[:1], encoding))
    return SlotLatents(process_in(encode(vae, pictures, encoding)) if unused == "grey" else None, first)


def _floats(conditions: ConditionVideo, name: str) -> torch.Tensor:
    return torch.from_numpy(getattr(conditions, name)).float() / 255.0


def encode(vae, pictures: torch.Tensor, encoding: Encoding) -> torch.Tensor:
    """(T, H, W, 3) pictures in 0..1 to unscaled latents (1, 16, T', h, w), from the VAE's memory if it has seen them.

    Raises:
        ValueError: the VAE gives NaN, or latents of another kind.
    """
    digest = hashlib.blake2b(pictures.contiguous().numpy(), digest_size=16).hexdigest()
    key = (digest, tuple(pictures.shape), encoding)
    memory = vae.patcher.get_attachment(CACHE)
    if memory is None:
        memory = OrderedDict()
        vae.patcher.set_attachments(CACHE, memory)
    if key not in memory:
        memory[key] = _checked(_encode(vae, pictures, encoding), pictures)
        while len(memory) > KEPT:
            memory.popitem(last=False)
    memory.move_to_end(key)
    return memory[key]


def _encode(vae, pictures: torch.Tensor, encoding: Encoding) -> torch.Tensor:
    with _diffusers_batches(vae), _sampled(vae, encoding.seed):
        if encoding.tiled:
            return vae.encode_tiled(pictures, tile_x=TILE[0], tile_y=TILE[1], overlap=OVERLAP)
        return vae.encode(pictures)


def _checked(latent: torch.Tensor, pictures: torch.Tensor) -> torch.Tensor:
    if latent.ndim != 5 or latent.shape[1] != 16:
        raise ValueError(
            f"Expected CogVideoX's VAE (16 channels, video), found one that gives {tuple(latent.shape)}: connect CogVideoX's own VAE."
        )
    if not torch.isfinite(latent).all():
        raise ValueError("Expected numbers from the VAE, found NaN: start ComfyUI with --bf16-vae or --fp32-vae.")
    if latent.shape[2] != latent_length(len(pictures)):
        raise ValueError(f"Expected {latent_length(len(pictures))} latent frames, found {latent.shape[2]}: connect CogVideoX's own VAE.")
    return latent


@contextlib.contextmanager
def _diffusers_batches(vae):
    """While open, CogVideoX's VAE takes frames in the batches PAM was trained with: the first 8 and what is over, then 8 and 8.

    The host takes what is over by itself. The norms are over a batch, so that this changes every latent.
    """
    net = vae.first_stage_model
    if not isinstance(net, comfy.ldm.cogvideo.vae.AutoencoderKLCogVideoX):
        yield
        return

    def in_batches(pixels: torch.Tensor) -> torch.Tensor:
        size, cache, parts = net.num_sample_frames_batch_size, None, []
        ends = list(range(pixels.shape[2], 0, -size))[::-1]
        if len(ends) > 1 and ends[0] < size:
            del ends[0]
        for start, end in itertools.pairwise([0, *ends]):
            part, cache = net.encoder(pixels[:, :, start:end], conv_cache=cache)
            parts.append(part)
        return torch.cat(parts, dim=2).chunk(2, dim=1)[0]

    net.encode = in_batches
    try:
        yield
    finally:
        del net.encode


@contextlib.contextmanager
def _sampled(vae, seed: int | None):
    """While open, the VAE's encoder gives samples of its distribution in place of the means; a VAE without one is left alone."""
    encoder = getattr(vae.first_stage_model, "encoder", None)
    if seed is None or encoder is None:
        yield
        return
    generator = torch.Generator().manual_seed(seed)

    def sample(module, args, output):
        mean, log_variance = output[0].chunk(2, dim=1)
        noise = torch.randn(mean.shape, generator=generator).to(mean)
        return torch.cat([mean + (0.5 * log_variance.clamp(-30, 20)).exp() * noise, log_variance], dim=1), *output[1:]

    handle = encoder.register_forward_hook(sample)
    try:
        yield
    finally:
        handle.remove()
