"""Grasp rollout by physics: (h_0, object, o_0, optional h_T) to a trajectory of hand and object (PAM's pose stage)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from ..geometry.mesh import ObjectMesh
from ..hands.files import mirrored
from ..hands.joints import rest_joints
from ..hands.model import HandModel
from ..hands.pose import HandPose
from ..progress import Progress, silent
from .collision import collision_shape
from .controller import CLOSE_STEPS, HOLD_STEPS, LIFT_STEPS, Goal, Recording, Tuning, run_attempt
from .hand_body import HandBody, build_hand_body, to_hinges
from .mirror import mirror_mesh, mirror_pose, mirror_transforms
from .objectives import sample_goals
from .quality import STEADY, assess, merit
from .resample import resample
from .scene import Scene, State, UnstableSimulationError, warnings_to_log
from .target import target_goals
from .trajectory import GraspReport, HandTrack, ObjectTrack, Trajectory

log = logging.getLogger(__name__)

MAX_DISTANCE = 1.0
"""Metres between the wrist and the object at the start."""

STEPS_PER_ATTEMPT = 250 + CLOSE_STEPS + LIFT_STEPS + HOLD_STEPS
"""Control steps of one attempt at most, the unit of the progress report."""


@dataclass(frozen=True)
class RolloutOptions:
    """Settings of a rollout.

    Attributes:
        length: frames of the result.
        fps: frames a second of the result. The motion is warped to fit ``length``; its natural duration is 3 to 4 seconds.
        seed: of the variations between attempts.
        lift_height: metres.
        max_attempts: simulations to try at most.
        object_density: kg/m3 of the solid mesh; objects weigh at least 50 g.
        require_success: raise when no attempt holds the object, instead of returning the best one.
    """

    length: int = 49
    fps: float = 15.0
    seed: int = 0
    lift_height: float = 0.2
    max_attempts: int = 8
    object_density: float = 300.0
    require_success: bool = False


def rollout(
    hand: HandModel, start: HandPose, mesh: ObjectMesh, target: HandPose | None, options: RolloutOptions, progress: Progress = silent
) -> Trajectory:
    """Simulate a hand that approaches, grasps, lifts and holds an object.

    Args:
        hand: the hand model; a left hand is simulated in a mirrored world.
        start: h_0, world frame; its first frame is the first frame of the result.
        mesh: the object at its start pose o_0; the table is the plane z = 0.
        target: h_T, the hand at the moment it has grasped, world frame (its last frame); None samples grasps.
        options: settings.
        progress: called in each control step; may raise to cancel.

    Returns:
        One hand and one object track of ``options.length`` frames with the report of the best attempt.

    Raises:
        ValueError: input that cannot work, found before any long work, or (``require_success``) no attempt that held the object.
        UnstableSimulationError: every attempt diverged.
    """
    _check(hand, start, target, options)
    start, target = start.frame(0), None if target is None else target.frame(-1)
    if hand.side == "left":
        other = None if target is None else mirror_pose(target)
        result = rollout(mirrored(hand), mirror_pose(start), mirror_mesh(mesh), other, options, progress)
        return _mirror_back(result, hand, mesh)

    body = build_hand_body(hand, start.betas)
    shape = collision_shape(mesh)
    first = _state(hand, start, mesh)
    distance = np.linalg.norm(shape.samples @ mesh.object_to_world[:3, :3].T + mesh.object_to_world[:3, 3] - first.wrist, axis=1).min()
    if distance > MAX_DISTANCE:
        raise ValueError(f"The {mesh.name} is {distance:.1f} m from the wrist of the start pose, expected at most 1 m: move one of them.")
    grasp = None if target is None else _state(hand, target, mesh)
    scene = Scene(body, _limits(body, first, grasp), shape, shape.mass(options.object_density))
    depth, _ = scene.overlap(first)
    if depth > 0.005:
        raise ValueError(f"The start pose h_0 is {depth * 1000:.0f} mm inside the {mesh.name}: move the start pose away from it.")
    with warnings_to_log():
        recording, report = _best(scene, first, _plans(scene, first, grasp, mesh.name, options), options, progress)
        if not report.success:
            report = replace(report, message=f"{report.message}{_unrest(scene, first, mesh.name)}")
    if options.require_success and not report.success:
        raise ValueError(f"No stable grasp of the {mesh.name} in {report.attempts} attempts. {report.message}")
    return _trajectory(hand, start, mesh, recording, report, options)


def _check(hand: HandModel, start: HandPose, target: HandPose | None, options: RolloutOptions) -> None:
    for name, pose in (("start pose", start), ("target pose", target)):
        if pose is None:
            continue
        if pose.side != hand.side:
            raise ValueError(f"Expected a {name} of a {hand.side} hand, found one of a {pose.side} hand: make it with this hand.")
        if len(pose.betas) > hand.num_betas:
            raise ValueError(f"Expected at most {hand.num_betas} betas for '{hand.name}', found {len(pose.betas)} in the {name}.")
    if options.length < 2:
        raise ValueError(f"Expected a length of at least 2 frames, found {options.length}.")
    if not options.fps > 0:
        raise ValueError(f"Expected a positive number of frames a second, found {options.fps}.")
    if options.max_attempts < 1:
        raise ValueError(f"Expected at least 1 attempt, found {options.max_attempts}.")


def _plans(scene: Scene, first: State, grasp: State | None, name: str, options: RolloutOptions) -> Iterator[tuple[Goal, Tuning]]:
    """What each attempt does: the plain recipe first, then variations of it."""
    rng = np.random.default_rng(options.seed)
    if grasp is None:
        goals = sample_goals(scene, first, rng, options.max_attempts, name)
    else:
        goals = target_goals(scene, first, grasp, name)
    for attempt in range(options.max_attempts):
        goal, tuning = goals[attempt % len(goals)], Tuning()
        if attempt >= len(goals):
            tuning = Tuning(
                squeeze=rng.uniform(0.2, 0.45),
                reach=rng.uniform(0.35, 0.8),
                advance=rng.uniform(-0.005, 0.015),
                standoff=rng.uniform(0.08, 0.2),
                stiffness=rng.choice([6.0, 10.0, 16.0]),
                friction=rng.choice([3.0, 4.0]),
                patience=rng.choice([0, 60]),
            )
            goal = replace(goal, wrist=goal.wrist + rng.normal(scale=0.004, size=3))
        yield goal, tuning


def _best(
    scene: Scene, first: State, plans: Iterator[tuple[Goal, Tuning]], options: RolloutOptions, progress: Progress
) -> tuple[Recording, GraspReport]:
    """Attempts until one holds the object upright; else the best of them."""
    total = options.max_attempts * STEPS_PER_ATTEMPT
    best: tuple[Recording, GraspReport] | None = None
    for attempt, (goal, tuning) in enumerate(plans):
        steps = iter(range(attempt * STEPS_PER_ATTEMPT, total))

        def tick(steps: Iterator[int] = steps) -> None:
            progress(next(steps), total)

        try:
            recording = run_attempt(scene, first, goal, tuning, options.lift_height, tick)
        except UnstableSimulationError:
            log.info("Attempt %d became unstable.", attempt + 1)
            continue
        report = assess(recording, scene.shape.center_of_mass, options.lift_height, attempt + 1)
        log.debug("Attempt %d: %s", attempt + 1, report)
        if best is None or merit(report) > merit(best[1]):
            best = recording, report
        if report.success and report.tilt < STEADY:
            break
    if best is None:
        raise UnstableSimulationError(
            f"The simulation became unstable in all {options.max_attempts} attempts: try a simpler mesh, another pose or a lower density."
        )
    progress(total, total)
    return best[0], replace(best[1], attempts=attempt + 1)


def _unrest(scene: Scene, first: State, name: str) -> str:
    """A sentence when the object does not stay where it was placed while the hand stands still, else nothing."""
    scene.reset(first)
    for _ in range(60):
        scene.command(first.wrist, Rotation.from_matrix(first.rotation), first.hinges)
    moved = np.linalg.norm(scene.state().object_to_world[:3, 3] - first.object_to_world[:3, 3])
    if moved < 0.02:
        return ""
    return f" The {name} does not rest at its start pose, it moves {moved * 100:.0f} cm by itself: place it on the table."


def _limits(body: HandBody, *states: State | None) -> np.ndarray:
    """Hinge bounds that admit the flat hand and the poses given."""
    return body.widened(np.zeros(45), *(state.hinges for state in states if state is not None))


def _wrist_origin(hand: HandModel, pose: HandPose) -> np.ndarray:
    """(3,) J0(betas): where the wrist is for a zero ``transl``."""
    return np.asarray(rest_joints(hand, pose.betas)[0], dtype=np.float64)


def _state(hand: HandModel, pose: HandPose, mesh: ObjectMesh) -> State:
    """A hand pose of one frame with the object at its start."""
    rotation = Rotation.from_rotvec(np.asarray(pose.global_orient[0], dtype=np.float64)).as_matrix()
    wrist = _wrist_origin(hand, pose) + pose.transl[0]
    return State(wrist, rotation, to_hinges(pose.hand_pose[0]), np.asarray(mesh.object_to_world, dtype=np.float64))


def _trajectory(
    hand: HandModel, start: HandPose, mesh: ObjectMesh, recording: Recording, report: GraspReport, options: RolloutOptions
) -> Trajectory:
    """Frames of the recording; the first is h_0 and o_0 to the bit."""
    wrist, orient, hand_pose, objects = resample(recording.states, options.length)
    transl = wrist - _wrist_origin(hand, start)
    orient[0], hand_pose[0], transl[0], objects[0] = start.global_orient[0], start.hand_pose[0], start.transl[0], mesh.object_to_world
    pose = replace(start, global_orient=orient, hand_pose=hand_pose, transl=transl)
    return Trajectory((HandTrack(hand, pose),), (ObjectTrack(mesh, objects),), options.fps, report)


def _mirror_back(trajectory: Trajectory, hand: HandModel, mesh: ObjectMesh) -> Trajectory:
    pose = mirror_pose(trajectory.hands[0].pose)
    objects = mirror_transforms(trajectory.objects[0].poses)
    return replace(trajectory, hands=(HandTrack(hand, pose),), objects=(ObjectTrack(mesh, objects),))
