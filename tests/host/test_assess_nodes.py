"""Prompts, scores, picking and the check of a clip in the host."""

import numpy as np
import pytest

from hostkit.client import NodeFailed
from pam_nodes.assess.landmarks import available
from pam_nodes.prompting.compose import Wording, compose
from pam_nodes.prompting.presets import PRESETS

from .mini_graphs import find, node, shipped
from .test_condition_nodes import filmed, probe
from .test_modality_nodes import VIEW, fetched

WORDS = dict.fromkeys(("skin", "action", "color", "object", "scene", "light", "camera"), "")
PROMPT = dict(preset="mini appearance", seed=3, count=1, template="", lists="", **WORDS)
DEMANDS = dict(min_hands=0.0, max_error=0.0, min_shape=0.5, max_flicker=6.0, max_drift=0.2, stop_below=0.0, annotate=True)
PICK = dict(pick="best score", index=-1, stop_below=0.0)


@pytest.fixture
def scene():
    """``filmed`` from a fixed camera (5), its shaded film (6, 6) and its bundle with flow ("flow", 3)."""
    flow = node("PAMOpticalFlow", **{**VIEW, "camera": ["5", 0]}, table=False, full_color=0.0, conditions=["6", 0])
    return filmed(preview=True) | {"flow": flow}


def test_presets_are_offered(client):
    assert client.object_info()["PAMHOIPrompt"]["input"]["required"]["preset"][1]["options"] == list(PRESETS)


def test_prompts_run_what_follows_once_each(run_prompt, probed):
    """Three prompts: three seeds and colours, and a text encoder that runs three times."""
    prompt = {
        "mug": {"class_type": "PAMDemoObject", "inputs": {"kind": "mug", "size": 1.0, "natural_color": True, "color": "#b83a2e"}},
        "words": node("PAMHOIPrompt", **{**PROMPT, "count": 3, "action": "{lifting}"}, hoi_object=["mug", 0]),
        "joined": node("StringConcatenate", string_a=["words", 0], string_b=["words", 3], delimiter="|"),
        "shown": node("PreviewAny", source=["joined", 0]),
        "seeds": node("PreviewAny", source=["words", 2]),
    }
    result = run_prompt(prompt)
    lines = result.outputs["words"]["text"][0].splitlines()
    texts = result.outputs["shown"]["text"]
    assert len(texts) == len(lines) == 3 and len(set(texts)) == 3
    for text, line in zip(texts, lines, strict=True):
        words, color = text.split("|")
        assert words == line and f" {color} mug " in words and " hand lifting " in words
    assert result.outputs["seeds"]["text"] == ["3", "4", "5"]


def test_wrong_wildcards_stop_the_node(run_prompt):
    with pytest.raises(NodeFailed, match='list of the name "metal"'):
        run_prompt({"w": node("PAMHOIPrompt", **{**PROMPT, "color": "__metal__"}), "p": node("PreviewAny", source=["w", 0])})


def test_frames_are_scored_and_the_best_is_picked(run_prompt, probed, scene):
    """The film's own frames against frame 4: the last of them is best, and its text comes with it."""
    scene |= {
        "score": node("PAMScoreHOIFrames", images=["6", 6], conditions=["6", 0], frame=4, object_color=""),
        "words": node("PAMHOIPrompt", **{**PROMPT, "count": 5}),
        "pick": node(
            "PAMPickFrame", images=["6", 6], scores=["score", 0], annotated=["score", 1], texts=["words", 0], seeds=["words", 2], **PICK
        ),
    }  # fmt: skip
    outputs = {"report": ("score", 2), "best": ("score", 3), "drawn": ("score", 1), "image": ("pick", 0), "index": ("pick", 1)}
    outputs |= {"score": ("pick", 2), "text": ("pick", 3), "seed": ("pick", 4), "film": ("6", 6)}
    got = fetched(run_prompt, probed, scene, outputs)
    assert got["best"] == got["index"] == 4 and got["score"] > 0.5 and len(got["report"].splitlines()) == 5
    np.testing.assert_array_equal(got["image"][0], got["film"][4])
    assert got["drawn"].shape == (5, 356, 480, 3) and got["seed"] == 7
    assert got["text"] == compose(Wording("mini appearance"), 3, 5)[4].text
    shown = run_prompt(scene).outputs["pick"]
    assert len(shown["images"]) == 5 and shown["text"][0].startswith("Picture 4 of 5")


