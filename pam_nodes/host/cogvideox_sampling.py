"""PAM's sampling for the host: its stochastic DPM++ sampler, its steps and its moving guidance."""

from __future__ import annotations

import logging

import comfy.k_diffusion.sampling
import comfy.samplers
import torch
from comfy_extras.nodes_easycache import EasyCacheNode

from ..motion.dpm import step
from ..motion.schedule import PRESETS, alphas_cumprod, guidance_at, trailing_steps
from .cogvideox_model import base_of

log = logging.getLogger(__name__)
TRACE = 5e-8
"""Share of signal that the host leaves in its last training step, where diffusers leaves none."""


def sigmas_of(model, steps: int, denoise: float = 1.0) -> torch.Tensor:
    """(steps + 1,) noise levels of PAM's trailing steps in the host's measure, largest first, zero last; fewer if ``denoise`` < 1."""
    table = model.get_model_object("model_sampling").sigmas
    total = max(steps, round(steps / denoise))
    return torch.cat([table[trailing_steps(total)].float().cpu(), torch.zeros(1)])[-(steps + 1) :]


@torch.no_grad()
def sample_cogvideox_dpm(model, x, sigmas, extra_args=None, callback=None, disable=None, noise_sampler=None):
    """Sampler function of the host's kind: ``x`` (B, C, T, h, w) with the noise level ``sigmas[0]``.

    At the noisiest step the host's table keeps a trace of signal where diffusers' is zero; the prediction is freed of it.
    """
    extra_args = extra_args or {}
    noise_sampler = noise_sampler or comfy.k_diffusion.sampling.default_noise_sampler(x, extra_args.get("seed"))
    table = alphas_cumprod()
    signals = [_signal(float(sigma), table) for sigma in sigmas]
    sample = x / (sigmas[0] ** 2 + 1).sqrt()
    each = x.new_ones(x.shape[0])
    earlier = None
    for i in comfy.k_diffusion.sampling.trange(len(sigmas) - 1, disable=disable):
        sigma = sigmas[i]
        denoised = model(sample * (sigma**2 + 1).sqrt(), sigma * each, **extra_args)
        keep, mix = 1 / float(sigma**2 + 1) ** 0.5, float(sigma) / float(sigma**2 + 1) ** 0.5
        velocity = (keep * sample - denoised) / mix
        clean = signals[i] ** 0.5 * sample - (1 - signals[i]) ** 0.5 * velocity
        if callback is not None:
            callback({"x": sample, "i": i, "sigma": sigma, "sigma_hat": sigma, "denoised": denoised})
        back = signals[i - 1] if i else None
        noise = noise_sampler(sigma, sigmas[i + 1]) if sigmas[i + 1] > 0 else torch.zeros_like(sample)
        sample = step(sample, clean, earlier, signals[i], signals[i + 1], back, noise)
        earlier = clean
    return sample * float(sigmas[-1] ** 2 + 1) ** 0.5


def _signal(sigma: float, table: torch.Tensor) -> float:
    """Share of signal at a noise level; exactly a training step's where the level is one of theirs, none for the host's trace."""
    signal = 1 / (sigma * sigma + 1)
    nearest = float(table[(table - signal).abs().argmin()])
    return nearest if abs(nearest - signal) < (1e-4 * signal if nearest else TRACE) else signal


class MovingGuider(comfy.samplers.CFGGuider):
    """Guidance that changes from step to step, and a plain word when the model gives NaN."""

    def set_guidance(self, mode: str, scale: float) -> None:
        self.mode, self.scale = mode, scale
        self.set_cfg(scale)

    def predict_noise(self, x, timestep, model_options=None, seed=None):
        model_options = model_options or {}
        sigmas = model_options["transformer_options"]["sample_sigmas"]
        current = int((sigmas[:-1] - timestep.flatten()[0]).abs().argmin())
        trained = int(self.inner_model.model_sampling.timestep(timestep).flatten()[0])
        self.cfg = guidance_at(self.mode, self.scale, current, trained, len(sigmas) - 1)
        denoised = super().predict_noise(x, timestep, model_options, seed)
        if not torch.isfinite(denoised).all():
            raise ValueError(
                f"Expected a picture from the model, found NaN at step {current + 1}: load model and control as bf16, and check the latent."
            )
        return denoised


def sampling(model, positive, negative, preset: str, steps: int, cfg: float, guidance: str, denoise: float):
    """GUIDER, SAMPLER and SIGMAS of a preset.

    Args:
        model: a CogVideoX MODEL. steps, guidance: 0 and "preset" leave them to the preset.
        denoise: below 1 a given latent is changed only in part.
    """
    base_of(model)
    chosen = PRESETS[preset]
    if chosen.reuse and "context_handler" in model.model_options:
        log.warning("Steps are not reused in windows: core's step cache would mix them up.")
    elif chosen.reuse:
        model = EasyCacheNode.execute(model, chosen.reuse, 0.15, 0.95, False).args[0]
    guider = MovingGuider(model)
    guider.set_conds(positive, negative)
    guider.set_guidance(chosen.guidance if guidance == "preset" else guidance, cfg)
    ours = chosen.sampler == "cogvideox_dpm"
    sampler = comfy.samplers.KSAMPLER(sample_cogvideox_dpm) if ours else comfy.samplers.sampler_object(chosen.sampler)
    return guider, sampler, sigmas_of(model, steps or chosen.steps, denoise)
