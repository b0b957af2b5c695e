"""Clean pictures: the format and its checks, the order of batches, and every source."""

import errno
import io
import os
import shutil
import struct
import time
import tracemalloc
import urllib.error
import urllib.request
import warnings
import zlib
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_imgen import (
    load,
    load_arrays,
    load_folder,
    load_moving_digits,
    load_moving_photos,
    load_sequences,
    plotting,
)
from keras_imgen.data import (
    PictureDataset,
    binarized,
    check_pictures,
    folders,
    load_example,
    panning,
    photos,
    sources,
    tfds,
    to_float,
    to_uint8,
)
from keras_imgen.data.examples import FILES
from keras_imgen.data.sources import read_photos, resize


def everything(dataset):
    """Return all pictures that one epoch of a dataset serves, in order."""
    return np.concatenate([dataset[i][0] for i in range(len(dataset))])


# The picture format


def test_all_values_of_8_bits_survive_the_round_trip():
    values = np.arange(256, dtype="uint8").reshape(1, 8, 32, 1)
    floats = to_float(values)
    assert floats.dtype == np.float32
    assert floats.min() == 0.0
    assert floats.max() == 1.0
    np.testing.assert_array_equal(to_uint8(floats), values)


def test_to_uint8_clips_and_rounds_to_the_nearest():
    values = np.array([-3.0, 0.49 / 255, 0.51 / 255, 1.0, 7.0])
    assert to_uint8(values).tolist() == [0, 0, 1, 255, 255]


@pytest.mark.parametrize(
    ("convert", "wrong", "advice"),
    [
        (to_float, np.zeros(3), "Divide other ranges by their largest possible value"),
        (to_float, np.zeros(3, "uint16"), "dtype=uint16"),
        (to_uint8, np.full(3, 200, "uint8"), "Pictures of 8 bits need no conversion"),
        (to_uint8, np.full(3, 200), "dtype=int64"),
    ],
)
def test_conversions_refuse_what_they_would_spoil(convert, wrong, advice):
    with pytest.raises(ValueError, match=advice):
        convert(wrong)


GOOD = np.full((2, 12, 20, 1), 0.5, "float32")


@pytest.mark.parametrize("dtype", ["str", "bytes", "f4,f4", "longdouble", "datetime64[s]"])
def test_check_knows_dtypes_that_keras_does_not(dtype):
    with pytest.raises(ValueError, match=r"floating point in \[0, 1\]. Received: dtype="):
        check_pictures(np.zeros((2, 12, 20, 1), dtype))


def test_lists_of_different_shapes_are_no_pictures():
    for convert in (to_float, to_uint8):
        with pytest.raises(ValueError, match="Received: a list of different shapes. Resize"):
            convert([np.zeros((8, 9, 1)), np.zeros((9, 8, 1))])
    ragged = tf.ragged.constant([[0.5], [0.5, 0.5]])
    for convert in (to_float, to_uint8, check_pictures):
        with pytest.raises((TypeError, ValueError), match="Received"):
            convert(ragged)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(1, 12, 20, 1), (2, 5, 12, 20, 3)])
def test_check_accepts_pictures_and_sequences(dtype, shape):
    check_pictures(np.full(shape, 0.5, dtype))
    check_pictures(np.full(shape, 0.5, dtype), (None,) * (len(shape) - 2) + shape[-1:])


@pytest.mark.parametrize("edge", [0.0, 1.0])
def test_check_accepts_both_ends_of_the_range_and_tensors(edge):
    check_pictures(keras.ops.full((2, 12, 20, 1), edge), (12, 20, 1))
    check_pictures(keras.ops.full((2, 12, 20, 1), edge, dtype="bfloat16"))


def spoiled(value):
    pictures = GOOD.copy()
    pictures[1, 3, 4, 0] = value
    return pictures


@pytest.mark.parametrize(
    ("wrong", "error", "advice"),
    [
        ([GOOD[0], GOOD[0]], TypeError, "a list. Stack a list .* with np.stack"),
        (np.array([GOOD[0], GOOD[0, 1:]], object), TypeError, "with np.stack"),
        (None, TypeError, "a NoneType"),
        ((GOOD * 255).astype("uint8"), ValueError, "keras_imgen.data.to_float"),
        (GOOD[..., 0], ValueError, r"channel axis of grey pictures with `\[..., None\]`"),
        (GOOD[0], ValueError, r"batch axis of a single one with `\[None\]`"),
        (GOOD[:0], ValueError, r"holds no picture. Received: shape=\(0, 12, 20, 1\)"),
        (GOOD[:, :0], ValueError, r"holds no picture. Received: shape=\(2, 0, 20, 1\)"),
        (spoiled(np.nan), ValueError, "1 values that are NaN or infinite.*np.isfinite"),
        (spoiled(np.inf), ValueError, "1 values that are NaN or infinite.*np.isfinite"),
        (GOOD * 510, ValueError, "from 255 to 255. Divide pictures in .0, 255. by 255"),
        (GOOD * 4 - 3, ValueError, r"from -1 to -1. .*\(x \+ 1\) / 2"),
        (spoiled(1.001), ValueError, "from 0.5 to 1.001"),
    ],
)
def test_check_says_what_to_do(wrong, error, advice):
    with pytest.raises(error, match=advice):
        check_pictures(wrong)


@pytest.mark.parametrize(
    ("image_shape", "advice"),
    [
        ((20, 12, 1), r"pictures of shape \(20, 12, 1\)"),
        ((None, None, 3), r"Load them with the right `size` and `channels`"),
        ((10, 12, 20, 1), r"shape \(batch, time, height, width, channels\)"),
    ],
)
def test_check_compares_with_the_network(image_shape, advice):
    with pytest.raises(ValueError, match=advice):
        check_pictures(GOOD, image_shape, "validation_data")
    with pytest.raises(ValueError, match="`validation_data` must"):
        check_pictures(GOOD, image_shape, "validation_data")


# The order of batches


def numbered(count, shape=(8, 8, 1)):
    """Return pictures whose grey level is their number over 100."""
    levels = np.arange(count, dtype="float32").reshape(-1, *[1] * len(shape)) / 100
    return np.broadcast_to(levels, (count, *shape))


def order(dataset):
    return np.rint(100 * everything(dataset)[:, 0, 0, 0]).astype(int).tolist()


def test_order_is_a_function_of_seed_and_epoch():
    def order_of(seed, epoch):
        dataset = load_arrays(numbered(20), batch_size=5, seed=seed)
        dataset.epoch = epoch
        return order(dataset)

    orders = {(seed, epoch): order_of(seed, epoch) for seed in (0, 1) for epoch in (0, 1, 2)}
    assert len(set(map(tuple, orders.values()))) == 6
    for (seed, epoch), served in orders.items():
        assert sorted(served) == list(range(20))
        assert order_of(seed, epoch) == served


def test_order_is_the_same_again_after_another_epoch():
    dataset = load_arrays(numbered(20), batch_size=5)
    first = order(dataset)
    dataset.on_epoch_end()
    second = order(dataset)
    dataset.epoch = 0
    assert order(dataset) == first != second


@pytest.mark.parametrize(
    ("count", "shuffle", "sizes"),
    [
        (10, True, [4, 4]),  # an incomplete batch is dropped in training
        (10, False, [4, 4, 2]),  # and served otherwise
        (8, True, [4, 4]),
        (3, True, [3]),  # but is not dropped if nothing else would be left
        (3, False, [3]),
    ],
)
def test_incomplete_batches(count, shuffle, sizes):
    dataset = load_arrays(numbered(count), batch_size=4, shuffle=shuffle)
    assert [len(dataset[i][0]) for i in range(len(dataset))] == sizes
    assert len(order(dataset)) == len(set(order(dataset))) == sum(sizes)
    if not shuffle:
        assert order(dataset) == list(range(count))


def test_every_picture_gets_its_turn_although_batches_are_dropped():
    dataset = load_arrays(numbered(10), batch_size=4)
    seen = set()
    for _ in range(6):  # a picture is left out of all six epochs with probability 0.2^6 = 6e-5
        seen.update(order(dataset))
        dataset.on_epoch_end()
    assert seen == set(range(10))


def test_labels_stay_with_their_pictures():
    dataset = load_arrays(numbered(10), labels=range(10), batch_size=4)
    for epoch in range(3):
        dataset.epoch = epoch
        for i in range(len(dataset)):
            pictures, labels = dataset[i]
            np.testing.assert_array_equal(np.rint(100 * pictures[:, 0, 0, 0]), labels)


def test_iteration_ends():
    assert len(list(load_arrays(numbered(10), batch_size=4))) == 2


def test_arrays_of_other_precision_become_float32():
    dataset = load_arrays(numbered(4).astype("float64"), batch_size=4)
    assert dataset[0][0].dtype == np.float32


