"""`Diffusion`: the denoiser, what it learns, and the way from noise to pictures."""

import functools

import keras
import numpy as np
import pytest
from keras import ops

import keras_imgen as ki
from keras_imgen import Diffusion, networks
from keras_imgen import diffusion as module
from keras_imgen.checks import FAINTEST
from keras_imgen.degradations import AdditiveNoise, Blur, Compose, MissingPixels
from keras_imgen.diffusion import TURN
from keras_imgen.inference import followed, followed_to_fit, guided

SHAPE = (9, 7, 2)  # odd sides


def model(shape=SHAPE, num_classes=0, seed=0, **options):
    keras.utils.set_random_seed(seed)
    network = networks.diffusion_unet(shape, (4, 6), num_classes=num_classes)
    return Diffusion(network, seed=seed, **options)


def squashed(network):
    return keras.Model(network.inputs, keras.layers.Activation("tanh")(network.outputs[0]))


def awake(diffusion, seed=1):
    """Give every weight a random value: the last layers begin with zeros."""
    rng = np.random.default_rng(seed)
    for network in (diffusion.network, diffusion.ema_network):
        rng = np.random.default_rng(seed)
        for weight in network.weights:
            weight.assign(0.3 * rng.standard_normal(weight.shape).astype("float32"))
    return diffusion


def test_before_training_it_is_the_best_denoiser_of_pixels_that_are_normally_distributed():
    # Of x ~ N(1/2, 1/4) seen with noise of level t, the mean is 1/2 + (seen - 1/2) / (1 + 4 t^2).
    rng = np.random.default_rng(0)
    diffusion = model()
    for level in (0.01, 0.25, 3.0):
        clean = 0.5 + 0.5 * rng.standard_normal((200, *SHAPE)).astype("float32")
        noisy = clean + level * rng.standard_normal(clean.shape).astype("float32")
        denoised = np.asarray(diffusion.denoise(noisy, level))
        least = level**2 / (1.0 + 4.0 * level**2)
        assert np.mean((denoised - clean) ** 2) == pytest.approx(least, rel=0.05)


def test_the_loss_weighs_all_times_alike():
    # Before training the error is the least possible one for such pixels, at every time.
    rng = np.random.default_rng(0)
    clean = 0.5 + 0.5 * rng.standard_normal((512, *SHAPE)).astype("float32")
    errors = np.asarray(model()._errors(clean, None, training=False))
    assert errors.mean() == pytest.approx(1.0, rel=0.02)
    assert errors[:128].mean() == pytest.approx(errors[-128:].mean(), rel=0.05)


@pytest.mark.parametrize("training", [True, False])
def test_times_are_spread_evenly_and_say_nothing_of_the_place_in_the_batch(training, monkeypatch):
    diffusion, seen = model(), []
    velocity = module._velocity
    monkeypatch.setattr(
        module,
        "_velocity",
        lambda network, x, time: (
            seen.append(np.asarray(time).ravel()) or velocity(network, x, time)
        ),
    )
    for _ in range(2):
        diffusion._errors(ops.zeros((1000, *SHAPE)), None, training=training)
    steps = np.diff(np.sort(seen[0]))
    np.testing.assert_allclose(steps, TURN / 1000, rtol=0.01)
    assert 0.0 <= seen[0].min() < seen[0].max() <= TURN
    assert np.array_equal(*seen) is not training
    # In training the place in the batch says nothing about the time.
    assert bool(abs(np.corrcoef(np.arange(1000), seen[0])[0, 1]) < 0.15) is training


def test_the_way_is_followed_to_second_order():
    # A hand of a clock, which stays on its circle: half the steps, four times the error.
    start = np.array([0.0, 1.0])

    def error(steps):
        ends = followed(
            lambda x, t: np.array([-x[1], x[0]]), start, [*np.linspace(1.5, 0.0, steps + 1)]
        )
        return np.linalg.norm(ends - [np.sin(1.5), np.cos(1.5)])

    assert error(40) < 1e-3
    assert error(20) / error(40) == pytest.approx(4.0, rel=0.25)


