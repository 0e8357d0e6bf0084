"""The pack must not slow down ComfyUI's start."""

import importlib.util

import pytest

from hostkit.host import ROOT


@pytest.fixture
def benchmark():
    spec = importlib.util.spec_from_file_location("import_time", ROOT / "benchmarks/import_time.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pack_imports_nothing_heavy(host, benchmark, tmp_path):
    """The time is printed by the benchmark; on a loaded machine it says nothing, so only a bound of another order is asserted."""
    run = benchmark.measure(host.host, tmp_path)
    assert run["loaded"]
    assert set(run["packages"]) & benchmark.HEAVY == set()
    assert run["seconds"] < 5
