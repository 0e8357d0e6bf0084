"""Encode labelled clips for training, once: latents of pictures and conditions, embeddings of prompts, in safetensors shards.

python -m pam_nodes encode appearance data --mini --size 288x192 --out latents/stills
python -m pam_nodes encode motion data --dataset dexycb --split train --cogvideox CogVideoX-5b-I2V --moments --out latents/dexycb
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from .appearance import flux_arguments
from .arguments import compute, compute_arguments
from .data import pixels
from .motion import cogvideox_arguments

INPUT = "STAGE DATA"
DATASETS = ("folders", "dexycb", "oakink2")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is encoded."""
    parser.add_argument("stage", choices=("appearance", "motion"), help="stills for the first-frame model, clips for the video model")
    dataset_arguments(parser)
    parser.add_argument("--size", type=pixels, metavar="WxH", help="(default: 640x480 stills, 720x480 clips; with --mini 288x192)")
    parser.add_argument("--length", type=int, help="frames of a clip (default: 49, with --mini 17)")
    parser.add_argument("--conditions", default="depth,segmentation,keypoints", help="modalities, separated by commas")
    parser.add_argument("--hints", choices=("latent", "pixel"), help="of stills (default: pixel, as released; with --mini latent)")
    parser.add_argument("--every", type=int, default=8, help="frames between stills (default: 8)")
    parser.add_argument("--stills", type=int, default=7, help="of a clip at most (default: 7)")
    parser.add_argument("--moments", action="store_true", help="also store the VAE's deviation, to draw latents as PAM does")
    parser.add_argument("--store", choices=("bf16", "fp16", "fp32"), default="bf16", help="numbers in the files (default: bf16)")
    codec_argument(parser)
    parser.add_argument("--shard", type=int, default=32, help="clips in a file (default: 32)")
    sampled = "also store what the video model makes of each clip in so many steps, for 'train video_codec decoder'"
    parser.add_argument("--sampled", type=int, default=0, metavar="STEPS", help=sampled)
    flux_arguments(parser)
    cogvideox_arguments(parser)
    compute_arguments(parser)


def dataset_arguments(parser: argparse.ArgumentParser) -> None:
    """Where clips come from."""
    parser.add_argument("data", type=Path, help="folder of the data command, or of clip folders; the root of a data set")
    parser.add_argument("--dataset", choices=DATASETS, default="folders", help="dexycb, oakink2: as PAM prepares them")
    parser.add_argument("--split", choices=("train", "val", "all"), default="train", help="(default: train; every fifth is val)")


def codec_argument(parser: argparse.ArgumentParser) -> None:
    """Another autoencoder for the small models."""
    parser.add_argument(
        "--codec", type=Path, metavar="FILE", help="with --mini: vae.safetensors of the train command instead of the pack's"
    )


def clips(args: argparse.Namespace, variant: str = "motion"):
    """The choice of ``dataset_arguments``."""
    from ..dataset.clips import FolderClips
    from ..dataset.dexycb import DexYCBClips
    from ..dataset.oakink2 import OakInk2Clips

    if args.dataset == "dexycb":
        return DexYCBClips(args.data, args.split, variant)
    return (OakInk2Clips if args.dataset == "oakink2" else FolderClips)(args.data, args.split)


def models(args: argparse.Namespace):
    """The networks of a stage, with a control only where one is given."""
    from ..headless.cogvideox_models import CogVideoXFolder, MiniCogVideoX
    from ..headless.flux_models import FluxFolder, MiniFlux
    from ..mini.files import APPEARANCE, MOTION

    appearance = args.stage == "appearance"
    if args.codec is not None and not (args.mini and args.codec.is_file()):
        raise ValueError(f"Expected --mini and a file with --codec, found {args.codec}.")
    if args.mini:
        own = {"own_vae": args.codec, "own_control": args.flux_control if appearance else args.cogvideox_control}
        return MiniFlux(replace(APPEARANCE, **own)) if appearance else MiniCogVideoX(replace(MOTION, **own))
    folder = args.flux if appearance else args.cogvideox
    if folder is None:
        raise ValueError(f"Expected {'--flux' if appearance else '--cogvideox'} FOLDER, or --mini for the small models of the pack.")
    if appearance:
        return FluxFolder(folder, args.flux_control, args.flux_file, args.condition)
    return CogVideoXFolder(folder, args.cogvideox_control)


def run(args: argparse.Namespace, bars) -> list[Path]:
    """Encode."""
    from ..dataset.encode import EncodeOptions, encode_clips
    from ..headless.presets import LENGTH, MINI_LENGTH, MINI_SIZE, RELEASED_SIZE, SIZE

    size = args.size or (MINI_SIZE if args.mini else RELEASED_SIZE if args.stage == "appearance" else SIZE)
    options = EncodeOptions(
        args.stage,
        size,
        args.length or (MINI_LENGTH if args.mini else LENGTH),
        tuple(args.conditions.replace(",", " ").split()),
        args.hints or ("latent" if args.mini else "pixel"),
        args.every,
        args.stills,
        args.moments,
        args.store,
        args.shard,
        args.sampled,
    )
    source = clips(args, args.stage)
    networks = models(args)
    return encode_clips(source, networks, options, compute(args), args.out, args.overwrite, bars)
