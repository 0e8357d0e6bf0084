"""Run inside the host's Python: the released appearance run and its variants through ComfyUI's models, nodes and samplers.

    python appearance_in_host.py COMFYUI_FOLDER
Prints figures as JSON: largest differences of final latents, and counts. Weights, inputs and the golden result are those of
``tests/appearance/reference.py``, which shares no code with the pack or the host.
"""
# ruff: noqa: E402

import json
import sys
from dataclasses import replace
from pathlib import Path

comfyui = sys.argv[1]
sys.argv = ["parity", "--cpu"]
root = Path(__file__).resolve().parents[2]
sys.path[:0] = [comfyui, str(root), str(root / "tests/appearance")]  # the host has a package "tests" of its own

import comfy.options

comfy.options.enable_args_parsing()

import comfy.controlnet
import comfy.sd
import nodes
import numpy as np
import reference
import torch

import pam_nodes.host.flux_control as flux_control
from pam_nodes.appearance.checkpoint import released_keys
from pam_nodes.conditions.video import ConditionVideo
from pam_nodes.host.flux_control import apply_control, guidance_of, load_hoi_controlnet
from pam_nodes.host.reference_sampling import reference_sampling

torch.set_grad_enabled(False)
NAMES = ("depth", "normals", "keypoints", "segmentation")
ALL = dict.fromkeys(NAMES, 1.0)
given = reference.inputs()
other = reference.numbers("another hint", tuple(given["hint"].shape)).sigmoid().mul(255).round().div(255) * 2 - 1
hints = torch.cat([given["hint"], other])
pictures = {name: ((hints[:, 3 * i : 3 * i + 3] + 1) * 127.5).round().byte().movedim(1, -1).numpy() for i, name in enumerate(NAMES)}
conditions = ConditionVideo(15.0, **pictures)
images = (hints + 1) / 2
second_noise = reference.numbers("second noise", tuple(given["noise"].shape))
model = comfy.sd.load_diffusion_model_state_dict(dict(reference.base().state_dict()))
double = load_hoi_controlnet(reference.checkpoint())


def prompt(*names: str) -> list:
    """A conditioning; several names make a batch of prompts."""
    context = torch.cat([given["context"] if name == "" else reference.numbers(name, tuple(given["context"].shape)) for name in names])
    pooled = torch.cat([given["pooled"] if name == "" else reference.numbers(name, tuple(given["pooled"].shape)) for name in names])
    return [[context, {"pooled_output": pooled}]]


def guided(positive: list, frames: str = "0", mask=None, branches=(1.0, 1.0), strength: float = 1.0, net=None) -> list:
    """A conditioning with our control."""
    net = net or double
    guidance, _ = guidance_of(net, conditions, frames, ALL, branches, mask)
    return apply_control(positive, [], net, guidance, strength, (0.0, 1.0), None)[0]


def stock(positive: list, net, hint: torch.Tensor) -> list:
    """A conditioning with a control attached by core's own node."""
    return nodes.ControlNetApplyAdvanced().apply_controlnet(positive, positive, net, hint.movedim(1, -1), 1.0, 0.0, 1.0)[0]


def sample(positive: list, noise: torch.Tensor | None = None) -> torch.Tensor:
    """Latents after PAM's 28 steps."""
    noise = given["noise"] if noise is None else noise
    latent = torch.zeros_like(noise)
    _, guider, sampler, sigmas = reference_sampling(model, positive, {"samples": latent}, 42, 28, 4.0, "released", False)
    return guider.sample(noise, latent, sampler, sigmas, disable_pbar=True, seed=42)


def apart(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).abs().max())


def host_net(index: int) -> comfy.controlnet.ControlNet:
    """The host's own ControlNet class for XLabs nets, with a first convolution for six channels, around a released branch."""
    tensors = reference.released_names(reference.control_net(index))
    config, operations, load_device, dtype, cast, _ = comfy.controlnet.controlnet_config(dict(tensors))
    net = comfy.ldm.flux.controlnet.ControlNetFlux(operations=operations, dtype=dtype, device="cpu", **config.unet_config)
    net.input_hint_block[0] = operations.Conv2d(6, 16, 3, padding=1, dtype=dtype)
    net.load_state_dict(config.process_unet_state_dict(dict(tensors)))
    return comfy.controlnet.ControlNet(net, load_device=load_device, manual_cast_dtype=cast, extra_conds=["y", "guidance"])


def chains(ours: torch.Tensor) -> dict[str, float]:
    """The double net against its two branches, each attached by core's Apply node: loaded by us, and as the host's own class."""
    halves = [load_hoi_controlnet(reference.released_names(reference.control_net(index))) for index in (1, 2)]
    chained = stock(stock(prompt(""), halves[0], images[:1, :6]), halves[1], images[:1, 6:])
    native = stock(stock(prompt(""), host_net(1), images[:1, :6]), host_net(2), images[:1, 6:])
    return {"two stock nodes": apart(sample(chained), ours), "the host's own class": apart(sample(native), ours)}


