"""Amodal layers: some meshes of a scene as if there were no others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry.camera import Camera
from ..progress import Progress, silent
from .clip import render_clip
from .colormap import as_pixels
from .depth import colorize_depth
from .frames import Frames
from .look import Look
from .meshes import MeshTrack
from .segmentation import colorize_instances

LOOKS = ("normals", "depth", "segmentation", "shaded")


@dataclass(frozen=True, eq=False)
class Layer:
    """Pictures (T, H, W, 3) uint8 on black, and the (T, H, W) bool mask of all that the layer shows, hidden in the full picture or not."""

    pictures: np.ndarray
    mask: np.ndarray


def render_layer(
    tracks: list[MeshTrack], camera: Camera, length: int, look: str, colors: np.ndarray, light: Look, progress: Progress = silent
) -> Layer:
    """Draw some meshes of a scene alone.

    Args:
        tracks: what to draw; may be empty.
        camera: fixed or moving.
        length: frames.
        look: one of ``LOOKS``.
        colors: (I, 3) uint8 colour of each instance id, for "segmentation".
        light: for "shaded".
        progress: called once a frame.
    """
    if look not in LOOKS:
        raise ValueError(f'Expected the look {", ".join(LOOKS)}, found "{look}".')
    if not tracks:
        shape = (length, camera.height, camera.width)
        return Layer(np.zeros((*shape, 3), np.uint8), np.zeros(shape, bool))
    want = {"ids"} | {"normals": {"normals"}, "depth": {"depth"}, "shaded": {"rgb"}}.get(look, set())
    frames = render_clip(tracks, camera, want, light, length, progress)
    mask = frames.instance_ids > 0
    return Layer(_pictures(frames, mask, look, colors), mask)


def _pictures(frames: Frames, mask: np.ndarray, look: str, colors: np.ndarray) -> np.ndarray:
    if look == "normals":
        return frames.normals
    if look == "segmentation":
        return colorize_instances(frames.instance_ids, colors)
    if look == "depth":
        return colorize_depth(frames.depth) if mask.any() else np.zeros((*mask.shape, 3), np.uint8)
    as_pixels(frames.rgb)[~mask.ravel()] = as_pixels(np.zeros(3, np.uint8))
    return frames.rgb
