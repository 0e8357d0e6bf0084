"""GraspXL's pretrained MANO policy: a small network the user brings, run on NumPy (specs: graspxl 2)."""

from __future__ import annotations

import hashlib
import io
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

OBSERVATION, ACTION = 304, 51
LAYERS = ((128, OBSERVATION), (128, 128), (ACTION, 128))
ROBOTS = {210: "the Allegro hand's", 258: "the Shadow hand's"}
"""Number of observations of GraspXL's other policies."""

SLOPE = 0.01
"""Of the leaky rectifier between the layers."""

MAX_BYTES = 64 << 20
ACTOR = "actor_architecture_state_dict"


@dataclass(frozen=True, eq=False)
class GraspPolicy:
    """The actor: observation (304,) to action (51,).

    Attributes:
        weights, biases: of three layers, float32 (out, in) and (out,).
        name: of the file, for people.
        digest: sha256 of the file content, for caches.
    """

    weights: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray, ...]
    name: str
    digest: str

    def act(self, observation: np.ndarray) -> np.ndarray:
        """Mean action (51,) float64, not squashed, for an observation (304,)."""
        values = observation.astype(np.float32)
        last = len(self.weights) - 1
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            values = weight @ values + bias
            if i < last:
                values = np.where(values > 0, values, np.float32(SLOPE) * values)
        return values.astype(np.float64)


def load_policy(path: str | Path) -> GraspPolicy:
    """Read a policy file.

    Args:
        path: ``full_5600_r.pt`` of GraspXL's ``floating_mixed`` folder, or its actor tensors as .safetensors or .npz
            (``architecture.{0,2,4}.{weight,bias}``).

    Returns:
        The policy.

    Raises:
        ValueError: another file, a damaged one, or one that would run code; the sentence says what was expected and found.
    """
    path = Path(path)
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    try:
        if len(data) > MAX_BYTES:
            raise ValueError(f"expected at most {MAX_BYTES >> 20} MB, found more")
        weights, biases = _checked(_tensors(data, path.suffix.lower()))
    except ValueError as error:
        raise ValueError(f"Cannot load the grasp policy '{path.name}': {error}. Choose full_5600_r.pt of GraspXL's MANO hand.") from error
    return GraspPolicy(weights, biases, path.name, hashlib.sha256(data).hexdigest())


def _tensors(data: bytes, suffix: str) -> dict[str, Any]:
    """Named arrays of a file, unchecked."""
    if suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            return load(data)
        except SafetensorError as error:
            raise ValueError(f"the .safetensors file is truncated or damaged ({error})") from error
    if suffix == ".npz":
        import zipfile

        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as archive:
                return {name: archive[name] for name in archive.files}
        except (zipfile.BadZipFile, EOFError, OSError, ValueError) as error:
            raise ValueError(f"the .npz file is truncated, damaged or holds objects ({error})") from error
    if suffix in (".pt", ".pth", ".bin"):
        return _actor(_torch(data))
    raise ValueError(f"expected a .pt, .safetensors or .npz file, found '{suffix}'")


def _torch(data: bytes) -> Any:
    """Content of a torch checkpoint, plain tensors only."""
    import torch

    try:
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        text = str(error).split("\n")[0]
        raise ValueError(f"it asks for more than plain tensors, or is damaged ({text[:200]})") from error
    except Exception as error:  # torch reports damage as RuntimeError, EOFError, KeyError, AssertionError ...
        raise ValueError(
            f"the checkpoint is truncated or damaged ({str(error).splitlines()[0][:200] if str(error) else type(error).__name__})"
        ) from error


def _actor(content: Any) -> dict[str, np.ndarray]:
    """The actor's tensors of a checkpoint as arrays."""
    if not isinstance(content, dict):
        raise ValueError(f"expected a dict of tensors, found {type(content).__name__}")
    tensors = content.get(ACTOR, content)
    if not isinstance(tensors, dict):
        raise ValueError(f"expected tensors under '{ACTOR}', found {type(tensors).__name__}")
    return {str(key): value.float().numpy() for key, value in tensors.items() if hasattr(value, "numpy")}


def _checked(tensors: dict[str, Any]) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """Weights and biases of the three layers."""
    first = tensors.get("architecture.0.weight")
    if first is not None and first.ndim == 2 and first.shape[1] in ROBOTS:
        raise ValueError(f"it is {ROBOTS[first.shape[1]]} policy, expected the MANO hand's")
    arrays: dict[str, list[np.ndarray]] = {"weight": [], "bias": []}
    for i, shape in enumerate(LAYERS):
        for kind, expected in (("weight", shape), ("bias", shape[:1])):
            key = f"architecture.{2 * i}.{kind}"
            if key not in tensors:
                found = ", ".join(sorted(map(str, tensors))[:3]) or "nothing"
                raise ValueError(f"'{key}' is missing, found {found}")
            array = np.asarray(tensors[key])
            if array.shape != expected or array.dtype.kind != "f":
                raise ValueError(f"expected '{key}' of shape {expected}, found {array.shape} of {array.dtype}")
            if not np.isfinite(array).all():
                raise ValueError(f"'{key}' holds NaN or infinite numbers")
            arrays[kind].append(np.ascontiguousarray(array, np.float32))
    return tuple(arrays["weight"]), tuple(arrays["bias"])
