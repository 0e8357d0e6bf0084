"""The appearance stage in ordinary graphs: stock loaders, LoRA, fp8, batches, cancelling, PAM's sampler, files, memory."""

import shutil
import time

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import PreTrainedTokenizerFast, T5Config, T5EncoderModel

from hostkit.client import NodeFailed, PromptRejected
from pam_nodes.appearance.checkpoint import released_keys
from pam_nodes.appearance.flux_control import FluxControlConfig, HOIFluxControl
from pam_nodes.appearance.schedule import sigmas
from pam_nodes.mini.configs import FLUX
from pam_nodes.mini.files import APPEARANCE

from .mini_graphs import SIZE, appearance, conditions, find, node, shipped

WIDTH, HEIGHT = SIZE
TEXT = "a tan skin hand reaching for a red mug on a white table, bright light"


@pytest.fixture(scope="module", autouse=True)
def files(host_session):
    """The small Flux, a random LoRA for it, and a training checkpoint of a double net, in the folders of the host."""
    if isinstance(host_session, str):
        return
    models = host_session.base / "models"
    for folder in ("diffusion_models", "loras", "controlnet"):
        (models / folder).mkdir(parents=True, exist_ok=True)
    shutil.copy(APPEARANCE.model, models / "diffusion_models/small_flux.safetensors")
    torch.manual_seed(0)
    lora = {}
    for block in (0, 1):
        name = f"lora_unet_double_blocks_{block}_img_attn_qkv"
        lora |= {f"{name}.lora_down.weight": torch.randn(4, 256) * 0.3, f"{name}.lora_up.weight": torch.randn(768, 4) * 0.3}
    save_file(lora, models / "loras/small.safetensors")
    net = HOIFluxControl(FluxControlConfig(256, 2, 128, 64, False, (("depth", "normals"), ("keypoints", "segmentation"))))
    for parameter in net.parameters():
        parameter.data = parameter.data + torch.randn_like(parameter) * 0.02
    torch.save(
        {"module": {f"module.{key}": value for key, value in released_keys(net).items()}, "step": 7}, models / "controlnet/states.bin"
    )


def picture(run_prompt, probed, prompt) -> np.ndarray:
    return probed(run_prompt(prompt), "out")[0]["value"]


def on_stock_loader(strength: float = 1.0, dtype: str = "default", lora: float | None = None, **guide) -> dict:
    """The small Flux through core's own loader, with a LoRA if wanted."""
    prompt = appearance(strength, **guide) | {"u": node("UNETLoader", unet_name="small_flux.safetensors", weight_dtype=dtype)}
    prompt["s"]["inputs"]["model"] = ["u", 0]
    if lora is not None:
        prompt["l"] = node("LoraLoaderModelOnly", model=["u", 0], lora_name="small.safetensors", strength_model=lora)
        prompt["s"]["inputs"]["model"] = ["l", 0]
    return prompt


def test_flux_from_a_folder_of_shards(run_prompt, probed, host_session):
    """As core loads the same tensors from one file, to the bit."""
    from diffusers import FluxTransformer2DModel

    torch.manual_seed(3)
    small = FluxTransformer2DModel(**FLUX)
    folder = host_session.base / "models/diffusers/small-flux/transformer"
    small.save_pretrained(folder, max_shard_size="4MB")
    assert len(list(folder.glob("*.safetensors"))) > 1
    models = host_session.base / "models/diffusion_models"
    save_file({key: value.contiguous() for key, value in small.state_dict().items()}, models / "whole.safetensors")
    save_file({"first.weight": torch.ones(2)}, models / "other.safetensors")

    def shown(kind: str, **loader) -> np.ndarray:
        prompt = appearance() | {"u": node(kind, **loader)}
        prompt["s"]["inputs"]["model"] = ["u", 0]
        return picture(run_prompt, probed, prompt)

    ours = shown("PAMLoadFlux", model_name="small-flux/transformer")
    core = shown("UNETLoader", unet_name="whole.safetensors", weight_dtype="default")
    np.testing.assert_array_equal(ours, core)
    with pytest.raises(NodeFailed, match=r"Expected a Flux transformer, found keys like .*: choose the transformer of FLUX\.1-dev"):
        shown("PAMLoadFlux", model_name="other.safetensors")


