"""pyrender in a process of its own: the same picture but for a few silhouette pixels, and no harm when it fails."""

import os
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from hostkit.host import ROOT
from pam_nodes.conditions import child, gl_client
from pam_nodes.conditions.child import ChildError
from pam_nodes.conditions.clip import render_clip
from pam_nodes.conditions.meshes import deforming_track, rigid_track
from pam_nodes.geometry.camera_build import orbit_camera
from pam_nodes.hands.files import load_default_hand
from pam_nodes.hands.posing import place_hand, preset_pose
from pam_nodes.hands.skinning import skin

from .scenes import cube, poses

ALL = {"depth", "ids", "normals"}


@pytest.fixture(scope="module")
def tracks():
    """An open hand and a cube, 2 frames."""
    model = load_default_hand("right")
    hands = [skin(model, place_hand(model, preset_pose(name), (0.0, -0.15, 0.12))).vertices for name in ("relaxed", "grasp")]
    box, faces = cube(0.06)
    return [
        deforming_track(np.concatenate(hands), model.faces, 1),
        rigid_track(box, faces, poses((0, 0, 0.03), (0, 0, 0.05)), 2, (1, 1, 1)),
    ]


@pytest.fixture
def gl_python(skip_for, monkeypatch):
    """A Python with pyrender that can make a context; the child is started with it."""
    beside = ROOT / ".pam" / "gl-venv" / "bin" / "python"
    python = os.environ.get("PAM_GL_PYTHON") or (str(beside) if beside.exists() else sys.executable)
    monkeypatch.setenv("PAM_GL_PYTHON", python)
    try:
        gl_client.start(64, 48).close()
    except ChildError as problem:
        skip_for("gl", f"{problem}. For a Python with it: python -m venv .pam/gl-venv, then pip install pyrender2 there.")
    return python


def view():
    return orbit_camera([0, -0.05, 0.08], 0.32, 20, 35, 40, 480, 320)


def test_pyrender_agrees_with_the_built_in_renderer(tracks, gl_python, caplog):
    zoom = replace(view(), intrinsics=np.stack([view().intrinsics] * 2))
    zoom.intrinsics[1, [0, 1], [0, 1]] *= 0.8
    ours, theirs = (render_clip(tracks, zoom, ALL, backend=backend) for backend in ("numpy", "pyrender"))
    assert not caplog.records
    seen = ours.instance_ids > 0
    assert seen.sum() > 30_000
    assert (ours.instance_ids != theirs.instance_ids).sum() <= max(1, 4 * seen.sum() / 120_000)
    same = seen & (ours.instance_ids == theirs.instance_ids)
    error = np.abs(ours.depth - theirs.depth)[same]
    assert np.median(error) < 1e-6 and np.quantile(error, 0.999) < 1e-4
    difference = np.abs(ours.normals.astype(int) - theirs.normals)[same].max(axis=1)
    assert (difference > 1).mean() < 1e-3


ANGLE = """
import ctypes, os, sys
import comfy_angle
for path in (comfy_angle.get_egl_path(), comfy_angle.get_glesv2_path()):
    ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
os.environ.setdefault("PYOPENGL_PLATFORM", "egl")
import OpenGL
OpenGL.USE_ACCELERATE = False
from OpenGL import EGL, GLES3
from pam_nodes.conditions.gl_client import start
worker = start(64, 48)
print(worker.ready["driver"])
worker.close()
"""


