"""Cuts a picture into tiles that see enough to be restored as in the whole."""

from collections.abc import Iterator
from typing import NamedTuple

from keras_imgen.tiling.derived import View


class Tile(NamedTuple):
    """Part of one side of a picture.

    Attributes:
        seen: the pixels that the network is given.
        made: which of the restored ones are kept.
        place: where they belong.

    Example:
        >>> from keras_imgen.tiling import Tile
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
        >>> from keras_imgen.tiling import View, tiles
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