def test_arrays_need_one_label_each_and_a_batch_size():
    with pytest.raises(ValueError, match=r"4 of them. Received: shape \(3,\)"):
        load_arrays(numbered(4), labels=[0, 1, 2])
    for wrong in (0, -1, 2.5, "x", None, True, np.inf, 10**30):
        with pytest.raises(ValueError, match="whole number, at least 1.* Received: batch_size="):
            load_arrays(numbered(4), batch_size=wrong)


@pytest.mark.parametrize(
    "labels", ["abcd", 3, np.nan, [None] * 4, np.zeros((4, 2)), [0.5] * 4, {}, [[1, 2], [3]]]
)
def test_labels_are_whole_numbers(labels):
    with pytest.raises(ValueError, match="`labels` must be whole numbers, 4 of them. Received: "):
        load_arrays(numbered(4), labels=labels)


@pytest.mark.parametrize("seed", [1.5, -1, "x", None, True, 10**30])
def test_seeds_are_whole_numbers(seed):
    with pytest.raises(ValueError, match="`seed` must be a whole number, .* Received: seed="):
        load_arrays(numbered(4), seed=seed)


@pytest.mark.parametrize("path", [None, 3, b"photos", ["photos"]])
def test_a_folder_is_a_path(path):
    with pytest.raises(TypeError, match="`path` must be a path, .* Received: path="):
        load_folder(path)


def trained_order(make_vae, dataset, **fit_options):
    """Return the batches that training sees."""
    batches = []

    def recorded(pictures, reconstructions):
        if tf.executing_eagerly() and not isinstance(pictures, keras.KerasTensor):
            batches.append(np.rint(100 * pictures[:, 0, 0, 0]).astype(int).tolist())
        return keras.ops.mean(keras.ops.square(pictures - reconstructions), axis=(1, 2, 3))

    vae = make_vae((8, 8, 1), loss=recorded, run_eagerly=True)
    vae.fit(dataset, verbose=0, **fit_options)
    return batches


def test_training_sees_the_order_of_its_epoch(make_vae):
    def make_dataset():
        return load_arrays(numbered(7), batch_size=2, seed=3)

    whole = trained_order(make_vae, make_dataset(), epochs=3)
    assert len(whole) == 9
    for epoch in range(3):
        dataset = make_dataset()
        dataset.epoch = epoch
        np.testing.assert_array_equal(np.ravel(whole[3 * epoch : 3 * epoch + 3]), order(dataset))
    resumed = trained_order(make_vae, make_dataset(), epochs=3, initial_epoch=2)
    assert resumed == whole[6:]


def test_training_on_an_array_sees_new_orders_and_resumes(make_vae):
    whole = trained_order(make_vae, numbered(6), batch_size=2, epochs=3)
    assert len({tuple(np.ravel(whole[i : i + 3])) for i in (0, 3, 6)}) == 3
    resumed = trained_order(make_vae, numbered(6), batch_size=2, epochs=3, initial_epoch=1)
    assert resumed == whole[3:]


# Crops


def coordinates(height, width, number=0):
    """Return a picture of 8 bits whose pixels know their row, their column and their picture."""
    rows, columns = np.mgrid[:height, :width].astype("uint8")
    return np.stack([rows, columns, np.full_like(rows, number)], axis=-1)


def test_crops_lie_inside_and_are_reproducible():
    pictures = [coordinates(30, 17, number=0), coordinates(12, 40, number=1)]

    def make(seed):
        options = {"crop_size": (12, 10), "crops": 50, "batch_size": 100, "seed": seed}
        return PictureDataset(pictures, **options)

    dataset = make(0)
    assert dataset.num_pictures == 100
    assert dataset.image_shape == (12, 10, 3)
    batch = to_uint8(dataset[0][0])
    for crop in batch:  # each is one rectangle of its picture
        top, left, number = crop[0, 0]
        np.testing.assert_array_equal(crop, pictures[number][top : top + 12, left : left + 10])
    places = batch[:, 0, 0]
    assert np.bincount(places[:, 2]).tolist() == [50, 50]
    first, second = (places[places[:, 2] == number] for number in (0, 1))
    assert set(second[:, 0]) == {0}  # as high as the picture
    for corners, room in ((first[:, 0], 18), (first[:, 1], 7), (second[:, 1], 30)):
        # The first and the last sixth of the room are drawn: each is missed by one seed in 9000.
        assert corners.min() <= room / 6
        assert room * 5 / 6 <= corners.max() <= room
    np.testing.assert_array_equal(make(0)[0][0], dataset[0][0])
    assert np.any(make(1)[0][0] != dataset[0][0])
    dataset.epoch = 1  # other places, not only another order
    later = to_uint8(dataset[0][0])[:, 0, 0]
    assert sorted(map(tuple, later)) != sorted(map(tuple, places))


def test_crops_without_shuffling_are_the_same_in_every_epoch():
    dataset = PictureDataset([coordinates(30, 30)], crop_size=(8, 8), crops=5, shuffle=False)
    first = everything(dataset)
    dataset.on_epoch_end()
    np.testing.assert_array_equal(everything(dataset), first)


def test_crops_carry_the_label_of_their_picture():
    pictures = [np.full((9, 9, 1), level, "uint8") for level in range(3)]
    dataset = PictureDataset(pictures, range(3), crop_size=(4, 4), crops=7, batch_size=21)
    crops, labels = dataset[0]
    np.testing.assert_array_equal(to_uint8(crops)[:, 0, 0, 0], labels)
    assert np.bincount(labels).tolist() == [7, 7, 7]


def test_take_shows_different_pictures_before_a_second_crop_of_one():
    pictures = [np.full((9, 9, 1), level, "uint8") for level in range(3)]
    dataset = PictureDataset(pictures, crop_size=(4, 4), crops=7)
    first = dataset.take(4)
    assert to_uint8(first)[:, 0, 0, 0].tolist() == [0, 1, 2, 0]
    dataset.on_epoch_end()
    np.testing.assert_array_equal(dataset.take(4), first)
    assert len(dataset.take(100)) == 21


def test_take_ignores_shuffling():
    dataset = load_arrays(numbered(10), batch_size=4)
    assert np.rint(100 * dataset.take(3)[:, 0, 0, 0]).tolist() == [0, 1, 2]


# Embedded sets


@pytest.mark.parametrize(("split", "count"), [("train", 4000), ("test", 1000)])
def test_digits(split, count):
    dataset = load("digits", split, labels=True)
    assert dataset.num_pictures == count
    assert dataset.image_shape == (28, 28, 1)
    assert dataset.shuffle == (split == "train")
    pictures, labels = dataset[0]
    check_pictures(pictures, (28, 28, 1))
    assert labels.dtype == np.int32
    pairs = zip(dataset.pictures, dataset.labels, strict=True)
    originals = {picture.tobytes(): label for picture, label in pairs}
    assert [originals[picture.tobytes()] for picture in to_uint8(pictures)] == labels.tolist()


def test_batches_without_labels_hold_pictures_alone():
    assert len(load("digits")[0]) == 1


@pytest.mark.parametrize(("split", "photos"), [("train", 9), ("test", 3)])
def test_photos(split, photos):
    dataset = load("photos", split, batch_size=8)
    crops, side = {"train": (64, 64), "test": (1, 192)}[split]
    assert dataset.num_pictures == crops * photos
    assert dataset.image_shape == (side, side, 1)
    check_pictures(dataset[0][0], (side, side, 1))
    coloured = load("photos", split, channels=3, size=(12, 20), crops=1)
    assert coloured.image_shape == (12, 20, 3)
    check_pictures(coloured[0][0], (12, 20, 3))
    for picture in coloured.pictures:  # no grey one among them
        assert np.any(picture[..., 0] != picture[..., 2])


def test_photos_can_be_resized_whole():
    dataset = load("photos", "test", size=(12, 20), crops=0)
    assert everything(dataset).shape == (3, 12, 20, 1)


def test_digits_change_size_and_channels():
    dataset = load("digits", "test", size=(12, 20), channels=3, batch_size=4)
    pictures = dataset[0][0]
    assert pictures.shape == (4, 12, 20, 3)
    np.testing.assert_array_equal(pictures[..., 0], pictures[..., 2])


