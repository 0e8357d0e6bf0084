"""Scenes that training never saw, drawn from a seed: objects of other sizes (or meshes that are given), with all else at random.

Training stretches the demo objects by 0.85 to 1.15 (``dataset.scenes.STRETCH``); here both factors come from the ranges ``STRETCHES``,
outside of that. Hand, grasp, camera, colours, light and words are drawn as training draws them, of other random numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pam_nodes.conditions.film import film
from pam_nodes.conditions.look import Look
from pam_nodes.conditions.render import motion_points
from pam_nodes.conditions.video import ConditionVideo
from pam_nodes.dataset.clips import LabelledClip
from pam_nodes.dataset.generate import TRIES
from pam_nodes.dataset.looks import CLIP_VERBS, VERBS, Words, random_look, stages
from pam_nodes.dataset.scenes import SceneOptions, random_motion, random_view, stretched
from pam_nodes.geometry.camera import Camera
from pam_nodes.geometry.camera_build import auto_frame
from pam_nodes.geometry.mesh import ObjectMesh
from pam_nodes.geometry.primitives import KINDS
from pam_nodes.grasp.trajectory import Trajectory
from pam_nodes.headless.scene import DEMO, ObjectChoice

SEED = 7919
STRETCHES = ((0.68, 0.8), (1.2, 1.35))
"""Ranges of the factors of width and height; which of the two is chance."""


@dataclass(frozen=True)
class Held:
    """Which scenes.

    Attributes:
        size: (width, height), pixels.
        length, fps: of the clips.
        seed: of all chance.
        objects: mesh files; empty takes the demo objects in turn, stretched.
    """

    size: tuple[int, int]
    length: int = 17
    fps: float = 8.0
    seed: int = SEED
    objects: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Scene:
    """A scene and how it truly looks.

    Attributes:
        trajectory: hand and object; the grasp held.
        view: of the camera, as *HOI Camera* and ``auto_frame`` take it.
        camera: that camera.
        conditions: of the clip.
        pictures: (T, H, W, 3) uint8, shaded as the words say.
        look, words: colours and light.
        verb: of the clip's prompt.
    """

    trajectory: Trajectory
    view: dict[str, float]
    camera: Camera
    conditions: ConditionVideo
    pictures: np.ndarray
    look: Look
    words: Words
    verb: str

    @property
    def mesh(self) -> ObjectMesh:
        """Of the object."""
        return self.trajectory.objects[0].mesh

    @property
    def frame_prompts(self) -> tuple[str, ...]:
        """Of each frame."""
        heights = self.trajectory.objects[0].poses[:, 2, 3]
        return tuple(self.words.prompt(self.mesh.name, VERBS[stage]) for stage in stages(heights))

    @property
    def prompt(self) -> str:
        """Of the clip."""
        return self.words.prompt(self.mesh.name, self.verb)

    def labelled(self, name: str) -> LabelledClip:
        """The scene as a clip of a data set."""
        return LabelledClip(name, self.pictures, self.conditions, self.prompt, self.frame_prompts)


def held_out(held: Held, index: int) -> Scene:
    """One scene; the same for the same index and seed.

    Raises:
        RuntimeError: no grasp held in ``TRIES`` draws.
    """
    options = SceneOptions(length=held.length, fps=held.fps)
    for attempt in range(TRIES):
        rng = np.random.default_rng([held.seed, index, attempt])
        try:
            trajectory = random_motion(options, rng, _object(held, index, rng))
            if not trajectory.report.success:
                continue
            view = {name: round(value, 3) for name, value in random_view(rng).items()}
            camera = auto_frame(motion_points(trajectory), width=held.size[0], height=held.size[1], **view)
            look, words = random_look(rng)
            conditions, pictures = film(trajectory, camera, look=look)
        except (ValueError, RuntimeError):
            continue
        return Scene(trajectory, view, camera, conditions, pictures, look, words, str(rng.choice(CLIP_VERBS)))
    raise RuntimeError(f"Expected a grasp that holds in {TRIES} draws for scene {index}, found none: take another --seed or other meshes.")


def _object(held: Held, index: int, rng: np.random.Generator) -> ObjectMesh:
    """A mesh that was given, or a demo object stretched beyond what training sees."""
    if held.objects:
        path = held.objects[index % len(held.objects)]
        return ObjectChoice(path, name=Path(path).stem).load()
    mesh = ObjectChoice(DEMO + list(KINDS)[index % len(KINDS)]).load()
    return stretched(mesh, *(rng.uniform(*STRETCHES[rng.integers(2)]) for _ in range(2)))


def table_pixels(scene: Scene) -> np.ndarray:
    """(H, W) bool: pixels that show the table beside hand and object in no frame."""
    camera, half = scene.camera, np.array(scene.look.table_size) / 2
    column, row = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    rays = np.stack([column, row, np.ones_like(row)], axis=-1) @ np.linalg.inv(camera.lens(0)).T @ camera.at(0)[:3, :3]
    eye = -camera.at(0)[:3, :3].T @ camera.at(0)[:3, 3]
    down = rays[..., 2] < -1e-6
    reach = np.where(down, eye[2] / np.where(down, -rays[..., 2], 1), 0)
    place = eye[:2] + reach[..., None] * rays[..., :2]
    return down & (np.abs(place) < half).all(axis=-1) & ~(scene.conditions.instance_ids > 0).any(axis=0)
