"""The appearance stage in ComfyUI's own models, nodes and samplers computes the released rules, alone, in batches and beside others."""

import json
import subprocess
from pathlib import Path

import pytest

from hostkit.host import find_host

SCRIPT = Path(__file__).with_name("appearance_in_host.py")
ROUNDING = 1e-5
"""Of latents around 1 after 28 steps in float32: other kernels, and batched instead of single matrix products."""


@pytest.fixture(scope="module")
def figures(host_session):
    """What ``appearance_in_host.py`` prints."""
    if isinstance(host_session, str):
        return {}
    command = [str(find_host().python), str(SCRIPT), str(host_session.host.comfyui)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_released_run_equals_the_golden_one(host, figures):
    """28 steps of PAM's sampler on the host's Flux against the independent float64 run of ``tests/appearance/reference.py``."""
    assert figures["released run"] < ROUNDING and figures["effect"] > 1


def test_double_net_equals_two_chained_stock_nodes(host, figures):
    assert figures["two stock nodes"] == 0.0
    assert figures["the host's own class"] < ROUNDING
    assert figures["XLabs by core"] < ROUNDING


def test_works_before_and_after_other_nets(host, figures):
    assert figures["before or after"] < ROUNDING and figures["effect of both"] > 0.1


@pytest.mark.parametrize("of", ["seeds", "prompts", "frames"])
def test_batches_equal_single_pictures(host, figures, of):
    assert figures[f"batch of {of}"] < ROUNDING and figures["batches differ"] > 100 * ROUNDING


def test_masks_and_strengths(host, figures):
    assert [figures[key] for key in ("mask of ones", "mask of zeros", "branches at 0", "strength 0")] == [0.0] * 4
    assert figures["half a mask"] > 0.1


def test_work_that_does_not_change_is_done_once(host, figures):
    assert (figures["hints encoded"], figures["tables computed"], figures["left behind"]) == (1, 1, 0)


def test_each_picture_of_a_batch_has_the_next_seed(host, figures):
    assert figures["seed rule"] == 0.0 and figures["batch index"] == 0.0


def test_what_does_not_fit_is_said(host, figures):
    assert "Expected a batch of 2 pictures, or a multiple, for 2 frames" in figures["batch"]
    assert "Expected a Flux model 256 channels wide" in figures["width"]
    assert "Expected 3 hint channels (depth), found 6: use Apply HOI ControlNet" in figures["channels"]
