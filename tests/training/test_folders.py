"""The released presets on model folders in diffusers' layout, the real classes with few weights, and several processes."""

from dataclasses import replace

import pytest
import torch

from pam_nodes.cli.app import main
from pam_nodes.dataset.clips import FolderClips
from pam_nodes.dataset.encode import EncodeOptions, encode_clips
from pam_nodes.headless.cogvideox_models import CogVideoXFolder
from pam_nodes.headless.cogvideox_models import load_control as load_cogvideox_control
from pam_nodes.headless.compute import Compute
from pam_nodes.headless.flux_models import FluxFolder
from pam_nodes.headless.flux_models import load_control as load_flux_control
from pam_nodes.training.config import read_config
from pam_nodes.training.start import Start, start_training
from pam_nodes.training.states import read_log
from tests.dataset.clips import write_folder
from tests.headless import tiny
from tests.training.launch import two_processes

CPU = Compute("cpu")
SHORT = {"batch": 1, "accumulate": 2, "warmup": 0}


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return FolderClips(write_folder(tmp_path_factory.mktemp("clips"), 4, *reversed([48, 96, 9])), "all")


def short(stage, **control):
    """The released preset, one step of it in fp32."""
    config = read_config("released", stage)
    watching = replace(config.watching, steps=1, save=1, validate=1, samples=1, sheet=0, workers=0)
    design, best = replace(config.control, **control), replace(config.optimization, **SHORT)
    return replace(config, control=design, optimization=best, watching=watching, precision="fp32")


def test_released_flux_training(clips, tmp_path):
    """From nothing, then from the file that was written: two pixel ControlNets of six channels, guidance, recomputed blocks."""
    folder = tiny.flux_folder(tmp_path / "flux")
    latents = EncodeOptions("appearance", tiny.SIZE, hints="pixel", moments=True)
    encode_clips(clips, FluxFolder(folder, None), latents, CPU, tmp_path / "latents")
    (path,) = start_training(Start(short("appearance"), tmp_path / "latents", FluxFolder(folder, None)), CPU, tmp_path / "run")
    net = load_flux_control(path, torch.float32)
    assert replace(net.config, style="") == tiny.FLUX_CONTROL and net.controlnet2.controlnet_blocks[1].weight.abs().max() > 0
    again = Start(short("appearance"), tmp_path / "latents", FluxFolder(folder, path), from_control=True)
    start_training(again, CPU, tmp_path / "again")
    first, second = ([line["validation"] for line in read_log(tmp_path / name) if "validation" in line] for name in ("run", "again"))
    assert second[0] != first[0]


def test_released_cogvideox_training(clips, tmp_path):
    """Five slots, noise for those never seen, learned positions, 49 frames' rule on 9."""
    folder = tiny.cogvideox_folder(tmp_path / "cogvideox")
    models = CogVideoXFolder(folder, None)
    latents = EncodeOptions("motion", tiny.SIZE, tiny.LENGTH, moments=True)
    encode_clips(clips, models, latents, CPU, tmp_path / "latents")
    (path,) = start_training(Start(short("motion", blocks=2), tmp_path / "latents", models), CPU, tmp_path / "run")
    net = load_cogvideox_control(path, torch.float32)
    assert net.config.slots == ("tracking", "normals", "depth", "segmentation", "keypoints") and net.config.num_blocks == 2
    assert net.combine_linears[0].weight.abs().max() > 0


def test_two_processes_see_what_one_sees(latents, tmp_path):
    """torchrun with two processes of one sample: the same losses as one process of two samples."""
    text = (
        "stage: motion\nprecision: fp32\ncontrol: {{blocks: 1, zero_start: false}}\noptimization: {{batch: {}, warmup: 0, rate: 1.0e-3}}\n"
    )
    text += "watching: {{steps: 3, save: 3, validate: 3, samples: 2}}\n"
    runs = []
    for batch in (2, 1):
        path, out = tmp_path / f"{batch}.yaml", tmp_path / f"out{batch}"
        path.write_text(text.format(batch))
        arguments = ["train", "motion", str(path), "--data", str(latents["motion"]), "--mini", "--device", "cpu", "--out", str(out)]
        if batch == 2:
            assert main(arguments) == 0
        else:
            done = two_processes("pam_nodes", arguments)
            assert done.returncode == 0, done.stderr[-2000:]
        runs.append([line["loss"] for line in read_log(out) if "loss" in line])
    assert runs[0] == pytest.approx(runs[1], rel=1e-3)
