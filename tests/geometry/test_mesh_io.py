"""Mesh files of people: good ones load in metres and Z up, bad ones get one sentence."""

import numpy as np
import pytest
import trimesh

from pam_nodes.geometry.mesh_io import FORMATS, MAX_FACES, MeshOptions, describe, load_mesh, object_from_arrays
from pam_nodes.geometry.primitives import demo_object


def as_trimesh(kind="mug", factor=1.0):
    mesh = demo_object(kind)
    return trimesh.Trimesh(mesh.vertices * factor, mesh.faces, process=False)


def obj_text(vertices, faces):
    lines = ["v " + " ".join(map(str, v)) for v in vertices] + ["f " + " ".join(str(i + 1) for i in f) for f in faces]
    return "\n".join(lines).encode()


TETRAHEDRON = (np.array([[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0], [0, 0, 0.1]]), np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]]))


@pytest.mark.parametrize("file_format", FORMATS)
def test_every_format_keeps_shape_and_closedness(tmp_path, file_format):
    path = tmp_path / f"cup.{file_format.upper()}"
    as_trimesh().export(path, file_type=file_format)
    found, mug = load_mesh(path, MeshOptions(up_axis="z", centered=False)), demo_object("mug")
    np.testing.assert_allclose(found.extents, mug.extents, atol=1e-6)
    assert (len(found.vertices), len(found.faces), found.name) == (len(mug.vertices), len(mug.faces), "cup")
    solid = trimesh.Trimesh(found.vertices, found.faces, process=False)
    assert solid.is_watertight
    assert solid.volume == pytest.approx(as_trimesh().volume, rel=1e-4)


def test_order_of_vertices_is_kept(tmp_path):
    as_trimesh().export(tmp_path / "a.ply")
    np.testing.assert_allclose(load_mesh(tmp_path / "a.ply", MeshOptions(centered=False)).vertices, demo_object("mug").vertices, atol=1e-7)


def test_glb_is_y_up_by_default_and_others_are_not():
    upright = as_trimesh("bottle")
    upright.apply_transform(trimesh.transformations.rotation_matrix(-np.pi / 2, [1, 0, 0]))  # Z up to Y up
    glb = upright.export(file_type="glb")
    np.testing.assert_allclose(load_mesh(glb, file_format="glb").extents, demo_object("bottle").extents, atol=1e-6)
    np.testing.assert_allclose(load_mesh(glb, file_format="glb").vertices, demo_object("bottle").vertices, atol=1e-5)
    assert load_mesh(glb, MeshOptions(up_axis="z"), "glb").extents[1] == pytest.approx(0.215, abs=1e-3)


def test_parts_of_a_scene_are_joined_where_they_stand():
    scene = trimesh.Scene()
    scene.add_geometry(as_trimesh("ball"))
    scene.add_geometry(as_trimesh("ball"), transform=trimesh.transformations.translation_matrix([0.3, 0, 0]))
    found = load_mesh(scene.export(file_type="glb"), MeshOptions(up_axis="z"), "glb")
    np.testing.assert_allclose(found.extents, [0.368, 0.068, 0.068], atol=1e-4)


@pytest.mark.parametrize(("units", "factor"), [("m", 1), ("cm", 100), ("mm", 1000), ("inch", 1 / 0.0254)])
def test_units_lead_to_the_same_object(units, factor):
    found = load_mesh(as_trimesh(factor=factor).export(file_type="stl"), MeshOptions(units=units), "stl")
    np.testing.assert_allclose(found.extents, demo_object("mug").extents, rtol=1e-5)


def test_scale_and_recentring():
    vertices, faces = TETRAHEDRON
    found = object_from_arrays(vertices + 5, faces, MeshOptions(scale=2.0), "thing")
    low, high = found.vertices.min(0), found.vertices.max(0)
    np.testing.assert_allclose(low, [-0.1, -0.1, 0], atol=1e-6)
    np.testing.assert_allclose(high, [0.1, 0.1, 0.2], atol=1e-6)
    kept = object_from_arrays(vertices + 5, faces, MeshOptions(centered=False), "thing")
    np.testing.assert_allclose(kept.vertices, vertices + 5, atol=1e-6)


