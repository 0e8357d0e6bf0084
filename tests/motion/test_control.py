"""The CogVideoX control branch against the released forward rules, written out on diffusers' own blocks."""

import pytest
import torch
from diffusers import CogVideoXTransformer3DModel
from diffusers.models.embeddings import get_3d_rotary_pos_embed
from diffusers.models.transformers.cogvideox_transformer_3d import CogVideoXBlock
from torch import nn

from pam_nodes.motion.checkpoint import control_part, detect, from_module_keys, to_module_keys
from pam_nodes.motion.control import RELEASED_SLOTS, HOICogVideoXControl
from pam_nodes.motion.convert import cogvideox_to_native
from pam_nodes.motion.frames import latent_length
from pam_nodes.motion.inject import controlled
from pam_nodes.weights import require_complete

DIM, TEXT, COPIES, SLOTS = 128, 6, 2, 5


def block() -> CogVideoXBlock:
    return CogVideoXBlock(
        dim=DIM, num_attention_heads=2, attention_head_dim=64, time_embed_dim=32, activation_fn="gelu-approximate", attention_bias=True,
        norm_elementwise_affine=True, norm_eps=1e-5,
    )  # fmt: skip


def shake(module: nn.Module) -> nn.Module:
    for parameter in module.parameters():
        parameter.data = parameter.data + torch.randn_like(parameter) * 0.05
    return module.eval()


@pytest.fixture
def base():
    torch.manual_seed(0)
    model = CogVideoXTransformer3DModel(
        num_attention_heads=2, attention_head_dim=64, in_channels=32, out_channels=16, time_embed_dim=32, text_embed_dim=24, num_layers=3,
        sample_width=8, sample_height=4, sample_frames=9, max_text_seq_length=TEXT, use_rotary_positional_embeddings=True,
        use_learned_positional_embeddings=True,
    )  # fmt: skip
    return shake(model)


@pytest.fixture
def released():
    """The control part of a released checkpoint, built random: two copied blocks, five slots."""
    torch.manual_seed(1)
    parts = nn.ModuleDict(
        {
            "transformer_blocks_copy": nn.ModuleList(block() for _ in range(COPIES)),
            "combine_linears": nn.ModuleList(nn.Linear(DIM, DIM) for _ in range(COPIES)),
            "initial_combine_linear": nn.Linear(SLOTS * DIM, DIM),
        }
    )
    return shake(parts)


@pytest.fixture
def inputs():
    generator = torch.Generator().manual_seed(2)

    def normal(*shape):
        return torch.randn(*shape, generator=generator)

    return {
        "x": normal(2, 3, 32, 4, 8),
        "text": normal(2, TEXT, 24),
        "t": torch.tensor([700, 20]),
        "slots": [normal(1, 3, 32, 4, 8) for _ in range(SLOTS)],
    }


ROTARY = get_3d_rotary_pos_embed(64, ((0, 0), (2, 4)), (2, 4), 3, device="cpu")


@torch.no_grad()
def oracle(base, released, inputs) -> torch.Tensor:
    """The released forward, step by step (specs: pam_reference 3.3)."""
    temb = base.time_embedding(base.time_proj(inputs["t"]))
    tokens = base.patch_embed(inputs["text"], inputs["x"])
    text, video = tokens[:, :TEXT], tokens[:, TEXT:]
    slots = [base.patch_embed(inputs["text"], slot.expand(2, -1, -1, -1, -1))[:, TEXT:] for slot in inputs["slots"]]
    state = released["initial_combine_linear"](torch.cat([video + slot for slot in slots], dim=-1))
    for index, main in enumerate(base.transformer_blocks):
        video, text = main(hidden_states=video, encoder_hidden_states=text, temb=temb, image_rotary_emb=ROTARY)
        if index < COPIES:
            state = released["transformer_blocks_copy"][index](
                hidden_states=state, encoder_hidden_states=text, temb=temb, image_rotary_emb=ROTARY
            )[0]
            state = released["combine_linears"][index](state)
            video = video + state
    out = base.proj_out(base.norm_out(base.norm_final(video), temb=temb))
    return out.reshape(2, 3, 2, 4, -1, 2, 2).permute(0, 1, 4, 2, 5, 3, 6).flatten(5, 6).flatten(3, 4)


def load(state: dict) -> HOICogVideoXControl:
    control = control_part(state)
    config = detect(control)
    net = HOICogVideoXControl(config).eval()
    tensors = to_module_keys(control, config)
    require_complete(net, tensors, "control")
    net.load_state_dict(tensors)
    return net


