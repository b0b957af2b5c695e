"""Distances of two sets of features: closed forms, identities, invariances, and what is refused."""

import numpy as np
import pytest

from keras_imgen.metrics import (
    distributions,
    frechet_distance,
    kernel_distance,
    precision_recall,
)

DISTANCES = {
    "frechet": frechet_distance,
    "kernel": lambda real, made: kernel_distance(real, made)[0],
    "precision": lambda real, made: precision_recall(real, made)[0],
    "recall": lambda real, made: precision_recall(real, made)[1],
}


def normal(count, features=5, seed=0):
    return np.random.default_rng(seed).normal(size=(count, features))


def exactly(mean, covariance, count=50, seed=0):
    """Return features whose sample mean and (unbiased) covariance are exactly these."""
    features = normal(count, len(mean), seed)
    features -= features.mean(axis=0)
    whitened = features @ np.linalg.inv(np.linalg.cholesky(np.cov(features.T)).T)
    return whitened @ np.linalg.cholesky(covariance).T + mean


def rotation(size, seed=3):
    return np.linalg.qr(normal(size, size, seed))[0]


# Fréchet distance


@pytest.mark.parametrize("seed", [0, 1])
def test_frechet_distance_of_commuting_covariances_by_hand(seed):
    real = exactly([1.0, 2.0], np.diag([4.0, 9.0]), seed=seed)
    made = exactly([4.0, 6.0], np.diag([1.0, 16.0]), seed=seed + 5)
    # 3^2 + 4^2 + (2 - 1)^2 + (3 - 4)^2
    assert frechet_distance(real, made) == pytest.approx(27.0, abs=1e-9)


def test_frechet_distance_of_covariances_that_do_not_commute_by_hand():
    # A = diag(4, 1), B = [[2, 1], [1, 2]]: A B = [[8, 4], [1, 2]] has the determinant 12 and the
    # trace 10. For two eigenvalues (sqrt a + sqrt b)^2 = a + b + 2 sqrt(a b) = 10 + 2 sqrt 12.
    a, b = np.diag([4.0, 1.0]), np.array([[2.0, 1.0], [1.0, 2.0]])
    expected = 5.0 + 4.0 - 2.0 * np.sqrt(10.0 + 2.0 * np.sqrt(12.0))
    value = frechet_distance(exactly([0, 0], a), exactly([0, 0], b, seed=4))
    assert value == pytest.approx(expected, abs=1e-9)


def test_frechet_distance_is_the_formula_by_eigenvalues():
    real, made = normal(200) @ normal(5, 5, 1), normal(100, seed=2) @ normal(5, 5, 3) + 1.0
    shift, (a, b) = real.mean(0) - made.mean(0), (np.cov(x.T) for x in (real, made))
    root = np.sqrt(np.linalg.eigvals(a @ b).real).sum()
    expected = shift @ shift + np.trace(a) + np.trace(b) - 2 * root
    assert frechet_distance(real, made) == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_of_one_feature_by_hand():
    # Means 1 and 2; deviations sqrt 2 and sqrt 8: 1 + (sqrt 8 - sqrt 2)^2 = 1 + 2.
    assert frechet_distance(np.array([[0.0], [2.0]]), np.array([[0.0], [4.0]])) == pytest.approx(3)


def test_a_shift_adds_its_square():
    real, shift = normal(40), np.arange(5.0)
    assert frechet_distance(real, real + shift) == pytest.approx(30.0, abs=1e-9)


def test_frechet_distance_is_symmetric_and_zero_to_itself():
    real, made = normal(60), normal(50, seed=1) + 0.5
    assert frechet_distance(real, made) == pytest.approx(frechet_distance(made, real), rel=1e-12)
    assert frechet_distance(real, real) == pytest.approx(0.0, abs=1e-12)
    assert frechet_distance(real, real[::-1]) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("rank", [1, 3])
def test_features_that_depend_on_each_other_are_no_trouble(rank):
    real = normal(50, rank) @ normal(rank, 20, 1)
    assert frechet_distance(real, real) == pytest.approx(0.0, abs=1e-9)
    # To one point: all the spread, and the shift.
    point = np.zeros((30, 20))
    expected = np.trace(np.cov(real.T)) + np.sum(real.mean(axis=0) ** 2)
    assert frechet_distance(real, point) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(point, point) == 0.0


def test_fewer_pictures_than_features():
    # Two points each, on axes at a right angle: sqrt(A B) is 0.
    real, made = np.zeros((2, 6)), np.zeros((2, 6))
    real[:, 0], made[:, 1] = (-1, 1), (-2, 2)
    assert frechet_distance(real, made) == pytest.approx(2.0 + 8.0, abs=1e-9)


