"""DexYCB as PAM prepares it (pam_reference 1, 4.1; the layout of PAM's README).

``ROOT/dexycb_videos/<subject>/<sequence>/<camera>/video.mp4`` and ``descriptions.json``, ``ROOT/dexycb_depth/.../depth.mp4`` of
DepthCrafter, ``ROOT/dexycb/.../labels_000000.npz`` of the data set, ``ROOT/dexycb_prompt.jsonl``. Segmentation and key points are drawn.
"""

from __future__ import annotations

import json
import re
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ..conditions.hand_keypoints import OUTSIDE, VISIBLE, HandKeypoints, KeypointLook, draw_keypoints
from ..conditions.segmentation import ADE20K, BACKGROUND, HAND
from ..conditions.video import ConditionVideo
from ..headless.clip_files import read_clip
from .clips import LabelledClip, chosen
from .depth_videos import masked_depth, read_depth_video

HAND_LABEL = 255
DEPTH_NAMES = ("masked_color.mp4", "depth.mp4", "color.mp4", "depth.npz")
PROMPT = "A man is in a lab trying to grasp something."
FPS = 15.0
"""At which PAM plays the clips, whose pictures were taken at 30."""


@dataclass(frozen=True)
class DexYCBClips:
    """The clips of a split: of every subject's sequences, by name, the fifth of five is for validation.

    Attributes:
        root: see the module.
        split: "train", "val" or "all".
        variant: bone order of the key points: "motion", or "appearance".
    """

    root: Path
    split: str = "train"
    variant: str = "motion"

    @property
    def names(self) -> list[str]:
        videos = self.root / "dexycb_videos"
        names, places = [], []
        for subject in sorted(path for path in videos.glob("*subject*") if path.is_dir()):
            for place, sequence in enumerate(sorted(path for path in subject.iterdir() if path.is_dir())):
                cameras = sorted(path.parent for path in sequence.glob("*/video.mp4"))
                names += [camera.relative_to(videos).as_posix() for camera in cameras]
                places += [place] * len(cameras)
        if not names:
            raise ValueError(f"Expected <subject>/<sequence>/<camera>/video.mp4 in {videos}, found none: run PAM's dexycb_to_videos.py.")
        return chosen(names, self.split, places)

    def read(self, name: str) -> LabelledClip:
        pictures = read_clip(self.root / "dexycb_videos" / name / "video.mp4")[0]
        labels = _read_labels(self.root / "dexycb" / name, len(pictures))
        pictures, seg = pictures[: len(labels.seg)], labels.seg
        if seg.shape[1:] != pictures.shape[1:3]:
            raise ValueError(f"Expected labels of {pictures.shape[2]} x {pictures.shape[1]} pixels, found {seg.shape[2]} x {seg.shape[1]}.")
        ids, objects = _instances(seg)
        joints = labels.keypoints(_side(self.root / "dexycb" / Path(name).parent))
        conditions = ConditionVideo(
            fps=FPS,
            style="dexycb",
            depth=masked_depth(read_depth_video(self._depth(name)), seg > 0),
            segmentation=_colored(seg),
            keypoints=draw_keypoints(joints, KeypointLook("dexycb", self.variant, missing_dot=True)),
            instance_ids=ids,
            joints=joints,
            object_labels=objects,
            sources=(("depth", "DepthCrafter"), ("segmentation", "DexYCB's labels"), ("keypoints", "DexYCB's joint_2d")),
        )
        return LabelledClip(name, pictures, conditions, self._prompts.get(name, PROMPT), self._descriptions(name, len(pictures)))

    def _depth(self, name: str) -> Path:
        folder = self.root / "dexycb_depth" / name
        found = next((folder / word for word in DEPTH_NAMES if (folder / word).is_file()), None)
        if found is None:
            raise FileNotFoundError(f"Expected {' or '.join(DEPTH_NAMES)} in {folder}, found none: run DepthCrafter on the video.")
        return found

    def _descriptions(self, name: str, length: int) -> tuple[str, ...]:
        """Prompts of single frames, by the index of the frame; the nearest one before stands for those without."""
        path = self.root / "dexycb_videos" / name / "descriptions.json"
        if not path.is_file():
            return ()
        content = _json(path.read_text(encoding="utf-8"), path)
        known = {int(key): str(text) for key, text in content.items() if key.isdigit()}
        if not known:
            return ()
        first = known[min(known)]
        prompts, last = [], first
        for frame in range(length):
            last = known.get(frame, last)
            prompts.append(last)
        return tuple(prompts)

    @cached_property
    def _prompts(self) -> dict[str, str]:
        """Prompts of whole clips, by their names."""
        path = self.root / "dexycb_prompt.jsonl"
        found = {}
        for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
            if line.strip():
                entry = _json(line, path)
                parts = Path(str(entry.get("video_path", ""))).parts
                found["/".join(parts[-4:-1])] = str(entry.get("response", PROMPT))
        return found


