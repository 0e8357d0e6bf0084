"""Convex pieces, mass and inertia of an object, cached by content."""

from __future__ import annotations

import hashlib
import logging
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..geometry.mesh import ObjectMesh

if TYPE_CHECKING:
    import trimesh

log = logging.getLogger(__name__)

MIN_MASS = 0.05
"""Kilograms; lighter free bodies become unstable under the grip (specs: graspxl 9)."""

_CACHE: OrderedDict[str, CollisionShape] = OrderedDict()
_CACHE_SIZE = 16


@dataclass(frozen=True, eq=False)
class CollisionShape:
    """What physics knows of an object, object frame, metres.

    Attributes:
        pieces: convex vertex sets (N, 3).
        samples: (400, 3) points spread evenly over the surface.
        volume: cubic metres of the solid mesh, or of its convex hull when the mesh is not closed.
        center_of_mass: (3,).
        unit_inertia: (3, 3) inertia about the centre of mass for a mass of 1 kg.
    """

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

    surface = trimesh.Trimesh(np.asarray(mesh.vertices, dtype=np.float64), mesh.faces, process=True)
    solid = surface if surface.is_volume else surface.convex_hull
    samples, _ = trimesh.sample.sample_surface(surface, 400, seed=0)
    return CollisionShape(
        pieces=tuple(piece for part in _parts(surface) for piece in _pieces(part)),
        samples=np.asarray(samples),
        volume=float(solid.volume),
        center_of_mass=np.asarray(solid.center_mass),
        unit_inertia=np.asarray(solid.moment_inertia) / solid.volume,
    )


def _parts(surface: trimesh.Trimesh) -> list[trimesh.Trimesh]:
    """Connected parts that enclose a volume, or the whole surface when there is none."""
    parts = [part for part in surface.split(only_watertight=False) if len(part.faces) >= 4 and np.ptp(part.vertices, axis=0).min() > 1e-5]
    return parts if 0 < len(parts) <= 16 else [surface]


def _pieces(part: trimesh.Trimesh) -> list[np.ndarray]:
    """One hull for a part that is nearly convex, else up to 12 pieces by V-HACD; one hull again when V-HACD is not installed."""
    hull = part.convex_hull
    if part.is_volume and part.volume > 0.85 * hull.volume:
        return [hull.vertices]
    try:
        import vhacdx
    except ImportError:
        log.info("vhacdx is not installed: concave objects are simulated as their convex hull.")
        return [hull.vertices]
    found = vhacdx.compute_vhacd(part.vertices, part.faces, maxConvexHulls=12, resolution=20_000, maxNumVerticesPerCH=32, asyncACD=False)
    pieces = [np.asarray(vertices) for vertices, _ in found if len(vertices) >= 4 and np.ptp(vertices, axis=0).min() > 1e-4]
    return pieces or [hull.vertices]
