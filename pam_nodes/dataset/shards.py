"""Latents and text embeddings on disk: safetensors shards, each written in one step, read without loading what is not asked for.

A store is a folder with ``latents_00000.safetensors`` (tensors ``<row>.<name>``, and in the header the names and prompts of its rows) and
``text_00000.safetensors`` (tensors ``<row>.<name>``, and in the header the prompts). Every prompt is stored once. Stills with
latents of their conditions also have ``absent.safetensors``: the latent of the black picture of a condition that is not there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from torch import Tensor

from ..tensor_files import open_tensors, write_tensors

LATENTS, TEXT, ABSENT = "latents", "text", "absent.safetensors"
SETTINGS = "manifest.json"
PICTURE, TOKENS = "picture", "tokens"
"""Names of the tensors that every row has, of latents and of text."""
FIRST = "_first"
"""Beside each name of a clip stands ``<name>_first``, the first frame encoded by itself."""
FOREGROUND = "foreground"
"""Name of a row's share of hand and object in each latent pixel, (h, w) or (T', h, w) in 0..1."""
SAMPLED = "sampled"
"""Name of the latents that the video model samples from a row's conditions."""


@dataclass(frozen=True)
class Row:
    """A sample of a store: its ``name``, its ``prompt``, and where its tensors lie."""

    name: str
    prompt: str
    file: Path
    place: int


def shard_name(kind: str, index: int) -> str:
    """File name of a shard of latents or text."""
    return f"{kind}_{index:05}.safetensors"


def write_shard(path: Path, rows: Sequence[Mapping[str, Tensor]], prompts: Sequence[str], names: Sequence[str] = ()) -> None:
    """Write the tensors of samples, whole or not at all; raises OSError if the disk is full."""
    tensors = {f"{place}.{name}": value for place, row in enumerate(rows) for name, value in row.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_tensors(path, tensors, {"prompts": json.dumps(list(prompts)), "names": json.dumps(list(names))})


def read_header(path: Path) -> tuple[list[str], list[str]]:
    """Prompts and names of a shard; raises ValueError for another file, or one that is cut off."""
    try:
        metadata = open_tensors(path).metadata
        return json.loads(metadata["prompts"]), json.loads(metadata["names"])
    except (KeyError, ValueError) as error:
        raise ValueError(
            f"Expected a whole shard of the encode command in {path}, found a broken or another file: delete it and encode again."
        ) from error


def check_tensors(paths: Sequence[Path], needed: str) -> None:
    """Raise ValueError unless every row of shards has its ``needed`` tensor, and tensors of one name the same shape; no data are read."""
    from safetensors import safe_open

    shapes: dict[str, list[int]] = {}
    for path in paths:
        rows = len(read_header(path)[0])
        with safe_open(path, framework="pt") as file:
            found = {key: file.get_slice(key).get_shape() for key in file.keys()}
        lacking = [place for place in range(rows) if f"{place}.{needed}" not in found]
        if lacking:
            raise ValueError(f"Expected '{needed}' of every sample in {path}, none in sample {lacking[0]}: delete it and encode again.")
        for key, shape in found.items():
            name = key.partition(".")[2]
            if shapes.setdefault(name, shape) != shape:
                raise ValueError(f"Expected {shapes[name]} numbers in every '{name}', found {shape} in {path}: delete it and encode again.")


@dataclass(frozen=True)
class LatentStore:
    """The samples of a folder that the encode command wrote.

    Attributes:
        folder: of the shards.
    """

    folder: Path

    def __post_init__(self):
        if not (self.folder / SETTINGS).is_file() or not self.rows or not self._texts:
            raise ValueError(f"Expected latents and text of the encode command in {self.folder}, found none: run it first.")
        lost = [name for name in self._record["made"] if not (self.folder / name).is_file()]
        if lost:
            raise ValueError(f"Expected every file that was encoded in {self.folder}, found no {lost[0]}: encode again, which makes it.")
        missing = sorted({row.prompt for row in self.rows} - self._texts.keys())
        if missing:
            raise ValueError(
                f"Expected text of every prompt in {self.folder}, found none of {len(missing)}, such as '{missing[0]}': "
                "a shard of text is missing, encode again."
            )
        black = self.folder / ABSENT
        check_tensors([*dict.fromkeys(row.file for row in self.rows), *([black] if black.is_file() else [])], PICTURE)
        check_tensors([*dict.fromkeys(path for path, _ in self._texts.values())], TOKENS)

    def __len__(self) -> int:
        return len(self.rows)

    def require(self, name: str) -> None:
        """Raise ValueError unless every sample has a tensor of this name."""
        check_tensors([*dict.fromkeys(row.file for row in self.rows)], name)

    @cached_property
    def settings(self) -> dict:
        """What the store was made with."""
        return self._record["settings"]

    @cached_property
    def _record(self) -> dict:
        """The encode command's record; raises ValueError for that of something else."""
        try:
            record = json.loads((self.folder / SETTINGS).read_text(encoding="utf-8"))
            return {"settings": dict(record["settings"]), "made": list(record["made"])}
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"Expected the record of the encode command in {self.folder / SETTINGS}, found something else.") from error

    @cached_property
    def rows(self) -> list[Row]:
        """Every sample, shard by shard."""
        found = []
        for path in sorted(self.folder.glob(f"{LATENTS}_*.safetensors")):
            prompts, names = read_header(path)
            found += [Row(name, prompt, path, place) for place, (name, prompt) in enumerate(zip(names, prompts, strict=True))]
        return found

    def sample(self, index: int) -> dict[str, Tensor]:
        """Tensors of one sample by name."""
        row = self.rows[index]
        return self._read(row.file, row.place)

    def absent(self) -> dict[str, Tensor]:
        """Tensors of the black picture, ``picture`` and perhaps ``picture_std``; empty where conditions are stored as pictures."""
        path = self.folder / ABSENT
        return self._read(path, 0) if path.is_file() else {}

    def text(self, prompt: str) -> dict[str, Tensor]:
        """Embeddings of one of the store's prompts, or of ""; raises KeyError for another."""
        return self._read(*self._texts[prompt])

    @cached_property
    def _texts(self) -> dict[str, tuple[Path, int]]:
        found = {}
        for path in sorted(self.folder.glob(f"{TEXT}_*.safetensors")):
            found |= {prompt: (path, place) for place, prompt in enumerate(read_header(path)[0])}
        return found

    def _read(self, path: Path, place: int) -> dict[str, Tensor]:
        start = f"{place}."
        file = self._open(path)
        return {name.removeprefix(start): file.get_tensor(name) for name in self._names[path] if name.startswith(start)}

    @cached_property
    def _files(self) -> dict:
        return {}

    @cached_property
    def _names(self) -> dict[Path, list[str]]:
        return {}

    def _open(self, path: Path):
        """The memory-mapped file, opened once in each process."""
        if path not in self._files:
            from safetensors import safe_open

            self._files[path] = safe_open(path, framework="pt")
            self._names[path] = list(self._files[path].keys())
        return self._files[path]

    def __getstate__(self):
        """Workers open the files themselves."""
        return {"folder": self.folder}
