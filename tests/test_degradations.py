"""Degradations: what all of them promise, and the statistics of each."""

import inspect
import io

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_imgen import data, degradations, load
from keras_imgen.degradations import (
    AdditiveNoise,
    Blur,
    Compose,
    Degradation,
    Downsample,
    Flicker,
    FreeFormHoles,
    JpegCompression,
    MissingBlocks,
    MissingFrames,
    MissingPixels,
    Mosaic,
    MotionBlur,
    OneOf,
    Persistent,
    PoissonNoise,
    SaltAndPepper,
    Scratches,
    TextOverlay,
)
from keras_imgen.inference.priors import adjoint

# Every public degradation by functions of a seed: at some strength, and at strength 0.
MEMBERS = {
    "AdditiveNoise": (
        lambda seed: AdditiveNoise(0.1, seed=seed),
        lambda seed: AdditiveNoise(0.0, seed=seed),
    ),
    "AdditiveNoise of a known level": (
        lambda seed: AdditiveNoise((0.05, 0.2), append_level=True, seed=seed),
        lambda seed: AdditiveNoise((0.0, 0.0), append_level=True, seed=seed),
    ),
    "PoissonNoise": (
        lambda seed: PoissonNoise((0.0, 0.2), append_level=True, seed=seed),
        lambda seed: PoissonNoise(0.0, append_level=True, seed=seed),
    ),
    "SaltAndPepper": (
        lambda seed: SaltAndPepper((0.1, 0.5), append_level=True, seed=seed),
        lambda seed: SaltAndPepper(0.0, append_level=True, seed=seed),
    ),
    "Blur": (
        lambda seed: Blur((0.5, 2.0), append_level=True, seed=seed),
        lambda seed: Blur((0.0, 0.0), append_level=True, seed=seed),
    ),
    "MotionBlur": (
        lambda seed: MotionBlur((2.0, 8.0), append_level=0.5, seed=seed),
        lambda seed: MotionBlur(0.0, angle=30, append_level=True, seed=seed),
    ),
    "Downsample": (
        lambda seed: Downsample(2, seed=seed),
        lambda seed: Downsample(1, seed=seed),
    ),
    "Mosaic": (lambda seed: Mosaic("GBRG", seed=seed), None),
    "JpegCompression": (lambda seed: JpegCompression((10, 50), append_level=True, seed=seed), None),
    "MissingPixels": (
        lambda seed: MissingPixels((0.2, 0.8), seed=seed),
        lambda seed: MissingPixels((0.0, 0.0), seed=seed),
    ),
    "MissingBlocks": (
        lambda seed: MissingBlocks((0.2, 0.6), 3, seed=seed),
        lambda seed: MissingBlocks((0.0, 0.0), 3, seed=seed),
    ),
    "MissingFrames": (
        lambda seed: MissingFrames(2, seed=seed),
        lambda seed: MissingFrames(0, seed=seed),
    ),
    "Flicker": (
        lambda seed: Flicker((0.1, 0.5), append_level=0.5, seed=seed),
        lambda seed: Flicker(0.0, append_level=True, seed=seed),
    ),
    "Scratches": (
        lambda seed: Scratches(3, 1.5, 4, seed=seed),
        lambda seed: Scratches(0, seed=seed),
    ),
    "Persistent": (
        lambda seed: Persistent(MissingBlocks((0.2, 0.6), 3, seed=seed), seed=seed),
        lambda seed: Persistent(AdditiveNoise(0.0, append_level=True, seed=seed), seed=seed),
    ),
    "Persistent that moves": (
        lambda seed: Persistent(MissingBlocks((0.2, 0.6), 3, seed=seed), (1, 3), seed=seed),
        lambda seed: Persistent(MissingPixels(0.0, seed=seed), 2.0, seed=seed),
    ),
    "FreeFormHoles": (
        lambda seed: FreeFormHoles((0.1, 0.5), 2, seed=seed),
        lambda seed: FreeFormHoles((0.0, 0.0), 2, seed=seed),
    ),
    "TextOverlay": (
        lambda seed: TextOverlay("noise", 8, seed=seed),
        lambda seed: TextOverlay("", 8, seed=seed),
    ),
    "OneOf": (
        lambda seed: OneOf(
            [MissingPixels(0.5, seed=seed), MissingBlocks(0.4, 3, seed=0)], seed=seed
        ),
        lambda seed: OneOf([MissingPixels(0.0), MissingBlocks(0.0, 3)], seed=seed),
    ),
    "Compose": (
        lambda seed: Compose([AdditiveNoise(0.1, seed=seed), MissingPixels(0.5, seed=seed)]),
        lambda seed: Compose([AdditiveNoise(0.0, seed=seed), MissingPixels(0.0, seed=seed)]),
    ),
}
WITHOUT_CHANCE = ("Downsample", "Mosaic")  # members that draw nothing
HIDING = [
    MissingPixels(0.5, seed=1),
    MissingBlocks(0.4, 3, seed=1),
    MissingFrames(2, seed=1),
    Persistent(MissingBlocks(0.4, 3, seed=1), seed=1),
    Persistent(MissingBlocks(0.4, 3, seed=1), 1.5, seed=1),
    FreeFormHoles(0.3, seed=1),
    TextOverlay("noise", 8, seed=1),
]
SHAPES = [(12, 20), (3, 12, 20), (3, 6, 12, 20)]  # a picture, a batch, a batch of sequences


@pytest.fixture(params=MEMBERS)
def member(request):
    """Return `(make, make_identity)` of each degradation."""
    return MEMBERS[request.param]


@pytest.fixture(params=[name for name in MEMBERS if name not in WITHOUT_CHANCE])
def drawing(request):
    """Return `(make, make_identity)` of each degradation that draws something."""
    return MEMBERS[request.param]


@pytest.fixture(params=[name for name, (_, identity) in MEMBERS.items() if identity])
def graded(request):
    """Return `(make, make_identity)` of each degradation that has a strength 0."""
    return MEMBERS[request.param]


def clean_pictures(shape=(3, 6, 12, 20), channels=1):
    return np.random.default_rng(5).random((*shape, channels), "float32")


def array(tensor):
    return keras.ops.convert_to_numpy(tensor)


