"""JAX and PyTorch without TensorFlow: everything works, and the figures agree.

A Keras backend is chosen once in a process, so that this takes a process of its own.
"""

import importlib.util
import json
import subprocess
import sys

import keras
import numpy as np
import pytest
from children import environment_of

import keras_imgen
from keras_imgen import GAN, VAE, Diffusion, Restorer, degradations, losses, networks

pytestmark = pytest.mark.slow  # the other process imports and compiles for most of a minute

SHAPE = (12, 20, 1)
CLEAN = np.random.default_rng(0).random((6, *SHAPE), "float32")

WITHOUT_TENSORFLOW = """
import importlib.machinery, json, logging, pathlib, sys

class Missing:
    # Of TensorFlow there is nothing but the name, as if it were not installed.
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "tensorflow":
            return importlib.machinery.ModuleSpec(name, self)
    def create_module(self, spec):
        raise ModuleNotFoundError(f"No module named {spec.name!r}", name=spec.name)
    def exec_module(self, module):
        raise AssertionError

sys.meta_path.insert(0, Missing())
import keras_imgen
import keras
import numpy as np

backend = keras.backend.backend()
assert backend == sys.argv[1]
clean = np.load("clean.npy")
report = {"backend": backend}

def figures(model, pictures):
    return model.evaluate(pictures, batch_size=3, verbose=0, return_dict=True)

def trained(name, pictures):
    model = keras.saving.load_model(f"{name}.keras")
    before = figures(model, pictures)
    # Of two sequences as many steps as of six pictures.
    model.fit(pictures, epochs=18 // len(pictures), batch_size=2, verbose=0)
    model.save(f"{name}_{backend}.keras")
    report[name] = {"before": before, "trained": figures(model, pictures)}
    return model

vae = trained("vae", clean)
report["vae"]["sampled"] = vae.sample(2, seed=0).shape
report["vae"]["reconstructed"] = vae.reconstruct(clean).shape
for name, pictures in (("restorer", clean), ("sequences", clean.reshape(2, 3, *clean.shape[1:]))):
    model = trained(name, pictures)
    report[name]["restored"] = model.restore(model.degradation(pictures)).shape
streamed = np.stack(list(model.stream(pictures[0])))
report["sequences"]["streamed"] = float(np.abs(streamed - model.restore(pictures)[0]).max())

loaded = keras.saving.load_model(f"vae_{backend}.keras")
report["loaded here"] = figures(loaded, clean)
report["loaded"] = figures(keras.saving.load_model("vae.keras"), clean)

resumed = []
for epochs in ((1, 2), (2,)):  # cut off, and not
    for last in epochs:
        model = keras.saving.load_model("vae.keras")
        run = keras_imgen.callbacks.Resume(f"run {len(epochs)}")
        model.fit(clean, epochs=last, batch_size=2, verbose=0, callbacks=[run])
    resumed.append([np.asarray(v) for v in (*model.variables, *model.optimizer.variables)])
report["resumes"] = all(np.array_equal(a, b) for a, b in zip(*resumed, strict=True))

# Pictures that are resized: the backend does that, too.
report["precision"] = keras_imgen.metrics.PrecisionRecall(clean)(clean[:, ::-1]).precision
report["features"] = keras_imgen.metrics.DigitFeatures()(clean).tolist()

d = keras_imgen.degradations
parts = (d.Blur(1.5), d.MotionBlur(5.0, angle=30), d.Downsample(3), d.JpegCompression(30))
parts += (d.PoissonNoise(0.1), d.SaltAndPepper(0.1), d.FreeFormHoles(0.3), d.TextOverlay(size=8))
report["spoiled"] = {type(part).__name__: np.asarray(part(clean)).tolist() for part in parts}

denoiser = keras_imgen.load_pretrained("denoiser-gray")
report["pretrained"] = denoiser.restore(clean, level=0.1, tile=64).tolist()
half = (np.arange(clean.shape[1]) < 7)[None, :, None, None].astype("float32")
report["undone"] = denoiser.undo(np.load("blurred.npy"), d.Blur(1.2), passes=4).tolist()
report["filled"] = denoiser.undo(clean * half, known=half, passes=4).tolist()
models = {name: keras.saving.load_model(f"{name}.keras") for name in ("vae", "gan", "diffusion")}
report["completed"] = {
    name: [model.undo(clean * half, known=half, steps=3, seed=seed).tolist() for seed in (0, 0, 1)]
    for name, model in models.items()
}

# A stream of batches of which one is bad: what a step cannot check, and a rollback.
class Batches(keras.utils.PyDataset):
    def __init__(self, value):
        super().__init__()
        self.value = value
    def __len__(self):
        return 8
    def __getitem__(self, index):
        return np.full((4, *clean.shape[1:]), self.value if index == 4 else 0.5, "float32")

report["rollbacks"] = {}
for name in ("vae", "restorer", "gan"):
    model = keras.saving.load_model(f"{name}.keras")
    rate = float(model.optimizer.learning_rate)
    health = keras_imgen.callbacks.TrainingHealth(rollback=0.5)
    history = model.fit(Batches(np.nan), callbacks=[health], verbose=0).history
    finite = all(np.all(np.isfinite(np.asarray(v))) for v in model.variables)
    steps = int(model.optimizer.iterations)
    report["rollbacks"][name] = [
        health.rollbacks, float(model.optimizer.learning_rate) / rate,
        [values[0] for values in history.values()], finite,
        steps,
    ]
    try:
        model.fit(Batches(200.0), verbose=0)
    except ValueError as error:
        report["rollbacks"][name].append(str(error))

class Broken(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if batch == 2:
            raise RuntimeError("of my own")

for resume in ([], [keras_imgen.callbacks.Resume("broken")]):
    model = keras.saving.load_model("vae.keras")
    try:
        model.fit(Batches(0.5), callbacks=[Broken(), *resume], verbose=0)
    except RuntimeError as error:
        whole = bool(np.all(np.isfinite(model.sample(2))))
        report.setdefault("broken", []).append([str(error), whole])

# What `keras-imgen train` sets in each step must not be compiled in each step.
from keras_imgen.cli.runs import WarmUpAndRest

class Compiled(logging.Handler, keras.callbacks.Callback):
    def __init__(self):
        logging.Handler.__init__(self)
        keras.callbacks.Callback.__init__(self)
        self.count, self.counts = 0, []
    def emit(self, record):
        self.count += "Compiling" in record.getMessage()
    def on_train_batch_end(self, batch, logs=None):
        self.counts.append(self.count)

if backend == "jax":
    import jax
    compiled, model = Compiled(), keras.saving.load_model("vae.keras")
    logging.getLogger("jax").addHandler(compiled)
    with jax.log_compiles():
        model.fit(Batches(0.5), callbacks=[WarmUpAndRest(1e-3, 8), compiled], verbose=0)
    logging.getLogger("jax").removeHandler(compiled)
    report["compiled"] = compiled.counts

generators = [keras_imgen.backends.SeedGenerator(s) for s in (0, 1, 2, 2**31, 2**32 - 1)]
draws = [keras.random.normal((4,), seed=g) for _ in range(3) for g in generators]
report["draws"] = np.stack([np.asarray(draw) for draw in draws]).tolist()

report["one by one"] = ""
try:
    model.compile(steps_per_execution=2)
except NotImplementedError as error:
    report["one by one"] = str(error)

# An error in a step that Keras has taken the weights away for.
class Failing(keras.utils.PyDataset):
    def __init__(self, good):
        super().__init__()
        self.left = good
    def __len__(self):
        return 8
    def __getitem__(self, index):
        self.left -= 1
        if self.left < 0:
            raise OSError("the disk is gone")
        return clean[:2]

report["kept"] = []
for name in ("vae", "restorer"):
    model = keras.saving.load_model(f"{name}.keras")
    for do in ("fit", "evaluate"):
        for good in (0, 1, 2, 5):
            before = [np.array(w) for w in model.get_weights()]
            try:
                getattr(model, do)(Failing(good), verbose=0)
            except OSError as error:
                said = str(error)
            after = model.get_weights()
            same = all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
            finite = all(np.all(np.isfinite(w)) for w in after)
            report["kept"].append([name, do, good, said, same or do == "fit", bool(finite)])

huge = keras_imgen.degradations.AdditiveNoise(0.1, seed=2**63 - 1)
report["huge seed"] = float(np.std(np.asarray(huge(clean * 0.0, training=True))))
rates, seed = (0.3, 5.0, 27.0, 5000.0), keras_imgen.backends.drawn(3)
poisson = keras_imgen.backends.poisson
draws = [np.asarray(poisson(np.full(10**6, r, "float32"), seed)) for r in rates]
moments = [(np.mean(d, dtype="float64"), np.var(d, dtype="float64")) for d in draws]
report["poisson"] = np.array(moments).tolist()

for name in ("diffusion", "gan"):
    report[name] = {"sampled": trained(name, clean).sample(2, seed=0).shape, **report[name]}

# The same draws as elsewhere, so that the steps can be compared.
keras.random.normal = lambda shape, **options: keras.ops.convert_to_tensor(latents[: shape[0]])
keras.random.uniform = lambda shape, **options: 0.3 * keras.ops.ones(shape)
latents = np.load("latents.npy")
report["steps"] = {}
for path in sorted(pathlib.Path().glob("steps_*.keras")):
    gan = keras.saving.load_model(path)
    logs = gan.fit(clean, batch_size=6, epochs=4, shuffle=False, verbose=0).history
    held_out = gan.evaluate(clean, batch_size=3, verbose=0, return_dict=True)
    report["steps"][path.stem] = {"logs": logs, "held out": held_out}
    np.savez(path.stem, *(np.asarray(v) for v in gan.variables))
# A model class of one's own, whose network takes other channels than a picture has.
class Colours(keras_imgen.models.PictureModel):
    def __init__(self, network, **kwargs):
        super().__init__(**kwargs)
        self.network, self.built = network, True
    @property
    def image_shape(self):
        return self.network.output_shape[1:]
    def prepared(self, batch, training):
        return keras.ops.mean(batch.clean, axis=-1, keepdims=True), batch.clean
    def call(self, grey, training=None):
        return self.network(grey, training=training)

inputs = keras.Input((12, 20, 1))
own = Colours(keras.Model(inputs, keras.layers.Conv2D(3, 3, padding="same")(inputs)), seed=0)
own.compile(loss="mse", metrics=["mae"])
colours = np.repeat(clean, 3, axis=-1)
report["own"] = own.fit(colours, epochs=3, validation_data=colours, verbose=0).history
json.dump(report, open("report.json", "w"))
"""


