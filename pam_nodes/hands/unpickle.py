"""Read MANO pickles without running anything they name, and without chumpy or scipy.

A pickle is a program. Here the only names it may use are those in ``_table``, and each of them stands for an inert record or a
function that builds plain data. Arrays, chumpy nodes and sparse matrices are evaluated after the load. specs: hands 1.6.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np

MAX_BYTES = 64 << 20
_DAMAGE = (
    pickle.UnpicklingError,
    ArithmeticError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
)
MAX_ELEMENTS = 1 << 24
"""Largest array that a small file may unfold into (a sparse matrix or a repeated index)."""


class RefusedPickle(ValueError):
    """The file asks for something that no MANO file needs."""


class _Record:
    """Stand-in for an object of the file: remembers its state, runs nothing."""

    __slots__ = ("state",)

    def __init__(self, *_args: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def fields(self) -> dict[str, Any]:
        """The attributes of the pickled object, also when they were stored as (dict, slots)."""
        parts = self.state if isinstance(self.state, tuple) else (self.state,)
        fields: dict[str, Any] = {}
        for part in parts:
            fields.update(part or {})
        return fields

    def value(self) -> np.ndarray:
        raise RefusedPickle(f"found a bare {type(self).__name__.strip('_')}")


class _Dtype(_Record):
    """``numpy.dtype(name, align, copy)`` and its state, whose second entry is the byte order."""

    __slots__ = ("name",)

    def __init__(self, name: Any = None, *_args: Any) -> None:
        super().__init__()
        self.name = name

    def resolve(self) -> np.dtype:
        """The plain number type it names."""
        if self.name not in {"b1", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"}:
            raise RefusedPickle(f"found an array of type {str(self.name)[:40]!r}, expected plain numbers")
        order = self.state[1] if isinstance(self.state, tuple) and len(self.state) > 1 else "="
        return np.dtype(self.name).newbyteorder(order if order in ("<", ">") else "=")


class _Array(_Record):
    """A NumPy array: state is (version, shape, dtype, fortran order, bytes)."""

    __slots__ = ()

    def value(self) -> np.ndarray:
        _, shape, dtype, fortran, data = self.state
        return _plain_array(data, dtype, shape, "F" if fortran else "C")


class _Chumpy(_Record):
    """``chumpy.ch.Ch``: a wrapped array."""

    __slots__ = ()

    def value(self) -> np.ndarray:
        return evaluate(self.fields()["x"])


class _Select(_Record):
    """``chumpy.reordering.Select``: elements of another node."""

    __slots__ = ()

    def value(self) -> np.ndarray:
        fields = self.fields()
        picked = evaluate(fields["a"]).ravel()[evaluate(fields["idxs"])]
        return picked.reshape(fields["preferred_shape"]) if "preferred_shape" in fields else picked


class _Sparse(_Record):
    """A scipy matrix in compressed columns, compressed rows or coordinates."""

    __slots__ = ()
    layout = ""

    def value(self) -> np.ndarray:
        fields = self.fields()
        rows, columns = (int(n) for n in fields.get("_shape", fields.get("shape")))
        if not 0 < rows * columns <= MAX_ELEMENTS or rows < 0:
            raise RefusedPickle(f"found a sparse matrix of {rows} x {columns}")
        data = evaluate(fields["data"])
        if self.layout == "coo":
            row, column = (evaluate(a) for a in fields.get("coords", (fields.get("row"), fields.get("col"))))
        else:
            inner = evaluate(fields["indices"])
            starts = evaluate(fields["indptr"])
            if starts[-1] != len(inner) or np.any(np.diff(starts) < 0):
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


class _NdarrayName(_Record):
    """``numpy.ndarray`` as an argument. Only its name is needed."""

    __slots__ = ()


class _Function:
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
    raw = data.encode("latin1") if isinstance(data, str) else data
    if not isinstance(raw, (bytes, bytearray)):
        raise RefusedPickle("found an array of objects, expected plain numbers")
    return np.frombuffer(raw, dtype.resolve()).reshape(shape, order=order)


def _reconstruct(kind: Any, _shape: Any, _typecode: Any) -> _Array:
    if kind is not _NdarrayName:
        raise RefusedPickle("found an array subclass")
    return _Array()


def _frombuffer(data: Any, dtype: Any, shape: Any, order: Any, _axes: Any = None) -> np.ndarray:
    return _plain_array(data, dtype, shape, "F" if order == "F" else "C")


def _scalar(dtype: Any, data: Any) -> float | int:
    return _plain_array(data, dtype, (1,), "C")[0].item()


def _reconstructor(kind: Any, base: Any, _state: Any) -> _Record:
    if not (isinstance(kind, type) and issubclass(kind, _Record)) or base is not object:
        raise RefusedPickle("found an object that no MANO file holds")
    return kind()


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data), encoding="latin1")
        self.encoded = 0

    def encode(self, text: str, codec: str = "latin1") -> bytes:
        """``_codecs.encode``: how protocols below 3 spell bytes. Counted, since a memoised text can be encoded again and again."""
        if codec not in ("latin1", "latin-1"):
            raise RefusedPickle(f"found text in the codec {str(codec)[:40]!r}")
        self.encoded += len(text)
        if self.encoded > MAX_BYTES:
            raise RefusedPickle("the file unfolds into too much data")
        return text.encode("latin1")

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in of a global, from the table only."""
        if (module, name) == ("_codecs", "encode"):
            return _Function(self.encode)
        found = _table().get((module, name))
        if found is None:
            raise RefusedPickle(f"it asks for '{module}.{name}', which is no part of a MANO file")
        return found

    def persistent_load(self, _pid: Any) -> Any:
        """MANO files have no persistent ids."""
        raise RefusedPickle("it asks for an object outside the file")


