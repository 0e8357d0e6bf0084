"""The shipped workflow as a whole, from two hand poses to the file on disk, on the shipped weights."""

import numpy as np
import pytest

from benchmarks.mini import arrays, measure, scene_prompt

from .mini_graphs import find, shipped

NAME = "pam_pose_appearance_motion_mini"


@pytest.fixture(scope="module")
def chain(host_session):
    """(prompt, result, server) of one run of the shipped workflow."""
    if isinstance(host_session, str):
        return None
    from hostkit.client import Client

    client = Client(host_session.url)
    client.free()  # an earlier file's run of the same grasp would be taken from the cache, and not be shown
    prompt = shipped(NAME, client.object_info())
    return prompt, client.run(prompt), host_session


def test_clip_is_written(host, chain):
    """17 frames of 288 x 192 at 8 frames a second, that move and are no noise."""
    import av

    prompt, result, server = chain
    with av.open(str(server.file(result.outputs[find(prompt, "SaveVideo")]["images"][0]))) as container:
        frames = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]).astype(float)
        assert container.streams.video[0].average_rate == 8
    assert frames.shape == (17, 192, 288, 3)
    assert np.abs(frames[-1] - frames[0]).mean() > 2
    assert np.abs(np.diff(frames, axis=2)).mean() < 12


def test_every_preview_is_shown(host, chain):
    prompt, result, _ = chain
    shown = {prompt[key]["class_type"] for key in result.outputs}
    assert {"PreviewImage", "Preview3D", "SaveVideo", "PAMGraspRollout"} <= shown


def test_second_run_is_cached_and_a_new_camera_keeps_the_motion(run_prompt, chain):
    prompt, *_ = chain
    assert run_prompt(prompt).cached == set(prompt)
    camera = find(prompt, "PAMHOICamera")
    moved = {**prompt, camera: {**prompt[camera], "inputs": {**prompt[camera]["inputs"], "azimuth": 40.0}}}
    executed = set(run_prompt(moved).executed)
    assert camera in executed and find(prompt, "PAMRenderConditions") in executed
    assert find(prompt, "PAMGraspRollout") not in executed


def test_conditions_are_followed(host, run_prompt, client):
    """On two scenes training never saw, hand and object come where the conditions say, and not without them."""
    graph = shipped(NAME, client.object_info())
    gains = []
    for index in (0, 2):
        guided, free = (measure(arrays(host, run_prompt(scene_prompt(graph, index, strength)))) for strength in (1.0, 0.0))
        gains.append([guided[key] - free[key] for key in ("image psnr", "image iou", "clip psnr")])
        assert guided["image iou"] > 0.4
    image_psnr, image_iou, clip_psnr = np.mean(gains, axis=0)
    assert image_psnr > 2 and image_iou > 0.3 and clip_psnr > 0.5
