"""`GAN.undo` and `VAE.undo`: latents are sought whose picture, degraded, was observed."""

import keras
import numpy as np
import pytest
import tiny_models

from keras_imgen import metrics
from keras_imgen.degradations import AdditiveNoise, Blur, Compose, MissingPixels, Mosaic

SHAPE = (12, 12, 1)


def awake(model, seed=0):
    """Give a generator weights with which latents matter."""
    rng = np.random.default_rng(seed)
    network = model.ema_generator if hasattr(model, "ema_generator") else model.averages[1]
    for weight in network.trainable_weights or network.weights:
        if len(weight.shape) > 1:
            scale = 1.5 / np.sqrt(np.prod(weight.shape[:-1]))
            weight.assign(scale * rng.standard_normal(weight.shape).astype("float32"))
    return model


FAMILIES = {
    "vae": lambda: awake(tiny_models.vae(SHAPE)),
    "gan": lambda: awake(tiny_models.gan(SHAPE)),
}


@pytest.mark.parametrize(
    ("name", "degradation"),
    [
        ("vae", MissingPixels(0.5, seed=0)),
        ("gan", Blur(1.0)),
        ("vae", Compose([Blur(0.7), AdditiveNoise(0.02, seed=0)])),
    ],
    ids=["holes", "blur", "blur and noise"],
)
def test_what_the_model_can_draw_is_found_again(name, degradation):
    model = FAMILIES[name]()
    clean = model.sample(3, seed=4)
    assert np.std(clean, axis=0).mean() > 0.02  # they differ, so there is something to find
    observed = np.asarray(degradation(clean))
    found = model.undo(observed, degradation, seed=0, steps=80, tries=2)
    other = model.sample(3, seed=5)
    error = np.abs(found - clean).mean(axis=(1, 2, 3))
    assert error.max() < 0.25 * np.abs(other - clean).mean()


def test_seen_pixels_stay_and_seeds_repeat():
    model = FAMILIES["vae"]()
    clean = np.random.default_rng(0).random((2, *SHAPE), "float32")  # nothing that it can draw
    known = (np.random.default_rng(1).random((2, *SHAPE)) < 0.5).astype("float32")
    options = {"known": known, "steps": 3, "tries": 2}
    found, again, other = (model.undo(clean, seed=s, **options) for s in (1, 1, 2))
    np.testing.assert_array_equal(found, again)
    np.testing.assert_allclose(found * known, clean * known, atol=1e-6)
    assert np.abs(found - other).max() > 1e-3


def test_of_many_tries_the_best_is_taken():
    model, blur = FAMILIES["gan"](), Blur(1.0)
    observed = np.asarray(blur(model.sample(6, seed=4)))
    rests = []
    for tries in (1, 10):
        found = model.undo(observed, blur, seed=0, steps=8, tries=tries)
        rests.append(np.square(np.asarray(blur(found)) - observed).sum())
    assert rests[1] < 0.8 * rests[0]


def test_labels_are_asked_for():
    model = tiny_models.conditional_gan(SHAPE)
    keras.utils.set_random_seed(0)
    observed = np.zeros((2, *SHAPE), "float32")
    with pytest.raises(ValueError, match="needs a label for each"):
        model.undo(observed, Blur(1.0), steps=1)
    found = [model.undo(observed, Blur(1.0), labels=k, seed=0, steps=2) for k in (1, [1, 1], 2)]
    np.testing.assert_array_equal(found[0], found[1])
    assert np.any(found[0] != found[2])


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        ({"steps": 0}, "`steps`"),
        ({"tries": 0}, "`tries`"),
        ({"degradation": Blur((1.0, 2.0))}, "strength of Blur"),
        ({"degradation": None}, "no mask"),
        ({"labels": [1, 2]}, "without classes"),
        ({"observed": np.zeros((1, 9, 12, 1), "float32")}, "observed"),
        ({"degradation": Mosaic(), "known": np.ones((1, *SHAPE))}, "`known` is for"),
    ],
)
def test_bad_input_is_refused(change, advice):
    given = {"observed": np.zeros((1, *SHAPE), "float32"), "degradation": Blur(1.0), **change}
    with pytest.raises(ValueError, match=advice):
        FAMILIES["vae"]().undo(given.pop("observed"), **given)


def test_a_mosaic_of_one_colour_is_the_picture():
    model = FAMILIES["vae"]()
    clean = np.random.default_rng(0).random((1, *SHAPE), "float32")
    found = model.undo(clean, Mosaic(), steps=1, tries=1)
    assert metrics.psnr(clean, found)[0] > 90.0
