"""The Flux control network against diffusers' own ControlNet, and the rules of its checkpoints."""

import pytest
import torch
from diffusers import FluxControlNetModel

from pam_nodes.appearance.checkpoint import detect, metadata_of, normalise
from pam_nodes.appearance.flux_control import FluxControlConfig, HOIFluxControl, pack
from pam_nodes.weights import require_complete

DIM, CONTEXT, VECTOR = 128, 48, 32
RENAMED = {
    "x_embedder": "img_in",
    "context_embedder": "txt_in",
    "controlnet_x_embedder": "pos_embed_input",
    "time_text_embed.timestep_embedder.linear_1": "time_in.in_layer",
    "time_text_embed.timestep_embedder.linear_2": "time_in.out_layer",
    "time_text_embed.guidance_embedder.linear_1": "guidance_in.in_layer",
    "time_text_embed.guidance_embedder.linear_2": "guidance_in.out_layer",
    "time_text_embed.text_embedder.linear_1": "vector_in.in_layer",
    "time_text_embed.text_embedder.linear_2": "vector_in.out_layer",
    "norm1.linear": "img_mod.lin",
    "norm1_context.linear": "txt_mod.lin",
    "attn.to_out.0": "img_attn.proj",
    "attn.to_add_out": "txt_attn.proj",
    "attn.norm_q": "img_attn.norm.query_norm",
    "attn.norm_k": "img_attn.norm.key_norm",
    "attn.norm_added_q": "txt_attn.norm.query_norm",
    "attn.norm_added_k": "txt_attn.norm.key_norm",
    "ff.net.0.proj": "img_mlp.0",
    "ff.net.2": "img_mlp.2",
    "ff_context.net.0.proj": "txt_mlp.0",
    "ff_context.net.2": "txt_mlp.2",
    "input_hint_block.conv_in": "input_hint_block.0",
    **{f"input_hint_block.blocks.{i}": f"input_hint_block.{2 * i + 2}" for i in range(6)},
    "input_hint_block.conv_out": "input_hint_block.14",
}


def config(**changes) -> FluxControlConfig:
    base = dict(hidden_size=DIM, depth=2, context_dim=CONTEXT, vec_dim=VECTOR, guidance=True, branches=(("depth",),))
    return FluxControlConfig(**{**base, **changes})


@pytest.fixture
def oracle():
    """A random ControlNet of diffusers in the XLabs layout: 3-channel pixel hint."""
    torch.manual_seed(0)
    model = FluxControlNetModel(
        patch_size=2, in_channels=64, num_layers=2, num_single_layers=0, attention_head_dim=128, num_attention_heads=1,
        joint_attention_dim=CONTEXT,
        pooled_projection_dim=VECTOR, guidance_embeds=True, axes_dims_rope=[16, 56, 56], conditioning_embedding_channels=16,
    )  # fmt: skip
    for parameter in model.parameters():
        parameter.data = parameter.data + torch.randn_like(parameter) * 0.05
    return model.eval()


def xlabs_keys(model: FluxControlNetModel) -> dict[str, torch.Tensor]:
    """diffusers' tensors under the released names (specs: pam_reference 2.1)."""
    state, keys = model.state_dict(), {}
    for stream, parts in (("img", "attn.to_{}"), ("txt", "attn.add_{}_proj")):
        for block in range(2):
            for kind in ("weight", "bias"):
                joined = [state.pop(f"transformer_blocks.{block}.{parts.format(part)}.{kind}") for part in "qkv"]
                keys[f"double_blocks.{block}.{stream}_attn.qkv.{kind}"] = torch.cat(joined)
    for name, value in state.items():
        stem, kind = name.rsplit(".", 1)
        prefix = ""
        if stem.startswith("transformer_blocks."):
            block, stem = stem.split(".", 2)[1:]
            prefix = f"double_blocks.{block}."
        new = RENAMED.get(stem, stem)
        keys[f"{prefix}{new}.{'scale' if new.endswith('_norm') else kind}"] = value
    return keys


def load(state: dict, metadata: dict | None = None) -> HOIFluxControl:
    tensors = normalise(state)
    net = HOIFluxControl(detect(tensors, metadata)).eval()
    require_complete(net, tensors, "net")
    net.load_state_dict(tensors)
    return net


@torch.no_grad()
def residuals(net: HOIFluxControl, hint: torch.Tensor, inputs: dict) -> list[torch.Tensor]:
    return net(inputs["x"], net.encode_hint(hint), inputs["t"], inputs["context"], inputs["y"], inputs["guidance"])


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


