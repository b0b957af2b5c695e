"""`Resume`: whatever ends a training, it goes on to the same bits; and what it refuses."""

import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile

import keras
import numpy as np
import pytest
import trainings
from forks import FORKS
from tiny_models import equal, values

import keras_imgen
from keras_imgen import GAN, Restorer, degradations, networks
from keras_imgen.callbacks import Resume
from keras_imgen.files import locked
from keras_imgen.interrupts import deferred

CLEAN = np.random.default_rng(0).random((8, 8, 8, 1), "float32")


def make(optimizer=None, depth=3, seed=None, **options):
    network = networks.dncnn((None, None, 1), depth=depth, filters=2, batch_norm=False)
    model = Restorer(network, degradations.AdditiveNoise(0.1), seed=seed)
    model.compile(optimizer, run_eagerly=True, **options)
    return model


def fit(model, folder, epochs=2, clean=CLEAN, more=(), **options):
    options = {"batch_size": 4, "verbose": 0, **options}
    return model.fit(clean, epochs=epochs, callbacks=[*more, Resume(folder)], **options)


def contents(folder):
    return {f: f.read_bytes() for f in folder.rglob("*") if f.is_file() and f.name != ".lock"}


def names(folder):
    return sorted(file.name for file in (folder / "checkpoints").iterdir())


# ---- kill -9 ----

KILLS = 2  # of each family; tests/benchmarks/kill_trainings.py makes as many as one likes


@pytest.mark.slow
@pytest.mark.parametrize("family", trainings.FAMILIES)
def test_killed_at_random_moments_it_ends_with_the_same_bits(family, tmp_path):
    # Dropout, shuffling, schedules, early stopping: see trainings.py.
    seconds = trainings.finish(family, tmp_path / "undisturbed")
    expected = trainings.outcome(tmp_path / "undisturbed")
    assert any(name.startswith("model.keras/model.weights") for name in expected)
    assert sum(name.endswith(".png") for name in expected) >= 4
    rng, killed = random.Random(family), 0
    while killed < KILLS:
        folder = tmp_path / f"killed {killed}"
        killed += trainings.kill_and_resume(family, folder, seconds, KILLS - killed, rng)
        found = trainings.outcome(folder)
        assert sorted(found) == sorted(expected)
        assert [name for name in found if found[name] != expected[name]] == []


def test_a_second_process_is_refused_and_a_killed_one_leaves_no_lock(tmp_path):
    process = FORKS.Process(target=trainings.hold, args=(tmp_path,))
    process.start()
    while not (tmp_path / "held").exists():
        time.sleep(0.01)
    model = make()
    before, there = values(model), contents(tmp_path)
    with pytest.raises(BlockingIOError, match="Another process writes to .*Wait until it has"):
        fit(model, tmp_path)
    assert equal(values(model), before)
    assert contents(tmp_path) == there
    process.kill()
    process.join()
    fit(model, tmp_path)
    with locked(tmp_path), locked(tmp_path):  # one process may take it twice
        pass


# ---- checkpoints ----


def test_a_training_that_ended_returns_at_once_and_goes_on_if_asked(tmp_path):
    first = make()
    told = fit(first, tmp_path, epochs=2, validation_data=CLEAN[:2])
    assert names(tmp_path) == ["epoch_0001.keras", "epoch_0002.keras"]
    second = make()  # with another seed and other weights, until it is brought back
    again = fit(second, tmp_path, epochs=2, validation_data=CLEAN[:2])
    assert (again.history, again.epoch) == (told.history, [0, 1])
    assert equal(values(second), values(first))
    assert second.seed == first.seed
    assert second.degradation.seed == first.degradation.seed
    third = fit(make(), tmp_path, epochs=3, validation_data=CLEAN[:2])
    assert [len(column) for column in third.history.values()] == [3] * 4
    rows = (tmp_path / "history.csv").read_text().splitlines()
    assert rows[0] == "epoch,loss,psnr,val_loss,val_psnr"
    assert [row.split(",")[0] for row in rows[1:]] == ["1", "2", "3"]
    assert float(rows[3].split(",")[1]) == third.history["loss"][2]


