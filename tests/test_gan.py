"""The GAN's step against Algorithm 1 written out by hand; its average, figures and samples."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_imgen
from keras_imgen import GAN, losses, networks

SHAPE = (12, 20, 1)
CLEAN = np.random.default_rng(0).random((6, *SHAPE), "float32")
SGD = keras.optimizers.SGD

# The losses as the papers write them, of scores of real (r) and generated (f) pictures: that of the
# discriminator, that of the generator.
log_sigmoid = tf.math.log_sigmoid
FORMULAS = {
    "non_saturating": (
        lambda r, f: -log_sigmoid(r) - log_sigmoid(-f),
        lambda r, f: -log_sigmoid(f),
    ),
    "least_squares": (lambda r, f: (r - 1) ** 2 / 2 + f**2 / 2, lambda r, f: (f - 1) ** 2 / 2),
    "wasserstein": (lambda r, f: f - r, lambda r, f: -f),
    "hinge": (lambda r, f: tf.maximum(0.0, 1 - r) + tf.maximum(0.0, 1 + f), lambda r, f: -f),
    "relativistic": (lambda r, f: -log_sigmoid(r - f), lambda r, f: -log_sigmoid(f - r)),
}


def make(*optimizers, discriminator=None, batch_norm=False, **options):
    keras.utils.set_random_seed(0)
    generator = networks.dcgan_generator(SHAPE, latent_dim=3, filters=4)  # with batch norm
    if discriminator is None:
        discriminator = networks.dcgan_discriminator(SHAPE, filters=4, batch_norm=batch_norm)
    names = ("loss", "critic_steps", "penalty", "run_eagerly")
    compile_options = {name: options.pop(name) for name in names if name in options}
    gan = GAN(generator, discriminator, **{"seed": 5, **options})
    gan.compile(*optimizers, **compile_options)
    return gan


def arrays(variables):
    return [variable.numpy().copy() for variable in variables]


def differences(before, after):
    return [float(np.abs(a - b).max()) for a, b in zip(before, after, strict=True)]


@pytest.mark.parametrize(("learner", "other"), [(0, 1), (1, 0)])
def test_a_players_step_leaves_the_other_alone(learner, other):
    rates = [0.0, 0.0]
    rates[learner] = 0.1
    gan = make(*(SGD(rate) for rate in rates), run_eagerly=True)
    players = (gan.generator, gan.discriminator)
    before = [arrays(player.trainable_variables) for player in players]
    gan.fit(CLEAN, verbose=0)
    after = [arrays(player.trainable_variables) for player in players]
    assert max(differences(before[other], after[other])) == 0
    assert min(differences(before[learner], after[learner])) > 0


def by_hand(generator, discriminator, real, latents, rate, formulas):
    """One round of Algorithm 1: a step of the discriminator, then one of the generator."""
    of_discriminator, of_generator = formulas
    with tf.GradientTape() as drawing:
        fake = generator(latents, training=True)
    with tf.GradientTape() as tape:
        real_scores, fake_scores = (discriminator(x, training=True) for x in (real, fake))
        d_loss = tf.reduce_mean(of_discriminator(real_scores, fake_scores))
    descend(discriminator, tape.gradient(d_loss, values_of(discriminator)), rate)
    with tf.GradientTape() as tape:
        tape.watch(fake)
        new_fake_scores = discriminator(fake, training=True)
        paired = formulas == FORMULAS["relativistic"] or formulas == FORMULAS["wasserstein"]
        new_real_scores = discriminator(real, training=True) if paired else None
        g_loss = tf.reduce_mean(of_generator(new_real_scores, new_fake_scores))
    # The chain rule: from the scores to the pictures, from the pictures to the weights.
    wishes = tape.gradient(g_loss, fake)
    descend(generator, drawing.gradient(fake, values_of(generator), wishes), rate)
    middle = 0.5 if formulas == FORMULAS["least_squares"] else 0.0
    right = [*(real_scores.numpy() > middle), *(fake_scores.numpy() < middle)]
    if paired:
        right = real_scores.numpy() > fake_scores.numpy()
    return {
        "generator_loss": float(g_loss),
        "discriminator_loss": float(d_loss),
        "discriminator_accuracy": float(np.mean(right)),
    }


def values_of(network):
    return [variable.value for variable in network.trainable_variables]


def descend(network, gradients, rate):
    for value, gradient in zip(values_of(network), gradients, strict=True):
        value.assign_sub(rate * gradient)


@pytest.mark.parametrize("loss", FORMULAS)
@pytest.mark.parametrize("batch_norm", [False, True])  # of real and made pictures apart
def test_the_step_is_algorithm_1(loss, batch_norm):
    rate = 0.05
    gan = make(SGD(rate), SGD(rate), loss=loss, batch_norm=batch_norm)
    players = [gan.generator, gan.discriminator]
    copies = [keras.models.clone_model(player) for player in players]
    for player, copy in zip(players, copies, strict=True):
        copy.set_weights(player.get_weights())
    draw = keras.random.SeedGenerator(5)
    logs = gan.fit(CLEAN, epochs=1, batch_size=6, shuffle=False, verbose=0).history
    latents = keras.random.normal((6, 3), seed=draw)
    expected = by_hand(*copies, CLEAN, latents, rate, FORMULAS[loss])
    assert {name: value for name, [value] in logs.items()} == pytest.approx(expected, abs=1e-5)
    for player, copy in zip(players, copies, strict=True):
        for ours, theirs in zip(player.get_weights(), copy.get_weights(), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)  # float32, one step


@pytest.mark.parametrize("eagerly", [True, False])
def test_the_generator_takes_its_turn_after_critic_steps(eagerly):
    gan = make(critic_steps=3, run_eagerly=eagerly)
    watch = Watch()
    before = gan.generator.trainable_variables[0].numpy()
    gan.fit(CLEAN, batch_size=2, epochs=2, callbacks=[watch], verbose=0)  # 3 batches an epoch
    assert int(gan.discriminator_optimizer.iterations) == 6
    assert int(gan.generator_optimizer.iterations) == 2
    kernels = [before, *(weights[0] for weights, _ in watch.seen)]
    moved = [bool((a != b).any()) for a, b in itertools.pairwise(kernels)]
    assert moved == [False, False, True] * 2
    # The average follows the generator's steps; between them it stays.
    averages = [averaged for _, averaged in watch.seen]
    changes = [max(differences(a, b)) > 0 for a, b in itertools.pairwise(averages)]
    assert changes == [False, True, False, False, True]


def linear_discriminator():
    picture = keras.Input(SHAPE)
    score = keras.layers.Dense(1, use_bias=False)(keras.layers.Flatten()(picture))
    return keras.Model(picture, score)


def test_smoothing_holds_real_scores_back():
    # Of a linear score w x, `amount` times the mean real score has the slope `amount` times mean x.
    rate, amount, updates = 0.01, 0.2, []
    for label_smoothing in (0.0, amount):
        gan = make(
            SGD(0.0),
            SGD(rate),
            discriminator=linear_discriminator(),
            loss=losses.NonSaturating(label_smoothing),
        )
        [kernel] = gan.discriminator.trainable_variables
        kernel.assign(np.zeros(kernel.shape))
        gan.fit(CLEAN, batch_size=6, shuffle=False, verbose=0)
        updates.append(kernel.numpy())
    expected = -rate * amount * CLEAN.mean(axis=0).reshape(-1, 1)
    np.testing.assert_allclose(updates[1] - updates[0], expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("eagerly", [True, False])
@pytest.mark.parametrize("name", ["r1", "r2", "r1_r2", "gradient_penalty"])
def test_the_penalty_is_that_of_the_paper(name, eagerly):
    # Of a linear score w x the slope is w everywhere, whatever the pictures.
    rate, weight = 0.01, 3.0
    options = {"loss": "wasserstein", "run_eagerly": eagerly}
    updates = {}
    for penalty in (None, name):
        gan = make(
            SGD(0.0),
            SGD(rate),
            discriminator=linear_discriminator(),
            penalty=penalty and type(losses.PENALTIES[penalty])(weight),
            **options,
        )
        [kernel] = gan.discriminator.trainable_variables
        before = kernel.numpy()
        logs = gan.fit(CLEAN, batch_size=6, shuffle=False, verbose=0).history
        updates[penalty] = kernel.numpy() - before
    norm = np.linalg.norm(before)
    expected, slope = norm**2 / 2, before
    if name == "r1_r2":  # the same in two places
        expected, slope = 2 * expected, 2 * slope
    if name == "gradient_penalty":
        expected, slope = (norm - 1) ** 2, 2 * (norm - 1) / norm * before
    assert logs["penalty"] == [pytest.approx(expected, rel=1e-5)]
    found = updates[name] - updates[None]
    np.testing.assert_allclose(found, -rate * weight * slope, rtol=0, atol=1e-6)


@pytest.mark.parametrize("eagerly", [True, False])
def test_a_penalty_now_and_then_is_as_much_heavier(eagerly):
    # Every third step, from the first on, and three times as heavy; its log is its plain mean.
    rate, moves, logs = 0.001, {}, {}
    for weight in (0.0, 2.0):
        gan = make(
            SGD(0.0),
            SGD(rate),
            discriminator=linear_discriminator(),
            loss="wasserstein",
            penalty=losses.R1(weight, every=3),
            run_eagerly=eagerly,
        )
        [kernel] = gan.discriminator.trainable_variables
        seen = [kernel.numpy()]
        note = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs, kernel=kernel, seen=seen: seen.append(
                kernel.numpy()
            )
        )
        fit = {"batch_size": 1, "epochs": 1, "shuffle": False, "callbacks": [note]}
        gan._needs_batch = False
        logs[weight] = gan.fit(CLEAN, **fit, verbose=0).history
        moves[weight] = np.diff(seen, axis=0), seen
    found = moves[2.0][0] - moves[0.0][0]
    for step in range(6):
        expected = -rate * 3 * 2.0 * moves[2.0][1][step] if step % 3 == 0 else 0.0
        np.testing.assert_allclose(found[step], expected + 0 * found[step], rtol=0, atol=1e-6)
    norms = [np.sum(moves[2.0][1][step] ** 2) / 2 for step in (0, 3)]
    assert logs[2.0]["penalty"] == [pytest.approx(np.mean(norms), rel=1e-5)]


def test_the_gradient_penalty_looks_uniformly_between_real_and_fake():
    # Real is 1, fake 0, the score x^2 / 2: its slope at u is u, and (1 - u)^2 is 1/3 on average.
    latents, picture = keras.Input((1,)), keras.Input((1, 1, 1))
    black = keras.layers.Dense(1, "sigmoid", bias_initializer=keras.initializers.Constant(-50.0))
    generator = keras.Model(latents, keras.layers.Reshape((1, 1, 1))(black(latents)))
    half_square = keras.layers.Flatten()(0.5 * picture * picture)
    score = keras.layers.Dense(1, kernel_initializer="ones", use_bias=False)(half_square)
    gan = GAN(generator, keras.Model(picture, score), seed=0)
    gan.compile(SGD(0.0), SGD(0.0), penalty="gradient_penalty")
    logs = gan.fit(np.ones((4096, 1, 1, 1), "float32"), batch_size=4096, verbose=0).history
    # Four standard errors: the standard deviation of (1 - u)^2 is sqrt(1/5 - 1/9) = 0.298.
    assert logs["penalty"] == [pytest.approx(1 / 3, abs=4 * 0.298 / 64)]


@pytest.mark.parametrize("loss", FORMULAS)
@pytest.mark.parametrize("penalty", [None, "r1", "r2", "r1_r2", "gradient_penalty"])
def test_all_variants_train_and_save(loss, penalty, tmp_path):
    if loss == "non_saturating":
        loss = losses.NonSaturating(0.1)
    options = {"loss": loss, "critic_steps": 2}
    options["penalty"] = penalty and type(losses.PENALTIES[penalty])(2.0, every=2)
    gan = make(**options, run_eagerly=True)
    logs = gan.fit(CLEAN, batch_size=3, validation_data=CLEAN[:2], verbose=0).history
    assert all(np.isfinite(values).all() for values in logs.values())
    assert ("val_penalty" in logs) == (penalty is not None)
    gan.save(tmp_path / "gan.keras")
    loaded = keras_imgen.load_model(tmp_path / "gan.keras")
    assert loaded.get_compile_config() == gan.get_compile_config()
    for name in ("adversarial_loss", "penalty"):
        ours, theirs = getattr(gan, name), getattr(loaded, name)
        assert (type(ours), vars(ours or losses)) == (type(theirs), vars(theirs or losses))


def test_a_penalty_needs_a_discriminator_without_batch_normalisation():
    with pytest.raises(ValueError, match="penalty=R1 for such a.*Build it with `batch_norm=False`"):
        make(penalty="r1", batch_norm=True)


class Watch(keras.callbacks.Callback):
    """Note the weights of generator and average after every step."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(
            (self.model.generator.get_weights(), self.model.ema_generator.get_weights())
        )


