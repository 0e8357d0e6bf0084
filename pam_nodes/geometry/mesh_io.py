"""Mesh files of people: load, check, convert to metres and Z up."""

from __future__ import annotations

import io
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .mesh import ObjectMesh

logger = logging.getLogger(__name__)

FORMATS = ("obj", "ply", "stl", "glb", "off")
UNITS = {"m": 1.0, "cm": 0.01, "mm": 0.001, "inch": 0.0254}
UP_AXES = ("auto", "z", "y")
MAX_FACES = 2_000_000
MAX_BYTES = 512 << 20
MAX_SIDE = 2.0
MIN_SIDE = 0.005
"""Largest side, metres, between which an object counts as something a hand holds."""

Y_UP_TO_Z_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])


@dataclass(frozen=True)
class MeshOptions:
    """How the numbers of a mesh file become metres with Z up.

    Attributes:
        units: unit of the file's numbers, a key of ``UNITS``.
        scale: extra factor.
        up_axis: "z", "y", or "auto" (y for .glb, which is Y up by its standard, z for the rest).
        centered: move the mesh so that it stands on z = 0 with the middle of its footprint at the origin.
    """

    units: str = "m"
    scale: float = 1.0
    up_axis: str = "auto"
    centered: bool = True


def load_mesh(
    source: str | Path | bytes, options: MeshOptions | None = None, file_format: str = "", name: str = "", label: int = 14
) -> ObjectMesh:
    """Load a mesh file as one object.

    Args:
        source: path, or the content of a file together with ``file_format``.
        options: units, scale and up axis.
        file_format: one of ``FORMATS``; empty takes the path's ending.
        name: shown to people, empty takes the file's name.
        label: YCB id for the segmentation colour.

    Returns:
        The object; all parts of a scene joined, their transforms applied.

    Raises:
        ValueError: unreadable, or a mesh nothing can be done with; see ``object_from_arrays``.
    """
    options = options or MeshOptions()
    path = None if isinstance(source, bytes) else Path(source)
    shown = path.name if path else "the mesh"
    file_format = (file_format or (path.suffix if path else "")).lower().lstrip(".")
    if file_format not in FORMATS:
        raise ValueError(f"Expected a mesh file (.{', .'.join(FORMATS)}), found {shown} of type '{file_format}': convert it in Blender.")
    data = _read(path) if path else source
    vertices, faces = _parse(data, file_format, shown)
    if options.up_axis == "auto":
        options = MeshOptions(options.units, options.scale, "y" if file_format == "glb" else "z", options.centered)
    return object_from_arrays(vertices, faces, options, name or Path(shown).stem, label)


def object_from_arrays(vertices: np.ndarray, faces: np.ndarray, options: MeshOptions, name: str, label: int = 14) -> ObjectMesh:
    """Check a triangle mesh and bring it to metres and Z up.

    Args:
        vertices: (V, 3) in the unit and axes of ``options`` ("auto" means z here).
        faces: (F, 3) vertex indices.
        options: units, scale and up axis.
        name, label: as in ``ObjectMesh``.

    Raises:
        ValueError: one sentence for an empty, broken, flat or huge mesh, or one of a size no hand can hold.
    """
    _check_options(options)
    vertices = np.asarray(vertices, dtype=np.float64).reshape(-1, 3)
    faces = np.asarray(faces, dtype=np.int64).reshape(-1, 3)
    _check_arrays(vertices, faces, name)
    vertices = vertices * (UNITS[options.units] * options.scale)
    if options.up_axis == "y":
        vertices = vertices @ Y_UP_TO_Z_UP.T
    _check_size(vertices, options, name)
    if options.centered:
        low, high = vertices.min(0), vertices.max(0)
        vertices = vertices - [(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]]
    return ObjectMesh(vertices.astype(np.float32), faces, name=name, label=label)


def describe(mesh: ObjectMesh) -> str:
    """One line about an object: name, size in centimetres, number of faces."""
    x, y, z = mesh.extents * 100
    return f"{mesh.name}: {x:.1f} x {y:.1f} x {z:.1f} cm (x y z), {len(mesh.vertices)} vertices, {len(mesh.faces)} faces"


def _read(path: Path) -> bytes:
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise ValueError(f"Expected a mesh file of at most {MAX_BYTES >> 20} MB, found {path.name} of {size >> 20} MB: simplify it.")
    return path.read_bytes()


