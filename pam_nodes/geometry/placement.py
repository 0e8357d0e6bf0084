"""Where an object stands before anything moves."""

from __future__ import annotations

import numpy as np

from .mesh import ObjectMesh
from .rotations import euler_degrees_to_matrix, pose_matrix

MAX_DISTANCE = 10.0


def place_object(
    mesh: ObjectMesh,
    position: tuple[float, float, float],
    rotation: tuple[float, float, float] = (0.0, 0.0, 0.0),
    on_table: bool = True,
) -> ObjectMesh:
    """Set the start pose of an object.

    Args:
        mesh: the object; an earlier start pose is replaced.
        position: of the object's origin, metres, world frame.
        rotation: degrees about the fixed world axes X, Y, Z, in this order.
        on_table: lift or lower it so that its lowest vertex touches the table (z = 0); position z is then not used.

    Returns:
        The object with ``object_to_world`` set.
    """
    if not np.isfinite([*position, *rotation]).all() or max(map(abs, position)) > MAX_DISTANCE:
        raise ValueError(f"Expected a position within {MAX_DISTANCE:g} m of the origin and finite angles, found {position} and {rotation}.")
    turn = euler_degrees_to_matrix(rotation)
    origin = np.array(position, dtype=np.float64)
    if on_table:
        origin[2] = -(mesh.vertices @ turn[2]).min()
    return mesh.placed(pose_matrix(turn, origin))
