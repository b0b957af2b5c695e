"""The VAE's loss and step against equation 10 of the paper written out by hand; its pictures."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_imgen import VAE, load_arrays, losses, networks
from keras_imgen.callbacks import Resume

SHAPE = (12, 20, 1)
CLEAN = np.random.default_rng(0).random((8, *SHAPE), "float32")
SGD = keras.optimizers.SGD


def make(optimizer=None, loss="bernoulli", encoder=None, run_eagerly=True, **options):
    keras.utils.set_random_seed(0)
    if encoder is None:
        encoder = networks.vae_encoder(SHAPE, latent_dim=3, filters=2)
    decoder = networks.vae_decoder(SHAPE, latent_dim=3, filters=2)
    vae = VAE(encoder, decoder, **{"seed": 5, **options})
    vae.compile(optimizer, loss, run_eagerly=run_eagerly)
    return vae


def parts_by_hand(vae, pictures, noise, loss="bernoulli"):
    """Return the two parts of the loss of each picture, for given noise."""
    mean, log_variance = (np.array(part, "float64") for part in vae.encoder(pictures))
    latents = mean + np.exp(log_variance / 2) * noise
    logits = np.array(vae.decoder(latents.astype("float32")), "float64")
    p, x = 1.0 / (1.0 + np.exp(-logits)), pictures.astype("float64")
    if loss == "bernoulli":
        reconstruction = -(x * np.log(p) + (1 - x) * np.log(1 - p))
    else:
        reconstruction = (x - p) ** 2 / (2 * 0.1**2) + np.log(0.1 * np.sqrt(2 * np.pi))
    kl = (mean**2 + np.exp(log_variance) - 1 - log_variance) / 2
    return reconstruction.sum(axis=(1, 2, 3)), kl.sum(axis=1)


@pytest.mark.parametrize("loss", ["bernoulli", "gaussian"])
@pytest.mark.parametrize("kl_weight", [0.0, 1.0, 20.0])
def test_the_loss_of_each_picture_by_hand(kl_weight, loss):
    # Held out, the draw repeats. Five pictures and three: each counts the same.
    vae = make(loss=loss, kl_weight=kl_weight)
    batches = [
        parts_by_hand(vae, batch, np.array(keras.random.normal((len(batch), 3), seed=5)), loss)
        for batch in (CLEAN[:5], CLEAN[5:])
    ]
    reconstruction, kl = (np.concatenate(part) for part in zip(*batches, strict=True))
    expected = {
        "loss": np.mean(reconstruction + kl_weight * kl),
        "reconstruction_loss": np.mean(reconstruction),
        "kl_loss": np.mean(kl),
    }
    assert expected["kl_loss"] > 1e-3
    figures = vae.evaluate(CLEAN, batch_size=5, verbose=0, return_dict=True)
    assert figures == pytest.approx(expected, rel=1e-5)
    assert vae.evaluate(CLEAN, batch_size=5, verbose=0, return_dict=True) == figures


def test_held_out_figures_are_those_of_points_and_not_of_the_middles():
    """A bound on the likelihood needs the mean over the cloud: its middle alone flatters."""
    inputs = keras.Input(SHAPE)
    heads = [keras.layers.Dense(3, kernel_initializer="zeros") for _ in range(2)]
    encoder = keras.Model(inputs, [head(keras.layers.Flatten()(inputs)) for head in heads])
    latents = keras.Input((3,))
    # Every pixel is 0.5 + 0.1 z1: for all pictures the cloud is N(0, 1), its middle draws 0.5.
    first = latents[:, :1] * 0.1 + 0.5
    decoder = keras.Model(latents, keras.layers.Reshape(SHAPE)(keras.ops.repeat(first, 240, 1)))
    decoder.add_weight(shape=(1,), name="something_to_train")
    with pytest.raises(ValueError, match="weights that stand in layers.*ema_momentum=0"):
        VAE(encoder, decoder)
    vae = VAE(encoder, decoder, ema_momentum=0.0, seed=1)
    vae.compile(loss="gaussian")
    grey = np.full((4000, *SHAPE), 0.5, "float32")
    figures = vae.evaluate(grey, batch_size=4000, verbose=0, return_dict=True)
    # The mean of 240 (0.1 z)^2 / (2 0.1^2) is 120; its standard error here 120 sqrt(2 / 4000).
    constant = 240 * np.log(0.1 * np.sqrt(2 * np.pi))
    error = 4 * 120 * (2 / 4000) ** 0.5
    assert figures["reconstruction_loss"] == pytest.approx(120.0 + constant, abs=error)
    assert figures["kl_loss"] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("kl_weight", [0.0, 20.0])
def test_in_training_the_latents_are_drawn(kl_weight):
    vae = make(SGD(0.0), kl_weight=kl_weight)  # which stays as it is
    draw = keras.random.SeedGenerator(5)
    history = vae.fit(CLEAN, batch_size=5, epochs=2, shuffle=False, verbose=0).history
    for epoch in range(2):
        batches = [
            parts_by_hand(vae, batch, np.array(keras.random.normal((len(batch), 3), seed=draw)))
            for batch in (CLEAN[:5], CLEAN[5:])
        ]
        reconstruction, kl = (np.concatenate(part) for part in zip(*batches, strict=True))
        logs = {name: values[epoch] for name, values in history.items()}
        assert logs["reconstruction_loss"] == pytest.approx(np.mean(reconstruction), rel=1e-5)
        assert logs["kl_loss"] == pytest.approx(np.mean(kl), rel=1e-5)
        total = logs["reconstruction_loss"] + kl_weight * logs["kl_loss"]
        assert logs["loss"] == pytest.approx(total, rel=1e-5)
    assert history["reconstruction_loss"][0] != history["reconstruction_loss"][1]


def test_the_step_goes_down_the_gradient():
    rate = 1e-3
    vae = make(SGD(rate), kl_weight=3.0, run_eagerly=False)
    encoder, decoder = (keras.models.clone_model(n) for n in (vae.encoder, vae.decoder))
    encoder.set_weights(vae.encoder.get_weights())
    decoder.set_weights(vae.decoder.get_weights())
    noise = keras.random.normal((8, 3), seed=keras.random.SeedGenerator(5))
    variables = [v.value for v in encoder.trainable_variables + decoder.trainable_variables]
    with tf.GradientTape() as tape:
        mean, log_variance = encoder(CLEAN)
        p = tf.sigmoid(decoder(mean + tf.exp(log_variance / 2) * noise))
        reconstruction = -tf.reduce_sum(
            CLEAN * tf.math.log(p) + (1 - CLEAN) * tf.math.log(1 - p), (1, 2, 3)
        )
        kl = tf.reduce_sum(mean**2 + tf.exp(log_variance) - 1 - log_variance, 1) / 2
        loss = tf.reduce_mean(reconstruction + 3.0 * kl)
    for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
        variable.assign_sub(rate * gradient)
    vae.fit(CLEAN, batch_size=8, shuffle=False, verbose=0)
    for ours, theirs in zip(vae.trainable_variables, variables, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs, rtol=0, atol=1e-5)  # float32, one step


def test_a_heavy_kl_empties_the_latents_and_a_light_one_fills_them():
    # Eight pictures, white on the left and black on the right of eight edges.
    edges = np.arange(4, 20, 2)[:, None, None, None]
    clean = np.broadcast_to(np.arange(20)[:, None] < edges, (8, *SHAPE)).astype("float32")
    kl, losses = {}, {}
    for kl_weight in (0.0, 20.0):
        vae = make(keras.optimizers.Adam(0.01), kl_weight=kl_weight, run_eagerly=False)
        history = vae.fit(clean, batch_size=8, epochs=40, verbose=0).history
        kl[kl_weight], losses[kl_weight] = history["kl_loss"][-1], history["loss"]
        # At first every pixel is a fair coin.
        assert losses[kl_weight][0] == pytest.approx(240 * np.log(2), rel=0.01)
    # Whoever knows nothing of a picture can at best know how often each column is white.
    p = np.arange(1, 8) / 8
    ignorant = 24 * np.sum(-p * np.log(p) - (1 - p) * np.log(1 - p))  # 93.5 nats
    assert 0.3 * ignorant < losses[0.0][-1] < ignorant < losses[20.0][-1] < 1.4 * ignorant
    assert 0 <= kl[20.0] < 1 < 10 < kl[0.0]


def test_penalties_of_weights_count():
    dense = keras.layers.Dense(3, kernel_regularizer=keras.regularizers.L2(0.5))
    pictures = keras.Input(SHAPE)
    flat = keras.layers.Flatten()(pictures)
    encoder = keras.Model(pictures, [dense(flat), keras.layers.Dense(3)(flat)])
    vae = make(encoder=encoder)
    figures = vae.evaluate(CLEAN, verbose=0, return_dict=True)
    penalty = 0.5 * np.sum(dense.get_weights()[0].astype("float64") ** 2)
    total = figures["reconstruction_loss"] + figures["kl_loss"] + penalty
    assert figures["loss"] == pytest.approx(total, rel=1e-5)


@keras.saving.register_keras_serializable("tests")
def laplace_nll(pictures, reconstructions):
    return keras.ops.sum(keras.ops.abs(pictures - reconstructions), axis=(1, 2, 3))


def test_a_loss_of_ones_own_saves(tmp_path):
    vae = make(loss=laplace_nll)
    figures = vae.evaluate(CLEAN, verbose=0, return_dict=True)
    expected = np.abs(CLEAN - tf.sigmoid(vae(CLEAN)[0])).sum((1, 2, 3)).mean()
    assert figures["reconstruction_loss"] == pytest.approx(expected, rel=1e-5)
    vae.save(tmp_path / "vae.keras")
    loaded = keras.saving.load_model(tmp_path / "vae.keras")
    assert loaded.loss is laplace_nll
    assert loaded.evaluate(CLEAN, verbose=0, return_dict=True) == pytest.approx(figures, rel=1e-6)


def test_reconstructions_come_from_the_means():
    vae = make()
    mean, _ = vae.encoder(CLEAN)
    shown = vae.reconstruct(CLEAN)
    assert isinstance(shown, np.ndarray)
    assert (shown.shape, shown.dtype) == (CLEAN.shape, np.float32)
    np.testing.assert_allclose(shown, tf.sigmoid(vae.decoder(mean)), rtol=0, atol=1e-6)
    many = np.tile(CLEAN, (9, 1, 1, 1))  # more than go through at once
    np.testing.assert_allclose(vae.reconstruct(many)[-8:], shown, rtol=0, atol=1e-6)
    with pytest.raises(ValueError, match="to_float"):
        vae.reconstruct((CLEAN * 255).astype("uint8"))


def test_samples():
    vae = make()
    samples = vae.sample(5, seed=1)
    assert isinstance(samples, np.ndarray)
    assert (samples.shape, samples.dtype) == ((5, *SHAPE), np.float32)
    assert 0 <= samples.min() < samples.max() <= 1
    latents = keras.random.normal((5, 3), seed=1)
    np.testing.assert_allclose(samples, tf.sigmoid(vae.decoder(latents)), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(vae.sample(5, seed=1), samples)
    assert np.abs(vae.sample(5, seed=2) - samples).max() > 1e-3
    assert np.abs(vae.sample(5) - vae.sample(5)).max() > 1e-3  # without a seed never the same


@pytest.mark.parametrize("loss", ["bernoulli", "gaussian", losses.Gaussian(0.05), laplace_nll])
def test_a_decoder_may_return_pictures_in_place_of_logits(loss, tmp_path):
    vae = make(loss=loss)
    pictures = keras.layers.Activation("sigmoid")(vae.decoder.output)
    same = VAE(vae.encoder, keras.Model(vae.decoder.input, pictures), seed=5)
    same.compile(loss=loss, run_eagerly=True)
    figures = vae.evaluate(CLEAN, verbose=0, return_dict=True)
    assert same.evaluate(CLEAN, verbose=0, return_dict=True) == pytest.approx(figures, rel=1e-5)
    np.testing.assert_allclose(same.sample(3, seed=0), vae.sample(3, seed=0), atol=1e-6)
    np.testing.assert_allclose(same.reconstruct(CLEAN), vae.reconstruct(CLEAN), atol=1e-6)
    for model in (vae, same):
        drawn, mean, log_variance = model.predict(CLEAN, verbose=0)
        assert (drawn.shape, mean.shape, log_variance.shape) == (CLEAN.shape, (8, 3), (8, 3))
        np.testing.assert_allclose(drawn, vae.predict(CLEAN, verbose=0)[0], atol=1e-6)
    vae.save(tmp_path / "vae.keras")
    loaded = keras.saving.load_model(tmp_path / "vae.keras")
    assert loaded.evaluate(CLEAN, verbose=0, return_dict=True) == pytest.approx(figures, rel=1e-6)
    assert loaded.get_compile_config() == vae.get_compile_config()


def test_logits_and_losses_that_are_none_are_refused():
    encoder = networks.vae_encoder(SHAPE, latent_dim=3, filters=2)
    latents = keras.Input((3,))
    flat = keras.layers.Dense(240, activation="sigmoid")(latents)
    wrong = keras.Model(latents, keras.layers.Reshape(SHAPE, name="logits")(flat))
    with pytest.raises(ValueError, match="activation 'sigmoid'.*Logits have none"):
        VAE(encoder, wrong)
    for loss in (losses.Gaussian, "mse", None, 3):
        with pytest.raises(
            ValueError, match="one of 'bernoulli', 'continuous_bernoulli', 'gaussian', an object"
        ):
            make(loss=loss)


def test_a_set_that_is_drawn_anew_is_measured_in_black_and_white():
    vae, options = make(), {"binarize": "dynamic", "batch_size": 5, "seed": 3}
    held_out = load_arrays(CLEAN, shuffle=False, **options)
    assert set(np.unique(held_out[0][0])) == {0.0, 1.0}
    expected = vae.evaluate(held_out, verbose=0)
    assert vae.evaluate(load_arrays(CLEAN, **options), verbose=0) == expected
    assert vae.evaluate(CLEAN, batch_size=5, verbose=0) != expected


def test_a_training_is_not_resumed_on_pictures_drawn_in_another_way(tmp_path):
    options = {"epochs": 1, "verbose": 0, "callbacks": [Resume(tmp_path)]}
    make().fit(load_arrays(CLEAN, batch_size=4, binarize="dynamic"), **options)
    for binarize in (None, "static"):
        with pytest.raises(ValueError, match="binarize"):
            make().fit(load_arrays(CLEAN, batch_size=4, binarize=binarize), **options)
