"""What Keras offers beside `fit`: export, predict, callbacks that look at a figure."""

import inspect
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny_models

from keras_imgen import Diffusion, Restorer, checks, degradations, metrics, networks

SHAPE = tiny_models.SHAPE
RNG = np.random.default_rng(0)
PICTURES = RNG.random((4, *SHAPE), "float32")


def told_denoiser():
    noise = degradations.AdditiveNoise((0.05, 0.2), append_level=0.5, seed=0)
    return tiny_models._restorer(networks.dncnn(depth=3, filters=2, extra_channels=1), noise)


MODELS = {
    **tiny_models.FAMILIES,
    "conditional_gan": tiny_models.conditional_gan,
    "conditional_diffusion": tiny_models.conditional_diffusion,
}
MODELS["told_denoiser"] = told_denoiser


def questions(name, model):
    """Return what a model is asked, and what it answers by itself."""
    if model.num_classes:
        asked = RNG.standard_normal((3, model.latent_dim), "float32"), np.array([2, 0, 1], "int32")
        return asked, model.predict_latents(*asked)
    if hasattr(model, "sample"):
        asked = RNG.standard_normal((3, model.latent_dim), "float32")
        return (asked,), model.predict_latents(asked)
    shape = (2, 3, *SHAPE) if name == "sequence" else (2, 11, 13, 1)
    observed = np.asarray(model.degradation(RNG.random(shape, "float32")))
    return (observed,), model.restore(observed)


# ---- export ----


@pytest.mark.parametrize("name", MODELS)
def test_what_is_exported_answers_like_the_model(name, tmp_path, monkeypatch):
    if "diffusion" in name:  # in 3 steps: all of them are written out, which takes long
        monkeypatch.setattr(Diffusion._drawn, "__defaults__", (None, 3, 1.0, None))
        fewer = {"steps": 3, "guidance": 1.0}
        monkeypatch.setattr(Diffusion.predict_latents, "__kwdefaults__", fewer)
    model = MODELS[name]()
    before = tiny_models.values(model)
    model.export(tmp_path / "exported")
    exported = tf.saved_model.load(str(tmp_path / "exported"))
    asked, answer = questions(name, model)
    found = np.asarray(exported.serve(*([list(asked)] if len(asked) > 1 else asked)))
    np.testing.assert_allclose(found, answer, atol=1e-5)
    assert found.min() >= 0.0
    assert found.max() <= 1.0
    assert tiny_models.equal(tiny_models.values(model), before)
    if name in ("denoiser", "told_denoiser", "inpainter"):  # any size
        observed = np.asarray(model.degradation(RNG.random((1, 17, 8, 1), "float32")))
        found = np.asarray(exported.serve(observed))
        np.testing.assert_allclose(found, model.restore(observed), atol=1e-5)


def test_what_is_exported_takes_as_many_steps_as_the_model():
    _, steps, guidance, _ = Diffusion._drawn.__defaults__
    taken = inspect.signature(Diffusion.predict_latents).parameters
    assert (taken["steps"].default, taken["guidance"].default) == (steps, guidance)


@pytest.mark.parametrize("name", ["gan", "vae", "denoiser"])
def test_a_format_whose_package_is_missing_is_named(name, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    said = "format 'onnx' needs a package that is missing: .*onnx.*Install it"
    with pytest.raises(ImportError, match=said) as error:
        MODELS[name]().export(tmp_path / "model.onnx", format="onnx")
    assert "\n" not in str(error.value)


def test_exporting_wants_a_path():
    with pytest.raises(TypeError, match="`filepath` must be a path"):
        tiny_models.vae().export(3)


# ---- predict ----


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("gan", PICTURES, r"\(None, 2\). Received: \(4, 8, 8, 1\). .*call sample\(n\)"),
        ("conditional_gan", RNG.random((3, 2)), r"and \(None,\). .*call sample\(n\)"),
        ("vae", RNG.random((3, 2)), r"Received: \(3, 2\). .*sample\(n\), .*predict_latents"),
        ("inpainter", PICTURES, r"2\). Received: \(4, 8, 8, 1\). Call restore\(observed\)"),
        ("told_denoiser", PICTURES, r"Received: \(4, 8, 8, 1\). Call restore.* mask or level"),
        ("denoiser", PICTURES[0], r"Received: \(8, 8, 1\). Call restore"),
    ],
)
def test_predict_says_what_to_call(name, given, said):
    with pytest.raises(ValueError, match=said) as error:
        MODELS[name]().predict(given, verbose=0)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", MODELS)
