"""Fits, evaluations, restorations, samples: what models make of odd input, and of odd options."""

import contextlib
import functools
import tempfile
from pathlib import Path

import keras
import numpy as np
from hypothesis import strategies as st
from tiny_models import FAMILIES, conditional_gan

from fuzzing.inputs import SHAPE, TIME, Pictures, mostly, numbers, options, pictures, small_numbers
from fuzzing.judge import outcome


@functools.cache
def model_of(kind):
    """Return the one model of a kind; every property leaves it as it was."""
    keras.utils.set_random_seed(0)
    return conditional_gan(SHAPE) if kind == "conditional" else FAMILIES[kind](SHAPE)


@functools.cache
def file_of(kind):
    """Return the content of a model's file."""
    with tempfile.TemporaryDirectory() as folder:
        model_of(kind).save(path := Path(folder) / "model.keras")
        return path.read_bytes()


def variables_of(model):
    """Return everything that training changes."""
    return [*model.variables, *model.optimizer.variables]


@contextlib.contextmanager
def unchanged(model, tolerated=()):
    """Check that a call changed nothing in the model, and bring back what it was.

    Args:
        model: the model.
        tolerated: outcomes, as put into the list that is given, after which it may be changed.
    """
    before = [keras.ops.convert_to_numpy(variable).copy() for variable in variables_of(model)]
    result = []
    try:
        yield result
        if result and result[0] not in tolerated:
            for variable, old in zip(variables_of(model), before, strict=True):
                new = keras.ops.convert_to_numpy(variable)
                assert np.array_equal(new, old), f"{variable.path} was changed"
    finally:
        for variable, old in zip(variables_of(model), before, strict=True):
            variable.assign(old)


def shape_for(kind):
    """Return the shape of one clean picture (or sequence) of a model."""
    return (TIME, *SHAPE) if kind == "sequence" else SHAPE


def check_batch(batch):
    batch = np.asarray(batch)
    assert batch.dtype == "float32", batch.dtype
    assert batch.size, "an empty batch"
    assert batch.min() >= 0.0, "not in [0, 1]"
    assert batch.max() <= 1.0, "not in [0, 1]"


def check_dataset(dataset):
    assert len(dataset) > 0
    for index in range(min(len(dataset), 3)):
        pictures_in, *_ = dataset[index]
        check_batch(pictures_in)
        assert pictures_in.shape[1:] == dataset.image_shape


@st.composite
def fits(draw):
    """Draw a kind of model, pictures and options of `fit`."""
    kind = draw(st.sampled_from(tuple(FAMILIES)))
    shape = shape_for(kind)
    chosen = draw(
        options(
            batch_size=numbers,
            epochs=small_numbers,
            initial_epoch=small_numbers,
            steps_per_epoch=small_numbers,
            validation_split=numbers,
            validation_data=pictures(shape, batched=True),
            validation_batch_size=numbers,
            validation_steps=small_numbers,
            validation_freq=numbers,
            shuffle=st.sampled_from([True, False, None, "batch", "x"]),
            y=st.sampled_from([None, 1, "x"]),
            callbacks=st.sampled_from([None, [], 3, "x", keras.callbacks.Callback]),
        )
    )
    return kind, draw(pictures(shape, batched=True)), chosen


def fuzz_fit(case):
    """`fit` trains, or refuses and leaves the model as it was."""
    kind, given, chosen = case
    model, x = model_of(kind), given.made()
    chosen = {k: v.made() if isinstance(v, Pictures) else v for k, v in chosen.items()}
    before = x.copy() if isinstance(x, np.ndarray) else None
    tolerated = ["success", "FloatingPointError"]
    if given.form.startswith("tf.data"):  # whose later batches nobody knows before they come
        tolerated.append("ValueError")
    with unchanged(model, tolerated) as results:
        results.append(outcome(lambda: model.fit(x, verbose=0, **chosen)))
    if before is not None and before.dtype.kind == "f":
        assert np.array_equal(x, before, equal_nan=True), "the pictures were changed"
    return results[0]


@st.composite
def evaluations(draw):
    """Draw a kind of model, pictures and options of `evaluate`."""
    kind = draw(st.sampled_from(tuple(FAMILIES)))
    chosen = draw(options(batch_size=numbers, steps=small_numbers, y=st.just(1)))
    return kind, draw(pictures(shape_for(kind), batched=True)), chosen


def fuzz_evaluate(case):
    """`evaluate` returns finite figures, or refuses; the model stays as it was."""
    kind, given, chosen = case
    model, x = model_of(kind), given.made()

    def check(figures):
        assert all(np.isfinite(value) for value in figures.values()), figures

    with unchanged(model) as results:
        results.append(
            outcome(lambda: model.evaluate(x, verbose=0, return_dict=True, **chosen), check=check)
        )
    return results[0]


@st.composite
def observations(draw):
    """Draw a restorer and what it is asked to restore."""
    kind = draw(st.sampled_from(["denoiser", "inpainter", "sequence"]))
    *shape, channels = shape_for(kind)
    observed = (*shape, channels + (kind != "denoiser"))
    return kind, draw(pictures(draw(mostly(st.just(observed), st.just(shape_for(kind))))))


def fuzz_restore(case):
    """`restore` returns as many pictures of the same size, or refuses."""
    kind, given = case
    model, observed = model_of(kind), given.made()

    def check(restored):
        check_batch(restored)
        assert restored.shape == (*observed.shape[:-1], 1)

    with unchanged(model) as results:
        results.append(outcome(lambda: model.restore(observed), check=check))
    return results[0]


def fuzz_reconstruct(given):
    """`VAE.reconstruct` returns as many pictures, or refuses."""
    model, x = model_of("vae"), given.made()

    def check(made):
        check_batch(made)
        assert made.shape == tuple(x.shape)

    with unchanged(model) as results:
        results.append(outcome(lambda: model.reconstruct(x), check=check))
    return results[0]


samplings = st.tuples(
    st.sampled_from(["gan", "vae", "conditional"]),
    mostly(st.integers(1, 70), numbers),
    mostly(st.integers(0, 2**40), numbers),
    mostly(
        st.sampled_from([None, 0, 2, np.int64(1), [0, 1], np.arange(3)]),
        st.one_of(numbers, st.sampled_from([[], [0.5], [[0], [1, 2]], {}, "1", np.zeros((2, 2))])),
    ),
)


def fuzz_sample(case):
    """`sample` draws as many pictures as asked for, the same for one seed, or refuses."""
    kind, n, seed, labels = case
    model = model_of(kind)

    def check(drawn):
        check_batch(drawn)
        assert drawn.shape == (n, *SHAPE)
        if seed is not None:
            assert np.array_equal(drawn, model.sample(n, labels, seed))

    with unchanged(model) as results:
        results.append(outcome(lambda: model.sample(n, labels, seed), check=check))
    return results[0]
