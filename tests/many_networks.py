"""Networks of every kind, and weights that show what they do."""

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
from keras import layers, ops

from keras_imgen import networks

NETWORKS = {
    "dncnn": lambda **more: networks.dncnn(depth=5, filters=4, **more),
    "dncnn of blocks": lambda **more: networks.dncnn(depth=4, filters=4, block_size=2, **more),
    "drunet": lambda **more: networks.drunet(filters=(4, 6, 8), num_blocks=1, block_size=2, **more),
    "unet": lambda **more: networks.unet(depth=2, filters=4, **more),
    "gated unet": lambda **more: networks.unet(depth=2, filters=4, convolution="gated", **more),
    "transposed unet": lambda **more: networks.unet(
        depth=2, filters=4, upsampling="transposed", **more
    ),
}
OF_HOLES = {
    "partial unet": lambda **more: networks.unet(depth=2, filters=4, convolution="partial", **more),
    "drunet of holes": lambda **more: networks.drunet(
        filters=(4, 6), num_blocks=1, fill_holes=True, **more
    ),
}


def positive(network):
    """Let all pixels that a network can see count, so that no ReLU hides a path."""
    rng = np.random.default_rng(0)
    for weight in network.weights:
        if len(weight.shape) > 1:
            scale = 1.5 / np.prod(weight.shape[:-1])
            weight.assign(scale * rng.uniform(0.5, 1.0, weight.shape))
    return network


def lively(network):
    """Give weights a size at which nothing grows or fades on the way."""
    rng = np.random.default_rng(0)
    for weight in network.weights:
        if len(weight.shape) > 1:
            scale = np.sqrt(2.0 / np.prod(weight.shape[:-1]))
            weight.assign(scale * rng.standard_normal(weight.shape))
    return network


def tempered(network, observed):
    """Scale the last layer so that what a network adds is of the size of pictures.

    Far beyond it, the rounding of one processor or another is more than what is compared.
    """
    names = {layer.name for layer in network.layers}
    last = network.get_layer("noise" if "noise" in names else "whole")
    last.kernel.assign(last.kernel / np.std(network(observed)))
    return network


class Mean3(layers.Layer):
    """A layer of a user's own that sees the next pixels."""

    def call(self, x):
        return ops.average_pool(x, 3, strides=1, padding="same")


class FarAway(layers.Layer):
    """One that sees pixels 40 columns away."""

    def call(self, x):
        x = ops.pad(x, ((0, 0), (0, 0), (40, 0), (0, 0)))
        return x[:, :, :-40]


class OfTheWhole(layers.Layer):
    """One whose gain depends on the brightest pixel of all, a little."""

    def call(self, x):
        return x * (1.0 + 0.01 * ops.max(x, axis=(1, 2, 3), keepdims=True))


class Attention(layers.Layer):
    """One in which each pixel asks all those of its column."""

    def call(self, x):
        keys = ops.transpose(x, (0, 2, 1, 3))
        scores = ops.softmax(ops.matmul(keys, ops.transpose(keys, (0, 1, 3, 2))), axis=-1)
        return ops.transpose(ops.matmul(scores, keys), (0, 2, 1, 3))


class Place(layers.Layer):
    """One that tells the network where it is."""

    def call(self, x):
        rows = ops.cast(ops.arange(ops.shape(x)[1]), x.dtype)
        return x + 0.01 * ops.reshape(rows, (1, -1, 1, 1))


class Kind(NamedTuple):
    """How a network works on `x`, and whether it can be applied in tiles."""

    body: Callable
    cut: bool = True


def conv(filters=2, size=3, **options):
    return layers.Conv2D(filters, size, padding="same", **options)


def pooled_gate(x):
    gate = layers.UpSampling2D(4)(layers.AveragePooling2D(4, padding="same")(x))
    return x * layers.Activation("sigmoid")(gate)


STRANGE = {
    "layer norm": Kind(lambda x: layers.LayerNormalization()(x)),
    "rms norm": Kind(lambda x: layers.RMSNormalization()(x)),
    "unit norm": Kind(lambda x: layers.UnitNormalization()(x)),
    "batch norm": Kind(lambda x: layers.BatchNormalization()(x)),
    "instance norm": Kind(lambda x: layers.GroupNormalization(groups=-1)(x), cut=False),
    "gate of the mean": Kind(
        lambda x: x * layers.GlobalAveragePooling2D(keepdims=True)(x), cut=False
    ),
    "squeeze and excite": Kind(
        lambda x: x * layers.Dense(2, "sigmoid")(layers.GlobalMaxPooling2D(keepdims=True)(x)),
        cut=False,
    ),
    "mean by an operation": Kind(lambda x: x - ops.mean(x, axis=(1, 2), keepdims=True), cut=False),
    "gate of a pooled path": Kind(pooled_gate),
    "simple gate": Kind(lambda x: ops.multiply(*ops.split(conv(4)(x), 2, axis=-1))),
    "elu, prelu": Kind(lambda x: layers.PReLU(shared_axes=[1, 2])(layers.ELU()(conv(2, 5)(x)))),
    "depthwise, dilated": Kind(
        lambda x: conv(2, dilation_rate=5)(layers.DepthwiseConv2D(5, padding="same")(x))
    ),
    "long and separable": Kind(
        lambda x: layers.SeparableConv2D(2, (1, 9), padding="same")(conv(2, (13, 1))(x))
    ),
    "stride of 3": Kind(
        lambda x: layers.Conv2DTranspose(2, 5, strides=3, padding="same")(conv(2, 5, strides=3)(x))
    ),
    "padded and cropped": Kind(
        lambda x: layers.Cropping2D(((2, 0), (0, 4)))(
            layers.Conv2D(2, 5)(layers.ZeroPadding2D(((6, 0), (0, 8)))(x))
        )
    ),
    "nested": Kind(
        lambda x: keras.Sequential([keras.Input((None, None, 2)), conv(3, 5), conv()])(x) + x
    ),
    "bilinear": Kind(
        lambda x: layers.UpSampling2D(2, interpolation="bilinear")(layers.MaxPooling2D()(x))
    ),
    "spectral norm": Kind(lambda x: layers.SpectralNormalization(conv(2, 5))(x)),
    "own activation": Kind(
        lambda x: layers.Activation(lambda y: y - ops.mean(y, axis=(1, 2), keepdims=True))(x),
        cut=False,
    ),
    "custom": Kind(lambda x: Mean3()(x)),
    "custom, far away": Kind(lambda x: FarAway()(x)),
    "custom, of the whole": Kind(lambda x: OfTheWhole()(x), cut=False),
    "custom, attention": Kind(lambda x: Attention()(x), cut=False),
    "custom, places": Kind(lambda x: Place()(x), cut=False),
}


def strange(name):
    """Return a network of a user's own."""
    observed = keras.Input((None, None, 1))
    last = conv(1, name="last", bias_initializer=keras.initializers.Constant(0.5))
    restored = last(STRANGE[name].body(conv()(observed)))
    return keras.Model(observed, restored)