def test_the_way_from_noise_leads_to_the_known_end(monkeypatch):
    # Pixels that are normally distributed, half as wide as is taken for granted: the velocity can
    # be computed, and the way ends at half of the noise.
    diffusion = model()

    def velocity(network, x, time):
        wide = 0.5
        share = np.cos(time) * wide**2 / (np.cos(time) ** 2 * wide**2 + np.sin(time) ** 2)
        return (np.cos(time) * x - share * x) / np.sin(time)

    monkeypatch.setattr(module, "_velocity", velocity)
    latents = np.random.default_rng(0).standard_normal((4, diffusion.latent_dim)).astype("float32")
    pictures = np.asarray(diffusion.predict_latents(latents, steps=40)).reshape(4, -1)
    expected = np.clip(0.5 + 0.25 * latents, 0.0, 1.0)
    np.testing.assert_allclose(pictures, expected, atol=0.005)


def test_it_draws_what_it_has_learned():
    # Two pictures, dark left or dark right: samples must be one or the other, both about as often.
    left = np.zeros((1, 8, 8, 1), "float32")
    left[:, :, 4:] = 1.0
    pictures = np.concatenate([left, 1.0 - left] * 128)
    keras.utils.set_random_seed(0)
    diffusion = Diffusion(networks.diffusion_unet((8, 8, 1), (8, 16)), ema_momentum=0.98, seed=0)
    diffusion.compile(keras.optimizers.Adam(5e-3))
    history = diffusion.fit(pictures, batch_size=32, epochs=16, verbose=0).history["loss"]
    assert history[-1] < 0.55 * history[0]
    samples = diffusion.sample(64, seed=1, steps=10)
    from_left, from_right = (
        np.abs(samples - kind).mean(axis=(1, 2, 3)) for kind in (left, 1.0 - left)
    )
    assert np.quantile(np.minimum(from_left, from_right), 0.8) < 0.25
    assert 0.2 < np.mean(from_left < from_right) < 0.8


def test_a_label_is_obeyed_and_guidance_lies_on_a_line():
    diffusion = awake(model(num_classes=3))
    x = np.random.default_rng(0).random((4, *SHAPE), "float32")
    labels = [0, 1, 2, 0]
    assert np.abs(diffusion.denoise(x, 0.5, labels) - diffusion.denoise(x, 0.5)).max() > 1e-3
    rows = [diffusion._rows(np.array(labels))]
    velocity = functools.partial(module._velocity, diffusion._average)
    seen = [guided(velocity, x, 0.5, rows, guidance) for guidance in (0.0, 1.0, 2.5)]
    without, told, more = map(np.asarray, seen)
    assert np.abs(told - without).max() > 1e-3
    np.testing.assert_allclose(more, without + 2.5 * (told - without), atol=1e-4)
    latents = np.random.default_rng(1).standard_normal((2, diffusion.latent_dim))
    drawn = [np.asarray(diffusion.predict_latents(latents, [k, k], steps=3)) for k in range(3)]
    assert np.abs(drawn[0] - drawn[1]).max() > 1e-3
    np.testing.assert_array_equal(
        drawn[1], diffusion.predict_latents(latents, [1, 1], steps=3, guidance=1.0)
    )


@pytest.mark.parametrize("share", [0.0, 0.25, 0.9])
def test_so_many_labels_are_left_out_in_training(share):
    diffusion = model(num_classes=3, label_dropout=share)
    rows = ops.one_hot(np.arange(3000) % 3, 3, dtype="float32")
    told = np.asarray(diffusion._told(rows))
    kept = told.sum(axis=1)
    assert set(kept) <= {0.0, 1.0}
    assert np.mean(kept == 0.0) == pytest.approx(share, abs=0.03)
    np.testing.assert_array_equal(told[kept == 1.0], np.asarray(rows)[kept == 1.0])


def test_samples_do_not_depend_on_how_many_are_drawn_at_a_time():
    diffusion = awake(model())
    latents = np.random.default_rng(0).standard_normal((3, diffusion.latent_dim)).astype("float32")
    together = np.asarray(diffusion.predict_latents(latents, steps=3))
    for i in range(3):
        alone = np.asarray(diffusion.predict_latents(latents[i : i + 1], steps=3))
        np.testing.assert_allclose(alone, together[i : i + 1], atol=2e-3)
    np.testing.assert_array_equal(*(diffusion.sample(2, seed=5, steps=2) for _ in range(2)))
    assert np.any(diffusion.sample(2, seed=5, steps=2) != diffusion.sample(2, seed=6, steps=2))


