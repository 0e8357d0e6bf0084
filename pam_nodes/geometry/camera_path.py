"""Moving cameras: keyframed orbit, dolly and the other moves of film, and the shake of a hand-held camera."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from .camera import Camera
from .camera_build import camera_at
from .camera_lens import field_of_view
from .rotations import axis_angle_to_matrix

MOVES = {"orbit": 0.0, "rise": 0.0, "dolly": 1.0, "truck": 0.0, "pedestal": 0.0, "pan": 0.0, "tilt": 0.0, "roll": 0.0, "zoom": 1.0}
"""Name and value of rest. About the target: orbit (degrees, as azimuth), rise (degrees up), dolly (factor of the distance). Of the camera:
truck and pedestal (metres right, up), pan, tilt and roll (degrees right, up, clockwise), zoom (factor of the focal length; with the same
dolly the target keeps its size)."""
FOV = "fov"
"""Another key: the vertical field of view in degrees, which rests at the camera's own."""
SHAKE_DEGREES, SHAKE_METRES = 0.35, 0.004
"""Root mean square of each rotation and shift of a hand-held camera of strength 1."""
SHAKE_HERTZ = np.array([0.31, 0.53, 0.87, 1.33, 2.1, 3.4])
UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True)
class CameraMove:
    """What a camera does during a clip.

    Attributes:
        keys: by name of ``MOVES`` or ``FOV``, {share of the clip 0..1: value}; the camera starts as it is given if no key says otherwise.
        smooth: ease in and out between keys (monotone cubic); otherwise at constant speed.
        shake: strength of the hand-held shake; 0 is a tripod.
        seed: which shake.
    """

    keys: Mapping[str, Mapping[float, float]] = field(default_factory=dict)
    smooth: bool = True
    shake: float = 0.0
    seed: int = 0


def moving_camera(camera: Camera, target: np.ndarray, move: CameraMove, length: int, fps: float) -> Camera:
    """A camera on its way.

    The first frame is the given camera, unless a key at 0 says otherwise: shake starts at rest.

    Args:
        camera: where it starts; a moving camera's own motion is kept below the new one.
        target: (3,) metres, world, centre of orbit, rise and dolly.
        move: the keys and the shake.
        length: frames.
        fps: frames a second, for the shake.

    Returns:
        A camera with (length, 4, 4) poses, and (length, 3, 3) intrinsics if it zooms.
    """
    if length < 1:
        raise ValueError(f"Expected a camera path of at least 1 frame, found {length}.")
    values = {name: _interpolated(move.keys.get(name, {}), rest, length, move.smooth) for name, rest in MOVES.items()}
    for name in ("dolly", "zoom"):
        if (values[name] <= 0).any():
            raise ValueError(f"Expected {name} factors above 0 (1 keeps what is), found 0 or less: change the keys.")
    start = np.stack([camera.at(t) for t in range(length)])
    rotation = start[:, :3, :3]
    offset = -(np.swapaxes(rotation, 1, 2) @ start[:, :3, 3:])[..., 0] - target

    orbit = axis_angle_to_matrix(np.radians(values["orbit"])[:, None] * UP)
    offset, rotation = _turned(orbit, offset), rotation @ np.swapaxes(orbit, 1, 2)
    rise = axis_angle_to_matrix(np.radians(-values["rise"])[:, None] * _sideways(offset, rotation))
    offset, rotation = _turned(rise, offset), rotation @ np.swapaxes(rise, 1, 2)
    offset = offset * values["dolly"][:, None]

    # The camera's own axes: x right, y down, z forward.
    shake_turn, shake_shift = _shake(move, length, fps)
    shift = np.stack([values["truck"], -values["pedestal"], np.zeros(length)], axis=1) + shake_shift
    turn = np.radians(np.stack([values["tilt"], values["pan"], values["roll"]], axis=1)) + shake_turn
    eye = target + offset + _turned(np.swapaxes(rotation, 1, 2), shift)
    rotation = np.swapaxes(axis_angle_to_matrix(turn), 1, 2) @ rotation
    return camera_at(rotation, eye, _lenses(camera, move, values["zoom"]), camera.width, camera.height)


