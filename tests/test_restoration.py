"""The Restorer: what it is shown, what it keeps, what it learns and what it gives back."""

import re

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
    kernel, bias = model.network.get_layer("whole").get_weights()
    model.network.get_layer("whole").set_weights([50 * kernel, bias])  # far beyond the range
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
    assert model.image_shape == (None, 12, 20, 1)
    assert model.restore(model.degradation(clean)).shape == clean.shape


# What a model is told beside the picture


def told_denoiser(share=True, **options):
    keras.utils.set_random_seed(0)
    network = networks.dncnn(
        (None, None, 3), extra_channels=1, depth=3, filters=4, batch_norm=False
    )
    noise = degradations.AdditiveNoise((0.0, 0.2), append_level=share, seed=2)
    model = Restorer(network, noise, seed=1)
    model.compile(**options)
    return model


def test_a_mask_may_be_passed_beside_the_picture():
    model = inpainter()
    observed = to_numpy(model.degradation(CLEAN))
    expected = model.restore(observed)
    known = observed[..., 3:]
    np.testing.assert_array_equal(model.restore(CLEAN, known=known), expected)
    anything = np.where(known == 1.0, CLEAN, np.float32("nan"))
    np.testing.assert_array_equal(model.restore(anything, known=known), expected)
    one = model.restore(CLEAN, known=known[0])  # the same mask for all
    np.testing.assert_array_equal(one[0], expected[0])
    assert np.any(one[1] != expected[1])


def test_a_level_may_be_told_or_not():
    channel = np.full((*CLEAN.shape[:-1], 1), 0.1, "float32")
    for share in (True, 0.5):
        model = told_denoiser(share)
        answers = []
        for level, told in ((0.1, channel), (None, 0 * channel)):
            answers.append(model.restore(np.concatenate([CLEAN, told], axis=-1)))
            if level or share == 0.5:
                np.testing.assert_array_equal(model.restore(CLEAN, level=level), answers[-1])
        assert np.any(answers[0] != answers[1])
    with pytest.raises(ValueError, match="conditioned on a level. Received: none. Pass `level`"):
        told_denoiser(True).restore(CLEAN)  # 0 would be a wrong one


@pytest.mark.parametrize(
    "combined",
    [
        lambda noise: degradations.Compose([degradations.Blur(1.0), noise]),
        lambda noise: degradations.OneOf(
            [degradations.PoissonNoise(0.01, append_level=True), noise]
        ),
        lambda noise: degradations.OneOf(
            [noise, degradations.PoissonNoise(0.01, append_level=True)]
        ),
        lambda noise: degradations.Compose([degradations.OneOf([noise])]),
    ],
)
def test_a_level_of_one_part_of_several_may_be_told(combined):
    noise = degradations.AdditiveNoise((0.05, 0.2), append_level=0.5, seed=1)
    keras.utils.set_random_seed(0)
    network = networks.dncnn((None, None, 3), depth=3, filters=4, extra_channels=1)
    model = Restorer(network, combined(noise), seed=0)
    told = np.concatenate([CLEAN, np.full_like(CLEAN[..., :1], 0.1)], axis=-1)
    np.testing.assert_array_equal(model.restore(CLEAN, level=0.1), model.restore(told))
    assert np.any(model.restore(CLEAN, level=0.1) != model.restore(CLEAN))
    with pytest.raises(ValueError, match="`level` must be .*Received: level=0.5"):
        model.restore(CLEAN, level=0.5)


def test_a_level_that_means_two_things_is_refused():
    parts = [
        degradations.JpegCompression((1, 90), append_level=True),
        degradations.Blur((0.5, 3.0), append_level=True),
    ]
    network = networks.dncnn((None, None, 3), depth=3, filters=4, extra_channels=1)
    model = Restorer(network, degradations.OneOf(parts), seed=0)
    model.restore(CLEAN, level=50)
    model.restore(CLEAN, level=0.5)
    with pytest.raises(ValueError, match=r"means one thing .*Received: level=1.5"):
        model.restore(CLEAN, level=1.5)


