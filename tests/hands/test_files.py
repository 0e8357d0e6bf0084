"""Hand files: authentic kinds load to the same numbers, damaged and hostile ones get a sentence and run nothing."""

import collections
import io
import os
import pickle
import struct
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pam_nodes.hands.files import has_left_shape_bug, load_default_hand, load_hand
from pam_nodes.hands.model import PARENTS, HandModel
from pam_nodes.hands.unpickle import RefusedPickle, load_restricted


def content(hand: HandModel) -> dict:
    """The dict of a MANO file."""
    names = "v_template weights J_regressor shapedirs posedirs hands_mean hands_components".split()
    arrays = {name: getattr(hand, name).astype(np.float64) for name in names}
    tree = np.array([[2**32 - 1, *PARENTS[1:]], range(16)])
    return {**arrays, "f": hand.faces.astype(np.uint32), "kintree_table": tree, "bs_style": "lbs", "bs_type": "lrotmin"}


def assert_same(found: HandModel, expected: HandModel) -> None:
    for name in "v_template faces weights J_regressor shapedirs posedirs hands_mean hands_components".split():
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)
    assert found.side == expected.side


def write(folder: Path, data: bytes, name: str = "MANO_RIGHT.pkl") -> Path:
    path = folder / name
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
        elif isinstance(obj, Call):
            self.save(obj.function)
            self.save(tuple(obj.args))
            self.write(pickle.REDUCE)
            if obj.state is not None:
                self.save(obj.state)
                self.write(pickle.BUILD)
        else:
            super().save(obj, save_persistent_id)


def dumps(value, protocol: int = 2) -> bytes:
    file = io.BytesIO()
    Writer(file, protocol).dump(value)
    return file.getvalue()


def py2_array(array: np.ndarray) -> Call:
    """An array as Python 2 wrote it: bytes are text, flags are 0 and 1."""
    dtype = Call("numpy", "dtype", array.dtype.str[1:], 0, 1, state=(3, "<", None, None, None, -1, -1, 0))
    state = (1, array.shape, dtype, False, array.tobytes().decode("latin1"))
    return Call("numpy.core.multiarray", "_reconstruct", Name("numpy", "ndarray"), (0,), "b", state=state)


def py2_object(module: str, name: str, state: dict, protocol: int) -> Call:
    """An object as Python 2 wrote it."""
    if protocol == 0:
        return Call("copy_reg", "_reconstructor", Name(module, name), Name("__builtin__", "object"), None, state=state)
    return Call(module, name, state=state)


def dumps_py2_style(hand: HandModel, protocol: int) -> bytes:
    """The layout of the published files: a csc matrix and chumpy nodes, named by their Python 2 modules."""
    import scipy.sparse

    arrays = {key: py2_array(item) if isinstance(item, np.ndarray) else item for key, item in content(hand).items()}
    csc = scipy.sparse.csc_matrix(hand.J_regressor.astype(np.float64))
    matrix = {"_shape": csc.shape, "maxprint": 50, **{key: py2_array(getattr(csc, key)) for key in ("data", "indices", "indptr")}}
    arrays["J_regressor"] = py2_object("scipy.sparse.csc", "csc_matrix", matrix, protocol)
    many = np.concatenate([hand.shapedirs, hand.shapedirs * 7], axis=2).astype(np.float64)
    picks = np.arange(many.size).reshape(many.shape)[:, :, :10].ravel()
    node = {"x": py2_array(many), "_dirty_vars": Call("__builtin__", "set", ["x"]), "_itr": None}
    select = {"a": py2_object("chumpy.ch", "Ch", node, protocol), "idxs": py2_array(picks), "preferred_shape": hand.shapedirs.shape}
    arrays["shapedirs"] = py2_object("chumpy.reordering", "Select", select, protocol)
    return dumps(arrays, protocol)


@pytest.mark.parametrize("protocol", range(6))
def test_pickles_of_every_protocol_load_to_the_same_hand(tmp_path, protocol):
    hand = load_default_hand()
    assert_same(load_hand(write(tmp_path, pickle.dumps(content(hand), protocol))), hand)


@pytest.mark.parametrize("protocol", [0, 2])
def test_published_layout_loads_without_chumpy_or_scipy_classes(tmp_path, protocol):
    hand = load_default_hand("left")
    assert_same(load_hand(write(tmp_path, dumps_py2_style(hand, protocol), "MANO_LEFT.pkl")), hand)


