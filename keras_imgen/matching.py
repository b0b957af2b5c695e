"""Checks whether a network, a degradation and a mask match, for `Restorer`."""

import numpy as np

from keras_imgen.checks import shown
from keras_imgen.sizes import multiple_of_sides


def checked_mask(known, shape):
    """Return a mask as an array of this shape, or raise if it is none."""
    try:
        known = np.broadcast_to(np.asarray(known, "float32"), shape)
    except (TypeError, ValueError):
        received = f"shape={known.shape}" if hasattr(known, "shape") else f"known={shown(known)}"
        raise ValueError(
            f"`known` must fit the pictures: {shape}. Received: {received}. A mask of height and "
            "width alone takes known[None, ..., None]."
        ) from None
    if not np.all((known == 0.0) | (known == 1.0)):
        raise ValueError(
            "`known` must be 1 where a pixel is known and 0 where it is missing. Received: values "
            f"from {known.min():g} to {known.max():g}, others among them."
        )
    return known


def checked_multiple(network):
    """Return of what the sides that a network sees must be multiples, or refuse the network."""
    if (multiple := multiple_of_sides(network)) is not None:
        return multiple
    raise ValueError(
        "`network` must return pictures of the size that it takes. Received: the network "
        f"{network.name!r}, which returns another one, whatever size it takes. Use padding='same', "
        "and enlarge as often as you halve."
    )


def check_match(network, degradation, keep_known) -> None:
    """Raise unless a network takes what a degradation, or a set of pairs, observes."""
    taken, made = network.input_shape, network.output_shape
    if len(taken) not in (4, 5) or taken[:-1] != made[:-1]:
        raise ValueError(
            "`network` must return pictures of the size that it takes, (batch, [time,] height, "
            f"width, channels). Received: a network from {taken} to {made}."
        )
    if degradation is None:
        if keep_known and taken[-1] != made[-1] + 1:
            raise ValueError(
                "`keep_known` needs pairs whose observed pictures have a mask behind them and "
                f"nothing else. Received: a network from {taken[-1]} channels to {made[-1]}. Build "
                "it with extra_channels=1."
            )
        return
    if taken[-1] != made[-1] + degradation.extra_channels:
        raise ValueError(
            f"{type(degradation).__name__} appends {' and '.join(degradation.appends) or 'nothing'}"
            f", so the network must take {made[-1] + degradation.extra_channels} channels. "
            f"Received: a network that takes {taken[-1]}. Build it with "
            f"extra_channels={degradation.extra_channels}."
        )
    if keep_known and degradation.appends != ("mask",):
        raise ValueError(
            "`keep_known` needs a degradation that appends a mask and nothing else, such as "
            f"MissingPixels. Received: {type(degradation).__name__}, which appends "
            f"{', '.join(degradation.appends) or 'nothing'}."
        )
