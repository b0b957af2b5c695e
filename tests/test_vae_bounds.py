"""The VAE's bounds against likelihoods that are known: linear models, several samples, priors."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_imgen import VAE, losses, networks
from keras_imgen.callbacks import Resume
from keras_imgen.inference import on_arc

SIDES, SIGMA = (3, 5, 1), 0.2
RNG = np.random.default_rng(0)
# Orthogonal columns: then the posterior of a linear model has no correlations.
WEIGHTS = np.linalg.qr(RNG.standard_normal((15, 2)))[0] * [0.5, 0.3]
MIDDLE = RNG.uniform(0.3, 0.7, 15)
PRECISION = 1.0 + np.sum(WEIGHTS**2, axis=0) / SIGMA**2


def pictures(count):
    """Draw pictures as the linear model does, within [0, 1] as they happen to be."""
    rng = np.random.default_rng(1)
    latents = rng.standard_normal((20 * count, 2))
    x = MIDDLE + latents @ WEIGHTS.T + SIGMA * rng.standard_normal((20 * count, 15))
    inside = x[np.all((x >= 0.0) & (x <= 1.0), axis=1)]
    return inside[:count].reshape(-1, *SIDES).astype("float32")


def log_density(x):
    covariance = WEIGHTS @ WEIGHTS.T + SIGMA**2 * np.eye(15)
    rest = x.reshape(len(x), -1) - MIDDLE
    squares = np.sum(rest * np.linalg.solve(covariance, rest.T).T, axis=1)
    return -0.5 * (squares + np.linalg.slogdet(2.0 * np.pi * covariance)[1])


def linear(shift=0.0, wider=0.0, prior=None, **options):
    """Return the VAE of the linear model; the encoder is right, or wrong by so much."""
    inputs = keras.Input(SIDES)
    flat = layers.Flatten()(inputs)
    heads = [layers.Dense(2, name=name) for name in ("mean", "log_variance")]
    encoder = keras.Model(inputs, [head(flat) for head in heads])
    to_mean = WEIGHTS / SIGMA**2 / PRECISION
    heads[0].set_weights([to_mean, shift - MIDDLE @ to_mean])
    heads[1].set_weights([np.zeros((15, 2)), wider - np.log(PRECISION)])
    latents = keras.Input((2,))
    out = layers.Dense(15)
    decoder = keras.Model(latents, layers.Reshape(SIDES)(out(latents)))
    out.set_weights([WEIGHTS.T, MIDDLE])
    vae = VAE(encoder, decoder, prior, seed=0, **options)
    vae.compile(keras.optimizers.SGD(0.0), losses.Gaussian(SIGMA), run_eagerly=True)
    return vae


def loss_of(vae, x, repeats=1):
    values = [
        vae.evaluate(np.repeat(x, repeats, axis=0), batch_size=4096, verbose=0, return_dict=True)
    ]
    return values[0]["loss"]


def test_with_the_right_encoder_the_bound_is_the_likelihood():
    x = pictures(50)
    vae = linear()
    truth = -log_density(x)
    # Exact for every draw: p(x, z) / q(z) is the same number for every z.
    for samples in (1, 7):
        found = vae.log_likelihood(x, samples, batch_size=5, seed=3)
        np.testing.assert_allclose(-found, truth, atol=2e-4)
    # The bound itself is exact in the mean; KL is that of the formula.
    assert loss_of(vae, x, 60) == pytest.approx(truth.mean(), abs=0.06)


def test_bounds_rise_with_the_number_of_samples_and_end_at_the_likelihood():
    x = pictures(40)
    truth, many = -log_density(x).mean(), np.repeat(x, 50, axis=0)
    wrong = {"shift": 0.3, "wider": 0.7}
    found = []
    for samples in (1, 5, 50):
        vae = linear(**wrong, num_importance_samples=samples)
        figures = vae.evaluate(many, batch_size=2000, verbose=0, return_dict=True)
        found.append(figures["loss"])
        parts = figures["reconstruction_loss"] + figures["kl_loss"]
        assert figures["loss"] <= parts + 1e-4
    assert found[0] > found[1] + 0.1 > found[2] + 0.1 > truth
    assert found[2] == pytest.approx(truth, abs=0.05)
    estimate = linear(**wrong).log_likelihood(x, 5000, batch_size=3000, seed=0)
    np.testing.assert_allclose(-estimate, -log_density(x), atol=0.1)
    np.testing.assert_allclose(-estimate.mean(), truth, atol=0.02)


def test_the_first_bound_is_the_known_one():
    # E log q / p for a wrong Gaussian: the KL divergence of q from the true posterior is the gap.
    x, shift, wider = pictures(40), 0.3, 0.7
    gap = 0.5 * np.sum(np.exp(wider) + shift**2 * PRECISION - 1.0 - wider)
    assert loss_of(linear(shift, wider), x, 100) == pytest.approx(
        -log_density(x).mean() + gap, abs=0.1
    )


@pytest.mark.parametrize("batch_size", [1, 3, 64, 1000])
def test_any_batch_size_gives_as_many_samples(batch_size):
    x, counted = pictures(7), []
    vae = linear(0.2)
    cost = vae._cost

    def counting(pictures, decoded):
        counted.append(decoded.shape[0])
        return cost(pictures, decoded)

    vae._cost = counting
    found = vae.log_likelihood(x, 40, batch_size=batch_size, seed=0)
    assert (found.shape, found.dtype) == ((7,), np.float64)
    assert max(counted) <= batch_size  # traced once for each shape
    np.testing.assert_allclose(found, log_density(x), atol=1.5)
    again = vae.log_likelihood(x, 40, batch_size=batch_size, seed=0)
    np.testing.assert_array_equal(found, again)


def test_a_prior_of_ones_own_counts():
    """Latents of a prior N(1, 1): the same model as with all pictures shifted."""

    @keras.saving.register_keras_serializable("tests")
    class Shifted(keras.layers.Layer):
        def call(self, normal):
            return normal + 1.0

        def log_prob(self, latents):
            return losses.log_normal(latents, 1.0)

    x, vae = pictures(30), linear(prior=Shifted())
    rest = x.reshape(30, -1) - MIDDLE - WEIGHTS.sum(axis=1)
    truth = log_density((MIDDLE + rest).reshape(x.shape))
    np.testing.assert_allclose(vae.log_likelihood(x, 20_000, seed=0), truth, atol=0.15)
    drawn = vae.sample(2000, seed=0).reshape(2000, -1).mean(axis=0)
    clipped = np.clip(
        MIDDLE + (np.random.default_rng(5).standard_normal((20_000, 2)) + 1.0) @ WEIGHTS.T, 0, 1
    )
    np.testing.assert_allclose(drawn, clipped.mean(axis=0), atol=0.05)


# ---- a prior that is learned ----


@pytest.mark.parametrize(("latent_dim", "num_layers"), [(2, 2), (3, 2), (5, 5)])
def test_the_flow_is_a_density(latent_dim, num_layers):
    keras.utils.set_random_seed(1)
    prior = networks.FlowPrior(latent_dim, num_layers, units=6)
    normal = np.random.default_rng(0).standard_normal((6, latent_dim)).astype("float32")
    np.testing.assert_allclose(prior(normal), normal, atol=1e-6)  # it begins as the default prior
    np.testing.assert_allclose(prior.log_prob(normal), losses.log_normal(normal), rtol=1e-5)
    for weight in prior.weights:
        weight.assign(0.4 * np.random.default_rng(weight.shape[0]).standard_normal(weight.shape))
    latents = np.asarray(prior(normal))
    assert np.abs(latents - normal).max() > 0.3
    for i in range(6):
        slopes = (
            np.stack(
                [
                    np.asarray(prior(normal[i : i + 1] + step) - prior(normal[i : i + 1] - step))[0]
                    for step in 1e-3 * np.eye(latent_dim, dtype="float32")
                ]
            )
            / 2e-3
        )
        by_hand = float(losses.log_normal(normal[i : i + 1])[0]) - np.linalg.slogdet(slopes)[1]
        found = float(prior.log_prob(latents[i : i + 1])[0])
        assert found == pytest.approx(by_hand, abs=0.02)


@pytest.mark.parametrize("far", [1.0, 100.0, 1e4])
def test_what_the_flow_says_of_latents_that_are_none_is_bounded(far):
    """Whatever its networks say, a layer moves by 8 at most, and stretches by e."""
    latent_dim, num_layers = 5, 5
    prior = networks.FlowPrior(latent_dim, num_layers, units=6)
    rng = np.random.default_rng(0)
    for weight in prior.weights:
        weight.assign(5.0 * rng.standard_normal(weight.shape))
    most = far
    for _ in range(3):  # times that a half is changed
        most = np.e * (most + 8.0)
    stretched = 13.0  # of both halves, by all layers
    lowest = -0.5 * latent_dim * (most**2 + np.log(2.0 * np.pi)) - stretched
    latents = far * rng.uniform(-1.0, 1.0, (200, latent_dim)).astype("float32")
    found = np.asarray(prior.log_prob(latents))
    assert np.all(found > lowest)
    assert np.all(np.abs(np.asarray(prior(latents))) < most)
    assert np.all(found < stretched)
    assert np.std(found) > 1.0


def test_a_learned_prior_fits_what_the_encoder_says():
    """Latents far from the origin cost 9 nats by the default prior; a learned one goes there."""
    x, costs = pictures(64), {}
    for name, prior in (("default", None), ("flow", networks.FlowPrior(2, 2, units=8))):
        vae = linear(shift=3.0, prior=prior, ema_momentum=0.0)
        vae.encoder.trainable = vae.decoder.trainable = prior is None
        vae.compile(keras.optimizers.Adam(0.02 if prior else 1e-9), losses.Gaussian(SIGMA))
        vae.fit(np.tile(x, (20, 1, 1, 1)), epochs=4, batch_size=64, verbose=0)
        costs[name] = vae.evaluate(x, verbose=0, return_dict=True)["kl_loss"]
    assert costs["flow"] < costs["default"] - 5.0


# ---- the weight of the KL divergence ----


def shown(**options):
    """Return the bound's parts in training, for a rate of 0."""
    vae = linear(shift=0.5, **options)
    return vae, vae.fit(pictures(32), batch_size=8, epochs=2, verbose=0).history


