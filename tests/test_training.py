"""What `fit` and `evaluate` make of their input: the bad is refused with advice, the good works.

Each refusal comes before a weight has changed, and names what was received and what to do.
"""

import functools
import itertools
import math
import re

import keras
import numpy as np
import pytest
from keras.src.backend.tensorflow.trainer import TFEpochIterator

import keras_imgen
from keras_imgen import GAN, VAE, Diffusion, Restorer, degradations, networks
from keras_imgen.models import Batch
from keras_imgen.training.guard import Guard
from keras_imgen.training.sets import Share

SHAPE = (12, 20, 1)
CLEAN = np.random.default_rng(0).random((8, *SHAPE), "float32")


def gan_networks(shape=SHAPE):
    generator = networks.dcgan_generator(shape, latent_dim=2, filters=2)
    return generator, networks.dcgan_discriminator(shape, filters=2)


def vae_networks(shape=SHAPE):
    encoder = networks.vae_encoder(shape, latent_dim=2, filters=2)
    return encoder, networks.vae_decoder(shape, latent_dim=2, filters=2)


def make_gan():
    model = GAN(*gan_networks(), seed=0)
    model.compile(run_eagerly=True)
    return model


def make_vae():
    model = VAE(*vae_networks(), seed=0)
    model.compile(run_eagerly=True)
    return model


def make_restorer():
    network = networks.dncnn((12, 20, 1), depth=3, filters=2, batch_norm=True)
    model = Restorer(network, degradations.AdditiveNoise(0.1, seed=0), seed=0)
    model.compile(run_eagerly=True)
    return model


def make_diffusion():
    model = Diffusion(networks.diffusion_unet(SHAPE, (2,)), seed=0)
    model.compile(run_eagerly=True)
    return model


MODELS = {
    "gan": make_gan,
    "vae": make_vae,
    "diffusion": make_diffusion,
    "restorer": make_restorer,
}


