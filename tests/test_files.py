"""Files are written whole or not at all, and an error says which one could not be written."""

import errno
import os
import subprocess

import pytest

from keras_imgen.files import write_whole


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "old.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), write_whole(path) as unfinished:
        _ = unfinished.write_text("half of") / 0
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_named_with_the_file(tmp_path):
    path = tmp_path / "a.txt"
    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(OSError, match=r"No space left on device: '.*a\.txt'"), write_whole(path):
        raise full
    assert full.errno == errno.ENOSPC
    assert not any(tmp_path.iterdir())


def test_a_hidden_name_is_never_told(tmp_path):
    with pytest.raises(FileNotFoundError) as caught, write_whole(tmp_path / "a.txt"):
        pass  # nothing is written
    assert caught.value.filename == str(tmp_path / "a.txt")


def test_what_is_no_file_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "device.png").symlink_to("/dev/null")
    (tmp_path / "folder.png").mkdir()
    for name in ("pipe.png", "device.png", "folder.png"):
        refused = pytest.raises(OSError, match=f"{name}' is no file. Pass a path")
        with refused, write_whole(tmp_path / name) as unfinished:
            unfinished.write_text("new")
    assert (tmp_path / "pipe.png").is_fifo()
    assert (tmp_path / "device.png").is_symlink()
    assert len(list(tmp_path.iterdir())) == 3


def test_two_processes_that_write_one_file_share_no_unfinished_one(tmp_path, monkeypatch):
    with write_whole(tmp_path / "a.txt") as first:
        first.write_text("first")
        monkeypatch.setattr(os, "getpid", lambda: 7)
        with write_whole(tmp_path / "a.txt") as second:
            second.write_text("second")
        assert (tmp_path / "a.txt").read_text() == "second"
    assert (tmp_path / "a.txt").read_text() == "first"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_what_a_killed_process_left_the_next_one_clears_away(tmp_path):
    killed = subprocess.Popen(["true"])
    killed.wait()
    for process in (killed.pid, os.getppid()):
        (tmp_path / f".unfinished-{process}-a[1].txt").write_text("half")
    with write_whole(tmp_path / "a[1].txt") as unfinished:
        unfinished.write_text("whole")
    left = sorted(file.name for file in tmp_path.iterdir())
    assert left == [f".unfinished-{os.getppid()}-a[1].txt", "a[1].txt"]


@pytest.mark.parametrize("path", [None, 3, b"a.txt"])
def test_a_path_is_a_text_or_a_path(path):
    refused = pytest.raises(TypeError, match="`path` must be a path, .*Received: path=")
    with refused, write_whole(path):
        pass
