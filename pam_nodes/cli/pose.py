"""Simulate grasps: hand poses and a mesh to motion files.

python -m pam_nodes pose mug.obj --seeds 0-9 --out motions
python -m pam_nodes pose demo:bottle --policy full_5600_r.pt --out motions
"""

from __future__ import annotations

import argparse
from pathlib import Path

from .arguments import POSE_HELP, given, hand, hand_arguments, mesh, mesh_arguments, seeds, vector

INPUT = "MESH"
START = '{"preset": "relaxed", "wrist": [-0.24, -0.12, 0.15], "rotation": [-15, 43, -111]}'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is simulated."""
    parser.add_argument("mesh", help="a .obj, .ply, .stl, .glb or .off file, or demo:mug (bottle can box hammer bowl ball)")
    parser.add_argument("--seeds", type=seeds, default=(0,), help="a motion for each, like 0-9 (default: 0)")
    pose_arguments(parser)


def pose_arguments(parser: argparse.ArgumentParser) -> None:
    """All but mesh and seeds."""
    scene = parser.add_argument_group("hand and object")
    hand_arguments(scene)
    scene.add_argument("--start", default=START, metavar="POSE", help=f"hand on the first frame: {POSE_HELP} (its first frame)")
    scene.add_argument("--target", metavar="POSE", help="hand that holds the object: likewise (default: grasps are sampled)")
    mesh_arguments(scene)
    vector(scene, "--position", (0.0, 0.0, 0.0), "where the object starts, metres; it rests on the table")
    vector(scene, "--rotation", (0.0, 0.0, 0.0), "how the object is turned, degrees")
    scene.add_argument("--in-the-air", action="store_true", help="take the position's Z as it is")
    scene.add_argument("--settle", action="store_true", help="let the object come to rest by physics first")
    grasp = parser.add_argument_group("grasp")
    grasp.add_argument("--policy", type=Path, metavar="FILE", help="GraspXL's full_5600_r.pt (default: tracking of a grasp)")
    vector(grasp, "--heading", None, "direction from the object to the wrist (default: any)")
    vector(grasp, "--goal", None, "where the object goes after the lift, metres (default: it is held)")
    vector(grasp, "--goal-rotation", (0.0, 0.0, 0.0), "how it is turned there, degrees")
    grasp.add_argument("--hold", action="store_true", help="do not put it down at the goal")
    grasp.add_argument("--length", type=int, help="frames (default: 49)")
    grasp.add_argument("--fps", type=float, help="frames a second (default: 15)")
    grasp.add_argument("--lift-height", type=float, help="metres (default: 0.2)")
    grasp.add_argument("--max-attempts", type=int, help="simulations to try for each seed (default: 8)")
    grasp.add_argument("--mass", type=float, help="kilograms (default: from the density)")
    grasp.add_argument("--friction", type=float, help="between hand and object (default: 3)")
    grasp.add_argument("--require-success", action="store_true", help="stop when a seed finds no stable grasp")


def pose_options(args: argparse.Namespace, **defaults):
    """``PoseOptions`` of the arguments; ``defaults`` of the rollout stand in for what is not given."""
    from ..grasp.setting import RolloutOptions
    from ..headless.pose_stage import GoalChoice, PoseOptions

    place = {"position": tuple(args.position), "rotation": tuple(args.rotation), "on_table": not args.in_the_air, "fall": args.settle}
    goal = None
    if args.goal is not None:
        goal = GoalChoice(tuple(args.goal), tuple(args.goal_rotation), not args.in_the_air, not args.hold)
    numbers = given(
        length=args.length,
        fps=args.fps,
        lift_height=args.lift_height,
        max_attempts=args.max_attempts,
        object_mass=args.mass,
        friction=args.friction,
    )
    rollout = RolloutOptions(**{**defaults, **numbers}, require_success=args.require_success)
    heading = None if args.heading is None else tuple(args.heading)
    shape = mesh(args.mesh, args, **place)
    return PoseOptions(hand(args), shape, args.start, args.target, args.policy, heading, goal, rollout, args.seeds)


def run(args: argparse.Namespace, bars) -> list[Path]:
    """Simulate."""
    from ..headless.pose_stage import make_motions

    return make_motions(pose_options(args), args.out, args.overwrite, bars)
