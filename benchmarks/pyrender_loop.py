"""The usual pyrender loop, the peer of ``benchmarks.rasterizer``. Run by it, with a Python of its own that has pyrender and scipy.

python benchmarks/pyrender_loop.py scene.npz [--repeat 3]

Persistent renderer and scene; for each frame the object's pose is set, the hand's Mesh is built anew, and two passes are drawn:
segmentation with depth, and normals (the FLAT program replaced by one that writes the camera-space normal).
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("PYOPENGL_PLATFORM", "egl")

import numpy as np
import pyrender
import scipy.sparse  # noqa: F401  (else trimesh works out normals in Python, and the loop is many times slower than it need be)
import trimesh
from pyrender.constants import RenderFlags
from pyrender.shader_program import ShaderProgram, ShaderProgramCache

VERTEX = """#version 330 core
layout(location = 0) in vec3 position;
#ifdef NORMAL_LOC
layout(location = NORMAL_LOC) in vec3 normal;
#endif
layout(location = INST_M_LOC) in mat4 inst_m;
uniform mat4 M; uniform mat4 V; uniform mat4 P;
out vec3 towards;
void main() { mat4 MV = V * M * inst_m; gl_Position = P * MV * vec4(position, 1); towards = mat3(MV) * normal; }
"""
FRAGMENT = """#version 330 core
in vec3 towards; out vec4 frag_color;
void main() { frag_color = vec4(normalize(towards) * 0.5 + 0.5, 1.0); }
"""
GL = np.diag([1.0, -1.0, -1.0, 1.0])


class NormalPrograms(ShaderProgramCache):
    """pyrender's programs with FLAT replaced by normals."""

    def __init__(self, folder: Path):
        super().__init__()
        self.paths = folder / "normal.vert", folder / "normal.frag"
        for path, text in zip(self.paths, (VERTEX, FRAGMENT), strict=True):
            path.write_text(text)

    def get_program(self, vertex_shader, fragment_shader, geometry_shader=None, defines=None):
        """The program of some shaders."""
        if vertex_shader != "flat.vert":
            return super().get_program(vertex_shader, fragment_shader, geometry_shader, defines)
        key = ("normal", tuple(sorted((defines or {}).items())))
        if key not in self._program_cache:
            self._program_cache[key] = ShaderProgram(*map(str, self.paths), None, defines)
        return self._program_cache[key]


def loop(data, renderer, scene) -> list[np.ndarray]:
    """Draw every frame: depth, ids, normals."""
    frames, (width, height) = len(data["poses"]), data["size"].tolist()
    depth, ids = np.empty((frames, height, width), np.float32), np.empty((frames, height, width), np.uint8)
    normals = np.empty((frames, height, width, 3), np.uint8)
    body = pyrender.Mesh.from_trimesh(trimesh.Trimesh(data["object"], data["object_faces"], process=False))
    solid, hand = scene.add(body), None
    for t in range(frames):
        scene.set_pose(solid, data["poses"][t])
        if hand is not None:
            scene.remove_node(hand)
        hand = scene.add(pyrender.Mesh.from_trimesh(trimesh.Trimesh(data["hand"][t], data["hand_faces"], process=False)))
        colors = {hand: [1, 1, 1], solid: [2, 2, 2]}
        picture, depth[t] = renderer.render(scene, flags=RenderFlags.SEG | RenderFlags.SKIP_CULL_FACES, seg_node_map=colors)
        ids[t] = picture[..., 0]
        normals[t] = renderer.render(scene, flags=RenderFlags.FLAT | RenderFlags.SKIP_CULL_FACES)[0][..., :3]
    scene.remove_node(hand)
    scene.remove_node(solid)
    return [depth, ids, normals]


def main() -> None:
    """Print the best wall and processor time of a frame as JSON, and the ids of the middle frame to a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scene")
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    data = dict(np.load(options.scene))
    k = data["intrinsics"]
    scene = pyrender.Scene(bg_color=[0, 0, 0, 0], ambient_light=[0.3, 0.3, 0.3])
    # pyrender counts pixels from their corner.
    lens = pyrender.IntrinsicsCamera(k[0, 0], k[1, 1], k[0, 2] + 0.5, k[1, 2] + 0.5, znear=0.05, zfar=10.0)
    scene.add(lens, pose=np.linalg.inv(data["world_to_camera"]) @ GL)
    renderer = pyrender.OffscreenRenderer(*data["size"].tolist())
    with tempfile.TemporaryDirectory() as folder:
        renderer._renderer._program_cache = NormalPrograms(Path(folder))
        wall, cpu = [], []
        for _ in range(options.repeat + 1):
            start = time.perf_counter(), time.process_time()
            depth, ids, _ = loop(data, renderer, scene)
            wall.append(time.perf_counter() - start[0])
            cpu.append(time.process_time() - start[1])
    np.savez(options.scene + ".out.npz", depth=depth, ids=ids)
    print(json.dumps({"wall": min(wall[1:]), "cpu": min(cpu[1:]), "frames": len(ids)}))
    renderer.delete()


if __name__ == "__main__":
    main()
