"""Film motions: depth, segmentation, key points, masks and camera of every frame.

python -m pam_nodes render motions/*.npz --out conditions
python -m pam_nodes render recording.npy --object bottle.obj --hand MANO_RIGHT.pkl --out conditions
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ..headless.words import PICTURES
from .arguments import given, hand, hand_arguments, mesh, mesh_arguments, size_arguments, vector

INPUT = "MOTION ..."
SKINS = ("light", "medium", "tan", "brown", "dark")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is filmed."""
    parser.add_argument("motions", nargs="+", type=Path, help="files of the pose command, or recordings of a known format")
    scene = parser.add_argument_group("scene")
    hand_arguments(scene)
    scene.add_argument("--second-hand", type=Path, metavar="FILE", help="of the other side, for recordings with two hands")
    scene.add_argument("--object", action="append", default=[], metavar="MESH", help="for recordings, in their order; may be repeated")
    mesh_arguments(scene)
    scene.add_argument("--length", type=int, help="frames from the start (default: all)")
    render_arguments(parser)


def render_arguments(parser: argparse.ArgumentParser) -> None:
    """Camera and pictures."""
    camera = parser.add_argument_group("camera")
    size_arguments(camera, "default 720 x 480, with --mini 288 x 192")
    camera.add_argument("--azimuth", type=float, help="degrees around the vertical axis (default: 25)")
    camera.add_argument("--elevation", type=float, help="degrees above the table (default: 30)")
    camera.add_argument("--fov", type=float, help="vertical field of view, degrees (default: 40)")
    camera.add_argument("--margin", type=float, help="share of the picture left free around the motion (default: 0.06)")
    camera.add_argument("--distance", type=float, help="metres from the target, instead of fitting the motion into the picture")
    vector(camera, "--look-at", None, "the target of --distance, metres")
    camera.add_argument("--lens", choices=("DexYCB",), help="a data set's lens instead of --fov")
    camera.add_argument(
        "--camera", type=Path, metavar="FILE", help=".npz or .json with world_to_camera and intrinsics, instead of all that"
    )
    camera.add_argument("--camera-keys", help="a moving camera, like '50%%: orbit 30, dolly 0.8, zoom 0.8'")
    camera.add_argument("--shake", type=float, help="strength of a hand-held camera")
    pictures = parser.add_argument_group("pictures")
    pictures.add_argument("--style", choices=("dexycb", "oakink2"), default="dexycb", help="whose colours")
    pictures.add_argument("--normals", action="store_true", help="also draw surface normals")
    pictures.add_argument("--pictures", choices=PICTURES, default="png", help="a folder of PNGs or a lossless .mp4 for each kind")
    pictures.add_argument("--preview", choices=SKINS, metavar="SKIN", help=f"also draw shaded pictures with this skin: {', '.join(SKINS)}")
    pictures.add_argument("--renderer", choices=("auto", "numpy", "numba", "torch", "pyrender"), default="auto", help="who draws")


def camera(args: argparse.Namespace, size: tuple[int, int]):
    """``CameraChoice`` of the arguments; ``size`` stands in for what is not given."""
    from ..headless.render_stage import CameraChoice

    numbers = given(
        width=args.width or size[0],
        height=args.height or size[1],
        azimuth=args.azimuth,
        elevation=args.elevation,
        fov=args.fov,
        distance=args.distance,
        target=args.look_at and tuple(args.look_at),
        lens=args.lens,
        file=args.camera,
        keys=args.camera_keys,
        shake=args.shake,
    )
    return CameraChoice(margin=0.06 if args.margin is None else args.margin, **numbers)


def render_options(args: argparse.Namespace, size: tuple[int, int], **scene):
    """``RenderOptions`` of the arguments; ``scene`` gives hands and objects."""
    from ..headless.render_stage import RenderOptions

    look = {"style": args.style, "normals": args.normals, "preview": args.preview, "pictures": args.pictures, "renderer": args.renderer}
    return RenderOptions(camera=camera(args, size), **look, **scene)


def run(args: argparse.Namespace, bars) -> list[Path]:
    """Film."""
    from ..headless.presets import SIZE
    from ..headless.render_stage import render_motions
    from ..headless.scene import HandChoice

    other = {"right": "left", "left": "right"}[args.side]
    second = None if args.second_hand is None else HandChoice(args.second_hand, other)
    objects = tuple(mesh(source, args) for source in args.object)
    options = render_options(args, SIZE, hand=hand(args), second_hand=second, objects=objects, length=args.length)
    return render_motions(args.motions, options, args.out, args.overwrite, bars)