@pytest.mark.parametrize("momentum", [0.0, 0.2, 0.999])
def test_the_average_follows_the_generator(momentum):
    gan, watch = make(ema_momentum=momentum, run_eagerly=True), Watch()
    average = gan.ema_generator.get_weights()
    gan.fit(CLEAN, epochs=4, callbacks=[watch], verbose=0)
    for step, (weights, averaged) in enumerate(watch.seen, start=1):
        # Warm-up: at first the average would be nothing but the untrained weights.
        keep = min(momentum, (1 + step) / (10 + step))
        average = [keep * a + (1 - keep) * w for a, w in zip(average, weights, strict=True)]
        for ours, theirs in zip(averaged, average, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)
    assert all(not variable.trainable for variable in gan.ema_generator.variables)


def test_batch_statistics_move_in_fit():
    gan = make(SGD(0.0), SGD(0.0), run_eagerly=True)
    moving = [w for w in gan.generator.non_trainable_variables if "moving" in w.path]
    before = arrays(moving)
    gan.fit(CLEAN, verbose=0)
    assert len(moving) == 4
    assert min(differences(before, arrays(moving))) > 0
    before = arrays(moving)
    gan.evaluate(CLEAN, verbose=0)
    gan.sample(3)
    assert max(differences(before, arrays(moving))) == 0


