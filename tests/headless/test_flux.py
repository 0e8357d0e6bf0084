"""The headless appearance stage against diffusers' own pipelines, on the real classes."""

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxControlNetModel, FluxControlNetPipeline, FluxTransformer2DModel
from safetensors.torch import save_file

from pam_nodes.headless.codec import to_pictures
from pam_nodes.headless.compute import Compute, machine
from pam_nodes.headless.flux import FluxSampler, FluxSampling, Prompt, encode_prompts, times, unpack
from pam_nodes.headless.flux_models import FluxFolder, MiniFlux, load_control
from pam_nodes.headless.flux_single_file import read_config
from tests.appearance import reference

from . import tiny

WIDTH, HEIGHT = 64, 48
CPU = machine(Compute("cpu", "fp32"))


@pytest.fixture(scope="module")
def xlabs(tmp_path_factory):
    """A random ControlNet of diffusers in the XLabs layout, and the same as a file."""
    net = tiny.shake(
        FluxControlNetModel(
            patch_size=2,
            in_channels=64,
            num_layers=2,
            num_single_layers=0,
            attention_head_dim=128,
            num_attention_heads=2,
            joint_attention_dim=tiny.CONTEXT,
            pooled_projection_dim=tiny.POOLED,
            guidance_embeds=True,
            axes_dims_rope=[16, 56, 56],
            conditioning_embedding_channels=16,
        )
    )
    path = tmp_path_factory.mktemp("xlabs") / "xlabs.safetensors"
    save_file({key: value.contiguous() for key, value in reference.released_names(net).items()}, path)
    return net, path


@pytest.fixture(scope="module")
def prompt():
    generator = torch.Generator().manual_seed(7)
    return Prompt(torch.randn(1, 6, tiny.CONTEXT, generator=generator), torch.randn(1, tiny.POOLED, generator=generator))


def sampler(models, place=CPU) -> FluxSampler:
    return FluxSampler(place, models.transformer(place), models.control(place), models.vae(place))


def sample(models, prompt, sampling, hint=None, place=CPU, seed=42):
    ready = sampler(models, place)
    channels = 3 * len(ready.control.config.conditions)
    hint = torch.rand(1, channels, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(3)) if hint is None else hint
    return to_pictures(ready.paint(ready.encode_hint(hint), prompt, None, sampling, seed, (WIDTH, HEIGHT)))[0]