def test_a_training_of_another_chosen_seed_is_not_gone_on_with(tmp_path):
    first = make(seed=5)
    fit(first, tmp_path, epochs=1)
    there = contents(tmp_path)
    other = make(seed=6)
    before = values(other)
    with pytest.raises(ValueError, match="a training of another seed: seed was 5 and is 6"):
        fit(other, tmp_path, epochs=2)
    assert equal(values(other), before)
    assert contents(tmp_path) == there
    same, unchosen = make(seed=5), make()
    for model in (same, unchosen):  # who chose none takes what is there
        fit(model, tmp_path, epochs=2)
        assert model.seed == 5


def test_a_notebook_goes_on_with_the_model_itself(tmp_path):
    model = make()
    fit(model, tmp_path, epochs=1)
    slower = keras.callbacks.LearningRateScheduler(lambda epoch: 1e-3 / (1 + epoch))
    with pytest.raises(KeyboardInterrupt):  # with the rate of an epoch that is not yet whole
        fit(model, tmp_path, epochs=3, more=[slower, At(2, 1, press)])
    plateau = keras.callbacks.ReduceLROnPlateau("loss", min_delta=9.0, patience=0, factor=0.5)
    fit(model, tmp_path, epochs=4, more=[plateau])
    reduced = float(model.optimizer.learning_rate)
    assert reduced < 5e-4
    fit(model, tmp_path, epochs=5)  # the reduced rate is not another optimizer
    assert float(model.optimizer.learning_rate) == reduced


def test_a_checkpoint_is_a_model_file(tmp_path):
    model = make()
    fit(model, tmp_path)
    loaded = keras_imgen.load_model(tmp_path / "checkpoints" / "epoch_0002.keras")
    assert equal(values(loaded), values(model))


