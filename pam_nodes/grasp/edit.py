"""Cut, join, move and mirror motion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from ..geometry.mesh import ObjectMesh
from ..geometry.rotations import pose_matrix
from ..hands.files import mirrored
from ..hands.joints import rest_joints
from ..hands.model import HandModel
from ..hands.pose import HandPose
from .interpolate import trajectory_at
from .mirror import mirror_mesh, mirror_pose, mirror_transforms
from .trajectory import HandTrack, ObjectTrack, Trajectory


def make_trajectory(hand: HandModel, pose: HandPose, objects: tuple[ObjectMesh, ...], fps: float, length: int = 0) -> Trajectory:
    """A motion of hand poses, with objects that stand where they are placed.

    Args:
        hand: the model of the poses.
        pose: T frames; a single one is held for ``length`` frames.
        objects: at their start poses.
        fps: frames a second.
        length: of a single pose; otherwise 0 or T.

    Raises:
        ValueError: pose of another hand, numbers that are not finite, or a length that is not the pose's.
    """
    if pose.side != hand.side:
        raise ValueError(f"Expected a pose of a {hand.side} hand for '{hand.name}', found a {pose.side} one: load a {pose.side} hand.")
    if not pose.finite:
        raise ValueError("The hand pose holds NaN or infinite numbers, expected finite ones: check where it comes from.")
    if len(pose) > 1 and length not in (0, len(pose)):
        raise ValueError(f"Expected a length of 0 or {len(pose)}, the pose's own, found {length}: use Retime Trajectory to change it.")
    total = max(length, 1) if len(pose) == 1 else len(pose)
    track = HandTrack(hand, pose)
    still = tuple(ObjectTrack(mesh, np.tile(mesh.object_to_world, (total, 1, 1))) for mesh in objects)
    return trajectory_at(Trajectory((track,), still, fps), np.arange(total))


def trim(trajectory: Trajectory, start: int, end: int) -> Trajectory:
    """Frames ``start`` up to and with ``end``; negative numbers count from the last frame (-1).

    Raises:
        ValueError: no frame is left, or a frame that is not there.
    """
    total = len(trajectory)
    first, last = (number + total if number < 0 else number for number in (start, end))
    if not 0 <= first <= last < total:
        raise ValueError(f"Expected frames within 0..{total - 1}, the first before the last, found {start} and {end}.")
    return trajectory_at(trajectory, np.arange(first, last + 1))


def concat(first: Trajectory, second: Trajectory, bridge: int = 0) -> Trajectory:
    """One motion after another.

    Args:
        first, second: of the same hands and objects at the same fps.
        bridge: frames between them, in which everything moves from the last pose of the first to the first pose of the second.

    Raises:
        ValueError: other hands, objects or fps.
    """
    check_same(first, second)
    joined = _stacked(first, second)
    seam = len(first) - 1
    inside = seam + np.arange(1, bridge + 1) / (bridge + 1)
    times = np.concatenate([np.arange(len(first)), inside, np.arange(seam + 1, seam + 1 + len(second))])
    return replace(trajectory_at(joined, times), report=second.report or first.report)


def check_same(first: Trajectory, second: Trajectory) -> None:
    """Raise ValueError unless two motions have the same hands, objects and fps."""
    if first.fps != second.fps:
        raise ValueError(f"Expected two motions of the same fps, found {first.fps:g} and {second.fps:g}: use Retime Trajectory on one.")
    sides = [[track.model.side for track in trajectory.hands] for trajectory in (first, second)]
    if sides[0] != sides[1]:
        raise ValueError(f"Expected the same hands in both motions, found {_list(sides[0])} and {_list(sides[1])}.")
    for a, b in zip(first.hands, second.hands, strict=True):
        if a.model.digest != b.model.digest or not np.array_equal(a.pose.betas, b.pose.betas):
            raise ValueError(f"Expected the same hand in both motions, found '{a.model.name}' and '{b.model.name}' or other betas.")
    names = [[track.mesh.name for track in trajectory.objects] for trajectory in (first, second)]
    shapes = [[track.mesh.vertices.shape for track in trajectory.objects] for trajectory in (first, second)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"Expected the same objects in both motions, found {_list(names[0])} and {_list(names[1])}.")


def _list(names: list[str]) -> str:
    return ", ".join(names) or "none"


def _stacked(first: Trajectory, second: Trajectory) -> Trajectory:
    hands = tuple(
        HandTrack(a.model, replace(a.pose, **{k: np.concatenate([getattr(a.pose, k), getattr(b.pose, k)]) for k in _FRAMES}))
        for a, b in zip(first.hands, second.hands, strict=True)
    )
    pairs = zip(first.objects, second.objects, strict=True)
    return replace(first, hands=hands, objects=tuple(ObjectTrack(a.mesh, np.concatenate([a.poses, b.poses])) for a, b in pairs))


_FRAMES = ("global_orient", "hand_pose", "transl")


def move_pose(model: HandModel, pose: HandPose, transform: np.ndarray) -> HandPose:
    """A hand moved rigidly by one (4, 4) transform or one for each frame (T, 4, 4), world frame."""
    transform = np.broadcast_to(transform, (len(pose), 4, 4))
    origin = np.asarray(rest_joints(model, pose.betas)[0], np.float64)
    turn = Rotation.from_matrix(transform[:, :3, :3])
    orient = (turn * Rotation.from_rotvec(np.asarray(pose.global_orient, np.float64))).as_rotvec()
    wrist = turn.apply(origin + pose.transl) + transform[:, :3, 3]
    return replace(pose, global_orient=orient, transl=wrist - origin)


def offset(trajectory: Trajectory, transform: np.ndarray, what: str = "all") -> Trajectory:
    """Move a motion rigidly.

    Args:
        trajectory: the motion.
        transform: (4, 4), world frame.
        what: "all", "hands" or "objects".
    """
    if what not in ("all", "hands", "objects"):
        raise ValueError(f"Expected 'all', 'hands' or 'objects', found {what!r}.")
    hands, objects = trajectory.hands, trajectory.objects
    if what != "objects":
        hands = tuple(HandTrack(track.model, move_pose(track.model, track.pose, transform)) for track in hands)
    if what != "hands":
        objects = tuple(ObjectTrack(track.mesh, transform @ track.poses) for track in objects)
    return replace(trajectory, hands=hands, objects=objects)


def mirror_trajectory(trajectory: Trajectory) -> Trajectory:
    """The motion seen in a mirror (x negated): right hands become left ones and the other way round."""
    hands = tuple(HandTrack(mirrored(track.model), mirror_pose(track.pose)) for track in trajectory.hands)
    objects = tuple(ObjectTrack(mirror_mesh(track.mesh), mirror_transforms(track.poses)) for track in trajectory.objects)
    return replace(trajectory, hands=hands, objects=objects)


def pick_frame(
    trajectory: Trajectory, frame: int, hand: int = 0, object_index: int = 0, at_start: bool = False
) -> tuple[HandPose, ObjectMesh]:
    """One moment of one hand and one object.

    Args:
        trajectory: the motion.
        frame: negative numbers count from the last frame (-1).
        hand, object_index: which of them.
        at_start: put the object back to its first frame and take the hand along, so that the grasp of a later frame becomes a target
            pose h_T for the object where it starts.

    Returns:
        The hand as a pose of one frame, and the object placed where it is.

    Raises:
        ValueError: a frame, hand or object that is not there.
    """
    total = len(trajectory)
    for name, index, count in (("hand", hand, len(trajectory.hands)), ("object", object_index, len(trajectory.objects))):
        if not 0 <= index < count:
            raise ValueError(f"Expected {name} number 0 to {count - 1}, found {index}: the motion has {count} {name}{'s' * (count != 1)}.")
    if not -total <= frame < total:
        raise ValueError(f"Expected a frame within {-total}..{total - 1}, found {frame}: the motion has {total} frames.")
    track, moved = trajectory.hands[hand], trajectory.objects[object_index]
    pose, place = track.pose.frame(frame), moved.poses[frame]
    if at_start:
        pose = move_pose(track.model, pose, moved.poses[0] @ rigid_inverse(place))
        place = moved.poses[0]
    return pose, moved.mesh.placed(place)


def rigid_inverse(pose: np.ndarray) -> np.ndarray:
    """Inverse of rigid transforms (..., 4, 4)."""
    turn = np.swapaxes(pose[..., :3, :3], -1, -2)
    return pose_matrix(turn, -(turn @ pose[..., :3, 3:])[..., 0])
