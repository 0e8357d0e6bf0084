"""The restricted reader of pickles: hostile files run nothing, and small ones cannot unfold into endless work or memory."""

import collections
import io
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from pam_nodes.hands.files import load_hand
from pam_nodes.hands.unpickle import RefusedPickle, load_restricted, load_tree

CSC = ("scipy.sparse.csc", "csc_matrix")


def write(folder: Path, data: bytes) -> Path:
    path = folder / "MANO_RIGHT.pkl"
    path.write_bytes(data)
    return path


class Name:
    """Pickles as a global, whether or not that module exists here."""

    def __init__(self, module: str, name: str):
        self.module, self.name = module, name


class Call:
    """Pickles as a call of a named global, followed by its state."""

    def __init__(self, module: str, name: str, *args, state=None):
        self.function, self.args, self.state = Name(module, name), args, state


class Writer(pickle._Pickler):
    """The pure-Python pickler, able to name any global."""

    def save(self, obj, save_persistent_id=True):
        if isinstance(obj, Name):
            self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())
        elif isinstance(obj, Call) and id(obj) in self.memo:
            self.write(self.get(self.memo[id(obj)][0]))
        elif isinstance(obj, Call):
            self.save(obj.function)
            self.save(tuple(obj.args))
            self.write(pickle.REDUCE)
            self.memoize(obj)
            if obj.state is not None:
                self.save(obj.state)
                self.write(pickle.BUILD)
        else:
            super().save(obj, save_persistent_id)


def dumps(value, protocol: int = 2) -> bytes:
    file = io.BytesIO()
    Writer(file, protocol).dump(value)
    return file.getvalue()


PAYLOADS = {
    "os.system": lambda mark: Call("os", "system", f"touch {mark}"),
    "posix.system": lambda mark: Call("posix", "system", f"touch {mark}"),
    "subprocess": lambda mark: Call("subprocess", "Popen", ["touch", str(mark)]),
    "eval": lambda mark: Call("builtins", "eval", f"open({str(mark)!r}, 'w')"),
    "py2 eval": lambda mark: Call("__builtin__", "eval", f"open({str(mark)!r}, 'w')"),
    "open": lambda mark: Call("io", "open", str(mark), "w"),
    "getattr": lambda mark: Call("builtins", "getattr", Name("os", "environ"), "get"),
    "import": lambda mark: Call("builtins", "__import__", "os"),
    "numpy load": lambda mark: Call("numpy", "load", str(mark), None, True),
    "numpy ctypes": lambda mark: Call("numpy.testing._private.utils", "runstring", f"open({str(mark)!r}, 'w')", {}),
    "partial": lambda mark: Call("functools", "partial", 1),
    "codecs": lambda mark: Call("_codecs", "encode", "import os", "rot13"),
    "object array": lambda mark: np.array([{"a": 1}, None], dtype=object),
    "array subclass": lambda mark: Call("numpy.core.multiarray", "_reconstruct", Name("numpy", "matrix"), (0,), b"b"),
    "defaultdict": lambda mark: collections.defaultdict(list),
    "torch": lambda mark: Call("torch._utils", "_rebuild_tensor_v2"),
}


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("payload", PAYLOADS)
def test_hostile_pickles_are_refused_and_run_nothing(tmp_path, payload, protocol):
    mark = tmp_path / "executed"
    for value in (PAYLOADS[payload](mark), {"v_template": PAYLOADS[payload](mark)}):
        path = write(tmp_path, dumps(value, protocol))
        with pytest.raises(ValueError, match=r"Cannot load the hand 'MANO_RIGHT\.pkl': "):
            load_hand(path)
    assert not mark.exists()


@pytest.mark.parametrize("payload", ["os.system", "posix.system", "eval", "py2 eval", "open"])
def test_the_payloads_are_live(tmp_path, payload):
    mark = tmp_path / "executed"
    pickle.loads(dumps(PAYLOADS[payload](mark)))
    assert mark.exists()


