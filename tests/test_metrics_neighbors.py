"""Nearest pictures are those of a search one by one, and copies are told from new pictures."""

import numpy as np
import pytest

from keras_imgen.metrics import memorization, nearest, neighbors

SHAPE = (4, 3, 1)


def pictures(count, seed):
    return np.random.default_rng(seed).random((count, *SHAPE), "float32")


@pytest.mark.parametrize("k", [1, 3, 50])
@pytest.mark.parametrize("block", [7, 1024])
def test_the_nearest_are_those_of_a_search_one_by_one(k, block, monkeypatch):
    monkeypatch.setattr(neighbors, "_BLOCK", block)  # 23 and 50 are no multiples of 7
    samples, training = pictures(23, 0), pictures(50, 1)
    indices, distances = nearest(samples, training, k)
    assert indices.shape == distances.shape == (23, k)
    for sample, found, away in zip(samples, indices, distances, strict=True):
        differences = sample.astype("float64") - training
        expected = np.sqrt(np.mean(differences**2, axis=(1, 2, 3)))
        np.testing.assert_array_equal(found, np.argsort(expected)[:k])
        np.testing.assert_allclose(away, np.sort(expected)[:k], rtol=1e-12)


def test_black_and_white_are_one_apart_and_copies_zero():
    black, white = np.zeros((1, *SHAPE)), np.ones((1, *SHAPE))
    assert nearest(black, white)[1].item() == 1.0
    # Bright pictures that hardly differ: the difference itself is taken, not that of squares.
    grey = np.full((2, *SHAPE), 0.9, "float64")
    grey[1] += 1e-7
    indices, distances = nearest(grey, grey, 2)
    assert indices.tolist() == [[0, 1], [1, 0]]
    np.testing.assert_allclose(distances, [[0.0, 1e-7]] * 2, rtol=1e-6)


def test_exact_copies_are_found():
    training, held_out = pictures(200, 0), pictures(100, 1)
    found = memorization(training[30:70], training, held_out)
    assert found.share == 1.0
    assert found.indices.tolist() == list(range(30, 70))
    assert not found.distances.any()
    assert str(found).startswith("100.0 % of the samples lie within")
    assert str(found).endswith("of a training picture; of held-out pictures 1 % do.")
    # Also if the held-out pictures are copies themselves: nothing can be nearer.
    assert memorization(training[:5], training, training).share == 1.0


@pytest.mark.parametrize("quantile", [0.01, 0.1])
def test_new_pictures_are_as_near_as_held_out_ones(quantile):
    training = pictures(200, 0)
    found = memorization(pictures(4000, 1), training, pictures(4000, 2), quantile)
    # Two counts of 4000 each: their difference has a standard deviation of sqrt(2 q (1 - q) / n).
    spread = np.sqrt(2 * quantile * (1 - quantile) / 4000)
    assert abs(found.share - quantile) < 4 * spread
    assert found.expected == quantile
    assert np.mean(found.held_out_distances <= found.threshold) == pytest.approx(quantile, abs=1e-3)


def test_a_tenth_of_copies_is_a_tenth():
    training = pictures(300, 0)
    samples = np.concatenate([training[:40] + 0.001, pictures(360, 1)])
    share = memorization(samples, training, pictures(1000, 2)).share
    assert 0.10 <= share <= 0.14  # the copies, and 1 % of the others, about


@pytest.mark.parametrize(
    ("make", "advice"),
    [
        (lambda: nearest(np.zeros((2, 8, 8, 1)), np.zeros((2, 9, 8, 1))), "64 values and of 72"),
        (lambda: nearest(np.zeros((0, 8, 8, 1)), np.zeros((2, 8, 8, 1))), "`pictures` must be pic"),
        (lambda: nearest(pictures(2, 0), np.zeros((2, *SHAPE), "uint8")), "`among`.*dtype=uint8"),
        (lambda: nearest(pictures(2, 0), pictures(2, 0) * np.nan), "`among`.* NaN or infinity"),
        (lambda: nearest(pictures(2, 0), pictures(2, 0), k=3), "`k` must be .* at most 2"),
        (lambda: memorization(*[pictures(2, 0)] * 3, quantile=1.5), "For 1 % pass 0.01"),
    ],
)
def test_mistakes_are_explained(make, advice):
    with pytest.raises(ValueError, match=advice):
        make()
