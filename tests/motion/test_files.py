"""Checkpoint files: what is read, what is refused and with which words."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from diffusers import CogVideoXTransformer3DModel
from diffusers.models.transformers.cogvideox_transformer_3d import CogVideoXBlock
from safetensors.torch import save_file
from torch import nn

from pam_nodes.motion import base
from pam_nodes.motion.base import detect_base, is_base, to_native
from pam_nodes.motion.checkpoint import control_part, detect, from_module_keys, metadata_of, part_of, to_module_keys
from pam_nodes.motion.control import PAPER_SLOTS, RELEASED_SLOTS, CogVideoXControlConfig, HOICogVideoXControl
from pam_nodes.tensor_files import INDEX, open_tensors, write_tensors
from pam_nodes.weights import require_complete

ROOT = Path(__file__).parents[2]


def released(layers: int = 42, copies: int = 12, slots: int = 5, heads: int = 1, time: int = 8) -> dict[str, torch.Tensor]:
    """All tensors of a merged checkpoint by the released names, narrow: one head in place of 48."""
    dim = 64 * heads
    base = CogVideoXTransformer3DModel(
        num_attention_heads=heads, attention_head_dim=64, in_channels=32, out_channels=16, time_embed_dim=time, text_embed_dim=8,
        num_layers=layers, sample_width=4, sample_height=4, sample_frames=9, use_rotary_positional_embeddings=True,
        use_learned_positional_embeddings=True,
    )  # fmt: skip
    parts = nn.ModuleDict(
        {
            "transformer_blocks_copy": nn.ModuleList(CogVideoXBlock(dim, heads, 64, time, attention_bias=True) for _ in range(copies)),
            "combine_linears": nn.ModuleList(nn.Linear(dim, dim) for _ in range(copies)),
            "initial_combine_linear": nn.Linear(slots * dim, dim),
        }
    )
    return {**base.state_dict(), **parts.state_dict()}


@pytest.fixture(scope="module")
def merged() -> dict[str, torch.Tensor]:
    return released()


CONFIG = {"sample_width": 4, "sample_height": 4, "sample_frames": 9}


def shards(folder: Path, tensors: dict[str, torch.Tensor], count: int = 3) -> Path:
    """The checkpoint as several files and a table, as diffusers saves it."""
    folder.mkdir(parents=True, exist_ok=True)
    table = {}
    for number in range(count):
        name = f"diffusion_pytorch_model-{number + 1:05}-of-{count:05}.safetensors"
        mine = {key: tensors[key] for key in sorted(tensors)[number::count]}
        save_file(mine, folder / name)
        table.update(dict.fromkeys(mine, name))
    (folder / f"diffusion_pytorch_model{INDEX}").write_text(json.dumps({"metadata": {}, "weight_map": table}))
    (folder / "config.json").write_text(json.dumps(CONFIG))
    return folder


def test_a_released_checkpoint_loads_strictly(tmp_path, merged):
    """1339 tensors in three files (specs: pam_reference 3.2) become base and control with nothing missing and nothing left."""
    assert len(merged) == 1339
    files = open_tensors(shards(tmp_path / "PAM" / "transformer", merged).parent)
    assert len(files.places) == 1339 and files.config == CONFIG
    control = part_of(files)
    config = detect(control, files.metadata)
    assert (config.num_blocks, config.slots) == (12, RELEASED_SLOTS)
    tensors = to_module_keys(control, config)
    require_complete(HOICogVideoXControl(config), tensors, "control")
    native = to_native(base.part_of(files))
    found = detect_base(native, files.config)
    assert len(native) + len(control) == 1339
    assert (found.num_layers, found.in_channels, found.learned, found.sample) == (42, 32, True, (4, 4, 3))


@pytest.mark.parametrize(("copies", "slots", "names"), [(18, 1, ("tracking",)), (12, 3, PAPER_SLOTS), (12, 5, RELEASED_SLOTS)])
def test_blocks_and_slots_are_counted(copies, slots, names):
    """DiffusionAsShader's 18 blocks and one slot, the paper's three slots, the release's five."""
    config = detect(control_part(released(layers=18, copies=copies, slots=slots)))
    assert (config.num_blocks, config.slots) == (copies, names)