def _table() -> dict[tuple[str, str], Any]:
    """Globals of files written by Python 2 (protocols 0-2) and of files saved again by Python 3 with NumPy 1 or 2."""
    table: dict[tuple[str, str], Any] = {
        ("numpy", "ndarray"): _NdarrayName,
        ("numpy", "dtype"): _Dtype,
        ("chumpy.ch", "Ch"): _Chumpy,
        ("chumpy.reordering", "Select"): _Select,
        ("collections", "OrderedDict"): dict,
    }
    for core in ("numpy.core", "numpy._core"):
        table[f"{core}.multiarray", "_reconstruct"] = _Function(_reconstruct)
        table[f"{core}.multiarray", "scalar"] = _Function(_scalar)
        table[f"{core}.numeric", "_frombuffer"] = _Function(_frombuffer)
    for layout, record in (("csc", _Csc), ("csr", _Csr), ("coo", _Coo)):
        for module in (f"scipy.sparse.{layout}", f"scipy.sparse._{layout}"):
            table[module, f"{layout}_matrix"] = table[module, f"{layout}_array"] = record
    for module in ("copy_reg", "copyreg"):
        table[module, "_reconstructor"] = _Function(_reconstructor)
    for module in ("__builtin__", "builtins"):
        table[module, "object"] = object
        table[module, "set"] = _Function(lambda *_members: None)
    return table


def evaluate(item: Any) -> Any:
    """The array behind a record; anything else as it is."""
    return item.value() if isinstance(item, _Record) else item


def load_restricted(data: bytes) -> dict[str, Any]:
    """Read the dict of a MANO pickle.

    Args:
        data: content of the file, at most ``MAX_BYTES``.

    Returns:
        The dict, arrays and wrapped arrays as plain NumPy arrays.

    Raises:
        RefusedPickle: the file names a global outside the table or holds something other than plain numbers.
        ValueError: truncated or damaged.
    """
    if len(data) > MAX_BYTES:
        raise RefusedPickle(f"expected at most {MAX_BYTES >> 20} MB, found {len(data) >> 20} MB")
    try:
        content = _Unpickler(data).load()
        if not isinstance(content, dict):
            raise RefusedPickle(f"expected a dict of arrays, found {type(content).__name__.strip('_')}")
        return {str(key): evaluate(item) for key, item in content.items()}
    except RefusedPickle:
        raise
    except _DAMAGE as error:
        raise ValueError(f"the pickle is truncated or damaged ({error})") from error
