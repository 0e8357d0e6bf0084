"""The visibility buffer: exact pixels, exact depth."""

import numpy as np
import pytest

from pam_nodes.conditions.raster import EMPTY, rasterize
from pam_nodes.conditions.surface import resolve
from pam_nodes.conditions.triangles import NEAR, clip_near

from .scenes import camera, cube, lift, sphere


def hit(vertices, faces, cam):
    """(H, W) mask, depth and face of a drawn mesh."""
    keys = rasterize(vertices, np.asarray(faces), cam.intrinsics, cam.width, cam.height).reshape(cam.height, cam.width)
    return keys != EMPTY, (keys >> 32).astype(np.int32).view(np.float32), keys & 0xFFFFFFFF


def test_one_triangle_is_pixel_exact():
    cam = camera(8, 8, cx=0, cy=0)
    drawn, depth, _ = hit(lift(np.array([[1, 1], [6, 1], [1, 6.0]]), 1.0, cam), [[0, 1, 2]], cam)
    u, v = np.meshgrid(np.arange(8), np.arange(8))
    np.testing.assert_array_equal(drawn, (u >= 1) & (v >= 1) & (u + v <= 7))
    np.testing.assert_allclose(depth[drawn], 1.0, rtol=1e-6)


def test_pixel_centres_are_integers():
    """A quad whose border lies half-way between centres covers exactly the pixels inside."""
    cam = camera(16, 16)
    quad = lift(np.array([[2.5, 3.5], [9.5, 3.5], [9.5, 11.5], [2.5, 11.5]]), 0.7, cam)
    drawn = hit(quad, [[0, 1, 2], [0, 2, 3]], cam)[0]
    expected = np.zeros((16, 16), bool)
    expected[4:12, 3:10] = True
    np.testing.assert_array_equal(drawn, expected)


def test_grid_has_no_cracks_and_no_pixel_twice():
    """Random interior vertices; every pixel of the square is covered, and by a face that truly contains it."""
    rng = np.random.default_rng(1)
    cam, n = camera(80, 80), 13
    u, v = np.meshgrid(np.linspace(4.6, 75.4, n), np.linspace(4.6, 75.4, n))
    pixels = np.stack([u.ravel(), v.ravel()], 1)
    inner = (pixels > 6).all(1) & (pixels < 74).all(1)
    pixels[inner] += rng.uniform(-2, 2, (inner.sum(), 2))
    a = (np.arange(n - 1)[:, None] * n + np.arange(n - 1)).ravel()
    faces = np.concatenate([np.stack([a, a + 1, a + n + 1], 1), np.stack([a, a + n + 1, a + n], 1)])
    drawn, _, face = hit(lift(pixels, 1.0, cam), faces, cam)
    expected = np.zeros((80, 80), bool)
    expected[5:76, 5:76] = True
    np.testing.assert_array_equal(drawn, expected)
    rows, columns = np.nonzero(drawn)
    p, (a, b, c) = np.stack([columns, rows], 1), (pixels[faces[face[drawn], k]] for k in range(3))
    cross = [(e[:, 0] - s[:, 0]) * (p[:, 1] - s[:, 1]) - (e[:, 1] - s[:, 1]) * (p[:, 0] - s[:, 0]) for s, e in ((a, b), (b, c), (c, a))]
    assert (np.min(cross, axis=0) > -1e-3).all()


def test_sphere_depth_against_the_analytic_one():
    cam, centre, radius = camera(480, 360, focal=650.0), np.array([0.01, -0.02, 0.6]), 0.1
    vertices, faces = sphere(radius, centre, 800)
    drawn, depth, _ = hit(vertices, faces, cam)
    v, u = np.mgrid[:360, :480]
    k = cam.intrinsics
    ray = np.stack([(u - k[0, 2]) / k[0, 0], (v - k[1, 2]) / k[1, 1], np.ones_like(u)], -1)
    b, rr = ray @ centre, (ray**2).sum(-1)
    root = b**2 - rr * (centre @ centre - radius**2)
    analytic = (b - np.sqrt(np.maximum(root, 0))) / rr
    assert (drawn != (root > 0)).sum() <= 60
    # Tessellation lies up to r (1 - cos(pi/800)) = 0.8 um inside the sphere along the normal, more along grazing rays.
    steep = drawn & (root > 0.3 * root.max())
    error = np.abs(depth - analytic)[steep]
    assert error.max() < 10e-6
    assert np.median(error) < 1e-6


