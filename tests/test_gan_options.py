"""A GAN with labels, with augmentation, and in half precision."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny_models import conditional_gan, values

import keras_imgen
from keras_imgen import GAN, VAE, load_arrays, networks
from keras_imgen.losses import R1
from keras_imgen.models import step_batch

SHAPE = (8, 9, 1)
CLEAN = np.random.default_rng(0).random((12, *SHAPE), "float32")
LABELS = np.arange(12) % 3


def make(num_classes=3, run_eagerly=True, augmentation=None, compile_options=None):
    keras.utils.set_random_seed(0)
    options = {"filters": 2, "num_classes": num_classes}
    generator = networks.dcgan_generator(SHAPE, latent_dim=3, **options)
    discriminator = networks.dcgan_discriminator(SHAPE, batch_norm=False, **options)
    gan = GAN(generator, discriminator, seed=5, augmentation=augmentation)
    gan.compile(run_eagerly=run_eagerly, **(compile_options or {}))
    return gan


def assert_same(left, right):
    for a, b in zip(values(left), values(right), strict=True):
        np.testing.assert_array_equal(a, b)


# Labels: where they come from


def as_stream(*parts):
    return tf.data.Dataset.from_tensor_slices(parts).batch(4)


FORMS = {
    "dataset": lambda: (load_arrays(CLEAN, LABELS, batch_size=4, shuffle=False),),
    "arrays": lambda: (CLEAN, LABELS),
    "column": lambda: (CLEAN, LABELS[:, None]),
    "pair": lambda: ((CLEAN, LABELS),),
    "dict": lambda: ({"image": CLEAN, "label": LABELS},),
    "stream": lambda: (as_stream(CLEAN, LABELS),),
    "stream of dicts": lambda: (
        tf.data.Dataset.from_tensor_slices({"image": CLEAN, "label": LABELS}).batch(4),
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_labels_arrive_in_every_form(form):
    expected, gan = make(), make()
    expected.fit(*FORMS["dataset"](), verbose=0)
    given = FORMS[form]()
    options = (
        {"batch_size": 4, "shuffle": False} if form in ("arrays", "column", "pair", "dict") else {}
    )
    gan.fit(*given, **options, validation_data=given[0] if len(given) == 1 else given, verbose=0)
    assert_same(gan, expected)
    figures = gan.evaluate(*given, **({"batch_size": 4} if options else {}), verbose=0)
    np.testing.assert_array_equal(figures, expected.evaluate(*FORMS["dataset"](), verbose=0))


def test_a_share_is_held_out_with_its_labels():
    gan, expected = make(), make()
    options = {"batch_size": 4, "shuffle": False, "verbose": 0}
    gan.fit(CLEAN, LABELS, validation_split=1 / 3, **options)
    logs = expected.fit(
        CLEAN[:8], LABELS[:8], validation_data=(CLEAN[8:], LABELS[8:]), **options
    ).history
    assert_same(gan, expected)
    assert gan.history.history == logs


# Labels: what they do


def test_a_conditional_gan_draws_what_it_is_asked_for():
    # Class 0 is dark and class 1 bright. Without labels a generator could not know which to draw.
    greys = np.array([0.2, 0.8])
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 128)
    noise = rng.normal(0, 0.05, (128, 8, 8, 1))
    clean = np.clip(greys[labels][:, None, None, None] + noise, 0, 1).astype("float32")
    keras.utils.set_random_seed(1)
    layers = keras.layers

    def inputs(shape):
        return [keras.Input(shape), keras.Input((2,))]

    latents, rows = inputs((2,))
    x = layers.Dense(64, activation="sigmoid")(layers.Concatenate()([latents, rows]))
    generator = keras.Model([latents, rows], layers.Reshape((8, 8, 1))(x))
    picture, rows = inputs((8, 8, 1))
    x = layers.Concatenate()([layers.Flatten()(picture), rows])
    x = layers.LeakyReLU()(layers.Dense(16)(x))
    discriminator = keras.Model([picture, rows], layers.Dense(1)(x))
    gan = GAN(generator, discriminator, ema_momentum=0.9, seed=0)
    gan.compile(*(keras.optimizers.Adam(0.02, 0.5) for _ in range(2)))
    before = [gan.sample(50, labels=label, seed=0).mean() for label in (0, 1)]
    gan.fit(clean, labels, batch_size=32, epochs=120, verbose=0)
    after = [gan.sample(50, labels=label, seed=0).mean() for label in (0, 1)]
    assert abs(before[1] - before[0]) < 0.2
    np.testing.assert_allclose(after, greys, rtol=0, atol=0.12)


def test_labels_of_samples():
    gan = make()
    in_turn = gan.sample(7, seed=1)
    np.testing.assert_array_equal(gan.sample(7, labels=np.arange(7) % 3, seed=1), in_turn)
    np.testing.assert_array_equal(gan.sample(7, labels=[0, 1, 2, 0, 1, 2, 0], seed=1), in_turn)
    twos = gan.sample(7, labels=2, seed=1)
    np.testing.assert_array_equal(twos, gan.sample(7, labels=[2] * 7, seed=1))
    same = [np.array_equal(a, b) for a, b in zip(twos, in_turn, strict=True)]
    assert same == [label == 2 for label in np.arange(7) % 3]
    latents, labels = np.asarray(keras.random.normal((7, 3), seed=1)), np.arange(7) % 3
    np.testing.assert_allclose(gan([latents, labels]), in_turn, rtol=0, atol=1e-6)
    np.testing.assert_allclose(gan.predict_latents(latents, labels), in_turn, rtol=0, atol=1e-6)


def test_scores_are_those_of_the_label():
    gan = make()
    rows = np.eye(3, dtype="float32")[LABELS]
    expected = gan.discriminator.predict([CLEAN, rows], verbose=0)
    np.testing.assert_allclose(gan.score(CLEAN, LABELS), expected, rtol=0, atol=1e-5)
    assert np.abs(gan.score(CLEAN, (LABELS + 1) % 3) - expected).min() > 1e-6
    plain = make(num_classes=0)
    expected = plain.discriminator.predict(CLEAN, verbose=0)
    np.testing.assert_allclose(plain.score(CLEAN), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("eagerly", [True, False])
def test_a_conditional_gan_saves_and_resumes(eagerly, tmp_path):
    options = {"compile_options": {"loss": "hinge", "penalty": R1(every=2)}}
    straight, stopped = (make(run_eagerly=eagerly, **options) for _ in range(2))
    data = load_arrays(CLEAN, LABELS, batch_size=4)
    straight.fit(data, epochs=4, verbose=0)
    stopped.fit(data, epochs=2, verbose=0)
    stopped.save(tmp_path / "gan.keras")
    loaded = keras_imgen.load_model(tmp_path / "gan.keras")
    assert loaded.num_classes == 3
    loaded.fit(data, initial_epoch=2, epochs=4, verbose=0)
    assert_same(loaded, straight)


# Labels: mistakes


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        ((CLEAN,), "learns from pictures with labels. Received: pictures alone"),
        ((load_arrays(CLEAN, batch_size=4),), "learns from pictures with labels"),
        ((as_stream(CLEAN),), "learns from pictures with labels"),
        ((CLEAN, LABELS[:5]), "`labels` must be whole numbers, 12 of them. Received: shape"),
        ((CLEAN, LABELS + 1), "between 0 and 2, both included. Received: 3"),
        ((CLEAN, LABELS - 1), "between 0 and 2, both included. Received: -1"),
        ((load_arrays(CLEAN, LABELS + 1, batch_size=4),), "between 0 and 2"),
        ((as_stream(CLEAN, LABELS + 1),), "between 0 and 2"),
        ((CLEAN, LABELS / 2), "`labels` must be whole numbers"),
        ((CLEAN, np.eye(3)[LABELS]), "`labels` must be whole numbers"),
        ((load_arrays(CLEAN, LABELS), LABELS), "Put what it holds into the dataset"),
    ],
)
def test_wrong_labels_are_refused_before_anything_is_learned(given, advice):
    gan = make()
    before = values(gan)
    with pytest.raises((ValueError, TypeError), match=advice):
        gan.fit(*given, verbose=0)
    for a, b in zip(before, values(gan), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("eagerly", [True, False])
def test_a_wrong_label_later_in_a_stream_is_refused(eagerly):
    gan = make(run_eagerly=eagerly)
    late = LABELS.copy()
    late[-1] = 3
    with pytest.raises(ValueError, match="between 0 and 2, both included. Received: 3."):
        gan.fit(as_stream(CLEAN, late), verbose=0)


@pytest.mark.parametrize(
    ("labels", "advice"),
    [
        (3, "between 0 and 2, both included. Received: 3"),
        ([0, 1], "`labels` must be whole numbers, 4 of them"),
        ("two", "`labels` must be whole numbers"),
        ([0.5] * 4, "`labels` must be whole numbers"),
        ([[0], [1, 2]], "`labels` must be whole numbers"),
    ],
)
def test_wrong_labels_of_samples_are_refused(labels, advice):
    with pytest.raises(ValueError, match=advice):
        make().sample(4, labels=labels)


def test_a_model_without_classes_refuses_labels():
    gan = make(num_classes=0)
    with pytest.raises(ValueError, match="built without classes. Received: labels=1"):
        gan.sample(4, labels=1)
    with pytest.raises(ValueError, match="learns from clean pictures alone.*Received: `y`"):
        gan.fit(CLEAN, LABELS)
    gan.fit(load_arrays(CLEAN, LABELS, batch_size=4), verbose=0)  # they are simply not looked at
    vae = VAE(networks.vae_encoder(SHAPE, 2, 2), networks.vae_decoder(SHAPE, 2, 2))
    with pytest.raises(ValueError, match="built without classes"):
        vae.sample(4, labels=1)


def test_networks_of_other_classes_do_not_fit_together():
    def pair(made_of, told_by):
        return (
            networks.dcgan_generator(SHAPE, 3, 2, num_classes=made_of),
            networks.dcgan_discriminator(SHAPE, 2, num_classes=told_by),
        )

    with pytest.raises(ValueError, match="a generator of 3 classes and a discriminator of 0"):
        GAN(*pair(3, 0))
    with pytest.raises(ValueError, match="a generator of 2 classes and a discriminator of 3"):
        GAN(*pair(2, 3))
    latents, label = keras.Input((3,)), keras.Input((), dtype="int32")
    embedded = keras.layers.Embedding(5, 3)(label)
    x = keras.layers.Dense(72, activation="sigmoid")(keras.layers.Add()([latents, embedded]))
    by_number = keras.Model([latents, label], keras.layers.Reshape(SHAPE)(x))
    with pytest.raises(ValueError, match=r"the second of shape \(batch, num_classes\)"):
        GAN(by_number, pair(0, 0)[1])


# Augmentation


@keras.saving.register_keras_serializable("tests")
class Darker(keras.layers.Layer):
    """Halve every value in training, and count what was seen."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seen = []

    def call(self, pictures, training=None):
        self.seen.append(np.asarray(pictures).mean())
        return 0.5 * pictures if training else pictures


