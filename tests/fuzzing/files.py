"""A folder of odd files, links and pipes, and what loading from it and drawing into it gives."""

import contextlib
import functools
import io
import os
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from fuzzing.inputs import NAN, mostly, numbers, options, pictures
from fuzzing.judge import outcome
from fuzzing.models import check_dataset
from keras_imgen import (
    load,
    load_arrays,
    load_folder,
    plotting,
)
from keras_imgen.data import tfds


@functools.cache
def contents():
    """Return the content of the files that lie in a `zoo`."""
    pixels = np.random.default_rng(0).integers(0, 256, (10, 11, 3), "uint8")

    def encoded(image, kind="PNG", **settings):
        buffer = io.BytesIO()
        image.save(buffer, kind, **settings)
        return buffer.getvalue()

    grey, colour = Image.fromarray(pixels[..., 0]), Image.fromarray(pixels)
    frames = [grey, Image.fromarray(pixels[..., 1])]
    png = encoded(grey)
    enormous = png[:16] + (60000).to_bytes(4) + (60000).to_bytes(4) + png[24:]
    return {
        "grey/a.png": png,
        "grey/b.png": encoded(frames[1]),
        "grey/c.PNG": png,
        "colour/a.png": encoded(colour),
        "colour/b.jpg": encoded(colour, "JPEG"),
        "mixed/grey.png": png,
        "mixed/colour.jpeg": encoded(colour, "JPEG"),
        "sizes/a.png": png,
        "sizes/b.png": encoded(grey.resize((5, 30))),
        "sizes/point.png": encoded(grey.resize((1, 1))),
        "damaged/a.png": png,
        "damaged/empty.png": b"",
        "damaged/text.png": b"no picture\n",
        "damaged/cut.png": png[: len(png) // 2],
        "damaged/flipped.png": png[:60] + b"\xff\x00" + png[62:],
        "broken/cut.jpg": encoded(colour, "JPEG")[:300],
        "enormous/a.png": enormous,
        "kinds/palette.png": encoded(colour.convert("P"), transparency=0),
        "kinds/alpha.png": encoded(colour.convert("RGBA")),
        "kinds/bits.png": encoded(grey.convert("1")),
        "kinds/deep.png": encoded(grey.convert("I;16")),
        "kinds/cmyk.jpg": encoded(colour.convert("CMYK"), "JPEG"),
        "kinds/tiff.png": encoded(grey.convert("F"), "TIFF"),
        "kinds/moves.png": encoded(grey, save_all=True, append_images=frames),
        "日本語 ünï 🎨/ä b.png": png,
        "hidden/.a.png": png,
        "none/readme.txt": b"nothing here",
        "old.png": png,
        "old.txt": b"an old text",
        "old/notes.txt": b"notes",
    }


class Zoo(NamedTuple):
    """A folder of odd files, and the names of those that may be replaced."""

    folder: Path
    replaced: set


@contextlib.contextmanager
def zoo(more=None):
    """Be in a folder with files and links of all kinds; check that what was there stays.

    Args:
        more: further files and their content, by name.
    """
    with tempfile.TemporaryDirectory(prefix="zoo-") as outside, contextlib.chdir(outside):
        folder = Path(outside) / "inside"  # so that ".." is harmless
        for name, content in (contents() | (more or {})).items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        os.chdir(folder)
        (folder / "empty").mkdir()
        (folder / "folder.png").mkdir()
        (folder / "loops").mkdir()
        for link, target in LINKS.items():
            (folder / link).symlink_to(target)
        os.mkfifo(folder / "pipe.png")
        before = snapshot(folder)
        yield (here := Zoo(folder, set()))
        after = snapshot(folder)
        for name, content in before.items():
            replaced = name in here.replaced and (isinstance(content, bytes | tuple))
            assert replaced or after.get(name) == content, f"{name} was there and was changed"
        unfinished = [name for name in after if "unfinished" in name]
        assert not unfinished, f"left behind: {unfinished}"
        for name in after.keys() - before.keys():
            check_whole(folder / name)


LINKS = {
    "loop": "loop",
    "loop.png": "loop.png",
    "loops/again": "../loops",
    "loops/a.png": "b.png",
    "loops/b.png": "a.png",
    "nowhere.png": "not/there.png",
    "device.png": "/dev/full",
    "linked": "grey",
    "linked.png": "grey/a.png",
}
PATHS = (
    *("grey", "colour", "mixed", "sizes", "damaged", "broken", "enormous", "kinds", "hidden"),
    *(
        "日本語 ünï 🎨",
        "none",
        "old.png",
        "old.txt",
        "old",
        "empty",
        "folder.png",
        "loops",
        "pipe.png",
    ),
    *LINKS,
    *("", ".", "..", "not there", "a" * 300, "a/" * 200 + "b", "nul\0byte", "~nobody-here/x", "-n"),
    *("two\nlines", "\udc80", "grey/../grey", "old.png/x", "loop/x.png", "grey/a.png", "🎨.png"),
    *("/dev/null/x", "/proc/x", "damaged/cut.png", "kinds/deep.png", "enormous/a.png", "new.png"),
)
paths = st.sampled_from(PATHS)
odd_paths = mostly(paths, st.sampled_from([None, 3, b"grey", Path("grey"), ["grey"], NAN, True]))


def snapshot(folder):
    """Return what lies below a folder: content of files, target of links, kind of the rest."""
    found = {}
    for root, folders, files in os.walk(folder):
        for name in folders + files:
            path = Path(root) / name
            if path.is_symlink():
                content = ("link", os.readlink(path))
            elif path.is_file():
                content = path.read_bytes()
            else:
                content = "folder" if path.is_dir() else "other"
            found[str(path.relative_to(folder))] = content
    return found


def check_whole(path):
    """Raise AssertionError if a new picture, model or notebook is not whole."""
    if not path.is_file():
        return
    if path.suffix in (".png", ".gif"):
        with Image.open(path) as image:
            for index in range(getattr(image, "n_frames", 1)):
                image.seek(index)
                image.load()
    elif path.suffix == ".keras":
        assert zipfile.ZipFile(path).testzip() is None, f"{path} is damaged"


def texts_in(values):
    """Return the texts and paths among values, which a message may name."""
    return [str(value) for value in values if isinstance(value, str | Path)]


dataset_options = {"batch_size": numbers, "seed": numbers}
labels = st.one_of(
    st.none(),
    st.integers(0, 6).map(lambda count: list(range(count))),
    st.sampled_from(["abc", 3, NAN, [None] * 3, [[1, 2], [3]], {}, np.zeros((3, 2)), range(3)]),
)


def fuzz_load_arrays(case):
    """`load_arrays` serves every picture as it was given, or refuses."""
    given, labels_given, chosen = case
    return outcome(lambda: load_arrays(given.made(), labels_given, **chosen), check=check_dataset)


sizes = mostly(st.sampled_from([8, (8, 9), None]), numbers)
channels = mostly(st.sampled_from([None, 1, 3]), numbers)


def fuzz_load_folder(case):
    """`load_folder` serves pictures in [0, 1], or refuses; nothing there changes."""
    path, chosen = case
    with zoo():
        return outcome(
            lambda: load_folder(path, **chosen),
            *texts_in([path]),
            check=check_dataset,
        )


SETS = ("digits", "photos", "moving_digits", "mnist", "mnist:9.9.9", "no_set", "")
names = mostly(st.sampled_from(SETS), st.one_of(odd_paths, st.text(max_size=40)))
splits = mostly(
    st.sampled_from(["train", "test"]),
    st.sampled_from(["train[:1%]", "x", "", "all", None, 3, b"train", ["train"], "日本"]),
)


def fuzz_load(case):
    """`load` serves a set by its name, or refuses; without a network and within seconds."""
    name, split, chosen = case
    with zoo() as here, offline():
        return outcome(
            lambda: load(name, split, data_dir=here.folder, **chosen),
            *texts_in([name, split, here.folder]),
            check=check_dataset,
        )


def offline():
    """Let TFDS's server be out of reach, so that no test depends on a network."""
    return mock.patch.object(tfds, "is_reachable", return_value=False)


outputs = mostly(st.sampled_from(["new.png", "new/folder/🎨.png", "new.gif"]), odd_paths)


@st.composite
def drawings(draw):
    """Draw pictures, a function that writes them, its path and its options."""
    function = draw(st.sampled_from([plotting.save_grid, plotting.save_gif]))
    both = {"columns": numbers, "padding": numbers, "scale": numbers}
    own = {"seconds": numbers, "scale": numbers}
    chosen = draw(options(**(both if function is plotting.save_grid else own)))
    return function, draw(outputs), draw(pictures()), chosen


def fuzz_draw(case):
    """`save_grid` and `save_gif` write a whole file, or refuse and change none."""
    function, path, given, chosen = case
    with zoo() as here:
        result = outcome(
            lambda: function(path, given.made(), **chosen), *texts_in([path, here.folder])
        )
        if result == "success":  # a file that was named is replaced: so it is meant
            here.replaced.add(os.path.normpath(path))
        return result
