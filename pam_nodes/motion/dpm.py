"""One step of CogVideoX's stochastic DPM++ sampler, the one PAM was evaluated with (diffusers' CogVideoXDPMScheduler.step)."""

from __future__ import annotations

import math

from torch import Tensor


def step(
    sample: Tensor, clean: Tensor, earlier: Tensor | None, signal: float, signal_next: float, signal_back: float | None, noise: Tensor
) -> Tensor:
    """The sample at the next level of noise.

    Args:
        sample: x_t with unit variance. clean: x_0 predicted from it. earlier: x_0 predicted a step before, or None in the first.
        signal, signal_next, signal_back: shares of signal (alphas_cumprod) now, at the next and at the last step; 1 is clean.
        noise: standard normal, as large as the sample.
    """
    if signal_next >= 1:
        return clean
    ratio = _log_snr(signal_next) - _log_snr(signal)
    keep = math.sqrt((1 - signal_next) / (1 - signal)) * math.exp(-ratio)
    pull = -math.expm1(-2 * ratio) * math.sqrt(signal_next)
    fresh = math.sqrt((1 - signal_next) * -math.expm1(-2 * ratio))
    if earlier is not None and signal_back is not None and signal_back > 0:
        share = ratio / (2 * (_log_snr(signal) - _log_snr(signal_back)))
        clean = (1 + share) * clean - share * earlier
    return keep * sample + pull * clean + fresh * noise


def _log_snr(signal: float) -> float:
    """Logarithm of signal over noise; minus infinity for pure noise."""
    return 0.5 * math.log(signal / (1 - signal)) if signal > 0 else -math.inf
