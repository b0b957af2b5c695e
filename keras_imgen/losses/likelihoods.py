"""Likelihoods, by which a `VAE` judges a reconstruction, and what its latents cost."""

import math

import keras
from keras import ops

from keras_imgen.checks import FAINTEST, FLOATS, dtype_name, number
from keras_imgen.losses.formula import Formula, sum_per_picture


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
    """Cross-entropy of pictures and means: the part of `Bernoulli` that is a formula.

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
    """Weighed squared error of pictures and means: `Gaussian` without its constant.

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


class Likelihood(Formula):
    """Base of what a decoder says of a picture: a distribution for each pixel.

    A decoder returns logits, any numbers, in the shape of the pictures. A decoder of your own may
    return means in [0, 1] instead.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.losses import Bernoulli, Gaussian
        >>> white, logits = np.ones((1, 2, 1, 1), "float32"), np.zeros((1, 2, 1, 1), "float32")
        >>> round(float(Bernoulli().nll(white, logits)[0]), 4)  # two pixels, each -log(0.5)
        1.3863
        >>> tuple(Gaussian(sigma=0.1).sample(logits, seed=0).shape)
        (1, 2, 1, 1)
    """

    def nll(self, pictures, logits):
        """Return the negative log-likelihood of pictures, one value for each, in nats."""
        return self.nll_of_mean(pictures, self.mean(logits))

    def nll_of_mean(self, pictures, mean):
        """Return the same for means in [0, 1] in place of logits."""
        raise NotImplementedError

    def mean(self, logits):
        """Return the mean pictures, in [0, 1]."""
        return ops.sigmoid(ops.cast(logits, "float32"))

    def sample(self, logits, seed=None):
        """Draw pictures from the distribution.

        Args:
            logits: what the decoder returns.
            seed: integer or `keras.random.SeedGenerator`.
        """
        raise NotImplementedError


@keras.saving.register_keras_serializable("keras_imgen")
class Bernoulli(Likelihood):
    """Every pixel is a coin: for pictures that are black or white.

    Of grey pixels it is a cross-entropy and no likelihood: it compares models with each other, but
    bounds nothing, and of a perfect reconstruction it is not 0 but what the grey itself costs.

    Source: Kingma and Welling 2014 (arXiv 1312.6114), appendix C.1, equation 11.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.losses import Bernoulli
        >>> grey = np.full((1, 28, 28, 1), 0.5)  # perfectly reconstructed
        >>> round(float(Bernoulli().nll(grey, np.zeros((1, 28, 28, 1)))[0]), 1)
        543.4
    """

    def nll(self, pictures, logits):
        """Return the binary cross-entropy, summed over pixels."""
        pictures, logits = _float_pair(pictures, logits)
        return sum_per_picture(ops.softplus(logits) - pictures * logits)

    def nll_of_mean(self, pictures, mean):
        """Return `bernoulli_nll(pictures, mean)`."""
        return bernoulli_nll(pictures, mean)

    def sample(self, logits, seed=None):
        """Draw black and white pictures."""
        draw = keras.random.uniform(ops.shape(logits), dtype="float32", seed=seed)
        return ops.cast(draw < self.mean(logits), "float32")


@keras.saving.register_keras_serializable("keras_imgen")
class Gaussian(Likelihood):
    """Every pixel is normally distributed around its mean: for photographs and shades of grey.

    Its values are densities: below 0 where pictures are foreseen well. A decoder that also returns
    a log-variance (`networks.vae_decoder(..., variance=...)`) has learned how wide they are; no
    width is less than that of rounding to 8 bits.

    Args:
        sigma: standard deviation of a pixel, as a share of the range [0, 1], of decoders that
            return none. It weighs the reconstruction against the KL divergence: smaller keeps more
            detail, and makes samples worse.

    Source: Kingma and Welling 2014 (arXiv 1312.6114), appendix C.2, equation 12, fixed variance.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.losses import Gaussian
        >>> right = Gaussian(sigma=0.1).nll_of_mean(np.zeros((1, 1, 1, 1)), np.zeros((1, 1, 1, 1)))
        >>> round(float(right[0]), 4)  # log(0.1 sqrt(2 pi))
        -1.3836
    """

    def __init__(self, sigma: float = 0.1):
        advice = "It is a standard deviation, as a share of the range. Usual: 0.1."
        self.sigma = number("sigma", sigma, 1e-4, 10.0, advice)

    def nll(self, pictures, logits):
        """Return it for logits, or for what a decoder with a variance returns."""
        if isinstance(logits, list | tuple):
            logits, log_variance = logits
            return _normal_nll(pictures, self.mean(logits), _floored(log_variance))
        return self.nll_of_mean(pictures, self.mean(logits))

    def nll_of_mean(self, pictures, mean):
        """Return the squared errors over `2 sigma^2` and the constant of the density, summed."""
        return _normal_nll(pictures, mean, 2.0 * math.log(self.sigma))

    def sample(self, logits, seed=None):
        """Draw pictures, which may leave [0, 1]."""
        sigma = self.sigma
        if isinstance(logits, list | tuple):
            logits, log_variance = logits
            sigma = ops.exp(0.5 * _floored(log_variance))
        noise = keras.random.normal(ops.shape(logits), dtype="float32", seed=seed)
        return self.mean(logits) + sigma * noise

    def get_config(self):
        """Return the constructor's arguments."""
        return {"sigma": self.sigma}


