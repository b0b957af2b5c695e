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


def check_crop(size, shape, what: str):
    """Raise unless a picture is as large as the crops of it, at least.

    Args:
        size: of the crops.
        shape: of the picture.
        what: how the error calls it.
    """
    height, width = pair(size)
    if shape[0] < height or shape[1] < width:
        raise ValueError(
            "Every picture must be at least as large as the crops. Received: "
            f"size={size} for {what} of {shape[0]} x {shape[1]} pixels. "
            "Pass a smaller `size`, or crops=0 to resize."
        )
