"""Draw a whole clip: the seam between scenes and renderers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

import numpy as np

from ..geometry.camera import Camera
from ..progress import Progress, silent
from .backends import Drawer, chosen, drawer_for, loops_for, store_view
from .frames import WANT, Frames, blank_frames
from .look import Look
from .meshes import MeshTrack
from .scene import Scene
from .shading import Studio
from .threads import THREADS, in_order

MOST = 255
"""Instance ids of one byte."""


def render_clip(
    tracks: Sequence[MeshTrack],
    camera: Camera,
    want: Collection[str] = ("depth", "ids"),
    look: Look = Look(),  # noqa: B008 (frozen)
    length: int | None = None,
    progress: Progress = silent,
    backend: str = "auto",
) -> Frames:
    """Draw every frame of some meshes.

    Args:
        tracks: meshes of equal length.
        camera: fixed or moving.
        want: any of ``WANT``.
        look: light and colours of "rgb".
        length: how many frames, default all.
        progress: called after each frame or batch of frames; may raise to stop, and then no thread is left running.
        backend: one of ``BACKENDS``; all draw the same ids and depths, pyrender but for a few silhouette pixels.

    Returns:
        The arrays asked for.

    Raises:
        ValueError: unknown words, meshes of different lengths or with numbers that are not finite, too few camera poses.
    """
    ((_, frames),) = render_parts(tracks, camera, want, look, length, progress, backend)
    return frames


def render_parts(
    tracks: Sequence[MeshTrack],
    camera: Camera,
    want: Collection[str] = ("depth", "ids"),
    look: Look = Look(),  # noqa: B008 (frozen)
    length: int | None = None,
    progress: Progress = silent,
    backend: str = "auto",
    at_once: int | None = None,
) -> Iterator[tuple[int, Frames]]:
    """``render_clip`` in parts of at most ``at_once`` frames, None for all: each with the number of its first frame."""
    total = checked(tracks, camera, want, length)
    with _Film(tracks, camera, want, look, chosen(backend)) as film:
        for first in range(0, total, at_once or total):
            frames = blank_frames(want, min(at_once or total, total - first), camera.height, camera.width)
            film.draw(first, frames, lambda done, before=first: progress(before + done, total))
            yield first, frames


def _keep_freed_memory() -> None:
    """Make glibc keep what is freed, as it does once it has seen a large block freed.

    Until then it returns every array to the system and fetches it again, which takes a third of the time of a small scene.
    """
    np.empty(1 << 24, np.uint8)


class _Film:
    """The renderers of one clip."""

    def __init__(self, tracks: Sequence[MeshTrack], camera: Camera, want: Collection[str], look: Look, backend: str):
        _keep_freed_memory()
        self.camera = camera
        self.scene = Scene(tracks, loops_for(backend))
        self.studio = Studio(self.scene, camera, look) if "rgb" in want else None
        if self.studio:
            self.studio.prepare()
        # Shading and conditions see the same pixels, so one pass serves both, where that pass is ours.
        self.shared = self.studio is not None and look.supersample == 1 and backend in ("numpy", "numba")
        self.plain = set(want) != {"rgb"} and not self.shared
        self.drawer = drawer_for(backend, self.scene, camera)

    def __enter__(self) -> _Film:
        return self

    def __exit__(self, *problem) -> None:
        self.drawer.close()

    def draw(self, first: int, frames: Frames, done: Callable[[int], None]) -> None:
        """Fill the frames from the ``first`` of the clip on; ``done`` hears how many of them there are so far."""
        if self.plain:
            _run(self.drawer, first, frames, done if self.studio is None else lambda count: done(count // 2))
        if self.studio:
            painter = _Painter(self.studio, self.shared, self.scene, self.camera)
            half = len(frames) // 2
            _run(painter, first, frames, (lambda count: done(half + (count + 1) // 2)) if self.plain else done)


class _Painter:
    """A ``Drawer`` of shaded pictures, and with ``shared`` of everything else in the same pass."""

    batch = 1
    threads = THREADS

    def __init__(self, studio: Studio, shared: bool, scene: Scene, camera: Camera):
        self.studio, self.shared, self.scene, self.camera = studio, shared, scene, camera

    def draw(self, first: int, frames: Frames) -> None:
        """See ``Drawer``."""
        for row in range(len(frames)):
            view = self.scene.view(first + row, self.camera) if self.shared else None
            if view is not None:
                store_view(frames, row, view)
            frames.rgb[row] = self.studio.frame(first + row, view)


def _run(drawer: Drawer, first: int, frames: Frames, done: Callable[[int], None]) -> None:
    """Draw batch by batch in the drawer's threads; none of them outlives this call."""
    ends = [(low, min(low + drawer.batch, len(frames))) for low in range(0, len(frames), drawer.batch)]
    with in_order(lambda i: drawer.draw(first + ends[i][0], frames.part(*ends[i])), len(ends), drawer.threads) as drawn:
        for (_, high), _ in zip(ends, drawn, strict=True):
            done(high)


def checked(tracks: Sequence[MeshTrack], camera: Camera, want: Collection[str], length: int | None) -> int:
    """How many frames to draw; says what is wrong before any work."""
    unknown = set(want) - set(WANT)
    if unknown:
        raise ValueError(f"Expected any of {', '.join(WANT)}, found {', '.join(sorted(unknown))}.")
    if not tracks:
        raise ValueError("Expected at least one mesh to draw, found none.")
    if max(track.instance for track in tracks) > MOST:
        raise ValueError(f"Expected at most {MOST} hands and objects, found {len(tracks)}: film them in groups.")
    lengths = {len(track) for track in tracks}
    if len(lengths) > 1:
        found = ", ".join(f"mesh {track.instance} has {len(track)}" for track in tracks)
        raise ValueError(f"Expected meshes with the same number of frames, found: {found}. Cut or hold the shorter ones.")
    total = lengths.pop() if length is None else length
    if not 1 <= total <= len(tracks[0]):
        raise ValueError(f"Expected 1 to {len(tracks[0])} frames, found {total}.")
    if camera.length is not None and camera.length < total:
        raise ValueError(f"Expected {total} camera poses, one a frame, found {camera.length}: make the camera path as long as the motion.")
    for track in tracks:
        _check_finite(track)
    return total


def _check_finite(track: MeshTrack) -> None:
    """Raise if a mesh has numbers that are not finite, and name the first."""
    if not np.isfinite(track.vertices).all():
        place = np.argwhere(~np.isfinite(track.vertices))[0]
        where = f"vertex {place[-2]}" + (f" in frame {place[0]}" if track.poses is None else "")
        found = track.vertices[tuple(place)]
        raise ValueError(f"Mesh {track.instance}: expected finite coordinates, found {found} at {where}. Repair the mesh or the motion.")
    if track.poses is not None and not np.isfinite(track.poses).all():
        frame = np.argwhere(~np.isfinite(track.poses))[0][0]
        raise ValueError(f"Mesh {track.instance}: expected a finite pose, found one that is not in frame {frame}. Repair the motion.")
