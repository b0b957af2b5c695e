"""Training steps on JAX: state goes in and comes out, nothing is changed in place."""

import contextlib
import contextvars
import functools
import hashlib

import jax
import keras
import numpy as np
from jax.experimental import multihost_utils

# The variables of the step that is running: all that it may change.
_known = contextvars.ContextVar("known", default=())


def run_in_place(model, step, state, data):
    """Run a step whose variables have the values in `state`; return its logs and their new ones."""
    groups = [model.trainable_variables, model.non_trainable_variables]
    groups += [model.optimizer.variables] if len(state) == 4 else []  # not in a test step
    groups += [model.metrics_variables]
    known = [variable for group in groups for variable in group]
    running = _known.set(known)
    try:
        logs, values = _run(lambda: step(model, data), known, [v for part in state for v in part])
    finally:
        _known.reset(running)
    values = iter(values)
    return logs, tuple([next(values) for _ in group] for group in groups)


def recorded(function, variables):
    """Return outputs, aux and a pull-back by variables; see `keras_imgen.backends`."""
    known = [*_known.get(), *variables]
    before = [variable.value for variable in known]

    def run(values):
        mapped = [*before[: len(before) - len(values)], *values]
        (outputs, aux), after = _run(function, known, mapped)
        return outputs, (aux, after)

    values = [variable.value for variable in variables]
    outputs, pull_back, (aux, after) = jax.vjp(run, values, has_aux=True)
    _change(known, after)
    return outputs, aux, lambda wishes: pull_back(wishes)[0]


def input_gradients(function, inputs):
    """Return a gradient by inputs, and aux; see `keras_imgen.backends`."""
    known = _known.get()
    before = [variable.value for variable in known]

    def run(inputs):
        (values, aux), after = _run(lambda: function(inputs), known, before)
        return jax.numpy.sum(values), (aux, after)

    gradient, (aux, after) = jax.grad(run, has_aux=True)(inputs)
    _change(known, after)
    return gradient, aux


def unrecorded():
    """Change nothing; see `keras_imgen.backends`."""
    return contextlib.nullcontext()


def cond(condition, then, otherwise):
    """Return what one of two functions returns."""
    known = _known.get()
    before = [variable.value for variable in known]
    branches = [functools.partial(_run, branch, known) for branch in (then, otherwise)]
    result, after = jax.lax.cond(condition, *branches, before)
    _change(known, after)
    return result


def _run(function, variables, values):
    """Return what a function returns where variables have these values, and their new ones."""
    with keras.StatelessScope(list(zip(variables, values, strict=True))) as scope:
        result = function()
    return result, [scope.get_current_value(variable) for variable in variables]


def _change(variables, values):
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def prepared_step(model, step, prepare, state, data):
    """Run Keras's own step on prepared data; see `keras_imgen.backends`.

    The state of the random generators lies among the non-trainable variables, second in Keras's
    tuples for training and for testing alike.
    """
    trainable, non_trainable, *rest = state
    variables = model.non_trainable_variables
    with keras.StatelessScope(list(zip(variables, non_trainable, strict=True))) as scope:
        data = prepare(data)
    non_trainable = [scope.get_current_value(variable) for variable in variables]
    return step((trainable, non_trainable, *rest), data)


def check(condition, message, value):
    """Raise where `condition` is false and known; in a compiled step, return NaN there."""
    if not isinstance(condition, jax.core.Tracer):
        if not condition:
            raise ValueError(message)
        return value
    if not jax.numpy.issubdtype(value.dtype, jax.numpy.floating):
        return value
    return jax.numpy.where(condition, value, jax.numpy.nan)


def together():
    """Return that each picture may come alone."""
    return 1


def fed(dataset):
    """Return the dataset, which Keras reads itself; see `keras_imgen.backends`."""
    return dataset


def drawn(seed):
    """Return a seed for `poisson`; see `keras_imgen.backends`."""
    seed = seed.next() if isinstance(seed, keras.random.SeedGenerator) else [seed, 0]
    return jax.numpy.asarray(seed, "uint32")


def poisson(rates, seed):
    """Draw Poisson numbers; see `keras_imgen.backends`."""
    key = jax.random.wrap_key_data(seed, impl="threefry2x32")
    return jax.random.poisson(key, rates).astype("float32")


def with_shape(x, shape):
    """Change nothing: here every shape is known."""
    return x


def compiled(function):
    """Compile a function; see `keras_imgen.backends`."""
    return jax.jit(function)


def lean(function, channels):
    """Change nothing: JAX would compile anew for every size."""
    return function


@contextlib.contextmanager
def kept(model):
    """Give a model its weights back: Keras takes them away before a step; see the package."""
    distribution = keras.distribution.distribution()
    shards = getattr(distribution, "auto_shard_dataset", None)
    if shards:  # it has been done
        distribution.auto_shard_dataset = False
    before = {id(variable): variable.value for variable in _variables(model)}
    try:
        yield
    except BaseException:
        model.jax_state_sync()
        model._jax_state = None
        for variable in _variables(model):
            if variable._value is None:  # what was not there before is a metric, which sums up
                zeros = jax.numpy.zeros(variable.shape, variable.dtype)
                variable.assign(before.get(id(variable), zeros))
        raise
    finally:
        if shards:
            distribution.auto_shard_dataset = True


def _variables(model):
    optimizer = model.optimizer.variables if model.compiled else []
    return [*model.variables, *model.metrics_variables, *optimizer]


def replicas(model):
    """Return None: a step of JAX sees the whole batch, wherever its parts are computed."""


def parts(model):
    """Return how many devices share the batch by `keras.distribution`; see the package."""
    distribution = keras.distribution.distribution()
    if distribution is None:
        return 1
    mesh = distribution.device_mesh
    return mesh.shape[mesh.axis_names.index(distribution.batch_dim_name)]


def hosts():
    """Return number and count of processes that share a distribution; see the package."""
    count = jax.process_count()
    distribution = keras.distribution.distribution()
    if count > 1 and type(distribution) is not keras.distribution.DataParallel:
        raise ValueError(
            f"{count} processes train one model by keras.distribution.DataParallel. Received: "
            f"{type(distribution).__name__}. Call keras.distribution.set_distribution(keras."
            "distribution.DataParallel(auto_shard_dataset=False)) before the model is made."
        )
    return jax.process_index(), count


def agreed(text):
    """Compare what all processes have; see `keras_imgen.backends`."""
    digest = np.frombuffer(hashlib.sha256(text.encode()).digest(), "uint8")
    return bool(np.all(multihost_utils.process_allgather(digest) == digest))


def replicas_in_step():
    """Return 1; see `replicas`."""
    return 1


def apart(seed):
    """Change nothing: JAX makes a key of both numbers."""
    return seed
