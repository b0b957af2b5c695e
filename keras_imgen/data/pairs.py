"""Reads pairs of pictures, observed and clean, from two folders."""

import warnings
from pathlib import Path

from keras_imgen.checks import shown
from keras_imgen.data import folders, sources
from keras_imgen.data.photos import read_picture


def read_pairs(path: str | Path, observed: str | Path, channels: int | None):
    """Return the pictures of two folders whose files have equal names, clean and observed.

    A pair of which a file cannot be read is left out, with one warning.
    """
    files = [_by_name(folder) for folder in (path, observed)]
    if alone := sorted(files[0].keys() ^ files[1].keys()):
        raise ValueError(
            f"Each picture in {str(path)!r} must have one of its name in {str(observed)!r}. "
            f"Received: {len(alone)} without a partner, such as {alone[0]!r}. Add the others, or "
            "take them out."
        )
    both, unreadable, num_bytes = ([], []), [], 0
    for name in files[0]:
        try:
            pair = [read_picture(folder[name]) for folder in files]
        except ValueError as error:
            unreadable.append(str(error))
            continue
        if pair[0].shape[:2] != pair[1].shape[:2]:
            shapes = " and ".join(str(picture.shape) for picture in pair)
            raise ValueError(
                "Both pictures of a pair must have one size. Received: shapes "
                f"{shapes} for {name!r}. Bring them to one size, place by place."
            )
        for pictures, picture in zip(both, pair, strict=True):
            pictures.append(picture)
            num_bytes += picture.size
        sources.check_memory(
            num_bytes, f"{len(both[0]):,} pairs in {str(path)!r}", "Pass a folder of fewer pairs"
        )
    if not both[0]:
        raise FileNotFoundError(f"{str(path)!r} holds no pair that can be read: {unreadable[:5]}.")
    if unreadable:
        warnings.warn(
            f"{len(unreadable)} of {len(files[0])} pairs in {str(path)!r} are unreadable: "
            f"{' '.join(unreadable[:5])} They are left out.",
            stacklevel=3,
        )
    if channels is None:
        channels = max(picture.shape[-1] for picture in (*both[0], *both[1]))
    return tuple(sources.with_channels(pictures, channels) for pictures in both)


def _by_name(folder) -> dict[str, Path]:
    """Return all pictures of a folder, named by their place in it without the ending."""
    files = {}
    for file in folders.list_pictures(folder)[0]:
        name = file.relative_to(Path(folder).expanduser()).with_suffix("").as_posix()
        if name in files:
            raise ValueError(
                f"Pairs are found by their names. Received: both {files[name].name!r} and "
                f"{file.name!r} in {str(folder)!r}. Take out one of them."
            )
        files[name] = file
    if not files:
        raise FileNotFoundError(
            f"{shown(str(folder))} holds no picture. No file there ends in "
            f"{', '.join(sources.SUFFIXES)}."
        )
    return files
