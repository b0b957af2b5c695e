"""Finds the pictures and films of a folder, and reads them as a set."""

import os
import re
import warnings
from collections import Counter
from pathlib import Path

import numpy as np

from keras_imgen.data import asked, frames
from keras_imgen.data.photos import picture_shape, read_picture
from keras_imgen.data.sources import SUFFIXES, TooLargeError, check_memory, resize, with_channels
from keras_imgen.data.streamed import FilePictures, FilmSequences, Still


def list_pictures(path: str | Path) -> tuple[list[Path], list[Path]]:
    """Return all that is called PNG or JPEG below a folder, and all other files, but hidden ones.

    They are sorted by path, numbers in it as numbers: `frame_9` comes before `frame_10`. Links to
    files are followed, links to folders are not: they may lead round in circles. A folder that
    cannot be looked into is listed as a picture, to be named with all else that cannot be read.

    Raises:
        FileNotFoundError: if there is no such folder.
    """
    folder = os.path.expanduser(path)
    if not os.path.isdir(folder):
        raise FileNotFoundError(
            f"There is no folder {str(path)!r}. Pass a folder that holds PNG or JPEG files."
        )
    files, others, closed = [], [], []
    for place, folders, names in os.walk(folder, onerror=closed.append):
        # Notebooks keep copies in .ipynb_checkpoints, macOS its own notes in ._name.png.
        folders[:] = [name for name in folders if name[0] != "."]
        for name in names:
            if name[0] != ".":
                kind = files if name.lower().endswith(SUFFIXES) else others
                kind.append(Path(place, name))
    files += [Path(error.filename) for error in closed]
    return sorted(files, key=in_order), sorted(others, key=in_order)


def in_order(path: Path) -> tuple:
    """Return a key that sorts paths, numbers in them as numbers."""
    parts = [re.split("([0-9]+)", part) for part in path.parts]  # text and number in turn
    return [[int(t) if i % 2 else t for i, t in enumerate(part)] for part in parts], path


def told_others(path: str | Path, others: list[Path]) -> str:
    """Return one sentence on the files of a folder that are no pictures by their names."""
    kinds = Counter(file.suffix.lower() or "none" for file in others)
    kinds = sorted(kinds.items(), key=lambda item: (-item[1], item[0]))
    some = ", ".join(f"{kind} ({count})" for kind, count in kinds[:5])
    return (
        f"{len(others)} {'files' if len(others) > 1 else 'file'} of other kinds in {str(path)!r} "
        f"{'were' if len(others) > 1 else 'was'} left out, by ending: {some}"
        f"{', ...' if len(kinds) > 5 else ''}. PNG and JPEG files are read."
    )


def read_folder(
    path: str | Path,
    channels: int | None,
    size=None,
    crops: int = 0,
    labels: bool = False,
    stream: bool = False,
) -> tuple[list[np.ndarray] | FilePictures, np.ndarray | None, list[str] | None]:
    """Return all readable pictures of a folder, their labels and the names of the classes.

    With `size` and no `crops`, each is resized as soon as it is read, so that never more than one
    is whole. With `stream` none is read but the heads of the files.
    """
    sides = None if crops or size is None else asked.pair(size)
    files, others = list_pictures(path)
    if labels:
        files = _in_classes(path, files)
    pictures, shapes, kept, unreadable, pixels, most = [], [], [], [], 0, channels or 1
    for file in files:
        try:
            picture = None if stream else read_picture(file)
            shape = picture_shape(file) if stream else picture.shape
        except ValueError as error:
            unreadable.append(str(error))
            continue
        if crops:
            asked.check_crop(size, shape, repr(str(file)))
        kept.append(file)
        shapes.append(shape)
        if stream:
            continue
        picture = with_channels(picture, channels) if channels else picture
        pictures.append(resize(picture, *sides) if sides else picture)
        pixels += pictures[-1].shape[0] * pictures[-1].shape[1]
        most = max(most, picture.shape[-1])
        check_memory(
            pixels * most,
            f"{len(pictures):,} of the {len(files):,} pictures in {str(path)!r}",
            "Pass a smaller `size`, or leave them in their files: stream=True, or --stream",
        )
    _tell(path, kept, files, unreadable, others, f"No file there ends in {_named(SUFFIXES)}.")
    if sides:
        tell_enlarged(path, kept, shapes, sides)
    grey = sum(shape[-1] == 1 for shape in shapes)
    if channels is None and 0 < grey < len(shapes):
        warnings.warn(
            f"{grey} of {len(shapes)} pictures in {str(path)!r} are grey and are used as "
            "coloured ones. Pass channels=1 to make all grey, or channels=3 if that is right.",
            stacklevel=3,
        )
    channels = channels or max(shape[-1] for shape in shapes)
    if stream:
        pictures = FilePictures(kept, [(*shape[:2], channels) for shape in shapes], sides)
    else:
        pictures = with_channels(pictures, channels)
    if not labels:
        return pictures, None, None
    classes = [_first_below(path, file) for file in kept]
    names = sorted(set(classes))
    if len(names) < 2:
        raise ValueError(
            "`labels=True` needs a subfolder for each of at least two classes. Received: "
            f"{str(path)!r}, whose readable pictures all lie in {names[0]!r}."
        )
    return pictures, np.searchsorted(names, classes), names


