"""Two devices learn what one learns, from draws of their own; what would go wrong is refused.

Devices are told to TensorFlow once in a process, so that this takes one of its own.
"""

import contextlib
import json
import re

import keras
import numpy as np
import pytest
from forks import call

from keras_imgen import GAN, VAE, Diffusion, Restorer, degradations, losses, networks

pytestmark = pytest.mark.slow  # a process that traces ten models

SHAPE = (8, 8, 1)
PICTURES = np.repeat(np.random.default_rng(0).random((1, *SHAPE), "float32"), 32, axis=0)
SGD = keras.optimizers.SGD


def regularized(network):
    for layer in network._flatten_layers():
        if hasattr(layer, "kernel"):
            layer.kernel.regularizer = keras.regularizers.L2(0.5)
    return network


def vae():
    encoder = regularized(networks.vae_encoder(SHAPE, latent_dim=2, filters=2))
    model = VAE(encoder, networks.vae_decoder(SHAPE, latent_dim=2, filters=2), seed=0)
    model.compile(SGD(1e-4))
    return model


def gan(**options):
    generator = regularized(networks.dcgan_generator(SHAPE, latent_dim=2, filters=2))
    discriminator = regularized(networks.dcgan_discriminator(SHAPE, 2, batch_norm=False))
    model = GAN(generator, discriminator, seed=0)
    model.compile(SGD(1e-3), SGD(1e-4), **{"penalty": "r1", **options})
    return model


def gan_with_penalties_now_and_then():
    return gan(penalty=losses.R1(every=2))


def diffusion():
    model = Diffusion(regularized(networks.diffusion_unet(SHAPE, (2,))), seed=0)
    model.compile(SGD(1e-4))
    return model


def restorer():
    network = regularized(networks.dncnn(depth=3, filters=2, batch_norm=False))
    model = Restorer(network, degradations.AdditiveNoise(0.1, seed=0), seed=0)
    model.compile(SGD(1e-4))
    return model


def half_precision():
    with_half = keras.dtype_policies.DTypePolicy("mixed_float16")
    network = networks.dncnn(depth=3, filters=2, batch_norm=False)
    network = keras.models.clone_model(
        network,
        clone_function=lambda x: type(x).from_config({**x.get_config(), "dtype": with_half}),
    )
    model = Restorer(network, degradations.Blur(1.0), seed=0)
    model.compile(SGD(1e-2))
    return model


BUILDERS = [vae, gan, gan_with_penalties_now_and_then, diffusion, restorer]


def step_of(build, scope):
    """Return the figures of an epoch of one step, the length of the step, and held-out figures."""
    keras.utils.set_random_seed(0)
    with scope:
        model = build()
    before = [keras.ops.convert_to_numpy(v) for v in model.trainable_variables]
    figures = model.fit(PICTURES, batch_size=32, verbose=0).history
    after = [keras.ops.convert_to_numpy(v) for v in model.trainable_variables]
    squares = [np.sum(np.square(a - b)) for a, b in zip(after, before, strict=True)]
    held_out = model.evaluate(PICTURES, verbose=0, return_dict=True)
    return {
        "figures": {name: float(value[0]) for name, value in figures.items()},
        "step": float(np.sqrt(sum(squares))),
        "held out": held_out,
    }


def refusals(strategy):
    """Return what is said of what does not work, by what it is."""
    import tensorflow as tf

    def multi_worker():
        with tf.distribute.MultiWorkerMirroredStrategy().scope():
            restorer()

    def odd_batch():
        with strategy.scope():
            model = restorer()
        model.fit(PICTURES, batch_size=7, verbose=0)

    def odd_stream():
        with strategy.scope():
            model = restorer()
        model.fit(tf.data.Dataset.from_tensor_slices(PICTURES[:31]).batch(8), verbose=0)

    def one_picture_each():
        with strategy.scope():
            model = Restorer(
                networks.dncnn(depth=3, filters=2, batch_norm=True), degradations.Blur(1.0)
            )
            model.compile()
        model.fit(PICTURES[:2], batch_size=2, verbose=0)

    def compiled(**options):
        with strategy.scope():
            restorer().compile(**options)

    def critic_steps():
        with strategy.scope():
            gan(critic_steps=2)

    cases = {
        "critic steps": critic_steps,
        "steps": lambda: compiled(steps_per_execution=2),
        "jit": lambda: compiled(jit_compile=True),
        "multi worker": multi_worker,
        "odd batch": odd_batch,
        "odd stream": odd_stream,
        "one picture each": one_picture_each,
    }
    said = {}
    for name, case in cases.items():
        try:
            case()
        except (NotImplementedError, ValueError) as error:
            said[name] = f"{type(error).__name__}: {error}"
    return said


