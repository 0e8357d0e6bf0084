"""Grasp and preview nodes in the host: from two hand poses and a mug to a GLB file."""

import numpy as np
import pytest
import trimesh

from hostkit.client import NodeFailed, PromptRejected

SLIDERS = {f"{finger}_{motion}": 0.0 for finger in ("thumb", "index", "middle", "ring", "pinky") for motion in ("flexion", "spread")}

MUG_FLEXION = {"thumb_flexion": -0.4, "index_flexion": -0.3, "ring_flexion": 0.25, "pinky_flexion": 0.35}


def node(class_type: str, **inputs) -> dict:
    return {"class_type": class_type, "inputs": inputs}


def pose_node(preset: str, wrist: tuple, rotation: tuple = (-15.0, 43.0, -111.0), **flexion) -> dict:
    place = {f"wrist_{axis}": value for axis, value in zip("xyz", wrist, strict=True)}
    turn = {f"rotation_{axis}": value for axis, value in zip("xyz", rotation, strict=True)}
    return node("PAMHandPose", hand=["hand", 0], preset=preset, **place, **turn, **{**SLIDERS, **flexion})


def graph(with_target: bool = True, **settings) -> dict:
    chosen = dict(length=9, fps=8.0, seed=0, lift_height=0.2, max_attempts=8, object_density=300.0, require_success=False)
    target = {"target_pose": ["target", 0]} if with_target else {}
    return {
        "hand": node("PAMLoadManoHand", hand_file="embedded CC0 hand", side="right", betas=""),
        "start": pose_node("relaxed", (-0.3, -0.14, 0.17)),
        "target": pose_node("pinch", (-0.124, -0.054, 0.104), **MUG_FLEXION),
        "mug": node("PAMDemoObject", kind="mug", size=1.0, natural_color=True, color="#b83a2e"),
        "rollout": node(
            "PAMGraspRollout", hand=["hand", 0], start_pose=["start", 0], object=["mug", 0], **target, **{**chosen, **settings}
        ),
        "motion": node("PamProbe", value=["rollout", 0], name="trajectory"),
        "report": node("PamProbe", value=["rollout", 1], name="report"),
    }


@pytest.mark.parametrize("with_target", [True, False])
def test_rollout(run_prompt, probed, with_target):
    result = run_prompt(graph(with_target))
    arrays, plain = probed(result, "motion")
    assert arrays["value.hands.0.pose.hand_pose"].shape == (9, 45)
    poses = arrays["value.objects.0.poses"]
    assert poses.shape == (9, 4, 4) and np.array_equal(poses[0], np.eye(4))
    assert plain["value.fps"] == 8 and plain["value.report.success"] is True
    assert result.outputs["rollout"]["text"][0].startswith("success after")


def test_preview_is_a_glb_that_core_saves(run_prompt, host):
    prompt = graph()
    prompt |= {
        "preview": node("PAMPreviewMotion3D", trajectory=["rollout", 0]),
        "save": node("SaveGLB", mesh=["preview", 0], filename_prefix="motion"),
    }
    result = run_prompt(prompt)
    scene = trimesh.load(host.file(result.outputs["save"]["3d"][0]))
    assert {"right hand", "mug", "table"} <= set(scene.geometry)


def test_missed_object_goes_on_with_a_report(run_prompt, probed):
    prompt = graph(max_attempts=1)
    prompt["target"] = pose_node("pinch", (-0.3, -0.05, 0.35))
    _, plain = probed(run_prompt(prompt), "report")
    assert plain["value"].startswith("no stable grasp after 1 attempt.")
    prompt["rollout"]["inputs"]["require_success"] = True
    with pytest.raises(NodeFailed, match="No stable grasp of the mug in 1 attempts"):
        run_prompt(prompt)


def goal_node(x: float, y: float, z: float = 0.0, on_table: bool = True) -> dict:
    place = dict(x=x, y=y, z=z, rotation_x=0.0, rotation_y=0.0, rotation_z=30.0)
    return node("PAMPlaceObject", object=["mug", 0], **place, on_table=on_table)


