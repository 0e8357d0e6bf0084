"""Procedural demo objects: metres, Z up, base at z = 0, closed parts, upright axis at the origin."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from .mesh import ObjectMesh

if TYPE_CHECKING:
    from trimesh import Trimesh

Point = tuple[float, float]


def demo_object(kind: str, size: float = 1.0, color: tuple[float, float, float] | None = None) -> ObjectMesh:
    """One of the built-in objects.

    Args:
        kind: a key of ``KINDS``.
        size: scale; 1 is the natural size (a mug 95 mm high).
        color: RGB in 0..1, None for the object's own.

    Returns:
        The mesh, standing on the table at the origin.
    """
    from trimesh.util import concatenate

    if kind not in KINDS:
        raise ValueError(f"Expected a demo object out of {', '.join(KINDS)}, found '{kind}'.")
    if not 0.1 <= size <= 10:
        raise ValueError(f"Expected a size factor within 0.1..10, found {size:g}.")
    build, label, own_color = KINDS[kind]
    mesh = concatenate(build())
    return ObjectMesh(
        vertices=np.asarray(mesh.vertices * size, dtype=np.float32),
        faces=np.asarray(mesh.faces, dtype=np.int64),
        name=kind,
        label=label,
        color=own_color if color is None else color,
    )


def parse_color(text: str) -> tuple[float, float, float]:
    """RGB in 0..1 of "#rrggbb"."""
    digits = text.strip().lstrip("#")
    if len(digits) != 6 or not set(digits.lower()) <= set("0123456789abcdef"):
        raise ValueError(f"Expected a colour like #b83a2e, found '{text}'.")
    red, green, blue = bytes.fromhex(digits)
    return red / 255, green / 255, blue / 255


def mug(radius: float = 0.041, height: float = 0.095, wall: float = 0.0035) -> list[Trimesh]:
    """A cylindrical cup and a D-shaped handle towards +X."""
    fillet = 0.006
    body = _lathe(
        [
            (0, 0),
            *_arc(radius - fillet, fillet, fillet, -90, 0),
            *_arc(radius - wall / 2, height - wall / 2, wall / 2, 0, 180),
            *_arc(radius - wall - fillet, 2 * fillet, fillet, 0, -90),
            (0, fillet),
        ]
    )
    turn = np.radians(np.linspace(-88, 88, 28))
    path = np.stack([radius - 0.004 + 0.028 * np.cos(turn), 0 * turn, height * 0.52 + 0.030 * np.sin(turn)], 1)
    return [body, _tube(path, 0.0045, 0.006)]


def bottle(radius: float = 0.033, height: float = 0.215) -> list[Trimesh]:
    """A round bottle with shoulder, neck and cap."""
    return [
        _lathe(
            [
                (0, 0.004),
                (radius * 0.55, 0.004),
                (radius * 0.7, 0),
                *_arc(radius - 0.006, 0.006, 0.006, -80, 0),
                *_arc(radius - 0.022, 0.125, 0.022, 0, 55, 8),
                (0.0145, 0.172),
                (0.0135, 0.188),
                (0.0165, 0.189),
                (0.0165, 0.192),
                (0.0150, 0.193),
                *_arc(0.0120, height - 0.003, 0.003, 0, 90, 4),
                (0, height),
            ]
        )
    ]


def can(radius: float = 0.033, height: float = 0.122) -> list[Trimesh]:
    """A drinks can with a domed base and a rolled rim."""
    return [
        _lathe(
            [
                (0, 0.004),
                (radius * 0.6, 0.003),
                (radius * 0.74, 0),
                (radius * 0.8, 0.0015),
                (radius * 0.97, 0.010),
                (radius, 0.014),
                (radius, height - 0.016),
                (radius * 0.86, height - 0.004),
                (radius * 0.88, height - 0.001),
                (radius * 0.85, height),
                (radius * 0.82, height - 0.001),
                (radius * 0.8, height - 0.006),
                (0, height - 0.006),
            ]
        )
    ]


def box(width: float = 0.062, depth: float = 0.092, height: float = 0.155, bevel: float = 0.0015) -> list[Trimesh]:
    """A carton with bevelled edges."""
    from trimesh.convex import convex_hull

    half = np.array([width, depth, height]) / 2
    signs = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1])).reshape(3, 8).T
    corners = [signs * (half - bevel * (np.arange(3) != axis)) for axis in range(3)]
    return [convex_hull(np.concatenate(corners) + np.array([0, 0, half[2]]))]


def hammer(length: float = 0.27) -> list[Trimesh]:
    """A claw hammer standing on its handle: handle, head, striking face (+X) and claw (-X)."""
    from trimesh.convex import convex_hull

    along = np.linspace(0, 1, 24)
    radii = 0.0105 + 0.0035 * np.cos(2 * np.pi * (along - 0.15)) * np.exp(-3 * along)
    handle = _lathe([(0, 0), *zip(radii, along * length, strict=True), (0, length)], sections=40)
    handle.vertices[:, 1] *= 1.25
    head_z = length - 0.012
    root = [(0, y, head_z + z) for y in (-0.012, 0.012) for z in (-0.013, 0.013)]
    tip = [(-0.055, y, head_z - 0.018 + z) for y in (-0.011, 0.011) for z in (-0.002, 0.002)]
    head = _bar(0.0145, 0.052, (0.026, 0, head_z))
    face = _bar(0.0175, 0.012, (0.055, 0, head_z))
    return [handle, head, face, convex_hull(np.array(root + tip))]


def bowl(radius: float = 0.068, height: float = 0.052, wall: float = 0.0035, foot: float = 0.028) -> list[Trimesh]:
    """A bowl with a flat foot."""
    sphere = radius * 0.98
    outside = np.array(_arc(0, sphere, sphere, -90, -15, 14)) * [1, height / (sphere * (1 - np.sin(np.radians(15))))]
    inside = outside[::-1] - [wall, -0.6 * wall]
    inside = inside[inside[:, 0] > 0]
    return [_lathe([(0, 0), (foot, 0), *outside[outside[:, 0] > foot + 0.002], *inside, (0, inside[-1, 1])])]


def ball(radius: float = 0.034) -> list[Trimesh]:
    """A ball the size of a tennis ball."""
    from trimesh.creation import icosphere

    return [icosphere(4, radius).apply_translation([0, 0, radius])]


KINDS: dict[str, tuple[Callable[[], list[Trimesh]], int, tuple[float, float, float]]] = {
    "mug": (mug, 14, (0.72, 0.20, 0.18)),
    "bottle": (bottle, 5, (0.90, 0.72, 0.18)),
    "can": (can, 4, (0.80, 0.24, 0.16)),
    "box": (box, 2, (0.78, 0.58, 0.32)),
    "hammer": (hammer, 15, (0.42, 0.44, 0.48)),
    "bowl": (bowl, 13, (0.70, 0.14, 0.16)),
    "ball": (ball, 21, (0.66, 0.78, 0.22)),
}
"""Recipe, YCB label that picks the segmentation colour, and colour of each object.

