"""What every checkpoint loader checks before it copies weights."""

from __future__ import annotations

from torch import Tensor, nn


def require_complete(module: nn.Module, tensors: dict[str, Tensor], what: str) -> None:
    """Raise ValueError naming the first tensors that are missing, unknown or of another shape than the module's."""
    wanted = _shapes(module)
    missing = sorted(wanted.keys() - tensors.keys())
    unknown = sorted(tensors.keys() - wanted.keys())
    shapes = sorted(name for name in wanted.keys() & tensors.keys() if wanted[name] != tuple(tensors[name].shape))
    for problem, names in (("without", missing), ("with the unknown", unknown), ("with another shape of", shapes)):
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise ValueError(f"Expected a complete {what}, found a file {problem} {', '.join(names[:3])}{more}: download or save it again.")


def _shapes(module: nn.Module) -> dict[str, tuple[int, ...]]:
    """Shapes by name; ComfyUI with dynamic memory makes the tensors of linear layers only when a file is copied into them."""
    shapes = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    for name, layer in module.named_modules():
        if isinstance(layer, nn.Linear) and layer.weight is None:
            shapes[f"{name}.weight"] = (layer.out_features, layer.in_features)
            if layer.comfy_need_lazy_init_bias:
                shapes[f"{name}.bias"] = (layer.out_features,)
    return shapes