class Batches(keras.utils.PyDataset):
    """A data set of a user's own; an endless one if `count` is None."""

    def __init__(self, values, size=4, endless=False):
        super().__init__()
        self.values, self.size, self.endless = values, size, endless

    @property
    def num_batches(self):
        return None if self.endless else -(-len(self.values) // self.size)

    def __getitem__(self, index):
        index %= max(1, -(-len(self.values) // self.size))
        return (self.values[index * self.size : (index + 1) * self.size],)


def stream(values, size=4):
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices(values).batch(size)


CONTAINERS = {"array": lambda values: values, "stream": stream, "own": Batches}


def refused(error, advice, call, model=None):
    """Check that a call is answered by what was received and this advice, and does no harm."""
    before = [] if model is None else model.get_weights()
    with pytest.raises(error, match=advice) as caught:
        call()
    assert "Received: " in str(caught.value)
    after = [] if model is None else model.get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def with_nan(values):
    values = values.copy()
    values[0, 3, 5] = np.nan
    return values


BAD_PICTURES = {
    "0 to 255": (CLEAN * 255, ValueError, r"\[0, 255\] by 255"),
    "-1 to 1": (CLEAN * 2 - 1, ValueError, r"\[-1, 1\] with \(x \+ 1\) / 2"),
    "8 bits": ((CLEAN * 255).astype("uint8"), ValueError, "to_float"),
    "not a number": (with_nan(CLEAN), ValueError, "np.isfinite finds them"),
    "infinite": (np.where(CLEAN > 0.9, np.inf, CLEAN), ValueError, "np.isfinite finds them"),
    "no channel axis": (CLEAN[..., 0], ValueError, r"\[\.\.\., None\]"),
    "wrong size": (CLEAN[:, :8], ValueError, r"Received: shape=\(., 8, 20, 1\).* `size`"),
    "wrong channels": (CLEAN.repeat(3, -1), ValueError, r"\(., 12, 20, 3\).* `channels`"),
    "sequences": (CLEAN[None], ValueError, r"must have shape \(batch, height, width, channels\)"),
    "none at all": (CLEAN[:0], ValueError, "holds no picture"),
}


@pytest.fixture(scope="module")
def vae():
    """One model for all: refused input leaves it as it was."""
    return make_vae()


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("case", BAD_PICTURES)
def test_bad_pictures_are_refused(case, container, vae):
    values, error, advice = BAD_PICTURES[case]
    if case == "sequences" and container != "array":
        values = np.stack([CLEAN, CLEAN])
    bad = CONTAINERS[container](values)
    refused(error, advice, lambda: vae.fit(bad, verbose=0), vae)
    held_out = "(?s)`validation_data`.*" + advice
    refused(error, held_out, lambda: vae.fit(CLEAN, validation_data=bad, verbose=0), vae)
    refused(error, advice, lambda: vae.evaluate(bad, verbose=0), vae)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_refuses_them(name):
    model = MODELS[name]()
    refused(ValueError, "by 255", lambda: model.fit(CLEAN * 255, verbose=0), model)
    refused(ValueError, "by 255", lambda: model.evaluate(CLEAN * 255, verbose=0), model)


def generator_of_batches():
    while True:
        yield CLEAN


OTHER_MISTAKES = {
    "a list of pictures": (lambda: list(CLEAN), {}, TypeError, "np.stack"),
    "a single picture": (lambda: CLEAN[0], {}, ValueError, r"`\[None\]`"),
    "nothing": (lambda: None, {}, TypeError, "must be one array"),
    "a stream without batches": (
        lambda: stream(CLEAN).unbatch(),
        {},
        ValueError,
        r"`\.batch\(32\)`",
    ),
    "a Python generator": (generator_of_batches, {}, TypeError, "keras.utils.PyDataset"),
    "a dict without pictures": (
        lambda: stream({"x": CLEAN}),
        {},
        ValueError,
        r"under \"image\". Received: keys \['x'\]",
    ),
    "an endless stream": (
        lambda: stream(CLEAN).repeat(),
        {},
        ValueError,
        r"`steps_per_epoch`.*\.repeat\(\)",
    ),
    "an endless data set": (
        lambda: Batches(CLEAN, endless=True),
        {},
        ValueError,
        "steps_per_epoch",
    ),
    "labels": (
        lambda: CLEAN,
        {"y": np.arange(8)},
        ValueError,
        "`y`. Pass the clean pictures as `x` only",
    ),
    "weights": (lambda: CLEAN, {"sample_weight": np.ones(8)}, ValueError, "`sample_weight`"),
    "class weights": (lambda: CLEAN, {"class_weight": {0: 1.0}}, ValueError, "`class_weight`"),
    "a batch size for batches": (
        lambda: stream(CLEAN),
        {"batch_size": 8},
        ValueError,
        r"batch_size=8 for a dataset.*load\(name, batch_size=\.\.\.\)",
    ),
    "a share of 20": (
        lambda: CLEAN,
        {"validation_split": 20},
        ValueError,
        "or a fifth of them pass 0.2",
    ),
    "a share of a stream": (
        lambda: stream(CLEAN),
        {"validation_split": 0.2},
        ValueError,
        "Pass `validation_data` instead",
    ),
    "a callback's class": (
        lambda: CLEAN,
        {"callbacks": [keras_imgen.callbacks.SampleGrid]},
        TypeError,
        "If that is a class, call it",
    ),
}


@pytest.mark.parametrize("case", OTHER_MISTAKES)
def test_other_mistakes_are_refused(case, vae):
    make, options, error, advice = OTHER_MISTAKES[case]
    refused(error, advice, lambda: vae.fit(make(), verbose=0, **options), vae)


def test_evaluate_and_validation_refuse_mistakes_too(vae):
    model = vae
    endless = stream(CLEAN).repeat()
    refused(ValueError, "`steps`", lambda: model.evaluate(endless, verbose=0), model)
    refused(ValueError, "`y`", lambda: model.evaluate(CLEAN, np.arange(8), verbose=0), model)
    advice = "`validation_data` never ends.*`validation_steps`"
    refused(ValueError, advice, lambda: model.fit(CLEAN, validation_data=endless, verbose=0), model)


COUNTS = ("epochs", "initial_epoch", "steps_per_epoch", "validation_steps", "batch_size")
COUNTS += ("validation_freq", "validation_batch_size", "validation_split")


@pytest.mark.parametrize("wrong", [1j, {}, "3", 1.5, (1, 2), math.nan, math.inf, np.ones(2), True])
def test_numbers_that_are_none_are_refused(wrong, vae):
    for name in COUNTS:
        call = functools.partial(vae.fit, CLEAN, validation_data=CLEAN, verbose=0, **{name: wrong})
        refused(ValueError, "Received: (validation_)?[a-z_]+=", call, vae)
    for name in ("steps", "batch_size"):
        call = functools.partial(vae.evaluate, CLEAN, verbose=0, **{name: wrong})
        refused(ValueError, f"`{name}` must be a whole number, at least 1", call, vae)


def test_whole_numbers_of_any_type_are_counts(vae):
    vae.fit(CLEAN, epochs=3.0, initial_epoch=np.int64(2), steps_per_epoch=2.0, verbose=0)
    data = {"validation_data": CLEAN, "validation_steps": None}
    history = vae.fit(CLEAN, epochs=2, verbose=0, validation_freq=[2], **data)
    assert len(history.history["val_loss"]) == 1


def test_odd_containers_are_refused(vae):
    import tensorflow as tf

    mixed = {"picture": CLEAN, 3: CLEAN}
    refused(ValueError, r"keys \['picture', 3\]", lambda: vae.fit(mixed, verbose=0), vae)
    call = functools.partial(vae.fit, validation_split=0.5, verbose=0)
    refused(TypeError, "must be one array", lambda: call(tf.sparse.from_dense(CLEAN)), vae)
    refused(ValueError, r"shape \(batch, .*shape=\(\)", lambda: call(np.array(0.5)), vae)


@pytest.mark.parametrize("name", MODELS)
def test_fit_before_compile_says_so(name):
    model = MODELS[name]()
    model = type(model).from_config(model.get_config())
    with pytest.raises(ValueError, match=r"compile\(\)"):
        model.fit(CLEAN, verbose=0)


@pytest.mark.parametrize(("container", "eagerly"), [("own", True), ("stream", False)])
@pytest.mark.parametrize("name", ["gan", "restorer"])
def test_a_batch_of_one_picture_is_refused(name, eagerly, container):
    # Batch normalisation would turn it into zeros.
    model = MODELS[name]()
    model.compile(run_eagerly=eagerly)
    single = CONTAINERS[container](CLEAN[:1])
    advice = "leaves no single picture over"
    refused(ValueError, advice, lambda: model.fit(single, verbose=0), model)
    # To evaluate one picture is fine: the statistics are then those of the training.
    assert np.isfinite(model.evaluate(single, verbose=0)).all()


@pytest.mark.parametrize("name", ["gan", "restorer"])
@pytest.mark.parametrize(
    "make",
    [
        lambda: {"x": CLEAN[:5], "batch_size": 4, "shuffle": False},
        lambda: {"x": (CLEAN[:1], [3])},
        lambda: {"x": CLEAN, "batch_size": 1},
        lambda: {"x": keras_imgen.load_arrays(CLEAN[:5], batch_size=4, shuffle=False)},
        lambda: {"x": Batches(CLEAN, size=1)},
        lambda: {"x": Batches(np.resize(CLEAN, (81, *SHAPE)))},  # more than are read ahead
    ],
    ids=["array", "one", "ones", "load_arrays", "own", "own, the last"],
)
def test_one_picture_left_over_is_refused_before_the_first_step(name, make):
    model = MODELS[name]()
    before = [keras.ops.convert_to_numpy(variable) for variable in model.variables]
    refused(ValueError, "leaves no single picture over", lambda: model.fit(**make(), verbose=0))
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(variable), value)


@pytest.mark.parametrize("name", ["gan", "vae", "diffusion"])
@pytest.mark.parametrize("container", ["stream", "own"])
def test_a_log_that_is_no_number_stops_the_training(name, container):
    broken = CLEAN.copy()
    broken[5] = np.nan  # in the second batch, beyond the one that is checked
    model = MODELS[name]()
    log = "generator_loss|discriminator_loss|loss|kl_loss|reconstruction_loss"
    with pytest.raises(
        FloatingPointError, match=rf"`({log})` became nan in epoch 1, batch 2: .*rate"
    ):
        model.fit(CONTAINERS[container](broken), verbose=0, epochs=3)
    model = MODELS[name]()
    with pytest.raises(
        FloatingPointError, match=rf"`({log})` became nan in epoch 1, held-out batch 2"
    ):
        model.fit(CLEAN, validation_data=CONTAINERS[container](broken), verbose=0)
    with pytest.raises(FloatingPointError, match=rf"`({log})` became nan in held-out batch 2"):
        model.evaluate(CONTAINERS[container](broken), verbose=0)


@pytest.mark.parametrize("eagerly", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_a_wrong_range_is_refused_in_every_batch(name, eagerly):
    broken = CLEAN.copy()
    broken[5] = 255
    model = MODELS[name]()
    model.compile(run_eagerly=eagerly)
    with pytest.raises(ValueError, match=r"^`x` must lie in \[0, 1\]"):
        model.fit(stream(broken), verbose=0)
    with pytest.raises(ValueError, match=r"^`x` must lie in \[0, 1\]"):
        model.evaluate(stream(broken), verbose=0)


def without_shape(kind):
    """Return a stream that does not know the shape of what it holds, as those of files."""
    import tensorflow as tf

    if kind == "from_generator":
        batches = [CLEAN[:4], CLEAN[4:]]
        return tf.data.Dataset.from_generator(lambda: iter(batches), output_types=tf.float32)
    read = tf.numpy_function if kind == "numpy_function" else tf.py_function
    single = tf.data.Dataset.from_tensor_slices(CLEAN)
    return single.map(lambda x: read(lambda x: np.asarray(x), [x], tf.float32)).batch(4)


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, "from_generator") for name in (*MODELS, "any size")]
    + [("any size", kind) for kind in ("numpy_function", "py_function")],
)
def test_streams_need_not_know_their_shape(name, kind):
    if name == "any size":
        model = Restorer(networks.unet(depth=1, filters=2), degradations.AdditiveNoise(0.1, seed=0))
    else:
        model = MODELS[name]()
    model.compile()  # compiled: there a shape must be known
    data = without_shape(kind)
    assert data.element_spec.shape.rank is None
    figures = model.evaluate(data, verbose=0)
    np.testing.assert_allclose(figures, model.evaluate(stream(CLEAN), verbose=0), rtol=1e-5)
    model.fit(data, validation_data=data, verbose=0)


