"""What every model, network, degradation, callback and metric keeps, by lists of all of them.

The lists are guarded: a public class or function that is missing from them fails a test.
"""

import inspect
import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_imgen
from keras_imgen import (
    GAN,
    VAE,
    Diffusion,
    Restorer,
    callbacks,
    data,
    degradations,
    losses,
    metrics,
    networks,
    plotting,
)

SHAPE = (12, 20, 1)
COLOUR = (12, 20, 3)
FRAMES = (3, 12, 20, 1)
Adam, SGD = keras.optimizers.Adam, keras.optimizers.SGD


def pictures(shape=SHAPE, count=10, seed=0):
    return np.random.default_rng(seed).random((count, *shape), "float32")


# ---- the lists ----


def gan(**options):
    generator = networks.dcgan_generator(SHAPE, latent_dim=3, filters=4)
    discriminator = networks.dcgan_discriminator(SHAPE, 4, dropout=0.3, batch_norm=False)
    model = GAN(generator, discriminator, ema_momentum=0.9, seed=1)
    optimizers = Adam(1e-3, beta_1=0.5), SGD(4e-3, momentum=0.9)
    variants = {"critic_steps": 2, "penalty": losses.R1(2.0)}
    model.compile(*optimizers, loss="hinge", **variants, **options)
    return model


def vae(**options):
    encoder = networks.vae_encoder(SHAPE, latent_dim=2, filters=4)
    observed = keras.Input(SHAPE)
    dropped = keras.layers.Dropout(0.2, seed=3)(observed)
    encoder = keras.Model(observed, encoder(dropped))
    decoder = networks.vae_decoder(SHAPE, latent_dim=2, filters=4)
    prior = networks.FlowPrior(2, num_layers=2, units=4)
    model = VAE(encoder, decoder, prior, kl_weight=0.5, kl_warm_up=3, seed=1)
    model.compile(Adam(3e-3), loss="gaussian", **options)
    return model


def diffusion_network():
    network = networks.diffusion_unet(SHAPE, (4,))
    for weight in network.trainable_weights:  # the last layers begin with zeros
        values = 0.1 * np.random.default_rng(len(weight.shape)).standard_normal(weight.shape)
        weight.assign(weight + values.astype("float32"))
    return network


def diffusion(**options):
    network = diffusion_network()
    inputs = [keras.layers.Dropout(0.2, seed=3)(network.inputs[0]), network.inputs[1]]
    network = keras.Model(network.inputs, network(inputs))
    model = Diffusion(network, ema_momentum=0.9, seed=1)
    model.compile(Adam(3e-3), **options)
    return model


def denoiser(**options):
    network = networks.dncnn(COLOUR, depth=3, filters=4)  # with batch normalisation
    noise = degradations.AdditiveNoise((0.05, 0.2), seed=2)
    model = Restorer(network, noise, seed=1)
    model.compile(Adam(2e-3), loss="mae", **options)
    return model


def inpainter(**options):
    network = networks.unet(SHAPE, extra_channels=1, depth=2, filters=4)
    noise, holes = degradations.AdditiveNoise(0.1, seed=2), degradations.MissingPixels(0.3, seed=3)
    model = Restorer(network, degradations.Compose([noise, holes]), keep_known=True, seed=1)
    metrics = [keras_imgen.metrics.PSNR(), keras_imgen.metrics.SSIM()]
    model.compile(SGD(0.01, momentum=0.9), metrics=metrics, **options)
    return model


def sequence_restorer(**options):
    network = networks.conv_lstm(SHAPE, extra_channels=1, filters=2, causal=True)
    model = Restorer(network, degradations.MissingFrames(1, seed=2), seed=1)
    model.compile(**options)
    return model


