"""Run inside the host's Python: the same random weights through ComfyUI's models and through diffusers, with our control on both.

    python parity_in_host.py COMFYUI_FOLDER CASE ...
Cases: flux cogvideox positions sampling later plain vae windows. Prints the largest difference of each as JSON.
"""
# ruff: noqa: E402

import json
import sys
from pathlib import Path

comfyui, *wanted = sys.argv[1:]
sys.argv = ["parity", "--cpu"]
sys.path[:0] = [comfyui, str(Path(__file__).resolve().parents[2])]

import comfy.options

comfy.options.enable_args_parsing()

import comfy.samplers
import comfy.sd
import torch
from comfy.context_windows import IndexListContextWindow
from comfy.patcher_extension import WrappersMP
from diffusers import AutoencoderKLCogVideoX, CogVideoXDPMScheduler, CogVideoXTransformer3DModel, FluxTransformer2DModel
from diffusers.models.embeddings import get_3d_rotary_pos_embed
from torch import nn

from pam_nodes.appearance.flux_control import FluxControlConfig, HOIFluxControl, pack
from pam_nodes.host.cogvideox_control import ControlRun
from pam_nodes.host.cogvideox_model import load_cogvideox, load_hoi_control
from pam_nodes.host.cogvideox_sampling import MovingGuider, sample_cogvideox_dpm, sigmas_of
from pam_nodes.host.condition_latents import Encoding, encode
from pam_nodes.host.flux_control import load_hoi_controlnet
from pam_nodes.motion.checkpoint import from_module_keys, to_module_keys
from pam_nodes.motion.control import PAPER_SLOTS, CogVideoXControlConfig, HOICogVideoXControl
from pam_nodes.motion.inject import controlled
from pam_nodes.motion.schedule import guidance_at
from pam_nodes.motion.slots import SlotLatents

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
    for slot in slots:
        slot[:, 1:, 16:] = 0
    text, t = torch.randn(1, 7, 24), torch.tensor([700])
    tokens = [base.patch_embed(text, slot)[:, 7:] for slot in slots]
    constant = control.constant(tokens)
    with controlled(base.transformer_blocks, control, lambda hidden: control.start(hidden, constant)):
        theirs = base(x, text, t, image_rotary_emb=rotary(2, 4, 3), return_dict=False)[0]
    merged = {**base.state_dict(), **file}
    native = load_cogvideox(merged).model.diffusion_model
    clips = [slot.transpose(1, 2) for slot in slots]
    run = ControlRun(load_hoi_control(merged), [SlotLatents(clip[:, :16], clip[:, 16:, :1]) for clip in clips], 1.0, (1e9, 0.0))
    options = {"wrappers": {WrappersMP.DIFFUSION_MODEL: {"test": [run]}}}
    ours = native(x.transpose(1, 2), t, text, transformer_options=options).transpose(1, 2)
    plain = native(x.transpose(1, 2), t, text).transpose(1, 2)
    return {"difference": float((ours - theirs).abs().max()), "effect": float((ours - plain).abs().max())}


def windows() -> dict[str, float]:
    """A window of a long clip, with and without the frame core puts before it, is the pass of a clip cut there by hand; so is a batch."""
    base = cogvideox_base(num_layers=3, sample_width=8, sample_height=4, sample_frames=9, use_learned_positional_embeddings=False)
    patch = control_patch()
    native = load_cogvideox(dict(base.state_dict())).model.diffusion_model
    slots = [SlotLatents(torch.randn(1, 16, 9, 4, 8), torch.randn(1, 16, 1, 4, 8)) for _ in PAPER_SLOTS]
    x, text, t = torch.randn(2, 32, 9, 4, 8), torch.randn(2, 7, 24), torch.tensor([700.0, 700.0])
    x[:, 16:] = 0

    def run(slots, x, text, window=None):
        options = {"wrappers": {WrappersMP.DIFFUSION_MODEL: {"test": [ControlRun(patch, slots, 1.0, (1e9, 0.0))]}}}
        return native(x, t[: len(x)], text, transformer_options=options | ({} if window is None else {"context_window": window}))

    worst, effect = 0.0, 0.0
    for frames, anchor in (([4, 5, 6], -1), ([4, 5, 6], 3), ([0, 1, 2], -1)):
        window = IndexListContextWindow(frames, dim=2, total_frames=9)
        window.causal_anchor_index = anchor
        cut = ([anchor] if anchor >= 0 else []) + frames
        by_hand = [SlotLatents(slot.clip[:, :, cut], slot.first if cut[0] == 0 else None) for slot in slots]
        ours, theirs = run(slots, x[:1, :, cut], text[:1], window), run(by_hand, x[:1, :, cut], text[:1])
        worst = max(worst, float((ours - theirs).abs().max()))
        effect = max(effect, float((ours - run(slots, x[:1, :, cut], text[:1])).abs().max()))
    both = run(slots, x, text)
    alone = torch.cat([run(slots, x[i : i + 1], text[i : i + 1]) for i in range(2)])
    return {"difference": max(worst, float((both - alone).abs().max())), "effect": effect}


