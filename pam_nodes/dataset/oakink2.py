"""OAKINK2 as PAM prepares it: clips of 49 frames and the results of PAM's scripts beside them (pam_reference 1, 4.1).

``ROOT/videos/**/video.mp4``, ``ROOT/processed_depth/**/color.mp4``, ``ROOT/processed_seg_mask/**/output_seg.mp4`` and
``ROOT/processed_hand_keypoints/**/output_hand.mp4``, with equal paths between.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..conditions.pack import BLACK
from ..conditions.video import ConditionVideo
from ..headless.clip_files import read_clip
from ..headless.words import check_word
from .clips import SPLITS, LabelledClip
from .depth_videos import masked_depth, read_depth_video

PLACES = {
    "depth": ("processed_depth", "color.mp4"),
    "segmentation": ("processed_seg_mask", "output_seg.mp4"),
    "keypoints": ("processed_hand_keypoints", "output_hand.mp4"),
}
PROMPT = "One or two hands are moving."
FPS = 15.0
TRAIN = 3000
"""The first clips, by path, are for training, all others for validation."""


@dataclass(frozen=True)
class OakInk2Clips:
    """The clips of a split; ``train`` is how many are for training."""

    root: Path
    split: str = "train"
    train: int = TRAIN

    @property
    def names(self) -> list[str]:
        check_word(self.split, SPLITS, "split")
        videos = self.root / "videos"
        names = sorted(path.parent.relative_to(videos).as_posix() for path in videos.glob("**/video.mp4"))
        if not names:
            raise ValueError(f"Expected clips named video.mp4 in {videos}, found none.")
        return {"train": names[: self.train], "val": names[self.train :], "all": names}[self.split]

    def read(self, name: str) -> LabelledClip:
        pictures = read_clip(self.root / "videos" / name / "video.mp4")[0]
        paths = {kind: self.root / folder / name / file for kind, (folder, file) in PLACES.items()}
        missing = [str(path) for path in paths.values() if not path.is_file()]
        if missing:
            raise FileNotFoundError(
                f"Expected {missing[0]} beside the video, found none: run PAM's gen_hand_seg_oakink2.py and DepthCrafter."
            )
        clips = {kind: read_clip(paths[kind])[0] for kind in ("segmentation", "keypoints")}
        length = min(len(pictures), *(len(clip) for clip in clips.values()))
        clips = {kind: clip[:length] for kind, clip in clips.items()}
        shapes = {clip.shape for clip in (pictures[:length], *clips.values())}
        if len(shapes) > 1:
            raise ValueError(f"Expected videos of one size in {name}, found {', '.join(f'{s[2]} x {s[1]}' for s in sorted(shapes))}.")
        # Video codecs do not keep black: what is nearly so is background, as PAM's loader has it.
        foreground = (clips["segmentation"] >= BLACK).any(axis=3)
        clips["depth"] = masked_depth(read_depth_video(paths["depth"]), foreground)
        conditions = ConditionVideo(fps=FPS, style="oakink2", **clips)
        return LabelledClip(name, pictures[:length], conditions, PROMPT)