def referenced(batch: int = 1, **changes) -> dict:
    """The small Flux by PAM's sampler and core's SamplerCustomAdvanced."""
    prompt = appearance()
    settings = dict(seed=42, steps=3, guidance=4.0, shift="released", noise_on="cpu") | changes
    prompt["e"]["inputs"]["batch_size"] = batch
    prompt["r"] = node("PAMReferenceSampling", model=["m", 0], positive=["a", 0], latent_image=["e", 0], **settings)
    prompt["s"] = node("SamplerCustomAdvanced", noise=["r", 0], guider=["r", 1], sampler=["r", 2], sigmas=["r", 3], latent_image=["e", 0])
    return prompt


def test_lora_on_the_stock_loader(run_prompt, probed):
    """Through core's loader the picture is the same; a LoRA changes it, and the conditions still guide."""
    ours, loaded, none = (picture(run_prompt, probed, p) for p in (appearance(), on_stock_loader(), on_stock_loader(lora=0.0)))
    np.testing.assert_array_equal(ours, loaded)
    np.testing.assert_array_equal(ours, none)
    styled, free = (picture(run_prompt, probed, on_stock_loader(strength, lora=1.0)) for strength in (1.0, 0.0))
    assert np.abs(styled - ours).max() > 0.02
    assert np.abs(styled - free).max() > 0.02


def test_fp8_weights(run_prompt, probed):
    """float8 storage: near the full picture, and guided."""
    full, guided, free = (
        picture(run_prompt, probed, on_stock_loader(strength, dtype))
        for strength, dtype in ((1.0, "default"), (1.0, "fp8_e4m3fn"), (0.0, "fp8_e4m3fn"))
    )
    assert np.isfinite(guided).all()
    assert 0 < np.abs(guided - full).mean() < np.abs(guided - free).mean()


def test_fp8_control_net(run_prompt, probed):
    """The ControlNet's own weights in float8: near the full one, and guiding."""
    loader = dict(control_net_name="states.bin", condition="depth")
    full, small = (
        picture(run_prompt, probed, appearance(control=("l", 0)) | {"l": node("PAMLoadHOIControlNetFlux", weight_dtype=dtype, **loader)})
        for dtype in ("default", "fp8_e4m3fn")
    )
    free = picture(run_prompt, probed, appearance(0.0))
    assert 0 < np.abs(small - full).mean() < 0.5 * np.abs(small - free).mean()


def test_batch_of_seeds_and_batch_of_frames(run_prompt, probed):
    """Two seeds and two frames in one run are those of single runs."""
    seeds = picture(run_prompt, probed, referenced(batch=2))
    single = [picture(run_prompt, probed, referenced(seed=seed))[0] for seed in (42, 43)]
    np.testing.assert_allclose(seeds, np.stack(single), atol=2e-4)
    assert np.abs(seeds[0] - seeds[1]).max() > 0.02

    prompt = referenced(batch=2)
    prompt["c2"] = node("ImageBatch", image1=["c1", 0], image2=["c0", 0])
    prompt["c0"] = node("EmptyImage", width=WIDTH, height=HEIGHT, batch_size=5, color=0xF0A020)
    prompt["c1"]["inputs"]["batch_size"] = 5
    prompt["c3"] = node("PAMPackConditions", fps=8.0, style="dexycb", depth=["c2", 0])
    prompt["a"]["inputs"]["frames"] = "0, -1"
    frames = picture(run_prompt, probed, prompt)
    assert np.abs(frames - seeds).max(axis=(1, 2, 3)).min() > 0.02
    prompt["a"]["inputs"]["frames"] = "0, -1, 2"
    with pytest.raises(NodeFailed, match="Expected a batch of 3 pictures, or a multiple, for 3 frames of conditions, found 2"):
        run_prompt(prompt)


def test_cancelled_in_the_middle(run_prompt, client, probed):
    """An interrupt ends sampling within a step or two; the next run gives what a fresh one gives."""
    before = picture(run_prompt, probed, appearance())
    prompt = appearance()
    prompt["s"]["inputs"]["steps"] = 500

    def stop(kind, data, result):
        if kind == "progress" and data["node"] == "s" and data["value"] >= 3:
            client.interrupt(result.prompt_id)

    result = run_prompt(prompt, on_event=stop)
    assert result.status == "interrupted" and 3 <= result.progress("s")[-1][0] < 500
    prompt = appearance()
    prompt["out"]["inputs"]["name"] = "after_interrupt"
    np.testing.assert_array_equal(picture(run_prompt, probed, prompt), before)


@pytest.mark.parametrize(
    "changes", [dict(strength=11.0), dict(depth=1.5), dict(normals=-0.1), dict(start_percent=2.0), dict(semantic=99.0)]
)
def test_out_of_range_is_refused_before_running(run_prompt, changes):
    prompt = appearance()
    prompt["a"]["inputs"].update(changes)
    with pytest.raises(PromptRejected, match=next(iter(changes))):
        run_prompt(prompt)


