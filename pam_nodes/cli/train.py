"""Train the control of a stage on latents of the encode command, or the pack's small models from nothing.

python -m pam_nodes train appearance mini --data latents/stills --mini --out runs/appearance
python -m pam_nodes train motion released --data latents/dexycb --cogvideox CogVideoX-5b-I2V --out runs/motion
torchrun --nproc_per_node 8 -m pam_nodes train motion paper --data latents/dexycb --cogvideox CogVideoX-5b-I2V --out runs/motion
python -m pam_nodes train video_codec mini --data data --size 288x192 --out runs/codec
python -m pam_nodes train video_codec decoder --data data --sampled latents/sampled --out runs/decoder
python -m pam_nodes train refiner mini --data data --sampled latents/sampled --out runs/refiner

The configuration is a YAML file or a preset: paper, released, lora, mini, scratch, further. The same command goes on from the newest
checkpoint. The codecs of the small models, and the refiner, learn from the clips of the data command instead of latents.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from .appearance import flux_arguments
from .arguments import compute, compute_arguments
from .data import pixels
from .encode import codec_argument, models
from .motion import cogvideox_arguments

INPUT = "STAGE CONFIG --data LATENTS"
FROM_CLIPS = ("image_codec", "video_codec", "refiner")
STAGES = ("appearance", "motion", *FROM_CLIPS)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is trained."""
    parser.add_argument("stage", choices=STAGES, help="the image or the video model, or the small models' autoencoders or refiner")
    parser.add_argument("config", help="a YAML file, or a preset: paper, released, lora, mini, scratch, further")
    from_clips = "folder of the encode command; of clips for codecs and refiner"
    parser.add_argument("--data", type=Path, required=True, metavar="LATENTS", help=from_clips)
    parser.add_argument("--validation", type=Path, metavar="LATENTS", help="for validation (default: the first samples of --data)")
    parser.add_argument("--steps", type=int, help="to train in all, instead of the file's")
    again = "go on from --flux-control, --cogvideox-control or the pack's control or refiner; where everything learns, from all its weights"
    parser.add_argument("--from-control", action="store_true", help=again)
    parser.add_argument("--size", type=pixels, default=(288, 192), metavar="WxH", help="of the codecs' clips (default: 288x192)")
    sampled = "with the refiner, or a codec's preset decoder: folder of 'encode motion --sampled'"
    parser.add_argument("--sampled", type=Path, metavar="LATENTS", help=sampled)
    codec_argument(parser)
    flux_arguments(parser)
    cogvideox_arguments(parser)
    compute_arguments(parser)


def run(args: argparse.Namespace, bars) -> list[Path]:
    """Train."""
    from ..dataset.clips import FolderClips
    from ..training.config import read_config
    from ..training.start import CodecStart, Start, start_codec, start_training

    config = read_config(args.config, args.stage)
    if args.steps is not None:
        config = replace(config, watching=replace(config.watching, steps=args.steps))
        config.check()
    if args.stage in FROM_CLIPS:
        start = CodecStart(config, FolderClips(args.data, "all"), args.size, args.codec, args.sampled, args.from_control)
        return start_codec(start, compute(args), args.out, args.overwrite, bars)
    networks = models(args)
    begin = Start(config, args.data, networks, args.from_control, args.validation, args.mini)
    return start_training(begin, compute(args), args.out, args.overwrite, bars)