def raw(*parts: bytes) -> bytes:
    return b"\x80\x02" + b"".join(parts) + b"."


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (raw(b"U\x02osQ"), "outside the file"),
        (raw(b"c_codecs\nencode\n}U\x0c__defaults__U\x01xsb"), "alter a function"),
        (raw(b"cchumpy.ch\nCh\n}U\x05valueU\x01xsb"), "damaged"),
        (raw(b"c__builtin__\nobject\nN}U\x08__init__U\x01xs\x86b"), "damaged"),
        (raw(b"\x82\x01"), "damaged"),
        (raw(b"cos\nsystem\n"), "asks for 'posix.system'|asks for 'os.system'"),
        (raw(b"c__builtin__\nset\n."), "expected a dict"),
        (b"", "truncated"),
        (b"\x80\x05\x95" + struct.pack("<Q", 2**62), "truncated"),
        (raw(b"\x8a\x7f"), "truncated"),
        (b"\x80\x04\x8f((K\x01K\x02t\x90.", "key of type tuple"),
        (b"\x80\x04((K\x01K\x02t\x91.", "key of type tuple"),
        (raw(b"((K\x01K\x02tNd"), "key of type tuple"),
    ],
)
def test_forged_opcodes_are_refused(data, sentence):
    with pytest.raises(ValueError, match=sentence):
        load_restricted(data, ["k"])


def test_functions_of_the_table_cannot_be_altered_by_a_file():
    with pytest.raises(RefusedPickle):
        load_restricted(raw(b"cnumpy.core.multiarray\n_reconstruct\nN}U\x0c__defaults__U\x01xs\x86b"), [])


@pytest.mark.parametrize(
    "state",
    [
        {"_shape": (16, 10**12), "data": np.ones(1), "indices": np.zeros(1, int), "indptr": np.array([0, 1])},
        {"_shape": (16, 8), "data": np.ones(1), "indices": np.zeros(1, int), "indptr": np.array([0, 10**14])},
        {"_shape": (16, 8), "data": np.ones(1), "indices": np.array([99]), "indptr": np.array([0, 1])},
        {"_shape": (16, 8), "data": np.ones(1), "indices": np.zeros(1, int), "indptr": np.array([-(10**14), 1])},
        {"_shape": (16, 8), "data": np.ones(1), "indices": np.zeros(1, int), "indptr": np.array([0, 2**31, 1], np.uint32)},
        {"_shape": (16, 8)},
        None,
    ],
)
def test_bad_sparse_matrices_are_refused_before_they_unfold(state):
    with pytest.raises(ValueError, match=r"sparse|damaged"):
        load_restricted(dumps({"J_regressor": Call(*CSC, state=state)}), ["J_regressor"])


def test_node_that_selects_from_itself_is_refused():
    data = raw(b"}U\x01kcchumpy.reordering\nSelect\n)Rq\x01}(U\x01ah\x01U\x04idxsK\x00ubs")
    with pytest.raises(ValueError, match="damaged"):
        load_restricted(data, ["k"])


def test_text_encoded_again_and_again_is_refused():
    text = b"X" + struct.pack("<I", 1 << 20) + b"a" * (1 << 20) + b"q\x00"
    data = raw(text, b"0(", b"".join(b"c_codecs\nencode\nh\x00U\x06latin1\x86R" for _ in range(300)), b"t")
    with pytest.raises(RefusedPickle, match="too much data"):
        load_restricted(data, ["k"])


def shared(levels: int, leaf=0, make=lambda a: (a, a)):
    """Few objects, each used twice by the next: written out it has 2 ** levels leaves."""
    for _ in range(levels):
        leaf = make(leaf)
    return leaf


def numbers_of_torch(values) -> Call:
    """The storage of a tensor, as a plain pickle holds it."""
    import torch

    file = io.BytesIO()
    torch.save(torch.tensor(values).untyped_storage(), file)
    return Call("torch.storage", "_load_from_bytes", file.getvalue())


