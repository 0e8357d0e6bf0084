"""Frames a second of the condition renderers beside the usual pyrender loop, on the same scenes in the same run.

Run from the repository root: python -m benchmarks.rasterizer [--pyrender PYTHON] [--only numpy ...] [--memory N, --on-disk N or --cuda]

A deforming hand and an object of 5k, 50k and 200k faces, 720 x 480, depth + ids + normals, the hand's normals worked out anew each time.
PYTHON is one that has pyrender: python -m venv .pam/gl-venv, then pip install pyrender2 scipy there. Times are the best of several runs;
"cpu" adds up the threads of this process. "alone" is numpy without the processes that help it, whose time is not seen from here.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from pam_nodes.conditions.backends import chosen, drawer_for, numba_works
from pam_nodes.conditions.clip import render_clip
from pam_nodes.conditions.film import film, film_parts
from pam_nodes.conditions.frames import blank_frames
from pam_nodes.conditions.helpers import OFF
from pam_nodes.conditions.look import Look
from pam_nodes.conditions.meshes import deforming_track, rigid_track
from pam_nodes.conditions.pack import to_float
from pam_nodes.conditions.scene import Scene
from pam_nodes.conditions.threads import THREADS
from pam_nodes.geometry.camera_build import orbit_camera
from pam_nodes.geometry.camera_lens import resized_camera
from pam_nodes.geometry.primitives import demo_object
from pam_nodes.grasp.trajectory import HandTrack, ObjectTrack, Trajectory
from pam_nodes.hands.files import load_default_hand
from pam_nodes.hands.posing import place_hand, preset_pose
from pam_nodes.hands.skinning import skin
from pam_nodes.headless.condition_writer import write_parts

ALL = ("depth", "ids", "normals")
LOOP = Path(__file__).with_name("pyrender_loop.py")


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


def view(distance: float):
    """The camera, so far from the scene in metres."""
    return orbit_camera([0, -0.03, 0.08], distance, 20, 35, 40, 720, 480)


def pyrender_loop(python: str, tracks, camera, repeat: int) -> tuple[float, float, np.ndarray]:
    """Wall and processor time of the peer on a scene, and its ids."""
    hand, body = tracks
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scene.npz"
        meshes = {"hand": hand.vertices, "hand_faces": hand.faces, "object": body.vertices, "object_faces": body.faces, "poses": body.poses}
        lens = {"intrinsics": camera.intrinsics, "world_to_camera": camera.world_to_camera, "size": [camera.width, camera.height]}
        np.savez(path, **meshes, **lens)
        done = subprocess.run([python, str(LOOP), str(path), "--repeat", str(repeat)], capture_output=True, text=True, check=True)
        times = json.loads(done.stdout.splitlines()[-1])
        return times["wall"], times["cpu"], np.load(f"{path}.out.npz")["ids"]


BESIDE = ("numpy", "pyrender")
"""Renderers that have processes beside this one, whose processor time is not seen from here."""


def draw(backend: str, tracks, camera, python: str | None, repeat: int):
    """Times of one renderer. Processes beside this one are warm."""
    hand, body = tracks
    os.environ[OFF] = "1" if backend == "alone" else ""
    backend = "numpy" if backend == "alone" else backend
    if backend == "numpy":
        render_clip(tracks, camera, ALL, backend=backend)
    if backend != "pyrender":
        return timed(lambda: render_clip([deforming_track(hand.vertices, hand.faces, 1), body], camera, ALL, backend=backend), repeat)
    os.environ["PAM_GL_PYTHON"] = python
    drawer = drawer_for("pyrender", Scene(tracks), camera)

    def work():
        frames = blank_frames(ALL, len(hand), camera.height, camera.width)
        for first in range(0, len(frames), drawer.batch):
            drawer.draw(first, frames.part(first, first + drawer.batch))
        return frames

    work()
    try:
        return timed(work, repeat)
    finally:
        drawer.close()


def floor(frames: int, repeat: int) -> tuple[float, float]:
    """Wall and processor time of writing outputs of that size to fresh memory and doing nothing else."""

    def work():
        for each in blank_frames(ALL, frames, 480, 720).buffers:
            each.fill(1)

    return timed(work, repeat)[:2]


def compare(name: str, faces: int, distance: float, options) -> dict[str, tuple[float, float]]:
    """Print every renderer's line for one scene; wall and processor time of each."""
    camera, (tracks, _) = view(distance), scene(faces, options.frames)
    times, theirs = {}, None
    if options.pyrender:
        wall, cpu, theirs = pyrender_loop(options.pyrender, tracks, camera, options.repeat)
        times["loop"] = wall, cpu
        print(f"{name:9}{faces:7} faces  {'pyrender loop':14} {speed(options.frames, wall, cpu)}")
        peer = wall, cpu
    for backend in options.only:
        wall, cpu, drawn = draw(backend, tracks, camera, options.pyrender, options.repeat)
        times[backend] = wall, cpu
        covered = 100 * (drawn.instance_ids > 0).mean()
        line = f"{name:9}{faces:7} faces  {backend:14} {speed(options.frames, wall, cpu)}  covered {covered:.0f} %"
        if theirs is not None:
            line += f"  {peer[0] / wall:5.1f} x loop" + (f" ({peer[1] / cpu:.1f} x by cpu)" if backend not in BESIDE else "")
            line += f", {(theirs != drawn.instance_ids).sum()} of {(theirs > 0).sum()} px differ"
        print(line, flush=True)
    return times


