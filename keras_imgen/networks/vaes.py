"""Networks of a `VAE`: encoders and decoders."""

import keras
from keras import layers, ops

from keras_imgen.checks import shown, whole_number
from keras_imgen.networks.geometry import (
    check_classes,
    check_generated,
    check_latent_dim,
    check_levels,
    check_shape,
    grow,
    halvings,
)
from keras_imgen.settings import as_meant

START = -4.6  # log-variance with which decoders begin that learn one: sigma 0.1


@as_meant()
def vae_encoder(
    image_shape, latent_dim: int = 16, filters: int = 16, *, num_classes: int = 0
) -> keras.Model:
    """Build an encoder of strided convolutions, for `VAE`.

    Args:
        image_shape: `(height, width, channels)`, both sides at least 8.
        latent_dim: number of latent variables.
        filters: feature maps of the first convolution; doubled at every halving of the sides. Where
            there is time, 32 or 64 describe a picture in fewer nats.
        num_classes: how many classes a conditional VAE knows; 0 for none.

    Returns:
        A network from pictures in [0, 1], with classes also from rows of labels
        `(batch, num_classes)`, to two outputs, `mean` and `log_variance` of the latents, each
        `(batch, latent_dim)`.

    Raises:
        ValueError: if `image_shape` is no picture shape, or smaller than 8 x 8.

    Source: Kingma and Welling 2014 (arXiv 1312.6114), appendix C.2, with convolutions.

    Example:
        >>> from keras_imgen.networks import vae_encoder
        >>> vae_encoder((28, 28, 1), latent_dim=2, filters=8).output_shape
        [(None, 2), (None, 2)]
    """
    image_shape = check_generated(image_shape)
    filters = whole_number("filters", filters, 1)
    pictures = layers.Input(image_shape, name="pictures")
    x = pictures
    for stage in range(len(halvings(image_shape)) - 1):
        x = layers.Conv2D(filters * 2**stage, 4, strides=2, padding="same", activation="relu")(x)
    inputs, x = _with_labels(pictures, layers.Flatten()(x), num_classes)
    x = layers.Dense(256, activation="relu")(x)
    return _described(inputs, x, latent_dim)


@as_meant()
def vae_decoder(
    image_shape,
    latent_dim: int = 16,
    filters: int = 16,
    *,
    num_classes: int = 0,
    variance: str | None = None,
) -> keras.Model:
    """Build a decoder of transposed convolutions, the mirror of `vae_encoder`, for `VAE`.

    Args:
        image_shape: `(height, width, channels)`, both sides at least 8.
        latent_dim: number of latent variables, as in the encoder.
        filters: feature maps of the last stage before the picture; each earlier one has twice as
            many.
        num_classes: as in the encoder.
        variance: for `losses.Gaussian`: None, if that says how wide the distribution of a pixel is;
            `"one"`, to learn one width for all pixels; or `"each"`, to learn which pixels of which
            picture can be foreseen how well.

    Returns:
        A network from latents `(batch, latent_dim)`, with classes also from rows of labels, to an
        output named "logits", in the shape of pictures; a sigmoid makes pictures of them. With
        `variance` it has a second output, the log-variances.

    Raises:
        ValueError: if `image_shape` is no picture shape, or smaller than 8 x 8, or for an unknown
            `variance`.

    Source: Kingma and Welling 2014 (arXiv 1312.6114), appendix C, with convolutions; one width:
        Rybkin et al. 2021 (arXiv 2006.13202), section 4.

    Example:
        >>> from keras_imgen.networks import vae_decoder
        >>> vae_decoder((27, 33, 3), latent_dim=2, filters=8).output_shape
        (None, 27, 33, 3)
    """
    image_shape = check_generated(image_shape)
    filters = whole_number("filters", filters, 1)
    sides = halvings(image_shape)
    height, width = sides[-1]
    deepest = filters * 2 ** (len(sides) - 2)
    inputs, x = _latents(latent_dim, num_classes)
    x = layers.Dense(256, activation="relu")(x)
    x = layers.Dense(height * width * deepest, activation="relu")(x)
    x = layers.Reshape((height, width, deepest))(x)
    values, name = _values(image_shape, variance)
    x = grow(x, sides, filters, values, batch_norm=False, activation=None, name=name)
    return _drawn(inputs, x, variance)


