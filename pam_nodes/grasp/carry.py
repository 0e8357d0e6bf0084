"""Carry a held object to a goal pose and put it down."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Carry:
    """Where a lifted object goes.

    Attributes:
        goal: (4, 4) object_to_world at the end, metres.
        put_down: release the object there and draw the hand back; otherwise it is held.
    """

    goal: np.ndarray
    put_down: bool = True
