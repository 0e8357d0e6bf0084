"""Motion written and read back, and files that must not be read."""

import csv
import io
import json
import os
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh

from pam_nodes.geometry.primitives import demo_object
from pam_nodes.grasp.edit import mirror_trajectory
from pam_nodes.grasp.measure import measure
from pam_nodes.hands.files import load_default_hand
from pam_nodes.hands.skinning import skin
from pam_nodes.recordings.place import Placing, to_trajectory
from pam_nodes.recordings.read import EXAMPLE, by_side, read_motion
from pam_nodes.recordings.recording import ReadOptions
from pam_nodes.recordings.write import JOINTS, WRITERS, joint_tables, write_motion

HAND = load_default_hand()
HANDS = {"right": HAND, "left": load_default_hand("left")}


@pytest.fixture(scope="module")
def example():
    """The shipped example with its mug."""
    recording = read_motion(EXAMPLE, HANDS)
    return to_trajectory(recording, HANDS, [demo_object("mug")], Placing(recenter=False))[0]


def vertices(pose):
    return skin(HANDS[pose.side], pose).vertices


def back(tmp_path, trajectory, kind, hands=HANDS, **options):
    ending, content = write_motion(trajectory, kind)
    path = tmp_path / f"motion{ending}"
    path.write_bytes(content)
    return read_motion(path, hands, ReadOptions(fix_pinky=False, **options))


def test_example_is_a_good_grasp(example):
    assert len(example) == 97 and example.fps == 30
    quality = measure(example)
    assert quality.success and quality.penetration.max() < 0.006 and quality.contact_links[-1] >= 4
    assert EXAMPLE.stat().st_size < 60_000


@pytest.mark.parametrize("kind", ["pam npz", "pam json"])
def test_own_files_keep_everything_to_the_bit(tmp_path, example, kind):
    recording = back(tmp_path, example, kind)
    pose, read = example.hands[0].pose, recording.hands[0].pose
    for name in ("global_orient", "hand_pose", "transl"):
        assert np.array_equal(np.asarray(getattr(pose, name), np.float64), getattr(read, name)), name
    assert np.array_equal(recording.objects["mug"], example.objects[0].poses) and recording.fps == 30


def test_own_files_keep_betas_of_the_same_hand_only(tmp_path, example):
    track = example.hands[0]
    shaped = replace(example, hands=(replace(track, pose=replace(track.pose, betas=np.float32([1.0, -0.5]))),))
    assert np.array_equal(back(tmp_path, shaped, "pam npz").hands[0].pose.betas, np.float32([1.0, -0.5]))
    other = {"right": replace(HAND, digest="another hand", name="another hand")}
    with pytest.raises(ValueError, match="betas belong to MANO's shape space, 'another hand' has another"):
        back(tmp_path, shaped, "pam npz", other)
    dropped = back(tmp_path, shaped, "pam npz", other, betas="drop")
    assert not dropped.hands[0].pose.betas.any() and "The file's betas are dropped." in dropped.notes


@pytest.mark.parametrize("kind", ["graspxl npy", "arctic npy", "hamer npz"])
def test_other_formats_give_the_same_skin(tmp_path, example, kind):
    for trajectory in (example, mirror_trajectory(example)):
        recording = back(tmp_path, trajectory, kind)
        assert recording.hands[0].pose.side == trajectory.hands[0].model.side
        assert np.abs(vertices(recording.hands[0].pose) - vertices(trajectory.hands[0].pose)).max() < 1e-5
    if kind == "graspxl npy":
        assert np.abs(recording.objects["mug"] - trajectory.objects[0].poses).max() < 1e-6


def test_dexycb_needs_mano(tmp_path, example):
    with pytest.raises(ValueError, match="PCA codes belong to MANO's own spaces and mean nothing on 'CC0 hand'"):
        write_motion(example, "dexycb npz")
    mano = replace(HAND, is_mano=True)
    like = replace(example, hands=(replace(example.hands[0], model=mano),))
    recording = back(tmp_path, like, "dexycb npz", {"right": mano})
    assert np.abs(vertices(recording.hands[0].pose) - vertices(example.hands[0].pose)).max() < 2e-5


def test_glb_plays(example):
    _, content = write_motion(example, "glb")
    assert {"right hand", "mug"} <= set(trimesh.load(io.BytesIO(content), file_type="glb").geometry)


