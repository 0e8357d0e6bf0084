"""What people do with the motion stage: sampling as released, long clips, LoRA, caches, previews, several clips in one queue."""

import json
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from hostkit.client import NodeFailed

from .mini_graphs import LENGTH, find, motion, node, shipped
from .test_cache import upstream


def sampled(preset="quality (as released)", strength=1.0, seed=1, **how) -> dict:
    """The small clip through CogVideoX Sampling and core's Sampler Custom Advanced, four steps unless told otherwise."""
    prompt = motion(strength)
    prompt["p2"] = node("CLIPTextEncode", clip=["m", 1], text="")
    prompt["f"]["inputs"]["negative"] = ["p2", 0]
    prompt["g"] = node(
        "PAMCogVideoXSampling", model=["a", 0], positive=["f", 0], negative=["f", 1], preset=preset, **{"cfg": 6.0, "steps": 4, **how}
    )
    prompt["n"] = node("RandomNoise", noise_seed=seed)
    prompt["s"] = node("SamplerCustomAdvanced", noise=["n", 0], guider=["g", 0], sampler=["g", 1], sigmas=["g", 2], latent_image=["f", 2])
    return prompt


@pytest.fixture
def clip(run_prompt, probed):
    """``clip(prompt)``: the frames at its probe "out"."""
    return lambda prompt, **run: probed(run_prompt(prompt, **run), "out")[0]["value"]


def test_presets_sample_and_repeat_themselves(clip, client):
    first = clip(sampled())
    assert first.shape[0] == LENGTH and np.isfinite(first).all() and first.std() > 0.01
    client.free()
    np.testing.assert_array_equal(clip(sampled()), first)
    assert np.abs(clip(sampled(seed=2)) - first).max() > 0.01
    for other in (sampled("fast"), sampled(guidance="constant"), sampled(guidance="ramp"), sampled(steps=5)):
        assert np.abs(clip(other) - first).max() > 1e-3


def test_noise_levels_end_at_zero_and_denoise_shortens_them(run_prompt, probed):
    levels = []
    for denoise in (1.0, 0.5):
        prompt = sampled(steps=10, denoise=denoise)
        prompt["o"] = node("PamProbe", value=["g", 2], name="sigmas")
        del prompt["s"], prompt["d"], prompt["out"], prompt["n"]
        levels.append(probed(run_prompt(prompt), "o")[0]["value"])
    whole, half = levels
    assert whole[0] > 4000 and whole[-1] == half[-1] == 0 and (np.diff(whole) < 0).all()
    assert len(whole) == len(half) == 11 and half[0] < 10


def test_balanced_reuses_steps(clip, host):
    """Core's EasyCache around our control: fewer passes of the model, nearly the same clip."""
    before = host.log.read_text(errors="replace").count("EasyCache - skipped")
    full, saved = (clip(sampled(preset, steps=20, cfg=1.0)) for preset in ("quality (as released)", "balanced (step cache)"))
    lines = [line for line in host.log.read_text(errors="replace").splitlines() if "EasyCache - skipped" in line][before:]
    skipped = int(lines[-1].split("skipped ")[1].split("/")[0])
    assert skipped >= 5
    assert 0 < np.abs(saved - full).mean() < 0.05


def test_nan_stops_sampling_with_a_sentence(run_prompt):
    prompt = sampled()
    prompt["x"] = node("PamSpoil", latent=["f", 2])
    prompt["s"]["inputs"]["latent_image"] = ["x", 0]
    with pytest.raises(NodeFailed, match="found NaN at step 1: load model and control as bf16"):
        run_prompt(prompt)


def test_previews_while_sampling_show_the_picture(run_prompt, probed):
    """The host knows no colours of CogVideoX's latents; the conditions tell them. The last preview is near the decoded first frame."""
    result = run_prompt(sampled("fast", cfg=1.0, steps=6), extra_data={"preview_method": "latent2rgb"})
    frame = probed(result, "out")[0]["value"][0]
    assert len(result.previews) >= 4
    preview = (
        Image.open(BytesIO(result.previews[-1][8:])).convert("RGB").resize((frame.shape[1], frame.shape[0]), Image.Resampling.BILINEAR)
    )
    assert np.abs(np.asarray(preview) / 255 - frame).mean() < 0.12


def test_encoding_in_tiles_and_by_sample_run(clip):
    """One tile is the whole of so small a clip, and the small codec has no distribution to draw from: the same latents."""
    plain, tiled = clip(motion(1.0)), motion(1.0)
    tiled["a"]["inputs"].update(tiled=True, encoding="sample", encoding_seed=3)
    np.testing.assert_allclose(clip(tiled), plain, atol=1e-4)


