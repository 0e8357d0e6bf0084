"""Checkpoints of the motion stage in the host's folders: shards, merged files, other families, other numbers."""

import json

import numpy as np
import pytest
import torch
from diffusers import CogVideoXTransformer3DModel
from diffusers.models.transformers.cogvideox_transformer_3d import CogVideoXBlock
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from hostkit.client import NodeFailed
from pam_nodes.mini.files import MOTION

from .mini_graphs import motion, node

SMALL = dict(num_attention_heads=3, attention_head_dim=64, in_channels=32, out_channels=16, time_embed_dim=8, text_embed_dim=8)


@pytest.fixture(scope="module")
def models(host_session):
    """Folder of the host's models with: a released checkpoint (1339 tensors, three heads wide) in three shards, a small CogVideoX 1.5, the
    merged mini checkpoint as a torch file."""
    if isinstance(host_session, str):
        return None
    root = host_session.base / "models"
    base = CogVideoXTransformer3DModel(
        **SMALL, num_layers=42, sample_width=6, sample_height=4, sample_frames=5, use_rotary_positional_embeddings=True,
        use_learned_positional_embeddings=True,
    )  # fmt: skip
    parts = nn.ModuleDict(
        {
            "transformer_blocks_copy": nn.ModuleList(CogVideoXBlock(192, 3, 64, 8, attention_bias=True) for _ in range(12)),
            "combine_linears": nn.ModuleList(nn.Linear(192, 192) for _ in range(12)),
            "initial_combine_linear": nn.Linear(5 * 192, 192),
        }
    )
    write_shards(root / "diffusers" / "PAM" / "transformer", {**base.state_dict(), **parts.state_dict()}, dict(base.config))
    later = CogVideoXTransformer3DModel(
        **SMALL, num_layers=12, patch_size_t=2, ofs_embed_dim=8, patch_bias=False, use_rotary_positional_embeddings=True
    )
    save_file(later.state_dict(), place(root, "later.safetensors"))
    mini = {**load_file(MOTION.model), **load_file(MOTION.control)}
    torch.save({"module": mini}, place(root, "merged.bin"))
    return root


def place(root, name: str):
    path = root / "diffusion_models" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def write_shards(folder, tensors: dict, config: dict) -> None:
    assert len(tensors) == 1339
    folder.mkdir(parents=True)
    table = {}
    for number in range(3):
        name = f"diffusion_pytorch_model-{number + 1:05}-of-00003.safetensors"
        mine = {key: tensors[key].half() for key in sorted(tensors)[number::3]}
        save_file(mine, folder / name)
        table.update(dict.fromkeys(mine, name))
    (folder / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps({"weight_map": table}))
    (folder / "config.json").write_text(json.dumps({key: value for key, value in config.items() if not key.startswith("_")}))


def sharded(**changes) -> dict:
    """The motion graph with base and control from the shards."""
    prompt = motion(1.0, model=("b", 0), patch=("l", 0)) | {
        "b": node("PAMLoadCogVideoX", model_name="PAM/transformer"),
        "l": node("PAMLoadHOIControlCogVideoX", model_patch_name="PAM/transformer"),
    }
    prompt["f"]["inputs"].update(changes)
    return prompt


def test_both_loaders_offer_files_and_folders(models, client):
    info = client.object_info()
    offered = [
        info[kind]["input"]["required"][name][1]["options"]
        for kind, name in (("PAMLoadCogVideoX", "model_name"), ("PAMLoadHOIControlCogVideoX", "model_patch_name"))
    ]
    for names in offered:
        assert {"PAM/transformer", "merged.bin", "later.safetensors"} <= set(names)
        assert not [name for name in names if "00001-of" in name]


def test_a_sharded_released_checkpoint_loads_and_a_wrong_t5_is_named(run_prompt, models):
    """Both parts of 1339 tensors; the mini text encoder's 128 numbers a word are not what it reads."""
    with pytest.raises(NodeFailed, match=r"Expected prompts of 8 numbers a word for this model, found 128: load its own T5"):
        run_prompt(sharded())


def test_another_size_is_named_before_anything_is_computed(run_prompt, models):
    prompt = sharded(model=["b", 0], width=64)
    with pytest.raises(NodeFailed, match="Expected 48 x 32 pixels, the only size this model has positions for, found 64 x 32"):
        run_prompt(prompt)


def test_a_length_without_positions_needs_windows(run_prompt, models):
    prompt = sharded(model=["b", 0], length=9)
    with pytest.raises(NodeFailed, match=r"Expected at most 5 frames, .* found 9: connect the MODEL of CogVideoX Long Video"):
        run_prompt(prompt)
    prompt["w"] = node("PAMCogVideoXLongVideo", model=["b", 0], window=5, overlap=0, fuse="flat", keep_first_frame=True, freenoise=False)
    prompt["f"]["inputs"]["model"] = ["w", 0]
    prompt["o"] = node("PreviewAny", source=["f", 3])
    run_prompt({key: prompt[key] for key in ("c2", "m", "p", "b", "w", "f", "o")})
    prompt["w"]["inputs"]["window"] = 9
    with pytest.raises(NodeFailed, match="Expected a window of at most 5 frames, for which this model has positions, found 9: use 5"):
        run_prompt({key: prompt[key] for key in ("c2", "m", "p", "b", "w", "f", "o")})


