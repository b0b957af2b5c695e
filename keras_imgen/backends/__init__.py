"""What differs by backend: how a step is taken, and how memory is saved.

Each backend has one short module with the same functions:

`minimize(optimizer, variables, compute_loss, turn)`
    One step of one of several optimizers, taken only if `turn` is true. `compute_loss()` returns
    `(loss, aux)`; `aux` is returned. It may itself let another player take a step.
`input_gradients(function, inputs)`
    The gradient, by each input, of the sum of what a function returns; `minimize` differentiates
    through it.
`prepared_step(model, step, prepare, *args)`
    Keras's own `step` on `prepare(data)`, where `prepare` may draw random numbers.
`check(condition, message, value)`
    Raise `ValueError(message)` where `condition` is false, also inside a compiled step if the
    backend can; otherwise return `value`. What is computed from it is computed after the check.
`with_shape(x, shape)`
    The same tensor, its shape known as far as `shape` is, also inside a compiled step.
`readable_errors()`
    Context that turns what such a step raises into that `ValueError`.
`lean(function, channels)`
    The same function of pictures `(1, height, width, channels)`, in less memory if the backend can:
    called as it is, a network of Keras keeps what each layer puts out until the last one is done.
"""

import importlib

import keras

__all__ = [
    "check",
    "check_minimize",
    "input_gradients",
    "lean",
    "minimize",
    "prepared_step",
    "readable_errors",
    "with_shape",
]


def _backend():
    name = keras.backend.backend()
    if name not in ("tensorflow", "jax"):
        raise NotImplementedError(
            "keras_imgen trains on the TensorFlow and JAX backends. "
            f"Received: KERAS_BACKEND={name}. Set KERAS_BACKEND=tensorflow before importing keras."
        )
    return importlib.import_module(f"keras_imgen.backends.{name}")


def check_minimize() -> None:
    """Raise an error if the backend cannot train a model of several optimizers."""
    _backend().check_minimize()


def minimize(optimizer, variables, compute_loss, turn=True):
    """Take one step of `optimizer` on `variables` down the gradient of the loss, if `turn`."""
    if not variables:
        raise ValueError(
            "There is nothing to train. Received: a network that was frozen after the model was "
            "made. Set its `trainable` to True again: each step changes only one network anyway."
        )
    return _backend().minimize(optimizer, variables, compute_loss, turn)


def input_gradients(function, inputs):
    """Return the gradient of the sum of `function(inputs)` by `inputs`."""
    return _backend().input_gradients(function, inputs)


def prepared_step(model, step, prepare, *args):
    """Run Keras's own training or test step on prepared data."""
    return _backend().prepared_step(model, step, prepare, *args)


def check(condition, message: str, value=None):
    """Return `value`, or raise an error with `message` where `condition` is false."""
    return _backend().check(condition, message, value)


def with_shape(x, shape):
    """Return `x` with its shape known: a stream need not tell what it holds."""
    return _backend().with_shape(x, shape)


def lean(function, channels: int):
    """Return the same function of one picture of any size, in less memory if possible."""
    return _backend().lean(function, channels)


def readable_errors():
    """Return a context in which failed checks of compiled steps become plain `ValueError`."""
    return _backend().readable_errors()