def test_equals_diffusers_controlnet_pipeline(flux_folder, xlabs, prompt):
    """A whole picture: schedule with the true shift, guidance, repeated residuals, VAE; noise as ComfyUI draws it."""
    net, path = xlabs
    hint = torch.rand(1, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(3))
    ours = sample(FluxFolder(flux_folder, path), prompt, FluxSampling(steps=4), hint)
    pipeline = FluxControlNetPipeline(
        FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True), AutoencoderKL.from_pretrained(flux_folder / "vae"), None, None, None,
        None, FluxTransformer2DModel.from_pretrained(flux_folder / "transformer"), net,
    )  # fmt: skip
    noise = torch.randn(1, 16, HEIGHT // 8, WIDTH // 8, generator=torch.Generator().manual_seed(42))
    theirs = pipeline(
        prompt_embeds=prompt.tokens, pooled_prompt_embeds=prompt.pooled, control_image=hint, width=WIDTH, height=HEIGHT,
        num_inference_steps=4, guidance_scale=4.0, latents=pipeline._pack_latents(noise, 1, 16, HEIGHT // 8, WIDTH // 8), output_type="pt",
    ).images  # fmt: skip
    theirs = to_pictures(theirs * 2 - 1)[0].astype(int)
    assert np.abs(ours.astype(int) - theirs).max() <= 1
    free = sample(FluxFolder(flux_folder, path), prompt, FluxSampling(steps=4, strength=0.0), hint)
    assert np.abs(free.astype(int) - theirs).max() > 10


def test_golden_run_of_the_released_rules(flux_folder, tmp_path):
    """The released sampler's 28 steps on the double ControlNet: latents of an independent run (tests/appearance/reference.py)."""
    torch.save(reference.checkpoint(), tmp_path / "controlnet.bin")
    given, size = reference.inputs(), (8 * reference.WIDTH, 8 * reference.HEIGHT)
    vae = FluxFolder(flux_folder, tmp_path).vae(CPU)
    ready = FluxSampler(CPU, reference.base(), load_control(tmp_path / "controlnet.bin", torch.float32), vae)
    hint = ready.encode_hint((given["hint"] + 1) / 2)
    latents = ready.denoise(given["noise"], hint, Prompt(given["context"], given["pooled"]), None, FluxSampling(shift="released"))
    assert latents.shape[-2:] == (size[1] // 8, size[0] // 8)
    np.testing.assert_allclose(reference.packed(latents).numpy(), np.load(reference.GOLDEN)["latent"], atol=1e-5, rtol=0)


def test_released_times():
    """The list written down from the released code (specs: pam_reference 2.3)."""
    expected = [1, 0.977147, 0.953676, 0.929562, 0.904778, 0.879295, 0.853084, 0.826113, 0.798349, 0.769755]
    released = times(FluxSampling(shift="released"), 640, 480)
    np.testing.assert_allclose(released[:10], expected, atol=1e-6)
    assert len(released) == 28 and released[-1] == pytest.approx(0.055403, abs=1e-6)
    np.testing.assert_allclose(times(FluxSampling(steps=4, shift="none"), 640, 480), [1, 0.75, 0.5, 0.25])


def test_span_of_the_control(flux_folder, flux_control, prompt):
    """It acts in the steps asked for: none of the first half is the same as starting there; the whole span is another picture."""
    models = FluxFolder(flux_folder, flux_control)
    whole, none, late = (
        sample(models, prompt, FluxSampling(steps=4, **span)).astype(int) for span in ({}, {"strength": 0.0}, {"start": 0.5})
    )
    assert np.abs(whole - none).max() > 10
    assert np.abs(late - none).max() > 3 and np.abs(late - whole).max() > 3
    with pytest.raises(ValueError, match="span of the steps"):
        FluxSampling(start=0.6, end=0.5).check()


@pytest.mark.parametrize("offload", ["model", "group", "sequential"])
def test_offloading_changes_nothing(flux_folder, flux_control, prompt, offload):
    models, sampling = FluxFolder(flux_folder, flux_control), FluxSampling(steps=2)
    place = machine(Compute("cpu", "fp32", offload=offload))
    np.testing.assert_array_equal(sample(models, prompt, sampling, place=place), sample(models, prompt, sampling))


def test_fp8_is_stored_in_8_bits_and_close(flux_folder, flux_control, prompt):
    models = FluxFolder(flux_folder, flux_control)
    place = machine(Compute("cpu", "fp32", quantize="fp8"))
    ready = sampler(models, place)
    for net in (ready.pipeline.transformer, ready.control):
        assert (
            net.get_submodule(next(n for n, _ in net.named_modules() if n.endswith(("ff.net.2", "img_mlp.2")))).weight.element_size() == 1
        )
    plain, small = (sample(models, prompt, FluxSampling(steps=2), place=p).astype(int) for p in (CPU, place))
    assert 0 < np.abs(plain - small).mean() < 12


def test_single_file(tmp_path, flux_folder, flux_control, prompt):
    """The same transformer from the folder and from one file with diffusers' names."""
    path = tmp_path / "flux.safetensors"
    save_file({key: value.contiguous() for key, value in tiny.flux_transformer().state_dict().items()}, path)
    pictures = [sample(FluxFolder(flux_folder, flux_control, file), prompt, FluxSampling(steps=2)) for file in (None, path)]
    np.testing.assert_array_equal(*pictures)


def test_gguf_file(tmp_path, flux_folder, flux_control, prompt):
    """A quantised transformer of the community's format is nearly the same."""
    import gguf

    path, kind = tmp_path / "flux.gguf", gguf.GGMLQuantizationType.Q8_0
    writer = gguf.GGUFWriter(str(path), "flux")
    for name, value in tiny.flux_transformer().state_dict().items():
        value = value.numpy()
        if value.ndim == 2 and value.shape[1] % 32 == 0:
            writer.add_tensor(name, gguf.quants.quantize(value, kind), raw_dtype=kind)
        else:
            writer.add_tensor(name, value)
    for step in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file, writer.close):
        step()
    whole, small = (sample(FluxFolder(flux_folder, flux_control, file), prompt, FluxSampling(steps=2)).astype(int) for file in (None, path))
    assert 0 < np.abs(whole - small).mean() < 2


@pytest.mark.parametrize("prefix", ["", "model.diffusion_model."])
def test_single_file_of_the_authors_is_recognised(tmp_path, prefix):
    """FLUX.1-dev's names and shapes give FLUX.1-dev's config (specs: diffusion 1.2)."""
    shapes = {
        "img_in.weight": (3072, 64), "txt_in.weight": (3072, 4096), "vector_in.in_layer.weight": (3072, 768),
        "guidance_in.in_layer.bias": (1,), "double_blocks.0.img_attn.proj.weight": (1,), "double_blocks.18.img_mod.lin.bias": (1,),
        "single_blocks.37.linear2.bias": (1,),
    }  # fmt: skip
    path = tmp_path / "flux1-dev.safetensors"
    save_file({prefix + name: torch.zeros(shape, dtype=torch.bfloat16) for name, shape in shapes.items()}, path)
    config = read_config(path)
    wanted = {"num_layers": 19, "num_single_layers": 38, "num_attention_heads": 24, "joint_attention_dim": 4096}
    wanted |= {"pooled_projection_dim": 768, "in_channels": 64, "guidance_embeds": True}
    assert wanted.items() <= config.items()


@pytest.mark.parametrize("offload", ["none", "model", "sequential"])
def test_prompts_of_a_folder_are_those_of_its_pipeline(flux_folder, offload):
    from diffusers import FluxPipeline

    place = machine(Compute("cpu", "fp32", offload=offload))
    pipeline, length = FluxFolder(flux_folder, flux_folder).text(place)
    assert length == 512
    ours = encode_prompts(pipeline, length, ["a hand holds a mug", "b"], place)
    whole = FluxPipeline.from_pretrained(flux_folder)
    with torch.no_grad():
        tokens, pooled, _ = whole.encode_prompt("a hand holds a mug", None)
    torch.testing.assert_close(ours[0].tokens, tokens, rtol=0, atol=0)
    torch.testing.assert_close(ours[0].pooled, pooled, rtol=0, atol=0)
    assert not torch.equal(ours[0].tokens, ours[1].tokens)


def test_unpack_is_the_inverse_of_pack():
    from pam_nodes.appearance.flux_blocks import pack

    x = torch.randn(2, 16, 6, 8)
    assert torch.equal(unpack(pack(x), (64, 48)), x)


def test_the_small_model_has_its_own_parts():
    MiniFlux().check()
    ready = sampler(MiniFlux())
    assert ready.control.config.encoding == "latent"
    assert ready.encode_hint(torch.zeros(1, 9, 48, 64)).shape == (1, 48, 6, 8)


def test_wrong_files_are_named(tmp_path, flux_folder, flux_control, cogvideox_control):
    with pytest.raises(FileNotFoundError, match=r"no model_index\.json, text_encoder"):
        FluxFolder(tmp_path, flux_control).check()
    with pytest.raises(FileNotFoundError, match="No weights at"):
        FluxFolder(flux_folder, tmp_path / "none.bin").check()
    with pytest.raises(ValueError, match="an HOI control for CogVideoX"):
        FluxFolder(flux_folder, cogvideox_control).control(CPU)
    narrow = tiny.flux_control_file(tmp_path / "narrow.bin", tiny.FluxControlConfig(128, 1, 8, 8, False, (("depth",),)))
    with pytest.raises(ValueError, match="of 256 channels, found one for 128"):
        FluxFolder(flux_folder, narrow).control(CPU)
    (tmp_path / "junk.gguf").write_bytes(b"GGUF and then something else")
    with pytest.raises(ValueError, match=r"could not read junk\.gguf"):
        FluxFolder(flux_folder, flux_control, tmp_path / "junk.gguf").control(CPU)
    with pytest.raises(ValueError, match="Expected a Flux transformer"):
        FluxFolder(flux_folder, flux_control, cogvideox_control).control(CPU)
