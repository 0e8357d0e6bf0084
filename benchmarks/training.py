"""What a step of training costs, with and without recomputed blocks and with an 8-bit base model.

    python -m benchmarks.training motion LATENTS [--steps 5] [--preset mini]            # the pack's small models
    python -m benchmarks.training motion LATENTS --preset paper --cogvideox FOLDER      # the large ones, on a GPU
LATENTS is a folder of the encode command. On CUDA: wall seconds and the peak of allocated memory. On the CPU: process seconds.
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch
from accelerate import Accelerator

from pam_nodes.dataset.shards import LatentStore
from pam_nodes.headless.cogvideox_models import CogVideoXFolder, MiniCogVideoX
from pam_nodes.headless.compute import Compute, machine
from pam_nodes.headless.flux_models import FluxFolder, MiniFlux
from pam_nodes.training.config import TrainConfig, read_config
from pam_nodes.training.loop import Run, Trainer, loader
from pam_nodes.training.tasks import make_task


def measure(config: TrainConfig, quantize: str, args: argparse.Namespace, accelerator: Accelerator) -> str:
    """Time and memory of a step, after one to warm up."""
    place = machine(Compute(str(accelerator.device), "bf16" if accelerator.device.type == "cuda" else "fp32", quantize))
    if args.stage == "appearance":
        models = FluxFolder(args.flux, None) if args.flux else MiniFlux()
    else:
        models = CogVideoXFolder(args.cogvideox, None) if args.cogvideox else MiniCogVideoX()
    cuda = accelerator.device.type == "cuda"
    with tempfile.TemporaryDirectory() as out:
        run = Run(Path(out), make_task(config, LatentStore(args.latents), models, place, False, Path(out)))
        trainer, batches = Trainer(run, accelerator), iter(loader(run, 0, accelerator))
        trainer.step(batches, 1e-4)
        if cuda:
            torch.cuda.reset_peak_memory_stats()
            torch.cuda.synchronize()
        clock = time.monotonic if cuda else time.process_time
        begin = clock()
        for _ in range(args.steps):
            trainer.step(batches, 1e-4)
        seconds = (clock() - begin) / args.steps
    peak = f", {torch.cuda.max_memory_allocated() / 1e9:.2f} GB at the peak" if cuda else ""
    return f"{seconds:.2f} s a step of {config.optimization.batch * config.optimization.accumulate} samples{peak}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=["appearance", "motion"])
    parser.add_argument("latents", type=Path)
    parser.add_argument("--preset", default="mini")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--flux", type=Path)
    parser.add_argument("--cogvideox", type=Path)
    args = parser.parse_args()
    config = read_config(args.preset, args.stage)
    config = replace(config, watching=replace(config.watching, workers=0, samples=1))
    accelerator = Accelerator(mixed_precision=config.precision)
    for checkpointing in (False, True):
        for quantize in ("none", "fp8"):
            name = f"{args.stage} {args.preset}, blocks {'recomputed' if checkpointing else 'kept'}, base in {quantize}"
            print(f"{name:60}", measure(replace(config, checkpointing=checkpointing), quantize, args, accelerator), flush=True)


if __name__ == "__main__":
    main()
