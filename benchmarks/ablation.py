"""PAM's ablation on scenes that training never saw: which conditions are given, and whether the first frame is.

    python -m benchmarks.ablation [CLIPS] [--scenes 12] [--seeds 3] [--steps 15] [--train 0 --latents LATENTS] [--out ablation]
Scenes are those of ``held_out``, or CLIPS, a folder of the data command. Without ``--train`` the included small models, which were trained
with conditions left out at random, are given only some of them. With ``--train N`` a control of its own is trained for N steps for each row
of the clips, on LATENTS of the encode command without these clips; that is the paper's way, and for a GPU. Each row is sampled with several
seeds: figures are means over scenes and seeds, with the deviation of the seeds' means.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.held_out import SEED, Held, held_out
from benchmarks.mini_figures import hand_figures, landmarks
from pam_nodes.appearance.hints import hint_frames
from pam_nodes.assess.score import Scorer
from pam_nodes.cli.arguments import given
from pam_nodes.dataset.clips import FolderClips, LabelledClip
from pam_nodes.evaluation.compare import Truth, compare
from pam_nodes.evaluation.distances import LatentFeatures, frechet
from pam_nodes.evaluation.paper import table as paper_table
from pam_nodes.headless import flux
from pam_nodes.headless.clip_files import write_clip
from pam_nodes.headless.codec import to_pictures, to_pixels
from pam_nodes.headless.cogvideox import ClipSampler, ClipSampling, encode_prompts
from pam_nodes.headless.cogvideox_models import MiniCogVideoX, load_control
from pam_nodes.headless.compute import Compute, Machine, machine
from pam_nodes.headless.condition_files import leave_out
from pam_nodes.headless.flux_models import MiniFlux
from pam_nodes.headless.refiner import load_refiner
from pam_nodes.mini.configs import COGVIDEOX
from pam_nodes.mini.refine import refine
from pam_nodes.training.config import read_config
from pam_nodes.training.start import Start, start_training

SIZE, LENGTH = (8 * COGVIDEOX["sample_width"], 8 * COGVIDEOX["sample_height"]), COGVIDEOX["sample_frames"]
NAMES = ("depth", "segmentation", "keypoints")
ROWS = {
    "seg": ("segmentation",),
    "depth": ("depth",),
    "hand": ("keypoints",),
    "depth+seg": ("depth", "segmentation"),
    "all": NAMES,
    "all, no first frame": NAMES,
    "none": (),
}
FIGURES = {
    "psnr": ("PSNR dB", 2),
    "ssim": ("SSIM", 3),
    "motion_fidelity": ("MF", 3),
    "hand found %": ("hand found %", 1),
    "hand error %": ("landmark error, % of the hand", 1),
    "mpjpe_px": ("MPJPE px", 2),
    "pa_mpjpe_px": ("PA-MPJPE px", 2),
    "latent_frechet": ("latent Fréchet (not FVD)", 3),
}
Film = Callable[[int, int], np.ndarray]
"""Place of a clip and seed to (T, H, W, 3) uint8."""


def trained(names: tuple[str, ...], args: argparse.Namespace, out: Path, compute: Compute) -> Path:
    """A control that was trained with these conditions alone."""
    config = read_config("mini", "motion")
    design = replace(config.control, conditions=(names or NAMES[:1],))
    watching = replace(config.watching, **given(steps=args.train, sheet=0))
    masking = replace(config.masking, never=() if names else NAMES[:1])
    config = replace(config, control=design, watching=watching, masking=masking)
    return start_training(Start(config, args.latents, MiniCogVideoX(), small=True), compute, out)[0]


def only(clip: LabelledClip, names: tuple[str, ...]):
    """A clip's conditions without the others."""
    return leave_out(clip.conditions, tuple(name for name in NAMES if name not in names))


def clip_rows(clips: list[LabelledClip], args: argparse.Namespace, place: Machine, compute: Compute) -> Iterator[tuple[str, Film]]:
    """Rows of the video model."""
    models = MiniCogVideoX()
    refiner = load_refiner(place.device)
    prompts = encode_prompts(*models.text(place), [clip.prompt for clip in clips], place)
    for name, names in ROWS.items():
        folder = args.out / "controls" / name.replace(" ", "_")
        control = load_control(trained(names, args, folder, compute), place.dtype) if args.train else models.control(place)
        sampler = ClipSampler(place, models.transformer(place), control, models.vae(place), models.schedule())
        settings = ClipSampling(args.steps, "ddim", guidance=1.0, dynamic=False, strength=float(bool(names)))
        given_first = float("no first" not in name)
        slots = [sampler.encode_slots(only(clip, names or NAMES), settings.unused) for clip in clips]
        starts = [sampler.encode_start(clip.pictures[0]) * given_first for clip in clips]

        told = [only(clip, names) for clip in clips]
        seen = [to_pixels(clip.pictures[:1]) if given_first else None for clip in clips]

        def film(place: int, seed: int, sampler=sampler, settings=settings, slots=slots, starts=starts, told=told, seen=seen) -> np.ndarray:
            latents = sampler.denoise(slots[place], starts[place], prompts[place], prompts[place], settings, seed)
            return to_pictures(refine(refiner, sampler.decode(latents), told[place], seen[place]))

        yield name, film