def test_predict_takes_what_call_takes(name):
    model = MODELS[name]()
    model.run_eagerly = True
    asked, answer = questions(name, model)
    asked = (PICTURES,) if name == "vae" else asked
    found = model.predict(list(asked) if len(asked) > 1 else asked[0], verbose=0)
    if name != "vae":  # which returns its parts
        np.testing.assert_allclose(np.clip(found, 0, 1), answer, atol=1e-5)


# ---- callbacks that look at a figure ----

LOWER = {
    "gan": ["generator_loss", "discriminator_loss"],
    "vae": ["loss", "reconstruction_loss", "kl_loss"],
    "diffusion": ["loss"],
    "denoiser": ["loss"],
}


@pytest.mark.parametrize("made", ["EarlyStopping", "ModelCheckpoint", "ReduceLROnPlateau"])
@pytest.mark.parametrize(
    ("name", "monitor", "better"),
    [
        *((name, f"val_{log}", "less") for name, logs in LOWER.items() for log in logs),
        ("denoiser", "val_psnr", "greater"),
        ("denoiser", "val_ssim", "greater"),
        ("denoiser", "psnr", "greater"),
        ("vae", "kl_loss", "less"),
    ],
)
def test_callbacks_know_which_way_is_better(made, name, monitor, better, tmp_path):
    model = MODELS[name]()
    options = {"save_best_only": True, "save_weights_only": True}
    first = (tmp_path / "best.weights.h5",) if made == "ModelCheckpoint" else ()
    more = {} if made != "ModelCheckpoint" else options
    callback = getattr(keras.callbacks, made)(*first, monitor=monitor, **more)
    pictures = RNG.random((4, 12, 12, 1), "float32") if name == "denoiser" else PICTURES
    if name == "denoiser":
        model.compile(metrics=[metrics.PSNR(), metrics.SSIM()], run_eagerly=True)
    else:
        model.run_eagerly = True
    model.fit(pictures, validation_data=pictures, callbacks=[callback], verbose=0)
    assert callback.monitor_op is getattr(keras.ops, better)


def test_a_way_that_was_chosen_stays():
    model = tiny_models.vae()
    model.run_eagerly = True
    callback = keras.callbacks.EarlyStopping("kl_loss", mode="max")
    model.fit(PICTURES, callbacks=[callback], verbose=0)
    assert callback.monitor_op is keras.ops.greater


# ---- seeds ----


def test_seeds_of_any_size_are_seeds():
    small = {checks.seed(value) for value in (0, 5, 2**32 - 1)}
    assert small == {0, 5, 2**32 - 1}
    large = {checks.seed(value) for value in (2**32, 2**32 + 5, 2**40, 2**63 - 1)}
    assert len(large) == 4  # and all of them others
    assert all(0 <= value < 2**32 for value in large)
    with pytest.raises(ValueError, match="`seed` must be"):
        checks.seed(2**63)


@pytest.mark.parametrize("seed", [2**31, 2**32 - 1, 2**32, 2**63 - 1])
def test_large_seeds_draw_and_are_saved(seed, tmp_path):
    network = networks.dncnn(depth=3, filters=2)
    model = Restorer(network, degradations.AdditiveNoise(0.1, seed=seed), seed=seed)
    model.compile(run_eagerly=True)
    model.fit(PICTURES, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert (loaded.seed, loaded.degradation.seed) == (model.seed, model.degradation.seed)
    np.testing.assert_array_equal(loaded.degradation(PICTURES), model.degradation(PICTURES))
    vae = tiny_models.vae()
    np.testing.assert_array_equal(vae.sample(2, seed=seed), vae.sample(2, seed=seed))
