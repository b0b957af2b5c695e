"""The command: what it leaves behind, what it refuses, and that nothing is ever overwritten."""

import csv
import dataclasses
import errno
import json
import os
import re
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from small_runs import contents, fail, run

import keras_imgen
from keras_imgen import (
    GAN,
    VAE,
    Diffusion,
    Restorer,
    degradations,
    load,
    load_model,
    load_pretrained,
    metrics,
    networks,
    plotting,
    pretrained,
)
from keras_imgen.cli import command as cli
from keras_imgen.cli import datasets, maps, recipes, undo
from keras_imgen.data import PictureDataset, to_float, to_uint8

FAMILIES = cli.FAMILIES


def photo(path, height=23, width=31, channels=3):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (height, width, channels), dtype="uint8")
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels if channels == 3 else pixels[..., 0]).save(path)
    return path


def test_families_have_recipes():
    assert tuple(recipes.RECIPES) == FAMILIES


def test_models_that_ship_are_known_before_they_can_be_loaded():
    assert tuple(pretrained.UNTRAINED) == cli.READY


def test_a_backend_that_is_not_installed_is_named_with_one_that_is(monkeypatch):
    from keras_imgen.cli import command

    def find(name):
        return "there" if name == "jax" else None

    monkeypatch.setattr(command.importlib.util, "find_spec", find)
    error = ModuleNotFoundError("No module named 'tensorflow'", name="tensorflow")
    sentence = "Keras computes by tensorflow, which is not installed. Install it, or set "
    assert command._explain(error, None) == (sentence + "KERAS_BACKEND=jax: that one is.", 1)
    other = ModuleNotFoundError("No module named 'other'", name="other")
    assert command._explain(other, None) == ("No module named 'other'", 1)


