"""What a GAN tells of its training and of pictures: trackers, scores, rates, averages."""

import keras
import numpy as np
import pytest
import tiny_models

from keras_imgen import GAN, backends, callbacks, load_model, networks
from keras_imgen.training import has_batch_norm

SHAPE = (12, 20, 1)
PICTURES = np.random.default_rng(0).random((12, *SHAPE), "float32")
Adam, SGD = keras.optimizers.Adam, keras.optimizers.SGD


def make(*optimizers, dropout=0.0, batch_norm=False, num_classes=0, **options):
    keras.utils.set_random_seed(0)
    generator = networks.dcgan_generator(SHAPE, latent_dim=3, filters=2, num_classes=num_classes)
    discriminator = networks.dcgan_discriminator(
        SHAPE, 2, dropout=dropout, batch_norm=batch_norm, num_classes=num_classes
    )
    gan = GAN(generator, discriminator, seed=0)
    gan.compile(*optimizers, run_eagerly=True, **options)
    assert has_batch_norm(discriminator) == batch_norm
    return gan


# ---- trackers ----


def test_a_second_compile_forgets_what_the_first_one_tracked():
    gan = make(penalty="r1")
    with_penalty = gan.fit(PICTURES, verbose=0).history
    count = len(gan.metrics)
    for _ in range(3):
        gan.compile(run_eagerly=True)
    assert "penalty" in with_penalty
    assert set(gan.fit(PICTURES, verbose=0).history) == set(with_penalty) - {"penalty"}
    assert len(gan.metrics) == count - 1
    gan.compile(penalty="r2", run_eagerly=True)
    history = gan.fit(PICTURES, validation_data=PICTURES, verbose=0).history
    assert history["penalty"][0] > 0.0
    assert history["val_penalty"][0] > 0.0
    assert len(gan.metrics) == count


def test_a_loaded_gan_may_be_compiled_anew(tmp_path):
    make(penalty="r1").save(tmp_path / "gan.keras")
    gan = load_model(tmp_path / "gan.keras")
    gan.compile(run_eagerly=True)
    assert "penalty" not in gan.fit(PICTURES, verbose=0).history


@pytest.mark.parametrize("family", tiny_models.FAMILIES)
def test_compiling_twice_changes_no_name_in_the_logs(family):
    model = tiny_models.FAMILIES[family]()
    shape = (4, 8, 8, 1) if family != "sequence" else (4, 3, 8, 8, 1)
    pictures = np.random.default_rng(0).random(shape, "float32")
    labels = np.arange(4) % 3 if model.num_classes else None
    names = []
    for _ in range(2):
        model.compile(run_eagerly=True)
        names.append(list(model.fit(pictures, labels, verbose=0).history))
    assert names[0] == names[1]


# ---- scores ----


@pytest.mark.parametrize("num_classes", [0, 3])
def test_scores_are_those_of_a_held_out_batch(num_classes):
    # By hand: the batch's own averages in batch normalisation, and no dropout.
    gan = make(dropout=0.5, batch_norm=True, num_classes=num_classes)
    labels = np.arange(12) % 3 if num_classes else None
    gan.fit(PICTURES, labels, batch_size=4, verbose=0)
    before = [np.array(weight) for weight in gan.get_weights()]
    scores = keras.ops.convert_to_numpy(gan.score(PICTURES, labels))
    assert tiny_models.equal(gan.get_weights(), before)  # looking changes nothing
    for layer in gan.discriminator._flatten_layers():
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    shown = keras.ops.convert_to_tensor(PICTURES)
    shown = shown if labels is None else [shown, keras.ops.one_hot(labels, 3)]
    by_hand = gan.discriminator(shown, training=True)
    np.testing.assert_allclose(scores, by_hand, atol=1e-5)
    assert np.std(scores) > 1e-4


def test_held_out_figures_have_no_dropout():
    plain, dropping = (make(dropout=rate, batch_norm=True) for rate in (0.0, 0.9))
    dropping.set_weights(plain.get_weights())
    figures = [gan.evaluate(PICTURES, verbose=0, return_dict=True) for gan in (plain, dropping)]
    assert figures[0] == pytest.approx(figures[1], rel=1e-5)


def test_scores_are_those_that_the_logs_speak_of():
    gan = make(batch_norm=True)
    gan.fit(PICTURES, batch_size=6, epochs=2, verbose=0)
    logged = gan.evaluate(PICTURES, batch_size=12, verbose=0, return_dict=True)
    made = gan.generator(keras.random.normal((12, 3), seed=gan.seed), training=False)
    real, fake = (keras.ops.convert_to_numpy(gan.score(x)) for x in (PICTURES, made))
    right = np.mean([real > 0.0, fake < 0.0])
    loss = np.mean(np.logaddexp(0.0, -real) + np.logaddexp(0.0, fake))
    assert logged["discriminator_accuracy"] == pytest.approx(right, abs=1e-6)
    assert logged["discriminator_loss"] == pytest.approx(loss, rel=1e-5)


