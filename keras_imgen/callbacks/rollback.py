"""`Rollback`: brings a model back to its last good state, to learn on more slowly."""

import keras
import numpy as np
from keras import ops

from keras_imgen.training.guard import sync
from keras_imgen.training.optimizers import rate_of


class Rollback(keras.callbacks.Callback):
    """Base of callbacks that keep a model's last good state in memory.

    When a log is no longer a number, `fit` asks each of them for `rescue_training`. If one can,
    the training goes on. A subclass says which states are good, by `keep`, and has a property
    `memory`, a dict of what a training that `Resume` goes on with must know.

    Args:
        factor: what every learning rate is multiplied by when the model goes back; None keeps no
            state, so that it never goes back.
        most: how often it may go back in a training.
    """

    def __init__(self, factor: float | None, most: int):
        super().__init__()
        self.factor, self.most = factor, most
        self.rollbacks = 0
        self.good_epoch = 0
        self.good_state = None  # a list of arrays: `Resume` writes it beside the model

    def rescue_training(self, error: FloatingPointError) -> bool:
        """Return whether the model was brought back, so that `error` need not be raised."""
        raise NotImplementedError

    def keep(self, epoch: int) -> None:
        """Keep the present state as the good one; it is that after so many epochs."""
        if self.factor is not None:
            # What depends on all batches of an epoch, the metrics, is no part of it.
            self.good_state = [np.array(ops.convert_to_numpy(v)) for v in _state(self.model)]
            self.good_epoch = epoch

    def go_back(self) -> bool:
        """Bring the good state back with lower learning rates; False if that may not be."""
        if self.good_state is None or self.rollbacks >= self.most:
            return False
        sync(self.model)
        for variable, value in zip(_state(self.model), self.good_state, strict=True):
            variable.assign(value)
        for optimizer in _optimizers(self.model):
            optimizer.learning_rate = rate_of(optimizer) * self.factor
        self.rollbacks += 1
        self.keep(self.good_epoch)  # with the lower rates, should it go back there once more
        return True

    def check_learning_rates(self) -> None:
        """Raise if a learning rate cannot be lowered."""
        for optimizer in _optimizers(self.model):
            rate = rate_of(optimizer)
            try:
                optimizer.learning_rate = rate
            except (TypeError, AttributeError):
                raise ValueError(
                    "`rollback` lowers the learning rate, but here a schedule sets it. Received: "
                    f"the optimizer {optimizer.name!r} with a schedule. Give it a number, as in "
                    "Adam(2e-4), or leave out `rollback`."
                ) from None


def _state(model):
    """Return weights, random states, averages and moments, but no metrics."""
    metrics = {id(variable) for variable in model.metrics_variables}
    return [v for v in (*model.variables, *model.optimizer.variables) if id(v) not in metrics]


def _optimizers(model):
    return getattr(model.optimizer, "parts", [model.optimizer])  # a GAN has two
