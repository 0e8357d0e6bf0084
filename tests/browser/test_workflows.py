"""The shipped workflows in the page: nothing missing, nothing red or covered, and the same prompt as the headless converter makes."""

import itertools
import json
from pathlib import Path

import pytest

from hostkit.convert import convert
from hostkit.host import ROOT

SHIPPED = sorted((ROOT / "workflows").glob("*.json"))
FEATURES = Path(__file__).parent / "data" / "frontend_features.json"


def comparable(prompt: dict, object_info: dict) -> dict:
    """Node class, title and declared inputs by node id; the page adds values of widgets that only it knows."""
    compared = {}
    for node, item in prompt.items():
        groups = object_info[item["class_type"]]["input"]
        declared = {name for group in ("required", "optional") for name in groups.get(group, {})}
        inputs = {name: value for name, value in item["inputs"].items() if name.split(".")[0] in declared}
        compared[node] = (item["class_type"], item["_meta"]["title"], inputs)
    return compared


def overlap(one: list[float], two: list[float]) -> bool:
    """True if two boxes, x, y, width and height, share more than a pixel in both directions."""
    return all(min(one[i] + one[i + 2], two[i] + two[i + 2]) - max(one[i], two[i]) > 1 for i in (0, 1))


def overlapping(drawn: list[dict]) -> list[tuple[str, str]]:
    return [(a["title"], b["title"]) for a, b in itertools.combinations(drawn, 2) if overlap(a["box"], b["box"])]


def within(inner: list[float], outer: list[float]) -> bool:
    return all(inner[i] >= outer[i] - 1 and inner[i] + inner[i + 2] <= outer[i] + outer[i + 2] + 1 for i in (0, 1))


@pytest.mark.parametrize("nodes2", [False, True], ids=["classic", "nodes2"])
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_workflow_opens(path, nodes2, open_workflow, client):
    page = open_workflow(path, nodes2)
    assert len(page["nodes"]) == len(json.loads(path.read_text())["nodes"])
    assert page["missing"] == []
    assert (page["rendered"] > 0) == nodes2
    ours = [error for error in page["errors"] if "pam_hoi" in error["url"] + error["text"] or "Uncaught" in error["text"]]
    assert ours == []
    assert overlapping(page["nodes"]) == [] and overlapping(page["groups"]) == []
    assert [node["title"] for node in page["nodes"] if not any(within(node["box"], group["box"]) for group in page["groups"])] == []
    info = client.object_info()
    assert comparable(page["prompt"], info) == comparable(convert(json.loads(path.read_text()), info), info)


def test_converter_equals_the_frontend(open_workflow, client):
    """Muted, bypassed, reroute, primitive and note nodes, converted widgets, seeds, dynamic combos, uploads, missing values."""
    page, info = open_workflow(FEATURES), client.object_info()
    assert len(page["prompt"]) == 13
    assert comparable(page["prompt"], info) == comparable(convert(json.loads(FEATURES.read_text()), info), info)
