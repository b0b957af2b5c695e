"""Loads models from files, also a stranger's: a file is checked before anything in it is used."""

import json
import struct
import zipfile
import zlib
from pathlib import Path

import keras

from keras_imgen import checks

__all__ = ["damage", "in_short", "load_model"]

# What Keras writes for the models of this package, and what `Resume` adds.
_REQUIRED = ("config.json", "metadata.json", "model.weights.h5")
_OPTIONAL = ("training.json", "callbacks.npz")


def load_model(path: str | Path, *, compile: bool = True):
    """Load a model from a `.keras` file, a finished one or a checkpoint of `Resume`.

    Like `keras.saving.load_model(path)`, which works as well, but every byte of the file is checked
    first, nothing in it is ever run as code, and whatever is wrong is said in one sentence.

    Args:
        path: the file, on this machine.
        compile: whether to bring back optimizers and losses too, which training on needs.

    Returns:
        The model, with its optimizers' states and the states of all its random generators.

    Raises:
        TypeError: if `path` is no path.
        FileNotFoundError: if there is no such file.
        ValueError: if it is no `.keras` file, is damaged, holds what such a file should not, or
            comes from another version of the package or of Keras that this one cannot read.

    Example:
        >>> import tempfile
        >>> import keras_imgen
        >>> from keras_imgen import Restorer, degradations, networks
        >>> model = Restorer(networks.dncnn(depth=3, filters=2), degradations.AdditiveNoise(0.1))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.save(f"{folder}/denoiser.keras")
        ...     type(keras_imgen.load_model(f"{folder}/denoiser.keras")).__name__
        'Restorer'
    """
    path = checks.model_file(path)
    if reason := damage(path):
        raise ValueError(
            f"{str(path)!r} cannot be loaded: {reason}. Use another copy of it, or train again."
        )
    try:
        return keras.saving.load_model(path, compile=compile, safe_mode=True)
    except Exception as error:
        raise ValueError(f"{str(path)!r} cannot be loaded: {in_short(error)}") from error


def damage(path: str | Path) -> str | None:
    """Return what is wrong with a `.keras` file, or None if it is as it was when it was written.

    Every byte is read and compared with the checksums (CRC-32) that the archive holds.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if reason := _strange(archive.infolist()):
                return reason
            if (member := archive.testzip()) is not None:
                return f"the checksum of {member} in it is wrong, so the file is damaged"
            json.loads(archive.read("config.json"))
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        EOFError,
        NotImplementedError,  # a compression that does not exist
        RuntimeError,  # a password
        ValueError,  # no text where text should be
    ) as error:
        return f"it is damaged, was cut off or is no .keras file ({error})"
    return None


def _strange(members):
    names = [member.filename for member in members]
    if missing := [name for name in _REQUIRED if name not in names]:
        return f"it holds no {missing[0]}, so it is no .keras file or was cut off"
    if unknown := [name for name in names if name not in _REQUIRED + _OPTIONAL]:
        return f"it holds {unknown[0]!r}, which a model of this package does not have"
    if len(set(names)) < len(names):
        return "it holds two parts of the same name"
    # Keras compresses nothing. A few compressed bytes can stand for more than any memory holds.
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        return "its parts are compressed, which those of a .keras file never are"
    return None


LAMBDA = (
    "The file holds a Python lambda, and code from a file is never run. To go on with a model of "
    "your own, build it again and call load_weights with this file, or load it with "
    "keras.saving.load_model(path, safe_mode=False). Written with keras.ops, or with a registered "
    "layer or function, it loads everywhere."
)


def in_short(error) -> str:
    """Return the part of one of Keras's errors that helps; the whole may repeat the whole model."""
    text = str(error).rpartition("Exception encountered: ")[2]  # the innermost
    paragraphs = text.split("\n\n")
    if paragraphs[0].startswith("A total of") and len(paragraphs) > 1:
        paragraphs = paragraphs[1:]
    reason = " ".join(paragraphs[0].split()) or type(error).__name__
    if "deserialization of" in reason and "lambda" in reason:
        return LAMBDA
    for rest in (" If you trust the source", " Full object config"):  # unsafe; too long
        reason = reason.partition(rest)[0]
    return reason if len(reason) <= 400 else f"{reason[:400]} ..."