@pytest.mark.parametrize(
    "combined",
    [
        lambda noise: degradations.Compose([degradations.Blur(1.0), noise]),
        lambda noise: degradations.Persistent(noise, seed=4),
        lambda noise: degradations.Persistent(degradations.OneOf([noise]), seed=4),
        lambda noise: degradations.OneOf(
            [degradations.PoissonNoise(0.01, append_level=True), noise]
        ),
        lambda noise: degradations.Compose([degradations.Compose([noise])]),
    ],
)
def test_a_level_that_was_always_told_must_be_told_of_parts_too(combined):
    noise = degradations.AdditiveNoise((0.05, 0.2), append_level=True, seed=1)
    network = networks.dncnn((None, None, 3), depth=3, filters=4, extra_channels=1)
    model = Restorer(network, combined(noise), seed=0)
    told = np.concatenate([CLEAN, np.full_like(CLEAN[..., :1], 0.1)], axis=-1)
    np.testing.assert_array_equal(model.restore(CLEAN, level=0.1), model.restore(told))
    with pytest.raises(ValueError, match="conditioned on a level. Received: none"):
        model.restore(CLEAN)


def test_a_level_of_0_is_refused_where_it_stands_for_none():
    always = told_denoiser()
    always.restore(CLEAN, level=0.0)
    sometimes = Restorer(always.network, degradations.AdditiveNoise((0.0, 0.2), append_level=0.5))
    with pytest.raises(ValueError, match="`level` must not be 0.*Leave it out"):
        sometimes.restore(CLEAN, level=0.0)


def test_a_level_is_told_in_the_degradations_own_measure():
    network = networks.dncnn((None, None, 3), extra_channels=1, depth=3, filters=4)
    model = Restorer(network, degradations.JpegCompression((10, 90), append_level=True))
    channel = np.full((*CLEAN.shape[:-1], 1), 0.7, "float32")
    expected = model.restore(np.concatenate([CLEAN, channel], axis=-1))
    np.testing.assert_allclose(model.restore(CLEAN, level=30), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("make", "options", "advice"),
    [
        (denoiser, {"known": 1.0}, "appends a mask .*AdditiveNoise, which appends nothing"),
        (denoiser, {"level": 0.1}, "appends a level .*AdditiveNoise, which appends nothing"),
        (inpainter, {"level": 0.1}, "appends a level .*MissingPixels, which appends mask"),
        (inpainter, {"known": np.ones((5, 5))}, r"must fit the pictures: \(8, 12, 20, 1\)"),
        (inpainter, {"known": np.ones((12, 20, 3))}, r"shape=\(12, 20, 3\)\. A mask of height"),
        (inpainter, {"known": 0.5}, "1 where a pixel is known .*from 0.5 to 0.5"),
        (inpainter, {"known": "all"}, "must fit the pictures.*known='all'"),
        (told_denoiser, {"level": 25}, r"a number in \[0, 0.2\].*level=25.*25 / 255"),
        (told_denoiser, {"level": 0.21}, "level=0.21. The model has learned from no others"),
        (told_denoiser, {"level": "high"}, "`level` .*level='high'"),
        (denoiser, {"tile": 10}, "side of a tile in pixels"),
        (denoiser, {"tile": 2.5}, "tile=2.5"),
        (denoiser, {"self_ensemble": 8}, "`self_ensemble` must be True"),
        (denoiser, {"return_std": "yes"}, "`return_std` must be True"),
        (denoiser, {"progress": None}, "`progress` must be True"),
    ],
)
def test_what_a_model_cannot_be_told_is_refused(make, options, advice):
    with pytest.raises((TypeError, ValueError), match=advice):
        make().restore(CLEAN, **options)


