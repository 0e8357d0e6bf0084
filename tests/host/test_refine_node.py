"""Refine HOI Frames in the host: where it stands in the graph, what it takes, and what it says."""

import numpy as np
import pytest

from hostkit.client import NodeFailed

from .mini_graphs import LENGTH, SIZE, motion, node


def refined(**inputs) -> dict:
    """The small chain with the refiner behind the decoder, into the probe "refined"."""
    values = {"refiner": ["m", 4], "images": ["d", 0], "conditions": ["c3", 0], "strength": 1.0, "shows": "the clip", **inputs}
    return motion() | {
        "r": node("PAMRefineFrames", **values),
        "refined": node("PamProbe", value=["r", 0], name="refined"),
    }


def test_frames_are_refined(run_prompt, probed):
    result = run_prompt(refined(start_image=["c2", 0]))
    before, after = (probed(result, name)[0]["value"] for name in ("out", "refined"))
    assert after.shape == before.shape == (LENGTH, SIZE[1], SIZE[0], 3)
    assert 0 <= after.min() and after.max() <= 1 and np.abs(after - before).mean() > 1e-3


def test_strength_0_leaves_the_frames(run_prompt, probed):
    result = run_prompt(refined(strength=0.0))
    before, after = (probed(result, name)[0]["value"] for name in ("out", "refined"))
    np.testing.assert_allclose(after, before, atol=1e-6)


def test_a_start_image_of_another_size_is_brought_to_the_clips(run_prompt, probed):
    big = {"big": node("EmptyImage", width=2 * SIZE[0], height=2 * SIZE[1], batch_size=2, color=0xF0A020)}
    one, other = (
        probed(run_prompt(big | refined(start_image=[name, 0])), "refined")[0]["value"] for name in ("c2", "big")
    )
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_conditions_of_another_length_are_named(run_prompt):
    prompt = refined()
    prompt["fit"] = node("PAMFitConditions", conditions=["c3", 0], width=SIZE[0], height=SIZE[1], length=3, frames="first", fps=0.0)
    prompt["r"]["inputs"]["conditions"] = ["fit", 0]
    with pytest.raises(NodeFailed, match=f"Expected conditions of {LENGTH} frames of 48 x 32 like the pictures, found 3 of 48 x 32"):
        run_prompt(prompt)


def test_first_frames_are_refined_each_by_itself(run_prompt, probed):
    """A batch of pictures of another number than the conditions' frames."""
    prompt = refined(shows="its first frame")
    prompt["one"] = node("ImageFromBatch", image=["d", 0], batch_index=1, length=1)
    prompt["r1"] = {**prompt["r"], "inputs": {**prompt["r"]["inputs"], "images": ["one", 0]}}
    prompt["alone"] = node("PamProbe", value=["r1", 0], name="alone")
    result = run_prompt(prompt)
    batch, alone = (probed(result, name)[0]["value"] for name in ("refined", "alone"))
    assert len(batch) == LENGTH and alone.shape == (1, SIZE[1], SIZE[0], 3)
    np.testing.assert_allclose(alone[0], batch[1], atol=1e-5)
