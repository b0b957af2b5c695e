"""Applies a function to many entries, a few at a time."""

import numpy as np
from keras import ops

from keras_imgen import backends


def in_batches(function, *values, size: int = 64) -> np.ndarray:
    """Apply a function of tensors to a few entries at a time, so that memory lasts for many."""
    starts = range(0, len(values[0]), size)
    with backends.unrecorded():
        parts = [function(*(value[i : i + size] for value in values)) for i in starts]
    return np.concatenate([ops.convert_to_numpy(part) for part in parts])