def test_the_discriminator_sees_pictures_through_the_augmentation():
    # Halved pictures for a linear score w x: its slope by w, and the generator's by x, are halved.
    def score():
        picture = keras.Input(SHAPE)
        x = keras.layers.Flatten()(picture)
        return keras.Model(picture, keras.layers.Dense(1, use_bias=False)(x))

    moves = {}
    for augmentation in (None, Darker()):
        keras.utils.set_random_seed(0)
        generator = keras.Sequential(
            [keras.Input((2,)), keras.layers.Dense(72, "sigmoid"), keras.layers.Reshape(SHAPE)]
        )
        gan = GAN(generator, score(), seed=1, augmentation=augmentation)
        rates = keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.0)
        gan.compile(*rates, loss="wasserstein", run_eagerly=True)
        before = generator.get_weights()[0]
        if augmentation is not None:
            augmentation.seen.clear()  # `compile` looks for a slope
        gan.fit(CLEAN, batch_size=12, verbose=0)
        moves[augmentation is None] = generator.get_weights()[0] - before
    np.testing.assert_allclose(moves[False], 0.5 * moves[True], rtol=0, atol=1e-7)
    assert np.abs(moves[True]).max() > 1e-4
    assert len(augmentation.seen) == 4  # real and made; both again after the step
    assert augmentation.seen[0] == pytest.approx(CLEAN.mean(), abs=1e-6)
    gan.evaluate(CLEAN, verbose=0)
    assert len(augmentation.seen) == 4  # held-out figures are those of the pictures themselves


