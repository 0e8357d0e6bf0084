"""Success of grasps by tracking (python -m benchmarks.grasp_tracking FOLDER [--starts 4] [--policy FILE]).

FOLDER holds one folder for each object. Each object is tried from several sides, without a target pose, then with target poses: the
hand that held it in other successful rollouts (by tracking with another seed, and by GraspXL's policy when its file is given).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from pam_nodes.geometry.mesh import ObjectMesh
from pam_nodes.geometry.mesh_io import MeshOptions, load_mesh, object_from_arrays
from pam_nodes.geometry.placement import place_object
from pam_nodes.grasp.attempts import best_of
from pam_nodes.grasp.controller import Recording
from pam_nodes.grasp.policy import load_policy
from pam_nodes.grasp.policy_rollout import policy_grasps
from pam_nodes.grasp.scene import State, UnstableSimulationError, warnings_to_log
from pam_nodes.grasp.setting import RolloutOptions, Setting, prepare
from pam_nodes.grasp.settle import settle
from pam_nodes.grasp.tracking_rollout import STEPS, tracked_grasps
from pam_nodes.hands.files import load_default_hand
from pam_nodes.hands.model import HandModel
from pam_nodes.hands.pose import HandPose
from pam_nodes.hands.posing import place_hand, preset_pose
from pam_nodes.progress import silent

ATTEMPTS = 5
DUMMY = 0.011
"""Metres: a part no larger than this stands for 'no such part' in GraspXL's folders."""


@dataclass(frozen=True)
class Result:
    """One rollout: which object, kind of goal, and what came of it."""

    name: str
    kind: str
    success: bool
    attempts: int
    seconds: float
    penetration: float
    note: str


def read_object(folder: Path) -> ObjectMesh:
    """Both parts of an object as one mesh, lying on the table as it comes to rest."""
    as_it_is = MeshOptions(centered=False)
    parts = [load_mesh(folder / f"{part}_watertight_tiny.obj", as_it_is) for part in ("top", "bottom")]
    parts = [part for part in parts if part.extents.max() > DUMMY]
    counts = np.cumsum([0] + [len(part.vertices) for part in parts])
    faces = np.concatenate([part.faces + first for part, first in zip(parts, counts, strict=False)])
    mesh = object_from_arrays(np.concatenate([part.vertices for part in parts]), faces, MeshOptions(), folder.name)
    return settle(place_object(mesh, (0, 0, 0), (0, 0, 0)))


def start_pose(hand: HandModel, mesh: ObjectMesh, angle: float) -> HandPose:
    """The relaxed hand beside and above the object, fingers towards it."""
    points = mesh.vertices @ mesh.object_to_world[:3, :3].T + mesh.object_to_world[:3, 3]
    middle, reach = (points.min(0) + points.max(0)) / 2, np.linalg.norm(np.ptp(points, axis=0)[:2]) / 2 + 0.25
    side = np.array([np.sin(np.radians(angle)), -np.cos(np.radians(angle)), 0.0])
    return place_hand(hand, preset_pose("relaxed", hand.side), tuple(middle + reach * side + [0, 0, 0.12]), (0, 0, angle))


def final_grasp(recording: Recording, first: State) -> State:
    """The hand at the end of the hold, with the object moved back to where it stood."""
    held = recording.states[recording.end]
    back = first.object_to_world @ np.linalg.inv(held.object_to_world)
    return State(back[:3, :3] @ held.wrist + back[:3, 3], back[:3, :3] @ held.rotation, held.hinges, first.object_to_world)


def attempt(setting: Setting, kind: str, options: RolloutOptions) -> Result:
    begin = time.process_time()
    try:
        _, report = best_of(tracked_grasps(setting, options), options.max_attempts, STEPS, silent)
    except (ValueError, UnstableSimulationError) as error:
        return Result(setting.name, kind, False, 0, time.process_time() - begin, 0.0, str(error))
    return Result(setting.name, kind, report.success, report.attempts, time.process_time() - begin, report.penetration_mean, report.message)


def grasps(setting: Setting, options: RolloutOptions, policy: Path | None) -> Iterator[tuple[str, State]]:
    """Target poses that held this object in the same simulator."""
    ways = [("h_T by tracking", tracked_grasps(setting, replace(options, seed=options.seed + 1000)))]
    if policy:
        ways.append(("h_T by policy", policy_grasps(setting, load_policy(policy), options)))
    for kind, attempts in ways:
        try:
            recording, report = best_of(attempts, options.max_attempts, STEPS, silent)
        except (ValueError, UnstableSimulationError):
            continue
        if report.success:
            yield kind, final_grasp(recording, setting.first)


def measure(folder: Path, starts: int, seed: int, policy: Path | None) -> list[Result]:
    """All rollouts of one object."""
    hand, results = load_default_hand(), []
    try:
        mesh = read_object(folder)
    except (ValueError, UnstableSimulationError) as error:
        return [Result(folder.name, "no rollout", False, 0, 0.0, 0.0, str(error))]
    with warnings_to_log():
        for number in range(starts):
            options = RolloutOptions(seed=seed + number, max_attempts=ATTEMPTS)
            setting = prepare(hand, start_pose(hand, mesh, 360 * number / starts + 20), mesh, None, None, options)
            results.append(attempt(setting, "sampled", options))
            for kind, grasp in grasps(setting, options, policy):
                results.append(attempt(replace(setting, grasp=grasp), kind, options))
    return results


def summary(results: list[Result]) -> str:
    lines = []
    for kind in sorted({result.kind for result in results}):
        rows = [result for result in results if result.kind == kind]
        tries = sum(max(row.attempts, 1) for row in rows)
        good = [row for row in rows if row.success]
        first = sum(row.attempts == 1 for row in good)
        depth = np.mean([row.penetration for row in good]) * 1000 if good else np.nan
        lines.append(
            f"{kind:16} {len(good)}/{len(rows)} = {100 * len(good) / len(rows):.0f} %, {first} at the first try, "
            f"{sum(row.seconds for row in rows) / tries:.2f} s CPU a try, overlap {depth:.1f} mm"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--starts", type=int, default=4, help="sides to come from")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--policy", type=Path, help="GraspXL's full_5600_r.pt, for target poses made by it")
    parser.add_argument("--jobs", type=int, default=1)
    args = parser.parse_args()
    folders = sorted(path for path in args.folder.iterdir() if (path / "top_watertight_tiny.obj").exists())
    work = partial(measure, starts=args.starts, seed=args.seed, policy=args.policy)
    results: list[Result] = []
    with ProcessPoolExecutor(args.jobs) as pool:
        for rows in pool.map(work, folders):
            results += rows
            for kind in dict.fromkeys(row.kind for row in rows):
                of_kind = [row for row in rows if row.kind == kind]
                notes = "; ".join(sorted({row.note for row in of_kind if not row.success}))
                print(f"{of_kind[0].name[:32]:32} {kind:16} {sum(r.success for r in of_kind)}/{len(of_kind)}  {notes}", flush=True)
    print(summary(results))


if __name__ == "__main__":
    main()
