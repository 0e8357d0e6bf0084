"""Paint first frames: conditions and a prompt to pictures, with Flux and an HOI ControlNet.

python -m pam_nodes appearance conditions/motion_0 --flux FLUX.1-dev --flux-control controlnet.bin --seeds 42-45 --out frames
python -m pam_nodes appearance conditions/* --mini --out frames
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from ..prompting.presets import PRESETS
from .arguments import compute, compute_arguments, given, seeds, size_arguments, without_argument

INPUT = "CONDITIONS ..."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is painted."""
    parser.add_argument("conditions", nargs="+", type=Path, help="folders of the render command, or of pictures by name")
    parser.add_argument("--style", choices=("dexycb", "oakink2"), help="of folders that do not say it")
    without_argument(parser)
    size_arguments(parser, "default: that of the conditions")
    frame_arguments(parser)
    flux_arguments(parser)
    compute_arguments(parser)


def frame_arguments(parser: argparse.ArgumentParser, prefix: str = "") -> None:
    """Prompt and sampling; in a command with several stages with a prefix."""
    group = parser.add_argument_group("first frames")
    group.add_argument(f"--{prefix}prompt", help="what is seen; {object} stands for the object's name (default: PAM's prompt)")
    group.add_argument(f"--{prefix}negative", help="what is not, with --cfg above 1")
    words = f"a preset that words each picture anew by its seed (skin, place, light, camera): {', '.join(PRESETS)}"
    group.add_argument(f"--{prefix}wording", choices=PRESETS, metavar="NAME", help=words)
    group.add_argument(f"--{prefix}seeds", type=seeds, help="a picture for each, like 42-45 (default: 42)")
    group.add_argument(f"--{prefix}steps", type=int, help="(default: 28, with --mini 20)")
    group.add_argument(f"--{prefix}guidance", type=float, help="distilled guidance (default: 4)")
    group.add_argument(f"--{prefix}cfg", type=float, help="true guidance, twice the time; 1 is off (default: 1, with --mini 1.5)")
    group.add_argument(f"--{prefix}strength", type=float, help="of the control (default: 1)")
    group.add_argument(f"--{prefix}start", type=float, help="share of the steps at which the control begins (default: 0)")
    group.add_argument(f"--{prefix}end", type=float, help="and ends (default: 1)")
    group.add_argument(f"--{prefix}refine", type=float, help="share of the refiner's picture, of the small models (default: 1 with --mini)")
    group.add_argument("--frame", type=int, help="of the conditions that guides the picture; -1 is the last (default: 0)")


def flux_arguments(parser: argparse.ArgumentParser) -> None:
    """Which networks."""
    group = parser.add_argument_group("Flux")
    group.add_argument("--flux", type=Path, metavar="FOLDER", help="FLUX.1-dev in diffusers' layout")
    group.add_argument(
        "--flux-file", type=Path, metavar="FILE", help="a transformer in one file (.safetensors, .gguf) instead of the folder's"
    )
    group.add_argument("--flux-control", type=Path, metavar="FILE", help="HOI ControlNet: PAM's controlnet.bin or another")
    group.add_argument(
        "--condition", choices=("depth", "segmentation", "keypoints", "normals"), default="depth", help="what a 3-channel ControlNet reads"
    )


def flux_models(args: argparse.Namespace):
    """Where the networks come from."""
    from ..headless.flux_models import FluxFolder, MiniFlux
    from ..mini.files import APPEARANCE

    if args.mini:
        return MiniFlux(replace(APPEARANCE, own_control=args.flux_control))
    if args.flux is None or args.flux_control is None:
        raise ValueError("Expected --flux FOLDER and --flux-control FILE, or --mini for the small models of the pack.")
    return FluxFolder(args.flux, args.flux_control, args.flux_file, args.condition)


def frame_options(args: argparse.Namespace, prefix: str = "", **changes):
    """``FrameOptions`` of the arguments; ``changes`` stand in for what the defaults say."""
    from ..headless import presets

    def value(name: str):
        return getattr(args, f"{prefix}{name}".replace("-", "_"))

    options = replace(presets.frame_options(args.mini, args.sampling == "released"), **changes)
    names = ("steps", "guidance", "cfg", "strength", "start", "end")
    sampling = replace(options.sampling, **given(**{name: value(name) for name in names}))
    words = given(**{name: value(name) for name in ("prompt", "negative", "wording", "seeds", "refine")}, frame=args.frame)
    return replace(options, sampling=sampling, **words)


def run(args: argparse.Namespace, bars) -> list[Path]:
    """Paint."""
    from ..headless.frame_stage import make_frames

    changes = given(style=args.style, size=both(args.width, args.height), without=args.without and tuple(args.without))
    options = frame_options(args, **changes)
    return make_frames(args.conditions, flux_models(args), options, compute(args), args.out, args.overwrite, bars)


def both(width: int | None, height: int | None) -> tuple[int, int] | None:
    """A size of two numbers, or none; raises ValueError for one alone."""
    if (width is None) != (height is None):
        raise ValueError("Expected both --width and --height or neither, found one.")
    return None if width is None else (width, height)
