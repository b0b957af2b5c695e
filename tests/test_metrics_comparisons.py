"""Comparisons of pictures and their extractors: what they compute, state and refuse."""

import keras
import numpy as np
import pytest

from keras_imgen import load, load_moving_digits, metrics
from keras_imgen.metrics import (
    DigitFeatures,
    Features,
    FrechetDistance,
    InceptionFeatures,
    KernelDistance,
    PrecisionRecall,
    comparisons,
    features,
)

COMPARISONS = [FrechetDistance, KernelDistance, PrecisionRecall]


def pictures(shape=(12, 20, 1), count=60, seed=0):
    return np.random.default_rng(seed).random((count, *shape), "float32")


def means(batch):
    """Return the mean of the upper and the lower half: features of pictures, by a function."""
    half = batch.shape[1] // 2
    return np.stack([batch[:, :half].mean((1, 2, 3)), batch[:, half:].mean((1, 2, 3))], axis=1)


def identity(shape=(None, None, 3)):
    """Return a network whose features are the means of each channel."""
    inputs = keras.Input(shape)
    return keras.Model(inputs, keras.layers.Rescaling(1.0)(inputs), name="identity")


@pytest.fixture(scope="module")
def digit_features():
    return DigitFeatures()


# Features


def test_features_by_hand_of_any_number_of_pictures():
    extract = Features(identity(), "means")
    for count in (1, features.BATCH, features.BATCH + 1):
        batch = pictures((5, 7, 3), count)
        found = extract(batch)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, batch.mean(axis=(1, 2)), atol=1e-6)


def test_vectors_are_taken_as_they_are():
    network = keras.Sequential([keras.Input((4, 5, 1)), keras.layers.Flatten()])
    batch = pictures((4, 5, 1), 3)
    np.testing.assert_array_equal(Features(network, "pixels")(batch), batch.reshape(3, 20))


def test_grey_is_repeated_for_a_network_of_colours():
    batch = pictures((5, 7, 1), 4)
    found = Features(identity((5, 7, 3)), "means")(batch)
    np.testing.assert_allclose(found, np.repeat(batch.mean(axis=(1, 2)), 3, axis=1), atol=1e-6)


def test_resizing_has_no_aliasing():
    # Stripes of one pixel become grey; picking every fourth pixel would make them black or white.
    stripes = np.zeros((1, 32, 32, 1), "float32")
    stripes[:, :, ::2] = 1.0
    network = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten()])
    found = Features(network, "pixels", resize=(8, 8))(stripes).reshape(8, 8)
    np.testing.assert_allclose(found[:, 1:-1], 0.5, atol=0.02)
    assert abs(found - 0.5).max() < 0.1  # at the border a stripe counts for more


def test_pictures_of_the_right_size_are_not_resized():
    batch = pictures((8, 8, 1), 3)
    network = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten()])
    np.testing.assert_array_equal(
        Features(network, "p", resize=(8, 8))(batch), batch.reshape(3, 64)
    )


def test_features_are_those_of_a_network_that_does_not_train():
    network = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten()])
    network.add(keras.layers.Dropout(0.5, seed=0))
    batch = pictures((4, 4, 1), 3)
    np.testing.assert_array_equal(Features(network, "x")(batch), batch.reshape(3, 16))


def two_outputs():
    inputs = keras.Input((4, 4, 1))
    return keras.Model(inputs, [inputs, keras.layers.Flatten()(inputs)])


@pytest.mark.parametrize(
    ("network", "options", "error", "message"),
    [
        (means, {}, TypeError, "A function of pictures can be an `extractor` itself"),
        (keras.Sequential([keras.layers.Flatten()]), {}, ValueError, "must be built. Received"),
        (two_outputs(), {}, ValueError, r"Choose one: keras.Model\(network.inputs"),
        (identity((3, 4, 4, 1)), {}, ValueError, "from .*3, 4, 4, 1.* to"),
        (identity(), {"name": ""}, ValueError, "`name` must be a text. Received: name=''"),
        (identity(), {"resize": 8}, ValueError, "`resize` must be a pair. Received: resize=8"),
        (identity(), {"resize": (8, 0)}, ValueError, "whole number, at least 1.* pair"),
        (identity((8, 8, 3)), {"resize": (8, 9)}, ValueError, r"resize=\(8, 9\) .* \(8, 8\)"),
    ],
)
def test_networks_without_features_are_refused(network, options, error, message):
    with pytest.raises(error, match=message):
        Features(network, **{"name": "x", **options})


