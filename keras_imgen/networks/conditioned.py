"""The network of a `Diffusion`: at every place it is told how much is noise, and the label."""

import keras
from keras import layers, ops

from keras_imgen.checks import whole_number
from keras_imgen.networks.geometry import check_classes, check_levels, check_shape
from keras_imgen.networks.layers import CropLike, DepthToSpace, SpaceToDepth, Waves
from keras_imgen.settings import as_meant


@as_meant()
def diffusion_unet(
    image_shape,
    filters: tuple[int, ...] = (64, 128),
    *,
    num_blocks: int = 1,
    block_size: int = 2,
    num_classes: int = 0,
) -> keras.Model:
    """Build a U-Net of residual blocks that is told how much is noise, for `Diffusion`.

    Time and label become a vector, by which every block scales and shifts its features.

    Args:
        image_shape: `(height, width, channels)`, of any fixed sides.
        filters: feature maps of each level, the finest first; each level halves the sides. The
            default has 1.1 million weights; the paper has `(128, 256, 256, 256)` for 32 x 32.
        num_blocks: residual blocks of each level on the way down, and again on the way up.
        block_size: side of the blocks of pixels that the finest level takes as one place; 2 costs a
            quarter.
        num_classes: how many classes a conditional model can be asked for; 0 for none.

    Returns:
        A network from `[pictures, time]`, with classes also rows of labels `(batch, num_classes)`,
        to velocities, as many as the pictures have values. The time, `(batch, 1)`, goes from 0 to
        1.

    Raises:
        ValueError: if `image_shape` is no picture shape, or `filters` are no numbers of maps.

    Source: Ho et al. 2020 (arXiv 2006.11239), appendix B, without attention and normalisation, on
        blocks of pixels; scale and shift: Dhariwal and Nichol 2021 (arXiv 2105.05233), section 3.1.

    Example:
        >>> from keras_imgen.networks import diffusion_unet
        >>> diffusion_unet((27, 33, 3), filters=(4, 8)).output_shape
        (None, 27, 33, 3)
    """
    image_shape = check_shape(image_shape, any_size=False)
    filters = check_levels(filters, (64, 128))
    num_blocks = whole_number("num_blocks", num_blocks, 1)
    block_size = whole_number("block_size", block_size, 1, "It is the side of a block in pixels.")
    num_classes = check_classes(num_classes)

    pictures, time = layers.Input(image_shape, name="pictures"), layers.Input((1,), name="time")
    inputs, size = [pictures, time], 2 * max(filters)
    told = layers.Dense(size, activation="silu")(Waves()(time))
    told = layers.Dense(size)(told)
    if num_classes:
        labels = layers.Input((num_classes,), name="labels")
        inputs.append(labels)
        told = layers.Add()([told, layers.Dense(size, use_bias=False)(labels)])
    told = layers.Activation("silu")(told)

    def convolve(x, maps, **options):
        return layers.Conv2D(maps, 3, padding="same", **options)(x)

    def residual_blocks(x, maps):
        for _ in range(num_blocks):
            change = convolve(layers.Activation("silu")(x), maps)
            heard = layers.Dense(2 * maps, kernel_initializer="zeros")(told)
            scale, shift = ops.split(layers.Reshape((1, 1, 2 * maps))(heard), 2, axis=-1)
            change = layers.Activation("silu")(change * (1.0 + scale) + shift)
            change = convolve(change, maps, kernel_initializer="zeros")
            x = x if x.shape[-1] == maps else layers.Conv2D(maps, 1)(x)
            x = layers.Add()([x, change])
        return x

    x = SpaceToDepth(block_size, block_size * 2 ** (len(filters) - 1))(pictures)
    x, skips = convolve(x, filters[0]), []
    for maps in filters[1:]:
        x = residual_blocks(x, x.shape[-1])
        skips.append(x)
        x = layers.Conv2D(maps, 2, strides=2)(x)
    x = residual_blocks(residual_blocks(x, filters[-1]), filters[-1])
    for maps in reversed(filters[:-1]):
        x = layers.Conv2DTranspose(maps, 2, strides=2)(x)
        x = residual_blocks(layers.Concatenate()([x, skips.pop()]), maps)
    x = layers.Activation("silu")(x)
    x = convolve(x, image_shape[2] * block_size**2, kernel_initializer="zeros", dtype="float32")
    x = CropLike(dtype="float32")([DepthToSpace(block_size, dtype="float32")(x), pictures])
    return keras.Model(inputs, x, name="diffusion_unet")