def test_joint_tables(example):
    _, content = write_motion(example, "joints npz")
    with np.load(io.BytesIO(content), allow_pickle=False) as tables:
        expected = skin(HAND, example.hands[0].pose).keypoints
        assert np.array_equal(tables["hand_0_right"], expected) and tables["joint_names"].tolist() == list(JOINTS)
        assert np.array_equal(tables["object_0_mug"], example.objects[0].poses)
    _, content = write_motion(example, "joints csv")
    rows = list(csv.DictReader(io.StringIO(content.decode())))
    assert len(rows) == 97 and float(rows[30]["time"]) == 1.0
    tip = [float(rows[-1][f"hand0_right_index4_{axis}"]) for axis in "xyz"]
    assert np.allclose(tip, joint_tables(example)["hand_0_right"][-1, 8], atol=1e-6)
    assert float(rows[0]["object0_mug_qw"]) == pytest.approx(1)


def test_every_writer_needs_a_hand(example):
    for kind in WRITERS:
        with pytest.raises(ValueError, match="at least one hand"):
            write_motion(replace(example, hands=()), kind)


def test_placing(tmp_path, example):
    """A motion turned into a camera's frame and away from the table comes back to it."""
    down = np.array([[1.0, 0, 0, 0.5], [0, 0, -1, 0.2], [0, 1, 0, 0.9], [0, 0, 0, 1]])
    from pam_nodes.grasp.edit import offset

    recording = back(tmp_path, offset(example, down), "pam npz")
    seen, _ = to_trajectory(recording, HANDS, [demo_object("mug")], Placing(up_axis="-y"))
    assert np.abs(seen.objects[0].poses[0][2] - [0, 0, 1, 0]).max() < 1e-6, "the mug stands on the table"
    assert abs(seen.objects[0].poses[0, 0, 3]) < 0.03
    heights = seen.objects[0].poses[:, 2, 3]
    assert heights[-1] == pytest.approx(example.objects[0].poses[-1, 2, 3], abs=1e-6)


def test_objects_are_matched_by_name_then_by_order(example):
    recording = replace(read_motion(EXAMPLE, HANDS), objects={"a": np.tile(np.eye(4), (97, 1, 1)), "b": np.tile(2 * np.eye(4), (97, 1, 1))})
    b, other = (replace(demo_object("can"), name=name) for name in ("b", "thing"))
    trajectory, notes = to_trajectory(recording, HANDS, [b, other], Placing(ground=False, recenter=False))
    assert trajectory.objects[0].poses[0, 0, 0] == 2 and trajectory.objects[1].poses[0, 0, 0] == 1
    assert "The thing follows the file's object 'a'." in notes
    _, notes = to_trajectory(recording, HANDS, [b], Placing())
    assert any(note.startswith("Left out, for want of a mesh: a.") for note in notes)


def write(path, content) -> None:
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())


def good() -> dict:
    return {"global_orient": [[0, 0, 0]], "hand_pose": [[0] * 45], "transl": [[0, 0, 0]]}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "the file is empty"),
        (b"hello world", "expected a .npz, .npy, .json, .safetensors or .pkl file"),
        (b"{ broken", "the .json file is damaged"),
        ({"weights": [1], "bias": 2}, "it holds weights, bias, which is none of pam_motion"),
        ({**good(), "hand_pose": [[0] * 44]}, "PCA codes belong to MANO's own spaces"),
        ({**good(), "transl": [[0, 0]]}, "Expected 3 numbers a frame for the translation"),
        ({**good(), "transl": [[0, 0, float("nan")]]}, "NaN or infinite"),
        ({**good(), "transl": "here"}, "expected numbers in 'transl'"),
        ({**good(), "side": "middle"}, "expected side 'right' or 'left', found 'middle'"),
        ({"format": "pam_motion", "version": 7}, "expected version 1 of the motion file, found 7"),
        ({"format": "pam_motion", "version": 1}, "expected a hand or an object, found neither"),
    ],
)
def test_unsuitable_files_get_one_sentence(tmp_path, content, sentence):
    path = tmp_path / "motion.json"
    write(path, content)
    with pytest.raises(ValueError, match=rf"Cannot read the motion 'motion.json': .*{sentence}"):
        read_motion(path, HANDS)


