"""Training steps on TensorFlow: gradients come from a tape."""

import tensorflow as tf


def minimize(optimizer, variables, compute_loss):
    """Take one step of `optimizer` on `variables`; see `keras_imgen.backends`."""
    # Watch only this player's variables, so that the other's work is not recorded.
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch([variable.value for variable in variables])
        loss, aux = compute_loss()
        loss = optimizer.scale_loss(loss)
    gradients = tape.gradient(loss, [variable.value for variable in variables])
    optimizer.apply(gradients, variables)
    return aux


def prepared_step(model, step, prepare, data):
    """Run Keras's own step on prepared data; see `keras_imgen.backends`."""
    return step(prepare(data))


def check(condition, message):
    """Raise where `condition` is false, also inside a compiled step."""
    tf.debugging.Assert(condition, [message])