@as_meant()
def dense_vae_encoder(
    image_shape, latent_dim: int = 40, units: tuple[int, ...] = (300, 300), *, num_classes: int = 0
) -> keras.Model:
    """Build an encoder of gated dense layers, for `VAE`: quick, and the best for small digits.

    Each unit is multiplied by a number from 0 to 1, which a second one decides on.

    Args:
        image_shape: `(height, width, channels)`, of any fixed sides.
        latent_dim: number of latent variables.
        units: of each layer.
        num_classes: how many classes a conditional VAE knows; 0 for none.

    Returns:
        A network as that of `vae_encoder`.

    Raises:
        ValueError: if `image_shape` is no picture shape, or `units` are no numbers of units.

    Source: Tomczak and Welling 2018 (arXiv 1705.07120), section 5.1 and equation 11.

    Example:
        >>> from keras_imgen.networks import dense_vae_encoder
        >>> dense_vae_encoder((7, 5, 3), latent_dim=2, units=(8,)).output_shape
        [(None, 2), (None, 2)]
    """
    image_shape = check_shape(image_shape, any_size=False)
    pictures = layers.Input(image_shape, name="pictures")
    inputs, x = _with_labels(pictures, layers.Flatten()(pictures), num_classes)
    return _described(inputs, _gated(x, units), latent_dim)


@as_meant()
def dense_vae_decoder(
    image_shape,
    latent_dim: int = 40,
    units: tuple[int, ...] = (300, 300),
    *,
    num_classes: int = 0,
    variance: str | None = None,
) -> keras.Model:
    """Build a decoder of gated dense layers, the mirror of `dense_vae_encoder`, for `VAE`.

    Args:
        image_shape: `(height, width, channels)`, of any fixed sides.
        latent_dim: number of latent variables, as in the encoder.
        units: of each layer.
        num_classes: as in the encoder.
        variance: as in `vae_decoder`.

    Returns:
        A network as that of `vae_decoder`.

    Raises:
        ValueError: if `image_shape` is no picture shape, `units` are no numbers of units, or for an
            unknown `variance`.

    Source: Tomczak and Welling 2018 (arXiv 1705.07120), section 5.1 and equation 11.

    Example:
        >>> from keras_imgen.networks import dense_vae_decoder
        >>> dense_vae_decoder((7, 5, 3), latent_dim=2, units=(8,), variance="one").output_shape
        [(None, 7, 5, 3), (None, 7, 5, 3)]
    """
    image_shape = check_shape(image_shape, any_size=False)
    inputs, x = _latents(latent_dim, num_classes)
    height, width, _ = image_shape
    values, name = _values(image_shape, variance)
    x = layers.Dense(height * width * values, dtype="float32")(_gated(x, units))
    x = layers.Reshape((height, width, values), dtype="float32", name=name)(x)
    return _drawn(inputs, x, variance)


@as_meant()
def resnet_vae_encoder(
    image_shape, latent_dim: int = 16, filters: int = 16, *, num_classes: int = 0
) -> keras.Model:
    """Build an encoder of residual blocks, for `VAE`: slower, where there is time and colour.

    Args:
        image_shape: `(height, width, channels)`, both sides at least 8.
        latent_dim: number of latent variables.
        filters: feature maps of the first stage; doubled at every halving of the sides.
        num_classes: how many classes a conditional VAE knows; 0 for none.

    Returns:
        A network as that of `vae_encoder`.

    Raises:
        ValueError: if `image_shape` is no picture shape, or smaller than 8 x 8.

    Source: Kingma et al. 2016 (arXiv 1606.04934), section 6.1: residual blocks in both networks of
        a VAE; He et al. 2016 (arXiv 1603.05027), figure 1b, without normalisation.

    Example:
        >>> from keras_imgen.networks import resnet_vae_encoder
        >>> resnet_vae_encoder((27, 33, 3), latent_dim=2, filters=4).output_shape
        [(None, 2), (None, 2)]
    """
    image_shape = check_generated(image_shape)
    filters = whole_number("filters", filters, 1)
    pictures = layers.Input(image_shape, name="pictures")
    x = pictures
    for stage in range(len(halvings(image_shape)) - 1):
        x = layers.Conv2D(filters * 2**stage, 4, strides=2, padding="same")(x)
        x = _residual(x)
    x = layers.Flatten()(layers.Activation("silu")(x))
    inputs, x = _with_labels(pictures, x, num_classes)
    return _described(inputs, layers.Dense(256, activation="silu")(x), latent_dim)


