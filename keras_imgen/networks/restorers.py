"""Convolutional networks that restore pictures."""

import keras
from keras import layers

from keras_imgen.checks import flag, one_of, whole_number
from keras_imgen.networks.geometry import check_levels, check_shape
from keras_imgen.networks.layers import (
    CropLike,
    DepthToSpace,
    FillHoles,
    GatedConv2D,
    MirrorToMultiple,
    PartialConv2D,
    SpaceToDepth,
)
from keras_imgen.settings import as_meant


@as_meant()
def dncnn(
    image_shape=(None, None, 1),
    *,
    extra_channels: int = 0,
    depth: int = 6,
    filters: int = 32,
    batch_norm: bool = False,
    block_size: int = 1,
) -> keras.Model:
    """Build the denoising network DnCNN, which predicts the noise and subtracts it.

    All convolutions are 3 x 3, so it takes pictures of any size; each output pixel sees a square of
    `2 * depth + 1` places a side. With `block_size=2` and a degradation that appends its noise
    level it is FFDNet, which costs a quarter and sees twice as far.

    Args:
        image_shape: `(height, width, channels)`; sides may be None for any size.
        extra_channels: channels that the degradation appends to the picture.
        depth: number of convolutions, at least 3. The default is what a few minutes on a CPU have
            time for; the paper has 17 for a known noise level, 20 for a blind network; FFDNet has
            15.
        filters: feature maps of each convolution. The paper has 64.
        batch_norm: whether the inner convolutions are normalised, as in the paper. Short trainings
            on small batches go better without.
        block_size: a place is a block of so many pixels a side; 1 or 2 in the papers.

    Returns:
        A network from observed pictures to restored ones, not clipped to [0, 1].

    Raises:
        ValueError: if `image_shape` is no picture shape or `depth` is below 3.

    Source: Zhang et al. 2017 (arXiv 1608.03981), section III; blocks: Zhang et al. 2018 (arXiv
        1710.04026), section III.

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
    block_size = whole_number("block_size", block_size, 1, "It is the side of a block in pixels.")
    observed = layers.Input((height, width, channels + extra_channels), name="observed")
    x = SpaceToDepth(block_size)(observed) if block_size > 1 else observed
    x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
    for _ in range(depth - 2):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=not batch_norm)(x)
        x = layers.BatchNormalization()(x) if batch_norm else x
        x = layers.ReLU()(x)
    maps = channels * block_size**2
    noise = layers.Conv2D(maps, 3, padding="same", dtype="float32", name="noise")(x)
    noise = _unblocked(noise, block_size, observed) if block_size > 1 else noise
    picture = observed[..., :channels] if extra_channels else observed
    restored = layers.Subtract(dtype="float32", name="restored")([picture, noise])
    return keras.Model(observed, restored, name="dncnn")


@as_meant()
def drunet(
    image_shape=(None, None, 1),
    *,
    extra_channels: int = 0,
    filters: tuple[int, ...] = (16, 32, 64),
    num_blocks: int = 1,
    block_size: int = 1,
    fill_holes: bool = False,
) -> keras.Model:
    """Build DRUNet: a U-Net of residual blocks without biases, the choice for noise of any level.

    Each level halves the sides; on the way back up the finer level is added again. Without biases,
    an observed picture that is twice as bright and noisy is restored to one twice as bright: what
    was learned at some noise levels holds at others (Mohan et al. 2020, arXiv 1906.05478).

    Args:
        image_shape: `(height, width, channels)`; sides may be None for any size.
        extra_channels: channels that the degradation appends to the picture, such as its level.
        filters: feature maps of each level, one or more, the finest first. The default has 140,000
            weights, what a few minutes on a CPU have time for. The paper's `(64, 128, 256, 512)`
            with 4 blocks has 33 million; `(64, 80, 96)` with 2 blocks has 1.5.
        num_blocks: residual blocks of each level on the way down, and again on the way up. The
            paper has 4.
        block_size: side of the blocks of pixels that the finest level takes as one place; 2 costs a
            quarter.
        fill_holes: whether holes are filled with means of what is around them before the network
            sees them, so that it learns what is wrong with that; the last extra channel must be the
            mask.

    Returns:
        A network from observed pictures to restored ones, not clipped to [0, 1].

    Raises:
        ValueError: if `image_shape` is no picture shape, `filters` are no numbers of maps, or there
            is no mask by which to fill holes.

    Source: Zhang et al. 2021 (arXiv 2008.13751), section 3.1 and figure 1. Here it predicts the
        noise and subtracts it, as DnCNN does.

    Example:
        >>> from keras_imgen.networks import drunet
        >>> drunet((27, 33, 3), filters=(4, 8), num_blocks=1).output_shape
        (None, 27, 33, 3)
    """
    height, width, channels = check_shape(image_shape, any_size=True)
    extra_channels = whole_number("extra_channels", extra_channels, 0)
    filters = check_levels(filters, (16, 32, 64))
    flag("fill_holes", fill_holes)
    if fill_holes:
        _check_mask("fill_holes=True", extra_channels)
    num_blocks = whole_number("num_blocks", num_blocks, 1)
    block_size = whole_number("block_size", block_size, 1, "It is the side of a block in pixels.")

    def convolve(x, maps, size=3, **options):
        return layers.Conv2D(maps, size, padding="same", use_bias=False, **options)(x)

    def residual_blocks(x):
        maps = x.shape[-1]
        for _ in range(num_blocks):
            x = layers.Add()([x, convolve(convolve(x, maps, activation="relu"), maps)])
        return x

    observed = layers.Input((height, width, channels + extra_channels), name="observed")
    multiple = block_size * 2 ** (len(filters) - 1)
    begin = FillHoles()(observed) if fill_holes else observed
    x = convolve(SpaceToDepth(block_size, multiple)(begin), filters[0])
    skips = []
    for maps in filters[1:]:
        skips.append(x)
        x = convolve(residual_blocks(x), maps, size=2, strides=2)
    skips.append(x)
    x = residual_blocks(x)
    for maps in reversed(filters[:-1]):
        x = layers.Add()([x, skips.pop()])
        x = layers.Conv2DTranspose(maps, 2, strides=2, use_bias=False)(x)
        x = residual_blocks(x)
    x = layers.Add()([x, skips.pop()])
    # Zeros: before it has learned anything, it returns the picture as it is.
    options = {"kernel_initializer": "zeros", "dtype": "float32", "name": "noise"}
    noise = _unblocked(convolve(x, channels * block_size**2, **options), block_size, observed)
    picture = begin[..., :channels] if extra_channels else begin
    restored = layers.Subtract(dtype="float32", name="restored")([picture, noise])
    return keras.Model(observed, restored, name="drunet")


@as_meant()
def unet(
    image_shape=(None, None, 1),
    *,
    extra_channels: int = 0,
    depth: int = 3,
    filters: int = 16,
    convolution: str = "plain",
    upsampling: str = "nearest",
) -> keras.Model:
    """Build a U-Net, which sees far and keeps detail: the choice for holes.

    Each level halves the sides and doubles the feature maps; on the way back up the finer level is
    joined again. Any height and width works: others than multiples of `2**depth` are continued by
    mirroring, and cut in the end.

    Args:
        image_shape: `(height, width, channels)`; sides may be None for any size.
        extra_channels: channels that the degradation appends to the picture, such as a mask.
        depth: number of halvings, at least 1.
        filters: feature maps at full resolution. The default is what a few minutes on a CPU have
            time for; the paper has 64, and 4 halvings.
        convolution: `"plain"`, `"gated"` (each place learns how far to trust what it sees, for
            twice the cost) or `"partial"` (holes are left out of every sum, and shrink; the last
            extra channel must be the mask).
        upsampling: `"nearest"`, or `"transposed"` for a convolution that learns it.

    Returns:
        A network from observed pictures to restored ones, not clipped to [0, 1].

    Raises:
        ValueError: if `image_shape` is no picture shape, `depth` is below 1, or an option is
            unknown or cannot be had.

    Source: Ronneberger et al. 2015 (arXiv 1505.04597), figure 1, with `same` padding and strided
        convolutions in place of pooling; gated: Yu et al. 2019 (arXiv 1806.03589); partial: Liu et
        al. 2018 (arXiv 1804.07723).

    Example:
        >>> from keras_imgen.networks import unet
        >>> unet((27, 33, 1), extra_channels=1, depth=2, filters=4).output_shape
        (None, 27, 33, 1)
    """
    height, width, channels = check_shape(image_shape, any_size=True)
    extra_channels = whole_number("extra_channels", extra_channels, 0)
    depth = whole_number("depth", depth, 1, "It is the number of halvings.")
    filters = whole_number("filters", filters, 1)
    one_of("convolution", convolution, ("plain", "gated", "partial"))
    one_of("upsampling", upsampling, ("nearest", "transposed"))
    partial = convolution == "partial"
    if partial:
        _check_mask("convolution='partial'", extra_channels)
    observed = layers.Input((height, width, channels + extra_channels), name="observed")

    # With partial convolutions, x is a pair all along: features, and the share known of them.
    def convolve(x, level, **options):
        maps = filters * 2**level
        if partial:
            return PartialConv2D(maps, 3, **options)(x)
        if convolution == "gated":
            return GatedConv2D(maps, 3, **options)(x)
        return layers.Conv2D(maps, 3, padding="same", activation="relu", **options)(x)

    def enlarge(x):
        if partial:
            known = layers.UpSampling2D(2, interpolation="nearest")(x[1])
            return [enlarge_features(x[0]), known]
        return enlarge_features(x)

    def enlarge_features(x):
        if upsampling == "transposed":
            return layers.Conv2DTranspose(x.shape[-1], 2, strides=2)(x)
        # Not bilinear: of unknown sizes that fails in graph mode.
        return layers.UpSampling2D(2, interpolation="nearest")(x)

    def join(x, skip):
        if not partial:
            return layers.Concatenate()([x, skip])
        (x, known), (skip, skip_known) = x, skip
        maps = (x.shape[-1], skip.shape[-1])
        shares = [n / sum(maps) for n in maps]
        known = layers.Add()([shares[0] * known, shares[1] * skip_known])
        return [layers.Concatenate()([x, skip]), known]

    x = MirrorToMultiple(2**depth)(observed)
    if partial:
        known = x[..., -1:]
        x = [layers.Multiply()([x[..., :-1], known]), known]
    x = convolve(x, 0)
    skips = []
    for level in range(1, depth + 1):
        skips.append(convolve(x, level - 1))
        x = convolve(skips[-1], level, strides=2)
    x = convolve(x, depth)
    for level in reversed(range(depth)):
        x = enlarge(x)
        x = convolve(join(convolve(x, level), skips[level]), level)
    x = x[0] if partial else x
    x = layers.Conv2D(channels, 3, padding="same", dtype="float32", name="whole")(x)
    restored = CropLike(dtype="float32", name="restored")([x, observed])
    return keras.Model(observed, restored, name="unet")


def _check_mask(argument, extra_channels):
    if not extra_channels:
        raise ValueError(
            f"{argument} needs the mask of the holes. Received: extra_channels=0. Pass the extra "
            "channels of a degradation that appends a mask, such as MissingPixels."
        )


def _unblocked(x, block_size, like):
    """Return blocks as pixels again, cut to the sides of the observed picture."""
    return CropLike(dtype="float32")([DepthToSpace(block_size, dtype="float32")(x), like])
