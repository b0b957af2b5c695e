"""The command with odd arguments, and with damaged files of models."""

import contextlib
import functools
import io
import warnings
import zipfile
from dataclasses import replace
from unittest import mock

import numpy as np
from hypothesis import strategies as st
from tiny_models import FAMILIES

from fuzzing.files import offline, paths, zoo
from fuzzing.inputs import mostly, options
from fuzzing.judge import LEAKS, LONGEST, SECONDS, StillRunning, time_limit
from fuzzing.models import file_of, model_of, shape_for
from keras_imgen.cli import command as cli
from keras_imgen.cli import recipes

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60)
words = st.one_of(paths.filter(lambda path: "\0" not in path), texts)
counts = mostly(
    st.sampled_from(["1", "2", "8", "16"]),
    st.sampled_from(["0", "-1", "1.5", "x", "", "nan", "1e3", "٣", "1_0", "9" * 30, "9" * 5000]),
)
model_files = mostly(
    st.sampled_from(["gan.keras", "denoiser.keras", "inpainter.keras", "sequence.keras"]), words
)
new_outputs = mostly(st.sampled_from(["new.png", "new/deep/x.png", "🎨.png"]), words)


@st.composite
def commands(draw):
    """Draw the arguments of the command `keras-imgen`."""
    command = draw(
        st.sampled_from(["sample", "restore", "train", "demo", "tutorials", "doctor", "odd"])
    )
    if command == "odd":
        return draw(
            st.lists(st.one_of(words, st.sampled_from(["--out", "-n", "sample"])), min_size=1)
        )

    def some(**flags):
        chosen = draw(options(3, **flags))
        return [text for flag, value in chosen.items() for text in (flag, value) if text]

    if command == "sample":
        flags = {
            "-n": counts,
            "--label": counts,
            "--seed": counts,
            "--scale": counts,
            "--out": new_outputs,
        }
        return [command, draw(model_files), *some(**flags)]
    if command == "restore":
        given = draw(st.lists(mostly(paths.filter(lambda p: "\0" not in p), words), max_size=3))
        flags = {"--mask": words, "--degrade": st.just(""), "--out": new_outputs}
        flags |= {"--lost": counts}
        return [command, draw(model_files), *given, *some(**flags)]
    if command == "train":
        family = draw(mostly(st.sampled_from(cli.FAMILIES), words))
        places = mostly(st.sampled_from(["grey", "colour", "digits", "moving_digits"]), words)
        flags = {
            **dict.fromkeys(["--size", "--crops", "--batch-size", "--seed"], counts),
            "--channels": mostly(st.sampled_from(["1", "3"]), counts),
            "--data": places,
            "--out": new_outputs,
        }
        return [command, family, "--epochs", draw(mostly(st.just("1"), counts)), *some(**flags)]
    if command == "demo":  # never a folder that is free: it would train for minutes
        taken = st.sampled_from(["grey", "old.png", "old", "/dev/null/x", "old.png/x", "loop/x"])
        return [command, "--out", draw(taken), *some(**{"--seed": counts, "--epochs": counts})]
    return [command, *([draw(new_outputs)] if command == "tutorials" else [])]


@functools.cache
def tiny_recipes():
    """Return the recipes of `train` with the smallest networks, so that a training is cheap."""

    def build(family):
        def make(image_shape, steps, seed):
            model = model_of(families[family])
            if tuple(image_shape) != shape_for(families[family]):
                raise ValueError(f"Received: {image_shape}, which the tiny networks do not take.")
            return model

        return make

    families = dict(zip(cli.FAMILIES, FAMILIES, strict=True))
    return {name: replace(r, build=build(name)) for name, r in recipes.RECIPES.items()}


