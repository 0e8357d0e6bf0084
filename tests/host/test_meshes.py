"""Meshes over links that are not files: tensors in core's layout and trimesh objects. Needs no running server."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
import trimesh

from pam_nodes.geometry.mesh_io import MeshOptions
from pam_nodes.geometry.primitives import demo_object
from pam_nodes.host.meshes import object_from_link


@dataclass
class Batch:
    """The fields of core's ``Types.MESH`` that matter here."""

    vertices: torch.Tensor
    faces: torch.Tensor
    vertex_counts: torch.Tensor | None = None
    face_counts: torch.Tensor | None = None


def y_up(mesh) -> torch.Tensor:
    return torch.tensor(mesh.vertices[:, [0, 2, 1]] * np.array([1, 1, -1], np.float32))[None]


def test_core_mesh_is_y_up_and_loses_its_padding():
    box = demo_object("box")
    vertices = torch.cat([y_up(box), torch.full((1, 5, 3), 9.0)], 1)
    faces = torch.cat([torch.tensor(box.faces)[None], torch.zeros(1, 7, 3, dtype=torch.int64)], 1)
    batch = Batch(vertices, faces, torch.tensor([len(box.vertices)]), torch.tensor([len(box.faces)]))
    found = object_from_link(batch, MeshOptions(), "carton", 2)
    np.testing.assert_allclose(found.vertices, box.vertices, atol=1e-6)
    np.testing.assert_array_equal(found.faces, box.faces)
    assert (found.name, found.label) == ("carton", 2)
    assert torch.equal(batch.vertices, vertices)


def test_trimesh_and_its_scene_are_taken_as_they_are():
    box = demo_object("box")
    solid = trimesh.Trimesh(box.vertices, box.faces, process=False)
    for value in (solid, trimesh.Scene(solid)):
        np.testing.assert_allclose(object_from_link(value, MeshOptions(), "carton", 2).vertices, box.vertices, atol=1e-6)


def test_anything_else_is_refused():
    with pytest.raises(ValueError, match="Expected a 3D file, a mesh or a trimesh object, found str"):
        object_from_link("mug.obj", MeshOptions(), "mug", 14)
