"""Imports point one way: nodes -> host -> core, and core never sees the host."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "pam_nodes"
HOST_MODULES = set("comfy comfy_api comfy_execution comfy_extras folder_paths latent_preview node_helpers nodes server".split())
LAYERS = [
    {"nodes"},
    {"host"},
    {"__main__"},
    {"training", "evaluation", "cli"},
    {"dataset"},
    {"headless"},
    {"appearance", "motion", "mini", "assess", "prompting"},
    {"conditions", "recordings"},
    {"grasp"},
    {"hands"},
    {"geometry"},
    {"progress", "weights", "chart", "assets", "tensor_files"},
]
HEAVY = {"torch", "diffusers", "mujoco", "scipy", "trimesh", "transformers", "smplx", "pyrender"}
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}
FILES = sorted(PACKAGE.rglob("*.py"))


def layer_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path, top_level_only: bool = False) -> list[tuple[int, str]]:
    """(level, dotted name) of each import of a file."""
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level_only else ast.walk(tree)
    found = []
    for node in nodes:
        if isinstance(node, ast.Import):
            found += [(0, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [(node.level, f"{node.module or ''}.{alias.name}".strip(".")) for alias in node.names]
    return found


@pytest.mark.parametrize("path", [p for p in FILES if layer_of(p) not in {"nodes", "host"}], ids=lambda p: str(p.relative_to(PACKAGE)))
def test_core_never_imports_the_host(path):
    assert not [name for level, name in imports(path) if level == 0 and name.split(".")[0] in HOST_MODULES]


@pytest.mark.parametrize("path", [p for p in FILES if p.name != "__init__.py"], ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_downwards(path):
    package = ("pam_nodes", *path.relative_to(PACKAGE).parts[:-1])
    for level, name in imports(path):
        if level == 0:
            assert name.split(".")[0] != "pam_nodes", f"{path}: use a relative import, the host does not put the pack on sys.path"
            continue
        parts = (*package[: len(package) - level + 1], *name.split("."))
        if len(parts) > 1 and parts[1] in RANK and layer_of(path) in RANK:
            assert RANK[layer_of(path)] <= RANK[parts[1]], f"{layer_of(path)} must not import {parts[1]}"


@pytest.mark.parametrize("path", [p for p in FILES if layer_of(p) == "nodes"], ids=lambda p: p.name)
def test_nodes_import_nothing_heavy_at_start(path):
    assert not [name for level, name in imports(path, top_level_only=True) if level == 0 and name.split(".")[0] in HEAVY]
