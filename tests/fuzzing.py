"""Inputs that users get wrong, and for each entry of the package what may become of them.

A property is a function of one drawn input. It hands the input to the package and returns what came
of it: "success", or the name of the exception. It raises AssertionError if that is not documented:
another type of exception, a message that does not teach, a file or a model that was changed.
`PROPERTIES` lists all of them with the strategy that draws their inputs; `tests/test_fuzz.py` runs
a few inputs of each, `tests/benchmarks/fuzz_inputs.py` thousands.

Inputs are described, not held: a `Pictures` says shape, dtype, values and form, so that a failing
example can be read and typed in again.
"""

import atexit
import contextlib
import functools
import io
import os
import resource
import signal
import subprocess
import tempfile
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import keras
import ml_dtypes
import numpy as np
import tensorflow as tf
from hypothesis import strategies as st
from PIL import Image

from keras_imgen import GAN, VAE, Restorer, callbacks, cli, data, degradations, losses, metrics
from keras_imgen import load, load_arrays, load_folder, load_moving_digits, networks, plotting
from keras_imgen.cli import recipes
from keras_imgen.data import tfds

DOCUMENTED = (ValueError, TypeError, FloatingPointError)  # and OSError with all its subclasses
LONGEST = 1000  # characters of a message
SECONDS = 30.0  # for one input
# What the libraries below say to their own developers.
LEAKS = (
    "Traceback",
    "<tf.",
    "tf.Tensor",
    "EagerTensor",
    "KerasTensor",
    "{{",
    "[Op:",
    "Arguments received by",
    "Exception encountered when calling",
    "HDF5",
    "H5",
    "site-packages",
)


class StillRunning(BaseException):
    """Raised inside a call that takes too long; no `except Exception` keeps it."""


