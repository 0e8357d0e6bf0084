"""Quality of motions whose contact is known."""

from dataclasses import replace

import numpy as np
import pytest

from pam_nodes.geometry.mesh import ObjectMesh
from pam_nodes.geometry.rotations import pose_matrix
from pam_nodes.grasp.edit import make_trajectory
from pam_nodes.grasp.measure import measure
from pam_nodes.grasp.rollout import rollout
from pam_nodes.grasp.setting import RolloutOptions
from pam_nodes.grasp.verdict import Demands, judge, plot
from pam_nodes.hands.files import load_default_hand
from pam_nodes.hands.posing import place_hand, preset_pose
from pam_nodes.hands.skinning import skin

from .motions import box, walk
from .setting import MUG_START, MUG_TARGET, placed, posed

HAND = load_default_hand()
FLAT = place_hand(HAND, np.zeros(45), (0, 0, 0.2))


def over_box(overlap: float):
    """A flat hand, palm down, whose lowest vertex is ``overlap`` below the top of a wide box."""
    lowest = skin(HAND, FLAT).vertices[0, :, 2].min()
    wide = box((0.6, 0.6, 0.1), "wide box")
    return make_trajectory(HAND, FLAT, (wide.placed(pose_matrix(np.eye(3), np.array([0, 0.1, lowest + overlap - 0.05]))),), 30.0, 3)


@pytest.mark.parametrize("overlap", [0.002, 0.005, 0.012])
def test_depth_is_the_overlap(overlap):
    quality = measure(over_box(overlap))
    assert np.allclose(quality.penetration, overlap, atol=1e-6)
    assert quality.mean_penetration == pytest.approx(overlap, abs=1e-6)
    assert (quality.contact_links >= 1).all()


def test_touching_counts_as_contact_and_a_gap_does_not():
    assert measure(over_box(-0.001)).contact_links[0] >= 1
    apart = measure(over_box(-0.004))
    assert not apart.contact_links.any() and not apart.penetration.any()


def test_open_mesh_is_measured_and_noted():
    motion = over_box(0.005)
    track = motion.objects[0]
    mesh = ObjectMesh(track.mesh.vertices, track.mesh.faces[:-2], "open box")
    quality = measure(replace(motion, objects=(replace(track, mesh=mesh),)))
    assert np.allclose(quality.penetration, 0.005, atol=1e-5)
    assert quality.notes == ("The mesh of the open box is not closed: depth is measured in its convex pieces, which cover a little more.",)


def test_speeds():
    quality = measure(walk(20, 30.0, speed=1.5))
    assert quality.wrist_speed[0] == 0 and np.allclose(quality.wrist_speed[1:], 1.5)
    assert np.allclose(quality.object_speed[1:], 1.5) and quality.wrist_acceleration.max() < 1e-3


def test_table_and_joint_limits():
    bent = preset_pose("flat")
    bent[3 + 2] = np.radians(150)
    motion = make_trajectory(HAND, place_hand(HAND, bent, (0, 0, 0.03)), (), 30.0, 2)
    quality = measure(motion)
    assert quality.success is None and quality.table[0] == pytest.approx(skin(HAND, motion.hands[0].pose).vertices[0, :, 2].min())
    assert {(e.finger, e.joint) for e in quality.excesses} == {("index", 2)}
    assert {e.frame for e in quality.excesses if e.motion == "flexion"} == {0, 1}


def test_slip_is_measured_in_the_hand():
    motion = walk(20, speed=0.0)
    poses = motion.objects[0].poses.copy()
    poses[:, 2, 3] += np.linspace(0, 0.2, 20)
    quality = measure(replace(motion, objects=(replace(motion.objects[0], poses=poses),)))
    assert quality.success and quality.slip > 0.15, "the hand did not rise with it"


def test_rollout_is_good():
    result = rollout(HAND, posed(MUG_START), placed("mug"), posed(MUG_TARGET), RolloutOptions(length=17, fps=8))
    quality = measure(result)
    assert quality.success and quality.penetration.max() < 0.006 and quality.contact_links[-1] >= 4 and quality.table.min() > 0
    assert quality.slip < 0.01
    verdict = judge(quality, Demands())
    assert verdict.score == 1 and not verdict.failed and verdict.lines[0] == "Grasp succeeded"


def test_score_falls_with_what_is_missed():
    quality = measure(over_box(0.012))
    strict, loose = judge(quality, Demands(penetration=0.006, success=False)), judge(quality, Demands(penetration=0.011, success=False))
    assert strict.failed == loose.failed == ("penetration",) and strict.score < loose.score < 1
    assert "12.0 max (limit 6 mm)" in strict.text
    failed = judge(quality, Demands())
    assert "success" in failed.failed and failed.score < strict.score + 0.1
    assert "contact" in judge(measure(over_box(-0.004)), Demands(contact_links=2)).failed


def test_plot_shows_the_curves():
    picture = plot(measure(walk(20)))
    assert picture.shape == (480, 640, 3) and picture.dtype == np.uint8
    assert (np.abs(picture.astype(int) - [39, 150, 100]).max(2) < 10).sum() > 100, "the speed is drawn in its colour"
    assert plot(measure(walk(1))).shape == (480, 640, 3)


def test_nothing_to_measure_is_said():
    motion = walk(3)
    with pytest.raises(ValueError, match="at least one hand, found none"):
        measure(replace(motion, hands=()))
    poses = motion.objects[0].poses * np.nan
    with pytest.raises(ValueError, match="NaN"):
        measure(replace(motion, objects=(replace(motion.objects[0], poses=poses),)))