class Recorder(keras.layers.Layer):
    """Hand on its input and note whether it was called for training."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def call(self, x, training=None):
        self.seen.append(training)
        return x


def test_the_networks_are_told_whether_it_is_training():
    # Otherwise dropout and batch normalisation would never do in training what they are for.
    pictures, recorder = keras.Input(SHAPE), Recorder()
    network = networks.dcgan_discriminator(SHAPE, filters=2, batch_norm=False)
    discriminator = keras.Model(pictures, network(recorder(pictures)))
    gan = make(discriminator=discriminator, run_eagerly=True)
    recorder.seen.clear()
    gan.fit(CLEAN, verbose=0)
    assert recorder.seen == [True] * 3  # real, generated, and generated after the step
    recorder.seen.clear()
    gan.evaluate(CLEAN, verbose=0)
    assert recorder.seen == [False] * 2


def test_figures_on_held_out_pictures_by_hand():
    # Four pictures and two: each counts the same. The latents are those of the seed in every batch.
    gan = make(loss="hinge")
    real_scores, fake_scores = [], []
    for batch in (CLEAN[:4], CLEAN[4:]):
        latents = keras.random.normal((len(batch), 3), seed=gan.seed)
        real_scores.append(gan.discriminator.predict(batch, verbose=0))
        fake_scores.append(gan.discriminator(gan.generator(latents, training=False)))
    real, fake = np.concatenate(real_scores), np.concatenate(fake_scores)
    # Shift the threshold between the scores, so that some are right and some wrong.
    shift = -np.median(np.concatenate([real, fake]))
    gan.discriminator.layers[-1].bias.assign_add([shift])
    real, fake = real + shift, fake + shift
    expected = {
        "generator_loss": np.mean(-fake),
        "discriminator_loss": np.mean(np.maximum(0, 1 - real)) + np.mean(np.maximum(0, 1 + fake)),
        "discriminator_accuracy": np.mean(np.concatenate([real > 0, fake < 0])),
    }
    assert 0 < expected["discriminator_accuracy"] < 1
    figures = gan.evaluate(CLEAN, batch_size=4, verbose=0, return_dict=True)
    assert figures == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("eagerly", [True, False])
def test_held_out_batches_are_normalised_by_themselves_and_leave_no_trace(eagerly):
    # Averages over real and generated pictures would fit neither of them.
    gan = make(batch_norm=True, run_eagerly=eagerly)
    gan.fit(CLEAN, verbose=0)
    latents = keras.random.normal((6, 3), seed=gan.seed)
    fake = gan.generator(latents, training=False)
    before = arrays(gan.variables)
    figures = gan.evaluate(CLEAN, batch_size=6, verbose=0, return_dict=True)
    metrics = {id(variable) for variable in gan.metrics_variables}
    kept = [i for i, v in enumerate(gan.variables) if id(v) not in metrics]
    after = arrays(gan.variables)
    assert max(differences([before[i] for i in kept], [after[i] for i in kept])) == 0
    copy = keras.models.clone_model(gan.discriminator)
    copy.set_weights(gan.discriminator.get_weights())
    real_scores, fake_scores = (copy(x, training=True).numpy() for x in (CLEAN, fake))
    expected = np.mean(np.log1p(np.exp(-real_scores)) + np.log1p(np.exp(fake_scores)))
    assert figures["discriminator_loss"] == pytest.approx(expected, rel=1e-4)
    assert gan.evaluate(CLEAN, batch_size=6, verbose=0, return_dict=True) == figures


@pytest.mark.parametrize("loss", ["wasserstein", "relativistic"])
def test_relative_scores_are_right_pair_by_pair(loss):
    # Wherever they lie: here all far above 0.
    gan = make(loss=loss)
    gan.discriminator.layers[-1].bias.assign([100.0])
    fake = gan.generator(keras.random.normal((6, 3), seed=gan.seed), training=False)
    real = CLEAN.copy()
    real[:3] = 1.0 - 0.9 * CLEAN[:3]
    real_scores, fake_scores = (gan.discriminator.predict(x, verbose=0) for x in (real, fake))
    real[real_scores[:, 0] == real_scores.max()] = 0.5  # some are above the generated ones
    real_scores = gan.discriminator.predict(real, verbose=0)
    expected = np.mean(real_scores > fake_scores)
    figures = gan.evaluate(real, batch_size=6, verbose=0, return_dict=True)
    assert figures["discriminator_accuracy"] == pytest.approx(expected, abs=1e-6)
    assert min(real_scores.min(), fake_scores.min()) > 0
    assert 0 < expected < 1


def test_penalties_of_weights_count():
    # d/dw of 0.3 w^2 is 0.6 w: the step is longer by rate * 0.6 w, and the logs stay as they are.
    weights, logs = [], []
    for strength in (0.0, 0.3):
        keras.utils.set_random_seed(0)
        discriminator = keras.Sequential(
            [
                keras.Input(SHAPE),
                keras.layers.Flatten(),
                keras.layers.Dense(1, kernel_regularizer=keras.regularizers.L2(strength)),
            ]
        )
        gan = make(SGD(0.0), SGD(0.1), discriminator=discriminator, run_eagerly=True)
        before = discriminator.get_weights()[0]
        logs.append(gan.fit(CLEAN, shuffle=False, verbose=0).history)
        weights.append(discriminator.get_weights()[0])
    np.testing.assert_allclose(weights[0] - weights[1], 0.1 * 0.6 * before, atol=1e-6)
    assert logs[0]["discriminator_loss"] == logs[1]["discriminator_loss"]


def test_samples():
    gan = make()
    samples = gan.sample(5, seed=1)
    assert isinstance(samples, np.ndarray)
    assert (samples.shape, samples.dtype) == ((5, *SHAPE), np.float32)
    assert 0 <= samples.min() < samples.max() <= 1
    np.testing.assert_array_equal(gan.sample(5, seed=1), samples)
    assert np.abs(gan.sample(5, seed=2) - samples).max() > 1e-3
    assert np.abs(gan.sample(5) - gan.sample(5)).max() > 1e-3  # without a seed never the same
    assert np.abs(samples[0] - samples[1]).max() > 1e-3


def test_many_samples_are_drawn_in_parts():
    gan = make()
    latents = keras.random.normal((130, 3), seed=4)
    expected = gan.predict_latents(latents)
    np.testing.assert_allclose(gan.sample(130, seed=4), expected, rtol=0, atol=1e-5)


def test_samples_come_from_the_average():
    gan = make()
    samples = gan.sample(2, seed=0)
    gan.generator.set_weights([np.zeros_like(w) for w in gan.generator.get_weights()])
    np.testing.assert_array_equal(gan.sample(2, seed=0), samples)


def test_it_learns_a_grey():
    # The simplest distribution: pictures of one grey, here a little noisy.
    grey = 0.2
    keras.utils.set_random_seed(1)
    noise = np.random.default_rng(0).normal(0, 0.05, (64, 8, 8, 1)).astype("float32")
    layers = keras.layers
    generator = keras.Sequential(
        [keras.Input((2,)), layers.Dense(64, activation="sigmoid"), layers.Reshape((8, 8, 1))]
    )
    discriminator = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Flatten(),
            layers.Dense(16),
            layers.LeakyReLU(),
            layers.Dense(1),
        ]
    )
    gan = GAN(generator, discriminator, ema_momentum=0.9, seed=0)
    gan.compile(keras.optimizers.Adam(0.02, 0.5), keras.optimizers.Adam(0.02, 0.5))
    before = gan.sample(100, seed=0).mean()
    gan.fit(np.clip(grey + noise, 0, 1), batch_size=32, epochs=60, verbose=0)
    after = gan.sample(100, seed=0).mean()
    assert abs(before - grey) > 0.2
    assert abs(after - grey) < 0.1


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        (
            {"penalty": "r3"},
            "'gradient_penalty', or an object of losses.Penalty. Received: penalty='r3'",
        ),
        ({"loss": losses.Hinge}, "`loss` must be one of .*Received: loss=<class"),
        ({"critic_steps": 0}, "`critic_steps` must be a whole number, at least 1. Received"),
        ({"critic_steps": 1.5}, "`critic_steps` must be a whole number"),
    ],
)
def test_compile_refuses_variants_that_do_not_exist(options, advice):
    with pytest.raises(ValueError, match=advice):
        make(**options)


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({"every": 0}, "`every` must be a whole number, at least 1. Received"),
        ({"weight": -1.0}, "`weight` must be a number, 0 or more. Received"),
        ({"weight": np.nan}, "`weight` must be a number"),
    ],
)
def test_penalties_refuse_wrong_numbers(options, advice):
    for penalty in losses.PENALTIES.values():
        with pytest.raises(ValueError, match=advice):
            type(penalty)(**options)
    with pytest.raises(ValueError, match="`label_smoothing` must be a number in .0, 0.5.. Rec"):
        losses.NonSaturating(0.7)


@keras.saving.register_keras_serializable("tests")
class Exponential(losses.AdversarialLoss):
    def discriminator(self, real_scores, fake_scores):
        return keras.ops.exp(-real_scores) + keras.ops.exp(fake_scores)

    def generator(self, real_scores, fake_scores):
        return keras.ops.exp(-fake_scores)


@keras.saving.register_keras_serializable("tests")
class LargestSlope(losses.Penalty):
    def places(self, real, fake, mix):
        return [0.5 * real]

    def value(self, gradients):
        return keras.ops.max(keras.ops.abs(gradients), axis=(1, 2, 3))


def test_a_loss_and_a_penalty_of_ones_own(tmp_path):
    gan = make(
        SGD(0.0),
        SGD(0.0),
        discriminator=linear_discriminator(),
        loss=Exponential(),
        penalty=LargestSlope(3.0),
    )
    logs = gan.fit(CLEAN, batch_size=6, shuffle=False, verbose=0).history
    [kernel] = gan.discriminator.get_weights()
    assert logs["penalty"] == [pytest.approx(np.abs(kernel).max(), rel=1e-5)]
    latents = keras.random.normal((6, 3), seed=keras.random.SeedGenerator(5))
    fake = gan.generator(latents, training=True).numpy()
    real_scores, fake_scores = (x.reshape(6, -1) @ kernel for x in (CLEAN, fake))
    expected = np.mean(np.exp(-real_scores) + np.exp(fake_scores))
    assert logs["discriminator_loss"] == [pytest.approx(expected, rel=1e-4)]
    assert logs["generator_loss"] == [pytest.approx(np.mean(np.exp(-fake_scores)), rel=1e-4)]
    gan.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(tmp_path / "gan.keras")
    assert isinstance(loaded.adversarial_loss, Exponential)
    assert isinstance(loaded.penalty, LargestSlope)
    assert loaded.penalty.weight == 3.0


def test_both_players_have_the_rate_of_small_networks_by_default():
    gan = GAN(
        networks.dcgan_generator((8, 8, 1), latent_dim=2, filters=2),
        networks.dcgan_discriminator((8, 8, 1), filters=2),
    )
    gan.compile()
    for optimizer in (gan.generator_optimizer, gan.discriminator_optimizer):
        assert float(optimizer.learning_rate) == pytest.approx(4e-3)
        assert optimizer.beta_1 == 0.5
