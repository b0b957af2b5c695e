"""Checks single arguments, so that each mistake gets the same kind of answer everywhere."""

import os
import secrets
import sys
import zlib
from numbers import Real
from pathlib import Path

import numpy as np

# Keras and TensorFlow compute with no others.
FAINTEST = 1.0 / 255.0 / 12.0**0.5  # noise of pictures of 8 bits, which were rounded
FLOATS = ("float16", "bfloat16", "float32", "float64")

__all__ = [
    "FAINTEST",
    "FLOATS",
    "array",
    "dtype_name",
    "flag",
    "labels",
    "model_file",
    "number",
    "one_of",
    "path",
    "seed",
    "seed_or_new",
    "shown",
    "whole_number",
]


def whole_number(name: str, value, least: int, advice: str = "", most: int | None = None) -> int:
    """Return `value` as an integer, or raise if it is no whole number of that size.

    Args:
        name: the argument.
        value: what was passed; 2.0 is a whole number, True is none.
        least: the smallest that is allowed.
        advice: what it means and what to pass, if the name does not say it.
        most: the largest that is allowed; by default any that can number the entries of an array.

    Raises:
        ValueError: with name, value and advice.

    Example:
        >>> from keras_imgen.checks import whole_number
        >>> whole_number("n", 1.5, 1)
        Traceback (most recent call last):
        ...
        ValueError: `n` must be a whole number, at least 1. Received: n=1.5.
    """
    is_whole = _is_number(value) and value % 1 == 0
    largest = sys.maxsize if most is None else most
    if not is_whole or not least <= value <= largest:
        too_large = is_whole and value > largest
        limit = f" and at most {largest}" if too_large or most is not None else ""
        wanted = f"a whole number, at least {least}{limit}"
        text = f"`{name}` must be {wanted}. Received: {name}={shown(value)}"
        raise ValueError(f"{text}. {advice}".rstrip())
    return int(value)


def number(name: str, value, low: float, high: float | None = None, advice: str = "") -> float:
    """Return `value` as a float, or raise if it is no number in [low, high].

    Args:
        name: the argument.
        value: what was passed.
        low: the smallest that is allowed.
        high: the largest; by default any that is finite.
        advice: what it means and what to pass, if the name does not say it.

    Raises:
        ValueError: with name, value and advice.

    Example:
        >>> from keras_imgen.checks import number
        >>> number("seconds", "x", 0.0)
        Traceback (most recent call last):
        ...
        ValueError: `seconds` must be a number, 0 or more. Received: seconds='x'.
    """
    largest = sys.float_info.max if high is None else high
    if not _is_number(value) or not low <= value <= largest:
        wanted = (
            f"a number, {low:g} or more" if high is None else f"a number in [{low:g}, {high:g}]"
        )
        text = f"`{name}` must be {wanted}. Received: {name}={shown(value)}"
        raise ValueError(f"{text}. {advice}".rstrip())
    return float(value)


def seed(value) -> int:
    """Return a seed as an integer of 32 bits, the largest that all backends take, or raise.

    Larger ones are turned into such a number, always the same.

    Args:
        value: what was passed.

    Raises:
        ValueError: with what was received.
    """
    value = whole_number("seed", value, 0, most=2**63 - 1)
    return value if value < 2**32 else zlib.crc32(str(value).encode())


def seed_or_new(value) -> int:
    """Return a seed as `seed` does, or another one every time if none was passed."""
    return secrets.randbits(24) if value is None else seed(value)


def flag(name: str, value, *others: str) -> None:
    """Raise TypeError unless `value` is True, False or one of the other words.

    Args:
        name: the argument.
        value: what was passed.
        *others: words that are allowed, too.
    """
    if not isinstance(value, bool) and not (isinstance(value, str) and value in others):
        words = ", ".join(["True", *map(repr, others)])
        raise TypeError(f"`{name}` must be {words} or False. Received: {name}={shown(value)}.")


