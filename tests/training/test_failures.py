"""Runs that go wrong on the way: what was saved before stays, and one sentence says what to do."""

import json
import resource
import shutil
import subprocess
import sys

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from safetensors.torch import load_file, save_file

from hostkit.host import ROOT
from pam_nodes.cli.app import main
from pam_nodes.dataset.shards import ABSENT, LatentStore
from pam_nodes.tensor_files import open_tensors
from pam_nodes.training.config import Optimization, TrainConfig
from pam_nodes.training.draws import shuffled
from pam_nodes.training.loop import Run, Trainer
from pam_nodes.training.states import newest, read_log
from pam_nodes.training.tasks import Task

YAML = """
stage: motion
seed: 0
precision: fp32
control: {blocks: 1, zero_start: false}
masking: {conditions: {depth: 0.3}}
optimization: {rate: 1.0e-3, warmup: 0, batch: 1, ema: 0.9}
watching: {steps: 6, save: 1, keep: 2, validate: 6, samples: 2}
"""


@pytest.fixture
def store(latents, tmp_path):
    """Latents of one's own to break."""
    return shutil.copytree(latents["motion"], tmp_path / "latents")


def arguments(store, folder, *more):
    path = folder / "run.yaml"
    path.write_text(YAML)
    return ["train", "motion", str(path), "--data", str(store), "--mini", "--device", "cpu", "--out", str(folder / "run"), *more]


def finite(folder):
    return all(torch.isfinite(value).all() for value in open_tensors(folder).read().values())


def change(store, edit):
    """Write the shard of latents anew after ``edit(tensors, header)``."""
    path = next(store.glob("latents_*"))
    tensors, header = load_file(path), open_tensors(path).metadata
    edit(tensors, header)
    save_file(tensors, path, header)


def fill(store, index, value):
    place = LatentStore(store).rows[index].place
    change(store, lambda tensors, header: tensors[f"{place}.picture"].fill_(value))


FOURTH = 2 + shuffled(6, 0, 0)[3]
"""The sample of the fourth step."""


def test_a_loss_that_is_no_number_ends_the_run_with_the_last_good_checkpoint(store, tmp_path, caplog):
    fill(store, FOURTH, float("nan"))
    assert main(arguments(store, tmp_path)) == 2
    assert "Expected a finite loss, found nan in step 4" in caplog.text
    assert "step_0000003 and the files beside it hold step 3" in caplog.text
    run = tmp_path / "run"
    assert newest(run)[0] == 3 and [line["step"] for line in read_log(run)] == [1, 2, 3]
    assert finite(run / "control.safetensors") and finite(newest(run)[1] / "model.safetensors")


class Steep(torch.nn.Module):
    """A loss that is finite where its gradient is not: a root at zero."""

    def __init__(self):
        super().__init__()
        self.text, self.weight = None, torch.nn.Parameter(torch.zeros(2))

    def forward(self, batch):
        return self.weight.sqrt()


@pytest.mark.parametrize("clip", [0.0, 1.0])
def test_weights_stay_when_only_the_gradient_is_not_finite(latents, tmp_path, clip):
    """With and without clipping."""
    config = TrainConfig("motion", precision="fp32", optimization=Optimization(clip=clip))
    net = Steep()
    trainer = Trainer(Run(tmp_path, Task(config, LatentStore(latents["motion"]), net, ())), Accelerator(cpu=True))
    batches = iter([{}] * config.optimization.accumulate)
    with pytest.raises(ValueError, match="Expected a finite gradient, found inf in step 7: nothing was saved yet"):
        trainer.step(batches, 1e-3, 7)
    assert not net.weight.any()


def test_a_step_whose_validation_is_no_number_is_not_saved(store, tmp_path, caplog):
    fill(store, 0, float("nan"))
    assert main(arguments(store, tmp_path)) == 2
    assert "Expected a finite validation loss, found nan in step 6" in caplog.text and newest(tmp_path / "run")[0] == 5


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.bin", "average.safetensors"])
def test_a_broken_checkpoint_is_named_and_the_one_before_serves(store, tmp_path, caplog, name):
    assert main(arguments(store, tmp_path, "--steps", "3")) == 0
    AcceleratorState._reset_state(True)
    folder = newest(tmp_path / "run")[1]
    (folder / name).write_bytes((folder / name).read_bytes()[:1000])
    assert main(arguments(store, tmp_path)) == 2
    assert f"Expected a whole checkpoint in {folder}, could not read it" in caplog.text
    AcceleratorState._reset_state(True)
    shutil.rmtree(folder)
    assert main(arguments(store, tmp_path)) == 0
    assert newest(tmp_path / "run")[0] == 6