def test_questions_that_cannot_be_answered_are_refused():
    plain, conditional = make(batch_norm=True), make(num_classes=3)
    latents, labels = np.zeros((4, 3), "float32"), [0, 1, 2, 3]
    for ask, said in (
        (lambda: conditional.predict_latents(latents), "needs a label for each.*4 whole numbers"),
        (lambda: conditional.score(PICTURES[:4]), "needs a label for each.*from 0 to 2"),
        (lambda: conditional.predict_latents(latents, labels), "between 0 and 2.*Received: 3"),
        (lambda: conditional.score(PICTURES[:4], labels), "between 0 and 2.*Received: 3"),
        (lambda: plain.predict_latents(latents, labels), "without classes.*Leave them out"),
        (lambda: plain.score(PICTURES[:4], labels), "without classes.*Leave them out"),
        (lambda: plain.predict_latents(latents[:, :2]), r"\(batch, 3\).*\(4, 2\).*sample\(n\)"),
        (lambda: plain.score((255 * PICTURES).astype("uint8")), "8 bits with .*to_float"),
        (lambda: plain.score(PICTURES[:, :4]), "must fit the network"),
        (lambda: plain.score(PICTURES[:1]), "by each other.*Pass at least two"),
    ):
        with pytest.raises(ValueError, match=said):
            ask()
    assert conditional.score(PICTURES[:1], [2]).shape == (1, 1)
    assert conditional.predict_latents(latents, [2, 1, 0, 0]).shape == (4, *SHAPE)


# ---- learning rates ----


class WarmUp(keras.callbacks.Callback):
    """One epoch at rate 0, then 1e-3, 2e-3, ..."""

    def on_epoch_begin(self, epoch, logs=None):
        self.model.optimizer.learning_rate = 1e-3 * epoch


@pytest.mark.parametrize("cut", [1, 2])
def test_a_warm_up_from_0_resumes_with_the_same_bits(cut, tmp_path):
    def train(gan, epochs, folder):
        run = [WarmUp(), callbacks.Resume(folder)]
        gan.fit(PICTURES, batch_size=6, epochs=epochs, callbacks=run, verbose=0)
        return gan

    straight = train(make(SGD(1e-3), SGD(4e-3)), 3, tmp_path / "straight")
    train(make(SGD(1e-3), SGD(4e-3)), cut, tmp_path / "cut")
    resumed = train(make(SGD(1e-3), SGD(4e-3)), 3, tmp_path / "cut")
    assert float(resumed.discriminator_optimizer.learning_rate) == pytest.approx(8e-3)
    assert tiny_models.equal(tiny_models.values(resumed), tiny_models.values(straight))


def test_a_file_saved_at_rate_0_knows_the_proportion(tmp_path):
    gan = make(SGD(1e-3), SGD(4e-3))
    gan.optimizer.learning_rate = 0.0
    gan.save(tmp_path / "gan.keras")
    loaded = load_model(tmp_path / "gan.keras")
    loaded.optimizer.learning_rate = 2e-3
    assert float(loaded.discriminator_optimizer.learning_rate) == pytest.approx(8e-3)


# ---- averages that optimizers keep ----


def weights(network):
    return [np.array(weight) for weight in network.get_weights()]


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_averages_are_put_in_at_the_end(policy):
    keras.config.set_dtype_policy(policy)
    try:
        options = {"use_ema": True, "ema_momentum": 0.9}
        gan = make(SGD(0.05, **options), SGD(0.05, **options))
    finally:
        keras.config.set_dtype_policy("float32")
    averages = []

    class Last(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            averages[:] = [
                [np.array(average) for average in part._model_variables_moving_average]
                for part in self.model.optimizer.parts
            ]

    gan.fit(PICTURES, batch_size=4, epochs=3, callbacks=[Last()], verbose=0)
    for network, kept in zip((gan.generator, gan.discriminator), averages, strict=True):
        found = [np.array(variable) for variable in network.trainable_variables]
        assert tiny_models.equal(found, kept)


def test_they_are_swapped_in_for_held_out_pictures():
    def held_out(*more):
        gan = make(*(SGD(0.05, use_ema=True, ema_momentum=0.9) for _ in range(2)))
        data = {"validation_data": PICTURES, "epochs": 2, "verbose": 0}
        history = gan.fit(PICTURES, batch_size=4, callbacks=list(more), **data).history
        return history["generator_loss"], history["val_generator_loss"]

    swapped, plain = held_out(keras.callbacks.SwapEMAWeights()), held_out()
    assert swapped[0] == plain[0]  # training is as it was
    assert not np.allclose(swapped[1], plain[1], rtol=1e-4)


def test_without_averages_keras_says_what_is_missing():
    gan = make()
    with pytest.raises(ValueError, match="use_ema=True"):
        gan.fit(
            PICTURES,
            validation_data=PICTURES,
            callbacks=[keras.callbacks.SwapEMAWeights()],
            verbose=0,
        )


# ---- names ----


def test_the_summary_names_the_average(capsys):
    gan = make()
    gan.summary()
    shown = capsys.readouterr().out
    assert "average_of_generator" in shown
    assert gan.ema_generator.name != gan.generator.name


# ---- half precision ----


def test_penalties_of_large_pictures_do_not_vanish_in_half_precision():
    # Slopes by a pixel become smaller with their number; half precision ends at 6e-8.
    pictures = np.random.default_rng(0).random((2, 128, 128, 3), "float32")
    penalties = []
    for policy in ("float32", "mixed_float16"):
        keras.config.set_dtype_policy(policy)
        try:
            keras.utils.set_random_seed(0)
            discriminator = networks.dcgan_discriminator((128, 128, 3), 4, batch_norm=False)
        finally:
            keras.config.set_dtype_policy("float32")
        slopes, _ = backends.input_gradients(
            lambda x, network=discriminator: (network(x, training=False), None),
            keras.ops.convert_to_tensor(pictures),
        )
        penalties.append(np.sum(np.square(keras.ops.convert_to_numpy(slopes).astype("float64"))))
    assert penalties[1] == pytest.approx(penalties[0], rel=1e-2)
