"""Training steps on TensorFlow: gradients come from a tape."""

import contextlib

import tensorflow as tf

_MARK = "||"  # where the message begins and ends within TensorFlow's own text


def check_minimize():
    """Do nothing: `minimize` works."""


def minimize(optimizer, variables, compute_loss, turn):
    """Take one step of `optimizer` on `variables`, if `turn`; see `keras_imgen.backends`."""
    values = [variable.value for variable in variables]
    # Watch only this player's variables, so that the other's work is not recorded.
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(values)
        loss, aux = compute_loss()
        loss = optimizer.scale_loss(loss)

    def move():
        optimizer.apply(tape.gradient(loss, values), variables)

    if isinstance(turn, bool):
        if turn:
            move()
    else:
        tf.cond(turn, move, lambda: None)
    return aux


def input_gradients(function, inputs):
    """Return the gradient of `function` by its inputs; see `keras_imgen.backends`."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(inputs)
        outputs = function(inputs)
    return tape.gradient(outputs, inputs)


def prepared_step(model, step, prepare, data):
    """Run Keras's own step on prepared data; see `keras_imgen.backends`."""
    return step(prepare(data))


def check(condition, message, value):
    """Raise where `condition` is false, also inside a compiled step."""
    known = condition if isinstance(condition, bool) else tf.get_static_value(condition)
    if known is None:
        checked = tf.debugging.Assert(condition, [_MARK + message + _MARK])
        # Within a compiled step nothing else would wait for the check.
        with tf.control_dependencies([checked]):
            return None if value is None else tf.identity(value)
    if not known:
        raise ValueError(message)
    return value


def with_shape(x, shape):
    """Return `x` with its shape known, as far as `shape` is."""
    return x if x.shape.is_fully_defined() else tf.ensure_shape(x, shape)


def lean(function, channels):
    """Compile a function: a graph forgets what is not needed any more."""
    # Compiled once, whatever the size.
    return tf.function(function, input_signature=[tf.TensorSpec((1, None, None, channels))])


@contextlib.contextmanager
def readable_errors():
    """Turn what a compiled step raises into the error of `check`."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        _, found, rest = str(error).partition(_MARK)
        if not found:
            raise
        raise ValueError(rest.partition(_MARK)[0]) from None