ENDLESS = shared(60)
SMALL = {
    "key": ({"k": {shared(3): 1}}, "found a key of type tuple"),
    "key of an argument": ({"k": Call("collections", "OrderedDict", [(ENDLESS, 1)])}, "found a key of type tuple"),
    "pairs for a state": ({"k": Call("chumpy.ch", "Ch", state=[(ENDLESS, 1)])}, "damaged"),
    "number type": (
        {"k": Call("numpy.core.numeric", "_frombuffer", b"", Call("numpy", "dtype", ENDLESS), (0,), "C")},
        "array of type tuple",
    ),
    "codec": ({"k": Call("_codecs", "encode", "a", ENDLESS)}, "codec tuple"),
    "list": ({"k": shared(40, [1.0], lambda a: [a, a])}, "deeper"),
    "wide list": ({"k": shared(5, [1.0], lambda a: [a] * 100)}, "more numbers"),
    "array again and again": ({"k": [np.zeros(1 << 20)] * 100}, "more numbers"),
    "tensor without end": (
        {"k": Call("torch._utils", "_rebuild_tensor_v2", numbers_of_torch([1.0, 2.0]), 0, (2**33, 2**31), (0, 0), False, {})},
        "too much data",
    ),
    "tensor beyond its numbers": (
        {"k": Call("torch._utils", "_rebuild_tensor_v2", numbers_of_torch([1.0, 2.0]), 4, (8,), (1,), False, {})},
        "larger than its numbers",
    ),
}


@pytest.mark.parametrize("name", SMALL)
def test_small_files_cannot_unfold_without_end(name):
    value, sentence = SMALL[name]
    data = dumps(value)
    assert len(data) < 10_000 or name == "array again and again"
    with pytest.raises(ValueError, match=sentence):
        load_tree(data)


def test_nodes_that_share_nodes_are_worked_out_once():
    order = np.array([1, 0, 2])
    chain = shared(60, order, lambda a: Call("chumpy.reordering", "Select", state={"a": a, "idxs": a}))
    assert load_restricted(dumps({"k": chain}), ["k"])["k"].tolist() in ([1, 0, 2], [0, 1, 2])


def test_lists_instead_of_arrays_are_refused_unread(tmp_path):
    path = write(tmp_path, dumps({"v_template": shared(60, [1.0], lambda a: [a, a])}))
    with pytest.raises(ValueError, match="expected 'v_template' to be an array, found list"):
        load_hand(path)


def test_room_is_not_made_for_data_that_is_not_there():
    with pytest.raises(ValueError, match="ends before its data"):
        load_tree(b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b"ab.")
    assert load_tree(b"\x80\x05\x96" + struct.pack("<Q", 2) + b"ab.") == bytearray(b"ab")


def test_items_of_arrays_cannot_be_set():
    """NumPy would unfold a shared list to find its shape."""
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n"
    storage = dumps(numbers_of_torch([1.0, 2.0]))[2:-1]
    data = raw(tensor, b"(", storage, b"K\x00K\x02\x85K\x01\x85\x89}tR", b"K\x00K\x05s")
    with pytest.raises(RefusedPickle, match="sets items of ndarray"):
        load_tree(data)


def test_endless_steps_are_refused(monkeypatch):
    monkeypatch.setattr("pam_nodes.hands.unpickle._Steps.left", 1000)
    assert load_tree(raw(b"N0" * 400, b"N")) is None
    with pytest.raises(RefusedPickle, match="steps to read"):
        load_tree(raw(b"N0" * 600, b"N"))


def test_nothing_is_read_from_empty_arrays(tmp_path):
    """Protocol 2 of Python 3 asks ``bytes`` for their data."""
    assert load_tree(pickle.dumps({"k": np.zeros((0, 3))}, 2))["k"].shape == (0, 3)
