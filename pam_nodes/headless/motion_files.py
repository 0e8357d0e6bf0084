"""Motions as one file each: the pack's own motion file with the meshes in it, so that nothing else is needed to film it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from ..geometry.mesh import ObjectMesh
from ..geometry.mesh_io import MeshOptions, object_from_arrays
from ..grasp.trajectory import Trajectory
from ..hands.model import HandModel
from ..recordings.content import numbers, read_content
from ..recordings.place import Placing, to_trajectory
from ..recordings.read import read_motion
from ..recordings.recording import ReadOptions
from ..recordings.write import own_entries
from .files import save_bytes

MESH = ("vertices", "faces", "label", "color")


def write_motion_file(path: Path, trajectory: Trajectory) -> None:
    """Write hands, objects and meshes as the pack's own .npz; *Load Recorded Motion* reads it too and leaves the meshes out."""
    entries = own_entries(trajectory)
    for i, track in enumerate(trajectory.objects):
        entries |= {f"object_{i}_{name}": np.asarray(getattr(track.mesh, name)) for name in MESH}
    stream = io.BytesIO()
    np.savez_compressed(stream, **entries)
    save_bytes(path, stream.getvalue())


def read_motion_file(
    path: Path, hands: dict[str, HandModel], meshes: list[ObjectMesh], placing: Placing | None = None
) -> tuple[Trajectory, tuple[str, ...]]:
    """Read a motion, of the pack or of any format that *Load Recorded Motion* knows.

    Args:
        path: of the file.
        hands: models by side; hands of the file without one are left out.
        meshes: of its objects. Empty: those in the file.
        placing: how to bring it to the table; None leaves files of the pack as they are and grounds and centres others.

    Returns:
        The motion, and notes on what was assumed.

    Raises:
        ValueError: not a motion, or broken meshes in it.
    """
    recording = read_motion(path, hands, ReadOptions())
    own = recording.format == "pam_motion"
    if own and not meshes:
        meshes = _meshes(read_content(path), path.name)
    return to_trajectory(recording, hands, meshes, placing or Placing("auto", ground=not own, recenter=not own))


def _meshes(content: dict[str, Any], shown: str) -> list[ObjectMesh]:
    """Meshes of the objects that bring one, checked as those of mesh files are."""
    found: list[ObjectMesh] = []
    try:
        while f"object_{len(found)}_vertices" in content:
            key = f"object_{len(found)}_"
            vertices, faces = (numbers(content, key + part, 3) for part in ("vertices", "faces"))
            label, color = int(numbers(content, key + "label")[0, 0]), numbers(content, key + "color", 3)[0]
            name = str(content.get(key + "name", "object"))
            mesh = object_from_arrays(vertices, faces.astype(np.int64), MeshOptions(up_axis="z", centered=False), name, label)
            found.append(ObjectMesh(mesh.vertices, mesh.faces, name, label, tuple(np.clip(color, 0, 1))))
    except ValueError as error:
        raise ValueError(f"Cannot read the meshes in the motion '{shown}': {error}") from error
    return found