def still_rows(stills: list[LabelledClip], args: argparse.Namespace, place: Machine) -> Iterator[tuple[str, Film]]:
    """Rows of the image model, which has no first frame to be given."""
    models = MiniFlux()
    *prompts, negative = flux.encode_prompts(*models.text(place), [still.prompt for still in stills] + [""], place)
    refiner = load_refiner(place.device)
    sampler = flux.FluxSampler(place, models.transformer(place), models.control(place), models.vae(place))
    for name, names in ROWS.items():
        if "no first" in name:
            continue
        settings = flux.FluxSampling(args.steps, cfg=1.5, shift="none", strength=float(bool(names)))
        size = stills[0].pictures.shape[2:0:-1]
        hints = [hint_frames(only(still, names or NAMES), sampler.control.config).at(*size) for still in stills]
        hints = [sampler.encode_hint(hint) for hint in hints]

        told = [only(still, names) for still in stills]

        def film(place: int, seed: int, settings=settings, hints=hints, size=size, told=told) -> np.ndarray:
            pixels = sampler.paint(hints[place], prompts[place], negative, settings, seed, size)
            return to_pictures(refine(refiner, pixels, told[place]))

        yield name, film


def figures(clips: list[LabelledClip], rows: Iterator[tuple[str, Film]], seeds: int, place: Machine, out: Path) -> dict[str, list[dict]]:
    """For each row the means over the clips, seed by seed; one film of a row's first clips is written."""
    scorer, features = Scorer(), LatentFeatures(place)
    seen = [landmarks(clip.pictures, clip, scorer) for clip in clips] if scorer.landmarker else None
    true, results = np.array([features(clip.pictures) for clip in clips]), {}
    for name, film in rows:
        results[name] = []
        for seed in range(seeds):
            made = [film(index, seed * len(clips) + index) for index in range(len(clips))]
            truths = [Truth(clip.pictures, clip.conditions) for clip in clips]
            found = [compare(pictures, truth, scorer).mean for pictures, truth in zip(made, truths, strict=True)]
            for index, pictures in enumerate(made if seen else ()):
                # The first frame of a clip is given.
                found[index] |= hand_figures(landmarks(pictures, clips[index], scorer), seen[index], first=int(len(pictures) > 1))
            known = {key: [row[key] for row in found if row[key] is not None] for key in found[0]}
            mean = {key: float(np.mean(values)) for key, values in known.items() if values}
            results[name].append(mean | {"latent_frechet": frechet(np.array([features(pictures) for pictures in made]), true)})
            if seed == 0:
                write_clip(out / f"{name.replace(' ', '_')}.mp4", np.concatenate(made[:3], axis=2), 8)
        print(name, {key: round(value, 3) for key, value in results[name][0].items() if value is not None}, flush=True)
    return results


def table(results: dict[str, list[dict]]) -> str:
    """Markdown: mean and deviation of the seeds."""
    lines = ["| conditions | " + " | ".join(title for title, _ in FIGURES.values()) + " |", "| --- " * (1 + len(FIGURES)) + "|"]
    for name, seeds in results.items():
        cells = []
        for key, (_, digits) in FIGURES.items():
            values = [row[key] for row in seeds if row.get(key) is not None]
            cells.append(f"{np.mean(values):.{digits}f} ± {np.std(values):.{digits}f}" if values else "-")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path)
    parser.add_argument("--stage", choices=("both", "appearance", "motion"), default="both")
    parser.add_argument("--scenes", type=int, default=12)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--train", type=int, default=0)
    parser.add_argument("--latents", type=Path)
    parser.add_argument("--out", type=Path, default=Path("ablation"))
    args = parser.parse_args()
    if args.train and args.latents is None:
        parser.error("--train needs --latents")
    return args


def main() -> None:
    args, begin, compute = arguments(), time.process_time(), Compute("cpu")
    place = machine(compute)
    if args.data is None:
        clips = [held_out(Held(SIZE, LENGTH, seed=SEED), index).labelled(f"scene {index}") for index in range(args.scenes)]
    else:
        source = FolderClips(args.data, "all")
        clips = [source.read(name).fitted(*SIZE, LENGTH) for name in source.names[: args.scenes]]
    args.out.mkdir(parents=True, exist_ok=True)
    results = {}
    if args.stage != "motion":
        stills = [clip.stills()[0] for clip in clips]
        results["first frame"] = figures(stills, still_rows(stills, args, place), args.seeds, place, args.out / "first_frame")
    if args.stage != "appearance":
        results["clip"] = figures(clips, clip_rows(clips, args, place, compute), args.seeds, place, args.out / "clip")
    done = f"{args.seeds} seeds, {args.steps} steps, {args.train} steps of training, {time.process_time() - begin:.0f} processor seconds"
    print(f"\n{len(clips)} scenes of {SIZE[0]} x {SIZE[1]}, {done}")
    for name, rows in results.items():
        print(f"\n{name}\n\n{table(rows)}")
    print(f"\nThe paper's, of other data and estimators:\n\n{paper_table({})}")
    (args.out / "ablation.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
