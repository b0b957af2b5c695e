"""Watching a training: each trouble is provoked and found, and a healthy training is left alone."""

import shutil
import warnings

import keras
import numpy as np
import pytest
from tiny_models import FAMILIES, SHAPE, equal, values

from keras_imgen import GAN, VAE, load_arrays, networks
from keras_imgen.callbacks import HealthWarning, Resume, TrainingHealth
from keras_imgen.callbacks.vitals import mean_distance, score_slope
from keras_imgen.plotting import plot_history

CLEAN = np.random.default_rng(0).random((8, *SHAPE), "float32")
OPTIONS = {"batch_size": 4, "verbose": 0}
SGD = keras.optimizers.SGD


def gan(rates=(1e-4, 1e-4), loss="non_saturating", **options):
    keras.utils.set_random_seed(0)
    generator = networks.dcgan_generator(SHAPE, latent_dim=2, filters=2)
    model = GAN(generator, networks.dcgan_discriminator(SHAPE, filters=2, batch_norm=False), seed=0)
    model.compile(*map(SGD, rates), loss=loss, run_eagerly=True, **options)
    return model


def vae(**options):
    keras.utils.set_random_seed(0)
    encoder = networks.vae_encoder(SHAPE, latent_dim=2, filters=2)
    model = VAE(encoder, networks.vae_decoder(SHAPE, latent_dim=2, filters=2), seed=0)
    model.compile(options.pop("optimizer", None), run_eagerly=True, **options)
    return model


def family(name):
    """Return a tiny model, and pictures or sequences for it."""
    shape = (2, *SHAPE) if name == "sequence" else SHAPE
    model = FAMILIES[name]()
    model.run_eagerly = True  # compiling takes longer than so few steps
    return model, np.random.default_rng(0).random((8, *shape), "float32")


class Do(keras.callbacks.Callback):
    """Call a function of the model after a batch, or at the end of an epoch if that is None."""

    def __init__(self, function, epoch, batch=0, *, always=False):
        super().__init__()
        self.function, self.at, self.always = function, (epoch, batch), always

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.at or (self.always and self.epoch >= self.at[0]):
            self.function(self.model)


def poison(model):
    """Make all weights NaN: a single layer's would pass unseen, its ReLU making zeros of them."""
    for weight in model.trainable_variables:
        weight.assign(keras.ops.full(weight.shape, np.nan))


def score(value):
    """Return a function that lets the discriminator give every picture this score."""

    def change(model):
        kernel, bias = model.discriminator.trainable_variables[-2:]
        kernel.assign(0.0 * kernel)
        bias.assign(0.0 * bias + value)

    return change


def collapse(model):
    """Make all pictures the same: nothing passes from the latents."""
    for network in (model.generator, model.ema_generator):
        kernel = network.trainable_variables[0] if network.trainable else network.weights[0]
        kernel.assign(0.0 * kernel)


def kinds(health):
    return [finding.kind for finding in health.findings]


