"""Let an object fall on the table and see how it comes to rest."""

from __future__ import annotations

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from ..geometry.mesh import ObjectMesh
from ..geometry.rotations import pose_matrix
from .collision import MIN_MASS, collision_shape
from .mjcf import inertia_of, object_xml
from .scene import UnstableSimulationError, warnings_to_log

DENSITY = 300.0
MAX_SECONDS, QUIET_SECONDS = 4.0, 0.25
QUIET = 0.01
"""Speed, m/s and rad/s, under which an object is at rest."""

DROP = 0.002


def settle(mesh: ObjectMesh) -> ObjectMesh:
    """The object in the resting pose it falls into from where it is placed.

    Args:
        mesh: with its start pose; it is lifted or lowered to 2 mm above the table first.

    Returns:
        The same mesh with its pose at rest, its lowest point on the table (z = 0), at the place where it came to rest.

    Raises:
        ValueError: it still rolls after four seconds.
        UnstableSimulationError: the solver diverged.
    """
    shape = collision_shape(mesh)
    pose = np.array(mesh.object_to_world, dtype=np.float64)
    pose[2, 3] = DROP - float((mesh.vertices @ pose[2, :3]).min())
    mass = max(shape.volume * DENSITY, MIN_MASS)
    center, inertia = inertia_of(shape, None, mass)
    model = mujoco.MjModel.from_xml_string(object_xml({f"piece{i}": p for i, p in enumerate(shape.pieces)}, center, inertia, mass))
    data = mujoco.MjData(model)
    data.qpos[:3], data.qpos[3:7] = pose[:3, 3], Rotation.from_matrix(pose[:3, :3]).as_quat(scalar_first=True)
    quiet = 0.0
    with warnings_to_log():
        for _ in range(int(MAX_SECONDS / model.opt.timestep)):
            mujoco.mj_step(model, data)
            if not np.isfinite(data.qpos).all():
                raise UnstableSimulationError(f"The {mesh.name} flew off while it settled: check that the mesh is a plain solid.")
            quiet = quiet + model.opt.timestep if np.abs(data.qvel).max() < QUIET else 0.0
            if quiet > QUIET_SECONDS:
                break
        else:
            raise ValueError(
                f"The {mesh.name} does not come to rest in {MAX_SECONDS:.0f} s, it rolls: turn it so that it stands, or turn settle off."
            )
    rest = pose_matrix(Rotation.from_quat(data.qpos[3:7], scalar_first=True).as_matrix(), data.qpos[:3].copy())
    rest[2, 3] -= float((mesh.vertices @ rest[2, :3]).min() + rest[2, 3])
    return mesh.placed(rest)
