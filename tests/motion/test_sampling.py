"""PAM's steps, sampler and guidance against diffusers' scheduler and the table of the released pipeline."""

import pytest
import torch
from diffusers import CogVideoXDPMScheduler

from pam_nodes.motion import dpm
from pam_nodes.motion.schedule import alphas_cumprod, guidance_at, trailing_steps

RELEASED_GUIDANCE = """
2.291 2.544 6.974 6.420 2.788 4.272 1.038 4.170 1.618 6.983 1.005 2.872 6.977 1.633 4.330 2.437 6.377 6.007 3.448 3.198 1.655 6.610
1.195 4.295 6.985 1.521 1.762 1.058 4.128 1.482 2.003 5.948 4.143 6.531 6.140 7.000 6.168 1.120 2.098 6.685 6.999 2.343 6.213 1.251
7.000 6.864 1.064 1.000 1.000 1.123
"""
"""Guidance of the 50 steps, measured in the released pipeline (specs: pam_reference 3.6)."""


@pytest.fixture(scope="module")
def scheduler():
    """The scheduler of the CogVideoX-5b-I2V folder."""
    return CogVideoXDPMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=True,
        prediction_type="v_prediction", timestep_spacing="trailing", rescale_betas_zero_snr=True, snr_shift_scale=1.0,
    )  # fmt: skip


def test_schedule_is_the_released_one(scheduler):
    torch.testing.assert_close(alphas_cumprod(), scheduler.alphas_cumprod, atol=1e-15, rtol=0)


@pytest.mark.parametrize("count", [1, 7, 20, 25, 30, 50, 1000])
def test_steps_are_trailing(scheduler, count):
    scheduler.set_timesteps(count)
    assert trailing_steps(count) == scheduler.timesteps.tolist()


@pytest.mark.parametrize("count", [0, 1001])
def test_impossible_step_counts_are_named(count):
    with pytest.raises(ValueError, match=f"1 to 1000 steps, found {count}"):
        trailing_steps(count)


@pytest.mark.parametrize("count", [10, 25, 50])
def test_every_step_equals_diffusers(scheduler, count):
    """Each step from the same sample, prediction and noise; the first is from pure noise, the last to a clean clip."""
    scheduler.set_timesteps(count)
    times, table = scheduler.timesteps.tolist(), alphas_cumprod()
    signals = [float(table[t]) for t in times] + [1.0]
    torch.manual_seed(0)
    sample, earlier = torch.randn(1, 3, 16, 4, 8), None
    for i, t in enumerate(times):
        velocity = torch.randn_like(sample)
        clean = signals[i] ** 0.5 * sample - (1 - signals[i]) ** 0.5 * velocity
        generator = torch.Generator().manual_seed(i)
        noise = [torch.randn(sample.shape, generator=generator) for _ in range(1 if i == 0 else 2)][-1]
        back = times[i - 1] if i else None
        theirs, theirs_clean = scheduler.step(
            velocity, earlier, t, back, sample, generator=torch.Generator().manual_seed(i), return_dict=False
        )
        ours = dpm.step(sample, clean, earlier, signals[i], signals[i + 1], signals[i - 1] if i else None, noise)
        torch.testing.assert_close(clean, theirs_clean, atol=1e-6, rtol=0)
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)
        sample, earlier = theirs, theirs_clean
    torch.testing.assert_close(sample, clean, atol=1e-6, rtol=0)


def test_released_guidance_table():
    table = [guidance_at("released", 6.0, i, t, 50) for i, t in enumerate(trailing_steps(50))]
    assert table == pytest.approx([float(value) for value in RELEASED_GUIDANCE.split()], abs=5.1e-4)
    assert sum(table) / 50 == pytest.approx(3.82, abs=0.01)


def test_ramp_grows_and_constant_stays():
    ramp = [guidance_at("ramp", 6.0, i, 0, 50) for i in range(50)]
    assert ramp == sorted(ramp) and ramp[0] == 1.0 and ramp[-1] == pytest.approx(7.0, abs=0.2)
    assert {guidance_at("constant", 6.0, i, 0, 50) for i in range(50)} == {6.0}
    with pytest.raises(ValueError, match="released, constant, ramp, found moving"):
        guidance_at("moving", 6.0, 0, 0, 50)
