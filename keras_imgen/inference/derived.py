"""Derives from its layers how far a network of pictures sees."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

import keras
import numpy as np
from keras import layers

from keras_imgen.networks import layers as own

LINE = 2**8 * 3**2 * 5  # pixels in which to look how far places see: of it, a quarter


class View(NamedTuple):
    """How far a network sees, and where it may be cut.

    Attributes:
        reach: how many pixels away what an output pixel depends on can lie.
        grid: at multiples of how many pixels a tile may begin; the product of its strides.

    Example:
        >>> from keras_imgen.inference import View
        >>> View(reach=20, grid=8).margin  # whole cells of the grid
        24
    """

    reach: int
    grid: int

    @property
    def margin(self) -> int:
        """Pixels around a tile that the network must see to make it right."""
        return math.ceil(self.reach / self.grid) * self.grid


def derived(network: keras.Model) -> View | None:
    """Derive from its layers how far a network of pictures sees.

    Args:
        network: from pictures `(n, height, width, channels)` of any size to pictures.

    Returns:
        The view; None if what a pixel becomes depends on the whole picture.

    Raises:
        UnknownLayerError: if a layer is none of those that are known here.

    Source: Araujo et al. 2019 (Computing receptive fields of convolutional neural networks,
        Distill), equations 1 to 5.

    Example:
        >>> from keras_imgen import networks
        >>> from keras_imgen.inference import derived
        >>> derived(networks.dncnn(depth=5, filters=2))
        View(reach=5, grid=1)
    """
    reach, grid = 0, 1
    for axis in (0, 1):
        walk = _Walk(axis)
        try:
            seen = walk.through(network, [_Seen(Fraction(1), np.arange(LINE), np.arange(LINE))])[0]
        except _SeesEverythingError:
            return None
        places = np.arange(len(seen.first))
        middle = slice(LINE // 3, 2 * LINE // 3)
        farthest = np.maximum(places - seen.first, seen.last - places)[middle].max()
        if farthest > LINE // 4:
            return None
        reach, grid = max(reach, int(farthest)), math.lcm(grid, *walk.grids)
    return View(reach, grid)


class UnknownLayerError(ValueError):
    """A layer of which it is not known how far it sees."""


class _SeesEverythingError(Exception):
    """A layer in which every place depends on all others."""


class _Seen(NamedTuple):
    """What the places of a feature map see of a long line of pixels.

    Attributes:
        scale: pixels from one place to the next.
        first: for each place, the first pixel that it sees.
        last: the last one.
    """

    scale: Fraction
    first: np.ndarray
    last: np.ndarray

    def window(self, first, last):
        """What a place sees that depends on the places `first` to `last` from its own."""
        places = np.arange(len(self.first))
        return self.of(places + first, places + last)

    def of(self, first, last):
        """What places see that depend on those from `first` to `last`."""
        end = len(self.first) - 1
        first, last = (np.clip(places, 0, end) for places in (first, last))
        return _Seen(self.scale, self.first[first], self.last[last])

    def reduced(self, stride):
        """What is seen if only every so many places are kept."""
        return _Seen(self.scale * stride, self.first[::stride], self.last[::stride])

    def repeated(self, times):
        """What is seen if every place is repeated so many times."""
        first, last = (np.repeat(pixels, times) for pixels in (self.first, self.last))
        return _Seen(self.scale / times, first, last)


class _Walk:
    """Goes through a network along one axis of its pictures, and notes where it may be cut."""

    def __init__(self, axis):
        self.axis, self.grids = axis, [1]

    def through(self, model, seen):
        """Return what the outputs of a model see, given what its inputs do."""
        if isinstance(model, keras.Sequential):
            for layer in model.layers:
                seen = self.after(layer, seen)
            return seen
        if type(model).__name__ != "Functional" or not type(model).__module__.startswith("keras."):
            raise UnknownLayerError(type(model).__name__)
        fresh = keras.tree.map_structure(
            lambda x: keras.Input(batch_shape=x.shape, dtype=x.dtype), model.input
        )
        found = keras.tree.flatten(fresh)  # kept, so that no other tensor gets the same id
        known = dict(zip(map(id, found), seen, strict=True))

        def call(layer, *args, **kwargs):
            given = keras.tree.flatten((args, kwargs))
            tensors = [x for x in given if isinstance(x, keras.KerasTensor)]
            outputs = self.after(layer, [known[id(x)] for x in tensors], args)
            # The graph that is walked through is a dummy: it only has to hang together.
            made = [layers.Identity()(tensors[0]) for _ in outputs]
            known.update(zip(map(id, made), outputs, strict=True))
            found.extend(made)
            return made

        dummy = keras.models.clone_model(
            model,
            input_tensors=fresh,
            clone_function=lambda layer: layer,
            call_function=call,
        )
        return [known[id(tensor)] for tensor in dummy.outputs]

    def after(self, layer, seen, args=()):
        """Return what the outputs of one layer see."""
        if isinstance(layer, keras.Model):
            return self.through(layer, seen)
        rule = _RULES.get(type(layer)) or _rule_of_operation(layer)
        if rule is None or getattr(layer, "data_format", "channels_last") != "channels_last":
            raise UnknownLayerError(type(layer).__name__)
        if not _is_own(getattr(layer, "activation", None)):
            raise UnknownLayerError(f"{type(layer).__name__} with an activation of its own")
        outputs = rule(self, layer, seen, args)
        outputs = outputs if isinstance(outputs, list) else [outputs]
        for each in outputs:
            self.grids += [each.scale.numerator]
        return outputs

    def along(self, value):
        """Return the entry of this axis of a pair, such as a kernel's size."""
        return value[self.axis] if isinstance(value, tuple | list) else value


