"""Nodes of the pose stage that work on motion and hand poses, in the host: recordings, editing, quality, checks."""

import json
import pickle
import shutil

import numpy as np
import pytest
import trimesh

from hostkit.client import NodeFailed, PromptRejected
from pam_nodes.hands.files import load_default_hand
from pam_nodes.hands.posing import preset_pose
from pam_nodes.recordings.read import EXAMPLE

from .test_hand_and_object_nodes import SLIDERS, WRIST, hand_node, node, probe

LOADING = dict(
    up_axis="auto", ground=True, recenter=True, fps=0.0, betas="use", dataset_betas="", fix_pinky=True, motion_file="embedded example"
)  # fmt: skip
DEMANDS = dict(
    max_penetration=10.0, max_slip=30.0, max_speed=3.0, max_below_table=20.0, min_contact_links=0, need_success=True,
    need_joint_limits=False, stop_below=0.0,
)  # fmt: skip
TIMING = dict(length=9, fps=15.0, fit=True, speed=1.0, speed_limit=0.0, ease_in=0.0, ease_out=0.0, hold_start=0, hold_end=0)


def recorded(**changes) -> dict:
    """The shipped example with its mug: node "m"."""
    return {
        "hand": hand_node(),
        "mug": node("PAMDemoObject", kind="mug", size=1.0, natural_color=True, color="#b83a2e"),
        "m": node("PAMLoadRecordedMotion", hand=["hand", 0], object=["mug", 0], **{**LOADING, **changes}),
    }


def shown(key: str, name: str, output: int = 0) -> dict:
    return {f"{name}_out": probe(key, name, output)}


@pytest.fixture
def seen(probed):
    """What a probe of ``shown`` received, by its name."""
    return lambda result, name: probed(result, f"{name}_out")


@pytest.fixture
def motion_folder(host):
    """input/motion of the server, emptied again."""
    folder = host.base / "input" / "motion"
    folder.mkdir(parents=True, exist_ok=True)
    yield folder
    shutil.rmtree(folder)


def test_example_plays(run_prompt, seen):
    result = run_prompt(recorded() | shown("m", "motion") | shown("m", "pose", 1))
    arrays, plain = seen(result, "motion")
    assert arrays["value.hands.0.pose.hand_pose"].shape == (97, 45) and plain["value.fps"] == 30
    assert arrays["value.objects.0.poses"][-1, 2, 3] > 0.15
    assert seen(result, "pose")[0]["value.transl"].shape == (97, 3)
    assert result.outputs["m"]["text"][0].startswith("pam_motion, 97 frames at 30 fps")


def test_file_of_the_person_and_what_it_lacks(run_prompt, seen, motion_folder):
    shutil.copy(EXAMPLE, motion_folder / "mine.npz")
    result = run_prompt(recorded(motion_file="motion/mine.npz") | shown("m", "info", 2))
    assert "97 frames" in seen(result, "info")[1]["value"]
    (motion_folder / "odd.json").write_text(json.dumps({"weights": [1]}))
    with pytest.raises(NodeFailed, match="it holds weights, which is none of pam_motion"):
        run_prompt(recorded(motion_file="motion/odd.json") | shown("m", "info", 2))


def test_hostile_motion_runs_nothing(run_prompt, motion_folder):
    import os

    class Call:
        def __reduce__(self):
            return os.system, (f"touch {motion_folder}/ran",)

    (motion_folder / "bad.pkl").write_bytes(pickle.dumps({"raw_mano": Call()}))
    with pytest.raises(NodeFailed, match=r"it asks for '(posix|nt)\.system'"):
        run_prompt(recorded(motion_file="motion/bad.pkl") | shown("m", "motion"))
    assert not (motion_folder / "ran").exists()


@pytest.mark.parametrize("name", ["../../secret.npz", "motion/missing.npz"])
def test_files_elsewhere_are_refused_before_anything_runs(run_prompt, name):
    with pytest.raises(PromptRejected, match=r"Invalid file path|inside the input folder|No motion file"):
        run_prompt(recorded(motion_file=name) | shown("m", "motion"))


EDITS = {
    "PAMRetimeTrajectory": (TIMING, 9),
    "PAMTrimTrajectory": (dict(start=10, end=-10), 78),
    "PAMMirrorTrajectory": ({}, 97),
    "PAMSmoothTrajectory": (dict(seconds=0.05, hands=True, objects=True), 97),
    "PAMOffsetTrajectory": (dict(what="all", x=0.1, y=0.0, z=0.0, rotation_x=0.0, rotation_y=0.0, rotation_z=90.0), 97),
}


