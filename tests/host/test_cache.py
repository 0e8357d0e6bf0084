"""What runs again when a graph is queued a second time: nothing, or only what a change reaches."""

import copy
import json

import pytest

from hostkit.convert import convert
from hostkit.host import ROOT
from tests.grasp.policies import checkpoint, closing

WORKFLOWS = sorted((ROOT / "workflows").glob("*.json"))


def sources(item: dict) -> set[str]:
    """Ids of the nodes one node is fed by."""
    return {value[0] for value in item["inputs"].values() if isinstance(value, list) and len(value) == 2}


def upstream(prompt: dict, node: str) -> dict:
    """The part of a prompt that one node needs, itself included."""
    needed, todo = {}, [node]
    while todo:
        name = todo.pop()
        if name not in needed:
            needed[name] = prompt[name]
            todo += sources(prompt[name])
    return needed


def downstream(prompt: dict, node: str) -> set[str]:
    """Ids of a node and of all that it reaches."""
    reached = {node}
    while more := {name for name, item in prompt.items() if name not in reached and sources(item) & reached}:
        reached |= more
    return reached


def find(prompt: dict, class_type: str) -> str | None:
    """Id of the first node of a class."""
    return next((node for node, item in prompt.items() if item["class_type"] == class_type), None)


@pytest.fixture(autouse=True)
def policy_file(host):
    """A policy under the name that the workflows ask for."""
    folder = host.base / "models" / "graspxl"
    folder.mkdir(parents=True, exist_ok=True)
    path = checkpoint(folder, closing())
    yield
    path.unlink()


@pytest.fixture(params=WORKFLOWS, ids=lambda path: path.stem)
def scene(request, client, run_prompt):
    """The pose stage and the condition pictures of a shipped workflow, ending in a probe, run once."""
    prompt = convert(json.loads(request.param.read_text(encoding="utf-8")), client.object_info())
    render = find(prompt, "PAMRenderConditions")
    if render is None:
        pytest.skip("renders no conditions")
    cut = upstream(prompt, render)
    cut["probe"] = {"class_type": "PamProbe", "inputs": {"value": [render, 0], "name": "cache"}}
    run_prompt(cut)
    return cut


def test_unchanged_graph_is_cached(scene, run_prompt):
    again = run_prompt(scene)
    assert again.cached == set(scene)
    assert again.executed == []


def test_new_camera_spares_the_rollout(scene, run_prompt):
    camera = find(scene, "PAMHOICamera")
    changed = copy.deepcopy(scene)
    changed[camera]["inputs"]["azimuth"] += 10.0
    result = run_prompt(changed)
    assert set(result.executed) == downstream(changed, camera)
    assert "PAMGraspRollout" not in {changed[node]["class_type"] for node in result.executed}
