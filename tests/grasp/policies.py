"""Policy files for tests: networks of the right shapes that this project may ship."""

from pathlib import Path

import numpy as np
import torch

from pam_nodes.grasp.policy import LAYERS


def tensors(seed: int = 0, scale: float = 0.05) -> dict[str, torch.Tensor]:
    """Random weights by name, small, so that the fingers are hardly moved."""
    generator = torch.Generator().manual_seed(seed)
    names = [(f"architecture.{2 * i}", shape) for i, shape in enumerate(LAYERS)]
    weights = {f"{name}.weight": scale * torch.randn(shape, generator=generator) for name, shape in names}
    return weights | {f"{name}.bias": torch.zeros(shape[0]) for name, shape in names}


def closing() -> dict[str, torch.Tensor]:
    """Closes every long finger and the thumb whatever it sees."""
    weights = {name: torch.zeros_like(value) for name, value in tensors().items()}
    action = torch.zeros(51)
    action[6:42] = torch.tensor([0.0, 0.0, 3.0]).repeat(12)
    action[42:51] = torch.tensor([0.0, 1.5, 1.5]).repeat(3)
    weights["architecture.4.bias"] = action
    return weights


def checkpoint(folder: Path, weights: dict | None = None, name: str = "full_5600_r.pt") -> Path:
    """A file in the layout of GraspXL's checkpoints."""
    path = folder / name
    weights = tensors() if weights is None else weights
    torch.save(
        {
            "actor_architecture_state_dict": weights,
            "actor_distribution_state_dict": {"std": torch.ones(51)},
            "critic_architecture_state_dict": {},
            "optimizer_state_dict": {},
        },
        path,
    )
    return path


def reference(weights: dict[str, torch.Tensor], observation: np.ndarray) -> np.ndarray:
    """The network in torch."""
    values = torch.from_numpy(observation.astype(np.float32))
    for i in (0, 2):
        values = torch.nn.functional.leaky_relu(
            torch.nn.functional.linear(values, weights[f"architecture.{i}.weight"], weights[f"architecture.{i}.bias"]), 0.01
        )
    return torch.nn.functional.linear(values, weights["architecture.4.weight"], weights["architecture.4.bias"]).numpy()
