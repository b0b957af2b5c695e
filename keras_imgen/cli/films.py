"""`keras-imgen restore` of films: whole by a model of sequences, frame by frame by another one."""

import os
import re
import sys
from itertools import pairwise
from pathlib import Path

import keras
import numpy as np

from keras_imgen.cli import ranges
from keras_imgen.cli.command import complain
from keras_imgen.cli.inputs import (
    LeftOut,
    existing,
    is_film,
    look_into,
    split_off_collisions,
    told_others,
)
from keras_imgen.cli.restoring import restore_any
from keras_imgen.data import Film, folders
from keras_imgen.data.film import write_frame

BLACK = 4.0 / 255.0  # a video's black is not quite


def takes(model) -> bool:
    """Return whether a model restores sequences."""
    return len(getattr(model, "image_shape", ())) == 4


def takes_lost(model) -> bool:
    """Return whether a model can be told which frames of a film are lost."""
    return takes(model) and model.appends == ("mask",)


def check(model, args) -> None:
    """Raise unless the model can do with the frames that are said to be lost."""
    if args.lost is None:
        return
    if not takes_lost(model):
        raise ValueError(
            "--lost is for models of films that fill in lost frames and are told which. Received: "
            "another model. Leave out --lost."
        )
    if args.degrade:
        raise ValueError("--degrade chooses itself which frames are lost. Leave out --lost.")


def restore(model, args, mask, options) -> int:
    """Restore every film given by a model of sequences, and return the exit status.

    A film is a GIF file, a video, every folder of pictures, and all pictures that are given one by
    one. One that cannot be read whole is named and left out.
    """
    films, notes = _find(args.pictures, args.out)
    for note in notes:
        complain(note)
    kept, refused = split_off_collisions(
        [pair for _, film in films for pair in film], Path(args.out)
    )
    targets, reasons = dict(kept), dict(refused)
    left_out, went_on = LeftOut(), False
    for name, film in films:
        files = [file for file, _ in film]
        try:
            if taken := [file for file in files if file in reasons]:
                raise ValueError(reasons[taken[0]])
            there = [targets[file] for file in files if os.path.lexists(targets[file])]
            if len(there) == len(files):
                raise existing(*there)
            if there:  # an earlier run was cut off
                complain(existing(*there))
                went_on = True
            _restore_one(model, name, files, targets, mask, options, args)
        except (FileExistsError, ImportError, ValueError) as error:
            left_out.add(name, error)
    left_out.close()
    if not left_out.count:
        return int(went_on)
    return 1 if left_out.count < len(films) else 2


def _find(paths, out):
    """Return films and notes; each is a name and files with paths below the folder of results."""
    films, notes, single = [], [], []
    for path in map(Path, paths):
        if not path.is_dir():
            if not is_film(path) and not single:
                films.append((path, single))
            if is_film(path):
                films.append((path, [(path, Path(path.name))]))
            else:
                single.append((path, Path(path.name)))
            continue
        found, others = folders.split_off_films(*look_into(path, out))
        note = told_others(path, others)
        if not found:
            raise FileNotFoundError(
                f"There is no film in {str(path)!r}: no GIF file, no video and no PNG or JPEG "
                f"file. {note}".strip()
            )
        notes += [note] if note else []
        # The frames of several folders have the same names.
        below = Path(path.resolve().name if len(paths) > 1 else "")
        for name, source in found.items():
            files = [source] if isinstance(source, Path) else source
            films.append((name, [(file, below / file.relative_to(path)) for file in files]))
    return films, notes


def _restore_one(model, name, files, targets, mask, options, args):
    """Restore one film, and write what of it is not there."""
    one_file = len(files) == 1 and is_film(files[0])
    film = Film(files[0] if one_file else files)
    _check_size(model, film, name)
    hidden = mask
    if takes_lost(model) and not args.degrade:
        hidden = _hidden(film, name, mask, args.lost)
    alike = film.shape[-1] == model.image_shape[-1]
    if model.streams and alike and mask is None and not args.degrade:
        restored = _streamed(model, film, hidden, options.get("level"))
    else:
        restored = restore_any(model, film.read(), hidden, args.degrade, options)[0]
    target = targets[files[0]]
    if one_file:
        film.write(target, restored)
    else:
        for file, frame in zip(files, restored, strict=True):
            if not os.path.lexists(targets[file]):
                write_frame(targets[file], file, frame)
    where = target if len(files) == 1 else target.parent
    print(f"{name} -> {where} ({_frames(len(film))})", flush=True)


