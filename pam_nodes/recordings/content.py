"""Files to plain content: dicts, lists, numbers and arrays. Never runs what a file names."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ..hands.unpickle import MAX_BYTES, load_tree

NUMPY_MAGIC, ZIP_MAGIC, PICKLE_MAGIC = b"\x93NUMPY", b"PK\x03\x04", b"\x80"
MAX_UNPACKED = 512 << 20


def read_content(path: str | Path) -> Any:
    """Content of a motion file, told apart by its first bytes and not by its name.

    Args:
        path: .npz, .npy (also a pickled object), .json, .safetensors, .pkl / .pickle, or a torch file.

    Returns:
        Dicts, lists, numbers, text and NumPy arrays.

    Raises:
        ValueError: damaged, too large, of no known kind, or asking for code.
    """
    path = Path(path)
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError(f"expected at most {MAX_BYTES >> 20} MB, found more")
    if not data:
        raise ValueError("the file is empty")
    if data.startswith(NUMPY_MAGIC):
        return _npy(data)
    if data.startswith(ZIP_MAGIC):
        return _zip(data)
    if data.lstrip()[:1] in (b"{", b"["):
        return _json(data)
    if _is_safetensors(data):
        return _safetensors(data)
    if data.startswith(PICKLE_MAGIC) or path.suffix.lower() in (".pkl", ".pickle"):
        return load_tree(data)
    raise ValueError("expected a .npz, .npy, .json, .safetensors or .pkl file, found something else")


def _npy(data: bytes) -> Any:
    """An array, or the object pickled in one."""
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(stream)
        if dtype.hasobject:
            return load_tree(data[stream.tell() :])
        if int(np.prod(shape, dtype=object)) * dtype.itemsize > len(data):
            raise ValueError(f"it announces an array of {shape} and holds less")
        return np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError, MemoryError) as error:
        raise ValueError(f"the .npy file is truncated or damaged ({error})") from error


def _zip(data: bytes) -> Any:
    """An .npz archive, or a file of torch."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if sum(member.file_size for member in members) > MAX_UNPACKED:
                raise ValueError(f"it unpacks to more than {MAX_UNPACKED >> 20} MB")
            if any(member.filename.endswith("data.pkl") for member in members):
                return _torch(data)
            names = [member.filename for member in members if member.filename.endswith(".npy")]
            return {name.removesuffix(".npy"): _npy(archive.read(name)) for name in names}
    except (zipfile.BadZipFile, EOFError, OSError, MemoryError, zipfile.zlib.error) as error:
        raise ValueError(f"the archive is truncated or damaged ({error})") from error


def _torch(data: bytes) -> Any:
    import torch

    try:
        content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError) as error:
        raise ValueError(f"it asks for more than plain tensors, or is damaged ({str(error).splitlines()[0][:200]})") from error
    return _arrays(content)


def _arrays(item: Any) -> Any:
    """Tensors as arrays, all the way down."""
    if isinstance(item, dict):
        return {key: _arrays(value) for key, value in item.items()}
    if isinstance(item, (list, tuple)):
        return [_arrays(value) for value in item]
    return item.detach().numpy() if hasattr(item, "detach") else item


def _json(data: bytes) -> Any:
    try:
        return json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the .json file is damaged ({error})") from error


def _is_safetensors(data: bytes) -> bool:
    return len(data) > 9 and int.from_bytes(data[:8], "little") < len(data) and data[8:9] == b"{"


def _safetensors(data: bytes) -> Any:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        content = load(data)
    except SafetensorError as error:
        raise ValueError(f"the .safetensors file is truncated or damaged ({error})") from error
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return {**content, **header.get("__metadata__", {})}


def numbers(content: Any, key: str, size: int | None = None) -> np.ndarray:
    """(T, n) float64 of one entry, one row a frame.

    Args:
        content: a dict.
        key: of the entry.
        size: n, or None for any.

    Raises:
        ValueError: missing, not numbers, or of another size.
    """
    if key not in content:
        raise ValueError(f"expected an entry '{key}', found {listed(content)}")
    try:
        array = np.array(content[key], np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"expected numbers in '{key}', found something else ({error})") from error
    one = array.ndim < 2 or array.size == size
    array = array.reshape(1 if one else len(array), -1)
    if size is not None and array.shape[1] != size:
        raise ValueError(f"expected {size} numbers a frame in '{key}', found {array.shape[1]}")
    return array


def listed(content: Any) -> str:
    """The keys of a dict, or what it is instead, for messages."""
    if isinstance(content, dict):
        keys = [str(key)[:40] for key in list(content)[:8]]
        return f"{', '.join(keys) or 'nothing'}{' ...' if len(content) > 8 else ''}"
    if isinstance(content, np.ndarray):
        return f"an array of {content.shape}"
    return f"a {type(content).__name__}" + (f" of {len(content)}" if isinstance(content, (list, str)) else "")
