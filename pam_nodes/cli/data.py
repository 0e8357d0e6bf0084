"""Make labelled clips to train with: random hands, objects, grasps, cameras, tables and lights, by the thousand.

python -m pam_nodes data --clips 2000 --seed 0 --workers 8 --out data
python -m pam_nodes data meshes/*.obj demo:mug --clips 100 --size 288x192 --length 17 --fps 8 --out data
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

INPUT = "[MESH ...]"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is made."""
    parser.add_argument("objects", nargs="*", metavar="MESH", help="mesh files or demo:mug and the like (default: every demo object)")
    parser.add_argument("--clips", type=int, default=100, help="how many (default: 100)")
    parser.add_argument("--seed", type=int, default=0, help="of all chance (default: 0)")
    parser.add_argument("--size", type=pixels, default=(720, 480), metavar="WxH", help="pixels (default: 720x480)")
    parser.add_argument("--length", type=int, default=49, help="frames (default: 49)")
    parser.add_argument("--fps", type=float, default=15.0, help="frames a second (default: 15)")
    parser.add_argument("--workers", type=int, default=1, help="processes; the clips do not depend on it (default: 1)")
    parser.add_argument("--hand", type=Path, metavar="FILE", help="MANO_RIGHT.pkl and the like, of --side (default: the CC0 hand)")
    parser.add_argument("--side", choices=("both", "right", "left"), default="both", help="which hands (default: both)")
    parser.add_argument("--units", choices=("m", "cm", "mm", "inch"), default="m", help="of mesh files")
    parser.add_argument("--up-axis", choices=("auto", "z", "y"), default="auto", help="of mesh files (auto: y for .glb)")
    parser.add_argument("--backgrounds", type=Path, metavar="FOLDER", help="pictures that stand behind half of the scenes")
    parser.add_argument("--style", choices=("dexycb", "oakink2"), default="dexycb", help="whose colours")
    parser.add_argument("--normals", action="store_true", help="also draw surface normals")
    parser.add_argument("--pictures", choices=("png", "mp4"), default="mp4", help="a lossless .mp4 or a folder of PNGs for each kind")


def pixels(text: str) -> tuple[int, int]:
    """ "720x480" as two numbers."""
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text.strip())
    if not match:
        raise argparse.ArgumentTypeError(f"expected a size like 720x480, found '{text}'")
    return int(match[1]), int(match[2])


def run(args: argparse.Namespace, bars) -> list[Path]:
    """Make them."""
    from ..dataset.generate import DataOptions, make_data
    from ..dataset.scenes import SceneOptions
    from ..geometry.mesh_io import MeshOptions

    mesh = MeshOptions(args.units, up_axis=args.up_axis)
    scenes = SceneOptions(tuple(args.objects), mesh, args.hand, args.side, args.length, args.fps)
    options = DataOptions(scenes, args.clips, args.seed, args.size, args.style, args.normals, args.backgrounds, args.pictures)
    return make_data(options, args.out, args.workers, args.overwrite, bars)