def control_patch():
    """A small control of two blocks and three slots as a MODEL_PATCH."""
    control = shake(HOICogVideoXControl(CogVideoXControlConfig(192, 2, 64, 32, PAPER_SLOTS)))
    return load_hoi_control(from_module_keys(control.state_dict(), control.config), {"pam.slots": ",".join(PAPER_SLOTS)})


def sampling() -> dict[str, float]:
    """Eight steps of PAM's sampling on the host, guided, against diffusers' scheduler fed with the same model and the same noise.

    The difference is that of the samples after any step, in parts of the largest value: guidance 6 magnifies the model's own last bits.
    """
    steps, scale = 8, 6.0
    base = cogvideox_base(num_layers=2, sample_width=8, sample_height=4, sample_frames=9, use_learned_positional_embeddings=False)
    model = load_cogvideox(dict(base.state_dict()))
    noise, image = torch.randn(1, 16, 3, 4, 8), torch.randn(1, 16, 1, 4, 8)
    texts = [torch.randn(1, 7, 24) for _ in range(2)]
    scheduler = CogVideoXDPMScheduler(
        clip_sample=False, prediction_type="v_prediction", timestep_spacing="trailing", rescale_betas_zero_snr=True, snr_shift_scale=1.0
    )
    scheduler.set_timesteps(steps)
    factor = model.get_model_object("latent_format").scale_factor
    shown = torch.cat([image * factor, torch.zeros(1, 16, 2, 4, 8)], dim=2)
    theirs = diffusers_loop(base, scheduler, noise, shown, texts, scale)
    guider = MovingGuider(model)
    guider.set_conds(*([[text, {"concat_latent_image": image}]] for text in texts))
    guider.set_guidance("released", scale)
    order = iter(range(steps))
    sampler = comfy.samplers.KSAMPLER(sample_cogvideox_dpm, {"noise_sampler": lambda now, then: draws(next(order))[0 if then == 0 else -1]})
    trace = []
    ours = guider.sample(noise, torch.zeros_like(noise), sampler, sigmas_of(model, steps), callback=lambda i, x0, x, total: trace.append(x))
    worst = max(float((mine - other).abs().max()) for mine, other in zip([*trace[1:], ours * factor], theirs, strict=True))
    return {"difference": worst / float(theirs[-1].abs().max()), "effect": float(ours.std())}


def draws(step: int) -> list[torch.Tensor]:
    """The noise that diffusers' scheduler draws in a step: once in the first, twice in the others, of which the second counts."""
    generator = torch.Generator().manual_seed(step)
    return [torch.randn(1, 3, 16, 4, 8, generator=generator).transpose(1, 2) for _ in range(1 if step == 0 else 2)]


def diffusers_loop(base, scheduler, noise, image, texts, scale) -> list[torch.Tensor]:
    """The samples after every step of the loop of diffusers' pipeline with its moving guidance."""
    x, earlier, back, samples = noise.transpose(1, 2), None, None, []
    for step, t in enumerate(scheduler.timesteps):
        inputs = torch.cat([x, image.transpose(1, 2)], dim=2)
        good, bad = (base(inputs, text, t[None], image_rotary_emb=rotary(2, 4, 3), return_dict=False)[0] for text in texts)
        v = bad + guidance_at("released", scale, step, int(t), len(scheduler.timesteps)) * (good - bad)
        generator = torch.Generator().manual_seed(step)
        x, earlier = scheduler.step(v, earlier, int(t), back, x, generator=generator, return_dict=False)
        samples.append(x.transpose(1, 2))
        back = int(t)
    return samples


