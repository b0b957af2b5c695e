"""Self-ensemble: the mean of what becomes of a picture in all positions."""

from collections.abc import Callable

from keras import ops


def mean_of_positions(restored: Callable, observed, square: bool):
    """Return the mean of what becomes of pictures turned and mirrored, turned back.

    Args:
        restored: function from observed pictures `(..., height, width, channels)` to restored ones.
        observed: pictures, as a tensor.
        square: whether it takes pictures whose sides are exchanged: eight positions, else four.

    Source: Timofte et al. 2016 (arXiv 1511.02228), section 3.2.
    """
    *others, rows, columns, channels = range(len(observed.shape))
    swapped = (*others, columns, rows, channels)
    total = 0.0
    for turned in (False, True) if square else (False,):
        picture = ops.transpose(observed, swapped) if turned else observed
        for axes in ((), (rows,), (columns,), (rows, columns)):
            made = restored(ops.flip(picture, axes) if axes else picture)
            made = ops.flip(made, axes) if axes else made
            total = total + (ops.transpose(made, swapped) if turned else made)
    return total / (8.0 if square else 4.0)
