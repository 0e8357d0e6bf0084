"""Make the training scenes of the mini models: grasp rollouts on the demo objects, drawn with random looks and cameras.

python tools/train_mini/scenes.py motions DATA --count 150 --seed 0      rollouts (repeat with other seeds in parallel)
python tools/train_mini/scenes.py clips DATA --count 220 --seed 0        17-frame clips with their conditions
python tools/train_mini/scenes.py stills DATA --count 3000 --seed 0      single frames with their conditions
"""

import argparse
import json
import logging
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pam_nodes.conditions.render import motion_points, render_conditions, render_preview
from pam_nodes.conditions.shading import Look
from pam_nodes.geometry.camera_build import auto_frame
from pam_nodes.geometry.placement import place_object
from pam_nodes.geometry.primitives import KINDS, demo_object
from pam_nodes.grasp.rollout import RolloutOptions, rollout
from pam_nodes.grasp.trajectory import HandTrack, ObjectTrack, Trajectory
from pam_nodes.hands.files import load_default_hand
from pam_nodes.hands.pose import HandPose
from pam_nodes.hands.posing import place_hand, preset_pose

log = logging.getLogger("scenes")
WIDTH, HEIGHT, LENGTH = 192, 128, 17
SKINS = {
    "pale": (0.95, 0.80, 0.71),
    "light": (0.88, 0.68, 0.56),
    "tan": (0.76, 0.55, 0.41),
    "brown": (0.53, 0.35, 0.25),
    "dark": (0.32, 0.20, 0.15),
}
COLORS = {
    "red": (0.78, 0.13, 0.12),
    "green": (0.16, 0.55, 0.22),
    "blue": (0.12, 0.30, 0.75),
    "yellow": (0.93, 0.78, 0.12),
    "orange": (0.93, 0.48, 0.10),
    "purple": (0.46, 0.20, 0.62),
    "white": (0.92, 0.92, 0.90),
    "black": (0.10, 0.10, 0.11),
}
TABLES = {
    "white": (0.88, 0.88, 0.86),
    "grey": (0.55, 0.55, 0.55),
    "brown": (0.48, 0.31, 0.19),
    "black": (0.16, 0.16, 0.17),
    "green": (0.30, 0.45, 0.34),
    "blue": (0.33, 0.43, 0.58),
}
LIGHTS = {"bright": (1.0, 0.45), "soft": (0.55, 0.62), "dim": (0.55, 0.28)}
VERBS = {0: "reaching for", 1: "grasping", 2: "lifting"}
MOTIONS = ("picking up", "grasping and lifting", "lifting")


def random_motion(rng: np.random.Generator) -> Trajectory:
    """A rollout of a random hand on a random object, with a sampled grasp."""
    side = "right" if rng.random() < 0.75 else "left"
    hand = load_default_hand(side)
    kind = rng.choice(list(KINDS))
    mesh = demo_object(kind, size=rng.uniform(0.85, 1.15))
    mesh = place_object(mesh, position=(0.0, 0.0, 0.0), rotation=(0.0, 0.0, rng.uniform(-180, 180)))
    angle, distance = rng.uniform(-np.pi, np.pi), rng.uniform(0.12, 0.22)
    wrist = (distance * np.sin(angle), -distance * np.cos(angle), rng.uniform(0.09, 0.22))
    turn = np.degrees(angle) + rng.uniform(-40, 40)
    betas = np.clip(rng.normal(0, 0.7, hand.num_betas), -1.5, 1.5)
    pose = preset_pose(rng.choice(["flat", "relaxed"]), side)
    start = place_hand(hand, pose, wrist, (rng.uniform(-30, 20), rng.uniform(-50, 50), turn), betas=betas)
    options = RolloutOptions(length=LENGTH, fps=8.0, seed=int(rng.integers(1 << 30)), lift_height=rng.uniform(0.08, 0.14), max_attempts=5)
    return rollout(hand, start, mesh, None, options)


def save_motion(trajectory: Trajectory, path: Path) -> None:
    """One rollout as plain arrays."""
    hand, thing = trajectory.hands[0], trajectory.objects[0]
    pose = hand.pose
    np.savez_compressed(
        path, side=pose.side, global_orient=pose.global_orient, hand_pose=pose.hand_pose, transl=pose.transl, betas=pose.betas,
        kind=thing.mesh.name, vertices=thing.mesh.vertices, faces=thing.mesh.faces, label=thing.mesh.label, poses=thing.poses,
    )  # fmt: skip


def load_motion(path: Path) -> Trajectory:
    """The inverse of ``save_motion``."""
    data = np.load(path)
    hand = load_default_hand(str(data["side"]))
    pose = HandPose(data["global_orient"], data["hand_pose"], data["transl"], data["betas"], str(data["side"]))
    mesh = replace(demo_object(str(data["kind"])), vertices=data["vertices"], faces=data["faces"], object_to_world=data["poses"][0])
    return Trajectory((HandTrack(hand, pose),), (ObjectTrack(mesh, data["poses"]),), 8.0)


