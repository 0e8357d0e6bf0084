"""The parts of the host kit that need no host."""

import io
import tarfile

import pytest

from hostkit.convert import Unconvertible, convert
from hostkit.host import HostNotFound, find_host, venv_python
from hostkit.setup import LEFT_OUT, extract
from hostkit.setup import step as run_step


def archive_of(folder, members: dict[str, bytes], links: dict[str, str]):
    """A tar file with plain files and symbolic links."""
    path = folder / "source.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for name, target in links.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            tar.addfile(info)
    return path


def test_extract_takes_only_plain_files_below_the_folder(tmp_path):
    members = {"top/vendor/C/main.py": b"1", "top/vendor/C/a/b.py": b"2", "top/other/x.py": b"3", "top/vendor/C/../../../evil.py": b"4"}
    archive = archive_of(tmp_path, members, {"top/vendor/C/link.py": "/etc/passwd"})
    extract(archive, "vendor/C", tmp_path / "out" / "C")
    found = sorted(str(path.relative_to(tmp_path / "out").as_posix()) for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert found == ["C/a/b.py", "C/main.py"]
    assert not list(tmp_path.rglob("evil.py"))


@pytest.mark.parametrize("line", ["torch", "torchvision", "torchaudio==2.1", "comfyui-workflow-templates==0.9", "comfyui-embedded-docs"])
def test_requirements_left_out(line):
    assert LEFT_OUT.match(line)


@pytest.mark.parametrize("line", ["torchsde", "comfyui-frontend-package==1.47.12", "numpy>=1.25.0", "comfy-kitchen==0.2.26"])
def test_requirements_kept(line):
    assert not LEFT_OUT.match(line)


def test_a_wrong_comfyui_path_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("COMFYUI_PATH", str(tmp_path))
    with pytest.raises(HostNotFound, match=r"is no ComfyUI checkout: expected main\.py"):
        find_host()


def test_another_comfyui_uses_its_own_python(tmp_path, monkeypatch):
    python = venv_python(tmp_path / ".venv")
    python.parent.mkdir(parents=True)
    python.touch()
    (tmp_path / "main.py").touch()
    monkeypatch.setenv("COMFYUI_PATH", str(tmp_path))
    monkeypatch.delenv("PAM_PYTHON", raising=False)
    assert find_host().python == python
    monkeypatch.setenv("PAM_PYTHON", str(tmp_path / "my-python"))
    assert find_host().python == tmp_path / "my-python"


def test_a_step_runs_once_for_the_same_state_and_again_after_a_failure(tmp_path, monkeypatch):
    monkeypatch.setattr("hostkit.setup.STAMPS", tmp_path / "stamps.json")
    done = []

    def fail():
        raise OSError("no network")

    with pytest.raises(OSError, match="no network"):
        run_step("x", "1", fail, lambda line: None)
    for state in ("1", "1", "2"):
        run_step("x", state, lambda state=state: done.append(state), lambda line: None)
    assert done == ["1", "2"]


def test_converter_refuses_what_it_does_not_know():
    node = {"id": 1, "type": "Mystery", "inputs": [], "outputs": []}
    with pytest.raises(Unconvertible, match="no node Mystery"):
        convert({"nodes": [node], "links": []}, {})
    with pytest.raises(Unconvertible, match="subgraphs"):
        convert({"nodes": [], "links": [], "definitions": {"subgraphs": [{}]}}, {})