MODELS = {
    "gan": (gan, SHAPE),
    "vae": (vae, SHAPE),
    "diffusion": (diffusion, SHAPE),
    "denoiser": (denoiser, COLOUR),
    "inpainter": (inpainter, SHAPE),
    "sequence_restorer": (sequence_restorer, FRAMES),
}
LOGS = {
    "gan": {"generator_loss", "discriminator_loss", "discriminator_accuracy", "penalty"},
    "vae": {"loss", "reconstruction_loss", "kl_loss"},
    "diffusion": {"loss"},
    "denoiser": {"loss", "psnr"},
    "inpainter": {"loss", "psnr", "ssim"},
    "sequence_restorer": {"loss", "psnr"},
}
NETWORKS = {
    "dcgan_generator": lambda: networks.dcgan_generator(COLOUR, latent_dim=3, filters=4),
    "dcgan_discriminator": lambda: networks.dcgan_discriminator(COLOUR, filters=4),
    "resnet_generator": lambda: networks.resnet_generator(COLOUR, latent_dim=3, filters=4),
    "resnet_discriminator": lambda: networks.resnet_discriminator(COLOUR, filters=4),
    "vae_encoder": lambda: networks.vae_encoder(COLOUR, latent_dim=3, filters=4),
    "vae_decoder": lambda: networks.vae_decoder(COLOUR, latent_dim=3, filters=4),
    "dense_vae_encoder": lambda: networks.dense_vae_encoder(COLOUR, 3, (4,)),
    "dense_vae_decoder": lambda: networks.dense_vae_decoder(COLOUR, 3, (4,), variance="each"),
    "resnet_vae_encoder": lambda: networks.resnet_vae_encoder(COLOUR, 3, filters=4),
    "resnet_vae_decoder": lambda: networks.resnet_vae_decoder(COLOUR, 3, 4, variance="one"),
    "diffusion_unet": lambda: networks.diffusion_unet(COLOUR, (4, 6)),
    "dncnn": lambda: networks.dncnn(COLOUR, depth=4, filters=4),
    "drunet": lambda: networks.drunet((None, None, 3), filters=(4, 6), num_blocks=1, block_size=2),
    "unet": lambda: networks.unet((None, None, 3), extra_channels=1, depth=2, filters=4),
    "conv_lstm": lambda: networks.conv_lstm(COLOUR, filters=2),
}
DEGRADATIONS = {
    "AdditiveNoise": lambda: degradations.AdditiveNoise((0.1, 0.2), append_level=0.5, seed=5),
    "PoissonNoise": lambda: degradations.PoissonNoise((0.0, 0.1), append_level=True, seed=5),
    "SaltAndPepper": lambda: degradations.SaltAndPepper(0.2, seed=5),
    "Blur": lambda: degradations.Blur((0.0, 1.5), seed=5),
    "MotionBlur": lambda: degradations.MotionBlur(4.0, seed=5),
    "Downsample": lambda: degradations.Downsample(3, seed=5),
    "Mosaic": lambda: degradations.Mosaic("GRBG", seed=5),
    "JpegCompression": lambda: degradations.JpegCompression((10, 50), seed=5),
    "MissingPixels": lambda: degradations.MissingPixels((0.1, 0.5), seed=5),
    "MissingBlocks": lambda: degradations.MissingBlocks((0.1, 0.5), 3, seed=5),
    "MissingFrames": lambda: degradations.MissingFrames(1, seed=5),
    "Flicker": lambda: degradations.Flicker((0.1, 0.3), append_level=True, seed=5),
    "Scratches": lambda: degradations.Scratches(2, 1.5, seed=5),
    "Persistent": lambda: degradations.Persistent(
        degradations.MissingBlocks(0.3, 4, seed=5), speed=(1.0, 2.0), seed=6
    ),
    "FreeFormHoles": lambda: degradations.FreeFormHoles((0.1, 0.5), 2, seed=5),
    "TextOverlay": lambda: degradations.TextOverlay("text", 9, seed=5),
    "OneOf": lambda: degradations.OneOf(
        [degradations.AdditiveNoise(0.1, seed=5), degradations.SaltAndPepper(0.1, seed=6)], seed=7
    ),
    "Compose": lambda: degradations.Compose(
        [degradations.AdditiveNoise(0.1, seed=5), degradations.MissingBlocks(0.3, 4, seed=6)]
    ),
}
CALLBACKS = {  # with the models that each is for
    "SampleGrid": (
        ("gan", "vae", "diffusion"),
        lambda folder, _: callbacks.SampleGrid(folder, n=2),
    ),
    "BeforeAfter": (
        ("denoiser", "inpainter", "sequence_restorer"),
        lambda folder, shape: callbacks.BeforeAfter(pictures(shape, 2), folder, n=1),
    ),
    "LatentTraversal": (
        ("gan", "vae", "diffusion"),
        lambda folder, _: callbacks.LatentTraversal(folder.parent / "walks", rows=2, columns=2),
    ),
    "EpochFigure": (
        ("gan", "vae", "diffusion"),
        lambda folder, _: callbacks.EpochFigure(
            lambda model: plotting.plot_images(model.sample(2, seed=0)), folder.parent / "figures"
        ),
    ),
    "TrainingHealth": (
        tuple(MODELS),
        lambda folder, _: callbacks.TrainingHealth(rollback=0.5, patience=9),
    ),
    "Resume": (tuple(MODELS), lambda folder, _: callbacks.Resume(folder.parent)),
    "TrainingGif": (tuple(MODELS), lambda folder, _: callbacks.TrainingGif(folder)),
}
METRICS = {"PSNR": metrics.psnr, "SSIM": metrics.ssim}  # means over pictures
COMPARISONS = {  # of sets of pictures, with the function of features that each rests on
    "FrechetDistance": (metrics.FrechetDistance, metrics.frechet_distance),
    "KernelDistance": (metrics.KernelDistance, metrics.kernel_distance),
    "PrecisionRecall": (metrics.PrecisionRecall, metrics.precision_recall),
}
EXTRACTORS = {
    "DigitFeatures": metrics.DigitFeatures,
    "Features": lambda: metrics.Features(tiny_network(SHAPE), "tiny"),
    "InceptionFeatures": None,  # needs a download: see test_metrics_comparisons.py
}


