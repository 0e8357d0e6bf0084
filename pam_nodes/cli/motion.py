"""Film first frames: conditions, pictures and a prompt to video, with CogVideoX and an HOI control.

python -m pam_nodes motion conditions/motion_0 frames/motion_0_*.png --cogvideox CogVideoX-5b-I2V --cogvideox-control pam_motion --out clips
python -m pam_nodes motion conditions/motion_0 photo.jpg --mini --out clips
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from ..headless.words import SCHEDULERS
from .appearance import both
from .arguments import compute, compute_arguments, given, seeds, size_arguments, without_argument

INPUT = "CONDITIONS PICTURE ..."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is filmed."""
    parser.add_argument("conditions", type=Path, help="a folder of the render command, or of pictures by name")
    parser.add_argument("frames", nargs="+", type=Path, help="first frames, a clip for each: the appearance command's, or any pictures")
    parser.add_argument("--style", choices=("dexycb", "oakink2"), help="of a folder that does not say it")
    without_argument(parser)
    size_arguments(parser, "default 720 x 480, with --mini that of the conditions")
    parser.add_argument("--length", type=int, help="frames, 4k + 1 (default: all of the conditions)")
    parser.add_argument("--fps", type=float, help="of the clip (default: that of the conditions)")
    clip_arguments(parser)
    cogvideox_arguments(parser)
    compute_arguments(parser)


def clip_arguments(parser: argparse.ArgumentParser, prefix: str = "") -> None:
    """Prompt and sampling; in a command with several stages with a prefix."""
    group = parser.add_argument_group("clips")
    group.add_argument(f"--{prefix}prompt", help="what happens; {object} stands for the object's name (default: PAM's prompt)")
    group.add_argument(f"--{prefix}negative", help="what must not be seen (default: PAM's negative prompt)")
    group.add_argument(f"--{prefix}seeds", type=seeds, help="a clip for each, like 42-45 (default: 42)")
    group.add_argument(f"--{prefix}steps", type=int, help="(default: 50, with --mini 2)")
    group.add_argument(f"--{prefix}guidance", type=float, help="1 is off and twice as fast (default: 6, with --mini 1)")
    group.add_argument(f"--{prefix}constant-guidance", action="store_true", default=None, help="do not vary it over the steps")
    group.add_argument(f"--{prefix}scheduler", choices=SCHEDULERS, help="dpm as released, ddim without randomness (default: dpm)")
    group.add_argument(f"--{prefix}strength", type=float, help="of the control (default: 1)")
    group.add_argument(f"--{prefix}start", type=float, help="share of the steps at which the control begins (default: 0)")
    group.add_argument(f"--{prefix}end", type=float, help="and ends (default: 1)")
    group.add_argument(f"--{prefix}refine", type=float, help="share of the refiner's frames, of the small models (default: 1 with --mini)")


def cogvideox_arguments(parser: argparse.ArgumentParser) -> None:
    """Which networks."""
    group = parser.add_argument_group("CogVideoX")
    group.add_argument("--cogvideox", type=Path, metavar="FOLDER", help="CogVideoX-5b-I2V in diffusers' layout")
    group.add_argument(
        "--cogvideox-control", type=Path, metavar="PATH", help="HOI control: PAM's merged checkpoint, or a control-only file"
    )


def cogvideox_models(args: argparse.Namespace):
    """Where the networks come from."""
    from ..headless.cogvideox_models import CogVideoXFolder, MiniCogVideoX
    from ..mini.files import MOTION

    if args.mini:
        return MiniCogVideoX(replace(MOTION, own_control=args.cogvideox_control))
    if args.cogvideox is None or args.cogvideox_control is None:
        raise ValueError("Expected --cogvideox FOLDER and --cogvideox-control PATH, or --mini for the small models of the pack.")
    return CogVideoXFolder(args.cogvideox, args.cogvideox_control)


def clip_options(args: argparse.Namespace, prefix: str = "", **changes):
    """``ClipOptions`` of the arguments; ``changes`` stand in for what the defaults say."""
    from ..headless import presets

    def value(name: str):
        return getattr(args, f"{prefix}{name}".replace("-", "_"))

    options = replace(presets.clip_options(args.mini, args.sampling == "released"), **changes)
    numbers = given(**{name: value(name) for name in ("steps", "guidance", "scheduler", "strength", "start", "end")})
    if value("constant-guidance"):
        numbers["dynamic"] = False
    words = given(prompt=value("prompt"), negative=value("negative"), seeds=value("seeds"), refine=value("refine"))
    return replace(options, sampling=replace(options.sampling, **numbers), **words)


def run(args: argparse.Namespace, bars) -> list[Path]:
    """Film."""
    from ..headless.clip_stage import make_clips

    size, without = both(args.width, args.height), args.without and tuple(args.without)
    changes = given(style=args.style, size=size, length=args.length, fps=args.fps, without=without)
    options = clip_options(args, **changes)
    pairs = [(args.conditions, frame) for frame in args.frames]
    return make_clips(pairs, cogvideox_models(args), options, compute(args), args.out, args.overwrite, bars)
