"""A trajectory as meshes to draw, and its shaded preview."""

from __future__ import annotations

import numpy as np

from ..geometry.camera import Camera
from ..geometry.camera_lens import resized_camera
from ..geometry.simplify import cluster
from ..grasp.trajectory import Trajectory
from ..hands.skinning import SkinnedHand, skin
from ..progress import Progress, silent
from .backends import loops_for
from .clip import render_clip
from .look import Look
from .meshes import MeshTrack, deforming_track, rigid_track
from .scene import Scene
from .threads import in_order

DENSE, COARSE = 100_000, 50_000
"""Faces of an object that may be drawn coarser, and how many are left then."""


def skinned_hands(trajectory: Trajectory) -> list[SkinnedHand]:
    """Meshes and joints of every hand, world frame."""
    return [skin(hand.model, hand.pose) for hand in trajectory.hands]


def mesh_tracks(trajectory: Trajectory, hands: list[SkinnedHand], coarse: bool = False) -> list[MeshTrack]:
    """Everything to draw: hands have the instance ids 1..n_hands, objects follow.

    coarse: objects of more than ``DENSE`` faces are drawn with at most ``COARSE``, vertices that lie together merged.
    """
    tracks = [deforming_track(h.vertices, t.model.faces, i) for i, (h, t) in enumerate(zip(hands, trajectory.hands, strict=True), start=1)]
    for i, track in enumerate(trajectory.objects, start=len(tracks) + 1):
        vertices, faces = track.mesh.vertices, track.mesh.faces
        if coarse and len(faces) > DENSE:
            vertices, faces = cluster(vertices, faces, COARSE)
        tracks.append(rigid_track(vertices, faces, track.poses, i, track.mesh.color))
    return tracks


def hand_surfaces(trajectory: Trajectory, hands: list[SkinnedHand], camera: Camera, length: int) -> list[np.ndarray]:
    """For each hand the (T, H, W) float32 depth of its surface with nothing before it, 0 where it is not."""
    tracks = mesh_tracks(trajectory, hands)[: len(hands)]
    return [render_clip([track], camera, {"depth"}, length=length).depth for track in tracks]


def motion_points(trajectory: Trajectory, most: int = 2000) -> np.ndarray:
    """(N, 3) world points that span the whole motion, for ``auto_frame``.

    Every hand vertex of every frame, and of an object with more than ``most`` vertices the convex hull, which no vertex can leave.
    """
    points = [hand.vertices.reshape(-1, 3) for hand in skinned_hands(trajectory)]
    for track in trajectory.objects:
        hull = _hull(track.mesh.vertices, most)
        points.append((hull @ np.swapaxes(track.poses[:, :3, :3], 1, 2) + track.poses[:, None, :3, 3]).reshape(-1, 3))
    return np.concatenate(points)


def motion_centre(trajectory: Trajectory) -> np.ndarray:
    """(3,) middle of the box that holds the whole motion, world: what a camera moves around."""
    points = motion_points(trajectory)
    return (points.min(axis=0) + points.max(axis=0)) / 2


def _hull(vertices: np.ndarray, most: int) -> np.ndarray:
    """The vertices on the convex hull, or all vertices of a flat or small mesh."""
    from scipy.spatial import ConvexHull, QhullError

    if len(vertices) <= most:
        return vertices
    try:
        return vertices[ConvexHull(vertices).vertices]
    except QhullError:
        return vertices


def render_preview(
    trajectory: Trajectory, camera: Camera, look: Look | None = None, length: int | None = None, progress: Progress = silent
) -> np.ndarray:
    """(T, H, W, 3) uint8 shaded pictures of the trajectory on a table (arguments as in ``render_conditions``)."""
    total = checked_length(trajectory, camera, length)
    tracks = mesh_tracks(trajectory, skinned_hands(trajectory))
    return render_clip(tracks, camera, {"rgb"}, look or Look(), total, progress).rgb


def coverage(
    trajectory: Trajectory, camera: Camera, supersample: int = 1, length: int | None = None, progress: Progress = silent
) -> np.ndarray:
    """(T, H, W) float32 share of each pixel that hands and objects cover: the preview's alpha."""
    total = checked_length(trajectory, camera, length)
    fine = resized_camera(camera, camera.width * supersample, camera.height * supersample)
    scene = Scene(mesh_tracks(trajectory, skinned_hands(trajectory)), loops_for())
    result = np.empty((total, camera.height, camera.width), np.float32)

    def draw(t: int) -> None:
        hit = scene.visible(t, fine)[0].reshape(camera.height, supersample, camera.width, supersample)
        result[t] = hit.mean(axis=(1, 3))

    with in_order(draw, total) as drawn:
        for done, _ in enumerate(drawn, start=1):
            progress(done, total)
    return result


def checked_length(trajectory: Trajectory, camera: Camera, length: int | None) -> int:
    """How many frames to draw; says so if that cannot be."""
    if not trajectory.hands and not trajectory.objects:
        raise ValueError("Expected a trajectory with a hand or an object, found an empty one.")
    lengths = {f"hand {i}": len(track.pose) for i, track in enumerate(trajectory.hands, start=1)}
    lengths |= {f"object {i}": len(track.poses) for i, track in enumerate(trajectory.objects, start=1)}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} has {count}" for name, count in lengths.items())
        raise ValueError(f"Expected hands and objects with the same number of frames, found: {found}. Cut or hold the shorter ones.")
    have = len(trajectory)
    total = have if length is None else length
    if total < 1:
        raise ValueError(f"Expected at least 1 frame, found {total}: give the trajectory or the length at least one frame.")
    if total > have:
        raise ValueError(f"Expected at most the {have} frames of the trajectory, found length {total}: lower it or make a longer motion.")
    if camera.length is not None and camera.length < total:
        raise ValueError(f"Expected {total} camera poses, one a frame, found {camera.length}: make the camera path as long as the motion.")
    return total
