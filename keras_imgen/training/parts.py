"""Checks and prepares what a model is made of: networks and optimizers."""

import contextlib
import functools

import keras
from keras import layers

from keras_imgen.checks import shown
from keras_imgen.settings import as_meant

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


@as_meant()  # rates of half precision would be others
def prepare_optimizer(optimizer, default, name: str, network):
    """Return an optimizer that fits the network's precision and is built, so that it saves."""
    if isinstance(optimizer, type):
        raise TypeError(
            f"An optimizer must be an object. Received: the class {optimizer.__name__}. "
            f"Write {optimizer.__name__}(...), with brackets."
        )
    try:
        optimizer = keras.optimizers.get(default if optimizer is None else optimizer)
    except (TypeError, ValueError):
        raise ValueError(
            "An optimizer must be an object, such as keras.optimizers.Adam(1e-3), or the name of "
            f'one of Keras, such as "adam". Received: {shown(optimizer)}.'
        ) from None
    check_trainable(name, network)
    half = any(layer.compute_dtype == "float16" for layer in network._flatten_layers())
    if half and not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    # Without this, loading a file would silently lose the optimizer's moments.
    optimizer.build(network.trainable_variables)
    known = {id(variable) for variable in optimizer._trainable_variables}
    if any(id(variable) not in known for variable in network.trainable_variables):
        raise ValueError(
            f"An optimizer serves one model. Received: the {optimizer.name!r} of another one for "
            f"`{name}`. Make a new one."
        )
    return optimizer


def check_trainable(name: str, network) -> None:
    """Raise if a network that must learn is frozen."""
    if not network.trainable or not network.trainable_variables:
        raise ValueError(
            f"`{name}` has nothing to train. Received: the model {network.name!r} with "
            f"trainable={network.trainable}. Set `{name}.trainable = True`: each step changes only "
            "the weights that it should anyway."
        )


def rate_of(optimizer) -> float:
    """Return an optimizer's learning rate, also where it is kept on several devices."""
    return float(keras.ops.convert_to_numpy(optimizer.learning_rate))