def _is_own(activation):
    """Return whether an activation is Keras's, which look at one place only, or none."""
    where = getattr(activation, "__module__", None) or type(activation).__module__
    return activation is None or where.startswith("keras.")


def _together(walk, layer, seen, args=()):
    """Each place sees what the same place of all inputs sees."""
    if len({(each.scale, len(each.first)) for each in seen}) != 1:
        raise UnknownLayerError(f"{type(layer).__name__} of maps of different scales")
    first = np.min([each.first for each in seen], axis=0)
    last = np.max([each.last for each in seen], axis=0)
    return _Seen(seen[0].scale, first, last)


def _over_channels(walk, layer, seen, args=()):
    """Nothing but the channels of a place is looked at, or put together."""
    axis = getattr(layer, "axis", -1)
    if axis not in (-1, 3, [-1], [3], (-1,), (3,)):
        raise _SeesEverythingError
    return _together(walk, layer, seen)


def _strided(walk, layer, seen, args=(), *, size="kernel_size"):
    """A window, such as a kernel, that goes over the places in steps."""
    stride = walk.along(layer.strides)
    dilation = walk.along(getattr(layer, "dilation_rate", 1))
    size = dilation * (walk.along(getattr(layer, size)) - 1) + 1
    pads = [0]
    if layer.padding == "same":  # depends on the rest that a side leaves
        rests = [rest or stride for rest in range(stride)]
        pads = [max(size - rest, 0) // 2 for rest in rests]
    elif layer.padding != "valid":
        raise UnknownLayerError(f"{type(layer).__name__} with padding={layer.padding!r}")
    return seen[0].window(-max(pads), size - 1 - min(pads)).reduced(stride)


def _transposed(walk, layer, seen, args=()):
    stride, size = walk.along(layer.strides), walk.along(layer.kernel_size)
    if layer.output_padding is not None or (layer.padding != "same" and size > stride):
        raise UnknownLayerError(f"{type(layer).__name__} that adds places")
    size = walk.along(layer.dilation_rate) * (size - 1) + 1
    pad = max(size - stride, 0) // 2 if layer.padding == "same" else 0
    places = np.arange(len(seen[0].first) * stride)
    shown = seen[0].of(-((size - 1 - pad - places) // stride), (places + pad) // stride)
    return shown._replace(scale=shown.scale / stride)


def _enlarged(walk, layer, seen, args=()):
    size = walk.along(layer.size)
    if layer.interpolation == "nearest":
        return seen[0].repeated(size)
    if layer.interpolation == "bilinear":
        return seen[0].window(-1, 1).repeated(size)
    raise UnknownLayerError(f"UpSampling2D with interpolation={layer.interpolation!r}")


def _padded(walk, layer, seen, args=()):
    first = layer.padding[walk.axis][0]
    return seen[0].window(-first, -first)


def _cropped(walk, layer, seen, args=()):
    first = layer.cropping[walk.axis][0]
    return seen[0].window(first, first)


def _wrapped(walk, layer, seen, args=()):
    return walk.after(layer.layer, seen)


def _everything(walk, layer, seen, args=()):
    raise _SeesEverythingError


def _mirrored(walk, layer, seen, args=()):
    walk.grids += [(layer.multiple * seen[0].scale).numerator]
    return seen[0]


def _space_to_depth(walk, layer, seen, args=()):
    return _mirrored(walk, layer, seen).window(0, layer.size - 1).reduced(layer.size)


def _depth_to_space(walk, layer, seen, args=()):
    return seen[0].repeated(layer.size)


def _fill_holes(walk, layer, seen, args=()):
    finer = [seen[0]]
    for _ in range(layer.levels):
        finer.append(finer[-1].window(0, 1).reduced(2))
    coarse = finer.pop()
    walk.grids += [coarse.scale.numerator]
    while finer:
        coarse = _together(walk, layer, [finer.pop(), coarse.repeated(2).window(-1, 1)])
    return coarse


def _gated(walk, layer, seen, args=()):
    return _strided(walk, layer.convolution, seen)


def _partial(walk, layer, seen, args=()):
    return [_strided(walk, layer.convolution, [_together(walk, layer, seen)])] * 2


def _first(walk, layer, seen, args=()):
    return seen[0]


def _pooled(walk, layer, seen, args=()):
    return _strided(walk, layer, seen, size="pool_size")


_RULES: dict[type, Callable] = {
    **dict.fromkeys((layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D), _strided),
    **dict.fromkeys((layers.MaxPooling2D, layers.AveragePooling2D), _pooled),
    **dict.fromkeys((layers.GlobalMaxPooling2D, layers.GlobalAveragePooling2D), _everything),
    layers.GroupNormalization: _everything,
    **dict.fromkeys(
        (
            *(layers.Add, layers.Average, layers.Maximum, layers.Minimum, layers.Multiply),
            *(layers.Subtract, layers.Activation, layers.ELU, layers.LeakyReLU, layers.PReLU),
            *(layers.ReLU, layers.Dropout, layers.SpatialDropout2D, layers.GaussianDropout),
            *(layers.GaussianNoise, layers.AlphaDropout, layers.Identity, layers.InputLayer),
            *(layers.ActivityRegularization, layers.Dense, layers.Rescaling),
        ),
        _together,
    ),
    **dict.fromkeys(
        (
            *(layers.Concatenate, layers.Softmax, layers.BatchNormalization),
            *(layers.LayerNormalization, layers.RMSNormalization, layers.UnitNormalization),
        ),
        _over_channels,
    ),
    layers.Conv2DTranspose: _transposed,
    layers.UpSampling2D: _enlarged,
    layers.ZeroPadding2D: _padded,
    layers.Cropping2D: _cropped,
    layers.SpectralNormalization: _wrapped,
    own.FillHoles: _fill_holes,
    own.GatedConv2D: _gated,
    own.PartialConv2D: _partial,
    own.MirrorToMultiple: _mirrored,
    own.SpaceToDepth: _space_to_depth,
    own.DepthToSpace: _depth_to_space,
    own.CropLike: _first,
}

# Operations of `keras.ops` on every place for itself; they are no layers, and have no public class.
_ELEMENTWISE = {
    *("Add", "Subtract", "Multiply", "Divide", "TrueDivide", "Negative", "Absolute", "Maximum"),
    *("Minimum", "Clip", "Cast", "Exp", "Log", "Sqrt", "Rsqrt", "Square", "Power", "Sign", "Sin"),
    *("Cos", "Tanh", "Relu", "Relu6", "Sigmoid", "Silu", "Gelu", "Elu", "LeakyRelu", "Softplus"),
}


def _rule_of_operation(operation):
    name = type(operation).__name__
    if not type(operation).__module__.startswith("keras.") or isinstance(operation, keras.Layer):
        return None
    if name in _ELEMENTWISE:
        return _together
    return {"GetItem": _sliced, "Concatenate": _over_channels, "Split": _split}.get(name)


def _sliced(walk, operation, seen, args):
    """A slice of channels."""
    key = args[1] if isinstance(args[1], tuple) else (args[1],)
    whole = (Ellipsis, slice(None))
    if len(key) != 2 or key[0] is not Ellipsis:
        key = key if len(key) == 4 and all(k == whole[1] for k in key[:3]) else None
    if key is None or not isinstance(key[-1], slice):
        raise UnknownLayerError("a slice of rows or columns")
    return seen[0]


def _split(walk, operation, seen, args):
    if operation.axis not in (-1, 3) or not isinstance(operation.indices_or_sections, int):
        raise UnknownLayerError("a split of rows or columns")
    return [seen[0]] * operation.indices_or_sections
