"""Camera and condition nodes in the host."""

import numpy as np
import pytest

from hostkit.client import NodeFailed

CAMERA = dict(mode="orbit", width=96, height=64, fov=40.0, azimuth=0.0, elevation=30.0, margin=0.08, distance=0.7)
CAMERA |= dict(target_x=0.0, target_y=0.0, target_z=0.08)


def probe(name, source, output=0):
    return {"class_type": "PamProbe", "inputs": {"value": [source, output], "name": name}}


def test_orbit_camera_reaches_the_next_node(run_prompt, probed):
    result = run_prompt({"1": {"class_type": "PAMHOICamera", "inputs": CAMERA}, "2": probe("camera", "1")})
    arrays, plain = probed(result, "2")
    assert plain["value.width"] == 96 and plain["value.height"] == 64
    target = arrays["value.world_to_camera"] @ [0, 0, 0.08, 1]
    np.testing.assert_allclose(target[:3], [0, 0, 0.7], atol=1e-9)


def test_auto_frame_without_a_motion_says_what_to_do(run_prompt):
    with pytest.raises(NodeFailed, match='connect one, or choose the mode "orbit"'):
        run_prompt({"1": {"class_type": "PAMHOICamera", "inputs": CAMERA | {"mode": "auto-frame"}}, "2": probe("camera", "1")})


def test_pack_and_unpack(run_prompt, probed):
    """A purple and a black clip of core nodes: hand mask full, depth black, numbers right."""
    prompt = {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 32, "height": 16, "batch_size": 5, "color": 0x5C00FF}},
        "2": {"class_type": "PAMPackConditions", "inputs": {"segmentation": ["1", 0], "fps": 12.0, "style": "dexycb"}},
        "3": {"class_type": "PAMUnpackConditions", "inputs": {"conditions": ["2", 0]}},
    }
    outputs = ["depth", "segmentation", "keypoints", "normals", "hand", "object", "length", "width", "height", "fps"]
    prompt |= {str(10 + i): probe(f"unpacked_{name}", "3", i) for i, name in enumerate(outputs)}
    result = run_prompt(prompt)
    values = {name: probed(result, str(10 + i)) for i, name in enumerate(outputs)}
    assert [values[name][1]["value"] for name in outputs[6:]] == [5, 32, 16, 12.0]
    assert values["hand"][0]["value"].shape == (5, 16, 32) and values["hand"][0]["value"].min() == 1
    assert values["object"][0]["value"].max() == 0 and values["depth"][0]["value"].max() == 0
    np.testing.assert_allclose(values["segmentation"][0]["value"][0, 0, 0], [92 / 255, 0, 1], atol=1e-6)


def test_masks_of_other_nodes_become_a_segmentation(run_prompt, probed):
    mask = dict(width=32, height=16, value=1.0)
    prompt = {
        "1": {"class_type": "SolidMask", "inputs": mask},
        "2": {"class_type": "PAMPackConditions", "inputs": {"object_mask": ["1", 0], "object": "banana", "fps": 12.0, "style": "dexycb"}},
        "3": {"class_type": "PAMUnpackConditions", "inputs": {"conditions": ["2", 0]}},
        "4": probe("colours", "3", 1),
    }
    np.testing.assert_allclose(probed(run_prompt(prompt), "4")[0]["value"][0, 8, 8], np.array([224, 5, 255]) / 255, atol=1e-6)
    prompt["2"]["inputs"] |= {"segmentation": ["3", 0], "hand_mask": ["1", 0]}
    prompt["3"] = {"class_type": "EmptyImage", "inputs": dict(width=32, height=16, batch_size=1, color=0)}
    prompt["4"] = probe("colours", "2")
    with pytest.raises(NodeFailed, match="a segmentation clip or masks, found both"):
        run_prompt(prompt)


def test_pack_of_nothing_says_what_to_connect(run_prompt):
    prompt = {"1": {"class_type": "PAMPackConditions", "inputs": {"fps": 12.0, "style": "dexycb"}}, "2": probe("pack", "1")}
    with pytest.raises(NodeFailed, match="connect depth, segmentation or keypoints"):
        run_prompt(prompt)


def filmed(**render):
    """Hand, mug, one short rollout, a camera that fits it, and the renderer."""
    place = {f"wrist_{k}": v for k, v in zip("xyz", (0.0, -0.2, 0.12), strict=True)} | {f"rotation_{k}": 0.0 for k in "xyz"}
    fingers = {f"{f}_{m}": 0.0 for f in ("thumb", "index", "middle", "ring", "pinky") for m in ("flexion", "spread")}
    hand = dict(hand_file="embedded CC0 hand", side="right", left_shape="as_file", tips="manopth", betas="")
    grasp = dict(length=5, fps=15.0, seed=0, lift_height=0.1, max_attempts=1, object_density=300.0, require_success=False)
    options = dict(style="dexycb", length=0, preview=True, skin="medium", table="plain", bone_order="motion", normals=False) | render
    mug = dict(kind="mug", size=1.0, natural_color=True, color="#c83232")
    return {
        "1": {"class_type": "PAMLoadManoHand", "inputs": hand},
        "2": {"class_type": "PAMHandPose", "inputs": {"hand": ["1", 0], "preset": "relaxed"} | place | fingers},
        "3": {"class_type": "PAMDemoObject", "inputs": mug},
        "4": {"class_type": "PAMGraspRollout", "inputs": {"hand": ["1", 0], "start_pose": ["2", 0], "object": ["3", 0]} | grasp},
        "5": {"class_type": "PAMHOICamera", "inputs": CAMERA | {"mode": "auto-frame", "trajectory": ["4", 0]}},
        "6": {"class_type": "PAMRenderConditions", "inputs": {"trajectory": ["4", 0], "camera": ["5", 0]} | options},
    }


