"""Pictures and options as users get them wrong, described in words that can be typed in again."""

import warnings
from pathlib import Path
from typing import NamedTuple

import keras
import ml_dtypes
import numpy as np
import tensorflow as tf
from hypothesis import strategies as st

from keras_imgen import (
    load_arrays,
)

SHAPE = (8, 9, 1)  # the smallest that all networks take, neither square nor even
TIME = 3

VALUES = {
    "in range": lambda rng, shape: rng.random(shape),
    "black": lambda rng, shape: np.zeros(shape),
    "white": lambda rng, shape: np.ones(shape),
    "denormal": lambda rng, shape: np.full(shape, 1e-310),
    "8 bits": lambda rng, shape: 255.0 * rng.random(shape),
    "[-1, 1]": lambda rng, shape: rng.uniform(-1.0, 1.0, shape),
    "just above": lambda rng, shape: np.full(shape, 1.001),
    "huge": lambda rng, shape: np.full(shape, 1e38),
    "NaN": lambda rng, shape: np.full(shape, np.nan),
    "one NaN": lambda rng, shape: _with_first(rng.random(shape), np.nan),
    "one infinite": lambda rng, shape: _with_first(rng.random(shape), np.inf),
    "one minus infinite": lambda rng, shape: _with_first(rng.random(shape), -np.inf),
}


def _with_first(values, value):
    values.reshape(-1)[:1] = value
    return values


DTYPES = (
    *("float64", "float16", "bfloat16", ">f4", "longdouble", "uint8", "int64", "uint16", "bool"),
    *("complex64", "object", "str", "bytes", "datetime64[s]", "f4,f4"),
)


def _dataset(array, size=2):
    return tf.data.Dataset.from_tensor_slices(array).batch(size)


class Batches(keras.utils.PyDataset):
    """A dataset of a user's own."""

    def __init__(self, array, endless=False):
        super().__init__()
        # A number has no length: that would be an error of this class itself.
        self.array, self.endless = np.atleast_1d(array) if np.ndim(array) == 0 else array, endless

    @property
    def num_batches(self):
        return None if self.endless else -(-len(self.array) // 2)

    def __getitem__(self, index):
        return self.array[2 * index : 2 * index + 2]


# How pictures are handed over. Those of `BATCHED` are for `fit` and `evaluate` only.
FORMS = {
    "array": lambda array: array,
    "tensor": tf.convert_to_tensor,
    "list": list,
    "nested list": lambda array: array.tolist(),
    "masked array": np.ma.masked_array,
    "read only": lambda array: np.broadcast_to(array, array.shape),
    "reversed": lambda array: array[::-1, ..., ::-1],
    "columns first": np.asfortranarray,
    "variable": lambda array: keras.Variable(array),
    "sparse": lambda array: tf.sparse.from_dense(array),
    "ragged": lambda array: tf.RaggedTensor.from_tensor(array),
    "None": lambda array: None,
    "number": lambda array: 0.5,
    "text": lambda array: "digits",
    "path": lambda array: Path("digits"),
    "set": lambda array: {1, 2},
    "function": lambda array: len,
}
BATCHED = {
    "tuple": lambda array: (array, np.zeros(len(array))),
    "empty tuple": lambda array: (),
    "dict": lambda array: {"image": array},
    "dict without image": lambda array: {"picture": array, 3: array},
    "tf.data": _dataset,
    "tf.data, in tuples": lambda array: tf.data.Dataset.zip((_dataset(array), _dataset(array))),
    "tf.data, in dicts": lambda array: tf.data.Dataset.zip({"image": _dataset(array)}),
    "tf.data, not batched": tf.data.Dataset.from_tensor_slices,
    "tf.data, endless": lambda array: _dataset(array).repeat(),
    "tf.data, empty": lambda array: _dataset(array).take(0),
    "PyDataset": Batches,
    "PyDataset, endless": lambda array: Batches(array, endless=True),
    "generator": lambda array: (picture for picture in array),
    "load_arrays": lambda array: load_arrays(array, batch_size=2),
}


class Pictures(NamedTuple):
    """What an input is, in words."""

    shape: tuple
    dtype: str = "float32"
    values: str = "in range"
    form: str = "array"

    def array(self):
        """Return it as an array."""
        array = VALUES[self.values](np.random.default_rng(0), self.shape)
        dtype = ml_dtypes.bfloat16 if self.dtype == "bfloat16" else self.dtype
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if dtype == "datetime64[s]":
                return np.zeros(self.shape, dtype)
            return array.astype(dtype)

    def made(self):
        """Return it in its form; reject the input if TensorFlow or NumPy cannot even make it."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return (FORMS | BATCHED)[self.form](self.array())
        except Exception:
            return self.array()


def mostly(usual, odd):
    """Draw what is usual three times out of four, so that inputs with one fault are common."""
    return st.integers(0, 3).flatmap(lambda number: odd if number == 3 else usual)


@st.composite
def pictures(draw, shape=SHAPE, batched=False):
    """Draw pictures that are right in most respects, `shape` being that of one."""
    counts = mostly(st.integers(2, 5), st.sampled_from([0, 1, 7]))
    usual = counts.map(lambda count: (count, *shape))
    sides = st.sampled_from([0, 1, 2, 3, 4, 8, 9, 17])
    odd = st.one_of(
        st.lists(sides, max_size=6).map(tuple),
        st.sampled_from(
            [
                shape,
                (2, *shape[:-1]),
                (2, 1, *shape),
                (2, *shape[:-1], shape[-1] + 2),
                (2, *reversed(shape)),
                (1, 2000, 2000, 1),
                (2, 8, 8, 1),
            ]
        ),
    )
    forms = tuple(FORMS) + (tuple(BATCHED) if batched else ())
    return Pictures(
        draw(mostly(usual, odd)),
        draw(mostly(st.just("float32"), st.sampled_from(DTYPES))),
        draw(mostly(st.just("in range"), st.sampled_from(tuple(VALUES)))),
        draw(mostly(st.just("array"), st.sampled_from(forms))),
    )


NAN = float("nan")
# What is passed where a number is meant.
SMALL = (0, -1, 1, 2, 1.5, 2.0, True, False, "x", "3", "", NAN, (1, 2), [], {}, b"x", 1j)
NUMBERS = (
    *SMALL,
    None,
    np.int64(2),
    np.float32(1.5),
    np.array([1, 2]),
    float("inf"),
    -float("inf"),
)
ENORMOUS = (10**12, 10**30, -(10**30), 1e300)

small_numbers = st.sampled_from(NUMBERS)
numbers = st.sampled_from((*NUMBERS, *ENORMOUS))


def options(most=2, **strategies):
    """Draw at most a few of the options: of many, the first would hide the others."""
    each = [st.tuples(st.just(name), values) for name, values in strategies.items()]
    return st.lists(st.one_of(each), max_size=most, unique_by=lambda pair: pair[0]).map(dict)
