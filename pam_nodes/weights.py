"""What every checkpoint loader checks before it copies weights."""

from __future__ import annotations

from torch import Tensor, nn


def require_complete(module: nn.Module, tensors: dict[str, Tensor], what: str) -> None:
    """Raise ValueError naming the first tensors that are missing, unknown or of another shape than the module's."""
    wanted = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    missing = sorted(wanted.keys() - tensors.keys())
    unknown = sorted(tensors.keys() - wanted.keys())
    shapes = sorted(name for name in wanted.keys() & tensors.keys() if wanted[name] != tuple(tensors[name].shape))
    for problem, names in (("without", missing), ("with the unknown", unknown), ("with another shape of", shapes)):
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise ValueError(f"Expected a complete {what}, found a file {problem} {', '.join(names[:3])}{more}: download or save it again.")
