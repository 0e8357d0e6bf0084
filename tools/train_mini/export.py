"""Write the trained mini models as the float16 files the pack ships.

python tools/train_mini/export.py OUT pam_nodes/assets/mini
"""

import argparse
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from image import CONTROL as IMAGE_CONTROL
from video import CONTROL as VIDEO_CONTROL

from pam_nodes.appearance.checkpoint import metadata_of
from pam_nodes.motion.checkpoint import from_module_keys
from pam_nodes.motion.checkpoint import metadata_of as video_metadata


def part(state: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """Tensors under a prefix, without it."""
    return {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}


def save(tensors: dict[str, torch.Tensor], path: Path, metadata: dict[str, str] | None = None) -> None:
    """One safetensors file in float16."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(
        {key: value.half().contiguous() for key, value in tensors.items()}, path, metadata={"license": "Apache-2.0", **(metadata or {})}
    )
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


def save_text(state: dict[str, torch.Tensor], source: Path, folder: Path, encoders: tuple[str, ...]) -> None:
    """Text encoders, their configs and tokenizers."""
    for name in encoders:
        tensors = part(state, f"text.{name}.")
        tensors.pop("encoder.embed_tokens.weight", None)
        if name == "clip" and not any(key.startswith("text_model.") for key in tensors):
            tensors = {f"text_model.{key}": value for key, value in tensors.items()}
        save({key: value for key, value in tensors.items() if not key.endswith("position_ids")}, folder / f"{name}.safetensors")
        shutil.copy(source / f"{name}_config.json", folder)
        shutil.copytree(source / f"{name}_tokenizer", folder / f"{name}_tokenizer", dirs_exist_ok=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("assets", type=Path)
    args = parser.parse_args()

    folder = args.assets / "appearance"
    state = torch.load(args.out / "image.pt", weights_only=True)
    save(part(state, "flux."), folder / "model.safetensors")
    save(part(state, "control.controlnet1."), folder / "control.safetensors", metadata_of(IMAGE_CONTROL))
    save(torch.load(args.out / "image_codec.pt", weights_only=True), folder / "vae.safetensors")
    save_text(state, args.out / "image_text", folder, ("t5", "clip"))

    folder = args.assets / "motion"
    state = torch.load(args.out / "video.pt", weights_only=True)
    save(part(state, "base."), folder / "model.safetensors")
    control = from_module_keys(part(state, "control."), VIDEO_CONTROL)
    save(control, folder / "control.safetensors", video_metadata(VIDEO_CONTROL))
    save(torch.load(args.out / "video_codec.pt", weights_only=True), folder / "vae.safetensors")
    save_text(state, args.out / "video_text", folder, ("t5",))


if __name__ == "__main__":
    main()
