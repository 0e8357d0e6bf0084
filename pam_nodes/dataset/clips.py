"""Clips to train on and to compare with: photographs, conditions and prompts, wherever they come from.

The rules of frames and splits are PAM's (pam_reference 1.1, 4.1): a motion clip is every n-th frame of a video, n = frames // length; the
stills of the appearance stage are frames 0, 8, 16, ... 48; the last of every five clips is for validation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from ..conditions.pack import fitted, resize
from ..conditions.video import ConditionVideo
from ..headless.clip_files import read_clip
from ..headless.condition_files import NAME, one_frame, read_conditions
from ..headless.files import read_picture
from ..headless.words import check_word

SPLITS = ("train", "val", "all")
EVERY, STILLS = 8, 7
"""Frames between stills, and stills of a clip."""
FOLDS = 5
PHOTOGRAPHS = ("preview", "rgb", "video", "color")
"""Words the photographs of a folder go by."""


@dataclass(frozen=True, eq=False)
class LabelledClip:
    """A clip with everything that is known of it.

    Attributes:
        name: of the clip, unique in its source.
        pictures: (T, H, W, 3) uint8 photographs.
        conditions: of the same T, H, W.
        prompt: of the clip.
        frame_prompts: of each frame; empty where the clip's holds for all.
    """

    name: str
    pictures: np.ndarray
    conditions: ConditionVideo
    prompt: str
    frame_prompts: tuple[str, ...] = ()

    def fitted(self, width: int, height: int, length: int) -> LabelledClip:
        """PAM's ``length`` frames of the clip, stretched to a size; raises ValueError if it is shorter."""
        conditions = fitted(self.conditions, width, height, length)
        stride = len(self.pictures) // length
        pictures = resize(self.pictures[: length * stride : stride], width, height, sharp=False)
        return replace(self, pictures=pictures, conditions=conditions, frame_prompts=self.frame_prompts[: length * stride : stride])

    def stills(self, every: int = EVERY, most: int = STILLS) -> list[LabelledClip]:
        """The clip's frames 0, every, 2 every, ... as clips of one frame."""
        frames = range(0, len(self.pictures), every)[:most]
        return [
            LabelledClip(
                f"{self.name}:{frame}",
                self.pictures[[frame]],
                one_frame(self.conditions, frame),
                self.frame_prompts[frame] if self.frame_prompts else self.prompt,
            )
            for frame in frames
        ]


class ClipSource(Protocol):
    """Where clips come from."""

    @property
    def names(self) -> list[str]:
        """Of all clips of the chosen split, in a fixed order."""

    def read(self, name: str) -> LabelledClip:
        """One clip; raises ValueError or FileNotFoundError if something of it is missing or broken."""


@dataclass(frozen=True)
class FolderClips:
    """Folders of the data command, or of any program that has photographs and conditions by name (see ``read_conditions``).

    Attributes:
        root: a folder of clip folders, or of ``conditions`` with them.
        split: "train", "val" (every fifth) or "all".
        prompt: where a folder has no ``prompt`` in its ``conditions.json`` and no ``prompt.txt``.
    """

    root: Path
    split: str = "train"
    prompt: str = "A hand is trying to grasp something"

    @property
    def names(self) -> list[str]:
        base = self._base()
        folders = [path for path in base.iterdir() if path.is_dir() and _photographs(path)] if base.is_dir() else []
        # Beside finished clips of the data command, one without its conditions.json is not finished.
        finished = [path for path in folders if (path / NAME).is_file()]
        names = sorted(path.name for path in finished or folders)
        if not names:
            raise ValueError(
                f"Expected folders of clips with photographs ({', '.join(PHOTOGRAPHS)}) in {self.root}, found none: "
                "make some with the data command."
            )
        return chosen(names, self.split)

    def folder(self, name: str) -> Path:
        """Of one clip."""
        return self._base() / name

    def motion(self, name: str) -> Path:
        """File of the motion that was filmed, where the data command leaves it; it may not be there."""
        return self._base().parent / "motions" / f"{name}.npz"

    def read(self, name: str) -> LabelledClip:
        folder = self.folder(name)
        conditions, about = read_conditions(folder)
        source = _photographs(folder)
        pictures = read_clip(source)[0] if source.is_file() else np.stack([read_picture(path) for path in sorted(source.glob("*.png"))])
        if pictures.shape[:3] != conditions.shape:
            raise ValueError(
                f"Expected photographs {conditions.shape} (T, H, W) like the conditions, found {pictures.shape[:3]} in {folder}."
            )
        text = folder / "prompt.txt"
        prompt = about.get("prompt") or (text.read_text(encoding="utf-8").strip() if text.is_file() else self.prompt)
        return LabelledClip(name, pictures, conditions, prompt, tuple(about.get("frame_prompts", ())))

    def _base(self) -> Path:
        return self.root / "conditions" if (self.root / "conditions").is_dir() else self.root


def chosen(names: list[str], split: str, index: list[int] | None = None) -> list[str]:
    """The names of a split: those with ``index`` (default: their place) 4 modulo 5 are "val", as in DexYCB's s0 (pam_reference 4.1)."""
    check_word(split, SPLITS, "split")
    places = range(len(names)) if index is None else index
    kept = {"all": range(FOLDS), "val": (FOLDS - 1,), "train": range(FOLDS - 1)}[split]
    return [name for place, name in zip(places, names, strict=True) if place % FOLDS in kept]


def _photographs(folder: Path) -> Path | None:
    """The video or the folder of PNGs that holds the photographs of a clip folder."""
    for word in PHOTOGRAPHS:
        for path in (folder / f"{word}.mp4", folder / word):
            if path.is_file() or (path.is_dir() and any(path.glob("*.png"))):
                return path
    return None