@pytest.mark.parametrize("split", ["train", "test"])
def test_moving_digits_by_name(split):
    dataset = load("moving_digits", split, batch_size=2)
    assert dataset.num_pictures == {"train": 512, "test": 64}[split]
    assert dataset.image_shape == (10, 48, 48, 1)
    check_pictures(dataset[0][0], (10, 48, 48, 1))


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (
            {"name": "digits", "split": "valid"},
            "splits 'train' and 'test'. Received: split='valid'",
        ),
        ({"name": "photos", "split": "valid"}, "splits 'train' and 'test'"),
        ({"name": "moving_digits", "split": "valid"}, "splits 'train' and 'test'"),
        ({"name": "photos", "labels": True}, 'no labels. Pass labels=False, or load "digits"'),
        (
            {"name": "moving_digits", "size": 64},
            r"takes no size here. Use load_moving_digits\(size",
        ),
        ({"name": "moving_digits", "labels": True}, "takes no labels here"),
        ({"name": "digits", "channels": 2}, r"1 \(grey\) or 3 \(colour\). Received: channels=2"),
        ({"name": "photos", "channels": 0}, r"1 \(grey\) or 3 \(colour\). Received: channels=0"),
        ({"name": "digits", "size": 0}, r"a side in whole pixels, or a pair \(height, width\)"),
        ({"name": "digits", "size": 12.5}, "a side in whole pixels"),
        ({"name": "digits", "size": (12, 20, 1)}, "a side in whole pixels"),
        ({"name": "digits", "crops": 2}, "number of random crops of `size`.*crops=2, size=None"),
        ({"name": "photos", "crops": -1}, "number of random crops"),
        ({"name": "photos", "crops": 0.5}, "number of random crops"),
        ({"name": "photos", "crops": np.zeros(2)}, r"Received: crops=array\(\[0., 0.\]\)"),
        ({"name": "photos", "channels": np.ones(2)}, r"Received: channels=array\(\[1., 1.\]\)"),
        ({"name": "photos", "channels": "x"}, "Received: channels='x'"),
        ({"name": "digits", "size": {}}, "a side in whole pixels"),
        ({"name": "photos", "size": 4096}, "Pass a smaller `size`, or crops=0 to resize"),
    ],
)
def test_load_says_what_to_do(arguments, advice):
    with pytest.raises(ValueError, match=advice):
        load(**arguments)


# Moving digits


def single_digit(**options):
    """Return one sequence of one digit as 8 bits, `(T, H, W)`."""
    dataset = load_moving_digits(num_sequences=1, num_digits=1, **options)
    return dataset.pictures[0, ..., 0].astype(int)


def corner(frame):
    """Return the first row and column that are not black."""
    return np.array([np.flatnonzero(frame.any(axis=1))[0], np.flatnonzero(frame.any(axis=0))[0]])


@pytest.mark.parametrize("size", [28, 48, (40, 61)])
def test_a_digit_keeps_its_shape_and_never_leaves(size):
    frames = single_digit(size=size, num_frames=40, seed=1)
    assert len({int(frame.sum()) for frame in frames}) == 1
    cuts = {frame[frame.any(axis=1)][:, frame.any(axis=0)].tobytes() for frame in frames}
    assert len(cuts) == 1
    assert (len({frame.tobytes() for frame in frames}) > 20) == (size != 28)  # where it has room


def test_a_digit_moves_by_a_tenth_of_the_longer_side():
    steps = []
    for seed in range(8):
        frames = single_digit(size=(400, 400), num_frames=3, seed=seed)
        corners = np.array([corner(frame) for frame in frames])
        velocities = np.diff(corners, axis=0)
        if np.abs(velocities[0] - velocities[1]).max() <= 1:  # no wall between
            steps.extend(np.linalg.norm(velocities, axis=1))
    assert len(steps) >= 6
    # Places are rounded to whole pixels: off by half a pixel at both ends in both directions.
    np.testing.assert_allclose(steps, 40.0, atol=np.sqrt(2.0))


def test_a_digit_bounces_off_every_wall():
    frames = single_digit(size=48, num_frames=60, seed=2)
    places = np.array([corner(frame) for frame in frames])
    for axis in (0, 1):
        directions = np.sign(np.diff(places[:, axis]))
        assert {-1, 1} <= set(directions)
        assert np.ptp(places[:, axis]) >= 16  # of the 20 pixels of room, walls included


def test_frames_show_the_brighter_of_overlapping_digits():
    squares = np.stack([np.full((28, 28, 1), level, "uint8") for level in (90, 200)])
    orders = 0
    for seed in range(8):  # each of the two is drawn before the other, and they always overlap
        frames = sources.bounce(squares, 4, 40, 40, 2, np.random.default_rng(seed))
        if {90, 200} <= set(np.unique(frames)):
            orders += 1
            assert set(np.unique(frames)) == {0, 90, 200}
            assert np.all(np.sum(frames == 200, axis=(1, 2, 3)) == 28 * 28)
    assert orders >= 2


def test_moving_digits_are_seeded_and_splits_differ():
    def make(split, seed):
        return load_moving_digits(split, num_sequences=3, size=32, seed=seed).pictures

    np.testing.assert_array_equal(make("train", 0), make("train", 0))
    assert np.any(make("train", 0) != make("train", 1))
    paths = [
        [corner(frame).tolist() for frame in single_digit(split=split, size=200, num_frames=4)]
        for split in ("train", "test")
    ]
    assert paths[0] != paths[1]


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({"size": 27}, "size=27. Pass at least 28"),
        ({"size": (64, 20)}, "Pass at least 28"),
        ({"num_frames": 0}, "must be a whole number, at least 1"),
        ({"num_sequences": 0}, "must be a whole number, at least 1"),
        ({"num_digits": 0}, "must be a whole number, at least 1"),
        ({"num_digits": 10**12}, "at least 1 and at most 100"),
        ({"num_digits": "x"}, "Received: num_digits='x'"),
        ({"num_frames": 1e300}, "`num_frames` must be a whole number, .*at most 9223372036"),
        (
            {"num_sequences": 10**12},
            "Received: 1,000,000,000,000 sequences of 10 .*GiB. Make fewer",
        ),
        ({"num_sequences": True}, "Received: num_sequences=True"),
        ({"seed": None}, "`seed` must be a whole number.* seed=None"),
    ],
)
def test_moving_digits_say_what_to_do(options, advice):
    with pytest.raises(ValueError, match=advice):
        load_moving_digits(**options)


# Moving photographs


def shifted_by(first, second):
    """Return by how many pixels a frame is shifted against another, to a pixel."""
    spectrum = np.fft.fft2(second - second.mean()) * np.conj(np.fft.fft2(first - first.mean()))
    peak = np.unravel_index(np.argmax(np.fft.ifft2(spectrum).real), first.shape)
    sides = np.array(first.shape)
    return np.where(peak > sides / 2, peak - sides, peak)


def test_a_camera_pans_at_one_speed():
    # Without zoom, turns, a hand that shakes and anything in front: the draws that are symmetric.
    rng = np.random.default_rng(3)

    class Steady:
        def uniform(self, low, high, size=None):
            return 0.5 * (low + high) if low == -high or low < 0.0 else rng.uniform(low, high, size)

        def choice(self, values):
            return 0.0

        integers = staticmethod(rng.integers)

    photo = np.asarray(sources.read_photos("train", 1)[4])
    speeds = []
    for _ in range(8):
        film = panning._panned([photo], 3, 64, 64, Steady())[..., 0].astype(float)
        steps = np.array([shifted_by(film[t], film[t + 1]) for t in range(2)])
        np.testing.assert_allclose(steps[0], steps[1], atol=1.0)  # rounded to pixels
        speeds.append(np.linalg.norm(steps, axis=1).max())
    assert 1.0 < max(speeds) <= 64 / 16 + np.sqrt(0.5)


def test_a_still_camera_shows_the_photograph_itself():
    class Nothing:  # of speed, zoom, turns, and shaking; one pixel of the photograph for each
        def uniform(self, low, high, size=None):
            return 0.0

        def choice(self, values):
            return 0.0

        def integers(self, low, high=None):
            return low if high is not None else 0

    photo = np.random.default_rng(0).integers(0, 256, (40, 50, 3), "uint8")
    film = panning._panned([photo], 2, 8, 12, Nothing())
    np.testing.assert_array_equal(film[0], film[1])
    top, left = next(
        (y, x)
        for y in range(33)
        for x in range(39)
        if np.array_equal(photo[y : y + 8, x : x + 12], film[0])
    )
    assert (top, left) > (0, 0)  # well inside


@pytest.mark.parametrize(("drawn", "larger", "turned"), [(0.02, 0.67, 0.0), (1.0, 1.0, 10.0)])
def test_a_camera_zooms_by_two_percent_and_turns_by_a_degree_a_frame(drawn, larger, turned):
    class Only:
        def uniform(self, low, high, size=None):
            return high if (low, high) == (-drawn, drawn) and size is None else 0.0

        def choice(self, values):
            return 0.0

        def integers(self, low, high=None):
            return 0 if high is None else (low + high) // 2  # the middle of the photograph

    bar = np.zeros((200, 200, 1), "uint8")
    bar[96:104, 80:120] = 255
    film = panning._panned([bar], 11, 64, 64, Only())[..., 0] / 255.0
    assert film[-1].sum() / film[0].sum() == pytest.approx(larger, abs=0.03)  # exp(-0.4)
    rows, columns = np.mgrid[:64, :64] - 31.5
    angles = [
        0.5 * np.arctan2(2 * (f * rows * columns).sum(), (f * (columns**2 - rows**2)).sum())
        for f in (film[0], film[-1])
    ]
    assert abs(np.rad2deg(angles[1] - angles[0])) == pytest.approx(turned, abs=0.5)


