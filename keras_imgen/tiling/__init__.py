"""Restores large pictures tile by tile: how far a network sees, and where a picture is cut."""

import contextlib
from collections.abc import Callable

import keras

from keras_imgen.tiling.derived import UnknownLayerError, View, derived
from keras_imgen.tiling.measured import measured
from keras_imgen.tiling.tiles import Tile, tiles

__all__ = ["Tile", "UnknownLayerError", "View", "derived", "measured", "tiles", "view_of"]


def view_of(restore: Callable, network: keras.Model | None, observed) -> View | None:
    """Find out how far a network sees: by its layers if they are known, or on pictures.

    Args:
        restore: function from observed pictures to what the network makes of them.
        network: from pictures `(n, height, width, channels)` of any size to pictures; None if more
            happens to them than what its layers do.
        observed: pictures to be restored, with their extra channels.

    Returns:
        The view; None if what a pixel becomes depends on the whole picture, or nearly.
    """
    with contextlib.suppress(UnknownLayerError):
        if network is not None:
            return derived(network)
    return measured(restore, observed)
