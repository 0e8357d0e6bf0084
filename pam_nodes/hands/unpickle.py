"""Read pickles of MANO files and of recorded motion without running anything they name, and without chumpy or scipy.

A pickle is a program. Here the only names it may use are those of ``pickled.table_of_globals``, and each of them stands for an inert
record or a function that builds plain data. specs: hands 1.6.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from .pickled import Function, RefusedPickle, evaluate, require_plain_keys, resolved, table_of_globals

MAX_BYTES = 64 << 20
MAX_DEPTH, MAX_ITEMS = 16, 4_000_000
_DAMAGE = (
    pickle.UnpicklingError,
    ArithmeticError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
)


class _Unpickler(pickle._Unpickler):
    """Python's own unpickler in Python, so that what becomes a key can be looked at before it is hashed."""

    dispatch: ClassVar = dict(pickle._Unpickler.dispatch)

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data), encoding="latin1")
        self.encoded = 0

    def _plain_key(self) -> None:
        require_plain_keys(self.stack[-2:-1])
        super().load_setitem()

    def _plain_keys(self) -> None:
        require_plain_keys(self.stack[::2])
        super().load_setitems()

    def _plain_dict(self) -> None:
        require_plain_keys(self.stack[::2])
        super().load_dict()

    def _plain_members(self) -> None:
        require_plain_keys(self.stack)
        super().load_additems()

    def _plain_frozenset(self) -> None:
        require_plain_keys(self.stack)
        super().load_frozenset()

    def _bounded_bytearray(self) -> None:
        """Python's own takes the memory that the file announces before it reads."""
        size = int.from_bytes(self.read(8), "little")
        data = self.read(size) if size <= MAX_BYTES else b""
        if len(data) != size:
            raise RefusedPickle("the file announces more data than it holds")
        self.append(bytearray(data))

    dispatch[pickle.SETITEM[0]] = _plain_key
    dispatch[pickle.SETITEMS[0]] = _plain_keys
    dispatch[pickle.DICT[0]] = _plain_dict
    dispatch[pickle.ADDITEMS[0]] = _plain_members
    dispatch[pickle.FROZENSET[0]] = _plain_frozenset
    dispatch[pickle.BYTEARRAY8[0]] = _bounded_bytearray

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
            return Function(self.encode)
        found = table_of_globals().get((module, name))
        if found is None:
            raise RefusedPickle(f"it asks for '{module}.{name}', which is no part of a hand file")
        return found

    def persistent_load(self, _pid: Any) -> Any:
        """Hand files have no persistent ids."""
        raise RefusedPickle("it asks for an object outside the file")


def load_tree(data: bytes) -> Any:
    """Read any pickle of dicts, lists, numbers, text and arrays, as recordings are.

    Returns:
        The content with wrapped arrays and tensors as NumPy arrays; an array of one object becomes that object, of several a list.

    Raises:
        RefusedPickle: the file names a global outside the table, or is nested or large beyond any recording.
        ValueError: truncated or damaged.
    """
    content = _loaded(data)
    seen: dict[int, tuple[Any, int, Any]] = {}

    def plain(item: Any, depth: int) -> tuple[Any, int]:
        """The item without records, and how many items it unfolds into; shared parts count each time they are met."""
        if depth > MAX_DEPTH:
            raise RefusedPickle("it is nested deeper than any recording")
        item = resolved(item)
        if isinstance(item, np.ndarray) and item.dtype == object:
            items = list(item.ravel())
            return plain(items[0] if len(items) == 1 else items, depth + 1)
        if not isinstance(item, (dict, list, tuple)):
            return item, 1
        if id(item) not in seen:
            pairs = [plain(value, depth + 1) for value in (item.values() if isinstance(item, dict) else item)]
            size = 1 + sum(count for _, count in pairs)
            if size > MAX_ITEMS:
                raise RefusedPickle("it unfolds into more items than any recording")
            made = [value for value, _ in pairs]
            seen[id(item)] = (dict(zip(item, made, strict=True)) if isinstance(item, dict) else made), size, item
        return seen[id(item)][:2]

    return _guarded(lambda: plain(content, 0)[0])


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
    content = _loaded(data)
    if not isinstance(content, dict):
        raise RefusedPickle(f"expected a dict of arrays, found {type(content).__name__.strip('_')}")
    return _guarded(lambda: {str(key): evaluate(item) for key, item in content.items()})


def _loaded(data: bytes) -> Any:
    if len(data) > MAX_BYTES:
        raise RefusedPickle(f"expected at most {MAX_BYTES >> 20} MB, found {len(data) >> 20} MB")
    return _guarded(lambda: _Unpickler(data).load())


def _guarded(work: Callable[[], Any]) -> Any:
    """What ``work`` returns; whatever a damaged file makes Python raise becomes one sentence."""
    try:
        return work()
    except RefusedPickle:
        raise
    except _DAMAGE as error:
        raise ValueError(f"the pickle is truncated or damaged ({error})") from error