@dataclass(frozen=True, eq=False)
class _Labels:
    """``seg`` (T, H, W) uint8, ``joint_2d`` (T, 21, 2) pixels and ``joint_3d`` (T, 21, 3) metres of the camera, -1 without a hand."""

    seg: np.ndarray
    joint_2d: np.ndarray
    joint_3d: np.ndarray

    def keypoints(self, side: str) -> HandKeypoints:
        """The joints as ours; those of a frame without a hand are outside and behind the camera, and are not drawn."""
        _, height, width = self.seg.shape
        pixels = self.joint_2d[:, None].astype(np.float64)
        inside = ((pixels > -0.5) & (pixels < np.array([width, height]) - 0.5)).all(axis=-1)
        points = self.joint_3d[:, None].astype(np.float64)
        missing = (self.joint_3d == -1).all(axis=(1, 2))
        z, points[missing] = points[..., 2].copy(), np.nan
        visibility = np.where(inside & (z > 0), VISIBLE, OUTSIDE).astype(np.uint8)
        return HandKeypoints(pixels, visibility, (side,), width, height, z, points)


def _side(sequence: Path) -> str:
    """Which hand a sequence shows, by its ``meta.yml``; the right one if there is none."""
    meta = sequence / "meta.yml"
    text = meta.read_text(encoding="utf-8") if meta.is_file() else ""
    return "left" if re.search(r"mano_sides:\s*[-\[]?\s*left", text) else "right"


def _read_labels(folder: Path, length: int) -> _Labels:
    """At most ``length`` frames; raises FileNotFoundError or ValueError."""
    paths = sorted(folder.glob("labels_*.npz"))[:length]
    if not paths:
        raise FileNotFoundError(f"Expected DexYCB's labels_*.npz in {folder}, found none.")
    rows: list[tuple[np.ndarray, ...]] = []
    for path in paths:
        try:
            with np.load(path, allow_pickle=False) as file:
                rows.append((file["seg"], file["joint_2d"].reshape(21, 2), file["joint_3d"].reshape(21, 3)))
        except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f"Expected seg, joint_2d and joint_3d of DexYCB in {path}, could not read them ({error}).") from error
    return _Labels(*(np.stack(column) for column in zip(*rows, strict=True)))


def _colored(seg: np.ndarray) -> np.ndarray:
    """PAM's colours of DexYCB's labels (pam_reference 1.3)."""
    table = np.arange(256)
    table[HAND_LABEL], table[0] = HAND["dexycb"], BACKGROUND
    return ADE20K[np.minimum(table, len(ADE20K) - 1)][seg]


def _instances(seg: np.ndarray) -> tuple[np.ndarray, tuple[int, ...]]:
    """Our instance ids of DexYCB's labels - 1 is the hand, objects follow by YCB id - and those YCB ids."""
    objects = tuple(int(label) for label in np.unique(seg) if label not in (0, HAND_LABEL))
    table = np.zeros(256, np.uint8)
    table[HAND_LABEL] = 1
    table[list(objects)] = np.arange(2, 2 + len(objects))
    return table[seg], objects


def _json(text: str, path: Path) -> dict:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise ValueError(f"Expected JSON in {path}, found something else ({error}).") from error
    return content if isinstance(content, dict) else {}