def test_pictures_that_the_network_cannot_work_on_are_refused():
    extract = Features(identity((8, 8, 3)), "means")
    with pytest.raises(ValueError, match=r"of \(8, 8\) pixels.*Pass resize=\(height, width\)"):
        extract(pictures((12, 20, 3)))
    with pytest.raises(ValueError, match=r"of 3 channels, or 1. Received: .*\(8, 8, 4\)"):
        extract(pictures((8, 8, 4)))
    with pytest.raises(ValueError, match=r"`pictures` must lie in \[0, 1\]"):
        extract(pictures((8, 8, 3)) * 255)


# Digits


def test_digits_are_read(digit_features):
    digits = load("digits", "test", labels=True)
    found = digit_features.labels(digits.take(1000))
    assert found.dtype == np.int32
    # Of digits that the network was trained on: the file is whole, and read as it was written.
    assert np.mean(found == digits.labels) >= 0.98


def test_digits_of_other_sizes_are_read(digit_features):
    digits = load("digits", "test", labels=True)
    clean = digits.take(100)
    large = clean.repeat(2, axis=1).repeat(2, axis=2)
    assert np.mean(digit_features.labels(large) == digits.labels[:100]) >= 0.98
    assert np.shape(digit_features(large)) == (100, 64)


def test_digits_are_grey(digit_features):
    for method in (digit_features, digit_features.labels):
        with pytest.raises(
            ValueError, match=r"'digits' are those of grey .* InceptionFeatures\(\)"
        ):
            method(pictures((28, 28, 3)))


def test_samples_of_digits_are_told_from_worse_ones(digit_features):
    real, others = load("digits", "test"), load("digits").take(1000)
    noise = np.random.default_rng(0).normal(0.0, 0.2, others.shape)
    noisy = np.clip(others + noise, 0.0, 1.0).astype("float32")
    for compare in (FrechetDistance, KernelDistance):
        distance = compare(real, digit_features)
        assert float(distance(others)) < 0.2 * float(distance(noisy))
    figures = PrecisionRecall(real, digit_features)
    assert min(figures(others).precision, figures(others).recall) > 0.8
    assert figures(noisy).precision < figures(others).precision


# Inception, without its weights


def test_inception_gets_what_its_weights_want(monkeypatch):
    asked = {}

    def tiny(**options):
        asked.update(options)
        network = identity(options["input_shape"])
        return keras.Sequential([network, keras.layers.GlobalAveragePooling2D()])

    monkeypatch.setattr(keras.applications, "InceptionV3", tiny)
    extract = InceptionFeatures()
    assert asked.pop("input_shape") == (299, 299, 3)
    assert asked == {"include_top": False, "weights": "imagenet", "pooling": "avg"}
    assert (extract.name, extract.resize) == ("inception", (299, 299))
    grey = np.full((2, 12, 20, 1), 0.25, "float32")
    np.testing.assert_allclose(extract(grey), -0.5, atol=1e-5)  # 2 * 0.25 - 1


def test_inception_without_a_connection_gives_advice(monkeypatch):
    def fail(**options):
        raise Exception("URL fetch failure on https://storage")  # as Keras does

    monkeypatch.setattr(keras.applications, "InceptionV3", fail)
    with pytest.raises(OSError, match=r"Received: 'URL fetch .*copy its folder ~/.keras/models"):
        InceptionFeatures()


# Comparisons


def test_a_sentence_states_everything():
    protocol = {"num_samples": 10_000, "num_real": 10_000, "extractor": "digits"}
    protocol |= {"num_features": 64, "resize": None}
    result = comparisons.FrechetResult(value=3.21, **protocol)
    assert float(result) == 3.21
    assert str(result) == (
        "Fréchet distance 3.21 (10,000 samples against 10,000 real pictures; features: digits, 64; "
        "resized: no)"
    )
    protocol["resize"] = (28, 28)
    result = comparisons.KernelResult(
        value=-0.012, standard_error=0.034, subset_size=1000, **protocol
    )
    assert float(result) == -0.012
    assert str(result) == (
        "Kernel distance -0.012, standard error 0.034 (10,000 samples against 10,000 real "
        "pictures; features: digits, 64; resized: to 28 x 28; subsets of 1,000)"
    )
    result = comparisons.PrecisionRecallResult(precision=1.0, recall=0.25, neighbors=3, **protocol)
    assert str(result) == (
        "Precision 1.000, recall 0.250 (10,000 samples against 10,000 real pictures; features: "
        "digits, 64; resized: to 28 x 28; neighbors: 3)"
    )


def test_pictures_of_the_size_of_the_features_are_not_resized_says_the_result():
    real = load("digits", "test")
    assert PrecisionRecall(real)(load("digits").take(20)).resize is None
    assert PrecisionRecall(pictures())(pictures(seed=1)).resize == (28, 28)


