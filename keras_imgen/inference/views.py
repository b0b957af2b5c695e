"""Finds out how far a network sees, by its layers or by an experiment."""

import contextlib
from collections.abc import Callable

import keras

from keras_imgen.inference.derived import UnknownLayerError, View, derived
from keras_imgen.inference.measured import measured


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