def tiny_network(image_shape):
    return keras.Sequential([keras.Input(image_shape), keras.layers.Conv2D(2, 3)])


def names_of(module, kind):
    members = {name: getattr(module, name) for name in module.__all__}
    return {name for name, member in members.items() if kind(member)}


def is_class(base):
    return lambda member: inspect.isclass(member) and issubclass(member, base)


def test_the_lists_are_complete():
    models = {type(build()).__name__ for build, _ in MODELS.values()}
    assert names_of(keras_imgen, is_class(keras.Model)) == models
    # The VAE has the one, conv_lstm the other.
    assert set(networks.__all__) == {*NETWORKS, "FlowPrior", "ConvLSTM"}
    classes = names_of(degradations, is_class(degradations.Degradation))
    assert classes - {"Degradation", "WithMask", "WithStrength"} == set(DEGRADATIONS)
    assert names_of(callbacks, is_class(keras.callbacks.Callback)) == set(CALLBACKS)
    assert names_of(metrics, is_class(keras.metrics.Metric)) == set(METRICS)
    assert names_of(metrics, is_class(metrics.Features)) == set(EXTRACTORS)
    assert names_of(metrics, inspect.isclass) == {
        *METRICS,
        *COMPARISONS,
        *EXTRACTORS,
        "ErrorBars",
        "LatentFigures",
        "Memorization",
    }
    formulas = {formula for _, formula in COMPARISONS.values()} | set(METRICS.values())
    formulas |= {metrics.memorization, metrics.nearest}  # see test_metrics_neighbors.py
    formulas.add(metrics.flicker)  # see test_metrics.py
    formulas |= {metrics.bits_per_dim, metrics.latent_figures}  # see test_metrics_latents.py
    assert {getattr(metrics, name) for name in names_of(metrics, inspect.isfunction)} == formulas


# ---- saving, in a new process and in this one ----


def optimizers_of(model):
    if hasattr(model, "generator_optimizer"):
        return [model.generator_optimizer, model.discriminator_optimizer]
    return [model.optimizer]


def state(model):
    """Return every weight, moment and random state of a model."""
    variables = [*model.trainable_variables, *model.non_trainable_variables]
    variables += [v for optimizer in optimizers_of(model) for v in optimizer.variables]
    return {f"variable {i}": keras.ops.convert_to_numpy(v) for i, v in enumerate(variables)}


def answer(model, clean):
    """Return what a model answers to the callbacks."""
    if hasattr(model, "restore"):
        return {"restored": model.restore(model.degradation(clean, training=False))}
    return {"sampled": model.sample(3, seed=0)}


LOAD_MODELS = """
import sys
{imports}
import numpy as np

{functions}

for name in sys.argv[1:]:
    clean = np.load(name + "_pictures.npy")
    model = keras.saving.load_model(name + ".keras")
    np.savez(name + "_loaded_state.npz", **state(model))
    np.savez(name + "_loaded_answer.npz", **answer(model, clean))
    model.fit(clean, batch_size=4, initial_epoch=2, epochs=4, verbose=0)
    np.savez(name + "_resumed_state.npz", **state(model))
"""
LOAD_NETWORKS = """
import sys
{imports}
import numpy as np

for name in sys.argv[1:]:
    network = keras.saving.load_model(name + ".keras")
    inputs = [*np.load(name + "_inputs.npz").values()]
    inputs = inputs if len(inputs) > 1 else inputs[0]
    np.save(name + "_outputs.npy", np.concatenate([np.ravel(y) for y in {outputs}]))
"""