def motion(frames: int) -> Trajectory:
    """The hand of ``scene`` coming down on a mug that is lifted."""
    model, mug = load_default_hand("right"), demo_object("mug")
    pose = place_hand(model, preset_pose("relaxed"), (0.09, -0.12, 0.1))
    moved = {name: np.repeat(getattr(pose, name), frames, axis=0) for name in ("global_orient", "hand_pose")}
    pose = replace(pose, transl=pose.transl + np.linspace([0, 0, 0.06], [0, 0, 0], frames), **moved)
    lift = np.tile(mug.object_to_world, (frames, 1, 1))
    lift[:, 2, 3] += np.linspace(0, 0.05, frames)
    return Trajectory((HandTrack(model, pose),), (ObjectTrack(mug, lift),), 15.0)


def memory(frames: int) -> None:
    """Film a long clip, every modality and the preview kept, then one IMAGE of it, and print the most memory the process had."""

    def report(what: str, wall: float, cpu: float) -> None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(f"{what:60} {speed(frames, wall, cpu)}  peak {(peak - before) / 1e6:5.2f} GB", flush=True)

    trajectory, camera = motion(frames), view(0.45)
    film(trajectory, camera, 2, normals=True, look=Look())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall, cpu, (clip, _) = timed(lambda: film(trajectory, camera, normals=True, look=Look()), 1)
    report(f"{frames} frames: depth, ids, normals, key points, preview", wall, cpu)
    wall, cpu, _ = timed(lambda: to_float(clip.stored("depth")), 1)
    report("and the depth pictures as one IMAGE", wall, cpu)


def memory_on_disk(frames: int) -> None:
    """Film a long clip of 192 x 128 in parts into files, as ``python -m pam_nodes render`` does, and print the most memory it took."""
    trajectory, camera = motion(frames), resized_camera(view(0.45), 192, 128)
    with tempfile.TemporaryDirectory() as folder:
        film(trajectory, camera, 2, normals=True, look=Look())
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        parts = film_parts(trajectory, camera, normals=True, look=Look())
        wall, cpu, _ = timed(lambda: write_parts(Path(folder), parts, camera, "mp4", {}), 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{frames} frames of 192 x 128 in parts to files {speed(frames, wall, cpu)}  peak {(peak - before) / 1e6:5.2f} GB")


def on_device(frames: int, faces: int, repeat: int) -> None:
    """Frames a second of the torch renderer on CUDA, pictures left on the device."""
    import torch

    from pam_nodes.conditions.raster_torch import TorchDrawer

    drawer = TorchDrawer(Scene(scene(faces, frames)[0]), view(0.45), "cuda")

    def work():
        for first in range(0, frames, drawer.batch):
            drawer.render(first, min(drawer.batch, frames - first))
        torch.cuda.synchronize()

    work()
    wall, cpu, _ = timed(work, repeat)
    print(f"{torch.cuda.get_device_name()}  {faces:7} faces, batches of {drawer.batch}  {speed(frames, wall, cpu)} without readback")


def main() -> None:
    """Print one line for each scene and renderer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=49)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--faces", type=int, nargs="+", default=[5000, 50000, 200000])
    here = Path(".pam/gl-venv/bin/python")
    parser.add_argument("--pyrender", default=str(here.absolute()) if here.exists() else None, help="a Python that has pyrender")
    parser.add_argument("--only", nargs="+", help="renderers to time, default all that work here")
    parser.add_argument("--memory", type=int, help="instead: film so many frames with everything kept, and print the memory")
    parser.add_argument("--on-disk", type=int, help="instead: film so many small frames in parts into files, and print the memory")
    parser.add_argument("--cuda", action="store_true", help="instead: time torch on the GPU")
    options = parser.parse_args()
    options.only = options.only or ["numpy", "alone", *["numba"] * numba_works(), "torch", *["pyrender"] * bool(options.pyrender)]
    if options.memory:
        memory(options.memory)
        return
    if options.on_disk:
        memory_on_disk(options.on_disk)
        return
    if options.cuda:
        for faces in options.faces:
            on_device(options.frames, faces, options.repeat)
        return
    print(
        f'{options.frames} frames 720x480, {THREADS} threads of {os.cpu_count()} cores, NumPy {np.__version__}, auto is "{chosen("auto")}"'
    )
    wall, cpu = floor(options.frames, options.repeat)
    print(f"floor, first touch of the outputs: {speed(options.frames, wall, cpu)}")
    wide = [compare("wide", faces, 0.45, options) for faces in options.faces]
    near = compare("close-up", options.faces[0], 0.195, options)
    for backend in near:
        by_wall, by_cpu = (close / far for close, far in zip(near[backend], wide[0][backend], strict=True))
        share = "" if backend == "loop" else f"; the floor is {100 * cpu / wide[0][backend][1]:.0f} % of the wide scene's processor time"
        print(f"{backend}: close-up takes {by_wall:.1f} x the wide scene, {by_cpu:.1f} x by cpu{share}")


if __name__ == "__main__":
    main()
