"""What differs by backend: how a step is taken, and how memory is saved.

Each backend has one short module with the same functions:

`run_in_place(model, step, *args)`
    A training or test step that changes variables in place, on the data that come last in `args`.
`recorded(function, variables)`
    `(outputs, aux, pull_back)`: what `function()` returns as `(outputs, aux)`, and a function that
    turns the gradient of something by the outputs into its gradients by the variables.
`input_gradients(function, inputs)`
    `(gradient, aux)`: `function(inputs)` returns `(values, aux)`; the gradient, by the inputs, of
    the sum of the values. It can be differentiated again.
`unrecorded()`
    A context in which nothing is kept for gradients but for those that are taken inside.
`cond(condition, then, otherwise)`
    As `keras.ops.cond`, but what is called may draw random numbers and change variables.
`prepared_step(model, step, prepare, *args)`
    Keras's own `step` on `prepare(data)`, where `prepare` may draw random numbers.
`check(condition, message, value)`
    Raise `ValueError(message)` where `condition` is false, also inside a compiled step if the
    backend can; otherwise return `value`. Where it cannot, numbers that must not be trusted become
    NaN. What is computed from the value is computed after the check.
`in_reading(dataset, check, kept)`
    A `tf.data.Dataset` of `kept(batch)` that calls `check`, too, with each batch as it is read.
`fed(dataset)`
    What Keras is given to read a `keras.utils.PyDataset` by.
`drawn(seed)`
    The two numbers that `poisson` wants as a seed, from an integer or a generator, which moves on.
`poisson(rates, seed)`
    Poisson numbers of these rates, as float32.
`with_shape(x, shape)`
    The same tensor, its shape known as far as `shape` is, also inside a compiled step.
`compiled(function)`
    The same function of tensors or arrays, quicker if it is called again and again with one shape.
`lean(function, channels)`
    The same function of pictures `(n, height, width, channels)`, in less memory if the backend can:
    called as it is, a network of Keras keeps what each layer puts out until the last one is done.
`together()`
    How many pictures a network is best given at once, if each is large.
`kept(model)`
    A context around what Keras does with a model, out of which no error leads without the weights,
    and in which Keras takes a batch for this process's own part of it.
`replicas(model)`
    On how many devices the model trains by a strategy of the backend, None without one. Raises
    NotImplementedError for strategies that would go wrong.
`parts(model)`
    Into how many equal parts a batch is cut, one for each device; 1 on a single one.
`hosts()`
    The number of this process among those that train one model, and how many they are: (0, 1) of
    one alone. Raises ValueError if there are several and each would train for itself.
`agreed(text)`
    Whether all those processes were asked about the same text. All must ask.
`replicas_in_step()`
    Inside a step, how many devices there are.
`apart(seed)`
    The two numbers of a generator's draw, so that no other draw has the same random numbers: one of
    another device, or of another generator.
"""

import contextlib
import functools
import importlib

import keras
from keras import ops

__all__ = [
    "SeedGenerator",
    "agreed",
    "apply",
    "check",
    "check_agreed",
    "compiled",
    "cond",
    "draw_apart",
    "drawn",
    "fed",
    "gradients",
    "hosts",
    "in_place",
    "in_reading",
    "input_gradients",
    "is_first",
    "lean",
    "marked_errors",
    "one_by_one",
    "parts",
    "poisson",
    "prepared_step",
    "readable_errors",
    "recorded",
    "replicas",
    "rows_of",
    "share",
    "together",
    "unrecorded",
    "with_shape",
]

MARK = "||"  # where the message of a failed check begins and ends within the backend's own text


def _backend():
    name = keras.backend.backend()
    if name not in ("tensorflow", "jax", "torch"):
        raise NotImplementedError(
            "keras_imgen trains on the TensorFlow, JAX and PyTorch backends. "
            f"Received: KERAS_BACKEND={name}. Set KERAS_BACKEND=tensorflow before importing keras."
        )
    return importlib.import_module(f"keras_imgen.backends.{name}")


def in_place(step):
    """Let a model's step change variables in place, also where state goes in and comes out.

    Args:
        step: method `train_step(self, data)` or `test_step(self, data)`.
    """

    @functools.wraps(step)
    def run(model, *args):
        return _backend().run_in_place(model, step, *args)

    return run


def recorded(function, variables):
    """Return outputs, what else a function returns, and what pulls wishes back to variables."""
    return _backend().recorded(function, variables)


def gradients(loss, variables):
    """Return the gradients by the variables of the number that `loss()` returns first, and aux."""
    value, aux, pull_back = recorded(loss, variables)
    return pull_back(ops.ones_like(value)), aux


def input_gradients(function, inputs):
    """Return the gradient by the inputs of the sum of the values of a function, and aux."""
    return _backend().input_gradients(function, inputs)


@contextlib.contextmanager
def unrecorded():
    """Keep nothing for gradients, where a backend would; also a decorator of what answers."""
    with _backend().unrecorded():
        yield


def cond(condition, then, otherwise):
    """Return what one of two functions returns; only that one is run."""
    if isinstance(condition, bool):
        return then() if condition else otherwise()
    return _backend().cond(condition, then, otherwise)


def apply(optimizer, gradients, variables, turn=True) -> None:
    """Take a step of an optimizer, if `turn`: else all that it changes stays as it was."""
    if turn is True:
        optimizer.apply(gradients, variables)
        return
    changed = [*variables, *optimizer.variables]
    before = [ops.copy(ops.convert_to_tensor(variable)) for variable in changed]
    optimizer.apply(gradients, variables)
    for variable, value in zip(changed, before, strict=True):
        variable.assign(ops.where(turn, ops.convert_to_tensor(variable), value))


