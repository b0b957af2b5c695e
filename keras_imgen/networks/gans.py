"""Networks of a `GAN`: pairs of a generator and a discriminator, with labels if asked for."""

import keras
from keras import layers, ops

from keras_imgen.checks import flag, number, whole_number
from keras_imgen.networks.geometry import (
    check_classes,
    check_generated,
    check_latent_dim,
    grow,
    halvings,
)
from keras_imgen.settings import as_meant


@as_meant()
def dcgan_generator(
    image_shape, latent_dim: int = 64, filters: int = 16, *, num_classes: int = 0
) -> keras.Model:
    """Build a generator of transposed convolutions with batch normalisation, for `GAN`.

    Quick: nearly all of its work is done on small feature maps.

    Args:
        image_shape: `(height, width, channels)`, both sides at least 8.
        latent_dim: length of a latent vector.
        filters: feature maps of the last stage before the picture; each earlier stage has twice
            as many. The default is what a few minutes on a CPU have time for; the paper has 128.
        num_classes: how many classes a conditional generator can be asked for; 0 for none.

    Returns:
        A network from latents `(batch, latent_dim)`, with classes also from rows of labels
        `(batch, num_classes)`, to pictures `(batch, height, width, channels)` in [0, 1].

    Raises:
        ValueError: if `image_shape` is no picture shape, or smaller than 8 x 8.

    Source: Radford et al. 2016 (arXiv 1511.06434), section 3; kernels of 4 in place of 5, and a
        sigmoid at the end because pictures lie in [0, 1].

    Example:
        >>> from keras_imgen.networks import dcgan_generator
        >>> dcgan_generator((28, 28, 1), latent_dim=16, filters=8).output_shape
        (None, 28, 28, 1)
    """
    image_shape = check_generated(image_shape)
    filters = whole_number("filters", filters, 1)
    sides = halvings(image_shape)
    inputs, x = _latents(latent_dim, num_classes)
    x = _spread(x, sides[-1], filters * 2 ** (len(sides) - 2), use_bias=False)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    pictures = grow(x, sides, filters, image_shape[2], batch_norm=True)
    return keras.Model(inputs, pictures, name="generator")


@as_meant()
def dcgan_discriminator(
    image_shape,
    filters: int = 16,
    dropout: float = 0.0,
    *,
    batch_norm: bool = True,
    spectral_norm: bool = False,
    num_classes: int = 0,
) -> keras.Model:
    """Build a discriminator of strided convolutions, for `GAN`.

    Args:
        image_shape: `(height, width, channels)`, both sides at least 8.
        filters: feature maps of the first convolution; doubled at every halving of the sides. Give
            both networks as many.
        dropout: share of feature values dropped in training after each convolution; it keeps the
            discriminator from learning small data sets by heart in long trainings. Usual: 0, or
            0.3.
        batch_norm: whether all but the first convolution are normalised over the batch. Real and
            generated pictures are different batches, so the discriminator sees how varied each of
            them is: training is quicker, and no kind of picture is forgotten. Switch it off for a
            penalty, which looks at one picture at a time.
        spectral_norm: whether every layer is kept from stretching what goes through it
            (`SpectralNormalization`): steadier with high learning rates and with the
            hinge loss.
        num_classes: how many classes a conditional discriminator knows; 0 for none.

    Returns:
        A network from pictures in [0, 1], with classes also from rows of labels
        `(batch, num_classes)`, to one score (a logit: above 0 means "real") each, shape
        `(batch, 1)`.

    Raises:
        ValueError: if `image_shape` is no picture shape, or smaller than 8 x 8.

    Source: Radford et al. 2016 (arXiv 1511.06434), section 3; labels: Miyato and Koyama 2018 (arXiv
        1802.05637), equation 5; spectral normalisation: Miyato et al. 2018 (arXiv 1802.05957),
        equation 8.

    Example:
        >>> from keras_imgen.networks import dcgan_discriminator
        >>> dcgan_discriminator((28, 28, 1), filters=8).output_shape
        (None, 1)
    """
    image_shape = check_generated(image_shape)
    filters = whole_number("filters", filters, 1)
    dropout = number("dropout", dropout, 0.0, 1.0, "It is the share to drop: for 30 % pass 0.3.")
    flag("batch_norm", batch_norm)
    normed = _normed(spectral_norm)
    pictures = layers.Input(image_shape, name="pictures")
    x = layers.Rescaling(2.0, offset=-1.0)(pictures)
    for stage in range(len(halvings(image_shape)) - 1):
        x = normed(layers.Conv2D(filters * 2**stage, 4, strides=2, padding="same"))(x)
        x = layers.BatchNormalization()(x) if batch_norm and stage else x
        x = layers.LeakyReLU(0.2)(x)
        x = layers.Dropout(dropout)(x)
    return _scored(pictures, layers.Flatten()(x), num_classes, normed)


