"""Reads pairs of pictures, observed and clean, from two folders."""

import warnings
from pathlib import Path

from keras_imgen.checks import shown
from keras_imgen.data import asked, folders, sources
from keras_imgen.data.photos import picture_shape, read_picture
from keras_imgen.data.streamed import FilePictures, shapes_of


def read_pairs(
    path: str | Path,
    observed: str | Path,
    channels: int | None,
    size=None,
    crops: int = 0,
    stream: bool = False,
):
    """Return the pictures of two folders whose files have equal names, clean and observed.

    A pair of which a file cannot be read is left out, with one warning. With `stream` none is read
    but the heads of the files.
    """
    files = [_by_name(folder) for folder in (path, observed)]
    if alone := sorted(files[0].keys() ^ files[1].keys()):
        raise ValueError(
            f"Each picture in {str(path)!r} must have one of its name in {str(observed)!r}. "
            f"Received: {len(alone)} without a partner, such as {alone[0]!r}. Add the others, or "
            "take them out."
        )
    read = picture_shape if stream else read_picture
    kept, unreadable, num_bytes = [], [], 0
    for name in files[0]:
        try:
            pair = [read(folder[name]) for folder in files]
        except ValueError as error:
            unreadable.append(str(error))
            continue
        shapes = pair if stream else shapes_of(pair)
        if shapes[0][:2] != shapes[1][:2]:
            raise ValueError(
                "Both pictures of a pair must have one size. Received: shapes "
                f"{shapes[0]} and {shapes[1]} for {name!r}. Bring them to one size, place by place."
            )
        if crops:
            asked.check_crop(size, shapes[0], repr(str(files[0][name])))
        kept.append((name, *pair))
        num_bytes += 0 if stream else sum(picture.size for picture in pair)
        advice = "Leave them in their files: stream=True, or pass a folder of fewer pairs"
        sources.check_memory(num_bytes, f"{len(kept):,} pairs in {str(path)!r}", advice)
    if not kept:
        raise FileNotFoundError(f"{str(path)!r} holds no pair that can be read: {unreadable[:5]}.")
    if unreadable:
        warnings.warn(
            f"{len(unreadable)} of {len(files[0])} pairs in {str(path)!r} "
            f"{folders.are(unreadable)} unreadable: {' '.join(unreadable[:5])} "
            f"{folders.left_out(unreadable)}",
            stacklevel=3,
        )
    names, *both = zip(*kept, strict=True)
    if size is not None and not crops:
        shapes = list(both[0]) if stream else shapes_of(both[0])
        folders.tell_enlarged(path, [files[0][name] for name in names], shapes, asked.pair(size))
    if channels is None:
        shapes = both[0] + both[1] if stream else shapes_of(both[0] + both[1])
        channels = max(shape[-1] for shape in shapes)
    if not stream:
        return tuple(sources.with_channels(list(pictures), channels) for pictures in both)
    return tuple(
        FilePictures([folder[name] for name in names], [(*s[:2], channels) for s in shapes])
        for folder, shapes in zip(files, both, strict=True)
    )


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
