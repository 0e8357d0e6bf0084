"""Clips as video files, with the frames a second and the provenance in them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import numpy as np

from .files import PROVENANCE, replacing

QUALITY = "16"
"""H.264's constant rate factor: visually lossless."""


def require_av():
    """PyAV, or ImportError that says how to get it."""
    try:
        import av
    except ImportError as error:
        raise ImportError("Expected PyAV for video files, found none: pip install av.") from error
    return av


def write_clip(path: Path, frames: np.ndarray, fps: float, provenance: dict | None = None, lossless: bool = False) -> None:
    """Write (T, H, W, 3) uint8 pictures as an .mp4 in one step; other arguments as in ``clip_writer``."""
    with clip_writer(path, *frames.shape[1:3], fps, provenance, lossless) as add:
        for picture in frames:
            add(picture)


@contextmanager
def clip_writer(
    path: Path, height: int, width: int, fps: float, provenance: dict | None = None, lossless: bool = False
) -> Iterator[Callable[[np.ndarray], None]]:
    """An .mp4 that takes one picture after the other, and is there when the block ends well.

    H.264, its provenance as JSON under the key "pam" of the container's metadata.

    Args:
        path: of the file.
        height, width: of the (H, W, 3) uint8 pictures; even unless lossless.
        fps: frames a second.
        provenance: how it was made, plain JSON values.
        lossless: keep every pixel (RGB), for conditions whose colours mean something. Not every player shows such a file.
    """
    av = require_av()
    rate = Fraction(fps).limit_denominator(1001)
    with replacing(path) as part, av.open(str(part), "w", format="mp4", options={"movflags": "use_metadata_tags+faststart"}) as container:
        if provenance is not None:
            container.metadata[PROVENANCE] = json.dumps(provenance)
        stream = container.add_stream("libx264rgb" if lossless else "libx264", rate=rate)
        stream.height, stream.width = height, width
        stream.pix_fmt = "rgb24" if lossless else "yuv420p"
        # x264 chooses B-frames differently from run to run; without them the same frames give the same file.
        stream.options = {"crf": "0" if lossless else QUALITY, "x264-params": "bframes=0"}

        def add(picture: np.ndarray) -> None:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))

        yield add
        container.mux(stream.encode())


def read_clip(path: Path) -> tuple[np.ndarray, float, dict | None]:
    """Frames (T, H, W, 3) uint8, frames a second and provenance (None without) of a video file.

    Raises:
        ValueError: not a video, or one without pictures.
    """
    av = require_av()
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
            fps, text = float(stream.average_rate or 0), container.metadata.get(PROVENANCE)
    except FileNotFoundError:
        raise
    except (av.error.FFmpegError, IndexError) as error:
        raise ValueError(f"Expected a video file, could not read {path.name} ({error}).") from error
    if not frames:
        raise ValueError(f"Expected a video with pictures, found none in {path.name}.")
    return np.stack(frames), fps, None if text is None else json.loads(text)
