"""Networks that restore: convolutional ones for pictures, a recurrent one for sequences."""

import keras
from keras import layers

from keras_imgen.checks import whole_number
from keras_imgen.networks.parts import CropLike, FramewiseModel, check_shape


def dncnn(
    image_shape=(None, None, 1),
    *,
    extra_channels: int = 0,
    depth: int = 17,
    filters: int = 64,
    batch_norm: bool = True,
) -> keras.Model:
    """Build the denoising network DnCNN, which predicts the noise and subtracts it.

    All convolutions are 3 x 3 at full resolution, so it takes pictures of any size; each output
    pixel sees a square of `2 * depth + 1` pixels a side.

    Args:
        image_shape: `(height, width, channels)`; sides may be None for any size.
        extra_channels: channels that the degradation appends to the picture.
        depth: number of convolutions, at least 3. The paper has 17 for a known noise level, 20 for
            a blind network.
        filters: feature maps of each convolution.
        batch_norm: whether the inner convolutions are normalised, as in the paper. Switch it off
            for short trainings on small batches.

    Returns:
        A network from observed pictures to restored ones, not clipped to [0, 1].

    Raises:
        ValueError: if `image_shape` is no picture shape or `depth` is below 3.

    Source: Zhang et al. 2017 (arXiv 1608.03981), section III.

    Example:
        >>> from keras_imgen.networks import dncnn
        >>> dncnn((None, None, 3), depth=5, filters=8).output_shape
        (None, None, None, 3)
    """
    height, width, channels = check_shape(image_shape, any_size=True)
    extra_channels = whole_number("extra_channels", extra_channels, 0)
    depth = whole_number(
        "depth",
        depth,
        3,
        "It counts the convolutions; the paper has 17.",
    )
    filters = whole_number("filters", filters, 1)
    observed = layers.Input((height, width, channels + extra_channels), name="observed")
    x = layers.Conv2D(filters, 3, padding="same", activation="relu")(observed)
    for _ in range(depth - 2):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=not batch_norm)(x)
        x = layers.BatchNormalization()(x) if batch_norm else x
        x = layers.ReLU()(x)
    noise = layers.Conv2D(channels, 3, padding="same", dtype="float32", name="noise")(x)
    picture = observed[..., :channels] if extra_channels else observed
    restored = layers.Subtract(dtype="float32", name="restored")([picture, noise])
    return keras.Model(observed, restored, name="dncnn")


def unet(
    image_shape=(None, None, 1),
    *,
    extra_channels: int = 0,
    depth: int = 3,
    filters: int = 32,
) -> keras.Model:
    """Build a U-Net, which sees far and keeps detail: the choice for holes.

    Each level halves the sides and doubles the feature maps; on the way back up the finer level is
    joined again. Any height and width works, odd ones too.

    Args:
        image_shape: `(height, width, channels)`; sides may be None for any size.
        extra_channels: channels that the degradation appends to the picture, such as a mask.
        depth: number of halvings, at least 1.
        filters: feature maps at full resolution.

    Returns:
        A network from observed pictures to restored ones, not clipped to [0, 1].

    Raises:
        ValueError: if `image_shape` is no picture shape or `depth` is below 1.

    Source: Ronneberger et al. 2015 (arXiv 1505.04597), figure 1, with `same` padding and strided
        convolutions in place of pooling.

    Example:
        >>> from keras_imgen.networks import unet
        >>> unet((27, 33, 1), extra_channels=1, depth=2, filters=4).output_shape
        (None, 27, 33, 1)
    """
    height, width, channels = check_shape(image_shape, any_size=True)
    extra_channels = whole_number("extra_channels", extra_channels, 0)
    depth = whole_number("depth", depth, 1, "It is the number of halvings.")
    filters = whole_number("filters", filters, 1)
    observed = layers.Input((height, width, channels + extra_channels), name="observed")

    def convolve(x, level, **options):
        maps = filters * 2**level
        return layers.Conv2D(maps, 3, padding="same", activation="relu", **options)(x)

    x = convolve(observed, 0)
    skips = []
    for level in range(1, depth + 1):
        skips.append(convolve(x, level - 1))
        x = convolve(skips[-1], level, strides=2)
    x = convolve(x, depth)
    for level in reversed(range(depth)):
        # Nearest, not bilinear: bilinear upsampling of unknown sizes fails in graph mode.
        x = layers.UpSampling2D(2, interpolation="nearest")(x)
        x = CropLike()([x, skips[level]])
        x = layers.Concatenate()([convolve(x, level), skips[level]])
        x = convolve(x, level)
    restored = layers.Conv2D(channels, 3, padding="same", dtype="float32", name="restored")(x)
    return keras.Model(observed, restored, name="unet")


def conv_lstm(
    image_shape,
    *,
    extra_channels: int = 0,
    filters: int = 32,
    causal: bool = False,
) -> keras.Model:
    """Build a ConvLSTM network that restores sequences of pictures.

    Every frame is halved in size by a convolution, a ConvLSTM carries what it saw from frame to
    frame, and a second convolution brings the result back to full size, where it joins the observed
    frame again and changes it.

    Args:
        image_shape: `(height, width, channels)` of one frame. `keras.layers.ConvLSTM2D` needs the
            sides; the number of frames is free.
        extra_channels: channels that the degradation appends to the frame, such as a mask.
        filters: feature maps of the convolutions and of the ConvLSTM's memory.
        causal: whether a frame may only see the frames before it, as in live video. By default a
            second ConvLSTM reads the sequence backwards, and each frame sees past and future.

    Returns:
        A network from observed sequences `(batch, time, height, width, channels + extra_channels)`
        to restored ones `(batch, time, height, width, channels)`, not clipped to [0, 1], for any
        length.

    Raises:
        ValueError: if `image_shape` is no picture shape.

    Source: Shi et al. 2015 (arXiv 1506.04214), equation 3, without peepholes; read in both
        directions as in Schuster and Paliwal 1997.

    Example:
        >>> from keras_imgen.networks import conv_lstm
        >>> conv_lstm((16, 16, 1), filters=4).output_shape
        (None, None, 16, 16, 1)
    """
    height, width, channels = check_shape(image_shape, any_size=False)
    extra_channels = whole_number("extra_channels", extra_channels, 0)
    filters = whole_number("filters", filters, 1)

    frame = layers.Input((height, width, channels + extra_channels))
    halved = layers.Conv2D(filters, 4, strides=2, padding="same", activation="relu")(frame)
    halve = keras.Model(frame, halved, name="halve")

    memory = layers.Input((*halved.shape[1:3], filters if causal else 2 * filters))
    x = layers.Conv2DTranspose(filters, 4, strides=2, padding="same", activation="relu")(memory)
    x = layers.Concatenate()([CropLike()([x, frame]), frame])
    x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
    # The change to the observed frame is easier to learn than the frame: most of it is 0, and all
    # of it before training.
    change = layers.Conv2D(
        channels, 3, padding="same", kernel_initializer="zeros", dtype="float32"
    )(x)
    restored = layers.Add(dtype="float32")([frame[..., :channels], change])
    enlarge = keras.Model([memory, frame], restored, name="enlarge")

    observed = layers.Input((None, height, width, channels + extra_channels), name="observed")
    recurrent = layers.ConvLSTM2D(filters, 3, padding="same", return_sequences=True)
    x = FramewiseModel(halve, name="halve_frames")([observed])
    x = recurrent(x) if causal else layers.Bidirectional(recurrent, merge_mode="concat")(x)
    restored = FramewiseModel(enlarge, name="enlarge_frames")([x, observed])
    return keras.Model(observed, restored, name="conv_lstm")
