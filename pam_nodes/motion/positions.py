"""Positions of CogVideoX's tokens as diffusers computes them, for any size (checked against it in tests/motion)."""

from __future__ import annotations

import torch
from torch import Tensor

Rotary = tuple[Tensor, Tensor]
"""Cosines and sines (S, head_dim) of the video tokens, pairs interleaved."""


def rotary(
    head_dim: int, frames: int, height: int, width: int, base: tuple[int, int] | None = None, device: torch.device | None = None
) -> Rotary:
    """Rotary angles of a grid of tokens, frame by frame, row by row.

    Args:
        head_dim: channels of a head: a quarter for time, three eighths for rows and columns each.
        frames, height, width: tokens.
        base: (height, width) in tokens the model was trained at; another size is fitted into its middle
            (``get_resize_crop_region_for_grid``). None: whole steps at any size, as CogVideoX 1.5 has.
    """
    rows, columns = _fitted(height, width, base, device)
    times = torch.arange(frames, dtype=torch.float32, device=device)
    parts = []
    for axis, (positions, dim) in enumerate(((times, head_dim // 4), (rows, head_dim // 8 * 3), (columns, head_dim // 8 * 3))):
        rates = 1.0 / 10000.0 ** (torch.arange(0, dim, 2, dtype=torch.float32, device=device) / dim)
        angles = torch.outer(positions, rates).repeat_interleave(2, dim=1)
        shape = [1, 1, 1, angles.shape[1]]
        shape[axis] = len(positions)
        parts.append(angles.view(shape).expand(frames, height, width, -1))
    angles = torch.cat(parts, dim=-1).flatten(0, 2)
    return angles.cos(), angles.sin()


def _fitted(height: int, width: int, base: tuple[int, int] | None, device) -> tuple[Tensor, Tensor]:
    """Positions of rows and columns on the grid of training."""
    if base is None or base == (height, width):
        return (torch.arange(count, dtype=torch.float32, device=device) for count in (height, width))
    tall, wide = base
    fitted = (tall, round(tall / height * width)) if height / width > tall / wide else (round(wide / width * height), wide)
    spans = []
    for count, full, part in ((height, tall, fitted[0]), (width, wide, fitted[1])):
        start = round((full - part) / 2.0)
        spans.append(torch.linspace(start, (start + part) * (count - 1) / count, count, dtype=torch.float32, device=device))
    return spans[0], spans[1]


def sines(dim: int, frames: int, height: int, width: int, scale: float, device: torch.device | None = None) -> Tensor:
    """Sine positions that CogVideoX-2B adds to its tokens: (1, frames * height * width, dim), a quarter time, the rest columns then rows.

    Args:
        scale: spatial interpolation scale, 1.875 in 2B.
    """
    columns, rows = (_sine(dim // 8 * 3, torch.arange(count, dtype=torch.float64) / scale) for count in (width, height))
    times = _sine(dim // 4, torch.arange(frames, dtype=torch.float64))
    space = torch.cat([columns[None].expand(height, -1, -1), rows[:, None].expand(-1, width, -1)], dim=-1)
    table = torch.cat([times[:, None, None].expand(-1, height, width, -1), space[None].expand(frames, -1, -1, -1)], dim=-1)
    return table.flatten(0, 2)[None].float().to(device)


def _sine(dim: int, positions: Tensor) -> Tensor:
    rates = 1.0 / 10000.0 ** (torch.arange(dim // 2, dtype=torch.float64) / (dim / 2.0))
    angles = torch.outer(positions, rates)
    return torch.cat([angles.sin(), angles.cos()], dim=1)