def random_look(rng: np.random.Generator) -> tuple[Look, dict[str, str]]:
    """A look and the words that describe it."""
    choices = {"skin": SKINS, "color": COLORS, "table": TABLES, "light": LIGHTS}
    words = {name: str(rng.choice(list(table))) for name, table in choices.items()}

    def jitter(color) -> tuple[float, float, float]:
        return tuple(np.clip(np.array(color) + rng.normal(0, 0.02, 3), 0, 1))

    strength, ambient = LIGHTS[words["light"]]
    wall = rng.uniform(0.55, 0.9)
    look = Look(
        skin=jitter(SKINS[words["skin"]]),
        object_color=jitter(COLORS[words["color"]]),
        table=jitter(TABLES[words["table"]]),
        pattern="wood" if words["table"] == "brown" else "plain",
        wall=jitter((wall, wall, wall * 1.03)),
        light_azimuth=rng.uniform(-70, 70),
        light_elevation=rng.uniform(40, 70),
        light_strength=strength,
        ambient=ambient,
        supersample=2,
    )
    return look, words


def random_camera(trajectory: Trajectory, rng: np.random.Generator):
    """A camera that keeps the motion in the picture."""
    azimuth, elevation = rng.uniform(-180, 180), rng.uniform(8, 50)
    return auto_frame(motion_points(trajectory), azimuth, elevation, rng.uniform(28, 50), WIDTH, HEIGHT, rng.uniform(0.0, 0.16))


def prompt_of(words: dict[str, str], kind: str, verb: str) -> str:
    """The sentence of a picture."""
    return f"a {words['skin']} skin hand {verb} a {words['color']} {kind} on a {words['table']} table, {words['light']} light"


def cut(trajectory: Trajectory, frames: list[int]) -> Trajectory:
    """The trajectory at some frames only."""
    hand, thing = trajectory.hands[0], trajectory.objects[0]
    pose = hand.pose
    pose = replace(pose, global_orient=pose.global_orient[frames], hand_pose=pose.hand_pose[frames], transl=pose.transl[frames])
    return replace(trajectory, hands=(HandTrack(hand.model, pose),), objects=(ObjectTrack(thing.mesh, thing.poses[frames]),))


def draw(trajectory: Trajectory, camera, look: Look, keep: slice) -> np.ndarray:
    """(T, 4, H, W, 3) uint8: picture, depth, segmentation, key points. Depth is normalised over all frames given."""
    conditions = render_conditions(trajectory, camera)
    pictures = render_preview(cut(trajectory, list(range(len(trajectory)))[keep]), camera, look)
    return np.stack([pictures, conditions.depth[keep], conditions.segmentation[keep], conditions.keypoints[keep]], axis=1)


def clip(path: Path, rng: np.random.Generator) -> tuple[np.ndarray, str]:
    """All frames of one motion."""
    trajectory = load_motion(path)
    look, words = random_look(rng)
    prompt = prompt_of(words, trajectory.objects[0].mesh.name, str(rng.choice(MOTIONS)))
    return draw(trajectory, random_camera(trajectory, rng), look, slice(None)), prompt


def still(path: Path, rng: np.random.Generator) -> tuple[np.ndarray, str]:
    """One frame of a motion, with depth normalised as over the whole of it."""
    trajectory = load_motion(path)
    look, words = random_look(rng)
    camera = random_camera(trajectory, rng)
    frame = 0 if rng.random() < 0.35 else int(rng.integers(0, LENGTH))
    stage = 0 if frame < 5 else 1 if frame < 10 else 2
    pictures = draw(cut(trajectory, [frame, 0, LENGTH // 2, LENGTH - 1]), camera, look, slice(0, 1))[0]
    return pictures, prompt_of(words, trajectory.objects[0].mesh.name, VERBS[stage])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["motions", "clips", "stills"])
    parser.add_argument("data", type=Path)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    args.data.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([args.seed, ["motions", "clips", "stills"].index(args.what)])
    if args.what == "motions":
        for index in range(args.count):
            try:
                trajectory = random_motion(rng)
            except (ValueError, RuntimeError) as error:
                log.info("%d: %s", index, error)
                continue
            log.info("%d: %s %s", index, trajectory.objects[0].mesh.name, trajectory.report)
            if trajectory.report.success:
                save_motion(trajectory, args.data / f"motion_{args.seed}_{index:04d}.npz")
        return
    paths = sorted(args.data.glob("motion_*.npz"))
    made = []
    while len(made) < args.count:
        try:
            made.append((clip if args.what == "clips" else still)(paths[rng.integers(len(paths))], rng))
        except ValueError as error:
            log.info("skipped: %s", error)
        if len(made) % 100 == 0:
            log.info("%d of %d", len(made), args.count)
    np.save(args.data / f"{args.what}_{args.seed}.npy", np.stack([pictures for pictures, _ in made]))
    (args.data / f"{args.what}_{args.seed}.json").write_text(json.dumps([prompt for _, prompt in made]))


if __name__ == "__main__":
    main()