@pytest.mark.parametrize(
    "layer",
    [
        lambda: keras.layers.RandomTranslation(0.2, 0.2, fill_mode="constant", seed=1),
        lambda: keras.layers.RandomBrightness(0.2, value_range=(0, 1), seed=1),
        lambda: keras.Sequential(
            [
                keras.Input(SHAPE),
                keras.layers.RandomContrast(0.2, value_range=(0, 1), seed=1),
                keras.layers.RandomTranslation(0.2, 0.2, fill_mode="constant", seed=2),
            ]
        ),
    ],
    ids=["translation", "brightness", "several"],
)
def test_keras_own_augmentations_teach_the_generator_and_resume(layer, tmp_path):
    compile_options = {"penalty": "r1"}
    straight, stopped = (
        make(0, run_eagerly=False, augmentation=layer(), compile_options=compile_options)
        for _ in range(2)
    )
    before = straight.generator.get_weights()
    straight.fit(CLEAN, batch_size=4, epochs=2, verbose=0)
    kernels = zip(before, straight.generator.get_weights(), strict=True)
    assert all(np.abs(a - b).max() > 0 for a, b in kernels if a.ndim > 1)
    stopped.fit(CLEAN, batch_size=4, epochs=1, verbose=0)
    stopped.save(tmp_path / "gan.keras")
    loaded = keras_imgen.load_model(tmp_path / "gan.keras")
    loaded.fit(CLEAN, batch_size=4, initial_epoch=1, epochs=2, verbose=0)
    assert_same(loaded, straight)


