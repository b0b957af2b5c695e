"""Degradations over time: what stays, what moves and what is drawn anew, by their statistics."""

import keras
import numpy as np
import pytest
from test_degradations import MEMBERS, WITHOUT_CHANCE, Fog

from keras_imgen import Restorer
from keras_imgen.degradations import (
    AdditiveNoise,
    Blur,
    Compose,
    Flicker,
    MissingBlocks,
    MissingFrames,
    MissingPixels,
    OneOf,
    Persistent,
    Scratches,
)

OVER_TIME = [name for name, (make, _) in MEMBERS.items() if make(0).over_time]
OF_PICTURES = [name for name in MEMBERS if name not in OVER_TIME]


def array(tensor):
    return keras.ops.convert_to_numpy(tensor)


def films(sides=(12, 20), channels=1, count=2, length=5):
    rng = np.random.default_rng(3)
    return rng.random((count, length, *sides, channels), "float32")


def test_who_is_over_time():
    assert {name.split()[0] for name in OVER_TIME} == {
        *("MissingFrames", "Flicker", "Scratches", "Persistent")
    }
    noise, lost = AdditiveNoise(0.1), MissingFrames(1)
    assert Compose([noise, lost]).over_time
    assert Compose([Compose([noise, lost])]).over_time
    assert not Compose([noise]).over_time


@pytest.mark.parametrize("name", OVER_TIME)
@pytest.mark.parametrize("sides", [(1, 1), (1, 9), (9, 1)])
def test_sides_of_one_pixel(name, sides):
    clean = films(sides, channels=3)
    for training in (False, True):
        observed = array(MEMBERS[name][0](0)(clean, training=training))
        assert observed.shape[:-1] == clean.shape[:-1]
        assert np.all(np.isfinite(observed))


@pytest.mark.parametrize("name", [name for name in OVER_TIME if name != "MissingFrames"])
def test_films_of_one_frame(name):
    observed = MEMBERS[name][0](0)(films(length=1))
    assert observed.shape[:2] == (2, 1)


@pytest.mark.parametrize("name", OVER_TIME)
def test_pictures_without_time_are_refused(name):
    with pytest.raises(ValueError, match=r"\w+ needs sequences of .*shape=\(12, 20, 1\), which"):
        MEMBERS[name][0](0)(np.zeros((12, 20, 1), "float32"))


@pytest.mark.parametrize("name", ["Flicker", "Scratches", "Persistent", "Persistent that moves"])
def test_any_axes_before_time(name):
    clean, degradation = films(), MEMBERS[name][0](0)
    expected = array(degradation(clean[:1]))
    np.testing.assert_array_equal(array(degradation(clean[:1][None])), expected[None])
    np.testing.assert_array_equal(array(degradation(clean[0])), expected[0])


# Persistent


@pytest.mark.parametrize("name", OF_PICTURES)
@pytest.mark.parametrize("channels", [1, 3])
def test_each_frame_is_degraded_as_one_picture_would_be(name, channels):
    clean, degradation = films(channels=channels), MEMBERS[name][0](0)
    persistent = Persistent(degradation)
    assert persistent.appends == degradation.appends
    observed = array(persistent(clean))
    for t in range(clean.shape[1]):
        alone = array(degradation(clean[:, t]))
        np.testing.assert_allclose(observed[:, t], alone, atol=1e-6)


@pytest.mark.parametrize("name", OF_PICTURES)
@pytest.mark.parametrize("training", [False, True])
def test_equal_frames_are_degraded_equally_and_other_films_are_not(name, training):
    picture = films((13, 17), channels=3)[0, 0]
    clean = np.broadcast_to(picture, (3, 4, *picture.shape))
    observed = array(Persistent(MEMBERS[name][0](0))(clean, training=training))
    assert np.any(observed[..., :3] != clean)
    np.testing.assert_array_equal(observed, np.broadcast_to(observed[:, :1], observed.shape))
    if name not in WITHOUT_CHANCE:
        for other in (1, 2):
            assert np.any(observed[0] != observed[other])


