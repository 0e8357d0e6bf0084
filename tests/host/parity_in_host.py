"""Run inside the host's Python: the same random weights through ComfyUI's models and through diffusers, with our control on both.

    python parity_in_host.py COMFYUI_FOLDER flux|cogvideox|positions
Prints the largest differences as JSON.
"""
# ruff: noqa: E402

import json
import sys
from pathlib import Path

comfyui, which = sys.argv[1:3]
sys.argv = ["parity", "--cpu"]
sys.path[:0] = [comfyui, str(Path(__file__).resolve().parents[2])]

import comfy.options

comfy.options.enable_args_parsing()

import comfy.sd
import torch
from comfy.patcher_extension import WrappersMP
from diffusers import CogVideoXTransformer3DModel, FluxTransformer2DModel
from diffusers.models.embeddings import get_3d_rotary_pos_embed
from torch import nn

from pam_nodes.appearance.flux_control import FluxControlConfig, HOIFluxControl, pack
from pam_nodes.host.cogvideox import ControlRun, load_cogvideox, load_hoi_control
from pam_nodes.host.flux_control import load_hoi_controlnet
from pam_nodes.motion.checkpoint import from_module_keys, to_module_keys
from pam_nodes.motion.control import PAPER_SLOTS, CogVideoXControlConfig, HOICogVideoXControl
from pam_nodes.motion.inject import controlled

torch.set_grad_enabled(False)
torch.manual_seed(0)


def shake(module: nn.Module) -> nn.Module:
    for parameter in module.parameters():
        parameter.data = parameter.data + torch.randn_like(parameter) * 0.05
    return module.eval()


def flux() -> dict[str, float]:
    """Flux of two double and one single block with a latent HOI ControlNet; diffusers' keys go through the host's own loader."""
    wide = {"joint_attention_dim": 48, "pooled_projection_dim": 32, "guidance_embeds": False}
    base = FluxTransformer2DModel(in_channels=64, num_layers=2, num_single_layers=1, attention_head_dim=128, num_attention_heads=2, **wide)
    config = FluxControlConfig(256, 2, 48, 32, False, (PAPER_SLOTS,), "latent", "first")
    control = shake(HOIFluxControl(config))
    shake(base)
    x, hint, text, y, t = torch.randn(1, 16, 6, 8), torch.randn(1, 48, 6, 8), torch.randn(1, 5, 48), torch.randn(1, 32), torch.tensor([0.7])
    residuals = control(x, control.encode_hint(hint), t, text, y)
    ids = torch.zeros(3, 4, 3)
    ids[..., 1], ids[..., 2] = torch.arange(3)[:, None], torch.arange(4)
    theirs = base(
        hidden_states=pack(x), encoder_hidden_states=text, pooled_projections=y, timestep=t, img_ids=ids.reshape(-1, 3),
        txt_ids=torch.zeros(5, 3), controlnet_block_samples=residuals, return_dict=False,
    )[0]  # fmt: skip
    native = comfy.sd.load_diffusion_model_state_dict(dict(base.state_dict())).model.diffusion_model
    control_net = load_hoi_controlnet(control.state_dict())
    net = control_net.control_model
    mine = net(x, net.encode_hint(hint), t, text, y)
    ours = pack(native(x, t, text, y=y, control={"input": net.placed(mine, 2), "output": []}))
    plain = pack(native(x, t, text, y=y))
    return {"difference": float((ours - theirs).abs().max()), "effect": float((ours - plain).abs().max())}


def cogvideox() -> dict[str, float]:
    """CogVideoX with rotary positions, two copied blocks and three slots; one merged file gives base and control."""
    base = cogvideox_base(num_layers=3, sample_width=8, sample_height=4, sample_frames=9, use_learned_positional_embeddings=False)
    control = shake(HOICogVideoXControl(CogVideoXControlConfig(192, 2, 64, 32, PAPER_SLOTS)))
    file = from_module_keys(control.state_dict(), control.config)
    control.load_state_dict(to_module_keys(file, control.config))
    x, slots = torch.randn(1, 3, 32, 4, 8), [torch.randn(1, 3, 32, 4, 8) for _ in PAPER_SLOTS]
    text, t = torch.randn(1, 7, 24), torch.tensor([700])
    tokens = [base.patch_embed(text, slot)[:, 7:] for slot in slots]
    constant = control.constant(tokens)
    with controlled(base.transformer_blocks, control, lambda hidden: control.start(hidden, constant)):
        theirs = base(x, text, t, image_rotary_emb=rotary(2, 4, 3), return_dict=False)[0]
    merged = {**base.state_dict(), **file}
    native = load_cogvideox(merged).model.diffusion_model
    run = ControlRun(load_hoi_control(merged), [slot.transpose(1, 2) for slot in slots], 1.0, (1e9, 0.0))
    options = {"wrappers": {WrappersMP.DIFFUSION_MODEL: {"test": [run]}}}
    ours = native(x.transpose(1, 2), t, text, transformer_options=options).transpose(1, 2)
    plain = native(x.transpose(1, 2), t, text).transpose(1, 2)
    return {"difference": float((ours - theirs).abs().max()), "effect": float((ours - plain).abs().max())}


def positions() -> dict[str, float]:
    """Learned and rotary positions of the 5B image-to-video layout at 480 x 720 x 49, where the host's own detection goes wrong."""
    base = cogvideox_base(num_layers=1, sample_width=90, sample_height=60, sample_frames=49, use_learned_positional_embeddings=True)
    base.patch_embed.pos_embedding[:, 226:] += torch.randn(1, 17550, 192)
    native = load_cogvideox(dict(base.state_dict())).model.diffusion_model
    text, x = torch.randn(1, 226, 24), torch.randn(1, 13, 32, 60, 90)
    tokens = (native.patch_embed(text, x) - base.patch_embed(text, x)).abs().max()
    angles = [(a - b).abs().max() for a, b in zip(native._get_rotary_emb(30, 45, 13, "cpu"), rotary(30, 45, 13), strict=True)]
    effect = native.use_rotary_positional_embeddings and native.patch_embed.use_learned_positional_embeddings
    return {"difference": float(max(tokens, *angles)), "effect": float(effect)}


def cogvideox_base(**size) -> CogVideoXTransformer3DModel:
    model = CogVideoXTransformer3DModel(
        num_attention_heads=3, attention_head_dim=64, in_channels=32, out_channels=16, time_embed_dim=32, text_embed_dim=24,
        max_text_seq_length=226, use_rotary_positional_embeddings=True, **size,
    )  # fmt: skip
    return shake(model)


def rotary(height: int, width: int, frames: int) -> tuple[torch.Tensor, torch.Tensor]:
    return get_3d_rotary_pos_embed(64, ((0, 0), (height, width)), (height, width), frames, device="cpu")


sys.stdout.write(json.dumps({"flux": flux, "cogvideox": cogvideox, "positions": positions}[which]()) + "\n")
