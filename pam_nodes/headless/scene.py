"""The pose stage's inputs from files and plain numbers: hand, poses, object."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..geometry.mesh import ObjectMesh
from ..geometry.mesh_io import MeshOptions, load_mesh
from ..geometry.placement import place_object
from ..geometry.primitives import demo_object, parse_color
from ..grasp.settle import settle
from ..hands.conventions import Convention
from ..hands.files import choose_hand
from ..hands.model import HandModel
from ..hands.pose import HandPose
from ..hands.posing import FingerSlider, finger_pose, place_hand, pose_from_numbers, with_betas
from ..recordings.read import read_motion
from ..recordings.recording import ReadOptions

DEMO = "demo:"
KEYS = ("preset", "fingers", "hand_pose", "convention", "wrist", "rotation")
Vector = tuple[float, float, float]


@dataclass(frozen=True)
class HandChoice:
    """Which hand: a MANO file, or None for the CC0 hand (see *Load MANO Hand*)."""

    file: Path | None = None
    side: str = "right"
    betas: str = ""
    left_shape: str = "as_file"
    fingertips: str = "manopth"

    def load(self) -> HandModel:
        """The model; raises ValueError or FileNotFoundError."""
        return with_betas(choose_hand(self.file, self.side, self.left_shape, self.fingertips, "pam"), self.betas)


@dataclass(frozen=True)
class ObjectChoice:
    """Which object, and where it starts (see *Load Object Mesh* and *Place Object*).

    Attributes:
        source: a mesh file, or "demo:mug" and the like.
        mesh: how the numbers of a file become metres.
        size: factor of a demo object.
        name: "" takes the file's.
        label: YCB id of the segmentation colour, None takes 14 or the demo object's.
        color: "#rrggbb" for previews, None takes its own.
        position, rotation: metres and degrees.
        on_table: rest its lowest point on the table.
        fall: let it come to rest by physics.
    """

    source: str
    mesh: MeshOptions = field(default_factory=MeshOptions)
    size: float = 1.0
    name: str = ""
    label: int | None = None
    color: str | None = None
    position: Vector = (0.0, 0.0, 0.0)
    rotation: Vector = (0.0, 0.0, 0.0)
    on_table: bool = True
    fall: bool = False

    def load(self) -> ObjectMesh:
        """The object at its start pose; raises ValueError or FileNotFoundError."""
        if self.source.startswith(DEMO):
            mesh = demo_object(self.source.removeprefix(DEMO), self.size)
        else:
            if not Path(self.source).is_file():
                raise FileNotFoundError(f"No mesh file {self.source}: give a .obj, .ply, .stl, .glb or .off file, or {DEMO}mug.")
            mesh = load_mesh(self.source, self.mesh)
        changes = {"name": self.name or None, "label": self.label, "color": None if self.color is None else parse_color(self.color)}
        mesh = replace(mesh, **{key: value for key, value in changes.items() if value is not None})
        placed = place_object(mesh, self.position, self.rotation, self.on_table)
        return settle(placed) if self.fall else placed


def read_pose(text: str, hand: HandModel, frame: int, what: str) -> HandPose:
    """A hand pose of one frame.

    Args:
        text: JSON as {"preset": "relaxed", "fingers": {"index": {"flexion": 0.5, "spread": 0}}, "wrist": [x, y, z], "rotation": [x, y, z]}
            in metres and degrees, with "hand_pose" and "convention" instead of a preset and fingers; a file with such JSON; or a motion
            file.
        hand: the model.
        frame: of a motion file, negative from the end.
        what: for messages ("--start").

    Raises:
        ValueError: anything else.
        FileNotFoundError: there is no such file.
    """
    if not text.lstrip().startswith("{"):
        path = Path(text)
        if not path.is_file():
            raise FileNotFoundError(f"No pose file {text} for {what}: give a file, or JSON as shown by --help.")
        content = path.read_text(encoding="utf-8") if path.suffix == ".json" else ""
        if '"wrist"' not in content:
            return _recorded(path, hand, frame, what)
        text = content
    try:
        words = json.loads(text)
    except ValueError as error:
        raise ValueError(f"Expected JSON of a hand pose for {what}, found something else ({error}).") from error
    return _posed(words, hand, what)


def _recorded(path: Path, hand: HandModel, frame: int, what: str) -> HandPose:
    recording = read_motion(path, {hand.side: hand}, ReadOptions())
    if not recording.hands:
        raise ValueError(f"Expected a {hand.side} hand in {path.name} for {what}, found none.")
    return recording.hands[0].pose.frame(frame)


def _posed(words: Any, hand: HandModel, what: str) -> HandPose:
    unknown = sorted(set(words) - set(KEYS)) if isinstance(words, Mapping) else ["no object"]
    if unknown:
        raise ValueError(f"Expected the entries {', '.join(KEYS)} in the pose of {what}, found {', '.join(unknown)}.")
    try:
        if "hand_pose" in words:
            convention = Convention(words.get("convention", Convention.FLAT.value))
            fingers = pose_from_numbers(words["hand_pose"], hand, convention)
        else:
            sliders = {name: FingerSlider(**value) for name, value in words.get("fingers", {}).items()}
            fingers = finger_pose(hand, words.get("preset", "relaxed"), sliders)
        wrist, rotation = (_vector(words.get(key, default)) for key, default in (("wrist", (0, -0.2, 0.12)), ("rotation", (0, 0, 0))))
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"Expected numbers as --help shows in the pose of {what}, found something else ({error}).") from error
    return place_hand(hand, fingers, wrist, rotation)


def _vector(values: Any) -> Vector:
    array = np.asarray(values, np.float64)
    if array.shape != (3,):
        raise TypeError(f"{values} is not three numbers")
    return tuple(array.tolist())