def test_picking_by_eye_waits_and_then_runs_only_what_follows(run_prompt, probed, scene):
    scene |= {"pick": node("PAMPickFrame", images=["6", 6], **{**PICK, "pick": "by eye"}), "out": probe("picked", "pick", 0)}
    waiting = run_prompt(scene)
    assert "out" not in waiting.outputs and len(waiting.outputs["pick"]["images"]) == 5
    assert "set index" in waiting.outputs["pick"]["text"][0]
    scene["pick"]["inputs"]["index"] = 2
    chosen = run_prompt(scene)
    assert set(chosen.executed) == {"pick", "out"}
    assert probed(chosen, "out")[0]["value"].shape == (1, 64, 96, 3)


def test_poor_frames_stop_the_workflow(run_prompt, scene):
    scene |= {
        "black": node("EmptyImage", width=96, height=64, batch_size=2, color=0),
        "score": node("PAMScoreHOIFrames", images=["black", 0], conditions=["6", 0], frame=0, object_color="red"),
        "pick": node("PAMPickFrame", images=["black", 0], scores=["score", 0], **{**PICK, "stop_below": 0.5}),
    }
    with pytest.raises(NodeFailed, match=r"is below 0\.5: try other seeds"):
        run_prompt(scene)


def test_clip_is_judged(run_prompt, probed, scene):
    scene |= {
        "check": node("PAMHOIConsistency", images=["6", 6], conditions=["flow", 3], **DEMANDS),
        "black": node("EmptyImage", width=96, height=64, batch_size=5, color=0x808080),
        "wrong": node("PAMHOIConsistency", images=["black", 0], conditions=["flow", 3], **DEMANDS),
    }
    outputs = {"passed": ("check", 2), "score": ("check", 1), "report": ("check", 3), "plot": ("check", 4), "drawn": ("check", 5)}
    outputs |= {"images": ("check", 0), "film": ("6", 6), "failed": ("wrong", 2), "low": ("wrong", 1)}
    got = fetched(run_prompt, probed, scene, outputs)
    assert got["passed"] is True and got["score"] == 1 and got["failed"] is False and got["low"] < 0.7
    assert "Object up to" in got["report"] and "Motion fidelity" in got["report"]
    assert got["plot"].shape == (1, 600, 640, 3) and got["drawn"].shape == (5, 356, 480, 3)
    np.testing.assert_array_equal(got["images"], got["film"])
    scene["wrong"]["inputs"]["stop_below"] = 1.0
    with pytest.raises(NodeFailed, match=r"HOI Consistency: the score .* missed: shape"):
        run_prompt(scene | {"out": probe("stopped", "wrong", 0)})


def test_clips_of_another_length_are_refused(run_prompt, scene):
    scene |= {
        "short": node("EmptyImage", width=96, height=64, batch_size=3, color=0),
        "check": node("PAMHOIConsistency", images=["short", 0], conditions=["6", 0], **DEMANDS),
        "out": probe("refused", "check", 1),
    }
    with pytest.raises(NodeFailed, match=r"Expected 5 pictures.*found 3"):
        run_prompt(scene)


def test_shipped_workflow_picks_and_checks(run_prompt, client, host):
    """Two prompts, two pictures, the better one into a clip, the clip measured, on the small models with few steps."""
    prompt = shipped("pick_and_check", client.object_info())
    for item in prompt.values():
        changes = {"PAMHOIPrompt": {"count": 2}, "KSampler": {"steps": 6}}.get(item["class_type"], {})
        item["inputs"].update(changes)
    result = run_prompt(prompt)
    pick = result.outputs[find(prompt, "PAMPickFrame")]
    assert len(pick["images"]) == 2 and pick["text"][0].startswith("Picture ")
    report = result.outputs[find(prompt, "PAMScoreHOIFrames")]["text"][0]
    scores = [float(line[2:].split(":")[1].split(";")[0]) for line in report.splitlines()[:2]]
    assert max(scores) > 0.4 and f"score {max(scores):.2f}" in pick["text"][0]
    if available():
        assert "hand" in report
    measured = result.outputs[find(prompt, "PAMHOIConsistency")]["text"][0]
    assert "Object up to" in measured and "Background changes" in measured
    assert host.file(result.outputs[find(prompt, "SaveVideo")]["images"][0]).stat().st_size > 5000