def test_truncated_files(tmp_path, example):
    for kind in ("pam npz", "graspxl npy"):
        ending, content = write_motion(example, kind)
        for count in (7, 100, len(content) // 2, len(content) - 5):
            path = tmp_path / f"cut{ending}"
            path.write_bytes(content[:count])
            with pytest.raises(ValueError, match="Cannot read the motion"):
                read_motion(path, HANDS)


def test_other_side_and_two_of_a_side():
    left_only = {"left": HANDS["left"]}
    recording = read_motion(EXAMPLE, left_only)
    assert "The file's right hand is left out: connect a right hand to have it." in recording.notes
    with pytest.raises(ValueError, match="Expected a hand in the motion file, found only objects"):
        to_trajectory(recording, left_only, [], Placing())
    with pytest.raises(ValueError, match="found two right ones"):
        by_side(HAND, HAND)


class Call:
    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def payloads(mark: str) -> dict:
    import builtins
    import shutil
    import subprocess
    import sys

    return {
        "os.system": Call(os.system, f"touch {mark}"),
        "os.popen": Call(os.popen, f"touch {mark}"),
        "os.mkdir": Call(os.mkdir, mark),
        "subprocess": Call(subprocess.check_output, ["touch", mark]),
        "Popen": Call(subprocess.Popen, ["touch", mark]),
        "eval": Call(builtins.eval, f"open({mark!r}, 'w')"),
        "exec": Call(builtins.exec, f"open({mark!r}, 'w')"),
        "open": Call(builtins.open, mark, "w"),
        "import": Call(builtins.__import__, "antigravity"),
        "copy": Call(shutil.copy, __file__, mark),
        "exit": Call(sys.exit, 3),
        "torch.load": Call(torch.load, mark),
        "np.save": Call(np.save, mark, np.zeros(3)),
    }


@pytest.mark.parametrize("kind", sorted(payloads("x")))
@pytest.mark.parametrize("wrapping", ["pkl", "npy", "npz", "torch"])
def test_payloads_never_run(tmp_path, kind, wrapping):
    mark = tmp_path / "ran"
    content = {"right_hand": {"trans": payloads(str(mark))[kind], "rot": 1, "pose": 2}}
    path = tmp_path / f"motion.{wrapping}"
    if wrapping == "pkl":
        path.write_bytes(pickle.dumps(content, 2))
    elif wrapping == "npy":
        with path.open("wb") as file:
            np.save(file, np.array(content, dtype=object))
    elif wrapping == "npz":
        with path.open("wb") as file:
            np.savez(file, right_hand=np.array(content, dtype=object))
    else:
        torch.save(content, path)
    with pytest.raises(ValueError, match="Cannot read the motion"):
        read_motion(path, HANDS)
    assert not mark.exists() and not mark.with_suffix(".npy").exists()


REBUILD = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR"


def shared(depth: int, leaf: bytes, join: bytes) -> bytes:
    """Opcodes of a value made of itself twice, ``depth`` times over; memo 0 is the leaf."""
    steps = b"".join(join.replace(b"?", bytes([i])) + b"q" + bytes([i + 1]) + b"0" for i in range(depth))
    return leaf + b"q\x000" + steps[:-1]


def numbers_array(size: int = 2) -> bytes:
    """Opcodes of an int32 array 0, 1, 2 ..."""
    data = np.arange(size, dtype="<i4").tobytes()
    kind = b"cnumpy\ndtype\nU\x02i4K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    return REBUILD + b"(K\x01K" + bytes([size]) + b"\x85" + kind + b"\x89U" + bytes([len(data)]) + data + b"tb"


TUPLES, LISTS = b"h?h?\x86", b"(h?h?l"
SELECTS = b"cchumpy.reordering\nSelect\n)R}(U\x01ah?U\x04idxsh?ub"
ZERO = b"K\x00"
BOMBS = {
    "tuples as values": b"}U\x08raw_mano" + shared(40, ZERO, TUPLES) + b"s.",
    "lists as values": b"}U\x08raw_mano" + shared(14, ZERO, LISTS) + b"s.",
    "tuples as keys": b"}" + shared(60, ZERO, TUPLES) + b"K\x01s.",
    "keys of an ordered dict": b"}U\x01kccollections\nOrderedDict\n((" + shared(60, ZERO, TUPLES) + b"K\x01\x86ltRs.",
    "members of a set": b"(" + shared(60, ZERO, TUPLES) + b"\x91.",
    "picks of picks": b"}U\x08raw_mano" + shared(60, numbers_array(), SELECTS) + b"s.",
    "announced bytes": b"\x96" + (1 << 40).to_bytes(8, "little") + b"ab.",
}


@pytest.mark.parametrize("kind", sorted(BOMBS))
def test_bombs_are_refused_at_once(tmp_path, kind):
    """Small files that unfold without end."""
    (tmp_path / "bomb.pkl").write_bytes(b"\x80\x05" + BOMBS[kind])
    with pytest.raises(ValueError, match="Cannot read the motion"):
        read_motion(tmp_path / "bomb.pkl", HANDS)


def test_announced_arrays_are_refused_at_once(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 40,)})
    (tmp_path / "huge.npy").write_bytes(header.getvalue())
    with pytest.raises(ValueError, match="announces an array"):
        read_motion(tmp_path / "huge.npy", HANDS)
