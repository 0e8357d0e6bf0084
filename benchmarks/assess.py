"""What the measures of pictures and clips say of exact renderings, of wrong ones, and of the small models' pictures, and what they cost.

    <host python> -m benchmarks.assess [--motions 6] [--size 480 320] [--mini 4]
Motions are rollouts with random hands, demo objects, cameras, skins and tables, as the small models are trained with, from another seed.
``--mini`` also makes that many scenes with the shipped workflow in the host, with the conditions and with strength 0.
"""

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

from pam_nodes.assess.consistency import ClipDemands, ClipQuality, judge_clip, measure_clip
from pam_nodes.assess.expected import expected
from pam_nodes.assess.score import Scorer
from pam_nodes.conditions.film import film
from pam_nodes.conditions.modalities import optical_flow
from pam_nodes.dataset.looks import random_look
from pam_nodes.dataset.scenes import SceneOptions, random_camera, random_motion

HEAD = f"{'':24}{'found':>7}{'presence':>10}{'error':>7}{'shape':>7}{'edges':>7}{'flicker':>9}{'drift':>7}{'fidelity':>10}{'passed':>8}"


def clips(count: int, size: tuple[int, int], rng: np.random.Generator):
    """(conditions with flow, shaded pictures) of random motions."""
    made = 0
    while made < count:
        try:
            motion = random_motion(SceneOptions(length=17, fps=8.0), rng)
        except ValueError:
            continue
        if not motion.report.success:
            continue
        look, _ = random_look(rng)
        camera = random_camera(motion, *size, rng)
        conditions, pictures = film(motion, camera, look=look)
        yield replace(conditions, flow=optical_flow(motion, camera)), pictures
        made += 1


def wrong(pictures: np.ndarray) -> dict[str, np.ndarray]:
    """Clips that do not keep to the conditions."""
    noise = np.random.default_rng(0).integers(0, 256, pictures.shape, dtype=np.uint8)
    return {"frozen": pictures[:1].repeat(len(pictures), 0), "mirrored": pictures[:, :, ::-1].copy(), "noise": noise}


def line(name: str, qualities: list[ClipQuality]) -> str:
    """Means over all frames of some clips."""
    scores = [score for quality in qualities for score in quality.scores]
    presence = np.concatenate([quality.presence for quality in qualities])
    rows = [
        np.mean([quality.found for quality in qualities]),
        np.nanmean(presence),
        np.mean([score.error for score in scores if score.error is not None] or [np.nan]),
        np.mean([score.shape for score in scores]),
        np.mean([score.edges for score in scores]),
        np.nanmean([quality.flicker for quality in qualities]),
        np.max([quality.drift.max() for quality in qualities]),
        np.mean([quality.fidelity for quality in qualities if quality.fidelity is not None] or [np.nan]),
    ]
    passed = np.mean([not judge_clip(quality, ClipDemands()).failed for quality in qualities])
    places = zip(rows, (7, 10, 7, 7, 7, 9, 7, 10), strict=True)
    return f"{name:24}" + "".join(f"{value:{width}.2f}" for value, width in places) + f"{passed:8.2f}"


def renders(count: int, size: tuple[int, int]) -> None:
    """Exact clips and wrong ones."""
    measured: dict[str, list[ClipQuality]] = {}
    seconds, frames = 0.0, 0
    for conditions, pictures in clips(count, size, np.random.default_rng(77)):
        begin = time.process_time()
        measured.setdefault("exact", []).append(measure_clip(pictures, conditions))
        seconds, frames = seconds + time.process_time() - begin, frames + len(pictures)
        for name, other in wrong(pictures).items():
            measured.setdefault(name, []).append(measure_clip(other, conditions))
    print(f"{count} clips of {len(pictures)} frames, {size[0]} x {size[1]}; drift is the largest, all else means")
    print(HEAD)
    for name, qualities in measured.items():
        print(line(name, qualities))
    print(f"{1000 * seconds / frames:.0f} ms of CPU a frame")


def mini(count: int) -> None:
    """First frames of the small models, with the conditions and without."""
    from benchmarks.held_out import Held, held_out
    from benchmarks.mini import mini_host

    scorer = Scorer()
    rows: dict[str, list] = {}
    with mini_host() as host:
        held = Held(**host.setting())
        for index in range(count):
            scene = held_out(held, index)
            made = host.sample(index, scene, free=True)
            first, last = (expected(scene.conditions, frame) for frame in (0, -1))
            for name, word in (("", "guided"), ("free ", "free")):
                rows.setdefault(f"picture, {word}", []).append(scorer.score(made[f"{name}picture"][0], first))
                rows.setdefault(f"last frame, {word}", []).append(scorer.score(made[f"{name}chain"][-1], last))
            rows.setdefault("shaded", []).append(scorer.score(scene.pictures[0], first))
    size = f"{held.size[0]} x {held.size[1]}"
    print(f"\nsmall models, {count} scenes of {size}: hands found, presence, error where found, shape, edges, score")
    for name, scores in rows.items():
        hands = [hand for score in scores for hand in score.hands]
        figures = [np.mean([hand.present for hand in hands]), np.mean([hand.found.presence for hand in hands])]
        figures.append(np.mean([hand.error for hand in hands if hand.present] or [np.nan]))
        figures += [np.mean([getattr(score, key) for score in scores]) for key in ("shape", "edges", "score")]
        print(f"{name:26}" + "".join(f"{figure:8.2f}" for figure in figures))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--motions", type=int, default=6)
    parser.add_argument("--size", type=int, nargs=2, default=(480, 320))
    parser.add_argument("--mini", type=int, default=0)
    args = parser.parse_args()
    renders(args.motions, tuple(args.size))
    if args.mini:
        mini(args.mini)


if __name__ == "__main__":
    main()
