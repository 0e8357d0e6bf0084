"""Condition clips as folders, read: pictures people and other programs can open, exact labels beside them.

``conditions.json`` says fps, style and how everything was made; each modality is a folder of PNGs or one .mp4; ``labels.npz`` holds
metric depth, instance ids, joints and the camera. Folders of other programs are read too: pictures or clips by the pack's names or PAM's.
"""

from __future__ import annotations

import hashlib
import json
import logging
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..conditions.hand_keypoints import HandKeypoints
from ..conditions.memory import check_fits
from ..conditions.video import MODALITIES, ConditionVideo
from ..geometry.camera import Camera
from ..geometry.camera_build import unproject
from .clip_files import read_clip
from .files import read_picture
from .words import check_word

log = logging.getLogger(__name__)
NAME, FORMAT, VERSION = "conditions.json", "pam_conditions", 1
LABELS, PREVIEW = "labels.npz", "preview"
PER_PIXEL = ("metric_depth", "instance_ids")
PER_FRAME = ("joints", "joints_visibility")
"""Entries of the labels."""
OTHER_NAMES = {
    "segmentation": ("seg_mask", "seg"),
    "keypoints": ("hand_keypoints", "hand"),
    "normals": ("normal",),
    "depth": (),
    "tracking": (),
}
"""What PAM's own folders call them (pam_reference 1.6)."""


def read_conditions(folder: Path, fps: float | None = None, style: str | None = None) -> tuple[ConditionVideo, dict]:
    """Read a clip, of the pack or a folder of pictures or .mp4s by name.

    Args:
        folder: of the clip.
        fps, style: instead of what the folder says; a foreign folder has 15 and "dexycb" without them.

    Returns:
        The conditions (labels too, where they are), and the content of ``conditions.json`` or {}.

    Raises:
        ValueError: nothing there that is known, or clips of different sizes.
    """
    if not folder.is_dir():
        raise ValueError(f"Expected a folder of conditions, found no folder {folder}: make one with the render command.")
    about = _about(folder)
    names = about.get("modalities", MODALITIES)
    if about:
        # Three bytes of each picture, as many again of the one that is being read, depth and ids.
        size = (int(about[name]) for name in ("length", "height", "width"))
        check_fits(*size, 3 * len(names) + 8, f"the conditions of {folder.name}", "render fewer frames with --length")
    clips = {name: frames for name in MODALITIES if name in names and (frames := _frames(folder, name)) is not None}
    if not clips:
        raise ValueError(
            f"Expected pictures or an .mp4 of {', '.join(MODALITIES)} in {folder}, found none: give a folder the render command made."
        )
    sizes = {name: frames.shape[:3] for name, frames in clips.items()}
    if len(set(sizes.values())) > 1:
        found = ", ".join(f"{name} {t} x {w} x {h}" for name, (t, h, w) in sizes.items())
        raise ValueError(f"Expected conditions of one length and size, found {found} (frames x width x height) in {folder}.")
    video = ConditionVideo(
        fps=float(fps or about.get("fps", 15.0)),
        style=style or about.get("style", "dexycb"),
        num_hands=int(about.get("num_hands", 1)),
        object_labels=tuple(int(label) for label in about.get("object_labels", ())),
        sources=tuple((name, str(how)) for name, how in about.get("sources", {}).items()),
        **clips,
    )
    return _labelled(video, folder), about


def read_camera(folder: Path) -> Camera:
    """The camera that filmed a folder of the render or data command; raises ValueError if the folder does not say."""
    about = _about(folder)
    try:
        with np.load(folder / LABELS, allow_pickle=False) as file:
            return Camera(file["intrinsics"], file["world_to_camera"], int(about["width"]), int(about["height"]))
    except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"Expected {NAME} and a camera in {folder / LABELS}, found none ({error}): render it again.") from error