def watch(model, health, epochs=4, more=(), **options):
    """Train, and return the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(CLEAN, epochs=epochs, callbacks=[*more, health], **OPTIONS, **options)
    return [str(w.message) for w in caught if w.category is HealthWarning]


# What is healthy


@pytest.mark.parametrize("name", FAMILIES)
def test_a_healthy_training_warns_of_nothing_and_does_not_notice(name):
    models = []
    for watched in (True, False):
        keras.utils.set_random_seed(0)
        model, clean = family(name)
        # Too few steps to become diverse: that is measured, but here not judged.
        pictures = clean if name in ("gan", "vae", "diffusion") else None
        health = TrainingHealth(pictures, rollback=0.5, patience=2, least_diversity=0.0)
        model.fit(clean, epochs=3, callbacks=[health] if watched else None, **OPTIONS)
        models.append(model)
        if watched:
            measured = {"gan": {"discriminator_accuracy", "score_slope", "diversity"}}
            measured["vae"] = {"diversity", "activity", "active_units"}
            measured["diffusion"] = {"diversity"}
            assert set(health.history) == measured.get(name, set())
            assert all(len(figures) == 3 for figures in health.history.values())
            assert (health.findings, health.rollbacks, health.epoch) == ([], 0, [0, 1, 2])
    assert equal(*map(values, models))


def test_what_was_measured_can_be_drawn():
    health = TrainingHealth(CLEAN, least_diversity=0.0)
    watch(gan(), health, epochs=2)
    figure = plot_history(health)
    titles = ["discriminator accuracy", "score slope", "diversity"]
    assert [ax.get_title() for ax in figure.axes] == titles
    assert figure.axes[0].lines[0].get_xdata().tolist() == [1, 2]


# What is measured


def test_the_mean_distance_is_that_of_all_pairs():
    pictures = np.random.default_rng(0).random((7, *SHAPE))
    pairs = [(i, j) for i in range(7) for j in range(i)]
    expected = np.mean([np.linalg.norm(pictures[i] - pictures[j]) for i, j in pairs])
    assert mean_distance(pictures) == pytest.approx(expected, rel=1e-12)
    assert mean_distance(np.stack([pictures[0]] * 3)) == pytest.approx(0.0, abs=1e-7)


def test_diversity_is_one_for_pictures_of_the_same_kind():
    model, health = vae(), TrainingHealth(CLEAN, patience=1, n=8)
    model.sample = lambda n, seed: np.random.default_rng(seed + 1).random((n, *SHAPE))
    assert watch(model, health, epochs=1) == []
    # Eight pictures of 64 independent pixels: their distances vary by 6 %, the means by less.
    assert health.history["diversity"][0] == pytest.approx(1.0, abs=0.1)


def test_the_slope_of_a_linear_score_is_the_length_of_its_weights():
    pixels = keras.Input(SHAPE)
    flat = keras.layers.Flatten()(pixels)
    discriminator = keras.Model(pixels, keras.layers.Dense(1)(flat))
    model = GAN(networks.dcgan_generator(SHAPE, latent_dim=2, filters=2), discriminator)
    kernel = keras.ops.convert_to_numpy(discriminator.weights[0])
    assert score_slope(model) == pytest.approx(np.linalg.norm(kernel), rel=1e-5)


def test_slopes_of_conditional_models_are_those_of_each_label():
    # A score that is linear in the pixels, and has a steepness of its own for each of three labels.
    pixels, labels = keras.Input(SHAPE), keras.Input((3,))
    steepness = keras.layers.Dense(CLEAN[0].size, use_bias=False)(labels)
    scores = keras.layers.Dot(1)([keras.layers.Flatten()(pixels), steepness])
    generator = networks.dcgan_generator(SHAPE, latent_dim=2, filters=2, num_classes=3)
    discriminator = keras.Model([pixels, labels], scores)
    model = GAN(generator, discriminator)
    norms = np.linalg.norm(discriminator.get_weights()[0], axis=1)
    expected = norms[np.arange(64) % 3].mean()
    assert score_slope(model) == pytest.approx(expected, rel=1e-5)


# Troubles


@pytest.mark.parametrize(
    ("bias", "rates", "kind", "advice"),
    [
        (0.0, (0.0, 0.5), "discriminator_wins", "accuracy 1.000, above 0.97.* Lower its learning"),
        (-9.0, (0.0, 0.0), None, None),  # it calls everything made: right in half of all cases
    ],
)
def test_a_discriminator_that_wins(bias, rates, kind, advice):
    # All real pictures are white, and the generator does not learn.
    model, health = gan(rates), TrainingHealth(patience=2)
    if bias:
        score(bias)(model)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(np.ones_like(CLEAN), epochs=8, callbacks=[health], **OPTIONS)
    told = [str(w.message) for w in caught if "discriminator" in str(w.message).split(":")[1]]
    assert len(told) == (kind is not None)
    if kind:
        found = next(finding for finding in health.findings if finding.kind == kind)
        assert advice.split(".*")[0] in told[0]
        assert advice.split(".*")[1].strip() in told[0]
        high = [accuracy > 0.97 for accuracy in health.history["discriminator_accuracy"]]
        assert high[found.epoch - 2 : found.epoch] == [True, True]  # both epochs, not one


def test_a_discriminator_that_loses_is_told_once():
    # It calls real what is made, and the reverse: its learning rate is 0, its weights are turned.
    model = gan((0.0, 0.5))
    model.fit(np.ones_like(CLEAN), epochs=8, **OPTIONS)
    for weight in model.discriminator.trainable_variables[-2:]:
        weight.assign(-weight)
    model.discriminator_optimizer.learning_rate = 0.0
    health = TrainingHealth(patience=2)
    with pytest.warns(HealthWarning, match="Epoch 2: The discriminator loses.*2 epochs on end"):
        model.fit(np.ones_like(CLEAN), epochs=5, callbacks=[health], **OPTIONS)
    assert kinds(health) == ["discriminator_loses"]
    assert health.findings[0].epoch == 2
    assert max(health.history["discriminator_accuracy"]) < 0.45


def test_a_wasserstein_critic_is_not_judged_by_its_accuracy():
    health = TrainingHealth(accuracy=(0.98, 0.99), patience=1)
    assert watch(gan(loss="wasserstein"), health) == []
    assert set(health.history) == {"score_slope"}
    health = TrainingHealth(accuracy=(0.98, 0.99), patience=1)
    assert watch(gan(loss="hinge"), health) != []


def test_slopes_that_vanish_in_mid_training_are_found():
    health = TrainingHealth(patience=2, accuracy=(0.0, 1.0))
    told = watch(gan((1e-4, 0.0)), health, epochs=6, more=[Do(score(0.0), epoch=2)])
    assert kinds(health) == ["vanishing_slopes"]
    assert health.findings[0].epoch == 4  # the third and the fourth
    assert "Epoch 4: The generator learns nothing" in told[0]
    slopes = health.history["score_slope"]
    assert min(slopes[:2]) > 0 == max(slopes[2:])


def test_slopes_that_are_small_from_the_start_are_usual():
    def flatten(share):
        def change(model):
            kernel = model.discriminator.trainable_variables[-2]
            kernel.assign(share * kernel)

        return change

    model = gan((0.0, 0.0))
    flatten(1e-4)(model)
    health = TrainingHealth(patience=1, accuracy=(0.0, 1.0))
    assert watch(model, health, epochs=3) == []
    # A hundredth of what is usual is no trouble, a ten-thousandth is.
    for share, count in ((1e-2, 0), (1e-4, 1)):
        health = TrainingHealth(patience=1, accuracy=(0.0, 1.0))
        told = watch(gan((0.0, 0.0)), health, epochs=4, more=[Do(flatten(share), epoch=2)])
        assert len(told) == count


def test_saturated_layers_have_no_slope():
    pixels = keras.Input(SHAPE)
    flat = keras.layers.Flatten()(pixels)
    hidden = keras.layers.Dense(4, activation="tanh", kernel_initializer="ones")(flat)
    discriminator = keras.Model(pixels, keras.layers.Dense(1)(hidden))
    model = GAN(networks.dcgan_generator(SHAPE, latent_dim=2, filters=2), discriminator, seed=0)
    model.compile(SGD(0.0), SGD(0.0), loss="hinge", run_eagerly=True)
    health = TrainingHealth(patience=2, accuracy=(0.0, 1.0))
    watch(model, health, epochs=2)
    assert kinds(health) == ["vanishing_slopes"]
    assert max(health.history["score_slope"]) < 1e-8  # the sum of 64 pixels is about 32


def test_a_collapse_is_found_and_told_again_after_it_was_over():
    model = gan((0.0, 0.0))
    health = TrainingHealth(CLEAN, patience=2, accuracy=(0.0, 1.0), least_diversity=1e-3)
    kept = [
        keras.ops.convert_to_numpy(n.weights[0]) for n in (model.generator, model.ema_generator)
    ]

    def recover(model):
        for network, weight in zip((model.generator, model.ema_generator), kept, strict=True):
            network.weights[0].assign(weight)

    changes = [Do(collapse, 1), Do(recover, 4), Do(collapse, 5)]
    told = watch(model, health, epochs=8, more=changes)
    assert [finding[:2] for finding in health.findings] == [(3, "collapse"), (7, "collapse")]
    assert all("The samples have collapsed: diversity 0.00" in text for text in told)
    assert "enlarge the discriminator" in told[0]
    low = [diversity < 1e-3 for diversity in health.history["diversity"]]
    assert low == [False, True, True, True, False, True, True, True]


def test_a_class_that_has_one_picture_only_is_a_collapse():
    # All ten pictures differ, as much as real ones do; but those of the same label do not.
    keras.utils.set_random_seed(0)
    generator = networks.dcgan_generator(SHAPE, latent_dim=2, filters=2, num_classes=4)
    discriminator = networks.dcgan_discriminator(SHAPE, 2, batch_norm=False, num_classes=4)
    model = GAN(generator, discriminator, seed=0)
    model.compile(SGD(0.0), SGD(0.0), run_eagerly=True)
    labels, answer = np.arange(len(CLEAN)) % 4, {}

    def sample(n, labels, seed):
        assert n == len(labels) == 64
        assert np.bincount(labels).tolist() == [16] * 4
        others = np.random.default_rng(1).random((n, *SHAPE), "float32")
        return (1.0 - answer["spread"]) * CLEAN[labels] + answer["spread"] * others

    model.sample = sample
    for answer["spread"], expected in ((0.1, ["collapse"]), (0.9, [])):
        health = TrainingHealth(CLEAN, patience=1, accuracy=(0.0, 1.0), n=64)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", HealthWarning)
            model.fit(CLEAN, labels, epochs=2, callbacks=[health], **OPTIONS)
        assert kinds(health) == expected


def test_a_vae_whose_decoder_ignores_the_latents_is_found():
    model = vae(optimizer=SGD(0.0))
    kernel = model.decoder.trainable_variables[0]
    kernel.assign(0.0 * kernel)
    health = TrainingHealth(CLEAN, patience=1)
    [told] = watch(model, health, epochs=3)
    assert "Lower `kl_weight`" in told
    assert kinds(health) == ["collapse"]


def test_diversity_that_still_grows_is_no_collapse():
    def told(*figures):
        model, health, values = vae(optimizer=SGD(0.0)), TrainingHealth(CLEAN, patience=2), []

        def sample(n, seed):
            values.append(figures[len(values)])
            middle = CLEAN.mean(axis=0)
            return middle + values[-1] * (CLEAN - middle)

        model.sample = sample
        watch(model, health, epochs=len(figures))
        assert health.history["diversity"] == pytest.approx(figures)
        return [finding.epoch for finding in health.findings]

    assert told(0.1, 0.2, 0.3, 0.4) == []
    assert told(0.1, 0.3, 0.2, 0.2) == [4]
    assert told(0.6, 0.4, 0.4, 0.4) == [3]
    assert told(0.4, 0.6, 0.6, 0.6) == []


def conditional_vae():
    keras.utils.set_random_seed(0)
    sizes = {"units": (6,), "num_classes": 2}
    encoder = networks.dense_vae_encoder(SHAPE, 2, **sizes)
    model = VAE(encoder, networks.dense_vae_decoder(SHAPE, 2, **sizes), seed=0)
    model.compile(SGD(0.0), run_eagerly=True)
    return model


def test_activity_is_the_variance_of_the_means():
    labels = np.arange(8) % 2
    for model, told in ((vae(optimizer=SGD(0.0)), ()), (conditional_vae(), (labels,))):
        health = TrainingHealth((CLEAN, *told) if told else CLEAN, least_diversity=0.0)
        model.fit(CLEAN, *told, epochs=1, callbacks=[health], **OPTIONS)
        each = np.var(model.encode(CLEAN, *told)[0], axis=0)
        assert health.history["activity"] == [pytest.approx(each.max(), rel=1e-5)]
        assert health.history["active_units"] == [np.sum(each > 0.01)]
        assert set(health.history) == {"diversity", "activity", "active_units"}


def posteriors_of(*activities, patience=2, steps=500):
    """Return in which epochs it is said that latents of such activities have collapsed."""
    model, left = vae(optimizer=SGD(0.0)), list(activities)
    spread = np.repeat([[0.0, 1.0], [0.0, -1.0]], 4, axis=0)  # of variance 1, in one of two latents
    model.sample = lambda n, seed: CLEAN
    model.encode = lambda pictures: (spread * np.sqrt(left.pop(0)), None)
    health = TrainingHealth(CLEAN, patience=patience)
    health.set_model(model)
    health.on_train_begin()
    for epoch in range(len(activities)):
        model.optimizer.iterations.assign(steps + 2 * (epoch + 1))
        health.on_epoch_begin(epoch)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", HealthWarning)
            health.on_epoch_end(epoch)
    assert health.history["activity"] == pytest.approx(activities, rel=1e-6)
    assert set(kinds(health)) <= {"posterior_collapse"}
    return [finding.epoch for finding in health.findings]


@pytest.mark.parametrize(
    ("activities", "epochs"),
    [
        ((0.011, 0.5, 0.9), []),
        ((1e-5, 6e-3, 8e-3, 9e-3, 0.4), []),  # as convolutions begin: they are about to
        ((1e-5, 1e-6, 1e-7), [2]),
        ((0.5, 0.009, 0.008, 0.5, 0.009, 0.009), [3, 6]),  # told again after it was over
        ((0.5, 1e-4, 5e-4, 2e-3, 0.02), []),  # was more, fell, and rises
        ((0.0, 0.0, 1e-9, 1e-8, 1e-9, 0.0), [2]),  # told once, while noise is all that there is
    ],
)
def test_a_posterior_collapses_when_no_latent_is_active_nor_about_to_be(activities, epochs):
    assert posteriors_of(*activities) == epochs


def test_the_first_steps_are_not_judged():
    # Two steps an epoch: after the third epoch there were 500, and then two epochs must be bad.
    assert posteriors_of(*[1e-5] * 6, steps=494) == [4]


def test_latents_that_cost_too_much_fall_silent_and_the_advice_helps():
    # Two kinds of pictures, which one latent can tell apart: that is worth some nats, not 200.
    two, found = np.zeros((16, *SHAPE), "float32"), {}
    two[::2] = 1.0
    for weight in (1.0, 200.0):
        keras.utils.set_random_seed(0)
        encoder = networks.dense_vae_encoder(SHAPE, 2, (8,))
        decoder = networks.dense_vae_decoder(SHAPE, 2, (8,))
        model = VAE(encoder, decoder, kl_weight=weight, ema_momentum=0.0, seed=0)
        model.compile(keras.optimizers.Adam(0.03), run_eagerly=True)
        model.optimizer.iterations.assign(500)
        health = TrainingHealth(two, patience=3, least_diversity=0.0, n=16)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.fit(two, epochs=10, batch_size=4, callbacks=[health], verbose=0)
        told = [str(w.message) for w in caught if w.category is HealthWarning]
        found[weight] = kinds(health), told, health.history["active_units"][-1]
    assert found[1.0][:2] == ([], [])
    assert found[1.0][2] > 0
    kind, [told], active = found[200.0]
    assert (kind, active) == (["posterior_collapse"], 0)
    assert "below 0.01 for 3 epochs on end. Give them time before they must pay" in told
    assert all(cure in told for cure in ("`kl_warm_up`", "`free_bits`", "lower `kl_weight`"))


def test_a_posterior_collapse_is_told_and_not_undone():
    model = vae(optimizer=SGD(0.0))
    model.optimizer.iterations.assign(500)
    health = TrainingHealth(CLEAN, patience=1, rollback=0.5, least_diversity=0.0)
    model.encode = lambda pictures: (np.zeros((len(pictures), 2)), None)
    [told] = watch(model, health, epochs=3)
    assert "posterior collapse" in told
    assert health.rollbacks == 0


def test_a_diffusion_model_draws_few_samples_in_few_steps():
    model, asked = FAMILIES["diffusion"](), []
    model.run_eagerly = True

    def sample(n, seed, steps):
        asked.append((n, steps))
        return np.random.default_rng(0).random((n, *SHAPE), "float32")

    model.sample = sample
    health = TrainingHealth(CLEAN, n=100)
    model.fit(CLEAN, epochs=2, callbacks=[health], **OPTIONS)
    assert asked == [(64, 8)] * 2
    assert health.history["diversity"] == [pytest.approx(1.0, abs=0.1)] * 2


def test_without_pictures_diversity_is_not_measured():
    model, health = gan((0.0, 0.0)), TrainingHealth(patience=1, accuracy=(0.0, 1.0))
    collapse(model)
    assert watch(model, health) == []
    assert "diversity" not in health.history


# NaN


@pytest.mark.parametrize("name", FAMILIES)
def test_a_nan_ends_a_training_that_may_not_go_back(name):
    model, clean = family(name)
    health = TrainingHealth()
    with pytest.raises(FloatingPointError, match=r"became nan in epoch 2, batch 2: training has"):
        model.fit(clean, epochs=3, callbacks=[Do(poison, 1), health], **OPTIONS)
    assert [finding[:2] for finding in health.findings] == [(2, "not_a_number")]
    assert "Lower the learning rate" in health.findings[0].message


class OneBad(keras.utils.PyDataset):
    """Eight batches, the fifth of which is no number."""

    def __len__(self):
        return 8

    def __getitem__(self, index):
        return np.full((4, 8, 8, 1), np.nan if index == 4 else 0.5, "float32")


@pytest.mark.parametrize("name", [name for name in FAMILIES if name != "sequence"])
def test_a_rollback_needs_no_other_callback(name):
    # Keras may run batch hooks in threads if no callback forbids it.
    model, _ = family(name)
    health = TrainingHealth(rollback=0.5, accuracy=(0.0, 1.0))
    with pytest.warns(HealthWarning, match="became nan in epoch 1, batch 5.*rollback 1 of 3"):
        history = model.fit(OneBad(), callbacks=[health], verbose=0).history
    assert health.rollbacks == 1
    assert all(np.isfinite(log[0]) for log in history.values())


@pytest.mark.parametrize("name", FAMILIES)
def test_with_a_rollback_the_training_goes_on_from_the_last_good_epoch(name):
    model, clean, states = *family(name), []
    optimizers = getattr(model.optimizer, "parts", (model.optimizer,))
    first = [float(optimizer.learning_rate) for optimizer in optimizers]
    rates = {optimizer.learning_rate.path for optimizer in optimizers}

    def note(*_, **__):
        variables = (*model.weights, *model.optimizer.variables)
        states.append([keras.ops.convert_to_numpy(v) for v in variables if v.path not in rates])

    at_end = keras.callbacks.LambdaCallback(on_epoch_end=note)
    health = TrainingHealth(rollback=0.5, accuracy=(0.0, 1.0))
    callbacks = [at_end, Do(poison, 1, 0), Do(note, 1, 1), health]
    with pytest.warns(HealthWarning, match=r"became nan .* back at the end of epoch 1, with 0.5"):
        history = model.fit(clean, epochs=3, callbacks=callbacks, **OPTIONS).history
    after_one_epoch, brought_back, *_, last = states
    assert equal(brought_back, after_one_epoch)  # weights, averages and moments
    halved = [float(optimizer.learning_rate) for optimizer in optimizers]
    assert halved == pytest.approx([0.5 * rate for rate in first], rel=1e-6)
    assert health.rollbacks == 1
    assert all(np.all(np.isfinite(value)) for value in last)
    # The second batch of two was the bad one: no good one is left to take the mean of.
    assert any(np.isnan(log[1]) for log in history.values())
    assert all(np.isfinite(log[2]) for log in history.values())


def test_logs_are_those_of_the_batches_after_the_rollback():
    seen = []
    note = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(dict(logs))
    )
    model, health = vae(), TrainingHealth(rollback=0.5)
    with pytest.warns(HealthWarning):
        history = model.fit(
            CLEAN, epochs=2, batch_size=2, verbose=0, callbacks=[Do(poison, 1, 0), note, health]
        ).history
    # Four batches an epoch; in the second, the second one is NaN. Keras's means run on.
    assert np.isnan(seen[5]["loss"])
    assert np.isfinite(seen[6]["loss"])
    assert history["loss"][1] == pytest.approx(seen[7]["loss"])


def test_random_states_go_back_too():
    model, states = gan(), []
    note = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: states.append(np.array(model.seed_generator.state))
    )
    health = TrainingHealth(rollback=0.5)
    catch = Do(lambda model: states.append(np.array(model.seed_generator.state)), 1, 1)
    with pytest.warns(HealthWarning):
        model.fit(CLEAN, epochs=2, callbacks=[note, Do(poison, 1), catch, health], **OPTIONS)
    np.testing.assert_array_equal(states[0], states[1])


def test_an_enormous_learning_rate_comes_down_until_it_trains():
    model = vae(optimizer=SGD(1e9))
    health = TrainingHealth(rollback=0.01, max_rollbacks=9)
    told = watch(model, health, epochs=6)
    assert 1 <= len(told) == health.rollbacks < 9
    assert set(kinds(health)) == {"not_a_number"}
    rate = float(model.optimizer.learning_rate)
    assert rate == pytest.approx(1e9 * 0.01**health.rollbacks, rel=1e-4)  # again and again
    assert np.all(np.isfinite(model.sample(2, seed=0)))


def test_after_so_many_rollbacks_it_ends():
    health = TrainingHealth(rollback=0.5, max_rollbacks=2)
    again = Do(poison, 0, always=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(FloatingPointError, match="became nan in epoch .*Lower the learning"):
            vae().fit(CLEAN, epochs=9, callbacks=[again, health], **OPTIONS)
    told = [str(w.message) for w in caught if w.category is HealthWarning]
    assert ["back at its beginning" in text for text in told] == [True, True]
    assert [f"rollback {i} of 2" in text for i, text in enumerate(told, 1)] == [True, True]
    assert kinds(health) == ["not_a_number"] * 3


@pytest.mark.parametrize("validation", [False, True])
def test_weights_that_turn_nan_in_the_last_batch_are_noticed(validation):
    data = {"validation_data": CLEAN} if validation else {}
    health = TrainingHealth(rollback=0.5)
    model = vae()
    told = watch(model, health, epochs=2, more=[Do(poison, 1, 1)], **data)
    assert "holds NaN or infinity at the end of epoch 2" in told[0]
    assert len(told) == health.rollbacks == 1
    assert np.all(np.isfinite(model.sample(2, seed=0)))
    health = TrainingHealth()
    with pytest.raises(FloatingPointError, match="holds NaN or infinity at the end of epoch 2"):
        watch(vae(), health, epochs=2, more=[Do(poison, 1, 1)], **data)
    assert kinds(health) == ["not_a_number"]


# Rollbacks of what is no NaN


def test_a_collapse_is_undone():
    model = gan()
    health = TrainingHealth(
        CLEAN, patience=2, accuracy=(0.0, 1.0), least_diversity=1e-3, rollback=0.5
    )
    [told] = watch(model, health, epochs=5, more=[Do(collapse, 2)])
    assert "Epoch 4: The samples have collapsed" in told
    assert "back at the end of epoch 2, with 0.5 times its learning rates (rollback 1 of 3)" in told
    low = [diversity < 1e-3 for diversity in health.history["diversity"]]
    assert low == [False, False, True, True, False]


def test_what_a_rollback_does_not_cure_ends_the_training():
    health = TrainingHealth(patience=1, accuracy=(0.0, 1.0), rollback=0.5, max_rollbacks=1)
    with pytest.raises(
        FloatingPointError, match=r"learns nothing.* went back 1 times, .* not help"
    ):
        watch(gan(), health, epochs=9, more=[Do(score(0.0), 2, always=True)])
    assert [finding[:2] for finding in health.findings] == [
        (3, "vanishing_slopes"),
        (4, "vanishing_slopes"),
    ]


# Resume


def run(folder, epochs, more=()):
    model = gan()
    health = TrainingHealth(
        CLEAN, patience=2, accuracy=(0.0, 1.0), least_diversity=1e-3, rollback=0.5
    )
    callbacks = [*more, health, Resume(folder)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        history = model.fit(CLEAN, epochs=epochs, callbacks=callbacks, **OPTIONS)
    return model, health, history


def test_a_resumed_training_knows_what_it_had_seen(tmp_path):
    # It is cut off in the middle of a collapse, and must go back to before it.
    changes = [Do(collapse, 2), Do(poison, 1, 0)]
    straight, told, history = run(tmp_path / "a", 6, changes)
    run(tmp_path / "b", 3, changes)
    shutil.copytree(tmp_path / "b", tmp_path / "c")
    resumed, again, resumed_history = run(tmp_path / "b", 6, changes)
    assert kinds(told) == ["not_a_number", "collapse"]
    assert again.findings == told.findings
    assert again.history == told.history
    assert (again.rollbacks, again.epoch) == (told.rollbacks, told.epoch) == (2, [*range(6)])
    np.testing.assert_equal(resumed_history.history, history.history)
    assert equal(values(resumed), values(straight))
    rate = float(resumed.generator_optimizer.learning_rate)
    assert rate == pytest.approx(1e-4 / 4, rel=1e-6)


# What is refused


def test_a_schedule_cannot_be_lowered():
    rate = keras.optimizers.schedules.CosineDecay(1e-3, 10)
    for optimizer in (keras.optimizers.Adam(rate), keras.optimizers.LossScaleOptimizer(SGD(rate))):
        model = vae(optimizer=optimizer)
        with pytest.raises(ValueError, match=r"a schedule sets it.* Give it a number, as in Adam"):
            model.fit(CLEAN, callbacks=[TrainingHealth(rollback=0.5)], **OPTIONS)
        model.fit(CLEAN, callbacks=[TrainingHealth()], **OPTIONS)


@pytest.mark.parametrize(
    ("make", "advice"),
    [
        (lambda: TrainingHealth(patience=0), "`patience` must be a whole number"),
        (lambda: TrainingHealth(rollback=True), "`rollback` must be .* learning rates. Usual: 0.5"),
        (lambda: TrainingHealth(rollback=2), r"`rollback` must be a number in \[0.01, 1\]"),
        (lambda: TrainingHealth(max_rollbacks=0), "`max_rollbacks` must be"),
        (lambda: TrainingHealth(accuracy=0.9), r"two numbers in \[0, 1\], .* accuracy=0.9"),
        (lambda: TrainingHealth(accuracy=(0.9, 0.1)), "the smaller one first"),
        (lambda: TrainingHealth(accuracy=(45, 97)), "the smaller one first"),
        (lambda: TrainingHealth(least_diversity="x"), "`least_diversity` must be a number"),
        (lambda: TrainingHealth(n=1), "`n` must be .* Diversity needs two samples"),
        (lambda: TrainingHealth(CLEAN[:1]), "must be different ones, at least two. Received: 1"),
        (lambda: TrainingHealth(0.0 * CLEAN), "Received: 8 that do not differ"),
        (lambda: TrainingHealth(255.0 * CLEAN), "by 255"),
    ],
)
def test_arguments_are_explained(make, advice):
    with pytest.raises(ValueError, match=advice):
        make()


def test_models_that_cannot_be_watched_are_refused():
    with pytest.raises(ValueError, match=r"compared with what a model draws.*Leave them out"):
        FAMILIES["denoiser"]().fit(CLEAN, callbacks=[TrainingHealth(CLEAN)], **OPTIONS)
    with pytest.raises(ValueError, match="pictures"):
        vae().fit(CLEAN, callbacks=[TrainingHealth(CLEAN[:, :4])], **OPTIONS)
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    other.compile("sgd", "mse")
    with pytest.raises(TypeError, match=r"Received: a Sequential.*TerminateOnNaN"):
        other.fit(np.ones((4, 3)), np.ones((4, 1)), callbacks=[TrainingHealth()], verbose=0)


def test_a_conditional_vae_needs_the_labels():
    advice = r"Received: `pictures` alone, for a VAE of 2 classes. Pass load\(name, labels=True\)"
    with pytest.raises(ValueError, match=advice):
        conditional_vae().fit(CLEAN, np.arange(8) % 2, callbacks=[TrainingHealth(CLEAN)], **OPTIONS)


def test_a_dataset_of_pictures_will_do():
    dataset = load_arrays(CLEAN, shuffle=False)
    np.testing.assert_array_equal(TrainingHealth(dataset, n=5).pictures, CLEAN[:5])
