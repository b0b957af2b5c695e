"""Prepares an optimizer for a network, reads its learning rate, and names it for files."""

import keras

from keras_imgen.checks import shown
from keras_imgen.settings import as_meant


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


def of_any_backend(config):
    """Return a saved configuration in which optimizers have the names that all backends know.

    On PyTorch, Keras writes where its own variant of an optimizer lies, which only PyTorch loads.
    """
    if isinstance(config, list | tuple):
        return [of_any_backend(part) for part in config]
    if not isinstance(config, dict):
        return config
    config = {name: of_any_backend(part) for name, part in config.items()}
    if str(config.get("module")).startswith("keras.src.backend.torch.optimizers."):
        config["module"] = "keras.optimizers"
    return config