def _lenses(camera: Camera, move: CameraMove, zoom: np.ndarray) -> np.ndarray:
    """(T, 3, 3) K along the path, focal lengths times ``zoom`` (T,), or the camera's own if nothing zooms."""
    if move.keys.get(FOV):
        own = field_of_view(camera.lens(0), camera.height)
        fov = _interpolated(move.keys[FOV], own, len(zoom), move.smooth)
        if not ((fov > 0) & (fov < 180)).all():
            raise ValueError("Expected fields of view between 0 and 180 degrees, found others: change the fov keys.")
        zoom = zoom * np.tan(np.radians(own) / 2) / np.tan(np.radians(fov) / 2)
    if (zoom == 1).all():
        return camera.intrinsics
    lenses = np.stack([camera.lens(t) for t in range(len(zoom))])
    lenses[:, [0, 1], [0, 1]] *= zoom[:, None]
    return lenses


def end_keys(**values: float) -> dict[str, dict[float, float]]:
    """Keys of moves that are complete at the end of the clip."""
    return {name: {1.0: value} for name, value in values.items() if value != MOVES[name]}


def parse_keys(text: str, length: int) -> dict[str, dict[float, float]]:
    """Keys that somebody typed, one time a line.

    Args:
        text: lines such as "50%: orbit 30, dolly 0.8" or "frame 24: pan 5"; # starts a remark.
        length: frames of the clip.

    Returns:
        The keys of a ``CameraMove``.
    """
    keys: dict[str, dict[float, float]] = {}
    for line in filter(None, (line.split("#")[0].strip() for line in text.splitlines())):
        when, colon, what = line.partition(":")
        time = re.fullmatch(r"(?:(\d+(?:\.\d+)?)\s*%|frame\s*(\d+))", when.strip().lower())
        moves = [re.fullmatch(r"([a-z]+)\s+(-?\d+(?:\.\d+)?)", part.strip().lower()) for part in what.split(",")]
        if not time or not colon or not all(moves):
            raise ValueError(f'Expected camera keys like "50%: orbit 30, dolly 0.8" or "frame 24: pan 5", found "{line}".')
        share = float(time[1]) / 100 if time[1] else int(time[2]) / max(length - 1, 1)
        for name, value in (move.groups() for move in moves):
            if name not in (*MOVES, FOV):
                raise ValueError(f'Expected the moves {", ".join((*MOVES, FOV))} in the camera keys, found "{name}".')
            keys.setdefault(name, {})[share] = float(value)
    return keys


def _interpolated(keys: Mapping[float, float], rest: float, length: int, smooth: bool) -> np.ndarray:
    """(length,) values; the first and the last key hold to the ends, and a clip whose first key is later starts at rest."""
    points = dict(keys)
    points.setdefault(0.0, rest)
    times = np.array(sorted(points))
    values = np.array([points[time] for time in times])
    share = np.linspace(0, 1, length)
    if len(times) == 1 or not smooth:
        return np.interp(share, times, values)
    if len(times) == 2:
        s = np.clip((share - times[0]) / (times[1] - times[0]), 0, 1)
        return values[0] + (values[1] - values[0]) * s * s * (3 - 2 * s)
    from scipy.interpolate import PchipInterpolator

    return PchipInterpolator(times, values)(np.clip(share, times[0], times[-1]))


def _shake(move: CameraMove, length: int, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """(length, 3) axis-angle in radians and shift in metres: sums of slow sines with random phases, at rest in frame 0."""
    rng = np.random.default_rng(move.seed)
    phase = rng.uniform(0, 2 * np.pi, (2, 3, len(SHAKE_HERTZ)))
    weight = 1 / SHAKE_HERTZ
    weight *= np.sqrt(2 / (weight**2).sum())
    seconds = np.arange(length) / fps
    waves = (weight * np.sin(2 * np.pi * SHAKE_HERTZ * seconds[:, None, None, None] + phase)).sum(axis=-1)
    turn, shift = move.shake * np.moveaxis(waves - waves[0], 1, 0)
    return np.radians(SHAKE_DEGREES) * turn, SHAKE_METRES * shift


def _sideways(offset: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """(T, 3) unit axis to the right of somebody who looks from the camera at the target; straight above it, the camera's own right."""
    right = np.cross(-offset, UP)
    length = np.linalg.norm(right, axis=1, keepdims=True)
    return np.where(length > 1e-9, right / np.maximum(length, 1e-9), rotation[:, 0])


def _turned(rotation: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """(T, 3) vectors, each turned by its own (T, 3, 3) rotation."""
    return (rotation @ vectors[..., None])[..., 0]
