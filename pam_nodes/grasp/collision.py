"""Convex pieces, mass and inertia of an object, cached by content."""

from __future__ import annotations

import hashlib
import logging
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..geometry.mesh import ObjectMesh
from ..geometry.simplify import cluster

if TYPE_CHECKING:
    import trimesh

log = logging.getLogger(__name__)

MIN_MASS = 0.05
"""Kilograms; lighter free bodies become unstable under the grip (specs: graspxl 9)."""

MIN_VOLUME = 1e-10
"""Cubic metres of the smallest convex piece worth simulating."""

MAX_FACES = 20_000
"""Finer meshes are made coarser for physics; they are drawn as they are."""

VOXELS, MIN_VOXELS = 40_000, 10_000
"""V-HACD's grid, shared by the parts of an object, and the least for one of them. It costs time in proportion and adds little exactness."""

_CACHE: OrderedDict[str, CollisionShape] = OrderedDict()
_CACHE_SIZE = 16


@dataclass(frozen=True, eq=False)
class CollisionShape:
    """What physics knows of an object, object frame, metres.

    Attributes:
        vertices, faces: (V, 3) float64 and (F, 3) of the surface, at most about ``MAX_FACES`` faces.
        pieces: convex vertex sets (N, 3).
        samples: (400, 3) points spread evenly over the surface.
        volume: cubic metres of the solid mesh, or of the pieces' convex hull when the mesh is not closed.
        center_of_mass: (3,).
        unit_inertia: (3, 3) inertia about the centre of mass for a mass of 1 kg.
    """

    vertices: np.ndarray
    faces: np.ndarray
    pieces: tuple[np.ndarray, ...]
    samples: np.ndarray
    volume: float
    center_of_mass: np.ndarray
    unit_inertia: np.ndarray

    def mass(self, density: float) -> float:
        """Kilograms at ``density`` kg/m3, at least ``MIN_MASS``."""
        return max(self.volume * density, MIN_MASS)


def collision_shape(mesh: ObjectMesh) -> CollisionShape:
    """Convex pieces and mass properties of a mesh; the 16 latest are kept in memory, keyed by the mesh's content."""
    key = hashlib.sha256(np.ascontiguousarray(mesh.vertices).tobytes() + np.ascontiguousarray(mesh.faces).tobytes()).hexdigest()
    if key not in _CACHE:
        _CACHE[key] = _measure(mesh)
        if len(_CACHE) > _CACHE_SIZE:
            _CACHE.popitem(last=False)
    _CACHE.move_to_end(key)
    return _CACHE[key]


def _measure(mesh: ObjectMesh) -> CollisionShape:
    import trimesh

    vertices, faces = cluster(np.asarray(mesh.vertices, dtype=np.float64), mesh.faces, MAX_FACES)
    surface = trimesh.Trimesh(vertices, faces, process=True)
    whole = surface if len(faces) == len(mesh.faces) else trimesh.Trimesh(mesh.vertices, mesh.faces, process=True)
    parts = _parts(surface)
    voxels = max(VOXELS // len(parts), MIN_VOXELS)
    pieces = tuple(piece for part in parts for piece in _pieces(part, voxels))
    solid = whole if whole.is_volume else trimesh.convex.convex_hull(np.concatenate(pieces))
    samples, _ = trimesh.sample.sample_surface(surface, 400, seed=0)
    return CollisionShape(
        vertices=np.asarray(surface.vertices),
        faces=np.asarray(surface.faces),
        pieces=pieces,
        samples=np.asarray(samples),
        volume=float(solid.volume),
        center_of_mass=np.asarray(solid.center_mass),
        unit_inertia=np.asarray(solid.moment_inertia) / solid.volume,
    )


def _parts(surface: trimesh.Trimesh) -> list[trimesh.Trimesh]:
    """Connected parts when each is a closed solid of its own, else the whole surface: open sheets only enclose something together."""
    parts = [part for part in surface.split(only_watertight=False) if len(part.faces) >= 4 and np.ptp(part.vertices, axis=0).min() > 1e-5]
    separate = 0 < len(parts) <= 16 and all(part.is_volume and part.volume > 0 for part in parts)
    return parts if separate else [surface]


def _pieces(part: trimesh.Trimesh, voxels: int) -> list[np.ndarray]:
    """One hull for a part that is nearly convex, else up to 16 pieces by V-HACD; one hull again when V-HACD is not installed."""
    hull = _solid(part.vertices)
    if hull is None:
        return [_thickened(part.vertices)]
    if part.is_volume and part.volume > 0.85 * part.convex_hull.volume:
        return [hull]
    try:
        import vhacdx
    except ImportError:
        log.info("vhacdx is not installed: concave objects are simulated as their convex hull.")
        return [hull]
    found = vhacdx.compute_vhacd(part.vertices, part.faces, maxConvexHulls=16, resolution=voxels, maxNumVerticesPerCH=32, asyncACD=False)
    pieces = [solid for vertices, _ in found if (solid := _solid(vertices)) is not None]
    return pieces or [hull]


def _solid(vertices: np.ndarray) -> np.ndarray | None:
    """Corners of the convex hull, or None when it is flat: physics needs a volume."""
    from scipy.spatial import ConvexHull, QhullError

    try:
        hull = ConvexHull(vertices)
    except (QhullError, ValueError):
        return None
    return hull.points[hull.vertices] if hull.volume > MIN_VOLUME else None


def _thickened(vertices: np.ndarray) -> np.ndarray:
    """A flat set of points made 2 mm thick."""
    normal = np.linalg.svd(vertices - vertices.mean(axis=0), full_matrices=False)[2][2]
    return np.concatenate([vertices - 0.001 * normal, vertices + 0.001 * normal])
