"""The object of a scene: a triangle mesh and where it stands."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np


@dataclass(frozen=True, eq=False)
class ObjectMesh:
    """A rigid triangle mesh in metres with its pose in the world (right-handed, Z up, table top at z = 0).

    Attributes:
        vertices: (V, 3) float32, metres, object frame.
        faces: (F, 3) int64 vertex indices, counter-clockwise seen from outside.
        name: shown to people and used in prompts ("mug").
        label: YCB id 1..21 that picks the segmentation colour of the DexYCB style.
        color: RGB in 0..1, for previews.
        object_to_world: (4, 4) float64, the start pose o_0.
    """

    vertices: np.ndarray
    faces: np.ndarray
    name: str = "object"
    label: int = 14
    color: tuple[float, float, float] = (0.55, 0.57, 0.62)
    object_to_world: np.ndarray = field(default_factory=lambda: np.eye(4))

    @property
    def extents(self) -> np.ndarray:
        """(3,) size of the axis-aligned bounding box, metres."""
        return np.ptp(self.vertices, axis=0)

    def placed(self, object_to_world: np.ndarray) -> ObjectMesh:
        """Return the same mesh with another start pose."""
        return replace(self, object_to_world=np.asarray(object_to_world, dtype=np.float64))
