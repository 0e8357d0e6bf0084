"""Small folders of clips for tests: moving squares with conditions, no simulation."""

from pathlib import Path

import numpy as np

from pam_nodes.headless.clip_files import write_clip

WORDS = ("red", "green", "blue")


def write_folder(root: Path, count: int = 6, length: int = 9, width: int = 64, height: int = 32) -> Path:
    """Clips of a coloured square that moves as its conditions say, before a grey wall."""
    rng = np.random.default_rng(0)
    for index in range(count):
        color = index % 3
        picture = np.full((length, height, width, 3), 120, np.uint8)
        mask = np.zeros((length, height, width), bool)
        start, step = rng.integers(2, width // 3), int(rng.integers(1, 4))
        for t in range(length):
            mask[t, 8:24, start + step * t : start + step * t + 12] = True
        paint = np.full(3, 30, np.uint8)
        paint[color] = 220
        picture[mask] = paint
        clips = {"rgb": picture}
        for name, shade in (("depth", (200, 80, 20)), ("seg_mask", (4, 200, 3)), ("hand_keypoints", (139, 53, 255))):
            clips[name] = np.where(mask[..., None], np.array(shade, np.uint8), 0).astype(np.uint8)
        folder = root / f"clip_{index}"
        for name, frames in clips.items():
            write_clip(folder / f"{name}.mp4", frames, 8, lossless=True)
        (folder / "prompt.txt").write_text(f"a light skin hand lifting a {WORDS[color]} box on a grey table, soft light")
    return root