def test_the_list_is_complete():
    bases = {"Degradation", "WithMask", "WithStrength"}
    public = set(degradations.__all__) - bases - {"Operator"}
    assert public == {name.split()[0] for name in MEMBERS}
    assert (
        public
        == {
            name
            for name, thing in vars(degradations).items()
            if inspect.isclass(thing) and issubclass(thing, Degradation) and name[0] != "_"
        }
        - bases
    )


# What every degradation promises


def test_the_seed_fixes_both_the_fixed_draw_and_the_drawn_ones(drawing):
    clean = clean_pictures()
    first, second, other = drawing[0](0), drawing[0](0), drawing[0](1)
    for training in (False, True, True):
        observed = array(first(clean, training=training))
        np.testing.assert_array_equal(array(second(clean, training=training)), observed)
        assert np.any(array(other(clean, training=training)) != observed)


def test_draws_differ_in_training_only(drawing):
    clean, degradation = clean_pictures(), drawing[0](0)
    drawn = [array(degradation(clean, training=True)) for _ in range(3)]
    fixed = [array(degradation(clean, training=False)) for _ in range(2)] + [
        array(degradation(clean))
    ]
    assert np.any(drawn[0] != drawn[1])
    assert np.any(drawn[1] != drawn[2])
    np.testing.assert_array_equal(fixed[0], fixed[1])
    np.testing.assert_array_equal(fixed[0], fixed[2])
    assert all(np.any(fixed[0] != observed) for observed in drawn)


def test_without_a_seed_one_is_drawn_and_kept(drawing):
    clean, degradation = clean_pictures(), drawing[0](None)
    assert np.any(array(degradation(clean)) != array(drawing[0](None)(clean)))
    rebuilt = type(degradation).from_config(degradation.get_config())
    np.testing.assert_array_equal(array(rebuilt(clean)), array(degradation(clean)))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_strength_0_is_the_identity(graded, channels, training):
    clean, identity = clean_pictures(channels=channels), graded[1](0)
    observed = array(identity(clean, training=training))
    np.testing.assert_array_equal(observed[..., :channels], clean)
    told = {"mask": 1.0, "level": 0.0}
    for name, channel in zip(
        identity.appends, np.moveaxis(observed[..., channels:], -1, 0), strict=True
    ):
        assert np.all(channel == told[name])
    assert observed.shape[-1] == channels + identity.extra_channels


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", SHAPES, ids=len)
def test_any_leading_axes_and_odd_sides(member, shape, channels):
    degradation = member[0](0)
    if degradation.over_time and len(shape) < 4:
        shape = (6, *shape[-2:])  # one sequence in place of one picture
    clean = clean_pictures(shape, channels)
    expected = (*shape, channels + degradation.extra_channels)
    for training in (False, True):
        observed = degradation(clean, training=training)
        assert observed.shape == expected
        assert keras.backend.standardize_dtype(observed.dtype) == "float32"
    assert degradation.compute_output_shape(clean.shape) == expected


def test_in_a_dataset(drawing):
    clean, degradation = clean_pictures(), drawing[0](0)
    fixed = tf.data.Dataset.from_tensors(clean).map(degradation)
    np.testing.assert_allclose(next(iter(fixed)), array(degradation(clean)), atol=1e-6)
    drawn = tf.data.Dataset.from_tensors(clean).repeat(2)
    drawn = list(drawn.map(lambda pictures: degradation(pictures, training=True)))
    assert np.any(drawn[0] != drawn[1])


def test_in_a_compiled_function_of_unknown_sizes(member):
    clean, degradation = clean_pictures(), member[0](0)
    compiled = tf.function(
        degradation, input_signature=[tf.TensorSpec((None, None, None, None, 1), "float32")]
    )
    np.testing.assert_allclose(compiled(clean), array(degradation(clean)), atol=1e-6)
    assert compiled(clean[:1]).shape[0] == 1


def test_in_a_functional_model(member):
    clean, degradation = clean_pictures(), member[0](0)
    pictures = keras.Input((None, None, None, 1))
    model = keras.Model(pictures, degradation(pictures))
    assert model.output_shape == (None, None, None, None, 1 + degradation.extra_channels)
    np.testing.assert_array_equal(array(model(clean)), array(degradation(clean)))
    expected = array(member[0](0)(clean, training=True))
    np.testing.assert_array_equal(array(model(clean, training=True)), expected)


def test_survives_being_saved(member):
    clean, degradation = clean_pictures(), member[0](0)
    config = keras.saving.serialize_keras_object(degradation)
    rebuilt = keras.saving.deserialize_keras_object(config, safe_mode=True)
    assert rebuilt.get_config() == degradation.get_config()
    for training in (False, True):
        np.testing.assert_array_equal(
            array(rebuilt(clean, training=training)), array(degradation(clean, training=training))
        )


@pytest.mark.parametrize("wrong", [np.zeros((12, 20), "float32"), np.zeros(5, "float32")])
def test_pictures_need_a_channel_axis(member, wrong):
    with pytest.raises(ValueError, match=r"add the channel axis with `pictures\[..., None\]`"):
        member[0](0)(wrong)


def test_pictures_of_8_bits_are_refused(member):
    with pytest.raises(ValueError, match=r"dtype=uint8. .*keras_imgen.data.to_float"):
        member[0](0)(np.zeros((3, 6, 12, 20, 1), "uint8"))


def test_half_precision_policies_leave_pictures_exact(graded):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        clean, identity = clean_pictures(), graded[1](0)
        np.testing.assert_array_equal(array(identity(clean))[..., :1], clean)
    finally:
        keras.config.set_dtype_policy("float32")


# Noise