def test_one_modality_by_itself(clip, run_prompt):
    """At strength 0 a modality counts as missing; with all at 0 nothing is left to follow."""
    both, half = clip(motion(1.0)), motion(1.0)
    half["a"]["inputs"]["depth_strength"] = 0.0
    without = clip(half)
    assert np.abs(without - both).max() > 0.01
    missing = motion(1.0)
    del missing["c3"]["inputs"]["depth"]
    np.testing.assert_array_equal(clip(missing), without)
    half["a"]["inputs"]["segmentation_strength"] = 0.0
    with pytest.raises(NodeFailed, match="Expected at least one of depth, segmentation, keypoints"):
        run_prompt(half)


def test_unused_slots_may_be_grey(clip):
    clips = []
    for unused in ("zero latents", "released evaluation", "grey"):
        prompt = motion(1.0)
        prompt["a"]["inputs"]["unused"] = unused
        clips.append(clip(prompt))
    np.testing.assert_array_equal(clips[0], clip(motion(1.0)))
    assert min(np.abs(clips[0] - clips[1]).max(), np.abs(clips[0] - clips[2]).max(), np.abs(clips[1] - clips[2]).max()) > 1e-3


def test_lora_on_the_base(clip, host):
    """One LoRA in diffusers' names through our loader and in ComfyUI's through core's: the same, and not the clip without it."""
    generator = torch.Generator().manual_seed(0)
    down, up = (torch.randn(shape, generator=generator) * 0.3 for shape in ((4, 192), (192, 4)))
    keys = {"diffusers": "transformer.transformer_blocks.1.attn1.to_v", "native": "diffusion_model.blocks.1.v"}
    for name, key in keys.items():
        path = host.base / "models" / "loras" / f"{name}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({f"{key}.lora_A.weight": down, f"{key}.lora_B.weight": up}, path)
    ours = node("PAMLoadCogVideoXLoRA", model=["m", 0], lora_name="diffusers.safetensors", strength=1.0)
    cores = node("LoraLoaderModelOnly", model=["m", 0], lora_name="native.safetensors", strength_model=1.0)
    one, other = (clip(motion(1.0, model=("lo", 0)) | {"lo": loader}) for loader in (ours, cores))
    np.testing.assert_allclose(one, other, atol=1e-6)
    assert np.abs(one - clip(motion(1.0))).max() > 0.01


def test_a_foreign_lora_is_named(run_prompt, host):
    path = host.base / "models" / "loras" / "foreign.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"lora_unet_down_blocks_0.lora_up.weight": torch.zeros(4, 4)}, path)
    prompt = motion(1.0, model=("lo", 0)) | {"lo": node("PAMLoadCogVideoXLoRA", model=["m", 0], lora_name=path.name, strength=1.0)}
    with pytest.raises(NodeFailed, match="Expected a LoRA of CogVideoX, found tensors like lora_unet_down_blocks_0"):
        run_prompt(prompt)


def test_first_frames_of_another_shape(run_prompt, probed):
    """A square picture, red to the left and right of a green middle: stretched, cropped to its middle, or between black bars."""
    shown = {}
    for fit in ("stretch", "crop", "pad"):
        prompt = motion(0.0, steps=1)
        prompt["q"] = node("EmptyImage", width=96, height=96, batch_size=1, color=0x20C040)
        prompt["f"]["inputs"].update(start_image=["q", 0], fit=fit)
        prompt["o"] = node("PamProbe", value=["f", 0], name=f"fit_{fit}")
        wanted = {key: prompt[key] for key in ("m", "p", "q", "f", "o")}
        arrays = probed(run_prompt(wanted), "o")[0]
        shown[fit] = next(value for key, value in arrays.items() if key.endswith("concat_latent_image"))
    np.testing.assert_allclose(shown["stretch"], shown["crop"], atol=1e-4)
    assert np.abs(shown["pad"] - shown["stretch"]).max() > 0.1
    middle = np.abs(shown["pad"][..., 3] - shown["stretch"][..., 3])
    assert middle.max() < 0.5 * np.abs(shown["pad"][..., 0] - shown["stretch"][..., 0]).max()


def test_two_clips_in_one_queue(client, run_prompt, probed):
    """Different conditions one after the other, then each again with everything forgotten in between: the same clips."""
    prompts = [motion(1.0), motion(1.0)]
    prompts[1]["c1"]["inputs"]["color"] = 0x10FF10
    prompts[1]["out"]["inputs"]["name"] = "motion_other"
    queued = client.queue(prompts[0])
    second = probed(run_prompt(prompts[1]), "out")[0]["value"]
    outputs = client.history(queued)["outputs"]
    first = probed(type("Result", (), {"outputs": outputs}), "out")[0]["value"]
    assert np.abs(first - second).max() > 0.01
    for prompt, before in zip(prompts, (first, second), strict=True):
        client.free()
        np.testing.assert_array_equal(probed(run_prompt(prompt), "out")[0]["value"], before)