def test_the_average_is_what_draws():
    diffusion = model()
    diffusion.compile(keras.optimizers.Adam(0.05))
    diffusion.fit(np.random.default_rng(0).random((32, *SHAPE), "float32"), verbose=0)
    before = diffusion.sample(2, seed=0, steps=2)
    for weight in diffusion.network.weights:
        weight.assign(0.0 * weight)
    np.testing.assert_array_equal(diffusion.sample(2, seed=0, steps=2), before)
    for weight in diffusion.ema_network.weights:
        weight.assign(0.0 * weight)
    assert np.any(diffusion.sample(2, seed=0, steps=2) != before)


@pytest.mark.parametrize(
    ("call", "error", "advice"),
    [
        (lambda m: m.sample(0), ValueError, "`n`"),
        (lambda m: m.sample(2, steps=0), ValueError, "`steps`"),
        (lambda m: m.sample(2, steps=2.5), ValueError, "`steps`"),
        (lambda m: m.sample(2, guidance=-1.0), ValueError, "`guidance`"),
        (lambda m: m.sample(2, guidance=2.0), ValueError, "conditional models .*0 classes"),
        (lambda m: m.sample(2, labels=1), ValueError, "without classes"),
        (lambda m: m.predict_latents(np.zeros((2, 5))), ValueError, "call sample"),
        (lambda m: m.denoise(np.zeros((2, *SHAPE), "uint8"), 0.1), TypeError, "to_float"),
        (lambda m: m.denoise(np.zeros((2, 8, 8, 2), "float32"), 0.1), ValueError, "`x` must"),
        (lambda m: m.denoise(np.zeros((2, *SHAPE)), 0.0), ValueError, "more than 0"),
        (lambda m: m.denoise(np.zeros((2, *SHAPE)), [0.1] * 3), ValueError, "for 2 pictures"),
        (lambda m: m.denoise(np.zeros((2, *SHAPE)), 0.1, [0, 1]), ValueError, "without classes"),
        (lambda m: m.compile(loss="mse"), TypeError, "`loss`"),
        (lambda m: model(label_dropout=1.5), ValueError, "`label_dropout`"),
        (lambda m: model(ema_momentum=1.0), ValueError, "`ema_momentum`"),
        (lambda m: Diffusion(networks.dncnn((8, 8, 1))), ValueError, "diffusion_unet builds"),
        (lambda m: Diffusion("unet"), TypeError, "keras.Model"),
        (lambda m: Diffusion(squashed(m.network)), ValueError, "activation 'tanh'.*use none"),
    ],
)
def test_bad_input_is_refused(call, error, advice):
    diffusion = model()
    with pytest.raises(error, match=advice):
        call(diffusion)


def test_guidance_needs_a_model_that_was_left_in_the_dark():
    diffusion = model(num_classes=3, label_dropout=0.0)
    with pytest.raises(ValueError, match="label_dropout=0"):
        diffusion.sample(2, guidance=2.0)
    with pytest.raises(ValueError, match="labels"):
        diffusion.fit(np.zeros((4, *SHAPE), "float32"), verbose=0)


def test_a_network_of_ones_own_that_knows_no_labels_will_do():
    pictures, time = keras.Input((8, 8, 1)), keras.Input((1,))
    told = keras.layers.Reshape((1, 1, 4))(keras.layers.Dense(4)(time))
    x = keras.layers.Conv2D(4, 3, padding="same")(pictures) + told
    network = keras.Model([pictures, time], keras.layers.Conv2D(1, 1)(keras.layers.ReLU()(x)))
    diffusion = Diffusion(network, seed=0)
    diffusion.compile()
    data = np.random.default_rng(0).random((64, 8, 8, 1), "float32")
    history = diffusion.fit(data, validation_data=data[:8], verbose=0).history
    assert sorted(history) == ["loss", "val_loss"]
    assert diffusion.sample(2, steps=2).shape == (2, 8, 8, 1)
    assert ki.Diffusion is Diffusion


