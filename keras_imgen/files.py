"""Writes files whole or not at all, and lets one process at a time write to a folder."""

import contextlib
import glob
import os
import time
from collections.abc import Iterator
from pathlib import Path

import filelock

from keras_imgen import checks

__all__ = ["locked", "write_whole"]

HOUR = 3600.0  # seconds; nobody writes to a temporary file for so long


@contextlib.contextmanager
def write_whole(path: str | Path) -> Iterator[Path]:
    """Give a temporary path to write to, which replaces `path` when all has been written.

    Whatever happens meanwhile, be it an error, a full disk, a killed process or a power cut, `path`
    is either as it was or new and whole. The temporary file lies beside it, hidden, with the same
    ending; what a killed process left of it the next one clears away.

    Args:
        path: the file; folders that are missing are made.

    Raises:
        OSError: if the file cannot be written; nothing has changed.

    Example:
        >>> import pathlib, tempfile
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "results" / "figures.txt"
        >>> with write_whole(file) as unfinished:
        ...     _ = unfinished.write_text("28.9 dB")
        >>> file.read_text()
        '28.9 dB'
    """
    checks.path("path", path)
    path = Path(path)
    if path.exists() and not path.is_file():  # a device would be replaced like any file
        raise IsADirectoryError(f"{str(path)!r} is no file. Pass a path where a file may be.")
    path.parent.mkdir(parents=True, exist_ok=True)
    # Each process has a file of its own: of two that write at once, the later one's stays.
    unfinished = path.with_name(f".unfinished-{os.getpid()}-{path.name}")
    for left in path.parent.glob(f".unfinished-*-{glob.escape(path.name)}"):
        with contextlib.suppress(OSError):  # another process may clear it away, too
            if _abandoned(left):
                left.unlink()
    try:
        yield unfinished
        _flush(unfinished)
        unfinished.replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):  # the folder may be one in which nothing can be changed
            unfinished.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename in (None, str(unfinished)):
            error.filename, error.filename2 = str(path), None  # of a full disk it names none
        raise
    if os.name == "posix":  # elsewhere a folder cannot be opened
        _flush(path.parent)


def _abandoned(unfinished):
    """Return whether the process that wrote a temporary file, as its name says, is no more."""
    if os.name != "posix":  # elsewhere asking after a process would end it
        return time.time() - unfinished.stat().st_mtime > HOUR
    process = unfinished.name.split("-")[1]
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, ValueError, OverflowError):
        return True
    except PermissionError:
        pass  # somebody else's
    return False


def _flush(path):
    """Have the operating system write to the disk what it holds of a file or folder."""
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def locked(folder: str | Path) -> Iterator[None]:
    """Keep every other process from writing to a folder.

    The lock is the operating system's: it ends with the process, however that ends. Within one
    process it may be taken again.

    Args:
        folder: the folder; made if it is missing.

    Raises:
        BlockingIOError: if another process holds the lock.
        OSError: if the folder cannot be made, or is a file.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{str(folder)!r} is a file. Pass a folder.")
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder.resolve() / ".lock", timeout=0, is_singleton=True)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise BlockingIOError(
            f"Another process writes to {str(folder)!r}. Wait until it has ended, or pass another "
            "folder. Nothing was changed."
        ) from None
    try:
        yield
    finally:
        lock.release()
