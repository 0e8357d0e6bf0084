"""Figures of GraspXL's policy on MuJoCo.

    python -m benchmarks.grasp FOLDER --policy full_5600_r.pt [--hand cc0 | urdf] [--objectives 10] [--density 300]
    python -m benchmarks.grasp FOLDER --policy full_5600_r.pt --rollout [--starts 2] [--tries 5]

FOLDER holds objects in GraspXL's layout. Success is GraspXL's own test: the object rises by more than 10 cm and the hand centre is within
10 cm of its target after 130 steps of grasping and 50 of lifting. ``--hand urdf`` measures with the geometry of GraspXL's own hand (MANO).
``--density 0`` takes the masses of GraspXL's files.

``--rollout`` measures what *Grasp Rollout* gives instead: the included hand starts beside an object at rest, objectives are sampled above
the table where that can be, at most so many tries, and the object must be lifted and held without slipping.
"""

from __future__ import annotations

import argparse
import re
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from benchmarks.grasp_tracking import read_object as settled_object
from benchmarks.grasp_tracking import start_pose
from pam_nodes.geometry.mesh import ObjectMesh
from pam_nodes.geometry.mesh_io import MeshOptions, load_mesh
from pam_nodes.grasp.collision import MIN_MASS, collision_shape
from pam_nodes.grasp.hand_body import HandBody, build_hand_body
from pam_nodes.grasp.measure import measure as measure_motion
from pam_nodes.grasp.policy import GraspPolicy, load_policy
from pam_nodes.grasp.policy_objectives import Objective, ObjectiveChoice, Part, objective_of_pose, sample_objective
from pam_nodes.grasp.policy_rollout import THUMB, start_hinges
from pam_nodes.grasp.policy_scene import PolicyScene
from pam_nodes.grasp.rollout import rollout
from pam_nodes.grasp.scene import State, UnstableSimulationError, warnings_to_log
from pam_nodes.grasp.setting import RolloutOptions
from pam_nodes.hands.files import load_default_hand

GRASP, LIFT, OFFSET, RISEN, REACH, DUMMY = 130, 50, 0.2, 0.1, 0.1, 0.011


@dataclass
class Counts:
    """Episodes of one kind."""

    tried: int = 0
    good: int = 0
    seconds: float = 0.0
    depths: list[float] | None = None


def read_object(folder: Path) -> tuple[ObjectMesh, ObjectMesh | None]:
    """The part to grasp and the part to avoid, resting on the table as GraspXL has them."""
    files = [folder / f"{part}_watertight_tiny.obj" for part in ("top", "bottom")]
    top, bottom = (load_mesh(file, MeshOptions(centered=False), name=folder.name) for file in files)
    parts = [top] + ([bottom] if bottom.extents.max() > DUMMY else [])
    pose, stable = np.eye(4), folder / "obj_stable_state.txt"
    if stable.is_file():
        numbers = [float(word) for word in re.findall(r"[-\d.e+]+", stable.read_text())]
        if numbers[2] >= 0.3:
            pose[:3, :3] = Rotation.from_quat(numbers[3:7], scalar_first=True).as_matrix()
    pose[2, 3] = 0.002 - min(float((part.vertices @ pose[2, :3]).min()) for part in parts)
    return top.placed(pose), bottom.placed(pose) if len(parts) > 1 else None


def mass_of(folder: Path, shapes: list, density: float) -> float:
    """Kilograms: by density, or as the object's URDF says."""
    if density:
        return max(sum(shape.volume for shape in shapes) * density, MIN_MASS)
    text = next(folder.glob(f"{folder.name}.urdf")).read_text()
    links = re.findall(r'<link name="(\w+)">.*?<mass value="([\d.e+-]+)"', text, re.S)
    return sum(float(mass) for name, mass in links if name == "top" or len(shapes) > 1)


def episode(
    scene: PolicyScene, policy: GraspPolicy, objective: Objective, pose: np.ndarray, opened: np.ndarray, counts: Counts
) -> State | None:
    """One of GraspXL's test episodes; returns the hand just before the lift when it succeeds, the object where it stood at the start."""
    begin, counts.tried = time.process_time(), counts.tried + 1
    try:
        scene.begin(objective.start(pose, opened), objective.target)
        first, seen = scene.state(), scene.observation()
        seen[:6] = 0.0
        for step in range(GRASP + LIFT):
            if step == GRASP:
                scene.lift, grasp = OFFSET, scene.state()
            scene.step(policy.act(seen))
            seen = scene.observation()
            if step >= 60 and counts.depths is not None:
                counts.depths.append(scene.touching()[0])
    except UnstableSimulationError:
        return None
    finally:
        counts.seconds += time.process_time() - begin
    if scene.state().object_to_world[2, 3] - first.object_to_world[2, 3] <= RISEN or scene.distance() >= REACH:
        return None
    counts.good += 1
    back = pose @ np.linalg.inv(grasp.object_to_world)
    return State(back[:3, :3] @ grasp.wrist + back[:3, 3], back[:3, :3] @ grasp.rotation, grasp.hinges, pose)