@torch.no_grad()
def run(base, net, inputs, strength: float = 1.0) -> torch.Tensor:
    tokens = [base.patch_embed(inputs["text"][:1], slot)[:, TEXT:] for slot in inputs["slots"]]
    constant = net.constant(tokens)
    with controlled(base.transformer_blocks, net, lambda hidden: net.start(hidden, constant), strength):
        return base(inputs["x"], inputs["text"], inputs["t"], image_rotary_emb=ROTARY, return_dict=False)[0]


def test_equals_the_released_forward(base, released, inputs):
    net = load(released.state_dict())
    assert net.config.slots == RELEASED_SLOTS and net.config.num_blocks == COPIES
    torch.testing.assert_close(run(base, net, inputs), oracle(base, released, inputs), atol=1e-5, rtol=1e-5)


def test_strength_zero_and_closed_context_are_the_base_model(base, released, inputs):
    plain = base(inputs["x"], inputs["text"], inputs["t"], image_rotary_emb=ROTARY, return_dict=False)[0]
    controlled_once = run(base, load(released.state_dict()), inputs)
    assert (controlled_once - plain).abs().max() > 0.01
    torch.testing.assert_close(run(base, load(released.state_dict()), inputs, strength=0.0), plain, atol=0, rtol=0)
    after = base(inputs["x"], inputs["text"], inputs["t"], image_rotary_emb=ROTARY, return_dict=False)[0]
    torch.testing.assert_close(after, plain, atol=0, rtol=0)


def test_hooks_go_away_when_a_block_raises(base, released, inputs):
    net = load(released.state_dict())

    def broken(hidden):
        raise RuntimeError("cancelled")

    with pytest.raises(RuntimeError, match="cancelled"), controlled(base.transformer_blocks, net, broken):
        base(inputs["x"], inputs["text"], inputs["t"], image_rotary_emb=ROTARY)
    assert not any(block._forward_hooks or block._forward_pre_hooks for block in base.transformer_blocks)


def test_merged_file_splits_and_round_trips(base, released):
    merged = {f"model.{key}": value for key, value in {**base.state_dict(), **released.state_dict()}.items()}
    control = control_part(merged)
    assert control.keys() == released.state_dict().keys()
    config = detect(control)
    back = from_module_keys(to_module_keys(control, config), config)
    assert all(torch.equal(back[key], value) for key, value in control.items())


def test_released_shapes_are_detected():
    """12 copied blocks and 5 slots at full width (specs: pam_reference 3.2), on the meta device."""
    with torch.device("meta"):
        config = detect(
            {
                "initial_combine_linear.weight": torch.empty(3072, 15360),
                **{f"combine_linears.{i}.weight": torch.empty(3072, 3072) for i in range(12)},
                **{f"transformer_blocks_copy.{i}.attn1.norm_q.weight": torch.empty(64) for i in range(12)},
                "transformer_blocks_copy.0.norm1.linear.weight": torch.empty(18432, 512),
            }
        )
        net = HOICogVideoXControl(config)
    assert (config.dim, config.num_blocks, config.head_dim, config.time_dim, config.slots) == (3072, 12, 64, 512, RELEASED_SLOTS)
    trained = sum(p.numel() for name, p in net.named_parameters() if not name.startswith("hidden_linear"))
    assert trained == 1_746_843_648


def test_truncated_and_foreign_files_are_named(base, released):
    state = {key: value for key, value in released.state_dict().items() if not key.startswith("combine_linears.1.")}
    with pytest.raises(ValueError, match="2 and 1"):
        detect(control_part(state))
    with pytest.raises(ValueError, match="base model without control"):
        control_part(base.state_dict())
    with pytest.raises(ValueError, match="a Flux checkpoint"):
        control_part({"double_blocks.0.img_attn.qkv.weight": torch.zeros(1)})


def test_native_names_leave_the_control_out(base, released):
    native = cogvideox_to_native({**base.state_dict(), **released.state_dict()})
    assert "blocks.0.q.weight" in native and "time_embedding_linear_1.weight" in native and "blocks.2.ff_out.bias" in native
    assert not any("copy" in key or "combine" in key or "attn1" in key for key in native)
    assert cogvideox_to_native(native).keys() == native.keys()


@pytest.mark.parametrize(("length", "frames"), [(1, 1), (17, 5), (49, 13)])
def test_frame_rule(length, frames):
    assert latent_length(length) == frames


@pytest.mark.parametrize(("length", "lower"), [(16, 13), (18, 17), (0, 1)])
def test_frame_rule_says_what_fits(length, lower):
    with pytest.raises(ValueError, match=f"found {length}: use {lower} or {lower + 4}"):
        latent_length(length)
