"""One clip against another: known answers, exact motion, and everything that does not fit named in a sentence."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation

from pam_nodes.assess.landmarks import available
from pam_nodes.assess.score import Scorer
from pam_nodes.conditions.film import film
from pam_nodes.conditions.pack import masks, pack_images
from pam_nodes.conditions.render import motion_points
from pam_nodes.evaluation.compare import Truth, compare, truth_of
from pam_nodes.evaluation.distances import LatentFeatures, Lpips, describe, frechet, load_network, video_distances
from pam_nodes.evaluation.report import BRIGHTEST, Extras, compare_clips, differences
from pam_nodes.evaluation.tracks import TRACKS
from pam_nodes.geometry.camera_build import auto_frame
from pam_nodes.grasp.edit import offset
from pam_nodes.headless.compute import Compute, machine
from tests.assess.clips import LOOK, perfect
from tests.evaluation.test_evaluation import Distance, Video
from tests.grasp.motions import walk

CPU = machine(Compute("cpu"))
SCORER = Scorer()


@pytest.fixture(scope="module")
def clip():
    """(conditions with flow, pictures) of a hand above a box."""
    return perfect()


@pytest.fixture(scope="module")
def noisy(clip):
    """The clip with noise that grows from frame to frame; its first frame is exact."""
    pictures, rng = clip[1].astype(float), np.random.default_rng(0)
    noise = rng.normal(size=pictures.shape) * (6.0 * np.arange(len(pictures)))[:, None, None, None]
    return np.clip(np.rint(pictures + noise), 0, 255).astype(np.uint8)


def test_equal_clips_are_perfect(clip):
    result = compare(clip[1], Truth(clip[1], clip[0]), SCORER)
    mean = result.mean
    assert mean["psnr"] == mean["foreground_psnr"] == np.inf and mean["ssim"] == pytest.approx(1)
    assert mean["motion_fidelity"] == pytest.approx(1) and 0.9 < mean["motion_fidelity_exact"] <= 1
    assert mean["lpips"] is None and mean["mpjpe_mm"] is None
    if available():
        assert 0 < mean["pa_mpjpe_px"] <= mean["mpjpe_px"] < 10


def test_numbers_are_those_of_the_definitions(clip, noisy):
    result = compare(noisy, Truth(clip[1], clip[0]), SCORER)
    mask = np.logical_or(*masks(clip[0]))
    squares = (noisy.astype(float) - clip[1]) ** 2
    for t in range(1, len(noisy)):
        assert result.frames["psnr"][t] == pytest.approx(10 * np.log10(255**2 / squares[t].mean()))
        assert result.frames["foreground_psnr"][t] == pytest.approx(10 * np.log10(255**2 / squares[t][mask[t]].mean()))
    assert result.frames["psnr"][0] == np.inf and result.mean["psnr"] == pytest.approx(result.frames["psnr"][1:].mean())
    assert (np.diff(result.frames["ssim"]) < 0).all()
    np.testing.assert_array_equal(differences(noisy, clip[1])[0], np.broadcast_to([0, 0, 4], clip[1].shape[1:]))


def test_difference_is_brightest_at_its_limit():
    black = np.zeros((1, 16, 16, 3), np.uint8)
    shown = differences(black + np.uint8(BRIGHTEST), black)
    np.testing.assert_array_equal(shown, differences(black + np.uint8(255), black))
    assert differences(black + np.uint8(BRIGHTEST // 2), black).sum() < shown.sum()


def test_frozen_and_reversed_clips_do_not_move_as_they_should(clip):
    conditions, pictures = clip
    truth = Truth(pictures, conditions)
    frozen = compare(np.repeat(pictures[:1], len(pictures), axis=0), truth, SCORER).mean
    assert frozen["motion_fidelity"] < 0.5 and frozen["motion_fidelity_exact"] < 0.5
    back = compare(pictures[::-1], truth, SCORER).mean
    assert back["motion_fidelity_exact"] < 0.5


def test_given_tracks_stand_for_flow(clip):
    """Points that move one pixel to the right: a clip that does the same follows them, one that moves left does the contrary."""
    rng = np.random.default_rng(1)
    picture = np.kron(rng.integers(0, 255, (24, 36, 1)), np.ones((6, 6, 3))).astype(np.uint8)
    right, left = (np.stack([np.roll(picture, way * t, axis=1) for t in range(5)]) for way in (1, -1))
    places = np.stack([np.stack(np.meshgrid(np.arange(30, 180, 10.0) + t, [40.0, 80.0]), axis=-1).reshape(-1, 2) for t in range(5)])
    visible = np.ones(places.shape[:2], bool)
    visible[3:, 0] = False
    extras = Extras(tracks=(places, visible))
    same, contrary = (compare_clips(pictures, right, extras, "DexYCB").numbers for pictures in (right, left))
    assert same["motion_fidelity_exact"] == pytest.approx(1, abs=0.01) and contrary["motion_fidelity_exact"] == pytest.approx(-1, abs=0.01)
    assert np.isnan(same["motion_fidelity"]) and np.isnan(same["foreground_psnr"])
    many = np.concatenate([places] * 100, axis=1)
    result = compare_clips(right, right, Extras(tracks=(many, np.ones(many.shape[:2]))), "DexYCB")
    assert result.numbers["motion_fidelity_exact"] == pytest.approx(1, abs=0.01) and many.shape[1] > 10 * TRACKS


def test_joints_in_space(clip):
    """The clip's own hand, 2 cm away and larger, is right but for its size; another finger pose is wrong."""
    conditions, pictures = clip
    points = conditions.joints.points[:, 0]
    truth = Truth(pictures, conditions)
    hands = {"right": 1.1 * points + 0.02}
    found = compare(pictures, truth, SCORER, hands=hands).mean
    spread = np.linalg.norm(points - points[:, :1], axis=2).mean()
    assert found["mpjpe_mm"] == pytest.approx(100 * spread) and found["pa_mpjpe_mm"] == pytest.approx(0, abs=1e-6)
    missing = points.copy()
    missing[2] = np.nan
    missing[:, 8] += [0.0, 0.0, 0.021]
    row = compare(pictures, truth, SCORER, hands={"": missing})
    assert row.mean["mpjpe_mm"] == pytest.approx(1) and row.mean["pa_mpjpe_mm"] > 0 and np.isnan(row.frames["mpjpe_mm"][2])