def prepared_step(model, step, prepare, *args):
    """Run Keras's own training or test step on prepared data."""
    return _backend().prepared_step(model, step, prepare, *args)


def check(condition, message: str, value):
    """Return `value`, or raise an error with `message` where `condition` is false."""
    return _backend().check(condition, message, value)


def with_shape(x, shape):
    """Return `x` with its shape known: a stream need not tell what it holds."""
    return _backend().with_shape(x, shape)


def compiled(function):
    """Return the same function of one tensor, compiled for each shape that it is given."""
    return _backend().compiled(function)


def lean(function, channels: int):
    """Return the same function of pictures of any size, in less memory if possible."""
    return _backend().lean(function, channels)


def together() -> int:
    """Return how many pictures a network is best given at once, if each is large."""
    return _backend().together()


def in_reading(dataset, look, kept):
    """Return a `tf.data.Dataset` of `kept(batch)`, each of which `look` sees when it is read."""
    import tensorflow as tf  # whatever the backend: nobody else makes such datasets

    def seen(*batch):
        batch = batch[0] if len(batch) == 1 else batch

        def looked(*parts):
            with marked_errors():
                look(tf.nest.pack_sequence_as(batch, parts))
            return True

        tf.numpy_function(looked, tf.nest.flatten(batch), tf.bool)
        return kept(batch)

    return dataset.map(seen)


def fed(dataset):
    """Return what Keras is given to read a dataset by."""
    return _backend().fed(dataset) if isinstance(dataset, keras.utils.PyDataset) else dataset


def drawn(seed):
    """Return a seed for `poisson` of an integer or a generator."""
    return _backend().drawn(seed)


def poisson(rates, seed):
    """Return a random number of counts, as a float, for each rate."""
    return _backend().poisson(rates, seed)


def replicas(model) -> int | None:
    """Return on how many devices a strategy trains a model, None if there is no strategy."""
    return _backend().replicas(model)


def parts(model) -> int:
    """Return into how many equal parts, one for each device, a batch is cut."""
    return _backend().parts(model)


def hosts() -> tuple[int, int]:
    """Return the number of this process among those that train one model, and how many they are."""
    return _backend().hosts()


def agreed(text: str) -> bool:
    """Return whether all processes that train one model say the same; each must be asked."""
    return _backend().agreed(text)


def is_first() -> bool:
    """Return whether this process is the one that writes files."""
    return hosts()[0] == 0


def check_agreed(text: str) -> None:
    """Raise if processes that train one model would not train the same one on the same data."""
    if not agreed(text):
        raise ValueError(
            f"All {hosts()[1]} processes must begin with the same data, seed and weights. Received "
            f"by one of them: {text[:300]}. Give all of them the same program, arguments and "
            "folder, on a disk that all of them see."
        )


def rows_of(dataset, rank: int, count: int):
    """Return a `tf.data.Dataset` of what one of so many processes takes of each batch."""
    import tensorflow as tf

    def own(rows):
        share = tf.shape(rows)[0] // count
        return rows[rank * share : (rank + 1) * share]

    return dataset.map(
        lambda *batch: tf.nest.map_structure(own, batch[0] if len(batch) == 1 else batch)
    )


def one_by_one(model) -> str | None:
    """Return where it is that batches are taken one by one and nothing is compiled, or None."""
    if replicas(model):
        return "Under MirroredStrategy"
    return "On PyTorch" if keras.backend.backend() == "torch" else None


def share(loss):
    """Return what one of several devices contributes to a loss; the optimizers sum these up."""
    count = _backend().replicas_in_step()
    return loss if count == 1 else loss / count


class SeedGenerator(keras.random.SeedGenerator):
    """Keras's, but every draw has random numbers of its own, on each backend and each device.

    Args:
        seed: integer; by default one is drawn.
    """

    def __init__(self, seed=None, **kwargs):
        here = keras.backend.backend() == "torch"  # where the state holds half of the seeds
        super().__init__(0 if here and seed is not None else seed, **kwargs)
        if here:
            self._initial_seed = seed
            seed = int(self.state[0]) if seed is None else seed
            options = {"trainable": False, "name": "seed_generator_state"}
            self.state = keras.Variable([seed, 0], dtype="int64", **options)

    def next(self, ordered: bool = True):
        """Return the seed of the next draw."""
        return _backend().apart(super().next(ordered))


def draw_apart(layers) -> None:
    """Let layers of Keras, such as dropout, draw as ours do, by a state that is saved."""
    for layer in layers:
        draws = getattr(layer, "seed_generator", None)
        if type(draws) is keras.random.SeedGenerator:
            draws.__class__ = SeedGenerator  # which adds nothing to its state
            if draws._initial_seed is None:  # then PyTorch would leave it out
                draws._initial_seed = int(ops.convert_to_numpy(draws.state)[0])


@contextlib.contextmanager
def marked_errors():
    """Mark errors that are raised where a backend wraps them, for `readable_errors` to find."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise type(error)(f"{MARK}{error}{MARK}") from None


@contextlib.contextmanager
def readable_errors(model):
    """Turn what a failed check has become inside compiled code into a plain `ValueError`.

    Whatever the error is, the model has its weights behind it.
    """
    try:
        with _backend().kept(model):
            yield
    except Exception as error:
        _, found, rest = str(error).partition(MARK)
        if not found:
            raise
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(rest.partition(MARK)[0]) from None
