"""`Guard`, which looks at the logs of every batch, and the list of callbacks that it stands in."""

import contextlib

import keras
import numpy as np
from keras import ops

from keras_imgen.data import PictureDataset
from keras_imgen.training.grain import GrainBatches
from keras_imgen.training.sets import Stream, unwrapped

ADVICE = (
    "training has diverged. Lower the learning rate, or give the optimizer a `global_clipnorm`, a "
    "few times the norm that gradients have while all goes well"
)


def as_callbacks(callbacks) -> list:
    """Return a list of callbacks, or say what is none."""
    callbacks = callbacks if isinstance(callbacks, list | tuple) else [callbacks]
    callbacks = [callback for callback in callbacks if callback is not None]
    for callback in callbacks:
        if not isinstance(callback, keras.callbacks.Callback):
            raise TypeError(
                f"`callbacks` must be a list of callback objects. Received: {callback!r} in it. "
                "If that is a class, call it."
            )
    return callbacks


def resume_among(callbacks, options):
    """Return the `Resume` of a training, or None, and the other callbacks."""
    found = [callback for callback in callbacks if hasattr(callback, "resumed_training")]
    if len(found) > 1 or (found and options.get("initial_epoch")):
        raise ValueError(
            "One Resume decides where a training goes on. Received: "
            f"{len(found)} of them, initial_epoch={options.get('initial_epoch', 0)}. Pass one, and "
            "leave out `initial_epoch`."
        )
    return next(iter(found), None), [c for c in callbacks if c not in found]


@contextlib.contextmanager
def unsaved():
    """Say what a training without `Resume` leaves when it is interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "Interrupted. The model is as it was at that moment, and saved nowhere. To be able to "
            "go on exactly, pass callbacks=[keras_imgen.callbacks.Resume(folder)]."
        ) from None


def check_finite(model, epoch: int) -> None:
    """Raise FloatingPointError if a weight or moment is no longer a number."""
    sync(model)
    for variable in (*model.weights, *model.optimizer.variables):
        if not np.all(np.isfinite(ops.convert_to_numpy(variable))):
            raise FloatingPointError(
                f"`{variable.path}` holds NaN or infinity at the end of epoch {epoch + 1}: "
                f"{ADVICE}."
            )


def sync(model) -> None:
    """Give the variables their values: on JAX they have none while an epoch runs."""
    if keras.backend.backend() == "jax":
        model.jax_state_sync()


class Guard(keras.callbacks.Callback):
    """Tells the dataset which epoch it is, and stops at Ctrl-C and at logs that are no numbers.

    Args:
        dataset: what `fit` iterates over.
        check_interrupt: function that raises KeyboardInterrupt if there has been one.
        rollbacks: `Rollback` callbacks, which may bring the model back to a good state.
        begun: how many epochs were shown before those that are counted from 0 now.
    """

    def __init__(self, dataset=None, check_interrupt=lambda: None, rollbacks=(), begun=0):
        super().__init__()
        self.begun = begun
        self.dataset, self.check_interrupt = dataset, check_interrupt
        self.rollbacks = rollbacks
        # A step need not wait for the look at its logs, unless that may change the model.
        self.async_safe = not rollbacks
        self.place = ""
        self._went_back = False

    def on_epoch_begin(self, epoch, logs=None):
        """Note the epoch."""
        self.place = f"epoch {epoch + 1}, "
        dataset = unwrapped(self.dataset)
        if isinstance(dataset, PictureDataset | GrainBatches | Stream):
            dataset.epoch = self.begun + epoch

    def on_epoch_end(self, epoch, logs=None):
        """Note that the epoch is whole."""
        self.model.epochs_trained = self.begun + epoch + 1

    def on_train_batch_begin(self, batch, logs=None):
        """Begin the averages anew after the model went back: they hold a NaN."""
        if self._went_back:
            self.model.reset_metrics()
            self._went_back = False

    def on_train_batch_end(self, batch, logs=None):
        """Look at the logs."""
        try:
            self._look(logs, f"batch {batch + 1}", ADVICE)
        except FloatingPointError as error:
            self._went_back = any(rollback.rescue_training(error) for rollback in self.rollbacks)
            if not self._went_back:
                raise

    def on_train_end(self, logs=None):
        """Put in the averages that optimizers keep, as Keras does with those that it knows."""
        self.model.end_training()

    def on_test_batch_end(self, batch, logs=None):
        """Look at the logs."""
        self._look(logs, f"held-out batch {batch + 1}", "the model or these pictures are at fault")

    def _look(self, logs, batch, reason):
        self.check_interrupt()
        for name, value in (logs or {}).items():
            value = ops.convert_to_numpy(value)
            if not np.all(np.isfinite(value)):
                raise FloatingPointError(
                    f"`{name}` became {value} in {self.place}{batch}: {reason}; look for NaN in "
                    "the data with np.isfinite."
                )