def test_alignment_in_space_is_the_best_there_is(clip):
    """A search over turn, scale and shift finds the same joints as the formula, so the same mean distance."""
    points, rng = clip[0].joints.points[:, 0], np.random.default_rng(2)
    found = points + 0.004 * rng.normal(size=points.shape)
    errors = compare(clip[1], Truth(*clip[::-1]), SCORER, hands={"right": found}).frames

    def moved(x):
        return np.exp(x[3]) * Rotation.from_rotvec(x[:3]).apply(found[3] - found[3].mean(0)) + x[4:] + points[3].mean(0)

    best = minimize(lambda x: 1e4 * ((moved(x) - points[3]) ** 2).sum(), np.zeros(7), method="BFGS")
    assert errors["pa_mpjpe_mm"][3] == pytest.approx(1000 * np.linalg.norm(moved(best.x) - points[3], axis=1).mean(), rel=1e-3)
    assert 2 < errors["pa_mpjpe_mm"][3] < errors["mpjpe_mm"][3]


def test_motion_with_the_same_hand_has_no_error():
    """Joints of a trajectory, turned into the camera's axes by hand, against those the bundle keeps."""
    trajectory = walk(4)
    camera = auto_frame(motion_points(trajectory), 20.0, 40.0, 35.0, 96, 64, 0.1)
    conditions, pictures = film(trajectory, camera, look=LOOK)
    result = compare_clips(pictures, pictures, Extras(conditions, hands=offset(trajectory, camera.world_to_camera)), "DexYCB")
    assert result.numbers["mpjpe_mm"] == pytest.approx(0, abs=1e-3)
    turned = compare_clips(pictures, pictures, Extras(conditions, hands=trajectory), "DexYCB").numbers
    assert turned["mpjpe_mm"] > 20 and turned["pa_mpjpe_mm"] == pytest.approx(0, abs=1e-3)


def test_report_says_what_was_not_measured(clip, noisy):
    result = compare_clips(noisy, clip[1], Extras(), "OAKINK2")
    assert f"| SSIM | {result.numbers['ssim']:.3f} | 0.851 |" in result.report and "| MPJPE mm | - | 7.01 |" in result.report
    assert result.report.startswith("| | this clip | PAM all (paper, OAKINK2) |") and "FVD" not in result.report
    assert "Note: hand and object are not known without conditions" in result.report and "for orientation" in result.report
    assert result.frame_psnr[0] == np.inf and len(result.frame_psnr) == len(noisy) and result.difference.shape == noisy.shape
    assert result.plot.shape == (240, 640, 3)
    large = np.kron(noisy, np.ones((1, 2, 2, 1), np.uint8))
    scaled = compare_clips(large, np.kron(clip[1], np.ones((1, 2, 2, 1), np.uint8)), Extras(clip[0]), "DexYCB")
    assert "the exact flow was not used: it is of 240 x 160 pixels" in scaled.report
    assert scaled.numbers["foreground_psnr"] > 0 and np.isnan(scaled.numbers["motion_fidelity_exact"])


