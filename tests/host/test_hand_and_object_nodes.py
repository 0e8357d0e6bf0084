"""Hand and object nodes in the host: values, files of people, and one sentence for bad input."""

import os
import pickle
import shutil

import numpy as np
import pytest
import trimesh

from hostkit.client import NodeFailed, PromptRejected
from pam_nodes.geometry.primitives import demo_object
from pam_nodes.hands.files import DEFAULT_FILE, load_default_hand
from pam_nodes.hands.pose import HandPose
from pam_nodes.hands.skinning import skin

WRIST = dict(wrist_x=0.1, wrist_y=-0.2, wrist_z=0.3, rotation_x=0.0, rotation_y=90.0, rotation_z=0.0)
SLIDERS = {f"{finger}_{motion}": 0.0 for finger in ("thumb", "index", "middle", "ring", "pinky") for motion in ("flexion", "spread")}


def node(class_type: str, **inputs) -> dict:
    return {"class_type": class_type, "inputs": inputs}


def hand_node(file: str = "embedded CC0 hand", side: str = "right", **inputs) -> dict:
    return node("PAMLoadManoHand", hand_file=file, side=side, **inputs)


def mesh_node(file: str, **inputs) -> dict:
    default = dict(units="m", scale=1.0, up_axis="auto", recenter=True, name="", label=14)
    return node("PAMLoadObjectMesh", mesh_file=file, **{**default, **inputs})


def probe(source: str, name: str, output: int = 0) -> dict:
    return node("PamProbe", value=[source, output], name=name)


@pytest.fixture
def folder(host):
    """Make a folder below the server's base and remove what the test put there."""
    made = []

    def make(*parts: str):
        path = host.base.joinpath(*parts)
        path.mkdir(parents=True, exist_ok=True)
        made.append((path, set(path.iterdir())))
        return path

    yield make
    for path, before in made:
        for item in set(path.iterdir()) - before:
            shutil.rmtree(item) if item.is_dir() else item.unlink()


@pytest.mark.parametrize("side", ["right", "left"])
def test_pose_reaches_the_next_node(run_prompt, probed, side):
    prompt = {
        "1": hand_node(side=side, betas="1, -0.5"),
        "2": node("PAMHandPose", hand=["1", 0], preset="grasp", **WRIST, **{**SLIDERS, "index_flexion": 0.5}),
        "3": probe("2", f"pose_{side}"),
    }
    arrays, plain = probed(run_prompt(prompt), "3")
    assert plain["value.side"] == side
    pose = HandPose(*(arrays[f"value.{name}"] for name in ("global_orient", "hand_pose", "transl", "betas")), side)
    np.testing.assert_allclose(pose.betas, [1, -0.5])
    np.testing.assert_allclose(skin(load_default_hand(side), pose).joints[0, 0], [0.1, -0.2, 0.3], atol=1e-6)


def test_numbers_become_a_pose_relative_to_the_mean(run_prompt, probed):
    prompt = {
        "1": hand_node(),
        "2": node("PAMHandPoseFromNumbers", hand=["1", 0], hand_pose="0.1 " * 45, flat_hand_mean=False, **WRIST),
        "3": probe("2", "numbers"),
    }
    arrays, _ = probed(run_prompt(prompt), "3")
    np.testing.assert_allclose(arrays["value.hand_pose"][0], load_default_hand().hands_mean + 0.1, atol=1e-6)


def test_hand_file_is_listed_loaded_and_noticed_when_it_changes(run_prompt, client, folder):
    mano = folder("models", "mano")
    shutil.copy(DEFAULT_FILE, mano / "MINE.npz")
    assert "MINE.npz" in client.object_info()["PAMLoadManoHand"]["input"]["required"]["hand_file"][1]["options"]
    prompt = {"1": hand_node("MINE.npz"), "2": probe("1", "mine")}
    assert run_prompt(prompt).status == "success"
    os.utime(mano / "MINE.npz", (1, 1))
    assert "1" in run_prompt(prompt).cached  # same content
    np.savez(mano / "MINE.npz", **np.load(DEFAULT_FILE))
    assert "1" in run_prompt(prompt).executed  # other bytes