def in_new_process(script, names, folder):
    """Start a Python that knows only the package and the files of a folder."""
    root = str(Path(keras_imgen.__file__).parents[1])
    command = [sys.executable, "-c", f"import sys; sys.path.append({root!r})\n{script}", *names]
    return subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)


def same(left, right):
    assert sorted(left) == sorted(right)
    for name in left:
        np.testing.assert_array_equal(left[name], right[name], err_msg=name)


class Snapshot(keras.callbacks.Callback):
    """Save the model after the second epoch of an uninterrupted training."""

    def __init__(self, path, clean):
        super().__init__()
        self.path, self.clean = path, clean

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1:
            self.model.save(self.path)
            self.state = state(self.model)
            self.answer = answer(self.model, self.clean)

    def on_train_end(self, logs=None):
        self.final_state = state(self.model)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """One uninterrupted training of four epochs for each model, saved after the second."""
    folder, records = tmp_path_factory.mktemp("models"), {}
    for name, (build, shape) in MODELS.items():
        clean = pictures(shape)
        np.save(folder / f"{name}_pictures.npy", clean)
        keras.utils.set_random_seed(0)
        model = build()
        snapshot = Snapshot(folder / f"{name}.keras", clean)
        history = model.fit(
            clean,
            batch_size=4,
            epochs=4,
            callbacks=[snapshot],
            validation_data=clean[:5],
            verbose=0,
        )
        records[name] = {"model": model, "snapshot": snapshot, "history": history.history}
    return folder, records


@pytest.fixture(scope="module")
def resumed(runs):
    """The models as another process loaded them, and trained them on."""
    folder, _ = runs
    functions = "\n".join(map(inspect.getsource, (optimizers_of, state, answer)))
    script = LOAD_MODELS.format(imports="import keras_imgen\nimport keras", functions=functions)
    process = in_new_process(script, MODELS, folder)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return folder


@pytest.fixture(scope="module")
def loaded(runs):
    """The models as this process loads them."""
    return {name: keras.saving.load_model(runs[0] / f"{name}.keras") for name in MODELS}


@pytest.mark.parametrize("name", MODELS)
def test_a_loaded_model_is_the_saved_one(name, runs, resumed, loaded):
    snapshot = runs[1][name]["snapshot"]
    same(state(loaded[name]), snapshot.state)
    same(np.load(resumed / f"{name}_loaded_state.npz"), snapshot.state)
    same(np.load(resumed / f"{name}_loaded_answer.npz"), snapshot.answer)


@pytest.mark.parametrize("name", MODELS)
def test_a_loaded_model_trains_on_as_if_nothing_had_happened(name, runs, resumed):
    # Dropout, batch normalisation, noise and data order included: not a bit may differ.
    _, records = runs
    same(np.load(resumed / f"{name}_resumed_state.npz"), records[name]["snapshot"].final_state)


@pytest.mark.parametrize("name", MODELS)
def test_a_loaded_model_is_compiled_as_the_saved_one(name, runs, loaded):
    model = runs[1][name]["model"]
    assert as_text(loaded[name].get_compile_config()) == as_text(model.get_compile_config())
    assert loaded[name].name == model.name
    # Not what "auto" came to on this machine: the file may be loaded on another.
    assert model.get_compile_config()["jit_compile"] == "auto"


def as_text(config):
    return json.dumps(config, sort_keys=True, default=repr)


def test_arguments_survive_saving(loaded):
    gan, vae, inpainter = loaded["gan"], loaded["vae"], loaded["inpainter"]
    assert (gan.ema_momentum, gan.seed, gan.critic_steps) == (0.9, 1, 2)
    assert isinstance(gan.adversarial_loss, losses.Hinge)
    assert isinstance(gan.penalty, losses.R1)
    assert (gan.penalty.weight, gan.penalty.every) == (2.0, 1)
    assert gan.generator_optimizer.beta_1 == 0.5
    assert gan.discriminator_optimizer.momentum == 0.9
    assert float(gan.discriminator_optimizer.learning_rate) == pytest.approx(4e-3, rel=1e-6)
    assert (type(vae.loss), vae.kl_weight) == (losses.Gaussian, 0.5)
    assert float(vae.optimizer.learning_rate) == pytest.approx(3e-3, rel=1e-6)
    assert (loaded["denoiser"].loss, inpainter.keep_known) == ("mae", True)
    assert inpainter.degradation.degradations[1].fraction == 0.3


