"""The Flux control network against diffusers' own ControlNet, and against the golden run of the released rules."""

from copy import deepcopy
from itertools import pairwise

import numpy as np
import pytest
import torch

from pam_nodes.appearance.checkpoint import detect, normalise
from pam_nodes.appearance.flux_blocks import pack, rotary_table
from pam_nodes.appearance.flux_control import FluxControlConfig, HOIFluxControl
from pam_nodes.appearance.schedule import GUIDANCE, sigmas
from pam_nodes.weights import require_complete
from tests.appearance import reference

DIM, CONTEXT, VECTOR = 128, 48, 32
BRANCHES = (("depth", "normals"), ("keypoints", "segmentation"))


def config(**changes) -> FluxControlConfig:
    base = dict(hidden_size=DIM, depth=2, context_dim=CONTEXT, vec_dim=VECTOR, guidance=True, branches=(("depth",),))
    return FluxControlConfig(**{**base, **changes})


def load(state: dict) -> HOIFluxControl:
    tensors = normalise(state)
    net = HOIFluxControl(detect(tensors)).eval()
    require_complete(net, tensors, "net")
    net.load_state_dict(tensors)
    return net


@torch.no_grad()
def residuals(net: HOIFluxControl, hint: torch.Tensor, inputs: dict, **changes) -> list[torch.Tensor]:
    return net(inputs["x"], net.encode_hint(hint), inputs["t"], inputs["context"], inputs["y"], inputs["guidance"], **changes)


@pytest.fixture
def inputs():
    generator = torch.Generator().manual_seed(1)

    def normal(*shape):
        return torch.randn(*shape, generator=generator)

    return {
        "x": normal(2, 16, 6, 8),
        "context": normal(2, 5, CONTEXT),
        "y": normal(2, VECTOR),
        "t": torch.tensor([0.3, 0.9]),
        "guidance": torch.full((2,), 4.0),
    }


@pytest.fixture(scope="module")
def double() -> HOIFluxControl:
    return load(reference.checkpoint())


def oracle_residuals(model, hint: torch.Tensor, inputs: dict) -> list[torch.Tensor]:
    with torch.no_grad():
        return model(
            hidden_states=reference.packed(inputs["x"]), controlnet_cond=hint, encoder_hidden_states=inputs["context"],
            pooled_projections=inputs["y"], timestep=inputs["t"], guidance=inputs["guidance"], img_ids=reference.inputs()["ids"],
            txt_ids=torch.zeros(inputs["context"].shape[1], 3), return_dict=False,
        )[0]  # fmt: skip


@pytest.mark.parametrize(("channels", "dtype", "bound"), [(3, torch.float32, 2e-6), (12, torch.float32, 2e-6), (6, torch.float64, 1e-13)])
def test_equals_diffusers(inputs, channels, dtype, bound):
    """What differs in float32 is rounding alone: in float64 the two agree nine digits further."""
    oracle = reference.control_net(1, channels).to(dtype)
    inputs = {name: value.to(dtype) for name, value in inputs.items()}
    hint = torch.rand(2, channels, 48, 64, dtype=dtype) * 2 - 1
    net = load(reference.released_names(oracle)).to(dtype)
    assert 3 * len(net.config.conditions) == channels and len(net.config.branches) == 1
    for ours, theirs in zip(residuals(net, hint, inputs), oracle_residuals(oracle, hint, inputs), strict=True):
        torch.testing.assert_close(ours, theirs, atol=bound, rtol=bound)


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 5e-6), (torch.float64, 1e-12)])
@torch.no_grad()
def test_golden_run_of_the_released_rules(double, dtype, bound):
    """28 released steps with our control, schedule and placing on diffusers' Flux equal the independent run, made here and the stored one.

    Flux embeds times in float32 even in float64, and processors round its sines differently: the stored run is as near as that.
    """
    golden, expected = np.load(reference.GOLDEN), reference.sample(dtype)
    net, flux = deepcopy(double).to(dtype), reference.base().to(dtype)
    given = {name: value.to(dtype) for name, value in reference.inputs().items()}
    levels = sigmas(reference.HEIGHT, reference.WIDTH).tolist()
    tokens, x, first = net.encode_hint(given["hint"]), pack(given["noise"]), None
    for now, then in pairwise(levels):
        t, guidance = torch.full((1,), now, dtype=dtype), torch.full((1,), GUIDANCE, dtype=dtype)
        latent = torch.nn.functional.fold(x.movedim(1, 2), (reference.HEIGHT, reference.WIDTH), 2, stride=2)
        control = net(latent, tokens, t, given["context"], given["pooled"], guidance)
        first = first or control
        x = x + (then - now) * flux(
            hidden_states=x, encoder_hidden_states=given["context"], pooled_projections=given["pooled"], timestep=t, guidance=guidance,
            img_ids=given["ids"], txt_ids=torch.zeros(reference.TEXT, 3), controlnet_block_samples=net.placed(control, 3),
            return_dict=False,
        )[0]  # fmt: skip
    for name, ours in (("residual_0", first[0]), ("residual_1", first[1]), ("latent", x)):
        np.testing.assert_allclose(ours.numpy(), expected[name], atol=bound, rtol=0)
        np.testing.assert_allclose(ours.numpy(), golden[name], atol=2e-5, rtol=0)