@pytest.mark.parametrize("kind", sorted(EDITS))
def test_edits(run_prompt, seen, kind):
    inputs, length = EDITS[kind]
    result = run_prompt(recorded() | {"e": node(kind, trajectory=["m", 0], **inputs)} | shown("e", f"edit_{kind}"))
    arrays, plain = seen(result, f"edit_{kind}")
    assert len(arrays["value.hands.0.pose.transl"]) == len(arrays["value.objects.0.poses"]) == length
    assert plain["value.hands.0.pose.side"] == ("left" if kind == "PAMMirrorTrajectory" else "right")


def test_two_motions_become_one(run_prompt, seen):
    """Joined, faded, and merged as two hands, which are kept apart."""
    moved = dict(what="all", x=0.6, y=0.0, z=0.0, rotation_x=0.0, rotation_y=0.0, rotation_z=0.0)
    prompt = recorded() | {
        "other": node("PAMOffsetTrajectory", trajectory=["m", 0], **moved),
        "left": node("PAMMirrorTrajectory", trajectory=["m", 0]),
        "apart": node("PAMOffsetTrajectory", trajectory=["left", 0], **{**moved, "x": 0.9}),
        "concat": node("PAMConcatTrajectories", first=["m", 0], second=["other", 0], bridge=6),
        "blend": node("PAMBlendTrajectories", first=["m", 0], second=["other", 0], start=0.0, end=1.0),
        "merge": node("PAMMergeTrajectories", first=["m", 0], second=["apart", 0], objects="both", tolerance=2.0),
        "near": node("PAMOffsetTrajectory", trajectory=["m", 0], **{**moved, "x": 0.03}),
        "crash": node("PAMMergeTrajectories", first=["m", 0], second=["near", 0], objects="both", tolerance=2.0),
    }
    for key in ("concat", "blend", "merge"):
        prompt |= shown(key, key)
    prompt |= shown("merge", "clear", 2) | shown("crash", "hits", 1)
    result = run_prompt(prompt)
    assert len(seen(result, "concat")[0]["value.objects.0.poses"]) == 2 * 97 + 6
    faded = seen(result, "blend")[0]["value.objects.0.poses"][:, 0, 3]
    assert faded[0] == pytest.approx(0, abs=0.05) and faded[-1] == pytest.approx(0.6, abs=0.05)
    merged, plain = seen(result, "merge")
    assert merged["value.hands.1.pose.transl"].shape == (97, 3) and plain["value.hands.1.pose.side"] == "left"
    assert seen(result, "clear")[1]["value"] is True
    assert "right hand 1 and right hand 2" in seen(result, "hits")[1]["value"]


def test_frame_as_a_target_and_still(run_prompt, seen):
    pick = dict(frame=-1, hand=0, object=0)
    prompt = recorded() | {
        "f": node("PAMGetTrajectoryFrame", trajectory=["m", 0], object_at_start=True, **pick),
        "still": node("PAMMakeTrajectory", hand=["f", 2], pose=["f", 0], object=["f", 1], length=5, fps=24.0),
    }
    result = run_prompt(prompt | shown("still", "still"))
    arrays, plain = seen(result, "still")
    assert arrays["value.objects.0.poses"].shape == (5, 4, 4) and plain["value.fps"] == 24
    assert abs(arrays["value.objects.0.poses"][0, 2, 3]) < 1e-6, "the mug is back on the table"
    with pytest.raises(NodeFailed, match="hand number 0 to 0, found 1"):
        run_prompt(
            recorded()
            | {"f": node("PAMGetTrajectoryFrame", trajectory=["m", 0], object_at_start=False, **{**pick, "hand": 1})}
            | shown("f", "x")
        )


def test_quality_passes_and_stops(run_prompt, seen):
    prompt = recorded() | {"q": node("PAMGraspQuality", trajectory=["m", 0], **DEMANDS)}
    for name, output in (("score", 1), ("passed", 2), ("report", 3), ("plot", 4)):
        prompt |= shown("q", name, output)
    result = run_prompt(prompt)
    assert seen(result, "score")[1]["value"] == 1.0 and seen(result, "passed")[1]["value"] is True
    assert "Grasp succeeded" in seen(result, "report")[1]["value"]
    plot = seen(result, "plot")[0]["value"]
    assert plot.shape == (1, 480, 640, 3) and 0.5 < plot.mean() < 1
    prompt["q"]["inputs"] |= dict(max_penetration=0.01, stop_below=1.0)
    with pytest.raises(NodeFailed, match=r"score 0\.\d+ is below 1, missed: penetration"):
        run_prompt(prompt)