def saved_parts(folder):
    """Save every network and degradation; return names, inputs and what they gave here."""
    parts = {name: build() for name, build in NETWORKS.items()}
    for name, build in DEGRADATIONS.items():
        clean = keras.Input(FRAMES)
        parts[name] = keras.Model(clean, build()(clean))
    expected = {}
    for name, part in parts.items():
        shapes = [[side or 13 for side in x.shape[1:]] for x in part.inputs]
        inputs = {f"input {i}": pictures(shape, 2) for i, shape in enumerate(shapes)}
        part.save(folder / f"{name}.keras")
        np.savez(folder / f"{name}_inputs.npz", **inputs)
        outputs = part([*inputs.values()] if len(inputs) > 1 else inputs["input 0"], training=False)
        outputs = outputs if isinstance(outputs, list | tuple) else [outputs]
        expected[name] = np.concatenate([np.ravel(output) for output in outputs])
    return expected


def test_networks_and_degradations_load_in_a_new_process(tmp_path, runs):
    # Here Keras is imported before the package, above after it: the order must not matter.
    expected = saved_parts(tmp_path)
    script = LOAD_NETWORKS.format(
        imports="import keras\nimport keras_imgen",
        outputs="keras.tree.flatten(network(inputs, training=False))",
    )
    for name in MODELS:
        (tmp_path / f"{name}.keras").write_bytes((runs[0] / f"{name}.keras").read_bytes())
    models = "; ".join(f"keras.saving.load_model('{name}.keras')" for name in MODELS)
    process = in_new_process(f"{script}\n{models}", expected, tmp_path)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    for name, outputs in expected.items():
        np.testing.assert_array_equal(np.load(tmp_path / f"{name}_outputs.npy"), outputs, name)


@pytest.mark.parametrize("name", MODELS)
def test_weights_files_hold_everything_that_training_needs(name, runs, tmp_path):
    model = runs[1][name]["model"]
    model.save_weights(tmp_path / "model.weights.h5")
    keras.utils.set_random_seed(99)
    other = MODELS[name][0]()
    other.load_weights(tmp_path / "model.weights.h5")
    same(state(other), state(model))


@pytest.mark.filterwarnings("ignore:Skipping")  # Keras's own word on it
def test_a_file_of_another_model_is_refused(runs, tmp_path):
    runs[1]["vae"]["model"].save_weights(tmp_path / "vae.weights.h5")
    with pytest.raises(ValueError, match="keras_imgen.load_model"):
        gan().load_weights(tmp_path / "vae.weights.h5")


class Crash(keras.callbacks.Callback):
    """Stop a training in the middle of an epoch, as a power cut does."""

    def on_train_batch_begin(self, batch, logs=None):
        if self.epoch == 2 and batch == 1:
            raise RuntimeError("power cut")

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch


@pytest.mark.parametrize("name", MODELS)
def test_a_crashed_training_resumes_and_callbacks_leave_it_alone(name, runs, tmp_path):
    # No validation here and no samples there: neither changes a bit of the result.
    build, shape = MODELS[name]
    keras.utils.set_random_seed(0)
    model = build()
    chosen = [make for names, make in CALLBACKS.values() if name in names]
    shown = [make(tmp_path / "samples", shape) for make in chosen]
    options = {"batch_size": 4, "epochs": 4, "verbose": 0}
    with pytest.raises(RuntimeError, match="power cut"):
        model.fit(pictures(shape), callbacks=[*shown, Crash()], **options)
    assert len(list((tmp_path / "samples").glob("*.png"))) == 2
    keras.utils.set_random_seed(99)
    model = build()
    shown = [make(tmp_path / "samples", shape) for make in chosen]
    model.fit(pictures(shape), callbacks=shown, **options)
    assert len(list((tmp_path / "samples").glob("*.png"))) == 4
    same(state(model), runs[1][name]["snapshot"].final_state)


# ---- training and evaluation ----


@pytest.mark.parametrize("name", MODELS)
def test_logs_are_the_trackers(name, runs):
    history = runs[1][name]["history"]
    assert set(history) == LOGS[name] | {f"val_{log}" for log in LOGS[name]}
    assert set(runs[1][name]["model"].metrics_names) >= LOGS[name] - {"psnr", "ssim"}
    assert all(np.isfinite(values).all() and len(values) == 4 for values in history.values())


@pytest.mark.parametrize("name", MODELS)
def test_evaluate_twice_is_equal(name, runs):
    model, clean = runs[1][name]["model"], pictures(MODELS[name][1])
    first, second = (model.evaluate(clean, batch_size=4, verbose=0) for _ in range(2))
    assert first == second
    shuffled = keras_imgen.load_arrays(clean, batch_size=4)  # made for training, but held out here
    assert model.evaluate(shuffled, verbose=0) == first
    assert model.evaluate(shuffled, verbose=0) == first


