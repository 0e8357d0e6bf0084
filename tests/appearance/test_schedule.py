"""Noise levels and noise of the released sampler, against the figures of the release and diffusers' scheduler."""

import math

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from diffusers.pipelines.flux.pipeline_flux import calculate_shift

from pam_nodes.appearance.schedule import noise, shift_mu, shift_tokens, sigmas

RELEASED = (
    "1 .977147 .953676 .929562 .904778 .879295 .853084 .826113 .798349 .769755 .740295 .709927 .678611 .646300 .612946 .578499 .542902 "
    ".506099 .468025 .428616 .387798 .345496 .301625 .256099 .208821 .159688 .108589 .055403 0"
)
"""640 x 480, pam_reference.md 2.3."""
ULP = 2.0**-24


def test_released_levels():
    assert shift_tokens(60, 80) == 18 and shift_tokens(60, 80, "true") == 1200
    assert shift_mu(18) == pytest.approx(0.459714, abs=5e-7)
    torch.testing.assert_close(sigmas(60, 80), torch.tensor([float(v) for v in RELEASED.split()]), atol=6e-7, rtol=0)


@pytest.mark.parametrize("shift", ["released", "true"])
@pytest.mark.parametrize("size", [(60, 80), (60, 90), (128, 128)])
def test_equals_diffusers_scheduler(shift, size):
    """Same shift to the bit; levels to 3 units in the last place: diffusers starts from linspace(1, 1/28), PAM from linspace(1, 0)."""
    tokens = shift_tokens(*size, shift)
    assert shift_mu(tokens) == calculate_shift(tokens, 256, 4096, 0.5, 1.15)
    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True)
    scheduler.set_timesteps(sigmas=np.linspace(1.0, 1 / 28, 28), mu=shift_mu(tokens))
    assert (scheduler.sigmas - sigmas(*size, shift=shift)).abs().max() <= 3 * ULP


def test_equals_the_released_formula_to_the_bit():
    t = torch.linspace(1, 0, 29)
    mu = 0.5 + (1.15 - 0.5) / (4096 - 256) * (18 - 256)
    shifted = math.exp(mu) / (math.exp(mu) + (1 / t - 1) ** 1.0)
    assert (shifted - sigmas(60, 80)).abs().max() <= ULP


def test_each_picture_has_its_own_seed():
    batch = noise(range(42, 45), 6, 8)
    assert batch.shape == (3, 16, 6, 8) and batch.dtype == torch.float32
    assert torch.equal(batch[1:2], noise([43], 6, 8))
    assert torch.equal(batch[:1], torch.randn(1, 16, 6, 8, generator=torch.Generator().manual_seed(42)))


def test_bad_settings():
    with pytest.raises(ValueError, match="released or true"):
        sigmas(60, 80, shift="odd")
    with pytest.raises(ValueError, match="at least 1 step, found 0"):
        sigmas(60, 80, 0)