def models():
    """Build one compiled model of each kind; the noise of restorers is drawn, the holes are not."""
    dropout = keras.layers.Dropout(0.1)  # without a seed
    keras.utils.set_random_seed(0)
    pictures = keras.Input(SHAPE)
    encoder = networks.vae_encoder(SHAPE, latent_dim=2, filters=2)
    encoder = keras.Model(pictures, encoder(dropout(pictures)))
    vae = VAE(encoder, networks.vae_decoder(SHAPE, latent_dim=2, filters=2), seed=1)
    network = networks.dncnn(SHAPE, depth=3, filters=2, extra_channels=1)
    restorer = Restorer(network, degradations.MissingPixels(0.5, seed=2), seed=1)
    network = networks.conv_lstm(SHAPE, filters=1, causal=True)
    sequences = Restorer(network, degradations.AdditiveNoise(0.4, seed=2), seed=1)
    generator = networks.dcgan_generator(SHAPE, latent_dim=2, filters=2)
    gan = GAN(generator, networks.dcgan_discriminator(SHAPE, filters=2), seed=1)
    diffusion = Diffusion(networks.diffusion_unet(SHAPE, (2,)), seed=1)
    return {
        "vae": vae,
        "restorer": restorer,
        "sequences": sequences,
        "gan": gan,
        "diffusion": diffusion,
    }