def test_later_weights_with_an_earlier_control_are_named(run_prompt, models):
    prompt = motion(1.0, model=("b", 0), patch=("l", 0)) | {
        "b": node("PAMLoadCogVideoX", model_name="later.safetensors"),
        "l": node("PAMLoadHOIControlCogVideoX", model_patch_name="PAM/transformer"),
    }
    with pytest.raises(NodeFailed, match=r"Expected CogVideoX 1\.0 for this control, found CogVideoX 1\.5"):
        run_prompt(prompt)


def test_later_models_get_a_frame_before_the_clip(run_prompt, probed, models):
    """Five pictures are two latent frames and nine are three, to which one is added; its first frame stands in both."""
    for length, frames, trim in ((5, 2, 0), (9, 4, 1)):
        prompt = motion(1.0, length=length) | {"b": node("PAMLoadCogVideoX", model_name="later.safetensors")}
        prompt["f"]["inputs"]["model"] = ["b", 0]
        prompt["o1"] = node("PamProbe", value=["f", 2], name="later_latent")
        prompt["o2"] = node("PamProbe", value=["f", 3], name="later_trim")
        prompt["o3"] = node("PamProbe", value=["f", 0], name="later_positive")
        wanted = {key: prompt[key] for key in ("c2", "m", "p", "b", "f", "o1", "o2", "o3")}
        result = run_prompt(wanted)
        assert probed(result, "o1")[0]["value.samples"].shape == (1, 16, frames, 4, 6)
        assert probed(result, "o2")[1]["value"] == trim
        image = next(value for key, value in probed(result, "o3")[0].items() if key.endswith("concat_latent_image"))
        assert image.shape[2] == trim + 1 and np.array_equal(image[:, :, 0], image[:, :, -1])


def test_a_torch_file_with_both_equals_the_parts(run_prompt, probed, models):
    prompt = motion(1.0, model=("b", 0), patch=("l", 0)) | {
        "b": node("PAMLoadCogVideoX", model_name="merged.bin"),
        "l": node("PAMLoadHOIControlCogVideoX", model_patch_name="merged.bin"),
    }
    ours, parts = (probed(run_prompt(each), "out")[0]["value"] for each in (prompt, motion(1.0)))
    np.testing.assert_array_equal(ours, parts)


@pytest.mark.parametrize("dtype", ["bf16", "fp8_e4m3fn"])
def test_other_numbers_run(run_prompt, probed, models, dtype):
    """Near the full result, but not the same: the weights really are kept in fewer bits."""
    prompt = motion(1.0, model=("b", 0), patch=("l", 0)) | {
        "b": node("PAMLoadCogVideoX", model_name="merged.bin", weight_dtype=dtype),
        "l": node("PAMLoadHOIControlCogVideoX", model_patch_name="merged.bin", weight_dtype=dtype),
    }
    ours, full = (probed(run_prompt(each), "out")[0]["value"] for each in (prompt, motion(1.0)))
    assert 0 < np.abs(ours - full).mean() < 0.05


def test_the_control_becomes_a_file_of_its_own(run_prompt, host, models):
    prompt = {
        "l": node("PAMLoadHOIControlCogVideoX", model_patch_name="merged.bin"),
        "w": node("PAMSaveHOIControlCogVideoX", model_patch=["l", 0], filename_prefix="PAM/control"),
    }
    path = host.base / "output" / run_prompt(prompt).outputs["w"]["text"][0]
    with safe_open(path, framework="pt") as file:
        assert file.metadata()["pam.slots"] == "depth,segmentation,keypoints"
    written, shipped = load_file(path), load_file(MOTION.control)
    assert all(torch.equal(written[key].float(), value.float()) for key, value in shipped.items())
    assert not list(path.parent.glob("*.part"))


def test_names_outside_the_folders_are_refused(run_prompt, models):
    with pytest.raises(Exception, match="not in list"):
        run_prompt(motion(1.0, model=("b", 0)) | {"b": node("PAMLoadCogVideoX", model_name="../../secret.safetensors")})


def test_other_parts_of_a_pipeline_are_not_offered(models, client):
    """A diffusers folder also has a VAE and a text encoder; the loaders of transformers leave them out."""
    folder = models / "diffusers" / "PAM" / "vae"
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text("{}")
    save_file({"a": torch.zeros(1)}, folder / "diffusion_pytorch_model.safetensors")
    names = client.get("/object_info/PAMLoadCogVideoX")["PAMLoadCogVideoX"]["input"]["required"]["model_name"][1]["options"]
    assert "PAM/transformer" in names and not [name for name in names if "vae" in name]
