"""The Restorer: what it is shown, what it keeps, what it learns and what it gives back."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_imgen import Restorer, degradations, metrics, networks

SHAPE = (12, 20, 3)
CLEAN = np.random.default_rng(0).random((8, *SHAPE), "float32")


def denoiser(seed=2, **options):
    keras.utils.set_random_seed(0)
    network = networks.dncnn((None, None, 3), depth=3, filters=4, batch_norm=False)
    model = Restorer(network, degradations.AdditiveNoise(0.1, seed=seed), seed=1)
    model.compile(**options)
    return model


def inpainter(keep_known=True, **options):
    keras.utils.set_random_seed(0)
    network = networks.unet((None, None, 3), extra_channels=1, depth=1, filters=4)
    holes = degradations.MissingPixels(0.4, seed=2)
    model = Restorer(network, holes, keep_known=keep_known, seed=1)
    model.compile(**options)
    return model


def to_numpy(x):
    return keras.ops.convert_to_numpy(x)


def test_known_pixels_are_those_of_the_clean_picture():
    model = inpainter()
    observed = to_numpy(model.degradation(CLEAN, training=True))
    known = observed[..., 3:] == 1
    assert 0.5 < known.mean() < 0.7  # 1920 pixels, each hidden with probability 0.4
    np.testing.assert_array_equal(np.where(known, observed[..., :3], CLEAN), CLEAN)
    np.testing.assert_array_equal(np.where(known, 0, observed[..., :3]), np.zeros_like(CLEAN))


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_known_pixels_are_kept_exactly(policy):
    keras.config.set_dtype_policy(policy)
    try:
        model = inpainter()
    finally:
        keras.config.set_dtype_policy("float32")
    observed = to_numpy(model.degradation(CLEAN))
    restored = model.restore(observed)
    known = (observed[..., 3:] == 1).repeat(3, -1)
    np.testing.assert_array_equal(restored[known], CLEAN[known])
    assert np.abs(restored[~known] - CLEAN[~known]).min() > 0
    changed = inpainter(keep_known=False).restore(observed)
    assert np.mean(changed[known] != CLEAN[known]) > 0.9


def seen_by(model, monkeypatch, **options):
    """Return what the degradation gave to the steps of a training."""
    seen = {True: [], False: []}
    call = type(model.degradation).call

    def note(self, clean, training=None):
        observed = call(self, clean, training=training)
        seen[training].append(to_numpy(observed) - to_numpy(clean))
        return observed

    monkeypatch.setattr(type(model.degradation), "call", note)
    model.fit(CLEAN, batch_size=8, validation_data=CLEAN, verbose=0, **options)
    return seen


def test_training_draws_anew_and_validation_does_not(monkeypatch):
    model = denoiser(run_eagerly=True)
    seen = seen_by(model, monkeypatch, epochs=3)
    first, *others = seen[True]
    assert len(others) == 2
    for noise in (*others, seen[False][0]):
        assert abs(np.corrcoef(noise.ravel(), first.ravel())[0, 1]) < 0.1  # 5760 values: 0.013
    held_out = seen[False][0]
    assert held_out.std() == pytest.approx(0.1, abs=0.005)
    assert all(np.array_equal(noise, held_out) for noise in seen[False])


def test_the_loss_is_that_of_restored_against_clean():
    # Five pictures and three: each counts the same.
    model = denoiser(metrics=[metrics.PSNR(), metrics.SSIM()])
    losses, figures = [], []
    for clean in (CLEAN[:5], CLEAN[5:]):
        restored = to_numpy(model.network(model.degradation(clean, training=False)))
        losses.append(np.mean((restored.astype("float64") - clean) ** 2, axis=(1, 2, 3)))
        errors = np.mean((restored.clip(0, 1).astype("float64") - clean) ** 2, axis=(1, 2, 3))
        figures.append(-10 * np.log10(errors))
    evaluated = model.evaluate(CLEAN, batch_size=5, verbose=0, return_dict=True)
    assert evaluated["loss"] == pytest.approx(np.mean(np.concatenate(losses)), rel=1e-5)
    assert evaluated["psnr"] == pytest.approx(np.mean(np.concatenate(figures)), rel=1e-5)
    assert list(evaluated) == ["loss", "psnr", "ssim"]


def test_restored_pictures_are_clipped_and_have_no_mask():
    model = inpainter()
    kernel, bias = model.network.layers[-1].get_weights()
    model.network.layers[-1].set_weights([50 * kernel, bias])  # far beyond the range
    observed = to_numpy(model.degradation(CLEAN))
    beyond = to_numpy(model(observed))
    assert beyond.min() < 0
    restored = model.restore(observed)
    assert isinstance(restored, np.ndarray)
    assert (restored.shape, restored.dtype) == (CLEAN.shape, np.float32)
    np.testing.assert_allclose(restored, beyond.clip(0, 1), rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (7, 31), (12, 20), (40, 9)])
def test_any_size_is_restored(size):
    clean = np.full((1, *size, 3), 0.5, "float32")
    for model in (denoiser(), inpainter()):
        observed = model.degradation(clean)
        assert model.restore(observed).shape == clean.shape


def test_many_pictures_are_restored_in_parts():
    model = denoiser()
    many = np.tile(CLEAN, (9, 1, 1, 1))
    once = model.restore(CLEAN)
    np.testing.assert_allclose(model.restore(many), np.tile(once, (9, 1, 1, 1)), atol=1e-6)


def test_sequences_are_restored():
    network = networks.conv_lstm((12, 20, 1), extra_channels=1, filters=2)
    model = Restorer(network, degradations.MissingFrames(1, seed=0))
    clean = np.random.default_rng(0).random((2, 4, 12, 20, 1), "float32")
    assert model.picture_shape == (None, 12, 20, 1)
    assert model.restore(model.degradation(clean)).shape == clean.shape


NOISY = CLEAN + np.random.default_rng(1).normal(0, 1, CLEAN.shape)
UNFIT = {
    "8 bits": (lambda: (CLEAN * 255).astype("uint8"), "to_float"),
    "0 to 255": (lambda: CLEAN * 255, r"\[0, 255\] by 255"),
    "infinite": (lambda: np.where(CLEAN > 0.9, np.inf, CLEAN), "np.isfinite"),
    "not a number": (lambda: np.where(CLEAN > 0.9, np.nan, CLEAN), "np.isfinite"),
    "a single picture": (lambda: CLEAN[0], r"`\[None\]`"),
    "grey": (lambda: CLEAN[..., :1], "`channels`"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_unfit_observed_pictures_are_refused(case):
    make, advice = UNFIT[case]
    with pytest.raises(ValueError, match=f"(?s)`observed`.*Received: .*{advice}"):
        denoiser().restore(make())


@pytest.mark.parametrize("dtype", ["str", "bytes", "f4,f4", "longdouble", "datetime64[s]", "uint8"])
def test_observed_pictures_of_odd_dtypes_are_refused(dtype):
    with pytest.raises(ValueError, match="`observed` must be floating point.* Received: dtype="):
        denoiser().restore(np.zeros(CLEAN.shape, dtype))


@pytest.mark.parametrize(
    "observed", [None, {1}, [None], tf.ragged.constant([[[[0.5]]], [[[0.5], [0.5]]]])]
)
def test_what_is_no_array_is_no_observed_picture(observed):
    with pytest.raises(TypeError, match="`observed` must be one array.* Received"):
        denoiser().restore(observed)


@pytest.mark.parametrize("loss", [3, "mes", [], -1.0])
def test_what_is_no_loss_is_refused(loss):
    with pytest.raises(ValueError, match='`loss` must be .* such as "mse".* Received: loss='):
        denoiser().compile(loss=loss)


def test_noise_may_leave_the_range():
    assert NOISY.min() < -2
    assert np.isfinite(denoiser().restore(NOISY)).all()


def test_a_missing_mask_is_named():
    with pytest.raises(ValueError, match=r"the mask .*Received: .*append it"):
        inpainter().restore(CLEAN)


def test_it_beats_the_observed_pictures_on_easy_data():
    # Pictures of one grey: the mean of the 49 pixels that a pixel's network sees has a seventh of
    # their noise, 17 dB less. A short training must come a good part of that way.
    keras.utils.set_random_seed(0)
    greys = np.random.default_rng(0).uniform(0.2, 0.8, (32, 1, 1, 1)).astype("float32")
    clean = np.broadcast_to(greys, (32, 12, 20, 1))
    network = networks.dncnn(depth=3, filters=8, batch_norm=False)
    model = Restorer(network, degradations.AdditiveNoise(0.1, seed=1), seed=1)
    model.compile(keras.optimizers.Adam(0.01))
    history = model.fit(clean, batch_size=16, epochs=40, validation_data=clean[:8], verbose=0)
    observed = to_numpy(model.degradation(clean[:8]))
    before = float(np.mean(metrics.psnr(clean[:8], observed)))
    after = float(np.mean(metrics.psnr(clean[:8], model.restore(observed))))
    assert before == pytest.approx(20.0, abs=0.2)  # noise of 0.1
    assert 5 < after - before < 17
    assert history.history["val_psnr"][-1] == pytest.approx(after, abs=1e-3)
