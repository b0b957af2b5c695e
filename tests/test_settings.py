"""What is set in `keras.json` changes no result: pictures are float32 and channels last."""

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
import tiny_models
from test_contracts import DEGRADATIONS, NETWORKS

import keras_imgen
from keras_imgen import (
    GAN,
    VAE,
    Diffusion,
    Restorer,
    callbacks,
    degradations,
    losses,
    metrics,
    networks,
)

SHAPE = (16, 20, 3)
CLEAN = np.random.default_rng(0).random((4, *SHAPE), "float32")
SETTINGS = {
    "channels first, float16": {"image_data_format": "channels_first", "floatx": "float16"},
    "float64": {"floatx": "float64"},
    "bfloat16": {"floatx": "bfloat16"},
}


@pytest.fixture
def setting(request):
    """Make Keras's settings what `keras.json` would make them, for the length of a test."""
    before, wanted = now(), SETTINGS[request.param]
    keras.config.set_image_data_format(wanted.get("image_data_format", "channels_last"))
    keras.config.set_floatx(wanted["floatx"])
    keras.config.set_dtype_policy(wanted["floatx"])
    chosen = now()
    yield
    left = now()
    keras.config.set_image_data_format(before[0])
    keras.config.set_floatx(before[1])
    keras.config.set_dtype_policy(before[2])
    assert left == chosen  # the user's settings are the user's


def now():
    policy = keras.config.dtype_policy().name
    return keras.config.image_data_format(), keras.config.floatx(), policy


def numbers(*values):
    return [keras.ops.convert_to_numpy(value).astype("float64") for value in values]


def built(name):
    keras.utils.set_random_seed(0)
    network = NETWORKS[name]()
    inputs = [np.full((2, *(s or 12 for s in x.shape[1:])), 0.5, "float32") for x in network.inputs]
    return numbers(network(inputs if len(inputs) > 1 else inputs[0]))


def spoiled(name):
    return numbers(DEGRADATIONS[name]()(np.stack([CLEAN, CLEAN]), training=False))


def drawn(name):
    degradation = DEGRADATIONS[name]()
    parameters = degradation.draw(CLEAN.shape, degradation.seeds())
    return numbers(degradation.apply(keras.ops.convert_to_tensor(CLEAN), parameters))


def undone(name):
    keras.utils.set_random_seed(0)
    parts = [degradations.MotionBlur(3.0, angle=30), degradations.Blur(0.7)]
    damage = degradations.Compose([*parts, degradations.MissingPixels(seed=0)])
    small = CLEAN[:, :12, :12, :1]
    known = (small.mean(axis=0, keepdims=True) < 0.5).astype("float32")
    if name == "restorer":
        network = networks.dncnn(depth=3, filters=2, extra_channels=1)
        noise = degradations.AdditiveNoise((0.0, 0.2), append_level=True, seed=0)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "An answer")  # of an untrained network
            return numbers(Restorer(network, noise).undo(small, damage, known=known, passes=2))
    model = getattr(tiny_models, name)((12, 12, 1))
    return numbers(model.undo(small, damage, known=known, seed=0, steps=2))


def restored(name):
    keras.utils.set_random_seed(0)
    make, options, spoil = {
        "dncnn": (networks.dncnn, {"filters": 4, "depth": 3}, "JpegCompression"),
        "gated": (networks.unet, {"filters": 2, "convolution": "gated"}, "MissingBlocks"),
        "partial": (networks.unet, {"filters": 2, "convolution": "partial"}, "MissingPixels"),
        "drunet": (
            networks.drunet,
            {"filters": (2, 4), "num_blocks": 1, "fill_holes": True},
            "FreeFormHoles",
        ),
        "conv_lstm": (networks.conv_lstm, {"filters": 2}, "MissingFrames"),
    }[name]
    degradation = DEGRADATIONS[spoil]()
    shape = SHAPE if name == "conv_lstm" else (None, None, 3)
    network = make(shape, extra_channels=degradation.extra_channels, **options)
    model = Restorer(network, degradation, seed=0)
    model.compile(loss=losses.StructuralL1(), metrics=["mae", metrics.SSIM()], run_eagerly=True)
    clean = CLEAN[:, None].repeat(2, 1) if name == "conv_lstm" else CLEAN
    logs = model.fit(clean, validation_split=0.25, verbose=0).history
    model.train_on_batch(clean)
    figures = [np.array(values) for values in logs.values()]
    return [*figures, *numbers(model.restore(model.degradation(clean)))]


