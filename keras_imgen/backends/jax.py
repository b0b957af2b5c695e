"""Training steps on JAX: state goes in and comes out, nothing is changed in place."""

import jax
import keras


def check_minimize():
    """Refuse: models of several optimizers need TensorFlow so far."""
    raise NotImplementedError(
        "A GAN trains on the TensorFlow backend only. Received: KERAS_BACKEND=jax. Set "
        "KERAS_BACKEND=tensorflow before importing keras. VAE and Restorer train on JAX too, and a "
        "saved GAN can be sampled: load it with compile=False."
    )


def minimize(optimizer, variables, compute_loss, turn):
    """Refuse, as `check_minimize`."""
    check_minimize()


def input_gradients(function, inputs):
    """Refuse, as `check_minimize`."""
    check_minimize()


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


def poisson(rates, seed):
    """Draw Poisson numbers; see `keras_imgen.backends`."""
    seed = seed.next() if isinstance(seed, keras.random.SeedGenerator) else [seed, 0]
    key = jax.random.wrap_key_data(jax.numpy.asarray(seed, "uint32"), impl="threefry2x32")
    return jax.random.poisson(key, rates).astype("float32")


def with_shape(x, shape):
    """Change nothing: here every shape is known."""
    return x


def lean(function, channels):
    """Change nothing: JAX would compile anew for every size."""
    return function


def replicas(model):
    """Return None: a step of JAX sees the whole batch, wherever its parts are computed."""


def replicas_in_step():
    """Return 1; see `replicas`."""
    return 1


def this_replica():
    """Return None; see `replicas`."""
