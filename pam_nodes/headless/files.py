"""Files that are whole or not there, and what they say about how they were made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ..mini.files import MiniFiles

PROVENANCE = "pam"
"""Key of the metadata, in pictures and clips, that says how they were made (JSON)."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to, which takes the place of ``path`` when the block ends well and goes away otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".part-{path.name}")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def save_bytes(path: Path, content: bytes) -> None:
    """Write a file in one step."""
    with replacing(path) as part:
        part.write_bytes(content)


def save_json(path: Path, content: dict) -> None:
    """Write readable JSON in one step."""
    save_bytes(path, (json.dumps(content, indent=1, sort_keys=True) + "\n").encode())


def save_picture(path: Path, picture: np.ndarray, provenance: dict | None = None) -> None:
    """(H, W, 3) or (H, W) uint8 as PNG, with its provenance as text in it."""
    from PIL import Image, PngImagePlugin

    info = PngImagePlugin.PngInfo()
    if provenance is not None:
        info.add_itxt(PROVENANCE, json.dumps(provenance))
    with replacing(path) as part:
        Image.fromarray(picture).save(part, format="PNG", pnginfo=info, compress_level=4)


def read_picture(path: Path) -> np.ndarray:
    """(H, W, 3) uint8 of a picture file; raises ValueError when it is none."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert("RGB"))
    except (UnidentifiedImageError, OSError, ValueError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise ValueError(f"Expected a picture, could not read {path.name} ({error}).") from error


def digest_of(path: Path) -> str:
    """sha256 of a small file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def mini_stamp(files: MiniFiles) -> dict[str, str]:
    """Which small models are used, for the record."""
    vae = {"vae": digest_of(files.own_vae)} if files.own_vae else {}
    return {"base": f"mini {stamp_of(files.model)}", "control": stamp_of(files.control)} | vae


def stamp_of(path: Path) -> str:
    """Name and size of a weights file or folder: hashing many gigabytes takes longer than using them."""
    files = sorted(path.rglob("*.safetensors")) if path.is_dir() else [path]
    return f"{path.name} {sum(file.stat().st_size for file in files)}"