def sampled(name):
    keras.utils.set_random_seed(0)
    shape, small = SHAPE, {"filters": 2}
    if name == "vae":
        encoder = networks.vae_encoder(shape, latent_dim=2, **small)
        model = VAE(encoder, networks.vae_decoder(shape, latent_dim=2, **small), seed=0)
        model.compile(run_eagerly=True)
        shown, data = [callbacks.TrainingHealth(CLEAN)], CLEAN
    elif name == "diffusion":
        model = Diffusion(networks.diffusion_unet(shape, (2,), num_classes=2), seed=0)
        model.compile(run_eagerly=True)
        shown = [callbacks.SampleGrid(n=2, show=False)]
        data = (CLEAN, np.arange(4) % 2)
    else:
        options = {"num_classes": 2, **small}
        model = GAN(
            networks.dcgan_generator(shape, latent_dim=2, **options),
            networks.dcgan_discriminator(shape, batch_norm=False, spectral_norm=True, **options),
            seed=0,
        )
        model.compile(penalty="gradient_penalty", run_eagerly=True)
        shown = [
            callbacks.LatentTraversal(rows=1, columns=3, show=False),
            callbacks.TrainingHealth(),
        ]
        data = (CLEAN, np.arange(4) % 2)
    logs = model.fit(data, validation_data=data, callbacks=shown, verbose=0).history
    model.train_on_batch(*data if isinstance(data, tuple) else (data,))
    figures = [np.array(values) for values in logs.values()]
    return [*figures, *numbers(model.sample(3, seed=0))]


def measured(name):
    noisy = np.clip(CLEAN + 0.1, 0, 1)
    metric = getattr(metrics, name)()
    metric.update_state(CLEAN, noisy)
    return numbers(metric.result())


MADE = {name: (built, name) for name in NETWORKS}
MADE |= {name: (spoiled, name) for name in DEGRADATIONS}
MADE |= {f"{name}, drawn and applied": (drawn, name) for name in DEGRADATIONS}
UNDOING = ("gan", "vae", "diffusion", "restorer")
MADE |= {f"undone by {name}": (undone, name) for name in UNDOING}
RESTORED = ("dncnn", "gated", "partial", "drunet", "conv_lstm")
MADE |= {f"restored by {name}": (restored, name) for name in RESTORED}
MADE |= {f"sampled by {name}": (sampled, name) for name in ("vae", "gan", "diffusion")}
MADE |= {name: (measured, name) for name in ("PSNR", "SSIM")}
EXPECTED = {}


def expected(name):
    if name not in EXPECTED:
        make, member = MADE[name]
        EXPECTED[name] = make(member)
    return EXPECTED[name]


@pytest.fixture
def usual(request):
    return expected(request.param)


# Halves of another kind take the same path.
CASES = [
    (name, name, setting)
    for name in MADE
    for setting in SETTINGS
    if setting != "bfloat16" or name in ("dncnn", "restored by dncnn", "AdditiveNoise")
]


@pytest.mark.parametrize(("usual", "name", "setting"), CASES, indirect=["usual", "setting"])
def test_no_setting_of_keras_changes_a_result(usual, name, setting):
    make, member = MADE[name]
    for left, right in zip(usual, make(member), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-5)


SCRIPT = """
import sys
import keras, numpy as np
import keras_imgen
from keras_imgen import load_model, load_pretrained
from keras_imgen.cli import main
from keras_imgen.metrics import DigitFeatures

assert keras.config.image_data_format() == "channels_first", "the settings were not read"
photo = np.random.default_rng(0).random((1, 30, 41, 3), "float32")
model = load_pretrained("denoiser-color")
np.save("restored.npy", model.restore(photo))
np.save("loaded.npy", load_model("model.keras").restore(photo))
np.save("features.npy", DigitFeatures()(photo[..., :1]))
assert main(["doctor"]) == 0
"""


def test_keras_json_changes_no_result(tmp_path):
    photo = np.random.default_rng(0).random((1, 30, 41, 3), "float32")
    network = networks.unet((None, None, 3), depth=1, filters=2, convolution="gated")
    saved = Restorer(network, degradations.AdditiveNoise(0.1))
    saved.save(tmp_path / "model.keras")
    settings = {"image_data_format": "channels_first", "floatx": "float16", "epsilon": 1e-3}
    settings |= {"backend": keras.backend.backend()}
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "keras.json").write_text(json.dumps(settings))
    root = str(Path(keras_imgen.__file__).parents[1])
    environment = {**os.environ, "KERAS_HOME": str(tmp_path / "home"), "PYTHONPATH": root}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "image_data_format channels_first, floatx float16, epsilon 0.001" in done.stdout
    usual = {
        "restored": keras_imgen.load_pretrained("denoiser-color").restore(photo),
        "loaded": saved.restore(photo),
        "features": metrics.DigitFeatures()(photo[..., :1]),
    }
    for name, values in usual.items():
        np.testing.assert_allclose(np.load(tmp_path / f"{name}.npy"), values, rtol=1e-4, atol=1e-5)
