"""Lets code of this package run as it is meant, whatever `keras.json` or the user has set."""

import contextlib
import functools

import keras
import numpy as np


@contextlib.contextmanager
def as_meant():
    """Set Keras to float32 and channels last, the one format of pictures, for a while.

    Layers keep what they are made with, so a network needs this only while it is built. A dtype
    policy that somebody chose, such as `mixed_float16`, stays; that which Keras makes of `floatx`
    does not.
    """
    layout, floatx = keras.config.image_data_format(), keras.config.floatx()
    if (layout, floatx) == ("channels_last", "float32"):
        yield
        return
    policy = keras.config.dtype_policy()
    try:
        keras.config.set_image_data_format("channels_last")
        keras.config.set_floatx("float32")
        if policy.name == floatx:
            keras.config.set_dtype_policy("float32")
        yield
    finally:
        keras.config.set_image_data_format(layout)
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(policy)


def meant_on_tensors(function):
    """Let a function run as it is meant, on arrays, too: PyTorch takes no mixture with tensors."""

    @functools.wraps(function)
    @as_meant()
    def wrapped(*args, **kwargs):
        return function(*map(_as_tensor, args), **{n: _as_tensor(x) for n, x in kwargs.items()})

    return wrapped


def _as_tensor(x):
    if not isinstance(x, np.ndarray):
        return x
    return keras.ops.convert_to_tensor(x, "float32" if x.dtype == "float64" else None)