def test_a_cancelled_queue_leaves_nothing_behind(client, host, run_prompt, probed):
    """One clip running and two waiting, all cancelled: no files, and the next clip is as ever."""
    before = probed(run_prompt(motion(1.0)), "out")[0]["value"]
    files = sorted(path for folder in ("temp", "output") for path in (host.base / folder).rglob("*"))

    def cancel(kind, data, result):
        if kind == "progress" and data["node"] == "s":
            for waiting in queued:
                client.cancel(waiting)
            client.interrupt(result.prompt_id)

    queued = []
    long = motion(1.0, steps=500, seed=11)
    running = run_prompt(
        long, on_event=lambda *event: (queued or queued.extend(client.queue(motion(1.0, seed=s)) for s in (12, 13)), cancel(*event))
    )
    assert running.status == "interrupted"
    assert sorted(path for folder in ("temp", "output") for path in (host.base / folder).rglob("*")) == files
    np.testing.assert_array_equal(probed(run_prompt(motion(1.0)), "out")[0]["value"], before)


def test_saved_video_keeps_speed_and_provenance(run_prompt, host):
    """Core's Save Video writes the whole graph, with its seeds, into the file: nothing of our own is needed."""
    import av

    prompt = motion(1.0)
    prompt["v"] = node("CreateVideo", images=["d", 0], fps=15.0)
    prompt["w"] = node("SaveVideo", video=["v", 0], filename_prefix="PAM/kept", format="auto", codec="auto")
    result = run_prompt(prompt, extra_data={"extra_pnginfo": {"workflow": {"nodes": [], "version": 0.4}}})
    path = host.file(result.outputs["w"]["images"][0])
    with av.open(str(path)) as video:
        stream = video.streams.video[0]
        assert stream.average_rate == 15 and stream.frames == LENGTH
        assert json.loads(video.metadata["prompt"])["s"]["inputs"]["seed"] == 1
        assert json.loads(video.metadata["workflow"]) == {"nodes": [], "version": 0.4}


SIZE, SMALL = (288, 192), (96, 64)


def moving(info: dict, length: int, size: tuple[int, int]) -> dict:
    """The shipped recording seen by a camera: conditions "r" 0 and their shaded film."""
    prompt = shipped("play_recorded_motion", info)
    prompt[find(prompt, "PAMRetimeTrajectory")]["inputs"].update(length=length, fps=8.0)
    view = find(prompt, "PAMRenderConditions")
    prompt = upstream(prompt, view)
    prompt[find(prompt, "PAMHOICamera")]["inputs"].update(width=size[0], height=size[1])
    prompt["r"] = prompt.pop(view)
    return prompt


def long_clip(info: dict, length: int, window: dict | None, size: tuple[int, int] = SIZE) -> dict:
    """The moving conditions made into a clip of the small model, in windows or at once; frames and conditions are probed."""
    prompt = moving(info, length, size) | motion(1.0, steps=4, length=length, size=size)
    prompt["a"]["inputs"]["conditions"] = ["r", 0]
    prompt["f"]["inputs"]["start_image"] = ["r", [*info["PAMRenderConditions"]["output_name"]].index("preview")]
    if window is not None:
        prompt["w"] = node("PAMCogVideoXLongVideo", model=["m", 0], keep_first_frame=True, freenoise=True, **window)
        prompt["a"]["inputs"]["model"] = ["w", 0]
    prompt["k"] = node("PamProbe", value=["r", 0], name="long_conditions")
    for name in ("c1", "c2", "c3"):
        del prompt[name]
    return prompt


def seam(frames: np.ndarray, ids: np.ndarray, starts: list[int]) -> float:
    """How much more the background changes where a window begins than at other latent frames."""
    still = (ids[1:] == 0) & (ids[:-1] == 0)
    change = np.abs(np.diff(frames, axis=0)).mean(-1)
    change = np.array([step[mask].mean() for step, mask in zip(change, still, strict=True)])
    borders = np.arange(4, len(change), 4)
    here = [4 * start - 4 for start in starts]
    return float(change[here].mean() / change[[border for border in borders if border not in here]].mean())


def test_long_clips_in_windows_have_no_seams(client, run_prompt, probed):
    """33 frames in windows of 17 on the shipped model: with overlap a window's first frame changes no more than any other."""
    info = client.object_info()
    overlapped = run_prompt(long_clip(info, 33, {"window": 17, "overlap": 8, "fuse": "overlap-linear"}))
    conditions = probed(overlapped, "k")[0]
    smooth = probed(overlapped, "out")[0]["value"]
    apart = probed(run_prompt(long_clip(info, 33, {"window": 17, "overlap": 0, "fuse": "flat"})), "out")[0]["value"]
    ids = conditions["value.instance_ids"]
    assert smooth.shape == (33, 192, 288, 3)
    assert seam(smooth, ids, [3, 4]) < 1.1 < seam(apart, ids, [4])
    follows(smooth, ids)


