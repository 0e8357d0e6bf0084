"""Frames a second of the condition renderer. Run from the repository root: python -m benchmarks.rasterizer [--frames 49]"""

from __future__ import annotations

import argparse
import os
import time

import numpy as np

from pam_nodes.conditions.clip import THREADS, render_clip
from pam_nodes.conditions.meshes import deforming_track, rigid_track
from pam_nodes.geometry.camera_build import orbit_camera
from pam_nodes.hands.files import load_default_hand
from pam_nodes.hands.posing import place_hand, preset_pose
from pam_nodes.hands.skinning import skin


def bumpy_torus(faces: int) -> tuple[np.ndarray, np.ndarray]:
    """A torus of about so many faces, 12 cm across."""
    n = int(np.sqrt(faces / 2))
    u, v = (a.ravel() for a in np.meshgrid(*[np.linspace(0, 2 * np.pi, n, endpoint=False)] * 2, indexing="ij"))
    r = 0.016 * (1 + 0.12 * np.sin(7 * u) * np.cos(5 * v))
    points = np.stack([(0.045 + r * np.cos(v)) * np.cos(u), (0.045 + r * np.cos(v)) * np.sin(u), r * np.sin(v)], axis=1)
    i, j = (a.ravel() for a in np.meshgrid(np.arange(n), np.arange(n), indexing="ij"))
    a, b, c, d = i * n + j, (i + 1) % n * n + j, (i + 1) % n * n + (j + 1) % n, i * n + (j + 1) % n
    return points, np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])


def scene(faces: int, frames: int):
    """Tracks of a closing hand over a turning torus, and the hand's key points."""
    model = load_default_hand("right")
    skinned = [skin(model, place_hand(model, preset_pose(name), (0.0, -0.15, 0.12))) for name in ("relaxed", "grasp")]
    weight = np.linspace(0, 1, frames, dtype=np.float32)[:, None, None]
    vertices, joints = ((1 - weight) * getattr(skinned[0], name) + weight * getattr(skinned[1], name) for name in ("vertices", "keypoints"))
    angle, poses = np.linspace(0, 1, frames), np.tile(np.eye(4), (frames, 1, 1))
    poses[:, 0, 0] = poses[:, 1, 1] = np.cos(angle)
    poses[:, 1, 0], poses[:, 0, 1], poses[:, 2, 3] = np.sin(angle), -np.sin(angle), 0.06
    return [deforming_track(vertices, model.faces, 1), rigid_track(*bumpy_torus(faces), poses, 2, (0.3, 0.5, 0.7))], joints


def timed(work, repeat: int) -> tuple[float, float, object]:
    """Best wall time and best processor time (all threads) of several runs, and the last result."""
    wall, cpu = [], []
    for _ in range(repeat):
        start = time.perf_counter(), time.process_time()
        result = work()
        wall.append(time.perf_counter() - start[0])
        cpu.append(time.process_time() - start[1])
    return min(wall), min(cpu), result


def speed(frames: int, wall: float, cpu: float) -> str:
    """Frames a second by the clock, and processor time of a frame, which a busy machine disturbs less."""
    return f"{frames / wall:7.1f} fps {1000 * cpu / frames:7.2f} cpu ms/frame"


def main() -> None:
    """Print one line for each scene and stage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=49)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--faces", type=int, nargs="+", default=[5000, 50000, 200000])
    options = parser.parse_args()
    print(f"{options.frames} frames 720x480, {THREADS} threads of {os.cpu_count()} cores, NumPy {np.__version__}")
    for distance, name in ((0.75, "normal"), (0.28, "close-up")):
        camera = orbit_camera([0, -0.03, 0.08], distance, 20, 35, 40, 720, 480)
        for faces in options.faces if name == "normal" else options.faces[:1]:
            tracks, _ = scene(faces, options.frames)
            for want in ({"depth", "ids"}, {"depth", "ids", "normals"}, {"rgb"}):
                wall, cpu, frames = timed(lambda t=tracks, c=camera, w=want: render_clip(t, c, w), options.repeat)
                share = "" if frames.instance_ids is None else f"  covered {100 * (frames.instance_ids > 0).mean():.0f} %"
                print(f"{name:9}{faces:7} faces  {'+'.join(sorted(want)):18} {speed(options.frames, wall, cpu)}{share}")


if __name__ == "__main__":
    main()
