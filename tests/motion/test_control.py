"""The CogVideoX control branch against the released forward rules, written out on diffusers' own blocks."""

from pathlib import Path

import pytest
import torch
from diffusers import CogVideoXTransformer3DModel
from diffusers.models.transformers.cogvideox_transformer_3d import CogVideoXBlock
from safetensors.torch import load_file
from torch import nn

from pam_nodes.motion.base import to_native
from pam_nodes.motion.checkpoint import control_part, detect, from_module_keys, to_module_keys
from pam_nodes.motion.control import RELEASED_SLOTS, HOICogVideoXControl
from pam_nodes.motion.frames import decoded_length, latent_length, padding, require_decodable
from pam_nodes.motion.inject import controlled
from pam_nodes.weights import require_complete

from .small_model import CONFIG, COPIES, DIM, ROTARY, SLOTS, TEXT, fill, inputs

GOLDEN = Path(__file__).parent / "golden" / "released.safetensors"


@pytest.fixture
def merged():
    """Base and control in one released checkpoint."""
    return ReleasedLayout()


class ReleasedLayout(CogVideoXTransformer3DModel):
    """The tensors of the released class in its names, three blocks and two copies; ``fill`` gives them the values of the golden run."""

    def __init__(self):
        super().__init__(**CONFIG)
        self.transformer_blocks_copy = nn.ModuleList(block() for _ in range(COPIES))
        self.combine_linears = nn.ModuleList(nn.Linear(DIM, DIM) for _ in range(COPIES))
        self.initial_combine_linear = nn.Linear(SLOTS * DIM, DIM)
        fill(self, seed=1)


def block() -> CogVideoXBlock:
    return CogVideoXBlock(
        dim=DIM, num_attention_heads=2, attention_head_dim=64, time_embed_dim=32, activation_fn="gelu-approximate", attention_bias=True,
        norm_elementwise_affine=True, norm_eps=1e-5,
    )  # fmt: skip


@torch.no_grad()
def oracle(base, inputs) -> torch.Tensor:
    """The released forward, step by step (specs: pam_reference 3.3)."""
    temb = base.time_embedding(base.time_proj(inputs["t"]))
    tokens = base.patch_embed(inputs["text"], inputs["x"])
    text, video = tokens[:, :TEXT], tokens[:, TEXT:]
    slots = [base.patch_embed(inputs["text"], slot.expand(2, -1, -1, -1, -1))[:, TEXT:] for slot in inputs["slots"]]
    state = base.initial_combine_linear(torch.cat([video + slot for slot in slots], dim=-1))
    for index, main in enumerate(base.transformer_blocks):
        video, text = main(hidden_states=video, encoder_hidden_states=text, temb=temb, image_rotary_emb=ROTARY)
        if index < COPIES:
            state = base.transformer_blocks_copy[index](
                hidden_states=state, encoder_hidden_states=text, temb=temb, image_rotary_emb=ROTARY
            )[0]
            state = base.combine_linears[index](state)
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
def run(base, net, inputs, strength: float = 1.0, exact: bool = False) -> torch.Tensor:
    tokens = [base.patch_embed(inputs["text"][:1], slot)[:, TEXT:] for slot in inputs["slots"]]
    constant = net.constant(iter(tokens))
    start = (lambda hidden: net.released_start(hidden, tokens)) if exact else (lambda hidden: net.start(hidden, constant))
    with controlled(base.transformer_blocks, net, start, strength):
        return base(inputs["x"], inputs["text"], inputs["t"], image_rotary_emb=ROTARY, return_dict=False)[0]


def test_equals_what_the_released_class_gave(merged):
    """Golden output of PAM's own class, see golden/make_released.py."""
    given = inputs()
    golden = load_file(GOLDEN)["output"]
    assert golden.std() > 0.1
    torch.testing.assert_close(run(merged, load(merged.state_dict()), given), golden, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(oracle(merged, given), golden, atol=1e-5, rtol=1e-5)


def test_equals_the_released_rules_to_the_last_bit(merged):
    """With the start in the released order of sums; the split start differs in the last bits only."""
    given, net = inputs(), load(merged.state_dict())
    assert net.config.slots == RELEASED_SLOTS and net.config.num_blocks == COPIES
    torch.testing.assert_close(run(merged, net, given, exact=True), oracle(merged, given), atol=0, rtol=0)
    torch.testing.assert_close(run(merged, net, given), oracle(merged, given), atol=1e-5, rtol=1e-5)


def test_strength_zero_and_closed_context_are_the_base_model(merged):
    given, net = inputs(), load(merged.state_dict())

    def plain():
        with torch.no_grad():
            return merged(given["x"], given["text"], given["t"], image_rotary_emb=ROTARY, return_dict=False)[0]

    before = plain()
    assert (run(merged, net, given) - before).abs().max() > 0.01
    torch.testing.assert_close(run(merged, net, given, strength=0.0), before, atol=0, rtol=0)
    torch.testing.assert_close(plain(), before, atol=0, rtol=0)


def test_hooks_go_away_when_a_block_raises(merged):
    given, net = inputs(), load(merged.state_dict())

    def broken(hidden):
        raise RuntimeError("cancelled")

    with pytest.raises(RuntimeError, match="cancelled"), controlled(merged.transformer_blocks, net, broken):
        merged(given["x"], given["text"], given["t"], image_rotary_emb=ROTARY)
    assert not any(block._forward_hooks or block._forward_pre_hooks for block in merged.transformer_blocks)


def test_merged_file_splits_and_round_trips(merged):
    state = {f"model.{key}": value for key, value in merged.state_dict().items()}
    control = control_part(state)
    assert len(control) == COPIES * 26 + 2 and len(control) + len(to_native(state)) == len(state)
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


@pytest.mark.parametrize(("length", "frames"), [(1, 1), (17, 5), (49, 13)])
def test_frame_rule(length, frames):
    assert latent_length(length) == frames


@pytest.mark.parametrize(("length", "lower"), [(16, 13), (18, 17), (0, 1)])
def test_frame_rule_says_what_fits(length, lower):
    with pytest.raises(ValueError, match=f"found {length}: use {lower} or {lower + 4}"):
        latent_length(length)


@pytest.mark.parametrize(("frames", "pictures"), [(1, 1), (3, 9), (4, 16), (13, 49), (25, 97), (49, 193)])
def test_what_the_vae_gives_back(frames, pictures):
    """Measured with diffusers' VAE: four latent frames give 16 pictures, not 13 (specs: diffusion 1.3)."""
    assert decoded_length(frames) == pictures


def test_lengths_the_vae_does_not_give_back_are_named():
    require_decodable(49)
    with pytest.raises(ValueError, match="found 13, for which CogVideoX's VAE gives 16: use 9 or 17"):
        require_decodable(13)


def test_padding_of_later_models():
    assert [padding(frames, None) for frames in (13, 21)] == [0, 0]
    assert [padding(frames, 2) for frames in (20, 21)] == [0, 1]
