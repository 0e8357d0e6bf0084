"""Condition clips from and to plain pictures, so that any modality can be replaced by what another tool made."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .colormap import INFERNO
from .segmentation import ADE20K, HAND
from .video import MODALITIES, ConditionVideo

SHARP = ("segmentation", "keypoints")
"""Pictures of plain colours: resized by picking the nearest pixel, never mixed."""
BLACK = 20
"""8-bit value up to which a pixel of a segmentation picture is background (pam_reference 1.2)."""
SAME_COLOR = 40
"""Largest difference in any channel between a pixel and the hand's colour; video codecs move colours by about this."""


def to_float(pictures: np.ndarray) -> np.ndarray:
    """8-bit pictures to float32 in 0..1, frame by frame into one array, so that nothing larger than the result is ever held."""
    result = np.empty(pictures.shape, np.float32)
    for source, target in zip(pictures, result, strict=True):
        np.multiply(source, np.float32(1 / 255), out=target)
    return result


def to_bytes(images: np.ndarray) -> np.ndarray:
    """(T, H, W, C) float images in 0..1 to (T, H, W, 3) uint8; grey is repeated, a fourth channel is dropped."""
    result = np.empty((*images.shape[:3], 3), np.uint8)
    for source, target in zip(images, result, strict=True):
        target[...] = np.rint(np.clip(source[..., :3], 0, 1) * 255)
    return result


def resize(pictures: np.ndarray, width: int, height: int, sharp: bool) -> np.ndarray:
    """Stretch (T, H, W, ...) pictures to a size.

    Args:
        pictures: 8-bit, or float32.
        width, height: pixels.
        sharp: take the nearest pixel; otherwise mix (bilinear, antialiased when shrinking).
    """
    if pictures.shape[1:3] == (height, width):
        return pictures
    if sharp:
        rows, columns = _nearest(pictures.shape[1], height), _nearest(pictures.shape[2], width)
        return pictures[:, rows[:, None], columns]
    from PIL import Image

    return np.stack([np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.BILINEAR)) for frame in pictures])


def _nearest(source: int, target: int) -> np.ndarray:
    """Index of the source pixel under the centre of each target pixel."""
    return ((np.arange(target) + 0.5) * source / target).astype(np.int64)


def resized(video: ConditionVideo, width: int, height: int) -> ConditionVideo:
    """The same clip at another size, every modality with the filter that suits it."""
    changes = {}
    for name in (*MODALITIES, "metric_depth", "instance_ids"):
        frames = getattr(video, name)
        if frames is not None:
            changes[name] = resize(frames, width, height, sharp=name not in ("depth", "normals"))
    return replace(video, **changes)


def pack_images(
    images: dict[str, np.ndarray],
    base: ConditionVideo | None = None,
    fps: float = 15.0,
    style: str = "dexycb",
    color_grey_depth: bool = True,
) -> ConditionVideo:
    """Make a condition clip of pictures, or replace modalities of one.

    Args:
        images: float (T, H, W, C) in 0..1 by modality: any of depth, segmentation, keypoints, normals.
        base: clip that the pictures go into; they are stretched to its size. Without one the first picture's size rules.
        fps, style: of a new clip; those of ``base`` are kept.
        color_grey_depth: depth pictures without colour (near = bright) get PAM's inferno look, and black where ``base`` shows background.

    Raises:
        ValueError: nothing given, an unknown name, or lengths that differ.
    """
    unknown = set(images) - set(MODALITIES)
    if unknown:
        raise ValueError(f"Expected pictures named {', '.join(MODALITIES)}, found {', '.join(sorted(unknown))}.")
    if base is None and not images:
        raise ValueError("Expected a condition clip or at least one picture clip, found neither: connect depth, segmentation or keypoints.")
    length, height, width = base.shape if base is not None else next(iter(images.values())).shape[:3]
    for name, frames in images.items():
        if len(frames) != length:
            raise ValueError(f"Expected {length} frames in every modality, found {len(frames)} in {name}: give clips of one length.")

    pictures = {name: resize(to_bytes(frames), width, height, sharp=name in SHARP) for name, frames in images.items()}
    if color_grey_depth and "depth" in pictures:
        pictures["depth"] = _colored(pictures["depth"], base)
    video = base or ConditionVideo(fps=fps, style=style)
    kept = [source for source in video.sources if source[0] not in pictures]
    changes: dict = {**pictures, "sources": (*kept, *((name, "given as pictures") for name in pictures))}
    if "depth" in pictures:
        changes["metric_depth"] = None
    if "segmentation" in pictures:
        changes["instance_ids"] = None
    return replace(video, **changes)


def _colored(depth: np.ndarray, base: ConditionVideo | None) -> np.ndarray:
    """Grey depth in inferno, its background cut out if known; coloured depth as it is."""
    if (depth.max(axis=3) - depth.min(axis=3)).max() > 8:
        return depth
    grey = depth[..., 0]
    foreground = grey > 0 if base is None or base.instance_ids is None else base.instance_ids > 0
    return np.where(foreground[..., None], INFERNO[grey], 0).astype(np.uint8)


def pictures_of(video: ConditionVideo, name: str) -> np.ndarray:
    """(T, H, W, 3) uint8 of one modality; black if the clip lacks it, which is how PAM says "not given"."""
    frames = getattr(video, name)
    return np.zeros((*video.shape, 3), np.uint8) if frames is None else frames


def masks(video: ConditionVideo) -> tuple[np.ndarray, np.ndarray]:
    """(T, H, W) bool masks of all hands and of all objects, from the instance ids, else from the segmentation's colours, else empty."""
    if video.instance_ids is not None:
        hands = (video.instance_ids > 0) & (video.instance_ids <= video.num_hands)
        return hands, video.instance_ids > video.num_hands
    if video.segmentation is None:
        return np.zeros(video.shape, bool), np.zeros(video.shape, bool)
    color = ADE20K[HAND[video.style]].astype(np.int16)
    hands = (np.abs(video.segmentation.astype(np.int16) - color) <= SAME_COLOR).all(axis=3)
    return hands, (video.segmentation > BLACK).any(axis=3) & ~hands