# ---- what was observed is undone ----


def answers(operator, observed, steps, seed=0):
    """Return answers of the exact velocity of pixels that are normally distributed, 1/2 wide."""
    return answers_of(lambda x, t: 0.0 * x, operator, observed, steps, seed)


def answers_of(velocity, operator, observed, steps, seed=0):
    seeds = keras.random.SeedGenerator(seed)

    def draw():
        return keras.random.normal(observed.shape, seed=seeds)

    times = np.linspace(TURN, 0.0, steps + 1).tolist()
    return np.asarray(followed_to_fit(velocity, operator, observed, draw(), times, draw))


PIXELS = 0.5 + 0.5 * np.random.default_rng(0).standard_normal((40, 16, 16, 1)).astype("float32")


def test_what_is_hidden_is_drawn_as_pixels_are_and_what_is_seen_stays():
    known = np.zeros_like(PIXELS)
    known[:, :8] = 1.0
    found = answers(MissingPixels().operator(known), PIXELS * known, 60)
    np.testing.assert_allclose(found[:, :8], PIXELS[:, :8], atol=2e-3)
    hidden = found[:, 8:]
    assert hidden.mean() == pytest.approx(0.5, abs=0.03)
    assert hidden.std() == pytest.approx(0.5, rel=0.08)
    assert abs(np.corrcoef(hidden.ravel(), PIXELS[:, 8:].ravel())[0, 1]) < 0.05


@pytest.mark.parametrize("sigma", [0.1, 0.5, 1.0])
def test_of_noisy_pixels_answers_have_mean_and_spread_of_the_posterior(sigma):
    noise = np.random.default_rng(1).standard_normal(PIXELS.shape).astype("float32")
    observed = PIXELS + sigma * noise
    found = answers(AdditiveNoise(sigma).operator(), observed, 60)
    share = 0.25 / (0.25 + sigma**2)
    mean = 0.5 + share * (observed - 0.5)
    slope = np.sum((found - 0.5) * (mean - 0.5)) / np.sum((mean - 0.5) ** 2)
    assert slope == pytest.approx(1.0, abs=0.02)
    assert np.std(found - mean) == pytest.approx(sigma * share**0.5, rel=0.15)


def black_or_white(x, t):
    """Return the exact velocity of pixels that are 0 or 1, each as often."""
    best = np.tanh(np.cos(t) * np.asarray(x) / np.sin(t) ** 2)
    return (np.cos(t) * x - best) / np.sin(t)


@pytest.mark.parametrize("sigma", [0.3, 0.75])
@pytest.mark.parametrize("masked", [False, True])
def test_answers_behind_strong_noise_are_drawn_as_often_as_they_are_likely(sigma, masked):
    rng = np.random.default_rng(2)
    pixels = rng.integers(0, 2, (100, 32, 32, 1)).astype("float32")
    observed = pixels + sigma * rng.standard_normal(pixels.shape).astype("float32")
    kind = AdditiveNoise(sigma)
    kind = Compose([kind, MissingPixels()]) if masked else kind
    found = answers_of(black_or_white, kind.operator(np.ones_like(pixels)), observed, 60)
    assert np.mean((found > 0.02) & (found < 0.98)) < 0.02
    likely = 1.0 / (1.0 + np.exp((1.0 - 2.0 * observed) / (2.0 * sigma**2)))
    for low in (0.0, 0.2, 0.4, 0.6, 0.8):
        part = (likely >= low) & (likely < low + 0.2)
        assert found[part].mean() == pytest.approx(likely[part].mean(), abs=0.04)


def test_nothing_but_a_trace_of_noise_changes_nothing():
    observed = PIXELS.clip(0.0, 1.0)
    found = answers(AdditiveNoise(0.0).operator(), observed, 3)
    np.testing.assert_allclose(found, observed, atol=5.0 * FAINTEST)