def test_help_imports_neither_keras_nor_tensorflow():
    code = (
        "import sys; sys.argv = ['keras-imgen', '--help']\n"
        "from keras_imgen.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: status = end.code\n"
        "heavy = {'keras', 'tensorflow', 'matplotlib', 'numpy'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else status)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    for command in ("demo", "train", "sample", "restore", "doctor"):
        assert command in result.stdout


@pytest.mark.parametrize(
    ("argv", "advice"),
    [
        (["sample", "no.keras"], "There is no model file 'no.keras'"),
        (["sample", "no.keras", "--out", "there.png"], "exists and is not overwritten"),
        (["sample", "no.keras", "--out", "x.jpg"], "ends in .png"),
        (["restore", "denoiser-gray", "no.png"], "no picture or folder 'no.png'"),
        (["restore", "denoiser-gray", "there.png", "--out", "."], "exists and is not overwritten"),
        (["restore", "no.keras", "there.png"], "There is no model file 'no.keras'"),
        (["restore", "denoiser", "there.png"], "There is no model 'denoiser'. Pass"),
        (["restore", "inpainter", "there.png", "--mask", "no.png"], "The mask 'no.png'"),
        (["evaluate", "inpainter", "--data", "no"], "no picture or folder 'no'"),
        (["evaluate", "no.keras", "--data", "digits"], "There is no model file 'no.keras'"),
        (["train", "gan", "--sigma", "5"], "--sigma is for `train denoise`"),
        (["train", "vae", "--from", "no.keras"], "There is no model file 'no.keras'"),
        (["train", "vae", "--out", "there.png"], "is a file. Pass a folder"),
        (["demo", "--out", "there.png"], "is a file. Pass a folder"),
    ],
)
def test_what_needs_no_keras_is_refused_before_it_is_imported(
    argv, advice, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    photo(tmp_path / "there.png")
    monkeypatch.setattr(cli, "_import_quietly", fail(AssertionError("Keras was imported")))
    assert run(*argv) == 2
    assert advice in capsys.readouterr().err


def test_early_refusals_import_no_keras():
    code = (
        "import sys; sys.argv = ['keras-imgen', 'restore', 'no.keras', 'no.png']\n"
        "from keras_imgen.cli import main\n"
        "status = main()\n"
        "heavy = {'keras', 'tensorflow', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else status)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 2, result.stderr
    assert "no picture or folder 'no.png'" in result.stderr


@pytest.mark.parametrize("family", FAMILIES)
def test_train_leaves_a_whole_run_and_never_overwrites_it(family, small, tmp_path, capsys):
    folder = tmp_path / "run"
    command = ("train", family, "--epochs", 2, "--seed", 3, "--out", folder)
    assert run(*command) == 0
    assert sorted(p.name for p in folder.iterdir()) == [
        ".lock",
        "config.json",
        "history.csv",
        "model.keras",
        "samples",
        "samples.gif",
    ]
    pictures = sorted((folder / "samples").iterdir())
    assert [p.name for p in pictures] == ["epoch_0001.png", "epoch_0002.png"]
    with Image.open(folder / "samples.gif") as gif:
        assert gif.n_frames == 2
    config = json.loads((folder / "config.json").read_text())
    assert config["arguments"]["seed"] == 3
    assert config["versions"]["keras_imgen"] == keras_imgen.__version__
    with open(folder / "history.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert all(np.isfinite(float(value)) for row in rows for value in row.values())
    assert isinstance(keras.saving.load_model(folder / "model.keras"), keras.Model)

    before = contents(folder)
    capsys.readouterr()
    assert run(*command) == 2
    assert "finished" in capsys.readouterr().err
    assert run("train", family, "--epochs", 3, "--seed", 3, "--out", folder) == 2
    assert "epochs 2 there, 3 here" in capsys.readouterr().err
    assert contents(folder) == before


def test_a_refused_training_does_not_block_the_corrected_one(eagerly, tmp_path, capsys):
    folder = tmp_path / "run"
    command = ("train", "vae", "--data", "photos", "--epochs", 1, "--out", folder)
    assert run(*command) == 2  # crops to learn from, whole photographs for the test
    assert "64 x 64 pixels to train on and 192 x 192 to test on. Pass --size 64" in (
        capsys.readouterr().err
    )
    assert not folder.exists()
    folder.mkdir()  # as if it had failed at its first batch
    (folder / "config.json").write_text("{}")
    assert run(*command, "--size", 32, "--crops", 1, "--batch-size", 4) == 0
    assert (folder / "model.keras").is_file()


def test_train_leaves_a_foreign_folder_alone(small, tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("three years of work")
    before = contents(tmp_path)
    assert run("train", "vae", "--out", tmp_path) == 2
    assert run("demo", "--out", tmp_path) == 2
    assert "nothing was changed" in capsys.readouterr().err
    assert contents(tmp_path) == before


def test_same_command_resumes_to_the_same_bits(small, eagerly, tmp_path, monkeypatch):
    command = ("train", "gan", "--epochs", 3, "--out")
    assert run(*command, tmp_path / "straight") == 0

    draw = keras_imgen.callbacks.SampleGrid.draw
    calls = []

    def fail_in_third_epoch(self):
        calls.append(1)
        if len(calls) == 3:
            raise OSError("the disk is full")
        return draw(self)

    monkeypatch.setattr(keras_imgen.callbacks.SampleGrid, "draw", fail_in_third_epoch)
    assert run(*command, tmp_path / "cut") == 1
    assert not (tmp_path / "cut" / "model.keras").exists()
    monkeypatch.setattr(keras_imgen.callbacks.SampleGrid, "draw", draw)
    assert run(*command, tmp_path / "cut") == 0

    straight, cut = (
        keras.saving.load_model(tmp_path / name / "model.keras") for name in ("straight", "cut")
    )
    variables = zip(
        straight.variables + straight.optimizer.variables,
        cut.variables + cut.optimizer.variables,
        strict=True,
    )
    for a, b in variables:
        np.testing.assert_array_equal(a, b, err_msg=a.path)
    histories = [(tmp_path / name / "history.csv").read_text() for name in ("straight", "cut")]
    assert histories[0] == histories[1]


def test_a_folder_of_an_embedded_sets_name_is_taken_only_if_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in range(3):
        photo(tmp_path / "digits" / f"{number}.png", 16, 16)
    args = cli._parser().parse_args(["train", "vae", "--batch-size", "2"])
    assert datasets.load_data(args, recipes.RECIPES["vae"])[0].num_pictures == 4000
    args.data = "digits"
    with pytest.warns(UserWarning, match="--data digits is a folder here"):
        train, _ = datasets.load_data(args, recipes.RECIPES["vae"])
    assert train.image_shape == (16, 16, 3)


def test_train_on_a_folder_of_ones_own(eagerly, tmp_path, capsys):
    for number in range(12):
        photo(tmp_path / "mine" / f"{number}.png", 20 + number, 40)
    command = ("train", "denoise", "--data", tmp_path / "mine", "--epochs", 1, "--batch-size", 4)
    options = ("--size", 16, "--crops", 2, "--channels", 1, "--out", tmp_path / "run")
    assert run(*command, *options) == 0
    model = keras.saving.load_model(tmp_path / "run" / "model.keras")
    assert model.image_shape == (None, None, 1)


def test_held_out_pictures_of_a_folder_are_other_ones(tmp_path):
    pictures = [np.full((8, 8, 1), i, "uint8") for i in range(25)]
    train, test = datasets._hold_out(PictureDataset(pictures))
    shown = {int(p[0, 0, 0]) for p in test.pictures}
    assert shown == {9, 19, 24}
    assert shown.isdisjoint(int(p[0, 0, 0]) for p in train.pictures)
    assert len(train.pictures) + len(test.pictures) == 25


def test_held_out_sequences_are_of_other_films(tmp_path):
    numbers = np.arange(25, dtype="uint8")[:, None, None, None, None]
    films = np.broadcast_to(numbers, (25, 2, 8, 8, 1))
    train, test = datasets._hold_out(PictureDataset(films))
    assert test.pictures[:, 0, 0, 0, 0].tolist() == [23, 24]
    assert len(train.pictures) == 23


def test_train_on_classes_in_subfolders_and_draw_one_by_name(eagerly, tmp_path, capsys):
    for name in ("cat", "dog"):
        for number in range(4):
            photo(tmp_path / "pets" / name / f"{number}.png", 12, 12, 1)
    command = ("train", "gan", "--data", tmp_path / "pets", "--labels", "--epochs", 1)
    command = (*command, "--batch-size", 2, "--size", 8, "--out", tmp_path / "run")
    assert run(*command) == 0
    model = tmp_path / "run" / "model.keras"
    assert keras.saving.load_model(model).num_classes == 2
    sample = ("sample", model, "-n", 4, "--seed", 1, "--out")
    assert run(*sample, tmp_path / "dog.png", "--label", "dog") == 0
    assert run(*sample, tmp_path / "1.png", "--label", 1) == 0
    assert (tmp_path / "dog.png").read_bytes() == (tmp_path / "1.png").read_bytes()
    capsys.readouterr()
    assert run(*sample, tmp_path / "no.png", "--label", "cow") == 2
    assert "takes a number or one of cat, dog. Received: --label cow" in capsys.readouterr().err
    (tmp_path / "run" / "config.json").unlink()
    assert run(*sample, tmp_path / "no.png", "--label", "dog") == 2
    assert "have no names here. Received: --label dog. Pass a number" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "sigma"), [("10", 10 / 255), ("0-51", (0.0, 0.2)), (None, 25 / 255)]
)
def test_a_denoiser_learns_from_the_noise_that_is_asked_for(text, sigma, small, eagerly, tmp_path):
    options = () if text is None else ("--sigma", text)
    command = ("train", "denoise", "--epochs", 1, *options, "--out", tmp_path / "run")
    assert run(*command) == 0
    model = keras.saving.load_model(tmp_path / "run" / "model.keras")
    np.testing.assert_allclose(model.degradation.range, np.broadcast_to(sigma, 2), atol=1e-7)
    assert run(*command) == 2  # it is the same run, and finished


def test_a_training_begins_where_another_one_ended(small, eagerly, tmp_path, monkeypatch, capsys):
    command = ("train", "denoise", "--epochs", 1)
    assert run(*command, "--out", tmp_path / "a") == 0
    first = keras.saving.load_model(tmp_path / "a" / "model.keras").get_weights()
    begun = []
    fit = keras_imgen.Restorer.fit
    monkeypatch.setattr(
        keras_imgen.Restorer,
        "fit",
        lambda self, *args, **options: (
            begun.append(self.get_weights()) or fit(self, *args, **options)
        ),
    )
    options = ("--from", tmp_path / "a" / "model.keras", "--out", tmp_path / "b")
    assert run(*command, *options) == 0
    for ended, began in zip(first, begun[0], strict=True):
        np.testing.assert_array_equal(ended, began)
    last = keras.saving.load_model(tmp_path / "b" / "model.keras").get_weights()
    assert any(np.any(a != b) for a, b in zip(first, last, strict=True))
    capsys.readouterr()
    assert run(*command, "--out", tmp_path / "b") == 2
    assert "from None" not in capsys.readouterr().out
    assert run("train", "inpaint", *options[:2], "--out", tmp_path / "c") == 2
    said = capsys.readouterr().err
    assert "--from takes a model that `keras-imgen train inpaint` made with the same" in said
    assert not (tmp_path / "c" / "model.keras").exists()


def vae_of(shape=(8, 8, 1), loss="bernoulli", num_classes=0, variance=None):
    options = {"latent_dim": 2, "filters": 2, "num_classes": num_classes}
    decoder = networks.vae_decoder(shape, variance=variance, **options)
    model = VAE(networks.vae_encoder(shape, **options), decoder, seed=0)
    model.compile(loss=loss)
    return model


def figures_in(printed):
    """Return the first number of each line, by what stands before it."""
    return dict(re.findall(r"^([A-Za-z ,-]+?) +(-?[\d.]+)(?: |$)", printed, re.MULTILINE))


def as_floats(figures):
    return {name: float(value) for name, value in figures.items()}


def test_a_vae_of_classes_in_black_and_white_trains_draws_and_is_measured(
    eagerly, tmp_path, capsys, monkeypatch
):
    vae = recipes.RECIPES["vae"]
    built = []
    recipe = dataclasses.replace(
        vae,
        build=lambda shape, seed, num_classes: (
            built.append(num_classes) or vae_of(shape, num_classes=num_classes)
        ),
    )
    monkeypatch.setitem(recipes.RECIPES, "vae", recipe)
    for number in range(24):
        photo(tmp_path / "pets" / ("cat", "dog")[number % 2] / f"{number}.png", 12, 12, 1)
    data = ("--data", tmp_path / "pets")
    command = ("train", "vae", *data, "--labels", "--binarize", "dynamic", "--epochs", 1)
    assert run(*command, "--batch-size", 4, "--size", 8, "--out", tmp_path / "run") == 0
    assert built == [2]
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["arguments"]["binarize"] == "dynamic"
    assert config["class_names"] == ["cat", "dog"]
    with Image.open(tmp_path / "run" / "samples" / "epoch_0001.png") as image:
        width, height = image.size
        assert height > 3 * width  # eight of each class, a class in each column
    model = tmp_path / "run" / "model.keras"
    assert run("sample", model, "-n", 2, "--label", "dog", "--out", tmp_path / "dog.png") == 0
    capsys.readouterr()
    # Of the folder that it was trained on, what was held out: 9, 19 and the last of 24.
    monkeypatch.chdir(tmp_path)
    assert run("evaluate", model, "--data", "pets", "--samples", 5) == 0
    printed = capsys.readouterr().out
    assert "3 pictures of 'pets'" in printed
    assert "8 x 8, in black and white (drawn, as in its dynamic training); Bernoulli" in printed
    found = as_floats(figures_in(printed))
    assert found["reconstruction"] > 10.0
    assert found["bound, their sum"] == pytest.approx(
        found["reconstruction"] + found["KL divergence"], abs=0.011
    )
    assert "5 importance samples" in printed
    assert "bits per dimension" not in printed
    photo(tmp_path / "other" / "cow" / "1.png", 8, 8, 1)
    photo(tmp_path / "other" / "dog" / "1.png", 8, 8, 1)
    for folder, said in (
        (tmp_path / "other", "knows the classes cat, dog. Received: --data"),
        (tmp_path / "other" / "cow", "is measured on pictures of its classes"),
        ("photos", "is measured on pictures of its classes"),
    ):
        assert run("evaluate", model, "--data", folder) == 2
        complaint = capsys.readouterr().err
        assert said in complaint
        assert "--labels False" not in complaint  # which `evaluate` does not take


@pytest.mark.parametrize(
    ("loss", "channels", "variance"),
    [("continuous_bernoulli", 1, None), ("gaussian", 3, None), ("gaussian", 3, "one")],
)
def test_evaluate_prints_the_likelihood_of_a_vae(loss, channels, variance, tmp_path, capsys):
    model = vae_of((8, 8, channels), loss, variance=variance)
    model.save(tmp_path / "vae.keras")
    command = ("evaluate", tmp_path / "vae.keras", "--data", "digits", "-n", 50, "--seed", 3)
    assert run(*command, "--samples", 20) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert printed.out.startswith("50 pictures of 'digits', 8 x 8")
    found = as_floats(figures_in(printed.out))
    options = {"size": 8, "channels": channels, "batch_size": 50, "shuffle": True, "seed": 3}
    (pictures,) = load("digits", "test", **options)[0]
    model.compile(loss=loss)
    figures = model.evaluate(pictures, verbose=0, return_dict=True)
    likelihoods = model.log_likelihood(pictures, 20, seed=3)
    expected = {
        "reconstruction": figures["reconstruction_loss"],
        "KL divergence": figures["kl_loss"],
        "bound, their sum": figures["loss"],
        "negative log-likelihood": -likelihoods.mean(),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=0.02), name
    # As if each grey level had a 255th of the density's range.
    bits = -np.mean(likelihoods) / (64 * channels) / np.log(2) + np.log2(255)
    assert found["bits per dimension"] == pytest.approx(bits, abs=0.002)
    error = np.std(likelihoods, ddof=1) / np.sqrt(50)
    assert f"standard error {error:.2f}, 20 importance samples" in printed.out


def test_the_cross_entropy_of_grey_pictures_is_called_no_likelihood(tmp_path, capsys):
    vae_of().save(tmp_path / "vae.keras")
    command = ("evaluate", tmp_path / "vae.keras", "--data", "digits", "-n", 20)
    assert run(*command) == 0
    printed = capsys.readouterr()
    assert "loss, their sum" in printed.out
    assert "log-likelihood" not in printed.out
    assert "--binarize dynamic" in printed.err
    assert run(*command, "--samples", 20) == 2
    assert "--samples is for a likelihood" in capsys.readouterr().err
    (tmp_path / "config.json").write_text('{"arguments": {"binarize": "static"}}')
    assert run(*command, "--samples", 20) == 0
    printed = capsys.readouterr()
    assert "black and white (drawn, as in its static training)" in printed.out
    assert "negative log-likelihood" in printed.out
    assert printed.err == ""


@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        ("vae", ("--sigma", 5), "--sigma is for restorers. Received: a VAE. Leave it out."),
        ("vae", ("--self-ensemble",), "--self-ensemble is for restorers"),
        ("denoise", ("-n", 5), "-n is for VAEs. Received: a Restorer. Leave it out."),
        ("denoise", ("--samples", 5), "--samples is for VAEs"),
    ],
)
def test_evaluate_refuses_what_another_model_takes(model, options, said, trained, tmp_path, capsys):
    photo(tmp_path / "a.png", 28, 28, 1)
    command = ("evaluate", trained / f"{model}.keras", "--data", tmp_path)
    assert run(*command, *options) == 2
    assert said in capsys.readouterr().err


def test_evaluate_takes_a_folder_or_a_set_by_name(trained, tmp_path, capsys):
    for number in range(3):
        photo(tmp_path / f"{number}.png", 29, 31, 3)  # made grey, and 28 x 28
    assert run("evaluate", trained / "vae.keras", "--data", tmp_path) == 0
    assert "3 pictures of" in capsys.readouterr().out
    assert run("evaluate", trained / "vae.keras", "--data", "no_such_set") == 2
    assert "--data takes a folder of PNG and JPEG files, an embedded set" in capsys.readouterr().err


def test_train_on_films_of_ones_own(eagerly, tmp_path):
    rng = np.random.default_rng(0)
    for name in "ab":
        plotting.save_gif(tmp_path / "films" / f"{name}.gif", rng.random((9, 12, 12, 1)))
    command = ("train", "sequence", "--data", tmp_path / "films", "--frames", 4, "--size", 8)
    options = ("--epochs", 1, "--batch-size", 2, "--out", tmp_path / "run")
    assert run(*command, *options) == 0
    model = keras.saving.load_model(tmp_path / "run" / "model.keras")
    assert model.image_shape == (None, None, None, 1)  # films of another size can be restored
    assert model.restore(np.ones((1, 3, 5, 9, 2))).shape == (1, 3, 5, 9, 1)
    assert json.loads((tmp_path / "run" / "config.json").read_text())["arguments"]["size"] == 8


@pytest.mark.parametrize(
    ("argv", "advice"),
    [
        (["denoise", "--labels"], "--labels is for `train gan, vae or diffusion`. Received: it"),
        (["gan", "--binarize", "static"], "--binarize is for `train vae`. Received: it for `train"),
        (["vae", "--data", "photos", "--channels", "3", "--binarize", "static"], "--channels 1, o"),
        (["inpaint", "--sigma", "5"], "--sigma is for `train denoise`"),
        (["gan", "--frames", "5"], "--frames is for `train sequence`"),
        (["sequence", "--frames", "5"], "--frames is for a folder of films"),
        (["gan", "--data", "photos", "--labels"], '"photos" has no labels'),
    ],
)
def test_options_of_other_families_are_refused(argv, advice, tmp_path, capsys):
    assert run("train", *argv, "--out", tmp_path / "run") == 2
    assert advice in capsys.readouterr().err


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """One small model of every family."""
    folder = tmp_path_factory.mktemp("trained")
    for family in FAMILIES:
        shape = (5, 28, 28, 1) if family == "sequence" else (28, 28, 1)
        recipes.RECIPES[family].build(shape, 0).save(folder / f"{family}.keras")
    return folder


def test_a_diffusion_model_is_told_how_to_draw(tmp_path, capsys):
    network = networks.diffusion_unet((8, 8, 1), filters=(4,), num_classes=3)
    for weight in network.weights:
        weight.assign(0.2 * np.random.default_rng(0).standard_normal(weight.shape))
    model = Diffusion(network, seed=0)
    model.save(tmp_path / "model.keras")
    GAN(
        networks.dcgan_generator((8, 8, 1), filters=2),
        networks.dcgan_discriminator((8, 8, 1), filters=2),
    ).save(tmp_path / "gan.keras")
    command = ("-n", 2, "--seed", 1, "--label", 2, "--scale", 1)
    how = {"steps": 3, "guidance": 2.5}
    options = [str(x) for name, value in how.items() for x in (f"--{name}", value)]
    out = tmp_path / "a.png"
    assert run("sample", tmp_path / "model.keras", *command, *options, "--out", out) == 0
    expected = plotting.save_grid(
        tmp_path / "b.png", model.sample(2, labels=2, seed=1, **how), scale=1
    )
    assert out.read_bytes() == expected.read_bytes()
    for option, said in (("--steps", "--steps is for"), ("--guidance", "--guidance is for")):
        command = ("sample", tmp_path / "gan.keras", option, 2, "--out", tmp_path / "c.png")
        assert run(*command) == 2
        assert f"{said} diffusion models. Received: a GAN" in capsys.readouterr().err
    unfit = ("sample", tmp_path / "model.keras", "--guidance", "-1", "--out", tmp_path / "c.png")
    assert run(*unfit) == 2
    assert "guidance" in capsys.readouterr().err


@pytest.mark.parametrize("family", ["gan", "vae", "diffusion"])
def test_sample(family, trained, tmp_path, capsys):
    command = ("sample", trained / f"{family}.keras", "-n", 5, "--seed", 1, "--scale", 1, "--out")
    assert run(*command, tmp_path / "a.png") == 0
    assert run(*command, tmp_path / "b.png") == 0
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as image:
        assert (image.mode, image.size) == ("L", (3 * 28 + 4, 2 * 28 + 2))
    before = contents(tmp_path)
    assert run(*command, tmp_path / "a.png") == 2
    assert "not overwritten" in capsys.readouterr().err
    assert contents(tmp_path) == before


def test_sample_draws_the_class_that_is_asked_for(tmp_path, capsys):
    gan = GAN(
        networks.dcgan_generator((8, 9, 1), latent_dim=3, filters=2, num_classes=3),
        networks.dcgan_discriminator((8, 9, 1), filters=2, num_classes=3),
    )
    gan.save(tmp_path / "gan.keras")
    command = ("sample", tmp_path / "gan.keras", "-n", 6, "--seed", 1, "--scale", 1, "--out")
    for options, labels, columns in (
        (("--label", 2), [2] * 6, None),
        ((), [0, 1, 2] * 2, 3),  # a class per column
    ):
        path = tmp_path / f"{len(options)}.png"
        assert run(*command, path, *options) == 0
        expected = plotting.image_grid(gan.sample(6, labels=labels, seed=1), columns)
        with Image.open(path) as image:
            np.testing.assert_array_equal(np.asarray(image)[..., None], to_uint8(expected))
    assert run(*command, tmp_path / "no.png", "--label", 3) == 2
    assert "between 0 and 2, both included. Received: 3" in capsys.readouterr().err
    plain = vae_of((8, 8, 1))
    plain.save(tmp_path / "plain.keras")
    for label in (3, "cow"):
        argv = ("sample", tmp_path / "plain.keras", "--label", label, "--out", tmp_path / "no.png")
        assert run(*argv) == 2
        expected = f"trained without classes. Received: --label {label}. Leave it out, or train one"
        assert expected in capsys.readouterr().err


USES = {  # one of each family of pictures
    "gan": ["sample", "gan.keras"],
    "vae": ["sample", "vae.keras"],
    "denoise": ["restore", "denoise.keras", "a.png", "--degrade"],
    "inpaint": ["restore", "inpaint.keras", "a.png", "--degrade"],
}
STARTS = ("module", "script")

# Imports Keras once, for seconds, and nothing of the package; then each command has a fork.
FORKS = """
import json, os, runpy, sys
import keras, matplotlib.pyplot

assert not any(name.startswith("keras_imgen") for name in sys.modules)
script, *commands = sys.argv[1:]
for start, name, *argv in map(json.loads, commands):
    if os.fork() == 0:
        for stream in (1, 2):
            os.dup2(os.open(f"{start}-{name}.{stream}", os.O_WRONLY | os.O_CREAT), stream)
        if start == "script":
            sys.argv = sys.orig_argv = [script, *argv]
            runpy.run_path(script, run_name="__main__")
        else:
            sys.argv = ["-m", *argv]  # as it is until Python has found the module
            sys.orig_argv = [sys.executable, "-m", "keras_imgen", *argv]
            runpy.run_module("keras_imgen", run_name="__main__", alter_sys=True)
    print(start, name, os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
"""


@pytest.fixture(scope="module")
def used_in_forks(trained, script):
    """What each command says and returns, in a process that has imported nothing of ours."""
    photo(trained / "a.png", channels=1)
    commands = [
        json.dumps([start, name, *argv, "--out", f"{start}-{name}.out.png"])
        for start in STARTS
        for name, argv in USES.items()
    ]
    done = in_a_process(["-c", FORKS, script, *commands], trained)
    assert done.returncode == 0, done.stderr
    return dict(line.rsplit(" ", 1) for line in done.stdout.splitlines())


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    """What an installed script holds."""
    path = tmp_path_factory.mktemp("bin") / "keras-imgen"
    path.write_text("import sys\nfrom keras_imgen.cli import main\nsys.exit(main())\n")
    return path


def in_a_process(argv, folder):
    return subprocess.run(
        [sys.executable, *argv],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(keras_imgen.__file__).parents[1])},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("name", USES)
