"""Layers that networks are built of: for odd sides, for sequences, for holes, and blocks."""

import keras
import numpy as np
from keras import layers, ops

from keras_imgen.sizes import mirrored

LAYOUT = "channels_last"  # whatever keras.json says


@keras.saving.register_keras_serializable("keras_imgen")
class CropLike(layers.Layer):
    """Cut the first input to the height and width of the second.

    Halving an odd side rounds up, so doubling it again gives one row or column too many.
    """

    def call(self, inputs):
        """Return `inputs[0]`, cut to the sides of `inputs[1]`."""
        x, like = inputs
        shape = ops.shape(like)
        return x[:, : shape[1], : shape[2], :]

    def compute_output_shape(self, input_shapes):
        """Shape of the first input, with the sides of the second."""
        x, like = input_shapes
        return (x[0], like[1], like[2], x[3])


@keras.saving.register_keras_serializable("keras_imgen")
class FramewiseModel(layers.Layer):
    """Apply a network to every frame of one or several sequences, all frames at once.

    `keras.layers.TimeDistributed` takes one input only and runs frame after frame.

    Args:
        network: functional model over batches of frames.
    """

    def __init__(self, network: keras.Model, **kwargs):
        # The network casts its inputs itself: a picture that it changes must not be rounded before.
        super().__init__(autocast=False, **kwargs)
        self.network = network
        self.built = True

    def call(self, sequences, training=None):
        """Return the network's outputs as one sequence."""
        leading = ops.shape(sequences[0])[:2]
        frames = [ops.reshape(s, (-1, *ops.shape(s)[2:])) for s in sequences]
        frames = frames[0] if len(frames) == 1 else frames
        outputs = self.network(frames, training=training)
        return ops.reshape(outputs, (*leading, *ops.shape(outputs)[1:]))

    def compute_output_spec(self, sequences, training=None):
        """Symbolic result: the network's output shape behind batch and time."""
        frames = [keras.KerasTensor((None, *s.shape[2:]), dtype=s.dtype) for s in sequences]
        frames = frames[0] if len(frames) == 1 else frames
        outputs = self.network.compute_output_spec(frames)
        shape = (*sequences[0].shape[:2], *outputs.shape[1:])
        return keras.KerasTensor(shape, dtype=outputs.dtype)

    def get_config(self):
        """Return the constructor's arguments."""
        network = keras.saving.serialize_keras_object(self.network)
        return {**super().get_config(), "network": network}

    @classmethod
    def from_config(cls, config):
        """Rebuild the layer and its network."""
        network = keras.saving.deserialize_keras_object(config.pop("network"))
        return cls(network, **config)


@keras.saving.register_keras_serializable("keras_imgen")
class GatedConv2D(layers.Layer):
    """Convolve, and let a second convolution decide for each place how much of it counts.

    A network with holes in its input learns so, layer by layer, what may be trusted.

    Args:
        filters: number of feature maps.
        kernel_size: side of the kernels.
        strides: as in `keras.layers.Conv2D`.

    Source: Yu et al. 2019 (arXiv 1806.03589), equation 2.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.networks.layers import GatedConv2D
        >>> GatedConv2D(4, 3)(np.ones((1, 8, 8, 2), "float32")).shape
        TensorShape([1, 8, 8, 4])
    """

    def __init__(self, filters: int, kernel_size: int, strides: int = 1, **kwargs):
        super().__init__(**kwargs)
        self.filters, self.kernel_size, self.strides = filters, kernel_size, strides
        options = {"padding": "same", "data_format": LAYOUT, "dtype": self.dtype_policy}
        self.convolution = layers.Conv2D(2 * filters, kernel_size, strides, **options)

    def build(self, input_shape):
        """Build the convolution."""
        self.convolution.build(input_shape)

    def call(self, x):
        """Return `relu(features) * sigmoid(gates)`."""
        features, gates = ops.split(self.convolution(x), 2, axis=-1)
        return ops.relu(features) * ops.sigmoid(gates)

    def compute_output_shape(self, input_shape):
        """Shape of a convolution's output."""
        *shape, _ = self.convolution.compute_output_shape(input_shape)
        return (*shape, self.filters)

    def get_config(self):
        """Return the constructor's arguments."""
        own = {"filters": self.filters, "kernel_size": self.kernel_size, "strides": self.strides}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("keras_imgen")
