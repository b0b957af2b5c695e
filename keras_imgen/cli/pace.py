"""How long a training step takes on this machine, with XLA and without."""

import contextlib
import math
import statistics
import time
import warnings
from dataclasses import dataclass

import keras
import numpy as np

STEPS = 5  # that are timed, after the first one, which compiles
# What a trial of XLA, or of half precision, costs at most, in seconds that the first step takes
# without it, and in steps: it compiles for two to four times as long, and its steps may be that
# much slower.
COMPILING, SLOWER = 3.0, 30.0
WORTH = 0.15  # the share of a training that a trial may cost
LEAST_STEPS = int(SLOWER / WORTH)  # of a training in which it may pay


@dataclass(frozen=True)
class Pace:
    """What was measured of a model.

    Attributes:
        first: seconds of the first step, in which it is compiled.
        step: seconds of each further one.
        jit_compile: whether with XLA.
    """

    first: float
    step: float
    jit_compile: bool = False

    def steps_within(self, seconds: float) -> int:
        """Return how many steps fit into so many seconds, at least one."""
        return max(1, int(seconds / self.step))


class Stopwatch(keras.callbacks.Callback):
    """Notes the seconds of each step."""

    def __init__(self):
        super().__init__()
        self.seconds = []

    def on_train_batch_begin(self, batch, logs=None):
        """Begin."""
        self._begin = time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        """Note."""
        self.seconds.append(time.monotonic() - self._begin)


def plain_pace(model, data, slowest: float = math.inf) -> Pace:
    """Time steps without XLA; the model is left as it was, and ready to train so.

    Args:
        model: the compiled model.
        data: dataset that it trains on.
        slowest: seconds; if the second step takes longer, no more are timed.
    """
    compile_step(model, False)
    return _timed(model, data, slowest)


def quicker_pace(model, data, plain: Pace, seconds: float) -> Pace:
    """Time steps with XLA, too, if a training of so many seconds is worth it, and keep the quicker.

    The model is left as it was, and ready to train at the pace that is returned.

    Args:
        model: the compiled model, just timed without XLA.
        data: dataset that it trains on.
        plain: how quick it is without XLA.
        seconds: how long the training is going to take.
    """
    if model.run_eagerly or not may_pay(plain, seconds):
        return plain
    train_function = model.train_function
    try:
        xla = _timed(model, data, 2.0 * plain.step) if compile_step(model, True) else None
    except Exception:  # what XLA cannot compile, TensorFlow says in many ways
        xla = None
    if xla is None or xla.step >= plain.step:
        model.train_function = train_function
        return plain
    return Pace(xla.first, xla.step, jit_compile=True)


def may_pay(plain: Pace, seconds: float) -> bool:
    """Return whether another way is worth a trial, were it as bad as it may be, in a training.

    Args:
        plain: how quick the way is that is known.
        seconds: how long the training takes so.
    """
    return COMPILING * plain.first + SLOWER * plain.step <= WORTH * seconds


def compile_step(model, jit_compile: bool) -> bool:
    """Choose whether the training step is compiled by XLA, and return whether it will be.

    Validation never is: its batches differ in size, and each size would be compiled anew. Nor is it
    saved with the model, for other machines make another choice.
    """
    if keras.backend.backend() != "tensorflow" or model.run_eagerly:  # JAX does so in any case
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a layer that XLA cannot compile, Keras warns
        model.jit_compile = jit_compile
    taken = model.jit_compile  # Keras refuses XLA for a layer that says that it cannot be compiled
    model.make_train_function(force=True)
    model.jit_compile = False
    return taken


def _timed(model, data, slowest=math.inf):
    """Return the pace of a model as it is compiled; if the second step is too slow, that one's."""
    watch = Stopwatch()
    with _untouched(model):
        for steps in (2, STEPS):
            try:
                model.fit(data, steps_per_epoch=steps, verbose=0, callbacks=[watch])
            except KeyboardInterrupt:  # nothing has begun that could be saved, as `fit` would say
                raise KeyboardInterrupt from None
            if watch.seconds[1] > slowest:
                break
    return Pace(watch.seconds[0], statistics.median(watch.seconds[1:]))


@contextlib.contextmanager
def _untouched(model):
    """Bring weights, moments, random states and the epochs of a model back at the end."""
    epochs = model.epochs_trained
    variables = [*model.variables, *model.optimizer.variables]
    before = [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]
    try:
        yield
    finally:
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)
        model.epochs_trained = epochs
        model.reset_metrics()