def test_mug_is_carried_to_the_goal_object_and_put_down(run_prompt, probed):
    prompt = graph(length=25)
    prompt["goal"] = goal_node(0.2, 0.1)
    prompt["rollout"]["inputs"] |= {"goal_object": ["goal", 0], "put_down": True}
    result = run_prompt(prompt)
    arrays, plain = probed(result, "motion")
    assert plain["value.report.success"] is True and plain["value.report.goal_distance"] < 0.03
    assert np.allclose(arrays["value.objects.0.poses"][-1][:3, 3], (0.2, 0.1, 0.0), atol=0.03)
    assert "from the goal" in result.outputs["rollout"]["text"][0]


def test_goal_in_the_air_needs_put_down_off(run_prompt):
    prompt = graph(length=25)
    prompt["goal"] = goal_node(0.2, 0.1, 0.2, on_table=False)
    prompt["rollout"]["inputs"] |= {"goal_object": ["goal", 0], "put_down": True}
    with pytest.raises(NodeFailed, match="20 cm above the table"):
        run_prompt(prompt)


def test_bad_input_is_one_sentence(run_prompt):
    prompt = graph()
    prompt["target"] = pose_node("pinch", (-0.064, -0.019, 0.074), **MUG_FLEXION)
    with pytest.raises(NodeFailed, match=r"target pose h_T is 2[0-9] mm inside the mug"):
        run_prompt(prompt)


def test_object_wider_than_the_hand_is_named(run_prompt):
    prompt = graph(with_target=False)
    prompt["mug"] = node("PAMDemoObject", kind="ball", size=4.0, natural_color=True, color="#b83a2e")
    prompt["start"] = pose_node("relaxed", (-0.45, -0.1, 0.3))
    with pytest.raises(NodeFailed, match=r"ball is \d+ cm wide .* this hand spans 12 cm: scale the object down"):
        run_prompt(prompt)


def test_zero_frames_are_refused_before_anything_runs(run_prompt):
    with pytest.raises(PromptRejected, match="length"):
        run_prompt(graph(length=0))


def test_interrupt_stops_the_simulation(run_prompt, client):
    """Cancelled at the first report, long before the last of a hundred attempts at a target far from the mug."""
    prompt = graph(max_attempts=100)
    prompt["target"] = pose_node("pinch", (-0.3, -0.05, 0.35))
    seen = []

    def cancel(kind, data, result):
        if kind == "progress" and data["node"] == "rollout":
            seen.append(data["value"] / data["max"])
            client.interrupt(result.prompt_id)

    assert run_prompt(prompt, on_event=cancel, timeout=120).status == "interrupted"
    assert seen and seen[-1] < 0.5


def test_second_run_is_cached(run_prompt):
    run_prompt(graph(seed=5))
    assert "rollout" in run_prompt(graph(seed=5)).cached


@pytest.fixture
def policy_file(host):
    """A policy that closes the hand, in models/graspxl."""
    from tests.grasp.policies import checkpoint, closing

    folder = host.base / "models" / "graspxl"
    folder.mkdir(parents=True, exist_ok=True)
    path = checkpoint(folder, closing(), "test_policy.pt")
    yield path.name
    path.unlink()


def test_policy_moves_the_hand(run_prompt, probed, policy_file):
    prompt = graph(with_target=False, max_attempts=1)
    prompt["policy"] = node("PAMLoadGraspPolicy", policy_file=policy_file)
    prompt["rollout"]["inputs"]["policy"] = ["policy", 0]
    result = run_prompt(prompt)
    fingers = probed(result, "motion")[0]["value.hands.0.pose.hand_pose"].reshape(9, 15, 3)
    assert np.allclose(fingers[-1, 6:9], fingers[-1, 9:12]), "the little finger follows the ring finger"
    assert "other proportions" in result.outputs["rollout"]["text"][0]


