"""`keras-imgen train --precision`: each family computes in it, goes on in it, and is used in it."""

import dataclasses
import json

import keras
import numpy as np
import pytest
import tiny_models
from PIL import Image
from small_runs import contents, fail, run

import keras_imgen
from keras_imgen.cli import pace, precision, runs
from keras_imgen.cli.command import FAMILIES, PRECISIONS
from keras_imgen.cli.recipes import RECIPES

HALVES = ("bfloat16", "float16")
# Warnings are errors in tests; the command prints this one.
pytestmark = pytest.mark.filterwarnings("always:--precision float16 is made for")


@pytest.fixture(autouse=True)
def same_policy():
    """Fail if the command leaves Keras with another policy than it found."""
    yield
    assert keras.config.dtype_policy().name == "float32"


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    """Let every family have networks as small as they can be: half precision is slow here."""
    builders = zip(FAMILIES, tiny_models.FAMILIES.values(), strict=True)
    for family, tiny_one in builders:

        def build(shape, seed, family=family, tiny_one=tiny_one):
            return tiny_one() if family in ("denoise", "inpaint") else tiny_one(shape[-3:])

        monkeypatch.setitem(RECIPES, family, dataclasses.replace(RECIPES[family], build=build))


def policies(model):
    return {layer.dtype_policy.name for layer in model._flatten_layers() if layer.weights}


def settled(folder):
    return json.loads((folder / "config.json").read_text())["settled"]


def photo(folder):
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (24, 31), dtype="uint8")
    Image.fromarray(pixels).save(folder / "a.png")
    return folder / "a.png"


def optimizers_of(model):
    return [o for n in ("generator", "discriminator") if (o := getattr(model, f"{n}_optimizer", 0))]


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_trains_in_half_precision_and_is_used(
    family, half, small, eagerly, tmp_path, capsys
):
    command = ("train", family, "--epochs", 2, "--precision", half, "--out", tmp_path / "run")
    assert run(*command) == 0
    warned = capsys.readouterr().err
    assert ("--precision float16 is made for graphics cards" in warned) == (half == "float16")
    assert settled(tmp_path / "run") == {"jit_compile": False, "precision": half}
    file = tmp_path / "run" / "model.keras"
    model = keras_imgen.load_model(file)
    assert f"mixed_{half}" in policies(model)
    for optimizer in optimizers_of(model) or [model.optimizer]:
        scales = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        assert scales == (half == "float16")
    assert all(np.isfinite(w).all() for w in model.get_weights())

    if hasattr(model, "sample"):
        assert run("sample", file, "-n", 2, "--out", tmp_path / "drawn.png") == 0
    elif family == "sequence":
        clip = np.random.default_rng(0).random((1, 5, 28, 28, 1), "float32")
        observed = keras.ops.convert_to_numpy(model.degradation(clip))
        assert model.restore(observed).dtype == np.float32
    else:
        picture = photo(tmp_path / "clean")
        again = ("--degrade", "--out", tmp_path / "restored")
        assert run("restore", file, picture, *again) == 0
        assert run("evaluate", file, "--data", tmp_path / "clean") == 0
        assert "mean" in capsys.readouterr().out


def test_precision_is_part_of_what_a_run_is(small, eagerly, tmp_path, capsys):
    command = ("train", "vae", "--epochs", 2, "--out", tmp_path)
    assert run(*command, "--precision", "bfloat16") == 0
    before = contents(tmp_path)
    assert run(*command) == 2
    assert "precision bfloat16 there, float32 here" in capsys.readouterr().err
    assert run(*command, "--precision", "bfloat16") == 2
    assert "finished run of this very command" in capsys.readouterr().err
    assert contents(tmp_path) == before


