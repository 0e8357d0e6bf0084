"""PAM's ablation on one's own clips: which conditions are given, and whether the first frame is.

    python -m benchmarks.ablation CLIPS [--clips 6] [--steps 15] [--train 0 --latents LATENTS] [--out ablation]
CLIPS is a folder of the data command, drawn at 288 x 192 with 17 frames. Without ``--train`` the included small video model, which
was trained with conditions left out at random, is given only some of them. With ``--train N`` a control of its own is trained for N
steps for each row, on LATENTS of the encode command without these clips; that is the paper's way, and for a GPU. The last two rows
have all conditions and no first frame. Figures: those of the evaluate command, the paper's beside them.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from pam_nodes.assess.score import Scorer
from pam_nodes.cli.arguments import given
from pam_nodes.dataset.clips import FolderClips, LabelledClip
from pam_nodes.evaluation.distances import LatentFeatures, frechet
from pam_nodes.evaluation.measure import measure
from pam_nodes.evaluation.paper import table
from pam_nodes.headless.clip_files import write_clip
from pam_nodes.headless.cogvideox import ClipSampler, ClipSampling, encode_prompts
from pam_nodes.headless.cogvideox_models import MiniCogVideoX, load_control
from pam_nodes.headless.compute import Compute, Machine, machine
from pam_nodes.headless.condition_files import leave_out
from pam_nodes.training.config import read_config
from pam_nodes.training.start import Start, start_training

SIZE, LENGTH = (288, 192), 17
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


def trained(names: tuple[str, ...], args: argparse.Namespace, out: Path, compute: Compute) -> Path:
    """A control that was trained with these conditions alone."""
    config = read_config("mini", "motion")
    design = replace(config.control, conditions=(names or NAMES[:1],))
    watching = replace(config.watching, **given(steps=args.train, sheet=0))
    masking = replace(config.masking, never=() if names else NAMES[:1])
    config = replace(config, control=design, watching=watching, masking=masking)
    return start_training(Start(config, args.latents, MiniCogVideoX(), small=True), compute, out)[0]


class Row:
    """The networks of one row of the table."""

    def __init__(self, name: str, args: argparse.Namespace, place: Machine, compute: Compute):
        self.names, self.first = ROWS[name], "no first" not in name
        models = MiniCogVideoX()
        folder = args.out / "controls" / name.replace(" ", "_")
        control = load_control(trained(self.names, args, folder, compute), place.dtype) if args.train else models.control(place)
        self.sampler = ClipSampler(place, models.transformer(place), control, models.vae(place), models.schedule())
        self.settings = ClipSampling(args.steps, "ddim", guidance=1.0, dynamic=False, strength=float(bool(self.names)))

    def film(self, clip: LabelledClip, prompt: torch.Tensor, seed: int) -> np.ndarray:
        """(T, H, W, 3) uint8 of a clip's conditions."""
        conditions = leave_out(clip.conditions, tuple(name for name in NAMES if name not in (self.names or NAMES)))
        slots = self.sampler.encode_slots(conditions, self.settings.unused)
        start = self.sampler.encode_start(clip.pictures[0]) * self.first
        return self.sampler.sample(slots, start, prompt, prompt, self.settings, seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--clips", type=int, default=6)
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--train", type=int, default=0)
    parser.add_argument("--latents", type=Path)
    parser.add_argument("--out", type=Path, default=Path("ablation"))
    args = parser.parse_args()
    if args.train and args.latents is None:
        parser.error("--train needs --latents")
    begin, compute = time.process_time(), Compute("cpu")
    place, source, scorer = machine(compute), FolderClips(args.data, "all"), Scorer()
    clips = [source.read(name).fitted(*SIZE, LENGTH) for name in source.names[: args.clips]]
    prompts = encode_prompts(*MiniCogVideoX().text(place), [clip.prompt for clip in clips], place)
    features = LatentFeatures(place)
    true, results = np.array([features(clip.pictures) for clip in clips]), {}
    for name in ROWS:
        row = Row(name, args, place, compute)
        made = [row.film(clip, prompt, seed) for seed, (clip, prompt) in enumerate(zip(clips, prompts, strict=True))]
        rows = [measure(pictures, clip, scorer) for pictures, clip in zip(made, clips, strict=True)]
        known = {key: [values[key] for values in rows if values[key] is not None] for key in rows[0]}
        mean = {key: float(np.mean(values)) if values else None for key, values in known.items()}
        results[name] = mean | {"latent_frechet": frechet(np.array([features(pictures) for pictures in made]), true)}
        write_clip(args.out / f"{name.replace(' ', '_')}.mp4", np.concatenate(made[:3], axis=2), 8)
        print(name, {key: None if value is None else round(value, 3) for key, value in results[name].items()}, flush=True)
    print(
        f"\n{len(clips)} clips, {args.steps} steps, {args.train} steps of training, {time.process_time() - begin:.0f} processor seconds\n"
    )
    print(table(results))


if __name__ == "__main__":
    main()