@pytest.mark.parametrize("name", MODELS)
def test_predict_and_summary_work(name, runs, capsys):
    model, clean = runs[1][name]["model"], pictures(MODELS[name][1], 3)
    if name in ("gan", "diffusion"):
        latents = np.random.default_rng(0).normal(size=(3, model.latent_dim)).astype("float32")
        np.testing.assert_allclose(
            model.predict(latents, verbose=0), model.predict_latents(latents), atol=1e-6
        )
    elif name == "vae":
        shown, mean, log_variance = model.predict(clean, verbose=0)
        # Of points of the clouds, always the same ones; `reconstruct` takes their middles.
        again, *_ = model.predict(clean, verbose=0)
        np.testing.assert_array_equal(again, shown)
        np.testing.assert_allclose(model.decode(mean), model.reconstruct(clean), atol=1e-6)
        assert mean.shape == log_variance.shape == (3, 2)
    else:
        observed = keras.ops.convert_to_numpy(model.degradation(clean))
        restored = model.predict(observed, verbose=0)
        np.testing.assert_allclose(restored.clip(0, 1), model.restore(observed), atol=1e-6)
    model.summary()
    assert "Total params" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["gan", "vae", "diffusion", "denoiser"])
def test_steps_per_execution_changes_nothing_but_speed(name, runs):
    build, shape = MODELS[name]
    keras.utils.set_random_seed(0)
    model = build(steps_per_execution=2)
    model.fit(pictures(shape), batch_size=4, epochs=4, verbose=0)
    expected = runs[1][name]["snapshot"].final_state
    for key, value in state(model).items():
        # Two steps in one compiled function may be rounded in another order.
        np.testing.assert_allclose(value, expected[key], rtol=1e-3, atol=1e-5, err_msg=key)


