"""Files: none is loaded into silently wrong weights, none runs code, old ones keep loading."""

import io
import json
import random
import sys
import warnings
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from tiny_models import equal, values

import keras_imgen
from keras_imgen import GAN, Restorer, degradations, networks
from keras_imgen.saving import damage
from keras_imgen.training.stored import FORMAT

FILES = Path(__file__).parent / "files"
sys.path.insert(0, str(FILES))
import make_files  # noqa: E402


@pytest.fixture(scope="module")
def gan():
    """Return a GAN whose optimizers have seen a step."""
    generator = networks.dcgan_generator((8, 8, 1), latent_dim=2, filters=2)
    model = GAN(generator, networks.dcgan_discriminator((8, 8, 1), filters=2), seed=0)
    model.compile(run_eagerly=True)
    model.fit(np.random.default_rng(0).random((4, 8, 8, 1), "float32"), verbose=0)
    return model


@pytest.fixture(scope="module")
def saved(gan, tmp_path_factory):
    """Return the file of that GAN."""
    path = tmp_path_factory.mktemp("saved") / "gan.keras"
    gan.save(path)
    return path


def sentence(error, path):
    """Return the message of an error, if it is one sentence or a few about this file."""
    text = str(error.value)
    assert str(path) in text
    assert "\n" not in text
    assert len(text) < 700
    return text


def refused(path, advice):
    with pytest.raises((ValueError, FileNotFoundError), match=advice) as error:
        keras_imgen.load_model(path)
    return sentence(error, path)


# ---- formats ----


@pytest.mark.parametrize(
    ("version", "family"),
    [(v, f) for v in range(FORMAT + 1) for f in make_files.FAMILIES if f != "diffusion" or v > 2],
)
def test_files_of_every_format_keep_loading(version, family):
    folder = FILES / f"format_{version}"
    model = keras_imgen.load_model(folder / f"{family}.keras")
    with np.load(folder / f"{family}.npz") as expected:
        # The weight of the KL divergence, 1, is one of a VAE's weights since format 4.
        more = float(family == "vae" and version < 4)
        np.testing.assert_allclose(make_files.state(model) - more, expected["state"], rtol=1e-12)
        # What it answers may differ in the last bits on another processor.
        found = make_files.answer(model, family)
        np.testing.assert_allclose(found, expected["answer"], atol=1e-5)
    model.fit(make_files.pictures(family), batch_size=4, verbose=0)


