"""Networks that generate: the generator and discriminator of a GAN, the two halves of a VAE."""

import math

import keras
from keras import layers

from keras_imgen.checks import number, whole_number
from keras_imgen.networks.parts import check_shape

_LATENT_DIM = "It is the number of latent variables."


def _halvings(image_shape) -> list[tuple[int, int]]:
    """Return the sides after 0, 1, 2, ... halvings, rounded up, until the shorter is below 6."""
    sides = [tuple(image_shape[:2])]
    while min(sides[-1]) >= 6:
        sides.append(tuple(math.ceil(side / 2) for side in sides[-1]))
    return sides


def _grow(x, sides, filters: int, channels: int, *, batch_norm: bool):
    """Double a small stack of feature maps stage by stage up to the picture's own size."""
    for stage in reversed(range(len(sides) - 1)):
        last = stage == 0
        width = channels if last else filters * 2 ** (stage - 1)
        # A kernel of 4 with stride 2 covers every output pixel equally often: no checkerboard.
        x = layers.Conv2DTranspose(
            width,
            4,
            strides=2,
            padding="same",
            use_bias=last or not batch_norm,
            activation="sigmoid" if last else None,
            dtype="float32" if last else None,
        )(x)
        height, width = sides[stage]
        extra = ((0, x.shape[1] - height), (0, x.shape[2] - width))
        x = layers.Cropping2D(extra, dtype="float32" if last else None)(x)
        if not last:
            x = layers.BatchNormalization()(x) if batch_norm else x
            x = layers.ReLU()(x)
    return x


def dcgan_generator(image_shape, latent_dim: int = 64, filters: int = 64) -> keras.Model:
    """Build a generator of transposed convolutions with batch normalisation, for `GAN`.

    Args:
        image_shape: `(height, width, channels)`, both sides at least 8.
        latent_dim: length of a latent vector.
        filters: feature maps of the last stage before the picture; each earlier stage has twice
            as many.

    Returns:
        A network from latents `(batch, latent_dim)` to pictures `(batch, height, width, channels)`
        in [0, 1].

    Raises:
        ValueError: if `image_shape` is no picture shape, or smaller than 8 x 8.

    Source: Radford et al. 2016 (arXiv 1511.06434), section 3; kernels of 4 in place of 5, and a
        sigmoid at the end because pictures lie in [0, 1].

    Example:
        >>> from keras_imgen.networks import dcgan_generator
        >>> dcgan_generator((28, 28, 1), latent_dim=16, filters=8).output_shape
        (None, 28, 28, 1)
    """
    image_shape = _check_generated(image_shape)
    latent_dim = whole_number("latent_dim", latent_dim, 1, _LATENT_DIM)
    filters = whole_number("filters", filters, 1)
    sides = _halvings(image_shape)
    height, width = sides[-1]
    deepest = filters * 2 ** (len(sides) - 2)
    latents = layers.Input((latent_dim,), name="latents")
    x = layers.Dense(height * width * deepest, use_bias=False)(latents)
    x = layers.Reshape((height, width, deepest))(x)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU()(x)
    pictures = _grow(x, sides, filters, image_shape[2], batch_norm=True)
    return keras.Model(latents, pictures, name="generator")


def _check_generated(image_shape):
    image_shape = check_shape(image_shape, any_size=False)
    if min(image_shape[:2]) < 8:
        raise ValueError(
            "This network needs pictures of at least 8 x 8 pixels. "
            f"Received: image_shape={image_shape}. Enlarge the pictures, or build your own network."
        )
    return image_shape