def test_answers_differ_where_it_is_open_and_agree_where_it_was_observed():
    diffusion = awake(model())
    known = np.zeros((1, *SHAPE[:2], 1), "float32")
    known[:, :4] = 1.0
    clean = np.random.default_rng(0).random((1, *SHAPE), "float32")
    observed = np.repeat(clean, 3, axis=0)
    found, again, other = (
        diffusion.undo(observed, known=known, seed=s, steps=4) for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(found, again)
    np.testing.assert_array_equal(found[:, :4], observed[:, :4])
    assert np.abs(found[0] - found[1]).max() > 0.01
    assert np.abs(found - other).max() > 0.01
    junk = np.where(known == 1.0, observed, np.nan)
    np.testing.assert_array_equal(diffusion.undo(junk, known=known, seed=1, steps=4), found)


def test_undo_is_told_labels_or_not():
    diffusion = awake(model(num_classes=3))
    observed = np.random.default_rng(0).random((2, *SHAPE), "float32")
    given = {"degradation": Blur(0.7), "seed": 0, "steps": 3}
    found = [diffusion.undo(observed, labels=k, **given) for k in (None, 1, [1, 1], 2)]
    np.testing.assert_array_equal(found[1], found[2])
    assert np.abs(found[1] - found[3]).max() > 1e-4
    assert np.abs(found[1] - found[0]).max() > 1e-4


@pytest.mark.parametrize(
    ("change", "error", "advice"),
    [
        ({"degradation": "blur"}, TypeError, "must be a degradation"),
        ({"degradation": Blur((0.5, 1.0))}, ValueError, "strength of Blur"),
        ({"degradation": None}, ValueError, "no mask"),
        ({"steps": 0}, ValueError, "`steps`"),
        ({"labels": 1}, ValueError, "without classes"),
        ({"seed": -1}, ValueError, "seed"),
        ({"observed": np.zeros((1, 8, 8, 2), "float32")}, ValueError, "observed"),
    ],
)
def test_undo_refuses_bad_input(change, error, advice):
    given = {"observed": np.zeros((1, *SHAPE), "float32"), "degradation": Blur(0.7), "steps": 2}
    given |= change
    with pytest.raises(error, match=advice):
        model().undo(given.pop("observed"), **given)


# ---- the network ----


@pytest.mark.parametrize("shape", [(12, 20, 1), (13, 9, 3), (8, 31, 1), (1, 1, 1), (1, 40, 2)])
@pytest.mark.parametrize("num_classes", [0, 3])
def test_the_network_takes_any_fixed_sides_and_begins_with_no_velocity(shape, num_classes):
    network = networks.diffusion_unet(shape, (4, 6), num_classes=num_classes)
    inputs = [np.ones((2, *shape), "float32"), np.ones((2, 1), "float32")]
    inputs += [np.ones((2, num_classes), "float32")] if num_classes else []
    answer = np.asarray(network(inputs))
    assert answer.shape == (2, *shape)
    assert np.all(answer == 0.0)


def test_the_network_hears_time_and_label_and_no_other_picture():
    diffusion = awake(model(num_classes=3))
    rng, network = np.random.default_rng(0), diffusion.network
    x, rows = rng.random((2, *SHAPE), "float32"), np.eye(3, dtype="float32")[:2]
    time = np.array([[0.3], [0.7]], "float32")
    both = np.asarray(network([x, time, rows]))
    for i in range(2):
        alone = np.asarray(network([x[i : i + 1], time[i : i + 1], rows[i : i + 1]]))
        np.testing.assert_allclose(alone, both[i : i + 1], rtol=1e-3, atol=1e-4)
    for others in ([x, time[::-1], rows], [x, time, rows[::-1]]):
        assert np.abs(np.asarray(network(others)) - both).min(axis=0).max() > 1e-3


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({"filters": 64}, "feature maps of each level.*filters=64"),
        ({"filters": (4, 0)}, "`filters`"),
        ({"num_blocks": 0}, "`num_blocks`"),
        ({"block_size": 0}, "`block_size`"),
        ({"num_classes": -1}, "`num_classes`"),
        ({"image_shape": (None, None, 1)}, "`image_shape`"),
    ],
)
def test_the_builder_refuses_bad_input(options, advice):
    with pytest.raises(ValueError, match=advice):
        networks.diffusion_unet(**{"image_shape": (8, 8, 1), **options})
