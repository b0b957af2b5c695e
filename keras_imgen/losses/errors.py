"""Losses of a `Restorer` beside those of Keras: how far restored pictures are from clean ones."""

import keras
from keras import ops

from keras_imgen.checks import number


@keras.saving.register_keras_serializable("keras_imgen")
class Charbonnier(keras.losses.Loss):
    """Absolute error, made smooth near 0: `sqrt(error^2 + epsilon^2)`, averaged over pixels.

    For `Restorer.compile(loss=...)`. Large errors weigh less than in the squared one, so that edges
    are not paid for with blur; unlike `"mae"` it has a slope that fades where a pixel is right.

    Args:
        epsilon: below which error it is quadratic; pictures lie in [0, 1].
        **kwargs: as in Keras.

    Source: Charbonnier et al. 1994 (ICIP), function GR; for restoration: Lai et al. 2017 (arXiv
        1704.03915), section 3.3.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.losses import Charbonnier
        >>> clean = np.zeros((1, 8, 8, 1), "float32")
        >>> print(f"{float(Charbonnier()(clean, clean + 0.1)):.4f}")
        0.1000
    """

    def __init__(self, epsilon: float = 1e-3, *, name: str = "charbonnier", **kwargs):
        super().__init__(name=name, **{"dtype": "float32", **kwargs})
        self.epsilon = number(
            "epsilon", epsilon, 1e-8, 1.0, "It is an error in pictures in [0, 1]."
        )

    def call(self, y_true, y_pred):
        """Return one value per pixel."""
        errors = ops.sqrt(ops.square(y_true - y_pred) + self.epsilon**2)
        return ops.mean(errors, axis=-1)

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "epsilon": self.epsilon}


@keras.saving.register_keras_serializable("keras_imgen")
class StructuralL1(keras.losses.Loss):
    """Mix of structural dissimilarity and absolute error: `weight (1 - SSIM) + (1 - weight) L1`.

    For `Restorer.compile(loss=...)`. SSIM looks at patterns rather than at single pixels, and the
    absolute error keeps brightness and colour right, which SSIM hardly notices.

    Args:
        weight: share of the structural part, in [0, 1].
        **kwargs: as in Keras.

    Raises:
        ValueError: for pictures with a side of less than 11 pixels.

    Source: Zhao et al. 2017 (arXiv 1511.08861), equation 14, with SSIM of one scale (Wang et al.
        2004) in place of five, so that pictures of 11 pixels a side will do.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.losses import StructuralL1
        >>> clean = np.random.default_rng(0).random((1, 16, 16, 1), "float32")
        >>> print(f"{float(StructuralL1()(clean, clean)):.4f}")
        0.0000
    """

    def __init__(self, weight: float = 0.84, *, name: str = "structural_l1", **kwargs):
        super().__init__(name=name, **{"dtype": "float32", **kwargs})
        self.weight = number("weight", weight, 0.0, 1.0, "It is the share of the structural part.")

    def call(self, y_true, y_pred):
        """Return one value per picture (or frame)."""
        sides = [side for side in y_true.shape[-3:-1] if side is not None]
        if sides and min(sides) < 11:
            raise ValueError(
                "StructuralL1 compares windows of 11 x 11 pixels, so sides must be at least 11. "
                f"Received: pictures of shape {tuple(y_true.shape)}. For smaller ones use "
                'Charbonnier(), or "mae".'
            )
        # An untrained network may be anywhere. SSIM is not defined there; the absolute error is,
        # and leads back.
        bounded = ops.clip(y_pred, -1.0, 2.0)
        pairs = [ops.reshape(x, (-1, *ops.shape(x)[-3:])) for x in (y_true, bounded)]
        similarity = ops.reshape(
            ops.image.ssim(*pairs, max_val=1.0, data_format="channels_last"), ops.shape(y_true)[:-3]
        )
        errors = ops.mean(ops.abs(y_true - y_pred), axis=(-3, -2, -1))
        return self.weight * (1.0 - similarity) + (1.0 - self.weight) * errors

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "weight": self.weight}
