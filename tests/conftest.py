"""Settings for all tests, and the small models that several of them train."""

import gc
import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "Agg")

from pathlib import Path

import numpy as np
import pytest

import keras_imgen  # noqa: F401, before TensorFlow, whose quickest convolutions it chooses

if os.environ["KERAS_BACKEND"] == "torch":  # which has tests, too: `KERAS_BACKEND=torch pytest`
    import torch

    torch.set_grad_enabled(False)  # tests make arrays of what networks answer

# Tests that a plain `pytest` leaves out, chosen by choose_long.py.
LONG = Path(__file__).parent / "long_tests.txt"
# Files that take half a minute or more, the longest first: whoever begins with the short ones ends
# with one process at work and the other idle. A file that is not named here comes after them.
LONGEST = (
    "test_contracts.py",
    "test_tutorials.py",
    "test_cli.py",
    "test_gan.py",
    "test_resume.py",
    "test_health.py",
    "test_gan_options.py",
    "test_docs.py",
    "test_degradations.py",
    "test_backends.py",
    "test_fuzz.py",
    "test_training.py",
    "test_networks.py",
    "test_saving.py",
    "test_pretrained.py",
    "test_sizes.py",
    "test_tiling.py",
)


@pytest.hookimpl(tryfirst=True)  # before pytest leaves out what is marked
def pytest_collection_modifyitems(items):
    """Mark what takes long, and put the longest files first; within a file the order stays."""
    long = set(LONG.read_text("utf-8").splitlines())
    for item in items:
        if item.nodeid in long:
            item.add_marker("long")
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(LONGEST)))


def pytest_collection_finish():
    """Take thousands of tests and all of TensorFlow, which stay, out of the collector's rounds."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def pictures():
    """Return ten awkward pictures: 12 x 20, neither square nor a multiple of 8."""
    return np.random.default_rng(0).random((10, 12, 20, 1), "float32")


@pytest.fixture
def make_vae():
    """Return a function that builds the same compiled VAE in every call."""
    import keras

    from keras_imgen import VAE, networks

    def make(image_shape=(12, 20, 1), **compile_options):
        keras.utils.set_random_seed(0)
        encoder = networks.vae_encoder(image_shape, latent_dim=2, filters=2)
        decoder = networks.vae_decoder(image_shape, latent_dim=2, filters=2)
        vae = VAE(encoder, decoder, seed=0)
        vae.compile(**compile_options)
        return vae

    return make


@pytest.fixture
def make_restorer():
    """Return a function that builds the same compiled Restorer in every call."""
    import keras

    from keras_imgen import Restorer, degradations, networks

    def make(network=None, degradation=None, **compile_options):
        keras.utils.set_random_seed(0)
        restorer = Restorer(
            network or networks.dncnn(depth=3, filters=2),
            degradation or degradations.AdditiveNoise(0.1, seed=0),
            seed=0,
        )
        restorer.compile(**compile_options)
        return restorer

    return make


@pytest.fixture
def small(monkeypatch):
    """Let the command train on a few small pictures."""
    from small_runs import small_sets

    from keras_imgen.cli import demo, runs

    for module in (runs, demo):
        monkeypatch.setattr(module, "load_data", small_sets)


@pytest.fixture
def eagerly(monkeypatch):
    """Run steps without compiling them, which is what takes the time of a training this small.

    For tests about folders and pages; that each family trains in compiled steps is
    `test_train_leaves_a_whole_run_and_never_overwrites_it`.
    """
    from keras_imgen.training import PictureModel

    always = property(lambda model: True, lambda model, value: None)
    monkeypatch.setattr(PictureModel, "run_eagerly", always, raising=False)