def test_missing_hand_file_says_where_to_get_it(run_prompt, host):
    with pytest.raises(PromptRejected, match=r"models.mano.*MANO_RIGHT.*\.pkl.*https://mano\.is\.tue\.mpg\.de"):
        run_prompt({"1": hand_node("MANO_RIGHT.pkl"), "2": probe("1", "x")})


def test_hostile_hand_file_is_refused(run_prompt, folder, tmp_path):
    class Payload:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'executed'}",)

    (folder("models", "mano") / "evil.pkl").write_bytes(pickle.dumps({"v_template": Payload()}, 2))
    with pytest.raises(NodeFailed, match=r"evil\.pkl.*system.*no part of a hand file"):
        run_prompt({"1": hand_node("evil.pkl"), "2": probe("1", "evil")})
    assert not (tmp_path / "executed").exists()


def test_demo_object_is_placed_on_the_table(run_prompt, probed):
    place = dict(x=0.1, y=0.0, z=0.5, rotation_x=90.0, rotation_y=0.0, rotation_z=0.0, on_table=True)
    prompt = {
        "1": node("PAMDemoObject", kind="can", size=2.0, natural_color=False, color="#ff0000"),
        "2": node("PAMPlaceObject", object=["1", 0], **place),
        "3": probe("2", "can"),
    }
    arrays, plain = probed(run_prompt(prompt), "3")
    np.testing.assert_allclose(arrays["value.object_to_world"][:3, 3], [0.1, 0, 0.066], atol=1e-6)
    assert plain["value.name"] == "can" and plain["value.color.0"] == 1.0


def test_mesh_file_of_a_subfolder_in_millimetres(run_prompt, probed, client, folder):
    mug = demo_object("mug")
    trimesh.Trimesh(mug.vertices * 1000, mug.faces, process=False).export(folder("input", "3d", "cups") / "my mug.stl")
    name = "3d/cups/my mug.stl"
    assert name in client.object_info()["PAMLoadObjectMesh"]["input"]["required"]["mesh_file"][1]["options"]
    with pytest.raises(NodeFailed, match="looks like millimetres: set units to mm"):
        run_prompt({"1": mesh_node(name), "2": probe("1", "mm")})
    result = run_prompt({"1": mesh_node(name, units="mm"), "2": probe("1", "mm"), "3": probe("1", "info", 1)})
    np.testing.assert_allclose(np.ptp(probed(result, "2")[0]["value.vertices"], axis=0), mug.extents, atol=1e-6)
    assert probed(result, "3")[1]["value"].startswith("my mug: 11.0 x 8.2 x 9.5 cm")


@pytest.mark.parametrize("name", ["3d/gone.obj", "../../../../etc/passwd", "/etc/passwd", "3d/../../outside.obj"])
def test_missing_or_outside_mesh_is_refused(run_prompt, name):
    with pytest.raises(PromptRejected, match=r"No mesh file|Invalid file path|inside the input folder"):
        run_prompt({"1": mesh_node(name), "2": probe("1", "x")})


def test_no_mesh_at_all_is_said(run_prompt):
    with pytest.raises(NodeFailed, match="choose a file of input/3d or connect a mesh"):
        run_prompt({"1": mesh_node("none"), "2": probe("1", "x")})


def test_file_of_the_core_loader_is_taken_over_a_link(run_prompt, probed, client, folder):
    if "Load3DAdvanced" not in client.object_info():
        pytest.skip("this host has no Load3DAdvanced")
    bottle = demo_object("bottle")
    trimesh.Trimesh(bottle.vertices, bottle.faces, process=False).export(folder("input", "3d") / "linked.glb")
    prompt = {
        "1": node("Load3DAdvanced", model_file="3d/linked.glb", viewport_state={}, width=64, height=64),
        "2": mesh_node("none", mesh=["1", 0], up_axis="z", name="bottle", label=5),
        "3": probe("2", "linked"),
    }
    arrays, plain = probed(run_prompt(prompt), "3")
    np.testing.assert_allclose(np.ptp(arrays["value.vertices"], axis=0), bottle.extents, atol=1e-6)
    assert plain["value.name"] == "bottle" and plain["value.label"] == 5
