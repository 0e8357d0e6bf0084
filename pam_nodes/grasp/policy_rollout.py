"""Grasps by GraspXL's policy: choose objectives, bring the hand to where an episode begins, let the policy act (specs: graspxl 3, 7, 8)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from ..hands.model import HandModel
from .attempts import Attempt, attempt_of
from .carry import carry_on
from .controller import APPROACH_SPEED, Goal, Recording, Tick, approach_curve, clear_rise, min_jerk
from .policy import GraspPolicy
from .policy_objectives import STANDOFF, TRIES, Objective, ObjectiveChoice, Part, objective_of_pose, sample_objective
from .policy_scene import PolicyScene, hand_center
from .scene import CONTROL_RATE, State
from .setting import RolloutOptions, Setting
from .target import check_target

GRASP_STEPS, LIFT_STEPS, HOLD_STEPS = 130, 70, 40
"""Control steps. GraspXL grasps for 130, then pulls up for 50 and gets as far as it gets (specs: graspxl 7); here the wrist is led to the
height asked for."""

EARLY = 0.015
"""Metres: an object that rises so far while it is being grasped is held, and the lift begins."""

MAX_APPROACH = 250
THUMB = (0.851, 0.123, 0.692)
"""Hinge angles of the thumb's first joint at the start of an episode (specs: graspxl 6)."""

CURL = np.tile([0.0, 0.0, 0.35], 15)
CANDIDATES, ENOUGH = 24, 240
"""Objectives among which to choose, and how many that dip under the table are looked at when there are not so many that stay above."""

TABLE_MARGIN, TABLE_LIMIT = 0.0, -0.01
"""Metres above the table that skin should stay on a sampled way in, and must where there is such a way. Fingers that close reach further
under what lies flat: the table does not push back (specs: graspxl 4)."""

RAISE, RAISE_TO = 0.015, -0.008
"""Metres by which a grasp is raised at most, and up to which, to keep out of the table. It makes no difference to its success."""

STEPS = MAX_APPROACH + GRASP_STEPS + LIFT_STEPS + HOLD_STEPS
"""Control steps of an attempt at most, without a carry."""

TARGET_NOISE = 0.008
TRAINED_BETAS = 0.5
"""Largest shape coefficient still called the shape the policy was trained on, which is zero."""


def policy_grasps(setting: Setting, policy: GraspPolicy, options: RolloutOptions) -> Iterator[Attempt]:
    """Attempts in which the policy moves the hand, each with another objective.

    Raises:
        ValueError: no objective suits the object.
    """
    opened = start_hinges(setting.hand)
    scene = PolicyScene(setting.body, setting.limits(opened), setting.shape, setting.mass, setting.avoid)
    setting.check_start(scene)
    scene.set_friction(options.friction)
    for objective in _objectives(scene, setting, options, opened):
        yield attempt_of(partial(_episode, scene, setting, policy, options, opened, objective), setting, options, "policy")


def start_hinges(hand: HandModel) -> np.ndarray:
    """(45,) hinge angles with which an episode begins: a fifth of the mean pose, the thumb opposed."""
    hinges = np.asarray(hand.hands_mean, dtype=np.float64) / 5
    hinges[36:39] = THUMB
    return hinges


def copy_ring_to_pinky(hinges: np.ndarray) -> np.ndarray:
    """(45,) hinge angles whose little finger bends as the ring finger does."""
    fixed = hinges.copy()
    fixed[18:27] = hinges[27:36]
    return fixed


def _objectives(scene: PolicyScene, setting: Setting, options: RolloutOptions, opened: np.ndarray) -> Iterator[Objective]:
    """One objective for each attempt."""
    rng = np.random.default_rng(options.seed)
    pose = setting.first.object_to_world
    if setting.grasp is None:
        yield from _sampled(scene, setting, options, opened, rng)
        return
    check_target(setting.grasp)
    turn, origin = pose[:3, :3], pose[:3, 3]
    scene.reset(replace(setting.first, hinges=opened))
    center = hand_center(scene.points(), setting.first)
    wanted = objective_of_pose(turn.T @ (setting.grasp.wrist - origin), turn.T @ setting.grasp.rotation, center)
    for attempt in range(options.max_attempts):
        yield wanted.moved(rng.normal(scale=TARGET_NOISE, size=3) if attempt else np.zeros(3))