@contextlib.contextmanager
def time_limit(seconds=SECONDS):
    """Interrupt what takes longer."""

    def stop(*_):
        raise StillRunning

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def outcome(call, *paths, check=lambda result: None):
    """Return "success" or the name of a documented exception; `check` looks at the result.

    Args:
        call: function without arguments.
        *paths: the paths that were passed; a message may name one in place of "Received".
        check: function of what the call returned, which raises AssertionError if it is wrong.
    """
    try:
        with time_limit(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = call()
    except StillRunning:
        raise AssertionError(f"still running after {SECONDS:g} seconds") from None
    except Exception as error:
        if type(error) not in DOCUMENTED and not isinstance(error, OSError):
            text = f"{type(error).__name__} is not documented: {error}"
            raise AssertionError(text) from error
        check_message(error, paths)
        return type(error).__name__
    try:
        check(result)
    except AssertionError:
        raise
    except Exception as error:
        text = f"accepted, and of no use: {type(error).__name__}: {error}"
        raise AssertionError(text) from error
    return "success"


def check_message(error, paths=()):
    """Raise AssertionError unless the message is one short paragraph that says what was received."""
    text = str(error)
    named = [str(path) for path in paths if path not in ("", ".")]
    named += [repr(path)[1:-1] for path in named] + [Path(path).name for path in named]
    problems = {
        "is empty": not text.strip(),
        "has several lines": "\n" in text,
        f"is longer than {LONGEST} characters": len(text) > LONGEST,
        "does not say what was received": "Received" not in text
        and not any(name and name in text for name in named),
        **{f"leaks {leak!r}": leak in text for leak in LEAKS},
    }
    if found := [problem for problem, is_there in problems.items() if is_there]:
        kind = type(error).__name__
        raise AssertionError(f"the message of a {kind} {', '.join(found)}: {text}") from error


# --- Pictures ---------------------------------------------------------------------------------

SHAPE = (8, 9, 1)  # the smallest that all networks take, neither square nor even
TIME = 3

VALUES = {
    "in range": lambda rng, shape: rng.random(shape),
    "black": lambda rng, shape: np.zeros(shape),
    "white": lambda rng, shape: np.ones(shape),
    "denormal": lambda rng, shape: np.full(shape, 1e-310),
    "8 bits": lambda rng, shape: 255.0 * rng.random(shape),
    "[-1, 1]": lambda rng, shape: rng.uniform(-1.0, 1.0, shape),
    "just above": lambda rng, shape: np.full(shape, 1.001),
    "huge": lambda rng, shape: np.full(shape, 1e38),
    "NaN": lambda rng, shape: np.full(shape, np.nan),
    "one NaN": lambda rng, shape: _with_first(rng.random(shape), np.nan),
    "one infinite": lambda rng, shape: _with_first(rng.random(shape), np.inf),
    "one minus infinite": lambda rng, shape: _with_first(rng.random(shape), -np.inf),
}


def _with_first(values, value):
    values.reshape(-1)[:1] = value
    return values


DTYPES = (
    *("float64", "float16", "bfloat16", ">f4", "longdouble", "uint8", "int64", "uint16", "bool"),
    *("complex64", "object", "str", "bytes", "datetime64[s]", "f4,f4"),
)


def _dataset(array, size=2):
    return tf.data.Dataset.from_tensor_slices(array).batch(size)


class Batches(keras.utils.PyDataset):
    """A dataset of a user's own."""

    def __init__(self, array, endless=False):
        super().__init__()
        self.array, self.endless = array, endless

    @property
    def num_batches(self):
        return None if self.endless else -(-len(self.array) // 2)

    def __getitem__(self, index):
        return self.array[2 * index : 2 * index + 2]


# How pictures are handed over. Those of `BATCHED` are for `fit` and `evaluate` only.
FORMS = {
    "array": lambda array: array,
    "tensor": tf.convert_to_tensor,
    "list": list,
    "nested list": lambda array: array.tolist(),
    "masked array": np.ma.masked_array,
    "read only": lambda array: np.broadcast_to(array, array.shape),
    "reversed": lambda array: array[::-1, ..., ::-1],
    "columns first": np.asfortranarray,
    "variable": lambda array: keras.Variable(array),
    "sparse": lambda array: tf.sparse.from_dense(array),
    "ragged": lambda array: tf.RaggedTensor.from_tensor(array),
    "None": lambda array: None,
    "number": lambda array: 0.5,
    "text": lambda array: "digits",
    "path": lambda array: Path("digits"),
    "set": lambda array: {1, 2},
    "function": lambda array: len,
}
BATCHED = {
    "tuple": lambda array: (array, np.zeros(len(array))),
    "empty tuple": lambda array: (),
    "dict": lambda array: {"image": array},
    "dict without image": lambda array: {"picture": array, 3: array},
    "tf.data": _dataset,
    "tf.data, in tuples": lambda array: tf.data.Dataset.zip((_dataset(array), _dataset(array))),
    "tf.data, in dicts": lambda array: tf.data.Dataset.zip({"image": _dataset(array)}),
    "tf.data, not batched": tf.data.Dataset.from_tensor_slices,
    "tf.data, endless": lambda array: _dataset(array).repeat(),
    "tf.data, empty": lambda array: _dataset(array).take(0),
    "PyDataset": Batches,
    "PyDataset, endless": lambda array: Batches(array, endless=True),
    "generator": lambda array: (picture for picture in array),
    "load_arrays": lambda array: load_arrays(array, batch_size=2),
}


class Pictures(NamedTuple):
    """What an input is, in words."""

    shape: tuple
    dtype: str = "float32"
    values: str = "in range"
    form: str = "array"

    def array(self):
        """Return it as an array."""
        array = VALUES[self.values](np.random.default_rng(0), self.shape)
        dtype = ml_dtypes.bfloat16 if self.dtype == "bfloat16" else self.dtype
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if dtype == "datetime64[s]":
                return np.zeros(self.shape, dtype)
            return array.astype(dtype)

    def made(self):
        """Return it in its form; reject the input if TensorFlow or NumPy cannot even make it."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return (FORMS | BATCHED)[self.form](self.array())
        except Exception:
            return self.array()


def mostly(usual, odd):
    """Draw what is usual three times out of four, so that inputs with one fault are common."""
    return st.integers(0, 3).flatmap(lambda number: odd if number == 3 else usual)


@st.composite
def pictures(draw, shape=SHAPE, batched=False):
    """Draw pictures that are right in most respects, `shape` being that of one."""
    counts = mostly(st.integers(2, 5), st.sampled_from([0, 1, 7]))
    usual = counts.map(lambda count: (count, *shape))
    sides = st.sampled_from([0, 1, 2, 3, 4, 8, 9, 17])
    odd = st.one_of(
        st.lists(sides, max_size=6).map(tuple),
        st.sampled_from(
            [
                shape,
                (2, *shape[:-1]),
                (2, 1, *shape),
                (2, *shape[:-1], shape[-1] + 2),
                (2, *reversed(shape)),
                (1, 2000, 2000, 1),
                (2, 8, 8, 1),
            ]
        ),
    )
    forms = tuple(FORMS) + (tuple(BATCHED) if batched else ())
    return Pictures(
        draw(mostly(usual, odd)),
        draw(mostly(st.just("float32"), st.sampled_from(DTYPES))),
        draw(mostly(st.just("in range"), st.sampled_from(tuple(VALUES)))),
        draw(mostly(st.just("array"), st.sampled_from(forms))),
    )


# --- Options ----------------------------------------------------------------------------------

NAN = float("nan")
# What is passed where a number is meant.
SMALL = (0, -1, 1, 2, 1.5, 2.0, True, False, "x", "3", "", NAN, (1, 2), [], {}, b"x", 1j)
NUMBERS = (*SMALL, None, np.int64(2), np.float32(1.5), np.array([1, 2]), float("inf"), -float("inf"))
ENORMOUS = (10**12, 10**30, -(10**30), 1e300)

small_numbers = st.sampled_from(NUMBERS)
numbers = st.sampled_from((*NUMBERS, *ENORMOUS))


def options(most=2, **strategies):
    """Draw at most a few of the options: of many, the first would hide the others."""
    each = [st.tuples(st.just(name), values) for name, values in strategies.items()]
    return st.lists(st.one_of(each), max_size=most, unique_by=lambda pair: pair[0]).map(dict)


# --- Models -----------------------------------------------------------------------------------


def _gan():
    generator = networks.dcgan_generator(SHAPE, latent_dim=2, filters=2)
    model = GAN(generator, networks.dcgan_discriminator(SHAPE, filters=2), seed=0)
    model.compile()
    return model


def _vae():
    encoder = networks.vae_encoder(SHAPE, latent_dim=2, filters=2)
    model = VAE(encoder, networks.vae_decoder(SHAPE, latent_dim=2, filters=2), seed=0)
    model.compile()
    return model


def _restorer(network, degradation, **settings):
    model = Restorer(network, degradation, seed=0, **settings)
    model.compile()
    return model


MAKERS = {
    "gan": _gan,
    "vae": _vae,
    "denoiser": lambda: _restorer(
        networks.dncnn((None, None, 1), depth=3, filters=2),  # with batch normalisation
        degradations.AdditiveNoise(0.1, seed=0),
    ),
    "inpainter": lambda: _restorer(
        networks.unet((None, None, 1), extra_channels=1, depth=1, filters=2),
        degradations.MissingPixels(0.3, seed=0),
        keep_known=True,
    ),
    "sequence": lambda: _restorer(
        networks.conv_lstm(SHAPE, extra_channels=1, filters=2),
        degradations.MissingFrames(1, seed=0),
    ),
}


@functools.cache
def model_of(kind):
    """Return the one model of a kind; every property leaves it as it was."""
    keras.utils.set_random_seed(0)
    return MAKERS[kind]()


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


def _check_batch(batch):
    batch = np.asarray(batch)
    assert batch.dtype == "float32", batch.dtype
    assert batch.size, "an empty batch"
    assert batch.min() >= 0.0, "not in [0, 1]"
    assert batch.max() <= 1.0, "not in [0, 1]"


def _check_dataset(dataset):
    assert len(dataset) > 0
    for index in range(min(len(dataset), 3)):
        pictures_in, *_ = dataset[index]
        _check_batch(pictures_in)
        assert pictures_in.shape[1:] == dataset.image_shape


# --- fit, evaluate, restore, sample -----------------------------------------------------------


@st.composite
def fits(draw):
    """Draw a kind of model, pictures and options of `fit`."""
    kind = draw(st.sampled_from(tuple(MAKERS)))
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
    with unchanged(model, tolerated=("success", "FloatingPointError")) as results:
        results.append(outcome(lambda: model.fit(x, verbose=0, **chosen)))
    if before is not None and before.dtype.kind == "f":
        assert np.array_equal(x, before, equal_nan=True), "the pictures were changed"
    return results[0]


@st.composite
def evaluations(draw):
    """Draw a kind of model, pictures and options of `evaluate`."""
    kind = draw(st.sampled_from(tuple(MAKERS)))
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
        _check_batch(restored)
        assert restored.shape == (*observed.shape[:-1], 1)

    with unchanged(model) as results:
        results.append(outcome(lambda: model.restore(observed), check=check))
    return results[0]


def fuzz_reconstruct(given):
    """`VAE.reconstruct` returns as many pictures, or refuses."""
    model, x = model_of("vae"), given.made()

    def check(made):
        _check_batch(made)
        assert made.shape == tuple(x.shape)

    with unchanged(model) as results:
        results.append(outcome(lambda: model.reconstruct(x), check=check))
    return results[0]


samplings = st.tuples(
    st.sampled_from(["gan", "vae"]),
    mostly(st.integers(1, 70), numbers),
    mostly(st.integers(0, 2**40), numbers),
)


def fuzz_sample(case):
    """`sample` draws as many pictures as asked for, the same for one seed, or refuses."""
    kind, n, seed = case
    model = model_of(kind)

    def check(drawn):
        _check_batch(drawn)
        assert drawn.shape == (n, *SHAPE)
        if seed is not None:
            assert np.array_equal(drawn, model.sample(n, seed=seed))

    with unchanged(model) as results:
        results.append(outcome(lambda: model.sample(n, seed=seed), check=check))
    return results[0]


# --- Building and compiling -------------------------------------------------------------------

# What is called with one or two odd options; the others have these values. Sizes of networks are
# not drawn enormous: how much memory there is, is not theirs to know.
IMAGE_SHAPES = st.sampled_from(
    [(8, 9, 1), (8, 9), (8, 9, 0), (7, 9, 1), (None, None, 1), (8.0, 9, 1), "x", None, 8, ()]
)
CONSTRUCTORS = {
    networks.dncnn: {"image_shape": IMAGE_SHAPES, "depth": 3, "filters": 2, "extra_channels": 0},
    networks.unet: {"image_shape": IMAGE_SHAPES, "depth": 1, "filters": 2, "extra_channels": 0},
    networks.conv_lstm: {"image_shape": IMAGE_SHAPES, "filters": 2, "extra_channels": 0},
    networks.dcgan_generator: {"image_shape": IMAGE_SHAPES, "latent_dim": 2, "filters": 2},
    networks.dcgan_discriminator: {"image_shape": IMAGE_SHAPES, "dropout": 0.5, "filters": 2},
    networks.vae_encoder: {"image_shape": IMAGE_SHAPES, "latent_dim": 2, "filters": 2},
    networks.vae_decoder: {"image_shape": IMAGE_SHAPES, "latent_dim": 2, "filters": 2},
    degradations.AdditiveNoise: {"sigma": 0.1, "seed": 0},
    degradations.MissingPixels: {"fraction": 0.1, "seed": 0},
    degradations.MissingBlocks: {"fraction": 0.1, "block_size": 2, "seed": 0},
    degradations.MissingFrames: {"num_frames": 1, "seed": 0},
    degradations.Compose: {"degradations": [degradations.AdditiveNoise()]},
    callbacks.SampleGrid: {"n": 2, "scale": 2, "every": 1, "columns": 2, "seed": 0},
    callbacks.BeforeAfter: {"pictures": np.zeros((2, *SHAPE)), "n": 2, "every": 1},
    callbacks.TrainingGif: {"folder": "samples", "seconds": 0.1},
    load_moving_digits: {
        **{"num_sequences": 2, "num_frames": 2, "size": 32, "num_digits": 1, "batch_size": 2},
        "seed": 0,
    },
}
ENORMOUS_TOO = (callbacks.SampleGrid, load_moving_digits)


@st.composite
def constructions(draw):
    """Draw what is to be built, and odd values for one or two of its options."""
    built = draw(st.sampled_from(tuple(CONSTRUCTORS)))
    usual = CONSTRUCTORS[built]
    values = numbers if built in ENORMOUS_TOO else small_numbers
    odd = {k: v if isinstance(v, st.SearchStrategy) else values for k, v in usual.items()}
    return built, draw(options(**odd))


def fuzz_construct(case):
    """Networks, degradations, callbacks and moving digits are built and work, or are refused."""
    built, chosen = case
    usual = {
        name: SHAPE if isinstance(value, st.SearchStrategy) else value
        for name, value in CONSTRUCTORS[built].items()
    }

    def call():
        made = built(**{**usual, **chosen})
        if isinstance(made, degradations.Degradation):
            made(np.zeros((2, TIME, *SHAPE), "float32"))
        elif isinstance(made, data.PictureDataset):
            _check_dataset(made)
        elif isinstance(made, callbacks.SampleGrid):
            made.set_model(model_of("gan"))
            made.on_train_begin()
            made.on_epoch_end(0)

    return outcome(call)


@st.composite
def compilations(draw):
    """Draw a model with odd settings and odd arguments of `compile`."""
    kind = draw(st.sampled_from(["gan", "vae", "denoiser"]))
    odd = st.sampled_from(["x", 3, keras.optimizers.Adam, None, "adam", [], NAN, -1.0])
    names = ("generator_optimizer", "discriminator_optimizer") if kind == "gan" else ("optimizer",)
    flags = ("run_eagerly", "jit_compile", "steps_per_execution")
    settings = {
        "gan": {"ema_momentum": numbers, "generator": odd, "discriminator": odd},
        "vae": {"kl_weight": numbers, "encoder": odd, "decoder": odd},
        "denoiser": {"keep_known": numbers, "network": odd, "degradation": odd},
    }
    arguments = dict.fromkeys((*names, "loss"), odd) | dict.fromkeys(flags, small_numbers)
    chosen = draw(options(1, seed=numbers, name=st.sampled_from(["a/b", "x", 3]), **settings[kind]))
    return kind, chosen, draw(options(**arguments))


PARTS = {
    "gan": (GAN, ("generator", "discriminator"), {}),
    "vae": (VAE, ("encoder", "decoder"), {}),
    "denoiser": (Restorer, ("network", "degradation"), {}),
}


def fuzz_compile(case):
    """Models are made and compiled, or refused."""
    kind, chosen, arguments = case
    cls, names, _ = PARTS[kind]
    # Fresh networks: an optimizer must never meet those of another model.
    parts = {name: getattr(model_of(kind), name) for name in names}
    return outcome(lambda: cls(**{**parts, **chosen}).compile(**arguments))


# --- Metrics and losses -----------------------------------------------------------------------

FORMULAS = (
    *(metrics.psnr, metrics.ssim, losses.bernoulli_nll, losses.gaussian_nll),
    *(data.check_pictures, data.to_float, data.to_uint8),
)


def fuzz_formula(case):
    """A figure is a finite number per picture, or refused."""
    formula, first, second = case
    given = [first.made(), second.made()][: 1 if formula in FORMULAS[4:] else 2]
    return outcome(lambda: formula(*given))


formulas = st.tuples(
    st.sampled_from(FORMULAS), pictures((12, 13, 1)), mostly(pictures((12, 13, 1)), pictures())
)

# --- Files ------------------------------------------------------------------------------------


@functools.cache
def _files():
    """Return the content of the files that lie in a `zoo`."""
    pixels = np.random.default_rng(0).integers(0, 256, (10, 11, 3), "uint8")

    def encoded(image, kind="PNG", **settings):
        buffer = io.BytesIO()
        image.save(buffer, kind, **settings)
        return buffer.getvalue()

    grey, colour = Image.fromarray(pixels[..., 0]), Image.fromarray(pixels)
    frames = [grey, Image.fromarray(pixels[..., 1])]
    png = encoded(grey)
    enormous = png[:16] + (60000).to_bytes(4) + (60000).to_bytes(4) + png[24:]
    return {
        "grey/a.png": png,
        "grey/b.png": encoded(frames[1]),
        "grey/c.PNG": png,
        "colour/a.png": encoded(colour),
        "colour/b.jpg": encoded(colour, "JPEG"),
        "mixed/grey.png": png,
        "mixed/colour.jpeg": encoded(colour, "JPEG"),
        "sizes/a.png": png,
        "sizes/b.png": encoded(grey.resize((5, 30))),
        "sizes/point.png": encoded(grey.resize((1, 1))),
        "damaged/a.png": png,
        "damaged/empty.png": b"",
        "damaged/text.png": b"no picture\n",
        "damaged/cut.png": png[: len(png) // 2],
        "damaged/flipped.png": png[:60] + b"\xff\x00" + png[62:],
        "broken/cut.jpg": encoded(colour, "JPEG")[:300],
        "enormous/a.png": enormous,
        "kinds/palette.png": encoded(colour.convert("P"), transparency=0),
        "kinds/alpha.png": encoded(colour.convert("RGBA")),
        "kinds/bits.png": encoded(grey.convert("1")),
        "kinds/deep.png": encoded(grey.convert("I;16")),
        "kinds/cmyk.jpg": encoded(colour.convert("CMYK"), "JPEG"),
        "kinds/tiff.png": encoded(grey.convert("F"), "TIFF"),
        "kinds/moves.png": encoded(grey, save_all=True, append_images=frames),
        "日本語 ünï 🎨/ä b.png": png,
        "hidden/.a.png": png,
        "none/readme.txt": b"nothing here",
        "old.png": png,
        "old.txt": b"an old text",
        "old/notes.txt": b"notes",
    }


class Zoo(NamedTuple):
    """A folder of odd files, and the names of those that may be replaced."""

    folder: Path
    replaced: set


@contextlib.contextmanager
def zoo(more=None):
    """Be in a folder with files and links of all kinds; check that what was there stays.

    Args:
        more: further files and their content, by name.
    """
    with tempfile.TemporaryDirectory(prefix="zoo-") as outside, contextlib.chdir(outside):
        folder = Path(outside) / "inside"  # so that ".." is harmless
        for name, content in (_files() | (more or {})).items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        os.chdir(folder)
        (folder / "empty").mkdir()
        (folder / "folder.png").mkdir()
        (folder / "loops").mkdir()
        for link, target in LINKS.items():
            (folder / link).symlink_to(target)
        os.mkfifo(folder / "pipe.png")
        before = snapshot(folder)
        yield (here := Zoo(folder, set()))
        after = snapshot(folder)
        for name, content in before.items():
            replaced = name in here.replaced and (isinstance(content, bytes | tuple))
            assert replaced or after.get(name) == content, f"{name} was there and was changed"
        unfinished = [name for name in after if "unfinished" in name]
        assert not unfinished, f"left behind: {unfinished}"
        for name in after.keys() - before.keys():
            _check_whole(folder / name)


LINKS = {
    "loop": "loop",
    "loop.png": "loop.png",
    "loops/again": "../loops",
    "loops/a.png": "b.png",
    "loops/b.png": "a.png",
    "nowhere.png": "not/there.png",
    "device.png": "/dev/full",
    "linked": "grey",
    "linked.png": "grey/a.png",
}
PATHS = (
    *("grey", "colour", "mixed", "sizes", "damaged", "broken", "enormous", "kinds", "hidden"),
    *("日本語 ünï 🎨", "none", "old.png", "old.txt", "old", "empty", "folder.png", "loops", "pipe.png"),
    *LINKS,
    *("", ".", "..", "not there", "a" * 300, "a/" * 200 + "b", "nul\0byte", "~nobody-here/x", "-n"),
    *("two\nlines", "\udc80", "grey/../grey", "old.png/x", "loop/x.png", "grey/a.png", "🎨.png"),
    *("/dev/null/x", "/proc/x", "damaged/cut.png", "kinds/deep.png", "enormous/a.png", "new.png"),
)
paths = st.sampled_from(PATHS)
odd_paths = mostly(paths, st.sampled_from([None, 3, b"grey", Path("grey"), ["grey"], NAN, True]))


def snapshot(folder):
    """Return what lies below a folder: content of files, target of links, kind of the rest."""
    found = {}
    for root, folders, files in os.walk(folder):
        for name in folders + files:
            path = Path(root) / name
            if path.is_symlink():
                content = ("link", os.readlink(path))
            elif path.is_file():
                content = path.read_bytes()
            else:
                content = "folder" if path.is_dir() else "other"
            found[str(path.relative_to(folder))] = content
    return found


def _check_whole(path):
    """Raise AssertionError if a new picture, model or notebook is not whole."""
    if path.suffix in (".png", ".gif"):
        with Image.open(path) as image:
            for index in range(getattr(image, "n_frames", 1)):
                image.seek(index)
                image.load()
    elif path.suffix == ".keras":
        assert zipfile.ZipFile(path).testzip() is None, f"{path} is damaged"


def texts_in(values):
    """Return the texts and paths among values, which a message may name."""
    return [str(value) for value in values if isinstance(value, str | Path)]


# --- Loading ----------------------------------------------------------------------------------

dataset_options = {"batch_size": numbers, "seed": numbers}
labels = st.one_of(
    st.none(),
    st.integers(0, 6).map(lambda count: list(range(count))),
    st.sampled_from(["abc", 3, NAN, [None] * 3, [[1, 2], [3]], {}, np.zeros((3, 2)), range(3)]),
)


def fuzz_load_arrays(case):
    """`load_arrays` serves every picture as it was given, or refuses."""
    given, labels_given, chosen = case
    return outcome(
        lambda: load_arrays(given.made(), labels_given, **chosen), check=_check_dataset
    )


sizes = mostly(st.sampled_from([8, (8, 9), None]), numbers)
channels = mostly(st.sampled_from([None, 1, 3]), numbers)


def fuzz_load_folder(case):
    """`load_folder` serves pictures in [0, 1], or refuses; nothing there changes."""
    path, chosen = case
    with zoo():
        return outcome(
            lambda: load_folder(path, **chosen),
            *texts_in([path]),
            check=_check_dataset,
        )


SETS = ("digits", "photos", "moving_digits", "mnist", "mnist:9.9.9", "no_set", "")
names = mostly(st.sampled_from(SETS), st.one_of(odd_paths, st.text(max_size=40)))
splits = mostly(
    st.sampled_from(["train", "test"]),
    st.sampled_from(["train[:1%]", "x", "", "all", None, 3, b"train", ["train"], "日本"]),
)


def fuzz_load(case):
    """`load` serves a set by its name, or refuses; without a network and within seconds."""
    name, split, chosen = case
    with zoo() as here, offline():
        return outcome(
            lambda: load(name, split, data_dir=here.folder, **chosen),
            *texts_in([name, split, here.folder]),
            check=_check_dataset,
        )


def offline():
    """Let TFDS's server be out of reach, so that no test depends on a network."""
    return mock.patch.object(tfds, "is_reachable", lambda timeout=3.0: False)


# --- Drawing and writing ----------------------------------------------------------------------

outputs = mostly(st.sampled_from(["new.png", "new/folder/🎨.png", "new.gif"]), odd_paths)


@st.composite
def drawings(draw):
    """Draw pictures, a function that writes them, its path and its options."""
    function = draw(st.sampled_from([plotting.save_grid, plotting.save_gif]))
    both = {"columns": numbers, "padding": numbers, "scale": numbers}
    own = {"seconds": numbers, "scale": numbers}
    chosen = draw(options(**(both if function is plotting.save_grid else own)))
    return function, draw(outputs), draw(pictures()), chosen


def fuzz_draw(case):
    """`save_grid` and `save_gif` write a whole file, or refuse and change none."""
    function, path, given, chosen = case
    with zoo() as here:
        result = outcome(
            lambda: function(path, given.made(), **chosen), *texts_in([path, here.folder])
        )
        if result == "success":  # a file that was named is replaced: so it is meant
            here.replaced.add(os.path.normpath(path))
        return result


# --- The command ------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60)
words = st.one_of(paths.filter(lambda path: "\0" not in path), texts)
counts = mostly(
    st.sampled_from(["1", "2", "8", "16"]),
    st.sampled_from(["0", "-1", "1.5", "x", "", "nan", "1e3", "٣", "1_0", "9" * 30, "9" * 5000]),
)
model_files = mostly(
    st.sampled_from(["gan.keras", "denoiser.keras", "inpainter.keras", "sequence.keras"]), words
)
new_outputs = mostly(st.sampled_from(["new.png", "new/deep/x.png", "🎨.png"]), words)


@st.composite
def commands(draw):
    """Draw the arguments of the command `keras-imgen`."""
    command = draw(
        st.sampled_from(["sample", "restore", "train", "demo", "tutorials", "doctor", "odd"])
    )
    if command == "odd":
        return draw(st.lists(st.one_of(words, st.sampled_from(["--out", "-n", "sample"]))))

    def some(**flags):
        chosen = draw(options(3, **flags))
        return [text for flag, value in chosen.items() for text in (flag, value) if text]

    if command == "sample":
        flags = {"-n": counts, "--seed": counts, "--scale": counts, "--out": new_outputs}
        return [command, draw(model_files), *some(**flags)]
    if command == "restore":
        given = draw(st.lists(mostly(paths.filter(lambda p: "\0" not in p), words), max_size=3))
        flags = {"--mask": words, "--degrade": st.just(""), "--out": new_outputs}
        return [command, draw(model_files), *given, *some(**flags)]
    if command == "train":
        family = draw(mostly(st.sampled_from(cli.FAMILIES), words))
        places = mostly(st.sampled_from(["grey", "colour", "digits", "moving_digits"]), words)
        flags = {
            **dict.fromkeys(["--size", "--crops", "--batch-size", "--seed"], counts),
            "--channels": mostly(st.sampled_from(["1", "3"]), counts),
            "--data": places,
            "--out": new_outputs,
        }
        return [command, family, "--epochs", draw(mostly(st.just("1"), counts)), *some(**flags)]
    if command == "demo":  # never a folder that is free: it would train for minutes
        taken = st.sampled_from(["grey", "old.png", "old", "/dev/null/x", "old.png/x", "loop/x"])
        return [command, "--out", draw(taken), *some(**{"--seed": counts, "--epochs": counts})]
    return [command, *([draw(new_outputs)] if command == "tutorials" else [])]


@functools.cache
def tiny_recipes():
    """Return the recipes of `train` with the smallest networks, so that a training is cheap."""

    def build(family):
        def make(image_shape, steps, seed):
            model = model_of(families[family])
            if tuple(image_shape) != shape_for(families[family]):
                raise ValueError(f"Received: {image_shape}, which the tiny networks do not take.")
            return model

        return make

    families = dict(zip(cli.FAMILIES, MAKERS, strict=True))
    return {name: replace(r, build=build(name)) for name, r in recipes.RECIPES.items()}


def run_command(argv):
    """Return exit status, standard output and standard error of the command."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = cli.main(argv)
        except SystemExit as stop:
            status = stop.code
    return status, out.getvalue(), err.getvalue()


def fuzz_command(argv):
    """The command ends with 0, or with 1 or 2 and one or two lines that say why."""
    kinds = ("gan", "denoiser", "inpainter", "sequence")
    files = {f"{kind}.keras": file_of(kind) for kind in kinds}
    with zoo(files), offline(), mock.patch.dict(recipes.RECIPES, tiny_recipes()):
        return exit_of(argv)


def exit_of(argv):
    """Run the command and return its exit status in words, after a check of what it said."""
    try:
        with time_limit(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            status, _, err = run_command(argv)
    except StillRunning:
        raise AssertionError(f"still running after {SECONDS:g} seconds") from None
    except Exception as error:
        raise AssertionError(f"a traceback of {type(error).__name__}: {error}") from error
    lines = [line for line in err.splitlines() if line.strip()]
    assert status in (0, 1, 2), f"exit status {status}"
    if status == 0:
        assert not lines, f"exit status 0, and on stderr: {err}"
        return "success"
    if lines and lines[0].startswith("usage:"):  # argparse's own, which wraps with the window
        lines = [line for line in lines if ": error:" in line]
    assert 1 <= len(lines) <= 2, f"{len(lines)} lines on stderr: {err}"
    assert len(err) < 2 * LONGEST, f"{len(err)} characters on stderr: {err}"
    assert lines[-1].startswith("keras-imgen"), err
    leaks = [leak for leak in LEAKS if leak in err]
    assert not leaks, f"leaks {leaks}: {err}"
    return f"exit {status}"


# --- Files of models --------------------------------------------------------------------------


def _flipped(content, place):
    index = int(place * (len(content) - 1))
    return content[:index] + bytes([content[index] ^ 0x10]) + content[index + 1 :]


def _member_replaced(content, place, new):
    """Return a .keras file in which one member is something else."""
    source, target = zipfile.ZipFile(io.BytesIO(content)), io.BytesIO()
    names = source.namelist()
    chosen = names[int(place * (len(names) - 1))]
    with zipfile.ZipFile(target, "w") as file:
        for name in names:
            if name != chosen or new is not None:
                file.writestr(name, new if name == chosen else source.read(name))
    return target.getvalue()


def _other_zip(content, place):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as file:
        file.writestr("readme.txt", "something else")
    return target.getvalue()


DAMAGE = {
    "none": lambda content, place: content,
    "flipped": _flipped,
    "cut": lambda content, place: content[: int(place * len(content))],
    "random bytes": lambda content, place: np.random.default_rng(int(1e6 * place)).bytes(500),
    "longer": lambda content, place: content + b"\0" * 100,
    "zeros inside": lambda content, place: (
        content[: int(place * len(content))] + bytes(64) + content[int(place * len(content)) + 64 :]
    ),
    "another zip": _other_zip,
    "a part left out": lambda content, place: _member_replaced(content, place, None),
    "a part emptied": lambda content, place: _member_replaced(content, place, b""),
    "a part of nonsense": lambda content, place: _member_replaced(content, place, b"{}"),
}
model_damages = st.tuples(
    st.sampled_from(["gan", "denoiser"]),
    st.sampled_from(tuple(DAMAGE)),
    st.floats(0.0, 1.0, width=16),
)


def fuzz_model_file(case):
    """A model's file is used as it was saved, or refused in one or two lines."""
    kind, damage, place = case
    files = {"damaged.keras": DAMAGE[damage](file_of(kind), place)}
    argv = {"gan": ["sample", "damaged.keras", "-n", "1"], "denoiser": ["restore", "damaged.keras"]}
    more = ["grey/a.png", "--degrade"] if kind == "denoiser" else ["--seed", "0"]
    with zoo(files):
        result = exit_of([*argv[kind], *more])
        assert result == "success" or damage != "none"
        return result


# --- Full disks and folders that are read only ------------------------------------------------


def _run_samples(folder):
    """Write pictures and their film as a training does."""
    shown = callbacks.SampleGrid(folder, n=2, scale=4, show=False)
    film = callbacks.TrainingGif(folder, folder / "film.gif")
    for callback in (shown, film):
        callback.set_model(model_of("gan"))
        callback.on_train_begin()
    shown.on_epoch_end(0)
    film.on_train_end()


def _command(*argv):
    """Return a writer that runs the command, its error raised for `outcome` to see."""

    def write(folder):
        status, _, err = run_command([text.replace("FOLDER", str(folder)) for text in argv])
        if status:
            assert status in (1, 2), status
            raise OSError(err.strip())

    return write


NOISE = np.random.default_rng(0).random((4, *SHAPE), "float32")
# What writes into a folder: all of them new files, and `old.png` in place of the old one.
WRITERS = {
    "save_grid": lambda folder: plotting.save_grid(folder / "old.png", NOISE, scale=8),
    "save_grid, new folder": lambda folder: plotting.save_grid(folder / "new" / "a.png", NOISE),
    "save_gif": lambda folder: plotting.save_gif(folder / "old.png.gif", NOISE, scale=8),
    "SampleGrid, TrainingGif": _run_samples,
    "model.save": lambda folder: model_of("gan").save(folder / "old.keras"),
    "sample": _command("sample", "gan.keras", "-n", "2", "--out", "FOLDER/new.png"),
    "restore": _command(
        "restore", "denoiser.keras", "grey/a.png", "--degrade", "--out", "FOLDER/restored"
    ),
    "tutorials": _command("tutorials", "FOLDER/notebooks"),
}


@contextlib.contextmanager
def file_limit(folder, room):
    """Let no file grow beyond `room` bytes: the disk is full to the process that writes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@functools.cache
def small_disk():
    """Return a file system of 128 KiB of its own, or None where mounting is not permitted."""
    folder = Path(tempfile.mkdtemp(prefix="disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        folder.rmdir()
        return None

    def unmount():
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()

    atexit.register(unmount)
    return folder


@contextlib.contextmanager
def disk_filled(folder, room):
    """Fill the file system of a folder up to `room` bytes, to be rounded up to whole pages."""
    filler = folder / "filler"
    free = os.statvfs(folder)
    filler.write_bytes(bytes(max(0, free.f_bavail * free.f_frsize - 4096 * -(-room // 4096))))
    try:
        yield
    finally:
        filler.unlink()


@contextlib.contextmanager
def read_only(folder, room=None):
    """Let nobody write to a folder; root, whom no permission stops, becomes nobody meanwhile."""
    modes = {path: path.stat().st_mode for path in (folder, *folder.rglob("*"))}
    for path in modes:
        path.chmod(0o555 if path.is_dir() else 0o444)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        for path, mode in modes.items():
            path.chmod(mode)


full_disks = st.tuples(
    st.sampled_from(["file limit", "disk"]),
    st.sampled_from(tuple(WRITERS)),
    st.one_of(st.just(0), st.integers(1, 400), st.integers(400, 20_000)),
)


def fuzz_full_disk(case):
    """What does not fit on the disk leaves it as it was, with one OSError."""
    kind, writer, room = case
    disk = small_disk() if kind == "disk" else None
    full = disk_filled if disk else file_limit
    return _write_where(full, writer, room, disk)


def fuzz_read_only(writer):
    """What may not be written is one OSError, and nothing changes."""
    result = _write_where(read_only, writer, None)
    assert result != "success", "written into a folder that is read only"
    return result


def _write_where(obstacle, writer, room, disk=None):
    """Write into a folder that holds old files, with an obstacle in the way."""
    with contextlib.ExitStack() as stack:
        here = stack.enter_context(tempfile.TemporaryDirectory(dir=disk))
        os.chmod(here, 0o755)  # for others than root to look into
        folder = Path(here) / "results"
        folder.mkdir()
        for name in ("old.png", "old.png.gif", "old.keras"):
            (folder / name).write_bytes(b"an old file")
        inputs = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        inputs.chmod(0o755)
        (inputs / "grey").mkdir()
        (inputs / "grey" / "a.png").write_bytes(_files()["grey/a.png"])
        for name in ("gan", "denoiser"):
            (inputs / f"{name}.keras").write_bytes(file_of(name))
        stack.enter_context(contextlib.chdir(inputs))
        before = snapshot(folder)

        def write():
            with obstacle(folder, room):
                WRITERS[writer](folder)

        result = outcome(write, here)
        after = snapshot(folder)
        if result == "success":
            assert after != before
            for name in after.keys() - before.keys():
                _check_whole(folder / name)
        else:
            for name, content in before.items():
                assert after.get(name) == content, f"{name} was changed"
            for name in after.keys() - before.keys():
                _check_whole(folder / name)
        assert not [name for name in after if "unfinished" in name], sorted(after)
        return result


# --- All --------------------------------------------------------------------------------------


class Property(NamedTuple):
    """What is checked, the strategy of its inputs, and its share of all inputs."""

    check: callable
    inputs: st.SearchStrategy
    share: int


PROPERTIES = {
    "fit": Property(fuzz_fit, fits(), 6),
    "evaluate": Property(fuzz_evaluate, evaluations(), 3),
    "restore": Property(fuzz_restore, observations(), 4),
    "reconstruct": Property(fuzz_reconstruct, pictures(), 2),
    "sample": Property(fuzz_sample, samplings, 3),
    "construct": Property(fuzz_construct, constructions(), 4),
    "compile": Property(fuzz_compile, compilations(), 2),
    "formula": Property(fuzz_formula, formulas, 4),
    "load_arrays": Property(
        fuzz_load_arrays,
        st.tuples(st.one_of(pictures(), pictures((TIME, *SHAPE))), labels, options(**dataset_options)),
        4,
    ),
    "load_folder": Property(
        fuzz_load_folder,
        st.tuples(
            odd_paths, options(size=sizes, crops=numbers, channels=channels, **dataset_options)
        ),
        4,
    ),
    "load": Property(
        fuzz_load,
        st.tuples(
            names,
            splits,
            options(size=sizes, crops=small_numbers, channels=channels, **dataset_options),
        ),
        3,
    ),
    "draw": Property(fuzz_draw, drawings(), 4),
    "command": Property(fuzz_command, commands(), 4),
    "model file": Property(fuzz_model_file, model_damages, 2),
    "full disk": Property(fuzz_full_disk, full_disks, 2),
    "read only": Property(fuzz_read_only, st.sampled_from(tuple(WRITERS)), 1),
}
