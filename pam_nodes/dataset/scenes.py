"""Random scenes: a hand, an object, a simulated grasp and a camera that sees it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ..conditions.render import motion_points
from ..geometry.camera import Camera
from ..geometry.camera_build import auto_frame
from ..geometry.mesh import ObjectMesh
from ..geometry.mesh_io import MeshOptions
from ..geometry.placement import place_object
from ..geometry.primitives import KINDS
from ..grasp.rollout import rollout
from ..grasp.setting import RolloutOptions
from ..grasp.trajectory import Trajectory
from ..hands.model import HandModel
from ..hands.pose import HandPose
from ..hands.posing import place_hand, preset_pose
from ..headless.scene import DEMO, HandChoice, ObjectChoice

SIDES = ("both", "right", "left")
RIGHT = 0.75
"""Share of right hands among "both"."""
STRETCH = (0.85, 1.15)
"""Range of the factors of demo objects' width and height."""
SHAPE, WIDEST = 0.7, 1.5
"""Standard deviation and largest value of betas, for hands that have them."""


@dataclass(frozen=True)
class SceneOptions:
    """What the random scenes are made of.

    Attributes:
        objects: mesh files or "demo:mug" and the like; empty takes every demo object, stretched at random.
        mesh: how the numbers of mesh files become metres.
        hand: a MANO file of ``side``, None for the CC0 hand.
        side: one of ``SIDES``; a file is of one side.
        length, fps: of the clips.
        attempts: simulations to try for each scene.
    """

    objects: tuple[str, ...] = ()
    mesh: MeshOptions = field(default_factory=MeshOptions)
    hand: Path | None = None
    side: str = "both"
    length: int = 49
    fps: float = 15.0
    attempts: int = 5

    def check(self) -> None:
        """Raise for what cannot work, before any simulation."""
        if self.side not in SIDES or (self.hand is not None and self.side == "both"):
            found = f"'{self.side}'" + (" with a hand file" if self.hand else "")
            raise ValueError(f"Expected the side right, left or (without a hand file) both, found {found}.")
        if self.length < 2 or not self.fps > 0 or self.attempts < 1:
            raise ValueError(
                f"Expected at least 2 frames, fps above 0 and 1 attempt, found {self.length}, {self.fps:g} and {self.attempts}."
            )
        HandChoice(self.hand, "right" if self.side == "both" else self.side).load()
        for source in self.objects:
            ObjectChoice(source, self.mesh).load()


def random_motion(options: SceneOptions, rng: np.random.Generator, mesh: ObjectMesh | None = None) -> Trajectory:
    """A rollout of a random hand on a random object, or on ``mesh``, with a sampled grasp; whether it held is in its report.

    Raises:
        ValueError: this hand began inside the object.
    """
    mesh = _random_object(options, rng) if mesh is None else mesh
    mesh = place_object(mesh, (0.0, 0.0, 0.0), (0.0, 0.0, rng.uniform(-180, 180)))
    side = options.side if options.side != "both" else ("right" if rng.random() < RIGHT else "left")
    hand = HandChoice(options.hand, side).load()
    start = _random_start(hand, mesh, rng)
    settings = RolloutOptions(
        length=options.length,
        fps=options.fps,
        seed=int(rng.integers(1 << 30)),
        lift_height=rng.uniform(0.08, 0.2),
        max_attempts=options.attempts,
    )
    return rollout(hand, start, mesh, None, settings)


def random_camera(trajectory: Trajectory, width: int, height: int, rng: np.random.Generator) -> Camera:
    """A camera from anywhere above the table that keeps the motion in the picture."""
    return auto_frame(motion_points(trajectory), width=width, height=height, **random_view(rng))


def random_view(rng: np.random.Generator) -> dict[str, float]:
    """Where such a camera stands: azimuth, elevation and field of view in degrees, and the margin, as ``auto_frame`` takes them."""
    ranges = {"azimuth": (-180, 180), "elevation": (8, 50), "fov": (28, 50), "margin": (0.0, 0.16)}
    return {name: rng.uniform(*ends) for name, ends in ranges.items()}


def _random_object(options: SceneOptions, rng: np.random.Generator) -> ObjectMesh:
    """One of the objects; demo objects differ in width and height."""
    source = str(rng.choice(options.objects or [DEMO + kind for kind in KINDS]))
    mesh = ObjectChoice(source, options.mesh).load()
    if source.startswith(DEMO):
        mesh = stretched(mesh, *rng.uniform(*STRETCH, 2))
    return mesh


def stretched(mesh: ObjectMesh, wide: float, tall: float) -> ObjectMesh:
    """A mesh with its width and depth, and its height, times a factor."""
    return replace(mesh, vertices=(mesh.vertices * [wide, wide, tall]).astype(np.float32))


def _random_start(hand: HandModel, mesh: ObjectMesh, rng: np.random.Generator) -> HandPose:
    """A hand of random shape at arm's length around the object, turned towards it roughly."""
    radius = float(np.linalg.norm(mesh.vertices[:, :2], axis=1).max())
    angle, distance = rng.uniform(-np.pi, np.pi), radius + rng.uniform(0.08, 0.18)
    wrist = (distance * np.sin(angle), -distance * np.cos(angle), rng.uniform(0.09, 0.22))
    rotation = (rng.uniform(-30, 20), rng.uniform(-50, 50), np.degrees(angle) + rng.uniform(-40, 40))
    betas = np.clip(rng.normal(0, SHAPE, hand.num_betas), -WIDEST, WIDEST)
    pose = preset_pose(str(rng.choice(["flat", "relaxed"])), hand.side)
    return place_hand(hand, pose, wrist, rotation, betas=betas)
