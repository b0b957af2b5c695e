"""What a command is given: pictures and models, where results go, what is left out."""

import json
import os
from pathlib import Path

from keras_imgen.cli.command import complain

FILMS = (".gif", ".mp4", ".mov", ".avi", ".mkv", ".webm")  # what `data.Film` reads, without Keras


def find(
    paths, *outs: str | Path | None, films: bool = False
) -> tuple[list[tuple[Path, Path]], list[str]]:
    """Return every picture with its path below the folder that was given, or its name; and notes.

    Of a folder, files of other kinds are counted in a note, and what lies in `outs` is not looked
    at: results of an earlier run are no pictures to work on. With `films`, the note says what to do
    with GIF files and videos: among photographs they are not taken, since each may take hours.

    Raises:
        FileNotFoundError: if there is nothing of that name, or no picture in a folder.
    """
    found, notes = [], []
    check_there(paths)
    for path in map(Path, paths):
        if os.path.isdir(path):
            files, others = look_into(path, *outs)
            note = told_others(path, others)
            if films and any(map(is_film, others)):
                note += " To have every frame of a film restored, name the film."
            if not files:
                raise FileNotFoundError(
                    f"There is no PNG or JPEG file in {str(path)!r}. {note}".strip()
                )
            notes += [note] if note else []
            found += [(file, file.relative_to(path)) for file in files]
        else:
            found.append((path, Path(path.name)))
    return found, notes


def look_into(folder: Path, *outs: str | Path | None) -> tuple[list[Path], list[Path]]:
    """Return the pictures and the other files of a folder, but for what lies in `outs`."""
    from keras_imgen.data import folders  # and Keras with it

    files, others = folders.list_pictures(folder)
    for results in (Path(out).resolve() for out in outs if out is not None):
        files, others = (
            [file for file in kind if results not in file.resolve().parents]
            for kind in (files, others)
        )
    return files, others


def told_others(folder: Path, others: list[Path]) -> str:
    """Return one sentence on the files of a folder that are left out, or nothing."""
    from keras_imgen.data import folders

    return folders.told_others(folder, others) if others else ""


def is_film(file: Path) -> bool:
    """Return whether a file is a film by its name."""
    return file.suffix.lower() in FILMS


def check_there(paths) -> None:
    """Raise unless every picture or folder exists.

    Raises:
        FileNotFoundError: for the first one that does not.
    """
    for path in paths:
        if not os.path.lexists(path):
            raise FileNotFoundError(f"There is no picture or folder {str(path)!r}.")


def run_config(model: str) -> dict:
    """Return what `keras-imgen train` wrote of a model into the file beside it, or nothing."""
    try:
        config = json.loads(Path(model).with_name("config.json").read_text())
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}


def existing(path, *others, option: str = "--out") -> FileExistsError:
    """Return the error for files that are there already, and the option that leads elsewhere."""
    more = f" and {len(others)} more exist and are" if others else " exists and is"
    return FileExistsError(f"{str(path)!r}{more} not overwritten. Pass another {option}.")


class LeftOut:
    """Names the pictures that are left out, and says each reason once.

    Attributes:
        count: how many there are.
    """

    def __init__(self):
        self.count = 0
        self._files = {}

    def add(self, file: Path, error: Exception | str) -> None:
        """Leave out a file: say why, unless that has been said."""
        self.count += 1
        reason = str(error)
        if reason in self._files:
            self._files[reason].append(str(file))
            return
        self._files[reason] = []
        complain(reason if str(file) in reason else f"{str(file)!r}: {reason}")

    def close(self) -> None:
        """Say which other files the same holds for."""
        for files in self._files.values():
            if files:
                some = ", ".join(map(repr, files[:5])) + (", ..." if len(files) > 5 else "")
                count = f"{len(files)} more are" if len(files) > 1 else "1 more is"
                complain(f"{count} left out for the same reason: {some}.")


def split_off_collisions(found, folder: Path):
    """Return files with their targets, and pairs of a file and the reason to leave it out.

    A picture becomes a PNG file, a film a file of its own kind.

    Of two pictures that would become one file, the second one is left out. On many disks names that
    differ in capitals only are one name.
    """
    taken, kept, refused = {}, [], []
    for file, below in found:
        target = folder / (below if is_film(below) else below.with_suffix(".png"))
        other = taken.setdefault(str(target).casefold(), file)
        if other is file:
            kept.append((file, target))
        else:
            reason = (
                f"{str(other)!r} and {str(file)!r} would both become {str(target)!r}. Restore the "
                "second one in a run of its own, with another --out."
            )
            refused.append((file, reason))
    return kept, refused
