"""What a pickle of arrays may be made of: inert stand-ins, evaluated after the load (specs: hands 1.6)."""

from __future__ import annotations

import io
import math
from functools import lru_cache
from typing import Any

import numpy as np

MAX_ELEMENTS = 1 << 24
"""Largest array that a small file may unfold into (a sparse matrix or a repeated index)."""


class RefusedPickle(ValueError):
    """The file asks for something that no hand model and no recording needs."""


class Record:
    """Stand-in for an object of the file: remembers its state, runs nothing."""

    __slots__ = ("made", "state")

    def __new__(cls, *_args: Any) -> Record:  # protocol 2 makes objects without __init__
        record = super().__new__(cls)
        record.state, record.made = None, None
        return record

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def fields(self) -> dict[str, Any]:
        """The attributes of the pickled object, also when they were stored as (dict, slots)."""
        parts = self.state if isinstance(self.state, tuple) else (self.state,)
        return {key: value for part in parts if isinstance(part, dict) for key, value in part.items()}

    def value(self) -> np.ndarray:
        """The array it stands for. Kept, since a small file can name one record again and again."""
        if self.made is None:
            self.made = self._make()
        return self.made

    def _make(self) -> np.ndarray:
        raise RefusedPickle(f"found a bare {type(self).__name__.strip('_')}")


class _Dtype(Record):
    """``numpy.dtype(name, align, copy)`` and its state, whose second entry is the byte order."""

    __slots__ = ("name",)

    def __init__(self, name: Any = None, *_args: Any) -> None:
        self.name = name

    def resolve(self) -> np.dtype:
        """The plain number type it names."""
        if self.name in ("O8", "O"):
            return np.dtype(object)
        if not isinstance(self.name, str) or self.name not in {"b1", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"}:
            raise RefusedPickle(f"found an array of type {shown(self.name)}, expected plain numbers")
        order = self.state[1] if isinstance(self.state, tuple) and len(self.state) > 1 else "="
        return np.dtype(self.name).newbyteorder(order if order in ("<", ">") else "=")


class _Array(Record):
    """A NumPy array: state is (version, shape, dtype, fortran order, bytes)."""

    __slots__ = ()

    def _make(self) -> np.ndarray:
        _, shape, dtype, fortran, data = self.state
        return _plain_array(data, dtype, shape, "F" if fortran else "C")


class _Chumpy(Record):
    """``chumpy.ch.Ch``: a wrapped array."""

    __slots__ = ()

    def _make(self) -> np.ndarray:
        return evaluate(self.fields()["x"])


class _Select(Record):
    """``chumpy.reordering.Select``: elements of another node."""

    __slots__ = ()

    def _make(self) -> np.ndarray:
        fields = self.fields()
        places = evaluate(fields["idxs"])
        if places.size > MAX_ELEMENTS:
            raise RefusedPickle("the file unfolds into too much data")
        picked = evaluate(fields["a"]).ravel()[places]
        return picked.reshape(fields["preferred_shape"]) if "preferred_shape" in fields else picked


class _Sparse(Record):
    """A scipy matrix in compressed columns, compressed rows or coordinates."""

    __slots__ = ()
    layout = ""

    def _make(self) -> np.ndarray:
        fields = self.fields()
        rows, columns = (int(n) for n in fields.get("_shape", fields.get("shape")))
        if not 0 < rows * columns <= MAX_ELEMENTS or rows < 0:
            raise RefusedPickle(f"found a sparse matrix of {rows} x {columns}")
        data = evaluate(fields["data"])
        if self.layout == "coo":
            row, column = (evaluate(a) for a in fields.get("coords", (fields.get("row"), fields.get("col"))))
        else:
            inner = evaluate(fields["indices"])
            starts = evaluate(fields["indptr"]).astype(np.int64)  # unsigned differences would wrap around
            if starts[0] != 0 or starts[-1] != len(inner) or np.any(np.diff(starts) < 0):
                raise RefusedPickle("found a sparse matrix that contradicts itself")
            outer = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
            row, column = (inner, outer) if self.layout == "csc" else (outer, inner)
        dense = np.zeros((rows, columns))
        np.add.at(dense, (row, column), data)
        return dense


class _Csc(_Sparse):
    __slots__ = ()
    layout = "csc"


class _Csr(_Sparse):
    __slots__ = ()
    layout = "csr"


class _Coo(_Sparse):
    __slots__ = ()
    layout = "coo"


class _NdarrayName(Record):
    """``numpy.ndarray`` as an argument. Only its name is needed."""

    __slots__ = ()


class Function:
    """A function the file may call. It takes no state, so the file cannot alter it."""

    __slots__ = ("call",)

    def __init__(self, call: Any) -> None:
        self.call = call

    def __call__(self, *args: Any) -> Any:
        return self.call(*args)

    def __setstate__(self, _state: Any) -> None:
        raise RefusedPickle("the file tries to alter a function")


def _plain_array(data: Any, dtype: Any, shape: Any, order: str) -> np.ndarray:
    if not isinstance(dtype, _Dtype):
        raise RefusedPickle("found an array without a plain number type")
    kind = dtype.resolve()
    if kind.kind == "O":
        return _object_array(data, shape, order)
    raw = data.encode("latin1") if isinstance(data, str) else data
    if not isinstance(raw, (bytes, bytearray)):
        raise RefusedPickle("found an array of objects, expected plain numbers")
    return np.frombuffer(raw, kind).reshape(shape, order=order)


def _object_array(items: Any, shape: Any, order: str) -> np.ndarray:
    """An array of plain objects, as ``np.save`` makes of a dict."""
    if not isinstance(items, list):
        raise RefusedPickle("found an array of objects without its objects")
    array = np.empty(len(items), object)
    for i, item in enumerate(items):  # a slice assignment would look for arrays in nested lists, without end in shared ones
        array[i] = item
    return array.reshape(shape, order=order)


def _storage(data: bytes) -> np.ndarray:
    """The numbers of a torch tensor pickled without ``torch.save``: read by torch itself, plain tensors only."""
    import torch

    storage = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    return torch.tensor([], dtype=storage.dtype).set_(storage).numpy()


def _tensor(storage: Any, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_rest: Any) -> np.ndarray:
    """A torch tensor as an array."""
    numbers = (offset, *shape, *strides)
    if not isinstance(storage, np.ndarray) or not all(isinstance(n, int) and n >= 0 for n in numbers):
        raise RefusedPickle("found a tensor without its numbers")
    count = math.prod(shape)
    if count > MAX_ELEMENTS:
        raise RefusedPickle("the file unfolds into too much data")
    if count == 0:
        return np.empty(shape, storage.dtype)
    if offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True)) >= len(storage):
        raise RefusedPickle("found a tensor that is larger than its numbers")
    view = np.lib.stride_tricks.as_strided(storage[offset:], shape, [stride * storage.itemsize for stride in strides])
    return view.copy()


