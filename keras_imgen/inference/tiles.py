"""Cuts a picture into tiles that see enough to be restored as in the whole."""

import itertools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

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
    """Cut a side into tiles.

    Args:
        side: pixels of the whole side.
        size: pixels of a tile without its margin, a multiple of `view.grid`.
        view: of the network, by `view_of`.

    Example:
        >>> from keras_imgen.inference import View, tiles
        >>> [(tile.seen.start, tile.seen.stop) for tile in tiles(100, 64, View(8, 8))]
        [(0, 76), (56, 100)]
    """
    # A layer with strides pads odd sides elsewhere than even ones. So that it does the same to a
    # tile as to the picture, both leave the same rest when divided by the grid.
    rest = side % view.grid
    for start in range(0, side, size):
        first = max(0, start - view.margin)
        last = min(start + size + view.margin + rest, side)
        stop = min(start + size, side)
        yield Tile(slice(first, last), slice(start - first, stop - first), slice(start, stop))


def in_tiles(restored: Callable, observed, channels: int, size: int, view: View, progress: bool):
    """Return pictures restored tile by tile.

    Args:
        restored: function from one observed picture, `(1, height, width, channels)`, of any size.
        observed: pictures, as an array.
        channels: of the restored ones.
        size: pixels of a tile a side.
        view: of the network.
        progress: whether to show a bar.
    """
    size = max(size // view.grid, 1) * view.grid
    # A tile is put in its place before the next one is made.
    whole = np.empty((*observed.shape[:-1], channels), "float32")
    rows, columns = (list(tiles(side, size, view)) for side in observed.shape[1:3])
    places = list(itertools.product(range(len(observed)), rows, columns))
    bar = keras.utils.Progbar(len(places), unit_name="tile") if progress else None
    if bar is not None:
        bar.update(0)
    for index, y, x in places:
        part = restored(observed[index : index + 1, y.seen, x.seen])
        whole[index, y.place, x.place] = ops.convert_to_numpy(part)[0, y.made, x.made]
        if bar is not None:
            bar.add(1)
    return whole
