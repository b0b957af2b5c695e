"""Holes: pixels and blocks that are missing, with the mask of what is known."""

from collections.abc import Sequence

import keras
from keras import ops

from keras_imgen.checks import whole_number
from keras_imgen.degradations.base import WithMask, per_picture, strength_range

SHARE = "It is the share of pixels to hide: for 30 % pass 0.3."


@keras.saving.register_keras_serializable("keras_imgen")
class MissingPixels(WithMask):
    """Hide single pixels, each with the same probability.

    Hidden pixels are 0 in every channel; the mask channel (1 = known) follows the picture's own.

    Args:
        fraction: share of pixels to hide, in [0, 1]; a pair `(low, high)` draws one share per
            picture.
        seed: see `Degradation`.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.degradations import MissingPixels
        >>> observed = MissingPixels(0.5, seed=0)(np.ones((1, 64, 64, 3), "float32"))
        >>> observed.shape[-1]  # red, green, blue, mask
        4
    """

    def __init__(self, fraction: float | Sequence[float] = 0.5, *, seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.fraction = fraction
        self._low, self._high = strength_range("fraction", fraction, 0.0, 1.0, SHARE)

    def known(self, shape, seeds):
        """Return a mask in which each pixel is known with probability `1 - fraction`."""
        fraction = per_picture(shape, self._low, self._high, next(seeds))
        draw = keras.random.uniform((*shape[:-1], 1), seed=next(seeds))
        return draw >= fraction

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "fraction": self.fraction}


@keras.saving.register_keras_serializable("keras_imgen")
class MissingBlocks(WithMask):
    """Hide square blocks at random places, as scratches and stains do.

    Blocks may overlap and are cut off at the border, so that every pixel is hidden with the same
    probability `fraction`. Every frame of a sequence gets its own.

    Args:
        fraction: share of pixels to hide, in [0, 1]: the average over many pictures. A pair
            `(low, high)` draws one share per picture.
        block_size: side of a block in whole pixels, at least 1.
        seed: see `Degradation`.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.degradations import MissingBlocks
        >>> observed = MissingBlocks(0.2, 8, seed=0)(np.ones((100, 64, 64, 1), "float32"))
        >>> print(f"{float(np.mean(observed[..., -1] == 0)):.1f}")
        0.2
    """

    def __init__(
        self, fraction: float | Sequence[float] = 0.2, block_size: int = 8, *, seed=None, **kwargs
    ):
        super().__init__(seed=seed, **kwargs)
        self.fraction = fraction
        self._low, self._high = strength_range("fraction", fraction, 0.0, 1.0, SHARE)
        self.block_size = whole_number(
            "block_size", block_size, 1, "It is the side of a block in pixels."
        )

    def known(self, shape, seeds):
        """Return a mask that is 0 inside the blocks."""
        *leading, height, width, _ = shape
        size = self.block_size
        # A pixel is hidden if a block begins at any of the size x size places that reach it; each
        # place begins a block with the probability that makes this the wanted fraction.
        fraction = per_picture(shape, self._low, self._high, next(seeds))
        begins = 1.0 - (1.0 - fraction) ** (1.0 / size**2)
        places = (*leading, height + size - 1, width + size - 1, 1)
        corners = keras.random.uniform(places, seed=next(seeds)) < begins
        corners = ops.reshape(ops.cast(corners, "float32"), (-1, *places[-3:]))
        hidden = ops.max_pool(corners, size, strides=1, padding="valid")
        return ops.reshape(1.0 - hidden, (*leading, height, width, 1))

    def get_config(self):
        """Return the constructor's arguments."""
        config = {"fraction": self.fraction, "block_size": self.block_size}
        return {**super().get_config(), **config}
