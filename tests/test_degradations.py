"""Degradations: what all of them promise, and the statistics of each."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_imgen import degradations
from keras_imgen.degradations import (
    AdditiveNoise,
    Compose,
    Degradation,
    MissingBlocks,
    MissingFrames,
    MissingPixels,
)

# Every public degradation by functions of a seed: at some strength, and at strength 0.
MEMBERS = {
    "AdditiveNoise": (
        lambda seed: AdditiveNoise(0.1, seed=seed),
        lambda seed: AdditiveNoise(0.0, seed=seed),
    ),
    "AdditiveNoise of any level": (
        lambda seed: AdditiveNoise((0.05, 0.2), seed=seed),
        lambda seed: AdditiveNoise((0.0, 0.0), seed=seed),
    ),
    "MissingPixels": (
        lambda seed: MissingPixels(0.5, seed=seed),
        lambda seed: MissingPixels(0.0, seed=seed),
    ),
    "MissingPixels of any share": (
        lambda seed: MissingPixels((0.2, 0.8), seed=seed),
        lambda seed: MissingPixels((0.0, 0.0), seed=seed),
    ),
    "MissingBlocks": (
        lambda seed: MissingBlocks(0.4, 3, seed=seed),
        lambda seed: MissingBlocks(0.0, 3, seed=seed),
    ),
    "MissingBlocks of any share": (
        lambda seed: MissingBlocks((0.2, 0.6), 3, seed=seed),
        lambda seed: MissingBlocks((0.0, 0.0), 3, seed=seed),
    ),
    "MissingFrames": (
        lambda seed: MissingFrames(2, seed=seed),
        lambda seed: MissingFrames(0, seed=seed),
    ),
    "Compose": (
        lambda seed: Compose([AdditiveNoise(0.1, seed=seed), MissingPixels(0.5, seed=seed)]),
        lambda seed: Compose([AdditiveNoise(0.0, seed=seed), MissingPixels(0.0, seed=seed)]),
    ),
}
HIDING = [MissingPixels(0.5, seed=1), MissingBlocks(0.4, 3, seed=1), MissingFrames(2, seed=1)]
SHAPES = [(12, 20), (3, 12, 20), (3, 6, 12, 20)]  # a picture, a batch, a batch of sequences


@pytest.fixture(params=MEMBERS)
def member(request):
    """Return `(make, make_identity)` of each degradation."""
    return MEMBERS[request.param]


def clean_pictures(shape=(3, 6, 12, 20), channels=1):
    return np.random.default_rng(5).random((*shape, channels), "float32")


def array(tensor):
    return keras.ops.convert_to_numpy(tensor)


def test_the_list_is_complete():
    public = {name for name in degradations.__all__ if name != "Degradation"}
    assert public == {name.split()[0] for name in MEMBERS}
    assert public == {
        name
        for name, thing in vars(degradations).items()
        if inspect.isclass(thing) and issubclass(thing, Degradation) and name[0] != "_"
    } - {"Degradation"}


# What every degradation promises


def test_the_seed_fixes_both_the_fixed_draw_and_the_drawn_ones(member):
    clean = clean_pictures()
    first, second, other = member[0](0), member[0](0), member[0](1)
    for training in (False, True, True):
        observed = array(first(clean, training=training))
        np.testing.assert_array_equal(array(second(clean, training=training)), observed)
        assert np.any(array(other(clean, training=training)) != observed)


def test_draws_differ_in_training_only(member):
    clean, degradation = clean_pictures(), member[0](0)
    drawn = [array(degradation(clean, training=True)) for _ in range(3)]
    fixed = [array(degradation(clean, training=False)) for _ in range(2)] + [
        array(degradation(clean))
    ]
    assert np.any(drawn[0] != drawn[1])
    assert np.any(drawn[1] != drawn[2])
    np.testing.assert_array_equal(fixed[0], fixed[1])
    np.testing.assert_array_equal(fixed[0], fixed[2])
    assert all(np.any(fixed[0] != observed) for observed in drawn)


def test_without_a_seed_one_is_drawn_and_kept(member):
    clean, degradation = clean_pictures(), member[0](None)
    assert np.any(array(degradation(clean)) != array(member[0](None)(clean)))
    rebuilt = type(degradation).from_config(degradation.get_config())
    np.testing.assert_array_equal(array(rebuilt(clean)), array(degradation(clean)))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_strength_0_is_the_identity(member, channels, training):
    clean, identity = clean_pictures(channels=channels), member[1](0)
    observed = array(identity(clean, training=training))
    np.testing.assert_array_equal(observed[..., :channels], clean)
    assert np.all(observed[..., channels:] == 1.0)
    assert observed.shape[-1] == channels + identity.extra_channels


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", SHAPES, ids=len)
def test_any_leading_axes_and_odd_sides(member, shape, channels):
    degradation = member[0](0)
    if isinstance(degradation, MissingFrames) and len(shape) < 4:
        shape = (6, *shape[-2:])  # one sequence in place of one picture
    clean = clean_pictures(shape, channels)
    expected = (*shape, channels + degradation.extra_channels)
    for training in (False, True):
        observed = degradation(clean, training=training)
        assert observed.shape == expected
        assert keras.backend.standardize_dtype(observed.dtype) == "float32"
    assert degradation.compute_output_shape(clean.shape) == expected


def test_in_a_dataset(member):
    clean, degradation = clean_pictures(), member[0](0)
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


def test_half_precision_policies_leave_pictures_exact(member):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        clean, identity = clean_pictures(), member[1](0)
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
            r"Example: Compose\(\[AdditiveNoise\(0.1\), MissingPixels\(0.3\)\]\)",
        ),
        (lambda: Compose([keras.layers.ReLU()]), "list of at least one degradation"),
        (lambda: Compose([AdditiveNoise()], seed=0), "Give one to each part"),
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