def test_only_the_part_asked_for_is_read(tmp_path, merged):
    """The control of a merged checkpoint: files without its tensors may even be broken."""
    folder = tmp_path / "merged"
    control = {key: value for key, value in merged.items() if not is_base(key)}
    folder.mkdir()
    save_file(control, folder / "a.safetensors")
    (folder / "b.safetensors").write_bytes(b"\0" * 100)
    table = {**dict.fromkeys(control, "a.safetensors"), **dict.fromkeys(set(merged) - set(control), "b.safetensors")}
    (folder / f"model{INDEX}").write_text(json.dumps({"weight_map": table}))
    assert part_of(open_tensors(folder)).keys() == control.keys()
    with pytest.raises(ValueError, match=r"could not read b\.safetensors"):
        open_tensors(folder).read(is_base)


def test_a_large_file_costs_only_what_is_used(tmp_path):
    """The control's few tensors from a file of 4 GB: the process stays small."""
    resource = pytest.importorskip("resource")
    path, big = tmp_path / "merged.safetensors", 4 << 30
    small = torch.ones(64)
    header = {"base": {"dtype": "U8", "shape": [big], "data_offsets": [256, 256 + big]}}
    header["combine_linears.0.bias"] = {"dtype": "F32", "shape": [64], "data_offsets": [0, 256]}
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + small.numpy().tobytes())
        file.truncate(8 + len(text) + 256 + big)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = open_tensors(path).read(lambda name: name != "base")
    assert torch.equal(found["combine_linears.0.bias"], small)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


@pytest.mark.timeout(60)
def test_a_torch_file_that_holds_itself_is_read_once(tmp_path):
    state: dict = {"a": torch.ones(2)}
    state["module"] = state
    torch.save(state, tmp_path / "loop.bin")
    assert torch.equal(open_tensors(tmp_path / "loop.bin").read()["a"], torch.ones(2))


def test_torch_files_are_unwrapped_and_run_nothing(tmp_path, merged):
    control = {key: value for key, value in merged.items() if not is_base(key)}
    torch.save({"module": control, "step": 3}, tmp_path / "control.bin")
    assert part_of(open_tensors(tmp_path / "control.bin")).keys() == control.keys()
    torch.save({"model": Path("x")}, tmp_path / "evil.bin")
    with pytest.raises(ValueError, match=r"nothing but tensors, could not read evil\.bin"):
        open_tensors(tmp_path / "evil.bin")


def test_control_file_keeps_everything(tmp_path, merged):
    control = control_part(merged)
    config = detect(control)
    kept = from_module_keys(to_module_keys(control, config), config)
    write_tensors(tmp_path / "control.safetensors", kept, metadata_of(config))
    files = open_tensors(tmp_path / "control.safetensors")
    assert detect(files.read(), files.metadata) == config
    assert all(torch.equal(value, control[key]) for key, value in files.read().items())
    assert [path.name for path in tmp_path.iterdir()] == ["control.safetensors"]