@as_meant()
def resnet_generator(
    image_shape, latent_dim: int = 128, filters: int = 16, *, num_classes: int = 0
) -> keras.Model:
    """Build a generator of residual blocks, for `GAN`: better in colour, and slower, than DCGAN.

    Args:
        image_shape: `(height, width, channels)`, both sides at least 8.
        latent_dim: length of a latent vector.
        filters: feature maps of every stage. The paper has 256 for CIFAR-10, for hours on a GPU.
        num_classes: how many classes a conditional generator can be asked for; 0 for none.

    Returns:
        A network as that of `dcgan_generator`.

    Raises:
        ValueError: if `image_shape` is no picture shape, or smaller than 8 x 8.

    Source: Miyato et al. 2018 (arXiv 1802.05957), table 4, after Gulrajani et al. 2017 (arXiv
        1704.00028); a sigmoid at the end because pictures lie in [0, 1].

    Example:
        >>> from keras_imgen.networks import resnet_generator
        >>> resnet_generator((33, 18, 3), latent_dim=8, filters=4).output_shape
        (None, 33, 18, 3)
    """
    image_shape = check_generated(image_shape)
    filters = whole_number("filters", filters, 1)
    sides = halvings(image_shape)
    inputs, x = _latents(latent_dim, num_classes)
    x = _spread(x, sides[-1], filters)

    def convolve(x, **options):
        x = layers.ReLU()(layers.BatchNormalization()(x))
        # Enlarging after the activation and before the convolution, as in the paper.
        x = layers.UpSampling2D(2, interpolation="nearest")(x) if options.pop("up", False) else x
        return layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)

    for height, width in reversed(sides[:-1]):
        change = convolve(convolve(x, up=True))
        x = layers.Add()([layers.UpSampling2D(2, interpolation="nearest")(x), change])
        x = layers.Cropping2D(((0, x.shape[1] - height), (0, x.shape[2] - width)))(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    pictures = layers.Conv2D(
        image_shape[2], 3, padding="same", activation="sigmoid", dtype="float32"
    )(x)
    return keras.Model(inputs, pictures, name="generator")


@as_meant()
def resnet_discriminator(
    image_shape, filters: int = 16, *, num_classes: int = 0, spectral_norm: bool = True
) -> keras.Model:
    """Build a discriminator of residual blocks, for `GAN`.

    Args:
        image_shape: `(height, width, channels)`, both sides at least 8.
        filters: feature maps of every stage. The paper has 128 for CIFAR-10.
        num_classes: how many classes a conditional discriminator knows; 0 for none.
        spectral_norm: as in `dcgan_discriminator`.

    Returns:
        A network as that of `dcgan_discriminator`.

    Raises:
        ValueError: if `image_shape` is no picture shape, or smaller than 8 x 8.

    Source: Miyato et al. 2018 (arXiv 1802.05957), table 4; labels: Miyato and Koyama 2018 (arXiv
        1802.05637), equation 5.

    Example:
        >>> from keras_imgen.networks import resnet_discriminator
        >>> resnet_discriminator((33, 18, 3), filters=4).output_shape
        (None, 1)
    """
    image_shape = check_generated(image_shape)
    filters = whole_number("filters", filters, 1)
    normed = _normed(spectral_norm)
    pictures = layers.Input(image_shape, name="pictures")

    def convolve(x, kernel=3):
        return normed(layers.Conv2D(filters, kernel, padding="same"))(x)

    def halved(x):
        return layers.AveragePooling2D(2, padding="same")(x)

    x = layers.Rescaling(2.0, offset=-1.0)(pictures)
    for stage in range(len(halvings(image_shape)) - 1):
        # The first block meets pixels, of which half are below 0: no activation before them.
        change = layers.ReLU()(x) if stage else x
        change = convolve(layers.ReLU()(convolve(change)))
        x = layers.Add()([halved(convolve(x, 1)), halved(change)])
    x = layers.ReLU()(layers.Add()([x, convolve(layers.ReLU()(convolve(layers.ReLU()(x))))]))
    return _scored(pictures, layers.GlobalAveragePooling2D()(x), num_classes, normed)


def _latents(latent_dim, num_classes):
    """Return the inputs of a generator, and what it begins with."""
    latent_dim = check_latent_dim(latent_dim)
    latents = layers.Input((latent_dim,), name="latents")
    num_classes = check_classes(num_classes)
    if not num_classes:
        return latents, latents
    labels = layers.Input((num_classes,), name="labels")
    # Each class has a vector of its own. It begins small: as large as the latents, it decides on
    # the whole picture before they have learned to vary it, and each class has one picture only.
    own = layers.Dense(
        latent_dim,
        use_bias=False,
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.1),
        name="class_latents",
    )(labels)
    return [latents, labels], layers.Concatenate()([latents, own])


