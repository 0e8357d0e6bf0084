"""Read pickles of MANO files and of recorded motion without running anything they name, and without chumpy or scipy.

A pickle is a program. Here the only names it may use are those of ``pickled.table_of_globals``, and each of them stands for an inert
record or a function that builds plain data. specs: hands 1.6.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from .pickled import Function, Record, RefusedPickle, evaluate, refuse_unplain, shown, table_of_globals

MAX_BYTES = 64 << 20
MAX_UNFOLDED = 4 * MAX_BYTES
MAX_STEPS = 8_000_000
"""Opcodes of a file: a long recording of dicts of arrays has a million."""
MAX_DEPTH, MAX_NUMBERS = 16, 1 << 25
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


class _Steps(dict):
    """The unpickler's functions by opcode, handed out a limited number of times."""

    left = MAX_STEPS

    def __getitem__(self, opcode: int) -> Callable[..., None]:
        self.left -= 1
        if self.left < 0:
            raise RefusedPickle(f"it takes more than {MAX_STEPS} steps to read")
        return super().__getitem__(opcode)


class _Unpickler(pickle._Unpickler):
    """Python's own unpickler in Python, so that each step can be looked at before it is taken."""

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data), encoding="latin1")
        self.size, self.unfolded = len(data), 0
        self.dispatch = _Steps(pickle._Unpickler.dispatch)
        for opcode, step in {
            pickle.SETITEM: _Unpickler._set_item,
            pickle.SETITEMS: _Unpickler._set_items,
            pickle.DICT: _Unpickler._make_dict,
            pickle.ADDITEMS: _Unpickler._add_items,
            pickle.FROZENSET: _Unpickler._make_frozenset,
            pickle.BYTEARRAY8: _Unpickler._make_bytearray,
        }.items():
            self.dispatch[opcode[0]] = step

    def _set_item(self) -> None:
        self._refuse_unless_dict(self.stack[-3])
        refuse_unplain(self.stack[-2:-1])
        self.load_setitem()

    def _set_items(self) -> None:
        self._refuse_unless_dict(self.metastack[-1][-1])
        refuse_unplain(self.stack[::2])
        self.load_setitems()

    def _make_dict(self) -> None:
        refuse_unplain(self.stack[::2])
        self.load_dict()

    def _add_items(self) -> None:
        refuse_unplain(self.stack)
        self.load_additems()

    def _make_frozenset(self) -> None:
        refuse_unplain(self.stack)
        self.load_frozenset()

    def _make_bytearray(self) -> None:
        size = int.from_bytes(self.read(8), "little")
        if size > self.size:  # Python would make room for it before it reads
            raise EOFError("it ends before its data")
        self.append(bytearray(self.read(size)))

    def _refuse_unless_dict(self, target: Any) -> None:
        if type(target) is not dict:
            raise RefusedPickle(f"it sets items of {shown(target)}, expected a dict")

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in of a global, from the table only."""
        found = table_of_globals().get((module, name))
        if found is None:
            raise RefusedPickle(f"it asks for '{module}.{name}', which is no part of a hand file")
        return Function(self._counted(found.call)) if isinstance(found, Function) else found

    def _counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, refused when all that was made is too much: a small file may ask for the same again and again."""

        def counted(*args: Any) -> Any:
            made = call(*args)
            self.unfolded += made.nbytes if isinstance(made, np.ndarray) else len(made) if isinstance(made, bytes) else 0
            if self.unfolded > MAX_UNFOLDED:
                raise RefusedPickle("the file unfolds into too much data")
            return made

        return counted

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
    return _guarded(lambda: _plain(content, 0, {})[0])


def _plain(item: Any, depth: int, seen: dict[int, tuple[Any, int, Any]]) -> tuple[Any, int]:
    """An item with arrays in place of records, and how many numbers it unfolds to where parts of it are shared."""
    if depth > MAX_DEPTH:
        raise RefusedPickle(f"it is nested deeper than any recording, {MAX_DEPTH} levels")
    if isinstance(item, Record):
        item = item.value()
    if isinstance(item, np.ndarray) and item.dtype == object:
        items = item.ravel().tolist()
        return _plain(items[0] if len(items) == 1 else items, depth + 1, seen)
    if not isinstance(item, (dict, list, tuple)):
        return item, item.size if isinstance(item, np.ndarray) else len(item) if isinstance(item, (str, bytes)) else 1
    if id(item) not in seen:
        parts = [_plain(part, depth + 1, seen) for part in (item.values() if isinstance(item, dict) else item)]
        made = [part for part, _ in parts]
        size = 1 + sum(size for _, size in parts)
        if size > MAX_NUMBERS:
            raise RefusedPickle("it holds more numbers than any recording")
        # The item is kept with what was made of it, so that nothing else can get its id.
        seen[id(item)] = dict(zip(item, made, strict=True)) if isinstance(item, dict) else made, size, item
    made, size, _ = seen[id(item)]
    return made, size


def load_restricted(data: bytes, keys: Collection[str]) -> dict[str, Any]:
    """Read the dict of a MANO pickle.

    Args:
        data: content of the file, at most ``MAX_BYTES``.
        keys: which entries are wanted.

    Returns:
        Those of them that are there, arrays and wrapped arrays as plain NumPy arrays.

    Raises:
        RefusedPickle: the file names a global outside the table or holds something other than plain numbers.
        ValueError: truncated or damaged.
    """
    content = _loaded(data)
    if not isinstance(content, dict):
        raise RefusedPickle(f"expected a dict of arrays, found {type(content).__name__.strip('_')}")
    return _guarded(lambda: {key: evaluate(content[key]) for key in keys if key in content})


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
