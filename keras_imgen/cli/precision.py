"""In which precision `keras-imgen train` computes, and which of them may be quicker."""

import contextlib
import warnings

import keras

from keras_imgen.cli.devices import has_accelerator

WORTH_IT = 0.9  # of the time of a step in float32: less is not worth its digits


def first(precision: str) -> str:
    """Return the precision to begin with: what was asked for, or float32 for `auto`."""
    return "float32" if precision == "auto" else precision


def others() -> tuple[str, ...]:
    """Return what may be quicker than float32 on this machine."""
    return ("bfloat16", "float16") if has_accelerator() else ("bfloat16",)


@contextlib.contextmanager
def computing_in(precision: str):
    """Let networks that are built meanwhile compute in a precision; weights are kept in float32.

    Args:
        precision: float32, bfloat16 or float16. What is compiled of float16 scales its losses.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision if precision == "float32" else f"mixed_{precision}")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def warn_of_slow(precision: str) -> None:
    """Warn of what is made for graphics cards where there is none."""
    if precision == "float16" and not has_accelerator():
        warnings.warn(
            "--precision float16 is made for graphics cards, and there is none here: a step may "
            "take several times as long as in float32. Pass --precision auto, which takes the "
            "quickest, or leave it out.",
            stacklevel=2,
        )
