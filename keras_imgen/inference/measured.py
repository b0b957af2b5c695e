"""Measures on pictures how far a network sees of whose layers that is not known."""

from collections.abc import Callable

import numpy as np
from keras import ops

from keras_imgen.inference.derived import View

MARGINS = (32, 64, 128, 256)  # pixels; what sees farther sees everything
GRID = MARGINS[0]  # what has other strides than 2, 4, ... 32 is not cut
EXACT = 1e-5  # of the values that a network puts out: the rounding of single precision


def measured(restore: Callable, observed) -> View | None:
    """Measure how much must be seen around a part so that it comes out as in the whole.

    Long strips are cut out of the pictures; parts of them, with a margin on both sides, must become
    what they become in the strip, wherever they lie, in dark places and in bright ones.

    Args:
        restore: function from observed pictures to restored ones.
        observed: pictures `(n, height, width, channels)` to be restored, with extra channels.

    Returns:
        The view of 32, 64, 128 or 256 pixels; None if that is not enough, or the network works on
        no grid of 1, 2, 4, ... or 32 pixels. What is not seen in these pictures is not found.

    Example:
        >>> import numpy as np
        >>> from keras_imgen import networks
        >>> from keras_imgen.inference import measured
        >>> measured(networks.dncnn(depth=5, filters=2), np.random.rand(1, 64, 64, 1))
        View(reach=32, grid=32)
    """
    strips = [strip for axis in (1, 2) for strip in _strips(observed, axis)]
    wholes = [_values(restore, strip) for strip, _ in strips]
    for margin in MARGINS:
        if all(
            _same_in_parts(restore, strip, axis, whole, margin)
            for (strip, axis), whole in zip(strips, wholes, strict=True)
        ):
            return View(margin, GRID)
    return None


def _strips(observed, axis, length=34 * GRID, height=2 * GRID):
    """Return long strips of a picture, and the axis along which they are long."""
    picture = np.asarray(observed[:1], "float32")
    for along, side in ((axis, length), (3 - axis, height)):
        places = np.arange(side) % max(2 * (picture.shape[along] - 1), 1)
        last = picture.shape[along] - 1
        picture = np.take(picture, last - np.abs(places - last), axis=along)
    yield picture, axis
    # The same, here dark and there bright: what looks at everything sees a difference.
    light = np.linspace(0.0, 1.0, length, dtype="float32").reshape((-1, 1, 1))
    light = light if axis == 1 else np.swapaxes(light, 0, 1)
    noise = np.random.default_rng(0).random(picture.shape, "float32")
    yield light * noise, axis


def _values(restore, strip):
    return ops.convert_to_numpy(restore(ops.convert_to_tensor(strip)))


def _same_in_parts(restore, strip, axis, whole, margin, size=GRID):
    """Return whether parts with a margin become what they are in the whole."""
    for begin in (GRID, 7 * GRID, 17 * GRID):  # which only cells of GRID have in common
        start = begin + margin
        part = np.take(strip, range(begin, start + size + margin), axis=axis)
        made = np.take(_values(restore, part), range(margin, margin + size), axis=axis)
        kept = np.take(whole, range(start, start + size), axis=axis)
        if not np.all(np.abs(made - kept) <= EXACT * max(1.0, np.abs(kept).max())):
            return False
    return True
