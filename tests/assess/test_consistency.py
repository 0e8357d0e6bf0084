"""Clips and pictures against their conditions: exact ones pass, wrong ones fail for the right reason."""

from dataclasses import replace

import numpy as np
import pytest

from pam_nodes.assess import score as score_module
from pam_nodes.assess.consistency import ClipDemands, flicker, judge_clip, measure_clip, plot_clip
from pam_nodes.assess.expected import HAND, OBJECT, expected
from pam_nodes.assess.landmarks import available
from pam_nodes.assess.ranking import item_of, pick_frame, rank_pictures, the_only
from pam_nodes.conditions.flow import UNKNOWN, VISIBLE, FlowVideo
from pam_nodes.conditions.pack import pack_images, resized
from pam_nodes.conditions.video import ConditionVideo

from .clips import perfect, two_hands


@pytest.fixture
def needs_detector(skip_for):
    if not available():
        skip_for("litert", "pip install ai-edge-litert")


def failed(pictures, video, demands=ClipDemands()):  # noqa: B008 (frozen)
    return set(judge_clip(measure_clip(pictures, video), demands).failed)


def test_exact_clip_passes(needs_detector):
    video, pictures = perfect()
    quality = measure_clip(pictures, video)
    verdict = judge_clip(quality, ClipDemands())
    assert verdict.score == 1 and not verdict.failed and not quality.notes
    assert quality.found == 1 and quality.error.max() < 0.12 and quality.shape.min() > 0.85
    assert quality.drift.max() < 0.05 and quality.fidelity > 0.85
    assert np.isnan(quality.flicker[0]) and quality.flicker[1:].max() < 4


def test_frozen_clip_drifts_as_far_as_the_object_should_have_moved():
    video, pictures = perfect()
    quality = measure_clip(pictures[:1].repeat(6, axis=0), video)
    ids = video.instance_ids
    middles = [np.argwhere(frame == 2).mean(axis=0) for frame in (ids[0], ids[-1])]
    moved = np.linalg.norm(middles[1] - middles[0]) / np.sqrt((ids == 2).sum(axis=(1, 2)).max())
    assert quality.drift[-1] == pytest.approx(moved, rel=0.1) and moved > 1
    assert {"shape", "drift"} <= set(judge_clip(quality, ClipDemands()).failed)
    assert quality.fidelity < 0.1


