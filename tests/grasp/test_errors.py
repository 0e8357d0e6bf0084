"""Input that cannot work: one sentence each, before any simulation."""

from dataclasses import replace

import numpy as np
import pytest

from pam_nodes.grasp import tracking_rollout as module
from pam_nodes.grasp.rollout import RolloutOptions, rollout
from pam_nodes.grasp.scene import Scene, UnstableSimulationError
from pam_nodes.hands.files import load_default_hand

from .setting import FRONT, MUG_START, MUG_TARGET, placed, posed


def fail(match: str, start=FRONT, target=None, mesh=None, hand=None, error=ValueError, **options) -> str:
    start = posed(start) if isinstance(start, tuple) else start
    target = posed(target) if isinstance(target, tuple) else target
    simulated = []
    with pytest.raises(error, match=match) as caught:
        rollout(
            hand or load_default_hand(),
            start,
            mesh or placed("mug"),
            target,
            RolloutOptions(**{"length": 9, **options}),
            lambda done, total: simulated.append(done),
        )
    assert not simulated, "refused before any simulation"
    text = str(caught.value)
    assert "\n" not in text and text.endswith(".")
    return text


def test_object_wider_than_the_hand():
    text = fail("cm wide in the narrowest direction", mesh=placed("ball", 4.0), start=("flat", (0, -0.4, 0.3), (0, 0, 0)))
    assert "The ball is" in text and "this hand spans 12 cm" in text


def test_target_inside_the_object():
    preset, wrist, rotation, flexion = MUG_TARGET
    deep = (preset, (wrist[0] + 0.06, wrist[1] + 0.035, wrist[2] - 0.03), rotation, flexion)
    fail("target pose h_T is 2. mm inside the mug, expected at most 20 mm", MUG_START, deep)


@pytest.mark.parametrize("step", [0.06, 0.08, 0.1, 0.12])
def test_target_through_thin_walls(step):
    preset, wrist, rotation, flexion = MUG_TARGET
    deep = (preset, (wrist[0] + step, wrist[1] + step / 2, wrist[2] - 0.03), rotation, flexion)
    fail("target pose h_T (is .* mm inside|runs through) the mug", MUG_START, deep)


def test_target_inside_a_solid_object():
    fail("inside the box, expected at most 20 mm", FRONT, ("fist", (0, -0.08, 0.08), (0, 0, 0)), placed("box"))


def test_start_inside_the_object():
    fail("start pose h_0 is .* mm inside the can", ("flat", (0, -0.1, 0.06), (0, 0, 0)), mesh=placed("can"))


def test_far_object():
    fail("The mug is 2.. m from the wrist", ("flat", (0, -2.5, 0.2), (0, 0, 0)))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"length": 0}, "at least 2 frames, found 0"),
        ({"length": 1}, "at least 2 frames, found 1"),
        ({"fps": 0}, "positive number"),
        ({"max_attempts": 0}, "at least 1 attempt"),
    ],
)
def test_options(options, match):
    fail(match, **options)


def test_other_hand():
    left = load_default_hand("left")
    fail("start pose of a left hand, found one of a right hand", hand=left)
    fail("target pose of a left hand, found one of a right hand", posed(FRONT, left), posed(MUG_TARGET), hand=left)


def test_too_many_betas():
    fail("at most 10 betas .* found 12", replace(posed(FRONT), betas=np.zeros(12, dtype=np.float32)))


def far_target():
    return posed(("grasp", (-0.3, -0.033, 0.3), (63, 68, -56)))


def test_missed_object_gives_the_best_attempt():
    trajectory = rollout(load_default_hand(), posed(MUG_START), placed("mug"), far_target(), RolloutOptions(length=9, max_attempts=2))
    assert not trajectory.report.success and trajectory.report.attempts == 2 and len(trajectory) == 9
    assert "never touched it" in trajectory.report.message


def test_missed_object_is_an_error_on_request():
    options = RolloutOptions(length=9, max_attempts=1, require_success=True)
    with pytest.raises(ValueError, match="No stable grasp of the mug in 1 attempts"):
        rollout(load_default_hand(), posed(MUG_START), placed("mug"), far_target(), options)


def test_object_that_falls_is_named():
    mesh = placed("mug")
    pose = mesh.object_to_world.copy()
    pose[2, 3] = 0.3
    options = RolloutOptions(length=9, max_attempts=1)
    report = rollout(load_default_hand(), posed(MUG_START), mesh.placed(pose), far_target(), options).report
    assert not report.success and "does not rest at its start pose" in report.message


def test_unstable_simulation_is_retried_then_an_error(monkeypatch):
    class Heavy(Scene):
        """A scene whose solver really diverges: the fingers are driven a million times too hard, without damping."""

        def configure(self, finger_stiffness, friction):
            super().configure(1e9, friction)
            self.model.dof_armature[:] = 0
            self.model.dof_damping[:] = 0

    monkeypatch.setattr(module, "Scene", Heavy)
    with pytest.raises(UnstableSimulationError, match="unstable in all 2 attempts"):
        rollout(load_default_hand(), posed(MUG_START), placed("mug"), posed(MUG_TARGET), RolloutOptions(length=9, max_attempts=2))