def dcgan_discriminator(image_shape, filters: int = 64, dropout: float = 0.3) -> keras.Model:
    """Build a discriminator of strided convolutions, for `GAN`.

    Args:
        image_shape: `(height, width, channels)`, both sides at least 8.
        filters: feature maps of the first convolution; doubled at every halving of the sides.
        dropout: share of feature values dropped in training after each convolution; it keeps the
            discriminator from learning small data sets by heart.

    Returns:
        A network from pictures in [0, 1] to one score (a logit: above 0 means "real") each, shape
        `(batch, 1)`.

    Raises:
        ValueError: if `image_shape` is no picture shape, or smaller than 8 x 8.

    Source: Radford et al. 2016 (arXiv 1511.06434), section 3, with dropout in place of batch
        normalisation, which would let real and generated pictures of one batch see each other.

    Example:
        >>> from keras_imgen.networks import dcgan_discriminator
        >>> dcgan_discriminator((28, 28, 1), filters=8).output_shape
        (None, 1)
    """
    image_shape = _check_generated(image_shape)
    filters = whole_number("filters", filters, 1)
    dropout = number("dropout", dropout, 0.0, 1.0, "It is the share to drop: for 30 % pass 0.3.")
    pictures = layers.Input(image_shape, name="pictures")
    x = layers.Rescaling(2.0, offset=-1.0)(pictures)
    for stage in range(len(_halvings(image_shape)) - 1):
        x = layers.Conv2D(filters * 2**stage, 4, strides=2, padding="same")(x)
        x = layers.LeakyReLU(0.2)(x)
        x = layers.Dropout(dropout)(x)
    scores = layers.Dense(1, dtype="float32")(layers.Flatten()(x))
    return keras.Model(pictures, scores, name="discriminator")


def vae_encoder(image_shape, latent_dim: int = 16, filters: int = 32) -> keras.Model:
    """Build an encoder of strided convolutions, for `VAE`.

    Args:
        image_shape: `(height, width, channels)`, both sides at least 8.
        latent_dim: number of latent variables.
        filters: feature maps of the first convolution; doubled at every halving of the sides.

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
    image_shape = _check_generated(image_shape)
    latent_dim = whole_number("latent_dim", latent_dim, 1, _LATENT_DIM)
    filters = whole_number("filters", filters, 1)
    pictures = layers.Input(image_shape, name="pictures")
    x = pictures
    for stage in range(len(_halvings(image_shape)) - 1):
        x = layers.Conv2D(filters * 2**stage, 4, strides=2, padding="same", activation="relu")(x)
    x = layers.Dense(256, activation="relu")(layers.Flatten()(x))
    mean = layers.Dense(latent_dim, dtype="float32", name="mean")(x)
    log_variance = layers.Dense(latent_dim, dtype="float32", name="log_variance")(x)
    return keras.Model(pictures, [mean, log_variance], name="encoder")


def vae_decoder(image_shape, latent_dim: int = 16, filters: int = 32) -> keras.Model:
    """Build a decoder of transposed convolutions, the mirror of `vae_encoder`, for `VAE`.

    Args:
        image_shape: `(height, width, channels)`, both sides at least 8.
        latent_dim: number of latent variables, as in the encoder.
        filters: feature maps of the last stage before the picture; each earlier one has twice as
            many.

    Returns:
        A network from latents `(batch, latent_dim)` to pictures in [0, 1].

    Raises:
        ValueError: if `image_shape` is no picture shape, or smaller than 8 x 8.

    Source: Kingma and Welling 2014 (arXiv 1312.6114), appendix C, with convolutions.

    Example:
        >>> from keras_imgen.networks import vae_decoder
        >>> vae_decoder((27, 33, 3), latent_dim=2, filters=8).output_shape
        (None, 27, 33, 3)
    """
    image_shape = _check_generated(image_shape)
    latent_dim = whole_number("latent_dim", latent_dim, 1, _LATENT_DIM)
    filters = whole_number("filters", filters, 1)
    sides = _halvings(image_shape)
    height, width = sides[-1]
    deepest = filters * 2 ** (len(sides) - 2)
    latents = layers.Input((latent_dim,), name="latents")
    x = layers.Dense(256, activation="relu")(latents)
    x = layers.Dense(height * width * deepest, activation="relu")(x)
    x = layers.Reshape((height, width, deepest))(x)
    pictures = _grow(x, sides, filters, image_shape[2], batch_norm=False)
    return keras.Model(latents, pictures, name="decoder")