# Kernel distance


def test_kernel_distance_is_the_double_loop():
    real, made = normal(8), normal(8, seed=1) + 0.5

    def kernel(x, y):
        return (x @ y / 5 + 1) ** 3

    def loop(real, made):
        total = 0.0
        for i in range(4):
            for j in range(4):
                cross = kernel(real[i], made[j]) / 16
                within = kernel(real[i], real[j]) + kernel(made[i], made[j])
                total += within / 12 * (i != j) - 2 * cross
        return total

    rng = np.random.default_rng(7)
    real_dealt, made_dealt = (x[rng.permutation(8)] for x in (real, made))
    estimates = [loop(real_dealt[s], made_dealt[s]) for s in (slice(0, 4), slice(4, 8))]
    value, error = kernel_distance(real, made, subset_size=4, seed=7)
    assert value == pytest.approx(np.mean(estimates), rel=1e-10)
    # Of two numbers: half their difference.
    assert error == pytest.approx(abs(estimates[0] - estimates[1]) / 2, rel=1e-10)


def test_kernel_distance_of_constant_features_by_hand():
    real, made = np.full((20, 3), 1.0), np.full((20, 3), 2.0)
    # (1 + 1)^3 + (4 + 1)^3 - 2 (2 + 1)^3
    assert kernel_distance(real, made, subset_size=5) == (pytest.approx(8 + 125 - 54), 0.0)
    assert kernel_distance(made, real, subset_size=5) == (pytest.approx(8 + 125 - 54), 0.0)
    assert kernel_distance(real, real, subset_size=5) == (pytest.approx(0.0, abs=1e-12), 0.0)


def shifted_draws(shift, count, draws):
    """Return values and standard errors over draws of N(0, 1) and N(shift, 1)."""
    rng = np.random.default_rng(0)
    return np.array(
        [
            kernel_distance(rng.normal(size=(count, 1)), rng.normal(shift, size=(count, 1)))
            for _ in range(draws)
        ]
    ).T


def test_kernel_distance_of_equal_distributions_is_unbiased():
    values, _ = shifted_draws(0.0, 40, 2000)
    assert abs(values.mean()) < 4 * values.std() / np.sqrt(2000)
    assert 0.4 < np.mean(values < 0) < 0.9  # a skewed distribution, with many values below 0


def test_kernel_distance_has_its_closed_form_and_its_error():
    # (x y + 1)^3 = 1 + 3 x y + 3 x^2 y^2 + x^3 y^3, so the distance is 3 a^2 + 3 b^2 + c^2 with the
    # differences a, b, c of the first three moments: 1, 1 and 4 for a shift by 1.
    values, errors = shifted_draws(1.0, 1000, 400)
    truth = 3.0 + 3.0 + 16.0
    assert abs(values.mean() - truth) < 4 * values.std() / np.sqrt(400)
    # The error is what it says: the deviation between independent draws. The deviation of 400
    # draws is known to 3.5 %, with room for tails heavier than normal.
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(values.std(), rel=0.15)
    # With ten subsets, 2.26 errors are the 95 % of Student's distribution of 9 degrees.
    assert 0.90 < np.mean(np.abs(values - truth) < 2.26 * errors) < 0.99


def test_the_seed_of_a_kernel_distance_deals_the_pictures():
    real, made = normal(60), normal(60, seed=1)
    first = kernel_distance(real, made, seed=1)
    assert kernel_distance(real, made, seed=1) == first
    assert kernel_distance(real, made, seed=2) != first


def test_a_tenth_of_the_smaller_set_is_a_subset():
    real, made = normal(100), normal(55, seed=1)
    assert kernel_distance(real, made) == kernel_distance(real, made, subset_size=5)


# Precision and recall


@pytest.mark.parametrize("neighbors", [1, 3, 5])
def test_precision_and_recall_of_equal_and_of_distant_sets(neighbors):
    real = normal(50)
    assert precision_recall(real, real, neighbors) == (1.0, 1.0)
    assert precision_recall(real, real[::-1].copy(), neighbors) == (1.0, 1.0)
    assert precision_recall(real, real + 100.0, neighbors) == (0.0, 0.0)