def test_a_small_photograph_goes_on_as_in_a_mirror():
    places = panning._part(3, 7, np.random.default_rng(0))  # its middle is 1 or 2
    endless = [2, 1, 0, 0, 1, 2] * 3  # 0 is at 3, 9 and 15
    middle = places.tolist()[7]
    assert places.tolist() in [endless[start : start + 14] for start in (9 + 1 - 7, 9 + 2 - 7)]
    assert middle in (1, 2)


@pytest.mark.parametrize("channels", [1, 3])
def test_moving_photos_are_seeded_and_splits_differ(channels, tmp_path):
    def make(split="train", seed=0, **options):
        options = {"num_sequences": 3, "num_frames": 4, "size": (17, 23)} | options
        return load_moving_photos(split, seed=seed, channels=channels, **options).pictures

    assert make().shape == (3, 4, 17, 23, channels)
    assert make().dtype == np.uint8
    np.testing.assert_array_equal(make(), make())
    assert np.any(make() != make(seed=1))
    assert np.any(make() != make("test"))
    sources.as_image(np.full((9, 7, 3), 90, "uint8")).save(tmp_path / "one.png")
    np.testing.assert_array_equal(np.unique(make(source=tmp_path)), 90)


def test_something_moves_in_front_in_half_of_the_films(tmp_path):
    for name, level in (("a", 0), ("b", 255)):
        sources.as_image(np.full((9, 9, 1), level, "uint8")).save(tmp_path / f"{name}.png")
    options = {"num_sequences": 400, "num_frames": 2, "size": 16, "source": tmp_path}
    films = load_moving_photos(**options).pictures
    both = np.mean([len(np.unique(film)) == 2 for film in films])
    # In front in half of them, of the other photograph in half of those, and hardly ever outside.
    assert both == pytest.approx(0.25, abs=0.07)


@pytest.mark.parametrize(
    ("options", "error", "advice"),
    [
        ({"size": 7}, ValueError, "`size` must be a whole number, at least 8"),
        ({"split": "valid"}, ValueError, "one of 'train', 'test'. Received: split='valid'"),
        ({"num_frames": 0}, ValueError, "must be a whole number, at least 1"),
        ({"num_sequences": 10**9}, ValueError, "Make fewer, shorter or smaller ones"),
        ({"channels": 2}, ValueError, "channels"),
        ({"source": "no/such/folder"}, FileNotFoundError, "no/such/folder"),
    ],
)
def test_moving_photos_say_what_to_do(options, error, advice):
    with pytest.raises(error, match=advice):
        load_moving_photos(**options)


# Folders


@pytest.fixture
def colours():
    return np.random.default_rng(1).integers(0, 256, (12, 20, 3), dtype="uint8")


def write(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


def only_picture(folder, **options):
    """Return the one picture of a folder as 8 bits."""
    dataset = load_folder(folder, shuffle=False, **options)
    assert dataset.num_pictures == 1
    return to_uint8(dataset[0][0][0])


def test_folder_reads_png_exactly(tmp_path, colours):
    write(tmp_path / "a.png", colours)
    np.testing.assert_array_equal(only_picture(tmp_path), colours)


def test_folder_reads_jpeg_closely(tmp_path):
    ramp = np.linspace(0, 255, 240).reshape(12, 20).astype("uint8")
    write(tmp_path / "a.JPG", ramp, quality=95)
    picture = only_picture(str(tmp_path))
    assert picture.shape == (12, 20, 1)
    np.testing.assert_allclose(picture[..., 0].astype(int), ramp, atol=12)


def test_folder_reads_grey_with_and_without_transparency(tmp_path, colours):
    write(tmp_path / "grey.png", colours[..., 0])
    np.testing.assert_array_equal(only_picture(tmp_path)[..., 0], colours[..., 0])
    grey_and_alpha = np.stack([colours[..., 0], np.full((12, 20), 255, "uint8")], axis=-1)
    Image.fromarray(grey_and_alpha).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(only_picture(tmp_path)[..., 0], colours[..., 0])


def test_folder_lays_transparency_on_white(tmp_path, colours):
    alpha = np.zeros((12, 20, 1), "uint8")
    alpha[:, :10] = 255
    write(tmp_path / "a.png", np.concatenate([colours, alpha], axis=-1))
    picture = only_picture(tmp_path)
    np.testing.assert_array_equal(picture[:, :10], colours[:, :10])
    assert np.all(picture[:, 10:] == 255)


def test_folder_reads_palettes_and_single_bits(tmp_path, colours):
    palette = Image.fromarray(colours).quantize(16)
    palette.save(tmp_path / "a.png")
    np.testing.assert_array_equal(only_picture(tmp_path), np.asarray(palette.convert("RGB")))
    bits = colours[..., 0] > 127
    Image.fromarray(bits).save(tmp_path / "a.png")
    np.testing.assert_array_equal(only_picture(tmp_path)[..., 0], 255 * bits)


def test_folder_reduces_16_bits(tmp_path):
    values = np.arange(240, dtype="uint16").reshape(12, 20) * 257  # v * 257 / 65535 = v / 255
    write(tmp_path / "a.png", values)
    np.testing.assert_array_equal(only_picture(tmp_path)[..., 0], np.arange(240).reshape(12, 20))


def test_folder_turns_pictures_as_the_camera_says(tmp_path, colours):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it rotated by 90 degrees clockwise
    write(tmp_path / "a.png", colours, exif=exif)
    np.testing.assert_array_equal(only_picture(tmp_path), np.rot90(colours, -1))


def test_folder_is_read_with_all_folders_in_it(tmp_path, colours):
    write(tmp_path / "b" / "c" / "Überfahrt 日本.png", colours)
    write(tmp_path / "a.png", colours[::-1])
    write(tmp_path / ".ipynb_checkpoints" / "a-checkpoint.png", colours)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "._a.png").write_bytes(b"what macOS leaves on a stick")
    with pytest.warns(UserWarning, match="1 file of other kinds .* by ending: .txt \\(1\\)"):
        dataset = load_folder(tmp_path, shuffle=False)
    np.testing.assert_array_equal(to_uint8(everything(dataset)), [colours[::-1], colours])


def test_files_of_other_kinds_are_counted_once(tmp_path, colours):
    for name in ("a.jfif", "b.jpe", "c.PNG", "d.jpeg"):
        Image.fromarray(colours).save(tmp_path / name, "JPEG")
    for name in ("e.tif", "f.tif", "g.webp", "h.HEIC", "none"):
        (tmp_path / name).write_bytes(b"not looked into")
    said = r"5 files of other kinds .*: .tif \(2\), .heic \(1\), .webp \(1\), none \(1\)\. PNG and"
    with pytest.warns(UserWarning, match=said) as caught:
        assert load_folder(tmp_path).num_pictures == 4
    assert len(caught) == 1
    for file in tmp_path.glob("[a-d].*"):
        file.unlink()
    with pytest.raises(FileNotFoundError, match="No file there ends in .png, .* 5 files of other"):
        load_folder(tmp_path)


def test_numbers_in_names_count_as_numbers(tmp_path):
    for number in (1, 2, 10):
        write(tmp_path / f"frame{number}.png", np.full((4, 4), number, "uint8"))
        write(tmp_path / f"{number}" / "x.png", np.full((4, 4), 100 + number, "uint8"))
    dataset = load_folder(tmp_path, shuffle=False)
    assert dataset.pictures[:, 0, 0, 0].tolist() == [101, 102, 110, 1, 2, 10]


# Classes in subfolders


def test_subfolders_are_classes(tmp_path):
    for name, grey in (("Dog", 1), ("cat/kittens", 2), ("cat", 3), ("bird", 4)):
        write(tmp_path / name / "1.png", np.full((4, 4), grey, "uint8"))
    dataset = load_folder(tmp_path, labels=True, shuffle=False)
    assert dataset.class_names == ["Dog", "bird", "cat"]
    pictures, labels = dataset[0]
    greys = to_uint8(pictures)[:, 0, 0, 0].tolist()
    assert dict(zip(greys, labels.tolist(), strict=True)) == {1: 0, 4: 1, 3: 2, 2: 2}
    assert load_folder(tmp_path).labels is None


def test_a_label_goes_with_each_crop_and_with_what_could_be_read(tmp_path):
    for name in "abc":
        write(tmp_path / name / "1.png", np.full((9, 9), ord(name), "uint8"))
    (tmp_path / "a" / "0.png").write_bytes(b"damaged")
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "0.png").write_bytes(b"damaged")
    with pytest.warns(UserWarning, match="2 of 5 files"):
        dataset = load_folder(tmp_path, labels=True, size=4, crops=5)
    assert dataset.class_names == ["a", "b", "c"]
    for pictures, labels in (dataset[i] for i in range(len(dataset))):
        np.testing.assert_array_equal(to_uint8(pictures)[:, 0, 0, 0], labels + ord("a"))


