"""Tells what the latents of a VAE say: how much, about what, and how many of them do."""

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np

from keras_imgen import checks

__all__ = ["LatentFigures", "bits_per_dim", "latent_figures"]

ACTIVE = 0.01  # variance of a mean over pictures, above which a latent is active
_VALUES = 2**22  # of distances at a time: their 64-bit copies stay below 100 MB, for any number


class LatentFigures(NamedTuple):
    """What `latent_figures` found; printed, it is two lines. All figures are in nats.

    Attributes:
        kl: KL divergence of a picture's cloud from the prior, mean over pictures; the sum of
            `mutual_information` and `marginal_kl`.
        mutual_information: how much a point of a cloud tells about which of the pictures it belongs
            to: 0 if the latents say nothing.
        limit: the most that it can be, the logarithm of the number of pictures. Where it is
            reached, the clouds of so few pictures do not touch, and what is left over, the next
            figure, says little about samples.
        marginal_kl: KL divergence of all clouds together, the aggregate posterior, from the prior:
            0 if what is drawn from the prior is like what pictures become.
        active_units: how many latents are active.
        activity: of each latent, the variance of the clouds' middles over the pictures, shape
            `(latent_dim,)`; above 0.01 it is active.
        kl_of_latents: `kl` of each latent, shape `(latent_dim,)`, if the prior is the standard
            normal distribution; of others None, for their latents need not be independent.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.metrics import LatentFigures
        >>> print(LatentFigures(2.5, 2.0, 4.6, 0.5, 1, np.array([0.9, 0.0]), None))
        Active latents: 1 of 2.
        KL 2.50 nats: 2.00 of at most 4.60 tell pictures apart, 0.50 miss the prior.
    """

    kl: float
    mutual_information: float
    limit: float
    marginal_kl: float
    active_units: int
    activity: np.ndarray
    kl_of_latents: np.ndarray | None

    def __str__(self):
        return (
            f"Active latents: {self.active_units} of {len(self.activity)}.\n"
            f"KL {self.kl:.2f} nats: {self.mutual_information:.2f} of at most {self.limit:.2f} "
            f"tell pictures apart, {self.marginal_kl:.2f} miss the prior."
        )


def latent_figures(
    mean, log_variance, log_prior: Callable | None = None, seed: int = 0
) -> LatentFigures:
    """Tell how many latents of a VAE are in use, and what its KL divergence is spent on.

    Latents that are not active are noise to the decoder: if none is, the posterior has collapsed.
    The KL divergence has two parts: what the latents tell about the picture, which is what they are
    for, and by how much all clouds together miss the prior, which is what makes samples worse than
    reconstructions.

    Args:
        mean: middles of the pictures' clouds, as `VAE.encode` returns them, `(n, latent_dim)`. The
            parts are those over these pictures, not over all that there are: so take thousands. The
            time grows with their number squared: 10,000 take some seconds.
        log_variance: natural logarithms of their variances, same shape.
        log_prior: function from latents `(n, latent_dim)` to the logarithm of their density under
            the prior `(n,)`, such as `log_prob` of a learned one; by default the standard normal
            distribution.
        seed: integer for the points that are drawn, one of each cloud.

    Returns:
        A `LatentFigures`.

    Raises:
        ValueError: if the arrays are no clouds of two or more pictures, or `log_prior` does not
            return one number for each.

    Source: the parts: Hoffman and Johnson 2016 (ELBO surgery, NeurIPS workshop), section 3;
        active units: Burda et al. 2016 (arXiv 1509.00519), section 5.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.metrics import latent_figures
        >>> mean = np.array([[-10.0, 0.0], [10.0, 0.0]])  # two pictures, told apart by one latent
        >>> figures = latent_figures(mean, np.zeros((2, 2)))
        >>> figures.active_units, figures.kl, round(figures.mutual_information, 3)  # log 2
        (1, 50.0, 0.693)
    """
    mean, log_variance = _checked(mean, log_variance)
    # A stream of its own: clouds may have been made with the same seed.
    seeds = np.random.SeedSequence(checks.seed(seed), spawn_key=(1,))
    noise = np.random.default_rng(seeds).standard_normal(mean.shape)
    latents = mean + np.exp(0.5 * log_variance) * noise
    own = _log_normal(noise**2, log_variance)  # of each point by the cloud it was drawn from
    information = float(np.mean(own - _log_aggregate(latents, mean, log_variance)))
    if log_prior is None:
        each = 0.5 * np.mean(np.exp(log_variance) + mean**2 - 1.0 - log_variance, axis=0)
        kl = float(np.sum(each))
    else:
        each, kl = None, float(np.mean(own - _checked_prior(log_prior, latents)))
    activity = np.var(mean, axis=0)
    active = int(np.sum(activity > ACTIVE))
    rest, limit = kl - information, float(np.log(len(mean)))
    return LatentFigures(kl, information, limit, rest, active, activity, each)


