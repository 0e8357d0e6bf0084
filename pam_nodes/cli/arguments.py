"""Arguments that several commands share."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from ..headless.words import DTYPES, OFFLOAD, QUANTIZE

POSE_HELP = (
    'JSON such as {"preset": "relaxed", "wrist": [0, -0.3, 0.2], "rotation": [0, 0, 0], "fingers": {"index": {"flexion": 0.5}}} in metres '
    'and degrees (presets: flat relaxed fist pinch tripod grasp point; or "hand_pose" with 45 numbers), a file with it, or a motion file'
)


def seeds(text: str) -> tuple[int, ...]:
    """ "42", "1,5,9" or "0-9" as numbers, each once."""
    found: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part)
        if not match:
            raise argparse.ArgumentTypeError(f"expected seeds like 42 or 0-9 or 1,5,9, found '{text}'")
        first, last = int(match[1]), int(match[2] or match[1])
        if not first <= last < first + 100_000:
            raise argparse.ArgumentTypeError(f"expected a rising range of at most 100000 seeds, found '{part}'")
        found += range(first, last + 1)
    return tuple(dict.fromkeys(found))


def vector(parser: Any, flag: str, default: tuple[float, ...] | None, help: str) -> None:
    """Three numbers."""
    parser.add_argument(flag, nargs=3, type=float, default=default, metavar=("X", "Y", "Z"), help=help)


def size_arguments(parser: Any, help: str) -> None:
    """Width and height in pixels."""
    parser.add_argument("--width", type=int, help=f"pixels; {help}")
    parser.add_argument("--height", type=int, help=f"pixels; {help}")


def compute_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the networks run."""
    group = parser.add_argument_group("computing")
    group.add_argument("--device", default="auto", help="cuda, cuda:1, mps, cpu (default: the GPU if there is one)")
    group.add_argument("--dtype", choices=DTYPES, default="auto", help="of the computation (default: bf16 on a GPU, fp32 on the CPU)")
    group.add_argument("--quantize", choices=QUANTIZE, default="none", help="store weights in 8 bits, or in 4 (needs bitsandbytes)")
    group.add_argument(
        "--offload", choices=OFFLOAD, default="none", help="keep on the GPU only the network, block (group) or layer (sequential) in use"
    )
    group.add_argument("--mini", action="store_true", help="the small models that come with the pack: no download, runs on a CPU")
    group.add_argument(
        "--sampling", choices=("default", "released"), default="default", help="released: PAM's odd schedule, sizes and noise to the letter"
    )


def compute(args: argparse.Namespace):
    """The choice of ``compute_arguments``."""
    from ..headless.compute import Compute

    return Compute(args.device, args.dtype, args.quantize, args.offload)


def hand_arguments(parser: Any) -> None:
    """Which hand."""
    parser.add_argument("--hand", type=Path, metavar="FILE", help="MANO_RIGHT.pkl and the like (default: the CC0 hand of the pack)")
    parser.add_argument("--side", choices=("right", "left"), default="right", help="which hand")
    parser.add_argument("--betas", default="", help="shape of the hand: up to ten numbers, separated by commas")


def hand(args: argparse.Namespace):
    """The choice of ``hand_arguments``."""
    from ..headless.scene import HandChoice

    return HandChoice(args.hand, args.side, args.betas)


def mesh_arguments(parser: Any) -> None:
    """How a mesh file is read."""
    parser.add_argument("--units", choices=("m", "cm", "mm", "inch"), default="m", help="of the mesh file")
    parser.add_argument("--scale", type=float, default=1.0, help="extra size factor")
    parser.add_argument("--up-axis", choices=("auto", "z", "y"), default="auto", help="of the mesh file (auto: y for .glb)")
    parser.add_argument("--keep-origin", action="store_true", help="do not stand the mesh on its origin")
    parser.add_argument("--name", default="", help="what it is, for prompts (default: the file's name)")
    parser.add_argument("--label", type=int, help="YCB id 1 to 21 of the segmentation colour (default: 14, or the demo object's)")
    parser.add_argument("--color", help="of the object in shaded previews, like #c62122")


def mesh(source: str, args: argparse.Namespace, **place):
    """The choice of ``mesh_arguments`` for a mesh; ``place`` as in ``ObjectChoice``."""
    from ..geometry.mesh_io import MeshOptions
    from ..headless.scene import ObjectChoice

    options = MeshOptions(args.units, args.scale, args.up_axis, not args.keep_origin)
    return ObjectChoice(source, options, args.scale, args.name, args.label, args.color, **place)


def without_argument(parser: Any) -> None:
    """Conditions to leave out."""
    names = ("depth", "segmentation", "keypoints", "normals", "tracking")
    parser.add_argument("--without", action="append", choices=names, help="a condition to leave out, for ablations; may be repeated")


def given(**values: Any) -> dict[str, Any]:
    """The values that were set, for ``dataclasses.replace``."""
    return {name: value for name, value in values.items() if value is not None}
