"""What a subclass adds to a model is saved, loaded and resumed exactly; nothing else is sealed."""

import keras
import numpy as np
import pytest
import tiny_models

from keras_imgen import GAN, VAE, Restorer, callbacks, degradations, load_model, networks

SHAPE = tiny_models.SHAPE
PICTURES = np.random.default_rng(0).random((4, *SHAPE), "float32")


class Additions:
    """What people give to a model of their own: weights, alone and in lists and dicts, and more."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.log_sigma = self.add_weight(shape=(), initializer="zeros", name="log_sigma")
        self.in_a_list = [keras.Variable(np.ones(3)), keras.Variable(np.ones(2), trainable=False)]
        self.in_a_dict = {"b": keras.Variable(np.ones(2)), "a": [_dense()]}
        self.seen = keras.metrics.Mean(name="seen")
        self.draws = {
            "first": [keras.random.SeedGenerator(3)],
            "last": keras.random.SeedGenerator(4),
        }

    @property
    def added(self):
        generators = [*self.draws["first"], self.draws["last"]]
        layers = self.in_a_dict["a"][0].weights
        states = [generator.state for generator in generators]
        return [self.log_sigma, *self.in_a_list, self.in_a_dict["b"], *layers, *states]


def _dense():
    layer = keras.layers.Dense(2)
    layer.build((None, 3))
    return layer


@keras.saving.register_keras_serializable("tests")
class OwnVAE(Additions, VAE):
    """The width of the noise is learned."""

    def bound(self, *args, **kwargs):
        self.draws["last"].next()
        loss, *parts = super().bound(*args, **kwargs)
        return loss + (self.log_sigma - 1.0) ** 2, *parts


@keras.saving.register_keras_serializable("tests")
class OwnGAN(Additions, GAN):
    def train_step(self, data):
        self.draws["last"].next()
        self.log_sigma.assign_add(0.5)
        return super().train_step(data)


@keras.saving.register_keras_serializable("tests")
class OwnRestorer(Additions, Restorer):
    def call(self, observed, training=None):
        return super().call(observed, training=training) * keras.ops.exp(self.log_sigma)


def own_vae():
    encoder = networks.vae_encoder(SHAPE, latent_dim=2, filters=2)
    return OwnVAE(encoder, networks.vae_decoder(SHAPE, latent_dim=2, filters=2), seed=0)


def own_gan():
    generator = networks.dcgan_generator(SHAPE, latent_dim=2, filters=2)
    return OwnGAN(generator, networks.dcgan_discriminator(SHAPE, filters=2), seed=0)


def own_restorer():
    network = networks.dncnn(depth=3, filters=2, batch_norm=False)
    return OwnRestorer(network, degradations.AdditiveNoise(0.1, seed=0), seed=0)


BUILDERS = [own_vae, own_gan, own_restorer]


def built(build):
    keras.utils.set_random_seed(0)
    model = build()
    model.compile(run_eagerly=True)
    return model


def as_arrays(variables):
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def test_every_model_class_is_tried():
    assert {cls for build in BUILDERS for cls in type(built(build)).__mro__} >= {VAE, GAN, Restorer}


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
@pytest.mark.parametrize("build", BUILDERS)
def test_what_a_subclass_adds_is_saved_loaded_and_resumed(build, tmp_path):
    model = built(build)
    model.fit(PICTURES, batch_size=2, verbose=0)
    assert float(model.log_sigma) != 0.0  # it was trained
    for variable in model.added[1:]:
        variable.assign(variable + keras.ops.cast(3, variable.dtype))
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    loaded, other = load_model(tmp_path / "model.keras"), built(build)
    other.load_weights(tmp_path / "model.weights.h5")
    by_keras = keras.saving.load_model(tmp_path / "model.keras")
    for found in (loaded, other, by_keras):
        assert tiny_models.equal(as_arrays(found.added), as_arrays(model.added))
        assert tiny_models.equal(tiny_models.values(found), tiny_models.values(model))
    for each in (loaded, model):
        each.fit(PICTURES, batch_size=2, verbose=0)
    assert tiny_models.equal(tiny_models.values(loaded), tiny_models.values(model))


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
@pytest.mark.parametrize("build", BUILDERS)
def test_a_training_with_own_weights_resumes_exactly(build, tmp_path):
    straight, first, second = (built(build) for _ in range(3))
    straight.fit(
        PICTURES, batch_size=2, epochs=2, verbose=0, callbacks=callbacks.Resume(tmp_path / "a")
    )
    for model, epochs in ((first, 1), (second, 2)):
        model.fit(
            PICTURES,
            batch_size=2,
            epochs=epochs,
            verbose=0,
            callbacks=callbacks.Resume(tmp_path / "b"),
        )
    assert tiny_models.equal(tiny_models.values(second), tiny_models.values(straight))


@pytest.mark.parametrize("build", BUILDERS)
def test_a_wrong_weight_of_a_subclass_is_noticed(build, tmp_path):
    import h5py

    model = built(build)
    model.save_weights(tmp_path / "model.weights.h5")
    with h5py.File(tmp_path / "model.weights.h5", "r+") as file:
        file["vars/0"][...] = file["vars/0"][...] + 1.0
    with pytest.raises(ValueError, match="The weights in the file are damaged"):
        built(build).load_weights(tmp_path / "model.weights.h5")


@pytest.mark.parametrize("build", BUILDERS)
def test_what_was_replaced_is_neither_saved_nor_sealed(build, tmp_path):
    # Keras keeps on its lists whatever an attribute ever held.
    model = built(build)
    model.in_a_dict = {"b": keras.Variable(np.ones(2)), "a": [_dense()]}
    model.seed_generator = keras.random.SeedGenerator(5)
    if isinstance(model, Restorer):
        parts = [degradations.Blur(1.0), degradations.AdditiveNoise(0.2, seed=4)]
        model.degradation = degradations.Compose(parts)
    model.save(tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    assert tiny_models.equal(as_arrays(loaded.added), as_arrays(model.added))
    assert int(loaded.seed_generator.state[0]) == 5
    if isinstance(model, Restorer):
        observed = [each.degradation(PICTURES) for each in (model, loaded)]
        assert tiny_models.equal(*([np.asarray(x)] for x in observed))


def test_weights_in_a_set_are_refused_when_they_are_saved(tmp_path):
    model = built(own_restorer)
    model.experts = {_dense()}
    with pytest.raises(ValueError, match="stands in a set. Received: `experts`.*Make it a list"):
        model.save(tmp_path / "model.keras")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("family", tiny_models.FAMILIES)
def test_the_seal_covers_all_weights_of_a_plain_model(family):
    # In Keras's own order, in which files of older versions were sealed.
    model = tiny_models.FAMILIES[family]()
    pairs = zip(model._saved_weights(), model.weights, strict=True)
    assert all(saved is weight for saved, weight in pairs)
    weights = {id(weight) for weight in model.weights}
    states = [v for v in model.variables if id(v) not in weights]
    pairs = zip(model._random_states(), states, strict=True)
    assert all(saved is state for saved, state in pairs)
    assert states
