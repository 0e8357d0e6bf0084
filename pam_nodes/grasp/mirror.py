"""The world seen in a mirror (x negated): left hands are simulated as right ones and mirrored back (specs: hands 1.5)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..geometry.mesh import ObjectMesh
from ..hands.pose import HandPose

_POINT = np.array([-1.0, 1.0, 1.0])
_AXIS = np.array([1.0, -1.0, -1.0])
_OTHER = {"left": "right", "right": "left"}


def mirror_pose(pose: HandPose) -> HandPose:
    """The same gesture of the other hand in the mirrored world."""
    return replace(
        pose,
        side=_OTHER[pose.side],
        global_orient=pose.global_orient * _AXIS,
        hand_pose=pose.hand_pose * np.tile(_AXIS, 15),
        transl=pose.transl * _POINT,
    )


def mirror_mesh(mesh: ObjectMesh) -> ObjectMesh:
    """The mirrored object at the mirrored place."""
    return replace(
        mesh,
        vertices=mesh.vertices * _POINT.astype(mesh.vertices.dtype),
        faces=mesh.faces[:, ::-1],
        object_to_world=mirror_transforms(mesh.object_to_world),
    )


def mirror_transforms(transforms: np.ndarray) -> np.ndarray:
    """Rigid transforms (..., 4, 4) of mirrored bodies."""
    signs = np.append(_POINT, 1.0)
    return transforms * np.outer(signs, signs)


def mirror_point(point: tuple[float, float, float] | None) -> tuple[float, float, float] | None:
    """A point or direction in the mirrored world."""
    return None if point is None else (-point[0], point[1], point[2])
