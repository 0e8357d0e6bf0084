"""Where points of a real clip truly are: tracks that are given, or those of the motion that was filmed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..assess.tracks import spread_points
from ..conditions.modalities import tracks_of_points
from ..conditions.pack import masks
from ..conditions.video import ConditionVideo
from ..dataset.clips import FolderClips
from ..hands.model import HandModel
from ..headless.condition_files import read_camera
from ..headless.motion_files import read_motion_file
from ..recordings.content import read_content

TRACKS = 200
"""Points followed through a clip."""


def tracks_from(places: Any, visible: Any = None) -> np.ndarray:
    """(N, T, 2) tracks, NaN where hidden, of (T, N, 2) pixels and (T, N) visibility, as CoTracker and the host's TRACKS have them.

    A first axis of one, a batch, may be there. Raises ValueError for other shapes.
    """
    places = np.asarray(places, np.float64)
    places = places[0] if places.ndim == 4 and len(places) == 1 else places
    if places.ndim != 3 or places.shape[2] != 2:
        raise ValueError(f"Expected tracks (frames, points, 2), found {places.shape}.")
    shown = np.ones(places.shape[:2], bool) if visible is None else np.asarray(visible)
    if shown.size != places.shape[0] * places.shape[1]:
        raise ValueError(f"Expected the visibility of {places.shape[1]} points in {places.shape[0]} frames, found {shown.shape}.")
    shown = shown.reshape(places.shape[:2]) > 0.5
    return np.where(shown[..., None], places, np.nan).transpose(1, 0, 2)


def given_tracks(folder: Path, name: str) -> np.ndarray:
    """``tracks`` and ``visibility`` of ``<name>.npz``, in pixels of the real clip, "/" in a name as "_"; raises as ``tracks_from``."""
    path = folder / f"{name.replace('/', '_')}.npz"
    if not path.is_file():
        raise FileNotFoundError(f"Expected the tracks of {name} at {path}, found no file.")
    try:
        content = read_content(path)
        if not isinstance(content, dict) or "tracks" not in content:
            raise ValueError("expected an entry 'tracks'")
        return tracks_from(content["tracks"], content.get("visibility"))
    except ValueError as error:
        raise ValueError(f"Cannot read the tracks '{path.name}': {str(error).rstrip('.')}.") from error


def rendered_tracks(source: FolderClips, name: str, conditions: ConditionVideo, hands: Mapping[str, HandModel]) -> np.ndarray:
    """Exact tracks of points on hand and object, from the motion and the camera that the data command left beside a clip.

    Args:
        source: a folder of the data command.
        name: of the clip.
        conditions: of the clip.
        hands: the models it was made with, by side.

    Raises:
        ValueError, FileNotFoundError: no motion, no camera, or another hand.
    """
    motion = source.motion(name)
    if not motion.is_file():
        raise FileNotFoundError(f"Expected the motion of {name} at {motion}, found no file: rendered tracks need the data command's.")
    content = read_content(motion)
    other = [side for side in hands if str(content.get(f"{side}_hand", hands[side].digest)) != hands[side].digest]
    if other:
        raise ValueError(f"Expected the {other[0]} hand that {name} was made with, found another: give its file.")
    trajectory, _ = read_motion_file(motion, dict(hands), [])
    points = spread_points(np.logical_or(*masks(conditions))[0], TRACKS)
    return tracks_of_points(trajectory, read_camera(source.folder(name)), points, conditions.shape[0])


def fitted_tracks(tracks: np.ndarray, shape: tuple[int, int, int], fitted: tuple[int, int, int]) -> np.ndarray:
    """Tracks of a clip of ``shape`` (T, H, W) in the frames and pixels it has after ``LabelledClip.fitted``; raises ValueError."""
    if tracks.shape[1] != shape[0]:
        raise ValueError(f"Expected tracks over the {shape[0]} frames of the real clip, found {tracks.shape[1]}.")
    stride = shape[0] // fitted[0]
    scale = np.array([fitted[2] / shape[2], fitted[1] / shape[1]])
    return (tracks[:, : fitted[0] * stride : stride] + 0.5) * scale - 0.5