def later() -> dict[str, float]:
    """CogVideoX 1.5 image to video: tokens of two latent frames, offset embedding, whole positions."""
    base = cogvideox_base(
        num_layers=2, sample_width=10, sample_height=8, sample_frames=9, patch_size_t=2, ofs_embed_dim=32, patch_bias=False,
        use_learned_positional_embeddings=False,
    )  # fmt: skip
    text, x, t, ofs = torch.randn(1, 7, 24), torch.randn(1, 4, 32, 4, 8), torch.tensor([300]), torch.tensor([2.0])
    angles = get_3d_rotary_pos_embed(64, None, (2, 4), 2, grid_type="slice", max_size=(4, 5), device="cpu")
    theirs = base(x, text, t, ofs=ofs, image_rotary_emb=angles, return_dict=False)[0]
    native = load_cogvideox(dict(base.state_dict())).model.diffusion_model
    ours = native(x.transpose(1, 2), t, text, ofs=ofs).transpose(1, 2)
    return {"difference": float((ours - theirs).abs().max()), "effect": float(theirs.std())}


def plain() -> dict[str, float]:
    """CogVideoX-2B's kind: sine positions added to the tokens, no rotary ones, at the size of training and another."""
    sizes = dict(sample_width=18, sample_height=12, sample_frames=9)
    base = CogVideoXTransformer3DModel(
        num_attention_heads=3, attention_head_dim=64, in_channels=16, out_channels=16, time_embed_dim=32, text_embed_dim=24,
        max_text_seq_length=226, num_layers=2, **sizes,
    )  # fmt: skip
    shake(base)
    native = load_cogvideox(dict(base.state_dict()), dict(base.config)).model.diffusion_model
    worst, stored = 0.0, native.patch_embed.pos_embedding
    for frames, height, width in ((3, 12, 18), (2, 8, 10), (2, 8, 10)):
        native.patch_embed.pos_embedding = stored  # as hosts with dynamic memory do between runs
        text, x, t = torch.randn(1, 226, 24), torch.randn(1, frames, 16, height, width), torch.tensor([300])
        theirs = base(x, text, t, return_dict=False)[0]
        worst = max(worst, float((native(x.transpose(1, 2), t, text).transpose(1, 2) - theirs).abs().max()))
    return {"difference": worst, "effect": float(theirs.std())}


def vae() -> dict[str, float]:
    """CogVideoX's VAE of full width, in diffusers' file: the latents of a clip, and a seeded sample around them."""
    theirs = AutoencoderKLCogVideoX(
        block_out_channels=(128, 256, 256, 512), down_block_types=("CogVideoXDownBlock3D",) * 4,
        up_block_types=("CogVideoXUpBlock3D",) * 4, layers_per_block=3, latent_channels=16,
    ).eval()  # fmt: skip
    ours = comfy.sd.VAE(sd=dict(theirs.state_dict()))
    pictures = torch.rand(9, 16, 32, 3)
    moments = theirs.encode(pictures.permute(3, 0, 1, 2)[None] * 2 - 1).latent_dist
    likely, sample = (encode(ours, pictures, Encoding(seed)) for seed in (None, 5))
    noise = torch.randn(moments.mean.shape, generator=torch.Generator().manual_seed(5))
    wrong = max(float((likely - moments.mean).abs().max()), float((sample - moments.mean - moments.std * noise).abs().max()))
    assert len(ours.patcher.get_attachment("pam_condition_latents")) == 2
    return {"difference": wrong, "effect": float((sample - likely).abs().max())}


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


CASES = {
    "flux": flux,
    "cogvideox": cogvideox,
    "positions": positions,
    "sampling": sampling,
    "later": later,
    "plain": plain,
    "vae": vae,
    "windows": windows,
}
sys.stdout.write(json.dumps({case: CASES[case]() for case in wanted}) + "\n")
