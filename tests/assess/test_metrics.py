"""Metrics against values worked out by hand, against definitions written as loops, and against other libraries."""

import numpy as np
import pytest
from scipy.optimize import minimize

from pam_nodes.assess.metrics import align, motion_fidelity, mpjpe, pa_mpjpe, psnr, ssim

rng = np.random.default_rng(3)


def test_psnr():
    one = np.full((4, 4, 3), 100, np.uint8)
    assert psnr(one, one) == np.inf
    assert psnr(one, one + 10) == pytest.approx(20 * np.log10(25.5))
    assert psnr(one / 255, (one + 10) / 255, 1.0) == pytest.approx(20 * np.log10(25.5))
    with pytest.raises(ValueError, match="one shape"):
        psnr(one, one[:3])


def test_ssim_of_flat_pictures_is_the_luminance_term():
    a, b, c1 = 80.0, 120.0, (0.01 * 255) ** 2
    flat = np.full((16, 20), a)
    assert ssim(flat, flat) == pytest.approx(1.0)
    assert ssim(flat, flat - a + b) == pytest.approx((2 * a * b + c1) / (a * a + b * b + c1))


def test_ssim_is_its_definition():
    """Equation 13 of Wang et al. written out for every window."""
    one, two = rng.integers(0, 256, (14, 17)).astype(float), rng.integers(0, 256, (14, 17)).astype(float)
    line = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window = np.outer(line, line) / np.outer(line, line).sum()
    c1, c2, values = (0.01 * 255) ** 2, (0.03 * 255) ** 2, []
    for row in range(4):
        for column in range(7):
            x, y = (p[row : row + 11, column : column + 11] for p in (one, two))
            mx, my = (window * x).sum(), (window * y).sum()
            vx, vy = (window * (x - mx) ** 2).sum(), (window * (y - my) ** 2).sum()
            cov = (window * (x - mx) * (y - my)).sum()
            values.append((2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2)))
    assert ssim(one, two) == pytest.approx(np.mean(values), abs=1e-10)
    with pytest.raises(ValueError, match="at least 11 x 11"):
        ssim(one[:10], two[:10])


def test_mpjpe():
    found, true = np.array([[0.0, 0], [3, 4], [1, 1]]), np.zeros((3, 2))
    assert mpjpe(found, true) == pytest.approx((5 + np.sqrt(2)) / 3)
    assert mpjpe(found, true, np.array([1, 3, 0])) == pytest.approx(15 / 4)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_alignment_undoes_shift_turn_and_scale(dimensions):
    true = rng.normal(size=(21, dimensions))
    turn = np.linalg.qr(rng.normal(size=(dimensions, dimensions)))[0]
    turn[:, 0] *= np.sign(np.linalg.det(turn))
    assert pa_mpjpe(2.5 * true @ turn.T + 7, true) < 1e-9
    mirrored = true * np.r_[-1, np.ones(dimensions - 1)]
    assert pa_mpjpe(mirrored, true) > 0.1


def test_alignment_is_the_best_there_is():
    """No other turn, scale and shift has a smaller squared error: a search over all four numbers of the plane finds the same."""
    found, true = rng.normal(size=(21, 2)), rng.normal(size=(21, 2))

    def error(x):
        moved = found @ np.array([[x[0], x[1]], [-x[1], x[0]]]) + x[2:]
        return ((moved - true) ** 2).sum()

    best = minimize(error, [1, 0, 0, 0], method="BFGS")
    assert ((align(found, true) - true) ** 2).sum() == pytest.approx(best.fun, rel=1e-6)


def tracks(*steps):
    """(N, T, 2) tracks from the origin with the given steps."""
    return np.concatenate([np.zeros((len(steps), 1, 2)), np.cumsum(np.array(steps, float), axis=1)], axis=1)


def test_motion_fidelity_by_hand():
    right, up, still = [[1, 0], [1, 0]], [[0, 1], [0, 1]], [[0, 0], [0, 0]]
    diagonal = [[1, 1], [1, 1]]
    assert motion_fidelity(tracks(right, up), tracks(up, right)) == pytest.approx(1)
    assert motion_fidelity(tracks(right), -tracks(right)) == pytest.approx(-1)
    assert motion_fidelity(tracks(right), 5 * tracks(diagonal)) == pytest.approx(np.sqrt(0.5))
    # right finds itself (1), up its nearest at 45 degrees; both of the other set find partners: 1 and 0.707
    assert motion_fidelity(tracks(right, up), tracks(right, diagonal)) == pytest.approx((1 + np.sqrt(0.5)) / 2)
    assert motion_fidelity(tracks(still), tracks(still)) == 1 and motion_fidelity(tracks(still), tracks(right)) == 0


def test_lost_tracks_count_while_they_are_seen():
    half = tracks([[1, 0], [1, 0], [1, 0]])
    half[0, 2:] = np.nan
    assert motion_fidelity(half, tracks([[1, 0], [0, 1], [0, 1]])) == pytest.approx(1)
    assert np.isnan(motion_fidelity(np.full((1, 3, 2), np.nan), tracks([[1, 0], [1, 0]])))
    with pytest.raises(ValueError, match="equal length"):
        motion_fidelity(half, tracks([[1, 0]]))