class Named(keras.utils.PyDataset):
    """Pictures as Keras's step does not take them: beside their names, or in no tuple."""

    def __init__(self, named):
        super().__init__()
        self.named = named

    def __len__(self):
        return 2

    def __getitem__(self, index):
        pictures = CLEAN[4 * index : 4 * index + 4]
        names = {"id": np.array(["a", "b", "c", "d"]), "more": {"file": ["e"] * 4}}
        return {"image": pictures, **names} if self.named else keras.ops.array(pictures)


@pytest.mark.parametrize("kind", ["dict", "tensor", "stream"])
def test_what_a_step_cannot_take_is_left_out(kind, vae):
    import tensorflow as tf

    data = Named(kind == "dict")
    if kind == "stream":
        names = {"image": CLEAN, "id": list("abcdefgh"), "label": np.ones(8, int)}
        data = tf.data.Dataset.from_tensor_slices(names).batch(4)
    known = vae.evaluate(stream(CLEAN), verbose=0)
    np.testing.assert_allclose(vae.evaluate(data, verbose=0), known, rtol=1e-5)
    vae.fit(data, validation_data=data, verbose=0)


def test_labels_and_pairs_need_no_shape_either():
    import tensorflow as tf

    def unknown(*values):
        data = tf.data.Dataset.from_tensor_slices(values)
        types = [value.dtype for value in values]
        return data.map(lambda *x: tf.numpy_function(lambda *x: x, x, types)).batch(4)

    labels = np.arange(8) % 3
    generator = networks.dcgan_generator(SHAPE, latent_dim=2, filters=2, num_classes=3)
    gan = GAN(generator, networks.dcgan_discriminator(SHAPE, filters=2, num_classes=3))
    gan.compile()
    gan.fit(unknown(CLEAN, labels), validation_data=unknown(CLEAN, labels), verbose=0)
    model = Restorer(networks.dncnn(depth=3, filters=2), None)
    model.compile()
    data = unknown(CLEAN / 2, CLEAN)
    model.fit(data, verbose=0)
    known = model.evaluate(CLEAN / 2, CLEAN, verbose=0)
    np.testing.assert_allclose(model.evaluate(data, verbose=0), known, rtol=1e-5)


