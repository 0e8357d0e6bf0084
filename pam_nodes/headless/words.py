"""Words people choose from, by themselves so that a command line can list them without loading torch."""

from __future__ import annotations

DTYPES = ("auto", "bf16", "fp16", "fp32")
QUANTIZE = ("none", "fp8", "nf4")
OFFLOAD = ("none", "model", "group", "sequential")
SHIFTS = ("true", "released", "none")
NOISE = ("cpu", "device")
SCHEDULERS = ("dpm", "ddim")
PICTURES = ("png", "mp4")


def check_word(value: str, words: tuple[str, ...], what: str) -> None:
    """Raise ValueError for a word that is none of them."""
    if value not in words:
        raise ValueError(f"Expected a {what} out of {', '.join(words)}, found '{value}'.")


def check_span(start: float, end: float) -> None:
    """Raise ValueError unless ``start`` to ``end`` is a part of 0..1."""
    if not 0 <= start < end <= 1:
        raise ValueError(f"Expected a span of the steps within 0..1, found {start:g} to {end:g}.")