def test_the_weight_rises_step_by_step_in_training_alone():
    vae, history = shown(kl_weight=2.0, kl_warm_up=6)
    # Steps 0 to 3 have the shares 0, 1/6, 2/6, 3/6; then 4/6, 5/6, 1, 1.
    x = pictures(32)
    held_out = vae.evaluate(x, verbose=0, return_dict=True)
    kl = held_out["kl_loss"]
    assert held_out["loss"] == pytest.approx(held_out["reconstruction_loss"] + 2.0 * kl, rel=1e-5)
    for epoch, mean in enumerate((0.25, (4 / 6 + 5 / 6 + 2.0) / 4)):
        logs = {name: values[epoch] for name, values in history.items()}
        weight = (logs["loss"] - logs["reconstruction_loss"]) / logs["kl_loss"]
        assert weight == pytest.approx(2.0 * mean, rel=0.05)


def test_the_weight_can_be_changed_and_is_saved(tmp_path):
    class Halve(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.kl_weight = self.model.kl_weight / 2

    vae = VAE(
        networks.dense_vae_encoder(SIDES, 2, (4,)), networks.dense_vae_decoder(SIDES, 2, (4,))
    )
    vae.kl_weight = 0.8
    vae.compile()
    history = vae.fit(pictures(32), epochs=3, callbacks=[Halve()], verbose=0).history
    for epoch in range(3):
        logs = {name: values[epoch] for name, values in history.items()}
        weight = (logs["loss"] - logs["reconstruction_loss"]) / logs["kl_loss"]
        assert weight == pytest.approx(0.8 / 2**epoch, rel=0.02)
    assert vae.kl_weight == pytest.approx(0.1)
    vae.save(tmp_path / "vae.keras")
    assert keras.saving.load_model(tmp_path / "vae.keras").kl_weight == vae.kl_weight
    for wrong in (-1.0, float("nan"), "1"):
        with pytest.raises((TypeError, ValueError), match="`kl_weight`"):
            vae.kl_weight = wrong


def test_a_resumed_training_warms_up_where_it_was(tmp_path):
    def trained(folder, *epochs):
        keras.utils.set_random_seed(0)
        encoder = networks.dense_vae_encoder(SIDES, 2, (4,))
        vae = VAE(encoder, networks.dense_vae_decoder(SIDES, 2, (4,)), kl_warm_up=20, seed=0)
        vae.compile()
        for until in epochs:
            vae.fit(
                *(pictures(32),),
                batch_size=8,
                epochs=until,
                verbose=0,
                callbacks=[Resume(tmp_path / folder)],
            )
        return vae

    whole, parts = trained("whole", 4), trained("parts", 2, 4)
    for a, b in zip(whole.weights, parts.weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_free_bits_let_a_latent_say_nothing_wrong():
    """A latent that costs less than it may has no slope from its cost, the others have."""
    mean = np.array([[0.2, 2.0], [-0.2, -2.0]], "float32")
    each = 0.5 * (mean**2)  # the variance is 1
    encoder = networks.dense_vae_encoder(SIDES, 2, (4,))
    decoder = networks.dense_vae_decoder(SIDES, 2, (4,))
    vae = VAE(encoder, decoder, free_bits=0.5, seed=0)
    vae.compile()
    none = ops.zeros_like(mean)
    through = ops.zeros((2, *SIDES)), mean, none, mean, none
    vae._through = lambda *args: through
    x = np.zeros((2, *SIDES), "float32")
    loss, reconstruction, kl = vae.bound(x, None, training=True)
    np.testing.assert_allclose(kl, each.sum(axis=1), rtol=1e-6)
    np.testing.assert_allclose(loss - reconstruction, 0.5 + each[:, 1].mean(), rtol=1e-5)
    loss, reconstruction, kl = vae.bound(x, None, training=False)
    np.testing.assert_allclose(loss - reconstruction, kl, rtol=1e-5)
    for options in ({"prior": networks.FlowPrior(2)}, {"num_importance_samples": 2}):
        with pytest.raises(ValueError, match="`free_bits` needs.*kl_warm_up"):
            VAE(encoder, decoder, free_bits=0.5, **options)


@pytest.mark.parametrize("options", [{"prior": True}, {"num_importance_samples": 3}])
def test_a_narrow_cloud_costs_what_it_is_wide_and_no_rounding(options):
    """Of a cloud narrower than the rounding of its middle, latents less the mean are noise."""
    keras.utils.set_random_seed(0)
    inputs, x, costs = keras.Input(SIDES), pictures(8), {}
    flat = layers.Flatten()(inputs)
    heads = [layers.Dense(2, kernel_initializer="zeros", name=name) for name in "mv"]
    encoder = keras.Model(inputs, [head(flat) for head in heads])
    prior = networks.FlowPrior(2, 2, units=4) if options.pop("prior", None) else None
    decoder = networks.dense_vae_decoder(SIDES, 2, (4,))
    vae = VAE(encoder, decoder, prior, ema_momentum=0.0, seed=0, **options)
    vae.compile(keras.optimizers.SGD(1.0), loss="bernoulli")
    heads[0].bias.assign([5.0, -3.0])
    for level in (-20.0, -40.0, -80.0):
        heads[1].bias.assign([level, level])
        costs[level] = vae.evaluate(x, verbose=0, return_dict=True)["kl_loss"]
    assert costs[-40.0] - costs[-20.0] == pytest.approx(20.0, abs=0.01)
    assert costs[-80.0] - costs[-40.0] == pytest.approx(40.0, abs=0.01)
    # Half a nat for each latent and unit of its log-variance: that is the slope.
    vae.fit(x, epochs=1, batch_size=8, verbose=0)
    np.testing.assert_allclose(np.asarray(heads[1].bias), -79.5, atol=1e-3)
    assert all(np.isfinite(weight).all() for weight in vae.get_weights())


# ---- averages, labels, widths ----


def test_answers_are_those_of_the_averages():
    keras.utils.set_random_seed(0)
    encoder = networks.dense_vae_encoder(SIDES, 2, (4,))
    vae = VAE(encoder, networks.dense_vae_decoder(SIDES, 2, (4,)), networks.FlowPrior(2, 2, 4))
    vae.compile()
    x = pictures(64)
    vae.fit(x, epochs=3, verbose=0)
    raw = VAE(vae.encoder, vae.decoder, vae.prior, ema_momentum=0.0, seed=vae.seed)
    averaged = keras.models.clone_model(raw)
    for part, average in zip(averaged._parts(), vae.averages, strict=True):
        part.set_weights(average.get_weights())
    figures = []
    for model in (vae, averaged, raw):
        model.compile(loss="gaussian")
        figures.append([model.evaluate(x, verbose=0), model.sample(3, seed=0), model.encode(x)[0]])
        figures[-1] += [model.reconstruct(x), model.log_likelihood(x, 5, seed=0), model.predict(x)]
    for ours, average, last in zip(*figures, strict=True):
        np.testing.assert_array_equal(ours[0], average[0])
        assert np.abs(np.asarray(ours[0]) - np.asarray(last[0])).max() > 1e-4


def test_labels_tell_what_the_latents_need_not():
    """Two shapes, black or white: with the label a latent is left for nothing but the shade."""
    rng = np.random.default_rng(0)
    labels, shade = rng.integers(0, 2, 256), rng.integers(0, 2, 256)
    both = np.zeros((2, *SIDES), "float32")
    both[0, :, :2] = both[1, :1] = 1.0  # the left, and the top
    shapes = both[labels]
    x = np.where(shade[:, None, None, None], shapes, 1.0 - shapes).astype("float32")
    keras.utils.set_random_seed(0)
    vae = VAE(
        networks.dense_vae_encoder(SIDES, 2, (16,), num_classes=2),
        networks.dense_vae_decoder(SIDES, 2, (16,), num_classes=2),
        seed=0,
    )
    vae.compile(keras.optimizers.Adam(0.02))
    many = np.tile(x, (15, 1, 1, 1)), np.tile(labels, 15)
    vae.fit(*many, epochs=4, batch_size=64, verbose=0)
    # The shade of one of two costs log 2 at best, and the label nothing.
    nats = -vae.log_likelihood(x[:64], 200, labels=labels[:64], seed=0).mean()
    assert np.log(2) - 0.05 < nats < 1.2  # without it two of them would cost 1.39
    for label in (0, 1):
        drawn = vae.sample(64, labels=label, seed=0)
        far = np.abs(drawn - both[label]).mean(axis=(1, 2, 3))
        assert np.mean((far < 0.2) | (far > 0.8)) > 0.75
        assert 0.2 < np.mean(far < 0.5) < 0.8
    # The same style, another label: the other shape, in one of its shades.
    turned = vae.decode(vae.encode(x[:64], labels[:64])[0], 1 - labels[:64])
    far = np.abs(turned - both[1 - labels[:64]]).mean(axis=(1, 2, 3))
    assert np.mean(np.minimum(far, 1.0 - far) < 0.1) > 0.6
    with pytest.raises(ValueError, match="needs a label"):
        vae.encode(x)
    with pytest.raises(ValueError, match="between 0 and 1"):
        vae.log_likelihood(x, 5, labels=2)


def test_each_end_of_a_way_may_have_a_label_of_its_own():
    keras.utils.set_random_seed(0)
    sizes = {"latent_dim": 2, "units": (4,), "num_classes": 3}
    decoder = networks.dense_vae_decoder(SIDES, **sizes)
    vae = VAE(networks.dense_vae_encoder(SIDES, **sizes), decoder, ema_momentum=0.0, seed=0)
    vae.compile()
    first, second = pictures(4)[:2], pictures(4)[2:]
    way = vae.interpolate(first, second, 3, labels=2, second_labels=[0, 1])
    assert way.shape == (2, 3, *SIDES)
    np.testing.assert_allclose(way[:, 0], vae.reconstruct(first, 2), atol=1e-6)
    np.testing.assert_allclose(way[:, 2], vae.reconstruct(second, [0, 1]), atol=1e-6)
    ends = vae.encode(first, 2)[0], vae.encode(second, [0, 1])[0]
    middle = np.stack([on_arc(*pair, 3)[1] for pair in zip(*ends, strict=True)])
    half = np.array([[0.5, 0.0, 0.5], [0.0, 0.5, 0.5]], "float32")
    np.testing.assert_allclose(way[:, 1], ops.sigmoid(decoder([middle, half])), atol=1e-6)
    # One label stays what it is all the way, and two that are equal are one.
    way = vae.interpolate(first, second, 3, labels=[1, 2])
    np.testing.assert_array_equal(
        way, vae.interpolate(first, second, 3, labels=[1, 2], second_labels=[1, 2])
    )
    ends = vae.encode(first, [1, 2])[0], vae.encode(second, [1, 2])[0]
    middle = np.stack([on_arc(*pair, 3)[1] for pair in zip(*ends, strict=True)])
    np.testing.assert_allclose(way[:, 1], vae.decode(middle, [1, 2]), atol=1e-6)
    with pytest.raises(ValueError, match="needs a label for each picture"):
        vae.interpolate(first, second, second_labels=1)
    with pytest.raises(ValueError, match="`labels` must be whole numbers, 2 of them"):
        vae.interpolate(first, second, labels=1, second_labels=[0, 1, 2])


def test_widths_that_are_learned_become_those_of_the_noise():
    rng = np.random.default_rng(0)
    widths = np.where(np.arange(5) < 3, 0.05, 0.15)[:, None]
    x = (0.5 + widths * rng.standard_normal((512, *SIDES))).clip(0.0, 1.0).astype("float32")
    for variance, expected in (("one", np.sqrt(np.mean(widths**2))), ("each", widths)):
        keras.utils.set_random_seed(0)
        decoder = networks.dense_vae_decoder(SIDES, 2, (4,), variance=variance)
        vae = VAE(networks.dense_vae_encoder(SIDES, 2, (4,)), decoder, kl_weight=20.0, seed=0)
        vae.compile(keras.optimizers.Adam(0.05), "gaussian")
        vae.fit(np.tile(x, (10, 1, 1, 1)), epochs=6, batch_size=128, verbose=0)
        log_variance = np.asarray(vae.averages[1](np.zeros((1, 2), "float32"))[1][0])
        np.testing.assert_allclose(
            np.exp(0.5 * log_variance), np.broadcast_to(expected, SIDES), rtol=0.2
        )
    for loss in ("bernoulli", losses.bernoulli_nll):
        with pytest.raises(ValueError, match="returns a log-variance"):
            vae.compile(loss=loss)


def test_of_greys_a_bernoulli_likelihood_is_none():
    encoder = networks.dense_vae_encoder(SIDES, 2, (4,))
    vae = VAE(encoder, networks.dense_vae_decoder(SIDES, 2, (4,)), seed=0)
    vae.compile()
    with pytest.raises(ValueError, match="Received: greys.*binarized"):
        vae.log_likelihood(pictures(3), 5)
    assert np.isfinite(vae.log_likelihood(np.round(pictures(3)), 5)).all()


@pytest.mark.parametrize("length", [0.0, 1e-30, 1e-8])
def test_a_way_from_the_origin_is_a_line_and_of_tiny_latents_an_arc(length):
    start, end = np.array([length, 0.0]), np.array([0.0, 1.0])
    way = on_arc(start, end, 3)
    assert np.all(np.isfinite(way))
    np.testing.assert_allclose(way[[0, 2]], [start, end], atol=1e-7)
    middle = end / 2 if length == 0.0 else (1.0 + length) / 2 * np.sqrt([0.5, 0.5])
    np.testing.assert_allclose(way[1], middle, atol=1e-6)