@pytest.mark.parametrize("wrong", ["flip", keras.layers.RandomFlip, lambda x: x])
def test_an_augmentation_must_be_a_layer(wrong):
    with pytest.raises(TypeError, match="`augmentation` must be a Keras layer"):
        make(augmentation=wrong)


# How a step is executed


def trained(policy="float32", run_eagerly=None, **options):
    options = {"penalty": R1(1.0, every=2), **options}
    run_eagerly = "steps_per_execution" not in options if run_eagerly is None else run_eagerly
    keras.config.set_dtype_policy(policy)
    try:
        gan = make(0, run_eagerly=run_eagerly, compile_options=options)
    finally:
        keras.config.set_dtype_policy("float32")
    return gan, gan.fit(CLEAN, batch_size=4, epochs=3, verbose=0).history


@pytest.fixture(scope="module")
def plain():
    return trained()


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_trains_alike(policy, plain):
    gan, logs = trained(policy)
    for name, expected in plain[1].items():
        tolerance = 0.25 if "accuracy" in name else 0.02  # a score near 0 may change sides
        np.testing.assert_allclose(logs[name], expected, rtol=0, atol=tolerance, err_msg=name)
    assert gan.sample(2, seed=0).dtype == np.float32
    np.testing.assert_allclose(gan.sample(4, seed=0), plain[0].sample(4, seed=0), atol=0.01)


@pytest.mark.parametrize("how", [{"run_eagerly": False}, {"steps_per_execution": 3}])
def test_a_compiled_step_is_the_same_step(how, plain):
    gan, logs = trained(**how)
    for name, expected in plain[1].items():
        np.testing.assert_allclose(logs[name], expected, rtol=0, atol=1e-4, err_msg=name)
    for ours, theirs in zip(gan.get_weights(), plain[0].get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-3)  # Adam: 9 steps of 2e-4


@pytest.mark.parametrize("label", [-1, 3])
def test_labels_that_no_class_has_are_refused_in_a_step_too(label):
    # Who calls `train_step` by himself has no `fit` that looks at the batches before.
    labels = np.zeros(len(CLEAN), "int32")
    assert step_batch(conditional_gan(), (CLEAN, labels)).labels.shape == (len(CLEAN), 3)
    labels[1] = label
    with pytest.raises(Exception, match="lie between 0 and 2, both included.*others in a batch"):
        step_batch(conditional_gan(), (CLEAN, labels))
