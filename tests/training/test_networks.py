"""What a step computes: the released losses, the network that samples, controls that start as the base model."""

from dataclasses import replace
from shutil import copytree

import numpy as np
import pytest
import torch
from diffusers import FluxControlNetModel

from pam_nodes.appearance.flux_blocks import pack
from pam_nodes.dataset.encode import FIRST
from pam_nodes.dataset.shards import PICTURE, LatentStore
from pam_nodes.headless.codec import decode, to_pictures
from pam_nodes.headless.cogvideox import ClipSampler, ClipSampling
from pam_nodes.headless.cogvideox_models import MiniCogVideoX
from pam_nodes.headless.cogvideox_models import load_control as load_cogvideox_control
from pam_nodes.headless.compute import Compute, machine
from pam_nodes.headless.flux import FluxSampler, FluxSampling, unpack
from pam_nodes.headless.flux_models import MiniFlux, Prompt
from pam_nodes.headless.flux_models import load_control as load_flux_control
from pam_nodes.mini.files import APPEARANCE, MOTION
from pam_nodes.motion.schedule import alphas_cumprod
from pam_nodes.motion.slots import SlotLatents
from pam_nodes.training.config import ControlDesign, TrainConfig, Windows
from pam_nodes.training.draws import Draws, generator_of
from pam_nodes.training.initial import flux_names, new_flux_control
from pam_nodes.training.tasks import Task, check_store, make_task, recompute
from tests.appearance import reference

CPU = machine(Compute("cpu"))
CONFIG = {
    "appearance": TrainConfig("appearance", precision="fp32"),
    "motion": TrainConfig("motion", control=ControlDesign(blocks=3), precision="fp32"),
}
MODELS = {"appearance": MiniFlux(), "motion": MiniCogVideoX()}


def task_of(stage, latents, tmp_path, start=True, config=None):
    return make_task(config or CONFIG[stage], LatentStore(latents[stage]), MODELS[stage], CPU, start, tmp_path)


def batch_of(task, time, indices=(0, 3)):
    rows = [task.draw(time)(index, generator_of(7, index)) for index in indices]
    return {name: torch.stack([row[name] for row in rows]) for name in rows[0]}


@torch.no_grad()
def test_flux_velocity_is_the_samplers(latents, tmp_path):
    """One Euler step of diffusers' pipeline from noise ends at noise - velocity."""
    task = task_of("appearance", latents, tmp_path)
    batch = batch_of(task, 1.0, (2,))
    sampler = FluxSampler(CPU, MODELS["appearance"].transformer(CPU), MODELS["appearance"].control(CPU), MODELS["appearance"].vae(CPU))
    words = Prompt(batch["tokens"], batch["pooled"])
    ended = sampler.denoise(batch["noise"], batch["hint"], words, None, FluxSampling(steps=1, shift="none"))
    velocity = unpack(task.trainee.velocity(batch["noise"], batch["t"], batch["hint"], batch), (64, 32))
    torch.testing.assert_close(batch["noise"] - velocity, ended, atol=2e-5, rtol=1e-4)
    expected = ((velocity - (batch["noise"] - batch["x"])) ** 2).mean()
    torch.testing.assert_close(task.trainee(batch)[0], expected)


@torch.no_grad()
def test_cogvideox_velocity_is_the_samplers(latents, tmp_path):
    """One DDIM step from pure noise ends at -v, as no signal is left in step 999."""
    task = task_of("motion", latents, tmp_path)
    sample, models = task.store.sample(1), MODELS["motion"]
    batch = batch_of(task, 999, (1,))
    sampler = ClipSampler(CPU, models.transformer(CPU), models.control(CPU), models.vae(CPU), models.schedule())
    slots = [SlotLatents(sample[name][None], sample[name + FIRST][None]) for name in task.config.names]
    settings = ClipSampling(steps=1, scheduler="ddim", guidance=1.0, dynamic=False)
    start = sample[PICTURE + FIRST][None].transpose(1, 2)
    made = sampler.sample(slots, start, batch["tokens"], batch["tokens"], settings, 5)
    noise = torch.randn(1, 16, 3, 4, 8, generator=torch.Generator().manual_seed(5)).transpose(1, 2)
    v = task.trainee.velocity(torch.cat([noise, batch["first"]], dim=2), batch["t"], batch["slots"], batch)
    expected = to_pictures(decode(models.vae(CPU), -v.transpose(1, 2))[0].transpose(0, 1))
    assert np.abs(made.astype(int) - expected).max() <= 1