def tell_enlarged(
    path, files: list[Path], shapes: list[tuple], sides: tuple[int, int], what: str = "pictures"
) -> None:
    """Warn if pictures are made larger, which shows nothing that is not in the small ones.

    Args:
        path: their folder.
        files: their files.
        shapes: of each as it is in its file.
        sides: height and width that each gets.
        what: they are.
    """
    pairs = zip(files, shapes, strict=True)
    small = [(file, s) for file, s in pairs if s[0] < sides[0] or s[1] < sides[1]]
    if small:
        file, (height, width, _) = small[0]
        warnings.warn(
            f"{len(small)} of {len(files)} {what} in {str(path)!r} {are(small)} enlarged to "
            f"{sides[0]} x {sides[1]} pixels, such as {str(file)!r} of {height} x {width}, which "
            "adds no detail. A smaller size would enlarge fewer.",
            stacklevel=4,
        )


def are(some: list) -> str:
    """Return "is" for one and "are" for several."""
    return "is" if len(some) == 1 else "are"


def left_out(some: list) -> str:
    """Return the sentence that these are left out."""
    return f"{'It is' if len(some) == 1 else 'They are'} left out."


def split_off_films(
    files: list[Path], others: list[Path]
) -> tuple[dict[Path, Path | list[Path]], list[Path]]:
    """Return the films among the files of a folder, by file or folder, and what else there is.

    Args:
        files: the pictures, each folder of which is one film.
        others: the other files, as `list_pictures` returns both.
    """
    films = {}
    for file in files:
        films.setdefault(file.parent, []).append(file)
    films |= {file: file for file in others if file.suffix.lower() in frames.ENDINGS}
    others = [file for file in others if file not in films]
    return {name: films[name] for name in sorted(films, key=in_order)}, others


