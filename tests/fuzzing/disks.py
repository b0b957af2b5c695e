"""Full disks and folders that are read only: what is written there, and what is left."""

import atexit
import contextlib
import functools
import os
import resource
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from fuzzing.commands import run_command
from fuzzing.files import check_whole, contents, snapshot
from fuzzing.inputs import SHAPE
from fuzzing.judge import outcome
from fuzzing.models import file_of, model_of
from keras_imgen import (
    callbacks,
    plotting,
)


def _run_samples(folder):
    """Write pictures and their film as a training does."""
    shown = callbacks.SampleGrid(folder, n=2, scale=4, show=False)
    film = callbacks.TrainingGif(folder, folder / "film.gif")
    for callback in (shown, film):
        callback.set_model(model_of("gan"))
        callback.on_train_begin()
    shown.on_epoch_end(0)
    film.on_train_end()


def _command(*argv):
    """Return a writer that runs the command, its error raised for `outcome` to see."""

    def write(folder):
        status, _, err = run_command([text.replace("FOLDER", str(folder)) for text in argv])
        if status:
            assert status in (1, 2), status
            raise OSError(err.strip())

    return write


NOISE = np.random.default_rng(0).random((4, *SHAPE), "float32")
# What writes into a folder: all of them new files, and `old.png` in place of the old one.
WRITERS = {
    "save_grid": lambda folder: plotting.save_grid(folder / "old.png", NOISE, scale=8),
    "save_grid, new folder": lambda folder: plotting.save_grid(folder / "new" / "a.png", NOISE),
    "save_gif": lambda folder: plotting.save_gif(folder / "old.png.gif", NOISE, scale=8),
    "SampleGrid, TrainingGif": _run_samples,
    "model.save": lambda folder: model_of("gan").save(folder / "old.keras"),
    "sample": _command("sample", "gan.keras", "-n", "2", "--out", "FOLDER/new.png"),
    "restore": _command(
        "restore", "denoiser.keras", "grey/a.png", "--degrade", "--out", "FOLDER/restored"
    ),
    "tutorials": _command("tutorials", "FOLDER/notebooks"),
}


@contextlib.contextmanager
def file_limit(folder, room):
    """Let no file grow beyond `room` bytes: the disk is full to the process that writes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@functools.cache
def small_disk():
    """Return a file system of 128 KiB of its own, or None where mounting is not permitted."""
    folder = Path(tempfile.mkdtemp(prefix="disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        folder.rmdir()
        return None

    def unmount():
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()

    atexit.register(unmount)
    return folder


@contextlib.contextmanager
def disk_filled(folder, room):
    """Fill the file system of a folder up to `room` bytes, to be rounded up to whole pages."""
    filler = folder / "filler"
    free = os.statvfs(folder)
    filler.write_bytes(bytes(max(0, free.f_bavail * free.f_frsize - 4096 * -(-room // 4096))))
    try:
        yield
    finally:
        filler.unlink()


@contextlib.contextmanager
def read_only(folder, room=None):
    """Let nobody write to a folder; root, whom no permission stops, becomes nobody meanwhile."""
    modes = {path: path.stat().st_mode for path in (folder, *folder.rglob("*"))}
    for path in modes:
        path.chmod(0o555 if path.is_dir() else 0o444)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        for path, mode in modes.items():
            path.chmod(mode)


full_disks = st.tuples(
    st.sampled_from(["file limit", "disk"]),
    st.sampled_from(tuple(WRITERS)),
    st.one_of(st.just(0), st.integers(1, 400), st.integers(400, 20_000)),
)


def fuzz_full_disk(case):
    """What does not fit on the disk leaves it as it was, with one OSError."""
    kind, writer, room = case
    disk = small_disk() if kind == "disk" else None
    full = disk_filled if disk else file_limit
    return _write_where(full, writer, room, disk)


def fuzz_read_only(writer):
    """What may not be written is one OSError, and nothing changes."""
    result = _write_where(read_only, writer, None)
    assert result != "success", "written into a folder that is read only"
    return result


@functools.cache
def _write_freely(writer):
    result = _write_where(None, writer, None)
    assert result == "success", f"{writer} does not write even where it may: {result}"


def _write_where(obstacle, writer, room, disk=None):
    """Write into a folder that holds old files, with an obstacle in the way."""
    if obstacle is not None:  # nobody else may be able to import what a first call imports
        _write_freely(writer)
    with contextlib.ExitStack() as stack:
        here = stack.enter_context(tempfile.TemporaryDirectory(dir=disk))
        os.chmod(here, 0o755)  # for others than root to look into
        folder = Path(here) / "results"
        folder.mkdir()
        for name in ("old.png", "old.png.gif", "old.keras"):
            (folder / name).write_bytes(b"an old file")
        inputs = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        inputs.chmod(0o755)
        (inputs / "grey").mkdir()
        (inputs / "grey" / "a.png").write_bytes(contents()["grey/a.png"])
        for name in ("gan", "denoiser"):
            (inputs / f"{name}.keras").write_bytes(file_of(name))
        stack.enter_context(contextlib.chdir(inputs))
        before = snapshot(folder)

        def write():
            with obstacle(folder, room) if obstacle else contextlib.nullcontext():
                WRITERS[writer](folder)

        result = outcome(write, here)
        after = snapshot(folder)
        if result == "success":
            assert after != before
            for name in after.keys() - before.keys():
                check_whole(folder / name)
        else:
            for name, content in before.items():
                assert after.get(name) == content, f"{name} was changed"
            for name in after.keys() - before.keys():
                check_whole(folder / name)
        assert not [name for name in after if "unfinished" in name], sorted(after)
        return result
