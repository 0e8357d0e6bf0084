"""Hand model files: MANO pickles, the same arrays as .npz or .safetensors, and the CC0 hand of the pack."""

from __future__ import annotations

import hashlib
import io
import logging
import zipfile
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from .joints import TIP_TABLES
from .model import PARENTS, HandModel
from .smplx_backend import require_smplx
from .unpickle import MAX_BYTES, load_restricted

logger = logging.getLogger(__name__)

DEFAULT_NAME = "CC0 hand"
DEFAULT_FILE = Path(__file__).parents[1] / "assets" / "hand" / "right.npz"
MIRRORED = "-mirrored"
"""End of the digest of a hand made by ``mirrored``."""

SHAPES: dict[str, tuple[int | str, ...]] = {
    "v_template": ("V", 3),
    "f": ("F", 3),
    "weights": ("V", 16),
    "J_regressor": (16, "V"),
    "shapedirs": ("V", 3, "S"),
    "posedirs": ("V", 3, 135),
    "hands_mean": (45,),
    "hands_components": (45, 45),
    "kintree_table": (2, 16),
}
"""What a MANO file holds; letters are sizes that must agree. specs: hands 1.1."""


def load_hand(path: str | Path, side: str | None = None, left_shape: str = "as_file", tips: str = "manopth") -> HandModel:
    """Load a hand model file.

    Args:
        path: .pkl, .npz or .safetensors with the arrays of ``SHAPES``.
        side: "right" or "left" to insist on, or None to accept what the file holds.
        left_shape: "fixed" negates the x of the shape directions of a left hand that has the bug of the published MANO_LEFT file
            (vchoutas/smplx#48), so that equal betas give mirrored hands; "as_file" keeps them, as DexYCB's labels need.
        tips: which table of fingertip vertices, a key of ``TIP_TABLES``.

    Returns:
        The model, arrays as float32 and int64.

    Raises:
        ValueError: not a hand file; the sentence says what was expected and found.
    """
    path = Path(path)
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    try:
        if len(data) > MAX_BYTES:
            raise ValueError(f"expected at most {MAX_BYTES >> 20} MB, found more")
        arrays = _checked(_read(data, path.suffix.lower()))
        return _build(arrays, path.name, hashlib.sha256(data).hexdigest(), side, left_shape, tips)
    except ValueError as error:
        raise ValueError(f"Cannot load the hand '{path.name}': {error}.") from error


def choose_hand(path: str | Path | None, side: str, left_shape: str, tips: str, backend: str) -> HandModel:
    """A hand file, or the CC0 hand for None, with the choices of ``load_hand`` and the code that skins it.

    Raises:
        ImportError: the smplx backend is asked for and not installed.
    """
    if backend == "smplx":
        require_smplx()
    if path is None:
        hand = replace(load_default_hand(side), tip_ids=TIP_TABLES[tips]["right"])  # the left one is its mirror, vertex by vertex
    else:
        hand = load_hand(path, side, left_shape, tips)
    return replace(hand, backend=backend)


def load_default_hand(side: str = "right") -> HandModel:
    """The CC0 hand of the pack; the left one is the exact mirror of the right one."""
    if side not in ("right", "left"):
        raise ValueError(f"Expected side 'right' or 'left', found {side!r}.")
    right = _default_right()
    return right if side == "right" else mirrored(right)


@lru_cache(maxsize=1)
def _default_right() -> HandModel:
    return replace(load_hand(DEFAULT_FILE, "right"), name=DEFAULT_NAME)


def mirrored(model: HandModel) -> HandModel:
    """The other hand: every array reflected in the plane x = 0 of the model. specs: hands 1.5.

    A reflection S turns the rotation R of a pose into S R S, so axis-angles become (x, -y, -z) and the posedirs entry of R[a, b]
    takes the signs of a and b.
    """
    point = np.array([-1, 1, 1], dtype=np.float32)
    pose = np.tile(np.array([1, -1, -1], dtype=np.float32), 15)
    feature = np.tile(np.outer(point, point).ravel(), 15)
    side = "left" if model.side == "right" else "right"
    return replace(
        model,
        side=side,
        v_template=model.v_template * point,
        faces=model.faces[:, ::-1].copy(),
        shapedirs=model.shapedirs * point[:, None],
        posedirs=model.posedirs * point[:, None] * feature,
        hands_mean=model.hands_mean * pose,
        hands_components=model.hands_components * pose,
        digest=model.digest.removesuffix(MIRRORED) if model.digest.endswith(MIRRORED) else model.digest + MIRRORED,
    )