@torch.no_grad()
@pytest.mark.parametrize("time", [20, 500, 990])
def test_motion_loss_is_the_released_one(latents, tmp_path, time):
    """mean (x0_pred - x0)^2 / (1 - alpha_bar_t), pam_reference 4.3, in float64."""
    task = task_of("motion", latents, tmp_path)
    batch = batch_of(task, time)
    bar = alphas_cumprod()[time]
    a, s = bar.sqrt(), (1 - bar).sqrt()
    noisy = (a * batch["x"].double() + s * batch["noise"].double()).float()
    v = task.trainee.velocity(torch.cat([noisy, batch["first"]], dim=2), batch["t"], batch["slots"], batch)
    x0 = a * noisy.double() - s * v.double()
    released = ((x0 - batch["x"].double()) ** 2 / (1 - bar)).flatten(1).mean(1)
    torch.testing.assert_close(task.trainee(batch).double(), released, rtol=2e-3, atol=1e-6)


@pytest.mark.parametrize("stage", ["appearance", "motion"])
def test_new_control_leaves_the_base_as_it_is_and_learns(latents, tmp_path, stage):
    task = task_of(stage, latents, tmp_path, start=False)
    trainee, batch = task.trainee, batch_of(task, task.times[1])
    other = {**batch, ("hint" if stage == "appearance" else "slots"): torch.randn_like(batch["hint" if stage == "appearance" else "slots"])}
    loss = trainee(batch)
    torch.testing.assert_close(loss, trainee(other))
    loss.mean().backward()
    outputs = trainee.control.controlnet1.controlnet_blocks if stage == "appearance" else trainee.control.combine_linears
    assert all(linear.weight.grad.abs().max() > 0 for linear in outputs)
    assert all(parameter.grad is None for parameter in trainee.base[0].parameters())


def test_copied_blocks_are_the_bases():
    """By names of the reference implementation, which goes the other way through diffusers' own ControlNet."""
    base = reference.base()
    copied = flux_names(base.state_dict(), 2)
    net = FluxControlNetModel.from_transformer(base, num_layers=2, num_single_layers=0, attention_head_dim=128, num_attention_heads=1)
    renamed = reference.released_names(net)
    control = new_flux_control(ControlDesign((("depth",),), encoding="pixel"), base)
    for name, value in copied.items():
        torch.testing.assert_close(control.controlnet1.state_dict()[name], value)
        torch.testing.assert_close(renamed[name.replace("_norm.weight", "_norm.scale")], value)


@pytest.mark.parametrize("stage", ["appearance", "motion"])
def test_recomputed_blocks_give_the_same_gradients(latents, tmp_path, stage):
    grads = []
    for again in (False, True):
        task = task_of(stage, latents, tmp_path)
        if again:
            recompute([*task.trainee.base[0].children(), *task.trainee.control.modules()])
        task.trainee(batch_of(task, task.times[2])).mean().backward()
        grads.append([parameter.grad for parameter in task.trainee.parameters() if parameter.grad is not None])
    assert len(grads[0]) == len(grads[1]) > 20
    for one, two in zip(*grads, strict=True):
        torch.testing.assert_close(one, two)


@torch.no_grad()
@pytest.mark.parametrize("stage", ["appearance", "motion"])
def test_written_control_is_what_the_samplers_load(latents, tmp_path, stage):
    task = task_of(stage, latents, tmp_path)
    changed = {name: value + 0.01 for name, value in task.trainee.state_dict().items()}
    if stage == "motion":
        changed["control.hidden_linear.weight"] = sum(changed[f"control.slot_linears.{i}.weight"] for i in range(3))
    (path,) = task.write(tmp_path / "out", changed)
    load = load_flux_control if stage == "appearance" else load_cogvideox_control
    loaded = load(path, torch.float32)
    assert loaded.config == task.trainee.control.config
    for name, value in loaded.state_dict().items():
        torch.testing.assert_close(value, changed[f"control.{name}"])


