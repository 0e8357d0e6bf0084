"""All stages: from hand poses and a mesh to video, for any number of seeds.

  python -m pam_nodes chain demo:mug --mini --out clip
  python -m pam_nodes chain mug.obj --seeds 0-9 --frame-seeds 42-43 --flux FLUX.1-dev --flux-control controlnet.bin \\
      --cogvideox CogVideoX-5b-I2V --cogvideox-control pam_motion --quantize fp8 --out clips
"""

from __future__ import annotations

import argparse
from pathlib import Path

from .appearance import flux_arguments, flux_models, frame_arguments, frame_options
from .arguments import compute, compute_arguments, seeds
from .motion import clip_arguments, clip_options, cogvideox_arguments, cogvideox_models
from .pose import pose_arguments, pose_options
from .render import render_arguments, render_options

INPUT = "MESH"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is made."""
    parser.add_argument("mesh", help="a .obj, .ply, .stl, .glb or .off file, or demo:mug (bottle can box hammer bowl ball)")
    parser.add_argument("--seeds", type=seeds, default=(0,), help="a motion for each, like 0-9 (default: 0)")
    parser.add_argument("--only-successes", action="store_true", help="go on only with motions whose grasp held")
    pose_arguments(parser)
    render_arguments(parser)
    frame_arguments(parser, "frame-")
    clip_arguments(parser, "clip-")
    flux_arguments(parser)
    cogvideox_arguments(parser)
    compute_arguments(parser)


def run(args: argparse.Namespace, bars) -> list[Path]:
    """Make everything."""
    from ..headless.chain import ChainOptions, make_chain
    from ..headless.presets import FPS, LENGTH, MINI_FPS, MINI_LENGTH, MINI_SIZE, RELEASED_SIZE, SIZE

    released = args.sampling == "released"
    length, fps, size, lift = (
        (MINI_LENGTH, MINI_FPS, MINI_SIZE, 0.12) if args.mini else (LENGTH, FPS, RELEASED_SIZE if released else SIZE, 0.2)
    )
    pose = pose_options(args, length=length, fps=fps, lift_height=lift)
    options = ChainOptions(
        pose,
        render_options(args, size, hand=pose.hand),
        frame_options(args, "frame-"),
        clip_options(args, "clip-"),
        flux_models(args),
        cogvideox_models(args),
        compute(args),
        args.only_successes,
    )
    return make_chain(options, args.out, args.overwrite, bars)
