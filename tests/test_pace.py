"""How long a step takes: a trial leaves no trace, and the quicker way is kept."""

import json

import keras
import numpy as np
import pytest
from small_runs import fail, run
from tiny_models import FAMILIES, SHAPE, equal, values

import keras_imgen
from keras_imgen import Restorer, degradations, networks
from keras_imgen.cli import pace, runs

SEQUENCE = (5, *SHAPE)


@pytest.fixture
def always_tried(monkeypatch):
    monkeypatch.setattr(pace, "may_pay", lambda plain, seconds: True)


def data_of(family):
    shape = SEQUENCE if family == "sequence" else SHAPE
    pictures = np.random.default_rng(0).random((12, *shape), "float32")
    return keras_imgen.load_arrays(pictures, batch_size=4)


def built(family):
    keras.utils.set_random_seed(0)
    return FAMILIES[family]()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_trial_leaves_no_trace(family):
    data = data_of(family)
    tried, straight = built(family), built(family)
    measured = pace.plain_pace(tried, data)
    assert measured.first > measured.step > 0.0
    assert not measured.jit_compile
    assert equal(values(tried), values(straight))
    pace.compile_step(straight, False)
    for model in (tried, straight):
        model.fit(data, epochs=2, verbose=0)
    assert equal(values(tried), values(straight))


@pytest.mark.parametrize("family", ["gan", "denoiser"])
def test_a_trial_of_xla_leaves_no_trace(family, always_tried):
    data = data_of(family)
    tried, straight = built(family), built(family)
    chosen = pace.quicker_pace(tried, data, pace.Pace(99.0, 99.0), 1.0)
    assert chosen.jit_compile
    assert chosen.step < 99.0
    assert equal(values(tried), values(straight))
    pace.compile_step(straight, True)
    for model in (tried, straight):
        model.fit(data, epochs=2, verbose=0)
        model.evaluate(data, verbose=0)
        assert not model.jit_compile  # of what is compiled next: validation
        assert model.get_compile_config()["jit_compile"] == "auto"  # for whoever loads the file
    assert equal(values(tried), values(straight))


@pytest.mark.parametrize(("plain", "xla"), [(0.1, 0.2), (0.2, 0.1)])
def test_the_quicker_is_kept(plain, xla, always_tried, monkeypatch):
    model, data = built("vae"), data_of("vae")
    pace.compile_step(model, False)
    plain_step = model.train_function
    monkeypatch.setattr(pace, "_timed", lambda *args, **options: pace.Pace(1.0, xla))
    chosen = pace.quicker_pace(model, data, pace.Pace(1.0, plain), 60.0)
    assert chosen.step == min(plain, xla)
    assert chosen.jit_compile == (xla < plain) == (model.train_function is not plain_step)


def test_a_slow_trial_ends_at_its_second_step(monkeypatch):
    model, data = built("vae"), data_of("vae")
    assert pace._timed(model, data, slowest=0.0).step > 0.0
    fits = []
    fit = type(model).fit

    def counted(self, *args, steps_per_epoch, **options):
        fits.append(steps_per_epoch)
        return fit(self, *args, steps_per_epoch=steps_per_epoch, **options)

    monkeypatch.setattr(type(model), "fit", counted)
    pace._timed(model, data, slowest=0.0)
    pace._timed(model, data)
    assert fits == [2, 2, pace.STEPS]


@pytest.mark.parametrize("says_so", [True, False])
def test_what_xla_cannot_compile_is_trained_without(says_so, always_tried):
    network = networks.dncnn(depth=3, filters=2, batch_norm=False)
    noise = degradations.PoissonNoise(1 / 30, seed=0)
    noise.supports_jit = not says_so
    model = Restorer(network, noise, seed=0)
    model.compile()
    data = data_of("denoiser")
    plain = pace.Pace(99.0, 99.0)  # any trial would be quicker
    assert pace.plain_pace(model, data).step < 99.0
    assert pace.quicker_pace(model, data, plain, 1.0) is plain
    model.fit(data, verbose=0)


@pytest.mark.parametrize(("seconds", "steps"), [(1.0, 4), (1.1, 4), (1.25, 5), (0.1, 1), (0.0, 1)])
def test_at_least_one_step_fits_into_any_time(seconds, steps):
    assert pace.Pace(first=9.0, step=0.25).steps_within(seconds) == steps


def test_short_trainings_try_no_xla():
    plain = pace.Pace(first=3.0, step=0.1)  # at the worst 9 s to compile, and 3 s to try
    assert pace.may_pay(plain, 81.0)
    assert not pace.may_pay(plain, 79.0)
    assert pace.may_pay(pace.Pace(0.0, 1.0), pace.LEAST_STEPS)
    assert not pace.may_pay(pace.Pace(0.0, 1.0), pace.LEAST_STEPS - 1)


def test_a_run_that_goes_on_keeps_its_choice(small, eagerly, tmp_path, monkeypatch):
    compiled = []
    monkeypatch.setattr(runs, "LEAST_STEPS", 1)
    monkeypatch.setattr(
        runs, "compile_step", lambda model, jit_compile: compiled.append(jit_compile)
    )
    chosen = pace.Pace(1.0, 1.0, jit_compile=True)
    monkeypatch.setattr(runs, "quicker_pace", lambda *args: chosen)
    save = PictureSave(monkeypatch)
    command = ("train", "vae", "--epochs", 2, "--out", tmp_path)
    assert run(*command) == 1
    settled = json.loads((tmp_path / "config.json").read_text())["settled"]
    assert settled == {"jit_compile": True, "precision": "float32"}
    assert compiled == []  # it is as the trial left it
    save.works = True
    monkeypatch.setattr(runs, "quicker_pace", fail(AssertionError("settled already")))
    assert run(*command) == 0
    assert compiled == [True]


class PictureSave:
    """A disk that is full until it `works`."""

    def __init__(self, monkeypatch):
        self.works = False
        save = keras_imgen.VAE.save

        def save_if_it_works(model, *args):
            if not self.works:
                raise OSError("the disk is full")
            save(model, *args)

        monkeypatch.setattr(keras_imgen.VAE, "save", save_if_it_works)


def test_the_rate_rises_quickly_and_comes_to_rest():
    model = built("gan")
    schedule = runs.WarmUpAndRest(0.01, 100)
    schedule.set_model(model)
    rates = []
    for step in range(100):
        model.optimizer.iterations.assign(step)
        schedule.on_train_batch_begin(step)
        rates.append(float(model.optimizer.learning_rate))
        assert float(model.discriminator_optimizer.learning_rate) == pytest.approx(rates[-1])
    assert rates[0] == pytest.approx(0.01 / 20)
    assert max(rates) == rates[5] == pytest.approx(0.01)
    # A cosine over the 95 steps that are left, to a hundredth.
    expected = 0.0001 + 0.0099 * (1 + np.cos(np.pi * np.arange(95) / 95)) / 2
    np.testing.assert_allclose(rates[5:], expected, rtol=1e-4)


@pytest.mark.parametrize("steps", [1, 2, 19, 20, 21, 137])
def test_the_rate_is_that_of_the_schedule_of_keras(steps):
    theirs = keras.optimizers.schedules.CosineDecay(
        0.01 / 20,
        decay_steps=steps - steps // 20,
        warmup_target=0.01,
        warmup_steps=steps // 20,
        alpha=0.01,
    )
    ours = [runs.WarmUpAndRest(0.01, steps).rate_at(step) for step in range(steps + 3)]
    expected = [float(theirs(step)) for step in range(steps + 3)]
    np.testing.assert_allclose(ours, expected, rtol=1e-5)
