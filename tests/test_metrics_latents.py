"""What latents say: parts of the KL divergence agree with closed forms, and collapse is zero."""

import math

import numpy as np
import pytest

from keras_imgen import losses, networks
from keras_imgen.metrics import bits_per_dim, latent_figures, posteriors

RNG = np.random.default_rng(0)


def clouds(count, dim=2):
    rng = np.random.default_rng(1)
    return rng.normal(size=(count, dim)), rng.normal(size=(count, dim)) - 1.0


def test_the_kl_divergence_is_that_of_the_logs():
    mean, log_variance = clouds(50, 3)
    found = latent_figures(mean, log_variance)
    expected = np.asarray(losses.kl_divergence(mean, log_variance)).mean()
    assert found.kl == pytest.approx(expected, rel=1e-5)
    assert found.kl_of_latents.sum() == pytest.approx(found.kl, rel=1e-12)
    assert found.kl == found.mutual_information + found.marginal_kl


@pytest.mark.parametrize("log_variance", [0.0, -3.0])
def test_of_gaussian_clouds_the_parts_are_those_of_the_closed_form(log_variance):
    # Middles N(0, s^2), clouds of variance v: together N(0, s^2 + v), a channel with noise v.
    scales, variance = np.array([0.5, 1.2]), math.exp(log_variance)
    mean = scales * RNG.normal(size=(4000, 2))
    found = latent_figures(mean, np.full(mean.shape, log_variance))
    together = scales**2 + variance
    information = 0.5 * np.sum(np.log(together / variance))
    marginal = 0.5 * np.sum(together - 1.0 - np.log(together))
    # 4,000 draws: the information of one has a spread of about 1, so their mean one of 0.02.
    assert found.mutual_information == pytest.approx(information, abs=0.06)
    assert found.marginal_kl == pytest.approx(marginal, abs=0.06)


def test_the_best_linear_model_has_an_aggregate_posterior_that_is_the_prior():
    # x = w z + noise: the posterior of z is N(g x, 1 - g w), and x has the variance w^2 + sigma^2.
    w, sigma = 2.0, 0.7
    x = math.hypot(w, sigma) * RNG.normal(size=(4000, 1))
    gain = w / (w**2 + sigma**2)
    found = latent_figures(gain * x, np.full(x.shape, math.log(1.0 - gain * w)))
    assert found.marginal_kl == pytest.approx(0.0, abs=0.05)
    assert found.mutual_information == pytest.approx(0.5 * math.log1p(w**2 / sigma**2), abs=0.05)


def test_clouds_that_do_not_touch_tell_all_pictures_apart_and_no_more():
    mean = 100.0 * np.arange(8.0)[:, None]
    found = latent_figures(mean, np.zeros((8, 1)))
    assert found.mutual_information == pytest.approx(math.log(8), rel=1e-9)
    assert found.limit == pytest.approx(math.log(8), rel=1e-9)
    # Pictures that become the same cloud are not told apart.
    found = latent_figures(np.repeat(mean, 4, axis=0), np.zeros((32, 1)))
    assert found.mutual_information == pytest.approx(math.log(8), rel=1e-9)
    assert found.limit == pytest.approx(math.log(32), rel=1e-12)


def test_a_collapsed_posterior_says_nothing():
    found = latent_figures(np.zeros((20, 3)), np.zeros((20, 3)))
    assert (found.kl, found.active_units) == (0.0, 0)
    assert found.mutual_information == pytest.approx(0.0, abs=1e-12)
    # All clouds are one, but not the prior: the KL divergence is spent on nothing.
    found = latent_figures(np.full((20, 1), 2.0), np.zeros((20, 1)))
    assert found.marginal_kl == pytest.approx(2.0, rel=1e-9)
    assert found.active_units == 0


def test_active_units_are_those_whose_means_vary():
    mean = np.zeros((2, 3))
    mean[:, 0], mean[:, 1] = (-0.11, 0.11), (-0.09, 0.09)  # variances 0.0121 and 0.0081
    found = latent_figures(mean, np.zeros((2, 3)))
    np.testing.assert_allclose(found.activity, [0.0121, 0.0081, 0.0], rtol=1e-12)
    assert found.active_units == 1
    assert str(found).startswith("Active latents: 1 of 3.\nKL 0.01 nats:")


def test_a_prior_of_ones_own_is_asked():
    mean, log_variance = clouds(3000)
    plain = latent_figures(mean, log_variance)
    drawn = latent_figures(mean, log_variance, losses.log_normal)
    # The same prior, by draws and not by its formula.
    assert drawn.kl == pytest.approx(plain.kl, abs=0.1)
    assert drawn.mutual_information == plain.mutual_information
    assert drawn.kl_of_latents is None
    wide = latent_figures(mean, log_variance, lambda z: losses.log_normal(z, 0.0, 2.0))
    # Of a prior of variance e^2 the KL divergence is known, too.
    squares = (np.exp(log_variance) + mean**2) / math.exp(2.0)
    expected = 0.5 * np.sum(squares - 1.0 - log_variance + 2.0, axis=1).mean()
    assert wide.kl == pytest.approx(expected, abs=0.1)
    flow = networks.FlowPrior(2, num_layers=2, units=4)
    assert np.isfinite(latent_figures(mean, log_variance, flow.log_prob).marginal_kl)


def test_figures_do_not_depend_on_the_blocks(monkeypatch):
    whole = latent_figures(*clouds(50))
    monkeypatch.setattr(posteriors, "_VALUES", 7 * 50)  # 7 points at a time
    parts = latent_figures(*clouds(50))
    assert parts.mutual_information == pytest.approx(whole.mutual_information, rel=1e-12)
    assert latent_figures(*clouds(50), seed=1).mutual_information != whole.mutual_information


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        ((np.zeros((3, 2)), np.zeros((3, 1))), r"shapes \(3, 2\) and \(3, 1\). vae.encode"),
        ((np.zeros((1, 2)), np.zeros((1, 2))), "at least two pictures"),
        ((np.zeros(3), np.zeros(3)), r"must both have shape \(n, latent_dim\)"),
        ((np.full((2, 2), np.nan), np.zeros((2, 2))), "`mean` must hold numbers. Received: NaN"),
        ((np.zeros((2, 2)), np.full((2, 2), "x")), "`log_variance` must hold numbers"),
        ((*np.zeros((2, 3, 2)), lambda z: z), r"one number for each vector .* shape=\(3, 2\)"),
    ],
)
def test_what_are_no_clouds_is_refused(arguments, advice):
    with pytest.raises(ValueError, match=advice):
        latent_figures(*arguments)


def test_bits_of_a_level_are_those_of_its_share():
    # Levels are drawn as a density foresees: their cost is the entropy of the levels, about.
    sigma, rng = 0.1, np.random.default_rng(0)
    levels = np.rint(255 * (0.5 + sigma * rng.standard_normal((2000, 4, 4, 1)))) / 255
    log_density = -0.5 * ((levels - 0.5) / sigma) ** 2 - np.log(sigma * np.sqrt(2 * np.pi))
    found = bits_per_dim(log_density.sum(axis=(1, 2, 3)), (4, 4, 1))
    assert found.shape == (2000,)
    _, counts = np.unique(levels, return_counts=True)
    shares = counts / counts.sum()
    assert found.mean() == pytest.approx(-np.sum(shares * np.log2(shares)), abs=0.02)
    for wrong in ({"levels": 1}, {"image_shape": (4, 0, 1)}):
        with pytest.raises(ValueError, match=f"`{next(iter(wrong))}`"):
            bits_per_dim(0.0, **{"image_shape": (4, 4, 1), **wrong})