@pytest.mark.parametrize("kind", ["pam npz", "pam json", "glb", "graspxl npy", "arctic npy", "hamer npz", "joints npz", "joints csv"])
def test_save_motion(run_prompt, host, kind):
    prompt = recorded() | {"s": node("PAMSaveMotion", trajectory=["m", 0], format=kind, filename_prefix=f"PAM/{kind.split()[0]}")}
    path = host.file(run_prompt(prompt).outputs["s"]["files"][0])
    assert path.stat().st_size > 1000 and not list(path.parent.glob("*.part"))
    if kind == "glb":
        assert {"right hand", "mug"} <= set(trimesh.load(path).geometry)


def test_saved_motion_never_replaces_and_is_read_back(run_prompt, seen, host, motion_folder):
    prompt = recorded() | {"s": node("PAMSaveMotion", trajectory=["m", 0], format="pam npz", filename_prefix="PAM/again")}
    first = host.file(run_prompt(prompt).outputs["s"]["files"][0])
    prompt["m"]["inputs"]["recenter"] = False
    second = host.file(run_prompt(prompt).outputs["s"]["files"][0])
    assert first != second and first.is_file()
    shutil.copy(first, motion_folder / "again.npz")
    again = recorded(motion_file="motion/again.npz", ground=False, recenter=False) | shown("m", "again")
    arrays, _ = seen(run_prompt(again), "again")
    with np.load(first) as saved:
        assert np.array_equal(arrays["value.hands.0.pose.hand_pose"], saved["right_hand_pose"])


def test_save_outside_the_output_folder_is_refused(run_prompt):
    prompt = recorded() | {"s": node("PAMSaveMotion", trajectory=["m", 0], format="pam npz", filename_prefix="../../outside")}
    with pytest.raises(NodeFailed, match="output"):
        run_prompt(prompt)


def test_hand_pose_tools(run_prompt, seen):
    prompt = {
        "hand": hand_node(),
        "left": hand_node(side="left"),
        "a": node("PAMHandPose", hand=["hand", 0], preset="flat", **WRIST, **SLIDERS),
        "b": node("PAMHandPose", hand=["hand", 0], preset="fist", **WRIST, **SLIDERS),
        "blend": node("PAMBlendHandPoses", first=["a", 0], second=["b", 0], share=1.0, what="fingers"),
        "mirror": node("PAMMirrorHandPose", pose=["b", 0]),
        "check": node("PAMCheckHandPose", hand=["left", 0], pose=["mirror", 0], tolerance=3.0, clamp=True),
        "numbers": node("PAMHandPoseToNumbers", hand=["hand", 0], pose=["b", 0], convention="axis-angle, flat", components=45, frame=0),
        "back": node("PAMHandPoseFromNumbers", hand=["hand", 0], hand_pose=["numbers", 0], flat_hand_mean=True, **WRIST),
    }
    for key in ("blend", "mirror", "back"):
        prompt |= shown(key, f"pose_{key}")
    result = run_prompt(prompt | shown("check", "ok", 1) | shown("check", "says", 2))
    fist = preset_pose("fist")
    assert np.abs(seen(result, "pose_blend")[0]["value.hand_pose"][0] - fist).max() < 1e-6
    assert seen(result, "pose_mirror")[1]["value.side"] == "left"
    assert np.abs(seen(result, "pose_back")[0]["value.hand_pose"][0] - fist).max() < 1e-6
    assert seen(result, "ok")[1]["value"] is True and "within a hand's range" in seen(result, "says")[1]["value"]


def test_codes_on_the_default_hand_are_refused(run_prompt):
    prompt = {
        "hand": hand_node(),
        "p": node(
            "PAMHandPoseFromNumbers", hand=["hand", 0], hand_pose="1 2 3 4 5 6", flat_hand_mean=True, convention="PCA, mean", **WRIST
        ),
    }  # fmt: skip
    with pytest.raises(NodeFailed, match="PCA codes belong to MANO's own spaces"):
        run_prompt(prompt | shown("p", "pose"))


def test_fingertips_and_the_other_backend(run_prompt, seen, skip_for):
    from pam_nodes.hands.smplx_backend import available

    if not available():
        skip_for("smplx", "smplx is not installed.")
    prompt = {"hand": hand_node(fingertips="smplx", backend="smplx", left_shape="as_file")}
    plain = seen(run_prompt(prompt | shown("hand", "hand")), "hand")[1]
    assert plain["value.backend"] == "smplx" and plain["value.tip_ids.0"] == 744
    assert load_default_hand().tip_ids[0] == 745
