"""Condition clips as folders, written: see ``condition_files``. A clip may come in parts, so that a long one takes no more memory."""

from __future__ import annotations

import gzip
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from ..conditions.film import Part
from ..conditions.hand_keypoints import HandKeypoints
from ..conditions.video import MODALITIES, ConditionVideo
from ..geometry.camera import Camera
from .clip_files import clip_writer
from .condition_files import FORMAT, LABELS, NAME, PER_PIXEL, PREVIEW, VERSION
from .files import replacing, save_json, save_picture


def write_conditions(
    folder: Path, clip: ConditionVideo, camera: Camera, kind: str, facts: dict, preview: np.ndarray | None = None
) -> None:
    """``write_parts`` of a clip that is there as a whole; preview: (T, H, W, 3) uint8 shaded pictures."""
    write_parts(folder, [(clip, preview)], camera, kind, facts)


def write_parts(folder: Path, parts: Iterable[Part], camera: Camera, kind: str, facts: dict) -> None:
    """Write a clip; ``conditions.json`` comes last, so a folder without it is not finished.

    Args:
        folder: made if needed.
        parts: the conditions with their previews, one part after the other, as ``film_parts`` gives them.
        camera: that filmed them.
        kind: "png" or "mp4" (lossless).
        facts: further entries of ``conditions.json``: where it comes from.
    """
    length, joints, pictures, labels = 0, [], {}, {}
    with ExitStack() as files:
        for clip, preview in parts:
            given = {name: clip.stored(name) for name in MODALITIES} | {PREVIEW: preview}
            if not length:
                _clear(folder)
                pictures = {name: _opened(files, folder / name, kind, clip) for name, frames in given.items() if frames is not None}
                labels = {name: _Growing(folder) for name in PER_PIXEL if getattr(clip, name) is not None}
            for name, add in pictures.items():
                for index, picture in enumerate(given[name], start=length):
                    add(index, picture)
            for name, array in labels.items():
                array.add(getattr(clip, name))
            joints.append(clip.joints)
            length += clip.shape[0]
    view = {"intrinsics": camera.intrinsics, "world_to_camera": camera.world_to_camera}
    _save_labels(folder / LABELS, {**view, **_joint_labels(joints)}, labels)
    content = {"format": FORMAT, "version": VERSION, "length": length, "height": clip.shape[1], "width": clip.shape[2]}
    content |= {"fps": clip.fps, "style": clip.style, "num_hands": clip.num_hands, "object_labels": list(clip.object_labels)}
    content |= {"sources": dict(clip.sources), "modalities": [name for name in pictures if name != PREVIEW]}
    save_json(folder / NAME, {**facts, **content})


def _opened(files: ExitStack, place: Path, kind: str, clip: ConditionVideo) -> Callable[[int, np.ndarray], None]:
    """What takes the number and the picture of each frame of one modality."""
    if kind == "mp4":
        add = files.enter_context(clip_writer(place.with_name(f"{place.name}.mp4"), *clip.shape[1:], clip.fps, lossless=True))
        return lambda index, picture: add(picture)
    return lambda index, picture: save_picture(place / f"{index:05}.png", picture)


class _Growing:
    """An array of frames that waits on the disk, packed, until all are there."""

    def __init__(self, folder: Path):
        self.file = tempfile.TemporaryFile(dir=folder)
        self.packed = gzip.GzipFile(fileobj=self.file, mode="wb", compresslevel=1)
        self.length = 0

    def add(self, frames: np.ndarray) -> None:
        """The next frames."""
        self.packed.write(np.ascontiguousarray(frames))
        self.length, self.shape, self.type = self.length + len(frames), frames.shape[1:], frames.dtype

    def move(self, target) -> None:
        """Write it all as an .npy file, and let go of it."""
        self.packed.close()
        self.file.seek(0)
        kind = np.lib.format.dtype_to_descr(self.type)
        np.lib.format.write_array_header_1_0(target, {"descr": kind, "fortran_order": False, "shape": (self.length, *self.shape)})
        with self.file, gzip.GzipFile(fileobj=self.file) as source:
            shutil.copyfileobj(source, target, 1 << 20)


def _save_labels(path: Path, small: dict[str, np.ndarray], large: dict[str, _Growing]) -> None:
    """Like ``np.savez_compressed``."""
    with replacing(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in small.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as target:
                np.lib.format.write_array(target, np.asanyarray(array), allow_pickle=False)
        for name, array in large.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as target:
                array.move(target)


def _joint_labels(parts: list[HandKeypoints | None]) -> dict[str, np.ndarray]:
    """``joints`` (T, n, 21, 2) pixels, ``joints_visibility`` and ``joints_z`` (T, n, 21), ``joints_sides`` (n,)."""
    if parts[0] is None:
        return {}
    labels = {"joints": [part.pixels for part in parts], "joints_visibility": [part.visibility for part in parts]}
    if parts[0].z is not None:
        labels["joints_z"] = [part.z for part in parts]
    return {"joints_sides": np.array(parts[0].sides), **{name: np.concatenate(values) for name, values in labels.items()}}


def _clear(folder: Path) -> None:
    """Make the folder, and remove what an earlier clip left there: longer ones would leave frames behind."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (NAME, LABELS, *(f"{name}.mp4" for name in (*MODALITIES, PREVIEW))):
        (folder / name).unlink(missing_ok=True)
    for name in (*MODALITIES, PREVIEW):
        for picture in (folder / name).glob("[0-9][0-9][0-9][0-9][0-9].png"):
            picture.unlink()
