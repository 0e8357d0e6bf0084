"""What does not fit into memory is refused before any work."""

import pytest

from pam_nodes.conditions import memory
from pam_nodes.conditions.memory import check_fits, free_memory


def test_free_memory_is_a_part_of_all():
    psutil = pytest.importorskip("psutil")
    assert 1e8 < free_memory() < psutil.virtual_memory().total + psutil.swap_memory().total


def test_too_much_is_refused_with_the_numbers():
    pytest.importorskip("psutil")
    check_fits(49, 480, 720, 5, "the bundle", "lower length")
    message = r"Expected 2211.8 GB of free memory for 100000 frames of 720 x 480 with masks \(64 bytes a pixel\), found .* GB: lower it\."
    with pytest.raises(ValueError, match=message):
        check_fits(100_000, 480, 720, 64, "masks", "lower it")


def test_a_container_has_what_its_limit_leaves(tmp_path, monkeypatch):
    """The files of cgroup 2: pages of files that can be dropped count as free."""
    pytest.importorskip("psutil")
    for name, text in (("max", "3000000\n"), ("current", "2500000\n"), ("stat", "anon 1900000\ninactive_file 100000\nfile 300000\n")):
        (tmp_path / f"memory.{name}").write_text(text)
    monkeypatch.setattr(memory, "LIMIT", tmp_path)
    assert free_memory() == 600_000
    (tmp_path / "memory.max").write_text("max\n")
    assert free_memory() > 1e8
