"""Recurrence over the frames of a sequence: a memory that is a picture, and can be carried on."""

import contextlib
import contextvars

import keras
from keras import layers, ops

from keras_imgen.checks import flag, whole_number
from keras_imgen.networks.geometry import check_shape
from keras_imgen.networks.layers import CropLike, DepthToSpace, FramewiseModel, SpaceToDepth
from keras_imgen.settings import as_meant

_carried = contextvars.ContextVar("carried", default=None)


class Memories:
    """What all recurrent layers of a network remember, so that a sequence can come in parts.

    Attributes:
        before: what each layer remembers at first, in the order in which they are called; None
            where that is nothing.
        after: what each remembers at the end.
        backwards: whether each reads the frames backwards.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.networks import ConvLSTM
        >>> from keras_imgen.networks.recurrent import carrying
        >>> layer, frames = ConvLSTM(2), np.random.rand(1, 5, 8, 9, 1).astype("float32")
        >>> whole = np.asarray(layer(frames))
        >>> with carrying() as memories:
        ...     first = layer(frames[:, :3])
        >>> with carrying(memories.after):
        ...     rest = layer(frames[:, 3:])
        >>> bool(np.allclose(np.concatenate([first, rest], axis=1), whole, atol=1e-6))
        True
    """

    def __init__(self, before=None):
        self.before, self.after, self.backwards = before, [], []

    def next(self):
        """Return what the next layer remembers at first."""
        return None if self.before is None else self.before[len(self.after)]


@contextlib.contextmanager
def carrying(before=None):
    """Begin recurrent layers with what they remember, and note what they remember in the end.

    Args:
        before: for each layer, in the order of their calls, what it noted, or None for nothing;
            None for all of them.
    """
    memories = Memories(before)
    token = _carried.set(memories)
    try:
        yield memories
    finally:
        _carried.reset(token)


def remembered():
    """Return what the layer that is being called remembers at first, None for nothing."""
    memories = _carried.get()
    return None if memories is None else memories.next()


def remember(values, backwards: bool):
    """Note what the layer that is being called remembers in the end."""
    if (memories := _carried.get()) is not None:
        memories.after.append(values)
        memories.backwards.append(backwards)


class ConvLSTMCell(layers.Layer):
    """One step of a `ConvLSTM`: from a frame and both memories to both memories."""

    def __init__(self, filters: int, kernel_size: int, **kwargs):
        super().__init__(**kwargs)
        self.filters, self.kernel_size = filters, kernel_size
        self.state_size = [filters, filters]

    def build(self, shape):
        """Make the weights of all four gates at once."""
        size, gates = (self.kernel_size, self.kernel_size), 4 * self.filters
        self.kernel = self.add_weight((*size, shape[-1], gates), "glorot_uniform", name="kernel")
        self.recurrent_kernel = self.add_weight(
            (*size, self.filters, gates), "orthogonal", name="recurrent_kernel"
        )
        self.bias = self.add_weight((gates,), _remembering, name="bias")

    def call(self, x, states):
        """Return the visible memory, and both."""
        h, c = states
        mixed = _convolve(x, self.kernel) + _convolve(h, self.recurrent_kernel) + self.bias
        i, f, g, o = ops.split(mixed, 4, axis=-1)
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(c)
        return h, [h, c]


def _remembering(shape, dtype=None):
    """Return biases by which the forget gate is open at first (Jozefowicz et al. 2015)."""
    gate = shape[0] // 4
    return ops.concatenate(
        [ops.zeros(gate, dtype), ops.ones(gate, dtype), ops.zeros(2 * gate, dtype)]
    )


def _convolve(x, kernel):
    return ops.conv(x, kernel, padding="same", data_format="channels_last")