def read_films(
    path: str | Path,
    num_frames: int,
    channels: int | None,
    size: tuple[int, int] | None,
    stream: bool = False,
) -> np.ndarray | FilmSequences:
    """Return sequences `(N, num_frames, H, W, C)` of the films of a folder.

    Every film is cut into as many sequences as it has frames for; of one too short none is made.
    With `stream` nothing is read but the heads of the frames' files.
    """
    films, others = split_off_films(*list_pictures(path))
    if stream:
        _check_frames_apart(path, films)
    sequences, kept, shapes, unreadable, short, num_bytes = [], [], [], [], [], 0
    for name, source in films.items():
        film, first = [], None
        try:
            for frame, shape in _stills(source) if stream else _pictures(source, channels, size):
                first = first or shape
                film.append(frame)
                num_bytes += frame.nbytes
                check_memory(
                    num_bytes,
                    f"{len(sequences) + 1:,} sequences and more in {str(path)!r}",
                    "Pass a smaller `size`, channels=1, or leave folders of frames in their files: "
                    "stream=True, or --stream",
                )
        except TooLargeError:
            raise
        except (ImportError, ValueError) as error:
            unreadable.append(str(error))
            continue
        if size is None and len({frame.shape[:2] for frame in film}) > 1:
            raise ValueError(
                f"The frames of a film must have equal sizes. Received: different ones in "
                f"{str(name)!r}. Pass `size`."
            )
        if len(film) < num_frames:
            short.append(f"{str(name)!r} ({len(film)})")
            continue
        kept.append(name)
        shapes.append((*first[:2], max(frame.shape[-1] for frame in film)))
        for start in range(0, len(film) - num_frames + 1, num_frames):
            sequences.append(film[start : start + num_frames])
    if short and not sequences:
        raise ValueError(
            f"No film in {str(path)!r} has num_frames={num_frames} frames. Received: {short[0]} "
            "and the like. Pass a smaller `num_frames`."
        )
    wanted = "There is no GIF file, no video and no folder of frames (PNG or JPEG files)."
    _tell(path, sequences, list(films), unreadable, others, wanted)
    if short:
        warnings.warn(
            f"{len(short)} of {len(films)} films in {str(path)!r} {are(short)} shorter than "
            f"{num_frames} frames: {', '.join(short[:5])}. {left_out(short)}",
            stacklevel=3,
        )
    if size:
        tell_enlarged(path, kept, shapes, size, "films")
    elif len(sides := sorted({shape[:2] for shape in shapes})) > 1:
        raise ValueError(
            f"The films of a set must have equal sizes. Received: frames from {sides[0]} to "
            f"{sides[-1]}. Pass `size`."
        )
    most = channels or max(shape[-1] for shape in shapes)
    if stream:
        whole = [(num_frames, *film[0].shape[:2], most) for film in sequences]
        return FilmSequences(sequences, whole, size)
    return np.stack([np.stack(with_channels(film, most)) for film in sequences])


def _check_frames_apart(path, films):
    """Raise if a film is one file, of which no frame can be had without those before it."""
    files = [str(name) for name, source in films.items() if isinstance(source, Path)]
    if files:
        raise ValueError(
            "Films that stay in their files are folders of frames, PNG or JPEG files; GIF files "
            f"and videos can be read from the beginning alone. Received: {files[0]!r}"
            f"{f' and {len(files) - 1} more' if files[1:] else ''} in {str(path)!r}. Write their "
            "frames into a folder for each, as `ffmpeg -i film.mp4 film/%05d.png` does, or leave "
            "out `stream`."
        )


def _stills(files):
    """Yield the frames of a film, which stay in their files, and their shapes."""
    for file in files:
        shape = picture_shape(file)
        yield Still(file, shape), shape


def _pictures(source, channels, size):
    """Yield the frames of a film as they are wanted, and their shapes before."""
    for picture, _ in frames.read_frames(source):
        shape = picture.shape
        picture = with_channels(picture, channels) if channels else picture
        yield resize(picture, *size) if size else picture, shape


def _tell(path, read, files, unreadable, others, wanted):
    """Warn of what was left out, or raise if nothing could be read."""
    message = ""
    if unreadable:
        some = " ".join(unreadable[:5]) + (" ..." if len(unreadable) > 5 else "")
        message = f"{len(unreadable)} of {len(files)} files in {str(path)!r} {are(unreadable)} "
        message += f"unreadable: {some}"
    foreign = told_others(path, others) if others else ""
    if not read:
        reason = f"{message or wanted} {foreign}".strip()
        raise FileNotFoundError(f"{str(path)!r} holds no picture that can be read. {reason}")
    if unreadable:
        warnings.warn(f"{message} {left_out(unreadable)}", stacklevel=4)
    if others:
        warnings.warn(foreign, stacklevel=4)


def _in_classes(path, files):
    """Return the files that lie in subfolders, or raise for others."""
    loose = [file for file in files if file.parent == Path(os.path.expanduser(path))]
    if loose:
        raise ValueError(
            "With `labels=True` every picture lies in a subfolder with the name of its class. "
            f"Received: {len(loose)} that {'does' if len(loose) == 1 else 'do'} not, such as "
            f"{str(loose[0])!r}. Move them, or leave `labels` out."
        )
    return files


def _first_below(path, file):
    return file.relative_to(os.path.expanduser(path)).parts[0]


def _named(suffixes):
    return ", ".join(suffixes)