LATENTS = np.random.default_rng(1).normal(size=(6, 2)).astype("float32")
# Everything that a step of a GAN may do, by name: what the discriminator is, and `compile`.
STEPS = {
    "plain": ({}, {}),
    "least squares": ({}, {"loss": "least_squares"}),
    "hinge": ({"batch_norm": False, "spectral_norm": True}, {"loss": "hinge"}),
    "wasserstein": (
        {"batch_norm": False},
        {"loss": "wasserstein", "penalty": "gradient_penalty", "critic_steps": 3},
    ),
    "relativistic": (
        {"batch_norm": False},
        {"loss": "relativistic", "penalty": losses.R1R2(0.1, every=2)},
    ),
    "smooth": ({}, {"loss": losses.NonSaturating(0.1), "critic_steps": 2}),
}


def a_gan(options, choices):
    keras.utils.set_random_seed(0)
    generator = networks.dcgan_generator(SHAPE, latent_dim=2, filters=2)
    discriminator = networks.dcgan_discriminator(SHAPE, filters=2, **options)
    discriminator.layers[-1].kernel_regularizer = keras.regularizers.L2(0.01)
    gan = GAN(generator, discriminator, seed=1)
    gan.compile(*(keras.optimizers.SGD(0.05) for _ in range(2)), **choices)
    return gan