def _sampled(
    scene: PolicyScene, setting: Setting, options: RolloutOptions, opened: np.ndarray, rng: np.random.Generator
) -> list[Objective]:
    """Objectives that keep the hand off the table, those first that turn and move the hand least from its start pose.

    When there are too few of them, as for what lies flat, those follow that dip under the table least.
    """
    pose = setting.first.object_to_world
    part, avoid = Part.of(setting.shape), Part.of(setting.avoid) if setting.avoid else None
    choice = _in_object(options.choice, pose)
    wanted = max(CANDIDATES, 3 * options.max_attempts)
    ways = _ways(setting, scene.limits, opened)
    middle = pose[:3, :3] @ part.centroid + pose[:3, 3]
    side = (setting.first.wrist - middle) / (np.linalg.norm(setting.first.wrist - middle) + 1e-9)
    clear, low = [], []
    for number in range(TRIES):
        if len(clear) == wanted or (len(clear) + len(low) >= ENOUGH and len(clear) < wanted / 4):
            break
        objective = sample_objective(part, avoid, choice, pose[:3, :3], rng)
        if objective is None:
            continue
        objective, lowest = _above_table(objective, pose, ways)
        if lowest < TABLE_LIMIT:
            low.append((-lowest, number, objective))
            continue
        turned = Rotation.from_matrix(pose[:3, :3] @ objective.rotation @ setting.first.rotation.T).magnitude() / np.pi
        around = np.arccos(np.clip(pose[:3, :3] @ objective.heading @ side, -1, 1)) / np.pi
        clear.append((turned + 0.7 * around + 20 * max(0.0, TABLE_MARGIN - lowest), number, objective))
    ordered = [objective for *_, objective in sorted(clear, key=lambda item: item[:2]) + sorted(low, key=lambda item: item[:2])]
    if not ordered:
        raise ValueError(_nothing_found(setting, choice))
    return ordered[: options.max_attempts]


def _nothing_found(setting: Setting, choice: ObjectiveChoice) -> str:
    size = np.sort(np.ptp(setting.shape.vertices, axis=0))[:2].min()
    if size <= choice.span and choice != ObjectiveChoice(span=choice.span):
        return (
            f"Found no way to grasp the {setting.name} that keeps to the objective: leave its side, turn or point free, "
            "or make the part to avoid smaller."
        )
    return (
        f"The {setting.name} is too wide for the hand from every direction tried (about {size * 100:.0f} cm at its narrowest), "
        f"this hand spans {choice.span * 100:.0f} cm: scale the object down, or give a target pose."
    )


def _in_object(choice: ObjectiveChoice, pose: np.ndarray) -> ObjectiveChoice:
    """The person's choice, from the world to the object's frame."""
    heading, midpoint = choice.heading, choice.midpoint
    if heading is not None:
        heading = tuple(pose[:3, :3].T @ np.asarray(heading, dtype=np.float64))
    if midpoint is not None:
        midpoint = tuple(pose[:3, :3].T @ (np.asarray(midpoint, dtype=np.float64) - pose[:3, 3]))
    return replace(choice, heading=heading, midpoint=midpoint)


def _ways(setting: Setting, limits: np.ndarray, opened: np.ndarray) -> list[tuple[float, np.ndarray]]:
    """Metres from the start of an episode, with the (V, 3) skin there, wrist frame: open, near, half closed at the end."""
    ways = ((0.0, opened), (0.7 * STANDOFF, opened), (STANDOFF, opened + CURL))
    poses = [State(np.zeros(3), np.eye(3), np.clip(hinges, *limits.T), np.eye(4)) for _, hinges in ways]
    return [(way, points) for (way, _), points in zip(ways, setting.skin(poses), strict=True)]


def _above_table(objective: Objective, pose: np.ndarray, ways: list[tuple[float, np.ndarray]]) -> tuple[Objective, float]:
    """The objective, raised a little if the hand would reach under the table, and its least height above it on the way in (metres)."""
    start, heading = objective.start(pose, np.zeros(45)), pose[:3, :3] @ objective.heading
    lowest = min(float((points @ start.rotation[2]).min() + start.wrist[2] - way * heading[2]) for way, points in ways)
    up = float(np.clip(RAISE_TO - lowest, 0.0, RAISE))
    return objective.moved(pose[2, :3] * up), lowest + up


