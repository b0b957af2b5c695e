"""A prior of a `VAE` that is learned: a flow from normal numbers to latents."""

import math

import keras
from keras import layers, ops

from keras_imgen.checks import whole_number

NEAR = 8.0  # how far out latents are told apart, and how far a layer moves them, at most


@keras.saving.register_keras_serializable("keras_imgen")
class FlowPrior(layers.Layer):
    """Latents of a `VAE` that lie where the encoder puts them: a distribution that is learned.

    Standard normal numbers go through layers that each shift and stretch one half of them, by what
    a small network says to the other half: by 8 at most, and by the factor e. That can be undone,
    so the density of latents is known, too.

    Args:
        latent_dim: number of latent variables, at least 2, as in the encoder.
        num_layers: how many layers, at least 2: each changes one half.
        units: of the two hidden layers of each network.

    Raises:
        ValueError: if a number is too small.

    Source: Dinh et al. 2017 (arXiv 1605.08803), equations 7 and 8; as the prior of a VAE: Huang et
        al. 2017 (Learnable explicit density, arXiv 1710.02248).

    Example:
        >>> import numpy as np
        >>> from keras_imgen.networks import FlowPrior
        >>> prior = FlowPrior(4, num_layers=2, units=8)
        >>> normal = np.ones((3, 4), "float32")
        >>> tuple(prior(normal).shape), tuple(prior.log_prob(normal).shape)
        ((3, 4), (3,))
    """

    def __init__(self, latent_dim: int, num_layers: int = 4, units: int = 256, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        advice = "One half changes the other."
        self.latent_dim = whole_number("latent_dim", latent_dim, 2, advice)
        self.num_layers = whole_number("num_layers", num_layers, 2, advice)
        self.units = whole_number("units", units, 1)
        # Halves take turns; of an odd number the first is the smaller one.
        first = self.latent_dim // 2
        sizes = (first, self.latent_dim - first)
        self.networks = [_change(sizes[i % 2], sizes[1 - i % 2], units) for i in range(num_layers)]
        self.built = True

    def call(self, normal):
        """Return the latents of standard normal numbers `(batch, latent_dim)`."""
        halves = self._halves(normal)
        for i, network in enumerate(self.networks):
            shift, log_scale = self._said(network, halves[i % 2])
            halves[1 - i % 2] = halves[1 - i % 2] * ops.exp(log_scale) + shift
        return ops.concatenate(halves, axis=-1)

    def log_prob(self, latents):
        """Return the logarithm of the density of latents `(batch, latent_dim)`, one for each."""
        halves, stretched = self._halves(latents), 0.0
        for i, network in reversed(list(enumerate(self.networks))):
            shift, log_scale = self._said(network, halves[i % 2])
            halves[1 - i % 2] = (halves[1 - i % 2] - shift) * ops.exp(-log_scale)
            stretched += ops.sum(log_scale, axis=-1)
        squares = ops.square(ops.concatenate(halves, axis=-1)) + math.log(2.0 * math.pi)
        return -0.5 * ops.sum(squares, axis=-1) - stretched

    def _halves(self, x):
        x = ops.cast(x, "float32")
        first = self.latent_dim // 2
        return [x[:, :first], x[:, first:]]

    def _said(self, network, half):
        # Each layer is asked about what the last one made of a latent, so what they say multiplies.
        # Unbounded, a draw of the posterior that was a little beside the known latents cost
        # millions of nats, and its gradient destroyed the encoder.
        shift, log_scale = ops.split(network(_within(NEAR, half)), 2, axis=-1)
        return _within(NEAR, shift), _within(1.0, log_scale)

    def get_config(self):
        """Return the constructor's arguments."""
        names = ("latent_dim", "num_layers", "units")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _within(bound, x):
    """Return `x`, bent so that it stays within a bound; small values stay as they are."""
    return bound * ops.tanh(x / bound)


def _change(given, changed, units):
    """Return what says to one half how to change the other; at first not at all."""
    half = layers.Input((given,))
    x = layers.Dense(units, activation="silu")(half)
    x = layers.Dense(units, activation="silu")(x)
    x = layers.Dense(2 * changed, kernel_initializer="zeros", dtype="float32")(x)
    return keras.Model(half, x, name="change")
