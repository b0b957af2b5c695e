"""Model classes and losses of one's own: what works, and what is said if not."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny_models import gan

from keras_imgen import GAN, VAE, Diffusion, Restorer, callbacks, degradations, losses, networks
from keras_imgen.models import PictureModel

CLEAN = np.random.default_rng(0).random((8, 6, 7, 3), "float32")


@keras.saving.register_keras_serializable("tests")
class Colours(PictureModel):
    """Takes grey pictures and returns three channels."""

    def __init__(self, network, **kwargs):
        super().__init__(**kwargs)
        self.network = network
        self.built = True

    @property
    def image_shape(self):
        return self.network.output_shape[1:]

    def prepared(self, batch, training):
        return keras.ops.mean(batch.clean, axis=-1, keepdims=True), batch.clean

    def call(self, grey, training=None):
        return self.network(grey, training=training)

    def get_config(self):
        network = keras.saving.serialize_keras_object(self.network)
        return {**super().get_config(), "network": network}


def colours(kind=Colours):
    keras.utils.set_random_seed(0)
    grey = keras.Input((6, 7, 1))
    return kind(keras.Model(grey, keras.layers.Conv2D(3, 3, padding="same")(grey)), seed=0)


def test_it_trains_resumes_predicts_exports_and_is_saved(tmp_path):
    straight, stopped = colours(), colours()
    for model in (straight, stopped):
        model.compile(loss="mse")
    history = straight.fit(CLEAN, batch_size=4, epochs=2, verbose=0).history["loss"]
    assert history[1] < history[0]
    for epochs in (1, 2):
        run = callbacks.Resume(tmp_path / "run")
        stopped.fit(CLEAN, batch_size=4, epochs=epochs, callbacks=[run], verbose=0)
    grey = CLEAN.mean(axis=-1, keepdims=True)
    answer = straight.predict(grey, verbose=0)
    np.testing.assert_array_equal(stopped.predict(grey, verbose=0), answer)
    straight.save(tmp_path / "own.keras")
    loaded = keras.saving.load_model(tmp_path / "own.keras")
    np.testing.assert_array_equal(loaded.predict(grey, verbose=0), answer)
    straight.export(tmp_path / "exported")
    exported = tf.saved_model.load(tmp_path / "exported")
    np.testing.assert_allclose(exported.serve(grey), answer, atol=1e-6)


class Forgetful(Colours):
    def __init__(self, network, weight=1.0, **kwargs):
        super().__init__(network, **kwargs)
        self.weight = weight


class Tinted(degradations.Degradation):
    def __init__(self, tint=0.5, **kwargs):
        super().__init__(**kwargs)
        self.tint = tint

    def degrade(self, clean, seeds):
        return self.tint * clean


class Scaled(losses.Wasserstein):
    def __init__(self, scale=2.0):
        self.scale = scale


def forgetful(part):
    if part == "weight":
        model = colours(Forgetful)
        model.compile(loss="mse")
    elif part == "tint":
        model = Restorer(networks.dncnn((6, 7, 3), depth=3, filters=2), Tinted())
        model.compile()
    else:
        model = gan((8, 9, 3))
        model.compile(loss=Scaled())
    return model


@pytest.mark.parametrize("part", ["weight", "tint", "scale"])
def test_an_argument_that_no_file_would_hold_is_named(part, tmp_path):
    # Keras saves what get_config returns, and builds the rest with its defaults, in silence.
    model, clean = forgetful(part), np.resize(CLEAN, (8, 8, 9, 3)) if part == "scale" else CLEAN
    with pytest.raises(ValueError, match=f"not hold `{part}` of the .*'{part}': self.{part}"):
        model.fit(clean, callbacks=[callbacks.Resume(tmp_path / "run")], verbose=0)
    assert list((tmp_path / "run" / "checkpoints").glob("*")) == []
    model.fit(clean, verbose=0)  # whoever saves nothing needs no get_config
    with pytest.warns(UserWarning, match=f"not hold `{part}`"):
        model.save(tmp_path / "own.keras")


class BuildsItself(Forgetful):
    """Has what its constructor takes in one entry, and knows how to read it."""

    def get_config(self):
        return {**super().get_config(), "all": [self.weight]}

    @classmethod
    def from_config(cls, config):
        weight = config.pop("all")[0]
        model = super().from_config(config)
        model.weight = weight
        return model


def test_a_class_that_builds_itself_needs_no_entry_for_each_argument(tmp_path):
    model = colours(BuildsItself)
    model.weight = 3.0
    model.compile(loss="mse")
    model.fit(CLEAN, callbacks=[callbacks.Resume(tmp_path / "run")], verbose=0)
    model.save(tmp_path / "own.keras")  # without a warning
    custom = {"BuildsItself": BuildsItself}
    loaded = keras.saving.load_model(tmp_path / "own.keras", custom_objects=custom)
    assert loaded.weight == 3.0


def test_what_predict_takes_is_said():
    shapes = r"of shape \(None, 6, 7, 1\). Received: \(8, 6, 7, 3\). It is what"
    with pytest.raises(ValueError, match=shapes):
        colours().predict(CLEAN, verbose=0)


class NotATuple(Colours):
    def prepared(self, batch, training):
        return batch.clean


class NoTargets(Colours):
    def prepared(self, batch, training):
        return batch.clean, batch.labels


class NoShape(PictureModel):
    pass


def test_what_a_class_lacks_is_said():
    for kind in (NotATuple, NoTargets):
        model = colours(kind)
        model.compile(loss="mse", run_eagerly=True)
        with pytest.raises(TypeError, match=f"`prepared` of {kind.__name__} must return a tuple"):
            model.fit(CLEAN, verbose=0)
    with pytest.raises(NotImplementedError, match="NoShape without `image_shape`. Write a prop"):
        _ = NoShape().image_shape


class Mean(losses.Hinge):
    def generator(self, real_scores, fake_scores):
        return keras.ops.mean(fake_scores)


class Three(losses.Hinge):
    def discriminator(self, real_scores, fake_scores):
        return keras.ops.repeat(fake_scores, 3, axis=1)


class Nothing(losses.Hinge):
    def generator(self, real_scores, fake_scores):
        return None


@pytest.mark.parametrize(
    ("loss", "received"),
    [
        (Mean, r"shape=\(\) from `generator` of Mean"),
        (Three, r"shape=\(8, 3\) from `discriminator` of Three"),
        (Nothing, "None from `generator` of Nothing. Do not average"),
    ],
)
def test_a_loss_must_have_one_value_for_each_picture(loss, received):
    model = gan()
    model.compile(loss=loss(), run_eagerly=True)
    with pytest.raises(ValueError, match=received):
        model.fit(np.zeros((8, 8, 8, 1), "float32"), verbose=0)


def test_a_loss_without_a_method_says_which():
    model = gan()
    model.compile(loss=losses.AdversarialLoss(), run_eagerly=True)
    with pytest.raises(NotImplementedError, match="has no method `discriminator`. Write it"):
        model.fit(np.zeros((8, 8, 8, 1), "float32"), verbose=0)
    with pytest.raises(ValueError, match="'hinge'.*or an object of losses.AdversarialLoss"):
        model.compile(loss=losses.Hinge)


@pytest.mark.parametrize("base", [GAN, VAE, Diffusion])
def test_a_loss_that_nobody_would_ask_for_is_refused(base):
    def compute_loss(self, *args, **kwargs):
        return 0.0

    with pytest.raises(
        TypeError, match="Own with a `compute_loss`, which nobody would call.*bound"
    ):
        type("Own", (base,), {"compute_loss": compute_loss})
    # Keras's step asks for it, and so may a step of one's own.
    type("Own", (Restorer,), {"compute_loss": compute_loss})
    type("Own", (base,), {"compute_loss": compute_loss, "train_step": lambda self, data: {}})