def test_divergence_is_named():
    model = make_vae()
    model.compile(keras.optimizers.SGD(1e6), run_eagerly=True)
    with pytest.raises(FloatingPointError, match="Lower the learning rate"):
        model.fit(CLEAN, batch_size=4, epochs=20, verbose=0)


# ---- networks and optimizers ----


class Written(keras.Model):
    """A network written as a class: built or not, its shapes are not known."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(2)

    def call(self, x):
        return self.dense(x)


UNFIT_NETWORKS = {
    "a function": (lambda network: networks.dncnn, TypeError, "call one"),
    "a layer": (lambda network: keras.layers.Dense(2), TypeError, "must be a keras.Model"),
    "unbuilt": (
        lambda network: keras.Sequential([keras.layers.Dense(2)]),
        ValueError,
        r"begins with keras\.Input\(shape\)",
    ),
    "a class": (lambda network: Written(), ValueError, r"begins with keras\.Input\(shape\)"),
    "frozen": (
        lambda network: setattr(network, "trainable", False) or network,
        ValueError,
        r"trainable=False. Set `\w+\.trainable = True`",
    ),
}
PARTS = {
    "generator": (GAN, gan_networks, 0),
    "discriminator": (GAN, gan_networks, 1),
    "encoder": (VAE, vae_networks, 0),
    "decoder": (VAE, vae_networks, 1),
    "network": (
        Restorer,
        lambda: (networks.dncnn(depth=3, filters=2), degradations.AdditiveNoise(0.1)),
        0,
    ),
}


@pytest.mark.parametrize(
    ("part", "case"),
    [("generator", case) for case in UNFIT_NETWORKS]
    + [(part, case) for part in PARTS for case in ("a function", "frozen")][2:],
)
def test_unfit_networks_are_refused(part, case):
    model, make, position = PARTS[part]
    spoil, error, advice = UNFIT_NETWORKS[case]
    parts = list(make())
    parts[position] = spoil(parts[position])
    refused(error, f"`{part}`.*{advice}", lambda: model(*parts))


def other(shape=SHAPE, latent_dim=2):
    return {
        "generator": networks.dcgan_generator(shape, latent_dim=latent_dim, filters=2),
        "discriminator": networks.dcgan_discriminator(shape, filters=2),
        "encoder": networks.vae_encoder(shape, latent_dim=latent_dim, filters=2),
        "decoder": networks.vae_decoder(shape, latent_dim=latent_dim, filters=2),
    }


def sequential(shape, units, activation):
    return keras.Sequential(
        [
            keras.Input(shape),
            keras.layers.Flatten(),
            keras.layers.Dense(units, activation=activation),
            *([keras.layers.Reshape(SHAPE)] if units > 2 else []),
            *([keras.layers.Activation(activation)] if units > 2 else []),
        ]
    )


MISMATCHES = {
    "another size": (GAN, "generator", lambda: other((12, 24, 1)), "same `image_shape`"),
    "other channels": (GAN, "discriminator", lambda: other((12, 20, 3)), "same `image_shape`"),
    "a VAE of two sizes": (VAE, "decoder", lambda: other((12, 24, 1)), "same `image_shape`"),
    "a VAE of two latents": (VAE, "decoder", lambda: other(latent_dim=3), "same `latent_dim`"),
    "a generator of pictures": (
        GAN,
        "generator",
        lambda: {"generator": networks.dncnn(SHAPE, depth=3, filters=2)},
        r"latents of shape \(batch, latent_dim\)",
    ),
    "many scores": (
        GAN,
        "discriminator",
        lambda: {"discriminator": sequential(SHAPE, 2, None)},
        r"keras\.layers\.Dense\(1\)",
    ),
    "probabilities": (
        GAN,
        "discriminator",
        lambda: {"discriminator": sequential(SHAPE, 1, "sigmoid")},
        "no activation",
    ),
    "pictures in [-1, 1]": (
        GAN,
        "generator",
        lambda: {"generator": sequential((2,), 240, "tanh")},
        r"\[0, 1\]: end with a sigmoid",
    ),
    "decoded in [-1, 1]": (
        VAE,
        "decoder",
        lambda: {"decoder": sequential((2,), 240, "tanh")},
        r"\[0, 1\]: end with a sigmoid",
    ),
    "an encoder of one output": (
        VAE,
        "encoder",
        lambda: {"encoder": sequential(SHAPE, 2, None)},
        "mean and log-variance",
    ),
}


@pytest.mark.parametrize("case", MISMATCHES)
def test_networks_that_do_not_fit_together_are_refused(case):
    model, part, make, advice = MISMATCHES[case]
    names = ("generator", "discriminator") if model is GAN else ("encoder", "decoder")
    parts = {**dict(zip(names, gan_networks() if model is GAN else vae_networks(), strict=True))}
    parts[part] = make()[part]
    refused(ValueError, advice, lambda: model(*parts.values()))


RESTORERS = {
    "a class": (lambda: degradations.AdditiveNoise, 0, {}, TypeError, r"AdditiveNoise\(25 / 255\)"),
    "a mask too many": (
        lambda: degradations.MissingPixels(0.3),
        0,
        {},
        ValueError,
        "Build it with extra_channels=1",
    ),
    "a mask too few": (
        lambda: degradations.AdditiveNoise(0.1),
        1,
        {},
        ValueError,
        "Build it with extra_channels=0",
    ),
    "known as text": (
        lambda: degradations.MissingPixels(0.3),
        1,
        {"keep_known": "x"},
        TypeError,
        "`keep_known` must be True or False. Received: keep_known='x'",
    ),
    "nothing known": (
        lambda: degradations.AdditiveNoise(0.1),
        0,
        {"keep_known": True},
        ValueError,
        "such as MissingPixels",
    ),
}


@pytest.mark.parametrize("case", RESTORERS)
def test_restorers_that_do_not_fit_are_refused(case):
    make, extra_channels, options, error, advice = RESTORERS[case]
    network = networks.dncnn(depth=3, filters=2, extra_channels=extra_channels)
    refused(error, advice, lambda: Restorer(network, make(), **options))


def test_a_network_that_restores_nothing_is_refused():
    decoder, noise = networks.vae_decoder(SHAPE, filters=2), degradations.AdditiveNoise(0.1)
    refused(ValueError, "pictures of the size that it takes", lambda: Restorer(decoder, noise))


def test_a_network_frozen_later_is_refused():
    model = make_gan()
    model.discriminator.trainable = False
    advice = "`discriminator` has nothing to train.*Set `discriminator.trainable = True`"
    refused(ValueError, advice, lambda: model.fit(CLEAN, verbose=0), model)
    refused(ValueError, r"discriminator\.trainable = True", model.compile)


NUMBERS = {
    "ema_momentum": (lambda: GAN(*gan_networks(), ema_momentum=1.0), r"\[0, 0.999999\].*0.9999"),
    "ema_momentum of text": (lambda: GAN(*gan_networks(), ema_momentum="x"), "ema_momentum='x'"),
    "kl_weight": (
        lambda: VAE(*vae_networks(), kl_weight=-1),
        "0 or more.* kl_weight=-1. Usual: 1",
    ),
    "kl_weight of text": (lambda: VAE(*vae_networks(), kl_weight="x"), "kl_weight='x'. Usual: 1"),
    "kl_weight without end": (lambda: VAE(*vae_networks(), kl_weight=math.inf), "kl_weight=inf"),
    "seed": (lambda: VAE(*vae_networks(), seed=-1), "a whole number, at least 0.* seed=-1"),
    "seed of text": (lambda: GAN(*gan_networks(), seed="zero"), "a whole number.* seed='zero'"),
    "seed of truth": (lambda: VAE(*vae_networks(), seed=False), "a whole number.* seed=False"),
}


@pytest.mark.parametrize("case", NUMBERS)
def test_numbers_out_of_range_are_refused(case):
    make, advice = NUMBERS[case]
    refused(ValueError, f"`{case.split()[0]}`.*{advice}", make)


@pytest.mark.parametrize("name", MODELS)
def test_compile_refuses_what_it_does_not_know(name):
    model = MODELS[name]()
    if name == "diffusion":  # which has one loss
        with pytest.raises(TypeError, match="got `loss`, which it does not know"):
            model.compile(loss="msee")
    else:
        with pytest.raises(ValueError, match=r"msee|'non_saturating'|'bernoulli'"):
            model.compile(loss="msee")
    with pytest.raises(TypeError, match=r"Write Adam\(\.\.\.\), with brackets"):
        model.compile(keras.optimizers.Adam)
    for wrong in ("adamm", 3, math.nan, []):
        advice = f"the name of one of Keras, such as .* Received: {re.escape(repr(wrong))}"
        refused(ValueError, advice, lambda wrong=wrong: model.compile(wrong))
    for flag in ("run_eagerly", "jit_compile"):
        for wrong in ("x", None, np.zeros(2)):
            call = functools.partial(model.compile, **{flag: wrong})
            refused(TypeError, f"`{flag}` must be True.* or False. Received: {flag}=", call)
    refused(ValueError, "steps_per_execution='x'", lambda: model.compile(steps_per_execution="x"))


def test_a_gan_needs_two_optimizers():
    model, adam = make_gan(), keras.optimizers.Adam()
    with pytest.raises(ValueError, match="same object twice"):
        model.compile(adam, adam)
    for option in ("optimizer", "metrics"):  # which it would have to ignore
        with pytest.raises(TypeError, match=option):
            model.compile(**{option: "adam"})
    model.compile("adam", "adam")
    assert model.generator_optimizer is not model.discriminator_optimizer


@pytest.mark.parametrize("name", MODELS)
def test_an_optimizer_of_another_model_is_refused(name):
    other, model = MODELS[name](), MODELS[name]()
    used = getattr(other, "generator_optimizer", other.optimizer)
    refused(ValueError, "Make a new one", lambda: model.compile(used))
    own = getattr(model, "generator_optimizer", model.optimizer)
    model.compile(own)  # again: it goes on with its moments


def per_pixel(pictures, reconstructions):
    return keras.ops.square(pictures - reconstructions)


@pytest.mark.parametrize(
    "loss", [keras.losses.MeanSquaredError(), keras.losses.mean_squared_error, per_pixel]
)
def test_a_loss_that_would_broadcast_is_refused(loss):
    model = make_vae()
    model.compile(loss=loss, run_eagerly=True)
    advice = r"one value per picture, shape \(batch,\).*Sum it over pixels"
    refused(ValueError, advice, lambda: model.fit(CLEAN, verbose=0), model)


@pytest.mark.parametrize("n", [0, -1, 2.5, None, "many", True, math.inf, math.nan])
def test_a_number_of_samples_that_is_none_is_refused(n, vae):
    refused(ValueError, f"at least 1. Received: n={n!r}", lambda: vae.sample(n))


def test_more_samples_than_fit_into_memory_are_refused(vae):
    advice = "4 GiB of memory. Received: n=100,000,000, which would need 89.4 GiB. Draw fewer"
    refused(ValueError, advice, lambda: vae.sample(10**8))
    refused(ValueError, "`n` must be .*at most 9223372036854775807", lambda: vae.sample(10**30))


@pytest.mark.parametrize("seed", ["x", {}, (1, 2), -1, 1.5, 1e300, True])
def test_a_seed_of_samples_that_is_none_is_refused(seed, vae):
    refused(ValueError, "`seed` must be a whole number.* seed=", lambda: vae.sample(1, seed=seed))


# ---- good input ----


def test_validation_split_holds_out_the_last_pictures():
    histories = []
    for options in ({"x": CLEAN, "validation_split": 0.25}, {"x": CLEAN[:6]}):
        keras.utils.set_random_seed(0)
        options = {
            "validation_data": None if "validation_split" in options else CLEAN[6:],
            **options,
        }
        histories.append(make_vae().fit(**options, batch_size=3, verbose=0).history)
    assert histories[0] == histories[1]


def test_seeds_are_drawn_and_kept():
    model = VAE(*vae_networks())
    assert model.seed != VAE(*vae_networks()).seed
    assert VAE.from_config(model.get_config()).seed == model.seed
    model.compile(run_eagerly=True)
    model.fit(CLEAN, verbose=0)  # whose order needs a number
    keras.utils.set_random_seed(3)
    first = VAE(*vae_networks()).seed
    keras.utils.set_random_seed(3)
    assert VAE(*vae_networks()).seed == first


def batches_of(model, **options):
    """Return which pictures each training batch held."""
    seen = []

    def note(data):
        differences = np.abs(data[0].numpy()[:, None] - CLEAN).sum((2, 3, 4))
        seen.append(differences.argmin(axis=1).tolist())
        return {"loss": 0.0}

    model.train_step = note
    model.fit(CLEAN, batch_size=2, verbose=0, **options)
    return seen


def test_every_epoch_has_its_own_order():
    batches = batches_of(make_vae(), epochs=3)
    epochs = [list(itertools.chain(*batches[i : i + 4])) for i in (0, 4, 8)]
    assert all(sorted(epoch) == list(range(8)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]
    assert batches_of(make_vae(), epochs=3) == batches
    assert batches_of(make_vae(), initial_epoch=2, epochs=3) == batches[8:]


@pytest.mark.parametrize("container", ["array", "PictureDataset", "PyDataset"])
def test_no_epoch_ends_by_waiting_for_a_thread_that_sleeps(container, vae, monkeypatch):
    """What seeks settings for `tf.data` may sleep as long again as an epoch took."""
    read, original = [], TFEpochIterator._get_iterator

    def note(reader):
        read.append(original(reader))
        return read[-1]

    monkeypatch.setattr(TFEpochIterator, "_get_iterator", note)
    data = {"array": CLEAN, "PictureDataset": keras_imgen.load_arrays(CLEAN, batch_size=4)}
    data["PyDataset"] = Share(data["PictureDataset"], 0, 1)
    vae.fit(data[container], validation_data=data[container], epochs=2, verbose=0)
    vae.evaluate(data[container], verbose=0)
    assert len(read) >= 5
    assert [each.options().autotune.enabled for each in read] == [False] * len(read)


def test_a_loop_of_fits_shows_the_orders_of_one_fit(tmp_path):
    whole = batches_of(make_vae(), epochs=3)
    model = make_vae()
    looped = batches_of(model)
    for _ in range(2):
        model.fit(CLEAN, batch_size=2, verbose=0)
    assert looped == whole
    assert model.epochs_trained == 3
    first = make_vae()
    assert batches_of(first) == whole[:4]
    first.save_weights(tmp_path / "model.weights.h5")
    loaded = make_vae()
    loaded.load_weights(tmp_path / "model.weights.h5")
    assert batches_of(loaded) == whole[4:8]
    assert batches_of(model, epochs=1, initial_epoch=0) == []  # what notes is the first one
    assert looped[12:] == whole[:4]  # whoever says which epoch it is gets that


@pytest.mark.parametrize("steps", [3, 6])
def test_short_and_long_epochs_go_on_where_the_last_ended(steps):
    # Four batches are one pass: epochs of other lengths cut the same sequence of batches anew.
    passes = batches_of(make_vae(), epochs=3)
    epochs = 12 // steps
    assert batches_of(make_vae(), epochs=epochs, steps_per_epoch=steps) == passes
    resumed = batches_of(make_vae(), initial_epoch=1, epochs=epochs, steps_per_epoch=steps)
    assert resumed == passes[steps:]


@pytest.mark.parametrize(
    "make", [lambda: stream(CLEAN).repeat(), lambda: Batches(CLEAN, endless=True)]
)
def test_endless_data_work_with_a_number_of_steps(make):
    model = make_vae()
    options = {"steps_per_epoch": 3, "validation_data": make(), "validation_steps": 1}
    history = model.fit(make(), epochs=2, verbose=0, **options).history
    assert len(history["val_loss"]) == 2
    assert int(model.optimizer.iterations) == 6
    assert len(model.evaluate(make(), steps=2, verbose=0)) == 3


def test_one_dataset_serves_training_and_validation():
    # Held out, it is read in a fixed order and without dropping the rest of 8 pictures in threes.
    dataset = keras_imgen.load_arrays(CLEAN, batch_size=3)
    model = make_vae()
    history = model.fit(dataset, validation_data=dataset, verbose=0).history
    assert int(model.optimizer.iterations) == 2
    # A VAE's draw repeats from batch to batch, so the batches must be the same.
    expected = model.evaluate(CLEAN, batch_size=3, verbose=0, return_dict=True)
    assert history["val_loss"][0] == pytest.approx(expected["loss"], rel=1e-5)


# ---- networks that were written elsewhere ----


def ported(activation, *after):
    """Return a generator as in well-known scripts: what ends it is no activation."""
    layers = [
        keras.Input((4,)),
        keras.layers.Dense(64, "relu"),
        keras.layers.Dense(240, activation),
    ]
    return keras.Sequential([*layers, *after])


AFTER = {
    "reshaped": (keras.layers.Reshape(SHAPE),),
    "reshaped twice": (keras.layers.Reshape((20, 12, 1)), keras.layers.Permute((2, 1, 3))),
    "named": (keras.layers.Activation("linear"), keras.layers.Reshape(SHAPE)),
    "cut": (keras.layers.Reshape(SHAPE), keras.layers.Cropping2D(0)),
    "in a model": (keras.Sequential([keras.Input((240,)), keras.layers.Reshape(SHAPE)]),),
}


@pytest.mark.parametrize("after", AFTER)
def test_the_last_activation_is_found_behind_what_moves_values(after):
    _, discriminator = gan_networks()
    advice = r"`generator` must not end in the activation 'tanh'.*end with a sigmoid"
    refused(ValueError, advice, lambda: GAN(ported("tanh", *AFTER[after]), discriminator))
    GAN(ported("sigmoid", *AFTER[after]), discriminator)  # with the same layers


def test_what_changes_values_ends_the_search():
    _, discriminator = gan_networks()
    half = keras.layers.Rescaling(0.5, 0.5)  # from [-1, 1] to [0, 1]
    GAN(ported("tanh", half, keras.layers.Reshape(SHAPE)), discriminator)
    noise = keras.Input((4,))
    tanh = keras.ops.tanh(keras.layers.Dense(240)(noise))
    generator = keras.Model(noise, keras.layers.Reshape(SHAPE)(tanh))
    refused(ValueError, "'tanh'", lambda: GAN(generator, discriminator))
    scores = keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Conv2D(1, (12, 20), activation="sigmoid"),
            keras.layers.Flatten(),
        ]
    )
    refused(
        ValueError,
        "'sigmoid'.*no activation",
        lambda: GAN(ported("sigmoid", *(keras.layers.Reshape(SHAPE),)), scores),
    )


@pytest.mark.parametrize(
    ("shape", "dtype"), [((1,), "int32"), ((), "int32"), ((1,), "float32"), ((3,), "int32")]
)
def test_labels_for_an_embedding_get_the_right_sentence(shape, dtype):
    noise, label = keras.Input((4,)), keras.Input(shape, dtype=dtype)
    own = keras.layers.Flatten()(
        keras.layers.Reshape((-1, 1))(keras.layers.Embedding(10, 4)(label))
    )
    x = keras.layers.Concatenate()([noise, own])
    x = keras.layers.Reshape(SHAPE)(keras.layers.Dense(240, "sigmoid")(x))
    generator = keras.Model([noise, label], x)
    advice = r"as a row of zeros with a one.*In place of an Embedding take Dense"
    refused(ValueError, advice, lambda: GAN(generator, gan_networks()[1]))


def test_labels_of_other_kinds_are_told_how_to_become_whole_numbers():
    generator = networks.dcgan_generator(SHAPE, latent_dim=2, filters=2, num_classes=3)
    gan = GAN(generator, networks.dcgan_discriminator(SHAPE, filters=2, num_classes=3))
    gan.compile(run_eagerly=True)
    labels = np.arange(8) % 3
    for wrong, advice in ((np.eye(3)[labels], "argmax"), (labels.astype("float32"), "astype")):
        refused(ValueError, advice, lambda w=wrong: gan.fit(CLEAN, w, verbose=0), gan)
        refused(ValueError, advice, lambda w=wrong: gan.fit(stream((CLEAN, w)), verbose=0), gan)


WITHOUT_SLOPE = {
    "rounds": lambda: keras.layers.Lambda(lambda x: keras.ops.round(4 * x) / 4),
    "sorts": lambda: keras.layers.Equalization((0, 1)),
    "posterizes": lambda: keras.layers.RandomPosterization(4, value_range=(0, 1)),
}
WITH_SLOPE = {
    "moves": lambda: keras.layers.RandomTranslation(0.2, 0.2, seed=3),
    "two": lambda: keras.Sequential(
        [keras.layers.RandomFlip(seed=1), keras.layers.RandomContrast(0.5, seed=2)]
    ),
}


@pytest.mark.parametrize("name", WITHOUT_SLOPE)
def test_augmentation_without_a_slope_is_refused(name):
    gan = GAN(*gan_networks(), augmentation=WITHOUT_SLOPE[name]())
    refused(ValueError, "passes no slope on for 16 of 16.*RandomTranslation", gan.compile, gan)


@pytest.mark.parametrize("name", WITH_SLOPE)
def test_the_look_at_an_augmentation_draws_nothing(name):
    layer = WITH_SLOPE[name]()
    before = [np.array(variable) for variable in layer.variables]
    gan = GAN(*gan_networks(), augmentation=layer)
    gan.compile()
    gan.compile()
    assert before
    for variable, value in zip(layer.variables, before, strict=True):
        np.testing.assert_array_equal(np.array(variable), value)


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_bilinear_enlargement_of_any_size_is_explained():
    observed = keras.Input((None, None, 1))
    x = keras.layers.AveragePooling2D(2)(keras.layers.Conv2D(2, 3, padding="same")(observed))
    x = keras.layers.UpSampling2D(interpolation="bilinear", name="smooth")(x)
    network = keras.Model(observed, keras.layers.Conv2D(1, 3, padding="same")(x))
    model = Restorer(network, degradations.AdditiveNoise(0.1))
    model.compile()
    advice = "`?'smooth'.*'nearest'.*one size.*run_eagerly"
    data = without_shape("from_generator")
    refused(ValueError, advice, lambda: model.fit(data, verbose=0), model)
    refused(ValueError, advice, lambda: model.evaluate(data, verbose=0), model)
    model.fit(CLEAN, verbose=0)  # of one size
    model.compile(run_eagerly=True)
    model.evaluate(data, verbose=0)


class RunningMean(keras.callbacks.Callback):
    """Has attributes whose names are those of common words."""

    def __init__(self):
        super().__init__()
        self.running, self.rescue, self.memory = 0.0, True, []


def test_a_callback_with_such_attributes_is_neither_resume_nor_rollback():
    model, seen = make_vae(), RunningMean()
    assert np.isfinite(model.fit(CLEAN, callbacks=[seen], verbose=0).history["loss"]).all()
    late = Batches(np.concatenate([CLEAN, with_nan(CLEAN)]))  # the third batch
    with pytest.raises(FloatingPointError, match="became nan in epoch 1, batch 3"):
        model.fit(late, callbacks=[seen], verbose=0)


@pytest.mark.parametrize("place", ["x", "validation_data"])
def test_a_batch_of_arrays_is_checked_as_arrays_are(vae, place):
    wide = Batch(np.repeat(CLEAN, 3, axis=-1))
    given = {"x": CLEAN, place: wide}
    refused(ValueError, f"`{place}` must fit the network", lambda: vae.fit(**given, verbose=0), vae)


def test_each_process_is_told_the_epoch():
    data = keras_imgen.load_arrays(CLEAN, batch_size=4)
    guard = Guard(Share(data, 1, 2), begun=2)
    guard.on_epoch_begin(3)
    assert data.epoch == 5


@pytest.mark.parametrize("count", [3, 4])
def test_predict_of_several_processes_or_uneven_batches_is_refused(count, monkeypatch):
    noise = degradations.AdditiveNoise(0.1, seed=0)
    model = Restorer(networks.dncnn(depth=3, filters=2, batch_norm=False), noise, seed=0)
    pictures = CLEAN[:count]
    assert model.predict(pictures, verbose=0).shape == pictures.shape
    with monkeypatch.context() as context:
        context.setattr(keras_imgen.backends, "hosts", lambda: (0, 2))
        with pytest.raises(NotImplementedError, match=r"one process alone. Received: 2 .* Call re"):
            model.predict(pictures, verbose=0)
    monkeypatch.setattr(keras_imgen.backends, "parts", lambda model: 2)
    if count == 3:
        with pytest.raises(ValueError, match="must hold a multiple of 2 .* Received: a batch of 3"):
            model.predict(pictures, verbose=0)
        with pytest.raises(ValueError, match="must hold a multiple of 2 .* Received: a batch of 1"):
            model.predict(pictures, batch_size=2, verbose=0)
    else:
        assert model.predict(pictures, batch_size=2, verbose=0).shape == pictures.shape