@pytest.mark.parametrize("training", [False, True])
def test_noise_is_white_gaussian_and_not_clipped(training):
    sigma, clean = 0.2, np.full((50, 30, 40, 1), 0.9, "float32")
    noise = array(AdditiveNoise(sigma, seed=3)(clean, training=training)) - clean
    count = noise.size
    # Four standard errors: of a mean sigma / sqrt(n), of a deviation sigma / sqrt(2 n), of the
    # fourth moment in units of sigma^4 sqrt(96 / n), of a correlation 1 / sqrt(n).
    assert abs(noise.mean()) < 4 * sigma / np.sqrt(count)
    assert abs(noise.std() - sigma) < 4 * sigma / np.sqrt(2 * count)
    assert abs(np.mean((noise / sigma) ** 4) - 3) < 4 * np.sqrt(96 / count)
    for axis in (1, 2):
        neighbours = (
            np.take(noise, range(1, noise.shape[axis]), axis),
            np.take(noise, range(noise.shape[axis] - 1), axis),
        )
        correlation = np.mean(neighbours[0] * neighbours[1]) / sigma**2
        assert abs(correlation) < 4 / np.sqrt(neighbours[0].size)
    assert noise.max() + 0.9 > 1.0


def test_noise_differs_between_pictures_and_channels():
    noise = array(AdditiveNoise(0.1, seed=0)(np.zeros((2, 12, 20, 3), "float32")))
    assert len({noise[i, ..., c].tobytes() for i in range(2) for c in range(3)}) == 6


def test_a_range_of_levels_draws_one_per_picture():
    clean = np.zeros((400, 24, 32, 1), "float32")
    noise = array(AdditiveNoise((0.1, 0.3), seed=0)(clean, training=True))
    levels = noise.std(axis=(1, 2, 3))
    # Levels are uniform in [0.1, 0.3], each measured with a relative error of 1 / sqrt(2 * 768).
    assert 0.1 * 0.88 < levels.min() < 0.12
    assert 0.28 < levels.max() < 0.3 * 1.12
    assert abs(levels.mean() - 0.2) < 4 * 0.2 / np.sqrt(12 * 400)
    quarters = np.histogram(levels, bins=4, range=(0.1, 0.3))[0]
    assert np.all(np.abs(quarters - 100) < 45)  # five standard deviations of sqrt(75)


def test_every_frame_of_a_sequence_has_a_level_of_its_own():
    noise = array(AdditiveNoise((0.01, 0.9), seed=0)(np.zeros((1, 5, 40, 40, 1), "float32")))
    levels = noise.std(axis=(2, 3, 4))[0]
    assert np.ptp(levels) > 0.1


def test_a_level_that_is_appended_is_the_one_that_was_drawn():
    clean = np.full((200, 24, 32, 1), 0.5, "float32")
    observed = array(AdditiveNoise((0.1, 0.3), append_level=True, seed=0)(clean, training=True))
    level = observed[..., 1]
    assert np.all(np.ptp(level, axis=(1, 2)) == 0.0)
    measured = (observed[..., 0] - 0.5).std(axis=(1, 2))
    errors = measured / level[:, 0, 0] - 1.0
    assert np.all(np.abs(errors) < 4.5 / np.sqrt(2 * 24 * 32))
    unlevelled = AdditiveNoise((0.1, 0.3), seed=0)(clean, training=True)
    np.testing.assert_array_equal(observed[..., :1], array(unlevelled))


@pytest.mark.parametrize("gain", [0.001, 1 / 30, 0.5])
def test_photons_are_poisson_numbers(gain):
    brightness = np.array([0.0, 0.1, 0.5, 1.0], "float32")
    clean = np.broadcast_to(brightness[:, None, None, None], (4, 200, 300, 1))
    observed = array(PoissonNoise(gain, seed=0)(clean))
    photons = observed / np.float32(gain)
    np.testing.assert_allclose(photons, np.round(photons), atol=1e-3)
    assert np.all(observed[0] == 0.0)
    for mean, counts in zip(brightness[1:] / gain, photons[1:], strict=True):
        # Standard errors of mean, variance and share of zeros of Poisson numbers.
        n = counts.size
        assert abs(counts.mean() - mean) < 4 * np.sqrt(mean / n)
        assert abs(counts.var() - mean) < 4 * np.sqrt((mean + 2 * mean**2) / n)
        dark = np.exp(-mean)
        assert abs(np.mean(counts == 0) - dark) <= 4 * np.sqrt(dark / n) + 1e-9


def test_salt_and_pepper_are_alike_and_hit_all_channels():
    clean = 0.1 + 0.8 * clean_pictures((20, 30, 40), channels=3)
    observed = array(SaltAndPepper(0.3, seed=0)(clean))
    spoiled = np.any(observed != clean, axis=-1)
    count = spoiled.size
    assert abs(spoiled.mean() - 0.3) < 4 * np.sqrt(0.21 / count)
    for colour in (0.0, 1.0):
        share = np.mean(np.all(observed == colour, axis=-1))
        assert abs(share - 0.15) < 4 * np.sqrt(0.15 * 0.85 / count)
    np.testing.assert_array_equal(observed[~spoiled], clean[~spoiled])


# Sharpness


@pytest.mark.parametrize("sigma", [0.5, 1.5, 3.0])
def test_a_point_is_blurred_to_a_gaussian(sigma):
    point = np.zeros((2, 41, 43, 3), "float32")
    point[:, 20, 21] = 1.0
    observed = array(Blur(sigma)(point))
    y, x = np.arange(41)[:, None] - 20.0, np.arange(43) - 21.0
    radius = np.ceil(3 * sigma)
    expected = np.exp(-(y**2 + x**2) / (2 * sigma**2)) * (np.abs(y) <= radius)
    expected *= np.abs(x) <= radius
    expected /= expected.sum()
    for picture in np.moveaxis(observed, -1, 1).reshape(6, 41, 43):
        np.testing.assert_allclose(picture, expected, atol=1e-6)


def test_every_picture_of_a_batch_has_a_blur_of_its_own():
    point = np.zeros((50, 21, 21, 1), "float32")
    point[:, 10, 10] = 1.0
    observed = array(Blur((0.5, 3.0), append_level=True, seed=0)(point, training=True))
    sigma = 10.0 * observed[:, 0, 0, 1]
    assert 0.5 < sigma.min() < 0.8
    assert 2.7 < sigma.max() < 3.0
    places = np.arange(21) - 10.0
    variance = np.einsum("nhw,h->n", observed[..., 0], places**2)
    # Sampled and cut off at three standard deviations, a Gaussian keeps its variance within 6 %.
    np.testing.assert_allclose(variance, sigma**2, rtol=0.06, atol=0.02)