def test_it_runs_from_a_parent_that_has_loaded_angle(gl_python, skip_for):
    """The host loads ANGLE into every process and sets PYOPENGL_PLATFORM, which breaks pyrender in that process."""
    done = subprocess.run([sys.executable, "-c", ANGLE], cwd=ROOT, capture_output=True, text=True, timeout=120)
    if "comfy_angle" in done.stderr or "No module named 'OpenGL'" in done.stderr:
        skip_for("gl", f"ANGLE cannot be loaded here: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def fallen_back(tracks, caplog):
    """Draw with a pyrender that fails, and check that the picture is there all the same and that one line says why."""
    drawn = render_clip(tracks, view(), ALL, backend="pyrender")
    np.testing.assert_array_equal(drawn.depth, render_clip(tracks, view(), ALL, backend="numpy").depth)
    assert len(caplog.records) == 1
    return caplog.records[0].getMessage()


def test_without_opengl_the_built_in_renderer_draws(tracks, monkeypatch, caplog):
    monkeypatch.setenv("PAM_NO_GL", "1")
    assert "PAM_NO_GL" in fallen_back(tracks, caplog)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("import sys; sys.exit(3)", "has ended"),
        ("import time; time.sleep(60)", "no answer within"),
        ('print(\'{"ready": true, "driver": "x"}\', flush=True)', "has ended"),
        ("print('hello', flush=True)", "not JSON"),
    ],
    ids=["dies", "hangs", "dies later", "talks nonsense"],
)
def test_a_child_that_misbehaves_is_replaced(body, reason, tracks, monkeypatch, caplog, tmp_path):
    """A real process in the child's place: an interpreter that runs something else."""
    fake = tmp_path / "python"
    fake.write_text(f"#!{sys.executable}\n{body}\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PAM_GL_PYTHON", str(fake))
    monkeypatch.setattr(gl_client, "START_SECONDS", 0.5 if "sleep" in body else 20)
    assert reason in fallen_back(tracks, caplog)


def test_a_child_that_ended_before_it_is_asked_is_an_error_of_its_own(gl_python):
    worker = gl_client.start(64, 48)
    worker.process.kill()
    worker.process.wait()
    with pytest.raises(ChildError, match="has ended"):
        worker.ask(20, scene=None)


def test_a_child_that_is_killed_is_started_once_more(tracks, gl_python, caplog):
    from pam_nodes.conditions.backends import drawer_for
    from pam_nodes.conditions.frames import blank_frames
    from pam_nodes.conditions.scene import Scene

    cam = view()
    drawer = drawer_for("pyrender", Scene(tracks), cam)
    first, second = (blank_frames(ALL, 1, cam.height, cam.width) for _ in range(2))
    drawer.draw(0, first)
    drawer.worker.process.kill()
    drawer.draw(0, second)
    folder = drawer.folder
    drawer.close()
    np.testing.assert_array_equal(first.depth, second.depth)
    assert drawer.failures == 1 and not caplog.records and not folder.exists()


def test_the_child_waits_for_the_next_clip_and_then_goes(tracks, gl_python, monkeypatch, caplog):
    monkeypatch.setattr(child, "IDLE_SECONDS", 30)
    first = render_clip(tracks, view(), ALL, backend="pyrender")
    waiting = gl_client.waiting.child
    assert waiting.process.poll() is None
    turned = [tracks[0], replace(tracks[1], poses=tracks[1].poses[::-1])]
    again = render_clip(turned, view(), ALL, backend="pyrender")
    assert gl_client.waiting.child is waiting, "the same child drew the second clip"
    assert (again.depth != first.depth).any()
    np.testing.assert_array_equal(again.depth, render_clip(turned, view(), ALL, backend="pyrender").depth)

    waiting.process.kill()
    waiting.process.wait()
    monkeypatch.setattr(child, "IDLE_SECONDS", 0.1)
    np.testing.assert_array_equal(render_clip(tracks, view(), ALL, backend="pyrender").depth, first.depth)
    assert not caplog.records, "a child that died while waiting is replaced without a word"
    deadline = time.monotonic() + 20
    while gl_client.waiting.child is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert gl_client.waiting.child is None


def test_a_child_of_another_size_is_not_used(tracks, gl_python):
    render_clip(tracks, view(), {"ids"}, backend="pyrender")
    large = gl_client.waiting.child
    small = orbit_camera([0, -0.05, 0.08], 0.32, 20, 35, 40, 240, 160)
    assert render_clip(tracks, small, {"ids"}, backend="pyrender").instance_ids.any()
    assert gl_client.waiting.child is not large and large.process.poll() is not None