def test_pixel_hints(latents, tmp_path):
    """The released design on stored pictures; a condition the latents lack is black."""
    design = ControlDesign((("depth", "normals"), ("keypoints", "segmentation")), encoding="pixel", injection="repeat")
    config = TrainConfig("appearance", control=design, precision="fp32")
    task = make_task(config, LatentStore(latents["pixel"]), MODELS["appearance"], CPU, False, tmp_path)
    batch = batch_of(task, 0.5)
    assert batch["hint"].shape == (2, 12, 32, 64) and (batch["hint"][:, 3:6] == -1).all() and batch["hint"][:, :3].max() > 0.2
    task.trainee(batch).mean().backward()
    assert task.trainee.control.controlnet2.controlnet_blocks[1].weight.grad.abs().max() > 0
    with pytest.raises(ValueError, match="Expected latents of the appearance stage with latent hints"):
        check_store(CONFIG["appearance"], LatentStore(latents["pixel"]))


def test_absent_latent_is_the_black_picture(latents):
    store = LatentStore(latents["appearance"])
    with torch.no_grad():
        black = decode(MODELS["appearance"].vae(CPU), store.absent()["picture"][None])
    assert to_pictures(black).max() < 30
    assert pack(store.absent()["picture"][None]).shape == (1, 8, 64)


@pytest.mark.parametrize("stage", ["appearance", "motion"])
def test_gradients_through_a_base_in_eight_bits(latents, tmp_path, stage):
    """Nearly those through the full base: its weights are rounded, and nothing else changes on the way back."""
    grads = []
    for quantize in ("none", "fp8"):
        place, config = machine(Compute("cpu", quantize=quantize)), replace(CONFIG[stage], checkpointing=True)
        task = make_task(config, LatentStore(latents[stage]), MODELS[stage], place, True, tmp_path)
        task.trainee(batch_of(task, task.times[1])).mean().backward()
        grads.append(torch.cat([p.grad.flatten() for p in task.trainee.parameters() if p.grad is not None]))
    assert torch.nn.functional.cosine_similarity(*grads, dim=0) > 0.95
    assert not torch.equal(*grads)


@pytest.mark.parametrize("stage", ["appearance", "motion"])
def test_windows_are_one_part_of_everything_and_then_all_of_it(latents, tmp_path, stage):
    """The noisy latents and every condition are cut at one place; learning from it is what the network does for a picture of that size."""
    task = task_of(stage, latents, tmp_path)
    conditions = "hint" if stage == "appearance" else "slots"
    plain, cut = (Draws(range(8), task.draw(), 3, window, 2) for window in ((), (4, 2)))
    seen = set()
    for counter in (0, 1):
        whole, part = plain[counter], cut[counter]
        places = [(y, x) for y in (0, 2) for x in (0, 2, 4) if torch.equal(whole["x"][..., y : y + 2, x : x + 4], part["x"])]
        assert len(places) == 1
        y, x = places[0]
        seen.add(places[0])
        for name in ("noise", conditions):
            assert torch.equal(whole[name][..., y : y + 2, x : x + 4], part[name])
        assert part["t"] == whole["t"] and part["tokens"].shape == whole["tokens"].shape
    assert cut[2]["x"].shape == whole["x"].shape, "only the first samples are windows"