def array(value) -> np.ndarray:
    """Return pictures as one array, or raise if they have different shapes.

    Args:
        value: array, tensor, or list of equal arrays.

    Raises:
        ValueError: for pictures of different shapes.
    """
    try:
        return np.asarray(value)
    except ValueError:
        raise ValueError(
            "Pictures must be one array, or a list of equal ones. Received: a "
            f"{type(value).__name__} of different shapes. Resize them first, or take one by one."
        ) from None


def dtype_name(array) -> str:
    """Return the name of an array's dtype, also of dtypes that Keras does not know.

    What is no array of equal rows, such as a list or a ragged tensor, holds objects.

    Args:
        array: array or tensor of any library.
    """
    dtype = getattr(array, "dtype", "object") if hasattr(array, "__array__") else "object"
    return str(getattr(dtype, "name", dtype)).removeprefix("torch.")


def labels(labels, count: int | None = None) -> np.ndarray:
    """Return labels as an array of whole numbers, or raise if they are none.

    Args:
        labels: one per picture; a column `(n, 1)`, as Keras's own data sets have, will do.
        count: how many there must be; by default any number.

    Raises:
        ValueError: with what was passed.

    Example:
        >>> from keras_imgen.checks import labels
        >>> labels([[3], [1]], count=2)
        array([3, 1])
    """
    try:
        array = np.asarray(labels)
    except ValueError:  # rows of different lengths
        array = np.zeros(0)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or array.dtype.kind not in "biu" or count not in (None, len(array)):
        received = f"shape {array.shape}, dtype {dtype_name(array)}" if array.size else ""
        number = "one for each picture" if count is None else f"{count:,} of them"
        advice = ""
        if array.ndim == 2 and array.shape[1] > 1 and array.dtype.kind in "biuf":
            advice = " Convert rows of zeros with a one by np.argmax(labels, axis=-1)."
        elif array.size and array.dtype.kind == "f":
            advice = " Convert floats with labels.astype(int)."
        raise ValueError(
            f"`labels` must be whole numbers, {number}. Received: {received or shown(labels)}."
            f"{advice}"
        )
    return array


def one_of(name: str, value, choices) -> None:
    """Raise ValueError unless `value` is one of the choices.

    Args:
        name: the argument.
        value: what was passed.
        choices: all that is allowed.

    Example:
        >>> from keras_imgen.checks import one_of
        >>> one_of("loss", "hinge", ("hinge", "wasserstein"))
    """
    if value not in tuple(choices):
        raise ValueError(
            f"`{name}` must be one of {', '.join(map(repr, choices))}. "
            f"Received: {name}={shown(value)}."
        )


def path(name: str, value) -> None:
    """Raise TypeError unless `value` is the path of a file or folder: a text or a `Path`.

    Args:
        name: the argument.
        value: what was passed.
    """
    if not isinstance(value, str | os.PathLike):
        raise TypeError(
            f"`{name}` must be a path, a text or a pathlib.Path. Received: {name}={shown(value)}."
        )


def model_file(value) -> Path:
    """Return the path of a file that may hold a model, or raise if it is none.

    Args:
        value: what was passed.

    Raises:
        TypeError: if it is no path.
        FileNotFoundError: if there is no such file.
        ValueError: if it is an address, or has another ending.
    """
    path("path", value)
    if "://" in str(value):
        raise ValueError(
            f"A model is loaded from a file of this machine. Received: {str(value)!r}. Download "
            "it, then pass the file."
        )
    file = Path(value).expanduser()
    if not file.is_file():
        what = "is a folder" if file.is_dir() else "does not exist"
        raise FileNotFoundError(
            f"There is no model file {str(file)!r}: it {what}. Pass a file that ends in .keras."
        )
    if file.suffix != ".keras":
        raise ValueError(
            f"A model is loaded from a file that ends in .keras. Received: {str(file)!r}."
        )
    return file


def shown(value, most: int = 120) -> str:
    """Return how a value is shown in a message: in one line, and cut off if it is long."""
    text = " ".join(repr(value).split())
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _is_number(value) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