def digest_of_clip(video: ConditionVideo) -> str:
    """sha256 of the condition pictures, whatever files they lie in."""
    digest = hashlib.sha256()
    for name in MODALITIES:
        frames = getattr(video, name)
        if frames is not None:
            digest.update(f"{name} {frames.shape}".encode())
            digest.update(np.ascontiguousarray(frames))
    return digest.hexdigest()


def one_frame(video: ConditionVideo, frame: int) -> ConditionVideo:
    """A single frame of the clip, counted from the end if negative; raises ValueError for one outside of it."""
    length = video.shape[0]
    if not -length <= frame < length:
        raise ValueError(f"Expected a frame between 0 and {length - 1}, found {frame}: the conditions have {length} frames.")
    frame = range(length)[frame]
    names = (*MODALITIES, *PER_PIXEL)
    frames = {name: getattr(video, name)[[frame]] for name in names if getattr(video, name) is not None}
    return replace(video, **frames, flow=None, joints=video.joints and video.joints.frames(slice(frame, frame + 1)))


def leave_out(video: ConditionVideo, names: tuple[str, ...]) -> ConditionVideo:
    """The clip without some of its modalities, for ablations; raises ValueError for other words."""
    for name in names:
        check_word(name, MODALITIES, "modality")
    return replace(video, **dict.fromkeys(names))


def _about(folder: Path) -> dict:
    """Content of ``conditions.json``, {} without one."""
    path = folder / NAME
    if not path.is_file():
        return {}
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        if about["format"] != FORMAT or int(about["version"]) != VERSION:
            raise ValueError(f"format {about['format']} version {about['version']}")
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"Expected {FORMAT} version {VERSION} in {path}, found something else ({error}): render it again.") from error
    return about


def _frames(folder: Path, name: str) -> np.ndarray | None:
    """Pictures of one modality, None if the folder has none."""
    for word in (name, *OTHER_NAMES[name]):
        if (clip := folder / f"{word}.mp4").is_file():
            return read_clip(clip)[0]
        if pictures := sorted((folder / word).glob("[!.]*.png")):
            frames = [read_picture(picture) for picture in pictures]
            if len({frame.shape for frame in frames}) > 1:
                raise ValueError(f"Expected pictures of one size in {folder / word}, found several.")
            return np.stack(frames)
    return None


def _labelled(video: ConditionVideo, folder: Path) -> ConditionVideo:
    """The clip with exact depth, ids and joints, if the folder has them for these pictures."""
    path = folder / LABELS
    if not path.is_file():
        return video
    try:
        with np.load(path, allow_pickle=False) as file:
            names = (*PER_PIXEL, "joints", "joints_visibility", "joints_sides", "joints_z", "intrinsics")
            labels = {name: file[name] for name in names if name in file.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"Expected depth and ids in {path}, could not read it ({error}): delete it or render again.") from error
    pixels = {name: labels.pop(name) for name in PER_PIXEL if name in labels}
    length, height, width = video.shape
    if any(values.shape != video.shape for values in pixels.values()) or any(len(labels.get(n, ())) not in (0, length) for n in PER_FRAME):
        log.warning("%s is of another size than the pictures and is left out.", path)
        return video
    joints = None
    if set(PER_FRAME) <= set(labels):
        sides = tuple(str(side) for side in labels["joints_sides"])
        points = _points(labels, length)
        joints = HandKeypoints(labels["joints"], labels["joints_visibility"], sides, width, height, labels.get("joints_z"), points)
    return replace(video, **pixels, joints=joints)


def _points(labels: dict[str, np.ndarray], length: int) -> np.ndarray | None:
    """Joints in the camera's frame, of labels that have their depth and the lens of each frame."""
    lens = labels.get("intrinsics", np.empty(0))
    lens = lens[:length] if lens.ndim == 3 else lens
    if "joints_z" not in labels or lens.shape not in ((3, 3), (length, 3, 3)):
        return None
    return unproject(lens, labels["joints"], labels["joints_z"])
