"""The one thing that differs by backend: how a training step is taken.

Each backend has one short module with the same functions:

`minimize(optimizer, variables, compute_loss)`
    One step of one of several optimizers. `compute_loss()` returns `(loss, aux)`; `aux` is returned.
`prepared_step(model, step, prepare, *args)`
    Keras's own `step` on `prepare(data)`, where `prepare` may draw random numbers.
`check(condition, message)`
    Raise `ValueError(message)` where `condition` is false, also inside a compiled step if the
    backend can.
"""

import importlib

import keras

__all__ = ["check", "minimize", "prepared_step"]


def _backend():
    name = keras.backend.backend()
    if name not in ("tensorflow", "jax"):
        raise NotImplementedError(
            "keras_imgen trains on the TensorFlow and JAX backends. "
            f"Received: KERAS_BACKEND={name}. Set KERAS_BACKEND=tensorflow before importing keras."
        )
    return importlib.import_module(f"keras_imgen.backends.{name}")


def minimize(optimizer, variables, compute_loss):
    """Take one step of `optimizer` on `variables` down the gradient of the loss."""
    return _backend().minimize(optimizer, variables, compute_loss)


def prepared_step(model, step, prepare, *args):
    """Run Keras's own training or test step on prepared data."""
    return _backend().prepared_step(model, step, prepare, *args)


def check(condition, message: str) -> None:
    """Raise an error with `message` where `condition` is false."""
    _backend().check(condition, message)