class PartialConv2D(layers.Layer):
    """Convolve the known pixels only, weighted up where few are known; the holes shrink.

    Takes and returns `[features, known]`: features that are 0 where unknown, and one channel with
    the share that is known of each place, 1 or 0 but where features of several origins were joined.

    Args:
        filters: number of feature maps.
        kernel_size: side of the kernels.
        strides: as in `keras.layers.Conv2D`.

    Source: Liu et al. 2018 (arXiv 1804.07723), equations 1 and 2.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.networks.layers import PartialConv2D
        >>> known = np.ones((1, 8, 8, 1), "float32")
        >>> known[:, 2:5, 2:5] = 0.0  # a hole of 3 x 3
        >>> features, known = PartialConv2D(4, 3)([known, known])
        >>> int(np.sum(np.asarray(known) == 0))  # of which one pixel is left
        1
    """

    def __init__(self, filters: int, kernel_size: int, strides: int = 1, **kwargs):
        super().__init__(**kwargs)
        self.filters, self.kernel_size, self.strides = filters, kernel_size, strides
        options = {"padding": "same", "data_format": LAYOUT, "dtype": self.dtype_policy}
        self.convolution = layers.Conv2D(filters, kernel_size, strides, use_bias=False, **options)

    def build(self, input_shapes):
        """Build the convolution."""
        self.convolution.build(input_shapes[0])
        self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")

    def call(self, inputs):
        """Return `relu(features * window / known pixels in it + bias)` and what is known now."""
        x, known = inputs
        known = ops.cast(known, "float32")  # halves could not hold what keeps the ratio finite
        window = ops.ones((self.kernel_size, self.kernel_size, 1, 1), "float32")
        size = {"strides": self.strides, "padding": "same", "data_format": LAYOUT}
        seen = ops.conv(known, window, **size)
        whole = ops.conv(ops.ones_like(known), window, **size)  # less at the border
        now_known = ops.cast(seen > 0, "float32")
        ratio = whole / ops.maximum(seen, 1e-6) * now_known
        x = self.convolution(x) * ops.cast(ratio, self.compute_dtype)
        x = ops.relu(x + ops.cast(self.bias, self.compute_dtype))
        now_known = ops.cast(now_known, self.compute_dtype)
        return [x * now_known, now_known]

    def compute_output_shape(self, input_shapes):
        """Shapes of the features and of what is known."""
        shape = self.convolution.compute_output_shape(input_shapes[0])
        return [shape, (*shape[:-1], 1)]

    def get_config(self):
        """Return the constructor's arguments."""
        own = {"filters": self.filters, "kernel_size": self.kernel_size, "strides": self.strides}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("keras_imgen")
class FillHoles(layers.Layer):
    """Fill holes with means of what is known around them, near or far.

    The picture is halved again and again, each new pixel the mean of the known ones among four,
    until the holes are closed. On the way back every missing pixel is interpolated from the coarser
    picture. Nothing is learned: a network that comes after it begins with a smooth guess, instead
    of a 0 that it would have to learn to leave out of every sum.

    Args:
        levels: number of halvings; holes of up to `2**levels` pixels are closed.

    Source: pull and push, Gortler et al. 1996 (The Lumigraph, SIGGRAPH), section 3.4.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.networks.layers import FillHoles
        >>> known = np.ones((1, 8, 8, 1), "float32")
        >>> known[:, 2:5, 2:5] = 0.0
        >>> observed = np.concatenate([0.25 * known, known], axis=-1)  # grey, with a hole
        >>> np.unique(FillHoles(3)(observed)[..., 0])
        array([0.25], dtype=float32)
    """

    def __init__(self, levels: int = 5, **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.levels = levels

    def call(self, observed):
        """Return the filled pictures, and behind them the mask as it was."""
        picture, known = observed[..., :-1], observed[..., -1:]
        mask, finer = known, []
        for _ in range(self.levels):
            finer.append((picture, known))
            sums = ops.concatenate([picture * known, known], axis=-1)
            means = ops.average_pool(sums, 2, 2, padding="same", data_format=LAYOUT)
            share = means[..., -1:]
            picture = means[..., :-1] / ops.where(share > 0.0, share, 1.0)
            known = ops.minimum(4.0 * share, 1.0)  # one of four is enough
        for fine, known in reversed(finer):
            height, width = ops.shape(fine)[1:3]
            coarse = _twice_as_large(picture)[:, :height, :width]
            picture = known * fine + (1.0 - known) * coarse
        return ops.concatenate([picture, mask], axis=-1)

    def compute_output_shape(self, input_shape):
        """Shape of what it is given."""
        return input_shape

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "levels": self.levels}


