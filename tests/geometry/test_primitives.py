"""Demo objects: closed, of natural size, standing on the table."""

import numpy as np
import pytest
import trimesh

from pam_nodes.geometry.primitives import KINDS, demo_object, parse_color

SIZES_MM = {
    "mug": (110, 82, 95),
    "bottle": (66, 66, 215),
    "can": (66, 66, 122),
    "box": (62, 92, 155),
    "hammer": (116, 35, 276),
    "bowl": (129, 129, 54),
    "ball": (68, 68, 68),
}


def parts(mesh):
    return trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).split(only_watertight=False)


@pytest.mark.parametrize("kind", KINDS)
def test_every_part_is_a_closed_solid_with_outward_faces(kind):
    for part in parts(demo_object(kind)):
        assert part.is_watertight and part.is_winding_consistent and part.volume > 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_size_base_and_label(kind):
    mesh = demo_object(kind)
    np.testing.assert_allclose(mesh.extents * 1000, SIZES_MM[kind], atol=1.0)
    assert abs(mesh.vertices[:, 2].min()) < 1e-6
    assert mesh.vertices.dtype == np.float32 and mesh.faces.dtype == np.int64
    assert len(np.unique(mesh.faces)) == len(mesh.vertices)
    assert mesh.name == kind and 1 <= mesh.label <= 21


def test_labels_are_distinct_so_that_objects_are_told_apart():
    assert len({label for _, label, _ in KINDS.values()}) == len(KINDS)


def test_volumes_match_the_shapes():
    volume = {kind: sum(part.volume for part in parts(demo_object(kind))) for kind in KINDS}
    assert volume["ball"] == pytest.approx(4 / 3 * np.pi * 0.034**3, rel=0.01)
    assert volume["box"] == pytest.approx(0.062 * 0.092 * 0.155, rel=0.01)
    assert volume["mug"] < 0.3 * np.pi * 0.041**2 * 0.095  # hollow
    assert volume["bowl"] < 0.3 * np.pi * 0.064**2 * 0.054


def test_handle_of_the_mug_does_not_poke_through_its_wall():
    handle = max(parts(demo_object("mug")), key=lambda part: part.bounds[1, 0])
    assert np.linalg.norm(handle.vertices[:, :2], axis=1).min() > 0.0375  # inner radius


def test_size_scales_and_color_is_taken():
    small, mug = demo_object("mug", 0.5, (1.0, 0.5, 0.0)), demo_object("mug")
    np.testing.assert_allclose(small.vertices, mug.vertices * 0.5, atol=1e-8)
    assert small.color == (1.0, 0.5, 0.0)


def test_colors_are_read_and_nonsense_is_refused():
    assert parse_color("#ff8000") == (1.0, pytest.approx(0.502, abs=1e-3), 0.0)
    for text in ("red", "#12345", "#gggggg", ""):
        with pytest.raises(ValueError, match="Expected a colour"):
            parse_color(text)


def test_unknown_kind_and_size_are_refused():
    with pytest.raises(ValueError, match="found 'sofa'"):
        demo_object("sofa")
    for size in (0.0, -1.0, 100.0, float("nan")):
        with pytest.raises(ValueError, match="size factor"):
            demo_object("mug", size)