@as_meant()
def resnet_vae_decoder(
    image_shape,
    latent_dim: int = 16,
    filters: int = 16,
    *,
    num_classes: int = 0,
    variance: str | None = None,
) -> keras.Model:
    """Build a decoder of residual blocks, the mirror of `resnet_vae_encoder`, for `VAE`.

    Args:
        image_shape: `(height, width, channels)`, both sides at least 8.
        latent_dim: number of latent variables, as in the encoder.
        filters: feature maps of the last stage before the picture; each earlier one has twice as
            many.
        num_classes: as in the encoder.
        variance: as in `vae_decoder`.

    Returns:
        A network as that of `vae_decoder`.

    Raises:
        ValueError: if `image_shape` is no picture shape, or smaller than 8 x 8, or for an unknown
            `variance`.

    Source: as for `resnet_vae_encoder`.

    Example:
        >>> from keras_imgen.networks import resnet_vae_decoder
        >>> resnet_vae_decoder((27, 33, 3), latent_dim=2, filters=4).output_shape
        (None, 27, 33, 3)
    """
    image_shape = check_generated(image_shape)
    filters = whole_number("filters", filters, 1)
    sides = halvings(image_shape)
    height, width = sides[-1]
    deepest = filters * 2 ** (len(sides) - 2)
    inputs, x = _latents(latent_dim, num_classes)
    x = layers.Dense(256, activation="silu")(x)
    x = layers.Reshape((height, width, deepest))(layers.Dense(height * width * deepest)(x))
    values, name = _values(image_shape, variance)
    options = {"batch_norm": False, "activation": None, "name": name}
    x = grow(_residual(x), sides, filters, values, between=_residual, **options)
    return _drawn(inputs, x, variance)


def _residual(x):
    """Return features, changed a little by two convolutions."""
    change = layers.Conv2D(x.shape[-1], 3, padding="same")(layers.Activation("silu")(x))
    change = layers.Conv2D(x.shape[-1], 3, padding="same")(layers.Activation("silu")(change))
    return layers.Add()([x, change])


def _with_labels(pictures, features, num_classes):
    """Return the inputs of an encoder, and its features with those of the label."""
    if not check_classes(num_classes):
        return pictures, features
    labels = layers.Input((num_classes,), name="labels")
    return [pictures, labels], layers.Concatenate()([features, labels])


def _latents(latent_dim, num_classes):
    """Return the inputs of a decoder, and what it begins with."""
    latents = layers.Input((check_latent_dim(latent_dim),), name="latents")
    return _with_labels(latents, latents, num_classes)


def _described(inputs, x, latent_dim):
    """Return the encoder that ends in these features."""
    latent_dim = check_latent_dim(latent_dim)
    heads = [layers.Dense(latent_dim, dtype="float32", name=n) for n in ("mean", "log_variance")]
    return keras.Model(inputs, [head(x) for head in heads], name="encoder")


def _gated(x, units):
    for size in check_levels(units, (300, 300), "units"):
        features, gates = ops.split(layers.Dense(2 * size)(x), 2, axis=-1)
        x = layers.Multiply()([features, layers.Activation("sigmoid")(gates)])
    return x


def _values(image_shape, variance):
    """Return how many values a decoder puts out at a place, and the name of that output."""
    if variance not in (None, "one", "each"):
        raise ValueError(
            f'`variance` must be None, "one" or "each". Received: variance={shown(variance)}.'
        )
    return (2 * image_shape[2], None) if variance == "each" else (image_shape[2], "logits")


def _drawn(inputs, x, variance):
    """Return the decoder that ends in logits, and in log-variances if asked for."""
    outputs = x
    if variance == "one":
        outputs = [x, LogVariance(name="log_variance")(x)]
    if variance == "each":
        x, log_variance = ops.split(x, 2, axis=-1)
        outputs = [
            layers.Rescaling(1.0, dtype="float32", name="logits")(x),
            layers.Rescaling(1.0, START, dtype="float32", name="log_variance")(log_variance),
        ]
    return keras.Model(inputs, outputs, name="decoder")


@keras.saving.register_keras_serializable("keras_imgen")
class LogVariance(layers.Layer):
    """One log-variance for all pixels of all pictures, which is learned.

    Args:
        **kwargs: `name`.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.networks.vaes import LogVariance
        >>> np.unique(LogVariance()(np.zeros((1, 2, 2, 1))))
        array([-4.6], dtype=float32)
    """

    def __init__(self, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})

    def build(self, input_shape):
        """Make the weight: it begins with a standard deviation of 0.1."""
        start = keras.initializers.Constant(START)
        self.value = self.add_weight(shape=(), initializer=start, name="value")

    def call(self, x):
        """Return it in the shape of what is put in."""
        return ops.zeros_like(x) + self.value

    def compute_output_shape(self, input_shape):
        """Shape of what is put in."""
        return input_shape