def rewritten(path, target, **parts):
    """Copy a file with some of its parts exchanged; None leaves one out."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        members = {name: old.read(name) for name in old.namelist()} | parts
        for name, data in members.items():
            if data is not None:
                new.writestr(name, data)
    return target


def configured(path, target, change):
    """Copy a file whose configuration `change` has changed."""
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
    change(config)
    return rewritten(path, target, **{"config.json": json.dumps(config)})


@pytest.mark.parametrize("written", [FORMAT + 1, -1, "2", None])
def test_a_file_of_a_newer_version_says_so(written, saved, tmp_path):
    path = configured(
        saved, tmp_path / "new.keras", lambda config: config["config"].update(format=written)
    )
    text = refused(path, rf"newer keras_imgen. Received: format {written!r}; .*up to {FORMAT}")
    assert "Install the version that the file comes from, or a newer one." in text


def test_a_class_or_an_argument_of_another_version_is_named(saved, tmp_path):
    def other_class(config):
        config["registered_name"], config["class_name"] = "keras_imgen>Diffusion", "Diffusion"

    def other_argument(config):
        config["config"]["num_classes"] = 10

    refused(configured(saved, tmp_path / "a.keras", other_class), "Diffusion")
    refused(configured(saved, tmp_path / "b.keras", other_argument), "num_classes")


# ---- saving ----


def test_a_file_is_saved_whole_or_not_at_all(gan, tmp_path, monkeypatch):
    path = tmp_path / "new" / "gan.keras"
    gan.save(str(path))
    before = path.read_bytes()
    assert damage(path) is None
    monkeypatch.setattr(zipfile.ZipFile, "writestr", full_disk)
    with pytest.raises(OSError, match=f"No space left on device: '{path}'"):
        gan.save(path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def full_disk(*args):
    raise OSError(28, "No space left on device")


def test_saving_says_what_to_do(gan, saved, tmp_path):
    before = saved.read_bytes()
    with pytest.raises(FileExistsError, match="not overwritten. Pass another path, or overwrite"):
        gan.save(saved, overwrite=False)
    for wrong in ("gan.h5", "gan", "gs://bucket/gan.keras"):
        with pytest.raises(ValueError, match=f"ends in .keras. Received: filepath='{wrong}'"):
            gan.save(wrong)
    with pytest.raises(TypeError, match="`filepath` must be a path"):
        gan.save(3)
    assert saved.read_bytes() == before
    gan.save(tmp_path / "free.keras", overwrite=False)


# ---- damage ----


def test_no_flipped_bit_is_loaded(gan, saved, tmp_path):
    # Wherever it is: by our loader one sentence; by Keras's own at least never wrong weights.
    data, rng, harmless = saved.read_bytes(), random.Random(0), 0
    path, expected = tmp_path / "flipped.keras", values(gan)
    with zipfile.ZipFile(saved) as archive:
        tail = archive.start_dir  # the table of contents: a small part, easily missed
    places = [rng.randrange(len(data)) for _ in range(90)]
    places += [rng.randrange(tail, len(data)) for _ in range(40)]
    for place in places:
        flipped = bytearray(data)
        flipped[place] ^= 1 << rng.randrange(8)
        path.write_bytes(flipped)
        if damage(path) is None:  # a time of day, for instance
            harmless += 1
            assert equal(values(keras_imgen.load_model(path)), expected)
        else:
            with pytest.raises(ValueError, match="cannot be loaded: .*another copy") as error:
                keras_imgen.load_model(path)
            sentence(error, path)
    assert harmless < 40


def test_no_flipped_bit_of_weights_is_loaded_silently(gan, tmp_path):
    # A .weights.h5 file has no checksum; the seal is one.
    path, flipped_path = tmp_path / "a.weights.h5", tmp_path / "b.weights.h5"
    gan.save_weights(path)
    data, rng, expected, refusals = path.read_bytes(), random.Random(1), values(gan), 0
    for _ in range(60):
        flipped = bytearray(data)
        flipped[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        flipped_path.write_bytes(flipped)
        try:
            gan.load_weights(flipped_path)
        except ValueError:
            refusals += 1
        assert equal(values(gan), expected)  # loaded as it was, or left as it was
    assert refusals > 2


def test_one_wrong_weight_is_noticed_by_keras_own_loader_too(gan, saved, tmp_path):
    # A file that is whole in every other respect.
    import h5py

    with zipfile.ZipFile(saved) as archive:
        weights = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(weights, "r+") as file:
        found = []
        file.visititems(lambda name, item: found.append(name) if hasattr(item, "shape") else None)
        kernel = next(name for name in found if "generator" in name and file[name].ndim == 4)
        values_there = file[kernel][...]
        values_there.flat[0] += 1e-3
        file[kernel][...] = values_there
    path = rewritten(saved, tmp_path / "wrong.keras", **{"model.weights.h5": weights.getvalue()})
    refused(path, "The weights in the file are damaged or those of another model")
    with pytest.raises(ValueError, match="The weights in the file are damaged"):
        keras.saving.load_model(path)


def test_a_file_that_was_cut_off_says_so(saved, tmp_path):
    data, path = saved.read_bytes(), tmp_path / "cut.keras"
    for length in [0, 1, 30, *range(100, len(data), len(data) // 20), len(data) - 1]:
        path.write_bytes(data[:length])
        refused(path, "it is damaged, was cut off or is no .keras file")


def test_what_is_no_model_file_says_so(saved, tmp_path):
    folder, text = tmp_path / "folder.keras", tmp_path / "notes.keras"
    folder.mkdir()
    text.write_text("three years of work")
    picture = tmp_path / "model.png"
    picture.write_bytes(saved.read_bytes())
    refused(folder, "it is a folder. Pass a file")
    refused(text, "is no .keras file")
    refused(picture, "ends in .keras")
    refused(tmp_path / "missing.keras", "it does not exist")
    refused(rewritten(saved, tmp_path / "a.keras", **{"config.json": None}), "no config.json")
    refused(rewritten(saved, tmp_path / "b.keras", **{"config.json": b"\xff{"}), "damaged")
    refused(rewritten(saved, tmp_path / "c.keras", **{"config.json": b"[]"}), "cannot be loaded")


# ---- weights of another model ----


def denoiser(optimizer="adam", depth=3, seed=0):
    model = Restorer(
        networks.dncnn(depth=depth, filters=2), degradations.AdditiveNoise(0.1, seed=0), seed=seed
    )
    model.compile(optimizer)
    return model


@pytest.mark.parametrize(
    ("other", "advice"),
    [
        (lambda: denoiser(depth=4), "cannot be loaded: "),
        (lambda: denoiser("sgd"), "The optimizer's moments in the file"),
        (
            lambda: Restorer(
                networks.dncnn(depth=3, filters=2, batch_norm=False),
                degradations.AdditiveNoise(0.1),
            ),
            "cannot be loaded: ",
        ),
    ],
)
def test_weights_of_another_architecture_are_refused_and_change_nothing(other, advice, tmp_path):
    other().save_weights(tmp_path / "other.weights.h5")
    model = denoiser()
    before = values(model)
    with pytest.raises(ValueError, match=advice) as error:
        model.load_weights(tmp_path / "other.weights.h5")
    sentence(error, tmp_path / "other.weights.h5")
    assert equal(values(model), before)


def test_weights_without_compiling_need_no_optimizer(tmp_path):
    model = denoiser()
    model.save(tmp_path / "model.keras")
    loaded = keras_imgen.load_model(tmp_path / "model.keras", compile=False)
    assert equal(loaded.get_weights(), model.get_weights())
    assert not loaded.compiled
    with pytest.raises(FileNotFoundError):
        model.load_weights(tmp_path / "missing.weights.h5")


def test_seeds_come_with_the_weights(tmp_path):
    model = denoiser(seed=3)
    model.degradation.seed = 4
    model.save_weights(tmp_path / "model.weights.h5")
    other = denoiser(seed=5)
    other.load_weights(tmp_path / "model.weights.h5")
    assert (other.seed, other.degradation.seed) == (3, 4)


# ---- files of strangers ----


def layer(class_name, config, module="keras.layers", registered_name=None):
    return {
        "module": module,
        "class_name": class_name,
        "config": config,
        "registered_name": registered_name,
    }


def python_lambda():
    """Return a Lambda layer whose code would make a file, as Keras saves it."""
    return keras.saving.serialize_keras_object(
        keras.layers.Lambda(lambda x: open("pwned", "w") and x)
    )


HOSTILE = {
    "a Lambda layer": (python_lambda, "Python lambda, and code from a file is never run"),
    "a function of the system": (
        lambda: layer("function", "system", "os", "system"),
        "Could not locate function 'system'",
    ),
    "a class of the system": (
        lambda: layer("Popen", {"args": ["touch", "pwned"]}, "subprocess"),
        "Could not locate class 'Popen'",
    ),
    "a function of Keras that downloads": (
        lambda: layer(
            "Activation", {"activation": layer("function", "get_file", "keras.utils", "get_file")}
        ),
        "`keras.utils.get_file` because it is not a modeling function",
    ),
    "a vocabulary on another machine": (
        lambda: layer("StringLookup", {"vocabulary": "http://127.0.0.1:9/words.txt"}),
        "a vocabulary file outside of the model archive",
    ),
    "a vocabulary in a file of ours": (
        lambda: layer("StringLookup", {"vocabulary": "/etc/passwd"}),
        "a vocabulary file outside of the model archive",
    ),
    "a graph of TensorFlow": (
        lambda: layer("TFSMLayer", {"filepath": "/tmp/saved_model"}),
        "`TFSMLayer`, which loads an external SavedModel",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("place", ["generator", "layer"])
def test_nothing_in_a_file_is_run(case, place, saved, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("socket.socket.connect", lambda *args: pytest.fail("network"))
    make, advice = HOSTILE[case]
    hostile = make()

    def change(config):
        if place == "generator":
            config["config"]["generator"] = hostile
        else:
            chosen = config["config"]["generator"]["config"]["layers"][1]
            chosen.update({**hostile, "name": chosen["name"]})

    path = configured(saved, tmp_path / "hostile.keras", change)
    refused(path, f"cannot be loaded: .*{advice}")
    assert [file.name for file in tmp_path.iterdir()] == ["hostile.keras"]


@pytest.mark.parametrize(
    "name", ["../../pwned", "/tmp/pwned", "assets/../../pwned", "assets/words.txt", "pwned.py"]
)
def test_a_file_holds_nothing_else(name, saved, tmp_path):
    refused(rewritten(saved, tmp_path / "more.keras", **{name: b"x"}), "which a model of this")
    assert [file.name for file in tmp_path.iterdir()] == ["more.keras"]


def test_two_parts_of_one_name_are_refused(saved, tmp_path):
    path = rewritten(saved, tmp_path / "twice.keras")
    with warnings.catch_warnings(), zipfile.ZipFile(path, "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("config.json", "{}")
    refused(path, "two parts of the same name")


def test_compressed_parts_are_refused_unread(saved, tmp_path):
    # 100 MB of zeros in 100 kB; with more of them, more than any memory holds.
    path = tmp_path / "bomb.keras"
    rewritten(saved, path, **{"model.weights.h5": None})
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", bytes(100_000_000))
    assert path.stat().st_size < 1_000_000
    refused(path, "its parts are compressed")


@pytest.mark.parametrize(
    "name", ["https://example.com/model.keras", "hf://somebody/model", "gs://bucket/model.keras"]
)
def test_names_of_other_machines_are_refused(name, monkeypatch):
    monkeypatch.setattr("socket.socket.connect", lambda *args: pytest.fail("network"))
    with pytest.raises(ValueError, match="from a file of this machine. Received: .*Download it"):
        keras_imgen.load_model(name)


# ---- code in a network ----


def doubled(name="twice"):
    observed = keras.Input((None, None, 1))
    x = keras.layers.Lambda(lambda x: 2 * x, name=name)(observed)
    network = keras.Model(observed, keras.layers.Conv2D(1, 3, padding="same")(x))
    model = Restorer(network, degradations.AdditiveNoise(0.1, seed=0))
    model.compile()
    return model


def test_a_lambda_in_a_network_is_named_when_saved_and_its_way_back_when_loaded(tmp_path):
    model, path = doubled(), tmp_path / "mine.keras"
    with pytest.warns(UserWarning, match="layer 'twice' holds a Python lambda.*load_weights"):
        model.save(path)
    with pytest.raises(ValueError, match=r"never run.*load_weights.*safe_mode=False.*keras.ops"):
        keras_imgen.load_model(path)
    pictures = np.random.default_rng(0).random((1, 8, 8, 1), "float32")
    again = doubled()
    again.load_weights(path)
    np.testing.assert_array_equal(again.restore(pictures), model.restore(pictures))
    unsafe = keras.saving.load_model(path, safe_mode=False)
    np.testing.assert_array_equal(unsafe.restore(pictures), model.restore(pictures))


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")
def test_a_lambda_as_loss_has_the_same_way_back(tmp_path):
    model = Restorer(networks.dncnn(depth=3, filters=2), degradations.AdditiveNoise(0.1, seed=0))
    model.compile(loss=lambda clean, restored: keras.ops.mean(keras.ops.abs(clean - restored)))
    model.save(tmp_path / "mine.keras")
    with pytest.raises(ValueError, match=r"load_weights.*safe_mode=False"):
        keras_imgen.load_model(tmp_path / "mine.keras")
    keras_imgen.load_model(tmp_path / "mine.keras", compile=False)


@pytest.mark.parametrize("nested", [False, True])
def test_a_generator_with_a_lambda_has_an_average(nested):
    latents = keras.Input((4,))
    x = keras.layers.Dense(64, "sigmoid")(latents)
    inner = keras.Input((64,))
    ends = keras.layers.Reshape((8, 8, 1))(keras.layers.Lambda(lambda x: 0.5 * x)(inner))
    ends = keras.Model(inner, ends)
    x = ends(x) if nested else keras.layers.Reshape((8, 8, 1))(keras.layers.Lambda(lambda x: x)(x))
    generator = keras.Model(latents, x)
    gan = GAN(generator, networks.dcgan_discriminator((8, 8, 1), filters=2), seed=0)
    drawn = gan.sample(2, seed=0)
    np.testing.assert_allclose(
        drawn, np.asarray(generator(keras.random.normal((2, 4), seed=0))), rtol=1e-6
    )
    gan.compile(run_eagerly=True)
    gan.fit(np.full((4, 8, 8, 1), 0.5, "float32"), verbose=0)
    assert not np.array_equal(drawn, gan.sample(2, seed=0))
    shared = {id(v) for v in generator.variables} & {id(v) for v in gan.ema_generator.variables}
    assert not shared
