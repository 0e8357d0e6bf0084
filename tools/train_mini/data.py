"""Rendered pictures on disk, and what the trainers share: batches, schedule, moving average."""

import argparse
import json
import logging
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

log = logging.getLogger("train")
PICTURES = ("rgb", "depth", "segmentation", "keypoints")


class Pictures:
    """Shards of ``stills_*.npz`` (n, 4, H, W, 3) or ``clips_*.npz`` (n, T, 4, H, W, 3), uint8, with a prompt each."""

    def __init__(self, folder: Path, kind: str, held_out: int):
        shards = sorted(folder.glob(f"{kind}_*.npy"))
        if not shards:
            raise FileNotFoundError(f"Expected {kind}_*.npy in {folder}, found none: run scenes.py first.")
        self.frames = np.concatenate([np.load(path) for path in shards])
        self.prompts = [prompt for path in shards for prompt in json.loads(path.with_suffix(".json").read_text())]
        self.held_out = held_out

    def __len__(self) -> int:
        return len(self.frames)


def to_model(frames: np.ndarray) -> torch.Tensor:
    """uint8 (..., H, W, 3) to float (..., 3, H, W) in -1..1."""
    return torch.from_numpy(np.ascontiguousarray(frames)).movedim(-1, -3).float() / 127.5 - 1


class Budget:
    """A budget of processor time, so that a busy machine changes nothing, with warm-up and a linear decay in its last 30 %."""

    def __init__(self, minutes: float, rate: float):
        self.end, self.span, self.rate, self.steps = time.process_time() + 60 * minutes, 60 * minutes, rate, 0

    def tick(self, optimizer: torch.optim.Optimizer) -> bool:
        """Set the learning rate of the next step; False when the time is over."""
        left = (self.end - time.process_time()) / self.span
        self.steps += 1
        for group in optimizer.param_groups:
            group["lr"] = self.rate * min(1.0, self.steps / 100) * min(1.0, max(left, 0) / 0.3 + 0.02)
        return left > 0


class Average:
    """Exponential moving average of a module's parameters."""

    def __init__(self, module: torch.nn.Module, decay: float = 0.999):
        self.module, self.decay = module, decay
        self.values = [p.detach().clone() for p in module.parameters()]

    @torch.no_grad()
    def update(self, step: int) -> None:
        torch._foreach_lerp_(self.values, [p.detach() for p in self.module.parameters()], 1 - min(self.decay, (step + 1) / (step + 10)))

    def state_dict(self) -> dict[str, torch.Tensor]:
        """The module's state dict with averaged parameters."""
        names = [name for name, _ in self.module.named_parameters()]
        return {**self.module.state_dict(), **dict(zip(names, self.values, strict=True))}


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    """Decibels between pictures in -1..1."""
    return float((10 * torch.log10(4 / ((a - b) ** 2).flatten(1).mean(1))).mean())


def options(description: str, batch: int, rate: float) -> argparse.Namespace:
    """The command line of a trainer, with logging and seed set."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=48.0, help="of processor time")
    parser.add_argument("--batch", type=int, default=batch)
    parser.add_argument("--rate", type=float, default=rate)
    parser.add_argument("--resume", action="store_true", help="go on from what was written")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.manual_seed(0)
    return parser.parse_args()


def fit(
    model: torch.nn.Module, args: argparse.Namespace, path: Path, loss: Callable[[], torch.Tensor], validation: Callable[[], float]
) -> None:
    """Train until the budget is spent; the averaged weights are written to ``path`` every hundred steps."""
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    log.info("%.2f M parameters", sum(parameter.numel() for parameter in learning) / 1e6)
    optimizer = torch.optim.AdamW(learning, lr=args.rate, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    average, budget = Average(model), Budget(args.minutes, args.rate)
    while budget.tick(optimizer):
        value = loss()
        optimizer.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(learning, 1.0)
        optimizer.step()
        average.update(budget.steps)
        if budget.steps % 100 == 0:
            log.info("step %d train %.4f validation %.4f", budget.steps, value, validation())
            torch.save(average.state_dict(), path)
    torch.save(average.state_dict(), path)
