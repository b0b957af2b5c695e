"""Cuts a picture into tiles that see enough to be restored as in the whole."""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from keras_imgen import backends
from keras_imgen.inference.derived import View


class Tile(NamedTuple):
    """Part of one side of a picture.

    Attributes:
        seen: the pixels that the network is given.
        made: which of the restored ones are kept.
        place: where they belong.

    Example:
        >>> from keras_imgen.inference import Tile
        >>> Tile(seen=slice(0, 80), made=slice(0, 64), place=slice(0, 64)).place
        slice(0, 64, None)
    """

    seen: slice
    made: slice
    place: slice


def tiles(side: int, size: int, view: View) -> Iterator[Tile]:
    """Cut a side into tiles that see equally many pixels, so that several make a batch.

    Args:
        side: pixels of the whole side.
        size: at most so many pixels of a tile without its margin, but not less than `view.grid`.
        view: of the network, by `view_of`.

    Example:
        >>> from keras_imgen.inference import View, tiles
        >>> [(tile.seen.start, tile.seen.stop) for tile in tiles(100, 64, View(8, 8))]
        [(0, 76), (24, 100)]
    """
    size = max(size // view.grid, 1) * view.grid
    count = math.ceil(side / size)
    size = math.ceil(side / count / view.grid) * view.grid
    # A layer with strides pads odd sides elsewhere than even ones. So that it does the same to a
    # tile as to the picture, both leave the same rest when divided by the grid.
    length = min(size + 2 * view.margin + side % view.grid, side)
    for start in range(0, side, size):
        first = min(max(0, start - view.margin), side - length)
        stop = min(start + size, side)
        seen, made = slice(first, first + length), slice(start - first, stop - first)
        yield Tile(seen, made, slice(start, stop))


def in_tiles(restored: Callable, observed, channels: int, size: int, view: View, progress: bool):
    """Return pictures restored tile by tile.

    Args:
        restored: function from observed pictures, `(n, height, width, channels)`, of any size.
        observed: pictures, as an array.
        channels: of the restored ones.
        size: pixels of a tile a side; where the backend is quicker with several pictures at once,
            so many stripes of a tile are restored together.
        view: of the network.
        progress: whether to show a bar.
    """
    together = backends.together()
    # What has been made is put in its place before more is.
    whole = np.empty((*observed.shape[:-1], channels), "float32")
    height, width = observed.shape[1:3]
    rows, columns = list(tiles(height, size, view)), list(tiles(width, size // together, view))
    places = list(itertools.product(rows, columns))
    bar = keras.utils.Progbar(len(observed) * len(places), unit_name="tile") if progress else None
    if bar is not None:
        bar.update(0)
    for picture, answer in zip(observed, whole, strict=True):
        for start in range(0, len(places), together):
            some = places[start : start + together]
            parts = restored(np.stack([picture[y.seen, x.seen] for y, x in some]))
            for (y, x), part in zip(some, ops.convert_to_numpy(parts), strict=True):
                answer[y.place, x.place] = part[y.made, x.made]
            if bar is not None:
                bar.add(len(some))
    return whole
