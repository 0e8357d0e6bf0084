"""The kit itself: a real host answers, runs prompts, caches, reports errors, and is interrupted."""

import numpy as np
import pytest

from hostkit.client import NodeFailed, PromptRejected


def gray(value: int, probe: str = "gray") -> dict:
    """A prompt of core nodes: a flat picture into the probe."""
    return {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 16, "height": 8, "batch_size": 2, "color": value}},
        "2": {"class_type": "ImageInvert", "inputs": {"image": ["1", 0]}},
        "3": {"class_type": "PamProbe", "inputs": {"value": ["2", 0], "name": probe}},
    }


def test_values_come_back(run_prompt, probed):
    result = run_prompt(gray(0x000000))
    assert result.status == "success" and result.executed == ["1", "2", "3"] and set(result.seconds) == {"1", "2", "3"}
    arrays, _ = probed(result, "3")
    np.testing.assert_array_equal(arrays["value"], np.ones((2, 8, 16, 3), np.float32))


def test_second_run_is_cached(run_prompt):
    run_prompt(gray(0x123456, "cached"))
    again = run_prompt(gray(0x123456, "cached"))
    assert again.cached == {"1", "2", "3"} and not again.executed


def test_change_of_one_node_runs_only_what_follows(run_prompt):
    run_prompt(gray(0x654321, "first"))
    assert run_prompt(gray(0x654321, "second")).executed == ["3"]


def test_rejected_prompt_names_node_and_input(run_prompt):
    prompt = gray(0)
    del prompt["2"]["inputs"]["image"]
    with pytest.raises(PromptRejected, match=r"node 2 \(ImageInvert\).*image"):
        run_prompt(prompt)


def test_partly_valid_prompt_is_rejected_too(run_prompt):
    prompt = gray(1) | {"9": {"class_type": "PamProbe", "inputs": {"value": ["8", 0], "name": "x"}}}
    prompt["8"] = {"class_type": "ImageInvert", "inputs": {}}
    with pytest.raises(PromptRejected, match="node 8"):
        run_prompt(prompt)


def test_failing_node_raises_its_message(run_prompt):
    prompt = gray(2)
    prompt["3"]["inputs"]["name"] = "no/such/folder/x"
    with pytest.raises(NodeFailed, match=r"PamProbe \(node 3\).*no/such/folder"):
        run_prompt(prompt)
    assert run_prompt(prompt, check=False).status == "error"


def test_interrupt_stops_a_sampler(run_prompt, client):
    """Called from the first progress event, the interrupt ends the prompt long before its thousands of steps."""
    steps = []

    def cancel(kind, data, result):
        if kind == "progress":
            steps.append(data["value"])
            client.interrupt(result.prompt_id)

    prompt = {
        "1": {"class_type": "PamSlow", "inputs": {"steps": 3000}},
        "2": {"class_type": "PamProbe", "inputs": {"value": ["1", 0], "name": "slow"}},
    }
    assert run_prompt(prompt, on_event=cancel, timeout=60).status == "interrupted"
    assert steps and steps[-1] < 1000