def test_classes_need_subfolders(tmp_path, colours):
    write(tmp_path / "a" / "1.png", colours)
    with pytest.raises(ValueError, match="needs a subfolder for each of at least two classes"):
        load_folder(tmp_path, labels=True)
    write(tmp_path / "b" / "1.png", colours)
    write(tmp_path / "1.png", colours)
    with pytest.raises(ValueError, match=r"1 that does not, such as '.*1.png'. Move them"):
        load_folder(tmp_path, labels=True)
    with pytest.raises(TypeError, match="`labels` must be True or False"):
        load_folder(tmp_path, labels="a")


def test_sets_by_name_tell_their_classes():
    assert load("digits", labels=True).class_names == list("0123456789")
    assert load("digits").class_names is None


# Films


def film(frames, grey=False):
    values = np.arange(frames * 6 * 8 * 3, dtype="uint8").reshape(frames, 6, 8, 3)
    return values[..., :1] if grey else values


def test_gif_files_and_folders_of_frames_become_sequences(tmp_path):
    greys = np.repeat(np.arange(7, dtype="uint8") * 30, 48).reshape(7, 6, 8, 1)
    plotting.save_gif(tmp_path / "film.gif", to_float(greys))
    for number, frame in enumerate(film(12, grey=True)):
        write(tmp_path / "other" / f"{number}.png", frame[..., 0])
    dataset = load_sequences(tmp_path, num_frames=3, shuffle=False)
    assert dataset.image_shape == (3, 6, 8, 1)
    np.testing.assert_array_equal(dataset.pictures[:2].reshape(6, 6, 8, 1), greys[:6])
    np.testing.assert_array_equal(dataset.pictures[2:].reshape(12, 6, 8, 1), film(12, grey=True))
    assert load_sequences(tmp_path, num_frames=3, channels=3).image_shape == (3, 6, 8, 3)
    assert load_sequences(tmp_path, num_frames=3, size=(4, 5)).image_shape == (3, 4, 5, 1)


def test_films_that_do_not_fit_are_named(tmp_path):
    for number, frame in enumerate(film(4)):
        write(tmp_path / "short" / f"{number}.png", frame)
    with pytest.raises(ValueError, match=r"num_frames=5 frames. Received: '.*short' \(4\)"):
        load_sequences(tmp_path, num_frames=5)
    for number, frame in enumerate(film(5)):
        write(tmp_path / "long" / f"{number}.png", frame[:, :5])
    (tmp_path / "damaged.gif").write_bytes(b"GIF89a")
    (tmp_path / "film.flv").write_bytes(b"film")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert load_sequences(tmp_path, num_frames=5).pictures.shape == (1, 5, 6, 5, 3)
    said = "\n".join(str(warning.message) for warning in caught)
    for part in (
        "1 of 3 films",
        "1 of 3 files",
        "damaged.gif",
        "1 file of other kinds",
        ".flv (1)",
    ):
        assert part in said
    (tmp_path / "damaged.gif").unlink()
    (tmp_path / "film.flv").unlink()
    with pytest.raises(ValueError, match=r"frames from \(6, 5\) to \(6, 8\). Pass `size`"):
        load_sequences(tmp_path, num_frames=2)
    write(tmp_path / "long" / "6.png", np.zeros((3, 3), "uint8"))
    with pytest.raises(ValueError, match=r"different ones in '.*long'. Pass `size`"):
        load_sequences(tmp_path, num_frames=5)
    with pytest.raises(FileNotFoundError, match="There is no GIF file, no video and no folder"):
        load_sequences(empty_folder(tmp_path))


def empty_folder(tmp_path):
    (tmp_path / "empty").mkdir()
    return tmp_path / "empty"


@pytest.mark.parametrize(("channels", "expected"), [(None, 3), (1, 1), (3, 3)])
def test_folder_gives_all_pictures_the_same_channels(tmp_path, colours, channels, expected):
    write(tmp_path / "colour.png", colours)
    write(tmp_path / "grey.png", colours[..., 0])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pictures = to_uint8(everything(load_folder(tmp_path, channels=channels, shuffle=False)))
    said = [str(warning.message) for warning in caught]
    assert len(said) == (channels is None)
    assert all("1 of 2 pictures in" in text and "Pass channels=1" in text for text in said)
    assert pictures.shape == (2, 12, 20, expected)
    np.testing.assert_array_equal(pictures[1, ..., -1], colours[..., 0])
    if channels == 1:
        pillow = np.asarray(Image.fromarray(colours).convert("L")).astype(int)
        # The same weights, rounded in whole numbers there and in floating point here.
        np.testing.assert_allclose(pictures[0, ..., 0], pillow, atol=1)


def test_folder_resizes_and_keeps_proportions(tmp_path):
    wide = np.zeros((12, 40, 3), "uint8")
    wide[:, 14:26] = 255  # the middle square
    write(tmp_path / "a.png", wide)
    write(tmp_path / "b.png", np.full((31, 17, 3), 255, "uint8"))
    pictures = everything(load_folder(tmp_path, size=12, shuffle=False))
    assert pictures.shape == (2, 12, 12, 3)
    assert pictures.min() == 1.0  # of the wide one only the middle is left


def test_folder_crops(tmp_path, colours):
    write(tmp_path / "a.png", colours)
    write(tmp_path / "b.png", colours[:, :15])
    dataset = load_folder(tmp_path, size=(10, 15), crops=4, batch_size=8)
    assert everything(dataset).shape == (8, 10, 15, 3)


def test_folder_names_unreadable_files(tmp_path, colours):
    write(tmp_path / "good.png", colours)
    whole = (tmp_path / "good.png").read_bytes()
    (tmp_path / "half.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.jpg").write_text("no picture")
    with pytest.warns(UserWarning, match=r"2 of 3 files in .* are unreadable.*left out") as caught:
        dataset = load_folder(tmp_path)
    assert dataset.num_pictures == 1
    assert len(caught) == 1
    message = str(caught[0].message)
    assert "half.png" in message
    assert "text.jpg" in message
    assert "good.png" not in message
    assert caught[0].filename == __file__  # it points at the line that called


def test_folder_without_a_readable_picture(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"No file there ends in .png, .jpg, .jpeg"):
        load_folder(tmp_path)
    (tmp_path / "a.png").write_text("no picture")
    with pytest.raises(FileNotFoundError, match=r"1 of 1 files .* is unreadable: .*a.png"):
        load_folder(tmp_path)
    for missing in (tmp_path / "none", tmp_path / "a.png"):
        with pytest.raises(FileNotFoundError, match=r"There is no folder .*PNG or JPEG files"):
            load_folder(missing)


def test_folder_of_different_sizes_needs_a_size(tmp_path, colours):
    write(tmp_path / "a.png", colours)
    write(tmp_path / "b.png", colours[1:])
    with pytest.raises(ValueError, match=r"\(11, 20, 3\) to \(12, 20, 3\). Pass `size=`"):
        load_folder(tmp_path)
    for stream in (False, True):
        with pytest.raises(ValueError, match=r"size=12 for '.*b\.png' of 11 x 20 pixels"):
            load_folder(tmp_path, size=12, crops=1, stream=stream)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("pairs", [False, True])
def test_pictures_that_a_size_enlarges_are_told_once(pairs, stream, tmp_path, colours):
    for number, rows in enumerate((12, 11, 10)):
        write(tmp_path / "a" / f"{number}.png", colours[:rows])
    options = {"stream": stream, "observed": tmp_path / "a" if pairs else None}
    load_folder(tmp_path / "a", size=(10, 20), **options)  # which are warnings here, as errors
    for size, told in (
        ((11, 8), r"1 of 3 pictures in .*a' is enlarged to 11 x 8 pixels, such as '.*2.png' of 10"),
        ((12, 20), r"2 of 3 pictures in .*a' are enlarged to 12 x 20 pixels, such as '.*1.png' of"),
    ):
        with pytest.warns(UserWarning, match=told) as caught:
            assert load_folder(tmp_path / "a", size=size, **options).num_pictures == 3
        assert [warning.filename for warning in caught] == [__file__]


def test_folder_resizes_as_it_reads(tmp_path):
    for number in range(8):
        write(tmp_path / f"{number}.png", np.zeros((600, 800, 3), "uint8"))
    whole = 600 * 800 * 3
    load_folder(tmp_path, size=8)  # imports what it needs
    tracemalloc.start()
    load_folder(tmp_path, size=8)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert whole / 2 < peak < 4 * whole  # one picture, not eight


