"""Losses: values worked out by hand, optimal points, and the signs of gradients."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_imgen import Restorer, degradations, load_model, networks
from keras_imgen.losses import (
    ADVERSARIAL,
    LIKELIHOODS,
    PENALTIES,
    AdversarialLoss,
    Bernoulli,
    Charbonnier,
    ContinuousBernoulli,
    Gaussian,
    Likelihood,
    NonSaturating,
    Penalty,
    StructuralL1,
    bernoulli_nll,
    gaussian_nll,
    kl_divergence,
    log_normal,
)
from keras_imgen.metrics import ssim

NAMES = sorted(ADVERSARIAL)


def array(values):
    return keras.ops.convert_to_numpy(values)


def scores(*values):
    return np.array(values, "float32").reshape(-1, 1)


def gradient(function, value):
    """Return the derivative of a function of one number."""
    x = tf.constant([[value]], "float32")
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    return float(tape.gradient(y, x)[0, 0])


# Adversarial losses


@pytest.mark.parametrize(
    ("name", "real", "fake", "discriminator", "generator"),
    [
        ("non_saturating", 0, 0, 2 * math.log(2), math.log(2)),  # the equilibrium
        ("non_saturating", 1, -1, 2 * math.log1p(math.exp(-1)), 1 + math.log1p(math.exp(-1))),
        ("least_squares", 0.5, 0.5, 0.25, 0.125),  # the equilibrium
        ("least_squares", 2, -1, 0.5 * (1 + 1), 0.5 * 4),
        ("hinge", 0, 0, 2, 0),  # the equilibrium
        ("hinge", 0.25, -0.5, 0.75 + 0.5, 0.5),
        ("wasserstein", 3, -2, -5, 2),
        ("hinge", 3, -2, 0, 2),  # beyond the margin nothing is left to gain
        ("relativistic", 5, 5, math.log(2), math.log(2)),  # the equilibrium, wherever the scores
        ("relativistic", 1, -1, math.log1p(math.exp(-2)), 2 + math.log1p(math.exp(-2))),
    ],
)
def test_adversarial_values(name, real, fake, discriminator, generator):
    loss = ADVERSARIAL[name]
    value = array(loss.discriminator(scores(real), scores(fake)))
    np.testing.assert_allclose(value, [[discriminator]], atol=1e-6)
    np.testing.assert_allclose(
        array(loss.generator(scores(real), scores(fake))), [[generator]], atol=1e-6
    )


@pytest.mark.parametrize("name", NAMES)
def test_adversarial_losses_give_one_value_per_picture(name):
    real, fake = scores(1, 2, 3), scores(-1, 0, 4)
    loss = ADVERSARIAL[name]
    together = array(loss.discriminator(real, fake)), array(loss.generator(real, fake))
    for i in range(3):
        one = slice(i, i + 1)
        np.testing.assert_allclose(
            array(loss.discriminator(real[one], fake[one])), together[0][one]
        )
        np.testing.assert_allclose(array(loss.generator(real[one], fake[one])), together[1][one])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("score", [-0.9, 0.0, 0.9])
def test_the_two_players_pull_in_opposite_directions(name, score):
    loss, other = ADVERSARIAL[name], tf.zeros((1, 1))
    assert gradient(lambda x: loss.discriminator(x, other), score) < 0  # real scores go up
    if (name, score) != ("least_squares", -0.9):  # which pulls fake scores to 0, from both sides
        assert gradient(lambda x: loss.discriminator(other, x), score) >= 0  # fake ones go down
    assert (
        gradient(lambda x: loss.generator(other, x), score) < 0
    )  # unless the generator has its way


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("extreme", [-1e4, -100.0, 100.0, 1e4])
def test_extreme_scores_stay_finite(name, extreme):
    loss = ADVERSARIAL[name]
    real, fake = scores(extreme), scores(-extreme)
    values = loss.discriminator(real, fake), loss.generator(real, fake)
    assert all(np.all(np.isfinite(array(value))) for value in values)
    assert math.isfinite(gradient(lambda x: loss.discriminator(x, -x), extreme))
    assert math.isfinite(gradient(lambda x: loss.generator(-x, x), extreme))


def test_the_generator_learns_from_a_discriminator_that_wins():
    # log(1 - D(G(z))) would have a gradient of 2e-9 here: this is what "non-saturating" means.
    slope = gradient(lambda x: ADVERSARIAL["non_saturating"].generator(None, x), -20.0)
    assert slope == pytest.approx(-1.0, abs=1e-6)


def test_the_best_discriminator_is_the_density_ratio():
    # If a picture is real with probability p, the best score of the textbook loss is
    # log(p / (1 - p)), of least squares p, of hinge the sign; of Wasserstein there is no best one,
    # the candidates merely end at 3: that is why it needs a penalty.
    p, candidates = 0.8, np.linspace(-3, 3, 601, dtype="float32")
    best = {}
    for name in NAMES:
        loss = ADVERSARIAL[name].discriminator
        zero = np.zeros_like(candidates)
        real = array(loss(candidates, zero)) - array(loss(zero, zero))
        fake = array(loss(zero, candidates)) - array(loss(zero, zero))
        best[name] = float(candidates[np.argmin(p * real + (1 - p) * fake)])
    expected = {"non_saturating": math.log(4), "least_squares": 0.8, "hinge": 1.0}
    expected["wasserstein"] = 3.0
    expected["relativistic"] = best["relativistic"]  # it compares pairs: see the next test
    assert best == pytest.approx(expected, abs=0.011)  # the candidates are 0.01 apart


@pytest.mark.parametrize("name", NAMES)
def test_only_differences_matter_to_a_relative_loss(name):
    loss = ADVERSARIAL[name]
    real, fake = scores(0.3, -0.2, 0.7), scores(-0.5, 0.1, 0.2)

    def learned(shift):
        """The slopes of both losses, of real and fake scores."""
        x = [tf.constant(real + shift), tf.constant(fake + shift)]
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            values = loss.discriminator(*x), loss.generator(*x)
        slopes = [s for value in values for s in tape.gradient(value, x) if s is not None]
        return np.concatenate(slopes)

    same = np.allclose(learned(0.0), learned(3.0), rtol=0, atol=1e-5)
    assert same == (loss.neutral is None)


@pytest.mark.parametrize("name", NAMES)
def test_where_real_and_made_are_equally_frequent_the_best_score_is_neutral(name):
    loss, candidates = ADVERSARIAL[name], np.linspace(-2, 2, 401, dtype="float32")
    costs = array(loss.discriminator(candidates, candidates))
    if loss.neutral is None or name == "hinge":  # flat: no score is better than another
        assert np.ptp(costs[np.abs(candidates) <= 1]) < 1e-6
    else:
        assert candidates[np.argmin(costs)] == pytest.approx(loss.neutral, abs=0.011)


def test_the_best_relativistic_score_is_the_density_ratio():
    # In two places with densities (p, 1 - p) of real and (1 - p, p) of fake pictures, only the
    # difference of their scores counts. The best one is that of the log ratios: 2 log(p / (1 - p)).
    p, candidates = 0.8, np.linspace(0, 6, 601, dtype="float32")
    loss, zero = ADVERSARIAL["relativistic"].discriminator, np.zeros_like(candidates)
    pairs = [
        (candidates, zero, p * p),
        (zero, candidates, (1 - p) ** 2),
        (zero, zero, 2 * p * (1 - p)),
    ]
    total = sum(weight * array(loss(real, fake)) for real, fake, weight in pairs)
    assert candidates[np.argmin(total)] == pytest.approx(2 * math.log(4), abs=0.011)


def test_smoothing_lowers_the_target():
    # Cross-entropy with the target 0.9 for a real picture, as written in the paper.
    real, target = np.linspace(-5, 5, 11), 0.9
    probability = 1 / (1 + np.exp(-real))
    expected = -target * np.log(probability) - (1 - target) * np.log(1 - probability)
    fake = np.full(11, -50.0)  # costs nothing
    value = NonSaturating(0.1).discriminator(real, fake)
    np.testing.assert_allclose(array(value), expected, atol=1e-6)
    # So its best score for what is certainly real is log(0.9 / 0.1), no longer infinite.
    candidates = np.linspace(0, 5, 501)
    costs = array(NonSaturating(0.1).discriminator(candidates, np.full(501, -50.0)))
    best = candidates[np.argmin(costs)]
    assert best == pytest.approx(math.log(9), abs=0.011)


@pytest.mark.parametrize("base", [AdversarialLoss, Penalty, Likelihood])
def test_a_base_has_no_formula(base):
    calls = [lambda: base().places(1, 2, 3)]
    if base is AdversarialLoss:
        calls = [lambda: base().discriminator(0.0, 0.0), lambda: base().generator(0.0, 0.0)]
    if base is Likelihood:
        calls = [lambda: base().nll_of_mean(0.0, 0.0), lambda: base().sample(0.0)]
    for call in calls:
        with pytest.raises(NotImplementedError):
            call()


@pytest.mark.parametrize("name", [*ADVERSARIAL, *PENALTIES, *LIKELIHOODS])
def test_losses_are_written_and_read(name):
    made = {**ADVERSARIAL, **PENALTIES, **LIKELIHOODS}[name]
    if name in PENALTIES:
        made = type(made)(3.0, every=4)
    elif name == "non_saturating":
        made = NonSaturating(0.2)
    elif name == "gaussian":
        made = Gaussian(0.03)
    read = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(made))
    assert type(read) is type(made)
    assert vars(read) == vars(made)


# Penalties


def slopes(name, real, fake, mix):
    """Return the penalty of the discriminator x^2 / 2, whose slope at x is x."""
    penalty = PENALTIES[name]
    [place] = penalty.places(real, fake, mix)
    return array(penalty.value(place))


def test_penalties_of_half_a_square():
    real, fake = (tf.fill((1001, 1, 1, 1), value) for value in (1.0, 0.0))
    mix = tf.reshape(tf.linspace(0.0, 1.0, 1001), (-1, 1, 1, 1))
    # Between 0 and 1: the integral of (1 - u)^2. A point that is not uniform gives another number.
    values = slopes("gradient_penalty", real, fake, mix)
    assert np.mean(values) == pytest.approx(1 / 3, abs=1e-3)
    # At 0 it costs 1, and at 1 nothing: the other way round has the same mean.
    assert values[[0, -1]].tolist() == pytest.approx([1.0, 0.0], abs=1e-5)
    np.testing.assert_allclose(slopes("r1", 3 * real, fake, mix), 4.5, rtol=1e-6)
    np.testing.assert_allclose(slopes("r2", real, fake - 2, mix), 2.0, rtol=1e-6)


@pytest.mark.parametrize("name", sorted(PENALTIES))
def test_penalties_are_one_value_per_picture_with_a_finite_slope_at_zero(name):
    gradients = tf.Variable(np.zeros((3, 4, 5, 1), "float32"))
    with tf.GradientTape() as tape:
        values = PENALTIES[name].value(gradients)
        total = tf.reduce_sum(values)
    assert values.shape == (3,)
    assert np.all(np.isfinite(tape.gradient(total, gradients)))


RECONSTRUCTION = {"bernoulli": bernoulli_nll, "gaussian": gaussian_nll}


# Likelihoods


def test_bernoulli_values():
    pictures = np.array([0.0, 1.0, 0.25], "float32").reshape(1, 3, 1, 1)
    predicted = np.array([0.1, 0.9, 0.5], "float32").reshape(1, 3, 1, 1)
    expected = -2 * math.log(0.9) + math.log(2)
    np.testing.assert_allclose(array(bernoulli_nll(pictures, predicted)), [expected], rtol=1e-5)


def test_gaussian_values():
    pictures = np.zeros((2, 3, 4, 1), "float32")
    predicted = np.stack([np.full((3, 4, 1), 0.1), np.full((3, 4, 1), 0.3)]).astype("float32")
    expected = np.array([12 * 0.01, 12 * 0.09])
    for sigma in (0.1, 0.5):
        value = array(gaussian_nll(pictures, predicted, sigma))
        np.testing.assert_allclose(value, expected / (2 * sigma**2), rtol=1e-5)


@pytest.mark.parametrize("name", sorted(RECONSTRUCTION))
@pytest.mark.parametrize("shape", [(12, 20, 1), (12, 20, 3), (5, 12, 20, 1)])
def test_reconstruction_is_summed_over_everything_but_the_batch(name, shape):
    rng = np.random.default_rng(0)
    pictures, predicted = rng.uniform(0.1, 0.9, (2, 3, *shape)).astype("float32")
    values = array(RECONSTRUCTION[name](pictures, predicted))
    assert values.shape == (3,)
    halves = [
        array(RECONSTRUCTION[name](pictures[:, part], predicted[:, part]))
        for part in (slice(0, 2), slice(2, None))
    ]
    np.testing.assert_allclose(values, halves[0] + halves[1], rtol=1e-5)


@pytest.mark.parametrize("name", sorted(RECONSTRUCTION))
def test_the_best_reconstruction_is_the_picture(name):
    picture = 0.3
    predicted = np.linspace(0.01, 0.99, 99, dtype="float32").reshape(-1, 1, 1, 1)
    values = array(RECONSTRUCTION[name](np.full_like(predicted, picture), predicted))
    assert predicted[np.argmin(values), 0, 0, 0] == pytest.approx(picture, abs=0.001)


def test_certain_and_wrong_probabilities_stay_finite():
    black, white = np.zeros((1, 1, 1, 1), "float32"), np.ones((1, 1, 1, 1), "float32")
    for pictures, predicted in ((black, white), (white, black)):
        # Keras keeps probabilities 1e-7 away from 0 and 1: -log(1e-7) = 16.1.
        assert array(bernoulli_nll(pictures, predicted))[0] == pytest.approx(16.1, abs=0.2)
    for picture in (black, white):
        assert array(bernoulli_nll(picture, picture))[0] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("name", sorted(RECONSTRUCTION))
@pytest.mark.parametrize("shape", [(2, 12, 20), (2, 12, 20, 3), (1, 12, 20, 1)])
def test_shapes_that_would_broadcast_are_refused(name, shape):
    with pytest.raises(ValueError, match=r"must have equal shapes. Received: \(2, 12, 20, 1\)"):
        RECONSTRUCTION[name](np.zeros((2, 12, 20, 1), "float32"), np.zeros(shape, "float32"))


@pytest.mark.parametrize("name", sorted(RECONSTRUCTION))
def test_half_precision_is_summed_in_float32(name):
    pictures = keras.ops.full((1, 64, 64, 1), 0.25, dtype="float16")
    predicted = keras.ops.full((1, 64, 64, 1), 0.75, dtype="float16")
    value = RECONSTRUCTION[name](pictures, predicted)
    single = RECONSTRUCTION[name](*(keras.ops.cast(x, "float32") for x in (pictures, predicted)))
    assert keras.backend.standardize_dtype(value.dtype) == "float32"
    np.testing.assert_allclose(array(value), array(single), rtol=1e-6)


def test_a_likelihood_is_a_density():
    # Of one pixel: the sum over black and white, the integral over grey, is 1 for any logit.
    for logit in (-3.0, 0.0, 7.0):
        values, logits = (np.full((20001, 1, 1, 1), x, "float32") for x in (0.0, logit))
        both = np.array([0.0, 1.0], "float32").reshape(2, 1, 1, 1)
        chances = np.exp(-array(Bernoulli().nll(both, np.full_like(both, logit))))
        assert chances.sum() == pytest.approx(1.0, rel=1e-6)
        values[:, 0, 0, 0] = np.linspace(-3.0, 4.0, 20001)
        density = np.exp(-array(Gaussian(0.3).nll(values, logits)).astype("float64"))
        assert np.sum(density) * 7.0 / 20000 == pytest.approx(1.0, rel=1e-4)


@pytest.mark.parametrize("name", ["bernoulli", "gaussian"])
def test_logits_and_means_cost_the_same(name):
    rng = np.random.default_rng(0)
    pictures = rng.random((3, 12, 20, 1)).astype("float32")
    logits = rng.normal(0.0, 2.0, pictures.shape).astype("float32")
    likelihood = LIKELIHOODS[name]
    mean = array(likelihood.mean(logits))
    np.testing.assert_allclose(mean, 1 / (1 + np.exp(-logits)), rtol=1e-5)
    cost = array(likelihood.nll(pictures, logits))
    assert cost.shape == (3,)
    np.testing.assert_allclose(cost, array(likelihood.nll_of_mean(pictures, mean)), rtol=1e-5)


@pytest.mark.parametrize("name", sorted(LIKELIHOODS))
def test_samples_have_the_means_and_cost_what_was_foreseen(name):
    likelihood = LIKELIHOODS[name]
    logits = np.broadcast_to(np.linspace(-2, 2, 5, dtype="float32"), (40000, 5))
    logits = logits.reshape(40000, 5, 1, 1)
    samples = array(likelihood.sample(logits, seed=0))
    mean = array(likelihood.mean(logits))[0]
    np.testing.assert_allclose(samples.mean(axis=0), mean, atol=5 * 0.5 / np.sqrt(40000))
    p = mean.astype("float64")
    entropy = np.sum(-p * np.log(p) - (1 - p) * np.log(1 - p))
    if name == "gaussian":
        entropy = 5 * (math.log(0.1) + 0.5 * math.log(2 * math.pi * math.e))
    if name == "continuous_bernoulli":
        entropy = 0.0
        for logit in logits[0, :, 0, 0]:
            grid, chances = density_of_greys(logit)
            entropy -= integral(chances * np.log(chances), grid)
    costs = array(likelihood.nll(samples, logits))
    assert np.mean(costs) == pytest.approx(entropy, abs=5 * costs.std() / np.sqrt(40000))
    np.testing.assert_array_equal(array(likelihood.sample(logits, seed=0)), samples)


def integral(values, grid):
    return np.sum(0.5 * (values[1:] + values[:-1]) * np.diff(grid))


def density_of_greys(logit):
    grid = np.linspace(0.0, 1.0, 100_001)
    values = grid.astype("float32")[:, None, None, None]
    nll = array(ContinuousBernoulli().nll(values, np.full_like(values, logit)))
    return grid, np.exp(-nll.astype("float64"))


@pytest.mark.parametrize(
    "logit", [-300.0, -30.0, -4.0, -0.11, -0.09, -1e-4, 0.0, 1e-6, 0.0999, 0.1001, 2.0, 40.0]
)
def test_the_density_of_greys(logit):
    grid, chances = density_of_greys(logit)
    assert integral(chances, grid) == pytest.approx(1.0, rel=2e-4)
    mean = float(array(ContinuousBernoulli().mean(np.float32(logit))))
    assert mean == pytest.approx(integral(grid * chances, grid), abs=2e-5)
    # A decoder learns the mean: there the slope of the cost vanishes. It is finite everywhere.
    picture = tf.fill((1, 1), np.float32(mean))
    slope = gradient(lambda x: ContinuousBernoulli().nll(picture, x), logit)
    assert slope == pytest.approx(0.0, abs=1e-4)
    logits = np.full((20_000, 1), logit, "float32")
    drawn = np.sort(array(ContinuousBernoulli().sample(logits, seed=0))[:, 0])
    assert 0.0 <= drawn[0] <= drawn[-1] <= 1.0
    below = np.concatenate([[0.0], np.cumsum(0.5 * (chances[1:] + chances[:-1]) * np.diff(grid))])
    gaps = np.abs(np.interp(drawn, grid, below) - (np.arange(20_000) + 0.5) / 20_000)
    assert gaps.max() < 1.95 / np.sqrt(20_000)  # Kolmogorov and Smirnov: once in a thousand


def test_no_grey_is_foreseen_without_end():
    black = np.zeros((1, 8, 8, 1), "float32")
    costs = [float(array(ContinuousBernoulli().nll(black, black + x))[0]) for x in (-200.0, -1e9)]
    assert costs[0] == pytest.approx(costs[1], rel=1e-5)
    assert costs[0] == pytest.approx(-64 * math.log(20.0), rel=1e-3)


def test_greys_are_judged_by_logits():
    with pytest.raises(ValueError, match='judges logits.*named "logits"'):
        ContinuousBernoulli().nll_of_mean(np.full((1, 1), 0.5), np.full((1, 1), 0.5))


def test_a_width_of_each_pixel():
    rng = np.random.default_rng(0)
    x, logits = rng.random((2, 3, 4, 5, 1)).astype("float32")
    log_variance = rng.normal(-3.0, 1.0, x.shape).astype("float32")
    found = array(Gaussian(9.0).nll(x, [logits, log_variance]))
    mean, sigma = 1.0 / (1.0 + np.exp(-logits)), np.exp(0.5 * log_variance)
    nll = 0.5 * ((x - mean) / sigma) ** 2 + np.log(sigma * np.sqrt(2.0 * np.pi))
    np.testing.assert_allclose(found, nll.sum(axis=(1, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(
        array(Gaussian(0.1).nll(x, [logits, np.full_like(x, 2.0 * math.log(0.1))])),
        array(Gaussian(0.1).nll(x, logits)),
        rtol=1e-5,
    )
    drawn = array(Gaussian().sample([np.repeat(logits, 2000, 0), np.repeat(log_variance, 2000, 0)]))
    spread = drawn.reshape(3, 2000, *x.shape[1:]).std(axis=1)
    np.testing.assert_allclose(spread, sigma, rtol=0.1)


def test_no_width_is_less_than_that_of_rounding():
    # Where a picture never changes, a density would rise for ever.
    black = np.zeros((1, 8, 8, 1), "float32")
    costs = [
        float(array(Gaussian().nll(black, [black - 60.0, black + x]))[0]) for x in (-14.0, -80.0)
    ]
    assert costs[0] == costs[1]
    rounding = 1.0 / 255.0 / math.sqrt(12.0)
    assert costs[0] == pytest.approx(64 * math.log(rounding * math.sqrt(2.0 * math.pi)), rel=1e-5)


def test_the_density_of_a_normal_distribution():
    grid = np.linspace(-12.0, 12.0, 4001)[:, None]
    for mean, log_variance in ((0.0, 0.0), (1.5, -2.0), (-1.0, 1.0)):
        density = np.exp(array(log_normal(grid, mean, log_variance)).astype("float64"))
        assert integral(density, grid[:, 0]) == pytest.approx(1.0, rel=1e-5)
        spread = integral(density * (grid[:, 0] - mean) ** 2, grid[:, 0])
        assert spread == pytest.approx(math.exp(log_variance), rel=1e-4)


def test_logits_that_are_certain_and_wrong_have_a_slope():
    # Probabilities are kept 1e-7 from 0 and 1, and beyond that teach nothing.
    for logit, picture in ((-50.0, 1.0), (50.0, 0.0)):
        slope = gradient(lambda x, t=picture: Bernoulli().nll(tf.fill((1, 1), t), x), logit)
        assert slope == pytest.approx(-1.0 if picture else 1.0, abs=1e-6)


def test_grey_costs_even_if_it_comes_back():
    # What README must not call a bound: 784 pixels of middle grey, brought back perfectly.
    grey = np.full((1, 28, 28, 1), 0.5, "float32")
    cost = float(array(Bernoulli().nll(grey, np.zeros_like(grey)))[0])
    assert cost == pytest.approx(784 * math.log(2), rel=1e-6)


# The KL divergence


def test_kl_of_a_shifted_normal_is_half_the_squared_distance():
    mean = np.array([[1.0, 2.0], [0.0, 0.0], [-3.0, 0.5]], "float32")
    value = array(kl_divergence(mean, np.zeros_like(mean)))
    np.testing.assert_allclose(value, np.sum(mean**2, axis=1) / 2, rtol=1e-6)


def test_kl_of_a_scaled_normal():
    variance = np.array([[4.0, 0.25], [1.0, 1.0]], "float32")
    value = array(kl_divergence(np.zeros_like(variance), np.log(variance)))
    expected = 0.5 * np.sum(variance - 1 - np.log(variance), axis=1)
    np.testing.assert_allclose(value, expected, atol=1e-6)


def test_kl_is_the_mean_log_ratio_of_the_densities():
    mean, deviation = 0.7, 0.5
    value = float(kl_divergence(np.array([[mean]]), np.array([[2 * math.log(deviation)]]))[0])
    draws = mean + deviation * np.random.default_rng(0).standard_normal(100_000)
    ratios = -0.5 * ((draws - mean) / deviation) ** 2 - math.log(deviation) + 0.5 * draws**2
    assert abs(ratios.mean() - value) < 4 * ratios.std() / math.sqrt(len(ratios))


def test_kl_is_least_at_the_standard_normal():
    mean, log_variance = np.meshgrid(np.linspace(-1, 1, 21), np.linspace(-1, 1, 21))
    values = array(kl_divergence(mean.reshape(-1, 1), log_variance.reshape(-1, 1)))
    assert np.argmin(values) == 220  # the middle, where both are 0
    assert values[220] == pytest.approx(0.0, abs=1e-7)
    assert np.all(values >= -1e-7)


@pytest.mark.parametrize(
    "pictures",
    [None, [[0.5]], np.zeros((2, 8, 9, 1), "uint8"), np.zeros((2, 8, 9, 1), "longdouble")],
)
def test_what_is_no_tensor_of_pictures_is_refused(pictures):
    good = np.zeros((2, 8, 9, 1), "float32")
    for loss in RECONSTRUCTION.values():
        for pair in ((pictures, good), (good, pictures)):
            with pytest.raises(TypeError, match="must be a floating-point tensor.* Received: a "):
                loss(*pair)


# Restoration


def test_charbonnier_is_quadratic_near_0_and_absolute_far_from_it():
    clean = np.zeros((3, 8, 9, 2), "float32")
    for error, expected in ((0.0, 1e-3), (1e-3, np.sqrt(2) * 1e-3), (0.5, 0.5)):
        assert float(Charbonnier()(clean, clean + error)) == pytest.approx(expected, rel=1e-4)
    # Its slope by one pixel, e / sqrt(e^2 + epsilon^2), fades at 0.
    for error, slope in ((0.0, 0.0), (1e-3, np.sqrt(0.5)), (-0.5, -1.0)):
        found = gradient(lambda x: Charbonnier()(tf.zeros((1, 1)), x), error)
        assert found == pytest.approx(slope, abs=1e-4)


def test_the_structural_mix_is_what_it_says():
    rng = np.random.default_rng(0)
    clean = rng.random((4, 16, 17, 3), "float32")
    restored = np.clip(clean + 0.1 * rng.standard_normal(clean.shape), 0, 1).astype("float32")
    similarity = array(ssim(clean, restored)).mean()
    absolute = np.abs(clean - restored).mean()
    for weight in (0.0, 0.3, 1.0):
        expected = weight * (1 - similarity) + (1 - weight) * absolute
        found = float(StructuralL1(weight)(clean, restored))
        assert found == pytest.approx(expected, rel=1e-4)
    sequences = (x.reshape(2, 2, 16, 17, 3) for x in (clean, restored))
    assert float(StructuralL1(0.3)(*sequences)) == pytest.approx(
        float(StructuralL1(0.3)(clean, restored)), rel=1e-5
    )


@pytest.mark.parametrize("start", [-7.0, 3.0])
def test_the_structural_mix_leads_back_from_far_away(start):
    # The slope of the absolute error, spread over all pixels; SSIM has none out there.
    clean = np.random.default_rng(0).random((1, 12, 12, 1), "float32")
    restored = tf.fill((1, 12, 12, 1), start)
    with tf.GradientTape() as tape:
        tape.watch(restored)
        loss = StructuralL1(0.84)(clean, restored)
    slope = array(tape.gradient(loss, restored))
    np.testing.assert_allclose(slope, np.sign(start) * 0.16 / 144, rtol=1e-4)


@pytest.mark.parametrize("shape", [(1, 8, 12, 1), (1, 12, 10, 3), (1, 2, 10, 10, 1)])
def test_the_structural_mix_says_what_is_too_small(shape):
    with pytest.raises(ValueError, match=r"sides must be at least 11.*use Charbonnier\(\)"):
        StructuralL1()(np.zeros(shape, "float32"), np.zeros(shape, "float32"))


@pytest.mark.parametrize("loss", [Charbonnier(0.01), StructuralL1(0.5)])
def test_losses_of_restoration_train_and_are_saved(loss, tmp_path):
    network = networks.dncnn((None, None, 1), depth=3, filters=2, batch_norm=False)
    model = Restorer(network, degradations.AdditiveNoise(0.1, seed=0), seed=0)
    model.compile(loss=loss)
    clean = np.random.default_rng(0).random((4, 12, 13, 1), "float32")
    before = model.evaluate(clean, verbose=0)[0]
    model.fit(clean, epochs=5, verbose=0)
    after = model.evaluate(clean, verbose=0)[0]
    assert 0 < after < before
    model.save(tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    assert loaded.loss.get_config() == loss.get_config()
    assert loaded.evaluate(clean, verbose=0)[0] == pytest.approx(after, rel=1e-6)


@pytest.mark.parametrize(
    ("make", "advice"),
    [
        (lambda: Charbonnier(0), "`epsilon` .*epsilon=0. It is an error"),
        (lambda: StructuralL1(84), "`weight` .*weight=84. It is the share of the structural part"),
    ],
)
def test_losses_say_what_to_do(make, advice):
    with pytest.raises(ValueError, match=advice):
        make()
