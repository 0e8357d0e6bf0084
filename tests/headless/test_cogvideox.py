"""The headless motion stage against diffusers' own pipeline and the released rules, on the real classes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import CogVideoXDPMScheduler, CogVideoXImageToVideoPipeline

from pam_nodes.headless.clip_stage import ClipOptions
from pam_nodes.headless.codec import encode, to_pictures, to_pixels
from pam_nodes.headless.cogvideox import ClipSampler, ClipSampling, encode_prompts
from pam_nodes.headless.cogvideox_models import CogVideoXFolder, MiniCogVideoX, load_control
from pam_nodes.headless.compute import Compute, machine
from pam_nodes.headless.frame_stage import FrameOptions
from pam_nodes.motion.control import PAPER_SLOTS, RELEASED_SLOTS
from pam_nodes.motion.inject import controlled

from . import tiny

CPU = machine(Compute("cpu", "fp32"))
SAMPLING, FAST = ClipSampling(steps=4), ClipSampling(steps=2)
WIDTH, HEIGHT = tiny.SIZE


def normal(*shape, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


PROMPT, NEGATIVE = normal(1, 12, tiny.CONTEXT, seed=7), normal(1, 12, tiny.CONTEXT, seed=8)
PICTURE = np.random.default_rng(5).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def sampler(models, place=CPU) -> ClipSampler:
    return ClipSampler(place, models.transformer(place), models.control(place), models.vae(place), models.schedule())


def sample(models, clip, sampling=SAMPLING, place=CPU) -> np.ndarray:
    ready = sampler(models, place)
    frames = ready.sample(ready.encode_slots(clip), ready.encode_start(PICTURE), PROMPT, NEGATIVE, sampling, 42)
    assert frames.shape == (tiny.LENGTH, HEIGHT, WIDTH, 3)
    return frames.astype(int)


@torch.no_grad()
def stock(folder, clip=None, control=None) -> np.ndarray:
    """diffusers' pipeline as it is, with CogVideoX's DPM on trailing times; with a control, the released start written out per slot."""
    pipeline = CogVideoXImageToVideoPipeline.from_pretrained(folder)
    pipeline.scheduler = CogVideoXDPMScheduler.from_config(pipeline.scheduler.config, timestep_spacing="trailing")
    pipeline.vae.enable_tiling()
    base, vae = pipeline.transformer, pipeline.vae

    def latents(pictures: np.ndarray) -> torch.Tensor:
        return encode(vae, to_pixels(pictures).transpose(0, 1)[None]).transpose(1, 2)

    def tokens(name: str) -> torch.Tensor:
        pictures = getattr(clip, name)
        if pictures is None:
            slot = torch.zeros(1, 3, 32, HEIGHT // 8, WIDTH // 8)
        else:
            whole, first = latents(pictures), latents(pictures[:1])
            slot = torch.cat([whole, torch.cat([first, torch.zeros_like(whole[:, 1:])], 1)], 2)
        return base.patch_embed(PROMPT, slot)[:, PROMPT.shape[1] :]

    slots = [] if control is None else [tokens(name) for name in control.config.slots]

    def start(hidden: torch.Tensor) -> torch.Tensor:
        return sum(linear(hidden + slot) for linear, slot in zip(control.slot_linears, slots, strict=True))

    def mode(pixels: torch.Tensor):
        """The pipeline draws the first frame's latent; ours takes the mode."""
        drawn = type(vae).encode(vae, pixels)
        drawn.latent_dist.sample = lambda generator=None: drawn.latent_dist.mode()
        return drawn

    generator = torch.Generator().manual_seed(42)
    noise = torch.randn(1, 16, 3, HEIGHT // 8, WIDTH // 8, generator=generator).transpose(1, 2)
    pipeline.vae.encode = mode
    call = dict(
        image=(to_pixels(PICTURE[None]) + 1) / 2, prompt_embeds=PROMPT, negative_prompt_embeds=NEGATIVE, height=HEIGHT, width=WIDTH,
        num_frames=tiny.LENGTH, num_inference_steps=4, guidance_scale=6.0, use_dynamic_cfg=True, generator=generator, latents=noise,
        output_type="pt",
    )  # fmt: skip
    if control is None:
        frames = pipeline(**call).frames[0]
    else:
        with controlled(base.transformer_blocks, control, start):
            frames = pipeline(**call).frames[0]
    return to_pictures(frames * 2 - 1).astype(int)


@pytest.fixture
def models(cogvideox_folder, cogvideox_control):
    return CogVideoXFolder(cogvideox_folder, cogvideox_control)


def test_equals_diffusers_pipeline(models, clip):
    """A whole clip, without and with control: schedule, dynamic guidance, noise, first frame, VAE."""
    free, guided = sample(models, clip, ClipSampling(steps=4, strength=0.0)), sample(models, clip)
    assert np.abs(free - stock(models.folder)).max() <= 1
    assert np.abs(guided - stock(models.folder, clip, load_control(models.control_file, torch.float32))).max() <= 1
    assert np.abs(free - guided).max() > 10


def test_span_of_the_control(models, clip):
    """It acts in the steps asked for, and leaves nothing behind on the model."""
    ready = sampler(models)
    slots, start = ready.encode_slots(clip), ready.encode_start(PICTURE)

    def run(**span) -> np.ndarray:
        return ready.sample(slots, start, PROMPT, NEGATIVE, ClipSampling(steps=4, **span), 42).astype(int)

    whole, none, late, early = (run(**span) for span in ({}, {"strength": 0.0}, {"start": 0.5}, {"end": 0.5}))
    pairs = ((whole, none), (late, none), (late, whole), (early, none), (early, whole), (early, late))
    assert all(np.abs(one - other).max() > 3 for one, other in pairs)
    np.testing.assert_array_equal(run(strength=0.0), none)
    with pytest.raises(ValueError, match="span of the steps"):
        ClipSampling(start=0.5, end=0.5).check()


@pytest.fixture
def depth(clip):
    """The clip with one condition."""
    return replace(clip, segmentation=None, keypoints=None)


@pytest.fixture(scope="module")
def plain():
    """Result of the first test that asks for it: made once."""
    made = []

    def of(models, clip):
        if not made:
            made.append(sample(models, clip, FAST))
        return made[0]

    return of


@pytest.mark.parametrize("offload", ["model", "group", "sequential"])
def test_offloading_changes_nothing(models, depth, plain, offload):
    place = machine(Compute("cpu", "fp32", offload=offload))
    np.testing.assert_array_equal(sample(models, depth, FAST, place), plain(models, depth))


def test_fp8_is_stored_in_8_bits_and_close(models, depth, plain):
    place = machine(Compute("cpu", "fp32", quantize="fp8"))
    ready = sampler(models, place)
    assert ready.transformer.transformer_blocks[0].ff.net[2].weight.element_size() == 1
    assert ready.control.transformer_blocks_copy[0].attn1.to_q.weight.element_size() == 1
    assert 0 < np.abs(sample(models, depth, FAST, place) - plain(models, depth)).mean() < 12


def test_only_the_control_of_a_merged_file_is_read(cogvideox_control):
    net = load_control(cogvideox_control, torch.float32)
    expected = tiny.cogvideox_control()
    for name, value in expected.state_dict().items():
        if name != "hidden_linear.weight":  # the sum of the slots' weights, made on loading
            torch.testing.assert_close(net.state_dict()[name], value, rtol=0, atol=0)
    assert net.config == expected.config


@pytest.mark.parametrize(("unused", "held"), [("zero latents", "none"), ("released evaluation", "first"), ("grey", "both")])
def test_slots_without_a_condition(models, depth, unused, held):
    slots = dict(zip(RELEASED_SLOTS, sampler(models).encode_slots(depth, unused), strict=True))
    assert slots["depth"].clip is not None and slots["depth"].first is not None
    assert (slots["normals"].clip is not None) == (held == "both") and (slots["normals"].first is not None) == (held != "none")


def test_drawn_latents_differ_and_repeat(models, clip):
    ready = sampler(models)
    mode, one, again = (ready.encode_start(PICTURE, g and torch.Generator().manual_seed(g)) for g in (None, 3, 3))
    assert torch.equal(one, again) and not torch.equal(one, mode)


def test_prompts_of_a_folder_are_those_of_its_pipeline(models):
    pipeline, length = models.text(CPU)
    assert length == 12
    ours = encode_prompts(pipeline, length, ["a hand", ""], CPU)
    whole = CogVideoXImageToVideoPipeline.from_pretrained(models.folder)
    with torch.no_grad():
        theirs = whole.encode_prompt("a hand", "", max_sequence_length=12)
    for mine, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, expected, rtol=0, atol=0)