def test_folder_too_large_for_memory_is_refused_while_it_is_read(tmp_path, monkeypatch):
    for number in range(4):
        write(tmp_path / f"{number}.png", np.full((12, 20, 3), number, "uint8"))
    read, reads = photos.read_picture, []
    monkeypatch.setattr(folders, "read_picture", lambda file: reads.append(file) or read(file))
    monkeypatch.setattr(sources, "MAX_BYTES", 2 * 12 * 20 * 3)
    with pytest.raises(ValueError, match=r"3 of the 4 pictures in .*Pass a smaller `size`"):
        load_folder(tmp_path)
    assert len(reads) == 3
    with pytest.raises(ValueError, match="1 of the 4 pictures"):  # refused before it is enlarged
        load_folder(tmp_path, size=10_000)
    for options in ({"channels": 1}, {"size": 8}, {"size": 8, "channels": 3}):
        assert load_folder(tmp_path, **options).num_pictures == 4


def test_other_sets_too_large_for_memory_are_refused():
    with pytest.raises(ValueError, match=r"4,000 pictures of 9999 x 9999 .* smaller `size`"):
        load("digits", size=9999)
    with pytest.raises(ValueError, match=r"1,000,000 sequences .* fewer, shorter or smaller"):
        load_moving_digits(num_sequences=1_000_000)


# Hostile pictures


def png(*chunks):
    """Return the bytes of a PNG file of these chunks."""
    parts = [b"\x89PNG\r\n\x1a\n"]
    for kind, data in chunks:
        crc = zlib.crc32(kind + data).to_bytes(4, "big")
        parts.append(len(data).to_bytes(4, "big") + kind + data + crc)
    return b"".join(parts)


def header(width, height):
    return b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)


def pixels(width, height):
    return b"IDAT", zlib.compress((b"\0" + b"\x80" * width) * height)


def text_bomb():
    text = zlib.compress(b"x" * (80 * 2**20), 9)  # 80 MiB in 80 kB, before the pixels
    return png(header(2, 2), (b"zTXt", b"Comment\0\0" + text), pixels(2, 2), (b"IEND", b""))


def encoded(kind, mode="RGB"):
    """Return a small picture as the bytes of a kind of file."""
    file = io.BytesIO()
    Image.new(mode, (4, 3)).save(file, kind)
    return file.getvalue()


UNREADABLE = {
    "empty": (b"", "neither PNG nor JPEG"),
    "text": (b"no picture", "neither PNG nor JPEG"),
    "only a signature": (b"\x89PNG\r\n\x1a\n", "cannot be read as a picture"),
    "half a PNG": (encoded("PNG")[:44], "cannot be read as a picture"),
    "half a JPEG": (encoded("JPEG")[:400], "cannot be read as a picture"),
    "wrong checksum": (encoded("PNG").replace(b"IDAT", b"IDAX"), "cannot be read as a picture"),
    "EPS, which runs Ghostscript": (encoded("EPS"), "neither PNG nor JPEG"),
    "GIF": (encoded("GIF"), "neither PNG nor JPEG"),
    "TIFF": (encoded("TIFF"), "neither PNG nor JPEG"),
    "BMP": (encoded("BMP"), "neither PNG nor JPEG"),
    "WebP": (encoded("WEBP"), "neither PNG nor JPEG"),
    "PDF": (encoded("PDF"), "neither PNG nor JPEG"),
    "bomb of pixels": (
        png(header(20_000, 20_000), pixels(9, 1), (b"IEND", b"")),
        "more than 179 million pixels; make it smaller first",
    ),
    "bomb of text": (text_bomb(), "cannot be read as a picture"),
    "no width": (png(header(0, 9), pixels(0, 9), (b"IEND", b"")), "cannot be read as a picture"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_named(name, tmp_path, colours):
    content, reason = UNREADABLE[name]
    write(tmp_path / "good.png", colours)
    (tmp_path / "bad.png").write_bytes(content)
    with pytest.raises(ValueError, match=reason):
        photos.read_picture(tmp_path / "bad.png")
    with pytest.warns(UserWarning, match="1 of 2 files .*bad.png") as caught:
        assert load_folder(tmp_path).num_pictures == 1
    assert len(caught) == 1


def test_no_decoder_but_those_of_png_and_jpeg_runs(tmp_path, monkeypatch):
    for kind in ("EPS", "GIF", "TIFF", "PPM", "ICO"):
        (tmp_path / "x.png").write_bytes(encoded(kind))  # imports Pillow's part for this kind
        calls = []
        _, accept = Image.OPEN[kind]
        monkeypatch.setitem(Image.OPEN, kind, (lambda *args, c=calls: c.append(args), accept))
        with pytest.raises(ValueError, match="neither PNG nor JPEG"):
            photos.read_picture(tmp_path / "x.png")
        assert calls == []


def test_large_pictures_are_read_without_a_word(tmp_path, monkeypatch):
    """Pillow warns above one threshold and refuses above twice of it."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 200)
    for width, readable in ((20, True), (40, True), (41, False)):
        write(tmp_path / "a.png", np.zeros((10, width), "uint8"))
        if readable:
            assert photos.read_picture(tmp_path / "a.png").shape == (10, width, 1)
        else:
            with pytest.raises(ValueError, match="million pixels; make it smaller first"):
                photos.read_picture(tmp_path / "a.png")


def test_every_kind_of_pixel_is_read(tmp_path, colours):
    Image.fromarray(colours).convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    Image.fromarray(colours).convert("P").save(tmp_path / "palette.png", transparency=0)
    Image.fromarray(colours[..., 0] > 99).save(tmp_path / "bits.png")
    frames = [Image.fromarray(colours), Image.fromarray(255 - colours)]
    frames[0].save(tmp_path / "animated.png", save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / "stereo.jpg", "MPO", save_all=True, append_images=frames[1:])
    for file in tmp_path.iterdir():
        picture = photos.read_picture(file)
        assert picture.dtype == np.uint8
        assert picture.shape == (12, 20, 1 if file.stem == "bits" else 3)
    np.testing.assert_array_equal(photos.read_picture(tmp_path / "animated.png"), colours)


def test_thin_pictures_are_read_and_resized(tmp_path):
    write(tmp_path / "a.png", np.full((1, 300), 7, "uint8"))
    write(tmp_path / "b.png", np.full((300, 1), 7, "uint8"))
    write(tmp_path / "c.png", np.full((1, 1), 7, "uint8"))
    with pytest.warns(UserWarning, match="3 of 3 pictures in .* are enlarged to 5 x 8 pixels"):
        assert np.all(load_folder(tmp_path, size=(5, 8)).pictures == 7)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_links_pipes_and_folders_of_a_pictures_name(tmp_path, colours):
    write(tmp_path / "deep" / "folder.png" / "good.png", colours)
    (tmp_path / "deep" / "loop").symlink_to(tmp_path)
    (tmp_path / "linked.png").symlink_to(tmp_path / "deep" / "folder.png" / "good.png")
    (tmp_path / "broken.png").symlink_to("nowhere")
    (tmp_path / "self.png").symlink_to("self.png")
    os.mkfifo(tmp_path / "pipe.png")  # which would wait for a writer for ever
    with pytest.warns(UserWarning, match="3 of 5 files") as caught:
        dataset = load_folder(tmp_path)
    assert dataset.num_pictures == 2
    for name in ("broken.png", "self.png", "pipe.png"):
        assert name in str(caught[0].message)


def test_what_may_not_be_read_is_named(tmp_path, colours, monkeypatch):
    write(tmp_path / "good.png", colours)
    write(tmp_path / "closed" / "a.png", colours)
    write(tmp_path / "secret.png", colours)
    look, read = os.scandir, Image.open

    def refuse(path):
        return PermissionError(errno.EACCES, "Permission denied", str(path))

    def scandir(path):
        if str(path).endswith("closed"):
            raise refuse(path)
        return look(path)

    def opened(path, **options):
        if str(path).endswith("secret.png"):
            raise refuse(path)
        return read(path, **options)

    monkeypatch.setattr(os, "scandir", scandir)  # as root, everything is allowed
    monkeypatch.setattr(Image, "open", opened)
    with pytest.warns(UserWarning, match="2 of 3 files") as caught:
        assert load_folder(tmp_path).num_pictures == 1
    assert "secret.png' cannot be read as a picture: Permission denied" in str(caught[0].message)
    assert "closed' cannot be read" in str(caught[0].message)


@pytest.mark.parametrize(
    "name",
    [
        "ü 日本 🎨.png",
        "two\nlines.png",
        "-rf.png",
        "x" * 250 + ".png",
        "a;b|c$(d).JPEG",
    ],
    ids=ascii,
)
def test_odd_names_are_names(name, tmp_path, colours):
    write(tmp_path / name, colours)
    assert load_folder(tmp_path).num_pictures == 1


@pytest.mark.parametrize("path", ["", "x\0y", "y" * 5000, "~nobody_of_this_name/x", "https://x/y"])
def test_paths_of_no_folder(path):
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        load_folder(path)


@pytest.mark.parametrize(
    "options",
    [
        {"size": "64"},
        {"crops": -1},
        {"channels": 2},
        {"batch_size": None},
        {"seed": -1},
        {"path": 3},
    ],
    ids=str,
)
def test_folder_options_are_looked_at_before_any_picture(options, tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "read_picture", lambda file: pytest.fail("read a picture"))
    write(tmp_path / "a.png", np.zeros((4, 4), "uint8"))
    with pytest.raises((ValueError, TypeError), match=f"`{next(iter(options))}`"):
        load_folder(**{"path": tmp_path, **options})


# TensorFlow Datasets


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Prepare tiny sets as TFDS does, without a network."""
    import tensorflow_datasets

    folder = tmp_path_factory.mktemp("tfds")
    features = tensorflow_datasets.features

    def prepare(name, version, count, **kinds):
        def examples(count):
            levels = np.arange(count)
            image = np.tile(levels.reshape(-1, 1, 1, 1), (12, 20, 1))
            values = {"image": image, "picture": image, "label": levels % 3}
            arrays = {key: values[key].astype(kinds[key].np_dtype) for key in kinds}
            return tf.data.Dataset.from_tensor_slices(arrays)

        tensorflow_datasets.dataset_builders.store_as_tfds_dataset(
            name=name,
            version=version,
            features=features.FeaturesDict(kinds),
            split_datasets={"train": examples(count), "test": examples(3)},
            data_dir=folder,
            disable_shuffling=True,
        )

    image, label = features.Image(shape=(12, 20, 1)), features.ClassLabel(num_classes=3)
    prepare("tiny", "3.9.0", 5, image=image, label=label)
    prepare("tiny", "3.10.0", 10, image=image, label=label)
    prepare("unlabelled", "1.0.0", 5, image=image)
    prepare("pictures", "1.0.0", 5, picture=image)
    prepare("deep", "1.0.0", 5, image=features.Image(shape=(12, 20, 1), dtype=np.uint16))
    return folder


@pytest.fixture
def offline(monkeypatch):
    """Let every attempt to use the network fail."""

    def refuse(*args, **kwargs):
        raise urllib.error.URLError("no network in tests")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)


@pytest.mark.usefixtures("offline")
def test_prepared_sets_need_no_network(prepared):
    dataset = load("tiny", data_dir=prepared, labels=True, batch_size=10)
    pictures, labels = dataset[0]
    assert pictures.shape == (10, 12, 20, 1)  # version 3.10.0 is newer than 3.9.0
    np.testing.assert_array_equal(to_uint8(pictures)[:, 0, 0, 0] % 3, labels)
    assert sorted(to_uint8(pictures)[:, 5, 5, 0]) == list(range(10))


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    ("name", "split", "levels"),
    [
        ("tiny", "test", [0, 1, 2]),
        ("tiny", "train[:20%]", [0, 1]),
        ("tiny", "train[-1:]", [9]),
        ("tiny:3.9.0", "train", [0, 1, 2, 3, 4]),
        ("tiny/3.9.0", "test", [0, 1, 2]),
    ],
)
def test_prepared_sets_have_splits_and_versions(prepared, name, split, levels):
    dataset = load(name, split, data_dir=prepared)
    assert dataset.shuffle == split.startswith("train")
    assert dataset.pictures[:, 0, 0, 0].tolist() == levels
    assert len(dataset[0]) == 1


