"""Nodes of the appearance stage in the host: loading, guiding, and what wrong input says."""

import os

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from hostkit.client import NodeFailed
from pam_nodes.appearance.flux_control import FluxControlConfig, HOIFluxControl

from .mini_graphs import SIZE, appearance, node

RELEASED = FluxControlConfig(256, 2, 128, 64, False, (("depth", "normals"), ("keypoints", "segmentation")))


WRONG = [
    ("sd15.safetensors", "Stable Diffusion"),
    ("truncated.safetensors", "without controlnet2"),
    ("cut.safetensors", "nothing but tensors, could not read cut"),
    ("hostile.bin", "nothing but tensors, could not read hostile"),
]


class Payload:
    """A pickle that would make a folder when it is loaded carelessly."""

    def __init__(self, path: str):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.fixture(scope="module")
def files(host_session):
    """Control nets as wide as the small Flux, in the folder of the host: PAM's released double layout, and wrong files."""
    if isinstance(host_session, str):
        return None
    folder = host_session.base / "models/controlnet"
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    net = HOIFluxControl(RELEASED)
    for parameter in net.parameters():
        parameter.data = parameter.data + torch.randn_like(parameter) * 0.02
    tensors = {key.replace("_norm.weight", "_norm.scale"): value for key, value in net.state_dict().items()}
    torch.save(tensors, folder / "released.bin")
    save_file(dict(list(tensors.items())[:-3]), folder / "truncated.safetensors")
    save_file({"input_blocks.0.0.weight": torch.zeros(1)}, folder / "sd15.safetensors")
    (folder / "cut.safetensors").write_bytes((folder / "truncated.safetensors").read_bytes()[:5000])
    torch.save({"payload": Payload(str(host_session.base / "executed"))}, folder / "hostile.bin")
    return folder


def picture(run_prompt, probed, prompt) -> np.ndarray:
    return probed(run_prompt(prompt), "out")[0]["value"]


def test_conditions_change_the_picture_and_strength_zero_does_not(run_prompt, probed):
    guided, off = (picture(run_prompt, probed, appearance(strength)) for strength in (1.0, 0.0))
    assert guided.shape == (1, SIZE[1], SIZE[0], 3) and np.isfinite(guided).all()
    bare = appearance(0.0)
    bare["s"]["inputs"].update(positive=["p", 0], negative=["p", 0])
    del bare["a"], bare["c3"]
    np.testing.assert_array_equal(off, picture(run_prompt, probed, bare))
    assert np.abs(guided - off).max() > 0.02


def test_span_outside_sampling_is_no_guidance(run_prompt, probed):
    late = picture(run_prompt, probed, appearance(1.0, start_percent=1.0))
    np.testing.assert_array_equal(late, picture(run_prompt, probed, appearance(0.0)))


def test_released_double_net_guides(run_prompt, probed, files):
    prompt = appearance(1.0, control=("l", 0)) | {"l": node("PAMLoadHOIControlNetFlux", control_net_name="released.bin", condition="depth")}
    del prompt["a"]["inputs"]["vae"]
    guided = picture(run_prompt, probed, prompt)
    assert np.abs(guided - picture(run_prompt, probed, appearance(0.0))).max() > 0.02


@pytest.mark.parametrize(("name", "sentence"), WRONG)
def test_wrong_file_is_named(run_prompt, files, name, sentence):
    prompt = appearance(1.0, control=("l", 0)) | {"l": node("PAMLoadHOIControlNetFlux", control_net_name=name, condition="depth")}
    with pytest.raises(NodeFailed, match=sentence):
        run_prompt(prompt)
    assert not (files.parents[1] / "executed").exists()


def test_frame_outside_the_conditions(run_prompt):
    with pytest.raises(NodeFailed, match="between 0 and 4, found 9"):
        run_prompt(appearance(1.0, frames="9"))


def test_missing_vae_is_asked_for(run_prompt):
    prompt = appearance()
    del prompt["a"]["inputs"]["vae"]
    with pytest.raises(NodeFailed, match="connect Flux's VAE"):
        run_prompt(prompt)


def test_stock_apply_node_is_sent_to_ours(run_prompt):
    """A plain picture has 3 channels where the net reads 9."""
    prompt = appearance()
    stock = dict(positive=["p", 0], negative=["p", 0], control_net=["m", 3], image=["c1", 0], vae=["m", 2])
    prompt["a"] = node("ControlNetApplyAdvanced", strength=1.0, start_percent=0.0, end_percent=1.0, **stock)
    with pytest.raises(NodeFailed, match=r"Expected 9 hint channels .*found 3: use Apply HOI ControlNet"):
        run_prompt(prompt)
