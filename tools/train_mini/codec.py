"""Train the patch autoencoders of both stages from rendered pictures.

python tools/train_mini/codec.py DATA OUT --kind image|video --minutes 6
"""

import argparse
import logging
import sys
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import mse_loss, pixel_unshuffle

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from data import PICTURES, Budget, Pictures, psnr, to_model

from pam_nodes.mini.codec import PatchAutoencoder, PatchAutoencoder3D, PatchCodec

log = logging.getLogger("codec")
CHOICES = np.array([0, 0, 0, 1, 2, 3])


def groups_of(frames: np.ndarray, size: int, rng: np.random.Generator, count: int, first: bool) -> torch.Tensor:
    """Random groups of ``size`` consecutive frames of one random picture kind each, stacked as channels."""
    rows = []
    for index, kind in zip(rng.integers(0, len(frames), count), rng.choice(CHOICES, count), strict=True):
        if frames.ndim == 5:
            rows.append(frames[index, kind][None])
        else:
            start = 0 if first else 1 + 4 * rng.integers(0, (frames.shape[1] - 1) // 4)
            rows.append(frames[index, start : start + size, kind])
    return to_model(np.stack(rows)).flatten(1, 2)


def fit(codec: PatchCodec, frames: np.ndarray, size: int, first: bool, minutes: float, held_out: int) -> None:
    """Start from principal components, then refine everything with L1 + MSE and latent noise."""
    rng = np.random.default_rng(0)
    train, test = frames[held_out:], frames[:held_out]
    patches = pixel_unshuffle(groups_of(train, size, rng, 384, first), 8).movedim(1, -1).flatten(0, 2)
    codec.start_from_patches(patches[torch.randperm(len(patches))[:60000]])
    optimizer = torch.optim.AdamW(codec.parameters(), lr=1e-3, fused=True)
    budget = Budget(minutes, 2e-3)
    report(codec, test, size, first)
    while budget.tick(optimizer):
        x = groups_of(train, size, rng, 12, first)
        latent = codec.encode(x)
        y = codec.decode(latent + 0.03 * torch.randn_like(latent))
        loss = 5 * mse_loss(y, x) + (y - x).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(codec.parameters(), 1.0)
        optimizer.step()
        if budget.steps % 500 == 0:
            report(codec, test, size, first, budget.steps)


@torch.no_grad()
def report(codec: PatchCodec, test: np.ndarray, size: int, first: bool, step: int = 0) -> None:
    """Log PSNR of each picture kind on held-out frames."""
    values = []
    for kind in range(len(PICTURES)):
        x = test[:, kind] if test.ndim == 5 else test[:, 0 if first else 1 : size + (0 if first else 1), kind]
        x = to_model(x[:, None] if test.ndim == 5 else x).flatten(1, 2)
        values.append(psnr(codec.decode(codec.encode(x)).clamp(-1, 1), x))
    log.info("step %d: %s", step, ", ".join(f"{name} {value:.2f} dB" for name, value in zip(PICTURES, values, strict=True)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--kind", choices=["image", "video"], required=True)
    parser.add_argument("--minutes", type=float, default=6.0, help="of processor time")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.manual_seed(0)
    args.out.mkdir(parents=True, exist_ok=True)
    if args.kind == "image":
        model = PatchAutoencoder()
        fit(model.frame, Pictures(args.data, "stills", 64).frames, 1, True, args.minutes, 64)
    else:
        model, clips = PatchAutoencoder3D(), Pictures(args.data, "clips", 16).frames
        fit(model.first, clips, 1, True, args.minutes * 0.3, 16)
        fit(model.group, clips, 4, False, args.minutes * 0.7, 16)
    torch.save(model.state_dict(), args.out / f"{args.kind}_codec.pt")


if __name__ == "__main__":
    main()
