"""Meshes that come over a link: core's FILE_3D and MESH types and the TRIMESH of other packs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..geometry.mesh import ObjectMesh
from ..geometry.mesh_io import MeshOptions, load_mesh, object_from_arrays


def object_from_link(value: Any, options: MeshOptions, name: str, label: int) -> ObjectMesh:
    """Turn a linked mesh into an object.

    Args:
        value: ``Types.File3D``, ``Types.MESH`` (its first item; Y up unless the options say otherwise), or anything with vertices and
            faces, such as a trimesh mesh or scene.
        options: units, scale and up axis.
        name, label: as in ``ObjectMesh``.

    Raises:
        ValueError: no such thing, or a mesh that cannot be used.
    """
    if hasattr(value, "get_data"):
        return load_mesh(value.get_data().getvalue(), options, value.format, name, label)
    mesh = value.to_mesh() if hasattr(value, "geometry") and hasattr(value, "to_mesh") else value
    if not (hasattr(mesh, "vertices") and hasattr(mesh, "faces")):
        raise ValueError(f"Expected a 3D file, a mesh or a trimesh object, found {type(value).__name__}.")
    vertices, faces = mesh.vertices, mesh.faces
    if getattr(vertices, "ndim", 2) == 3:
        vertices, faces = _first(vertices, getattr(mesh, "vertex_counts", None)), _first(faces, getattr(mesh, "face_counts", None))
        if options.up_axis == "auto":
            options = replace(options, up_axis="y")
    return object_from_arrays(vertices, faces, options, name, label)


def _first(batch: Any, counts: Any) -> Any:
    """First item of a (B, N, 3) tensor without its padding, as an array."""
    item = batch[0] if counts is None else batch[0][: int(counts[0])]
    return item.detach().cpu().numpy()
