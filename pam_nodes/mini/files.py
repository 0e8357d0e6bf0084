"""Where the shipped weights lie and what each file is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1] / "assets" / "mini"


@dataclass(frozen=True)
class MiniFiles:
    """Files of one stage.

    Attributes:
        model: base model in diffusers' key layout. control: its HOI control. vae: the patch autoencoder.
        t5, clip: text encoders in transformers' key layout; the motion stage has no CLIP.
        own_vae, own_control: files to take instead of the folder's.
    """

    folder: Path
    own_vae: Path | None = None
    own_control: Path | None = None

    @property
    def model(self) -> Path:
        return self._file("model")

    @property
    def control(self) -> Path:
        return self.own_control or self._file("control")

    @property
    def vae(self) -> Path:
        return self.own_vae or self._file("vae")

    @property
    def t5(self) -> Path:
        return self._file("t5")

    @property
    def clip(self) -> Path:
        return self._file("clip")

    def tokenizer(self, encoder: str) -> Path:
        """Folder of the tokenizer of "t5" or "clip"."""
        return self.folder / f"{encoder}_tokenizer"

    def config(self, encoder: str) -> dict:
        """Architecture of "t5" or "clip", in the words of their own config files."""
        return json.loads((self.folder / f"{encoder}_config.json").read_text(encoding="utf-8"))

    def _file(self, name: str) -> Path:
        return _present(self.folder / f"{name}.safetensors")


def refiner_file() -> Path:
    """The refiner of what both stages make."""
    return _present(ROOT / "refiner.safetensors")


def _present(path: Path) -> Path:
    if not path.is_file():
        raise FileNotFoundError(
            f"Expected the small model's weights {path.name} in {'/'.join(path.parts[-4:-1])}, found none: "
            "the pack was copied without its large files, install it again."
        )
    return path


APPEARANCE = MiniFiles(ROOT / "appearance")
MOTION = MiniFiles(ROOT / "motion")
