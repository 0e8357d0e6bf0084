"""Compare generated clips with the real ones: PSNR, SSIM, motion fidelity, joints, and distances by features.

python -m pam_nodes evaluate clips/*.mp4 --data data --split val --out evaluation
python -m pam_nodes evaluate clips/*.mp4 --data DATA --dataset dexycb --lpips lpips_alex.pt --i3d i3d_torchscript.pt --out evaluation

Clips are named after the real ones. LPIPS and FVD need their networks as TorchScript files, which are run: take them from people you
trust. Joints in space need an estimator's results: a file for each generated clip, named after it, with "joints" (T, 21, 3) in metres and
the camera's axes, or hand parameters of HaMeR or WiLoR.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from .encode import DATASETS, clips

INPUT = "CLIP ... --data DATA"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is compared."""
    parser.add_argument("generated", nargs="+", type=Path, metavar="CLIP", help=".mp4 files such as clip_00004_frame42_clip42.mp4")
    parser.add_argument("--data", type=Path, required=True, help="the real clips: folder of the data command, or the root of a data set")
    parser.add_argument("--dataset", choices=DATASETS, default="folders", help="dexycb, oakink2: as PAM prepares them")
    parser.add_argument("--split", choices=("train", "val", "all"), default="all", help="(default: all)")
    parser.add_argument("--lpips", type=Path, metavar="FILE", help="LPIPS network, TorchScript")
    parser.add_argument("--i3d", type=Path, metavar="FILE", help="I3D network for FVD, TorchScript")
    parser.add_argument("--joints", type=Path, metavar="FOLDER", help="joints an estimator found in each clip: .npz, .npy, .json, .pkl")
    parser.add_argument("--hand", type=Path, metavar="FILE", help="MANO_RIGHT.pkl, for hand parameters (default: the CC0 hand)")
    parser.add_argument("--left-hand", type=Path, metavar="FILE", help="the same for left hands")
    parser.add_argument(
        "--tracks", metavar="FOLDER", help="true tracks of each real clip, .npz of CoTracker's form; rendered: those of the data command"
    )
    parser.add_argument("--paper", choices=("DexYCB", "OAKINK2"), help="whose numbers of the paper stand beside (default: the data set's)")
    parser.add_argument("--label", default="these clips", help="of the row in the table")
    parser.add_argument("--device", default="auto", help="cuda, cuda:1, mps, cpu (default: the GPU if there is one)")


def run(args: argparse.Namespace, bars) -> list[Path]:
    """Compare."""
    from ..evaluation.distances import LatentFeatures, load_network
    from ..evaluation.measure import Given, Networks, evaluate
    from ..headless.compute import Compute, machine
    from ..headless.scene import HandChoice

    place = machine(Compute(args.device, "fp32"))
    networks = Networks(
        LatentFeatures(place),
        None if args.lpips is None else load_network("LPIPS", args.lpips, place),
        None if args.i3d is None else load_network("I3D", args.i3d, place),
    )
    data = args.paper or ("OAKINK2" if args.dataset == "oakink2" else "DexYCB")
    hands = {side: HandChoice(file, side).load() for side, file in (("right", args.hand), ("left", args.left_hand))}
    given = Given(args.joints, args.tracks, hands)
    return evaluate(args.generated, clips(args), networks, args.out, data, args.label, given, bars)