def test_a_part_has_full_precision_and_little_recall_by_hand():
    # Real: 0, 1, ..., 9 and 100, 101, ..., 109. Made: 0, 1, 2, 3, whose balls to the second
    # neighbor have the radii 2, 1, 1, 2: they reach from 0 to 5.
    real = np.concatenate([np.arange(10.0), 100 + np.arange(10.0)])[:, None]
    assert precision_recall(real, real[:4], neighbors=2) == (1.0, 6 / 20)
    # The other way round: 4 of 20 lie at points of the part, two more within its balls.
    assert precision_recall(real[:4], real, neighbors=2) == (6 / 20, 1.0)


def test_made_between_the_real_by_hand():
    real = np.array([[0.0, 0.0], [1.0, 0.0], [10.0, 0.0], [11.0, 0.0]])
    made = np.array([[0.5, 0.5], [5.0, 0.0], [5.0, 1.0]])  # near, and twice between
    # Radii to the nearest: real 1 each, made sqrt(20.5), 1, 1. One of three made is within a real
    # ball; the ball of the first made holds two of four real.
    assert precision_recall(real, made, neighbors=1) == (1 / 3, 2 / 4)


def test_a_collapsed_generator_has_no_recall():
    real = normal(100)
    made = np.repeat(real[:1], 20, axis=0)  # balls of radius 0
    assert precision_recall(real, made) == (1.0, 0.01)
    off = made + 1e-3 * normal(1, seed=9)
    assert precision_recall(real, off) == (1.0, 0.0)


def test_precision_and_recall_change_places():
    real, made = normal(80), 0.7 * normal(50, seed=1)
    assert precision_recall(real, made) == precision_recall(made, real)[::-1]
    assert precision_recall(real, made)[0] > precision_recall(real, made)[1]


def test_blocks_change_nothing(monkeypatch):
    real, made = normal(83), normal(57, seed=1) + 0.5
    whole = precision_recall(real, made)
    monkeypatch.setattr(distributions, "BLOCK", 300)  # rows 3 by 3 and 5 by 5
    assert precision_recall(real, made) == whole
    assert 0.0 < whole[0] < 1.0


# All of them


@pytest.mark.parametrize("name", DISTANCES)
def test_a_common_rotation_changes_nothing(name):
    real, made, axes = normal(60), normal(60, seed=1) + 0.5, rotation(5)
    rotated = DISTANCES[name](real @ axes, made @ axes)
    assert rotated == pytest.approx(DISTANCES[name](real, made), rel=1e-9)


@pytest.mark.parametrize("name", DISTANCES)
def test_half_precision_is_computed_in_float64(name):
    real, made = (x.astype("float16") for x in (normal(60), normal(60, seed=1) + 0.5))
    wide = DISTANCES[name](real.astype("float64"), made.astype("float64"))
    assert DISTANCES[name](real, made) == wide
    assert type(wide) is float


def with_nan(features):
    features[3, 1] = np.nan
    return features


@pytest.mark.parametrize("name", DISTANCES)
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (np.zeros((50, 28, 28, 1)), r"shape \(50, 28, 28, 1\).* by an extractor.*DigitFeatures"),
        (np.zeros(50), r"\(pictures, features\). Received: a ndarray of shape \(50,\)"),
        (np.zeros((0, 5)), r"shape \(0, 5\)"),
        (np.zeros((50, 5), "int32"), "dtype int32"),
        ([[0.0, 1.0]], "Received: a list"),
        (with_nan(normal(50)), "must be finite. Received: 1 features that are NaN"),
        (normal(50, 4), "equally many features. Received: .* Take both from one extractor"),
        (normal(1), r"must hold the features of at least .* Received: 1\."),
    ],
)
def test_what_are_no_features_is_refused(name, wrong, message):
    for pair in ((wrong, normal(50)), (normal(50), wrong)):
        with pytest.raises(ValueError, match=message):
            DISTANCES[name](*pair)


def test_options_without_a_meaning_are_refused():
    real = normal(50)
    for neighbors in (0, 1.5, True):
        with pytest.raises(ValueError, match="`neighbors` must be a whole number, at least 1"):
            precision_recall(real, real, neighbors)
    with pytest.raises(ValueError, match="at least 51 pictures for a neighbor number 50"):
        precision_recall(real, real, 50)
    with pytest.raises(ValueError, match="`subset_size` must be a whole number, at least 2"):
        kernel_distance(real, real, subset_size=1)
    with pytest.raises(
        ValueError, match="at least 52 pictures for two subsets of 26. Received: 50"
    ):
        kernel_distance(real, real, subset_size=26)
    with pytest.raises(ValueError, match="`seed` must be a whole number"):
        kernel_distance(real, real, seed=-1)