def test_a_full_disk_leaves_nothing_behind(tmp_path):
    """A process that may write 1 MB saves 4 MB: the system itself refuses."""
    pytest.importorskip("resource")
    code = (
        "import resource, signal, sys, torch\n"
        "from pam_nodes.tensor_files import write_tensors\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\n"
        "write_tensors(sys.argv[1], {'a': torch.zeros(1 << 20)}, {})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "x.safetensors")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "OSError: Could not write x.safetensors (0.00 GB)" in done.stderr and "Free some disk space" in done.stderr
    assert list(tmp_path.iterdir()) == []


BASE = "transformer_blocks.0.norm1.linear.weight"
WRONG_FOR_CONTROL = {
    "Flux": ({"double_blocks.0.img_attn.qkv.weight"}, "a Flux checkpoint: use core's Load Diffusion Model"),
    "Flux ControlNet": (
        {"controlnet1.input_hint_block.0.weight", "controlnet1.double_blocks.0.img_attn.qkv.weight"},
        r"a ControlNet for Flux: use Load HOI ControlNet Flux \(PAM\)",
    ),
    "base": ({BASE, "patch_embed.proj.weight"}, r"a CogVideoX base model without control: use Load CogVideoX \(PAM\)"),
    "LoRA": ({"transformer.transformer_blocks.0.attn1.to_q.lora_A.weight"}, "a LoRA: connect"),
    "T5": ({"shared.weight", "encoder.block.0.layer.0.SelfAttention.q.weight"}, "a T5 text encoder: use core's Load CLIP"),
    "VAE": ({"decoder.conv_in.conv.weight", "encoder.down_blocks.0.resnets.0.conv1.conv.weight"}, "a VAE: use core's Load VAE"),
    "Wan": ({"blocks.0.self_attn.q.weight", "patch_embedding.weight"}, "a Wan model"),
    "Stable Diffusion": ({"model.diffusion_model.input_blocks.0.0.weight"}, "a Stable Diffusion checkpoint"),
    "other ControlNet": ({"out_projectors.0.weight", "blocks.0.norm1.linear.weight"}, "a ControlNet of another layout"),
    "anything": ({"layer.weight"}, "tensors like layer.weight: choose another file"),
    "nothing": (set(), "tensors like none at all"),
}


@pytest.mark.parametrize("kind", WRONG_FOR_CONTROL)
def test_wrong_files_for_the_control_are_named(kind):
    names, words = WRONG_FOR_CONTROL[kind]
    with pytest.raises(ValueError, match=f"Expected an HOI control for CogVideoX .*, found {words}"):
        control_part({name: torch.zeros(1) for name in names})


@pytest.mark.parametrize("kind", [kind for kind in WRONG_FOR_CONTROL if kind not in ("base", "other ControlNet")])
def test_wrong_files_for_the_base_are_named(kind):
    names, words = WRONG_FOR_CONTROL[kind]
    with pytest.raises(ValueError, match=f"Expected a CogVideoX model .*, found {words}"):
        detect_base(to_native({name: torch.zeros(1) for name in names}))


def test_a_control_in_the_place_of_the_base_is_named(tmp_path, merged):
    save_file(control_part(merged), tmp_path / "control.safetensors")
    with pytest.raises(ValueError, match=r"found an HOI control for CogVideoX: use Load HOI Control CogVideoX \(PAM\)"):
        base.part_of(open_tensors(tmp_path / "control.safetensors"))


def broken(merged, change: str) -> dict[str, torch.Tensor]:
    control = dict(control_part(merged))
    if change == "block lost":
        return {key: value for key, value in control.items() if not key.startswith("transformer_blocks_copy.3.")}
    if change == "linear lost":
        return {key: value for key, value in control.items() if not key.startswith("combine_linears.11.")}
    if change == "start lost":
        control.pop("initial_combine_linear.bias")
    if change == "four slots":
        control["initial_combine_linear.weight"] = torch.zeros(64, 256)
    if change == "odd slots":
        control["initial_combine_linear.weight"] = torch.zeros(64, 100)
    return control


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("block lost", "as many copied blocks as combine linears, found 11 and 12"),
        ("linear lost", "found 12 and 11"),
        ("start lost", r"found one without initial_combine_linear\.bias: the file is truncated"),
        ("four slots", "1, 3 or 5 condition slots, found 4"),
        ("odd slots", "1, 3 or 5 condition slots of 64 channels, found 1.5625"),
    ],
)
def test_broken_controls_are_named(merged, change, words):
    with pytest.raises(ValueError, match=words):
        detect(control_part(broken(merged, change)))


