"""A dataset of Grain trains every family: in the epoch's order, resumed to the bit, shared out."""

import keras
import numpy as np
import pytest

from keras_imgen import GAN, VAE, Diffusion, Restorer, callbacks, degradations, networks
from keras_imgen.callbacks.first import first_batch
from keras_imgen.training.grain import GrainBatches, from_grain
from keras_imgen.training.sets import Share

grain = pytest.importorskip("grain")

SHAPE = (8, 8, 1)
PICTURES = np.random.default_rng(0).random((22, *SHAPE), "float32")


def noise():
    return degradations.AdditiveNoise(0.1, seed=0)


def denoiser(degradation=None):
    return Restorer(networks.dncnn(depth=3, filters=2, batch_norm=False), degradation, seed=0)


MODELS = {
    "gan": lambda **k: GAN(
        networks.dcgan_generator(SHAPE, 2, 2, **k), networks.dcgan_discriminator(SHAPE, 2, **k)
    ),
    "vae": lambda: VAE(networks.vae_encoder(SHAPE, 2, 2), networks.vae_decoder(SHAPE, 2, 2)),
    "diffusion": lambda: Diffusion(networks.diffusion_unet(SHAPE, (2,))),
    "restorer": lambda: denoiser(noise()),
}


def batched(pictures=PICTURES, batch_size=4):
    return grain.MapDataset.source(pictures).shuffle(seed=3).batch(batch_size)


@pytest.mark.parametrize("family", MODELS)
def test_every_family_learns_and_is_judged(family):
    model = MODELS[family]()
    model.compile()
    options = {"epochs": 2, "validation_data": batched(PICTURES[:8]), "verbose": 0}
    history = model.fit(batched(batch_size=11), **options).history
    assert all(len(values) == 2 for values in history.values())
    figures = model.evaluate(batched(PICTURES[:8]), verbose=0, return_dict=True)
    same = model.evaluate(PICTURES[:8], batch_size=4, verbose=0, return_dict=True)
    assert figures.keys() == same.keys()
    assert all(np.isfinite(value) for value in figures.values())


def test_labels_and_pairs_come_with_it():
    labels = np.arange(22) % 3
    model = MODELS["gan"](num_classes=3)
    model.compile()
    sources = [{"image": p, "label": y} for p, y in zip(PICTURES, labels, strict=True)]
    model.fit(batched(sources, 11), verbose=0)
    pairs = denoiser()
    pairs.compile()
    pairs.fit(batched([(p, p) for p in PICTURES], 11), verbose=0)
    with pytest.raises(ValueError, match="learns from pairs. Received: pictures alone"):
        pairs.fit(batched(), verbose=0)
    advice = 'must hold them under "observed" and "clean". Received: keys ..image..\\.'
    with pytest.raises(ValueError, match=advice):
        pairs.fit(batched([{"image": p} for p in PICTURES], 11), verbose=0)


def seen_by(data, epochs, steps=None, **options):
    """Return the pictures that a training sees, in their order."""
    seen = []

    class Noted(Restorer):
        def prepared(self, batch, training):
            seen.append(keras.ops.convert_to_numpy(batch.clean).copy())
            return super().prepared(batch, training)

    model = Noted(denoiser().network, noise(), seed=0)
    model.compile(run_eagerly=True)
    model.fit(data, epochs=epochs, steps_per_epoch=steps, verbose=0, **options)
    return [batch for batch in seen if len(batch)]


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX compiles every step")
@pytest.mark.parametrize("steps", [None, 4])
def test_order_is_that_of_the_epoch(steps):
    data = batched(batch_size=2)
    for a, b in zip(seen_by(data, 3, steps), iter(data.repeat()), strict=False):
        np.testing.assert_array_equal(a, b)
    seen = seen_by(data, 2)
    assert len(seen) == 22
    epochs = [np.concatenate(part)[:, 0, 0, 0] for part in (seen[:11], seen[11:])]
    for values in epochs:
        np.testing.assert_array_equal(np.sort(values), np.sort(PICTURES[:, 0, 0, 0]))
    assert not np.array_equal(*epochs)


@pytest.mark.parametrize("steps", [None, 3])
def test_a_training_resumes_to_the_same_bits(steps, tmp_path):
    def trained(ends, name):
        keras.utils.set_random_seed(0)
        model = denoiser(noise())
        model.compile()
        for end in ends:
            resume = callbacks.Resume(tmp_path / name)
            options = {"callbacks": [resume], "steps_per_epoch": steps, "verbose": 0}
            model.fit(batched(), epochs=end, **options)
        return model.get_weights()

    for a, b in zip(trained((1, 3), "cut"), trained((3,), "whole"), strict=True):
        np.testing.assert_array_equal(a, b)


def test_processes_take_their_rows_of_each_batch():
    whole = GrainBatches(batched())
    parts = [Share(whole, rank, 2) for rank in (0, 1)]
    for index in range(5):
        joined = np.concatenate([part[index] for part in parts])
        np.testing.assert_array_equal(joined, whole[index])


def test_what_repeats_for_ever_is_told_how_long():
    model = denoiser(noise())
    model.compile()
    with pytest.raises(ValueError, match=r"never ends. Received: an infinite grain.MapDataset"):
        model.fit(batched().repeat(), verbose=0)
    model.fit(batched().repeat(), steps_per_epoch=3, epochs=2, verbose=0)
    model.evaluate(batched().repeat(), steps=3, verbose=0)


def test_what_cannot_be_trained_on_is_refused():
    model = denoiser(noise())
    model.compile()
    loader = grain.load(PICTURES, batch_size=4, num_epochs=1)
    for data in (batched().to_iter_dataset(), loader):
        for use in (model.fit, model.evaluate):
            with pytest.raises(TypeError, match=r"`x` must .* random access.* grain.MapDataset.so"):
                use(data, verbose=0)
        with pytest.raises(TypeError, match="`validation_data` must be a dataset of Grain with"):
            model.fit(PICTURES, validation_data=data, verbose=0)
    with pytest.raises(ValueError, match="must give batches of pictures. Received: single pict"):
        model.fit(grain.MapDataset.source(PICTURES), verbose=0)
    with pytest.raises(ValueError, match="must be floating point"):
        model.fit(batched((PICTURES * 255).astype("uint8")), verbose=0)
    broken = PICTURES.copy()
    broken[20] = 7.0
    for _ in range(2):
        with pytest.raises(ValueError, match=r"must lie in \[0, 1\]. Received: values from"):
            model.fit(grain.MapDataset.source(broken).batch(2), verbose=0)
    model.fit(batched(), verbose=0)  # nothing is left of it


@pytest.mark.parametrize("endless", [False, True])
def test_callbacks_show_its_first_pictures(endless):
    data = batched(PICTURES)
    expected = np.concatenate([data[0], data[1]])[:6]
    assert np.array_equal(first_batch(data.repeat() if endless else data, 6).clean, expected)
    assert len(first_batch(data, 100).clean) == len(PICTURES)
    pairs = batched([(p / 2, p) for p in PICTURES])
    shown = callbacks.BeforeAfter(pairs, n=3)
    assert np.array_equal(shown._given, shown.clean / 2)


def test_what_is_not_of_grain_stays_as_it_is():
    assert from_grain(PICTURES, "x") is PICTURES
