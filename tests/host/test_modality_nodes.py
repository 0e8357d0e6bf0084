"""Nodes of the further modalities, of key points and of cameras in the host."""

import numpy as np
import pytest

from hostkit.client import NodeFailed

from .test_condition_nodes import CAMERA, filmed, probe


def node(kind, **inputs):
    return {"class_type": kind, "inputs": inputs}


def fetched(run_prompt, probed, prompt, outputs):
    """Run a prompt with a probe at each (node, output) and return their values by name: an array, or a plain value."""
    probes = {f"p{i}": probe(f"fetched_{name}", *source) for i, (name, source) in enumerate(outputs.items())}
    result = run_prompt(prompt | probes)
    values = {}
    for i, name in enumerate(outputs):
        arrays, plain = probed(result, f"p{i}")
        values[name] = arrays.get("value", plain.get("value", (arrays, plain)))
    return values


DRAW = dict(scale=0.0, smoothing=1, corner_dot=False)
VIEW = {"trajectory": ["4", 0], "camera": ["7", 0], "length": 0}
PATH = dict(orbit=20.0, rise=0.0, dolly=1.0, roll=0.0, ease=True, handheld=0.5, seed=1, keys="", zoom=1.2)


@pytest.fixture
def scene():
    """``filmed`` with a moving camera (node 7), which the renderer uses too."""
    prompt = filmed(preview=False, normals=True) | {"7": node("PAMHOICameraPath", camera=["5", 0], trajectory=["4", 0], **PATH)}
    prompt["6"]["inputs"]["camera"] = ["7", 0]
    return prompt


def test_every_modality_is_drawn_from_a_moving_camera(run_prompt, probed, scene):
    shaded = dict(skin="tan", table="wood", smoothing=2, background_color="#336699", light_azimuth=0.0, light_elevation=50.0)
    scene |= {
        "flow": node("PAMOpticalFlow", **VIEW, table=True, full_color=0.0, conditions=["6", 0]),
        "track": node("PAMTrackingVideo", **VIEW, look="points", grid=24, table=True, conditions=["flow", 3]),
        "contact": node("PAMContactMap", **VIEW, distance=0.03),
        "layers": node("PAMAmodalLayers", **VIEW, look="normals"),
        "shaded": node("PAMShadedPreview", **VIEW, **shaded),
        "pick": node("PAMPickCondition", conditions=["track", 1], modality="tracking", start=1, length=2),
    }
    outputs = {"flow": ("flow", 0), "vectors": ("flow", 1), "occluded": ("flow", 2), "tracking": ("track", 0), "contact": ("contact", 0)}
    outputs |= {"touch": ("contact", 1), "info": ("contact", 2), "hands": ("layers", 0), "hand": ("layers", 1), "thing": ("layers", 3)}
    outputs |= {"shaded": ("shaded", 0), "alpha": ("shaded", 1), "picked": ("pick", 0), "seen": ("6", 4)}
    got = fetched(run_prompt, probed, scene, outputs)
    for name in ("flow", "vectors", "tracking", "contact", "hands", "shaded"):
        assert got[name].shape == (5, 64, 96, 3), name
    assert got["flow"][:4].any(axis=(1, 2, 3)).all() and not got["flow"][4].any() and np.abs(got["vectors"][0, ..., :2]).max() > 0.5
    assert ((got["occluded"] > 0) == (got["vectors"][..., 2] == 0.5)).all()
    assert (got["hand"] >= got["seen"]).all() and (got["hands"].any(axis=3) == (got["hand"] > 0)).all()
    np.testing.assert_array_equal(got["picked"], got["tracking"][1:3])
    assert "nearest visible distance" in got["info"] and got["touch"].max() <= 1
    assert 0 < got["alpha"].mean() < 1 and len(np.unique(got["alpha"])) > 2
    assert (got["contact"].any(axis=3) == ((got["hand"] > 0) | (got["thing"] > 0))).all()


def test_looks_of_one_bundle(run_prompt, probed, scene):
    scene |= {
        "metres": node("PAMDepthLook", conditions=["6", 0], look="metres", range="clip", near=0.3, far=1.5),
        "grey": node("PAMDepthLook", conditions=["6", 0], look="grey inverse", range="fixed", near=0.2, far=2.0),
        "custom": node(
            "PAMSegmentationLook", conditions=["6", 0], palette="custom", objects="", hand_color="#ff0000", object_colors="#00ff00"
        ),
        "ycb": node(
            "PAMSegmentationLook", conditions=["6", 0], palette="dexycb", objects="banana", hand_color="#ff0000", object_colors="#00ff00"
        ),
        "fit": node("PAMFitConditions", conditions=["grey", 0], width=48, height=32, length=2, frames="every n-th", fps=8.0),
        "parts": node("PAMUnpackConditions", conditions=["fit", 0]),
    }
    outputs = {"metres": ("metres", 1), "near": ("metres", 2), "grey": ("grey", 1), "custom": ("custom", 1), "ycb": ("ycb", 1)}
    outputs |= {"small": ("parts", 0), "fps": ("parts", 9), "hand": ("6", 4)}
    got = fetched(run_prompt, probed, scene, outputs)
    seen = got["metres"] > 0
    assert got["near"] == pytest.approx(got["metres"][seen].min())
    z = got["metres"][seen]
    np.testing.assert_allclose(got["grey"][seen], np.clip((1 / z - 0.5) / (5 - 0.5), 0, 1), atol=1e-5)
    assert {tuple(c) for c in got["custom"].reshape(-1, 3)} == {(0, 0, 0), (1, 0, 0), (0, 1, 0)}
    np.testing.assert_allclose(got["ycb"][(got["hand"] == 0) & seen[..., 0]].mean(axis=0), np.array([224, 5, 255]) / 255, atol=1e-5)
    assert got["small"].shape == (2, 32, 48, 3) and got["fps"] == 8.0