def _spread(x, sides, filters, **options):
    """Spread vectors over a stack of small feature maps."""
    x = layers.Dense(sides[0] * sides[1] * filters, **options)(x)
    return layers.Reshape((*sides, filters))(x)


def _scored(pictures, features, num_classes, normed):
    """Return the discriminator that ends in these features."""
    scores = normed(layers.Dense(1, dtype="float32"))(features)
    num_classes = check_classes(num_classes)
    if not num_classes:
        return keras.Model(pictures, scores, name="discriminator")
    labels = layers.Input((num_classes,), name="labels")
    features = layers.Activation("linear", dtype="float32", name="features")(features)
    # Of each class a direction in the space of features: how far does the picture lie along it?
    direction = normed(
        layers.Dense(features.shape[-1], use_bias=False, dtype="float32", name="class_directions")
    )(labels)
    along = layers.Dot(1, dtype="float32")([direction, features])
    scores = layers.Add(dtype="float32")([scores, along])
    return keras.Model([pictures, labels], scores, name="discriminator")


def _normed(spectral_norm):
    """Return what wraps each layer of a discriminator."""
    flag("spectral_norm", spectral_norm)
    return SpectralNormalization if spectral_norm else lambda layer: layer


@keras.saving.register_keras_serializable("keras_imgen")
class SpectralNormalization(layers.Wrapper):
    """Divide a layer's kernel by its largest singular value, so that the layer stretches nothing.

    The layer of this name in Keras overwrites the kernel by the quotient, on some backends. Here
    the kernel stays what the optimizer makes of it, and the slopes go through the division.

    Args:
        layer: layer with a `kernel`, such as `Dense` or `Conv2D`.
        **kwargs: `name`.

    Source: Miyato et al. 2018 (arXiv 1802.05957), equation 8 and algorithm 1, one step of the power
        method in each step of the training.

    Example:
        >>> import keras
        >>> import numpy as np
        >>> from keras_imgen.networks.gans import SpectralNormalization
        >>> layer = SpectralNormalization(keras.layers.Dense(3, use_bias=False))
        >>> for _ in range(50):
        ...     answers = layer(np.eye(3, dtype="float32"), training=True)
        >>> print(f"{np.linalg.norm(np.array(answers), 2):.2f}")
        1.00
    """

    def __init__(self, layer, **kwargs):
        # In the kernel's own precision; the layer casts by itself.
        super().__init__(layer, **{**kwargs, "dtype": "float32", "autocast": False})

    def build(self, input_shape=None):
        """Build the layer, and what is known of its singular vector."""
        super().build(input_shape)
        shape = (1, self.layer.kernel.shape[-1])
        self.right = self.add_weight(shape, "random_normal", trainable=False, name="right")

    def call(self, inputs, training=None):
        """Return what the layer makes of the inputs with the divided kernel."""
        kernel = self.layer.kernel
        matrix = ops.reshape(kernel, (-1, kernel.shape[-1]))
        left = _unit(ops.matmul(self.right, ops.transpose(matrix)))
        right = _unit(ops.matmul(left, matrix))
        if training:
            self.right.assign(right)
        left, right = ops.stop_gradient(left), ops.stop_gradient(right)
        sigma = ops.sum(ops.matmul(left, matrix) * right)
        divided = kernel / ops.where(sigma > 0.0, sigma, 1.0)  # a kernel of zeros stays
        weights = [(w, divided if w is kernel else w.value) for w in self.layer.variables]
        with keras.StatelessScope(weights):
            return self.layer(inputs)


def _unit(vector):
    return vector / ops.maximum(ops.norm(vector), keras.config.epsilon())