def _floored(log_variance):
    # Pictures of 8 bits were rounded: nobody can foresee them better, and a density could rise for
    # ever where they are always the same.
    return ops.maximum(ops.cast(log_variance, "float32"), 2.0 * math.log(FAINTEST))


def _normal_nll(pictures, mean, log_variance):
    pictures, mean = _float_pair(pictures, mean)
    errors = ops.square(pictures - mean) * ops.exp(-log_variance)
    return 0.5 * sum_per_picture(errors + log_variance + math.log(2.0 * math.pi))


@keras.saving.register_keras_serializable("keras_imgen")
class ContinuousBernoulli(Likelihood):
    """Every pixel is a shade of grey, from black to white: a density for grey digits.

    It is `Bernoulli` divided by what its "probabilities" of greys add up to, so that the bound of a
    `VAE` is one. Decoders must return logits, which are bounded softly, at 20 and -20: where
    pictures are always black, the density could rise without end.

    Source: Loaiza-Ganem and Cunningham 2019 (arXiv 1907.06845), equations 6 to 9.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.losses import ContinuousBernoulli
        >>> pixel, even = np.full((1, 1, 1, 1), 0.3), np.zeros((1, 1, 1, 1))
        >>> round(abs(float(ContinuousBernoulli().nll(pixel, even)[0])), 4)  # all alike: log 1
        0.0
    """

    def nll(self, pictures, logits):
        """Return the negative log-density, summed over pixels."""
        pictures, logits = _float_pair(pictures, logits)
        logits = _bounded(logits)
        values = ops.softplus(logits) - pictures * logits - _log_constant(logits)
        return sum_per_picture(values)

    def nll_of_mean(self, pictures, mean):
        """Raise: which logits have a mean is no formula."""
        raise ValueError(
            "ContinuousBernoulli judges logits. Received: means in [0, 1]. Let the decoder end "
            'without an activation, in an output that is named "logits".'
        )

    def mean(self, logits):
        """Return the mean pictures: nearer to grey than the sigmoid of the logits."""
        logits = _bounded(ops.cast(logits, "float32"))
        near = ops.abs(logits) < 0.1
        safe = ops.where(near, 1.0, logits)
        exact = ops.sigmoid(logits) / ops.tanh(0.5 * safe) - 1.0 / safe
        return ops.where(near, 0.5 + logits / 12.0 - logits**3 / 720.0, exact)

    def sample(self, logits, seed=None):
        """Draw pictures of greys."""
        logits = _bounded(ops.cast(logits, "float32"))
        share = keras.random.uniform(ops.shape(logits), dtype="float32", seed=seed)
        # The inverse of the distribution, from the end to which the logits lean.
        far = ops.abs(logits)
        safe = ops.maximum(far, 1e-3)
        drawn = 1.0 + ops.log(share + (1.0 - share) * ops.exp(-safe)) / safe
        drawn = ops.where(far < 1e-3, share, drawn)
        return ops.clip(ops.where(logits < 0.0, 1.0 - drawn, drawn), 0.0, 1.0)


def _bounded(logits):
    return 20.0 * ops.tanh(logits / 20.0)


def _log_constant(logits):
    """Return the logarithm of `logits / tanh(logits / 2)`, which is 2 at 0."""
    near = ops.abs(logits) < 0.1
    safe = ops.where(near, 1.0, logits)
    exact = ops.log(safe / ops.tanh(0.5 * safe))
    return ops.where(near, math.log(2.0) + logits**2 / 12.0 - 7.0 * logits**4 / 1440.0, exact)


LIKELIHOODS = {
    "bernoulli": Bernoulli(),
    "continuous_bernoulli": ContinuousBernoulli(),
    "gaussian": Gaussian(),
}


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
    return ops.sum(kl_of_latents(mean, log_variance), axis=-1)


def kl_of_latents(mean, log_variance):
    """KL divergence of each latent, whose sum `kl_divergence` is: which of them say something.

    Args:
        mean: shape `(batch, latent_dim)`.
        log_variance: natural logarithm of the variances, same shape.

    Returns:
        Nats, same shape.

    Source: Kingma and Welling 2014 (arXiv 1312.6114), appendix B.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.losses import kl_of_latents
        >>> np.asarray(kl_of_latents(np.array([[1.0, 2.0]]), np.zeros((1, 2))))
        array([[0.5, 2. ]], dtype=float32)
    """
    mean = ops.cast(mean, "float32")
    log_variance = ops.cast(log_variance, "float32")
    return 0.5 * (ops.exp(log_variance) + ops.square(mean) - 1.0 - log_variance)


def log_normal(latents, mean=0.0, log_variance=0.0):
    """Return the logarithm of the density of N(mean, exp(log_variance)), by default N(0, 1).

    Args:
        latents: shape `(batch, latent_dim)`.
        mean: same shape, or a number.
        log_variance: natural logarithm of the variances, likewise.

    Returns:
        One value for each vector, shape `(batch,)`: summed over latents.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.losses import log_normal
        >>> round(float(log_normal(np.zeros((1, 2)))[0]), 4)  # 2 log(1 / sqrt(2 pi))
        -1.8379
    """
    latents = ops.cast(latents, "float32")
    precision = ops.exp(-ops.cast(log_variance, "float32"))
    errors = ops.square(latents - mean) * precision + log_variance + math.log(2.0 * math.pi)
    return -0.5 * ops.sum(errors, axis=-1)
