"""What every node of the pack must show a person, and what every shipped workflow must be."""

import json

import pytest

from hostkit.convert import convert
from hostkit.host import ROOT

WORKFLOWS = sorted((ROOT / "workflows").glob("*.json"))


@pytest.fixture(scope="module")
def object_info(host_session):
    """/object_info, read once; empty without a host (the tests then skip through ``host``)."""
    if isinstance(host_session, str):
        return {}
    from hostkit.client import Client

    return Client(host_session.url).object_info()


@pytest.fixture
def ours(host, object_info):
    """The node classes of this pack by id."""
    return {name: info for name, info in object_info.items() if info["python_module"] == "custom_nodes.pam_hoi"}


def inputs_of(info: dict) -> dict[str, list]:
    return {name: spec for group in ("required", "optional") for name, spec in info["input"].get(group, {}).items()}


def test_pack_is_imported(host, ours):
    log = host.log.read_text(errors="replace")
    assert "IMPORT FAILED" not in log, host.log_tail(80)
    assert "pam_hoi" in log


def test_ids_names_and_categories(ours):
    for name, info in ours.items():
        assert name.startswith("PAM") and name.isidentifier(), name
        assert info["display_name"].endswith("(PAM)"), name
        assert info["category"].startswith("PAM/"), f"{name}: {info['category']}"
        assert len(info["description"]) > 20, f"{name} needs a description"


def test_every_socket_has_a_tooltip(ours):
    bare = [f"{name}.{key}" for name, info in ours.items() for key, spec in inputs_of(info).items() if not spec[1].get("tooltip")]
    for name, info in ours.items():
        tips = info["output_tooltips"] or [None] * len(info["output"])
        bare += [f"{name} -> {output}" for output, tip in zip(info["output_name"], tips, strict=True) if not tip]
    assert bare == []


def test_every_node_has_a_help_page(ours):
    """The page names the node, and every help page belongs to a node."""
    pages = {page.stem: page.read_text(encoding="utf-8") for page in (ROOT / "web/docs").glob("*.md")}
    assert set(pages) == set(ours)
    for name, text in pages.items():
        title = ours[name]["display_name"].removesuffix(" (PAM)")
        assert title in text and len(text) > 200, name


def test_every_node_is_used_by_a_workflow(ours):
    if not WORKFLOWS:
        pytest.skip("no workflow is shipped yet")
    used = {node["type"] for path in WORKFLOWS for node in json.loads(path.read_text(encoding="utf-8"))["nodes"]}
    assert set(ours) - used == set()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_shipped_workflow(path, ours, object_info, client):
    """It converts, all its classes exist, it is offered as a template, and it has a thumbnail."""
    workflow = json.loads(path.read_text(encoding="utf-8"))
    prompt = convert(workflow, object_info)
    assert set(ours) & {node["class_type"] for node in prompt.values()}
    for node, item in prompt.items():
        required = object_info[item["class_type"]]["input"].get("required", {})
        assert set(required) <= {name.split(".")[0] for name in item["inputs"]}, f"node {node} ({item['class_type']}) lacks an input"
    assert path.stem in client.get("/workflow_templates")["pam_hoi"]
    assert path.with_suffix(".jpg").is_file()


def test_readme_lists_every_node(ours):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name, info in ours.items() if info["display_name"].removesuffix(" (PAM)") not in text] == []