def _reconstruct(kind: Any, _shape: Any, _typecode: Any) -> _Array:
    if kind is not _NdarrayName:
        raise RefusedPickle("found an array subclass")
    return _Array()


def _frombuffer(data: Any, dtype: Any, shape: Any, order: Any, _axes: Any = None) -> np.ndarray:
    return _plain_array(data, dtype, shape, "F" if order == "F" else "C")


def _scalar(dtype: Any, data: Any) -> float | int:
    return _plain_array(data, dtype, (1,), "C")[0].item()


def _reconstructor(kind: Any, base: Any, _state: Any) -> Record:
    if not (isinstance(kind, type) and issubclass(kind, Record)) or base is not object:
        raise RefusedPickle("found an object that no hand file holds")
    return kind()


def _encode(text: str, codec: str = "latin1") -> bytes:
    """``_codecs.encode``: how protocols below 3 spell bytes."""
    if codec not in ("latin1", "latin-1"):
        raise RefusedPickle(f"found text in the codec {shown(codec)}")
    return text.encode("latin1")


def _ordered(pairs: Any = ()) -> dict[Any, Any]:
    """``collections.OrderedDict``, whose pairs Python 2 gave as an argument."""
    refuse_unplain([key for key, _ in pairs])
    return dict(pairs)


def refuse_unplain(keys: list[Any]) -> None:
    """Refuse what is no plain key: the hash of a tuple of tuples visits every leaf, and a small file can share its leaves 2**60 times."""
    for key in keys:
        if not isinstance(key, (str, bytes, int, float, type(None))):
            raise RefusedPickle(f"found a key of type {type(key).__name__.strip('_')}, expected text or numbers")


def shown(item: Any) -> str:
    """What a message says of an item: the start of a text, or the type of what could be endless."""
    return repr(item[:40]) if isinstance(item, str) else type(item).__name__.strip("_")


def evaluate(item: Any) -> Any:
    """The array behind a record; anything else as it is."""
    value = item.value() if isinstance(item, Record) else item
    if isinstance(value, np.ndarray) and value.dtype == object:
        raise RefusedPickle("found an array of objects, expected plain numbers")
    return value


@lru_cache(maxsize=1)
def table_of_globals() -> dict[tuple[str, str], Any]:
    """Globals of files written by Python 2 (protocols 0-2) and of files saved again by Python 3 with NumPy 1 or 2."""
    table: dict[tuple[str, str], Any] = {
        ("numpy", "ndarray"): _NdarrayName,
        ("numpy", "dtype"): _Dtype,
        ("chumpy.ch", "Ch"): _Chumpy,
        ("chumpy.reordering", "Select"): _Select,
        ("collections", "OrderedDict"): Function(_ordered),
        ("_codecs", "encode"): Function(_encode),
    }
    for core in ("numpy.core", "numpy._core"):
        table[f"{core}.multiarray", "_reconstruct"] = Function(_reconstruct)
        table[f"{core}.multiarray", "scalar"] = Function(_scalar)
        table[f"{core}.numeric", "_frombuffer"] = Function(_frombuffer)
    table["torch._utils", "_rebuild_tensor_v2"] = Function(_tensor)
    table["torch.storage", "_load_from_bytes"] = Function(_storage)
    for layout, record in (("csc", _Csc), ("csr", _Csr), ("coo", _Coo)):
        for module in (f"scipy.sparse.{layout}", f"scipy.sparse._{layout}"):
            table[module, f"{layout}_matrix"] = table[module, f"{layout}_array"] = record
    for module in ("copy_reg", "copyreg"):
        table[module, "_reconstructor"] = Function(_reconstructor)
    for module in ("__builtin__", "builtins"):
        table[module, "object"] = object
        table[module, "bytes"] = Function(lambda: b"")  # how Python 3 writes no bytes at all
        table[module, "set"] = Function(lambda *_members: None)
    return table