def test_keypoints_leave_and_return_as_pose_keypoint(run_prompt, probed, scene):
    """The pack's own POSE_KEYPOINT drawn again gives the same picture, and core's node can draw it."""
    scene |= {
        "hands": node("PAMHandKeypoints", **VIEW, hidden="draw", bone_order="appearance", style="dexycb", **DRAW),
        "again": node("PAMDrawPoseKeypoints", pose_keypoint=["hands", 1], threshold=0.1, style="dexycb", **DRAW),
        "open": node("PAMHandKeypoints", **VIEW, hidden="drop", bone_order="motion", style="openpose", **DRAW),
        "core": node("SDPoseDrawKeypoints", keypoints=["hands", 1], draw_body=True, draw_hands=True, draw_face=True, draw_feet=False),
    }
    scene["core"]["inputs"] |= dict(stick_width=2, face_point_size=2, score_threshold=0.3, draw_head=True)
    outputs = {"first": ("hands", 0), "second": ("again", 0), "open": ("open", 0), "core": ("core", 0)}
    got = fetched(run_prompt, probed, scene, outputs)
    np.testing.assert_array_equal(got["first"], got["second"])
    assert got["first"].any(axis=(1, 2, 3)).all() and got["core"].shape == got["first"].shape and got["core"].any() and got["open"].any()


def test_camera_goes_out_and_comes_back(run_prompt, probed):
    lens = CAMERA | {"lens": "DexYCB", "width": 720, "height": 480}
    prompt = {
        "1": node("PAMHOICamera", **lens),
        "2": node("PAMCameraToOthers", camera=["1", 0], length=0, frame=0),
        "3": node("PAMCameraFromMatrices", extrinsics=["2", 0], intrinsics=["2", 1], width=720, height=480),
        "4": node("PAMHOICamera", **CAMERA, viewer_camera=["2", 2]),
    }
    outputs = {"first": ("1", 0), "back": ("3", 0), "viewed": ("4", 0), "poses": ("2", 3), "fov": ("2", 6)}
    got = fetched(run_prompt, probed, prompt, outputs)
    first, back, viewed = (got[name][0] for name in ("first", "back", "viewed"))
    np.testing.assert_allclose(back["value.world_to_camera"], first["value.world_to_camera"], atol=1e-6)
    np.testing.assert_allclose(back["value.intrinsics"], first["value.intrinsics"], rtol=1e-6)
    np.testing.assert_allclose(viewed["value.world_to_camera"], first["value.world_to_camera"], atol=1e-9)
    assert first["value.intrinsics"][0, 0] == pytest.approx(616 * 720 / 640)
    line = [got["poses"][1][f"value.0.{i}"] for i in range(19)]
    np.testing.assert_allclose(line[7:], first["value.world_to_camera"][:3].ravel(), atol=1e-9)
    assert line[1] == pytest.approx(616 / 640) and line[4] == pytest.approx(242.5 / 480) and 40 < got["fov"] < 45


def test_a_zoom_goes_out_and_comes_back(run_prompt, probed, scene):
    scene |= {
        "out": node("PAMCameraToOthers", camera=["7", 0], length=0, frame=0),
        "in": node("PAMCameraFromMatrices", extrinsics=["out", 0], intrinsics=["out", 1], width=96, height=64),
    }
    got = fetched(run_prompt, probed, scene, {"first": ("7", 0), "back": ("in", 0)})
    first, back = (got[name][0]["value.intrinsics"] for name in ("first", "back"))
    assert first[-1, 0, 0] == pytest.approx(1.2 * first[0, 0, 0])
    np.testing.assert_allclose(back, first, rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"p": node("PAMHOICameraPath", camera=["5", 0], trajectory=["4", 0], **PATH | {"keys": "50%: fly 3"})}, 'found "fly"'),
        ({"p": node("PAMDepthLook", conditions=["6", 0], look="pam", range="fixed", near=2.0, far=1.0)}, "near < far"),
        ({"p": node("PAMFitConditions", conditions=["6", 0], width=48, height=32, length=49, frames="first", fps=8.0)}, "at least 49"),
        ({"p": node("PAMPickCondition", conditions=["6", 0], modality="depth", start=9, length=0)}, "lower start"),
    ],
)
def test_bad_values_are_named(run_prompt, scene, change, message):
    with pytest.raises(NodeFailed, match=message):
        run_prompt(scene | change | {"probe": probe("bad", "p")})


def test_bundle_without_pictures_keeps_everything(run_prompt, probed, scene):
    scene["6"]["inputs"]["pictures"] = False
    scene["pick"] = node("PAMPickCondition", conditions=["6", 0], modality="segmentation", start=0, length=0)
    got = fetched(run_prompt, probed, scene, {"black": ("6", 2), "picked": ("pick", 0)})
    assert got["black"].shape == (1, 64, 96, 3) and not got["black"].any()
    assert got["picked"].shape == (5, 64, 96, 3) and got["picked"].any(axis=(1, 2, 3)).all()