def run_command(argv):
    """Return exit status, standard output and standard error of the command."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = cli.main(argv)
        except SystemExit as stop:
            status = stop.code
    return status, out.getvalue(), err.getvalue()


def fuzz_command(argv):
    """The command ends with 0, or with 1 or 2 and one or two lines that say why."""
    kinds = ("gan", "denoiser", "inpainter", "sequence")
    files = {f"{kind}.keras": file_of(kind) for kind in kinds}
    with zoo(files), offline(), mock.patch.dict(recipes.RECIPES, tiny_recipes()):
        return exit_of(argv)


def exit_of(argv, named=""):
    """Run the command and return its exit status in words, after a check of what it said.

    Args:
        argv: the arguments.
        named: what an error must name.
    """
    try:
        with time_limit(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            status, _, err = run_command(argv)
    except StillRunning:
        raise AssertionError(f"still running after {SECONDS:g} seconds") from None
    except Exception as error:
        raise AssertionError(f"a traceback of {type(error).__name__}: {error}") from error
    lines = [line for line in err.splitlines() if line.strip()]
    assert status in (0, 1, 2), f"exit status {status}"
    if status == 0:
        assert not lines, f"exit status 0, and on stderr: {err}"
        return "success"
    if lines and lines[0].startswith("usage:"):  # argparse's own, which wraps with the window
        lines = [line for line in lines if ": error:" in line]
    assert 1 <= len(lines) <= 2, f"{len(lines)} lines on stderr: {err}"
    assert len(err) < 2 * LONGEST, f"{len(err)} characters on stderr: {err}"
    assert lines[-1].startswith("keras-imgen"), err
    assert named in err, f"does not name {named!r}: {err}"
    leaks = [leak for leak in LEAKS if leak in err]
    assert not leaks, f"leaks {leaks}: {err}"
    return f"exit {status}"


def _flipped(content, place):
    index = int(place * (len(content) - 1))
    return content[:index] + bytes([content[index] ^ 0x10]) + content[index + 1 :]


def _member_replaced(content, place, new):
    """Return a .keras file in which one member is something else."""
    source, target = zipfile.ZipFile(io.BytesIO(content)), io.BytesIO()
    names = source.namelist()
    chosen = names[int(place * (len(names) - 1))]
    with zipfile.ZipFile(target, "w") as file:
        for name in names:
            if name != chosen or new is not None:
                file.writestr(name, new if name == chosen else source.read(name))
    return target.getvalue()


def _other_zip(content, place):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as file:
        file.writestr("readme.txt", "something else")
    return target.getvalue()


DAMAGE = {
    "none": lambda content, place: content,
    "flipped": _flipped,
    "cut": lambda content, place: content[: int(place * len(content))],
    "random bytes": lambda content, place: np.random.default_rng(int(1e6 * place)).bytes(500),
    "longer": lambda content, place: content + b"\0" * 100,
    "zeros inside": lambda content, place: (
        content[: int(place * len(content))] + bytes(64) + content[int(place * len(content)) + 64 :]
    ),
    "another zip": _other_zip,
    "a part left out": lambda content, place: _member_replaced(content, place, None),
    "a part emptied": lambda content, place: _member_replaced(content, place, b""),
    "a part of nonsense": lambda content, place: _member_replaced(content, place, b"{}"),
}
model_damages = st.tuples(
    st.sampled_from(["gan", "denoiser"]),
    st.sampled_from(tuple(DAMAGE)),
    st.floats(0.0, 1.0, width=16),
)


# What is done with a model's file, and the picture that it leaves.
USES = {
    "gan": (["sample", "a.keras", "-n", "1", "--seed", "0", "--out", "new.png"], "new.png"),
    "denoiser": (["restore", "a.keras", "grey/a.png", "--degrade"], "restored/a.png"),
}


@functools.cache
def _picture_of(kind):
    """Return the picture that the whole file of a model leaves."""
    argv, picture = USES[kind]
    with zoo({"a.keras": file_of(kind)}) as here:
        assert exit_of(argv) == "success"
        return (here.folder / picture).read_bytes()


def fuzz_model_file(case):
    """A model's file is used as it was saved, or refused in one or two lines."""
    kind, damage, place = case
    argv, picture = USES[kind]
    whole = _picture_of(kind)
    with zoo({"a.keras": DAMAGE[damage](file_of(kind), place)}) as here:
        result = exit_of(argv, named="a.keras")
        if result == "success":
            assert (here.folder / picture).read_bytes() == whole, "used, and not as it was saved"
        assert result == "success" or damage != "none"
        return result