def neighbours() -> dict[str, float]:
    """Beside a net that core loaded and attached: an XLabs one, before ours and after ours, and alone by us and by core."""
    tensors = reference.released_names(reference.control_net(1, 3))
    theirs = comfy.controlnet.load_controlnet_state_dict(dict(tensors))
    before = sample(guided(stock(prompt(""), theirs, images[:1, :3])))
    after = sample(stock(guided(prompt("")), theirs, images[:1, :3]))
    alone = sample(stock(prompt(""), theirs, images[:1, :3]))
    mine = sample(guided(prompt(""), net=load_hoi_controlnet(dict(tensors))))
    return {"before or after": apart(before, after), "effect of both": apart(before, alone), "XLabs by core": apart(alone, mine)}


def batches(ours: torch.Tensor) -> dict[str, float]:
    """Seeds, prompts and frames in one batch against each alone."""
    both = torch.cat([given["noise"], second_noise])
    seeds, prompts, frames = (
        sample(guided(prompt("")), both),
        sample(guided(prompt("", "two")), both),
        sample(guided(prompt(""), "0,1"), both),
    )
    single = {
        "seeds": torch.cat([ours, sample(guided(prompt("")), second_noise)]),
        "prompts": torch.cat([ours, sample(guided(prompt("two")), second_noise)]),
        "frames": torch.cat([ours, sample(guided(prompt(""), "1"), second_noise)]),
    }
    mixed = {"seeds": seeds, "prompts": prompts, "frames": frames}
    differ = min(apart(mixed[a][1], mixed[b][1]) for a, b in (("seeds", "prompts"), ("seeds", "frames"), ("prompts", "frames")))
    return {f"batch of {name}": apart(mixed[name], single[name]) for name in single} | {"batches differ": differ}


def masks(ours: torch.Tensor, plain: torch.Tensor) -> dict[str, float]:
    """Masks of all, nothing and the left half; branches at 0."""
    half = torch.zeros(1, 48, 64)
    half[..., :32] = 1
    halved = sample(guided(prompt(""), mask=half))
    return {
        "mask of ones": apart(sample(guided(prompt(""), mask=torch.ones(1, 30, 40))), ours),
        "mask of zeros": apart(sample(guided(prompt(""), mask=torch.zeros(1, 30, 40))), plain),
        "half a mask": min(apart(halved, ours), apart(halved, plain)),
        "branches at 0": apart(sample(guided(prompt(""), branches=(0.0, 0.0))), plain),
        "strength 0": apart(sample(guided(prompt(""), strength=0.0)), plain),
    }


def once() -> dict[str, int]:
    """How often a run of 28 steps encodes hints and computes rotary tables, and what it leaves behind."""
    counts = {"hints encoded": 0, "tables computed": 0}

    def count(name: str) -> None:
        counts[name] += 1

    table = flux_control.rotary_table
    flux_control.rotary_table = lambda *args: count("tables computed") or table(*args)
    hook = double.control_model.controlnet1.pos_embed_input.register_forward_hook(lambda *_: count("hints encoded"))
    positive = guided(prompt(""))
    sample(positive)
    flux_control.rotary_table = table
    hook.remove()
    left = positive[0][1]["control"].prepared
    return {**counts, "left behind": len(left.hints) + len(left.tables) + len(left.masks)}


def seed_rule() -> dict[str, float]:
    """The NOISE of a batch: seed + index, each drawn alone."""
    latent = {"samples": torch.zeros(3, 16, 6, 8)}
    noise = reference_sampling(model, prompt(""), latent, 42, 28, 4.0, "released", False)[0].generate_noise(latent)
    alone = [torch.randn(1, 16, 6, 8, generator=torch.Generator().manual_seed(42 + i)) for i in range(3)]
    picked = reference_sampling(model, prompt(""), latent, 42, 28, 4.0, "released", False)[0].generate_noise(
        {"samples": latent["samples"][:1], "batch_index": [2]}
    )
    return {"seed rule": apart(noise, torch.cat(alone)), "batch index": apart(picked, alone[2])}


def refusals() -> dict[str, str]:
    """What the host says for a batch that does not fit the frames, a base model of another width, and six channels for three."""
    said = {}
    try:
        stock(prompt(""), load_hoi_controlnet(reference.released_names(reference.control_net(1, 3))), images[:1, :6])
    except ValueError as error:
        said["channels"] = str(error)
    try:
        sample(guided(prompt(""), "0,1"))
    except ValueError as error:
        said["batch"] = str(error)
    wide = replace(double.control_model.config, hidden_size=256)
    net = flux_control.HOIFluxControl(wide)
    try:
        sample(guided(prompt(""), net=load_hoi_controlnet(released_keys(net))))
    except ValueError as error:
        said["width"] = str(error)
    return said


def main() -> None:
    golden = torch.from_numpy(np.load(reference.GOLDEN)["latent"])
    ours, plain = sample(guided(prompt(""))), sample(prompt(""))
    inside = model.get_model_object("latent_format").process_in(ours)
    figures = {"released run": apart(reference.packed(inside), golden), "effect": apart(ours, plain)}
    figures |= chains(ours) | neighbours() | batches(ours) | masks(ours, plain) | once() | seed_rule() | refusals()
    sys.stdout.write(json.dumps(figures) + "\n")


main()