@pytest.mark.parametrize("make", [lambda: Blur(2.0), lambda: MotionBlur(9.0, angle=70)])
def test_blurs_keep_brightness_up_to_the_border(make):
    flat = np.full((2, 12, 20, 1), 0.7, "float32")
    np.testing.assert_allclose(array(make()(flat)), flat, atol=1e-6)
    clean = clean_pictures((3, 12, 20))
    observed = array(make()(clean))
    assert clean.min() <= observed.min()
    assert observed.max() <= clean.max()
    # What a mirror hands back over the border was taken there.
    np.testing.assert_allclose(observed.mean(axis=(1, 2)), clean.mean(axis=(1, 2)), rtol=0.02)


@pytest.mark.parametrize("angle", [0, 30, 90, 135])
@pytest.mark.parametrize("length", [3.0, 8.0])
def test_a_point_is_smeared_along_the_way(length, angle):
    point = np.zeros((1, 25, 25, 1), "float32")
    point[0, 12, 12] = 1.0
    smear = array(MotionBlur(length, angle=angle)(point))[0, ..., 0]
    assert smear.sum() == pytest.approx(1.0, abs=1e-5)
    places = np.arange(25) - 12.0
    y, x = smear.sum(axis=1), smear.sum(axis=0)
    assert y @ places == pytest.approx(0.0, abs=1e-4)
    assert x @ places == pytest.approx(0.0, abs=1e-4)
    # Of a line of this length, a twelfth of its square; up to 1/4 for sharing out among pixels, and
    # points at both ends count whole.
    along = np.array([np.sin(np.radians(angle)), np.cos(np.radians(angle))])
    for profile, part in ((y, along[0]), (x, along[1])):
        variance = profile @ places**2
        assert -1e-4 <= variance - (length * part) ** 2 / 12 < 0.25 + 0.12 * length * part**2
    covariance = np.einsum("hw,h,w->", smear, places, places)
    assert np.sign(np.round(covariance, 4)) == np.sign(np.round(np.prod(along), 4))


