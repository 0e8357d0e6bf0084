"""From motions to condition clips."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from ..conditions.film import film_parts
from ..conditions.look import SKIN_TONES, Look
from ..conditions.render import motion_centre, motion_points
from ..geometry.camera import Camera
from ..geometry.camera_build import auto_frame, orbit_camera
from ..geometry.camera_interop import camera_from_matrices
from ..geometry.camera_lens import dataset_intrinsics
from ..geometry.camera_path import CameraMove, moving_camera, parse_keys
from ..grasp.trajectory import Trajectory
from ..recordings.content import read_content
from .condition_files import NAME
from .condition_writer import write_parts
from .files import digest_of
from .manifest import open_manifest
from .motion_files import read_motion_file
from .pose_stage import Bars, no_bars
from .scene import HandChoice, ObjectChoice, Vector
from .words import PICTURES, check_word

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CameraChoice:
    """Where it is filmed from (see *HOI Camera* and *HOI Camera Path*).

    Attributes:
        width, height: pixels.
        azimuth, elevation, fov: degrees.
        margin: share of the picture left free when the motion is fitted into it.
        distance: metres from ``target``; None fits the motion into the picture.
        lens: None, or a data set's lens instead of ``fov``.
        file: .npz or .json with ``world_to_camera`` and ``intrinsics`` for this size, one or one a frame, instead of all that.
        keys, shake, seed: of a moving camera.
    """

    width: int = 720
    height: int = 480
    azimuth: float = 25.0
    elevation: float = 30.0
    fov: float = 40.0
    margin: float = 0.08
    distance: float | None = None
    target: Vector = (0.0, 0.0, 0.08)
    lens: str | None = None
    file: Path | None = None
    keys: str = ""
    shake: float = 0.0
    seed: int = 0

    def build(self, trajectory: Trajectory) -> Camera:
        """The camera for a motion; raises ValueError."""
        camera = self._still(trajectory) if self.file is None else self._from_file()
        if not self.keys and not self.shake:
            return camera
        length = len(trajectory)
        move = CameraMove(parse_keys(self.keys, length), shake=self.shake, seed=self.seed)
        return moving_camera(camera, motion_centre(trajectory), move, length, trajectory.fps)

    def _still(self, trajectory: Trajectory) -> Camera:
        view = (self.azimuth, self.elevation, self.fov, self.width, self.height)
        intrinsics = None if self.lens is None else dataset_intrinsics(self.lens, self.width, self.height)
        if self.distance is not None:
            return orbit_camera(np.array(self.target), self.distance, *view, intrinsics=intrinsics)
        return auto_frame(motion_points(trajectory), *view, self.margin, intrinsics)

    def _from_file(self) -> Camera:
        content = read_content(self.file)
        missing = [name for name in ("world_to_camera", "intrinsics") if not isinstance(content, dict) or name not in content]
        if missing:
            raise ValueError(f"Expected world_to_camera and intrinsics in the camera file {self.file.name}, found no {missing[0]}.")
        matrices = (np.asarray(content[name], np.float64) for name in ("world_to_camera", "intrinsics"))
        return camera_from_matrices(*matrices, self.width, self.height)


@dataclass(frozen=True)
class RenderOptions:
    """How motions become condition clips (see *Render HOI Conditions*).

    Attributes:
        hand: model of the hand in the files. second_hand: of the other side, for files with two.
        objects: meshes of the files' objects; empty takes those in the files.
        camera: where from.
        style: "dexycb" or "oakink2".
        length: frames from the start, None for all.
        normals: also draw normals.
        bone_order: "motion" or "appearance".
        preview: also draw shaded pictures, with this skin, a key of ``SKIN_TONES``; None draws none.
        pictures: "png" or "mp4".
        renderer: who draws.
    """

    hand: HandChoice = field(default_factory=HandChoice)
    second_hand: HandChoice | None = None
    objects: tuple[ObjectChoice, ...] = ()
    camera: CameraChoice = field(default_factory=CameraChoice)
    style: str = "dexycb"
    length: int | None = None
    normals: bool = False
    bone_order: str = "motion"
    preview: str | None = None
    pictures: str = "png"
    renderer: str = "auto"

    def hands(self) -> list[HandChoice]:
        """The models to read files with: those chosen; the hand of the pack is there for both sides."""
        if self.second_hand is not None:
            return [self.hand, self.second_hand]
        other = {"right": "left", "left": "right"}[self.hand.side]
        return [self.hand] if self.hand.file is not None else [self.hand, replace(self.hand, side=other)]

    def check(self) -> None:
        """Raise ValueError for words that are none."""
        check_word(self.pictures, PICTURES, "kind of picture")
        if self.preview is not None:
            check_word(self.preview, tuple(SKIN_TONES), "skin")

    def settings(self) -> dict:
        """What decides the result, for the record."""
        plain = asdict(self)
        for name in ("hand", "second_hand"):
            if plain[name] and plain[name]["file"]:
                plain[name]["file"] = digest_of(plain[name]["file"])
        for choice in plain["objects"]:
            source = Path(choice["source"])
            choice["source"] = digest_of(source) if source.is_file() else choice["source"]
        if plain["camera"]["file"]:
            plain["camera"]["file"] = digest_of(plain["camera"]["file"])
        del plain["renderer"]
        return plain


def check_names(paths: list[Path]) -> None:
    """Raise ValueError when results of two inputs would have one name."""
    names = [path.stem for path in paths]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"Expected inputs of different names, found {', '.join(twice)} twice: results are named after them.")


def render_motions(motions: list[Path], options: RenderOptions, out: Path, overwrite: bool = False, bars: Bars = no_bars) -> list[Path]:
    """Film each motion that has no finished folder yet.

    Args:
        motions: files of ``make_motions``, or of any known format.
        out: folder of ``<name of the motion>/``; what is finished there stays.
        overwrite: make everything anew.
        bars: progress of each clip.

    Returns:
        The folders of all motions, in their order.

    Raises:
        ValueError: input that cannot work.
    """
    options.check()
    check_names(motions)
    hands = {choice.side: choice.load() for choice in options.hands()}
    meshes = [choice.load() for choice in options.objects]
    manifest = open_manifest(out, "render", options.settings(), overwrite)
    folders = []
    for motion in motions:
        folder = manifest.path_of(motion.stem)
        folders.append(folder)
        name, digest = f"{motion.stem}/{NAME}", digest_of(motion)
        if manifest.finished(name, motion=digest):
            continue
        trajectory, notes = read_motion_file(motion, hands, meshes)
        for note in notes:
            log.info("%s: %s", motion.name, note)
        camera = options.camera.build(trajectory)
        look = None if options.preview is None else Look(skin=SKIN_TONES[options.preview])
        drawing = {"normals": options.normals, "backend": options.renderer, "look": look, "progress": bars(f"render {motion.stem}")}
        parts = film_parts(trajectory, camera, options.length, options.style, options.bone_order, **drawing)
        facts = {"motion_sha256": digest, "notes": list(notes), "objects": [track.mesh.name for track in trajectory.objects]}
        write_parts(folder, parts, camera, options.pictures, facts)
        manifest.record(name, motion=digest)
    return folders