def test_npz_and_safetensors_load_to_the_same_hand(tmp_path):
    from safetensors.numpy import save_file

    hand = load_default_hand()
    arrays = {k: v for k, v in content(hand).items() if isinstance(v, np.ndarray)}
    np.savez(tmp_path / "a.npz", **arrays)
    save_file({k: np.ascontiguousarray(v) for k, v in arrays.items()}, tmp_path / "a.safetensors")
    for name in ("a.npz", "a.safetensors"):
        loaded = load_hand(tmp_path / name, "right")
        assert_same(loaded, hand)
        assert loaded.name == name and not loaded.is_mano and len(loaded.digest) == 64


@pytest.mark.shared
def test_default_hand_is_the_shared_conversion(shared_dir):
    folder = shared_dir / "assets" / "hand"
    for side in ("right", "left"):
        expected, found = load_hand(folder / f"HAND_{side.upper()}.npz"), load_default_hand(side)
        for name in "v_template weights J_regressor".split():
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
        assert {tuple(face) for face in found.faces} == {tuple(face) for face in expected.faces}
        np.testing.assert_allclose(found.hands_mean, expected.hands_mean, atol=1e-4)  # presets are rounded
        for name in ("shapedirs", "posedirs"):  # stored as float16
            np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=5e-6)


def test_default_hand_is_closed_and_its_tips_are_tips():
    import trimesh

    hand = load_default_hand()
    mesh = trimesh.Trimesh(hand.v_template, hand.faces, process=False)
    assert mesh.is_watertight and mesh.is_winding_consistent and 2e-4 < mesh.volume < 3.2e-4
    joints = hand.J_regressor @ hand.v_template
    for tip, last in zip(hand.tip_ids, (15, 3, 6, 12, 9), strict=True):
        assert hand.weights[tip, last] > 0.9
        assert 0.018 < np.linalg.norm(hand.v_template[tip] - joints[last]) < 0.035


def test_left_shape_bug_is_found_and_fixed(tmp_path):
    left = load_default_hand("left")
    buggy = replace(left, shapedirs=left.shapedirs * np.array([-1, 1, 1], np.float32)[:, None])
    assert has_left_shape_bug(buggy) and not has_left_shape_bug(left) and not has_left_shape_bug(load_default_hand())
    path = write(tmp_path, pickle.dumps(content(buggy)), "MANO_LEFT.pkl")
    assert_same(load_hand(path), buggy)
    assert_same(load_hand(path, left_shape="fixed"), left)
    assert load_hand(path).digest != load_hand(path, left_shape="fixed").digest
    healthy = write(tmp_path, pickle.dumps(content(left)), "healthy.pkl")
    assert_same(load_hand(healthy, left_shape="fixed"), left)


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


def test_the_payloads_are_live(tmp_path):
    mark = tmp_path / "executed"
    pickle.loads(dumps(PAYLOADS["os.system"](mark)))
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
        (raw(b"}."), None),
        (b"", "truncated"),
        (b"\x80\x05\x95" + struct.pack("<Q", 2**62), "truncated"),
        (raw(b"\x8a\x7f"), "truncated"),
    ],
)
def test_forged_opcodes_are_refused(data, sentence):
    if sentence is None:
        assert load_restricted(data) == {}
        return
    with pytest.raises(ValueError, match=sentence):
        load_restricted(data)


def test_functions_of_the_table_cannot_be_altered_by_a_file():
    with pytest.raises(RefusedPickle):
        load_restricted(raw(b"cnumpy.core.multiarray\n_reconstruct\nN}U\x0c__defaults__U\x01xs\x86b"))


@pytest.mark.parametrize(
    "state",
    [
        {"_shape": (16, 10**12), "data": np.ones(1), "indices": np.zeros(1, int), "indptr": np.array([0, 1])},
        {"_shape": (16, 8), "data": np.ones(1), "indices": np.zeros(1, int), "indptr": np.array([0, 10**14])},
        {"_shape": (16, 8), "data": np.ones(1), "indices": np.array([99]), "indptr": np.array([0, 1])},
        {"_shape": (16, 8)},
        None,
    ],
)
def test_bad_sparse_matrices_are_refused_before_they_unfold(state):
    with pytest.raises(ValueError, match=r"sparse|damaged"):
        load_restricted(dumps({"J_regressor": Call("scipy.sparse.csc", "csc_matrix", state=state)}))


def test_node_that_selects_from_itself_is_refused():
    data = raw(b"}U\x01kcchumpy.reordering\nSelect\n)Rq\x01}(U\x01ah\x01U\x04idxsK\x00ubs")
    with pytest.raises(ValueError, match="damaged"):
        load_restricted(data)


def test_text_encoded_again_and_again_is_refused():
    text = b"X" + struct.pack("<I", 1 << 20) + b"a" * (1 << 20) + b"q\x00"
    data = raw(text, b"0(", b"".join(b"c_codecs\nencode\nh\x00U\x06latin1\x86R" for _ in range(100)), b"t")
    with pytest.raises(RefusedPickle, match="too much data"):
        load_restricted(data)


