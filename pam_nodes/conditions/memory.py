"""Whether a clip fits into this computer's memory, said before any work."""

from __future__ import annotations

from pathlib import Path

IMAGE, MASK = 12, 4
"""Bytes of a pixel of ComfyUI's float pictures."""
LIMIT = Path("/sys/fs/cgroup")
"""Where Linux says what a container may use."""


def check_fits(length: int, height: int, width: int, pixel_bytes: int, what: str, advice: str) -> None:
    """Raise ValueError if a clip needs more memory than is free; where that cannot be known, nothing is refused.

    Args:
        length, height, width: of the clip.
        pixel_bytes: that each pixel of a frame takes at the fullest moment.
        what: is made.
        advice: how to need less.
    """
    need, free = length * height * width * pixel_bytes, free_memory()
    if free is not None and need > free:
        raise ValueError(
            f"Expected {need / 1e9:.1f} GB of free memory for {length} frames of {width} x {height} with {what} ({pixel_bytes} bytes a "
            f"pixel), found {free / 1e9:.1f} GB: {advice}."
        )


def free_memory() -> int | None:
    """Bytes of memory and swap that can be had without pushing others out, or None if nobody says."""
    try:
        import psutil
    except ImportError:
        return None
    free = psutil.virtual_memory().available + psutil.swap_memory().free
    try:
        allowed, used = (int((LIMIT / f"memory.{name}").read_text()) for name in ("max", "current"))
        cached = dict(line.split() for line in (LIMIT / "memory.stat").read_text().splitlines())["inactive_file"]
    except (OSError, ValueError, KeyError):
        return free
    return min(free, max(0, allowed - used + int(cached)))
