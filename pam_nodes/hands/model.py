"""A rigged hand in MANO's schema."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PARENTS = (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14)
"""Parent of each of the 16 joints: wrist, then index, middle, pinky, ring, thumb with three each (MANO order)."""


@dataclass(frozen=True, eq=False)
class HandModel:
    """A hand rig (MANO schema, specs: MANO paper section 3). Metres; the rest mesh is flat, fingers along -x (right).

    Attributes:
        side: "right" or "left".
        name: shown to people, the file name or "CC0 hand".
        is_mano: True for the MPI model, whose betas and PCA codes are those of the datasets.
        v_template: (V, 3) float32.
        faces: (F, 3) int64.
        weights: (V, 16) float32, rows sum to 1.
        J_regressor: (16, V) float32.
        shapedirs: (V, 3, S) float32.
        posedirs: (V, 3, 135) float32.
        hands_mean: (45,) float32, axis-angle.
        hands_components: (45, 45) float32 PCA rows.
        tip_ids: five vertex ids: thumb, index, middle, ring, pinky.
        digest: sha256 of the file content: the same for every hand of one file, whatever its betas.
        betas: shape coefficients that poses made for this hand start with; empty is the mean shape.
        backend: "pam", or "smplx" to skin it with that package.
    """

    side: str
    name: str
    is_mano: bool
    v_template: np.ndarray
    faces: np.ndarray
    weights: np.ndarray
    J_regressor: np.ndarray
    shapedirs: np.ndarray
    posedirs: np.ndarray
    hands_mean: np.ndarray
    hands_components: np.ndarray
    tip_ids: tuple[int, int, int, int, int]
    digest: str
    betas: tuple[float, ...] = ()
    backend: str = "pam"

    @property
    def num_betas(self) -> int:
        """Number of shape directions."""
        return self.shapedirs.shape[2]