@torch.no_grad()
def test_a_windows_positions_are_whole_steps(latents, tmp_path):
    """A small CogVideoX that learns for 64 x 32 sees a 32 x 16 window as a part of it, not as a whole picture in its middle."""
    config = replace(CONFIG["motion"], learn="all", windows=Windows((4, 2), 1))
    copytree(MOTION.tokenizer("t5"), tmp_path / "t5_tokenizer")
    task = task_of("motion", latents, tmp_path, config=config)
    base = task.trainee.transformer
    assert (base.config.sample_width, base.config.sample_height) == (8, 4)
    batch = {name: value[None] for name, value in Draws(range(8), task.draw(), 3, (4, 2), 9)[0].items()}
    small = torch.cat([batch["x"], batch["first"]], dim=2)
    seen = task.trainee.velocity(small, batch["t"], batch["slots"], batch)
    batch["tokens"], task.trainee.text = task.trainee.text(batch["t5_ids"])[0], None
    whole = task.trainee.velocity(small, batch["t"], batch["slots"], batch)
    base.register_to_config(sample_width=4, sample_height=2)
    torch.testing.assert_close(seen, task.trainee.velocity(small, batch["t"], batch["slots"], batch))
    assert (seen - whole).abs().max() > 1e-3


@torch.no_grad()
@pytest.mark.parametrize("stage", ["appearance", "motion"])
def test_everything_goes_on_from_the_packs_weights(latents, tmp_path, stage):
    """With all of them given, the network that learns predicts what the one with the frozen base predicts from stored text."""
    files = APPEARANCE if stage == "appearance" else MOTION
    for encoder in ("t5", "clip")[: 2 if stage == "appearance" else 1]:
        copytree(files.tokenizer(encoder), tmp_path / f"{encoder}_tokenizer")
    frozen = task_of(stage, latents, tmp_path)
    if stage == "motion":
        frozen.trainee.base[0].register_to_config(sample_width=8, sample_height=4)
    free = task_of(stage, latents, tmp_path, config=replace(CONFIG[stage], learn="all"))
    time = frozen.times[2]
    losses = [task.trainee(batch_of(task, time)) for task in (frozen, free)]
    torch.testing.assert_close(*losses, rtol=5e-3, atol=1e-4)
    assert sum(p.numel() for p in free.trainee.parameters()) > 2 * sum(p.numel() for p in frozen.trainee.parameters())


@torch.no_grad()
@pytest.mark.parametrize("stage", ["appearance", "motion"])
def test_foreground_counts_more(latents, tmp_path, stage):
    """The weighted mean of the squared errors of v (motion) or of the velocity (appearance) over latent pixels."""
    task = task_of(stage, latents, tmp_path)
    weighted = Task(replace(CONFIG[stage], foreground=4.0), task.store, task.trainee, task.times)
    batch = batch_of(weighted, task.times[2], (1,))
    weight = 1 + 3 * task.store.sample(1)["foreground"]
    torch.testing.assert_close(batch["weight"][0], weight / weight.mean())
    noise, x, t = batch["noise"], batch["x"], batch["t"]
    if stage == "appearance":
        velocity = task.trainee.velocity(torch.lerp(x, noise, t[:, None, None, None]), t, batch["hint"], batch)
        error = (unpack(velocity, (64, 32)) - (noise - x)) ** 2
    else:
        a, s = alphas_cumprod()[t].sqrt().float(), (1 - alphas_cumprod()[t]).sqrt().float()
        v = task.trainee.velocity(torch.cat([a * x + s * noise, batch["first"]], dim=2), t, batch["slots"], batch)
        error = (v - (a * noise - s * x)) ** 2
    expected = (error.mean(-3) * weight).sum() / weight.sum()
    torch.testing.assert_close(task.trainee(batch)[0], expected, rtol=1e-4, atol=1e-6)
    assert not torch.allclose(task.trainee(batch_of(task, task.times[2], (1,)))[0], expected, rtol=1e-3)


@pytest.mark.parametrize("stage", ["appearance", "motion"])
def test_times_near_noise(latents, tmp_path, stage):
    """Half of logit-normal times are above the sigmoid of their mean."""
    config = replace(CONFIG[stage], times="logit_normal", times_shape=(1.5, 1.0))
    draw = Task(config, LatentStore(latents[stage]), task_of(stage, latents, tmp_path).trainee, ()).draw()
    times = torch.stack([draw(0, generator_of(3, number))["t"] for number in range(200)]).float()
    above = (times / (1 if stage == "appearance" else 1000) > torch.sigmoid(torch.tensor(1.5))).float().mean()
    assert 0.4 < float(above) < 0.6