def test_wrong_policy_file_is_named(run_prompt, host, policy_file):
    path = host.base / "models" / "graspxl" / "other.pt"
    path.write_bytes((path.parent / policy_file).read_bytes()[:500])
    prompt = graph(with_target=False)
    prompt["policy"] = node("PAMLoadGraspPolicy", policy_file="other.pt")
    prompt["rollout"]["inputs"]["policy"] = ["policy", 0]
    try:
        with pytest.raises(NodeFailed, match=r"Cannot load the grasp policy 'other\.pt': the checkpoint is truncated or damaged"):
            run_prompt(prompt)
        prompt["policy"]["inputs"]["policy_file"] = "missing.pt"
        with pytest.raises(PromptRejected, match=r"take full_5600_r\.pt|not in list"):
            run_prompt(prompt)
    finally:
        path.unlink()


def test_released_policy_in_the_host(run_prompt, probed, host, shared_dir):
    import shutil

    folder = host.base / "models" / "graspxl"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "full_5600_r.pt"
    shutil.copy(shared_dir / "data/graspxl/policy/full_5600_r.pt", path)
    prompt = graph(with_target=False, max_attempts=6)
    prompt["policy"] = node("PAMLoadGraspPolicy", policy_file=path.name)
    prompt["rollout"]["inputs"]["policy"] = ["policy", 0]
    try:
        assert probed(run_prompt(prompt), "motion")[1]["value.report.success"] is True
    finally:
        path.unlink()


OBJECTIVE = dict(
    heading="from above", heading_x=0.0, heading_y=0.0, heading_z=1.0, fix_turn=False, turn=0.0, fix_point=False, point_x=0.0, point_y=0.0,
    point_z=0.0, max_width=0.12,
)  # fmt: skip


def test_objective_says_from_where(run_prompt, probed):
    prompt = graph(with_target=False, max_attempts=3)
    prompt["objective"] = node("PAMGraspObjective", **OBJECTIVE)
    prompt["rollout"]["inputs"]["objective"] = ["objective", 0]
    arrays, _ = probed(run_prompt(prompt), "motion")
    wrist = arrays["value.hands.0.pose.transl"][:, 2] + 0.006
    assert wrist.max() > 0.15, "the hand comes over the 9.5 cm high mug"
    prompt["objective"]["inputs"] |= dict(heading="custom", heading_z=0.0)
    with pytest.raises(PromptRejected, match="Expected a direction for the custom heading"):
        run_prompt(prompt)


def test_carry_and_put_down(run_prompt, probed):
    place = dict(x=0.1, y=0.12, z=0.0, rotation_x=0.0, rotation_y=0.0, rotation_z=0.0, on_table=True)
    prompt = graph(length=33, put_down=True)
    prompt["goal"] = node("PAMPlaceObject", object=["mug", 0], **place)
    prompt["rollout"]["inputs"]["goal_object"] = ["goal", 0]
    result = run_prompt(prompt)
    arrays, plain = probed(result, "motion")
    assert np.linalg.norm(arrays["value.objects.0.poses"][-1, :3, 3] - [0.1, 0.12, 0]) < 0.03
    assert plain["value.report.success"] is True and "from the goal" in result.outputs["rollout"]["text"][0]
    prompt["goal"]["inputs"] |= dict(on_table=False, z=0.4)
    with pytest.raises(NodeFailed, match="would be let go 40 cm above the table"):
        run_prompt(prompt)


def test_settled_object(run_prompt, probed):
    place = dict(x=0.0, y=0.0, z=0.0, rotation_x=25.0, rotation_y=0.0, rotation_z=0.0, on_table=True, settle=True)
    prompt = {
        "box": node("PAMDemoObject", kind="box", size=1.0, natural_color=True, color="#b83a2e"),
        "placed": node("PAMPlaceObject", object=["box", 0], **place),
        "seen": node("PamProbe", value=["placed", 0], name="settled"),
    }
    arrays, _ = probed(run_prompt(prompt), "seen")
    assert np.abs(arrays["value.object_to_world"][2, :3]).max() > 0.9999
