"""The shipped workflow as a whole, from two hand poses to the file on disk, on the shipped weights."""

import numpy as np
import pytest

from benchmarks.held_out import Held, held_out, table_pixels
from benchmarks.mini import MiniHost
from benchmarks.mini_figures import calibrated, foreground_psnr, regions
from pam_nodes.conditions.pack import masks
from pam_nodes.dataset.scenes import STRETCH
from pam_nodes.geometry.primitives import demo_object

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


def test_conditions_are_followed(host, client):
    """On two scenes training never saw, hand and object come where the conditions say, in the prompt's colours, and not without them."""
    mini = MiniHost(host, client, shipped(NAME, client.object_info()))
    gains, held = [], Held(**mini.setting())
    for index in (0, 2):
        scene = held_out(held, index)
        made = mini.sample(index, scene, free=True)
        for name, mask in zip(("hand", "object"), masks(scene.conditions), strict=True):
            assert ((made[name] > 127) != mask).mean() < 1e-4
        assert all(made[name].shape == scene.pictures.shape for name in ("clip", "chain", "free clip", "free chain"))
        gains.append([foreground_psnr(made[name], scene) - foreground_psnr(made[f"free {name}"], scene) for name in ("picture", "clip")])
        assert calibrated([scene]).right(made["chain"], scene)["object colour"]
    picture, clip = np.mean(gains, axis=0)
    assert picture > 2 and clip > 0.5


def test_held_out_scenes():
    """Sizes that training does not draw, the same of the same seed; the table's pixels have one colour, the prompt's."""
    held = Held((96, 64), 5)
    scene, again = (held_out(held, 1) for _ in range(2))
    assert np.array_equal(scene.pictures, again.pictures) and scene.prompt == again.prompt
    width, height = np.ptp(scene.mesh.vertices, axis=0)[1:] / np.ptp(demo_object(scene.mesh.name).vertices, axis=0)[1:]
    assert all(not STRETCH[0] <= factor <= STRETCH[1] for factor in (width, height))
    table = scene.pictures[0][table_pixels(scene)].astype(float)
    assert len(table) > 300 and np.abs(table - np.median(table, axis=0)).mean() < 15
    assert set(regions(scene)) == {"object", "table"} and all(calibrated([scene]).right(scene.pictures, scene).values())
