"""Data sets that keep one hand's 48 numbers in one row: HOI4D, HO-3D, GRAB and InterHand2.6M (specs: hands 1.8).

HOI4D ``.pickle``: ``poseCoeff`` (48), ``beta`` (10), ``trans`` (3), flat, smplx-like, camera frame (OpenCV).
HO-3D ``.pkl``: ``handPose`` (48), ``handBeta``, ``handTrans``, ``objRot``, ``objTrans``; flat, camera frame, OpenGL axes (y up, z back).
GRAB ``.npz``: ``rhand`` / ``lhand`` {``params``: ``global_orient``, ``fullpose`` (T, 45) flat, ``transl``}, personal template; world Z up.
InterHand NeuralAnnot ``.json``: {capture: {frame: {``right``: {``pose`` (48), ``shape``, ``trans``}, ``left``}}}, relative to the mean.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from ..geometry.rotations import pose_matrix
from ..hands.joints import rest_joints
from .content import numbers
from .recording import Context, Recording

HOI4D, HO3D, GRAB, INTERHAND = "hoi4d", "ho3d", "grab", "interhand"
GL = np.diag([1.0, -1.0, -1.0])
"""OpenGL camera axes to OpenCV's and back."""


def recognise(content: Any) -> str | None:
    """Which of the four it is."""
    first = content[0] if isinstance(content, list) and content else content
    if not isinstance(first, dict):
        return None
    if {"poseCoeff", "trans"} <= set(first):
        return HOI4D
    if {"handPose", "handTrans"} <= set(first):
        return HO3D
    if any(isinstance(first.get(key), dict) and "params" in first[key] for key in ("rhand", "lhand")):
        return GRAB
    return INTERHAND if _frames(first) else None


def read(content: Any, context: Context) -> Recording:
    """Content to motion."""
    return {HOI4D: _hoi4d, HO3D: _ho3d, GRAB: _grab, INTERHAND: _interhand}[recognise(content)](content, context)


def _rows(content: Any, key: str, size: int) -> np.ndarray:
    frames = content if isinstance(content, list) else [content]
    return np.concatenate([numbers(frame, key, size) for frame in frames])


def _only_side(context: Context, name: str) -> str:
    side = "right" if "right" in context.hands else "left"
    context.note(f"{name} is read as a {side} hand.")
    return side


def _hoi4d(content: Any, context: Context) -> Recording:
    side = _only_side(context, "HOI4D")
    pose = _rows(content, "poseCoeff", 48)
    first = content[0] if isinstance(content, list) else content
    hand = context.hand(side, pose[:, :3], pose[:, 3:], _rows(content, "trans", 3), first.get("beta"))
    return Recording(HOI4D, (hand,), {}, 15.0, camera_frame=True)


def _ho3d(content: Any, context: Context) -> Recording:
    """Axes turned to OpenCV's. The hand turns about its root joint, so the translation takes up what the root's place changes."""
    side = _only_side(context, "HO-3D")
    first = content[0] if isinstance(content, list) else content
    pose, place = _rows(content, "handPose", 48), _rows(content, "handTrans", 3)
    orient = (Rotation.from_matrix(GL) * Rotation.from_rotvec(pose[:, :3])).as_rotvec()
    root = rest_joints(context.model(side), context.betas(side, first.get("handBeta")))[0]
    hand = context.hand(side, orient, pose[:, 3:], (place + root) @ GL - root, first.get("handBeta"))
    objects = {}
    if "objRot" in first and "objTrans" in first:
        turn = Rotation.from_matrix(GL) * Rotation.from_rotvec(_rows(content, "objRot", 3))
        objects[str(first.get("objName", "object"))] = pose_matrix(turn.as_matrix(), _rows(content, "objTrans", 3) @ GL)
    return Recording(HO3D, (hand,), objects, 30.0, camera_frame=True)


def _grab(content: dict[str, Any], context: Context) -> Recording:
    hands = []
    for side, key in (("right", "rhand"), ("left", "lhand")):
        part = content.get(key)
        if isinstance(part, dict) and "params" in part and context.wants(side):
            params = part["params"]
            rows = [numbers(params, name, size) for name, size in (("global_orient", 3), ("fullpose", 45), ("transl", 3))]
            hands.append(context.hand(side, *rows))
            context.note("GRAB's hands have a personal template each; this hand's own shape is used, so contact is approximate.")
    objects = {}
    thing = content.get("object")
    if isinstance(thing, dict) and isinstance(thing.get("params"), dict):
        # GRAB multiplies row vectors by the matrix, which is its transpose here.
        turn = Rotation.from_rotvec(numbers(thing["params"], "global_orient", 3)).as_matrix().swapaxes(1, 2)
        objects[str(content.get("obj_name", "object"))] = pose_matrix(turn, numbers(thing["params"], "transl", 3))
    return Recording(GRAB, tuple(hands), objects, 120.0)


def _interhand(content: dict[str, Any], context: Context) -> Recording:
    frames = _frames(content)
    hands = []
    for side in ("right", "left"):
        valid = np.array([isinstance(frame.get(side), dict) for frame in frames])
        if not valid.any() or not context.wants(side):
            continue
        first = frames[int(valid.argmax())][side]
        parts = [frame[side] if present else first for frame, present in zip(frames, valid, strict=True)]
        pose = _rows(parts, "pose", 48)
        fingers = context.from_mean(side, pose[:, 3:])
        hands.append(context.hand(side, pose[:, :3], fingers, _rows(parts, "trans", 3), first.get("shape"), valid))
    return Recording(INTERHAND, tuple(hands), {}, 30.0)


def _frames(content: dict[str, Any]) -> list[dict[str, Any]]:
    """Frames of an InterHand file in their order, from {frame: ...} or {capture: {frame: ...}}; empty when it is none."""
    if not content or not all(isinstance(value, dict) for value in content.values()):
        return []
    if any(_is_frame(value) for value in content.values()):
        return [content[key] for key in sorted(content, key=lambda key: (len(str(key)), str(key)))]
    return [frame for value in content.values() if any(map(_is_frame, value.values())) for frame in _frames(value)]


def _is_frame(value: Any) -> bool:
    parts = [value.get("right"), value.get("left")] if isinstance(value, dict) else []
    return any(isinstance(part, dict) and {"pose", "trans"} <= set(part) for part in parts)