def _streamed(model, film, hidden, level):
    """Give restored frames one by one, however many there are."""
    known = None if hidden is None else (1.0 - mask for mask in hidden)
    return _with_bar(model.stream(film, known=known, level=level), len(film))


def _with_bar(frames, count):
    """Give frames one by one, and show on a terminal how many there have been."""
    bar = keras.utils.Progbar(count, unit_name="frame") if sys.stdout.isatty() else None
    for frame in frames:
        yield frame
        if bar is not None:
            bar.add(1)


def _check_size(model, film, name):
    """Raise for frames of another size than a model's that takes one only."""
    sides, (height, width) = model.image_shape[1:3], film.shape[1:3]
    if any(side not in (None, there) for side, there in zip(sides, (height, width), strict=True)):
        raise ValueError(
            f"This model restores films of {sides[1]} x {sides[0]} pixels (width x height). "
            f"Received: {str(name)!r}, of {width} x {height}. Train one on films of that size, or "
            "make frames of the model's."
        )


def restore_frames(file, target, answer, args) -> str:
    """Restore each frame of a film by itself, with a model of pictures, and return a word on it.

    Args:
        file: a GIF file or video.
        target: where to.
        answer: function from a picture to a restored one and more.
        args: of the command.
    """
    if args.map is not None:
        raise ValueError("--map is for single pictures, and this is a film. Leave out one of them.")
    film = Film(file)
    restored = (answer(frame, progress=False)[0] for frame in film)
    film.write(target, _with_bar(restored, len(film)))
    return f" ({_frames(len(film))}, each by itself)"


def _frames(count):
    return f"{count} frame{'s' if count > 1 else ''}"


def _hidden(film, name, mask, lost):
    """Return 1 where something is missing from a film, and say what may have been forgotten."""
    hidden = np.zeros((len(film), 1, 1, 1), "float32")
    if lost is None and mask is None:
        complain(_advice(film, name))
    if lost is not None:
        if lost[-1] > len(film):
            raise ValueError(
                f"--lost takes numbers of frames, from 1 to {len(film)} in {str(name)!r}. "
                f"Received: {lost[-1]}."
            )
        if len(lost) == len(film):
            raise ValueError(
                f"--lost names every frame of {str(name)!r}, so there is nothing to restore it "
                "from. Leave out those that are not lost."
            )
        hidden[np.array(lost) - 1] = 1.0
    sides = film.shape[1:3] if mask is None else mask.shape[:2]
    return np.broadcast_to(
        np.maximum(hidden, 0.0 if mask is None else mask), (len(film), *sides, 1)
    )


def _advice(film, name):
    """Return a sentence on which frames may be lost, since nobody has said."""
    black = [number for number, frame in enumerate(film, 1) if frame.max() <= BLACK]
    if 0 < len(black) < len(film):
        return (
            f"Frames of {str(name)!r} are black, and are taken as they are. If they are lost, pass "
            f"--lost {ranges.written(black)}."
        )
    numbers = _numbers(film.files or [])
    gaps = sorted(set(range(numbers[0], numbers[-1])) - set(numbers)) if numbers else []
    if 0 < len(gaps) < len(numbers):  # else they are numbered in steps
        return (
            f"Among the frames of {str(name)!r} there is no {ranges.written(gaps)}. To have it "
            "made, copy any other frame to its name, and pass --lost "
            f"{ranges.written([gap - numbers[0] + 1 for gap in gaps])}."
        )
    return (
        f"No frame of {str(name)!r} is said to be lost, and all are taken as they are. Name those "
        "that are: --lost 3,7-9, for example."
    )


def _numbers(files):
    """Return the last number in each name, if they grow from frame to frame, else nothing."""
    found = [re.findall("[0-9]+", file.stem) for file in files]
    if not all(found):
        return []
    numbers = [int(each[-1]) for each in found]
    return numbers if all(a < b for a, b in pairwise(numbers)) else []