def test_parts_that_do_not_fit(clip, tmp_path):
    conditions, pictures = clip
    with pytest.raises(ValueError, match=r"a reference of 6 frames of 240 x 160 .* found 5 of 240 x 160: cut and resize"):
        truth_of(pictures, pictures[:5])
    with pytest.raises(ValueError, match=r"conditions of 4 frames .* found 6: use Fit HOI Conditions"):
        truth_of(pictures[:4], pictures[:4], conditions)
    with pytest.raises(ValueError, match=r"tracks over 6 frames .* found 3"):
        compare_clips(pictures, pictures, Extras(tracks=(np.zeros((3, 4, 2)), np.ones((3, 4)))), "DexYCB")
    with pytest.raises(ValueError, match=r"visibility of 4 points in 6 frames"):
        compare_clips(pictures, pictures, Extras(tracks=(np.zeros((6, 4, 2)), np.ones(3))), "DexYCB")
    drawn = pack_images({"segmentation": conditions.segmentation / 255})
    with pytest.raises(ValueError, match="joints in space"):
        compare_clips(pictures, pictures, Extras(drawn, hands=walk(6)), "DexYCB")
    with pytest.raises(ValueError, match="an estimated right hand as in the clip, found left"):
        compare_clips(pictures, pictures, Extras(conditions, hands=walk(6, side="left")), "DexYCB")
    with pytest.raises(ValueError, match="hands in 6 frames like the clip, found 5"):
        compare_clips(pictures, pictures, Extras(conditions, hands=walk(5)), "DexYCB")
    torch.jit.script(Video()).save(tmp_path / "i3d.pt")
    with pytest.raises(ValueError, match="of the kind LPIPS here, found I3D"):
        compare_clips(pictures, pictures, Extras(lpips=load_network("I3D", tmp_path / "i3d.pt", CPU)), "DexYCB")


def test_networks_of_a_person(clip, noisy, tmp_path):
    torch.jit.script(Distance()).save(tmp_path / "lpips.pt")
    place = replace(CPU, offload="model")
    found = compare(noisy, Truth(clip[1]), SCORER, load_network("LPIPS", tmp_path / "lpips.pt", place)).frames["lpips"]
    expected = np.abs(noisy.astype(float) - clip[1]).mean(axis=(1, 2, 3)) / 127.5
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7)
    torch.jit.script(Video()).save(tmp_path / "i3d.pt")
    with pytest.raises(ValueError, match="an LPIPS network that takes two pictures"):
        Lpips(load_network("I3D", tmp_path / "i3d.pt", place).network, place)(noisy[:, :, :8], clip[1][:, :, :9])


def test_distance_of_lists_of_clips(clip, noisy, tmp_path):
    torch.jit.script(Video()).save(tmp_path / "i3d.pt")
    network, latent = load_network("I3D", tmp_path / "i3d.pt", CPU), LatentFeatures(CPU)
    made, real = [noisy, 255 - noisy, clip[1]], [clip[1], 200 - clip[1] // 2]
    values = video_distances(made, real, latent, network)
    colors = [np.array([part.astype(float).mean(axis=(0, 1, 2)) for part in clips]) for clips in (made, real)]
    assert values["fvd"] == pytest.approx(frechet(*colors), rel=1e-3) and values["latent_frechet"] > 0
    report = describe(values, 3, 2)
    assert "not FVD" in report and "3 generated and 2 real clips" in report and "biased" in report
    assert video_distances(real, real, latent)["fvd"] is None and "no I3D" in describe(video_distances(real, real, latent), 2, 2)
    with pytest.raises(ValueError, match=r"at least 2 generated and 2 real clips, found 1 and 2"):
        video_distances(made[:1], real, latent)
    with pytest.raises(ValueError, match=r"one length and size, found 5 frames of 240 x 160 and 6 frames"):
        video_distances(made, [real[0], real[1][:5]], latent)