def test_description_tells_the_size_in_centimetres():
    assert describe(demo_object("box")) == "box: 6.2 x 9.2 x 15.5 cm (x y z), 24 vertices, 44 faces"


def refuse(sentence, data, file_format="obj", options=None):
    with pytest.raises(ValueError, match=sentence) as caught:
        load_mesh(data, options, file_format)
    text = str(caught.value)
    assert "\n" not in text and text.endswith(".")


V, F = TETRAHEDRON


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "0 vertices and 0 faces"),
        (obj_text(V, []), "4 vertices and 0 faces"),
        (obj_text(V * [1, 1, 0], F), "flat"),
        (obj_text(V * 0, F), "flat"),
        (obj_text(np.where(V == 0.1, np.nan, V), F), "3 with NaN"),
        (obj_text(np.where(V == 0.1, np.inf, V), F), "3 with NaN or infinite"),
        (obj_text(V, F + 1), r"Cannot read|face indices"),
        (obj_text(V * 1000, F), "looks like millimetres: set units to mm"),
        (obj_text(V * 100, F), "looks like centimetres: set units to cm"),
        (obj_text(V * 300, F), "looks like centimetres or millimetres: set units to cm or mm"),
        (obj_text(V / 100, F), "between 5 mm and 2 m"),
        (b"\x00\xff\xfe not a mesh", r"Cannot read|0 faces"),
    ],
)
def test_bad_meshes_get_one_sentence(data, sentence):
    refuse(sentence, data)


@pytest.mark.parametrize("file_format", ["ply", "stl", "glb", "off"])
@pytest.mark.parametrize("keep", [0.0, 0.01, 0.6])
def test_truncated_files_get_one_sentence(file_format, keep):
    data = as_trimesh().export(file_type=file_format)
    data = data.encode() if isinstance(data, str) else data
    refuse(r"Cannot read|Expected", data[: int(len(data) * keep)], file_format)


def test_too_small_in_the_chosen_unit_names_the_right_one():
    refuse("it looks like metres: set units to m", obj_text(V, F), options=MeshOptions(units="mm"))


def test_huge_mesh_is_refused():
    faces = np.broadcast_to(F[:1], (MAX_FACES + 1, 3))
    with pytest.raises(ValueError, match=f"at most {MAX_FACES} faces"):
        object_from_arrays(V, faces, MeshOptions(), "huge")


def test_a_file_cannot_pull_in_other_files(tmp_path):
    (tmp_path / "secret.mtl").write_text("newmtl a\nmap_Kd /etc/passwd\n")
    path = tmp_path / "a.obj"
    path.write_bytes(b"mtllib secret.mtl\nmtllib /etc/passwd\nusemtl a\n" + obj_text(V, F))
    assert len(load_mesh(path).faces) == 4


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (MeshOptions(units="mile"), "Expected units"),
        (MeshOptions(up_axis="x"), "Expected an up axis"),
        (MeshOptions(scale=0), "Expected a scale"),
        (MeshOptions(scale=float("nan")), "Expected a scale"),
    ],
)
def test_bad_options_are_refused(options, sentence):
    refuse(sentence, obj_text(V, F), options=options)


def test_other_types_and_missing_files(tmp_path):
    refuse("Expected a mesh file", b"x", "fbx")
    with pytest.raises(FileNotFoundError):
        load_mesh(tmp_path / "gone.obj")


@pytest.mark.shared
def test_graspxl_objects_load(shared_dir):
    paths = sorted((shared_dir / "data" / "graspxl" / "sequence_objects").glob("*.obj"))
    assert paths
    for path in paths:
        assert 0.01 < load_mesh(path).extents.max() < 0.5