@keras.saving.register_keras_serializable("keras_imgen")
class ConvLSTM(layers.Layer):
    """Carry a memory from frame to frame; the memory is a stack of feature maps.

    What `keras.layers.ConvLSTM2D` computes with `padding="same"`, for frames of any size, quicker,
    and so that a sequence can come in parts (`Restorer.stream`).

    Args:
        filters: feature maps of the memory.
        kernel_size: side of the kernels. The memory moves by half of it a frame at most.
        go_backwards: whether the frames are read from the last one to the first.

    Input shape:
        `(batch, time, height, width, channels)`.

    Output shape:
        `(batch, time, height, width, filters)`: the visible memory after each frame, in the order
        of the frames in any case.

    Source: Shi et al. 2015 (arXiv 1506.04214), equation 3, without peepholes.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.networks import ConvLSTM
        >>> tuple(ConvLSTM(4)(np.zeros((1, 3, 7, 5, 2), "float32")).shape)
        (1, 3, 7, 5, 4)
    """

    def __init__(self, filters: int, kernel_size: int = 3, go_backwards: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.filters = whole_number("filters", filters, 1)
        self.kernel_size = whole_number("kernel_size", kernel_size, 1)
        flag("go_backwards", go_backwards)
        self.go_backwards = go_backwards
        self.cell = ConvLSTMCell(self.filters, self.kernel_size, dtype=self.dtype_policy)
        self.recurrence = layers.RNN(
            self.cell,
            return_sequences=True,
            return_state=True,
            go_backwards=go_backwards,
            dtype=self.dtype_policy,
        )

    def build(self, shape):
        """Make the weights."""
        self.cell.build((shape[0], *shape[2:]))
        self.recurrence.built = True

    def call(self, frames):
        """Return the memory after each frame."""
        begin = remembered()
        if begin is None:
            batch, _, height, width, _ = ops.shape(frames)
            nothing = ops.zeros((batch, height, width, self.filters), self.compute_dtype)
            begin = [nothing, nothing]
        visible, h, c = self.recurrence(frames, initial_state=list(begin))
        remember([h, c], self.go_backwards)
        return ops.flip(visible, axis=1) if self.go_backwards else visible

    def compute_output_shape(self, shape):
        """Shape of the frames, with the memory's feature maps."""
        return (*shape[:-1], self.filters)

    def get_config(self):
        """Return the constructor's arguments."""
        own = {name: getattr(self, name) for name in ("filters", "kernel_size", "go_backwards")}
        return {**super().get_config(), **own}


@as_meant()
def conv_lstm(
    image_shape=(None, None, 1),
    *,
    extra_channels: int = 0,
    filters: int = 32,
    causal: bool = False,
) -> keras.Model:
    """Build a ConvLSTM network that restores sequences of pictures.

    Convolutions look at each frame by itself, in blocks of 2 x 2 pixels, and bring it to a quarter
    of its sides. There a ConvLSTM carries what it saw from frame to frame. Convolutions enlarge
    what it remembers, join it with what was seen of the frame, and change the frame.

    Args:
        image_shape: `(height, width, channels)` of one frame; sides may be None for any size.
        extra_channels: channels that the degradation appends to the frame, such as a mask.
        filters: feature maps of the convolutions and of the ConvLSTM's memory.
        causal: whether a frame may only see the frames before it, as in live video, so that
            `Restorer.stream` restores it as soon as it comes. By default a second ConvLSTM reads
            the sequence backwards, and each frame sees past and future.

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
    height, width, channels = check_shape(image_shape, any_size=True)
    extra_channels = whole_number("extra_channels", extra_channels, 0)
    filters = whole_number("filters", filters, 1)
    flag("causal", causal)

    def convolve(x, maps=filters, size=3, **options):
        return layers.Conv2D(maps, size, padding="same", **options)(x)

    def residual_block(x):
        return layers.Add()([x, convolve(convolve(x, activation="relu"))])

    frame = layers.Input((height, width, channels + extra_channels))
    half = residual_block(convolve(SpaceToDepth(2, multiple=4)(frame)))
    look = keras.Model(frame, half, name="look")

    half = layers.Input(half.shape[1:])
    quarter = convolve(half, size=2, strides=2)
    halve = keras.Model(half, quarter, name="halve")

    known = layers.Input((*quarter.shape[1:3], (2 if causal else 3) * filters))
    x = convolve(known, activation="relu")
    x = layers.Conv2DTranspose(filters, 2, strides=2)(x)
    x = residual_block(layers.Add()([x, half]))
    # The change to the observed frame is easier to learn than the frame: most of it is 0, and all
    # of it before training.
    x = convolve(x, 4 * channels, kernel_initializer="zeros", dtype="float32")
    change = CropLike(dtype="float32")([DepthToSpace(2, dtype="float32")(x), frame])
    restored = layers.Add(dtype="float32")([frame[..., :channels], change])
    enlarge = keras.Model([known, half, frame], restored, name="enlarge")

    observed = layers.Input((None, height, width, channels + extra_channels), name="observed")
    fine = FramewiseModel(look, name="look_at_frames")([observed])
    seen = FramewiseModel(halve, name="halve_frames")([fine])
    known = [seen, ConvLSTM(filters, name="forwards")(seen)]
    if not causal:
        known.append(ConvLSTM(filters, go_backwards=True, name="backwards")(seen))
    known = layers.Concatenate()(known)
    restored = FramewiseModel(enlarge, name="enlarge_frames")([known, fine, observed])
    return keras.Model(observed, restored, name="conv_lstm")
