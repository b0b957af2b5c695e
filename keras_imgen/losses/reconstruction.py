"""Losses of a `VAE`: what a reconstruction costs, and what its latents do."""

import keras
from keras import ops

from keras_imgen.checks import FLOATS, dtype_name


def sum_per_picture(values):
    """Return the sum over all axes but the first."""
    return ops.sum(values, axis=tuple(range(1, len(values.shape))))


def _float_pair(pictures, reconstructions):
    """Return both as float32, or raise where broadcasting would give a number without meaning."""
    for name, given in (("pictures", pictures), ("reconstructions", reconstructions)):
        if dtype_name(given) not in FLOATS:
            raise TypeError(
                f"`{name}` must be a floating-point tensor in [0, 1]. "
                f"Received: a {type(given).__name__} of dtype {dtype_name(given)}."
            )
    shapes = tuple(pictures.shape), tuple(reconstructions.shape)
    if len(shapes[0]) != len(shapes[1]) or any(
        a != b for a, b in zip(*shapes, strict=True) if None not in (a, b)
    ):
        raise ValueError(
            "Pictures and reconstructions must have equal shapes. "
            f"Received: {shapes[0]} and {shapes[1]}."
        )
    return ops.cast(pictures, "float32"), ops.cast(reconstructions, "float32")


def bernoulli_nll(pictures, reconstructions):
    """Negative log-likelihood of pictures when every pixel is a coin with the given probability.

    The usual choice for pictures that are nearly black and white, such as digits.

    Args:
        pictures: float tensor in [0, 1], shape `(batch, ...)`.
        reconstructions: probabilities in [0, 1], same shape.

    Returns:
        One value per picture, in nats, shape `(batch,)`: the binary cross-entropy summed over
        pixels.

    Source: Kingma and Welling 2014 (arXiv 1312.6114), appendix C.1, equation 11.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.losses import bernoulli_nll
        >>> value = bernoulli_nll(np.ones((1, 2, 1, 1)), np.full((1, 2, 1, 1), 0.5))
        >>> round(float(value[0]), 4)  # two pixels, each -log(0.5)
        1.3863
    """
    pictures, reconstructions = _float_pair(pictures, reconstructions)
    return sum_per_picture(ops.binary_crossentropy(pictures, reconstructions))


def gaussian_nll(pictures, reconstructions, sigma: float = 0.1):
    """Negative log-likelihood of pictures under Gaussian pixels, up to a constant.

    The choice for photographs. `sigma` weighs the reconstruction against the KL divergence: it is
    the error per pixel that the model may make at no great cost.

    Args:
        pictures: float tensor in [0, 1], shape `(batch, ...)`.
        reconstructions: predicted means in [0, 1], same shape.
        sigma: standard deviation of a pixel, as a share of the range [0, 1].

    Returns:
        One value per picture, in nats, shape `(batch,)`: squared errors over `2 sigma^2`, summed.

    Source: Kingma and Welling 2014 (arXiv 1312.6114), appendix C.2, equation 12, fixed variance.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.losses import gaussian_nll
        >>> value = gaussian_nll(np.zeros((1, 2, 1, 1)), np.full((1, 2, 1, 1), 0.1))
        >>> round(float(value[0]), 4)  # two pixels, each wrong by one sigma
        1.0
    """
    pictures, reconstructions = _float_pair(pictures, reconstructions)
    return sum_per_picture(ops.square(pictures - reconstructions)) / (2.0 * sigma**2)


# Registered, so that a VAE compiled with the function itself saves and loads in safe mode.
keras.saving.register_keras_serializable("keras_imgen")(bernoulli_nll)
keras.saving.register_keras_serializable("keras_imgen")(gaussian_nll)

RECONSTRUCTION = {"bernoulli": bernoulli_nll, "gaussian": gaussian_nll}


def kl_divergence(mean, log_variance):
    """KL divergence of N(mean, exp(log_variance)) from the standard normal distribution.

    Args:
        mean: shape `(batch, latent_dim)`.
        log_variance: natural logarithm of the variances, same shape.

    Returns:
        One value per picture, in nats, shape `(batch,)`: summed over latents, not averaged.

    Source: Kingma and Welling 2014 (arXiv 1312.6114), appendix B.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.losses import kl_divergence
        >>> float(kl_divergence(np.array([[1.0, 2.0]]), np.zeros((1, 2)))[0])  # (1 + 4) / 2
        2.5
    """
    mean = ops.cast(mean, "float32")
    log_variance = ops.cast(log_variance, "float32")
    return 0.5 * ops.sum(ops.exp(log_variance) + ops.square(mean) - 1.0 - log_variance, axis=-1)
