"""Mosaics: cameras see one colour a pixel."""

import keras
import numpy as np
from keras import ops

from keras_imgen.checks import one_of
from keras_imgen.degradations.base import Degradation, Operator

PATTERNS = ("RGGB", "BGGR", "GRBG", "GBRG")


@keras.saving.register_keras_serializable("keras_imgen")
class Mosaic(Degradation):
    """Keep one colour of each pixel, as the sensor of a camera does behind its colour filters.

    The two others become 0. Every block of 2 x 2 pixels has one red, two green and one blue, always
    in the same places, so no mask is appended. A grey picture is seen as it is: all of its colours
    are equal.

    Args:
        pattern: the colours of a block from left to right, first row first: `"RGGB"`, `"BGGR"`,
            `"GRBG"` or `"GBRG"`.
        seed: nothing is drawn; it is there as for any degradation.

    Raises:
        ValueError: for another pattern, or pictures of neither one nor three channels.

    Source: Bayer 1976, US patent 3,971,065.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.degradations import Mosaic
        >>> observed = np.asarray(Mosaic()(np.ones((8, 8, 3), "float32")))
        >>> observed.mean(axis=(0, 1))
        array([0.25, 0.5 , 0.25], dtype=float32)
    """

    def __init__(self, pattern: str = "RGGB", *, seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        one_of("pattern", pattern, PATTERNS)
        self.pattern = pattern

    def draw(self, shape, seeds):
        """Return nothing: all pictures are seen alike."""
        return {}

    def apply(self, clean, parameters):
        """Return the pictures with one colour a pixel."""
        return self._seen(clean)

    def operator(self, known=None):
        """Return the function itself, which is linear."""
        return Operator(self._seen, keeps=True)

    def _seen(self, clean):
        if clean.shape[-1] == 1:
            return clean
        if clean.shape[-1] != 3:
            raise ValueError(
                "Mosaic takes pictures of one or three channels. Received: shape="
                f"{tuple(clean.shape)}. Load them with channels=3."
            )
        height, width = ops.shape(clean)[-3:-1]
        block = np.array(["RGB".index(colour) for colour in self.pattern]).reshape(2, 2)
        # Which of the four places of a block a pixel has.
        rows, columns = ops.arange(height) % 2, ops.arange(width) % 2
        colour = ops.take(block.ravel(), 2 * rows[:, None] + columns)
        return clean * ops.cast(colour[..., None] == np.arange(3), clean.dtype)

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "pattern": self.pattern}
