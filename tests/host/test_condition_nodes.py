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


def test_pack_of_nothing_says_what_to_connect(run_prompt):
    prompt = {"1": {"class_type": "PAMPackConditions", "inputs": {"fps": 12.0, "style": "dexycb"}}, "2": probe("pack", "1")}
    with pytest.raises(NodeFailed, match="connect depth, segmentation or keypoints"):
        run_prompt(prompt)