def test_double_net_is_the_sum_of_its_branches(double, inputs):
    """PAM's released double ControlNet: two 6-channel nets, residuals added with weights 1 and 1."""
    assert double.config.branches == BRANCHES
    nets = [load(reference.released_names(reference.control_net(index))) for index in (1, 2)]
    hint = torch.rand(2, 12, 48, 64)
    parts = [residuals(net, part, inputs) for net, part in zip(nets, hint.split(6, dim=1), strict=True)]
    for both, one, two in zip(residuals(double, hint, inputs), *parts, strict=True):
        assert torch.equal(both, one + two)


def test_branch_strengths(double, inputs):
    hint = torch.rand(2, 12, 48, 64)
    one, two = (residuals(double, hint, inputs, strengths=pair) for pair in ((1.0, 0.0), (0.0, 1.0)))
    for mixed, a, b in zip(residuals(double, hint, inputs, strengths=(0.5, 2.0)), one, two, strict=True):
        torch.testing.assert_close(mixed, 0.5 * a + 2 * b)
    assert all(not off.any() for off in residuals(double, hint, inputs, strengths=(0.0, 0.0)))


def test_table_computed_once_changes_nothing(double, inputs):
    hint = torch.rand(2, 12, 48, 64)
    given = residuals(double, hint, inputs, table=rotary_table(3, 4, 5, torch.device("cpu")))
    assert all(torch.equal(a, b) for a, b in zip(given, residuals(double, hint, inputs), strict=True))


def test_released_layout_has_172_tensors_of_the_documented_shapes():
    """Names and shapes of specs pam_reference 2.1, at full size but without memory."""
    with torch.device("meta"):
        net = HOIFluxControl(config(hidden_size=3072, context_dim=4096, vec_dim=768, branches=BRANCHES))
    shapes = {name: tuple(value.shape) for name, value in net.state_dict().items()}
    assert len(shapes) == 172
    assert sum(value.numel() for value in net.state_dict().values()) == 1_487_615_424
    assert shapes["controlnet1.input_hint_block.0.weight"] == (16, 6, 3, 3)
    assert shapes["controlnet2.double_blocks.1.img_attn.qkv.weight"] == (9216, 3072)
    assert shapes["controlnet2.pos_embed_input.weight"] == (3072, 64)


@pytest.mark.parametrize(("injection", "expected"), [("repeat", [0, 1, 0, 1, 0]), ("first", [0, 1, None, None, None])])
def test_injection_rules(injection, expected):
    net = HOIFluxControl(config(injection=injection))
    marks = [torch.tensor(0.0), torch.tensor(1.0)]
    assert [None if m is None else int(m) for m in net.placed(marks, 5)] == expected
