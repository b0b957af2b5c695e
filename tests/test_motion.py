"""Motion between frames: what is found, what is seen there, and neighbours at their place."""

import keras
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from keras_imgen.degradations import MissingFrames
from keras_imgen.inference import step_of
from keras_imgen.inference.parts import in_parts
from keras_imgen.networks.motion import AlignNeighbors, latest, motion, seen_at


def array(x):
    return keras.ops.convert_to_numpy(x)


def texture(height, width, seed=0, blur=1.0):
    """Return a picture with detail everywhere, that goes on beyond its borders as on a torus."""
    noise = np.random.default_rng(seed).normal(size=(height, width))
    smooth = gaussian_filter(noise, blur, mode="wrap")
    smooth = (smooth - smooth.min()) / np.ptp(smooth)
    return smooth[None, ..., None].astype("float32")


@pytest.mark.parametrize("way", [(0, 0), (1, -1), (5, 3), (-12, 7), (20, -21), (-27, 26)])
@pytest.mark.parametrize("sides", [(157, 151), (160, 152)])
def test_what_moved_is_found(sides, way):
    first = texture(*sides)
    second = np.roll(first, way, axis=(1, 2))
    found = array(motion(first, second))
    assert found.shape == (1, *sides, 2)
    # A border as wide as the way and two halves of a block at the coarsest level sees more.
    rows, columns = (
        slice(abs(w) + 40, side - abs(w) - 40) for w, side in zip(way, sides, strict=True)
    )
    errors = np.abs(found[0, rows, columns] - np.asarray(way))
    assert errors.size > 200
    assert np.median(errors) < 0.12
    assert np.quantile(errors, 0.99) < 0.5


@pytest.mark.parametrize("part", [0.25, -0.5, 1.75])
def test_parts_of_a_pixel_are_found(part):
    fine = texture(1, 8 * 64, blur=16.0)[0, 0, :, 0]
    places = 8 * np.arange(64)
    first, second = fine[places], np.roll(fine, round(8 * part))[places]
    first, second = (np.tile(x[None, None, :, None], (1, 40, 1, 1)) for x in (first, second))
    found = array(motion(first.astype("float32"), second.astype("float32")))[0, 10:-10, 16:-16]
    np.testing.assert_allclose(np.median(found[..., 1]), part, atol=0.1)
    np.testing.assert_allclose(np.median(found[..., 0]), 0.0, atol=0.1)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 7, 1), (13, 1, 3), (2, 3, 1), (5, 31, 3)])
def test_any_side_has_a_motion(shape):
    pair = np.random.default_rng(0).random((2, 2, *shape), "float32")
    found = array(motion(*pair))
    assert found.shape == (2, *shape[:2], 2)
    assert np.all(np.isfinite(found))
    # Of one row, all ways up and down fit equally well: the shortest is taken, a parabola has none.
    for axis in (0, 1):
        if shape[axis] == 1:
            assert np.all(found[..., axis] == 0.0)


def test_nothing_moves_where_all_is_equal():
    flat = np.full((1, 33, 21, 1), 0.3, "float32")
    np.testing.assert_array_equal(array(motion(flat, flat)), 0.0)


def test_what_is_seen_elsewhere():
    rng = np.random.default_rng(0)
    pictures = rng.random((2, 7, 5, 3), "float32")
    ways = rng.integers(-9, 10, (2, 7, 5, 2)).astype("float32")
    rows, columns = np.mgrid[:7, :5]
    for n, seen in enumerate(array(seen_at(pictures, ways))):
        row = np.clip(rows + ways[n, ..., 0], 0, 6).astype(int)
        column = np.clip(columns + ways[n, ..., 1], 0, 4).astype(int)
        np.testing.assert_allclose(seen, pictures[n, row, column], atol=1e-6)
    # Between pixels, a plane stays a plane.
    plane = (2.0 * rows - 3.0 * columns)[None, ..., None].astype("float32")
    between = rng.uniform(0.0, 0.9, (1, 7, 5, 2)).astype("float32")
    expected = 2.0 * (rows + between[0, ..., 0]) - 3.0 * (columns + between[0, ..., 1])
    seen = array(seen_at(plane, between))[0, :-1, :-1, 0]
    np.testing.assert_allclose(seen, expected[:-1, :-1], atol=1e-5)


