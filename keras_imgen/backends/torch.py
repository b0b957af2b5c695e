"""Training steps on PyTorch: everything is done at once, and gradients are asked for by name."""

import contextlib
import contextvars
import functools

import keras
import numpy as np
import torch

STEP = 2_654_435_769  # of 2**32 the golden part: few draws of near seeds meet before a million
# Whether a gradient is being taken, so that those within it must be differentiable again.
_recording = contextvars.ContextVar("recording", default=False)


def run_in_place(model, step, data):
    """Run a step; only what `recorded` and `input_gradients` run is kept for gradients."""
    with torch.no_grad():
        return step(model, data)


def recorded(function, variables):
    """Return outputs, aux and a pull-back by variables; see `keras_imgen.backends`."""
    values = [variable.value for variable in variables]
    with _recorded():
        outputs, aux = function()

    def pull_back(wishes):
        pairs = zip(keras.tree.flatten(outputs), keras.tree.flatten(wishes), strict=True)
        ends, slopes = zip(*(pair for pair in pairs if pair[0].requires_grad), strict=True)
        found = torch.autograd.grad(ends, values, slopes, allow_unused=True)
        pairs = zip(found, values, strict=True)
        return [torch.zeros_like(x) if slope is None else slope for slope, x in pairs]

    return _detached(outputs), _detached(aux), pull_back


def input_gradients(function, inputs):
    """Return a gradient by inputs, and aux; see `keras_imgen.backends`."""
    again = _recording.get()
    if not (again and inputs.requires_grad):
        inputs = inputs.detach().requires_grad_()
    with _recorded():
        values, aux = function(inputs)
    if not values.requires_grad:  # no picture changes them
        return torch.zeros_like(inputs), aux
    options = {"create_graph": again, "allow_unused": True, "materialize_grads": True}
    (gradient,) = torch.autograd.grad(values, inputs, torch.ones_like(values), **options)
    return (gradient, aux) if again else (gradient, _detached(aux))


def unrecorded():
    """Keep nothing for gradients; see `keras_imgen.backends`."""
    return contextlib.nullcontext() if _recording.get() else torch.no_grad()


@contextlib.contextmanager
def _recorded():
    """Keep what is computed for gradients."""
    before = _recording.set(True)
    try:
        with torch.enable_grad():
            yield
    finally:
        _recording.reset(before)


def _detached(tree):
    return keras.tree.map_structure(lambda x: x.detach() if torch.is_tensor(x) else x, tree)


def cond(condition, then, otherwise):
    """Return what one of two functions returns."""
    return then() if condition else otherwise()


def prepared_step(model, step, prepare, data):
    """Run Keras's own step on prepared data; see `keras_imgen.backends`."""
    with torch.no_grad():
        data = prepare(data)
    with torch.enable_grad():
        return step(data)


def check(condition, message, value):
    """Raise where `condition` is false: it is always known here, except of mere shapes."""
    if not (torch.is_tensor(condition) and condition.is_meta) and not condition:
        raise ValueError(message)
    return value


def with_shape(x, shape):
    """Change nothing: here every shape is known."""
    return x


def compiled(function):
    """Make tensors of arrays, and keep nothing for gradients; see `keras_imgen.backends`."""

    @functools.wraps(function)
    def run(*args):
        with unrecorded():
            return function(*keras.tree.map_structure(_as_tensor, args))

    return run


def lean(function, channels):
    """Change nothing but that arrays become tensors; see `keras_imgen.backends`."""
    return compiled(function)


def _as_tensor(x):
    return keras.ops.convert_to_tensor(x) if isinstance(x, np.ndarray) else x


def together():
    """Return that each picture may come alone."""
    return 1


def fed(dataset):
    """Return the dataset, which Keras reads itself; see `keras_imgen.backends`."""
    return dataset


def drawn(seed):
    """Return a seed for `poisson`; see `keras_imgen.backends`."""
    seed = seed.next() if isinstance(seed, keras.random.SeedGenerator) else [seed, 0]
    return keras.ops.convert_to_tensor(seed, "int64")


def poisson(rates, seed):
    """Draw Poisson numbers; see `keras_imgen.backends`."""
    rates = keras.ops.convert_to_tensor(rates, "float32")
    if rates.is_meta:
        return rates
    generator = torch.Generator(device=rates.device).manual_seed(
        int(seed[0]) + 2**32 * int(seed[1])
    )
    return torch.poisson(rates, generator=generator)


def kept(model):
    """Change nothing: here the model keeps its weights."""
    return contextlib.nullcontext()


def replicas(model):
    """Return None: a model of Keras on PyTorch trains on one device."""


def parts(model):
    """Return 1; see `replicas`."""
    return 1


def hosts():
    """Return that this process is alone; see `keras_imgen.backends`."""
    return 0, 1


def replicas_in_step():
    """Return 1; see `replicas`."""
    return 1


def apart(seed):
    """Keep neighbouring seeds apart, for Keras adds both numbers; see `keras_imgen.backends`."""
    return seed.to(torch.int64) * torch.tensor([STEP, 1], device=seed.device) % 2**32