def measure(folder: Path, body: HandBody, opened: np.ndarray, policy: GraspPolicy, args, free: Counts, aimed: Counts) -> str:
    """Random objectives on one object, then each success again as a target pose; returns a line."""
    top, bottom = read_object(folder)
    begin = time.process_time()
    shapes = [collision_shape(top)] + ([collision_shape(bottom)] if bottom else [])
    scene = PolicyScene(body, body.widened(opened), shapes[0], mass_of(folder, shapes, args.density), shapes[1] if bottom else None)
    built = time.process_time() - begin
    part, avoid = Part.of(shapes[0]), Part.of(shapes[1]) if bottom else None
    rng, pose, before = np.random.default_rng(args.seed), top.object_to_world, replace(free)
    for _ in range(5000):
        if free.tried - before.tried == args.objectives:
            break
        objective = sample_objective(part, avoid, ObjectiveChoice(), pose[:3, :3], rng)
        if objective is None:
            continue
        held = episode(scene, policy, objective, pose, opened, free)
        if held is not None:
            wrist, turn = pose[:3, :3].T @ (held.wrist - pose[:3, 3]), pose[:3, :3].T @ held.rotation
            episode(scene, policy, objective_of_pose(wrist, turn, scene.center), pose, opened, aimed)
    return f"{folder.name[:32]:32} {scene.mass:.2f} kg, built in {built:.1f} s, {free.good - before.good}/{free.tried - before.tried}"


def measure_rollouts(folder: Path, policy: GraspPolicy, args) -> list[list[float]]:
    """Rollouts of one object from several sides: success, tries, s CPU, mean and largest depth of the skin (mm), its lowest point (cm)."""
    model, mesh, rows = load_default_hand(), settled_object(folder), []
    for number in range(args.starts):
        options = RolloutOptions(seed=args.seed + number, max_attempts=args.tries)
        begin = time.process_time()
        motion = rollout(model, start_pose(model, mesh, 360 * number / args.starts + 20), mesh, None, options, policy=policy)
        seconds, report, quality = time.process_time() - begin, motion.report, measure_motion(motion)
        depth = 1000 * quality.mean_penetration, 1000 * float(quality.penetration.max())
        rows.append([report.success, report.attempts, seconds, *depth, 100 * float(quality.table.min())])
    print(f"{folder.name[:32]:32} {sum(row[0] for row in rows)}/{len(rows)} in {[row[1] for row in rows]} tries", flush=True)
    return rows


def summarize_rollouts(rows: np.ndarray) -> None:
    """Print the totals of ``measure_rollouts``."""
    good, tries, seconds, mean, most, low = rows.T
    first = (good * (tries == 1)).sum()
    print(f"rollouts: {good.sum():.0f}/{len(rows)}, {first:.0f} at the first try, {tries.mean():.1f} tries on average")
    print(f"{seconds.mean():.2f} s CPU a rollout, {seconds.max():.1f} at most (hulls of a settled object are known)")
    print(f"skin {mean.mean():.2f} mm deep on average, {most.max():.1f} at most")
    print(f"under the table by over 1 cm in {(low < -1).sum()}, by over 2 cm in {(low < -2).sum()}")


def hand(args) -> tuple[HandBody, np.ndarray]:
    """The hand as a body, and its open fingers."""
    if args.hand == "cc0":
        model = load_default_hand()
        return build_hand_body(model, np.zeros(0)), start_hinges(model)
    from tests.grasp.shared_hand import urdf_body

    opened = np.loadtxt(args.shared / "data/graspxl/hand/right_pose_mean.txt") / 5
    opened[36:39] = THUMB
    return urdf_body(args.shared), opened


def main() -> None:
    """Print a line for each object, then the totals."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--policy", type=Path, required=True)
    parser.add_argument("--hand", choices=["cc0", "urdf"], default="cc0")
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="folder with data/graspxl/hand, for --hand urdf")
    parser.add_argument("--objectives", type=int, default=10)
    parser.add_argument("--density", type=float, default=300.0)
    parser.add_argument("--rollout", action="store_true", help="measure the node's rollouts")
    parser.add_argument("--starts", type=int, default=2, help="sides to come from, for --rollout")
    parser.add_argument("--tries", type=int, default=5, help="at most, for --rollout")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    policy = load_policy(args.policy)
    folders = sorted(path for path in args.folder.iterdir() if (path / "top_watertight_tiny.obj").is_file())
    with warnings_to_log():
        if args.rollout:
            summarize_rollouts(np.array([row for folder in folders for row in measure_rollouts(folder, policy, args)]))
        else:
            measure_episodes(folders, policy, args)


def measure_episodes(folders: list[Path], policy: GraspPolicy, args) -> None:
    """GraspXL's test on all objects."""
    body, opened = hand(args)
    free, aimed = Counts(depths=[]), Counts()
    for folder in folders:
        print(measure(folder, body, opened, policy, args, free, aimed), flush=True)
    deep = np.array([depth for depth in free.depths if depth > 0])
    print(f"{args.hand}, density {args.density:g}: {free.good}/{free.tried} = {100 * free.good / free.tried:.0f} % of random objectives")
    print(f"driven by h_T: {aimed.good}/{aimed.tried} = {100 * aimed.good / max(aimed.tried, 1):.0f} %")
    print(f"{free.seconds / free.tried:.2f} s CPU an episode of {GRASP + LIFT} steps, penetration mean {1000 * deep.mean():.2f} mm")


if __name__ == "__main__":
    main()
