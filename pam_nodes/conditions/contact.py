"""Contact map: hands and objects coloured by how near they are to each other, measured for every pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry.camera import Camera
from ..geometry.inside import Solid
from ..progress import Progress, silent
from .colormap import INFERNO, as_pixels
from .meshes import MeshTrack
from .scene import Scene

TOUCH = 0.003
"""Metres up to which surfaces touch: skin gives a little, and simulators keep a small gap."""
GREY = np.array([0.34, 0.35, 0.37])
"""Far surfaces, 0..1."""


@dataclass(frozen=True, eq=False)
class ContactVideo:
    """Contact of a clip.

    Attributes:
        pictures: (T, H, W, 3) uint8: lit grey far away, through inferno to pale yellow at zero distance; background black.
        mask: (T, H, W) bool: seen surface that touches, ``TOUCH`` or nearer.
        nearest: (T,) float64 metres between what is seen of hands and objects, at most the largest distance asked for.
    """

    pictures: np.ndarray
    mask: np.ndarray
    nearest: np.ndarray


def render_contact(
    scene: Scene, num_hands: int, camera: Camera, length: int, largest: float = 0.03, progress: Progress = silent
) -> ContactVideo:
    """Draw the contact map.

    Args:
        scene: the meshes; hands have the instances 1..num_hands.
        num_hands: how many.
        camera: fixed or moving.
        length: frames.
        largest: metres at which the colour ends.
        progress: called once a frame.
    """
    if num_hands == 0 or num_hands == len(scene.tracks):
        raise ValueError("Expected a hand and an object for a contact map, found only one of them in the trajectory.")
    if largest <= 0:
        raise ValueError(f"Expected a largest contact distance above 0 m, found {largest:g}.")
    shape = (length, camera.height, camera.width)
    pictures, mask, nearest = np.zeros((*shape, 3), np.uint8), np.zeros(shape, bool), np.full(length, largest)
    # A rigid mesh is measured in its own frame, so it is prepared once.
    rigid = {track.instance: Solid(track.vertices, track.faces) for track in scene.tracks if track.poses is not None}
    for t in range(length):
        view = scene.view(t, camera)
        pose = camera.at(t)
        points = (view.surface.rays * view.surface.z[:, None] - pose[:3, 3]) @ pose[:3, :3]
        distance = np.full(len(points), largest)
        for track in scene.tracks:
            other = np.flatnonzero((view.instance <= num_hands) != (track.instance <= num_hands))
            distance[other] = np.minimum(distance[other], _distances(track, t, points[other], largest, rigid.get(track.instance)))
        color = _colors(distance / largest, view.normals)
        as_pixels(pictures[t])[view.surface.pixels] = as_pixels(color)
        mask[t].reshape(-1)[view.surface.pixels] = distance <= TOUCH
        nearest[t] = distance.min(initial=largest)
        progress(t + 1, length)
    return ContactVideo(pictures, mask, nearest)


def _distances(track: MeshTrack, frame: int, points: np.ndarray, largest: float, solid: Solid | None) -> np.ndarray:
    """(N,) distance of world points to one mesh in a frame, cut at ``largest``."""
    world = track.vertices_at(frame)
    near = np.flatnonzero(((points > world.min(axis=0) - largest) & (points < world.max(axis=0) + largest)).all(axis=1))
    result = np.full(len(points), largest)
    if not len(near):
        return result
    local = points[near]
    if solid is None:
        solid = Solid(world, track.faces)
    else:
        pose = track.poses[frame]
        local = (local - pose[:3, 3]) @ pose[:3, :3]
    result[near] = np.minimum(solid.distance(local), largest)
    return result


def _colors(share: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """(N, 3) uint8 of (N,) distances as shares of the largest: shape by light from the camera, nearness by colour."""
    light = (0.55 + 0.45 * np.clip(-normals[:, 2], 0, 1))[:, None]
    heat = INFERNO[np.rint(255 * (0.35 + 0.65 * (1 - share))).astype(np.int64)] / 255
    mix = np.clip(3 * (1 - share), 0, 1)[:, None]
    return np.rint(255 * (GREY * light * (1 - mix) + heat * (0.75 + 0.25 * light) * mix)).astype(np.uint8)