Labels name DexYCB's nearest object: 14 mug, 5 mustard bottle, 4 tomato soup can, 2 cracker box, 13 bowl. It has no hammer and no ball:
15 is its power drill, 21 its foam brick.
"""


def _arc(x: float, z: float, radius: float, start: float, end: float, count: int = 6) -> list[Point]:
    """Points on a circle arc of a profile, angles in degrees."""
    angle = np.radians(np.linspace(start, end, count))
    return list(zip(x + radius * np.cos(angle), z + radius * np.sin(angle), strict=True))


def _lathe(profile: list[Point], sections: int = 64) -> Trimesh:
    """Turn a profile of (radius, z) rows, from axis to axis, into a closed solid."""
    from trimesh.creation import revolve

    solid = revolve(np.asarray(profile, dtype=np.float64), sections=sections)
    solid.merge_vertices()
    solid.update_faces(solid.nondegenerate_faces())
    solid.remove_unreferenced_vertices()
    solid.fix_normals()
    return solid


def _bar(radius: float, length: float, centre: tuple[float, float, float]) -> Trimesh:
    """A cylinder along X."""
    from trimesh.creation import cylinder

    half = np.array([[-length / 2, 0, 0], [length / 2, 0, 0]])
    return cylinder(radius=radius, segment=half + centre, sections=40)


def _tube(path: np.ndarray, across: float, wide: float, sections: int = 20) -> Trimesh:
    """A capped tube of elliptic section along a path in the XZ plane.

    Args:
        path: (K, 3) metres.
        across: radius in the plane of the path.
        wide: radius along Y.
    """
    from trimesh import Trimesh

    tangent = np.gradient(path, axis=0)
    side = np.cross(tangent, [0.0, 1.0, 0.0])
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    angle = np.linspace(0, 2 * np.pi, sections, endpoint=False)
    ring = np.cos(angle)[:, None, None] * side * across + np.sin(angle)[:, None, None] * np.array([0.0, wide, 0.0])
    points = (path + ring).swapaxes(0, 1).reshape(-1, 3)

    last = len(points) - sections
    here = np.arange(sections)
    after = (here + 1) % sections
    start = np.arange(0, last, sections)[:, None]
    quads = np.stack([start + here, start + after, start + sections + here, start + sections + after], -1).reshape(-1, 4)
    caps = [(len(points), b, a) for a, b in zip(here, after, strict=True)]
    caps += [(len(points) + 1, last + a, last + b) for a, b in zip(here, after, strict=True)]
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [1, 3, 2]], caps])
    solid = Trimesh(np.vstack([points, path[0], path[-1]]), faces, process=False)
    solid.fix_normals()
    return solid