def test_a_clip_too_long_for_memory_is_refused_before_any_work(run_prompt):
    """10,000 frames of 4096 x 4096 take 10 TB with every output, and 0.8 TB in the bundle alone."""
    timing = dict(length=10000, fps=15.0, fit=True, speed=1.0, speed_limit=0.0, ease_in=0.0, ease_out=0.0, hold_start=0, hold_end=0)
    prompt = filmed() | {"7": {"class_type": "PAMRetimeTrajectory", "inputs": {"trajectory": ["4", 0]} | timing}}
    prompt["5"]["inputs"] = CAMERA | {"width": 4096, "height": 4096}
    prompt["6"]["inputs"]["trajectory"] = ["7", 0]
    all_of_it = r"Expected 10737.4 GB .* 10000 frames of 4096 x 4096 with the bundle, depth, .* preview \(64 .*python -m pam_nodes render\."
    with pytest.raises(NodeFailed, match=all_of_it):
        run_prompt(prompt | {"8": probe("long", "6")})
    prompt["6"]["inputs"] |= {"pictures": False, "preview": False}
    with pytest.raises(NodeFailed, match=r"Expected 838.9 GB .* with the bundle \(5 bytes a pixel\), found .* GB: lower length, or film"):
        run_prompt(prompt | {"8": probe("long", "6")})
    prompt |= {"9": {"class_type": "PAMOpticalFlow", "inputs": dict(table=True, full_color=0.0, length=0)}}
    prompt["9"]["inputs"] |= {"trajectory": ["7", 0], "camera": ["5", 0]}
    with pytest.raises(NodeFailed, match="10000 frames of 4096 x 4096 with flow"):
        run_prompt(prompt | {"8": probe("long", "9")})


def test_motion_is_filmed_and_only_the_camera_side_runs_again(run_prompt, probed):
    outputs = ["depth", "segmentation", "keypoints", "hand_mask", "object_mask", "preview"]
    prompt = filmed() | {str(10 + i): probe(f"filmed_{name}", "6", i + 1) for i, name in enumerate(outputs)}
    result = run_prompt(prompt)
    got = {name: probed(result, str(10 + i))[0]["value"] for i, name in enumerate(outputs)}
    assert all(got[name].shape == (5, 64, 96, 3) for name in ("depth", "segmentation", "keypoints", "preview"))
    hand, thing = got["hand_mask"] > 0, got["object_mask"] > 0
    assert hand.any(axis=(1, 2)).all() and thing.any(axis=(1, 2)).all() and not (hand & thing).any()
    np.testing.assert_array_equal(got["depth"].any(axis=3), hand | thing)
    np.testing.assert_allclose(got["segmentation"][hand].mean(axis=0), [92 / 255, 0, 1], atol=1e-5)
    prompt["5"]["inputs"]["azimuth"] = 60.0
    again = run_prompt(prompt)
    assert "4" in again.cached and {"5", "6"} <= set(again.executed)


def test_every_renderer_gives_the_same_pictures(run_prompt, probed):
    """pyrender may be missing, then the built-in renderer steps in; its silhouette may differ by a pixel."""
    renderers = ["auto", "numpy", "torch", "pyrender"]
    prompt = filmed(preview=False)
    for i, name in enumerate(renderers):
        node = prompt["6"] | {"inputs": prompt["6"]["inputs"] | {"renderer": name}}
        prompt |= {str(20 + i): node, str(30 + i): probe(f"by_{name}", str(20 + i), 2)}
    result = run_prompt(prompt)
    auto, numpy, torch, pyrender = (probed(result, str(30 + i))[0]["value"] for i in range(len(renderers)))
    np.testing.assert_array_equal(auto, numpy)
    np.testing.assert_array_equal(torch, numpy)
    assert (pyrender != numpy).any(axis=3).sum() <= 5


def test_camera_that_sees_nothing_says_what_to_do(run_prompt):
    prompt = filmed(preview=False) | {"9": probe("nothing", "6")}
    prompt["5"]["inputs"] |= {"mode": "orbit", "target_x": 9.0}
    with pytest.raises(NodeFailed, match=r"Everything is outside the camera in every frame.*auto-frame"):
        run_prompt(prompt)
