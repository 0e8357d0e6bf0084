"""Length, pace, speed limit, easing and holds."""

import numpy as np
import pytest

from pam_nodes.grasp.retime import Timing, motion_points, retime
from pam_nodes.grasp.timing import eased, slowed_times

from .motions import walk


def speeds(trajectory) -> np.ndarray:
    return np.linalg.norm(np.diff(motion_points(trajectory), axis=0), axis=2).max(1) * trajectory.fps


def ends_kept(result, motion) -> bool:
    a, b = result.hands[0].pose, motion.hands[0].pose
    objects = result.objects[0].poses, motion.objects[0].poses
    pairs = [(getattr(a, name), getattr(b, name)) for name in ("transl", "hand_pose", "global_orient")] + [objects]
    return all(np.array_equal(x[frame], y[frame]) for x, y in pairs for frame in (0, -1))


@pytest.mark.parametrize("length", [2, 17, 49, 100])
def test_fit(length):
    motion = walk(100, 100.0)
    result = retime(motion, Timing(length=length, fps=30.0))
    assert len(result) == length and result.fps == 30 and ends_kept(result, motion)
    assert np.ptp(np.diff(result.hands[0].pose.transl[:, 0])) < 1e-9, "evenly spaced"


def test_default_is_49_frames_at_30():
    result = retime(walk(100, 100.0), Timing())
    assert (len(result), result.fps) == (49, 30.0)


def test_real_time_keeps_the_pace():
    motion = walk(101, 100.0)
    result = retime(motion, Timing(length=0, fps=30.0, fit=False))
    assert len(result) == 31 and np.allclose(speeds(result)[:-1], 1.0) and ends_kept(result, motion)
    fast = retime(motion, Timing(length=0, fps=30.0, fit=False, speed=2.0))
    assert len(fast) == 16 and np.allclose(speeds(fast)[:-1], 2.0)
    cut = retime(motion, Timing(length=11, fps=30.0, fit=False))
    assert len(cut) == 11 and np.allclose(speeds(cut), 1.0)
    held = retime(motion, Timing(length=49, fps=30.0, fit=False))
    assert len(held) == 49 and ends_kept(held, motion) and speeds(held)[-5:].max() == 0


def burst(length=120, fps=100.0):
    """Slow, then 2.5 m/s for a quarter of a second, then slow."""
    motion = walk(length, fps, speed=0.0)
    pace = np.full(length, 0.2)
    pace[40:65] = 2.5
    way = np.cumsum(pace) / fps
    motion.hands[0].pose.transl[:, 0] = way
    return motion


LIMITED = [Timing(0, 30.0, False, speed_limit=0.8), Timing(0, 60.0, False, 1.5, 0.5), Timing(90, 30.0, speed_limit=0.5)]


@pytest.mark.parametrize("timing", LIMITED)
def test_speed_limit_holds(timing):
    motion = burst()
    result = retime(motion, timing)
    assert speeds(result).max() <= timing.speed_limit * (1 + 1e-9)
    assert ends_kept(result, motion)
    assert (np.diff(result.hands[0].pose.transl[:, 0]) >= -1e-12).all(), "never backwards"


def test_speed_limit_with_easing_holds():
    result = retime(burst(), Timing(0, 30.0, False, speed_limit=0.8, ease_in=0.2, ease_out=0.2))
    assert speeds(result).max() <= 0.8 + 1e-9


def test_only_fast_parts_are_slowed():
    motion = burst()
    shown = slowed_times(motion_points(motion), 100.0, 0.5)
    steps = np.diff(shown) * 100
    assert np.allclose(steps[:25], 1) and np.allclose(steps[-25:], 1) and steps.max() == pytest.approx(5.0, rel=0.01)


def test_too_few_frames_for_a_limit_say_how_many_are_needed():
    with pytest.raises(ValueError, match=r"needs \d+ frames at 30 fps to stay below 0.5 m/s, found 17"):
        retime(burst(), Timing(17, 30.0, speed_limit=0.5))


def test_easing():
    t = np.linspace(0, 1, 1001)
    for ease_in, ease_out in ((0, 0), (0.3, 0.2), (0.5, 0.5), (1, 0)):
        way = eased(t, ease_in, ease_out)
        speed = np.diff(way) * 1000
        assert way[0] == 0 and way[-1] == pytest.approx(1) and (speed >= -1e-9).all()
        if ease_in:
            assert speed[0] < 0.02
        if ease_out:
            assert speed[-1] < 0.02
    result = retime(walk(50), Timing(49, 30.0, ease_in=0.3, ease_out=0.3))
    assert speeds(result)[0] < 0.2 * speeds(result).max() and ends_kept(result, walk(50))


def test_holds():
    motion = walk(50)
    result = retime(motion, Timing(49, 30.0, hold_start=5, hold_end=7))
    still = speeds(result) < 1e-9
    assert len(result) == 49 and still[:5].all() and still[-7:].all() and not still[5:-7].any()


@pytest.mark.parametrize(
    ("timing", "sentence"),
    [
        (Timing(length=-1), "length and holds of 0 or more"),
        (Timing(fps=0), "fps and speed above 0"),
        (Timing(length=1), "at least 2 frames"),
        (Timing(length=10, hold_end=9), "hold fewer frames"),
        (Timing(ease_in=0.7, ease_out=0.7), "together at most 1"),
    ],
)
def test_bad_settings(timing, sentence):
    with pytest.raises(ValueError, match=sentence):
        retime(walk(10), timing)


def test_a_single_frame_is_held():
    assert len(retime(walk(1), Timing(9))) == 9