@pytest.mark.parametrize("changes", [dict(steps=0), dict(shift="odd"), dict(seed=-1)])
def test_reference_sampling_refuses_before_running(run_prompt, changes):
    with pytest.raises(PromptRejected, match=next(iter(changes))):
        run_prompt(referenced(**changes))


@pytest.mark.parametrize("shift", ["released", "true"])
def test_reference_levels_follow_the_latent(run_prompt, probed, shift):
    prompt = referenced(steps=28, shift=shift)
    prompt["e"]["inputs"].update(width=640, height=480)
    del prompt["s"], prompt["d"], prompt["out"]
    prompt["out"] = node("PamProbe", value=["r", 3], name=f"levels_{shift}")
    np.testing.assert_array_equal(picture(run_prompt, probed, prompt), sigmas(60, 80, shift=shift).numpy())


def test_t5_of_512_tokens_as_released(run_prompt, probed):
    """Core's T5 Tokenizer Options gives PAM's text: padded to 512 and read without a mask, as transformers' T5 computes it."""
    prompt = {
        "m": node("PAMLoadMiniAppearance"),
        "t": node("T5TokenizerOptions", clip=["m", 1], min_padding=0, min_length=512),
        "p": node("CLIPTextEncode", clip=["t", 0], text=TEXT),
        "out": node("PamProbe", value=["p", 0], name="t5"),
    }
    ours = probed(run_prompt(prompt), "out")[0]["value.0.0"]
    encoder = T5EncoderModel(T5Config(**APPEARANCE.config("t5"))).eval()
    missing, _ = encoder.load_state_dict({key: value.float() for key, value in load_file(APPEARANCE.t5).items()}, strict=False)
    assert set(missing) <= {"encoder.embed_tokens.weight"}
    words = PreTrainedTokenizerFast.from_pretrained(str(APPEARANCE.tokenizer("t5")))(TEXT)["input_ids"]
    with torch.no_grad():
        theirs = encoder(torch.tensor([words + [0] * (512 - len(words))]))[0].numpy()
    assert ours.shape == theirs.shape == (1, 512, 128)
    np.testing.assert_allclose(ours, theirs, atol=2e-3 * np.abs(theirs).max())


def test_mask_keeps_the_guidance_to_its_side(run_prompt, probed):
    """With a mask over one half, that half follows the conditions more, and the other less, than with the mask over the other half."""
    free, everywhere = (picture(run_prompt, probed, appearance(strength)) for strength in (0.0, 1.0))
    half, shares = WIDTH // 2, []
    for start in (0, half):
        prompt = appearance() | {
            "k1": node("SolidMask", value=0.0, width=WIDTH, height=HEIGHT),
            "k2": node("SolidMask", value=1.0, width=half, height=HEIGHT),
            "k": node("MaskComposite", destination=["k1", 0], source=["k2", 0], x=start, y=0, operation="add"),
        }
        prompt["a"]["inputs"]["mask"] = ["k", 0]
        changed = np.abs(picture(run_prompt, probed, prompt) - free)
        assert changed.max() > 0.02
        shares.append(changed[:, :, :half].mean() / changed[:, :, half:].mean())
    assert min(np.abs(everywhere - free)[:, :, side].max() for side in (slice(half), slice(half, None))) > 0.02
    assert shares[0] > 1.4 * shares[1]


def test_conditions_of_another_size_and_shape(run_prompt, probed):
    """A larger picture of the same shape is fine; another shape is named with what to do."""
    prompt = appearance()
    prompt["e"]["inputs"].update(width=2 * WIDTH, height=2 * HEIGHT)
    assert picture(run_prompt, probed, prompt).shape == (1, 2 * HEIGHT, 2 * WIDTH, 3)
    prompt["e"]["inputs"].update(width=64, height=64)
    with pytest.raises(NodeFailed, match=r"shaped like the picture, 64 x 64, found 48 x 32: .*Fit HOI Conditions"):
        run_prompt(prompt)


def test_colours_of_another_data_set_are_said_under_the_node(run_prompt, host):
    """OAKINK2 colours into PAM's DexYCB net: a sentence under the node and in the log, and the run goes on."""
    prompt = appearance(control=("l", 0)) | {"l": node("PAMLoadHOIControlNetFlux", control_net_name="states.bin", condition="depth")}
    prompt["c3"]["inputs"]["style"] = "oakink2"
    (sentence,) = run_prompt(prompt).outputs["a"]["text"]
    assert "colours of OAKINK2" in sentence
    assert sentence in host.log.read_text(errors="replace")


