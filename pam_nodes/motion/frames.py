"""The frame rule of CogVideoX in one place: the VAE turns 4k + 1 pictures into k + 1 latent frames."""

TEMPORAL_COMPRESSION = 4


def latent_length(length: int) -> int:
    """Latent frames of a clip of ``length`` pictures.

    Raises:
        ValueError: ``length`` is not 4k + 1.
    """
    if length < 1 or (length - 1) % TEMPORAL_COMPRESSION:
        lower = max(1, length - (length - 1) % TEMPORAL_COMPRESSION)
        raise ValueError(f"Expected a length of 4k + 1 frames (17, 33, 49), found {length}: use {lower} or {lower + 4}.")
    return (length - 1) // TEMPORAL_COMPRESSION + 1
