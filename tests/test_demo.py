"""The demo: it takes the minutes that it was given, goes on to the same bits, and makes a page."""

import dataclasses
import html.parser
import json
import re
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tiny_models
from PIL import Image
from small_runs import contents, fail, run

import keras_imgen
from keras_imgen.cli import demo, pace, page, progress, recipes
from keras_imgen.training import PictureModel
from keras_imgen.training.comparison import setup_of

TINY = dict(zip(recipes.RECIPES, tiny_models.FAMILIES.values(), strict=True))


class Clock:
    """A clock that only training steps, figures and pictures move on."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now

    def taking(self, seconds, function):
        def wrapped(*args, **kwargs):
            self.now += seconds
            return function(*args, **kwargs)

        return wrapped


@pytest.fixture
def clock(monkeypatch, small):
    """Let a step take 0.1 s, figures 1 s and a picture 0.2 s, times `slower`, and train nothing."""

    def set_clock(slower, families=tuple(demo.RECIPES)):
        clock = Clock()
        for module in (demo, progress):
            monkeypatch.setattr(module, "time", clock)
        step = 0.1 * slower

        def finish(folder, model, data, *, epochs, steps_per_epoch, callbacks, verbose):
            draws = len(callbacks) > 1
            clock.now += epochs * (steps_per_epoch * step + 0.2 * slower * draws)
            folder.joinpath("model.keras").touch()

        timing = clock.taking(7 * step, lambda model, data: pace.Pace(step, step))
        monkeypatch.setattr(demo, "plain_pace", timing)
        monkeypatch.setattr(demo, "quicker_pace", lambda model, data, plain, seconds: plain)
        monkeypatch.setattr(demo, "finish", finish)
        for callback in (keras_imgen.callbacks.SampleGrid, keras_imgen.callbacks.BeforeAfter):
            monkeypatch.setattr(callback, "draw", clock.taking(0.2 * slower, lambda self: None))
        monkeypatch.setattr(demo, "_draw", clock.taking(0.2 * slower, lambda *args: None))
        kept = {
            family: dataclasses.replace(
                recipes.RECIPES[family],
                build=lambda shape, seed, family=family: TINY[family](shape),
                measure=clock.taking(1.0 * slower, lambda model, test: {"figure": (0.0, 1.0)}),
            )
            for family in families
        }
        monkeypatch.setattr(demo, "RECIPES", kept)
        return clock

    return set_clock


def steps_of(folder):
    return {
        path.parent.name: json.loads(path.read_text())["settled"]["steps"]
        for path in folder.glob("*/config.json")
    }


@pytest.mark.parametrize("slower", [1.0, 5.0])
def test_the_time_is_kept_on_a_quick_machine_and_on_a_slow_one(slower, clock, tmp_path):
    time = clock(slower)
    assert run("demo", "--out", tmp_path) == 0
    assert 0.88 < (time.now - 1000.0) / 300.0 <= 1.0
    # Times `slower`, 9.5 s go for timing all this, and 9.2 s for figures and pictures.
    stepping = 0.95 * (300.0 - 9.5 * slower) - 9.2 * slower
    assert 0.9 < sum(steps_of(tmp_path).values()) * 0.1 * slower / stepping < 1.1


def test_a_machine_that_turns_slow_shortens_what_has_not_begun(clock, tmp_path, monkeypatch):
    time = clock(1.0)
    finish = demo.finish

    def slow_down(folder, *parts, **options):
        finish(folder, *parts, **options)
        time.now += 100.0 * (folder.name == "gan")  # something else is running

    monkeypatch.setattr(demo, "finish", slow_down)
    assert run("demo", "--out", tmp_path) == 0
    assert 0.88 < (time.now - 1000.0) / 300.0 <= 1.0


@pytest.mark.parametrize("minutes", [0.001, 1000.0])
def test_however_short_or_long_every_family_is_trained(minutes, clock, tmp_path):
    clock(1.0)
    assert run("demo", "--minutes", minutes, "--out", tmp_path) == 0
    steps = steps_of(tmp_path)
    assert len(steps) == len(page.SHOWN)
    assert all(0 < count == count // min(count, 8) * min(count, 8) for count in steps.values())
    assert sum(steps.values()) * 0.1 <= max(60.0 * minutes, 0.5)


def test_time_is_shared_by_what_each_needs():
    # 40 steps of 0.5 s to 20 of 3 s
    np.testing.assert_allclose(demo._shared(100.0, [(40, 0.5), (20, 3.0)]), [25.0, 75.0])
    assert demo._shared(-1.0, [(1, 1.0)]) == [0.0]


def test_a_demo_that_was_cut_off_goes_on_to_the_same_bits(small, eagerly, tmp_path, monkeypatch):
    recipe = dataclasses.replace(
        recipes.RECIPES["vae"], build=lambda *args: tiny_models.vae((24, 24, 1))
    )
    monkeypatch.setattr(demo, "RECIPES", {"vae": recipe})
    command = ("demo", "--minutes", 0.01, "--out")
    draw, calls = keras_imgen.callbacks.SampleGrid.draw, []

    def fail_later(self):
        calls.append(1)
        if len(calls) == 5:  # the first one was timed, the second tried what can be shown
            raise OSError("the disk is full")
        return draw(self)

    monkeypatch.setattr(demo, "_shares", lambda parts, end: [16 * part.pace.step for part in parts])
    monkeypatch.setattr(keras_imgen.callbacks.SampleGrid, "draw", fail_later)
    assert run(*command, tmp_path / "cut") == 1
    settled = json.loads((tmp_path / "cut" / "vae" / "config.json").read_text())["settled"]
    assert settled == {"jit_compile": False, "steps": 16, "worth": 64}  # 32 epochs of 2 batches
    monkeypatch.setattr(keras_imgen.callbacks.SampleGrid, "draw", draw)
    assert run(*command, tmp_path / "straight") == 0
    monkeypatch.setattr(demo, "plain_pace", fail(AssertionError("settled already")))
    assert run(*command, tmp_path / "cut") == 0
    assert steps_of(tmp_path / "cut") == steps_of(tmp_path / "straight") == {"vae": 16}
    straight, cut = (
        keras.saving.load_model(tmp_path / name / "vae" / "model.keras")
        for name in ("straight", "cut")
    )
    for a, b in zip(straight.variables, cut.variables, strict=True):
        np.testing.assert_array_equal(a, b, err_msg=a.path)


def test_a_demo_that_went_on_claims_no_time(clock, tmp_path, monkeypatch, capsys):
    clock(1.0, families=("gan",))
    folder = tmp_path / "demo"
    command = ("demo", "--minutes", 0.2, "--out", folder)
    monkeypatch.setattr(demo, "_draw", fail(OSError("cut off")))
    assert run(*command) == 1
    monkeypatch.setattr(demo, "_draw", lambda *args: None)
    monkeypatch.setattr(demo, "load_model", lambda path: tiny_models.gan())
    for _ in range(2):
        assert run(*command) == 0
        assert json.loads((folder / "gan" / "figures.json").read_text())["seconds"] is None
        text = (folder / "index.html").read_text(encoding="utf-8")
        assert "its time was not taken" in text
        assert "Training took" not in text
    assert "done before; kept" in capsys.readouterr().out


def test_a_demos_damaged_figures_are_measured_anew(clock, tmp_path, monkeypatch):
    clock(1.0, families=("gan",))
    monkeypatch.setattr(demo, "load_model", lambda path: tiny_models.gan())
    command = ("demo", "--minutes", 0.2, "--out", tmp_path)
    assert run(*command) == 0
    figures = json.loads((tmp_path / "gan" / "figures.json").read_text())
    assert figures["seconds"] > 0
    (tmp_path / "gan" / "figures.json").write_text("{")
    assert run(*command) == 0
    again = json.loads((tmp_path / "gan" / "figures.json").read_text())
    assert again["measured"] == figures["measured"]


@pytest.mark.parametrize(
    ("option", "there", "here"),
    [("--minutes", 0.2, 0.3), ("--seed", 0, 1)],
    ids=["minutes", "seed"],
)
def test_another_demo_is_left_alone(option, there, here, clock, tmp_path, capsys):
    clock(1.0, families=("vae",))
    command = {"--minutes": 0.2, "--seed": 0, "--out": tmp_path}
    assert run("demo", *sum(command.items(), ())) == 0
    before = contents(tmp_path)
    assert run("demo", *sum({**command, option: here}.items(), ())) == 2
    said = capsys.readouterr().err
    assert "holds another demo: minutes 0.2 there" in said
    assert f"{option[2:]} {there} there, {here} here" in said
    assert contents(tmp_path) == before


@pytest.mark.parametrize(("steps", "told"), [(39, True), (40, False), (400, False)])
def test_a_training_far_too_short_is_called_so(steps, told, tmp_path):
    figures = {"seconds": 1.0, "steps": steps, "worth": 400, "measured": {"figure": (0.0, 1.0)}}
    assert page.too_short(figures) == told
    text = page.write_page(tmp_path, {"vae": figures}).read_text(encoding="utf-8")
    assert ("far too short to show what it can do: it takes about 400." in text) == told
    assert f"It learned in {steps} steps." in text


def test_figures_of_an_earlier_version_say_nothing_of_too_short_a_training():
    assert not page.too_short({"seconds": 1.0, "steps": 1, "measured": {}})


@pytest.mark.parametrize(("minutes", "short"), [(0.2, True), (60.0, False)])
def test_the_end_of_the_demo_says_what_was_too_short(minutes, short, clock, tmp_path, capsys):
    clock(5.0, families=("vae",))
    assert run("demo", "--minutes", minutes, "--out", tmp_path) == 0
    said = capsys.readouterr().out
    assert ("Trained far too short to show what it can do: VAE: digits" in said) == short
    asked = float(re.search(r"demo --minutes ([\d.]+) --out", said)[1])
    assert asked == (20.0 if short else 240.0)


@pytest.mark.parametrize("minutes", ["0", "-1", "nan", "five", "1e9"])
def test_minutes_are_a_time(minutes, capsys):
    with pytest.raises(SystemExit):
        run("demo", "--minutes", minutes)
    assert f"must be above 0 and at most 10000, not '{minutes}'" in capsys.readouterr().err


def test_the_line_says_how_long_the_whole_takes(monkeypatch, capsys):
    time = Clock()
    monkeypatch.setattr(progress, "time", time)
    line = progress.Progress("GAN", lambda own: max(own, 60.0), begin=time.now - 40.0, step=2.0)
    line.set_params({"epochs": 2, "steps": 50})
    line.on_train_begin()  # 100 steps of 2 s, after 40 s
    assert capsys.readouterr().out == "[===>................] 3:20 left: GAN\n"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    for batch in range(50):
        time.now += 0.5  # quicker than was thought
        line.on_train_batch_end(batch)
    # 65 s have passed; the 50 steps left are 25 s, but others want the minute.
    assert capsys.readouterr().out.endswith("\r\033[K[==========>.........] 1:00 left: GAN")
    assert progress.minutes(3605.9) == "60:05"


class Reader(html.parser.HTMLParser):
    """Collects the pictures of a page, and the text."""

    def __init__(self):
        super().__init__()
        self.pictures, self.inside = [], []
        self.captions = 0

    def handle_starttag(self, tag, attrs):
        if tag == "img":
            self.pictures.append(dict(attrs))
        self.captions += tag == "figcaption"


def test_every_family_is_shown():
    assert tuple(page.SHOWN) == tuple(f for f in recipes.RECIPES if f != "diffusion")


@pytest.mark.slow
def test_demo_makes_a_page_that_needs_no_network(small, eagerly, tmp_path, capsys):
    folder = tmp_path / "demo"
    command = ("demo", "--minutes", 0.01, "--out", folder)
    assert run(*command) == 0
    text = (folder / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"https?://|//[a-z]", text)
    reader = Reader()
    reader.feed(text)
    assert len(reader.pictures) == reader.captions == sum(map(len, page.SHOWN.values()))
    for picture in reader.pictures:
        with Image.open(folder / picture["src"]) as image:
            image.verify()
        assert len(picture["alt"].split()) >= 5  # a description and no name of a file
        assert Path(picture["src"]).name not in picture["alt"]
        # Only large pixels are kept sharp: a photograph, scaled so, would be all steps.
        family = picture["src"].split("/")[0]
        assert ("pixels" in picture["class"]) == (family not in ("denoise", "inpaint"))
    assert "prefers-color-scheme: dark" in text
    assert "keras-imgen tutorials" in text
    for family, recipe in demo.RECIPES.items():
        assert recipe.title in text
        figures = json.loads((folder / family / "figures.json").read_text())
        assert f"in {figures['steps']:,} step" in text
        for name, pair in figures["measured"].items():
            assert name.split(" (")[0] in text
            assert all(f"<td>{value:.2f}</td>" in text for value in pair)

    before = contents(folder)
    assert run(*command) == 0  # all five are there: nothing is redone
    assert contents(folder) == before


def test_the_demo_trains_what_the_library_has_by_default(monkeypatch):
    for family, recipe in demo.RECIPES.items():
        shape = (10, 16, 16, 1) if family == "sequence" else (16, 16, 1)
        model = recipe.build(shape, 0)
        assert isinstance(model, PictureModel)
        same = type(model).from_config(model.get_config())
        same.compile(**({"loss": "bernoulli"} if family == "vae" else {}))
        assert setup_of(same) == setup_of(model)