@pytest.mark.parametrize("make", [told_denoiser, inpainter])
@pytest.mark.parametrize(
    "pictures", [CLEAN[0], CLEAN[:0], CLEAN[..., :1], np.repeat(CLEAN, 2, axis=-1)]
)
def test_a_complaint_speaks_of_the_shape_that_was_passed(make, pictures):
    options = {"known": 1.0} if make is inpainter else {"level": 0.1}
    with pytest.raises(ValueError, match=re.escape(f"shape={pictures.shape}")):
        make().restore(pictures, **options)


def test_a_mask_is_told_once():
    model = inpainter()
    observed = to_numpy(model.degradation(CLEAN))
    with pytest.raises(ValueError, match="pictures of 3 channels. .* Leave out one"):
        model.restore(observed, known=observed[..., 3:])


# Eight positions


def turned(pictures):
    """Return pictures in all eight positions."""
    rotated = [np.rot90(pictures, turns, axes=(1, 2)) for turns in range(4)]
    return rotated + [position[:, :, ::-1] for position in rotated]


def test_the_ensemble_is_the_mean_of_all_positions():
    model, square = denoiser(), CLEAN[:, :, :12]
    whole = to_numpy(model(square))
    # Restored in each position and turned back: with the first one undone, what is left are means.
    back = []
    for turns in range(4):
        for mirrored in (False, True):
            position = np.rot90(square, turns, axes=(1, 2))
            position = position[:, :, ::-1] if mirrored else position
            restored = to_numpy(model(np.ascontiguousarray(position)))
            restored = restored[:, :, ::-1] if mirrored else restored
            back.append(np.rot90(restored, -turns, axes=(1, 2)))
    np.testing.assert_allclose(
        model.restore(square, self_ensemble=True), np.mean(back, axis=0).clip(0, 1), atol=1e-6
    )
    assert np.abs(np.mean(back, axis=0) - whole).max() > 1e-4
    mean, std = model.restore(square, return_std=True)
    np.testing.assert_array_equal(mean, model.restore(square, self_ensemble=True))
    np.testing.assert_allclose(std, np.std(back, axis=0, ddof=1), atol=1e-6)
    assert std.shape == square.shape
    assert std.max() > 1e-4


def test_the_ensemble_turns_with_the_picture():
    model = denoiser()
    expected = model.restore(CLEAN, self_ensemble=True)
    for position, restored in zip(turned(CLEAN), turned(expected), strict=True):
        again = model.restore(np.ascontiguousarray(position), self_ensemble=True)
        np.testing.assert_allclose(again, restored, atol=1e-6)


def test_fixed_sides_are_only_mirrored():
    network = networks.conv_lstm((12, 20, 1), extra_channels=1, filters=2)
    model = Restorer(network, degradations.MissingFrames(1, seed=0), seed=0)
    rng = np.random.default_rng(0)
    for weight in network.weights:
        weight.assign(0.3 * rng.standard_normal(weight.shape))
    observed = rng.random((2, 4, 12, 20, 2), "float32")
    positions = [observed, observed[:, :, ::-1], observed[:, :, :, ::-1]]
    positions.append(observed[:, :, ::-1, ::-1])
    back = [to_numpy(model(np.ascontiguousarray(x))) for x in positions]
    back = [back[0], back[1][:, :, ::-1], back[2][:, :, :, ::-1], back[3][:, :, ::-1, ::-1]]
    np.testing.assert_allclose(
        model.restore(observed, self_ensemble=True), np.mean(back, axis=0).clip(0, 1), atol=1e-5
    )


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


def test_large_networks_get_a_lower_rate_by_default():
    for network, rate in (
        (networks.dncnn(), 2e-3),
        (networks.unet(extra_channels=0), 2e-3),
        (networks.drunet(filters=(32, 64, 128), num_blocks=2), 1e-3),  # diverges at 2e-3
    ):
        restorer = Restorer(network, degradations.AdditiveNoise(0.1))
        restorer.compile()
        assert float(restorer.optimizer.learning_rate) == pytest.approx(rate)