def test_a_control_that_lacks_one_tensor_is_refused(merged):
    """Never filled in with fresh weights, as the released loader does (specs: pam_reference 3.4)."""
    control = control_part(merged)
    control.pop("transformer_blocks_copy.5.ff.net.0.proj.bias")
    config = detect(control)
    with pytest.raises(ValueError, match=r"without transformer_blocks_copy\.5\.ff\.net\.0\.proj\.bias: download or save it again"):
        require_complete(HOICogVideoXControl(config), to_module_keys(control, config), "control")


def test_hostile_slot_names_are_refused(merged):
    with pytest.raises(ValueError, match="1, 3 or 5 condition slots"):
        detect(control_part(merged), {"pam.slots": "__class__,shape,depth,normals,keypoints"})


def test_broken_folders_are_named(tmp_path, merged):
    folder = shards(tmp_path / "a", {key: merged[key] for key in sorted(merged)[:6]})
    (folder / "diffusion_pytorch_model-00002-of-00003.safetensors").unlink()
    with pytest.raises(ValueError, match=r"Expected 3 files beside .*, found 2: diffusion_pytorch_model-00002.* is missing"):
        open_tensors(folder)
    table = folder / f"diffusion_pytorch_model{INDEX}"
    table.write_text(json.dumps({"weight_map": {"a": "../../secret.safetensors"}}))
    with pytest.raises(ValueError, match="found another content"):
        open_tensors(folder)
    table.write_text("{")
    with pytest.raises(ValueError, match="Expected JSON"):
        open_tensors(table)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"model folder with \.safetensors files, found empty"):
        open_tensors(tmp_path / "empty")
    (tmp_path / "x.safetensors").write_bytes(b"not tensors at all")
    with pytest.raises(ValueError, match=r"could not read x\.safetensors"):
        open_tensors(tmp_path / "x.safetensors")


def test_full_width_shapes():
    """12 copied blocks and 5 slots at 3072 channels on the meta device: the released count (specs: pam_reference 3.2)."""
    with torch.device("meta"):
        net = HOICogVideoXControl(CogVideoXControlConfig(3072, 12, 64, 512, RELEASED_SLOTS))
        released_keys = from_module_keys(net.state_dict(), net.config)
    assert sum(value.numel() for value in released_keys.values()) == 1_746_843_648
    assert tuple(released_keys["initial_combine_linear.weight"].shape) == (3072, 15360)
    assert len(released_keys) == 1339 - 1025


@pytest.mark.parametrize(
    ("tensor", "shape", "words"),
    [
        ("patch_embed.proj.weight", (64, 33, 2, 2), "16 or 32 input channels, found 33: CogVideoX-Fun"),
        ("patch_embed.pos_embedding", (1, 300, 64), "put the model's config.json beside the file"),
    ],
)
def test_bases_nobody_can_run_are_named(merged, tensor, shape, words):
    native = to_native(merged)
    native[tensor] = torch.zeros(shape)
    with pytest.raises(ValueError, match=words):
        detect_base(native, CONFIG)


def test_families_are_told_apart():
    """1.5 by its linear patches and its offset embedding, 2B by its width."""
    later = detect_base(
        {
            "blocks.0.norm1.linear.weight": torch.zeros(6 * 3072, 512, device="meta"),
            "patch_embed.proj.weight": torch.zeros(3072, 256, device="meta"),
            "patch_embed.text_proj.weight": torch.zeros(3072, 4096, device="meta"),
            "ofs_embedding_linear_1.weight": torch.zeros(512, 512, device="meta"),
        }
    )
    assert (later.patch_size_t, later.in_channels, later.ofs_dim, later.rotary, later.learned) == (2, 32, 512, True, False)
    plain = detect_base(
        {
            "blocks.0.norm1.linear.weight": torch.zeros(6 * 1920, 512, device="meta"),
            "patch_embed.proj.weight": torch.zeros(1920, 16, 2, 2, device="meta"),
            "patch_embed.text_proj.weight": torch.zeros(1920, 4096, device="meta"),
        }
    )
    assert (plain.patch_size_t, plain.image_to_video, plain.rotary, plain.sample) == (None, False, False, (90, 60, 13))