def shift_between(mask, later):
    """Return by how many rows and columns a mask was moved around the picture."""
    alike = np.fft.ifft2(np.fft.fft2(later) * np.conj(np.fft.fft2(mask))).real
    shift = np.unravel_index(np.argmax(alike), mask.shape)
    np.testing.assert_array_equal(np.roll(mask, shift, (0, 1)), later)
    half = np.array(mask.shape) // 2
    return (np.array(shift) + half) % mask.shape - half


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("speed", [0.7, 2.0, (1.0, 2.0)])
def test_holes_move_in_a_straight_line(speed, training):
    clean = np.ones((4, 7, 37, 41, 1), "float32")
    holes = Persistent(MissingPixels((0.2, 0.8), seed=1), speed, seed=2)
    masks = array(holes(clean, training=training))[..., -1]
    assert set(np.unique(masks)) == {0.0, 1.0}
    ways = np.array([[shift_between(film[0], mask) for mask in film] for film in masks])
    times = np.arange(7.0)
    # The line through the origin that fits best; rounding to pixels moves each point by up to half
    # a pixel along each axis, so at least by 0.71 from the line, and the line itself a little.
    slopes = np.einsum("t,ntc->nc", times, ways) / np.sum(times**2)
    assert np.all(np.abs(ways - times[:, None] * slopes[:, None]) < 1.0)
    low, high = np.broadcast_to(speed, 2)
    speeds = np.linalg.norm(slopes, axis=1)
    assert np.all((speeds > low - 0.2) & (speeds < high + 0.2))
    assert len(np.unique(np.round(slopes, 1), axis=0)) == 4  # directions of their own


def test_moving_holes_begin_where_standing_ones_are():
    clean = films()
    standing, moving = (Persistent(MissingBlocks(0.3, 3, seed=1), v, seed=2) for v in (0.0, 2.0))
    np.testing.assert_array_equal(array(moving(clean))[:, 0], array(standing(clean))[:, 0])
    assert np.any(array(moving(clean))[:, 1] != array(standing(clean))[:, 1])


def test_persistent_parts_compose():
    clean = films()
    holes = MissingPixels(0.4, seed=1)
    damage = Compose([Flicker(0.3, seed=0), Persistent(holes), MissingFrames(1, seed=2)])
    assert damage.appends == ("mask", "mask")
    observed = array(damage(clean))
    standing = array(holes(clean[:, 0]))[..., 1:]
    np.testing.assert_array_equal(observed[..., 1:2], np.repeat(standing[:, None], 5, axis=1))
    assert np.sum(observed[..., 2].max(axis=(2, 3)) == 0) == 2


def test_what_draws_the_same_within_a_persistent_part_is_refused():
    with pytest.raises(ValueError, match="MissingPixels twice with seed=0. Give each a seed"):
        Compose([Persistent(MissingPixels(0.4, seed=0)), MissingPixels(0.1, seed=0)])


def test_the_operator_is_that_of_what_persists():
    holes = Persistent(MissingPixels(0.4, seed=0))
    assert Compose([AdditiveNoise(0.1), holes]).operator(np.ones((8, 8))).sigma == 0.1
    with pytest.raises(ValueError, match="What MissingPixels has hidden is not known"):
        holes.operator()


def test_a_model_is_told_the_level_of_what_persists():
    blurred = Persistent(Blur((0.0, 2.0), append_level=True, seed=0))
    network = keras.Sequential(
        [keras.Input((None, None, None, 2)), keras.layers.Conv3D(1, 1, padding="same")]
    )
    model = Restorer(network, blurred)
    clean = films()
    told = np.concatenate([clean, np.full_like(clean, 0.1)], axis=-1)  # sigma in tenths
    np.testing.assert_array_equal(model.restore(clean, level=1.0), model.restore(told))
    with pytest.raises(ValueError, match="`level` must be a number in"):
        model.restore(clean, level=3.0)


# Flicker


