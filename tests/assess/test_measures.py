"""Shape, edges and colour of synthetic pictures."""

import numpy as np
import pytest

from pam_nodes.assess.color import NAMED, match_color, parse_color, to_lab
from pam_nodes.assess.silhouette import color_overlap, edge_agreement, outline

COLORS = np.array([(90, 95, 100), (220, 170, 140), (40, 70, 180)], np.uint8)


def scene(noise=0, seed=0):
    """(labels, picture) of a disc and a box in three plain colours, with noise."""
    y, x = np.indices((120, 160))
    labels = np.zeros((120, 160), np.uint8)
    labels[(x - 60) ** 2 + (y - 60) ** 2 < 25**2] = 1
    labels[40:80, 95:120] = 2
    picture = COLORS[labels] + np.random.default_rng(seed).normal(0, noise, (120, 160, 3))
    return labels, picture.clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("noise", [0, 15])
def test_exact_picture_overlaps_and_has_its_edges(noise):
    labels, picture = scene(noise)
    assert color_overlap(picture, labels, 3).min() > 0.97
    assert edge_agreement(picture, labels) > 0.9


def test_both_fall_with_the_distance_of_the_picture():
    labels, picture = scene(10)
    moved = [np.roll(picture, step, axis=1) for step in (0, 3, 8, 16)]
    shapes = [color_overlap(p, labels, 3).mean() for p in moved]
    assert shapes == sorted(shapes, reverse=True) and shapes[0] - shapes[-1] > 0.5
    assert edge_agreement(moved[0], labels) > 0.9 and max(edge_agreement(p, labels) for p in moved[2:]) < 0.4


def test_picture_without_hand_and_object_has_neither():
    labels, _ = scene()
    noise = np.random.default_rng(1).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    smooth = np.linspace(60, 120, 160, dtype=np.uint8)[None, :, None].repeat(120, axis=0).repeat(3, axis=2)
    for picture in (noise, smooth):
        assert edge_agreement(picture, labels) < 0.25
    assert np.nanmean(color_overlap(smooth, labels, 3)) < 0.45


def test_overlap_counts_what_only_one_of_them_shows():
    """By hand: the object fills half of where it should be, the other half has the background's colour: a union of 1 and a cut of 1/2."""
    labels, picture = scene()
    picture[60:80, 95:120] = COLORS[0]
    overlap = color_overlap(picture, labels, 3)
    assert overlap[0] == pytest.approx(1.0) and overlap[1] == pytest.approx(0.5)


def test_absent_classes_are_unknown():
    labels, picture = scene()
    assert np.isnan(color_overlap(picture, np.where(labels == 2, 0, labels), 3)[1])
    assert np.isnan(color_overlap(picture, labels * 0, 3)).all() and np.isnan(edge_agreement(picture, labels * 0))


def test_outline_is_where_labels_change():
    labels = np.zeros((4, 5), int)
    labels[1:3, 2:4] = 1
    assert sorted(zip(*np.nonzero(outline(labels)), strict=True)) == [(1, 2), (1, 3), (1, 4), (2, 2), (2, 4), (3, 2), (3, 3)]


def test_lab_of_known_colours():
    """Published CIELAB values of sRGB's primaries, white D65."""
    lab = to_lab(np.array([[255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255], [0, 0, 0]]))
    known = [[100, 0, 0], [53.24, 80.09, 67.20], [87.73, -86.18, 83.18], [32.30, 79.19, -107.86], [0, 0, 0]]
    np.testing.assert_allclose(lab, known, atol=0.02)


def test_colours_are_read_and_named():
    assert parse_color(" a Red mug") == NAMED["red"] and parse_color("#c62122") == (0xC6, 0x21, 0x22) and parse_color("") is None
    assert parse_color("dark teal") == (0, 128, 128) and parse_color("metallic") is None and parse_color("#12345") is None
    for name, rgb in NAMED.items():
        shade = np.array([rgb]) * np.linspace(0.85, 1.0, 30)[:, None]
        match = match_color(shade.astype(np.uint8), rgb)
        assert match.agreement > 0.8 and (match.name == name or name in ("gray", "cream", "white"))
    assert match_color(np.full((9, 3), NAMED["blue"], np.uint8), NAMED["red"]).agreement == 0
    assert match_color(np.zeros((0, 3), np.uint8)) is None
