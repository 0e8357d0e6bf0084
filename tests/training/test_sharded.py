"""Weights in parts over two processes: FSDP and DeepSpeed learn what one process learns, and go on exactly."""

import importlib.util
import shutil

import pytest
from accelerate.state import AcceleratorState
from safetensors.torch import load_file

from pam_nodes.cli.app import main
from pam_nodes.training.states import newest, read_log
from tests.training.launch import two_processes

TEXT = """
stage: {stage}
precision: fp32
control: {{blocks: 1, zero_start: false{control}}}
optimization: {{batch: {batch}, accumulate: 2, warmup: 0, rate: 1.0e-3, clip: 0.2, ema: {ema}}}
watching: {{steps: 3, save: 1, validate: 1, samples: 2}}
"""
SHARDED = "tests.training.sharded"
STAGES = {"motion": ("", "ControlBlock"), "appearance": (", encoding: latent", "DoubleBlock")}
DEEPSPEED = pytest.mark.skipif(
    importlib.util.find_spec("deepspeed") is None, reason="needs deepspeed, which has no wheels: pip install --no-build-isolation deepspeed"
)


def fsdp(stage: str) -> dict[str, str]:
    """What ``accelerate launch`` sets of an FSDP configuration of version 2."""
    return {
        "ACCELERATE_USE_FSDP": "true",
        "FSDP_VERSION": "2",
        "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
        "FSDP_TRANSFORMER_CLS_TO_WRAP": STAGES[stage][1],
        "FSDP_STATE_DICT_TYPE": "SHARDED_STATE_DICT",
        "FSDP_RESHARD_AFTER_FORWARD": "true",
        "FSDP_CPU_RAM_EFFICIENT_LOADING": "true",
        "FSDP_SYNC_MODULE_STATES": "true",
    }


def zero(level: int) -> dict[str, str]:
    """What it sets of a DeepSpeed configuration."""
    return {
        "ACCELERATE_USE_DEEPSPEED": "true",
        "ACCELERATE_DEEPSPEED_ZERO_STAGE": str(level),
        "ACCELERATE_DEEPSPEED_ZERO3_SAVE_16BIT_MODEL": "true",
        "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "7",
    }


def arguments(latents, tmp_path, stage, batch, ema):
    path = tmp_path / f"{batch}.yaml"
    path.write_text(TEXT.format(stage=stage, batch=batch, ema=ema, control=STAGES[stage][0]))
    return ["train", stage, str(path), "--data", str(latents[stage]), "--mini", "--device", "cpu", "--out", str(tmp_path / f"out{batch}")]


@pytest.mark.parametrize(
    ("stage", "settings", "ema"),
    [
        ("motion", fsdp("motion"), 0.9),
        ("appearance", fsdp("appearance"), 0.9),
        pytest.param("motion", zero(2), 0.9, marks=DEEPSPEED),
        pytest.param("motion", zero(3), 0, marks=DEEPSPEED),
    ],
    ids=["fsdp-motion", "fsdp-appearance", "deepspeed-2", "deepspeed-3"],
)
def test_parts_learn_what_the_whole_learns(latents, tmp_path, caplog, stage, settings, ema):
    """Losses, validation of the averaged weights, and the written control; again from the checkpoint before the last, which one process
    refuses.
    """
    assert main(arguments(latents, tmp_path, stage, 2, ema)) == 0
    AcceleratorState._reset_state(True)
    whole, parts = tmp_path / "out2", tmp_path / "out1"
    command = arguments(latents, tmp_path, stage, 1, ema)
    for first in (True, False):
        done = two_processes(SHARDED, command, settings)
        assert done.returncode == 0, done.stderr[-3000:]
        assert first or done.stderr.count("going on from step 2") == 2
        for name in ("loss", "validation"):
            expected, found = ([line[name] for line in read_log(folder)] for folder in (whole, parts))
            assert len(found) == 3 and found == pytest.approx(expected, rel=1e-3)
        learnt, wanted = (load_file(folder / "control.safetensors") for folder in (parts, whole))
        assert learnt.keys() == wanted.keys() and max((learnt[name] - wanted[name]).abs().max() for name in wanted) < 2e-4
        shutil.rmtree(newest(parts)[1])
    assert main(command) == 2 and "Expected a checkpoint with weights whole, found " in caplog.text and "of 2 processes" in caplog.text


@DEEPSPEED
def test_no_average_of_what_deepspeed_keeps_in_parts(latents, tmp_path):
    done = two_processes(SHARDED, arguments(latents, tmp_path, "motion", 1, 0.9), zero(3))
    assert done.returncode != 0 and "Expected no optimization.ema with DeepSpeed's stage 3, found 0.9" in done.stderr