def test_nearest_wins_whatever_the_order():
    cam = camera()
    near = lift(np.array([[2, 2], [63, 6], [20, 47.0]]), 0.5, cam)
    both = np.concatenate([lift(np.array([[5, 5], [60, 8], [20, 45.0]]), 0.9, cam), near])
    one, two = (hit(both, faces, cam) for faces in ([[0, 1, 2], [3, 4, 5]], [[3, 4, 5], [0, 1, 2]]))
    np.testing.assert_array_equal(one[1], two[1])
    assert (one[2][one[0]] == 1).all() and (two[2][two[0]] == 0).all()


def test_open_mesh_is_seen_from_inside():
    """A cube without its front: the inside of the other sides is drawn and known to be their back."""
    vertices, faces = cube(0.2)
    faces = faces[~(vertices[faces][:, :, 2] < 0).all(axis=1)]
    vertices = vertices + np.array([0, 0, 0.5], np.float32)
    cam = camera()
    keys = rasterize(vertices, faces, cam.intrinsics, cam.width, cam.height)
    surface = resolve(keys, vertices, faces, cam.intrinsics, cam.width)
    centre = np.nonzero(surface.pixels == 24 * cam.width + 32)[0]
    assert surface.z[centre] == pytest.approx(0.6, abs=1e-6)
    assert not surface.front.any()


def test_points_and_weights_reproduce_each_other():
    rng = np.random.default_rng(3)
    cam = camera()
    vertices = lift(rng.uniform(0, 60, (30, 2)), rng.uniform(0.4, 1.5, 30), cam)
    faces = np.arange(30).reshape(10, 3)
    keys = rasterize(vertices, faces, cam.intrinsics, cam.width, cam.height)
    surface = resolve(keys, vertices, faces, cam.intrinsics, cam.width)
    mixed = (surface.barycentric[:, :, None] * vertices[faces[surface.faces]]).sum(axis=1)
    np.testing.assert_allclose(mixed, surface.rays * surface.z[:, None], atol=2e-5)


def test_triangles_are_cut_at_the_near_plane():
    """A floor that reaches behind the eye: everything below the horizon is drawn with the plane's depth."""
    cam = camera(40, 40, focal=30.0)
    floor = np.array([[-50, 0.2, -3], [50, 0.2, -3], [50, 0.2, 9], [-50, 0.2, 9]], np.float32)
    drawn, depth, _ = hit(floor, [[0, 2, 1], [0, 3, 2]], cam)
    v = np.arange(40) - 19.5
    expected = 0.2 / np.maximum(v / 30, 1e-9)
    below = (v > 0) & (expected < 9)
    np.testing.assert_array_equal(drawn, np.repeat(below[:, None], 40, 1))
    np.testing.assert_allclose(depth[below].mean(axis=1), expected[below], rtol=1e-4)


def test_cut_triangles_keep_their_area_in_front_and_their_owner():
    triangle = np.array([[0, 0, -1], [0, 1, 1], [1, 0, 1]], np.float32)
    vertices, faces, owners = clip_near(triangle, np.array([[0, 1, 2]]))
    corners = vertices[faces]
    assert (owners == 0).all() and (corners[..., 2] >= NEAR).all()
    area = sum(np.linalg.norm(np.cross(b - a, c - a)) / 2 for a, b, c in corners)
    whole = np.linalg.norm(np.cross(triangle[1] - triangle[0], triangle[2] - triangle[0])) / 2
    share = (float(NEAR) + 1) / 2
    assert area == pytest.approx(whole * (1 - share**2), rel=1e-5)


def test_nothing_in_view_is_empty():
    cam = camera()
    assert not hit(lift(np.array([[500, 5], [520, 5], [510, 20.0]]), 1.0, cam), [[0, 1, 2]], cam)[0].any()
    behind = lift(np.array([[5, 5], [20, 5], [10, 20.0]]), 1.0, cam) * np.float32(-1)
    assert not hit(behind, [[0, 1, 2]], cam)[0].any()