def test_training_state_becomes_a_clean_file(run_prompt, probed, host):
    """A DeepSpeed state is loaded, saved to models/controlnet, loaded from there by name, and guides alike."""
    loader = node("PAMLoadHOIControlNetFlux", control_net_name="states.bin", condition="depth")
    prompt = appearance(control=("l", 0)) | {"l": loader}
    before = picture(run_prompt, probed, prompt)
    save = {
        "l": loader,
        "w": node("PAMSaveHOIControlNetFlux", control_net=["l", 0], folder="controlnet", filename_prefix="PAM/clean", dtype="fp32"),
    }
    (name,) = run_prompt(save).outputs["w"]["text"]
    assert name == "PAM/clean_00001_.safetensors"
    with safe_open(host.base / "models/controlnet" / name, "pt") as file:
        assert len(list(file.keys())) == 164 and file.metadata()["pam.conditions"] == "depth,normals;keypoints,segmentation"
    prompt["l"] = node("PAMLoadHOIControlNetFlux", control_net_name=name, condition="depth")
    np.testing.assert_array_equal(picture(run_prompt, probed, prompt), before)


def test_save_outside_the_folder_is_refused(run_prompt, host):
    values = dict(control_net=["m", 3], folder="output", dtype="bf16")
    with pytest.raises(NodeFailed, match=r"inside output, found '\.\./\.\./out'"):
        run_prompt({"m": node("PAMLoadMiniAppearance"), "w": node("PAMSaveHOIControlNetFlux", filename_prefix="../../out", **values)})
    assert not list(host.base.parent.glob("out*"))


def test_memory_is_freed(run_prompt, client):
    """After the host's own "free" nothing holds the control network or what it prepared."""
    run_prompt(appearance())
    assert run_prompt({"n": node("PamAlive", name="HOIFluxControl", again=-1)}).outputs["n"]["alive"][0] > 0
    client.free()
    alive = {}
    for again in range(20):
        alive = {
            name: run_prompt({"n": node("PamAlive", name=name, again=again)}).outputs["n"]["alive"][0]
            for name in ("HOIFluxControl", "HOIControlNet", "Prepared", "HintFrames")
        }
        if not any(alive.values()):
            break
        time.sleep(0.5)
    assert not any(alive.values()), alive


def test_sampler_of_the_host_takes_the_levels(run_prompt, probed):
    """The levels go into core's other samplers too, with a model and conditions of the mini stage."""
    prompt = {**conditions(), **appearance()}
    prompt["r"] = node(
        "PAMReferenceSampling", model=["m", 0], positive=["a", 0], latent_image=["e", 0], seed=1, steps=2, guidance=4.0, shift="true"
    )
    prompt["k"] = node("KSamplerSelect", sampler_name="dpmpp_2m")
    prompt["s"] = node(
        "SamplerCustom", model=["m", 0], add_noise=True, noise_seed=1, cfg=1.0, positive=["a", 0], negative=["a", 1], sampler=["k", 0],
        sigmas=["r", 3], latent_image=["e", 0],
    )  # fmt: skip
    assert np.isfinite(picture(run_prompt, probed, prompt)).all()


@pytest.mark.parametrize("name", ["appearance_flux_dev", "appearance_with_lora"])
def test_shipped_workflow_runs_on_stand_ins(run_prompt, client, host, name):
    """The graphs for FLUX.1-dev, run small: models of the mini stage, a random double net and LoRA instead of the files people bring."""
    prompt = shipped(name, client.object_info())
    stand_ins = {"UNETLoader": ["mini", 0], "DualCLIPLoader": ["mini", 1], "VAELoader": ["mini", 2], "PAMLoadHOIControlNetFlux": ["net", 0]}
    loaders = {key: stand_ins[item["class_type"]] for key, item in prompt.items() if item["class_type"] in stand_ins}
    small = {"width": 96, "height": 64, "steps": 2, "lora_name": "small.safetensors", "expand": 4}
    for item in prompt.values():
        for key, value in item["inputs"].items():
            if isinstance(value, list) and value[0] in loaders:
                item["inputs"][key] = loaders[value[0]]
            elif key in small:
                item["inputs"][key] = small[key]
    prompt = {key: item for key, item in prompt.items() if key not in loaders}
    prompt["mini"] = node("PAMLoadMiniAppearance")
    prompt["net"] = node("PAMLoadHOIControlNetFlux", control_net_name="states.bin", condition="depth")
    saved = run_prompt(prompt).outputs[find(prompt, "SaveImage")]["images"][0]
    assert host.file(saved).stat().st_size > 1000
