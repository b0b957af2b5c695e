"""Networks of a `VAE`: an encoder and a decoder."""

import keras
from keras import layers

from keras_imgen.checks import whole_number
from keras_imgen.networks.geometry import check_generated, check_latent_dim, grow, halvings
from keras_imgen.settings import as_meant


@as_meant()
def vae_encoder(image_shape, latent_dim: int = 16, filters: int = 16) -> keras.Model:
    """Build an encoder of strided convolutions, for `VAE`.

    Args:
        image_shape: `(height, width, channels)`, both sides at least 8.
        latent_dim: number of latent variables.
        filters: feature maps of the first convolution; doubled at every halving of the sides. Where
            there is time, 32 or 64 describe a picture in fewer nats.

    Returns:
        A network from pictures in [0, 1] to two outputs, `mean` and `log_variance` of the latents,
        each `(batch, latent_dim)`.

    Raises:
        ValueError: if `image_shape` is no picture shape, or smaller than 8 x 8.

    Source: Kingma and Welling 2014 (arXiv 1312.6114), appendix C.2, with convolutions.

    Example:
        >>> from keras_imgen.networks import vae_encoder
        >>> vae_encoder((28, 28, 1), latent_dim=2, filters=8).output_shape
        [(None, 2), (None, 2)]
    """
    image_shape = check_generated(image_shape)
    latent_dim = check_latent_dim(latent_dim)
    filters = whole_number("filters", filters, 1)
    pictures = layers.Input(image_shape, name="pictures")
    x = pictures
    for stage in range(len(halvings(image_shape)) - 1):
        x = layers.Conv2D(filters * 2**stage, 4, strides=2, padding="same", activation="relu")(x)
    x = layers.Dense(256, activation="relu")(layers.Flatten()(x))
    mean = layers.Dense(latent_dim, dtype="float32", name="mean")(x)
    log_variance = layers.Dense(latent_dim, dtype="float32", name="log_variance")(x)
    return keras.Model(pictures, [mean, log_variance], name="encoder")


@as_meant()
def vae_decoder(image_shape, latent_dim: int = 16, filters: int = 16) -> keras.Model:
    """Build a decoder of transposed convolutions, the mirror of `vae_encoder`, for `VAE`.

    Args:
        image_shape: `(height, width, channels)`, both sides at least 8.
        latent_dim: number of latent variables, as in the encoder.
        filters: feature maps of the last stage before the picture; each earlier one has twice as
            many.

    Returns:
        A network from latents `(batch, latent_dim)` to an output named "logits", in the shape of
        pictures; a sigmoid makes pictures of them.

    Raises:
        ValueError: if `image_shape` is no picture shape, or smaller than 8 x 8.

    Source: Kingma and Welling 2014 (arXiv 1312.6114), appendix C, with convolutions.

    Example:
        >>> from keras_imgen.networks import vae_decoder
        >>> vae_decoder((27, 33, 3), latent_dim=2, filters=8).output_shape
        (None, 27, 33, 3)
    """
    image_shape = check_generated(image_shape)
    latent_dim = check_latent_dim(latent_dim)
    filters = whole_number("filters", filters, 1)
    sides = halvings(image_shape)
    height, width = sides[-1]
    deepest = filters * 2 ** (len(sides) - 2)
    latents = layers.Input((latent_dim,), name="latents")
    x = layers.Dense(256, activation="relu")(latents)
    x = layers.Dense(height * width * deepest, activation="relu")(x)
    x = layers.Reshape((height, width, deepest))(x)
    logits = grow(x, sides, filters, image_shape[2], batch_norm=False, logits=True)
    return keras.Model(latents, logits, name="decoder")
