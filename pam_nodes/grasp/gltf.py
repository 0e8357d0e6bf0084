"""Just enough of glTF 2.0 to write one binary file (.glb): buffer views, accessors, nodes, meshes, skins and one animation."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np

_COMPONENT = {np.dtype(np.float32): 5126, np.dtype(np.uint32): 5125, np.dtype(np.uint8): 5121}
_KIND = {(): "SCALAR", (3,): "VEC3", (4,): "VEC4", (4, 4): "MAT4"}
_VERTEX_DATA, _INDEX_DATA = 34962, 34963
LINE_STRIP, TRIANGLES = 3, 4


class GlbWriter:
    """Collects the parts of a scene and writes them as one file (Khronos glTF 2.0 specification, sections 3 and 4)."""

    def __init__(self) -> None:
        names = ("accessors", "bufferViews", "materials", "meshes", "nodes", "skins")
        self._lists: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        self._binary = bytearray()
        self._channels: list[dict[str, Any]] = []
        self._samplers: list[dict[str, Any]] = []

    def _add(self, name: str, item: dict[str, Any]) -> int:
        self._lists[name].append(item)
        return len(self._lists[name]) - 1

    def accessor(self, array: np.ndarray, target: int | None = None, bounds: bool = False) -> int:
        """Store an array (N, ...) of float32, uint32 or uint8; ``bounds`` writes min and max, as positions and key times need."""
        array = np.ascontiguousarray(array)
        self._binary.extend(b"\0" * (-len(self._binary) % 4))
        view = {"buffer": 0, "byteOffset": len(self._binary), "byteLength": array.nbytes}
        if target:
            view["target"] = target
        self._binary.extend(array.tobytes())
        entry: dict[str, Any] = {
            "bufferView": self._add("bufferViews", view),
            "componentType": _COMPONENT[array.dtype],
            "count": len(array),
            "type": _KIND[array.shape[1:]],
        }
        if bounds:
            flat = array.reshape(len(array), -1)
            entry["min"], entry["max"] = flat.min(0).tolist(), flat.max(0).tolist()
        return self._add("accessors", entry)

    def material(self, color: tuple[float, float, float], name: str, double_sided: bool = False) -> int:
        """A matt material of one RGB colour in 0..1."""
        surface = {"baseColorFactor": [*map(float, color), 1.0], "metallicFactor": 0.0, "roughnessFactor": 0.8}
        return self._add("materials", {"name": name, "pbrMetallicRoughness": surface, "doubleSided": double_sided})

    def mesh(
        self,
        name: str,
        material: int,
        vertices: np.ndarray,
        faces: np.ndarray | None = None,
        attributes: dict[str, np.ndarray] | None = None,
        mode: int = TRIANGLES,
    ) -> int:
        """One primitive: vertices (V, 3), indices (F, 3) unless they are in drawing order, and further vertex attributes."""
        arrays = {"POSITION": self.accessor(vertices.astype(np.float32), _VERTEX_DATA, bounds=True)}
        for key, values in (attributes or {}).items():
            arrays[key] = self.accessor(values, _VERTEX_DATA)
        primitive: dict[str, Any] = {"attributes": arrays, "material": material, "mode": mode}
        if faces is not None:
            primitive["indices"] = self.accessor(faces.astype(np.uint32).ravel(), _INDEX_DATA)
        return self._add("meshes", {"name": name, "primitives": [primitive]})

    def node(self, name: str, **properties: Any) -> int:
        """A node with any of glTF's properties: mesh, skin, children, translation, rotation."""
        return self._add("nodes", {"name": name, **properties})

    def skin(self, joints: list[int], inverse_binds: np.ndarray) -> int:
        """Joint nodes, the root first, with their inverse bind matrices (J, 4, 4), row vectors on the left as in NumPy."""
        matrices = np.swapaxes(inverse_binds, 1, 2).astype(np.float32)
        return self._add("skins", {"joints": joints, "skeleton": joints[0], "inverseBindMatrices": self.accessor(matrices)})

    def animate(self, node: int, path: str, times: int, values: np.ndarray) -> None:
        """Move a node's translation (T, 3) or rotation (T, 4) xyzw linearly through key values; ``times`` is an accessor."""
        self._samplers.append({"input": times, "output": self.accessor(values.astype(np.float32)), "interpolation": "LINEAR"})
        self._channels.append({"sampler": len(self._samplers) - 1, "target": {"node": node, "path": path}})

    def to_bytes(self, roots: list[int], clip: str = "motion") -> bytes:
        """The file, with one scene of the given root nodes."""
        self._binary.extend(b"\0" * (-len(self._binary) % 4))
        document = {
            "asset": {"version": "2.0", "generator": "PAM"},
            "scene": 0,
            "scenes": [{"nodes": roots}],
            "buffers": [{"byteLength": len(self._binary)}],
            **{name: items for name, items in self._lists.items() if items},
        }
        if self._channels:
            document["animations"] = [{"name": clip, "channels": self._channels, "samplers": self._samplers}]
        text = json.dumps(document, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 4)
        chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(self._binary), b"BIN\0") + bytes(self._binary)
        return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks
