"""Our skinning against smplx's: same hand, poses and run, the tensors of both made before.

From the repository root: python -m benchmarks.hands [--frames 1 49 1000]
"""

from __future__ import annotations

import argparse
import os
import time
import tracemalloc

import numpy as np
import torch

from pam_nodes.hands.files import load_default_hand
from pam_nodes.hands.pose import HandPose
from pam_nodes.hands.skinning import skin
from pam_nodes.hands.smplx_backend import available, skin_smplx


def random_pose(frames: int) -> HandPose:
    """Random fingers, wrist and shape."""
    rng = np.random.default_rng(0)
    parts = [rng.normal(scale=scale, size=(frames, size)).astype(np.float32) for scale, size in ((1, 3), (0.3, 45), (0.2, 3))]
    return HandPose(*parts, rng.normal(size=10).astype(np.float32))


def best(works: list, repeat: int) -> list[tuple[float, float]]:
    """Best processor time and wall time of each, milliseconds, run in turn after a first run that does not count."""
    found = [[] for _ in works]
    for _ in range(repeat + 1):
        for work, times in zip(works, found, strict=True):
            start = time.process_time(), time.perf_counter()
            work()
            times.append((time.process_time() - start[0], time.perf_counter() - start[1]))
    return [tuple(1000 * min(column) for column in zip(*times[1:], strict=True)) for times in found]


def peak(work) -> float:
    """Peak of NumPy's allocations in MB (torch's own buffers are not counted)."""
    tracemalloc.start()
    work()
    size = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    return size


def main() -> None:
    """Print one line for each number of frames."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, nargs="+", default=[1, 49, 1000])
    parser.add_argument("--repeat", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    hand = load_default_hand()
    threads = f"{options.threads} of {os.cpu_count()} threads"
    print(f"{len(hand.v_template)} vertices, torch {torch.__version__}, {threads}; best of {options.repeat}")
    for frames in options.frames:
        pose = random_pose(frames)
        works = [lambda p=pose: skin(hand, p)] + [lambda p=pose: skin_smplx(hand, p)] * available()
        ours, *theirs = best(works, options.repeat)
        line = f"{frames:5} frames  pam {ours[0]:7.2f} ms cpu {ours[1]:7.2f} wall, {peak(works[0]):5.1f} MB"
        for cpu, wall in theirs:
            apart = np.abs(works[0]().vertices - works[1]()[0]).max()
            line += f" | smplx {cpu:7.2f} cpu {wall:7.2f} wall | ratio {cpu / ours[0]:4.2f} | apart {apart:.1e} m"
        print(line)
    if not available():
        print("smplx is not installed: nothing to compare with")


if __name__ == "__main__":
    main()