def _twice_as_large(x):
    """Return pictures of twice the sides, linearly interpolated."""
    x = ops.repeat(ops.repeat(x, 2, axis=1), 2, axis=2)
    x = ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="symmetric")
    for _ in range(2):  # means of neighbours, twice: the weights 1/4, 1/2, 1/4
        x = ops.average_pool(x, 2, 1, data_format=LAYOUT)
    return x


@keras.saving.register_keras_serializable("keras_imgen")
class MirrorToMultiple(layers.Layer):
    """Continue pictures by mirroring until their sides are multiples of a number of pixels.

    What halves its sides then works on every size as on those that it learned from. `CropLike` cuts
    the result.

    Args:
        multiple: of which the sides become multiples.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.networks.layers import MirrorToMultiple
        >>> row = np.arange(5.0, dtype="float32").reshape(1, 1, 5, 1)
        >>> np.asarray(MirrorToMultiple(8)(row))[0, 0, :, 0]
        array([0., 1., 2., 3., 4., 3., 2., 1.], dtype=float32)
    """

    def __init__(self, multiple: int, **kwargs):
        super().__init__(**kwargs)
        self.multiple = multiple

    def call(self, x):
        """Return the pictures with what continues them."""
        return mirrored(x, self.multiple)

    def compute_output_shape(self, input_shape):
        """Sides rounded up."""
        return _rounded_up(input_shape, self.multiple)

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "multiple": self.multiple}


def _rounded_up(shape, multiple):
    count, *sides, channels = shape
    return (count, *[side and -(-side // multiple) * multiple for side in sides], channels)


@keras.saving.register_keras_serializable("keras_imgen")
class SpaceToDepth(layers.Layer):
    """Make blocks of `size x size` pixels the channels of one: nothing is lost, and sides shrink.

    Sides that are no multiples of `multiple` are continued as by `MirrorToMultiple`.

    Args:
        size: side of a block.
        multiple: what sides are brought to a multiple of; by default `size`.
    """

    def __init__(self, size: int, multiple: int | None = None, **kwargs):
        super().__init__(**kwargs)
        self.size, self.multiple = size, multiple or size

    def call(self, x):
        """Return `(n, h / size, w / size, c * size**2)`."""
        count, height, width, channels = ops.shape(x := mirrored(x, self.multiple))
        size = self.size
        x = ops.reshape(x, (count, height // size, size, width // size, size, channels))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
        return ops.reshape(x, (count, height // size, width // size, channels * size**2))

    def compute_output_shape(self, input_shape):
        """Sides rounded up and divided."""
        count, *sides, channels = _rounded_up(input_shape, self.multiple)
        return (count, *[s and s // self.size for s in sides], channels * self.size**2)

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "size": self.size, "multiple": self.multiple}


@keras.saving.register_keras_serializable("keras_imgen")
class DepthToSpace(layers.Layer):
    """Undo `SpaceToDepth`: make channels blocks of `size x size` pixels.

    Args:
        size: side of a block.
    """

    def __init__(self, size: int, **kwargs):
        super().__init__(**kwargs)
        self.size = size

    def call(self, x):
        """Return `(n, h * size, w * size, c / size**2)`."""
        count, height, width, channels = ops.shape(x)
        size = self.size
        x = ops.reshape(x, (count, height, width, size, size, channels // size**2))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
        return ops.reshape(x, (count, height * size, width * size, channels // size**2))

    def compute_output_shape(self, input_shape):
        """Sides multiplied."""
        count, *sides, channels = input_shape
        return (count, *[s and s * self.size for s in sides], channels // self.size**2)

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "size": self.size}


@keras.saving.register_keras_serializable("keras_imgen")
class Waves(layers.Layer):
    """Describe a number by sines and cosines of several wavelengths.

    A network tells numbers that are close apart by short waves, and orders them by long ones.

    Args:
        size: how many values describe it, an even number.

    Source: Vaswani et al. 2017 (arXiv 1706.03762), section 3.5.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.networks.layers import Waves
        >>> tuple(Waves(8)(np.array([[0.5]])).shape)
        (1, 8)
    """

    def __init__(self, size: int = 32, **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.size = size

    def call(self, x):
        """Return the waves of numbers `(batch, 1)`, `(batch, size)`."""
        frequencies = 2.0 * np.pi * np.geomspace(0.1, 3.0, self.size // 2)
        x = ops.cast(x, "float32") * ops.convert_to_tensor(frequencies, "float32")
        return ops.concatenate([ops.cos(x), ops.sin(x)], axis=-1)

    def compute_output_shape(self, input_shape):
        """Shape of the description."""
        return (*input_shape[:-1], self.size)

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "size": self.size}