def test_a_run_of_an_older_version_is_one_in_float32(small, eagerly, tmp_path, capsys):
    command = ("train", "vae", "--epochs", 1, "--out", tmp_path)
    assert run(*command) == 0
    config = json.loads((tmp_path / "config.json").read_text())
    del config["arguments"]["precision"], config["settled"]["precision"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert run(*command) == 2
    assert "finished run of this very command" in capsys.readouterr().err


@pytest.mark.parametrize("asked", ["float16", "auto"])
def test_half_precision_goes_on_to_the_same_bits(asked, small, eagerly, tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "LEAST_STEPS", 1)
    monkeypatch.setattr(runs, "may_pay", lambda plain, seconds: True)
    monkeypatch.setattr(
        runs, "plain_pace", timed({"float32": 2.0, "bfloat16": 1.0, "float16": 2.0})
    )
    command = ("train", "gan", "--epochs", 3, "--precision", asked, "--out")
    assert run(*command, tmp_path / "straight") == 0
    draw, drawn = keras_imgen.callbacks.SampleGrid.draw, []

    def cut_off(self):
        drawn.append(1)
        return draw(self) if len(drawn) < 3 else fail(OSError("the disk is full"))()

    monkeypatch.setattr(keras_imgen.callbacks.SampleGrid, "draw", cut_off)
    assert run(*command, tmp_path / "cut") == 1
    monkeypatch.setattr(keras_imgen.callbacks.SampleGrid, "draw", draw)
    monkeypatch.setattr(runs, "_quickest", fail(AssertionError("settled already")))
    assert run(*command, tmp_path / "cut") == 0
    one, other = (
        keras_imgen.load_model(tmp_path / name / "model.keras") for name in ("straight", "cut")
    )
    wanted = "bfloat16" if asked == "auto" else asked
    assert settled(tmp_path / "cut") == {"jit_compile": False, "precision": wanted}
    assert f"mixed_{wanted}" in policies(other)
    for a, b in zip(one.variables, other.variables, strict=True):
        np.testing.assert_array_equal(a, b)


def timed(seconds, tried=()):
    """Stand in for `plain_pace`: a step of a model of each precision takes so many seconds."""

    def plain_pace(model, data, slowest=np.inf):
        name = max(policies(model)).removeprefix("mixed_")
        tried.append(name) if isinstance(tried, list) else None
        pace.compile_step(model, False)
        return pace.Pace(1.0, seconds[name])

    return plain_pace


@pytest.mark.parametrize(
    ("seconds", "accelerator", "wanted"),
    [
        ({"float32": 1.0, "bfloat16": 0.5}, False, "bfloat16"),
        ({"float32": 1.0, "bfloat16": 0.95}, False, "float32"),  # not worth its digits
        ({"float32": 1.0, "bfloat16": 4.0}, False, "float32"),
        ({"float32": 1.0, "bfloat16": 0.5, "float16": 0.6}, True, "bfloat16"),
        ({"float32": 1.0, "bfloat16": 2.0, "float16": 0.6}, True, "float16"),
    ],
)
def test_auto_keeps_the_quickest(
    seconds, accelerator, wanted, small, eagerly, tmp_path, monkeypatch
):
    tried = []
    monkeypatch.setattr(runs, "LEAST_STEPS", 1)
    monkeypatch.setattr(runs, "may_pay", lambda plain, seconds: True)
    monkeypatch.setattr(runs, "plain_pace", timed(seconds, tried))
    monkeypatch.setattr(precision, "has_accelerator", lambda: accelerator)
    command = ("train", "vae", "--epochs", 1)
    assert run(*command, "--precision", "auto", "--out", tmp_path / "auto") == 0
    assert tried == list(seconds)
    assert settled(tmp_path / "auto")["precision"] == wanted
    # It is the very model that this precision would have made.
    assert run(*command, "--precision", wanted, "--out", tmp_path / "named") == 0
    auto, named = (
        keras_imgen.load_model(tmp_path / name / "model.keras") for name in ("auto", "named")
    )
    assert policies(auto) == policies(named)
    for a, b in zip(auto.variables, named.variables, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_auto_times_what_really_runs(small, tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "LEAST_STEPS", 1)
    monkeypatch.setattr(runs, "may_pay", lambda plain, seconds: True)
    command = ("train", "vae", "--epochs", 1, "--precision", "auto", "--out", tmp_path)
    assert run(*command) == 0
    chosen = settled(tmp_path)["precision"]
    assert chosen in PRECISIONS[1:]
    model = keras_imgen.load_model(tmp_path / "model.keras")
    assert ("float32" if chosen == "float32" else f"mixed_{chosen}") in policies(model)


def test_a_short_training_tries_nothing(small, eagerly, tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "plain_pace", fail(AssertionError("too short to be worth it")))
    assert run("train", "vae", "--epochs", 1, "--precision", "auto", "--out", tmp_path) == 0
    assert settled(tmp_path) == {"jit_compile": False, "precision": "float32"}


def test_the_rate_reaches_an_optimizer_that_is_scaled(small, eagerly, tmp_path, monkeypatch):
    rates = []
    step = runs.WarmUpAndRest.on_train_batch_begin

    def noted(self, batch, logs=None):
        step(self, batch, logs)
        rates.extend(float(o.inner_optimizer.learning_rate) for o in optimizers_of(self.model))

    monkeypatch.setattr(runs.WarmUpAndRest, "on_train_batch_begin", noted)
    command = ("train", "gan", "--epochs", 8, "--precision", "float16", "--out", tmp_path)
    assert run(*command) == 0
    assert len(rates) == 2 * 2 * 8  # players, batches, epochs
    assert max(rates) > 10 * rates[-1] > 0.0


def test_a_model_in_half_precision_begins_with_weights_of_a_full_one(small, eagerly, tmp_path):
    assert run("train", "vae", "--epochs", 1, "--out", tmp_path / "full") == 0
    start = ("--from", tmp_path / "full" / "model.keras", "--precision", "bfloat16")
    assert run("train", "vae", "--epochs", 1, *start, "--out", tmp_path / "half") == 0
    assert "mixed_bfloat16" in policies(keras_imgen.load_model(tmp_path / "half" / "model.keras"))