LIMITED = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY)); "
LIMITED += "from pam_nodes.cli.app import main; sys.exit(main(sys.argv[1:]))"


def test_a_full_disk_leaves_the_checkpoints_from_before(store, tmp_path):
    """Files may not grow beyond 1 MB, as on a disk with no more room: the run ends, and goes on when there is room."""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    assert main(arguments(store, tmp_path, "--steps", "2")) == 0
    command = [sys.executable, "-c", LIMITED, *arguments(store, tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "Could not write the checkpoint of step 3" in done.stderr and "free some disk space" in done.stderr
    run = tmp_path / "run"
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["step_0000001", "step_0000002"]
    assert not list(run.glob("*.part")) and finite(run / "control.safetensors")
    AcceleratorState._reset_state(True)
    assert main(arguments(store, tmp_path)) == 0
    assert newest(run)[0] == 6 and [line["step"] for line in read_log(run)] == [1, 2, 3, 4, 5, 6]


def test_no_step_is_missing_in_the_log_of_a_run_that_ended_right_after_a_checkpoint(store, tmp_path, caplog):
    """The first checkpoint can be written, what was learnt cannot: a folder stands in its place."""
    place = tmp_path / "run" / "control.safetensors"
    place.mkdir(parents=True)
    assert main(arguments(store, tmp_path)) == 1
    assert "Could not write control.safetensors" in caplog.text and newest(tmp_path / "run")[0] == 1
    AcceleratorState._reset_state(True)
    place.rmdir()
    assert main(arguments(store, tmp_path)) == 0
    assert [line["step"] for line in read_log(tmp_path / "run")] == [1, 2, 3, 4, 5, 6]


def cut_off(store):
    path = next(store.glob("latents_*"))
    path.write_bytes(path.read_bytes()[:-100])


def without_text(store):
    """A shard of text with one prompt less."""
    path = next(store.glob("text_*"))
    save_file({"0.tokens": torch.zeros(1)}, path, {"prompts": '[""]', "names": "[]"})


def other_record(store):
    (store / "manifest.json").write_text("[]")


def without_picture(store):
    change(store, lambda tensors, header: tensors.pop("5.picture"))


def shorter(store):
    change(store, lambda tensors, header: tensors.update({"5.depth": tensors["5.depth"][:, :1].clone()}))


def lost_shard(store):
    """Of two shards of latents the second is gone."""
    record = json.loads((store / "manifest.json").read_text())
    record["made"]["latents_00001.safetensors"] = {"samples": 4}
    (store / "manifest.json").write_text(json.dumps(record))


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (cut_off, "latents_00000.safetensors, found a broken or another file: delete it and encode again"),
        (without_text, "Expected text of every prompt"),
        (other_record, "Expected the record of the encode command"),
        (without_picture, "Expected 'picture' of every sample in"),
        (shorter, "Expected [16, 3, 4, 8] numbers in every 'depth', found [16, 1, 4, 8]"),
        (lost_shard, "found no latents_00001.safetensors: encode again"),
    ],
)
def test_broken_latents_are_found_before_anything_is_written(store, tmp_path, caplog, damage, sentence):
    damage(store)
    assert main(arguments(store, tmp_path)) == 2
    assert sentence in caplog.text and not (tmp_path / "run").exists()


def test_broken_black_picture(latents, tmp_path):
    store = shutil.copytree(latents["appearance"], tmp_path / "latents")
    (store / ABSENT).write_bytes(b"no tensors")
    with pytest.raises(ValueError, match=f"{ABSENT}, found a broken or another file"):
        LatentStore(store)
    (store / ABSENT).unlink()
    with pytest.raises(ValueError, match=f"found no {ABSENT}: encode again"):
        LatentStore(store)


def test_other_samples_are_another_run(store, tmp_path, caplog):
    """An exact resume needs the samples it began with."""
    assert main(arguments(store, tmp_path, "--steps", "1")) == 0

    def drop(tensors, header):
        header.update({name: json.dumps(json.loads(header[name])[:7]) for name in ("names", "prompts")})

    change(store, drop)
    assert main(arguments(store, tmp_path)) == 2
    assert "another data.samples (8, now 7)" in caplog.text


def test_what_was_changed_is_said(store, tmp_path, caplog):
    assert main(arguments(store, tmp_path, "--steps", "1")) == 0
    again = arguments(store, tmp_path)
    (tmp_path / "run.yaml").write_text(YAML.replace("0.3", "0.4").replace("batch: 1,", "batch: 2,"))
    assert main(again) == 2
    assert "another masking.conditions.depth (0.3, now 0.4), optimization.batch (1, now 2): choose another --out" in caplog.text