@pytest.mark.parametrize("training", [False, True])
def test_frames_become_brighter_and_darker_evenly(training):
    clean = 0.2 + 0.8 * films((3, 5), channels=3, count=500, length=6)
    factors = array(Flicker(0.4, seed=0)(clean, training=training)) / clean
    np.testing.assert_allclose(factors, factors[:, :, :1, :1, :1] + 0.0 * factors, rtol=1e-5)
    factors = factors[:, :, 0, 0, 0]
    count = factors.size
    assert 0.6 - 1e-5 < factors.min() < 0.61
    assert 1.39 < factors.max() < 1.4 + 1e-5
    # Four standard errors of the mean of an even distribution, and of shares of a quarter.
    assert abs(factors.mean() - 1.0) < 4 * 0.4 / np.sqrt(3 * count)
    quarters = np.histogram(factors, bins=4, range=(0.6, 1.4))[0] / count
    assert np.all(np.abs(quarters - 0.25) < 4 * np.sqrt(0.1875 / count))
    neighbours = np.corrcoef(factors[:, 1:].ravel(), factors[:, :-1].ravel())[0, 1]
    assert abs(neighbours) < 4 / np.sqrt(500 * 5)
    assert (factors * clean[:, :, 0, 0, 0]).max() > 1.0  # not clipped


def test_a_range_of_flicker_draws_one_strength_per_film():
    clean = np.ones((200, 50, 2, 3, 1), "float32")
    observed = array(Flicker((0.1, 0.5), append_level=True, seed=0)(clean))
    level = observed[..., 1].reshape(200, -1)
    assert np.all(np.ptp(level, axis=1) == 0.0)
    assert 0.1 <= level.min() < 0.12
    assert 0.48 < level.max() <= 0.5
    strongest = np.abs(observed[..., 0] - 1.0).reshape(200, -1).max(axis=1)
    assert np.all(strongest <= level[:, 0] + 1e-6)
    assert np.mean(strongest / level[:, 0]) == pytest.approx(50 / 51, abs=0.01)  # of 50 even ones


# Scratches


def lines_of(scratches, width, shape=(200, 20), training=False):
    """Return which share of each column is hidden, `(film, time, width)`, and the light before."""
    dark = np.zeros((*shape, 2, width, 1), "float32")
    drawn = scratches.draw(dark.shape, scratches.seeds(training))
    light, bright = (array(scratches.apply(x, drawn)) for x in (dark, dark + 1.0))
    assert np.all((light >= 0.0) & (bright <= 1.0 + 1e-6))
    for observed in (light, bright):  # from top to bottom
        np.testing.assert_array_equal(observed[..., :1, :, :], observed[..., 1:, :, :])
    return (1.0 - (bright - light))[..., 0, :, 0], light[..., 0, :, 0]


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("width", [0.5, 1.0, 2.5])
def test_a_scratch_is_a_line_of_its_width_bright_or_dark(width, training):
    hidden, light = lines_of(Scratches(1, width, 4, seed=0), 61, training=training)
    at_border = hidden[..., [0, 1, -2, -1]].sum(-1) > 0
    inside = ~at_border & (hidden.sum(-1) > 0)
    assert inside.mean() > 0.8
    hidden, light = hidden[inside], light[inside]
    opacity = hidden.sum(axis=-1) / width
    assert 0.5 - 1e-3 < opacity.min() < 0.52
    assert 0.98 < opacity.max() < 1.0 + 1e-3
    assert np.all(np.count_nonzero(hidden > 1e-6, axis=-1) <= np.ceil(width) + 1)
    is_bright = light.sum(axis=-1) > 1e-6
    np.testing.assert_allclose(light[is_bright], hidden[is_bright], atol=1e-5)
    np.testing.assert_allclose(light[~is_bright], 0.0, atol=1e-6)
    # About 200 * 20 / 4 lines, each with a chance of a half.
    assert abs(is_bright.mean() - 0.5) < 4 * 0.5 / np.sqrt(1000)


