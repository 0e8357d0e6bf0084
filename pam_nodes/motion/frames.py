"""The frame rules of CogVideoX in one place.

Its VAE turns 4k + 1 pictures into k + 1 latent frames. Back it gives 4k + 1 only if k + 1 is odd: an even number of latent
frames is decoded without the special first frame and gives 4 (k + 1) pictures (specs: diffusion 1.3), so that 8k + 1 pictures
(9, 17, 25, 33, 41, 49) are the lengths that come back as they went in.
"""

from __future__ import annotations

TEMPORAL_COMPRESSION = 4
LATER_PATCH = 2
"""Latent frames of one token in CogVideoX 1.5."""


def latent_length(length: int) -> int:
    """Latent frames of a clip of ``length`` pictures.

    Raises:
        ValueError: ``length`` is not 4k + 1.
    """
    if length < 1 or (length - 1) % TEMPORAL_COMPRESSION:
        lower = max(1, length - (length - 1) % TEMPORAL_COMPRESSION)
        raise ValueError(f"Expected a length of 4k + 1 frames (17, 33, 49), found {length}: use {lower} or {lower + 4}.")
    return (length - 1) // TEMPORAL_COMPRESSION + 1


def decoded_length(frames: int) -> int:
    """Pictures that CogVideoX's own VAE gives for ``frames`` latent frames."""
    return 4 * frames - 3 if frames % 2 else 4 * frames


def require_decodable(length: int) -> None:
    """Raise ValueError where CogVideoX's own VAE would give more pictures than ``length``."""
    given = decoded_length(latent_length(length))
    if given != length:
        lower = length - 4
        raise ValueError(
            f"Expected 8k + 1 frames (17, 25, 33, 41, 49), found {length}, for which CogVideoX's VAE gives {given}: "
            f"use {lower} or {lower + 8}."
        )


def padding(frames: int, patch_size_t: int | None) -> int:
    """Latent frames put before a clip so that CogVideoX 1.5 can pair them; they are cut off again before decoding."""
    return 0 if patch_size_t is None else -frames % patch_size_t
