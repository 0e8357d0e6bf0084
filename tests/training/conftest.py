"""Small latents of both stages, made once a test session by the encode stage itself."""

from pathlib import Path

import pytest
from accelerate.state import AcceleratorState

from pam_nodes.dataset.clips import FolderClips
from pam_nodes.dataset.encode import EncodeOptions, encode_clips
from pam_nodes.headless.cogvideox_models import MiniCogVideoX
from pam_nodes.headless.compute import Compute
from pam_nodes.headless.flux_models import MiniFlux
from tests.dataset.clips import write_folder

COUNT = 8


@pytest.fixture(autouse=True)
def fresh_accelerator():
    yield
    AcceleratorState._reset_state(True)


def encoded(folder: Path) -> dict[str, Path]:
    """Folders of latents by stage."""
    clips = FolderClips(write_folder(folder / "clips", COUNT), "all")
    for stage, models in (("appearance", MiniFlux()), ("motion", MiniCogVideoX())):
        encode_clips(clips, models, EncodeOptions(stage, (64, 32), 9, dtype="fp32"), Compute("cpu"), folder / stage)
    pixels = EncodeOptions("appearance", (64, 32), 9, hints="pixel", dtype="fp32")
    encode_clips(clips, MiniFlux(), pixels, Compute("cpu"), folder / "pixel")
    return {stage: folder / stage for stage in ("appearance", "motion", "pixel")}


@pytest.fixture(scope="session")
def latents(tmp_path_factory) -> dict[str, Path]:
    return encoded(tmp_path_factory.mktemp("latents"))