@pytest.mark.parametrize("cuts", [(), (1,), (4,), (1, 2, 7)])
def test_the_latest_frame_that_arrived(cuts):
    rng = np.random.default_rng(len(cuts))
    frames = rng.random((5, 8, 2, 3, 1), "float32")
    arrived = (rng.random((5, 8)) < 0.4).astype("float32")
    before, found, ago = None, [], []
    for part, known in zip(np.split(frames, cuts, 1), np.split(arrived, cuts, 1), strict=True):
        one, age, before = latest(part, known, before)
        found.append(array(one))
        ago.append(array(age))
    found, ago = np.concatenate(found, axis=1), np.concatenate(ago, axis=1)
    for n in range(5):
        for t in range(8):
            earlier = np.flatnonzero(arrived[n, :t])
            expected = frames[n, earlier[-1]] if len(earlier) else 0.0
            assert ago[n, t] == (t - earlier[-1] if len(earlier) else 0)
            np.testing.assert_array_equal(found[n, t], np.broadcast_to(expected, (2, 3, 1)))


def panned(num_frames, step, channels=1, side=80):
    """Return a film `(1, time, side, side, channels)` of a texture that passes by."""
    scene = np.concatenate([texture(192, 192, seed, 2.0) for seed in range(channels)], axis=-1)[0]
    frames = [np.roll(scene, np.multiply(t, step), (0, 1)) for t in range(num_frames)]
    return np.stack(frames)[None, :, 40 : 40 + side, 40 : 40 + side]


def aligned(film, arrived, layer=None):
    """Return what the layer makes of a film whose lost frames are black, by name."""
    mask = np.asarray(arrived, "float32").reshape(1, -1, 1, 1, 1) * np.ones_like(film[..., :1])
    observed = np.concatenate([film * mask, mask], axis=-1)
    known = array((layer or AlignNeighbors())([film * mask, observed]))
    channels = film.shape[-1]
    sizes = (channels, channels, 1, channels, channels, channels, channels, 1, 1, 1, 1)
    names = ("guess", "frame", "mask", "before", "frame before", "behind", "frame behind")
    names = (*names, "off before", "off behind", "has before", "has behind")
    parts = np.split(known, np.cumsum(sizes)[:-1], axis=-1)
    return dict(zip(names, parts, strict=True))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("step", [(0, 0), (2, -3), (-4, 1)])
def test_neighbours_come_to_the_place_of_a_frame(step, channels):
    film = panned(6, step, channels)
    arrived = [1, 1, 0, 0, 1, 1]
    known = aligned(film, arrived)
    here = np.flatnonzero(arrived)
    np.testing.assert_array_equal(known["guess"][:, here], film[:, here])

    def check(moved, times):
        errors = np.abs(moved - film)[0, times, 24:-24, 24:-24]
        assert errors.mean() < 0.01
        assert np.quantile(errors, 0.99) < 0.1

    for side, times in (("before", slice(1, None)), ("behind", slice(0, -1))):
        check(known[side], times)
        check(known[f"frame {side}"], times)
        assert known[f"off {side}"][0, times, 24:-24, 24:-24].mean() < 0.02
    # Two thirds of the way, and the other third: a guess of what nobody saw.
    check(known["guess"], slice(None))
    np.testing.assert_array_equal(known["has before"][0, :, 0, 0, 0], [0, 1, 1, 1, 1, 1])
    np.testing.assert_array_equal(known["has behind"][0, :, 0, 0, 0], [1, 1, 1, 1, 1, 0])


def test_a_side_that_is_missing():
    film = panned(4, (1, 2))
    known = aligned(film, [0, 1, 1, 0])
    # The first and the last frame are lost: the nearest one stands in, from one side.
    np.testing.assert_array_equal(known["guess"][:, 0], film[:, 1])
    np.testing.assert_array_equal(known["guess"][:, 3], film[:, 2])
    # Where nothing was before, the frame itself.
    np.testing.assert_array_equal(known["before"][:, 1], film[:, 1])
    assert np.all(known["off before"][:, 1] == 0.0)
    # Of a film that never arrived nothing is known, and nothing is made up.
    nothing = aligned(film, [0, 0, 0, 0])
    assert not any(np.any(part) for part in nothing.values())


def test_holes_in_a_frame_never_show():
    film = panned(5, (1, 2), side=48)
    mask = np.ones_like(film)
    mask[:, 2, 10:20, 10:30] = 0.0
    known = array(AlignNeighbors()([film * mask, np.concatenate([film * mask, mask], axis=-1)]))
    assert np.abs(known[0, 2, 12:-12, 12:-12, 0] - film[0, 2, 12:-12, 12:-12, 0]).mean() < 0.02


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_film_is_aligned_in_parts(size):
    film = panned(6, (2, 1), side=24)
    observed = array(MissingFrames(3, seed=3)(film))
    layer = AlignNeighbors()

    def align(frames):
        return layer([frames[..., :1], frames])

    parts = in_parts(step_of(align), observed, size, (False, True))
    np.testing.assert_allclose(parts, array(align(observed)), atol=1e-5)