@pytest.mark.parametrize("name", ["gan", "vae", "diffusion", "denoiser"])
def test_xla_compiles_a_step(name):
    build, shape = MODELS[name]
    model = build(jit_compile=True)
    before = [np.array(weight) for weight in model.trainable_weights]
    history = model.fit(pictures(shape, 4), batch_size=4, verbose=0).history
    assert all(np.isfinite(value) for [value] in history.values())
    after = [np.array(weight) for weight in model.trainable_weights]
    assert any(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("name", MODELS)
def test_mixed_precision_trains(name, policy, tmp_path):
    build, shape = MODELS[name]
    keras.config.set_dtype_policy(policy)
    try:
        model = build(run_eagerly=True)
    finally:
        keras.config.set_dtype_policy("float32")
    history = model.fit(pictures(shape, 2), batch_size=2, verbose=0).history
    assert all(np.isfinite(value) for [value] in history.values())
    [shown] = answer(model, pictures(shape, 2)).values()
    assert shown.dtype == np.float32
    for optimizer in optimizers_of(model):
        scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        assert scaled == (policy == "mixed_float16")
    model.save(tmp_path / "model.keras")
    same(state(keras.saving.load_model(tmp_path / "model.keras")), state(model))


def without_dropout(name):
    """Return a model that draws the same numbers in every precision, and its loss."""
    if name == "vae":
        encoder = networks.vae_encoder(SHAPE, latent_dim=2, filters=4)
        return VAE(
            encoder, networks.vae_decoder(SHAPE, latent_dim=2, filters=4), seed=1
        ), "gaussian"
    if name == "gan":
        generator = networks.dcgan_generator(SHAPE, latent_dim=3, filters=4)
        return GAN(
            generator, networks.dcgan_discriminator(SHAPE, 4, batch_norm=False), seed=1
        ), "hinge"
    if name == "diffusion":
        return Diffusion(diffusion_network(), seed=1), None
    return denoiser(), "mse"


def first_step(name, policy):
    """Return how far a step of plain gradient descent moves the weights."""
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(policy)
    try:
        model, loss = without_dropout(name)
    finally:
        keras.config.set_dtype_policy("float32")
    optimizers = [SGD(1e-4) for _ in ("generator", "discriminator")[: 1 + (name == "gan")]]
    if policy == "mixed_float16":
        # A scale that does not overflow at once, as the default of 32768 may and then skips the
        # step.
        wrap = keras.optimizers.LossScaleOptimizer
        optimizers = [wrap(optimizer, initial_scale=8.0) for optimizer in optimizers]
    model.compile(*optimizers, **({"loss": loss} if loss else {}), run_eagerly=True)
    before = [w.numpy() for w in model.trainable_variables]
    model.fit(pictures(MODELS[name][1], 4), batch_size=4, verbose=0)
    return [w.numpy() - b for w, b in zip(model.trainable_variables, before, strict=True)]


@pytest.mark.parametrize("name", ["gan", "vae", "diffusion", "denoiser"])
def test_loss_scaling_cancels(name):
    # A loss that is not scaled, or a gradient not unscaled, would be off by the factor 8. Half
    # precision keeps three digits; errors add up over a few layers.
    full, half = (
        np.concatenate([np.ravel(w) for w in first_step(name, policy)])
        for policy in ("float32", "mixed_float16")
    )
    assert np.linalg.norm(full) > 0
    assert np.linalg.norm(full - half) < 0.05 * np.linalg.norm(full)


# ---- metrics ----


@pytest.mark.parametrize("name", METRICS)
def test_metrics_average_over_pictures(name):
    metric = keras.metrics.deserialize(keras.metrics.serialize(getattr(metrics, name)()))
    clean, restored = pictures(count=5), pictures(count=5, seed=1)
    for batch in (slice(0, 4), slice(4, 5)):  # a short last batch
        metric.update_state(clean[batch], restored[batch])
    expected = np.mean(METRICS[name](clean, restored))
    assert float(metric.result()) == pytest.approx(float(expected), rel=1e-5)
    metric.reset_state()
    assert float(metric.result()) == 0.0


@pytest.mark.parametrize("name", COMPARISONS)
@pytest.mark.parametrize("extractor", [name for name in EXTRACTORS if EXTRACTORS[name]])
def test_comparisons_state_their_protocol(name, extractor):
    compare, formula = COMPARISONS[name]
    extract = EXTRACTORS[extractor]()
    real, made = pictures(count=200), pictures(count=150, seed=1)
    comparison = compare(real, extract)
    result = comparison(made)
    assert comparison(made) == result  # the same again
    assert compare(data.load_arrays(real, batch_size=7), extract)(made) == result
    expected = np.ravel(formula(extract(real), extract(made)))
    values = [
        getattr(result, key)
        for key in ("value", "standard_error", "precision", "recall")
        if hasattr(result, key)
    ]
    np.testing.assert_allclose(values, expected, rtol=1e-9)
    assert (result.num_samples, result.num_real) == (150, 200)
    assert (result.extractor, result.resize) == (extract.name, extract.resize)
    resized = {None: "no", (28, 28): "to 28 x 28"}[extract.resize]
    sentence = (
        f"(150 samples against 200 real pictures; features: {extract.name}, "
        f"{result.num_features}; resized: {resized}"
    )
    assert sentence in str(result)
    with pytest.raises(AttributeError):
        result.num_samples = 10_000


# ---- Keras's own callbacks ----


def rates(model):
    return [float(optimizer.learning_rate) for optimizer in optimizers_of(model)]


@pytest.mark.parametrize("name", ["gan", "vae", "diffusion", "denoiser"])
def test_learning_rate_callbacks_change_what_trains(name):
    build, shape = MODELS[name]
    clean, seen = pictures(shape, 4), []
    model = build(run_eagerly=True)
    first, *_ = started = rates(model)

    def note(epoch, logs):
        weights = [w.numpy() for w in model.trainable_variables]
        seen.append((rates(model), weights))

    # A warm-up: at rate 0 nothing moves, and the proportion of a GAN's two rates survives it.
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch, _: [0.0, first / 2][epoch])
    before = [w.numpy() for w in model.trainable_variables]
    watch = keras.callbacks.LambdaCallback(on_epoch_end=note)
    model.fit(clean, batch_size=4, epochs=2, callbacks=[schedule, watch], verbose=0)
    (rates_0, weights_0), (rates_1, weights_1) = seen
    assert rates_0 == [0.0] * len(started)
    assert all(np.array_equal(a, b) for a, b in zip(before, weights_0, strict=True))
    assert rates_1 == pytest.approx([rate / 2 for rate in started], rel=1e-5)
    moved = [not np.array_equal(a, b) for a, b in zip(weights_0, weights_1, strict=True)]
    assert sum(moved) > len(moved) / 2