def two_devices():
    """Write what two devices do; runs in a process of its own."""
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    devices = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, devices)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    report = {build.__name__: step_of(build, strategy.scope()) for build in BUILDERS}
    report["half_precision"] = step_of(half_precision, strategy.scope())
    with strategy.scope():
        model = restorer()
        dropout = keras.layers.Dropout(0.5, seed=0)
        observed = keras.Input(SHAPE)
        network = keras.Model(
            observed, dropout(keras.layers.Conv2D(1, 3, padding="same")(observed))
        )
        Restorer(network, degradations.Blur(1.0)).compile()
        generators = {"model": vae().seed_generator, "noise": model.degradation.seed_generator}
        generators["dropout"] = dropout.seed_generator
    report["draws"] = {
        name: [
            np.asarray(part).tolist()
            for part in strategy.experimental_local_results(
                strategy.run(lambda seed=seed: keras.random.normal((3,), seed=seed))
            )
        ]
        for name, seed in generators.items()
    }
    report["refused"] = refusals(strategy)
    with open("report.json", "w") as file:
        json.dump(report, file)


@pytest.fixture(scope="module")
def there(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    call(two_devices, folder=folder, environment={"TF_CPP_MIN_LOG_LEVEL": "3"}, seconds=400)
    return json.loads((folder / "report.json").read_text())


@pytest.mark.parametrize("build", BUILDERS)
def test_two_devices_take_the_step_of_one(build, there):
    # All pictures are alike, so that a half of them has the mean of all; only draws differ.
    here, there = step_of(build, contextlib.nullcontext()), there[build.__name__]
    for when in ("figures", "held out"):
        for name, value in here[when].items():
            if name != "discriminator_accuracy":
                off = 0.1 if build is diffusion else 0.03  # all of whose targets are drawn
                assert there[when][name] == pytest.approx(value, rel=off), (when, name)
    assert there["step"] == pytest.approx(here["step"], rel=1e-2)
    if "penalty" in here["figures"]:  # of real pictures: nothing is drawn
        assert there["figures"]["penalty"] == pytest.approx(here["figures"]["penalty"], rel=1e-5)


def test_in_half_precision_too(there):
    here, there = step_of(half_precision, contextlib.nullcontext()), there["half_precision"]
    assert there["step"] == pytest.approx(here["step"], rel=2e-2)
    assert there["figures"]["loss"] == pytest.approx(here["figures"]["loss"], rel=1e-2)


@pytest.mark.parametrize("name", ["model", "noise", "dropout"])
def test_each_device_draws_numbers_of_its_own(name, there):
    first, second = there["draws"][name]
    assert not set(first) & set(second)
    assert np.all(np.abs([first, second]) < 6.0)


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("critic steps", "NotImplementedError: .*Received: critic_steps=2. Leave it out"),
        ("steps", "NotImplementedError: .*one by one, without XLA.*steps_per_execution=2"),
        ("jit", "NotImplementedError: .*one by one, without XLA.*jit_compile=True"),
        ("multi worker", "NotImplementedError: .*MirroredStrategy and OneDeviceStrategy. Received"),
        ("odd batch", "ValueError: On 2 devices .*multiple of 2 .*Received: a batch of 7"),
        ("odd stream", "ValueError: On 2 devices .*multiple of 2 .*Received: a batch of 7"),
        ("one picture each", "ValueError: On 2 devices .*at least 4. Received: a batch of 2"),
    ],
)
def test_what_would_go_wrong_is_refused(case, said, there):
    assert "\n" not in there["refused"][case]
    assert re.match(said, there["refused"][case])
