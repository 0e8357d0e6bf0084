"""A trajectory and a camera to the condition clip, whole or in parts that take little memory."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np

from ..geometry.camera import Camera
from ..grasp.trajectory import Trajectory
from ..progress import Progress, silent, stage
from .clip import render_parts
from .depth import DepthSample, Limits, depth_pictures
from .frames import frame_bytes
from .hand_keypoints import KeypointLook, draw_keypoints, keypoint_pictures, project_hands, with_occlusion
from .look import Look
from .meshes import MeshTrack
from .render import checked_length, mesh_tracks, skinned_hands
from .segmentation import instance_colors, instance_pictures
from .video import ConditionVideo

PART = 1 << 28
"""Bytes of the frames of a part."""
Part = tuple[ConditionVideo, np.ndarray | None]
"""Conditions, and the preview (T, H, W, 3) uint8 or None."""


def render_conditions(trajectory: Trajectory, camera: Camera, length: int | None = None, **settings) -> ConditionVideo:
    """Draw what the diffusion models are conditioned on: ``film`` without the preview."""
    return film(trajectory, camera, length, **settings)[0]


def film(trajectory: Trajectory, camera: Camera, length: int | None = None, *choices, **settings) -> Part:
    """The whole clip at once; arguments as in ``film_parts``."""
    (whole,) = film_parts(trajectory, camera, length, *choices, at_once=sys.maxsize, **settings)
    return whole


def film_parts(
    trajectory: Trajectory,
    camera: Camera,
    length: int | None = None,
    style: str = "dexycb",
    variant: str = "motion",
    keypoint_scale: float | None = None,
    normals: bool = False,
    fps: float | None = None,
    progress: Progress = silent,
    backend: str = "auto",
    look: Look | None = None,
    coarse: bool = False,
    at_once: int | None = None,
) -> Iterator[Part]:
    """Draw what the diffusion models are conditioned on, and the shaded preview in the same visibility pass.

    A clip of several parts is drawn twice: first its depth alone, as the range of the depth pictures is that of the whole clip. A frame
    that shows nothing is found before the first part is given out.

    Args:
        trajectory: hands and objects.
        camera: fixed, or moving with as many poses as the trajectory has frames.
        length: how many frames from the start, default all.
        style: "dexycb" or "oakink2".
        variant: bone order of the key points, "motion" or "appearance".
        keypoint_scale: size of discs and bones, default by picture size, see ``auto_scale``.
        normals: also draw the normals.
        fps: of the clip, default the trajectory's.
        progress: called once a frame.
        backend: who draws, one of ``backends.BACKENDS``.
        look: of the preview, None for none.
        coarse: draw dense objects coarser, see ``mesh_tracks``.
        at_once: frames of a part, default as many as ``PART`` holds.

    Returns:
        The condition clip with depth, segmentation, key points, metric depth and instance ids, and the preview, part by part.

    Raises:
        ValueError: no frames, more frames than there are, or a frame in which nothing is seen.
    """
    total = checked_length(trajectory, camera, length)
    count = len(trajectory.hands)
    colors = instance_colors(count, labels_of(trajectory), style)
    hands = skinned_hands(trajectory)
    tracks = mesh_tracks(trajectory, hands, coarse)
    points = project_hands([hand.keypoints for hand in hands], [hand.model.side for hand in trajectory.hands], camera, total)
    want = {"depth", "ids"} | ({"normals"} if normals else set()) | ({"rgb"} if look else set())
    at_once = at_once or max(1, PART // (frame_bytes(want) * camera.width * camera.height))
    limits = None
    if at_once < total:
        limits = _whole_range(tracks, camera, total, stage(progress, 0, 2), backend, at_once)
        progress = stage(progress, 1, 2)
    facts = _facts(trajectory, style, variant, normals, fps)
    drawing = KeypointLook(style, variant, scale=keypoint_scale)
    # Where two hands meet, OAKINK2's drawing looks at the surface of each.
    alone = tracks[:count] if style == "oakink2" and count > 1 else []
    surfaces = [render_parts([track], camera, {"depth"}, length=total, at_once=at_once) for track in alone]
    for first, frames in render_parts(tracks, camera, want, look or Look(), total, progress, backend, at_once):
        if limits is None:
            check_visible(frames.instance_ids.any(axis=(1, 2)))
        seen = points.frames(slice(first, first + len(frames)))
        merged = [next(parts)[1].depth for parts in surfaces]
        clip = ConditionVideo(
            depth=depth_pictures(frames.depth, limits),
            segmentation=instance_pictures(frames.instance_ids, colors),
            keypoints=draw_keypoints(seen, drawing, merged) if merged else keypoint_pictures(seen, drawing),
            normals=frames.normals,
            metric_depth=frames.depth,
            instance_ids=frames.instance_ids,
            joints=with_occlusion(seen, frames.depth, frames.instance_ids),
            **facts,
        )
        yield clip, frames.rgb


def labels_of(trajectory: Trajectory) -> tuple[int, ...]:
    """YCB id of each object."""
    return tuple(track.mesh.label for track in trajectory.objects)


def _facts(trajectory: Trajectory, style: str, variant: str, normals: bool, fps: float | None) -> dict:
    """Fields of the bundle that are no pictures."""
    sources = [("depth", "rendered, inverse depth over the clip, inferno"), ("segmentation", f"rendered, {style} colours")]
    sources.append(("keypoints", f"joints of the hand model, {style} drawing, {variant} bone order"))
    if normals:
        sources.append(("normals", "rendered, camera frame, y up"))
    facts = {"fps": fps or trajectory.fps, "style": style, "sources": tuple(sources)}
    return facts | {"num_hands": len(trajectory.hands), "object_labels": labels_of(trajectory)}


def _whole_range(tracks: list[MeshTrack], camera: Camera, total: int, progress: Progress, backend: str, at_once: int) -> Limits:
    """``depth_range`` of the whole clip; raises if a frame shows nothing."""
    sample, visible = DepthSample(total * camera.height * camera.width), []
    for _, frames in render_parts(tracks, camera, {"depth"}, Look(), total, progress, backend, at_once):
        sample.add(frames.depth)
        visible.append(frames.depth.any(axis=(1, 2)))
    check_visible(np.concatenate(visible))
    return sample.range()


def check_visible(visible: np.ndarray) -> None:
    """Raise if a frame shows neither hand nor object, as its conditions would be black; visible: (T,) bool."""
    empty = np.flatnonzero(~visible)
    if len(empty):
        share = "every frame" if len(empty) == len(visible) else f"{len(empty)} of {len(visible)} frames"
        raise ValueError(
            f"Everything is outside the camera in {share} (first: frame {empty[0]}), expected hand or object pixels: "
            "use the camera's auto-frame mode, or point it at the hand and move it back."
        )
