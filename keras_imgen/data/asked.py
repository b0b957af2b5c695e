"""Checks what the `load` functions are asked for, before anything is read."""

from collections.abc import Sequence

import numpy as np

from keras_imgen import checks
from keras_imgen.checks import whole_number
from keras_imgen.data import sources


def check(size, crops, channels, batch_size, seed):
    """Raise for what no pictures could go with, before any are read."""
    advice = "It is the number of random crops of `size` per picture; 0 resizes."
    if whole_number("crops", crops, 0, advice) and size is None:
        raise ValueError(
            "`crops` is the number of random crops of `size` per picture, or 0 to resize. "
            f"Received: crops={crops}, size=None."
        )
    if size is not None:
        pair(size)
    if channels is not None:
        sources.with_channels([], channels)
    whole_number("batch_size", batch_size, 1)
    checks.seed(seed)


def pair(size) -> tuple[int, int]:
    """Return height and width."""
    advice = "It is a side in whole pixels, or a pair (height, width)."
    sides = size if isinstance(size, Sequence | np.ndarray) and len(size) == 2 else (size, size)
    return tuple(whole_number("size", side, 1, advice) for side in sides)
