"""Grasp rollout by physics: (h_0, object, o_0, optional h_T) to a trajectory of hand and object (PAM's pose stage)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..geometry.mesh import ObjectMesh
from ..hands.files import mirrored
from ..hands.model import HandModel
from ..hands.pose import HandPose
from ..progress import Progress, silent
from . import policy_rollout, tracking_rollout
from .attempts import best_of, in_turn
from .carry import carry_steps, check_carry
from .controller import Recording
from .mirror import mirror_mesh, mirror_point, mirror_pose, mirror_transforms
from .policy import GraspPolicy
from .policy_rollout import policy_grasps, shape_note, with_fixed_pinky
from .resample import resample
from .scene import warnings_to_log
from .setting import RolloutOptions, Setting, prepare, wrist_origin
from .tracking_rollout import tracked_grasps, unrest
from .trajectory import GraspReport, HandTrack, ObjectTrack, Trajectory

POLICY_SPEED = 0.9
"""Metres a second: the policy snaps to the object and lifts at up to 2.5 m/s; faster parts are slowed down for the video."""


def rollout(
    hand: HandModel,
    start: HandPose,
    mesh: ObjectMesh,
    target: HandPose | None,
    options: RolloutOptions,
    progress: Progress = silent,
    policy: GraspPolicy | None = None,
) -> Trajectory:
    """Simulate a hand that approaches, grasps, lifts and holds an object, and carries it if asked to.

    Args:
        hand: the hand model; a left hand is simulated in a mirrored world.
        start: h_0, world frame; its first frame is the first frame of the result.
        mesh: the object at its start pose o_0; the table is the plane z = 0.
        target: h_T, the hand at the moment it has grasped, world frame (its last frame); None samples grasps.
        options: settings.
        progress: called in each control step; may raise to cancel.
        policy: GraspXL's network moves the hand; None follows the target, or a sampled grasp, by tracking.

    Returns:
        One hand track and a track for the object (and one for its part to avoid) of ``options.length`` frames, with the best report.

    Raises:
        ValueError: input that cannot work, found before any long work, or (``require_success``) no attempt that held the object.
        UnstableSimulationError: every attempt diverged.
    """
    _check(hand, start, target, mesh, options)
    start, target = start.frame(0), None if target is None else target.frame(-1)
    if hand.side == "left":
        return _in_mirror(hand, start, mesh, target, options, progress, policy)
    avoid = options.choice.avoid
    setting = prepare(hand, start, mesh, target, avoid, options)
    with warnings_to_log():
        recording, report = _grasp(setting, policy, options, progress)
    if options.require_success and not report.success:
        raise ValueError(f"No stable grasp of the {mesh.name} in {report.attempts} attempts. {report.message}")
    speed = POLICY_SPEED if report.controller == "policy" else 0.0
    return _trajectory(hand, start, mesh, recording, report, options, speed)


def _grasp(setting: Setting, policy: GraspPolicy | None, options: RolloutOptions, progress: Progress) -> tuple[Recording, GraspReport]:
    """The best attempt. The policy is helped out by tracking where it fails or reaches under the table, as at flat things."""
    attempts, steps, choice = tracked_grasps(setting, options), max(policy_rollout.STEPS, tracking_rollout.STEPS), options.choice
    if policy is not None:
        own = policy_grasps(setting, policy, options)
        aided = setting.grasp is None and choice.turn is None and choice.avoid is None
        attempts = in_turn(own, attempts) if aided else own
    if options.carry is not None:
        steps += carry_steps(setting.first.object_to_world, options.carry.goal)
    recording, report = best_of(attempts, options.max_attempts, steps, progress)
    notes = "" if report.success else unrest(setting)
    if report.controller == "policy":
        notes += shape_note(setting)
        recording = with_fixed_pinky(recording) if options.fix_pinky else recording
    elif policy is not None:
        notes += " Held by tracking: the policy's own grasps failed or reached under the table."
    return recording, replace(report, message=report.message + notes)


def _check(hand: HandModel, start: HandPose, target: HandPose | None, mesh: ObjectMesh, options: RolloutOptions) -> None:
    for name, pose in (("start pose", start), ("target pose", target)):
        if pose is None:
            continue
        if pose.side != hand.side:
            raise ValueError(f"Expected a {name} of a {hand.side} hand, found one of a {pose.side} hand: make it with this hand.")
        if len(pose.betas) > hand.num_betas:
            raise ValueError(f"Expected at most {hand.num_betas} betas for '{hand.name}', found {len(pose.betas)} in the {name}.")
        if not pose.finite:
            raise ValueError(f"The {name} holds NaN or infinite numbers, expected finite angles and positions: check where it comes from.")
    if options.length < 2:
        raise ValueError(f"Expected a length of at least 2 frames, found {options.length}.")
    if not options.fps > 0:
        raise ValueError(f"Expected a positive number of frames a second, found {options.fps}.")
    if options.max_attempts < 1:
        raise ValueError(f"Expected at least 1 attempt, found {options.max_attempts}.")
    if options.carry is not None:
        check_carry(options.carry, mesh.object_to_world, mesh.vertices, mesh.name)


def _trajectory(
    hand: HandModel,
    start: HandPose,
    mesh: ObjectMesh,
    recording: Recording,
    report: GraspReport,
    options: RolloutOptions,
    speed: float,
) -> Trajectory:
    """Frames of the recording; the first is h_0 and o_0 to the bit."""
    wrist, orient, hand_pose, objects = resample(recording.states, options.length, speed)
    transl = wrist - wrist_origin(hand, start.betas)
    orient[0], hand_pose[0], transl[0], objects[0] = start.global_orient[0], start.hand_pose[0], start.transl[0], mesh.object_to_world
    pose = replace(start, global_orient=orient, hand_pose=hand_pose, transl=transl)
    return Trajectory((HandTrack(hand, pose),), _object_tracks(mesh, options, objects), options.fps, report)


def _object_tracks(mesh: ObjectMesh, options: RolloutOptions, poses: np.ndarray) -> tuple[ObjectTrack, ...]:
    """The object, and its part to avoid, which moves with it."""
    meshes = [mesh]
    if options.choice.avoid is not None:
        meshes.append(options.choice.avoid.placed(mesh.object_to_world))
    return tuple(ObjectTrack(part, poses) for part in meshes)


def _in_mirror(
    hand: HandModel,
    start: HandPose,
    mesh: ObjectMesh,
    target: HandPose | None,
    options: RolloutOptions,
    progress: Progress,
    policy: GraspPolicy | None,
) -> Trajectory:
    """The rollout of a left hand: that of a right one in the mirrored world, mirrored back."""
    carry, choice = options.carry, options.choice
    if carry is not None:
        carry = replace(carry, goal=mirror_transforms(carry.goal))
    choice = replace(
        choice,
        heading=mirror_point(choice.heading),
        midpoint=mirror_point(choice.midpoint),
        turn=None if choice.turn is None else -choice.turn,
        avoid=None if choice.avoid is None else mirror_mesh(choice.avoid),
    )
    target = None if target is None else mirror_pose(target)
    seen = replace(options, carry=carry, choice=choice)
    result = rollout(mirrored(hand), mirror_pose(start), mirror_mesh(mesh), target, seen, progress, policy)
    pose = mirror_pose(result.hands[0].pose)
    objects = _object_tracks(mesh, options, mirror_transforms(result.objects[0].poses))
    return replace(result, hands=(HandTrack(hand, pose),), objects=objects)
