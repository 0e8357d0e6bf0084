"""Fixtures of all tests: the shared data, and one ComfyUI server for the whole session."""

import shutil
import signal
import tempfile
from functools import partial
from pathlib import Path

import pytest

from hostkit.host import HOME, ROOT, HostNotFound, find_host

HERE = Path(__file__).parent
NEEDS = {
    "host": "a ComfyUI host",
    "browser": "Chromium and Node.js",
    "shared": "the shared test data",
    "gpu": "CUDA",
    "smplx": "smplx",
    "gl": "pyrender and OpenGL",
    "numba": "numba",
    "litert": "ai-edge-litert",
    "peft": "peft",
}
missing: dict[str, tuple[set[str], str]] = {}
"""What could not be tested: marker -> (ids of the skipped tests, reason)."""


def pytest_configure():
    """End as with Ctrl-C when told to end, so that the server is stopped."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """Tests in tests/host and tests/browser carry the marker of their folder; browser tests need the host too."""
    for item in items:
        folder = item.path.relative_to(HERE).parts[0] if item.path.is_relative_to(HERE) else ""
        if folder in ("host", "browser"):
            item.add_marker("host")
        if folder == "browser":
            item.add_marker("browser")


def skip_missing(test: pytest.Item, marker: str, reason: str):
    """Skip a test and count it in the summary under what is missing."""
    missing.setdefault(marker, (set(), reason))[0].add(test.nodeid)
    pytest.skip(reason)


def pytest_runtest_setup(item):
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            skip_missing(item, "gpu", "torch sees no CUDA device.")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter):
    """Say loudly, after everything else, which part of the project the run has not tested."""
    yield
    for marker, (tests, reason) in missing.items():
        terminalreporter.write_line(f"NOT TESTED: {len(tests)} test(s) need {NEEDS[marker]}. {reason}", red=True, bold=True)


@pytest.fixture
def skip_for(request):
    """``skip_for(marker, reason)``: skip this test and count it loudly."""
    return partial(skip_missing, request.node)


@pytest.fixture
def shared_dir(skip_for) -> Path:
    """Folder of the shared test data beside the checkout; the test skips without it."""
    folder = ROOT.parent / "shared"
    if not (folder / "data").is_dir():
        skip_for("shared", f"Expected it at {folder}.")
    return folder


@pytest.fixture(scope="session")
def host_session():
    """A running server with the pack and the probe node, or the reason why there is none."""
    try:
        host = find_host()
    except HostNotFound as error:
        yield str(error)
        return
    from hostkit.server import Server

    (HOME / "run").mkdir(parents=True, exist_ok=True)
    base = Path(tempfile.mkdtemp(dir=HOME / "run"))
    packs = {"pam_hoi": ROOT, "pam_probe": HERE / "host" / "probe"}
    with Server(host, base, packs) as server:
        yield server
    shutil.rmtree(base, ignore_errors=True)


@pytest.fixture
def host(skip_for, host_session):
    """The session's ComfyUI server (``hostkit.server.Server``): url, base folder, ``file()``; the test skips when no host is found."""
    if isinstance(host_session, str):
        skip_for("host", host_session)
    return host_session


@pytest.fixture
def client(host):
    """``hostkit.client.Client`` of the server: object_info, run, interrupt, free."""
    from hostkit.client import Client

    return Client(host.url)


@pytest.fixture
def run_prompt(client):
    """``run_prompt(prompt, on_event=None, timeout=600, check=True) -> Result``; raises PromptRejected or NodeFailed."""
    return client.run
