"""Nodes of the motion stage in the host: loading, guiding, and what wrong input says."""

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from hostkit.client import NodeFailed
from pam_nodes.mini.files import MOTION

from .mini_graphs import LENGTH, SIZE, motion, node


@pytest.fixture(scope="module")
def merged(host_session):
    """Base and control of the small model in one file, as PAM releases its motion checkpoint; in both of the host's folders."""
    if isinstance(host_session, str):
        return None
    tensors = {**load_file(MOTION.model), **load_file(MOTION.control)}
    for folder in ("diffusion_models", "model_patches"):
        path = host_session.base / "models" / folder / "merged.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, path)
    save_file(load_file(MOTION.model), path.with_name("base_only.safetensors"))
    return path


def clip(run_prompt, probed, prompt) -> np.ndarray:
    return probed(run_prompt(prompt), "out")[0]["value"]


def test_conditions_change_the_clip_and_strength_zero_does_not(run_prompt, probed):
    guided, off = (clip(run_prompt, probed, motion(strength)) for strength in (1.0, 0.0))
    assert guided.shape == (LENGTH, SIZE[1], SIZE[0], 3) and np.isfinite(guided).all()
    bare = motion(0.0)
    bare["s"]["inputs"]["model"] = ["m", 0]
    del bare["a"]
    np.testing.assert_array_equal(off, clip(run_prompt, probed, bare))
    assert np.abs(guided - off).max() > 0.01


def test_merged_checkpoint_equals_its_parts(run_prompt, probed, merged):
    prompt = motion(1.0, model=("b", 0), patch=("l", 0)) | {
        "b": node("PAMLoadCogVideoX", model_name="merged.safetensors"),
        "l": node("PAMLoadHOIControlCogVideoX", model_patch_name="merged.safetensors"),
    }
    np.testing.assert_array_equal(clip(run_prompt, probed, prompt), clip(run_prompt, probed, motion(1.0)))


def test_base_model_in_the_control_loader_is_named(run_prompt, merged):
    prompt = motion(1.0, patch=("l", 0)) | {"l": node("PAMLoadHOIControlCogVideoX", model_patch_name="base_only.safetensors")}
    with pytest.raises(NodeFailed, match="a CogVideoX base model without control"):
        run_prompt(prompt)


def test_flux_in_the_place_of_cogvideox_is_named(run_prompt):
    prompt = motion(1.0, model=("x", 0)) | {"x": node("PAMLoadMiniAppearance")}
    with pytest.raises(NodeFailed, match="Expected a CogVideoX model, found Flux"):
        run_prompt(prompt)


def test_length_must_be_4k_plus_1(run_prompt):
    with pytest.raises(NodeFailed, match=r"4k \+ 1 frames .*found 16: use 13 or 17"):
        run_prompt(motion(1.0, length=16))


def test_conditions_of_another_size_or_length_are_named(run_prompt):
    with pytest.raises(NodeFailed, match="Expected conditions of 64 x 32 pixels and 5 frames like the video, found 48 x 32"):
        run_prompt(motion(1.0, size=(64, 32)))
    with pytest.raises(NodeFailed, match="and 9 frames like the video, found 48 x 32 pixels and 5 frames"):
        run_prompt(motion(1.0, length=9))


def test_odd_sizes_say_what_fits(run_prompt):
    with pytest.raises(Exception, match=r"multiples of 16|step"):
        run_prompt(motion(1.0, size=(50, 32)))


def test_interrupt_while_sampling_leaves_the_host_ready(run_prompt, client, probed):
    """Cancelled at the first step; the next prompt gives the same clip as ever."""

    def cancel(kind, data, result):
        if kind == "progress" and data["node"] == "s":
            client.interrupt(result.prompt_id)

    before = clip(run_prompt, probed, motion(1.0))
    long = motion(1.0, steps=400, seed=7)
    assert run_prompt(long, on_event=cancel, timeout=120).status == "interrupted"
    client.free()
    np.testing.assert_array_equal(clip(run_prompt, probed, motion(1.0)), before)