@pytest.mark.parametrize("suffix", ["pkl", "npz", "safetensors"])
@pytest.mark.parametrize("keep", [0.0, 0.02, 0.5, 0.999])
def test_truncated_files_get_a_sentence(tmp_path, suffix, keep):
    from safetensors.numpy import save

    arrays = {k: np.ascontiguousarray(v) for k, v in content(load_default_hand()).items() if isinstance(v, np.ndarray)}
    file = io.BytesIO()
    np.savez(file, **arrays)
    data = {"pkl": pickle.dumps(arrays, 2), "npz": file.getvalue(), "safetensors": save(arrays)}[suffix]
    path = write(tmp_path, data[: int(len(data) * keep)], f"cut.{suffix}")
    with pytest.raises(ValueError, match=r"Cannot load the hand 'cut\.\w+': .*(truncated|damaged)"):
        load_hand(path)


def test_npz_with_objects_or_a_bomb_is_refused(tmp_path):
    mark = tmp_path / "executed"

    class Bomb:
        def __reduce__(self):
            return os.system, (f"touch {mark}",)

    np.savez(tmp_path / "objects.npz", v_template=np.array([Bomb()], dtype=object))
    with pytest.raises(ValueError, match="Cannot load"):
        load_hand(tmp_path / "objects.npz")
    assert not mark.exists()
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("v_template.npy", bytes(80 << 20))
    with pytest.raises(ValueError, match="unpacks to 80 MB"):
        load_hand(tmp_path / "bomb.npz")


def test_file_over_the_size_cap_is_refused(tmp_path):
    path = tmp_path / "big.pkl"
    with path.open("wb") as file:
        file.truncate((64 << 20) + 1)
    with pytest.raises(ValueError, match="at most 64 MB"):
        load_hand(path)


def changed(**changes):
    arrays = content(load_default_hand())
    for key, change in changes.items():
        arrays[key] = change(arrays[key])
    return arrays


def without(key):
    arrays = content(load_default_hand())
    del arrays[key]
    return arrays


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        (lambda: without("weights"), "'weights' is missing"),
        (lambda: changed(weights=lambda a: a[:, :15]), r"expected 'weights' of shape \(1670, 16\), found \(1670, 15\)"),
        (lambda: changed(posedirs=lambda a: a[:-1]), r"expected 'posedirs' of shape \(1670, 3, 135\), found \(1669"),
        (lambda: changed(v_template=lambda a: a * np.nan), "'v_template' holds NaN"),
        (lambda: changed(f=lambda a: a + 1), "face indices in 0..1669"),
        (lambda: changed(f=lambda a: a[:0]), "face indices"),
        (lambda: changed(weights=lambda a: a * 2), "add up to 1"),
        (lambda: changed(kintree_table=lambda a: a[:, ::-1]), "16-joint tree"),
        (lambda: changed(bs_style=lambda a: a, v_template=lambda a: "text"), "expected 'v_template'"),
    ],
)
def test_wrong_content_says_what_is_wrong(tmp_path, arrays, sentence):
    with pytest.raises(ValueError, match=sentence):
        load_hand(write(tmp_path, pickle.dumps(arrays())))


def test_hand_of_the_other_side_is_refused(tmp_path):
    path = write(tmp_path, pickle.dumps(content(load_default_hand("left"))))
    with pytest.raises(ValueError, match="it is a left hand but side is 'right'"):
        load_hand(path, "right")


def test_other_file_types_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"expected a \.pkl, \.npz or \.safetensors file, found '\.txt'"):
        load_hand(write(tmp_path, b"x", "hand.txt"))


@pytest.mark.parametrize("protocol", [0, 1, 2])
def test_files_written_by_python_2_and_chumpy(tmp_path, protocol):
    """Authentic ones, with chumpy nodes and a scipy matrix, made by ``python2/make.py``."""
    import importlib.util
    import lzma

    folder = Path(__file__).with_name("python2")
    spec = importlib.util.spec_from_file_location("make", folder / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    arrays = make.content()
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(lzma.decompress((folder / f"mano_{protocol}.pkl.xz").read_bytes()))
    hand = load_hand(path, "right")
    assert hand.is_mano and np.array_equal(hand.shapedirs, arrays["shapedirs"][:, :, :10])
    for name in ("v_template", "weights", "J_regressor", "posedirs", "hands_mean", "hands_components"):
        assert np.array_equal(getattr(hand, name), arrays[name].astype(np.float32)), name
