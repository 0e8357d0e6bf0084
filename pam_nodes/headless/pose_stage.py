"""Stage one: hand poses and an object to simulated motions, a file for each seed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from ..geometry.mesh import ObjectMesh
from ..geometry.placement import place_object
from ..grasp.carry import Carry
from ..grasp.policy import load_policy
from ..grasp.policy_objectives import ObjectiveChoice
from ..grasp.quality import describe
from ..grasp.rollout import rollout
from ..grasp.setting import RolloutOptions
from ..hands.model import HandModel
from ..progress import Progress, silent
from .files import digest_of
from .manifest import open_manifest, read_record
from .motion_files import write_motion_file
from .scene import HandChoice, ObjectChoice, Vector, read_pose

log = logging.getLogger(__name__)
Bars = Callable[[str], Progress]
"""Makes the progress of one piece of work, by its name."""


def no_bars(label: str) -> Progress:
    """Show nothing."""
    return silent


@dataclass(frozen=True)
class GoalChoice:
    """Where the object goes after the lift: metres and degrees, and whether it is put down there."""

    position: Vector
    rotation: Vector = (0.0, 0.0, 0.0)
    on_table: bool = True
    put_down: bool = True


@dataclass(frozen=True)
class PoseOptions:
    """What is simulated (see *Grasp Rollout*).

    Attributes:
        hand, object: which.
        start, target: hand poses as ``read_pose`` takes them; no target samples grasps.
        policy: GraspXL's policy file, None tracks a grasp.
        heading: direction from the object to the wrist for sampled grasps, None for any.
        goal: where the object goes, None holds it.
        rollout: settings; its seed is replaced by each of ``seeds``.
    """

    hand: HandChoice
    object: ObjectChoice
    start: str
    target: str | None = None
    policy: Path | None = None
    heading: Vector | None = None
    goal: GoalChoice | None = None
    rollout: RolloutOptions = field(default_factory=RolloutOptions)
    seeds: tuple[int, ...] = (0,)

    def settings(self, hand: HandModel) -> dict:
        """What decides the result, for the record; files by their content."""
        source = Path(self.object.source)
        plain = asdict(replace(self, rollout=replace(self.rollout, carry=None, choice=ObjectiveChoice())))
        for name in ("carry", "choice", "seed"):
            del plain["rollout"][name]
        del plain["seeds"]
        plain["hand"]["file"] = hand.digest
        plain["object"]["source"] = digest_of(source) if source.is_file() else self.object.source
        plain["policy"] = None if self.policy is None else digest_of(self.policy)
        for name in ("start", "target"):
            text = getattr(self, name)
            is_file = text is not None and not text.lstrip().startswith("{")
            plain[name] = digest_of(Path(text)) if is_file else text
        return plain


def make_motions(options: PoseOptions, out: Path, overwrite: bool = False, bars: Bars = no_bars) -> list[Path]:
    """Simulate each seed that has no file yet.

    Args:
        options: what and how.
        out: folder of ``motion_<seed>.npz``; what is finished there stays.
        overwrite: make everything anew.
        bars: progress of each simulation.

    Returns:
        The files of all seeds, in their order.

    Raises:
        ValueError: input that cannot work, found before any long work, or (``require_success``) a seed without a stable grasp.
    """
    hand = options.hand.load()
    mesh = options.object.load()
    start = read_pose(options.start, hand, 0, "--start")
    target = None if options.target is None else read_pose(options.target, hand, -1, "--target")
    policy = None if options.policy is None else load_policy(options.policy)
    settings = _completed(options, mesh)
    manifest = open_manifest(out, "pose", options.settings(hand), overwrite)
    paths = []
    for seed in options.seeds:
        name = f"motion_{seed}.npz"
        paths.append(manifest.path_of(name))
        if manifest.finished(name):
            continue
        trajectory = rollout(hand, start, mesh, target, replace(settings, seed=seed), bars(f"motion {seed}"), policy)
        write_motion_file(manifest.path_of(name), trajectory)
        report = trajectory.report
        manifest.record(name, seed=seed, success=report.success, report=describe(report), sha256=digest_of(manifest.path_of(name)))
        (log.info if report.success else log.warning)("motion %d: %s", seed, describe(report))
    return paths


def successes(paths: list[Path]) -> list[Path]:
    """Those of ``make_motions``' files whose grasp held, by the record beside them."""
    return [path for path in paths if read_record(path.parent)[path.name]["success"]]


def _completed(options: PoseOptions, mesh: ObjectMesh) -> RolloutOptions:
    """The rollout's settings with goal and heading."""
    goal = options.goal
    carry = None
    if goal is not None:
        placed = place_object(mesh, goal.position, goal.rotation, goal.on_table)
        carry = Carry(placed.object_to_world, goal.put_down)
    return replace(options.rollout, carry=carry, choice=ObjectiveChoice(heading=options.heading))