def oracle_residuals(model: FluxControlNetModel, hint: torch.Tensor, inputs: dict) -> list[torch.Tensor]:
    rows, columns = inputs["x"].shape[2] // 2, inputs["x"].shape[3] // 2
    ids = torch.zeros(rows, columns, 3)
    ids[..., 1], ids[..., 2] = torch.arange(rows)[:, None], torch.arange(columns)
    with torch.no_grad():
        return model(
            hidden_states=pack(inputs["x"]), controlnet_cond=hint, encoder_hidden_states=inputs["context"], pooled_projections=inputs["y"],
            timestep=inputs["t"], guidance=inputs["guidance"], img_ids=ids.reshape(-1, 3),
            txt_ids=torch.zeros(inputs["context"].shape[1], 3), return_dict=False,
        )[0]  # fmt: skip


def test_equals_diffusers(oracle, inputs):
    hint = torch.rand(2, 3, 48, 64) * 2 - 1
    net = load(xlabs_keys(oracle))
    assert net.config == config()
    for ours, theirs in zip(residuals(net, hint, inputs), oracle_residuals(oracle, hint, inputs), strict=True):
        torch.testing.assert_close(ours, theirs, atol=2e-6, rtol=1e-5)


def test_double_net_is_the_sum_of_its_branches(oracle, inputs):
    """PAM's released double ControlNet: two 6-channel nets, residuals added with weights 1 and 1."""
    torch.manual_seed(3)
    branches, state = [], {}
    for index, names in enumerate((("depth", "normals"), ("keypoints", "segmentation")), start=1):
        net = HOIFluxControl(config(branches=(names,)))
        for parameter in net.parameters():
            parameter.data = parameter.data + torch.randn_like(parameter) * 0.05
        branches.append(net.eval())
        for key, value in net.state_dict().items():
            state[f"module.controlnet{index}.{key.removeprefix('controlnet1.')}"] = value
    double = load(state)
    assert double.config.branches == (("depth", "normals"), ("keypoints", "segmentation"))
    hint = torch.rand(2, 12, 48, 64)
    parts = [residuals(net, part, inputs) for net, part in zip(branches, hint.split(6, dim=1), strict=True)]
    for both, one, two in zip(residuals(double, hint, inputs), *parts, strict=True):
        torch.testing.assert_close(both, one + two)


def test_released_layout_has_172_tensors_of_the_documented_shapes():
    """Names and shapes of specs pam_reference 2.1, at full size but without memory."""
    with torch.device("meta"):
        net = HOIFluxControl(
            config(hidden_size=3072, context_dim=4096, vec_dim=768, branches=(("depth", "normals"), ("keypoints", "segmentation")))
        )
    shapes = {name: tuple(value.shape) for name, value in net.state_dict().items()}
    assert len(shapes) == 172
    assert sum(value.numel() for value in net.state_dict().values()) == 1_487_615_424
    assert shapes["controlnet1.input_hint_block.0.weight"] == (16, 6, 3, 3)
    assert shapes["controlnet2.double_blocks.1.img_attn.qkv.weight"] == (9216, 3072)
    assert shapes["controlnet2.pos_embed_input.weight"] == (3072, 64)


def test_latent_net_describes_itself():
    latent = config(branches=(("depth", "segmentation", "keypoints"),), encoding="latent", injection="first", guidance=False)
    state = HOIFluxControl(latent).state_dict()
    assert detect(normalise(state), metadata_of(latent)) == latent
    assert detect(normalise(state)) == latent


@pytest.mark.parametrize(("injection", "expected"), [("repeat", [0, 1, 0, 1, 0]), ("first", [0, 1, None, None, None])])
def test_injection_rules(injection, expected):
    net = HOIFluxControl(config(injection=injection))
    marks = [torch.tensor(0.0), torch.tensor(1.0)]
    assert [None if m is None else int(m) for m in net.placed(marks, 5)] == expected


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ({"transformer_blocks_copy.0.ff.net.2.bias": 0}, "Load HOI Control"),
        ({"input_blocks.0.0.weight": 0}, "Stable Diffusion"),
        ({"controlnet_x_embedder.weight": 0}, "InstantX"),
        ({"double_blocks.0.img_attn.qkv.weight": 0, "final_layer.linear.weight": 0}, "whole Flux model"),
        ({}, "none at all"),
    ],
)
def test_wrong_files_are_named(state, sentence):
    with pytest.raises(ValueError, match=sentence):
        normalise(state)


def test_truncated_file_names_what_is_missing():
    net = HOIFluxControl(config())
    state = net.state_dict()
    del state["controlnet1.double_blocks.1.txt_mlp.2.bias"]
    with pytest.raises(ValueError, match=r"double_blocks\.1\.txt_mlp\.2\.bias"):
        load(state)
