"""How near the depth pictures of simulated clips come to the data set's (pam_reference.md, 1.2).

Random reaching scenes in DexYCB's manner: a hand comes from any side to one of several table objects and lifts it, seen from 0.65 to 1.05 m
with 15 to 60 degrees of elevation. Run from the repository root: python -m benchmarks.depth_statistics [--clips 80]
"""

from __future__ import annotations

import argparse

import numpy as np

from pam_nodes.conditions.clip import render_clip
from pam_nodes.conditions.depth import PERCENTILES, TRAINING_PERCENTILES, Limits, brightness, clip_limits, depth_range
from pam_nodes.conditions.meshes import deforming_track, rigid_track
from pam_nodes.geometry.camera_build import orbit_camera
from pam_nodes.geometry.primitives import KINDS, demo_object
from pam_nodes.hands.files import load_default_hand
from pam_nodes.hands.posing import place_hand, preset_pose
from pam_nodes.hands.skinning import skin

FRAMES = 12


def reaching(rng: np.random.Generator):
    """Depth and instance ids of one random clip; the hand is instance 1."""
    hand = load_default_hand("right")
    side = rng.uniform(0, 2 * np.pi)
    towards = np.array([np.cos(side), np.sin(side), 0.0])
    start = towards * rng.uniform(0.2, 0.35) + [0, 0, rng.uniform(0.1, 0.25)]
    pose = preset_pose(str(rng.choice(["relaxed", "grasp", "pinch"])))
    rest = skin(hand, place_hand(hand, pose, tuple(start))).vertices
    time = np.linspace(0, 1, FRAMES)[:, None]
    reach, lift = np.clip(time / 0.6, 0, 1), np.clip((time - 0.65) / 0.35, 0, 1) * rng.uniform(0.1, 0.2) * np.array([0, 0, 1])
    moved = reach * (towards * 0.08 + [0, 0, 0.1] - start) + lift
    tracks = [deforming_track(rest + moved[:, None], hand.faces, 1)]
    for k in range(rng.integers(1, 5)):
        mesh = demo_object(str(rng.choice(list(KINDS))))
        poses = np.tile(mesh.object_to_world, (FRAMES, 1, 1))
        poses[:, :3, 3] += lift if k == 0 else [*rng.uniform(-0.3, 0.3, 2), 0]
        tracks.append(rigid_track(mesh.vertices, mesh.faces, poses, 2 + k, mesh.color))
    camera = orbit_camera([0, 0, 0.1], rng.uniform(0.65, 1.05), rng.uniform(0, 360), rng.uniform(15, 60), 42, 180, 120)
    frames = render_clip(tracks, camera, {"depth", "ids"})
    return frames.depth, frames.instance_ids


def fixed_ratio(depth: np.ndarray) -> Limits:
    """The mapping before this one, for comparison: background at 1.75 times the nearest point, farthest point at 0.15 or brighter."""
    near, far = clip_limits(depth)
    inverse = min(1 / (1.75 * near), (1 / far - 0.15 / near) / 0.85)
    return near, 1 / inverse if inverse > 0 else np.inf


def main() -> None:
    """Print the percentiles of each mapping beside the data set's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=80)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    clips = [reaching(rng) for _ in range(options.clips)]
    print(f"inferno index at the percentiles {PERCENTILES} of {options.clips} clips; training: {TRAINING_PERCENTILES}")
    for name, mapping in {"near to far": clip_limits, "fixed ratio": fixed_ratio, "in use": depth_range}.items():
        values = {"hand": [], "object": []}
        for depth, ids in clips:
            limits = mapping(depth)
            for kind, mask in (("hand", ids == 1), ("object", ids > 1)):
                values[kind].append(255 * brightness(depth[mask], limits))
        found = {kind: np.percentile(np.concatenate(parts), PERCENTILES) for kind, parts in values.items()}
        off = np.concatenate([found[kind][1:4] - np.array(TRAINING_PERCENTILES[kind][1:4]) for kind in found])
        text = ", ".join(f"{kind} {np.rint(values).astype(int).tolist()}" for kind, values in found.items())
        print(f"  {name:12} {text}; rms distance at 10, 50 and 90 %: {np.sqrt((off**2).mean()):.0f} of 255")


if __name__ == "__main__":
    main()
