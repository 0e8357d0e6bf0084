"""Carry out one grasp in the scene: approach, close, lift, hold. Every target moves on minimum-jerk curves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from .carry import Carry, carry_on
from .scene import CONTROL_RATE, Scene, State

APPROACH_SPEED = 0.35
"""Mean wrist speed of the approach, m/s."""

CLOSE_STEPS, LIFT_STEPS, HOLD_STEPS = 110, 70, 40
CLOSE_RATE = 0.03
"""Radians a hinge target moves along the closing gradient in one control step (specs: graspxl 10)."""

OPPOSITION = 3.0
"""Weight of thumb and fingers closing against each other, compared to each pushing on the surface nearest to it."""

Tick = Callable[[], None]


@dataclass(frozen=True, eq=False)
class Goal:
    """Where and how to grasp, world frame.

    Attributes:
        wrist: (3,) wrist position of the grasp.
        rotation: wrist orientation of the grasp.
        approach: (3,) unit vector from the grasp towards where the hand comes from.
        opened: (45,) hinge angles on the way.
        closed: (45,) hinge angles of the grasp, or None to close until contact.
        preshape: part of the way from ``opened`` to ``closed`` that is closed on arrival.
    """

    wrist: np.ndarray
    rotation: Rotation
    approach: np.ndarray
    opened: np.ndarray
    closed: np.ndarray | None
    preshape: float = 0.6


@dataclass(frozen=True)
class Tuning:
    """What the attempts at one goal vary.

    Attributes:
        squeeze: radians by which hinge targets lead the hinges against a resisting object.
        reach: radians the fingers may close beyond ``Goal.closed``.
        advance: metres the wrist goes further than the goal, against ``Goal.approach``.
        standoff: metres from the goal at which the straight last part of the approach begins.
        stiffness: of the finger hinges, N m/rad.
        friction: between hand and object.
        patience: control steps for which touching fingers wait for a counter-hold before they push all the same.
    """

    squeeze: float = 0.25
    reach: float = 0.35
    advance: float = 0.0
    standoff: float = 0.12
    stiffness: float = 10.0
    friction: float = 3.0
    patience: int = 60


@dataclass(frozen=True, eq=False)
class Recording:
    """What one attempt did.

    Attributes:
        states: at 100 Hz.
        hold, end: indices of the states where the lifted object begins to be held still and where that ends.
        overlaps: metres, deepest overlap of hand and object in each step of the hold.
        links: joints whose links touch the object at the end of the hold.
    """

    states: tuple[State, ...]
    hold: int
    end: int
    overlaps: tuple[float, ...]
    links: tuple[int, ...]


def min_jerk(progress: float) -> float:
    """0 to 1 with zero velocity and acceleration at both ends; clamped outside."""
    t = float(np.clip(progress, 0, 1))
    return 10 * t**3 - 15 * t**4 + 6 * t**5


def approach_curve(start: np.ndarray, goal: Goal, standoff: float, rise: float = 0.0) -> Callable[[float], np.ndarray]:
    """Cubic Bezier from the start to the goal that arrives along ``goal.approach``; ``rise`` lifts its middle to pass over the object."""
    arrive = goal.wrist + standoff * goal.approach
    up = np.array([0, 0, rise])
    points = np.stack([start, start + (arrive - start) / 3 + up, arrive + up, goal.wrist])

    def at(s: float) -> np.ndarray:
        return np.array([(1 - s) ** 3, 3 * s * (1 - s) ** 2, 3 * s**2 * (1 - s), s**3]) @ points

    return at


def clear_rise(scene: Scene, start: State, goal: Goal, standoff: float) -> float:
    """Smallest of a few heights over which the open hand travels to the goal without touching the object more than it does there."""
    turn = Slerp([0, 1], Rotation.concatenate([Rotation.from_matrix(start.rotation), goal.rotation]))
    unavoidable, _ = scene.overlap(State(goal.wrist, goal.rotation.as_matrix(), goal.opened, start.object_to_world))
    best, least = 0.0, np.inf
    for rise in (0.0, 0.08, 0.16, 0.28):
        curve = approach_curve(start.wrist, goal, standoff, rise)
        worst = max(
            scene.overlap(State(curve(s), turn(min(s / 0.8, 1)).as_matrix(), goal.opened, start.object_to_world))[0]
            for s in np.linspace(0.25, 0.95, 12)
        )
        if worst < unavoidable + 1e-3:
            return rise
        if worst < least - 5e-3:
            best, least = rise, worst
    return best


def run_attempt(
    scene: Scene, start: State, goal: Goal, tuning: Tuning, lift_height: float, tick: Tick, carry: Carry | None = None
) -> Recording:
    """Simulate one grasp from ``start``.

    Args:
        scene: the world; it is reset to ``start``.
        start: hand at h_0 and object at o_0.
        goal: the grasp to reach.
        tuning: gains and margins of this attempt.
        lift_height: metres.
        tick: called once for each control step; may raise to cancel.
        carry: where the object goes after the hold.

    Returns:
        The states from ``start`` on.

    Raises:
        UnstableSimulationError: the solver diverged.
    """
    rise = clear_rise(scene, start, goal, tuning.standoff)
    scene.configure(tuning.stiffness, tuning.friction)
    return _Run(scene, start, goal, tuning, tick).perform(rise, lift_height, carry)


class _Run:
    """The state that the phases of one attempt share: the commanded targets and what was recorded."""

    def __init__(self, scene: Scene, start: State, goal: Goal, tuning: Tuning, tick: Tick):
        self.scene, self.start, self.goal, self.tuning, self.tick = scene, start, goal, tuning, tick
        self.states = [start]
        self.hinges = start.hinges
        begin = Rotation.from_matrix(start.rotation)
        self.turn = Slerp([0, 1], Rotation.concatenate([begin, goal.rotation]))
        scene.reset(start, base=self.turn(0.5))

    def perform(self, rise: float, lift_height: float, carry: Carry | None) -> Recording:
        self.approach(rise)
        wrist = self.close()
        up = np.array([0, 0, lift_height])
        for step in range(LIFT_STEPS):
            self.step(wrist + up * min_jerk((step + 1) / LIFT_STEPS), self.goal.rotation)
        hold, overlaps, links = len(self.states) - 1, [], ()
        for _ in range(HOLD_STEPS):
            self.step(wrist + up, self.goal.rotation)
            depth, links = self.scene.touching()
            overlaps.append(depth)
        end = len(self.states) - 1
        if carry is not None:
            back = self.goal.rotation.inv().apply(self.goal.approach)
            carry_on(self.scene, self.states, self.hinges, self.goal.opened, back, carry, self.tick)
        return Recording(tuple(self.states), hold, end, tuple(overlaps), links)

    def step(self, wrist: np.ndarray, rotation: Rotation) -> None:
        self.tick()
        self.scene.command(wrist, rotation, self.hinges)
        self.states.append(self.scene.state())

    def approach(self, rise: float) -> None:
        """Travel with open fingers; a known grasp begins to close on the last part of the way (specs: graspxl 10)."""
        goal, curve = self.goal, approach_curve(self.start.wrist, self.goal, self.tuning.standoff, rise)
        length = np.linalg.norm(np.diff([curve(s) for s in np.linspace(0, 1, 30)], axis=0), axis=1).sum()
        steps = int(CONTROL_RATE * np.clip(length / APPROACH_SPEED, 0.9, 2.5))
        for step in range(steps):
            u = (step + 1) / steps
            way = min_jerk(u / 0.85)
            self.hinges = self.start.hinges + (goal.opened - self.start.hinges) * min_jerk(u / 0.5)
            if goal.closed is not None:
                self.hinges = self.hinges + (goal.closed - goal.opened) * goal.preshape * min_jerk((u - 0.6) / 0.4)
            self.step(curve(way), self.turn(min(way / 0.85, 1)))

    def close(self) -> np.ndarray:
        """Close to ``Goal.closed`` and along the contact gradient, then squeeze; returns the wrist position held.

        A finger that touches waits, without pushing, until the hand has a counter-hold: this keeps light and tall objects upright.
        """
        goal, tuning = self.goal, self.tuning
        lead, settled = 0.0, 0
        for step in range(CLOSE_STEPS):
            fingers, opposed = self._contacts()
            if opposed or step > tuning.patience:
                lead = min(lead + 0.015, tuning.squeeze)
            settled += lead >= tuning.squeeze
            if settled > 15:
                break
            now = self.states[-1].hinges
            room = np.where(fingers, lead, tuning.squeeze)
            wanted = self.hinges + CLOSE_RATE * self._closing_direction()
            self.hinges = np.clip(np.clip(wanted, now - room, now + room), *self._bounds())
            wrist = goal.wrist - goal.approach * tuning.advance * min_jerk((step + 1) / 30)
            self.step(wrist, goal.rotation)
        return wrist

    def _contacts(self) -> tuple[np.ndarray, bool]:
        """(45,) mask of the hinges of touching fingers, and whether thumb or palm oppose another finger."""
        _, links = self.scene.touching()
        fingers = {(link - 1) // 3 for link in links if link}
        opposed = (4 in fingers and len(fingers) > 1) or (0 in links and len(fingers) > 0)
        return np.repeat([finger in fingers for finger in range(5)], 9), opposed

    def _closing_direction(self) -> np.ndarray:
        """(45,) entries up to 1: towards ``Goal.closed`` for fingers still far from it, along the contact gradient for the others."""
        gradient = self.scene.closing_gradient(OPPOSITION)
        if self.goal.closed is None:
            return gradient
        rest = (self.goal.closed - self.hinges).reshape(5, 9)
        largest = np.abs(rest).max(1, keepdims=True)
        return np.where(largest > 2 * CLOSE_RATE, rest / (largest + 1e-9), gradient.reshape(5, 9)).ravel()

    def _bounds(self) -> tuple[np.ndarray, np.ndarray]:
        lower, upper = self.scene.limits.T
        if self.goal.closed is None:
            return lower, upper
        reach = self.tuning.reach
        low = np.minimum(self.goal.closed - reach, self.hinges)
        high = np.maximum(self.goal.closed + reach, self.hinges)
        return np.maximum(lower, low), np.minimum(upper, high)
