"""Condition clips from and to plain pictures, so that any modality can be replaced by what another tool made."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..progress import Progress, silent
from .colormap import INFERNO
from .flow import FlowVideo
from .painted import Pictures
from .segmentation import ADE20K, HAND, colorize_instances, instance_colors
from .video import MODALITIES, ConditionVideo

SHARP = ("segmentation", "keypoints")
"""Pictures of plain colours: DexYCB's are resized by picking a pixel, never mixed. OAKINK2's are mixed, as PAM's loader does."""
BLACK = 20
"""8-bit value up to which a pixel of a segmentation picture is background (pam_reference 1.2)."""
SAME_COLOR = 40
"""Largest difference in any channel between a pixel and the hand's colour; video codecs move colours by about this."""


def to_float(pictures: Pictures, progress: Progress = silent) -> np.ndarray:
    """8-bit pictures to float32 in 0..1, frame by frame into one array, so that nothing larger than the result is ever held."""
    result = np.empty(pictures.shape, np.float32)
    for done, (source, target) in enumerate(zip(pictures, result, strict=True), start=1):
        np.multiply(source, np.float32(1 / 255), out=target)
        progress(done, len(result))
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
    """Index of the source pixel for each target pixel, rounded down as torch's "nearest" does, with which PAM's loaders resize."""
    scale = np.float32(source / target)
    return np.minimum((np.arange(target, dtype=np.float32) * scale).astype(np.int64), source - 1)


def resized(video: ConditionVideo, width: int, height: int) -> ConditionVideo:
    """The same clip stretched to another size, every modality with the filter of PAM's loaders (pam_reference.md, 1.1 and 1.2).

    Depth is masked again after it was mixed, so that its edge stays sharp. Optical flow is dropped: it holds for one size only.
    """
    if video.shape[1:] == (height, width):
        return video
    changes: dict = {"flow": None, "joints": video.joints and video.joints.stretched(width, height)}
    for name in (*MODALITIES, "metric_depth", "instance_ids"):
        frames = getattr(video, name)
        if frames is not None:
            sharp = name in ("metric_depth", "instance_ids") or (name in SHARP and video.style == "dexycb")
            changes[name] = resize(frames, width, height, sharp)
    if "depth" in changes and ("segmentation" in changes or "instance_ids" in changes):
        _mask_depth(changes, video.style)
    return replace(video, **changes)


def _mask_depth(changes: dict, style: str) -> None:
    """Blacken depth where the resized label, or OAKINK2's resized colour, is background."""
    if style == "oakink2" and "segmentation" in changes:
        background = (changes["segmentation"] < BLACK).all(axis=3)
    elif "instance_ids" in changes:
        background = changes["instance_ids"] == 0
    else:
        background = ~changes["segmentation"].any(axis=3)
    changes["depth"] = np.where(background[..., None], np.uint8(0), changes["depth"])


