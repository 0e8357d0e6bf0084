"""With a part of the weights offloaded, models and controls give what they give fully loaded; see ``offload_in_host.py``."""

import json
import subprocess
from pathlib import Path

import pytest

from hostkit.host import find_host

SCRIPT = Path(__file__).with_name("offload_in_host.py")
MOTION, FLUX = {"CogVideoX", "HOICogVideoXControl"}, {"Flux", "HOIFluxControl"}


@pytest.fixture(scope="module")
def figures(host_session):
    """What ``offload_in_host.py`` prints."""
    if isinstance(host_session, str):
        return {}
    command = [str(find_host().python), str(SCRIPT), str(host_session.host.comfyui)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def assert_in_parts(seen: dict, names: set[str]) -> None:
    """Base and control were known to the host's bookkeeping, whole at first, then with about half of their weights."""
    assert seen.keys() == names
    for model in seen.values():
        assert model["before"] == model["whole"] > 1e6
        assert 0.2 < model["after"] / model["whole"] < 0.6
        assert 0.3 < model["marked"] < 1


@pytest.mark.parametrize(("run", "names"), [("plain", MOTION), ("lora", MOTION), ("flux", FLUX)])
def test_a_part_of_the_weights_gives_the_same(host, figures, run, names):
    """Loaded in part as with --lowvram, or freed in part; afterwards everything is given back and the next run is as ever."""
    of = figures["flux"] if run == "flux" else figures["motion"][run]
    for model in of["full"]["models"].values():
        assert model["marked"] == 0 and model["after"] == model["whole"]
    for how in ("loaded", "unloaded"):
        assert_in_parts(of[how]["models"], names)
        assert of[how]["difference"] < 1e-5 < of["std"]
        assert of[how]["left"] == 0
    assert of["again"] == 0.0


def test_a_lora_acts_on_offloaded_weights(host, figures):
    assert figures["motion"]["lora"]["effect"] > 1


def test_fp8_lora_and_offload_together(host, figures):
    """As near to float32 as fp8 is when it is fully loaded, and far nearer than without the LoRA."""
    fp8 = figures["fp8"]
    for how in ("loaded", "unloaded"):
        assert_in_parts(fp8[how]["models"], MOTION)
        assert fp8[how]["difference"] < 1.1 * fp8["None"]["difference"] < 0.25 * fp8["effect"]


def test_nothing_is_left_on_the_wrong_device(host, figures):
    assert figures["devices"] == {"video": "meta", "residuals": "meta"}


def test_hosts_with_dynamic_memory_load_the_same(host, figures):
    """There linear layers have no weights before a file is copied into them, and keep the file's numbers."""
    assert [figures["dynamic"][name] for name in ("motion", "flux", "fp8 file")] == [0.0] * 3
    missing, shape = figures["dynamic"]["said"]
    assert "a file without blocks.0.ff_proj.bias" in missing
    assert "with another shape of blocks.0.q.weight" in shape


def test_an_interrupted_run_holds_nothing(host, figures):
    assert figures["interrupted"] == {"held": 1, "passes": 1, "left": 0}


def test_a_compiled_model_is_guided_alike(host, figures):
    assert figures["compiled"]["difference"] < 1e-4 and figures["compiled"]["graphs"] > 0