def follows(frames: np.ndarray, ids: np.ndarray) -> None:
    """In every window the picture changes where the conditions say that hand and object are."""
    background = np.median(frames, axis=0)
    for t in (8, 20, 32):
        difference = np.abs(frames[t] - background).mean(-1)
        assert difference[ids[t] > 0].mean() > 1.5 * difference[ids[t] == 0].mean(), t


def test_one_window_for_all_is_the_plain_clip(client, clip):
    info = client.object_info()
    plain = clip(long_clip(info, 9, None, SMALL))
    np.testing.assert_array_equal(clip(long_clip(info, 9, {"window": 17, "overlap": 8, "fuse": "pyramid"}, SMALL)), plain)


def test_cores_own_windows_work_too(client, clip):
    """Context Windows (Manual) with the frame core puts before each window: the control reads that frame's conditions as well."""
    prompt = long_clip(client.object_info(), 17, None, SMALL)
    prompt["w"] = node(
        "ContextWindowsManual", model=["m", 0], context_length=3, context_overlap=1, context_schedule="standard_uniform", context_stride=1,
        closed_loop=False, fuse_method="pyramid", dim=2, freenoise=False, cond_retain_index_list="", split_conds_to_windows=False,
        latent_retain_index_list="", causal_window_fix=True,
    )  # fmt: skip
    prompt["a"]["inputs"]["model"] = ["w", 0]
    frames = clip(prompt)
    assert frames.shape == (17, 64, 96, 3) and np.isfinite(frames).all()


@pytest.mark.parametrize(
    ("window", "words"),
    [
        ({"window": 17, "overlap": 16, "fuse": "flat"}, None),
        ({"window": 17, "overlap": 20, "fuse": "flat"}, "smaller than the window of 17"),
    ],
)
def test_overlaps_that_leave_nothing_new_are_named(client, run_prompt, window, words):
    prompt = {
        "m": node("PAMLoadMiniMotion"),
        "w": node("PAMCogVideoXLongVideo", model=["m", 0], keep_first_frame=True, freenoise=True, **window),
    }
    prompt["o"] = node("PreviewAny", source=["w", 0])
    if words is None:
        run_prompt(prompt)
    else:
        with pytest.raises(NodeFailed, match=words):
            run_prompt(prompt)


def test_a_clip_goes_on_from_its_last_frame(client, run_prompt, probed):
    """17 frames, then 17 more from the last one, with the conditions of their own time; a complete clip is named."""
    prompt = long_clip(client.object_info(), 33, None)
    prompt["f"]["inputs"]["length"] = 17
    prompt["h"] = node("PAMFitConditions", conditions=["r", 0], width=288, height=192, length=17, frames="first", fps=0.0)
    prompt["a"]["inputs"]["conditions"] = ["h", 0]
    prompt["j"] = node(
        "PAMCogVideoXContinue", positive=["p", 0], negative=["p", 0], vae=["m", 2], images=["d", 0], conditions=["r", 0], length=17
    )
    prompt["a2"] = json.loads(json.dumps(prompt["a"]))
    prompt["a2"]["inputs"]["conditions"] = ["j", 3]
    prompt["s2"] = json.loads(json.dumps(prompt["s"]))
    prompt["s2"]["inputs"].update(model=["a2", 0], positive=["j", 0], negative=["j", 1], latent_image=["j", 2])
    prompt["d2"] = node("VAEDecode", samples=["s2", 0], vae=["m", 2])
    prompt["all"] = node("PAMJoinClips", images=["d", 0], next_images=["d2", 0], match_colours=1.0)
    prompt["out"]["inputs"]["value"] = ["all", 0]
    prompt["left"] = node("PamProbe", value=["j", 4], name="left")
    prompt["part"] = node("PamProbe", value=["j", 3], name="chunk")
    result = run_prompt(prompt)
    whole, part, frames = (probed(result, name)[0] for name in ("k", "part", "out"))
    np.testing.assert_array_equal(part["value.depth"], whole["value.depth"][16:33])
    assert frames["value"].shape[0] == 33 and probed(result, "left")[1]["value"] == 0
    follows(frames["value"], whole["value.instance_ids"])
    step = np.abs(np.diff(frames["value"], axis=0)).mean((1, 2, 3))
    assert step[16] < 1.1 * step[0]
    prompt["j"]["inputs"]["images"] = prompt["f"]["inputs"]["start_image"]
    prompt["o"] = node("PreviewAny", source=["j", 4])
    with pytest.raises(NodeFailed, match="the clip is complete"):
        run_prompt(upstream(prompt, "o"))
