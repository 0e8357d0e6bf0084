"""Coarser meshes, for work that needs a shape and not its detail."""

from __future__ import annotations

import numpy as np


def cluster(vertices: np.ndarray, faces: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Merge vertices that lie in the same cell of a grid (Rossignac and Borrel 1993).

    Args:
        vertices: (V, 3).
        faces: (F, 3).
        most: faces the result should have at most. A mesh that has no more is returned as it is.

    Returns:
        vertices (V', 3), each the mean of its cell, and the (F', 3) faces whose corners lie in three cells, each once.
    """
    cells = 256
    coarse, kept = vertices, faces
    while len(kept) > most and cells > 8:
        coarse, kept = _merged(vertices, faces, cells)
        cells = int(cells / 1.3)
    return coarse, kept


def _merged(vertices: np.ndarray, faces: np.ndarray, cells: int) -> tuple[np.ndarray, np.ndarray]:
    low, size = vertices.min(axis=0), np.ptp(vertices, axis=0).max() / cells
    grid = ((vertices - low) / size).astype(np.int64)
    _, cell, count = np.unique((grid[:, 0] * (cells + 1) + grid[:, 1]) * (cells + 1) + grid[:, 2], return_inverse=True, return_counts=True)
    sums = np.stack([np.bincount(cell, weights=column) for column in vertices.T], axis=1)
    moved = cell[faces]
    moved = moved[(moved[:, 0] != moved[:, 1]) & (moved[:, 1] != moved[:, 2]) & (moved[:, 2] != moved[:, 0])]
    _, first = np.unique(np.sort(moved, axis=1), axis=0, return_index=True)
    return sums / count[:, None], moved[np.sort(first)]