@pytest.mark.parametrize("name", ["gan", "vae", "diffusion", "denoiser"])
def test_keras_callbacks_work(name, tmp_path):
    build, shape = MODELS[name]
    log = sorted(LOGS[name])[-1]
    model = build(run_eagerly=True)
    started = rates(model)
    # Nothing counts as better after the first epoch.
    never = {"monitor": log, "mode": "min", "min_delta": 1e9}
    weights = []
    note = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: weights.append(model.get_weights())
    )
    history = model.fit(
        pictures(shape, 4),
        batch_size=4,
        epochs=5,
        callbacks=[
            keras.callbacks.ReduceLROnPlateau(factor=0.5, patience=1, **never),
            keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True, **never),
            keras.callbacks.ModelCheckpoint(str(tmp_path / "{epoch}.keras")),
            keras.callbacks.CSVLogger(str(tmp_path / "log.csv")),
            note,
        ],
        verbose=0,
    ).history
    assert len(history[log]) == 3  # one good epoch and two more
    assert rates(model) == pytest.approx([rate / 4 for rate in started], rel=1e-5)
    best = zip(model.get_weights(), weights[0], strict=True)
    assert all(np.array_equal(a, b) for a, b in best)
    assert [f.name for f in sorted(tmp_path.glob("*.keras"))] == ["1.keras", "2.keras", "3.keras"]
    header, *lines = (tmp_path / "log.csv").read_text().splitlines()
    assert set(header.split(",")) >= {"epoch", "learning_rate", *LOGS[name]}
    assert len(lines) == 3


@pytest.mark.parametrize("name", ["gan", "vae", "diffusion", "denoiser"])
def test_tensorboard_works(name, tmp_path):
    pytest.importorskip("tensorboard")
    build, shape = MODELS[name]
    callback = keras.callbacks.TensorBoard(str(tmp_path), histogram_freq=1)
    build(run_eagerly=True).fit(pictures(shape, 4), verbose=0, callbacks=[callback])
    assert list((tmp_path / "train").iterdir())


# ---- forms of data ----


class Batches(keras.utils.PyDataset):
    """A data set of a user's own."""

    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return self.batches[index]


def stream(*values):
    import tensorflow as tf

    values = values[0] if len(values) == 1 else values
    return tf.data.Dataset.from_tensor_slices(values).batch(4)


CLEAN, LABELS = pictures(count=8), np.arange(8)
HALVES = [(CLEAN[:4], LABELS[:4]), (CLEAN[4:], LABELS[4:])]
FORMS = {
    "float64": lambda: CLEAN.astype("float64"),
    "tensor": lambda: keras.ops.convert_to_tensor(CLEAN),
    "array and labels": lambda: (CLEAN, LABELS),
    "dict of arrays": lambda: {"image": CLEAN, "label": LABELS},
    "dataset": lambda: data.load_arrays(CLEAN, batch_size=4, shuffle=False),
    "dataset with labels": lambda: data.load_arrays(CLEAN, LABELS, batch_size=4, shuffle=False),
    "stream": lambda: stream(CLEAN),
    "stream of 1-tuples": lambda: stream((CLEAN,)),
    "stream of pairs": lambda: stream(CLEAN, LABELS),
    "stream of dicts": lambda: stream({"image": CLEAN, "label": LABELS}),
    "own batches": lambda: Batches([pictures for pictures, _ in HALVES]),
    "own pairs": lambda: Batches(HALVES),
    "own dicts": lambda: Batches([{"image": x, "label": y} for x, y in HALVES]),
}


@pytest.fixture(scope="module")
def figures():
    """What each model logs and evaluates for a plain array."""
    return {}


def trained_on(name, clean):
    keras.utils.set_random_seed(0)
    model = MODELS[name][0](run_eagerly=True)
    arrays = hasattr(clean, "shape") or isinstance(clean, tuple | dict)
    size = {"batch_size": 4} if arrays else {}
    history = model.fit(clean, shuffle=False, validation_data=clean, verbose=0, **size).history
    return {key: value for key, [value] in history.items()}


@pytest.mark.parametrize(
    ("name", "form"),
    [("vae", form) for form in FORMS]
    + [(name, form) for name in ("gan", "inpainter") for form in ("own pairs", "stream of dicts")],
)
def test_all_forms_of_data_are_the_same(name, form, figures):
    if name not in figures:
        figures[name] = trained_on(name, CLEAN)
    assert trained_on(name, FORMS[form]()) == pytest.approx(figures[name], rel=1e-6)


@pytest.mark.parametrize("name", ["gan", "vae", "diffusion", "denoiser"])
def test_a_model_that_was_never_compiled_saves_and_loads(name, tmp_path):
    model = type(MODELS[name][0]()).from_config(MODELS[name][0]().get_config())
    model.save(tmp_path / "model.keras")
    other = keras_imgen.load_model(tmp_path / "model.keras")
    for left, right in zip(other.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)
    assert not other.compiled