def first_frames(video: ConditionVideo, length: int, stretch: bool = True) -> ConditionVideo:
    """A clip of a fixed number of frames by PAM's rule: every n-th frame from the first, n = frames // length (pam_reference.md, 1.1).

    Args:
        video: at least ``length`` frames.
        length: frames wanted.
        stretch: False takes consecutive frames instead, as PAM's simulation script does.
    """
    total = video.shape[0]
    if not 1 <= length <= total:
        raise ValueError(f"Expected a clip of at least {length} frames, found {total}: make a longer motion, or ask for fewer frames.")
    return part(video, slice(0, length * (total // length), total // length) if stretch else slice(0, length))


def part(video: ConditionVideo, chosen: slice) -> ConditionVideo:
    """Some frames of a clip; flow is kept where they are neighbours."""
    names = (*MODALITIES, "metric_depth", "instance_ids")
    changes = {name: video.stored(name)[chosen] for name in names if video.stored(name) is not None}
    keeps_flow = video.flow is not None and chosen.step in (None, 1)
    flow = FlowVideo(video.flow.flow[chosen], video.flow.state[chosen]) if keeps_flow else None
    return replace(video, **changes, flow=flow, joints=video.joints and video.joints.frames(chosen))


def fitted(
    video: ConditionVideo, width: int, height: int, length: int | None = None, stretch: bool = True, fps: float | None = None
) -> ConditionVideo:
    """A clip of a model's size, length and speed: ``first_frames`` (all if None), then ``resized``, played at ``fps`` (None: as it is)."""
    clip = resized(video if length is None else first_frames(video, length, stretch), width, height)
    return clip if fps is None else clip.changed(fps=fps)


def mask_pictures(hands: np.ndarray | None, objects: np.ndarray | None, style: str = "dexycb", label: int = 14) -> np.ndarray:
    """Segmentation pictures of masks, such as another tool finds.

    Args:
        hands, objects: (T, H, W) bool, or 0..1 where above a half counts; one may be None. Where both are, the hand is seen.
        style: "dexycb" or "oakink2".
        label: YCB id that gives the objects their colour.

    Returns:
        (T, H, W, 3) float32 in 0..1, as ``pack_images`` takes them.
    """
    given = [mask for mask in (hands, objects) if mask is not None]
    if len({mask.shape for mask in given}) != 1:
        found = " and ".join(str(mask.shape) for mask in given) or "none"
        raise ValueError(f"Expected masks of one length and size (frames, height, width), found {found}: resize or cut the larger one.")
    ids = np.zeros(given[0].shape, np.uint8)
    for value, mask in ((2, objects), (1, hands)):
        if mask is not None:
            ids[mask > 0.5] = value
    return to_float(colorize_instances(ids, instance_colors(1, [label], style)))


def pack_images(
    images: dict[str, np.ndarray],
    base: ConditionVideo | None = None,
    fps: float = 15.0,
    style: str = "dexycb",
    color_grey_depth: bool = True,
) -> ConditionVideo:
    """Make a condition clip of pictures, or replace modalities of one.

    Args:
        images: float (T, H, W, C) in 0..1 by modality: any of ``MODALITIES``.
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

    mixes = (base.style if base else style) == "oakink2"
    pictures = {name: resize(to_bytes(frames), width, height, sharp=name in SHARP and not mixes) for name, frames in images.items()}
    if color_grey_depth and "depth" in pictures:
        pictures["depth"] = _colored(pictures["depth"], base)
    video = base or ConditionVideo(fps=fps, style=style)
    kept = [source for source in video.sources if source[0] not in pictures]
    changes: dict = {**pictures, "sources": (*kept, *((name, "given as pictures") for name in pictures))}
    if "depth" in pictures:
        changes["metric_depth"] = None
    if "segmentation" in pictures:
        changes["instance_ids"] = None
    if "keypoints" in pictures:
        changes["joints"] = None
    return video.changed(**changes)


def _colored(depth: np.ndarray, base: ConditionVideo | None) -> np.ndarray:
    """Grey depth in inferno, its background cut out if known; coloured depth as it is."""
    if (depth.max(axis=3) - depth.min(axis=3)).max() > 8:
        return depth
    grey = depth[..., 0]
    foreground = grey > 0 if base is None or base.instance_ids is None else base.instance_ids > 0
    return np.where(foreground[..., None], INFERNO[grey], 0).astype(np.uint8)


def picked(video: ConditionVideo, name: str, start: int = 0, length: int | None = None) -> Pictures | None:
    """``length`` frames (None: to the end) of one modality from ``start`` on, (T, H, W, 3) uint8, or None if the clip lacks it."""
    total = video.shape[0]
    end = total if length is None else start + length
    if not 0 <= start < end <= total:
        raise ValueError(f"Expected frames between 0 and {total}, found {start} to {end}: lower start or length.")
    frames = video.stored(name)
    return None if frames is None else frames[start:end]


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