def test_other_faults_are_named(needs_detector):
    video, pictures = perfect()
    assert {"hands", "shape", "drift"} <= failed(np.full_like(pictures, 128), video)
    assert {"shape", "drift"} <= failed(pictures[:, :, ::-1].copy(), video)
    flashing = np.where(np.arange(6)[:, None, None, None] % 2, pictures // 2, pictures)
    assert "flicker" in failed(flashing, video, ClipDemands(flicker=6))
    lenient = ClipDemands(0, 0, 0, 0, 0)
    assert judge_clip(measure_clip(np.full_like(pictures, 128), video), lenient).score == 1


def test_score_falls_by_how_far_a_demand_is_missed():
    video, pictures = perfect()
    quality = measure_clip(pictures[:1].repeat(6, axis=0), video)
    only_drift = ClipDemands(0, 0, 0, 0, float(quality.drift.max()) / 2)
    verdict = judge_clip(quality, only_drift)
    kept = len(verdict.lines) - 2  # fidelity and drift
    assert verdict.failed == ("drift",) and verdict.score == pytest.approx((kept + 0.5) / (kept + 1))
    with pytest.raises(ValueError, match=r"HOI Consistency: the score .* missed: drift"):
        verdict.demand("HOI Consistency", 1.0)
    verdict.demand("HOI Consistency", 0.0)


def test_pictures_of_another_size_are_stretched(needs_detector):
    video, pictures = perfect()
    assert failed(pictures[:, ::2, ::2].copy(), video) == set()
    assert failed(pictures, resized(video, 192, 128)) == set()


def test_plot_shows_every_measure():
    video, pictures = perfect()
    assert plot_clip(measure_clip(pictures, video), ClipDemands()).shape == (600, 640, 3)
    quality = measure_clip(pictures, replace(video, flow=None))
    assert quality.drift is None and any("Render Optical Flow" in note for note in quality.notes)
    assert plot_clip(quality, ClipDemands()).shape == (480, 640, 3)


def test_measuring_reports_and_can_be_stopped():
    video, pictures = perfect()
    heard = []
    measure_clip(pictures, video, lambda done, total: heard.append((done, total)))
    assert heard == [(done, 12) for done in range(1, 12)]

    def stop(done, total):
        if done == 8:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        measure_clip(pictures, video, stop)


def test_flicker_is_the_mean_change_of_the_background():
    grey = np.zeros((3, 4, 6), np.float32)
    grey[1, :, :3] = 10
    foreground = np.zeros((3, 4, 6), bool)
    np.testing.assert_allclose(flicker(grey, foreground), [np.nan, 5, 5])
    foreground[0, :, 3:] = True
    np.testing.assert_allclose(flicker(grey, foreground), [np.nan, 10, 5])
    assert np.isnan(flicker(grey, ~(foreground & False))).all()


def test_flicker_of_a_moving_camera_follows_the_flow_of_the_table():
    x = np.arange(12)
    grey = np.stack([np.tile(20.0 * ((x - t) % 12), (5, 1)) for t in range(3)]).astype(np.float32)
    none = np.zeros((3, 5, 12), bool)
    state = np.full((3, 5, 12), VISIBLE, np.uint8)
    state[..., -1:] = UNKNOWN
    flow = np.zeros((3, 5, 12, 2), np.float32)
    flow[..., 0] = 1
    assert flicker(grey, none)[1] > 20
    np.testing.assert_allclose(flicker(grey, none, FlowVideo(flow, state))[1:], 0, atol=1e-4)


def test_expected_hides_what_cannot_be_seen():
    video, _ = perfect()
    frame = expected(video, -1)
    assert frame.labels.shape == (160, 240) and set(np.unique(frame.labels)) == {0, HAND, OBJECT}
    assert (frame.hands[0].pixels == video.joints.pixels[-1, 0]).all() and frame.hands[0].side == "right"
    away = replace(video, joints=replace(video.joints, visibility=np.full_like(video.joints.visibility, 3)))
    assert expected(away, 0).hands == ()
    pictures_only = replace(video, joints=None, instance_ids=None)
    hand = expected(pictures_only, 0).hands[0]
    assert hand.pixels is None and np.array_equal(expected(pictures_only, 0).labels, expected(video, 0).labels)


def test_bad_input_is_named():
    video, pictures = perfect()
    with pytest.raises(ValueError, match=r"Expected 6 pictures.*found 4"):
        measure_clip(pictures[:4], video)
    with pytest.raises(ValueError, match=r"Expected a frame from 0 to 5.*found 6"):
        expected(video, 6)
    depth_only = ConditionVideo(15.0, depth=video.depth)
    with pytest.raises(ValueError, match="segmentation or joints"):
        rank_pictures(pictures, depth_only)
    with pytest.raises(ValueError, match="Expected one value for all or one for each of the 6"):
        rank_pictures(pictures, video, 0, ("red", "blue"))


def test_best_picture_is_the_one_of_the_frame(needs_detector):
    """All frames of the clip, scored against frame 3; the picture of that frame wins, and the blue box is blue."""
    video, pictures = perfect()
    ranking = rank_pictures(pictures, video, 3, ["blue"])
    assert ranking.best == 3 and ranking.scores[3] > 0.85 and min(ranking.scores) < 0.6
    assert ranking.frames[3].color.name == "blue" and ranking.frames[3].color.agreement > 0.7
    assert ranking.report.splitlines()[3].startswith("* 3: ") and "right hand" in ranking.report
    assert ranking.annotated.shape == (6, 356, 480, 3)
    odd = rank_pictures(pictures[3:4], video, 3, ["metallic"])
    assert odd.frames[0].color.agreement is None and "no colours that are known: metallic" in odd.report
    wrong = rank_pictures(pictures[3:4], video, 3, ["red"])
    assert wrong.scores[0] < ranking.scores[3] - 0.1


def test_both_hands_are_looked_for(needs_detector):
    video, picture = two_hands()
    found = rank_pictures(picture, video).frames[0]
    assert [hand.side for hand in found.hands] == ["right", "left"] and all(hand.present and hand.error < 0.15 for hand in found.hands)
    rows, columns = np.nonzero(video.instance_ids[0] == 2)
    covered = picture.copy()
    covered[0, rows.min() - 5 : rows.max() + 5, columns.min() - 5 : columns.max() + 5] = 128
    missing = rank_pictures(covered, video).frames[0]
    assert missing.hands[0].present and not missing.hands[1].present and missing.hand < found.hand - 0.3
    assert found.color is None and "object" not in rank_pictures(picture, video).report


def test_pictures_of_different_sizes_are_ranked_together():
    video, pictures = perfect()
    mixed = [pictures[0], pictures[0][::2, ::2].copy(), np.zeros((50, 90, 3), np.uint8)]
    scores = rank_pictures(mixed, video).scores
    assert scores[0] > 0.7 and scores[1] > 0.6 and scores[2] < 0.3


def test_without_the_detector_the_rest_is_measured_and_it_says_so(monkeypatch):
    monkeypatch.setattr(score_module, "available", lambda: False)
    video, pictures = perfect()
    quality = measure_clip(pictures, video)
    verdict = judge_clip(quality, ClipDemands())
    assert not verdict.failed and "pip install ai-edge-litert" in verdict.text and np.isnan(quality.presence).all()
    assert "pip install ai-edge-litert" in rank_pictures(pictures, video).report


def test_joints_follow_the_bundle():
    video, _ = perfect()
    larger = resized(video, 480, 320)
    np.testing.assert_allclose(larger.joints.pixels, video.joints.pixels * 2 + 0.5)
    assert (larger.joints.width, larger.joints.height) == (480, 320)
    drawn = pack_images({"keypoints": np.zeros((6, 160, 240, 3), np.float32)}, video)
    assert drawn.joints is None and pack_images({"depth": np.zeros((6, 160, 240, 3), np.float32)}, video).joints is video.joints


def test_picking():
    assert pick_frame(3, [0.2, 0.9, 0.9]).index == 1 and pick_frame(3, [0.2, 0.9, 0.9]).score == 0.9
    assert pick_frame(3, [], 2).index == 2 and pick_frame(3, [0.2, 0.9, 0.1], 2).score == 0.1
    waiting = pick_frame(3, [], -1)
    assert waiting.index is None and "0 to 2" in waiting.text
    for arguments, message in (
        ((3, [0.1, 0.2]), "score for each of the 3"),
        ((3, []), "connect Score HOI Frames"),
        ((3, [], 3), "found index 3"),
        ((2, [0.1, 0.3], None, 0.5), "0.30 of picture 1 is below 0.5"),
    ):
        with pytest.raises(ValueError, match=message):
            pick_frame(*arguments)
    assert item_of(["a"], 2, 3, "") == "a" and item_of(["a", "b", "c"], 2, 3, "") == "c" and item_of([], 2, 3, "-") == "-"
    assert the_only(["a"], "frame") == "a"
    with pytest.raises(ValueError, match="Expected one condition bundle for all pictures, found 2"):
        the_only(["a", "b"], "condition bundle")
