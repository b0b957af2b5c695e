"""Every batch is looked at when it is read: XLA leaves out what a compiled step would check."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny_models

from keras_imgen import Restorer, callbacks, degradations, metrics, networks

SHAPE = tiny_models.SHAPE
PICTURES = np.random.default_rng(0).random((13, *SHAPE), "float32")
LABELS = np.arange(13) % 3


class Batches(keras.utils.PyDataset):
    """Batches of four, as somebody's own code would serve them."""

    def __init__(self, *arrays, **settings):
        super().__init__(**settings)
        self.arrays, self.begun, self.ended = arrays, 0, 0

    def __len__(self):
        return -(-len(self.arrays[0]) // 4)

    def __getitem__(self, index):
        batch = tuple(array[4 * index : 4 * index + 4] for array in self.arrays)
        return batch if len(batch) > 1 else batch[0]

    def on_epoch_begin(self):
        self.begun += 1

    def on_epoch_end(self):
        self.ended += 1


def stream(*arrays):
    return tf.data.Dataset.from_tensor_slices(arrays if len(arrays) > 1 else arrays[0]).batch(4)


def as_dicts(pictures, labels=None):
    parts = {"image": pictures} | ({} if labels is None else {"label": labels})
    return tf.data.Dataset.from_tensor_slices(parts).batch(4)


FORMS = [stream, as_dicts, Batches]
EXECUTIONS = [{"run_eagerly": True}, {"jit_compile": False}, {"jit_compile": True}]


def changed(array, index, value):
    array = np.array(array)
    array[index] = value
    return array


def conditional_gan(**options):
    model = tiny_models.conditional_gan()
    model.compile(**options)
    return model


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("options", EXECUTIONS, ids=str)
def test_wrong_labels_of_any_batch_are_refused(form, options):
    model, labels = conditional_gan(**options), changed(LABELS[:12], 9, 7)
    for use in (model.fit, model.evaluate):
        with pytest.raises(ValueError, match=r"^Labels .* between 0 and 2, .* Received: 7\.$"):
            use(form(PICTURES[:12], labels), verbose=0)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("options", EXECUTIONS, ids=str)
def test_a_batch_of_one_picture_is_refused(form, options):
    model = conditional_gan(**options)
    with pytest.raises(ValueError, match="^A network with BatchNormalization .*one picture"):
        model.fit(form(PICTURES, LABELS), verbose=0)
    model.evaluate(form(PICTURES, LABELS), verbose=0)  # nothing is learned from it


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("options", EXECUTIONS, ids=str)
@pytest.mark.parametrize("family", ["vae", "denoiser"])
def test_pictures_beyond_the_range_are_refused_in_any_batch(family, form, options):
    model = tiny_models.FAMILIES[family]()
    model.compile(**options)
    pictures = changed(PICTURES[:12], 9, 255.0 * PICTURES[9])
    for use in (model.fit, model.evaluate):
        with pytest.raises(ValueError, match=r"^`x` must lie in \[0, 1\].*Divide pictures"):
            use(form(pictures), verbose=0)
    with pytest.raises(ValueError, match=r"^`x` must lie in \[0, 1\]"):
        model.fit(PICTURES[:8], validation_data=form(pictures), verbose=0)


@pytest.mark.parametrize("family", ["vae", "denoiser"])
@pytest.mark.parametrize("form", FORMS)
def test_nan_in_a_later_batch_ends_in_the_promised_error_and_asks_for_a_rollback(family, form):
    model = tiny_models.FAMILIES[family]()
    model.compile(run_eagerly=True)
    pictures = changed(PICTURES[:12], 9, np.nan)
    with pytest.raises(FloatingPointError, match="became nan in epoch 1, batch 3"):
        model.fit(form(pictures), verbose=0)
    health = callbacks.TrainingHealth(rollback=0.5)
    with pytest.warns(callbacks.HealthWarning, match="became nan.*rollback 1 of 3"):
        model.fit(form(pictures), callbacks=[health], verbose=0)
    assert health.rollbacks == 1


def test_a_dataset_that_is_looked_at_is_told_of_epochs():
    model = tiny_models.vae()
    model.compile(run_eagerly=True)
    data = Batches(PICTURES[:12], workers=2)
    model.fit(data, epochs=2, verbose=0)
    assert (data.begun, data.ended) == (2, 2)


@pytest.mark.parametrize("family", tiny_models.FAMILIES)
def test_single_batches_are_checked_too(family):
    model = tiny_models.FAMILIES[family]()
    shape = (4, *SHAPE) if family != "sequence" else (4, 3, *SHAPE)
    pictures = np.random.default_rng(0).random(shape, "float32")
    model.compile(run_eagerly=True)
    before = tiny_models.values(model)
    for wrong, said in (
        (pictures[..., 0], r"must have shape \(batch"),
        (255.0 * pictures, r"must lie in \[0, 1\]"),
        ((255.0 * pictures).astype("uint8"), "must be floating point"),
        (np.full_like(pictures, np.nan), "must be finite"),
        (pictures[:, :, :, :0], "holds no picture"),
    ):
        for use in (model.train_on_batch, model.test_on_batch):
            with pytest.raises(ValueError, match=f"^`x` {said}"):
                use(wrong)
    with pytest.raises(ValueError, match="learns from clean pictures alone"):
        model.train_on_batch(pictures, sample_weight=np.ones(4))
    assert tiny_models.equal(tiny_models.values(model), before)
    logs = model.train_on_batch(pictures, return_dict=True)
    assert set(logs) == {metric.name for metric in model.metrics}


def test_labels_of_a_single_batch_are_checked():
    model = conditional_gan(run_eagerly=True)
    with pytest.raises(ValueError, match="between 0 and 2.*Received: 7"):
        model.train_on_batch(PICTURES[:3], np.array([0, 1, 7]))
    with pytest.raises(ValueError, match="learns from pictures with labels"):
        model.train_on_batch(PICTURES[:3])
    with pytest.raises(ValueError, match="one picture"):
        model.train_on_batch(PICTURES[:1], LABELS[:1])
    model.train_on_batch(PICTURES[:3], LABELS[:3])


@pytest.mark.parametrize("metric", [metrics.PSNR, metrics.SSIM])
def test_where_xla_cannot_raise_a_wrong_range_becomes_nan(metric):
    @tf.function(jit_compile=True)
    def figure(clean):
        return getattr(metrics, metric.__name__.lower())(clean, clean)

    clean = np.random.default_rng(0).random((2, 16, 16, 1), "float32")
    assert np.all(np.isfinite(figure(clean)))
    assert np.all(np.isnan(figure(255.0 * clean)))


@pytest.mark.parametrize("wrapped", [lambda x: x, lambda x: degradations.Compose([x])])
def test_what_xla_cannot_compile_is_left_out_of_it(wrapped):
    noise = wrapped(degradations.PoissonNoise(1 / 30, seed=0))
    model = Restorer(networks.dncnn(depth=3, filters=2, batch_norm=False), noise)
    with pytest.warns(UserWarning, match="doesn't support `jit_compile=True`"):
        model.compile(jit_compile=True)
    model.fit(PICTURES[:8], verbose=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.compile()