def test_ways_are_drawn_in_all_directions():
    point = np.zeros((400, 13, 13, 1), "float32")
    point[:, 6, 6] = 1.0
    smears = array(MotionBlur(8.0, seed=0)(point, training=True))[..., 0]
    places = np.arange(13) - 6.0
    tall, wide = (np.einsum(f"nhw,{a}->n", smears, places**2) for a in "hw")
    mixed = np.einsum("nhw,h,w->n", smears, places, places)
    directions = 0.5 * np.arctan2(2 * mixed, wide - tall) % np.pi
    counts = np.histogram(directions, bins=4, range=(0, np.pi))[0]
    assert np.all(np.abs(counts - 100) < 45)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_fewer_pixels_as_pillow_makes_them(factor):
    from PIL import Image

    clean = clean_pictures((13, 22))  # not multiples of the factor
    few = tuple(-(-side // factor) for side in (22, 13))
    picture = Image.fromarray(clean[..., 0])
    expected = picture.resize(few, Image.Resampling.BICUBIC).resize(
        (22, 13), Image.Resampling.BICUBIC
    )
    observed = array(Downsample(factor)(clean))[..., 0]
    np.testing.assert_allclose(observed, np.clip(expected, 0.0, 1.0), atol=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("quality", [5, 30, 75, 95])
def test_jpeg_as_pillow_compresses(quality, channels):
    from PIL import Image

    photo = load("photos", channels=channels).pictures[0][:91, :123]  # not multiples of 16
    levels = data.to_uint8(data.to_float(photo))
    file = io.BytesIO()
    Image.fromarray(levels.squeeze()).save(file, "JPEG", quality=quality)
    with Image.open(file) as picture:
        expected = np.asarray(picture).reshape(levels.shape).astype("float32")
    observed = 255.0 * array(JpegCompression(quality)(data.to_float(levels)))
    np.testing.assert_allclose(observed, np.round(observed), atol=1e-3)
    difference = np.abs(observed - expected)
    # They compute with integers, and keep colours in 8 bits in between. Where a frequency lies
    # halfway between two steps, it may be rounded to the other one, and a block differs.
    assert np.mean(difference <= (1 if channels == 1 else 4)) > 0.93
    loss = np.abs(expected - levels).mean()
    assert abs(np.abs(observed - levels).mean() - loss) < 0.05 * loss + 0.02


def test_of_quality_100_only_rounding_is_left():
    clean = data.to_float(data.to_uint8(clean_pictures((2, 16, 16))))
    observed = array(JpegCompression(100)(clean))
    assert np.abs(observed - clean).max() <= 2 / 255 + 1e-6


# Masks


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("degradation", HIDING, ids=lambda d: type(d).__name__)
def test_observed_equals_clean_where_the_mask_is_1_and_0_elsewhere(degradation, channels):
    clean = 0.1 + clean_pictures(channels=channels)
    for training in (False, True):
        observed = array(degradation(clean, training=training))
        mask = observed[..., -1:]
        assert set(np.unique(mask)) == {0.0, 1.0}
        np.testing.assert_array_equal(observed[..., :-1], np.where(mask == 1, clean, 0.0))


@pytest.mark.parametrize("fraction", [0.05, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("training", [False, True])
def test_share_of_missing_pixels(fraction, training):
    clean = np.ones((20, 30, 40, 3), "float32")
    mask = array(MissingPixels(fraction, seed=2)(clean, training=training))[..., -1]
    error = np.sqrt(fraction * (1 - fraction) / mask.size)
    assert abs(np.mean(mask == 0) - fraction) <= 4 * error


def test_a_range_of_shares_draws_one_per_picture():
    clean = np.ones((400, 24, 32, 1), "float32")
    mask = array(MissingPixels((0.2, 0.6), seed=0)(clean, training=True))[..., -1]
    shares = 1.0 - mask.mean(axis=(1, 2))
    error = 0.5 / np.sqrt(24 * 32)  # of one share, at most
    assert 0.2 - 4 * error < shares.min() < 0.23
    assert 0.57 < shares.max() < 0.6 + 4 * error
    assert abs(shares.mean() - 0.4) < 4 * 0.4 / np.sqrt(12 * 400)


def test_missing_pixels_are_uniform_over_the_picture():
    mask = array(MissingPixels(0.5, seed=0)(np.ones((500, 12, 20, 1), "float32")))[..., -1]
    share = mask.mean(axis=0)
    # 240 pixels, each within five standard errors: all are with probability 0.9999.
    assert np.all(np.abs(share - 0.5) < 5 * 0.5 / np.sqrt(500))


def test_a_pixel_is_hidden_with_the_probability_asked_for_wherever_it_lies():
    pictures, fraction = 4000, 0.3
    for size in (1, 4, 15):  # 15 is larger than the picture is high
        observed = array(MissingBlocks(fraction, size, seed=0)(np.ones((pictures, 6, 8, 1), "f")))
        share = np.mean(observed[..., -1] == 0, axis=0)
        # Pictures are independent, so each pixel has the standard error of a proportion. Of 48
        # pixels all lie within 4.5 of them with probability 0.9997.
        assert np.all(np.abs(share - fraction) < 4.5 * np.sqrt(0.21 / pictures))


@pytest.mark.parametrize("size", [1, 2, 5])
def test_what_is_hidden_consists_of_whole_blocks(size):
    observed = array(MissingBlocks(0.4, size, seed=0)(np.ones((20, 12, 20, 1), "float32")))
    # Blocks may begin outside the picture, where everything counts as hidden.
    edges = [(0, 0), (size - 1, size - 1), (size - 1, size - 1)]
    hidden = np.pad(observed[..., -1] == 0, edges, constant_values=True)
    windows = np.lib.stride_tricks.sliding_window_view(hidden, (size, size), axis=(1, 2))
    covered = np.zeros_like(hidden)
    for picture, top, left in np.argwhere(windows.all(axis=(-2, -1))):
        covered[picture, top : top + size, left : left + size] = True
    inside = (slice(None), *[slice(size - 1, side + size - 1) for side in (12, 20)])
    np.testing.assert_array_equal(covered[inside], hidden[inside])


def test_a_single_block_has_its_area_and_lies_anywhere():
    pictures = 4000
    observed = array(MissingBlocks(0.02, 3, seed=0)(np.ones((pictures, 8, 9, 1), "float32")))
    corners = []
    for hidden in observed[..., -1] == 0:
        places = np.argwhere(hidden)
        if len(places) == 9 and np.ptp(places, axis=0).tolist() == [2, 2]:
            corners.append(places.min(axis=0))
    corners = np.array(corners)
    corners = corners[np.all((corners > 0) & (corners < [5, 6]), axis=1)]  # off the border
    counts = np.unique(corners, axis=0, return_counts=True)[1]
    assert len(counts) == 4 * 5  # all places that there are
    assert np.all(np.abs(counts - counts.mean()) < 4.5 * np.sqrt(counts.mean()))


def test_shares_of_blocks_are_drawn_per_picture():
    degradation = MissingBlocks((0.1, 0.9), 2, seed=0)
    observed = array(degradation(np.ones((300, 40, 40, 1), "float32"), training=True))
    shares = np.mean(observed[..., -1] == 0, axis=(1, 2))
    error = 2 * 0.5 / 40  # of one share, at most: about 400 independent blocks
    assert 0.1 - 4 * error < shares.min() < 0.2
    assert 0.8 < shares.max() < 0.9 + 4 * error
    assert abs(shares.mean() - 0.5) < 4 * 0.8 / np.sqrt(12 * 300)


def test_blocks_differ_between_frames():
    observed = array(MissingBlocks(0.2, 4, seed=0)(np.ones((1, 8, 12, 20, 1), "float32")))
    assert len({frame[..., -1].tobytes() for frame in observed[0]}) > 4


@pytest.mark.parametrize("fraction", [0.01, 0.25, 0.5, 1.0])
@pytest.mark.parametrize("strokes", [1, 5])
def test_strokes_hide_exactly_the_share_asked_for(fraction, strokes):
    observed = array(FreeFormHoles(fraction, strokes, seed=0)(np.ones((10, 30, 40, 1), "float32")))
    hidden = np.sum(observed[..., -1] == 0, axis=(1, 2))
    np.testing.assert_array_equal(hidden, round(fraction * 30 * 40))


@pytest.mark.parametrize("strokes", [1, 3])
def test_holes_are_strokes(strokes):
    observed = array(FreeFormHoles(0.15, strokes, seed=0)(np.ones((50, 64, 64, 1), "float32")))
    for hidden in observed[..., -1] == 0:
        # As many pieces as strokes, or fewer if they cross, or lie outside; one that leaves the
        # picture may come back.
        assert 1 <= pieces(hidden) <= 2 * strokes
    shares = np.mean(observed[..., -1] == 0, axis=0).reshape(4, 16, 4, 16).mean(axis=(1, 3))
    assert shares.min() > 0.05  # anywhere
    assert shares.max() < 0.35


def pieces(hidden):
    """Return how many connected pieces a mask has, by flooding it."""
    left, count = {*map(tuple, np.argwhere(hidden))}, 0
    while left:
        count, reached = count + 1, [left.pop()]
        while reached:
            row, column = reached.pop()
            around = {(row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1)} & left
            left -= around
            reached += around
    return count


def test_strokes_do_not_depend_on_the_size_of_the_picture():
    small, large = (
        array(FreeFormHoles(0.2, seed=0)(np.ones((5, side, side, 1), "float32")))[..., -1]
        for side in (32, 128)
    )
    shrunk = large.reshape(5, 32, 4, 32, 4).mean(axis=(2, 4)) > 0.5
    assert np.mean(shrunk == (small == 1)) > 0.97


def test_letters_are_parts_of_one_page():
    from keras_imgen.degradations.strokes import _page

    page = _page("letters", 12)
    observed = array(TextOverlay("letters", 12, seed=0)(np.ones((20, *page.shape, 1), "float32")))
    shifts = {
        (rows, columns): np.roll(page, (-rows, -columns), (0, 1)).tobytes()
        for rows in range(page.shape[0])
        for columns in range(page.shape[1])
    }
    found = [(1.0 - picture[..., -1]).tobytes() for picture in observed]
    assert set(found) <= set(shifts.values())
    assert len(set(found)) > 15
    # Two lines, each with empty rows above and below, as high as asked for.
    rows = np.flatnonzero(page.any(axis=1))
    assert 12 <= rows.max() - rows.min() <= 48
    assert 0.05 < page.mean() < 0.4


@pytest.mark.parametrize("shape", [(5, 8), (40, 8)])
def test_exactly_as_many_frames_are_lost_as_asked_for(shape):
    clean = clean_pictures((*shape, 12, 20))
    for number in (0, 1, 3, 7):
        observed = array(MissingFrames(number, seed=0)(clean, training=True))
        masks = observed[..., -1].reshape(*shape, -1)
        assert np.all(masks.min(axis=-1) == masks.max(axis=-1))  # whole frames
        lost = masks[..., 0] == 0
        assert np.all(lost.sum(axis=1) == number)
        np.testing.assert_array_equal(observed[..., :1][~lost], clean[~lost])


def test_lost_frames_are_uniform_over_the_sequence():
    clean = np.ones((2000, 5, 1, 1, 1), "float32")
    observed = array(MissingFrames(2, seed=0)(clean))
    share = np.mean(observed[..., 0, 0, -1] == 0, axis=0)
    assert np.all(np.abs(share - 0.4) < 4 * np.sqrt(0.24 / 2000))


# Compose


def test_compose_applies_its_parts_in_order_and_collects_channels():
    clean = 0.1 + clean_pictures(channels=3)
    parts = [MissingPixels(0.5, seed=0), AdditiveNoise(0.1, seed=0), MissingFrames(2, seed=0)]
    composed = Compose(parts)
    assert composed.extra_channels == 2
    observed = array(composed(clean))
    assert observed.shape[-1] == 5
    pixels, frames = observed[..., 3:4], observed[..., 4:5]
    noise = array(parts[1](clean)) - clean  # the fixed draw does not depend on the picture
    np.testing.assert_allclose(observed[..., :3], (clean * pixels + noise) * frames, atol=1e-6)
    np.testing.assert_array_equal(pixels, array(parts[0](clean))[..., 3:])
    np.testing.assert_array_equal(frames, array(parts[2](clean))[..., 3:])


def test_compose_nests():
    clean = clean_pictures()
    inner = Compose([AdditiveNoise(0.1, seed=0), MissingPixels(0.5, seed=0)])
    nested = Compose([inner, MissingFrames(1, seed=0)])
    flat = Compose([*inner.degradations, MissingFrames(1, seed=0)])
    np.testing.assert_array_equal(array(nested(clean)), array(flat(clean)))


@pytest.mark.parametrize("training", [False, True])
def test_parts_of_equal_seeds_are_independent(training):
    # Noise and mask made of the same random numbers would leave weak noise where pixels are known.
    clean = np.full((200, 12, 20, 1), 0.5, "float32")
    observed = array(
        Compose([AdditiveNoise(0.1, seed=0), MissingPixels(0.5, seed=0)])(clean, training=training)
    )
    noise = (observed[..., 0] - 0.5)[observed[..., 1] == 1]
    assert abs(noise.std() - 0.1) < 4 * 0.1 / np.sqrt(2 * noise.size)
    pixels, frames = (
        array(d(np.ones((500, 8, 1, 1, 1), "float32"), training=training))[..., 0, 0, -1]
        for d in (MissingPixels(0.5, seed=0), MissingFrames(4, seed=0))
    )
    assert abs(np.corrcoef(pixels.ravel(), frames.ravel())[0, 1]) < 4 / np.sqrt(4000)


@pytest.mark.parametrize("training", [False, True])
def test_each_way_is_drawn_equally_often(training):
    clean = np.full((900, 6, 8, 1), 0.5, "float32")
    ways = OneOf([AdditiveNoise(0.0), SaltAndPepper(1.0), AdditiveNoise(0.1)], seed=0)
    observed = array(ways(clean, training=training))
    untouched = np.all(observed == 0.5, axis=(1, 2, 3))
    extreme = np.all((observed == 0.0) | (observed == 1.0), axis=(1, 2, 3))
    counts = np.array([untouched.sum(), extreme.sum(), (~untouched & ~extreme).sum()])
    assert counts.sum() == 900
    assert np.all(np.abs(counts - 300) < 4.5 * np.sqrt(900 * 2 / 9))


# Draws that are applied again


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("training", [False, True])
def test_what_is_drawn_can_be_applied_again(member, shape, training):
    degradation = member[0](1)
    if degradation.over_time and len(shape) < 4:
        shape = (6, *shape[-2:])  # one sequence in place of one picture
    clean = clean_pictures(shape, 3)
    parameters = degradation.draw(clean.shape, degradation.seeds(training))
    observed = array(degradation.apply(clean, parameters))
    np.testing.assert_array_equal(array(degradation.apply(clean, parameters)), observed)
    if not training:
        np.testing.assert_array_equal(observed, array(degradation(clean)))
    elif not isinstance(degradation, Downsample | Mosaic):
        again = degradation.apply(clean, degradation.draw(clean.shape, degradation.seeds(training)))
        assert not np.array_equal(array(again), observed)
    # What it appends is a part of the draw, whatever the picture.
    other = array(degradation.apply(1.0 - clean, parameters))
    np.testing.assert_array_equal(other[..., 3:], observed[..., 3:])
    assert not np.array_equal(other[..., :3], observed[..., :3])


@pytest.mark.parametrize("hiding", HIDING, ids=lambda d: type(d).__name__)
def test_the_same_holes_are_cut_into_other_pictures(hiding):
    clean = clean_pictures((2, 5, 12, 20))
    parameters = hiding.draw(clean.shape, hiding.seeds())
    mask = array(hiding.apply(np.ones_like(clean), parameters))[..., :1]
    assert set(np.unique(mask)) == {0.0, 1.0}
    np.testing.assert_array_equal(array(hiding.apply(clean, parameters))[..., :1], clean * mask)


# Of the picture, for given parameters; but for a constant.
LINEAR = ("AdditiveNoise", "Blur", "MotionBlur", "MissingPixels", "MissingBlocks")
LINEAR += ("MissingFrames", "FreeFormHoles", "TextOverlay", "OneOf", "Flicker", "Scratches")
LINEAR += ("Persistent", "Persistent that moves")


@pytest.mark.parametrize("name", LINEAR)
def test_slopes_go_through_what_is_applied(name):
    # For a linear degradation A, the slope of <A x, y> by x is its adjoint: <A x, y> = <x, A* y>.
    degradation, rng = MEMBERS[name][0](1), np.random.default_rng(0)
    x, z = (tf.constant(rng.random((2, 3, 12, 20, 1)), "float32") for _ in range(2))
    parameters = degradation.draw(x.shape, degradation.seeds())

    def degraded(pictures):
        return degradation.apply(pictures, parameters)[..., :1]

    y = tf.constant(rng.normal(size=x.shape), "float32")
    with tf.GradientTape() as tape:
        tape.watch(x)
        product = tf.reduce_sum(degraded(x) * y)
    adjoint = tape.gradient(product, x)
    at_zero = degraded(tf.zeros_like(x))
    expected = float(tf.reduce_sum((degraded(z) - at_zero) * y))
    assert float(tf.reduce_sum(z * adjoint)) == pytest.approx(expected, rel=1e-4, abs=1e-4)
    assert abs(expected) > 0.01


OPERATORS = {
    "noise": AdditiveNoise(0.1),
    "blur": Blur(1.3),
    "motion": MotionBlur(5.0, angle=30),
    "few pixels": Downsample(3),
    "mosaic": Mosaic("GRBG"),
    "holes": MissingPixels(),
    "several": Compose([Blur(1.3), MissingBlocks(), Downsample(2), AdditiveNoise(0.03)]),
    "nested": Compose([Compose([Blur(0.8), AdditiveNoise(0.04)]), AdditiveNoise(0.03, seed=1)]),
}


@pytest.mark.parametrize("sides", [(1, 7), (12, 20), (13, 31)])
@pytest.mark.parametrize("name", OPERATORS)
def test_an_operator_is_linear_and_slopes_are_its_adjoint(name, sides):
    rng = np.random.default_rng(0)
    sides = (max(sides[0], 4), sides[1]) if name not in ("noise", "mosaic", "holes") else sides
    x, y, z = rng.normal(size=(3, 2, *sides, 3)).astype("float32")
    known = tf.constant(rng.random((2, *sides, 1)) < 0.7, "float32")
    forward, *_ = OPERATORS[name].operator(known)
    combined = forward(tf.constant(2.0 * x + z))
    np.testing.assert_allclose(combined, 2.0 * forward(x) + forward(z), atol=2e-5)
    expected = np.sum(array(forward(x)) * y)
    scale = np.linalg.norm(x) * np.linalg.norm(y)
    assert abs(np.sum(x * array(adjoint(forward, x)(tf.constant(y)))) - expected) < 1e-5 * scale


@pytest.mark.parametrize("name", OPERATORS)
def test_an_operator_is_what_the_degradation_does_but_for_its_noise(name):
    # Smooth pictures, of which nothing is clipped.
    ramp = np.linspace(0.3, 0.6, 24, dtype="float32")
    clean = np.broadcast_to(ramp[:, None, None] * np.ones((24, 40, 3), "float32"), (2, 24, 40, 3))
    observed = array(OPERATORS[name](clean))
    known = observed[..., 3:] if observed.shape[-1] == 4 else None
    forward, sigma, keeps = OPERATORS[name].operator(known)
    rest = observed[..., :3] - array(forward(tf.constant(clean)))
    assert rest.std() == pytest.approx(sigma, rel=0.1, abs=1e-6)
    if keeps:
        seen = array(forward(tf.constant(clean)))
        assert np.all((seen == clean) | (seen == 0.0))
    assert sigma == pytest.approx({"noise": 0.1, "several": 0.03, "nested": 0.05}.get(name, 0.0))


@pytest.mark.parametrize(
    ("degradation", "advice"),
    [
        (JpegCompression(30), "JpegCompression is not linear"),
        (SaltAndPepper(0.1), "SaltAndPepper is not linear"),
        (PoissonNoise(0.1), "PoissonNoise is not linear"),
        (OneOf([MissingPixels(), MissingBlocks()]), "OneOf is not linear"),
        (Blur((0.5, 2.0)), r"strength of Blur. Received: sigma=\(0.5, 2.0\). Pass one number"),
        (AdditiveNoise((0.0, 0.1)), "strength of AdditiveNoise"),
        (MotionBlur((2.0, 9.0), angle=0), "strength of MotionBlur"),
        (MotionBlur(9.0), "in which direction .*Pass it, in degrees"),
        (MissingPixels(), "What MissingPixels has hidden is not known"),
        (Compose([AdditiveNoise(0.1), Blur(1.0)]), "noise before Blur. Put it behind"),
        (Compose([Blur(1.0), JpegCompression(30)]), "JpegCompression is not linear"),
    ],
    ids=lambda x: type(x).__name__ if isinstance(x, Degradation) else "",
)
def test_what_has_no_operator_says_why(degradation, advice):
    with pytest.raises(ValueError, match=advice):
        degradation.operator()


@pytest.mark.parametrize("pattern", ["RGGB", "BGGR", "GRBG", "GBRG"])
def test_a_mosaic_keeps_one_colour_of_each_pixel(pattern):
    clean = clean_pictures((5, 7), 3)
    observed = array(Mosaic(pattern)(clean))
    for y in range(5):
        for x in range(7):
            kept = "RGB".index(pattern[2 * (y % 2) + x % 2])
            expected = np.where(np.arange(3) == kept, clean[y, x], 0.0)
            np.testing.assert_array_equal(observed[y, x], expected)


def test_who_draws_and_applies_in_one_is_told_so():
    fog = Fog(seed=0)
    for call in (
        lambda: fog.draw((8, 8, 1), fog.seeds()),
        lambda: fog.apply(np.ones((8, 8, 1)), {}),
    ):
        with pytest.raises(NotImplementedError, match="Fog draws and applies in one method"):
            call()


# Own degradations


class Fog(Degradation):
    def degrade(self, clean, seeds):
        fog = keras.random.uniform((), seed=next(seeds))
        return clean * keras.random.uniform((), seed=next(seeds)) + fog


def test_an_own_degradation_needs_one_method():
    clean, fog = clean_pictures(), Fog(seed=0)
    np.testing.assert_array_equal(array(fog(clean)), array(Fog(seed=0)(clean)))
    assert np.any(array(fog(clean, training=True)) != array(fog(clean, training=True)))
    assert Compose([fog, MissingPixels(0.5)])(clean).shape == (*clean.shape[:-1], 2)
    with pytest.raises(NotImplementedError):
        Degradation()(clean)


# Errors


@pytest.mark.parametrize(
    ("make", "advice"),
    [
        (lambda: AdditiveNoise(25), r"\[0, 1\].*sigma=25. For sigma 25 .* pass 25 / 255"),
        (lambda: AdditiveNoise(-0.1), "sigma=-0.1"),
        (lambda: AdditiveNoise(float("nan")), "sigma=nan"),
        (lambda: AdditiveNoise("x"), "sigma='x'. For sigma 25"),
        (lambda: AdditiveNoise({}), "sigma={}. For sigma 25"),
        (lambda: AdditiveNoise(None), "sigma=None"),
        (lambda: AdditiveNoise(0.1, seed="x"), "`seed` must be a whole number.* seed='x'"),
        (lambda: AdditiveNoise(0.1, seed=False), "seed=False"),
        (lambda: AdditiveNoise(0.1, seed=-1), "seed=-1"),
        (lambda: MissingBlocks(0.2, "x"), "block_size='x'"),
        (lambda: MissingFrames(float("inf")), "num_frames=inf"),
        (lambda: Compose(3), "degradations=3. Example"),
        (lambda: AdditiveNoise((0.2, 0.1)), r"pair \(smallest, largest\)"),
        (lambda: AdditiveNoise((0.1, 0.2, 0.3)), r"pair \(smallest, largest\)"),
        (lambda: MissingPixels(30), "share of pixels to hide: for 30 % pass 0.3"),
        (lambda: MissingBlocks(4), "fraction=4. .* for 30 % pass 0.3"),
        (
            lambda: MissingBlocks(0.2, 0),
            "at least 1. Received: block_size=0. .* in pixels",
        ),
        (lambda: MissingBlocks(0.2, 2.5), "block_size=2.5"),
        (lambda: MissingFrames(0.3), "For 3 of 10 frames pass 3"),
        (lambda: MissingFrames(-1), "num_frames=-1"),
        (
            lambda: Compose([]),
            r"Example: Compose\(\[MissingBlocks\(0.1\), MissingPixels\(0.3\)\]\)",
        ),
        (lambda: Compose([keras.layers.ReLU()]), "list of at least one degradation"),
        (lambda: PoissonNoise(30), "gain=30. For at most 30 photons a pixel pass 1 / 30"),
        (lambda: SaltAndPepper(30), "share of pixels to replace: for 30 % pass 0.3"),
        (lambda: Blur(-1), r"\[0, 20\].*sigma=-1. .*deviation in pixels"),
        (lambda: MotionBlur(100), r"\[0, 60\].*length=100. It is the way in pixels"),
        (lambda: MotionBlur(5, angle="x"), "`angle` .*angle='x'"),
        (lambda: Mosaic("RGB"), "`pattern` must be one of 'RGGB'"),
        (lambda: Mosaic()(clean_pictures(channels=4)), "one or three channels"),
        (lambda: Downsample(0.5), "factor=0.5. .*2 leaves a quarter of the pixels"),
        (lambda: JpegCompression(0), r"\[1, 100\].*quality=0. It is the quality of JPEG"),
        (lambda: FreeFormHoles(30), "share of pixels to hide: for 30 % pass 0.3"),
        (lambda: FreeFormHoles(0.2, 0), "strokes=0. It is the number of strokes"),
        (lambda: TextOverlay(3), "`text` must be a text. Received: text=3"),
        (lambda: TextOverlay("a", 1000), "at most 200.*size=1000"),
        (lambda: Compose([AdditiveNoise()], seed=0), "Give one to each part"),
        (lambda: OneOf([]), r"Example: OneOf\(\[MissingBlocks\(0.1\), MissingPixels"),
        (
            lambda: OneOf([AdditiveNoise(), MissingPixels()]),
            "append the same channels. Received: some that append mask and some .* nothing",
        ),
    ],
)
def test_constructors_say_what_to_do(make, advice):
    with pytest.raises(ValueError, match=advice):
        make()


@pytest.mark.parametrize(
    ("degradation", "shape", "advice"),
    [
        (MissingFrames(1), (12, 20, 1), "has no time axis"),
        (MissingFrames(6), (2, 6, 12, 20, 1), "num_frames=6 for sequences of 6 frames"),
        (Blur(5.0), (2, 12, 20, 1), "reaches 15 pixels .*Received: 12 x 20.* blur them less"),
        (JpegCompression(), (2, 12, 20, 2), "grey or has three colours. Received: .* 2 channels"),
    ],
)
def test_pictures_that_do_not_fit(degradation, shape, advice):
    with pytest.raises(ValueError, match=advice):
        degradation(np.zeros(shape, "float32"))


def test_ranges_may_be_arrays():
    degradation = AdditiveNoise(np.array([0.0, 0.2]), seed=0)
    same = AdditiveNoise((0.0, 0.2), seed=0)
    clean = clean_pictures()
    np.testing.assert_array_equal(array(degradation(clean)), array(same(clean)))


def test_parts_that_would_draw_the_same_are_refused():
    noise, pixels = degradations.AdditiveNoise(0.1, seed=0), degradations.MissingPixels(0.1, seed=0)
    advice = "AdditiveNoise twice with seed=0. Give each a seed of its own"
    with pytest.raises(ValueError, match=advice):
        degradations.Compose([noise, degradations.AdditiveNoise(0.2, seed=0)])
    with pytest.raises(ValueError, match=advice):
        degradations.Compose([degradations.Compose([noise, pixels]), noise])
    both = degradations.Compose([noise, pixels, degradations.AdditiveNoise(0.1, seed=1)])
    spoiled = np.asarray(both(np.full((4, 64, 64, 1), 0.5, "float32")))
    known = spoiled[..., 1:] == 1
    assert spoiled[..., :1][known].std() == pytest.approx(np.hypot(0.1, 0.1), rel=0.05)
