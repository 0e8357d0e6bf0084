"""Other looks for a bundle without drawing it again: depth in other units and ranges, segmentation in other colours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..geometry.ycb import ycb_label
from .depth import Limits, checked_limits, clip_limits, depth_pictures, depth_range, grey_depth
from .pack import to_bytes, to_float
from .painted import Pictures
from .segmentation import HAND, custom_colors, instance_colors, instance_pictures, parse_colors
from .video import ConditionVideo

DEPTH_LOOKS = ("pam", "grey inverse", "grey linear", "metres")
RANGES = ("pam", "clip", "fixed")


def depth_look(video: ConditionVideo, look: str, span: str, near: float, far: float) -> tuple[ConditionVideo, np.ndarray, Limits]:
    """Depth of a bundle in another look.

    Args:
        video: with metric depth, as *Render HOI Conditions* makes it.
        look: one of ``DEPTH_LOOKS``. "metres" is not a picture: values are metres, background 0.
        span: "pam": the range that comes near PAM's training pictures. "clip": nearest to farthest foreground. "fixed": the two limits,
            so that several clips have the same scale.
        near, far: metres, for "fixed".

    Returns:
        The bundle with that depth picture (unchanged for "metres"), the (T, H, W, 3) float32 pictures, and (near, far) in metres.
    """
    if look not in DEPTH_LOOKS or span not in RANGES:
        raise ValueError(f'Expected a look of {", ".join(DEPTH_LOOKS)} and a range of {", ".join(RANGES)}, found "{look}" and "{span}".')
    if video.metric_depth is None:
        raise ValueError("Expected depth in metres in the bundle, found only pictures: connect the bundle of Render HOI Conditions.")
    depth = video.metric_depth
    limits = checked_limits(near, far) if span == "fixed" else {"pam": depth_range, "clip": clip_limits}[span](depth)
    if look == "metres":
        return video, np.repeat(depth[..., None], 3, axis=3), limits
    source = ("depth", f"rendered, {look}, {limits[0]:.3g} to {limits[1]:.3g} m")
    if look == "pam":
        pictures = depth_pictures(depth, limits)
        return _replaced(video, "depth", pictures, source), to_float(pictures), limits
    images = np.repeat(grey_depth(depth, limits, look == "grey inverse")[..., None], 3, axis=3)
    return _replaced(video, "depth", to_bytes(images), source), images, limits


def segmentation_look(
    video: ConditionVideo, palette: str, objects: str = "", hand_color: str = "#5c00ff", object_colors: str = "#08ff33"
) -> ConditionVideo:
    """Segmentation of a bundle in other colours.

    Args:
        video: with instance ids, as *Render HOI Conditions* makes it.
        palette: "dexycb" or "oakink2" (PAM's training colours), or "custom".
        objects: YCB names or ids of the objects in turn, separated by commas ("mug, 003_cracker_box"); empty keeps the objects' own.
        hand_color, object_colors: of "custom", such as "#5c00ff"; object colours in turn, separated by commas.
    """
    if palette not in (*HAND, "custom"):
        raise ValueError(f'Expected the palette {", ".join(HAND)} or custom, found "{palette}".')
    if video.instance_ids is None:
        raise ValueError("Expected instance ids in the bundle, found only pictures: connect the bundle of Render HOI Conditions.")
    count = max(len(video.object_labels), int(video.instance_ids.max()) - video.num_hands)
    if palette == "custom":
        hands = parse_colors(hand_color)
        if len(hands) != 1:
            raise ValueError(f'Expected one hand colour such as #5c00ff, found "{hand_color}".')
        colors = custom_colors(video.num_hands, count, hands[0], parse_colors(object_colors))
    else:
        colors = instance_colors(video.num_hands, _labels(objects, video.object_labels, count), palette)
    pictures = instance_pictures(video.instance_ids, colors)
    return _replaced(video, "segmentation", pictures, ("segmentation", f"rendered, {palette} colours"))


def _labels(objects: str, own: Sequence[int], count: int) -> list[int]:
    """YCB id of each object: named ones, else its own."""
    named = [ycb_label(name) for name in objects.split(",") if name.strip()]
    if named and len(named) != count:
        raise ValueError(f"Expected {count} YCB names, one for each object, found {len(named)}: separate them by commas.")
    if not named and len(own) != count:
        raise ValueError(f"Expected YCB names of the {count} objects of this bundle, found none: write them, separated by commas.")
    return named or list(own)


def _replaced(video: ConditionVideo, name: str, pictures: Pictures, source: tuple[str, str]) -> ConditionVideo:
    return video.changed(**{name: pictures}, sources=(*(line for line in video.sources if line[0] != name), source))