def flip(file, member="model.weights.h5"):
    """Flip one bit of a file in the middle of one of its parts."""
    with zipfile.ZipFile(file) as archive:
        info = archive.getinfo(member)
    data = bytearray(file.read_bytes())
    data[info.header_offset + 64 + info.file_size // 2] ^= 4
    file.write_bytes(data)


def cut(file):
    file.write_bytes(file.read_bytes()[:-100])


def empty(file):
    file.write_bytes(b"")


def exchange(file):
    make().save(file)


HARM = [flip, cut, empty, exchange, lambda file: flip(file, "training.json")]


@pytest.mark.parametrize("harm", HARM)
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(harm, tmp_path):
    straight = make()
    fit(straight, tmp_path, epochs=3)
    shutil.copytree(tmp_path, tmp_path / "copy")
    fit(straight, tmp_path, epochs=4)
    newest = tmp_path / "copy" / "checkpoints" / "epoch_0003.keras"
    harm(newest)
    resumed = make()
    found = re.escape(repr(str(newest)))
    with pytest.warns(UserWarning, match=f"{found} is left out: .* before it is tried"):
        fit(resumed, tmp_path / "copy", epochs=4)
    assert equal(values(resumed), values(straight))
    assert names(tmp_path / "copy") == ["epoch_0003.keras", "epoch_0004.keras"]


@pytest.mark.filterwarnings("ignore:.*is left out")
def test_if_no_checkpoint_is_whole_nothing_is_begun_anew(tmp_path):
    fit(make(), tmp_path)
    for file in (tmp_path / "checkpoints").iterdir():
        cut(file)
    before = contents(tmp_path)
    with pytest.raises(ValueError, match="No checkpoint in .* is whole. .*pass another folder"):
        fit(make(), tmp_path)
    assert contents(tmp_path) == before


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(tmp_path, monkeypatch):
    straight = make()
    fit(straight, tmp_path / "straight", epochs=3)
    shutil.copytree(tmp_path / "straight", tmp_path / "full")
    before = contents(tmp_path / "full")

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", full)  # the last thing that is written
        with pytest.raises(OSError, match="No space"):
            fit(make(), tmp_path / "full", epochs=4)
    assert contents(tmp_path / "full") == before
    resumed = make()
    fit(resumed, tmp_path / "full", epochs=4)
    fit(straight, tmp_path / "straight", epochs=4)
    assert equal(values(resumed), values(straight))


def test_what_a_killed_process_left_is_cleared_away(tmp_path):
    fit(make(), tmp_path)
    (tmp_path / "checkpoints" / ".unfinished-epoch_0003.keras").write_bytes(b"half")
    fit(make(), tmp_path)
    assert names(tmp_path) == ["epoch_0001.keras", "epoch_0002.keras"]


@pytest.mark.filterwarnings("ignore:.*epoch_9999.keras' is left out")
def test_files_of_other_names_are_neither_used_nor_removed_nor_in_the_way(tmp_path):
    fit(make(), tmp_path)
    folder = tmp_path / "checkpoints"
    (folder / "epoch_9999.keras").write_bytes(b"garbage")
    shutil.copy(folder / "epoch_0001.keras", folder / "epoch_0008.keras")
    for epochs in (3, 4):
        with pytest.warns(UserWarning, match="name is not that of epoch 1, which it holds"):
            fit(make(), tmp_path, epochs=epochs)
        newest = [f"epoch_{n:04d}.keras" for n in (epochs - 1, epochs)]
        assert names(tmp_path) == [*newest, "epoch_0008.keras", "epoch_9999.keras"]


def test_it_says_that_it_goes_on(tmp_path, capsys):
    fit(make(), tmp_path, epochs=1, verbose=2)
    assert "Going on" not in capsys.readouterr().out
    fit(make(), tmp_path, epochs=2)
    assert capsys.readouterr().out == ""
    fit(make(), tmp_path, epochs=3, verbose=2)
    said = f"Going on after epoch 2 of 3, as {str(tmp_path)!r} holds it.\n"
    assert capsys.readouterr().out.startswith(said)


# ---- what is refused ----


OTHERS = {
    "another optimizer": (
        lambda: make(keras.optimizers.SGD(0.01)),
        {},
        r"another model: compile_config.optimizer.class_name was 'Adam' and is 'SGD'",
    ),
    "another learning rate": (
        lambda: make(keras.optimizers.Adam(0.01)),
        {},
        r"learning_rate was 0.002 and is 0.01. .*load_model, compile that",
    ),
    "another loss": (lambda: make(loss="mae"), {}, "loss was 'mse' and is 'mae'"),
    "another network": (lambda: make(depth=4), {}, r"network.layers had 6 entries and has 8"),
    "other batches": (make, {"batch_size": 2}, "other data: batch_size was 4 and is 2"),
    "other data": (make, {"clean": CLEAN[:4]}, "other data: num_pictures was 8 and is 4"),
    "fewer epochs": (make, {"epochs": 1}, r"holds 2 epochs. Received: epochs=1. .*2 or more"),
    "an epoch to begin with": (make, {"initial_epoch": 1}, "leave out `initial_epoch`"),
}


@pytest.mark.parametrize("case", OTHERS)
def test_a_folder_of_another_training_is_refused(case, tmp_path):
    fit(make(), tmp_path)
    before = contents(tmp_path)
    build, options, advice = OTHERS[case]
    with pytest.raises(ValueError, match=advice):
        fit(build(), tmp_path, **{"epochs": 3, **options})
    assert contents(tmp_path) == before


def test_layers_may_have_other_names(tmp_path):
    fit(make(), tmp_path)
    keras.utils.clear_session()
    fit(make(), tmp_path, epochs=3)  # dncnn, not dncnn_12


def test_an_attempt_without_an_epoch_is_no_training(tmp_path):
    import tensorflow as tf

    broken = CLEAN.copy()
    broken[5] = np.nan
    stream = tf.data.Dataset.from_tensor_slices(broken).batch(4)
    with pytest.raises(FloatingPointError):
        fit(make(metrics=[], seed=5), tmp_path, clean=stream, batch_size=None)
    assert names(tmp_path) == ["epoch_0000.keras"]
    other = make(metrics=[], seed=6)  # neither its seed nor its weights are those of the attempt
    before = values(other)
    fit(other, tmp_path, epochs=0)
    assert other.seed == 6
    assert equal(values(other), before)
    fit(make(keras.optimizers.SGD(0.01)), tmp_path)


def test_other_files_are_left_alone(tmp_path):
    (tmp_path / "history.csv").write_text("three years of work")
    with pytest.raises(FileExistsError, match="a history.csv, but no checkpoint. Pass another"):
        fit(make(), tmp_path)
    assert (tmp_path / "history.csv").read_text() == "three years of work"
    with pytest.raises(ValueError, match="One Resume decides.*Received: 2 of them"):
        fit(make(), tmp_path / "a", more=[Resume(tmp_path / "b")])


def test_only_models_and_folders_that_can_resume_are_taken(tmp_path):
    with pytest.raises(TypeError, match="`folder` must be a path.*Received: folder=3"):
        Resume(3)
    with pytest.raises(ValueError, match="`folder` must have a name. Received: folder=''"):
        Resume("")
    (tmp_path / "notes").write_text("three years of work")
    with pytest.raises(NotADirectoryError, match="notes' is a file. Pass a folder"):
        fit(make(), tmp_path / "notes")
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    other.compile(loss="mse")
    with pytest.raises(TypeError, match="a GAN, a VAE or a Restorer. Received: a Sequential"):
        other.fit(np.ones((4, 3)), np.ones((4, 1)), callbacks=[Resume(tmp_path)], verbose=0)
    assert [file.name for file in tmp_path.iterdir()] == ["notes"]


# ---- NaN and Ctrl-C ----


class At(keras.callbacks.Callback):
    """Do something once, at one batch of one epoch."""

    def __init__(self, epoch, batch, action):
        super().__init__()
        self.when, self.action, self.epoch = (epoch, batch), action, 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if (self.epoch, batch) == self.when:
            self.action(self.model)

    def on_epoch_end(self, epoch, logs=None):
        if (epoch, None) == self.when:
            self.action(self.model)


def break_weight(model):
    weight = model.trainable_variables[0]
    weight.assign(weight * np.nan)


@pytest.mark.parametrize("batch", [0, 1, None])
def test_a_training_that_diverges_goes_back_to_the_last_good_epoch(batch, tmp_path):
    model = make()
    fit(model, tmp_path, epochs=2)
    good, before = values(model), contents(tmp_path)
    if batch is not None:
        what = rf"`loss` became nan in epoch 3, batch {batch + 1}: .*lower the learning rate"
    else:  # after the last batch no log would tell
        what = "holds NaN or infinity at the end of epoch 3: .*Lower the learning rate"
    with pytest.raises(FloatingPointError, match=f"(?i){what}.* back at the end of epoch 2"):
        fit(model, tmp_path, epochs=4, more=[At(2, batch, break_weight)])
    assert equal(values(model), good)
    assert contents(tmp_path) == before
    fit(model, tmp_path, epochs=4)  # and can go on


def press(model):
    raise KeyboardInterrupt


def test_an_interrupted_training_says_how_to_go_on(tmp_path):
    straight = make()
    fit(straight, tmp_path / "straight", epochs=1)
    shutil.copytree(tmp_path / "straight", tmp_path / "interrupted")
    fit(straight, tmp_path / "straight", epochs=3)
    with pytest.raises(
        KeyboardInterrupt, match=r"end of epoch 1, .*safe in .* Start the same .*again"
    ):
        fit(make(), tmp_path / "interrupted", epochs=3, more=[At(1, 1, press)])
    resumed = make()
    fit(resumed, tmp_path / "interrupted", epochs=3)
    assert equal(values(resumed), values(straight))


@pytest.fixture
def heard():
    """Let this process hear of Ctrl-C as a program does that people start."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press_for_real(model):
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.usefixtures("heard")
def test_ctrl_c_waits_for_the_end_of_the_batch(tmp_path):
    # Within a batch, parts of TensorFlow and Keras would swallow it.
    ended = []
    note = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: ended.append(batch)
    )
    with pytest.raises(KeyboardInterrupt, match="back at the end of epoch 1"):
        fit(make(), tmp_path, epochs=3, more=[At(1, 0, press_for_real), note])
    assert ended == [0, 1]  # of the first epoch; the second one's first was the end
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with pytest.raises(KeyboardInterrupt, match="back at the end of epoch 2"):
        fit(
            make(), tmp_path, epochs=2, more=[At(1, None, press_for_real)]
        )  # nothing comes after it


def pressed(times):
    """Press Ctrl-C so often, then ask whether it was; return how far that came."""
    reached = []
    with contextlib.suppress(KeyboardInterrupt), deferred() as check:
        for _ in range(times):
            press_for_real(None)
            reached.append("pressed")
        check()
        reached.append("checked")
    return reached


@pytest.mark.usefixtures("heard")
def test_ctrl_c_twice_does_not_wait():
    assert pressed(0) == ["checked"]
    assert pressed(1) == ["pressed"]  # noted, and raised by the check
    assert pressed(2) == ["pressed"]  # the second time at once


def test_ctrl_c_while_tensorflow_loads(tmp_path):
    command = [sys.executable, "-m", "keras_imgen", "train", "vae", "--out", tmp_path / "run"]
    # Tests that run in the background of a shell ignore the key, and so would this process.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, before)
    time.sleep(2.0)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said == "\nkeras-imgen: interrupted. The same command goes on from here.\n"


def test_in_the_first_epoch_nothing_is_safe_yet(tmp_path):
    model = make()
    before = values(model)
    with pytest.raises(KeyboardInterrupt, match="No epoch was whole yet: the model is as it began"):
        fit(model, tmp_path, more=[At(0, 1, press)])
    assert equal(values(model), before)


def test_without_resume_an_interrupted_training_says_that_nothing_is_saved():
    with pytest.raises(KeyboardInterrupt, match=r"saved nowhere. .*callbacks=\[.*Resume\(folder"):
        make().fit(CLEAN, batch_size=4, callbacks=[At(0, 1, press)], verbose=0)


def test_early_stopping_is_remembered_and_may_become_more_patient(tmp_path):
    def stopping(patience):
        return keras.callbacks.EarlyStopping("loss", min_delta=9.0, patience=patience)

    told = fit(make(), tmp_path, epochs=9, more=[stopping(3)])
    assert len(told.epoch) == 4
    assert len(fit(make(), tmp_path, epochs=9, more=[stopping(3)]).epoch) == 4  # it had ended
    assert len(fit(make(), tmp_path, epochs=9, more=[stopping(5)]).epoch) == 6
    assert len(fit(make(), tmp_path, epochs=9).epoch) == 9


def test_steps_and_streams_resume(tmp_path):
    dataset = keras_imgen.load_arrays(CLEAN, batch_size=4)
    straight = make()
    options = {"clean": dataset, "batch_size": None, "steps_per_epoch": 3}
    fit(straight, tmp_path, epochs=1, **options)
    shutil.copytree(tmp_path, tmp_path / "copy")
    fit(straight, tmp_path, epochs=3, **options)
    resumed = make()
    fit(resumed, tmp_path / "copy", epochs=3, **options)
    assert equal(values(resumed), values(straight))
    with pytest.raises(ValueError, match="steps_per_epoch was 3 and is 2"):
        fit(make(), tmp_path, epochs=4, **{**options, "steps_per_epoch": 2})


def test_half_precision_resumes(tmp_path):
    # The scale of the loss is part of the state.
    def half():
        keras.config.set_dtype_policy("mixed_float16")
        try:
            generator = networks.dcgan_generator((8, 8, 1), latent_dim=2, filters=2)
            model = GAN(generator, networks.dcgan_discriminator((8, 8, 1), filters=2))
            model.compile(run_eagerly=True)
        finally:
            keras.config.set_dtype_policy("float32")
        return model

    straight = half()
    fit(straight, tmp_path, epochs=1)
    shutil.copytree(tmp_path, tmp_path / "copy")
    fit(straight, tmp_path, epochs=3)
    resumed = half()
    fit(resumed, tmp_path / "copy", epochs=3)
    assert equal(values(resumed), values(straight))
    state = json.loads(
        zipfile.ZipFile(tmp_path / "checkpoints" / "epoch_0003.keras").read("training.json")
    )
    assert len(state["logs"]) == 3


# ---- the command ----


def command(folder, name="run"):
    """Start `keras-imgen train` in a process of its own."""
    argv = ["train", "vae", "--epochs", "2", "--batch-size", "500", "--out", str(folder / name)]
    errors = folder / "errors.txt"
    process = FORKS.Process(target=trainings.run_command, args=(argv, errors))
    process.start()
    trainings.wait_until_it_trains(process, folder / name)
    return process, errors


@pytest.mark.slow
def test_the_command_goes_on_after_kill_and_ctrl_c(tmp_path):
    straight, _ = command(tmp_path, "straight")
    straight.join()
    assert straight.exitcode == 0
    process, _ = command(tmp_path)
    # While it runs (it is made to stand still, so that it cannot end), the same command is refused.
    os.kill(process.pid, signal.SIGSTOP)
    second, errors = command(tmp_path)
    second.join()
    assert second.exitcode == 1
    assert errors.read_text().startswith("keras-imgen: Another process writes to")
    assert errors.read_text().count("\n") == 1
    process.kill()
    process.join()
    process, errors = command(tmp_path)
    os.kill(process.pid, signal.SIGINT)
    process.join()
    assert process.exitcode == 130
    said = errors.read_text()
    assert re.search(r"keras-imgen: Interrupted. .*Start the same training again to go on", said)
    assert "Traceback" not in said
    process, _ = command(tmp_path)
    process.join()
    assert process.exitcode == 0
    expected, found = (trainings.outcome(tmp_path / name) for name in ("straight", "run"))
    assert sorted(found) == sorted(expected)
    assert [name for name in found if found[name] != expected[name]] == []
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_an_error_while_the_model_is_brought_back_hides_no_first_one(tmp_path):
    class Breaks(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            for file in (tmp_path / "checkpoints").iterdir():
                file.write_bytes(b"harmed")
            raise self.error

    for error, kind in ((RuntimeError("of my own"), RuntimeError), (KeyboardInterrupt(), None)):
        for file in tmp_path.rglob("*.*"):
            file.unlink()
        breaks = Breaks()
        breaks.error = error
        with (
            pytest.warns(UserWarning, match="is left out"),
            pytest.raises(kind or KeyboardInterrupt) as caught,
        ):
            fit(make(), tmp_path, more=[breaks])
        said = [str(caught.value), *getattr(caught.value, "__notes__", [])]
        assert any("could not be brought back" in text for text in said)
        assert any("No checkpoint in" in text for text in said)
        assert kind is None or "of my own" in said[0]


def test_an_error_says_where_the_model_is(tmp_path):
    class Breaks(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise RuntimeError("of my own")

    with pytest.raises(RuntimeError, match="of my own") as caught:
        fit(make(), tmp_path, more=[Breaks()])
    assert "back at the end of epoch 1, which is safe" in caught.value.__notes__[0]
