"""Which sizes of pictures a network takes, and how others are brought to them."""

import keras
from keras import ops

LARGEST = 64  # pixels of which sides may have to be multiples


def multiple_of_sides(network: keras.Model) -> int | None:
    """Return the pixels of which sides must be multiples so that a network keeps them.

    Args:
        network: from pictures, or sequences of them, to pictures; free sides are `None`.

    Returns:
        1 if it keeps all sides; None if it keeps none, not even multiples of 2 to 64.

    Example:
        >>> import keras
        >>> from keras import layers
        >>> from keras_imgen.sizes import multiple_of_sides
        >>> observed = keras.Input((None, None, 1))
        >>> halved = layers.MaxPooling2D()(observed)
        >>> multiple_of_sides(keras.Model(observed, layers.UpSampling2D()(halved)))
        2
    """
    for multiple in range(1, LARGEST + 1):
        # A prime number of them, so that a larger multiple than the one looked for does not hide.
        if _keeps(network, 5 * multiple, 7 * multiple) and _keeps(network, multiple, 3 * multiple):
            return multiple
    return None


def applied(network: keras.Model, observed, multiple: int, training):
    """Return what a network makes of pictures that are continued by mirroring, and cut again.

    Args:
        network: as for `multiple_of_sides`.
        observed: pictures `(n, [time,] height, width, channels)`.
        multiple: pixels of which the network's sides must be multiples.
        training: as in Keras.
    """
    if multiple == 1:
        return network(observed, training=training)
    height, width = ops.shape(observed)[-3:-1]
    restored = network(mirrored(observed, multiple), training=training)
    return restored[..., :height, :width, :]


def mirrored(x, multiple: int):
    """Continue pictures below and to the right by mirroring, up to multiples of so many pixels.

    The mirror stands on the last row and column, which are not repeated: side by side, two pixels
    with the same noise would look like a structure.

    Args:
        x: pictures `(..., height, width, channels)`.
        multiple: of which their sides become multiples.
    """
    for axis in (-3, -2):
        side = ops.shape(x)[axis]
        if not isinstance(side, int) or side % multiple:
            places = ops.arange(-(-side // multiple) * multiple)
            # To the last pixel, back to the first one, and so on: a side may be a single pixel.
            there_and_back = places % ops.maximum(2 * (side - 1), 1)
            x = ops.take(x, side - 1 - ops.abs(there_and_back - (side - 1)), axis=axis)
    return x


def needs_known_sides(network: keras.Model) -> bool:
    """Return whether a network of free sides cannot be compiled for all of them at once.

    Keras's bilinear enlargement then multiplies `None`.

    Args:
        network: of pictures.
    """
    return bool(_interpolating(network))


def check_known_sides(network: keras.Model, pictures) -> None:
    """Raise if a network needs sides that are not known where a step is compiled.

    Args:
        network: of pictures.
        pictures: tensor of a compiled step, `(..., height, width, channels)`.
    """
    if None in tuple(pictures.shape[-3:-1]) and (found := _interpolating(network)):
        raise ValueError(
            f"The layer {found[0].name!r} enlarges with interpolation={found[0].interpolation!r}, "
            "which Keras cannot compile for pictures of any size. Received: batches whose sides "
            "are not known. Build it with interpolation='nearest' or with Conv2DTranspose, batch "
            "pictures of one size, or compile(run_eagerly=True)."
        )


def _interpolating(network):
    return [
        layer
        for layer in network._flatten_layers()
        if isinstance(layer, keras.layers.UpSampling2D) and layer.interpolation != "nearest"
    ]


def _keeps(network, height, width):
    """Return whether a network keeps a height and a width, as far as they are free."""
    *time, given_height, given_width, channels = network.input_shape[1:]
    time = [given or 3 for given in time]
    shape = (1, *time, given_height or height, given_width or width, channels)
    try:
        made = network.compute_output_spec(keras.KerasTensor(shape, network.inputs[0].dtype))
    except Exception:  # whatever layers say of sides that do not fit together
        return False
    return made.shape[:-1] == shape[:-1]
