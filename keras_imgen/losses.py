"""The formulas that the models minimise: functions of tensors that never see a model."""

from collections.abc import Callable
from typing import NamedTuple

import keras
from keras import ops

from keras_imgen.checks import FLOATS, dtype_name, number

__all__ = [
    "ADVERSARIAL",
    "PENALTIES",
    "RECONSTRUCTION",
    "AdversarialLoss",
    "Charbonnier",
    "Penalty",
    "StructuralL1",
    "bernoulli_nll",
    "gaussian_nll",
    "kl_divergence",
    "smoothing",
]


class AdversarialLoss(NamedTuple):
    """A pair of losses for the two players of a GAN, each one value per picture.

    The discriminator's last layer has no activation: scores are any numbers, high for "real".

    Attributes:
        discriminator: function `(real_scores, fake_scores) -> loss`, to be minimised by the
            discriminator.
        generator: function `(real_scores, fake_scores) -> loss`, to be minimised by the generator;
            the real ones are only looked at if `neutral` is None, and may else be None.
        neutral: the score that says neither "real" nor "made". None if only differences mean
            something: the same number added to all scores changes nothing that is learned.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.losses import ADVERSARIAL
        >>> loss = ADVERSARIAL["non_saturating"]
        >>> round(float(loss.generator(None, np.zeros(1))[0]), 4)  # log 2: the score says nothing
        0.6931
    """

    discriminator: Callable
    generator: Callable
    neutral: float | None = 0.0


def _non_saturating_discriminator(real_scores, fake_scores):
    return ops.softplus(-real_scores) + ops.softplus(fake_scores)


def _non_saturating_generator(real_scores, fake_scores):
    return ops.softplus(-fake_scores)


def _least_squares_discriminator(real_scores, fake_scores):
    return 0.5 * (ops.square(real_scores - 1.0) + ops.square(fake_scores))


def _least_squares_generator(real_scores, fake_scores):
    return 0.5 * ops.square(fake_scores - 1.0)


def _hinge_discriminator(real_scores, fake_scores):
    return ops.relu(1.0 - real_scores) + ops.relu(1.0 + fake_scores)


def _hinge_generator(real_scores, fake_scores):
    return -fake_scores


def _wasserstein_discriminator(real_scores, fake_scores):
    return fake_scores - real_scores


def _wasserstein_generator(real_scores, fake_scores):
    return -fake_scores


def _relativistic_discriminator(real_scores, fake_scores):
    return ops.softplus(fake_scores - real_scores)


def _relativistic_generator(real_scores, fake_scores):
    return ops.softplus(real_scores - fake_scores)


# Goodfellow et al. 2014 (arXiv 1406.2661), Algorithm 1, with the generator's loss of section 3 that
# "provides much stronger gradients early": -log D(G(z)) in place of log(1 - D(G(z))).
# Mao et al. 2017 (arXiv 1611.04076), equation 9 (a = 0, b = c = 1).
# Lim and Ye 2017 (arXiv 1705.02894), as in Miyato et al. 2018 (arXiv 1802.05957), equations 16-17.
# Arjovsky et al. 2017 (arXiv 1701.07875), equations 2 and 3: to be used with a penalty.
# Jolicoeur-Martineau 2018 (arXiv 1807.00734), as in R3GAN, Huang et al. 2025 (arXiv 2501.05441),
# equation 2 with f(t) = -log(1 + e^-t): to be used with the penalty "r1_r2".
ADVERSARIAL = {
    "non_saturating": AdversarialLoss(_non_saturating_discriminator, _non_saturating_generator),
    "least_squares": AdversarialLoss(
        _least_squares_discriminator, _least_squares_generator, neutral=0.5
    ),
    "hinge": AdversarialLoss(_hinge_discriminator, _hinge_generator),
    "wasserstein": AdversarialLoss(
        _wasserstein_discriminator, _wasserstein_generator, neutral=None
    ),
    "relativistic": AdversarialLoss(
        _relativistic_discriminator, _relativistic_generator, neutral=None
    ),
}


def smoothing(real_scores, amount: float):
    """What one-sided label smoothing adds to the discriminator's non-saturating loss.

    Its target for real pictures is then `1 - amount` in place of 1, so that it is never pushed to
    be surer than that.

    Args:
        real_scores: scores of real pictures, logits.
        amount: how much is taken off the target 1. Usual: 0.1.

    Returns:
        One value per picture: with the smoothed target, cross-entropy is `softplus(-s) + amount s`.

    Source: Salimans et al. 2016 (arXiv 1606.03498), section 3.4.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.losses import smoothing
        >>> float(smoothing(np.full(1, 2.0), 0.25)[0])
        0.5
    """
    return amount * real_scores


class Penalty(NamedTuple):
    """What a discriminator pays for steep scores, so that the generator can follow them.

    Attributes:
        places: function `(real, fake, mix) -> list of pictures` at which the slopes are taken;
            `mix` is uniform in [0, 1], one number per picture, shape `(batch, 1, 1, 1)`.
        value: function of the scores' gradients by these pictures, `(batch, height, width,
            channels)`; it returns one value per picture.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.losses import PENALTIES
        >>> slope_two = np.full((1, 1, 1, 1), 2.0)
        >>> float(PENALTIES["r1"].value(slope_two)[0])  # half the square
        2.0
        >>> round(float(PENALTIES["gradient_penalty"].value(slope_two)[0]), 6)  # (2 - 1)^2
        1.0
    """

    places: Callable
    value: Callable


def _half_squared_norm(gradients):
    return 0.5 * _sum_per_picture(ops.square(gradients))


def _squared_distance_from_one(gradients):
    # The root has no slope at 0, where an untrained discriminator may be.
    norm = ops.sqrt(_sum_per_picture(ops.square(gradients)) + 1e-12)
    return ops.square(norm - 1.0)


# Mescheder et al. 2018 (arXiv 1801.04406), equations 9 and 10, without their factor gamma; both
# together as in R3GAN, Huang et al. 2025 (arXiv 2501.05441), section 2.2.
# Gulrajani et al. 2017 (arXiv 1704.00028), equation 3, without its factor lambda.
PENALTIES = {
    "r1": Penalty(lambda real, fake, mix: [real], _half_squared_norm),
    "r2": Penalty(lambda real, fake, mix: [fake], _half_squared_norm),
    "r1_r2": Penalty(lambda real, fake, mix: [real, fake], _half_squared_norm),
    "gradient_penalty": Penalty(
        lambda real, fake, mix: [mix * real + (1.0 - mix) * fake], _squared_distance_from_one
    ),
}


def _sum_per_picture(values):
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
    return _sum_per_picture(ops.binary_crossentropy(pictures, reconstructions))


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
    return _sum_per_picture(ops.square(pictures - reconstructions)) / (2.0 * sigma**2)


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