@pytest.mark.usefixtures("offline")
def test_batches_of_tfds_itself_can_be_trained_on(prepared, make_restorer):
    import tensorflow_datasets

    builder = tensorflow_datasets.builder_from_directory(prepared / "tiny" / "3.9.0")
    dicts = builder.as_dataset(split="train")
    dicts = dicts.map(
        lambda example: {
            **example,
            "image": tf.image.convert_image_dtype(example["image"], "float32"),
        }
    )
    history = make_restorer().fit(dicts.batch(5), verbose=0)
    assert np.isfinite(history.history["loss"][0])


@pytest.mark.usefixtures("offline")
def test_pictures_may_have_another_name_in_a_set(prepared):
    dataset = load("pictures", "test", data_dir=prepared, picture_key="picture")
    assert dataset.pictures[:, 0, 0, 0].tolist() == [0, 1, 2]
    with pytest.raises(TypeError, match="`picture_key` must be a string"):
        load("pictures", picture_key=3)


@pytest.mark.usefixtures("offline")
def test_prepared_sets_change_size_and_channels(prepared):
    dataset = load("tiny", "test", data_dir=prepared, size=16, channels=3)
    assert dataset.image_shape == (16, 16, 3)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        ({"name": "tiny", "split": "valid"}, 'no split \'valid\'. It has: "train", "test"'),
        ({"name": "unlabelled", "labels": True}, 'the feature "label". Received: "image"'),
        ({"name": "pictures"}, 'the feature "image". Received: "picture". .* `picture_key`'),
        ({"name": "tiny", "picture_key": "label"}, "must be uint8"),
        ({"name": "deep"}, "must be uint8"),
        ({"name": "nothing_of_this_name"}, 'Embedded sets: "digits".*For a folder use load_folder'),
        ({"name": ""}, "no set of that name. Received: name=''"),
    ],
)
def test_tfds_says_what_to_do(prepared, arguments, advice):
    with pytest.raises(ValueError, match=advice):
        load(**arguments, data_dir=prepared)


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", ".", "..", "../tiny", "/etc", "tiny/../../tiny", "tiny/..", "~/tiny", "tiny/"),
        *("https://example.com/tiny", "gs://tiny/tiny", "hf://tiny", "huggingface:tiny", "a:b"),
        *(
            "tiny\n",
            "tiny\0",
            "日本",
            "tiny\\..",
            "C:\\tiny",
            "tiny*",
            "x" * 5000,
            "tiny/" + "x" * 5000,
        ),
    ],
    ids=lambda name: ascii(name[:20]),
)
def test_names_are_names_not_paths(name, prepared, monkeypatch):
    """Whatever is no plain name is refused before a file or the network is touched."""
    monkeypatch.setattr(tfds, "_builder", lambda *args: pytest.fail("went to look for it"))
    with pytest.raises(ValueError, match="There is no set .* name=.*Embedded sets") as caught:
        load(name, data_dir=prepared / "unlabelled")
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "name", ["mnist", "voc/2007", "voc/2007:4.0.0", "tiny:3.9.0", "tiny/3.9.0"]
)
def test_names_of_tfds_are_names(name):
    assert tfds.NAME.fullmatch(name)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    ("data_dir", "advice"),
    [("{}/file", "which is a file"), ("gs://bucket", "a folder on this machine"), (3, "a folder")],
)
def test_data_dir_must_be_a_folder(data_dir, advice, tmp_path):
    (tmp_path / "file").write_text("kept")
    data_dir = data_dir.format(tmp_path) if isinstance(data_dir, str) else data_dir
    with pytest.raises((OSError, TypeError), match=f"`data_dir` must be .*{advice}"):
        load("mnist", data_dir=data_dir)
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.parametrize(
    "arguments", [(3,), (None,), (Path("digits"),), ("digits", None), ("digits", 1)]
)
def test_names_and_splits_are_strings(arguments):
    with pytest.raises(TypeError, match="must be a string. Received"):
        load(*arguments)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("spoilt", ["dataset_info.json", "*.tfrecord*"])
def test_damaged_sets_are_named(spoilt, prepared, tmp_path):
    shutil.copytree(prepared / "tiny" / "3.9.0", tmp_path / "tiny" / "3.9.0")
    for file in (tmp_path / "tiny" / "3.9.0").glob(spoilt):
        file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(OSError, match="'tiny' in .* cannot be read.*Remove what is there"):
        load("tiny", data_dir=tmp_path)


@pytest.mark.usefixtures("offline")
def test_a_download_that_was_cut_off_is_no_set(prepared, tmp_path):
    shutil.copytree(prepared / "tiny" / "3.9.0", tmp_path / "tiny" / "incomplete.7_3.9.0")
    with pytest.raises(ValueError, match="no set of that name. Received: name='tiny'"):
        load("tiny", data_dir=tmp_path)


@pytest.mark.usefixtures("offline")
def test_a_part_without_pictures_is_refused(prepared):
    with pytest.raises(ValueError, match="holds no picture. Pass a larger part"):
        load("tiny", "train[:0]", data_dir=prepared)


@pytest.mark.usefixtures("offline")
def test_sets_too_large_for_memory_are_refused(prepared, monkeypatch):
    monkeypatch.setattr(sources, "MAX_BYTES", 1000)
    with pytest.raises(
        ValueError, match=r"Load a part of it, for example split='train\[:10%\]'.* --stream"
    ):
        load("tiny", data_dir=prepared)
    assert load("tiny", "train[:40%]", data_dir=prepared).num_pictures == 4


