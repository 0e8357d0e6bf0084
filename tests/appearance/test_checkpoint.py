"""Files: the four layouts, what training leaves behind, clean files, and what is refused."""

import pytest
import torch
from safetensors import safe_open

from pam_nodes.appearance.checkpoint import detect, metadata_of, normalise, released_keys, save
from pam_nodes.appearance.flux_control import FluxControlConfig, HOIFluxControl
from pam_nodes.weights import require_complete
from tests.appearance import reference

BRANCHES = (("depth", "normals"), ("keypoints", "segmentation"))


def config(**changes) -> FluxControlConfig:
    base = dict(hidden_size=128, depth=2, context_dim=48, vec_dim=32, guidance=True, branches=(("depth",),))
    return FluxControlConfig(**{**base, **changes})


LAYOUTS = {
    "released double": config(branches=BRANCHES, style="dexycb"),
    "single of 12 channels": config(branches=(("depth", "normals", "keypoints", "segmentation"),)),
    "xlabs": config(),
    "paper": config(branches=(("depth", "segmentation", "keypoints"),), encoding="latent", injection="first", guidance=False),
    "two nets of 3 channels": config(branches=(("normals",), ("keypoints",))),
}


@pytest.fixture(scope="module")
def released() -> dict[str, torch.Tensor]:
    """PAM's layout of 172 tensors, small and random."""
    return reference.checkpoint()


def loaded(state: dict, metadata: dict | None = None) -> HOIFluxControl:
    tensors = normalise(state)
    net = HOIFluxControl(detect(tensors, metadata))
    require_complete(net, tensors, "net")
    net.load_state_dict(tensors)
    return net


def read(path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    with safe_open(path, "pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}, file.metadata()


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_layout_is_read_from_keys_and_shapes(layout):
    assert loaded(HOIFluxControl(layout).state_dict()).config == layout


def test_released_file_round_trips_to_the_bit(released, tmp_path):
    net = loaded(released)
    assert net.config == LAYOUTS["released double"]
    save(net, tmp_path / "clean.safetensors")
    tensors, metadata = read(tmp_path / "clean.safetensors")
    assert len(released) == 172 and tensors.keys() == released.keys()
    assert all(torch.equal(tensors[key], released[key]) for key in released)
    assert metadata == {
        "pam.conditions": "depth,normals;keypoints,segmentation",
        "pam.encoding": "pixel",
        "pam.injection": "repeat",
        "pam.style": "dexycb",
    }
    assert [path.name for path in tmp_path.iterdir()] == ["clean.safetensors"]


def test_single_net_is_written_under_xlabs_names(tmp_path):
    oracle = reference.released_names(reference.control_net(1, 3))
    save(loaded(oracle), tmp_path / "xlabs.safetensors", "bf16")
    tensors, _ = read(tmp_path / "xlabs.safetensors")
    assert tensors.keys() == oracle.keys()
    assert all(torch.equal(tensors[key], oracle[key].bfloat16()) for key in oracle)


def test_header_wins_over_the_guess():
    layout = config(branches=(("keypoints", "depth"),), injection="first", style="oakink2")
    assert detect(normalise(HOIFluxControl(layout).state_dict()), metadata_of(layout)) == layout


def test_existing_file_is_kept(tmp_path):
    path = tmp_path / "mine.safetensors"
    path.write_text("precious")
    with pytest.raises(FileExistsError, match=r"mine\.safetensors already"):
        save(HOIFluxControl(config()), path)
    assert path.read_text() == "precious" and len(list(tmp_path.iterdir())) == 1


def test_failed_write_leaves_nothing(tmp_path):
    with pytest.raises(OSError, match="Could not write net"):
        save(HOIFluxControl(config()), tmp_path / "no such folder" / "net.safetensors")
    assert not list(tmp_path.iterdir())


def wrapped(released, prefix: str) -> dict:
    return {f"{prefix}{key}": value for key, value in released.items()}


LEFTOVERS = {
    "DDP": lambda r: wrapped(r, "module."),
    "compiled DDP": lambda r: wrapped(r, "module._orig_mod."),
    "a trainer's attribute": lambda r: wrapped(r, "dual_controlnet."),
    "DeepSpeed's model states": lambda r: {"module": wrapped(r, "module."), "global_steps": 500, "ds_config": {"zero": 2}, "lr": [0.1]},
    "Lightning": lambda r: {"state_dict": wrapped(r, "net."), "epoch": 3, "optimizer_states": [{}]},
    "beside the frozen model": lambda r: wrapped(r, "control.") | {"dit.img_in.weight": torch.zeros(2, 2), "dit._extra_state": None},
    "with entries that are no tensors": lambda r: r | {"controlnet1._extra_state": None, "step": 12},
}


@pytest.mark.parametrize("form", LEFTOVERS.values(), ids=LEFTOVERS)
def test_training_leftovers(released, form):
    assert {key: value.shape for key, value in released_keys(loaded(form(released))).items()} == {k: v.shape for k, v in released.items()}


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ({"transformer_blocks_copy.0.ff.net.2.bias": 0}, "Load HOI Control"),
        ({"input_blocks.0.0.weight": 0}, "Stable Diffusion"),
        ({"controlnet_cond_embedding.conv_in.weight": 0}, "Stable Diffusion"),
        ({"controlnet_x_embedder.weight": 0}, "InstantX"),
        ({"double_blocks.0.img_attn.qkv.weight": 0, "final_layer.linear.weight": 0}, "whole Flux model"),
        ({"lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight": 0}, "a LoRA"),
        ({}, "none at all"),
    ],
)
def test_wrong_files_are_named(state, sentence):
    with pytest.raises(ValueError, match=sentence):
        normalise(state)


def test_zero3_shard_is_named(released):
    released = {**released, "controlnet1.img_in.weight": torch.empty(0)}
    with pytest.raises(ValueError, match=r"controlnet1\.img_in\.weight empty.*zero_to_fp32"):
        normalise(released)


def test_truncated_file_names_what_is_missing():
    state = HOIFluxControl(config()).state_dict()
    del state["controlnet1.double_blocks.1.txt_mlp.2.bias"]
    with pytest.raises(ValueError, match=r"double_blocks\.1\.txt_mlp\.2\.bias"):
        loaded(state)


@pytest.mark.parametrize(
    ("metadata", "sentence"),
    [
        ({"pam.conditions": "__class__"}, 'Expected the condition depth, .* found "__class__"'),
        ({"pam.conditions": "depth,normals"}, "found 1 conditions in one branch"),
        ({"pam.conditions": "depth;normals"}, "save the file with pam.conditions"),
        ({"pam.injection": "everywhere"}, 'Expected the injection repeat, first .* found "everywhere"'),
        ({"pam.style": "mine"}, 'Expected the style dexycb, oakink2 .* found "mine"'),
    ],
)
def test_bad_header_is_named(metadata, sentence):
    with pytest.raises(ValueError, match=sentence):
        detect(normalise(HOIFluxControl(config()).state_dict()), metadata)


def test_unknown_channels_are_named():
    state = HOIFluxControl(config(branches=(("depth", "normals", "keypoints"),))).state_dict()
    with pytest.raises(ValueError, match=r"3, 6 or 12 pixel channels .* found 3 conditions"):
        detect(normalise(state))
