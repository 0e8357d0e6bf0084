"""Every further modality of a trajectory, one function each: what the nodes call.

All take a trajectory, a fixed or moving camera, ``length`` frames from the start (None: all), and a ``progress`` called once a frame. They
raise ValueError as ``render.checked_length`` does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry.camera import Camera
from ..grasp.trajectory import Trajectory
from ..progress import Progress, silent
from .backends import loops_for
from .clip import checked, render_clip
from .contact import TOUCH, ContactVideo, render_contact
from .flow import FlowVideo, render_flow
from .hand_keypoints import HandKeypoints, KeypointLook, draw_keypoints, project_hands, with_occlusion
from .layers import Layer, render_layer
from .look import Look
from .render import checked_length, coverage, hand_surfaces, mesh_tracks, render_preview, skinned_hands
from .scene import Scene
from .segmentation import instance_colors
from .tracking import TrackingLook, point_tracks, render_tracking
from .video import ConditionVideo


def optical_flow(
    trajectory: Trajectory, camera: Camera, length: int | None = None, table: bool = False, progress: Progress = silent
) -> FlowVideo:
    """Exact forward flow; with ``table`` that of the table top too."""
    total = checked_length(trajectory, camera, length)
    return render_flow(_scene(trajectory, camera), camera, total, table, progress)


def tracking_video(
    trajectory: Trajectory, camera: Camera, look: TrackingLook, length: int | None = None, progress: Progress = silent
) -> np.ndarray:
    """(T, H, W, 3) uint8 3-D tracking video."""
    total = checked_length(trajectory, camera, length)
    return render_tracking(_scene(trajectory, camera), camera, total, look, progress)


def tracks_of_points(trajectory: Trajectory, camera: Camera, points: np.ndarray, length: int | None = None) -> np.ndarray:
    """(N, T, 2) exact places of what (M, 2) pixels (x, y) of the first frame show of hands and objects, NaN while they are hidden."""
    total = checked_length(trajectory, camera, length)
    column, row = np.rint(points).astype(np.int64).T
    return point_tracks(_scene(trajectory, camera), camera, total, row * camera.width + column)


def contact_map(
    trajectory: Trajectory, camera: Camera, largest: float = 0.03, length: int | None = None, progress: Progress = silent
) -> ContactVideo:
    """Hands and objects coloured by the distance to each other, which ends at ``largest`` metres."""
    total = checked_length(trajectory, camera, length)
    return render_contact(_scene(trajectory, camera), len(trajectory.hands), camera, total, largest, progress)


def describe_contact(contact: ContactVideo) -> str:
    """One sentence for people."""
    touching = np.flatnonzero(contact.mask.any(axis=(1, 2)))
    nearest = f"nearest visible distance {1000 * contact.nearest.min():.1f} mm"
    if not len(touching):
        return f"No visible contact within {1000 * TOUCH:.0f} mm; {nearest}."
    return f"Visible contact in {len(touching)} of {len(contact.mask)} frames, first in frame {touching[0]}; {nearest}."


def amodal_layers(
    trajectory: Trajectory,
    camera: Camera,
    look: str,
    light: Look | None = None,
    length: int | None = None,
    progress: Progress = silent,
    alone: int = 0,
) -> tuple[Layer, Layer]:
    """All hands as if there were no objects, and all objects as if there were no hands; or the hand and the object number ``alone``."""
    total = checked_length(trajectory, camera, length)
    tracks = mesh_tracks(trajectory, skinned_hands(trajectory))
    count = len(trajectory.hands)
    colors = instance_colors(count, [track.mesh.label for track in trajectory.objects])
    hands, objects = (
        render_layer(part[alone - 1 : alone] if alone else part, camera, total, look, colors, light or Look(), progress)
        for part in (tracks[:count], tracks[count:])
    )
    return hands, objects


@dataclass(frozen=True, eq=False)
class DrawnKeypoints:
    """Key points of a clip with their visibility, and their (T, H, W, 3) uint8 drawing."""

    keypoints: HandKeypoints
    pictures: np.ndarray


def hand_keypoints(
    trajectory: Trajectory, camera: Camera, look: KeypointLook, length: int | None = None, progress: Progress = silent
) -> DrawnKeypoints:
    """Key points of all hands, drawn in any style."""
    total = checked_length(trajectory, camera, length)
    if not trajectory.hands:
        raise ValueError("Expected a hand in the trajectory for key points, found none.")
    hands = skinned_hands(trajectory)
    frames = render_clip(mesh_tracks(trajectory, hands), camera, {"depth", "ids"}, length=total, progress=progress)
    sides = [hand.model.side for hand in trajectory.hands]
    points = project_hands([hand.keypoints for hand in hands], sides, camera, total)
    points = with_occlusion(points, frames.depth, frames.instance_ids)
    surfaces = hand_surfaces(trajectory, hands, camera, total) if look.style == "oakink2" and len(hands) > 1 else None
    return DrawnKeypoints(points, draw_keypoints(points, look, surfaces, progress))


def shaded_preview(
    trajectory: Trajectory, camera: Camera, look: Look, length: int | None = None, progress: Progress = silent
) -> tuple[np.ndarray, np.ndarray]:
    """(T, H, W, 3) uint8 picture and (T, H, W) float32 alpha of hands and objects in it."""
    return render_preview(trajectory, camera, look, length, progress), coverage(trajectory, camera, look.supersample, length, progress)


def added(video: ConditionVideo | None, trajectory: Trajectory, source: str, **changes) -> ConditionVideo:
    """A bundle with one more modality, or a new bundle of it alone.

    Args:
        video: what to add to, or None.
        trajectory: gives a new bundle its fps.
        source: how the modality was made.
        changes: the modality's field of ``ConditionVideo``.
    """
    name, frames = next(iter(changes.items()))
    new = ConditionVideo(fps=trajectory.fps, num_hands=len(trajectory.hands), **changes)
    if video is None:
        return new.changed(sources=((name, source),))
    if video.shape != new.shape:
        wanted, found = (" x ".join(map(str, clip.shape)) for clip in (video, new))
        raise ValueError(f"Expected {name} of {wanted} (frames, height, width) like the bundle, found {found}: use its camera and length.")
    return video.changed(**{name: frames}, sources=(*(line for line in video.sources if line[0] != name), (name, source)))


def _scene(trajectory: Trajectory, camera: Camera) -> Scene:
    tracks = mesh_tracks(trajectory, skinned_hands(trajectory))
    checked(tracks, camera, (), 1)
    return Scene(tracks, loops_for())
