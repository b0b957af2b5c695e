"""Restores a large picture tile by tile, in bounded memory, as if it had been restored whole."""

import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

import keras
import numpy as np

GRIDS = (1, 2, 4, 8, 16, 32)
FARTHEST = 1024  # pixels; what sees farther sees everything


class View(NamedTuple):
    """How far a network sees, and where it may be cut.

    Attributes:
        reach: how many pixels away what an output pixel depends on can lie.
        grid: at multiples of how many pixels a tile may begin; the product of its strides.

    Example:
        >>> from keras_imgen.tiling import View
        >>> View(reach=20, grid=8).margin  # whole cells of the grid
        24
    """

    reach: int
    grid: int

    @property
    def margin(self) -> int:
        """Pixels around a tile that the network must see to make it right."""
        return math.ceil(self.reach / self.grid) * self.grid


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


def view_of(network: keras.Model) -> View | None:
    """Measure how far a network of pictures sees, and the grid on which it works.

    A copy of it whose kernels are all positive is shown an edge, at every place of its grid: as far
    as the picture changes, the network sees.

    Args:
        network: from pictures `(n, height, width, channels)` of any size to pictures.

    Returns:
        The view; None if what a pixel becomes depends on the whole picture, or the network works on
        no grid of 1, 2, 4, ... or 32 pixels.

    Example:
        >>> from keras_imgen import networks
        >>> from keras_imgen.tiling import view_of
        >>> view_of(networks.dncnn(depth=5, filters=2))
        View(reach=5, grid=1)
    """
    # In half precision, what is far away would count nothing.
    probe = keras.models.clone_model(network, clone_function=_in_full_precision)
    for weight in probe.weights:
        if len(weight.shape) > 1:
            weight.assign(np.full(weight.shape, 1.0 / np.prod(weight.shape[:-1])))
    channels = network.input_shape[-1]
    extra = channels - network.output_shape[-1]
    width = 8 * GRIDS[-1]
    while width <= 2 * FARTHEST:
        # (cases, edges): how far each edge is seen. Where channels behind the picture are 1, the
        # smallest changes are lost beside the large values; where a mask is 0, nothing is seen.
        # What is almost 0 is neither, and shows what is filled in.
        told = (1e-30, 1.0) if extra else (0.0,)
        changes = np.array(
            [
                np.max([_changes(probe, width, channels - extra, *case, t) for t in told], axis=0)
                for case in itertools.product((False, True), (False, True))
            ]
        )
        if changes.max() < width // 2 - GRIDS[-1]:
            return _view(changes)
        width *= 2
    return None


def _in_full_precision(layer):
    config = layer.get_config()
    if "dtype" in config:
        config["dtype"] = "float32"
    return type(layer).from_config(config)


def _changes(probe, width, own, transposed, after, told):
    """Return for edges at consecutive places how many pixels beyond the edge change.

    The edge is in the picture's own channels; a mask or a level behind them is `told`.
    """
    edges = width // 2 - GRIDS[-1] + np.arange(2 * GRIDS[-1])
    places = np.arange(width)
    lit = places >= edges[:, None] if after else places < edges[:, None]
    pictures = np.full((len(edges), 8, width, probe.input_shape[-1]), told, "float32")
    pictures[..., :own] = 0.0
    dark = pictures[:1].copy()
    pictures[..., :own] = lit[:, None, :, None]
    if transposed:
        pictures, dark = (np.swapaxes(x, 1, 2) for x in (pictures, dark))
    outputs = [
        keras.ops.convert_to_numpy(probe(keras.ops.convert_to_tensor(part), training=False))
        for part in (*np.split(pictures, 4), dark)
    ]
    seen = np.concatenate(outputs[:-1]) != outputs[-1]
    seen = seen.any(axis=(2 if transposed else 1, 3))
    beyond = seen & ~lit
    distance = edges[:, None] - places if after else places - edges[:, None] + 1
    return np.max(np.where(beyond, distance, 0), axis=1)


def _view(changes):
    """Return the view of a network from how far it saw edges at consecutive places."""
    for grid in GRIDS:
        if np.array_equal(changes[:, grid:], changes[:, :-grid]):
            return View(int(changes.max()), grid)
    return None
