"""PSNR, SSIM and flicker: their values, averages, and what they refuse as it would mislead."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_imgen.metrics import PSNR, SSIM, flicker, psnr, ssim

FIGURES = [(psnr, PSNR), (ssim, SSIM)]
# A wrong range is only seen with the values: in a compiled function the error is TensorFlow's own,
# which the models of this package turn into a ValueError.
RANGE_ERRORS = (ValueError, tf.errors.InvalidArgumentError)


def array(values):
    return keras.ops.convert_to_numpy(values)


def pair(shape=(4, 12, 20, 1), noise=0.1):
    """Return clean pictures and noisy ones, each noisier than the one before."""
    rng = np.random.default_rng(0)
    clean = rng.uniform(0.2, 0.8, shape).astype("float32")
    levels = noise * np.arange(1, shape[0] + 1).reshape(-1, *[1] * (len(shape) - 1))
    restored = clean + levels * rng.uniform(-0.5, 0.5, shape)
    return clean, np.clip(restored, 0, 1).astype("float32")


# Values


def test_psnr_by_hand():
    clean = np.zeros((3, 12, 20, 1), "float32")
    errors = np.array([0.1, 0.01, 1.0], "float32").reshape(-1, 1, 1, 1)
    np.testing.assert_allclose(array(psnr(clean, clean + errors)), [20.0, 40.0, 0.0], atol=1e-4)


@pytest.mark.parametrize("channels", [1, 3])
def test_psnr_is_the_formula_and_tensorflows(channels):
    clean, restored = pair((4, 12, 20, channels))
    values = array(psnr(clean, restored))
    by_hand = 10 * np.log10(1 / np.mean((clean - restored) ** 2, axis=(1, 2, 3)))
    np.testing.assert_allclose(values, by_hand, atol=1e-4)
    np.testing.assert_allclose(values, tf.image.psnr(clean, restored, 1.0), atol=1e-4)


@pytest.mark.parametrize("channels", [1, 3])
def test_ssim_is_tensorflows(channels):
    clean, restored = pair((4, 12, 20, channels))
    expected = tf.image.ssim(tf.constant(clean), tf.constant(restored), 1.0)
    np.testing.assert_allclose(array(ssim(clean, restored)), expected, atol=1e-4)


def test_ssim_of_constant_pictures_by_hand():
    # Without variance only the luminance term is left: (2 a b + c) / (a^2 + b^2 + c), c = 0.01^2.
    clean, restored = np.full((1, 11, 11, 1), 0.5), np.full((1, 11, 11, 1), 0.25)
    expected = (2 * 0.125 + 1e-4) / (0.25 + 0.0625 + 1e-4)
    np.testing.assert_allclose(array(ssim(clean, restored)), [expected], atol=1e-4)


def test_identical_pictures_have_the_best_figures():
    clean, _ = pair()
    np.testing.assert_allclose(array(psnr(clean, clean)), 100.0, atol=1e-4)
    np.testing.assert_allclose(array(ssim(clean, clean)), 1.0, atol=1e-5)


@pytest.mark.parametrize("figure", [psnr, ssim])
def test_any_leading_axes(figure):
    clean, restored = pair((6, 12, 20, 3))
    values = array(figure(clean, restored))
    sequences = [x.reshape(2, 3, 12, 20, 3) for x in (clean, restored)]
    np.testing.assert_allclose(array(figure(*sequences)), values.reshape(2, 3), atol=1e-4)
    np.testing.assert_allclose(array(figure(clean[0], restored[0])), values[0], atol=1e-4)


@pytest.mark.parametrize("figure", [psnr, ssim])
def test_in_a_compiled_function_of_unknown_sizes(figure):
    clean, restored = pair()
    unknown = tf.TensorSpec((None, None, None, 1), "float32")
    compiled = tf.function(figure, input_signature=[unknown, unknown])
    np.testing.assert_allclose(
        compiled(clean, restored), array(figure(clean, restored)), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("figure", [psnr, ssim])
def test_half_precision_is_computed_in_float32(figure):
    clean, restored = (keras.ops.cast(x, "bfloat16") for x in pair())
    value = figure(clean, restored)
    assert keras.backend.standardize_dtype(value.dtype) == "float32"
    exact = figure(keras.ops.cast(clean, "float32"), keras.ops.cast(restored, "float32"))
    np.testing.assert_allclose(array(value), array(exact), rtol=1e-5)


# Flicker


def film(shape=(2, 5, 12, 20, 1)):
    return np.random.default_rng(0).uniform(0.3, 0.7, shape).astype("float32")


def test_flicker_by_hand():
    clean = np.zeros((2, 4, 3, 5, 3), "float32")
    errors = np.array([[0.0, 0.1, 0.1, 0.3], [0.2, 0.2, 0.2, 0.2]], "float32")
    expected = [np.sqrt((0.1**2 + 0.2**2) / 3), 0.0]
    np.testing.assert_allclose(
        array(flicker(clean, clean + errors[..., None, None, None])), expected, atol=1e-6
    )


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("sides", [(1, 1), (12, 20)])
def test_an_error_that_stays_does_not_flicker(sides, channels):
    clean = film((3, 5, *sides, channels))
    still = clean + 0.2 * film((3, 1, *sides, channels))
    for restored in (clean, still):
        np.testing.assert_allclose(array(flicker(clean, restored)), 0.0, atol=1e-6)


def test_what_moves_rightly_does_not_flicker_and_what_stands_wrongly_does():
    clean = film()
    frozen = np.broadcast_to(clean[:, :1], clean.shape)
    # Two even numbers of a range of 0.4 differ by 0.4 / sqrt(6), as root mean square.
    np.testing.assert_allclose(array(flicker(clean, frozen)), 0.4 / np.sqrt(6), rtol=0.05)


def test_noise_that_is_new_in_every_frame_flickers_by_a_known_amount():
    clean = film((2, 20, 30, 40, 1))
    noise = np.random.default_rng(1).normal(0.0, 0.1, clean.shape).astype("float32")
    values = array(flicker(clean, clean + noise))
    # Steps share their noise two by two, so count them as half as many.
    error = 0.1 * np.sqrt(2) / np.sqrt(2 * 0.5 * 19 * 30 * 40)
    assert np.all(np.abs(values - 0.1 * np.sqrt(2)) < 4 * error)
    still = clean + noise[:, :1]
    np.testing.assert_allclose(array(flicker(clean, still)), 0.0, atol=1e-6)


def test_flicker_takes_any_axes_before_time_and_unknown_sizes():
    clean = film()
    restored = np.clip(clean + 0.1 * film()[::-1], 0, 1)
    values = array(flicker(clean, restored))
    assert values.shape == (2,)
    assert float(flicker(clean[0], restored[0])) == pytest.approx(values[0], abs=1e-6)
    np.testing.assert_allclose(array(flicker(clean[None], restored[None])), values[None], atol=1e-6)
    unknown = tf.TensorSpec((None, None, None, None, 1), "float32")
    compiled = tf.function(flicker, input_signature=[unknown, unknown])
    np.testing.assert_allclose(compiled(clean, restored), values, atol=1e-6)


@pytest.mark.parametrize("shape", [(12, 20, 1), (1, 12, 20, 1), (3, 1, 12, 20, 1)])
def test_one_frame_does_not_flicker(shape):
    with pytest.raises(ValueError, match=r"two frames or more. Received: shape=\(.*12, 20, 1\)"):
        flicker(np.zeros(shape, "float32"), np.zeros(shape, "float32"))


@pytest.mark.parametrize(
    ("restored", "advice"),
    [
        (255 * film(), "some beyond 16 in size. Divide .* by 255"),
        (film()[:, 1:], "equal shapes"),
        (np.zeros((2, 5, 12, 20, 1), "uint8"), "dtype=uint8"),
    ],
)
def test_what_would_give_a_wrong_flicker_is_refused(restored, advice):
    with pytest.raises(ValueError, match=advice):
        flicker(film(), restored)


# Averages


@pytest.mark.parametrize(("figure", "metric_class"), FIGURES)
def test_the_mean_is_over_pictures_however_they_are_batched(figure, metric_class):
    clean, restored = pair((5, 12, 20, 1))
    metric = metric_class()
    metric.update_state(clean[:4], restored[:4])
    metric.update_state(clean[4:], restored[4:])
    expected = array(figure(clean, restored)).mean()
    assert float(metric.result()) == pytest.approx(expected, abs=1e-4)
    metric.reset_state()
    assert float(metric.result()) == 0.0


def test_the_mean_is_not_that_of_pooled_errors():
    clean = np.zeros((2, 12, 20, 1), "float32")
    restored = clean + np.array([0.1, 0.01], "float32").reshape(2, 1, 1, 1)
    metric = PSNR()
    metric.update_state(clean, restored)
    assert float(metric.result()) == pytest.approx(30.0, abs=1e-3)  # pooled: 22.97


def test_frames_of_sequences_count_as_pictures_for_ssim():
    clean, restored = pair((6, 12, 20, 1))
    metric = SSIM()
    metric.update_state(clean.reshape(2, 3, 12, 20, 1), restored.reshape(2, 3, 12, 20, 1))
    assert float(metric.result()) == pytest.approx(array(ssim(clean, restored)).mean(), abs=1e-4)


def test_known_frames_do_not_hide_lost_ones():
    clean = np.zeros((2, 5, 12, 20, 1), "float32")
    restored = clean.copy()
    restored[:, 3] = [[[[0.5]]], [[[0.05]]]]  # one of five is lost, the others are as they were
    metric = PSNR()
    metric.update_state(clean, restored)
    of_sequences = -10 * np.log10([0.25 / 5, 0.0025 / 5])
    assert float(metric.result()) == pytest.approx(of_sequences.mean(), abs=1e-3)
    assert np.mean(array(psnr(clean, restored))) > 80  # frame by frame


def test_clipping_is_asked_for():
    clean = np.full((1, 12, 20, 1), 0.95, "float32")
    assert float(psnr(clean, clean + 0.1)[0]) == pytest.approx(20.0, abs=1e-3)
    assert float(psnr(clean, clean + 0.1, clip=True)[0]) == pytest.approx(26.02, abs=1e-2)
    with pytest.raises(ValueError, match="by 255"):
        psnr(clean, 255 * clean, clip=True)


def test_what_is_no_number_has_no_figure():
    # A check of the range would blame the pictures.
    clean = np.full((1, 12, 20, 1), np.nan, "float32")
    assert np.isnan(float(psnr(clean, clean)[0]))


def test_weights_weigh_pictures_and_sequences():
    clean = np.zeros((2, 3, 12, 20, 1), "float32")
    restored = clean + np.array([0.1, 0.01], "float32").reshape(2, 1, 1, 1, 1)
    for sequences in (False, True):
        metric = PSNR()
        arguments = (clean, restored) if sequences else (clean[:, 0], restored[:, 0])
        metric.update_state(*arguments, sample_weight=np.array([3.0, 1.0], "float32"))
        assert float(metric.result()) == pytest.approx(25.0, abs=1e-3)  # (3 * 20 + 40) / 4


@pytest.mark.parametrize(("figure", "metric_class"), FIGURES)
def test_metrics_clip_restored_pictures_as_files_do(figure, metric_class):
    clean, restored = pair()
    stray = np.where(restored > 0.7, 1.0 + restored, restored)
    metric = metric_class()
    metric.update_state(clean, stray)
    clipped = array(figure(clean, np.clip(stray, 0, 1))).mean()
    assert float(metric.result()) == pytest.approx(clipped, abs=1e-4)


@pytest.mark.parametrize("metric_class", [PSNR, SSIM])
def test_a_model_that_strays_in_training_gets_a_low_figure(metric_class):
    clean, restored = pair()
    metric = metric_class()
    metric.update_state(clean, restored * 1000)
    assert float(metric.result()) < {PSNR: 7.0, SSIM: 0.5}[metric_class]
    metric.update_state(clean, restored * np.nan)  # which stops the training with good advice
    assert np.isnan(float(metric.result()))


@pytest.mark.parametrize("metric_class", [PSNR, SSIM])
def test_metrics_survive_being_saved(metric_class):
    metric = metric_class(name="quality", dtype="float64")
    config = keras.saving.serialize_keras_object(metric)
    rebuilt = keras.saving.deserialize_keras_object(config, safe_mode=True)
    assert type(rebuilt) is metric_class
    assert rebuilt.get_config() == {"name": "quality", "dtype": "float64"}
    assert metric_class().name == metric_class.__name__.lower()


# What would give a wrong figure is refused


def convolution():
    model = keras.Sequential([keras.Input((None, None, 1)), keras.layers.Conv2D(1, 1)])
    model.compile("sgd", "mse", metrics=[PSNR()])
    return model


@pytest.mark.parametrize(("figure", "metric_class"), FIGURES)
def test_8_bits_are_refused(figure, metric_class):
    clean, restored = pair()
    bits = (clean * 255).astype("uint8")
    for arguments in ((bits, restored), (clean, bits), (bits, bits)):
        for function in (figure, tf.function(figure), metric_class().update_state):
            with pytest.raises(ValueError, match=r"dtype=uint8. .*keras_imgen.data.to_float"):
                function(*arguments)


@pytest.mark.parametrize(("figure", "metric_class"), FIGURES)
def test_grey_levels_up_to_255_are_refused(figure, metric_class):
    clean, restored = pair()
    compiled = tf.function(figure)
    for function, error in (
        (figure, ValueError),
        (metric_class().update_state, ValueError),
        (compiled, RANGE_ERRORS),
    ):
        with pytest.raises(error, match=r"need clean pictures in .* by 255"):
            function(clean * 255, restored * 255)
    for function, error in ((figure, ValueError), (compiled, RANGE_ERRORS)):
        with pytest.raises(error, match=r"need restored pictures in .* by 255"):
            function(clean, restored * 255)


def test_grey_levels_up_to_255_are_refused_in_training():
    clean, restored = pair()
    with pytest.raises(RANGE_ERRORS, match=r"need clean pictures in .* by 255"):
        convolution().fit(restored, clean * 255, verbose=0)


@pytest.mark.parametrize("figure", [psnr, ssim])
def test_negative_clean_pictures_are_refused(figure):
    clean, restored = pair()
    with pytest.raises(ValueError, match="clean pictures in"):
        figure(clean * 2 - 1, restored)


@pytest.mark.parametrize(("figure", "metric_class"), FIGURES)
@pytest.mark.parametrize(
    "shape", [(4, 20, 12, 1), (4, 12, 20, 3), (1, 12, 20, 1), (12, 20, 1), (4, 1, 12, 20, 1)]
)
def test_shapes_that_would_broadcast_are_refused(figure, metric_class, shape):
    clean, _ = pair()
    for function in (figure, tf.function(figure), metric_class().update_state):
        with pytest.raises(ValueError, match="must have equal shapes"):
            function(clean, np.zeros(shape, "float32"))


@pytest.mark.parametrize("figure", [psnr, ssim])
@pytest.mark.parametrize("wrong", [[[0.0]], np.zeros((12, 20), "float32"), None])
def test_what_is_no_picture_is_refused(figure, wrong):
    with pytest.raises(ValueError, match=r"`clean` must be pictures of shape"):
        figure(wrong, wrong)


@pytest.mark.parametrize("shape", [(1, 10, 20, 1), (1, 20, 10, 1)])
def test_ssim_needs_room_for_its_window(shape):
    clean = np.zeros(shape, "float32")
    with pytest.raises(ValueError, match=r"at least 11. .* For smaller ones use PSNR"):
        ssim(clean, clean)
    assert array(psnr(clean, clean)).shape == (1,)


@pytest.mark.parametrize("figure", [psnr, ssim])
def test_no_picture_has_no_figure(figure):
    empty = np.zeros((0, 12, 20, 1), "float32")
    with pytest.raises(ValueError, match=r"`clean` holds no picture. Received: shape=\(0, 12"):
        figure(empty, empty)


@pytest.mark.parametrize("dtype", ["str", "bytes", "f4,f4", "longdouble"])
def test_texts_are_no_pictures(dtype):
    with pytest.raises(ValueError, match="`restored` must be floating point.* Received: dtype="):
        psnr(np.zeros((1, 12, 20, 1), "float32"), np.zeros((1, 12, 20, 1), dtype))
