"""Runs that go wrong on the way: what was saved before stays, and one sentence says what to do."""

import json
import resource
import shutil
import subprocess
import sys

import pytest
import torch
from accelerate.state import AcceleratorState
from safetensors.torch import load_file, save_file

from hostkit.host import ROOT
from pam_nodes.cli.app import main
from pam_nodes.dataset.shards import LatentStore
from pam_nodes.tensor_files import open_tensors
from pam_nodes.training.draws import shuffled
from pam_nodes.training.states import newest, read_log

YAML = """
stage: motion
seed: 0
precision: fp32
control: {blocks: 1, zero_start: false}
masking: {conditions: {depth: 0.3}}
optimization: {rate: 1.0e-3, warmup: 0, batch: 1, ema: 0.9}
watching: {steps: 6, save: 1, keep: 2, validate: 6, samples: 2}
"""


@pytest.fixture(autouse=True)
def fresh_accelerator():
    yield
    AcceleratorState._reset_state(True)


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


def test_a_loss_that_is_no_number_ends_the_run_with_the_last_good_checkpoint(store, tmp_path, caplog):
    """The sample of the fourth step is not finite."""
    row = LatentStore(store).rows[2 + shuffled(6, 0, 0)[3]]
    with open(row.file, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))["__metadata__"]
    tensors = load_file(row.file)
    tensors[f"{row.place}.picture"].fill_(float("nan"))
    save_file(tensors, row.file, header)
    assert main(arguments(store, tmp_path)) == 2
    assert "Expected a finite loss, found nan in step 4" in caplog.text
    assert "step_0000003 and the files beside it hold step 3" in caplog.text
    run = tmp_path / "run"
    assert newest(run)[0] == 3 and [line["step"] for line in read_log(run)] == [1, 2, 3]
    assert finite(run / "control.safetensors") and finite(newest(run)[1] / "model.safetensors")


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


def cut_off(store):
    path = next(store.glob("latents_*"))
    path.write_bytes(path.read_bytes()[:-100])


def without_text(store):
    """A shard of text with one prompt less."""
    path = next(store.glob("text_*"))
    save_file({"0.tokens": torch.zeros(1)}, path, {"prompts": '[""]', "names": "[]"})


def other_record(store):
    (store / "manifest.json").write_text("[]")


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (cut_off, "latents_00000.safetensors, found a broken or another file: delete it and encode again"),
        (without_text, "Expected text of every prompt"),
        (other_record, "Expected the record of the encode command"),
    ],
)
def test_broken_latents_are_found_before_anything_is_written(store, tmp_path, caplog, damage, sentence):
    damage(store)
    assert main(arguments(store, tmp_path)) == 2
    assert sentence in caplog.text and not (tmp_path / "run").exists()


def test_what_was_changed_is_said(store, tmp_path, caplog):
    assert main(arguments(store, tmp_path, "--steps", "1")) == 0
    again = arguments(store, tmp_path)
    (tmp_path / "run.yaml").write_text(YAML.replace("0.3", "0.4").replace("batch: 1,", "batch: 2,"))
    assert main(again) == 2
    assert "another masking.conditions.depth (0.3, now 0.4), optimization.batch (1, now 2): choose another --out" in caplog.text
