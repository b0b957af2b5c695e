"""Callbacks: what they show, where they write it, and that training does not notice them."""

import importlib.util
import os
import random
import sys
import types

import keras
import numpy as np
import pytest
from PIL import Image

from keras_imgen import GAN, VAE, Restorer, load_arrays, networks
from keras_imgen.callbacks import (
    BeforeAfter,
    EpochFigure,
    LatentTraversal,
    SampleGrid,
    TrainingGif,
    TrainingHealth,
)
from keras_imgen.callbacks.first import first_batch
from keras_imgen.callbacks.traversal import on_arc, on_line
from keras_imgen.data import PictureDataset, to_uint8
from keras_imgen.degradations import AdditiveNoise, MissingFrames
from keras_imgen.plotting import image_grid, plot_latent_map, plot_manifold, plot_sequence
from keras_imgen.plotting.figures import figure_pixels

# What is being tested does not depend on the size of the pictures or of the networks.
QUIET = {"verbose": 0, "batch_size": 5}
# Nor, mostly, on whether the step is compiled, which takes longer than so few steps.
EAGER = {"run_eagerly": True}


@pytest.fixture
def make_gan():
    def make(**compile_options):
        keras.utils.set_random_seed(0)
        gan = GAN(
            networks.dcgan_generator((12, 20, 1), latent_dim=3, filters=2),
            networks.dcgan_discriminator((12, 20, 1), filters=2),
            seed=0,
        )
        gan.compile(**compile_options)
        return gan

    return make


def show(callback, model, epochs=1):
    """Call a callback as a training does that changes nothing."""
    callback.set_model(model)
    callback.on_train_begin()
    for epoch in range(epochs):
        callback.on_epoch_end(epoch)
    callback.on_train_end()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


def state(model):
    """Return everything in a model that training changes, random generators included."""
    variables = [*model.variables]
    for name in ("optimizer", "generator_optimizer", "discriminator_optimizer"):
        variables += getattr(getattr(model, name, None), "variables", [])
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


# Files


def test_files_are_named_after_epochs(make_vae, pictures, tmp_path):
    folder = tmp_path / "run" / "samples"
    show(SampleGrid(folder, n=4, every=2), make_vae(), epochs=5)
    assert names(folder) == ["epoch_0002.png", "epoch_0004.png"]


def test_a_resumed_training_goes_on_with_the_names(make_vae, pictures, tmp_path):
    vae, callback = make_vae(**EAGER), SampleGrid(tmp_path, n=4)
    vae.fit(pictures, epochs=1, callbacks=[callback], **QUIET)
    vae.fit(pictures, epochs=3, initial_epoch=1, callbacks=[callback], **QUIET)
    assert names(tmp_path) == ["epoch_0001.png", "epoch_0002.png", "epoch_0003.png"]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_sample_grid_is_written_exactly(make_vae, tmp_path, channels):
    vae = make_vae((8, 11, channels))
    callback = SampleGrid(tmp_path, n=5, columns=3, scale=2, seed=7)
    show(callback, vae)
    grid = to_uint8(image_grid(vae.sample(5, seed=7), 3)).repeat(2, 0).repeat(2, 1)
    np.testing.assert_array_equal(callback.image, grid)
    np.testing.assert_array_equal(pixels(tmp_path / "epoch_0001.png").reshape(grid.shape), grid)


def test_of_a_conditional_gan_each_column_shows_a_class(tmp_path):
    gan = GAN(
        networks.dcgan_generator((8, 9, 1), latent_dim=3, filters=2, num_classes=3),
        networks.dcgan_discriminator((8, 9, 1), filters=2, num_classes=3),
    )
    callback = SampleGrid(tmp_path, scale=1, seed=7)
    show(callback, gan)
    samples = gan.sample(8 * 3, labels=[0, 1, 2] * 8, seed=7)
    np.testing.assert_array_equal(callback.image, to_uint8(image_grid(samples, 3)))