@pytest.mark.parametrize("lifetime", [1, 4, 10.0])
def test_a_scratch_stays_for_some_frames_at_its_place(lifetime):
    hidden, _ = lines_of(Scratches(1, 1.0, lifetime, seed=3), 61, shape=(400, 20))
    place = (hidden * np.arange(61)).sum(-1) / hidden.sum(-1)
    opacity = hidden.sum(-1)
    inside = (place > 1.5) & (place < 58.5)
    both = inside[:, 1:] & inside[:, :-1]
    is_other = (np.abs(np.diff(opacity, axis=1)) > 1e-4)[
        both
    ]  # it keeps its opacity as it trembles
    error = np.sqrt((1 - 1 / lifetime) / lifetime / is_other.size)
    assert abs(is_other.mean() - 1 / lifetime) <= 4 * error + 1e-3
    steps = np.abs(np.diff(place, axis=1))[both]
    if lifetime > 1:
        stayed = steps[~is_other]
        assert stayed.max() < 2 * Scratches.TREMBLE + 0.5  # the middle of a pixel, or of two
        assert stayed.mean() > 0.1
    # Between two even numbers lies a third of their range.
    assert steps[is_other].mean() == pytest.approx(57 / 3, rel=0.15)


def test_scratches_come_at_every_place():
    hidden, _ = lines_of(Scratches(2, 1.0, 1, seed=0), 9, shape=(1000, 10))
    share = hidden.mean(axis=(0, 1))
    # In the middle two lines of 0.75 on 9 columns, and where both lie the second hides the first.
    np.testing.assert_allclose(share[1:-1], 1 - (1 - 0.75 / 9) ** 2, rtol=0.1)
    assert np.all(share[[0, -1]] > 0.7 * share[4])  # trembling goes beyond the border


@pytest.mark.parametrize("num_lines", [1, 4])
def test_as_many_scratches_as_asked_for(num_lines):
    hidden, _ = lines_of(Scratches(num_lines, 1.0, 3, seed=1), 997, shape=(20, 8))
    begins = (hidden[..., 1:] > 1e-6) & (hidden[..., :-1] <= 1e-6)
    assert begins.sum(axis=-1).max() == num_lines
    assert begins.sum(axis=-1).mean() > 0.95 * num_lines


def test_scratches_spare_the_picture_between_them():
    clean = films((12, 61), channels=3)
    observed = array(Scratches(2, 1.0, seed=0)(clean))
    hidden = np.any(observed != clean, axis=(2, 4))
    assert np.all(hidden.sum(axis=-1) <= 4)
    assert hidden.any()


# Errors


@pytest.mark.parametrize("name", OVER_TIME)
def test_what_is_over_time_cannot_persist(name):
    over_time = MEMBERS[name][0](0)
    for inner in (over_time, Compose([over_time]), OneOf([over_time])):
        advice = f"Received: {type(inner).__name__}, which goes over time itself. Example: Compose"
        with pytest.raises(ValueError, match=advice):
            Persistent(inner)


@pytest.mark.parametrize(
    ("make", "advice"),
    [
        (lambda: Persistent(None), "takes a degradation of single pictures.*Received: None"),
        (lambda: Persistent(AdditiveNoise(0.1), speed=2), "speed=2 for AdditiveNoise. Leave"),
        (lambda: Persistent(MissingPixels(), speed=-1), "speed=-1. It is how far holes move"),
        (lambda: Persistent(MissingPixels(), speed=(2, 1)), r"pair \(smallest, largest\)"),
        (lambda: Flicker(20), r"\[0, 1\].*strength=20. It is by which share"),
        (lambda: Scratches(-1), "num_lines=-1. It is the number of lines"),
        (lambda: Scratches(101), "at most 100.*num_lines=101"),
        (lambda: Scratches(1, "x"), "`width` .*width='x'. It is that of a line, in pixels"),
        (lambda: Scratches(1, 1, 0.5), "1 or more.*lifetime=0.5. It is for how many frames"),
    ],
)
def test_constructors_say_what_to_do(make, advice):
    with pytest.raises(ValueError, match=advice):
        make()


def test_what_draws_and_applies_in_one_cannot_persist():
    with pytest.raises(NotImplementedError, match="Fog draws and applies in one method"):
        Persistent(Fog(seed=0))(films())
