"""Meshes that cannot be used, through the loader node of a running host: one sentence each."""

import numpy as np
import pytest

from hostkit.client import NodeFailed

from .mini_graphs import node

CUBE = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float) * 0.06
FACES = [(1, 2, 4), (1, 4, 3), (5, 7, 8), (5, 8, 6), (1, 5, 6), (1, 6, 2), (3, 4, 8), (3, 8, 7), (1, 3, 7), (1, 7, 5), (2, 6, 8), (2, 8, 4)]


def obj(vertices: np.ndarray) -> str:
    lines = [f"v {' '.join(map(str, vertex))}" for vertex in vertices] + [f"f {a} {b} {c}" for a, b, c in FACES]
    return "\n".join(lines)


FILES = {
    "empty.obj": ("", "empty|no (faces|triangles|vertices)"),
    "nan.obj": (obj(np.where(CUBE == 0, np.nan, CUBE)), "NaN|finite"),
    "flat.obj": (obj(CUBE * [1, 1, 0]), "flat|thick"),
    "millimetres.obj": (obj(CUBE * 1000), "units to mm"),
    "dust.obj": (obj(CUBE * 0.01), "units|scale|small"),
}


@pytest.mark.parametrize("name", FILES)
def test_unusable_mesh_is_explained(run_prompt, host, name):
    content, sentence = FILES[name]
    folder = host.base / "input/3d"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(content)
    settings = dict(mesh_file=f"3d/{name}", units="m", scale=1.0, up_axis="auto", recenter=True, name="", label=14)
    prompt = {"1": node("PAMLoadObjectMesh", **settings), "2": node("PamProbe", value=["1", 1], name="mesh")}
    with pytest.raises(NodeFailed, match=sentence) as failure:
        run_prompt(prompt)
    assert "Traceback" not in failure.value.message and len(failure.value.message) < 400
