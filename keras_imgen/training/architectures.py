"""Looks at the networks that a model is made of: whether they will do, and what is in them."""

import contextlib
import functools

import keras
from keras import layers

from keras_imgen.training.optimizers import check_trainable

_BatchNorm = keras.layers.BatchNormalization


def check_network(model_name: str, name: str, network) -> None:
    """Raise unless `network` is a built Keras model that can be trained."""
    if not isinstance(network, keras.Model):
        raise TypeError(
            f"`{name}` of {model_name} must be a keras.Model. Received: {network!r}. "
            "The functions in keras_imgen.networks return some: call one."
        )
    # A model written as a class has no `inputs`: its shapes are not known even when it is built.
    if not network.built or not getattr(network, "inputs", None):
        raise ValueError(
            f"`{name}` of {model_name} must be built, so that its shapes are known. Received: the "
            f"unbuilt model {network.name!r}. Make it a functional or sequential model that begins "
            "with keras.Input(shape)."
        )
    check_trainable(name, network)


def check_last_activation(name: str, network, activations: tuple[str, ...], advice: str) -> None:
    """Raise if what comes out of a network went last through an activation not meant here."""
    activation = _last_activation(network.outputs[0])
    if activation in activations:
        raise ValueError(
            f"`{name}` must not end in the activation {activation!r}. "
            f"Received: the model {network.name!r}, which does. {advice}"
        )


# They put values elsewhere, and leave them as they are.
_MOVING = (
    *(layers.Reshape, layers.Flatten, layers.Permute, layers.Cropping2D, layers.Dropout),
    *(layers.ZeroPadding2D, layers.Identity),
)


def _last_activation(tensor):
    """Return the name of the activation that a symbolic tensor went through last."""
    made = tensor._keras_history
    operation, source = made.operation, made.operation._inbound_nodes[made.node_index]
    if isinstance(operation, keras.Model):
        inside = _last_activation(operation.outputs[0])
        return inside if inside != "inputlayer" else _last_activation(source.input_tensors[0])
    operation = getattr(operation, "layer", operation)  # of a wrapper
    activation = getattr(getattr(operation, "activation", None), "__name__", None)
    idle = isinstance(operation, layers.Activation) and activation == "linear"
    if isinstance(operation, _MOVING) or idle:
        return _last_activation(source.input_tensors[0])
    # An operation of keras.ops has the name of its function.
    return activation or type(operation).__name__.lower()


def lambdas(network) -> list[str]:
    """Return the names of the layers that hold a Python lambda, which no file can bring back."""
    return [
        layer.name
        for layer in network._flatten_layers()
        if isinstance(layer, layers.Lambda)
        and getattr(layer.function, "__name__", "") == "<lambda>"
    ]


def copied(network):
    """Return a network of the same layers and weights of its own."""

    def copy(layer):
        if isinstance(layer, layers.Lambda):
            return layer  # it has no weights, and cannot be built from its configuration
        if isinstance(layer, keras.Model) and lambdas(layer):
            return copied(layer)
        return type(layer).from_config(layer.get_config())

    copy_of = keras.models.clone_model(network, clone_function=copy)
    copy_of.set_weights(network.get_weights())
    return copy_of


def has_batch_norm(network) -> bool:
    """Return whether a network normalises over the batch, so that one picture is too few."""
    return any(isinstance(layer, _BatchNorm) for layer in network._flatten_layers())


@contextlib.contextmanager
def by_batch(network):
    """Let a network's batch normalisation take the averages of the batch in the calls that follow.

    All else, such as dropout, does what the call says.
    """
    found = [x for x in network._flatten_layers() if isinstance(x, _BatchNorm)]
    for layer in found:
        layer.call = functools.partial(_call_by_batch, layer.call)
    try:
        yield
    finally:
        for layer in found:
            del layer.call


def _call_by_batch(call, *args, training=None, **kwargs):
    return call(*args, training=True, **kwargs)


def network_inputs(network) -> tuple[tuple, int]:
    """Return the shape of what a network takes, and how many classes it tells apart.

    A conditional network takes a second input, a row of `num_classes` numbers for each entry, all 0
    but that of its class. Without it the classes are 0.
    """
    shapes = [tuple(tensor.shape) for tensor in network.inputs]
    # One number for each, or whole ones, go into an Embedding, which wants them as they are.
    rows = len(shapes) < 2 or (
        len(shapes[1]) == 2 and (shapes[1][1] or 0) > 1 and "float" in network.inputs[1].dtype
    )
    if len(shapes) > 2 or not rows:
        raise ValueError(
            "A network of a conditional model takes two inputs, the second of shape "
            "(batch, num_classes), of floats and two classes or more: its label, as a row of zeros "
            f"with a one. Received: {network.name!r}, which takes {shapes}, the last of them "
            f"{network.inputs[-1].dtype}. In place of an Embedding take Dense(size, "
            "use_bias=False), which is the same for such rows."
        )
    return shapes[0], shapes[1][1] if len(shapes) == 2 else 0


def with_labels(x, labels):
    """Return what goes into a network: `x` alone, or with rows of labels."""
    return x if labels is None else [x, labels]