@pytest.mark.usefixtures("offline")
def test_a_set_that_cannot_be_downloaded_is_reported_at_once(tmp_path):
    import tensorflow_datasets  # noqa: F401  its import takes seconds of its own

    start = time.monotonic()
    with pytest.raises(ConnectionError, match='Without a network these sets work: "digits"'):
        load("mnist", data_dir=tmp_path)
    assert time.monotonic() - start < 5.0


@pytest.mark.usefixtures("offline")
def test_no_answer_is_not_reachable():
    assert not tfds.is_reachable()


def test_any_answer_is_reachable(monkeypatch):
    def answer(address, timeout):
        assert timeout <= 5
        raise urllib.error.HTTPError(address, 400, "Bad Request", {}, None)

    monkeypatch.setattr(urllib.request, "urlopen", answer)
    assert tfds.is_reachable()


def test_a_set_that_is_not_there_is_downloaded(prepared, tmp_path, monkeypatch):
    import tensorflow_datasets

    calls = []

    def builder(name, data_dir):
        calls.append((name, data_dir))
        return tensorflow_datasets.builder_from_directory(prepared / "tiny" / "3.9.0")

    monkeypatch.setattr(tfds, "is_reachable", lambda: True)
    monkeypatch.setattr(tensorflow_datasets, "builder", builder)
    assert load("mnist", data_dir=tmp_path).num_pictures == 5
    assert calls == [("mnist", tmp_path)]


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    ("name", "count", "shape"), [("mnist", 600, (28, 28, 1)), ("cifar10", 500, (32, 32, 3))]
)
def test_real_sets_prepared_by_tfds(name, count, shape):
    shared = Path(__file__).parents[2] / "shared" / "data" / "tfds"
    folder = Path(os.environ.get("KERAS_IMGEN_TFDS", shared))
    if not (folder / name).is_dir():
        pytest.skip(f"KERAS_IMGEN_TFDS names no folder in which TFDS has prepared {name}")
    dataset = load(name, "train[:1%]", data_dir=folder, labels=True, batch_size=100)
    assert dataset.num_pictures == count
    assert dataset.image_shape == shape
    pictures, labels = dataset[0]
    check_pictures(pictures, shape)
    assert set(labels.tolist()) == set(range(10))
    assert 0.1 < pictures.mean() < 0.6
    assert pictures.max() == 1.0


# What is no array


class Loader:
    """Like a DataLoader of Torch, which need not be installed."""

    __module__ = "torch.utils.data"

    def __iter__(self):
        return iter([])


def no_arrays():
    import pathlib

    stream = tf.data.Dataset.from_tensor_slices(np.zeros((4, 8, 8, 1), "float32")).batch(2)
    return {
        "a path": ("photo.jpg", r"Read it: .*to_float.*Image.open"),
        "a Path": (pathlib.Path("photo.jpg"), r"Read it: .*to_float.*Image.open"),
        "a picture of Pillow": (Image.new("L", (8, 8)), r"Convert it: .*to_float"),
        "a set of pictures": (load("digits"), r"dataset.take\(8\)"),
        "a stream": (stream, r"next\(iter\(dataset\)\)"),
        "a loader": (Loader(), r"keras.utils.PyDataset"),
        "a list": ([np.zeros((8, 8, 1))] * 2, "np.stack"),
        "a number": (3, "Pass a NumPy array"),
        "nothing": (None, "Pass a NumPy array"),
    }


@pytest.mark.parametrize("case", no_arrays())
def test_what_is_no_array_is_told_how_to_become_one(case, make_restorer):
    wrong, advice = no_arrays()[case]
    with pytest.raises(TypeError, match=rf"(?s)must be one array.*Received: a \w+\. .*{advice}"):
        make_restorer(run_eagerly=True).restore(wrong)
    if case not in ("a set of pictures", "a stream"):  # which `fit` takes
        with pytest.raises(TypeError, match=advice):
            make_restorer(run_eagerly=True).fit(wrong, verbose=0)


# ---- examples ----


@pytest.mark.parametrize("name", FILES)
def test_examples_are_whole_pictures_that_nothing_was_trained_on(name):
    picture = load_example(name)
    check_pictures(picture[None])
    assert picture.shape[-1] in (1, 3)
    assert min(picture.shape[:2]) >= 100
    assert picture.std() > 0.03
    small = [resize(photo, 32, 32) for photo in read_photos("train", 1)]
    found = resize(to_uint8(picture), 32, 32)
    same = [np.corrcoef(found.mean(-1).ravel(), p.mean(-1).ravel())[0, 1] for p in small]
    assert max(same) < 0.9


def test_an_unknown_example_is_named():
    with pytest.raises(ValueError, match="coffee.*tower.*Received: name='china'"):
        load_example("china")


# ---- black and white ----


def grey(count=40):
    rng = np.random.default_rng(0)
    return np.round(255 * rng.random((count, 6, 5, 1))).astype("uint8") / np.float32(255)


def test_pixels_are_white_as_often_as_they_are_bright():
    levels = np.broadcast_to(np.linspace(0.0, 1.0, 5)[:, None, None], (3000, 5, 8, 1))
    for pictures in (levels.astype("float32"), np.round(255 * levels).astype("uint8")):
        drawn = binarized(pictures, seed=1)
        assert drawn.dtype == np.uint8
        assert set(np.unique(drawn)) == {0, 255}
        np.testing.assert_allclose(drawn.mean(axis=(0, 2, 3)) / 255, levels[0, :, 0, 0], atol=0.012)
        assert not drawn[:, 0].any()
        assert drawn[:, -1].all()
    random = np.random.default_rng(1).random((64, 28, 28, 1), "float32")  # not all black
    assert abs(np.mean(binarized(random, 1)) / 255 - 0.5) < 0.01
    np.testing.assert_array_equal(binarized(grey(), 1), binarized(grey(), 1))
    assert np.any(binarized(grey(), 1) != binarized(grey(), 2))
    # The first pictures of many are drawn as few are.
    many = np.tile(grey(40), (60, 1, 1, 1))
    np.testing.assert_array_equal(binarized(many, 3)[:40], binarized(many[:40], 3))


@pytest.mark.parametrize("batch_size", [4, 7])
def test_what_is_drawn_once_stays(batch_size):
    wanted = to_float(binarized(grey(), 5))
    for options in ({"binarize": "static"}, {"binarize": "dynamic", "shuffle": False}):
        dataset = load_arrays(grey(), np.arange(40), batch_size=batch_size, seed=5, **options)
        np.testing.assert_array_equal(dataset.take(9), wanted[:9])
        for epoch in range(2):
            dataset.epoch = epoch
            for pictures, labels in (dataset[i] for i in range(len(dataset))):
                np.testing.assert_array_equal(pictures, wanted[labels])


def test_what_is_drawn_anew_is_a_function_of_seed_and_epoch():
    def epoch(number, seed=5):
        dataset = load_arrays(grey(), np.arange(40), batch_size=8, seed=seed, binarize="dynamic")
        dataset.epoch = number
        batches = [dataset[i] for i in range(len(dataset))]
        pictures, labels = (np.concatenate(part) for part in zip(*batches, strict=True))
        assert set(np.unique(pictures)) == {0.0, 1.0}
        return pictures[np.argsort(labels)]

    np.testing.assert_array_equal(epoch(1), epoch(1))
    assert np.mean(epoch(0) != epoch(1)) == pytest.approx(1 / 3, abs=0.04)  # mean of 2 p (1 - p)
    assert np.mean(epoch(0) != epoch(0, seed=6)) == pytest.approx(1 / 3, abs=0.04)
    mean = np.mean([epoch(i) for i in range(400)], axis=0)
    np.testing.assert_allclose(mean, grey(), atol=0.12)
    dataset = load_arrays(grey(), batch_size=8, seed=5, binarize="dynamic")
    np.testing.assert_array_equal(dataset.take(3), dataset.take(5)[:3])


def test_digits_and_crops_of_photographs_can_be_drawn():
    digits = load("digits", binarize="dynamic", labels=True)
    assert set(np.unique(digits[0][0])) == {0.0, 1.0}
    assert abs(digits[0][0].mean() - load("digits", labels=True)[0][0].mean()) < 0.01
    photos = load("photos", "test", binarize="static")
    np.testing.assert_array_equal(photos[0][0], photos[0][0])
    assert set(np.unique(photos[0][0])) == {0.0, 1.0}
    for wrong in (True, "static ", 1):
        with pytest.raises(ValueError, match='None, "static" or "dynamic"'):
            load("digits", binarize=wrong)
    with pytest.raises(ValueError, match="takes no binarize"):
        load("moving_digits", binarize="static")
    with pytest.raises(ValueError, match="`binarize` and `observed`"):
        load_arrays(grey(), observed=grey(), binarize="static")
