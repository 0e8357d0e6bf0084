"""Carry a held object to a goal pose and put it down, in the simulation (PAM's o_T, when the object goes somewhere)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from ..geometry.rotations import pose_matrix
from .scene import CONTROL_RATE, Scene, State

SPEED, TURN_SPEED = 0.35, 1.2
"""Mean speed of the object on its way, m/s and rad/s."""

CLEARANCE = 0.06
"""Metres above the goal at which the object arrives before it is lowered."""

LOWER_SECONDS, SETTLE_STEPS, OPEN_STEPS, RETREAT_STEPS = 0.5, 25, 45, 70
RETREAT = 0.15
"""Metres the hand draws back after it has let go."""

MAX_WAY = 1.5
SUPPORT = 0.02
"""Metres above the table from which an object may still be let go."""


@dataclass(frozen=True, eq=False)
class Carry:
    """Where a lifted object goes.

    Attributes:
        goal: (4, 4) object_to_world at the end, metres.
        put_down: release the object there and draw the hand back; otherwise it is held.
    """

    goal: np.ndarray
    put_down: bool = True


def check_carry(carry: Carry, start: np.ndarray, vertices: np.ndarray, name: str) -> None:
    """Raise ValueError with one sentence when the goal cannot be reached.

    Args:
        carry: the goal.
        start: (4, 4) object_to_world at the start.
        vertices: (V, 3) of the object.
        name: of the object.
    """
    goal = np.asarray(carry.goal, dtype=np.float64)
    if not np.isfinite(goal).all():
        raise ValueError(f"Expected a finite goal pose of the {name}, found NaN or infinite numbers.")
    way = float(np.linalg.norm(goal[:3, 3] - start[:3, 3]))
    if way > MAX_WAY:
        raise ValueError(f"The goal of the {name} is {way:.1f} m from its start, expected at most {MAX_WAY} m: move it nearer.")
    lowest = float((vertices @ goal[2, :3]).min() + goal[2, 3])
    if lowest < -0.002:
        raise ValueError(
            f"The goal of the {name} is {-lowest * 1000:.0f} mm below the table: raise it, or turn on_table on in Place Object."
        )
    if carry.put_down and lowest > SUPPORT:
        raise ValueError(
            f"The {name} would be let go {lowest * 100:.0f} cm above the table, expected at most {SUPPORT * 100:.0f} cm: "
            "place its goal on the table, or turn put_down off to hold it there."
        )


def carry_path(wrist: np.ndarray, object_to_world: np.ndarray, goal: np.ndarray, rate: float) -> np.ndarray:
    """Wrist poses that bring a held object to a goal: over to a place above it, then straight down, each part on a minimum-jerk curve.

    Args:
        wrist, object_to_world: (4, 4) at the start, after the lift.
        goal: (4, 4) object_to_world at the end.
        rate: poses a second.

    Returns:
        (N, 4, 4) wrist poses; the object stays fixed in the hand.
    """
    above = goal.copy()
    above[2, 3] = max(goal[2, 3] + CLEARANCE, min(object_to_world[2, 3], goal[2, 3] + 2 * CLEARANCE))
    turn = Rotation.from_matrix(np.stack([object_to_world[:3, :3], goal[:3, :3]]))
    way, angle = np.linalg.norm(above[:3, 3] - object_to_world[:3, 3]), (turn[1] * turn[0].inv()).magnitude()
    over = _min_jerk(max(way / SPEED, angle / TURN_SPEED, 0.4), rate)
    down = _min_jerk(LOWER_SECONDS, rate)
    places = [
        object_to_world[:3, 3] + over[:, None] * (above - object_to_world)[:3, 3],
        above[:3, 3] + down[:, None] * (goal - above)[:3, 3],
    ]
    turns = Slerp([0, 1], turn)(np.concatenate([over, np.ones(len(down))])).as_matrix()
    in_object = np.linalg.inv(object_to_world) @ wrist
    return pose_matrix(turns, np.concatenate(places)) @ in_object


def _min_jerk(seconds: float, rate: float) -> np.ndarray:
    """(N,) progress from just above 0 to 1 with zero velocity and acceleration at both ends."""
    t = np.arange(1, max(2, round(seconds * rate)) + 1) / max(2, round(seconds * rate))
    return 10 * t**3 - 15 * t**4 + 6 * t**5


def carry_on(
    scene: Scene, states: list[State], hinges: np.ndarray, opened: np.ndarray, back: np.ndarray, carry: Carry, tick: Callable[[], None]
) -> None:
    """Simulate the carry, and the put-down if asked for; states are appended.

    Args:
        scene: right after the last of ``states``, holding the object.
        states: recorded so far.
        hinges: (45,) hinge targets that hold the object.
        opened: (45,) hinge angles of the open hand.
        back: (3,) unit vector along which the hand left the grasp open, wrist frame: the way it draws back.
        carry: where to.
        tick: called once for each control step; may raise to cancel.
    """

    def go(wrist: np.ndarray, rotation: Rotation, fingers: np.ndarray) -> None:
        tick()
        scene.command(wrist, rotation, fingers)
        states.append(scene.state())

    last = states[-1]
    path = carry_path(pose_matrix(last.rotation, last.wrist), last.object_to_world, np.asarray(carry.goal, np.float64), CONTROL_RATE)
    for pose in path:
        go(pose[:3, 3], Rotation.from_matrix(pose[:3, :3]), hinges)
    end, rotation = path[-1][:3, 3], Rotation.from_matrix(path[-1][:3, :3])
    for _ in range(SETTLE_STEPS):
        go(end, rotation, hinges)
    if not carry.put_down:
        return
    now = states[-1].hinges
    for step in range(1, OPEN_STEPS + 1):
        go(end, rotation, hinges + (opened - hinges) * step / OPEN_STEPS if step > 1 else now)
    away = rotation.apply(back)
    away[2] = max(away[2], 0.0)
    away /= np.linalg.norm(away) + 1e-9
    for share in _min_jerk(RETREAT_STEPS / CONTROL_RATE, CONTROL_RATE):
        go(end + RETREAT * share * away, rotation, opened)


def carry_steps(start: np.ndarray, goal: np.ndarray) -> int:
    """Control steps that a carry takes at most, for progress reports."""
    way = float(np.linalg.norm(goal[:3, 3] - start[:3, 3])) + 1.2
    return int(CONTROL_RATE * (max(way / SPEED, np.pi / TURN_SPEED) + LOWER_SECONDS)) + SETTLE_STEPS + OPEN_STEPS + RETREAT_STEPS
