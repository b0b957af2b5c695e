"""Slow averages of a network's weights (EMA), which answer more steadily than the weights."""

import keras
from keras import ops

from keras_imgen import checks
from keras_imgen.training.architectures import copied


def average_of(network):
    """Return a network of the same layers, whose weights are to be an average of the network's.

    A layer that has no layers of its own to show is made again from its configuration.
    """
    if isinstance(network, keras.Model):
        inside = [weight for layer in network.layers for weight in layer.weights]
        if len(network.weights) > len({id(weight) for weight in inside}):
            raise ValueError(
                f"The average needs weights that stand in layers. Received: {network.name!r}, to "
                "which `add_weight` has given others. Put them into a layer, or pass "
                "ema_momentum=0."
            )
        average = copied(network)
    else:
        average = type(network).from_config(network.get_config())
        average.set_weights(network.get_weights())
    average.name = f"average_of_{network.name}"
    average.trainable = False
    return average


def checked_momentum(value) -> float:
    """Return how slowly an average follows, or raise if that is no such number."""
    advice = "It is the share of the old average kept in every step. Usual: 0.99 to 0.9999."
    return checks.number("ema_momentum", value, 0.0, 0.999999, advice)


def follow(average, network, momentum: float, step, turn=True) -> None:
    """Move an average after a step.

    The momentum begins small, or the average would long remember the untrained weights.

    Args:
        average: what `average_of(network)` returned.
        network: whose weights it follows.
        momentum: the share of the old average that is kept.
        step: how many steps there were.
        turn: whether the network has moved.

    Source: Yazıcı et al. 2019 (arXiv 1806.04498), equation 5.
    """
    step = ops.cast(step, "float32")
    momentum = ops.minimum(momentum, (1.0 + step) / (10.0 + step))
    momentum = ops.where(turn, momentum, 1.0)
    for slow, weight in zip(average.weights, network.weights, strict=True):
        slow.assign(momentum * slow + (1.0 - momentum) * weight)