def test_models_load_in_a_process_of_their_own(name, start, used_in_forks, trained):
    """In this process all classes are imported; the command, by itself, imports lazily."""
    said = (trained / f"{start}-{name}.2").read_text()
    assert used_in_forks[f"{start} {name}"] == "0", said
    assert said == ""
    assert (trained / f"{start}-{name}.out.png").exists()


@pytest.mark.parametrize(("start", "name"), [("module", "denoise"), ("script", "gan")])
def test_tensorflow_loads_without_a_notice(start, name, script, trained, tmp_path):
    photo(trained / "a.png", channels=1)
    begin = [script] if start == "script" else ["-m", "keras_imgen"]
    files = (".keras", ".png")
    argv = [str(trained / word) if word.endswith(files) else word for word in USES[name]]
    done = in_a_process([*begin, *argv, "--out", "result.png"], tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # no notices of TensorFlow's
    assert (tmp_path / "result.png").exists()


def test_sample_refuses_what_draws_nothing(trained, tmp_path, capsys):
    assert run("sample", trained / "denoise.keras", "--out", tmp_path / "x.png") == 2
    assert "keras-imgen restore" in capsys.readouterr().err


def test_restore_keeps_size_colour_and_name(trained, tmp_path):
    photo(tmp_path / "in" / "colour.png", 23, 31, 3)
    photo(tmp_path / "in" / "deeper" / "grey.jpg", 40, 17, 1)
    before = contents(tmp_path / "in")
    assert (
        run("restore", trained / "denoise.keras", tmp_path / "in", "--out", tmp_path / "out") == 0
    )
    assert contents(tmp_path / "in") == before
    with Image.open(tmp_path / "out" / "colour.png") as image:
        assert (image.mode, image.size) == ("RGB", (31, 23))
    with Image.open(tmp_path / "out" / "deeper" / "grey.png") as image:
        assert (image.mode, image.size) == ("L", (17, 40))


def test_restore_equals_the_model(trained, tmp_path):
    file = photo(tmp_path / "grey.png", 23, 31, 1)
    assert run("restore", trained / "denoise.keras", file, "--out", tmp_path / "out") == 0
    model = keras.saving.load_model(trained / "denoise.keras")
    expected = model.restore(to_float(np.asarray(Image.open(file)))[None, ..., None])[0, ..., 0]
    written = np.asarray(Image.open(tmp_path / "out" / "grey.png")) / 255
    np.testing.assert_allclose(written, expected, atol=0.5 / 255 + 1e-6)


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A denoiser that may be told how noisy a picture is."""
    keras.utils.set_random_seed(0)
    network = networks.dncnn((None, None, 1), extra_channels=1, depth=3, filters=4)
    noise = degradations.AdditiveNoise((0.0, 0.2), append_level=0.5, seed=0)
    file = tmp_path_factory.mktemp("told") / "told.keras"
    keras_imgen.Restorer(network, noise, seed=0).save(file)
    return file


def restored_by(command, file, out):
    assert run("restore", *command, file, "--out", out) == 0
    return np.asarray(Image.open(out / f"{file.stem}.png"))


def test_a_model_may_be_told_how_noisy_a_picture_is(told, tmp_path):
    file = photo(tmp_path / "grey.png", 23, 31, 1)
    model = keras_imgen.load_model(told)
    picture = to_float(np.asarray(Image.open(file)))[None, ..., None]
    for index, (options, level) in enumerate(
        [((), None), (("--sigma", "auto"), None), (("--sigma", "25"), 25 / 255)]
    ):
        expected = to_uint8(model.restore(picture, level=level))[0, ..., 0]
        found = restored_by((told, *options), file, tmp_path / str(index))
        np.testing.assert_array_equal(found, expected)


def test_noise_that_a_model_has_not_learned_from_is_refused_in_grey_levels(told, tmp_path, capsys):
    file = photo(tmp_path / "grey.png", 23, 31, 1)
    assert run("restore", told, file, "--sigma", "52", "--out", tmp_path / "out") == 2
    complaint = capsys.readouterr().err
    assert "--sigma must lie between 0 and 51" in complaint
    assert "level=" not in complaint
    assert not (tmp_path / "out").exists()


def test_restorers_that_ship_are_called_by_their_names(tmp_path, capsys):
    file = photo(tmp_path / "grey.png", 23, 31, 1)
    clean = to_float(np.asarray(Image.open(file)))[None, ..., None]
    for name, options, told in (
        ("denoiser-gray", (), {}),
        ("denoiser-gray", ("--sigma", 10), {"level": 10 / 255}),
    ):
        out = tmp_path / f"{name}{len(options)}"
        assert run("restore", name, file, "--out", out, *options) == 0
        expected = load_pretrained(name).restore(clean, **told)[0, ..., 0]
        found = to_float(np.asarray(Image.open(out / "grey.png")))
        np.testing.assert_allclose(found, expected, rtol=0, atol=0.501 / 255)
    capsys.readouterr()
    assert run("evaluate", "denoiser-gray", "--data", file, "--sigma", 25) == 0
    assert "mean of 1" in capsys.readouterr().out


def test_a_grey_picture_is_not_for_a_model_that_looks_for_noise_in_colors(tmp_path, capsys):
    # The noise of a grey picture is the same in all colours, and passes for texture.
    grey, out = photo(tmp_path / "in" / "grey.png", 23, 31, 1), tmp_path / "out"
    pixels = np.asarray(Image.open(grey))
    Image.fromarray(np.stack(3 * [pixels], axis=-1)).save(tmp_path / "in" / "rgb.png")
    photo(tmp_path / "in" / "color.png")
    assert run("restore", "denoiser-color", tmp_path / "in", "--out", out) == 1
    assert [path.name for path in out.iterdir()] == ["color.png"]
    said = capsys.readouterr().err
    assert said.count("The picture is grey") == 1
    assert "1 more is left out for the same reason" in said
    assert run("evaluate", "denoiser-color", "--data", tmp_path / "in", "--sigma", 25) == 1
    captured = capsys.readouterr()
    assert captured.err.count("Use denoiser-gray") == 1
    assert "mean of 1" in captured.out


def test_subfolders_are_kept_and_of_two_that_collide_one_is_left_out(trained, tmp_path, capsys):
    photos, out = tmp_path / "photos", tmp_path / "photos" / "restored"
    for name in ("a/1.jpg", "b/1.jpg", "dpi.jpg", "dpi.png", "C/x.png"):
        photo(photos / name, 12, 20)
    (photos / "Z.jfif").write_bytes((photos / "dpi.jpg").read_bytes())
    (photos / "scan.tif").write_bytes(b"no picture for us")
    command = ("restore", trained / "denoise.keras", photos, "--out", out)
    assert run(*command) == 1
    made = sorted(str(path.relative_to(out)) for path in out.rglob("*.png"))
    assert made == ["C/x.png", "Z.png", "a/1.png", "b/1.png", "dpi.png"]
    said = capsys.readouterr().err
    assert "1 file of other kinds" in said
    assert ".tif (1)" in said
    assert "dpi.jpg' and '" in said
    assert "would both become" in said
    # Results in the folder are not taken for pictures the next time.
    before = contents(out)
    assert run(*command) == 2
    assert "dpi.png" not in str(set(contents(out)) - set(before))
    assert contents(out) == before


def test_of_two_files_of_one_name_the_first_is_restored(trained, tmp_path, capsys):
    files = [photo(tmp_path / name, 12, 20) for name in ("here.png", "sub/here.png")]
    command = ("restore", trained / "denoise.keras", *files, "--out", tmp_path / "out")
    assert run(*command) == 1
    assert f"'{files[0]}' and '{files[1]}' would both become" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["here.png"]


def test_the_same_reason_is_said_once(tmp_path, capsys):
    greys = [photo(tmp_path / "in" / f"{i}.png", 12, 20, 1) for i in range(9)]
    assert run("restore", "denoiser-color", tmp_path / "in", "--out", tmp_path / "out") == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert f"'{greys[0]}': The picture is grey" in lines[0]
    assert "8 more are left out for the same reason: " in lines[1]
    assert str(greys[5]) in lines[1]
    assert str(greys[6]) not in lines[1]  # five will do


def test_results_that_are_there_are_said_once(trained, tmp_path, capsys):
    for i in range(5):
        photo(tmp_path / "in" / f"{i}.png", 12, 20, 1)
    command = ("restore", trained / "denoise.keras", tmp_path / "in", "--out", tmp_path / "out")
    assert run(*command) == 0
    (tmp_path / "out" / "3.png").unlink()
    capsys.readouterr()
    assert run(*command) == 1
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "0.png' and 3 more exist and are not overwritten" in captured.err
    assert captured.out.count(" -> ") == 1


def test_of_an_animation_the_first_picture_is_restored_with_a_word(trained, tmp_path, capsys):
    frame = Image.open(photo(tmp_path / "still.png", 12, 20))
    frame.save(tmp_path / "film.png", save_all=True, append_images=[frame.rotate(180)])
    command = ("restore", trained / "denoise.keras", tmp_path / "film.png")
    assert run(*command, "--out", tmp_path / "out") == 0
    assert "is an animation of 2 pictures. The first one is" in capsys.readouterr().err


def test_tiles_are_as_large_as_asked_for(trained, tmp_path, monkeypatch, capsys):
    file, asked = photo(tmp_path / "in.png", 12, 20, 1), []
    restore = keras_imgen.Restorer.restore
    monkeypatch.setattr(
        keras_imgen.Restorer,
        "restore",
        lambda self, *args, **told: asked.append(told["tile"]) or restore(self, *args, **told),
    )
    for tile in ((), ("--tile", 64), ("--tile", "none")):
        command = ("restore", trained / "denoise.keras", file, *tile)
        assert run(*command, "--out", tmp_path / f"out{len(asked)}") == 0
    assert asked == [1024, 64, None]
    with pytest.raises(SystemExit):
        run("restore", trained / "denoise.keras", file, "--tile", 5)
    assert "must be at least 64" in capsys.readouterr().err
    cli.complain("Pass tile=None, or smaller pictures.")
    assert "Pass --tile None, or" in capsys.readouterr().err


def test_noise_that_a_model_does_not_see_in_a_jpeg_it_is_told(tmp_path, capsys):
    clean = load("photos", "test", channels=3, size=160).pictures[:1][0][:160, :160]
    noise = np.random.default_rng(0).normal(0, 25, clean.shape)
    noisy = Image.fromarray(np.rint(np.clip(clean + noise, 0, 255)).astype("uint8"))
    noisy.save(tmp_path / "night.jpg", quality=90, subsampling=2)
    noisy.save(tmp_path / "night_too.png")
    files = (tmp_path / "night.jpg", tmp_path / "night_too.png")
    assert run("restore", "denoiser-color", *files, "--out", tmp_path / "out") == 0
    jpeg, png = capsys.readouterr().out.splitlines()
    assert 20 <= int(re.search(r"\(given: --sigma (\d+)\)", jpeg)[1]) <= 30
    assert "given" not in png  # there it sees for itself
    observed = to_float(np.asarray(Image.open(files[0])))[None]
    blind = load_pretrained("denoiser-color").restore(observed)
    told = to_float(np.asarray(Image.open(tmp_path / "out" / "night.png")))[None]
    clean = to_float(clean)[None]
    assert metrics.psnr(clean, told)[0] > metrics.psnr(clean, blind)[0] + 1.0


def test_a_picture_may_be_restored_in_eight_positions(trained, tmp_path):
    file = photo(tmp_path / "grey.png", 23, 31, 1)
    model = keras_imgen.load_model(trained / "denoise.keras")
    picture = to_float(np.asarray(Image.open(file)))[None, ..., None]
    expected = to_uint8(model.restore(picture, self_ensemble=True))[0, ..., 0]
    found = restored_by((trained / "denoise.keras", "--self-ensemble"), file, tmp_path / "out")
    np.testing.assert_array_equal(found, expected)


def test_nothing_of_a_photograph_is_lost(trained, tmp_path):
    import tensorflow as tf

    model = keras_imgen.load_model(trained / "denoise.keras")
    deep = np.random.default_rng(0).integers(0, 2**16, (23, 31, 2), dtype="uint16")
    (tmp_path / "deep.png").write_bytes(tf.io.encode_png(deep).numpy())
    command = ("restore", trained / "denoise.keras", tmp_path / "deep.png")
    assert run(*command, "--out", tmp_path / "out") == 0
    data = (tmp_path / "out" / "deep.png").read_bytes()
    written = tf.io.decode_png(data, dtype=tf.uint16).numpy()
    np.testing.assert_array_equal(written[..., 1], deep[..., 1])  # transparency
    expected = model.restore(deep[None, ..., :1] / np.float32(65535))[0]
    np.testing.assert_allclose(written[..., :1] / 65535, expected, atol=1e-5)


def test_evaluate_prints_the_figures_of_the_model(trained, tmp_path, capsys):
    folder = tmp_path / "clean"
    files = [photo(folder / f"{name}.png", 24, 31, 1) for name in "ab"]
    (folder / "c.png").write_text("no picture")
    command = ("evaluate", trained / "denoise.keras", "--data", folder)
    assert run(*command, "--sigma", 25, "--seed", 3) == 1  # one is left out
    printed = capsys.readouterr()
    assert "c.png" in printed.err
    model = keras_imgen.load_model(trained / "denoise.keras")
    clean = to_float(np.asarray(Image.open(files[0])))[None, ..., None]
    observed = np.asarray(degradations.AdditiveNoise(25 / 255, seed=3)(clean))
    restored = model.restore(observed)
    header, *rows = [line.split() for line in printed.out.splitlines()]
    assert header == ["picture", "observed", "restored", "SSIM"]
    assert [row[0] for row in rows] == ["a.png", "b.png", "mean"]
    for row in rows:  # both pictures are the same, and so is the mean
        found = [float(row[i]) for i in (-5, -3, -1)]
        expected = [
            float(metrics.psnr(clean, observed, clip=True)[0]),  # as it would be stored
            float(metrics.psnr(clean, restored)[0]),
            float(metrics.ssim(clean, restored)[0]),
        ]
        np.testing.assert_allclose(found, expected, atol=0.0051)


def test_a_model_of_pairs_restores_and_spoils_nothing(tmp_path, capsys):
    model = Restorer(networks.dncnn(depth=3, filters=2), None)
    model.save(tmp_path / "pairs.keras")
    photo(tmp_path / "seen" / "a.png", 24, 31, 1)
    assert run("restore", tmp_path / "pairs.keras", tmp_path / "seen", "--out", tmp_path / "o") == 0
    assert len(list((tmp_path / "o").rglob("*.png"))) == 1
    capsys.readouterr()
    assert run("restore", tmp_path / "pairs.keras", tmp_path / "seen", "--degrade") == 2
    assert "Leave out --degrade" in capsys.readouterr().err
    assert run("evaluate", tmp_path / "pairs.keras", "--data", tmp_path / "seen") == 2
    assert "model.evaluate(observed, clean)" in capsys.readouterr().err
    noisy = ("--data", tmp_path / "seen", "--sigma", 25)
    assert run("evaluate", tmp_path / "pairs.keras", *noisy) == 0


def test_evaluate_makes_the_holes_of_training(trained, tmp_path, capsys):
    photo(tmp_path / "clean" / "a.png", 24, 31, 1)
    command = ("evaluate", trained / "inpaint.keras", "--data", tmp_path / "clean")
    assert run(*command) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert run(*command, "--sigma", 25) == 2
    assert "Leave out --sigma" in capsys.readouterr().err


def test_restore_fills_the_white_of_a_mask_and_nothing_else(trained, tmp_path, capsys):
    file = photo(tmp_path / "grey.png", 23, 31, 1)
    mask = np.zeros((23, 31), "uint8")
    mask[5:9, 10:20] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    command = ("restore", trained / "inpaint.keras", file)
    assert run(*command, "--out", tmp_path / "out") == 2
    assert "--mask PICTURE" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert run(*command, "--mask", tmp_path / "mask.png", "--out", tmp_path / "out") == 0
    clean, filled = (np.asarray(Image.open(p)) for p in (file, tmp_path / "out" / "grey.png"))
    np.testing.assert_array_equal(filled[mask == 0], clean[mask == 0])
    assert np.any(filled[mask > 0] != clean[mask > 0])
    Image.fromarray(mask[:9]).save(tmp_path / "small.png")
    assert run(*command, "--mask", tmp_path / "small.png", "--out", tmp_path / "out2") == 2
    assert "31 x 23 pixels (width x height). Received: 31 x 9." in capsys.readouterr().err


def test_what_is_transparent_in_a_mask_is_not_painted(trained, tmp_path):
    file = photo(tmp_path / "grey.png", 23, 31, 1)
    layer = np.full((23, 31, 4), 255, "uint8")  # white everywhere, and
    layer[..., 3] = 0  # seen nowhere, but for
    layer[5:9, 10:20, 3] = 255
    Image.fromarray(layer).save(tmp_path / "layer.png")
    Image.fromarray(layer[..., 3]).save(tmp_path / "mask.png")
    layered, plain = (
        restored_by((trained / "inpaint.keras", "--mask", f"{out}.png"), file, out)
        for out in (tmp_path / "layer", tmp_path / "mask")
    )
    np.testing.assert_array_equal(layered, plain)


@pytest.mark.parametrize(
    ("mask", "complaint"),
    [
        (np.zeros((23, 31), "uint8"), "hides nothing. Paint what is missing white"),
        (np.tile([[0, 1]], (23, 16)).astype("uint8"), "hides nothing"),
        (np.full((23, 31), 255, "uint8"), "hides the whole picture. Paint"),
        (np.tile([[0, 76, 255]], (23, 11)).astype("uint8"), "is not black and white. Paint"),
        (None, "The mask '{}' cannot be read as a picture"),
    ],
)
def test_a_mask_that_is_none_is_refused(mask, complaint, trained, tmp_path, capsys):
    file = photo(tmp_path / "grey.png", 23, 31, 1)
    path = tmp_path / "mask.png"
    if mask is not None:
        Image.fromarray(mask).save(path)
    command = ("restore", trained / "inpaint.keras", file, "--mask", path)
    assert run(*command, "--out", tmp_path / "out") == 2
    assert complaint.format(path) in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_undo_fills_holes_and_keeps_what_is_known(tmp_path):
    file = photo(tmp_path / "in.png", 30, 41, 3)
    mask = np.zeros((30, 41), "uint8")
    mask[5:9, 10:20] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    out, holes = tmp_path / "out", ("--undo", "holes", "--mask", tmp_path / "mask.png")
    assert run("restore", "denoiser-color", file, *holes, "--out", out) == 0
    clean, filled = (np.asarray(Image.open(p)) for p in (file, out / "in.png"))
    np.testing.assert_array_equal(filled[mask == 0], clean[mask == 0])
    assert np.any(filled[mask > 0] != clean[mask > 0])


def test_undo_enlarges_a_picture_and_what_is_transparent(tmp_path, capsys):
    pixels = np.full((20, 31, 4), 200, "uint8")
    pixels[..., 3] = np.where(np.arange(31) < 16, 255, 0)
    Image.fromarray(pixels).save(tmp_path / "in.png")
    command = ("restore", "denoiser-gray", tmp_path / "in.png", "--undo", "downsample=2")
    assert run(*command, "--out", tmp_path / "out") == 0
    with Image.open(tmp_path / "out" / "in.png") as image:
        assert (image.mode, image.size) == ("RGBA", (62, 40))
        large = np.asarray(image)
    assert np.all(large[:, :28, 3] == 255)
    assert np.all(large[:, 36:, 3] == 0)
    assert "(noise: --sigma 0)" in capsys.readouterr().out


@pytest.mark.parametrize("noise", [0.0, 2.0, 12.0])
def test_of_a_blurred_picture_noise_is_never_taken_for_nothing(noise):
    clean = load("photos", "test").take(1)[:, :64, :64]
    blurred = np.asarray(degradations.Blur(1.6)(clean))
    seen = blurred + np.random.default_rng(0).normal(0.0, noise / 255.0, blurred.shape)
    seen = seen[0].astype("float32")
    level = 255.0 * undo.level_of(seen, undo.read(["blur=1.6"]), "auto")
    assert level == pytest.approx(max(noise, 2.0), rel=0.4)
    assert undo.level_of(seen, undo.read(["blur=1.6"]), 0.0) == 0.0
    assert undo.level_of(seen, undo.read(["mosaic=RGGB"]), "auto") == 0.0


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--undo", "fog=1"], "--undo takes blur=SIGMA, motion=LENGTH,ANGLE"),
        (["--undo", "blur"], "--undo takes blur=SIGMA"),
        (["--undo", "blur=x"], "--undo blur=x is not possible. 'x' is no number"),
        (["--undo", "blur=99"], "--undo blur=99 is not possible. `sigma` must be"),
        (["--undo", "motion=5"], "Received: --undo motion=5"),
        (["--undo", "mosaic=RGB"], "--undo mosaic=RGB is not possible. `pattern`"),
        (["--undo", "downsample=1.5"], "--undo downsample=1.5 is not possible. `factor` must"),
        (["--undo", "downsample=x"], "--undo downsample=x is not possible. 'x' is no number"),
        (["--undo", "blur=1", "--undo", "downsample=2"], "--undo downsample stands alone"),
        (["--undo", "holes"], "--undo holes needs --mask"),
        (["--undo", "blur=1", "--mask", "MASK"], "Add --undo holes, or leave out --mask"),
        (["--undo", "blur=1", "--degrade"], "--degrade does not go with --undo"),
        (["--undo", "blur=1", "--degrade", "--map", "MAP"], "--degrade does not go with"),
        (["--degrade", "--map", "MAP"], "--degrade does not go with --map"),
        (["--map", "OUT"], "--map needs a folder of its own"),
    ],
)
def test_undo_says_what_it_takes(options, complaint, tmp_path, capsys):
    file = photo(tmp_path / "in.png", 23, 31, 1)
    mask = np.zeros((23, 31), "uint8")
    mask[:5] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    paths = {"MASK": tmp_path / "mask.png", "MAP": tmp_path / "map", "OUT": tmp_path / "out"}
    options = [str(paths.get(option, option)) for option in options]
    assert run("restore", "denoiser-gray", file, *options, "--out", tmp_path / "out") == 2
    assert complaint in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


MAPPED = {  # a model, the channels of a picture, and options
    "blind": ("denoise", 1, ()),
    "told": ("denoiser-gray", 3, ("--sigma", "12")),
    "holes": ("inpaint", 1, ("--mask", "MASK")),
    "undo": ("denoiser-gray", 1, ("--undo", "blur=1.2", "--sigma", "3")),
    "undo holes": ("denoiser-gray", 3, ("--undo", "holes", "--mask", "MASK")),
    "undo few pixels": ("denoiser-gray", 1, ("--undo", "downsample=2")),
}


@pytest.mark.parametrize(
    "case", [pytest.param(c, marks=pytest.mark.slow if "undo" in c else ()) for c in MAPPED]
)
def test_a_map_says_how_wrong_each_pixel_may_be(case, trained, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(maps, "SIDE", 24)
    monkeypatch.setitem(Restorer.undo.__kwdefaults__, "passes", 4)
    name, channels, options = MAPPED[case]
    model = trained / f"{name}.keras" if (trained / f"{name}.keras").exists() else name
    picture = degradations.Blur(1.2)(load("photos", "test", channels=channels).take(1)[:, :28, :28])
    plotting.save_grid(tmp_path / "in" / "a.png", np.asarray(picture), padding=0)
    mask = np.zeros((28, 28), "uint8")
    mask[5:9, 10:20] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    options = [tmp_path / "mask.png" if option == "MASK" else option for option in options]
    command = ("restore", model, tmp_path / "in", *options)
    out, folder = tmp_path / "out", tmp_path / "in" / "maps"
    assert run(*command, "--out", out, "--map", folder) == 0
    legend = "yellow where it may be wrong by 64 grey levels or more"
    assert f"(map: {folder / 'a.png'}, {legend})" in capsys.readouterr().out
    with Image.open(folder / "a.png") as image, Image.open(out / "a.png") as restored:
        assert image.mode == "RGB"
        assert image.size == restored.size
        heat, mean = np.asarray(image, "float32").sum(axis=-1), np.asarray(restored)
    hidden = mask > 0 if "MASK" in MAPPED[case][2] else np.ones(heat.shape, bool)
    assert np.all(heat[hidden] > 4)
    assert np.all(heat[~hidden] < 5)  # inferno begins at (0, 0, 3)
    # What is restored is the mean of all positions.
    alone = ("restore", model, tmp_path / "in" / "a.png", *options)
    assert run(*alone, "--out", tmp_path / "again", "--self-ensemble") == 0
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "again" / "a.png")), mean)
    # Nothing is overwritten, and maps are no pictures to restore.
    before = contents(tmp_path)
    assert run(*command, "--out", tmp_path / "third", "--map", folder) == 2
    assert "exists and is not overwritten. Pass another --map" in capsys.readouterr().err
    assert contents(tmp_path) == before


def test_a_map_of_holes_is_fitted_on_the_holes_of_the_mask_alone():
    # The inpainter has learned from holes of many kinds: none of those must be in what is tried.
    model, mask, seen = load_pretrained("inpainter"), np.zeros((40, 50, 1), "float32"), []
    mask[10:20, 5:30] = 1.0

    def restored(picture, holes):
        seen.append((picture, holes))
        return picture, np.ones_like(picture)

    assert maps.level_behind(model, None, np.zeros((40, 50, 3), "float32")) is None
    degradation = maps.went_through(model, [], None, mask)
    maps.error_bars(restored, (None, None, 3), degradation, mask, kept=True)
    assert len(seen) == len(maps.EXAMPLES)
    for name, (picture, holes) in zip(maps.EXAMPLES, seen, strict=True):
        whole = keras_imgen.load_example(name)
        y, x = ((n - side) // 2 for n, side in zip(whole.shape, (40, 50), strict=False))
        np.testing.assert_allclose(picture, whole[y : y + 40, x : x + 50], atol=1e-6)
        assert holes.max() == 1.0


def test_error_bars_are_fitted_once_for_pictures_that_went_through_the_same(tmp_path, monkeypatch):
    fitted = []
    original = maps.error_bars
    monkeypatch.setattr(maps, "error_bars", lambda *args: fitted.append(1) or original(*args))
    files = [photo(tmp_path / f"{i}.png", 9 + i, 20, 1) for i in range(3)]
    command = ("restore", "denoiser-gray", *files, "--sigma", "20", "--out", tmp_path / "out")
    assert run(*command, "--map", tmp_path / "maps") == 0
    assert len(fitted) == 1
    assert len(list((tmp_path / "maps").iterdir())) == 3


def test_a_map_is_refused_where_known_pixels_were_changed_too(tmp_path, capsys):
    both = degradations.Compose([degradations.AdditiveNoise(0.1), degradations.MissingPixels(0.3)])
    Restorer(networks.dncnn(extra_channels=1, depth=3, filters=2), both).save(tmp_path / "m.keras")
    file = photo(tmp_path / "in.png", 20, 20, 1)
    Image.fromarray(np.eye(20, dtype="uint8") * 255).save(tmp_path / "mask.png")
    command = ("restore", tmp_path / "m.keras", file, "--mask", tmp_path / "mask.png")
    assert run(*command, "--map", tmp_path / "maps", "--out", tmp_path / "out") == 2
    assert "a model of Compose, which changes known pixels, too" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_map_covers_nine_of_ten_errors(trained):
    model, degradation = (
        load_model(trained / "denoise.keras"),
        degradations.AdditiveNoise(0.1, seed=3),
    )

    def restored(seen, holes):
        return [x[0] for x in model.restore(seen[None], return_std=True)]

    bars = maps.error_bars(restored, (None, None, 1), degradation)
    clean = load("photos", "test").take(3)[:, :64, :64]
    answers = model.restore(np.asarray(degradation(clean)), return_std=True)
    assert 0.8 < bars.covered(clean, *answers) < 0.97


@pytest.mark.parametrize("model", ["gan", "inpaint", "denoise"])
def test_undo_needs_a_denoiser_that_is_given_levels(model, trained, tmp_path, capsys):
    file = photo(tmp_path / "in.png", 28, 28, 1)
    command = ("restore", trained / f"{model}.keras", file, "--undo", "blur=1")
    assert run(*command, "--out", tmp_path / "out") == 2
    assert "Use denoiser-gray or denoiser-color" in capsys.readouterr().err


def test_one_bad_picture_holds_up_no_other(trained, tmp_path, capsys):
    for name in ("a", "c", "e"):
        photo(tmp_path / "in" / f"{name}.png", channels=1)
    whole = (tmp_path / "in" / "a.png").read_bytes()
    (tmp_path / "in" / "b.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "in" / "d.jpg").symlink_to("nowhere")
    command = ("restore", trained / "denoise.keras", tmp_path / "in", "--out", tmp_path / "out")
    assert run(*command) == 1
    printed = capsys.readouterr()
    assert printed.out.count(" -> ") == 3
    assert [name for name in "abcde" if f"{name}.png" in printed.err] == ["b"]
    assert "d.jpg" in printed.err
    assert printed.err.count("\n") == 2
    before = contents(tmp_path / "out")
    assert [path.name for path in before] == ["a.png", "c.png", "e.png"]

    (tmp_path / "in" / "b.png").write_bytes(whole)  # mended: the same command goes on
    assert run(*command) == 1
    said = capsys.readouterr().err
    assert "a.png' and 2 more exist and are not overwritten. Pass another --out" in said
    after = contents(tmp_path / "out")
    assert [path.name for path in after] == ["a.png", "b.png", "c.png", "e.png"]
    assert before.items() <= after.items()


def test_results_that_are_all_there_are_refused_at_once(trained, tmp_path, capsys):
    files = [photo(tmp_path / f"{name}.png", channels=1) for name in "ab"]
    command = ("restore", trained / "denoise.keras", *files)
    assert run(*command, "--out", tmp_path) == 2  # beside the pictures, and so upon them
    assert "a.png' and 1 more exist and are not overwritten" in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == files


def test_restore_to_a_full_disk_leaves_whole_pictures_and_goes_on(
    trained, tmp_path, monkeypatch, capsys
):
    files = [photo(tmp_path / "in" / f"{name}.png", channels=1) for name in "ab"]
    save = Image.Image.save

    def fill_the_disk(image, path, *format, **extras):
        Path(path).write_bytes(b"half a picture")
        raise OSError(errno.ENOSPC, "No space left on device")

    command = ("restore", trained / "denoise.keras", *files, "--out", tmp_path / "out")
    monkeypatch.setattr(Image.Image, "save", fill_the_disk)
    assert run(*command) == 1
    assert "Free some space, then give the same command again" in capsys.readouterr().err
    assert list((tmp_path / "out").iterdir()) == []
    monkeypatch.setattr(Image.Image, "save", save)
    assert run(*command) == 0


def test_a_sequence_with_a_bad_frame_is_not_restored(trained, tmp_path, capsys):
    for t in range(3):
        photo(tmp_path / "frames" / f"{t}.png", 28, 28, 1)
    (tmp_path / "frames" / "1.png").write_text("no picture")
    command = ("restore", trained / "sequence.keras", tmp_path / "frames", "--degrade")
    assert run(*command, "--out", tmp_path / "out") == 2
    assert "1.png' cannot be read" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "name",
    ["with space.png", "-n.png", "日本 🎨.png", "new\nline.png", os.fsdecode(b"\xff.png"), "~.png"],
    ids=ascii,
)
def test_odd_names(name, trained, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    photo(tmp_path / "in dir" / name, channels=1)
    assert run("restore", trained / "denoise.keras", "in dir/", "--out", "./out dir/") == 0
    assert os.listdir("out dir") == [name]
    assert run("restore", trained / "denoise.keras", "in dir/", "--out", "./out dir/") == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_tilde_is_the_home_folder(trained, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert run("sample", trained / "gan.keras", "-n", 1, "--out", "~/x/y.png") == 0
    assert (tmp_path / "x" / "y.png").is_file()


def test_restore_takes_frames_as_one_sequence(trained, tmp_path):
    for t in range(4):
        photo(tmp_path / "frames" / f"{t}.png", 28, 28, 1)
    command = ("restore", trained / "sequence.keras", tmp_path / "frames", "--degrade")
    assert run(*command, "--out", tmp_path / "out") == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [f"{t}.png" for t in range(4)]


@pytest.mark.parametrize(
    ("argv", "status", "advice"),
    [
        (["sample", "missing.keras"], 2, "no model file"),
        (["restore", "damaged.keras", "here.png"], 2, "damaged"),
        (["restore", "denoiser-grey", "here.png"], 2, "Pass a .keras file, or denoiser-gray, "),
        (["restore", "denoiser-gray", "here.png", "--sigma", "60"], 2, "and 55, the noise"),
        (["restore", "denoiser-gray", "here.png", "--sigma", "60"], 2, "Pass 55."),
        (["restore", "denoiser-gray", "here.png", "--sigma", "0"], 2, "--sigma 0 would give"),
        (
            ["restore", "denoiser-gray", "here.png", "--sigma", "9", "--degrade"],
            2,
            "draws the noise",
        ),
        (["restore", "inpainter", "here.png"], 2, "Pass --mask PICTURE"),
        (["restore", "inpainter", "here.png", "--mask", "sub"], 2, "it is a folder"),
        (["evaluate", "inpainter", "--data", ".", "--sigma", "5"], 2, "fills holes. Leave out"),
        (["evaluate", "denoiser-gray", "--data", "nowhere"], 2, "no picture or folder 'nowhere'"),
        (["restore", "{denoise}", "missing.png"], 2, "no picture or folder 'missing.png'"),
        (["restore", "{gan}", "here.png"], 2, "keras-imgen sample"),
        (["restore", "{denoise}", "here.png", "--mask", "here.png"], 2, "takes no mask"),
        (
            ["restore", "{denoise}", "here.png", "--sigma", "25"],
            2,
            "not conditioned on a noise",
        ),
        (["evaluate", "{gan}", "--data", "."], 2, "restores no single pictures"),
        (["evaluate", "{denoise}", "--data", "empty"], 2, "no PNG or JPEG"),
        (["evaluate", "{denoise}", "--data", "broken.png"], 2, "neither PNG nor JPEG"),
        (["restore", "{denoise}", "broken.png"], 2, "broken.png"),
        (["restore", "{denoise}", "empty"], 2, "no PNG or JPEG"),
        (["restore", "inpainter", "here.png", "--mask", "no.png"], 2, "mask 'no.png' cannot be re"),
        (["restore", "{denoise}", "broken.png"], 2, "neither PNG nor JPEG, the only kinds"),
        (["restore", "foreign.keras", "here.png"], 2, "it is no .keras file"),
        (["restore", "here.png", "{denoise}"], 2, "ends in .keras"),
        (["sample", "{gan}", "--out", "x.txt"], 2, "Pass a name that ends in .png"),
        (["sample", "{gan}", "--out", "empty"], 2, "ends in .png"),
        (["sample", "{gan}", "--out", "here.png/x.png"], 2, "is a file: pass another one"),
        (["sample", "{gan}", "--out", 300 * "x" + ".png"], 2, "Pass a shorter name"),
        (["sample", "{gan}", "-n", "9999999"], 2, "Pass a smaller -n or --scale"),
        (["sample", "{gan}", "--scale", "9999"], 2, "Pass a smaller -n or --scale"),
        (["tutorials", "here.png/sub"], 2, "is a file: pass another one"),
        (["train", "gan", "--data", "no_such_set"], 2, "--data takes a folder of PNG and JPEG"),
        (["train", "gan", "--data", "../no/such"], 2, "--data takes a folder of PNG and JPEG"),
        (["train", "gan", "--data", "here.png"], 2, "--data takes a folder of PNG and JPEG"),
        (["train", "denoise", "--data", "empty"], 2, "holds no picture"),
        (["train", "denoise", "--data", "one", "--size", "16"], 2, "at least 2"),
        (["train", "gan", "--data", "two", "--size", "16"], 2, "at least 2 pictures at a time"),
        (["train", "vae", "--batch-size", "1"], 2, "a --batch-size of 2 or more"),
        (["train", "sequence", "--data", "digits"], 2, "sequences"),
        (["train", "gan", "--data", "moving_digits"], 2, "sequences"),
        (["train", "sequence", "--size", "64"], 2, "Received: --size. Leave it out"),
        (["train", "gan", "--crops", "2"], 2, "--crops is the number of random crops of --size"),
        (["train", "gan", "--data", "photos", "--size", "4096"], 2, "smaller --size, or --crops 0"),
        (["train", "gan", "--size", "99999"], 2, "Pass a smaller --size"),
        (["train", "gan", "--out", "here.png"], 2, "is a file"),
        (["train", "gan", "--out", "here.png/sub"], 2, "is a file: pass another one"),
        (["demo", "--out", "here.png/sub"], 2, "is a file: pass another one"),
    ],
)
def test_errors_are_one_sentence(argv, status, advice, trained, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "damaged.keras").write_bytes(b"PK not really")
    with zipfile.ZipFile(tmp_path / "foreign.keras", "w") as file:
        file.writestr("config.json", "{}")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG not really")
    (tmp_path / "empty").mkdir()
    photo(tmp_path / "here.png")
    photo(tmp_path / "sub" / "here.png")
    photo(tmp_path / "one" / "here.png")
    photo(tmp_path / "two" / "1.png")
    photo(tmp_path / "two" / "2.png")
    before = contents(tmp_path)
    argv = [arg.format(**{f: trained / f"{f}.keras" for f in FAMILIES}) for arg in argv]
    assert run(*argv) == status
    error = capsys.readouterr().err
    assert advice in error
    assert error.startswith("keras-imgen: ")
    assert error.count("\n") == 1
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("argv", "advice"),
    [
        (["train", "gan", "--epochs", "0"], "must be at least 1, not 0"),
        (["train", "gan", "--epochs", "ten"], "invalid whole number value: 'ten'"),
        (["demo", "--seed", "9" * 5000], "999.... See keras-imgen demo --help"),
        (["train", "gan", "--seed", "4294967296"], "must be at most 2147483647"),
        (["train", "cat"], "invalid choice: 'cat'"),
        (["train", "gan", "a\x1cb\nc"], "unrecognized arguments: a b c. See"),
        (["paint"], "invalid choice: 'paint'"),
        (["sample"], "required: model"),
        (["sample", "x.keras", "--out", ""], "must be a path, not ''"),
        (["sample", "x\0.keras"], "must be a path"),
        (["restore", "x.keras", "x.png", "--mask", "y.png", "--degrade"], "not allowed with"),
        (["restore", "x.keras", "x.png", "--sigma", "300"], "grey levels from 0 to 255, not '300'"),
        (["restore", "x.keras", "x.png", "--sigma", "0.1"], "of the whole range pass 25.5"),
        (["evaluate", "x.keras", "--data", "x", "--sigma", "auto"], "from 0 to 255, not 'auto'"),
        (["evaluate", "x.keras"], "required: --data"),
    ],
)
def test_wrong_arguments_exit_with_2_and_one_sentence(argv, advice, capsys):
    with pytest.raises(SystemExit) as end:
        run(*argv)
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert advice in error
    assert error.startswith("keras-imgen")
    assert error.count("\n") == 1


def test_nothing_asked_shows_the_help(capsys):
    assert run() == 2
    assert "Train one model" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "status", "advice"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), 1, "'x.png' .*Free some space"),
        (PermissionError(errno.EACCES, "Permission denied", "y.png"), 2, "'y.png' .*get the right"),
        (FileNotFoundError(errno.ENOENT, "Not there", "/proc/x"), 2, "'/proc/x' .*another path"),
        (OSError(errno.EROFS, "Read-only file system", "/a"), 2, "'/a' .*on another disk"),
        (OSError(errno.EIO, "Input/output error", "/a"), 1, "'/a' .*Look after its cause"),
        (ConnectionError("not reachable"), 1, "not reachable"),
        (MemoryError(), 1, "not enough memory. Pass fewer or smaller"),
        (FloatingPointError("diverged"), 1, "diverged"),
        (OSError(errno.ENOSPC, "No space", "from.ipynb", None, "to.ipynb"), 1, "'to.ipynb' .*Free"),
    ],
)
def test_what_the_system_refuses_is_said_with_path_and_advice(
    error, status, advice, trained, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(keras_imgen.plotting, "save_grid", fail(error))
    assert run("sample", trained / "gan.keras", "-n", 1, "--out", "x.png") == status
    printed = capsys.readouterr().err
    assert re.fullmatch(f"keras-imgen: .*{advice}.*\n", printed)
    assert "Errno" not in printed


def test_what_cannot_be_written_is_refused_before_any_work(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # as root, everything is allowed
    monkeypatch.setattr(cli, "_import_quietly", fail(AssertionError("work was begun")))
    for argv in (
        ["demo", "--out", tmp_path / "x"],
        ["train", "gan", "--out", tmp_path / "x" / "y"],
        ["sample", "x.keras", "--out", tmp_path / "x.png"],
        ["restore", "x.keras", "x.png", "--out", tmp_path / "x"],
        ["tutorials", tmp_path / "x"],
    ):
        assert run(*argv) == 2
        assert f"'{tmp_path}' cannot be used: Permission denied" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "error", "expected"),
    [
        (["train", "gan"], KeyboardInterrupt(), "interrupted. The same command goes on from here."),
        (["demo"], KeyboardInterrupt(), "interrupted. The same command goes on from here."),
        (["doctor"], KeyboardInterrupt(), "interrupted."),
        (["train", "gan"], KeyboardInterrupt("Saved epoch 3."), "Saved epoch 3."),
    ],
)
def test_ctrl_c_promises_what_is_true(argv, error, expected, monkeypatch, capsys):
    monkeypatch.setattr(cli, "_import_quietly", fail(error))
    assert run(*argv) == 130
    assert capsys.readouterr().err == f"\nkeras-imgen: {expected}\n"


def test_warnings_are_one_line_in_the_commands_words(monkeypatch, capsys):
    class Command:
        @staticmethod
        def doctor(args):
            warnings.warn("two\nlines. Pass `size=` or channels=1.", stacklevel=1)

    monkeypatch.setattr(cli, "_import_quietly", lambda name: Command)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert run("doctor") == 0
    expected = "keras-imgen: warning: two lines. Pass --size or --channels 1.\n"
    assert capsys.readouterr().err == expected


def test_a_reader_that_leaves_is_no_error():
    command = f"{sys.executable} -m keras_imgen doctor"
    env = {**os.environ, "PYTHONPATH": str(Path(keras_imgen.__file__).parents[1])}
    result = subprocess.run(
        ["bash", "-c", f"{command} | true"], env=env, capture_output=True, text=True
    )
    assert result.stderr == ""


def test_debug_shows_the_traceback(tmp_path):
    with pytest.raises(FileNotFoundError):
        run("sample", tmp_path / "missing.keras", "--debug")


def test_doctor_says_what_a_bug_report_needs(capsys, monkeypatch):
    from keras_imgen.data import tfds

    monkeypatch.setattr(tfds, "is_reachable", lambda: False)
    assert run("doctor") == 0
    printed = capsys.readouterr().out
    for name in ("Python", "keras", "tensorflow", "backend", "devices", "cores", "not reachable"):
        assert name in printed


@pytest.mark.parametrize("which", [[], ["--solutions"]], ids=["student", "solutions"])
def test_tutorials_copies_the_notebooks(which, tmp_path, capsys):
    folder = tmp_path / "a new" / "class"
    assert run("tutorials", folder, *which) == 0
    source = Path(__file__).parents[1] / "tutorials" / ("solutions" if which else "")
    expected = {path.name: path.read_bytes() for path in source.glob("*.ipynb")}
    assert len(expected) >= 1
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == expected
    assert f"{len(expected)} notebooks" in capsys.readouterr().out


def test_tutorials_never_overwrites_an_answer(tmp_path, capsys):
    assert run("tutorials", tmp_path) == 0
    mine, *others = sorted(tmp_path.iterdir())
    mine.write_text("my answers")
    for path in others:
        path.unlink()
    for which in ([], ["--solutions"]):
        assert run("tutorials", tmp_path, *which) == 2
        assert mine.name in capsys.readouterr().err
        assert contents(tmp_path) == {mine: b"my answers"}


def test_tutorials_goes_on_where_it_was_cut_off(tmp_path):
    assert run("tutorials", tmp_path) == 0
    whole = contents(tmp_path)
    next(iter(whole)).unlink()
    assert run("tutorials", tmp_path) == 0
    assert contents(tmp_path) == whole


def test_tutorials_wants_a_folder(tmp_path, capsys):
    (tmp_path / "file").write_text("kept")
    assert run("tutorials", tmp_path / "file") == 2
    assert "which is a file" in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "kept"


def test_tutorials_without_notebooks_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(keras_imgen, "__file__", str(tmp_path / "lib" / "keras_imgen" / "x.py"))
    assert run("tutorials", tmp_path / "class") == 1
    assert "Install the package again" in capsys.readouterr().err
    assert not (tmp_path / "class").exists()


def test_pixel_frechet_distance_closed_form():
    """Equal sets are at distance 0; shifted ones at the square of the shift."""
    pictures = np.random.default_rng(0).normal(size=(500, 4, 4, 1))
    distance = recipes.pixel_frechet_distance
    assert distance(pictures, pictures, 16) == pytest.approx(0.0, abs=1e-6)
    shifted = pictures + 0.5  # 16 pixels by 0.5: 16 * 0.25
    assert distance(pictures, shifted, 16) == pytest.approx(4.0, abs=1e-6)
    # N(0, 1) against N(0, 4): tr(A + B - 2 sqrt(AB)) = A + 4 A - 4 A = A, with A the sample's
    # trace.
    trace = np.trace(np.cov(pictures.reshape(500, -1).T))
    mean = pictures.mean(axis=0)
    wider = mean + 2 * (pictures - mean)
    assert distance(pictures, wider, 16) == pytest.approx(trace, rel=1e-6)


OFFLINE = """
import sys
used = []

def watch(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        used.append((event, args))
        raise OSError("no network in tests")

sys.addaudithook(watch)
sys.argv = ["keras-imgen"]  # so that the command imports as little as it does by itself
import time
from pathlib import Path
from keras_imgen.cli import main

def command(*argv):
    try:
        return main(list(argv))
    except SystemExit as end:
        return end.code

assert command("--help") == 0 and command("sample", "--help") == 0
import keras_imgen
assert command("tutorials", "class") == 0
data = keras_imgen.load("digits", size=8, channels=3, batch_size=500, seed=1)
keras_imgen.load("photos"), keras_imgen.load("moving_digits", "test")
Path("pictures").mkdir()
for number, picture in enumerate(data.take(4)):
    picture[..., 2] *= 0.5  # yellow
    keras_imgen.plotting.save_grid(f"pictures/{number}.png", picture[None])
options = ("--data", "pictures", "--epochs", "1", "--batch-size", "2")
assert command("train", "vae", *options, "--out", "vae") == 0
assert command("sample", "vae/model.keras", "-n", "2", "--out", "new.png") == 0
assert command("train", "denoise", *options, "--out", "cnn") == 0
assert command("restore", "cnn/model.keras", "pictures", "--out", "restored") == 0
assert len(list(Path("restored").iterdir())) == 4
assert used == [], used

assert command("doctor") == 0  # which asks for the network, and says that there is none
assert used
import tensorflow_datasets  # its import takes seconds of its own
start = time.monotonic()
try:
    keras_imgen.load("mnist", data_dir="nothing here")
except ConnectionError as error:
    assert "Without a network these sets work" in str(error), error
else:
    raise AssertionError("no error")
assert time.monotonic() - start < 5.0
assert not Path("nothing here").exists()
"""


def test_nothing_but_a_set_of_tfds_and_the_doctor_touches_the_network(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(keras_imgen.__file__).parents[1])},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "not reachable: embedded sets only" in done.stdout