def figures(model, name):
    clean = CLEAN.reshape(2, 3, *SHAPE) if name == "sequences" else CLEAN
    return model.evaluate(clean, batch_size=3, verbose=0, return_dict=True)


@pytest.fixture(scope="module", params=["jax", "torch"])
def there(request, tmp_path_factory):
    """Return the report of a process on another backend, the figures here, and its folder."""
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    folder, here = tmp_path_factory.mktemp(request.param), {}
    np.save(folder / "clean.npy", CLEAN)
    for name, model in models().items():
        model.compile()
        model.save(folder / f"{name}.keras")
        here[name] = figures(model, name)
    np.save(folder / "latents.npy", LATENTS)
    np.save(folder / "blurred.npy", keras.ops.convert_to_numpy(degradations.Blur(1.2)(CLEAN)))
    for name, (options, choices) in STEPS.items():
        a_gan(options, choices).save(folder / f"steps_{name}.keras")
    process = subprocess.run(
        [sys.executable, "-c", WITHOUT_TENSORFLOW, request.param],
        cwd=folder,
        env=environment_of(request.param),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert process.returncode == 0, process.stderr
    return json.loads((folder / "report.json").read_text()), here, folder


def assert_same_figures(ours, theirs):
    """Compare a VAE's figures of two backends: another draw of the same clouds."""
    assert ours["kl_loss"] == pytest.approx(theirs["kl_loss"], rel=1e-5, abs=1e-6)
    for name in ("loss", "reconstruction_loss"):  # 1e-4 apart as measured
        assert ours[name] == pytest.approx(theirs[name], rel=1e-3)


@pytest.mark.parametrize("name", ["vae", "restorer", "sequences", "diffusion"])
def test_models_train_elsewhere(name, there):
    report, _, _ = there
    # Held out, the draws are always the same: what differs is what was learned.
    before, trained = (report[name][when]["loss"] for when in ("before", "trained"))
    assert 0.2 * before < trained < 0.9999 * before
    assert set(report[name]["trained"]) == set(there[1][name])


def test_no_step_of_a_run_compiles_but_the_first_ones(there):
    report, _, _ = there
    if report["backend"] == "jax":  # PyTorch's steps are not compiled
        assert report["compiled"][0] > 0
        assert report["compiled"][1] == report["compiled"][-1]


def test_pictures_are_spoiled_alike_elsewhere(there):
    spoiled = {name: np.array(pictures) for name, pictures in there[0]["spoiled"].items()}
    for part in (
        degradations.Blur(1.5),
        degradations.MotionBlur(5.0, angle=30),
        degradations.Downsample(3),
        degradations.JpegCompression(30),
    ):  # these draw nothing
        here = keras.ops.convert_to_numpy(part(CLEAN))
        difference = np.abs(spoiled.pop(type(part).__name__) - here)
        assert np.mean(difference < 1e-5) > 0.98, part  # where JPEG rounds to the other side
    assert set(spoiled) == {"PoissonNoise", "SaltAndPepper", "FreeFormHoles", "TextOverlay"}
    for pictures in spoiled.values():
        assert np.all(np.isfinite(pictures))
        assert not np.array_equal(pictures[..., : CLEAN.shape[-1]], CLEAN)


def test_models_save_and_load_elsewhere(there):
    report, _, _ = there
    assert report["loaded here"] == report["vae"]["trained"]


def test_models_answer_elsewhere(there):
    report, _, _ = there
    for name in ("vae", "gan", "diffusion"):
        assert report[name]["sampled"] == [2, *SHAPE]
    assert report["vae"]["reconstructed"] == report["restorer"]["restored"] == [6, *SHAPE]
    assert report["sequences"]["restored"] == [2, 3, *SHAPE]
    assert report["sequences"]["streamed"] < 1e-5


def test_the_same_file_has_the_same_figures(there):
    # The backends draw other numbers from the same seed, for the loss but not for the KL.
    report, here, _ = there
    assert_same_figures(report["loaded"], here["vae"])


@pytest.mark.parametrize("name", ["vae", "restorer", "sequences", "gan", "diffusion"])
def test_what_was_trained_elsewhere_goes_on_here(name, there):
    report, _, folder = there
    model = keras.saving.load_model(folder / f"{name}_{report['backend']}.keras")
    if name == "vae":
        assert_same_figures(figures(model, name), report[name]["trained"])
    steps = int(model.optimizer.iterations)
    clean = CLEAN.reshape(2, 3, *SHAPE) if name == "sequences" else CLEAN
    if name == "gan":
        model.compile(*model.optimizer.parts, run_eagerly=True)
    elif name == "diffusion":
        model.compile(model.optimizer, run_eagerly=True)
    else:
        model.compile(model.optimizer, model.loss, run_eagerly=True)
    model.fit(clean, batch_size=2, verbose=0)
    assert int(model.optimizer.iterations) == steps + len(clean) // 2


@pytest.mark.parametrize("name", STEPS)
def test_a_gans_steps_elsewhere_are_those_here(name, there, monkeypatch):
    monkeypatch.setattr(
        keras.random, "normal", lambda shape, **_: keras.ops.convert_to_tensor(LATENTS)[: shape[0]]
    )
    monkeypatch.setattr(keras.random, "uniform", lambda shape, **_: 0.3 * keras.ops.ones(shape))
    report, _, folder = there
    gan = keras.saving.load_model(folder / f"steps_{name}.keras")  # where the regulariser counts
    before = gan.generator.get_weights()
    logs = gan.fit(CLEAN, batch_size=6, epochs=4, shuffle=False, verbose=0).history
    theirs = report["steps"][f"steps_{name}"]
    assert set(theirs["logs"]) == set(logs)
    for figure, values in logs.items():
        assert theirs["logs"][figure] == pytest.approx(values, rel=1e-3, abs=1e-4), figure
    held_out = gan.evaluate(CLEAN, batch_size=3, verbose=0, return_dict=True)
    assert theirs["held out"] == pytest.approx(held_out, rel=1e-3, abs=1e-4)
    with np.load(folder / f"steps_{name}.npz") as stored:
        variables = [stored[key] for key in stored.files]
    for variable, value in zip(gan.variables, variables, strict=True):
        here = keras.ops.convert_to_numpy(variable)
        np.testing.assert_allclose(value, here, rtol=1e-3, atol=1e-4, err_msg=variable.path)
    moved = [np.abs(a - b).max() for a, b in zip(before, gan.generator.get_weights(), strict=True)]
    assert max(moved) > 1e-3  # far more than the tolerance


def test_a_model_class_of_ones_own_trains_elsewhere(there):
    history = there[0]["own"]
    assert set(history) == {"loss", "mae", "val_loss", "val_mae"}
    assert history["val_loss"][2] < history["val_loss"][0]


def test_features_elsewhere_are_those_here(there):
    here = keras_imgen.metrics.DigitFeatures()(CLEAN)
    np.testing.assert_allclose(there[0]["features"], here, rtol=1e-3, atol=1e-3)
    assert (
        there[0]["precision"]
        == keras_imgen.metrics.PrecisionRecall(CLEAN)(CLEAN[:, ::-1]).precision
    )


def test_pretrained_restorers_restore_alike_elsewhere(there):
    here = keras_imgen.load_pretrained("denoiser-gray").restore(CLEAN, level=0.1)
    np.testing.assert_allclose(there[0]["pretrained"], here, rtol=0, atol=1e-5)


def test_a_denoiser_undoes_elsewhere_what_it_undoes_here(there):
    denoiser = keras_imgen.load_pretrained("denoiser-gray")
    blurred = keras.ops.convert_to_numpy(degradations.Blur(1.2)(CLEAN))
    here = denoiser.undo(blurred, degradations.Blur(1.2), passes=4)
    np.testing.assert_allclose(there[0]["undone"], here, rtol=0, atol=5e-3)
    half = (np.arange(SHAPE[0]) < 7)[None, :, None, None].astype("float32")
    here = denoiser.undo(CLEAN * half, known=half, passes=4)
    np.testing.assert_allclose(there[0]["filled"], here, rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", ["vae", "gan", "diffusion"])
def test_generators_complete_pictures_elsewhere(name, there):
    first, again, other = np.array(there[0]["completed"][name])
    np.testing.assert_array_equal(again, first)
    np.testing.assert_allclose(first[:, :7], CLEAN[:, :7], rtol=0, atol=1e-6)
    for answer in (first, other):
        assert np.all(np.isfinite(answer))
        assert 0.0 <= answer.min() <= answer.max() <= 1.0
    assert np.abs(other - first)[:, 7:].mean() > 1e-4


def test_resume_elsewhere_ends_with_the_same_bits(there):
    assert there[0]["resumes"] is True


@pytest.mark.parametrize("name", ["vae", "restorer", "gan"])
def test_a_rollback_elsewhere_brings_the_model_back(name, there):
    # No other callback is there, which would keep Keras from looking at logs in threads.
    rollbacks, rate, losses, finite, steps, said = there[0]["rollbacks"][name]
    assert (rollbacks, rate, finite) == (1, 0.5, True)
    assert np.all(np.isfinite(losses))
    assert steps == 3  # of the batches after the bad one; those before it were undone
    assert said.startswith("`x` must lie in [0, 1]. Received: values from 200 to 200")


def test_elsewhere_an_error_leaves_the_model_whole_and_is_not_hidden(there):
    assert there[0]["broken"] == [["of my own", True], ["of my own", True]]


def test_large_seeds_draw_elsewhere(there):
    assert there[0]["huge seed"] == pytest.approx(0.1, rel=0.1)


def test_poisson_numbers_elsewhere_have_their_moments(there):
    for rate, (mean, variance) in zip((0.3, 5.0, 27.0, 5000.0), there[0]["poisson"], strict=True):
        # Five standard errors of a million draws.
        assert mean == pytest.approx(rate, abs=5e-3 * np.sqrt(rate))
        assert variance == pytest.approx(rate, abs=5e-3 * np.sqrt(rate + 2 * rate**2))


def test_draws_of_neighbouring_seeds_are_not_the_same_elsewhere(there):
    # Keras on PyTorch adds a generator's seed and the number of its draw.
    draws = np.array(there[0]["draws"])
    assert len({number for row in draws.tolist() for number in row}) == draws.size == 60
    assert np.all(np.abs(draws) < 6.0)


def test_where_nothing_is_compiled_it_is_said(there):
    said = there[0]["one by one"]
    if there[0]["backend"] == "jax":
        assert not said
    else:
        assert said.startswith("On PyTorch batches are taken one by one")
        assert "steps_per_execution=2. Leave both out." in said


def test_an_error_in_reading_takes_no_weights_elsewhere(there):
    for name, do, good, said, same, finite in there[0]["kept"]:
        assert (said, same, finite) == ("the disk is gone", True, True), (name, do, good)
