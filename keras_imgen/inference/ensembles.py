"""Self-ensemble: what becomes of a picture in all positions, and how far the answers differ."""

import itertools
from collections.abc import Callable

import numpy as np
from keras import ops


def over_positions(answer: Callable, rank: int, square: bool):
    """Return mean and standard deviation of what becomes of pictures turned and mirrored.

    Args:
        answer: function of two functions, of which the first turns or mirrors pictures and the
            second undoes that, to an answer for the pictures as they stand.
        rank: number of the pictures' axes, `(..., height, width, channels)`.
        square: whether sides may be exchanged: eight positions, else four.

    Returns:
        Two arrays.

    Source: the mean: Timofte et al. 2016 (arXiv 1511.02228), section 3.2; both in one go, without
        keeping the answers: Welford 1962 (Technometrics 4), equations 1 to 3.

    Example:
        >>> from keras_imgen.inference.ensembles import over_positions
        >>> picture = np.arange(6.0).reshape(1, 2, 3, 1)
        >>> mean, std = over_positions(lambda turn, back: back(2.0 * turn(picture)), 4, True)
        >>> bool(np.all(mean == 2.0 * picture)), float(std.max())
        (True, 0.0)
    """
    *others, rows, columns, channels = range(rank)
    swapped = (*others, columns, rows, channels)
    mean, squares = 0.0, 0.0
    mirrors = ((), (rows,), (columns,), (rows, columns))
    for count, (exchanged, axes) in enumerate(
        itertools.product([False, True][: 1 + square], mirrors), 1
    ):

        def turn(x, exchanged=exchanged, axes=axes):
            x = ops.transpose(x, swapped) if exchanged else x
            return ops.flip(x, axes) if axes else x

        def back(x, exchanged=exchanged, axes=axes):
            x = ops.flip(x, axes) if axes else x
            return ops.transpose(x, swapped) if exchanged else x

        made = ops.convert_to_numpy(answer(turn, back))
        step = made - mean
        mean = mean + step / count
        squares = squares + step * (made - mean)
    return mean, np.sqrt(squares / (count - 1))