def test_a_function_is_an_extractor_and_real_features_are_computed_once():
    calls = []

    def halves(batch):
        calls.append(len(batch))
        return means(batch)

    distance = FrechetDistance(pictures(count=40), halves)
    result = distance(pictures(count=30, seed=1))
    distance(pictures(count=20, seed=2))
    assert calls == [40, 30, 20]
    assert (result.extractor, result.num_features, result.resize) == ("halves", 2, None)
    expected = metrics.frechet_distance(
        means(pictures(count=40)), means(pictures(count=30, seed=1))
    )
    assert float(result) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("compare", COMPARISONS)
def test_crops_of_a_dataset_are_compared(compare):
    dataset = load("photos", "test", size=16, crops=10, channels=3)
    assert compare(dataset, means)(dataset.take(20)).num_real == dataset.num_pictures


@pytest.mark.parametrize("compare", COMPARISONS)
@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (pictures() * 255, ValueError, r"must lie in \[0, 1\].* by 255"),
        (pictures() * 2 - 1, ValueError, r"must lie in \[0, 1\].*\(x \+ 1\) / 2"),
        (pictures() * np.nan, ValueError, "must be finite"),
        (
            np.zeros((60, 12, 20, 1), "uint8"),
            ValueError,
            "must be .*dtype=uint8.*keras_imgen.data.to_float",
        ),
        (pictures()[..., 0], ValueError, r"must have shape \(batch, height, width, channels\)"),
        (pictures()[:0], ValueError, "holds no picture"),
        (list(pictures()), TypeError, "must be one array.*np.stack"),
        (load_moving_digits(num_sequences=2), ValueError, "must have shape .*height, width"),
    ],
)
def test_what_are_no_pictures_is_refused(compare, wrong, error, message):
    with pytest.raises(error, match=f"`real` {message}"):
        compare(wrong, means)
    with pytest.raises(error, match=f"`made` {message}"):
        compare(pictures(), means)(wrong)


@pytest.mark.parametrize("compare", COMPARISONS)
def test_made_pictures_of_another_shape_are_refused(compare):
    comparison = compare(pictures(), means)
    for shape in ((28, 28, 1), (12, 20, 3)):
        with pytest.raises(ValueError, match="the same shape as the real ones.*Bring both to one"):
            comparison(pictures(shape))


@pytest.mark.parametrize("compare", COMPARISONS)
def test_colour_needs_an_extractor(compare):
    with pytest.raises(ValueError, match=r"must be grey.*extractor=InceptionFeatures\(\)"):
        compare(pictures((12, 20, 3)))


@pytest.mark.parametrize("compare", COMPARISONS)
def test_what_is_no_extractor_is_refused(compare):
    for wrong in ("inception", identity(), DigitFeatures):
        with pytest.raises(TypeError, match=r"`extractor` must be .*Features\(network, name\)"):
            compare(pictures(), wrong)
    with pytest.raises(ValueError, match="one row of features per picture. Received: 59 rows for"):
        compare(pictures(), lambda batch: means(batch)[1:])
    with pytest.raises(ValueError, match=r"`extractor\(real\)` must be a floating-point array"):
        compare(pictures(), lambda batch: batch)
    with pytest.raises(ValueError, match=r"`extractor\(real\)` must be finite"):
        compare(pictures(), lambda batch: means(batch) * np.nan)


@pytest.mark.parametrize(
    ("compare", "options", "least", "message"),
    [
        (FrechetDistance, {}, 4, "in 2 features needs at least 4 pictures of each kind"),
        (KernelDistance, {}, 4, "two subsets of 2 pictures of each kind, 4 or more"),
        (KernelDistance, {"subset_size": 9}, 18, "two subsets of 9 .*, 18 or more"),
        (PrecisionRecall, {}, 4, "A neighbor number 3 needs at least 4 pictures"),
        (PrecisionRecall, {"neighbors": 7}, 8, "A neighbor number 7 needs at least 8 pictures"),
    ],
)
def test_too_few_pictures_are_refused(compare, options, least, message):
    enough, few = pictures(count=least), pictures(count=least - 1)
    compare(enough, means, **options)(enough)
    with pytest.raises(ValueError, match=rf"{message}.* Received: {least - 1} in `real`"):
        compare(few, means, **options)
    with pytest.raises(
        ValueError, match=rf"{message}.* Received: {least - 1} in `made`. Pass more"
    ):
        compare(enough, means, **options)(few)


def test_options_without_a_meaning_are_refused_before_any_work():
    for compare, option in (
        (KernelDistance, {"subset_size": 1}),
        (KernelDistance, {"seed": -1}),
        (PrecisionRecall, {"neighbors": 0}),
    ):
        with pytest.raises(ValueError, match=rf"`{next(iter(option))}` must be a whole number"):
            compare(None, None, **option)