# The bare denoiser


def denoiser_of_levels(append_level=True):
    noise = degradations.AdditiveNoise((0.0, 0.5), append_level=append_level, seed=0)
    network = networks.dncnn(depth=3, filters=4, extra_channels=1, batch_norm=False)
    return Restorer(network, noise, seed=0)


def test_denoise_is_restore_without_its_bounds():
    model = denoiser_of_levels(0.5)
    x = np.random.default_rng(0).random((3, 13, 17, 1), "float32")
    for level in (None, 0.1):
        bare = np.array(model.denoise(x, level))
        np.testing.assert_allclose(np.clip(bare, 0, 1), model.restore(x, level=level), atol=1e-6)
    # A level for each picture, and pictures far beyond the range, which come out unclipped.
    levels = np.array([0.1, 0.2, 0.5], "float32")
    one_by_one = [np.array(model.denoise(x[i : i + 1], float(levels[i]))) for i in range(3)]
    together = np.array(model.denoise(x, levels))
    np.testing.assert_allclose(together, np.concatenate(one_by_one), atol=1e-6)
    assert np.abs(np.array(model.denoise(100.0 * x - 50.0, 0.5))).max() > 10.0
    assert keras.backend.standardize_dtype(model.denoise(x.astype("float64")).dtype) == "float32"


def test_slopes_go_through_denoise_in_a_compiled_function():
    model = denoiser_of_levels()

    @tf.function
    def slope(x, level):
        with tf.GradientTape() as tape:
            tape.watch((x, level))
            value = tf.reduce_sum(tf.square(model.denoise(x, level)))
        return tape.gradient(value, (x, level))

    x = tf.constant(np.random.default_rng(0).random((2, 6, 7, 1)), "float32")
    by_picture, by_level = slope(x, tf.constant([0.1, 0.3]))
    step = 1e-2
    there, back = (
        tf.reduce_sum(tf.square(model.denoise(x + sign * step * by_picture, [0.1, 0.3])))
        for sign in (1.0, -1.0)
    )
    expected = float(tf.reduce_sum(tf.square(by_picture)))
    assert float(there - back) / (2.0 * step) == pytest.approx(expected, rel=0.02)
    assert by_level.shape == (2,)
    assert np.all(np.array(by_level) != 0.0)


def test_denoise_refuses_pictures_of_whole_numbers():
    with pytest.raises(TypeError, match="floating-point tensors. Received: dtype=uint8"):
        denoiser().denoise(np.zeros((1, 8, 8, 3), "uint8"))


@pytest.mark.parametrize(
    ("make", "arguments", "advice"),
    [
        (denoiser_of_levels, ([1, 8, 8, 1],), "conditioned on a level. Received: none"),
        (denoiser_of_levels, ([1, 8, 8, 1], 0.6), r"`level` .*0.5.*Received: level=0.6"),
        (denoiser_of_levels, ([2, 8, 8, 1], [0.1, 0.6]), "between 0 and 0.5: .* Received: others"),
        (
            denoiser_of_levels,
            ([8, 8, 1], 0.1),
            r"None, 1\). Received: .*\(8, 8, 1\)",
        ),
        (denoiser_of_levels, ([1, 8, 8, 2], 0.1), r"Received: shape=\(1, 8, 8, 2\)"),
        (denoiser, ([1, 8, 8, 3], 0.1), "takes no level. Received: level=0.1"),
        (inpainter, ([1, 8, 8, 1],), "see nothing but pictures.* Call `restore`"),
    ],
)
def test_what_denoise_cannot_do_is_refused(make, arguments, advice):
    shape, *level = arguments
    with pytest.raises(ValueError, match=advice):
        make().denoise(np.zeros(shape, "float32"), *level)