def _episode(
    scene: PolicyScene, setting: Setting, policy: GraspPolicy, options: RolloutOptions, opened: np.ndarray, objective: Objective, tick: Tick
) -> Recording:
    """Move to the start of the episode, grasp, lift and hold, then carry if asked for.

    Raises:
        UnstableSimulationError: the solver diverged.
    """
    begin = objective.start(setting.first.object_to_world, np.clip(opened, *scene.limits.T))
    states = approach(scene, setting.first, begin, setting.first.object_to_world[:3, :3] @ objective.heading, tick)
    scene.begin(begin, objective.target)
    observation = scene.observation()
    observation[:6] = 0.0  # the original's first observation is stale (specs: graspxl 5)
    for _ in range(GRASP_STEPS):
        tick()
        scene.step(policy.act(observation))
        observation = scene.observation()
        states.append(scene.state())
        if risen(setting, states) > EARLY:
            break
    held, overlaps = states[-1], []
    height = max(options.lift_height - max(risen(setting, states), 0.0), 0.0)
    for step in range(1, LIFT_STEPS + HOLD_STEPS + 1):
        tick()
        up = np.array([0.0, 0.0, height * min_jerk(step / LIFT_STEPS)])
        scene.guide(held.wrist + up, Rotation.from_matrix(held.rotation), policy.act(observation))
        observation = scene.observation()
        states.append(scene.state())
        if step > LIFT_STEPS:
            overlaps.append(scene.touching()[0])
    end, links = len(states) - 1, scene.touching()[1]
    if options.carry is not None:
        back = -scene.center / np.linalg.norm(scene.center)
        carry_on(scene, states, scene.finger_targets(), opened, back, options.carry, tick)
    return Recording(tuple(states), end - HOLD_STEPS, end, tuple(overlaps), links)


def risen(setting: Setting, states: list[State]) -> float:
    """Metres by which the object's centre of mass has risen since the first state."""
    first, last = (state.object_to_world for state in (states[0], states[-1]))
    return float((last[2, :3] - first[2, :3]) @ setting.center_of_mass + last[2, 3] - first[2, 3])


def approach(scene: PolicyScene, first: State, begin: State, heading: np.ndarray, tick: Tick) -> list[State]:
    """The states from h_0 to the start of an episode, hand and fingers on minimum-jerk curves around the object, which stands still."""
    goal = Goal(begin.wrist, Rotation.from_matrix(begin.rotation), heading, begin.hinges, None)
    rise = clear_rise(scene, first, goal, 0.0)
    curve = approach_curve(first.wrist, goal, 0.0, rise)
    turn = Slerp([0, 1], Rotation.concatenate([Rotation.from_matrix(first.rotation), goal.rotation]))
    length = np.linalg.norm(np.diff([curve(s) for s in np.linspace(0, 1, 30)], axis=0), axis=1).sum()
    steps = int(np.clip(CONTROL_RATE * max(length / APPROACH_SPEED, _turn_time(first, begin)), 30, MAX_APPROACH))
    states = [first]
    for step in range(1, steps + 1):
        tick()
        way = min_jerk(step / steps)
        hinges = first.hinges + way * (begin.hinges - first.hinges)
        states.append(State(curve(way), turn(way).as_matrix(), hinges, first.object_to_world))
    return states


def _turn_time(first: State, begin: State) -> float:
    """Seconds to turn the wrist from one state to another at 2 rad/s."""
    return Rotation.from_matrix(begin.rotation @ first.rotation.T).magnitude() / 2.0


def shape_note(setting: Setting) -> str:
    """A sentence when the hand is not the one the policy was trained on."""
    if not setting.hand.is_mano:
        return f" The policy was trained on MANO's hand; '{setting.hand.name}' has other proportions."
    largest = max(np.abs(setting.body.betas), default=0.0)
    if largest > TRAINED_BETAS:
        return f" The policy was trained on MANO's mean shape; this hand has betas up to {largest:.1f}."
    return ""


def with_fixed_pinky(recording: Recording) -> Recording:
    """The little finger bends as the ring finger does, from the 30th state on; before that it changes over from its own bend."""
    states = []
    for index, state in enumerate(recording.states):
        change = copy_ring_to_pinky(state.hinges) - state.hinges
        states.append(replace(state, hinges=state.hinges + min(index / 30, 1.0) * change))
    return replace(recording, states=tuple(states))