def bits_per_dim(log_likelihood, image_shape, levels: int = 256):
    """Return what a value of a picture costs in bits, from the density of whole pictures.

    The densities of a `VAE` are those of values from 0 to 1; what a grey level costs is that of its
    share of them, one of the steps between black and white.

    Args:
        log_likelihood: of a picture or several, in nats, such as `VAE.log_likelihood` returns.
        image_shape: `(height, width, channels)`.
        levels: how many values there are: 256 in pictures of 8 bits; 2 in black and white, whose
            likelihoods are probabilities already.

    Returns:
        float64 number or array, as many as likelihoods. Of pictures as they are, without noise that
        spreads each level over its step, it is an estimate and no bound.

    Raises:
        ValueError: if `image_shape` or `levels` are none.

    Source: Theis et al. 2016 (arXiv 1511.01844), section 3.1.

    Example:
        >>> from keras_imgen.metrics import bits_per_dim
        >>> print(f"{bits_per_dim(0.0, (8, 8, 1)):.2f}")  # every value from 0 to 1 alike
        7.99
    """
    levels = checks.whole_number("levels", levels, 2, "Pictures of 8 bits have 256.")
    sides = [checks.whole_number("image_shape", side, 1) for side in image_shape]
    nats = -np.asarray(log_likelihood, "float64") / np.prod(sides)
    return nats / np.log(2.0) + np.log2(levels - 1)


def _log_normal(squares, log_variance):
    return -0.5 * np.sum(squares + log_variance + np.log(2.0 * np.pi), axis=1)


def _log_aggregate(latents, mean, log_variance):
    """Return the logarithm of the density of each point under all clouds together."""
    precision, size = np.exp(-log_variance), max(1, _VALUES // len(mean))
    constant = _log_normal(mean**2 * precision, log_variance)
    found = []
    for start in range(0, len(latents), size):
        some = latents[start : start + size]
        # (z - m)^2 = z^2 - 2 zm + m^2, in 64 bits
        logs = constant + some @ (mean * precision).T - 0.5 * some**2 @ precision.T
        found.append(np.logaddexp.reduce(logs, axis=1))
    return np.concatenate(found) - np.log(len(mean))


def _checked(mean, log_variance):
    mean, log_variance = (checks.array(x) for x in (mean, log_variance))
    if mean.ndim != 2 or len(mean) < 2 or not mean.size or log_variance.shape != mean.shape:
        raise ValueError(
            "`mean` and `log_variance` must both have shape (n, latent_dim), of at least two "
            f"pictures. Received: shapes {mean.shape} and {log_variance.shape}. "
            "vae.encode(pictures) returns them."
        )
    for name, value in (("mean", mean), ("log_variance", log_variance)):
        if value.dtype.kind not in "fiu" and "float" not in checks.dtype_name(value):
            raise ValueError(f"`{name}` must hold numbers. Received: dtype={value.dtype}.")
        if not np.all(np.isfinite(value.astype("float64"))):
            raise ValueError(f"`{name}` must hold numbers. Received: NaN or infinity among them.")
    return mean.astype("float64"), log_variance.astype("float64")


def _checked_prior(log_prior, latents):
    found = keras.ops.convert_to_numpy(log_prior(latents.astype("float32")))
    if found.shape != (len(latents),):
        raise ValueError(
            "`log_prior` must return one number for each vector of latents, shape "
            f"({len(latents)},). Received: shape={found.shape}. Sum it over latents."
        )
    return found.astype("float64")
