"""Hand files: authentic kinds load to the same numbers, damaged and hostile ones get a sentence and run nothing."""

import io
import lzma
import os
import pickle
import runpy
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pam_nodes.hands.files import has_left_shape_bug, load_default_hand, load_hand
from pam_nodes.hands.model import PARENTS, HandModel


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


@pytest.mark.parametrize("protocol", range(6))
def test_pickles_of_every_protocol_load_to_the_same_hand(tmp_path, protocol):
    hand = load_default_hand()
    assert_same(load_hand(write(tmp_path, pickle.dumps(content(hand), protocol))), hand)


def test_files_written_by_python_2_load_exactly(tmp_path):
    """Authentic ones of protocols 0 to 2, with chumpy nodes and a scipy matrix: see python2/make.py."""
    folder = Path(__file__).with_name("python2")
    expected = runpy.run_path(str(folder / "make.py"))["content"]()
    expected |= {"shapedirs": expected["shapedirs"][:, :, :10], "faces": expected["f"]}
    for protocol in (0, 1, 2):
        hand = load_hand(write(tmp_path, lzma.decompress((folder / f"mano_{protocol}.pkl.xz").read_bytes())), "right")
        assert hand.is_mano and hand.shapedirs.shape == (778, 3, 10)
        for name in "v_template faces weights J_regressor shapedirs posedirs hands_mean hands_components".split():
            np.testing.assert_array_equal(getattr(hand, name), expected[name], err_msg=f"{name}, protocol {protocol}")


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