def test_wrong_input_is_named(tmp_path, models, clip, flux_control, flux_folder):
    models.check(tiny.SIZE, tiny.LENGTH)
    with pytest.raises(ValueError, match=r"Expected 96 x 48 pixels and 9 frames.*found 64 x 48 and 9"):
        models.check((64, 48), 9)
    with pytest.raises(ValueError, match=r"8k \+ 1 frames .*found 13"):
        models.check(tiny.SIZE, 13)
    with pytest.raises(FileNotFoundError, match="CogVideoX in diffusers' layout"):
        CogVideoXFolder(tmp_path, models.control_file).check(tiny.SIZE, 9)
    with pytest.raises(ValueError, match="a ControlNet for Flux"):
        load_control(flux_control, torch.float32)
    small = tiny.cogvideox_folder(tmp_path / "small", num_layers=1)
    with pytest.raises(ValueError, match="2 blocks or more, found 128 and 1"):
        CogVideoXFolder(small, models.control_file).control(CPU)
    later = tiny.cogvideox_folder(tmp_path / "later", in_channels=16)
    with pytest.raises(ValueError, match=r"CogVideoX 1\.0 image-to-video"):
        CogVideoXFolder(later, models.control_file).check(tiny.SIZE, 9)
    with pytest.raises(ValueError, match="at least one of"):
        sampler(models).encode_slots(replace(clip, depth=None, segmentation=None, keypoints=None))


def test_the_small_model_has_its_own_parts():
    MiniCogVideoX().check((288, 192), 17)
    assert sampler(MiniCogVideoX()).control.config.slots == PAPER_SLOTS


def test_only_the_small_model_has_a_refiner():
    """What cannot be refined is said before anything is loaded."""
    large = CogVideoXFolder(Path("CogVideoX"), None)
    for options in (ClipOptions, FrameOptions):
        options("a hand").check(large)
        options("a hand", refine=1.0).check(MiniCogVideoX())
        for refine, models, words in ((0.5, large, "Expected --mini with --refine"), (1.5, MiniCogVideoX(), "between 0 and 1")):
            with pytest.raises(ValueError, match=words):
                options("a hand", refine=refine).check(models)
