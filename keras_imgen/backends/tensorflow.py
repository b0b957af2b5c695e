"""Training steps on TensorFlow: gradients come from a tape."""

import contextlib

import keras
import tensorflow as tf
from keras.src.trainers.data_adapters.py_dataset_adapter import PyDatasetAdapter
from tensorflow.python.util import _pywrap_util_port

from keras_imgen.backends import MARK

STEP = 1_000_003  # from device to device; a prime, so that other seeds than these are more usual


def run_in_place(model, step, data):
    """Run a step: here all of them change variables in place."""
    return step(model, data)


def recorded(function, variables):
    """Return outputs, aux and a pull-back by variables; see `keras_imgen.backends`."""
    values = [variable.value for variable in variables]
    # Watch only these variables, so that the other player's work is not recorded.
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(values)
        outputs, aux = function()

    def pull_back(wishes):
        zeros = tf.UnconnectedGradients.ZERO
        return [tf.convert_to_tensor(g) for g in tape.gradient(outputs, values, wishes, zeros)]

    return outputs, aux, pull_back


def input_gradients(function, inputs):
    """Return a gradient by inputs, and aux; see `keras_imgen.backends`."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(inputs)
        values, aux = function(inputs)
    return tape.gradient(values, inputs), aux


def unrecorded():
    """Change nothing; see `keras_imgen.backends`."""
    return contextlib.nullcontext()


def cond(condition, then, otherwise):
    """Return what one of two functions returns."""
    return tf.cond(condition, then, otherwise)


def prepared_step(model, step, prepare, data):
    """Run Keras's own step on prepared data; see `keras_imgen.backends`."""
    return step(prepare(data))


def check(condition, message, value):
    """Raise where `condition` is false, also inside a compiled step."""
    known = condition if isinstance(condition, bool) else tf.get_static_value(condition)
    if known is None:
        checked = tf.debugging.Assert(condition, [MARK + message + MARK])
        # Within a compiled step nothing else would wait for the check, and XLA leaves it out.
        with tf.control_dependencies([checked]):
            if not value.dtype.is_floating:
                return tf.identity(value)
            return tf.where(condition, value, tf.constant(float("nan"), value.dtype))
    if not known:
        raise ValueError(message)
    return value


def with_shape(x, shape):
    """Return `x` with its shape known, as far as `shape` is."""
    return x if x.shape.is_fully_defined() else tf.ensure_shape(x, shape)


def compiled(function):
    """Make a graph of a function; see `keras_imgen.backends`."""
    return tf.function(function, autograph=False)


def lean(function, channels):
    """Compile a function: a graph forgets what is not needed any more."""
    # Compiled once, whatever the size.
    return tf.function(function, input_signature=[tf.TensorSpec((None, None, None, channels))])


def together():
    """Return that oneDNN convolves two pictures at once, often in less time than one."""
    return 2 if _pywrap_util_port.IsMklEnabled() else 1


class _Untuned(PyDatasetAdapter):
    """Reads as Keras does, but without the thread by which `tf.data` seeks better settings.

    There are none to seek, and at the end of an epoch it is waited for while it sleeps, each time
    twice as long as before: of two epochs of half a minute one may end ten seconds late.
    """

    def get_tf_dataset(self):
        options = tf.data.Options()
        options.autotune.enabled = False
        return super().get_tf_dataset().with_options(options)


def fed(dataset):
    """Return what reads it without waiting; see `keras_imgen.backends`."""
    return _Untuned(dataset)


def drawn(seed):
    """Return a seed for `poisson`; see `keras_imgen.backends`."""
    seed = seed.next() if isinstance(seed, keras.random.SeedGenerator) else [seed, 0]
    return tf.cast(tf.math.floormod(tf.cast(seed, "int64"), tf.int32.max), "int32")


def poisson(rates, seed):
    """Draw Poisson numbers; see `keras_imgen.backends`."""
    return tf.random.stateless_poisson(tf.shape(rates), seed, rates, "float32")


def kept(model):
    """Change nothing: here the model keeps its weights."""
    return contextlib.nullcontext()


def replicas(model):
    """Return how many there are, or refuse; see `keras_imgen.backends`."""
    strategy = model.distribute_strategy
    if isinstance(strategy, tf.distribute.MirroredStrategy):
        return strategy.num_replicas_in_sync
    name = type(strategy).__name__
    if name in ("_DefaultDistributionStrategy", "OneDeviceStrategy"):
        return None
    raise NotImplementedError(
        "Of the strategies of tf.distribute, models train right with MirroredStrategy and "
        f"OneDeviceStrategy. Received: {name}. Make and compile the model in the scope of one of "
        "these, or without a strategy."
    )


def parts(model):
    """Return the number of replicas; see `keras_imgen.backends`."""
    return replicas(model) or 1


def hosts():
    """Return that this process is alone; see `keras_imgen.backends`."""
    return 0, 1


def replicas_in_step():
    """Return how many there are, inside a step."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def apart(seed):
    """Let each device draw other numbers; see `keras_imgen.backends`."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return seed
    return seed + tf.cast(tf.stack([context.replica_id_in_sync_group * STEP, 0]), seed.dtype)