def has_left_shape_bug(model: HandModel) -> bool:
    """Whether the first shape direction shrinks the hand along x while it grows it along y and z.

    Measured on the edges, which do not care where the hand stands. specs: hands 1.5.
    """
    start, end = model.faces[:, [0, 1, 2]].ravel(), model.faces[:, [1, 2, 0]].ravel()
    edge = model.v_template[end] - model.v_template[start]
    change = model.shapedirs[end, :, 0] - model.shapedirs[start, :, 0]
    x, y, z = (edge * change).sum(0) / (edge * edge).sum(0)
    return bool(x * y < 0 and x * z < 0)


def _read(data: bytes, suffix: str) -> dict[str, Any]:
    """The arrays of a file, unchecked."""
    if suffix == ".pkl":
        return load_restricted(data)
    if suffix == ".npz":
        return _read_npz(data)
    if suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            return load(data)
        except SafetensorError as error:
            raise ValueError(f"the .safetensors file is truncated or damaged ({error})") from error
    raise ValueError(f"expected a .pkl, .npz or .safetensors file, found '{suffix}'")


def _read_npz(data: bytes) -> dict[str, np.ndarray]:
    """Members of an .npz that are part of a hand; never unpickles."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
        if unpacked > MAX_BYTES:
            raise ValueError(f"it unpacks to {unpacked >> 20} MB, expected at most {MAX_BYTES >> 20} MB")
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            return {name: archive[name] for name in SHAPES if name in archive}
    except (zipfile.BadZipFile, EOFError, OSError, MemoryError, zipfile.zlib.error) as error:
        raise ValueError(f"the .npz file is truncated or damaged ({error})") from error


def _checked(content: dict[str, Any]) -> dict[str, np.ndarray]:
    """The arrays of ``SHAPES``, each of the right shape and finite."""
    arrays: dict[str, np.ndarray] = {}
    sizes: dict[str, int] = {}
    for key, shape in SHAPES.items():
        if key not in content:
            raise ValueError(f"'{key}' is missing, is this a MANO v1.2 hand file")
        array = content[key]
        if not isinstance(array, np.ndarray):
            raise ValueError(f"expected '{key}' to be an array, found {type(array).__name__}")
        if key == "hands_mean":
            array = array.reshape(-1)
        expected = tuple(sizes.get(n, n) for n in shape)
        fits = array.ndim == len(shape) and all(isinstance(e, str) or e == n for e, n in zip(expected, array.shape, strict=True))
        if array.dtype.kind not in "fiu" or not fits:
            raise ValueError(f"expected '{key}' of shape ({', '.join(map(str, expected))}), found {array.shape} of {array.dtype}")
        sizes.update({n: size for n, size in zip(shape, array.shape, strict=True) if isinstance(n, str)})
        if not np.isfinite(array).all():
            raise ValueError(f"'{key}' holds NaN or infinite numbers")
        arrays[key] = array
    return arrays


def _build(arrays: dict[str, np.ndarray], name: str, digest: str, side: str | None, left_shape: str, tips: str) -> HandModel:
    """Check what the numbers mean and make the model."""
    parents = arrays["kintree_table"][0].astype(np.int64)
    if tuple(parents[1:]) != PARENTS[1:]:
        raise ValueError(f"expected MANO's 16-joint tree, found parents {parents.tolist()}")
    faces = arrays["f"].astype(np.int64)
    count = len(arrays["v_template"])
    if len(faces) == 0 or faces.min() < 0 or faces.max() >= count:
        raise ValueError(f"expected face indices in 0..{count - 1}, found others")
    weights = arrays["weights"].astype(np.float32)
    if np.abs(weights.sum(1) - 1).max() > 1e-3:
        raise ValueError("expected skinning weights that add up to 1 for each vertex, found others")
    joints = arrays["J_regressor"].astype(np.float64) @ arrays["v_template"]
    found = "right" if joints[4, 0] < joints[0, 0] else "left"
    if side not in (None, found):
        raise ValueError(f"it is a {found} hand but side is '{side}', choose '{found}' or another file")
    tip_ids = TIP_TABLES[tips][found]
    if max(tip_ids) >= count:
        raise ValueError(f"expected more than {max(tip_ids)} vertices, found {count}")

    def single(key: str) -> np.ndarray:
        return arrays[key].astype(np.float32)

    model = HandModel(
        side=found,
        name=name,
        is_mano=count == 778 and len(faces) == 1538,
        v_template=single("v_template"),
        faces=faces,
        weights=weights,
        J_regressor=single("J_regressor"),
        shapedirs=single("shapedirs"),
        posedirs=single("posedirs"),
        hands_mean=single("hands_mean"),
        hands_components=single("hands_components"),
        tip_ids=tip_ids,
        digest=digest,
    )
    if found == "left" and left_shape == "fixed" and has_left_shape_bug(model):
        logger.info("%s: negated x of the shape directions", name)
        model = replace(model, shapedirs=model.shapedirs * np.array([-1, 1, 1], dtype=np.float32)[:, None], digest=f"{digest}-fixed")
    return model
