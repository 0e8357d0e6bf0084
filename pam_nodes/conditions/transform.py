"""Rigid transforms in float32 that give the same bits on every machine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

F = np.float32


def transform(matrix: np.ndarray, points: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Move (N, 3) points by a (4, 4) matrix in float32.

    Plain multiply-adds, because the last bits of a BLAS product differ between machines.

    Args:
        matrix: (4, 4).
        points: (N, 3); fastest when each coordinate is contiguous.
        out: (3, N) float32 to write to, default a new one.

    Returns:
        (N, 3) view of ``out``: each coordinate is contiguous.
    """
    m = matrix.astype(F)
    x, y, z = points.astype(F, copy=False).T
    moved = np.empty((3, len(points)), F) if out is None else out
    for row, target in zip(m, moved, strict=False):
        np.multiply(row[0], x, out=target)
        target += row[1] * y
        target += row[2] * z
        target += row[3]
    return moved.T


def rotate(matrix: np.ndarray, vectors: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Turn (N, 3) directions by the rotation of a (4, 4) matrix, like ``transform``."""
    linear = np.eye(4)
    linear[:3, :3] = matrix[:3, :3]
    return transform(linear, vectors, out)


def cross(a: Sequence[np.ndarray], b: Sequence[np.ndarray]) -> np.ndarray:
    """(3, N) cross products of vectors given by their coordinates."""
    return np.stack([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])