def _parse(data: bytes, file_format: str, shown: str) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and faces of a file; no textures, no other files, no repairs."""
    import trimesh

    try:
        loaded = trimesh.load(
            io.BytesIO(data), file_type=file_format, process=False, maintain_order=True, skip_materials=True, resolver=_NoFiles()
        )
        mesh = loaded.to_mesh() if isinstance(loaded, trimesh.Scene) else loaded
        if file_format == "stl":  # the format repeats each vertex for each triangle
            mesh.merge_vertices()
        # Point clouds and line drawings load without faces.
        vertices, faces = np.asarray(mesh.vertices), np.asarray(getattr(mesh, "faces", np.zeros((0, 3))))
        if file_format == "off":
            _check_off_header(data, len(faces))
        return vertices, faces
    except Exception as error:  # the readers of trimesh raise whatever the damage makes of them
        raise ValueError(f"Cannot read {shown} as .{file_format}, it is damaged or of another type: {str(error).rstrip('.!')}.") from error


def _check_off_header(data: bytes, found: int) -> None:
    """The .off reader takes a file that breaks off within its faces; its header tells how many there should be."""
    lines = (line.split(b"#")[0] for line in data[:4096].splitlines())
    _, _, announced = b" ".join(lines).split()[:3]
    if found < int(announced):
        raise ValueError(f"its header announces {int(announced)} faces, it has {found}")


class _NoFiles:
    """A resolver that finds nothing: a mesh file must not read its neighbours."""

    def get(self, name: str) -> bytes:
        raise FileNotFoundError(name)

    def keys(self) -> list[str]:
        return []

    def __getitem__(self, name: str) -> bytes:
        return self.get(name)


def _check_options(options: MeshOptions) -> None:
    if options.units not in UNITS:
        raise ValueError(f"Expected units out of {', '.join(UNITS)}, found '{options.units}'.")
    if options.up_axis not in UP_AXES:
        raise ValueError(f"Expected an up axis out of {', '.join(UP_AXES)}, found '{options.up_axis}'.")
    if not (np.isfinite(options.scale) and options.scale > 0):
        raise ValueError(f"Expected a scale above 0, found {options.scale:g}.")


def _check_arrays(vertices: np.ndarray, faces: np.ndarray, name: str) -> None:
    if len(vertices) == 0 or len(faces) == 0:
        raise ValueError(f"Expected a mesh with triangles, found {len(vertices)} vertices and {len(faces)} faces in '{name}'.")
    if len(faces) > MAX_FACES:
        raise ValueError(f"Expected at most {MAX_FACES} faces, found {len(faces)} in '{name}': simplify it (Decimate in Blender).")
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise ValueError(f"Expected face indices in 0..{len(vertices) - 1}, found others in '{name}': the file is damaged.")
    broken = int((~np.isfinite(vertices)).any(1).sum())
    if broken:
        raise ValueError(f"Expected finite vertices, found {broken} with NaN or infinite coordinates in '{name}': export it again.")
    extents = np.ptp(vertices, axis=0)
    if extents.min() <= 1e-4 * extents.max():
        raise ValueError(f"Expected a solid object, found '{name}' flat ({_by(extents)} in its own unit): give it thickness.")


def _check_size(vertices: np.ndarray, options: MeshOptions, name: str) -> None:
    extents = np.ptp(vertices, axis=0)
    side = extents.max()
    if MIN_SIDE <= side <= MAX_SIDE:
        return
    raw = side / UNITS[options.units]
    fitting = [unit for unit in ("m", "cm", "mm") if 0.02 <= raw * UNITS[unit] <= 0.5]
    names = {"m": "metres", "cm": "centimetres", "mm": "millimetres"}
    hint = "set units or scale"
    if fitting:
        hint = f"it looks like {' or '.join(names[unit] for unit in fitting)}: set units to {' or '.join(fitting)}"
    raise ValueError(
        f"Expected an object between {MIN_SIDE * 1000:g} mm and {MAX_SIDE:g} m, "
        f"found '{name}' of {_by(extents)} m with units '{options.units}', {hint}."
    )


def _by(extents: np.ndarray) -> str:
    return " x ".join(f"{side:.3g}" for side in extents)