def test_without_a_folder_nothing_is_written(make_vae, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    callback = SampleGrid(n=4)
    show(callback, make_vae())
    assert callback.image is not None
    assert names(tmp_path) == []


# Samples


@pytest.mark.parametrize("kind", ["vae", "gan"])
def test_latents_are_the_same_in_every_epoch(request, pictures, tmp_path, kind):
    model = request.getfixturevalue(f"make_{kind}")(**EAGER)
    callback = SampleGrid(tmp_path, n=4)
    show(callback, model, epochs=2)
    first, second = (pixels(tmp_path / f"epoch_000{epoch}.png") for epoch in (1, 2))
    np.testing.assert_array_equal(first, second)
    assert first.std() > 0
    model.fit(pictures, epochs=3, initial_epoch=2, callbacks=[callback], **QUIET)
    assert np.any(pixels(tmp_path / "epoch_0003.png") != first)


def test_pictures_are_shown_beside_their_reconstructions(make_vae, pictures):
    vae, callback = make_vae(), SampleGrid(pictures=pictures, n=3, columns=2, scale=1)
    show(callback, vae)
    again = vae.reconstruct(pictures[:3])
    expected = image_grid([x for pair in zip(pictures, again, strict=False) for x in pair], 4)
    np.testing.assert_array_equal(callback.image, to_uint8(expected))


def conditional_vae(num_classes=3):
    keras.utils.set_random_seed(0)
    sizes = {"units": (6,), "num_classes": num_classes}
    encoder = networks.dense_vae_encoder((12, 20, 1), 2, **sizes)
    vae = VAE(encoder, networks.dense_vae_decoder((12, 20, 1), 2, **sizes), seed=0)
    vae.compile(**EAGER)
    return vae


def labelled(pictures, labels, kind):
    """Return pictures with their labels in one of the forms that a training takes them in."""
    import tensorflow as tf

    sliced = tf.data.Dataset.from_tensor_slices
    return {
        "pair": lambda: (pictures, labels),
        "list": lambda: (pictures, labels.tolist()),
        "dataset": lambda: load_arrays(pictures, labels=labels, shuffle=True, batch_size=2),
        "tensors": lambda: sliced((pictures, labels)).batch(2),
        "named": lambda: sliced({"image": pictures, "label": labels}).batch(4),
    }[kind]()


@pytest.mark.parametrize("kind", ["pair", "list", "dataset", "tensors", "named"])
def test_a_conditional_vae_is_told_the_labels_of_what_it_is_shown(pictures, kind):
    vae, labels = conditional_vae(), np.arange(10) % 3
    callback = SampleGrid(pictures=labelled(pictures, labels, kind), n=5, columns=2, scale=1)
    show(callback, vae)
    again = vae.reconstruct(pictures[:5], labels[:5])
    expected = image_grid([x for pair in zip(pictures, again, strict=False) for x in pair], 4)
    np.testing.assert_array_equal(callback.image, to_uint8(expected))


def test_of_crops_each_has_the_label_of_its_picture():
    pictures = np.zeros((3, 6, 6, 1), "float32") + np.arange(3).reshape(3, 1, 1, 1) / 4
    dataset = PictureDataset(pictures.astype("float32"), [5, 6, 7], crop_size=(4, 4), crops=2)
    batch = first_batch(dataset, 5)
    np.testing.assert_array_equal(batch.labels, [5, 6, 7, 5, 6])
    np.testing.assert_allclose(batch.clean[:, 0, 0, 0] * 4 + 5, batch.labels)


def test_labels_that_are_missing_are_missed_at_once(pictures):
    with pytest.raises(ValueError, match=r"`pictures` alone, for a VAE of 3 classes. Pass load\("):
        show(SampleGrid(pictures=pictures), conditional_vae())


@pytest.mark.parametrize("kind", ["pair", "tensors"])
def test_a_model_without_classes_does_not_mind_labels(make_vae, pictures, kind):
    callback = SampleGrid(pictures=labelled(pictures, np.arange(10), kind), n=2)
    alone = SampleGrid(pictures=pictures, n=2)
    for each in (callback, alone):
        show(each, make_vae())
    np.testing.assert_array_equal(callback.image, alone.image)


# Whatever a function draws


def test_what_a_function_draws_is_written(make_vae, tmp_path):
    vae, asked = make_vae(), []

    def draw(model):
        asked.append(model)
        return plot_manifold(model, n=2)

    show(EpochFigure(draw, tmp_path, every=2), vae, epochs=4)
    assert asked == [vae] * 3  # at the beginning, to see whether it works, and twice
    assert names(tmp_path) == ["epoch_0002.png", "epoch_0004.png"]
    expected = figure_pixels(plot_manifold(vae, n=2))
    np.testing.assert_array_equal(pixels(tmp_path / "epoch_0002.png"), expected)


def test_a_function_may_return_axes(make_vae, pictures):
    labels = np.arange(10) % 3
    callback = EpochFigure(lambda model: plot_latent_map(model, pictures, labels))
    show(callback, make_vae())
    expected = figure_pixels(plot_latent_map(make_vae(), pictures, labels).figure)
    np.testing.assert_array_equal(callback.image, expected)


def test_a_function_that_draws_nothing_is_refused(make_vae):
    with pytest.raises(TypeError, match="plotting.plot_manifold. Received: function='plane'"):
        EpochFigure("plane")
    for drawn in (None, np.zeros((3, 3)), [1]):
        with pytest.raises(TypeError, match="figure or axes of matplotlib. Received: a"):
            show(EpochFigure(lambda model, drawn=drawn: drawn), make_vae())


# Walks between latents


def latents_of(model, **options):
    callback = LatentTraversal(**options)
    callback.set_model(model)
    return callback.latents()


def normal(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def test_an_arc_keeps_the_length_and_turns_evenly():
    start, end = normal(2, 64)
    end *= np.linalg.norm(start) / np.linalg.norm(end)
    walk = on_arc(start, end, 9)
    np.testing.assert_allclose(np.linalg.norm(walk, axis=1), np.linalg.norm(start), rtol=1e-5)
    steps = np.linalg.norm(np.diff(walk, axis=0), axis=1)
    np.testing.assert_allclose(steps, steps[0], rtol=1e-5)
    # The straight line does not: half-way between strangers a third of the length is lost.
    middle = np.linalg.norm(on_line(start, end, 9)[4]) / np.linalg.norm(start)
    assert middle == pytest.approx(np.sqrt(0.5), abs=0.1)
    quarter = on_arc(np.array([1.0, 0.0]), np.array([0.0, 1.0]), 3)
    np.testing.assert_allclose(quarter[1], [np.sqrt(0.5)] * 2, rtol=1e-6)


@pytest.mark.parametrize("between", [on_arc, on_line])
def test_walks_begin_and_end_exactly(between):
    for start, end in (normal(2, 64), normal(2, 1), [normal(3)] * 2, [normal(3), -normal(3)]):
        walk = between(start, end, 5)
        assert walk.shape == (5, len(start))
        assert np.all(np.isfinite(walk))
        np.testing.assert_allclose(walk[[0, -1]], [start, end], rtol=1e-6, atol=1e-7)


def test_an_arc_between_unequal_lengths_goes_evenly_from_one_to_the_other():
    start, end = normal(2, 8)
    lengths = np.linalg.norm(on_arc(start, 3.0 * end, 5), axis=1)
    expected = np.linspace(np.linalg.norm(start), 3.0 * np.linalg.norm(end), 5)
    np.testing.assert_allclose(lengths, expected, rtol=1e-5)


def test_on_an_axis_one_variable_changes(make_gan):
    walks = latents_of(make_gan(), along="axis", rows=3, columns=5)
    for row, walk in enumerate(walks):
        np.testing.assert_allclose(walk[:, row], [-2, -1, 0, 1, 2], atol=1e-6)
        others = [variable for variable in range(3) if variable != row]
        assert np.ptp(walk[:, others], axis=0).max() < 1e-6
    assert walks[0, 0, 2] == walks[1, 0, 2] != 0.0


@pytest.mark.parametrize("kind", ["vae", "gan"])
@pytest.mark.parametrize("along", ["arc", "line", "axis"])
def test_walks_are_drawn_exactly(request, tmp_path, kind, along):
    model = request.getfixturevalue(f"make_{kind}")()
    callback = LatentTraversal(tmp_path, rows=2, columns=3, along=along, seed=5)
    show(callback, model, epochs=2)
    walks = latents_of(model, rows=2, columns=3, along=along, seed=5)
    shown = np.concatenate([model.predict_latents(walk) for walk in walks])
    grid = to_uint8(image_grid(shown, 3)).repeat(2, 0).repeat(2, 1)
    np.testing.assert_array_equal(callback.image, grid)
    first, second = (pixels(tmp_path / f"epoch_000{epoch}.png") for epoch in (1, 2))
    np.testing.assert_array_equal(first, second)
    if along != "axis":
        other = latents_of(model, rows=2, columns=3, along=along, seed=6)
        assert np.any(other != walks)


def test_each_row_of_a_conditional_model_keeps_one_label(make_gan):
    asked = []

    def predict_latents(latents, labels):
        asked.append(labels.tolist())
        return np.zeros((len(latents), 12, 20, 1), "float32")

    model = make_gan()
    model.num_classes, model.predict_latents = 2, predict_latents
    show(LatentTraversal(rows=3, columns=2), model)
    assert asked[-3:] == [[0, 0], [1, 1], [0, 0]]


# Before and after


@pytest.mark.parametrize("dataset", [False, True])
def test_before_and_after_shows_held_out_pictures(make_restorer, pictures, tmp_path, dataset):
    held_out = load_arrays(pictures, shuffle=False) if dataset else pictures
    restorer, callback = make_restorer(**EAGER), BeforeAfter(held_out, tmp_path, n=2)
    restorer.fit(pictures, epochs=2, callbacks=[callback], **QUIET)
    np.testing.assert_array_equal(callback.clean, pictures[:2])
    fixed = AdditiveNoise(0.1, seed=0)(pictures[:2])
    np.testing.assert_array_equal(callback.observed, keras.ops.convert_to_numpy(fixed))
    assert names(tmp_path) == ["epoch_0001.png", "epoch_0002.png"]
    first, second = (pixels(tmp_path / name) for name in names(tmp_path))
    assert first.shape == second.shape
    assert np.any(first != second)
    columns = first.shape[1]
    # Only what is restored changes: observed on the left and clean on the right stay.
    np.testing.assert_array_equal(first[:, : columns // 4], second[:, : columns // 4])
    np.testing.assert_array_equal(first[:, -columns // 4 :], second[:, -columns // 4 :])


def test_sequences_are_shown_as_strips(make_restorer, tmp_path):
    sequences = np.random.default_rng(0).random((4, 3, 12, 20, 1), "float32")
    restorer = make_restorer(
        networks.conv_lstm((12, 20, 1), extra_channels=1, filters=2), MissingFrames(1, seed=0)
    )
    callback = BeforeAfter(sequences, tmp_path, n=2)
    show(callback, restorer)
    strips = plot_sequence(callback.observed, restorer.restore(callback.observed), sequences[:2])
    np.testing.assert_array_equal(pixels(tmp_path / "epoch_0001.png"), figure_pixels(strips))


# Training does not notice


@pytest.mark.parametrize("kind", ["vae", "gan", "restorer"])
def test_training_is_not_disturbed(request, pictures, tmp_path, kind):
    make = request.getfixturevalue(f"make_{kind}")
    if kind == "restorer":
        callbacks = [BeforeAfter(pictures, tmp_path, n=2)]
    else:
        callbacks = [SampleGrid(tmp_path, n=4), LatentTraversal(rows=2, columns=2)]
    if kind == "vae":
        callbacks.append(SampleGrid(pictures=pictures, n=2))
    runs = []
    for shown in (callbacks, []):
        model = make()
        history = model.fit(pictures, epochs=2, callbacks=shown, **QUIET)
        runs.append((state(model), history.history, random.random(), keras.random.uniform(())))
    (watched, *watched_logs), (alone, *alone_logs) = runs
    assert len(watched) == len(alone) > 10
    for first, second in zip(watched, alone, strict=True):
        np.testing.assert_array_equal(first, second)
    assert watched_logs == alone_logs  # nor do the global random generators


# GIF


def write_frames(folder, frames):
    folder.mkdir()
    for epoch, frame in enumerate(frames, start=1):
        Image.fromarray(frame).save(folder / f"epoch_{epoch:04d}.png")


def gif_frames(path):
    with Image.open(path) as gif:
        for index in range(gif.n_frames):
            gif.seek(index)
            yield np.asarray(gif.convert("RGB")), gif.info["duration"], gif.info.get("loop")


@pytest.mark.parametrize("shape", [(12, 20), (12, 20, 3)])
def test_a_gif_has_every_picture_once_and_loops(tmp_path, shape):
    frames = [np.full(shape, level, "uint8") for level in (0, 60, 120, 180, 255)]
    write_frames(tmp_path / "samples", frames)
    TrainingGif(tmp_path / "samples", seconds=0.2).on_train_end()
    written = list(gif_frames(tmp_path / "samples.gif"))
    assert [int(frame.mean()) for frame, *_ in written] == [0, 60, 120, 180, 255]
    assert [duration for _, duration, _ in written] == [200, 200, 200, 200, 600]
    assert {loop for *_, loop in written} == {0}  # for ever


def test_a_gif_keeps_grey_levels(tmp_path):
    ramp = np.arange(240, dtype="uint8").reshape(12, 20)
    write_frames(tmp_path / "samples", [ramp, ramp[::-1]])
    TrainingGif(tmp_path / "samples", tmp_path / "new" / "film.gif").on_train_end()
    for (frame, *_), expected in zip(
        gif_frames(tmp_path / "new" / "film.gif"), (ramp, ramp[::-1]), strict=True
    ):
        np.testing.assert_allclose(frame[..., 0].astype(int), expected, atol=1)
        assert np.all(frame == frame[..., :1])


def test_a_gif_is_made_when_training_ends(make_vae, pictures, tmp_path):
    folder = tmp_path / "samples"
    callbacks = [SampleGrid(folder, n=4), TrainingGif(folder)]
    make_vae(**EAGER).fit(pictures, epochs=3, callbacks=callbacks, **QUIET)
    assert len(list(gif_frames(tmp_path / "samples.gif"))) == 3


def film(folder, epochs):
    """Return the mean grey of each frame after a training that writes one frame per epoch."""
    gif = TrainingGif(folder)
    gif.set_params({"epochs": epochs[-1] + 1 if epochs else 3})
    gif.on_train_begin()
    for epoch in epochs:
        gif.on_epoch_begin(epoch)
        Image.new("L", (8, 8), 40 * (epoch + 1)).save(folder / f"epoch_{epoch + 1:04d}.png")
    gif.on_train_end()
    return [int(frame.mean()) for frame, *_ in gif_frames(folder.with_suffix(".gif"))]


def test_frames_of_an_earlier_training_are_not_joined(tmp_path):
    folder = tmp_path / "samples"
    write_frames(folder, [np.full((12, 20), level, "uint8") for level in (10, 20, 30, 255)])
    assert film(folder, [0]) == [40]  # begun anew, and shorter
    assert film(folder, [2]) == [40, 20, 120]  # gone on with, after two epochs
    assert film(folder, []) == [40, 20, 120]  # had ended


def test_a_film_may_have_more_frames_than_files_may_be_open(tmp_path):
    import resource

    write_frames(tmp_path / "samples", [np.full((8, 8), i % 256, "uint8") for i in range(40)])
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = max(int(name) for name in os.listdir("/dev/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 20, limits[1]))
    try:
        TrainingGif(tmp_path / "samples").on_train_end()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert len(list(gif_frames(tmp_path / "samples.gif"))) == 40


def unseen(shape):
    """Return a compiled Restorer of pictures that cannot be shown, and such pictures."""
    network = networks.dncnn((None, None, 4), depth=3, filters=2)
    model = Restorer(network, AdditiveNoise(0.1))
    model.compile(run_eagerly=True)
    return model, np.full((2, 8, 8, 4), 0.5, "float32")


def test_what_cannot_be_shown_is_refused_before_the_first_epoch(tmp_path):
    model, pictures = unseen(4)
    before = model.get_weights()
    with pytest.raises(ValueError, match="1 or 3 channels"):
        model.fit(pictures, callbacks=[BeforeAfter(pictures)], **QUIET)
    shape = (8, 8, 2)
    gan = GAN(
        networks.dcgan_generator(shape, latent_dim=2, filters=2),
        networks.dcgan_discriminator(shape, filters=2),
    )
    gan.compile(run_eagerly=True)
    begun = gan.get_weights()
    for callback in (SampleGrid(tmp_path), LatentTraversal(tmp_path, columns=2, rows=1)):
        with pytest.raises(ValueError, match="1 or 3 channels"):
            gan.fit(pictures[..., :2], callbacks=[callback], **QUIET)
    for old, new in ((before, model.get_weights()), (begun, gan.get_weights())):
        assert all(map(np.array_equal, old, new))
    assert names(tmp_path) == []


class Held(keras.utils.PyDataset):
    def __init__(self, values):
        super().__init__()
        self.values = values

    def __len__(self):
        return 5

    def __getitem__(self, index):
        return (self.values[2 * index : 2 * index + 2],)


def streamed(values):
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((values, np.arange(len(values)))).batch(2)


@pytest.mark.parametrize("held", [Held, streamed], ids=["own", "stream"])
def test_callbacks_take_any_dataset(held, pictures):
    dataset = held(pictures)
    np.testing.assert_array_equal(BeforeAfter(dataset, n=3).clean, pictures[:3])
    np.testing.assert_array_equal(SampleGrid(pictures=dataset, n=5).pictures, pictures[:5])
    np.testing.assert_array_equal(TrainingHealth(dataset).pictures, pictures)
    with pytest.raises(ValueError, match=r"to_float"):
        BeforeAfter(held((pictures * 255).astype("uint8")))


def test_a_gif_of_nothing_is_explained(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no picture to join.* SampleGrid or BeforeAfter"):
        TrainingGif(tmp_path / "none").on_train_end()


# Errors


def test_models_that_cannot_be_shown_are_refused(make_gan, make_vae, make_restorer, pictures):
    for model, callback, advice in (
        (make_restorer(), SampleGrid(), "Received: a Restorer. For a Restorer use BeforeAfter"),
        (make_gan(), SampleGrid(pictures=pictures), "with `pictures` a VAE.* Received: a GAN"),
        (make_restorer(), LatentTraversal(), "VAE or Diffusion. Received: a Restorer.*BeforeAfter"),
        (make_vae(), LatentTraversal(along="axis"), "`rows` is .* rows=6 for a model of 2"),
        (make_vae(), BeforeAfter(pictures), "Received: a VAE. For a GAN or a VAE use SampleGrid"),
    ):
        with pytest.raises(ValueError, match=advice):
            model.fit(pictures, callbacks=[callback], **QUIET)


@pytest.mark.parametrize(
    ("make", "advice"),
    [
        (lambda: SampleGrid(every=0), "`every` must be a whole number, at least 1. Rec.* every=0"),
        (lambda: SampleGrid(n=2.5), "`n` must be a whole number, at least 1. Received: n=2.5"),
        (lambda: SampleGrid(n="x"), "`n` must be a whole number, at least 1. Received: n='x'"),
        (lambda: SampleGrid(every=[]), r"every=\[\]"),
        (lambda: SampleGrid(columns=1.5), "`columns` must be a whole number"),
        (lambda: LatentTraversal(rows=0), "`rows` must be a whole number"),
        (lambda: LatentTraversal(columns=1), "`columns` must be a whole number, at least 2"),
        (lambda: LatentTraversal(along="x"), "`along` must be .* along='x'. .* take the arc"),
        (lambda: SampleGrid(seed=-1), "`seed` must be a whole number"),
        (lambda: SampleGrid(seed=10**30), "`seed` must be .* at most 9223372036854775807"),
        (lambda: TrainingGif("a", seconds="x"), "`seconds` must be a number .* seconds='x'"),
        (lambda: TrainingGif(""), "`folder` must have a name. Received: folder=''"),
        (lambda: SampleGrid(scale=0), "`scale` must be a whole number, at least 1"),
        (lambda: SampleGrid(pictures=np.zeros((2, 12, 20), "float32")), "channel axis"),
        (lambda: BeforeAfter(np.full((2, 12, 20, 1), 255.0)), "by 255"),
        (lambda: BeforeAfter(np.zeros((2, 12, 20, 1)), n=0), "`n` must be a whole number"),
    ],
)
def test_arguments_are_explained(make, advice):
    with pytest.raises(ValueError, match=advice):
        make()


@pytest.mark.parametrize("folder", [3, b"samples", ["samples"], 1.5])
def test_what_is_no_folder_is_refused(folder):
    for callback in (SampleGrid, TrainingGif):
        with pytest.raises(TypeError, match="`folder` must be a path, .* Received: folder="):
            callback(folder)


# TensorBoard


@pytest.mark.parametrize("package", ["tensorboard", "tensorflow"])
def test_a_missing_tensorboard_is_explained(package, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else 1)
    for make in (SampleGrid, lambda **options: BeforeAfter(np.zeros((2, 12, 20, 1)), **options)):
        with pytest.raises(ImportError, match=f"Install it with `pip install {package}`"):
            make(tensorboard="logs")
    SampleGrid()  # which does without


def test_tensorboard_gets_each_picture(make_vae, pictures, tmp_path, monkeypatch):
    import tensorflow as tf

    logged = []
    found = importlib.util.find_spec

    def find_spec(name, *args):
        return True if name == "tensorboard" else found(name, *args)

    def log(name, data, step):
        logged.append((name, data, step))

    summary = types.SimpleNamespace(create_file_writer=tf.summary.create_file_writer, image=log)
    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    monkeypatch.setattr(tf, "summary", summary)
    vae, callback = make_vae(), SampleGrid(n=4, tensorboard=tmp_path / "logs")
    for _ in range(2):  # a second training writes again
        show(callback, vae, epochs=2)
    assert [step for *_, step in logged] == [0, 1, 0, 1]
    assert {name for name, *_ in logged} == {"SampleGrid"}
    np.testing.assert_array_equal(logged[-1][1], callback.image[None])
    assert len(names(tmp_path / "logs")) == 2  # one file each


# Notebooks


class FakeDisplay:
    """Stands for `IPython.display`: counts displays and what each of them shows."""

    def __init__(self, monkeypatch):
        self.displays = []
        module = types.ModuleType("IPython.display")
        module.display = self.display
        monkeypatch.setitem(sys.modules, "IPython.display", module)

    def display(self, image, display_id, metadata):
        assert display_id is True
        assert metadata["image/png"]["alt"].endswith(" after epoch 1.")
        shown = [np.asarray(image)]
        self.displays.append(shown)
        return types.SimpleNamespace(update=lambda image, metadata: shown.append(np.asarray(image)))


def test_a_notebook_shows_one_picture_that_changes(make_vae, pictures, monkeypatch):
    pytest.importorskip("IPython")
    fake, vae, callback = FakeDisplay(monkeypatch), make_vae(), SampleGrid(n=4, show=True)
    show(callback, vae, epochs=3)
    assert [len(shown) for shown in fake.displays] == [3]
    np.testing.assert_array_equal(fake.displays[0][-1], callback.image[..., 0])
    # The next training is another cell, and shows another picture.
    show(callback, vae, epochs=2)
    assert [len(shown) for shown in fake.displays] == [3, 2]


def test_pictures_are_shown_by_default_in_notebooks_only(monkeypatch):
    ipython = pytest.importorskip("IPython")
    assert not SampleGrid().show
    for shell, expected in (
        (types.SimpleNamespace(kernel=None), True),
        (types.SimpleNamespace(), False),
    ):
        monkeypatch.setattr(ipython, "get_ipython", lambda shell=shell: shell)
        assert SampleGrid().show is expected
        assert SampleGrid(show=not expected).show is not expected
