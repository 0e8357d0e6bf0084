"""Draw a whole clip: the seam between scenes and renderers."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ..geometry.camera import Camera
from ..progress import Progress, silent
from .look import Look
from .meshes import MeshTrack
from .scene import Scene, View
from .shading import Studio

WANT = ("depth", "ids", "normals", "rgb")
THREADS = min(os.cpu_count() or 1, 4)


@dataclass(frozen=True, eq=False)
class Frames:
    """What was drawn of T frames; None where it was not wanted.

    Attributes:
        depth: (T, H, W) float32 camera z, metres, 0 where nothing was hit.
        instance_ids: (T, H, W) uint8, 0 where nothing was hit.
        normals: (T, H, W, 3) uint8, camera-space normal * 127.5 + 127.5 with x right, y up, z to the viewer; black where nothing was hit.
        rgb: (T, H, W, 3) uint8 shaded picture.
    """

    depth: np.ndarray | None = None
    instance_ids: np.ndarray | None = None
    normals: np.ndarray | None = None
    rgb: np.ndarray | None = None


def render_clip(
    tracks: Sequence[MeshTrack],
    camera: Camera,
    want: Collection[str] = ("depth", "ids"),
    look: Look = Look(),  # noqa: B008 (frozen)
    length: int | None = None,
    progress: Progress = silent,
) -> Frames:
    """Draw every frame of some meshes.

    Args:
        tracks: meshes of equal length.
        camera: fixed or moving.
        want: any of ``WANT``.
        look: light and colours of "rgb".
        length: how many frames, default all.
        progress: called once a frame.

    Returns:
        The arrays asked for.
    """
    unknown = set(want) - set(WANT)
    if unknown:
        raise ValueError(f"Expected any of {', '.join(WANT)}, found {', '.join(sorted(unknown))}.")
    scene = Scene(tracks)
    total = len(scene) if length is None else length
    shape = (total, camera.height, camera.width)
    frames = Frames(
        depth=np.zeros(shape, np.float32) if "depth" in want else None,
        instance_ids=np.zeros(shape, np.uint8) if "ids" in want else None,
        normals=np.zeros((*shape, 3), np.uint8) if "normals" in want else None,
        rgb=np.empty((*shape, 3), np.uint8) if "rgb" in want else None,
    )
    studio = Studio(scene, camera, look) if "rgb" in want else None
    if studio:
        studio.prepare()

    def draw(t: int) -> None:
        view = None
        if "normals" in want or (studio and look.supersample == 1):
            view = scene.view(t, camera)
            _store(frames, t, view.surface.pixels, view.surface.z, view.instance)
            if frames.normals is not None:
                _store_normals(frames.normals[t], view)
        elif set(want) != {"rgb"}:
            _store(frames, t, *scene.visible(t, camera))
        if studio:
            frames.rgb[t] = studio.frame(t, view)

    with ThreadPoolExecutor(min(THREADS, total)) as pool:
        jobs = [pool.submit(draw, t) for t in range(total)]
        try:
            for t, job in enumerate(jobs):
                job.result()
                progress(t + 1, total)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return frames


def _store_normals(target: np.ndarray, view: View) -> None:
    """Write normals as colours: x right, y up, z to the viewer."""
    target = target.reshape(-1)
    place = view.surface.pixels * 3
    for k, sign in enumerate((127.5, -127.5, -127.5)):
        target[place + k] = (view.normals[:, k] * np.float32(sign) + np.float32(128)).astype(np.uint8)


def _store(frames: Frames, t: int, pixels: np.ndarray, z: np.ndarray, instance: np.ndarray) -> None:
    """Write depth and ids of one frame where they are wanted."""
    if frames.depth is not None:
        frames.depth[t].reshape(-1)[pixels] = z
    if frames.instance_ids is not None:
        frames.instance_ids[t].reshape(-1)[pixels] = instance
