"""`keras-imgen train`: one training and the folder that it leaves.

A run folder holds `config.json` (written first: arguments, versions, what was settled by timing),
`history.csv`, `samples/*.png`, `samples.gif`, while training goes on `checkpoints/` and, when it is
complete, `model.keras`. The same command again goes on after a crash; a folder that holds anything
else is left alone.
"""

import argparse
import contextlib
import json
import math
import platform
import shutil
import sys
import tempfile
from pathlib import Path

import keras

from keras_imgen import __version__, backends, load_model
from keras_imgen.callbacks import Resume, TrainingGif
from keras_imgen.cli import hosts, precision
from keras_imgen.cli.datasets import divided, folder_named, load_data
from keras_imgen.cli.pace import LEAST_STEPS, compile_step, may_pay, plain_pace, quicker_pace
from keras_imgen.cli.recipes import RECIPES, choices
from keras_imgen.files import locked, write_whole

# What makes two runs the same run: their results would be equal.
IDENTITY = (
    *("family", "data", "size", "crops", "channels", "stream", "frames", "labels"),
    *("binarize", "sigma", "start", "epochs", "batch_size", "seed", "precision"),
)


def train(args) -> None:
    """Train one family as the arguments say."""
    folder = Path(args.out or f"runs/{args.family}")
    with hosts.joined(args, {**_identity(args), "out": str(folder)}):
        precision.warn_of_slow(args.precision)
        run(args, folder)
        if backends.is_first():
            print(
                f"\nThe model is {folder / 'model.keras'}; pictures of its training lie beside it."
            )


def is_finished(folder: Path, args) -> bool:
    """Return whether this run has been completed; raise if the folder holds something else."""
    if folder.is_file():
        raise FileExistsError(f"{str(folder)!r} is a file. Pass a folder as --out.")
    if not folder.is_dir() or all(path.name == ".lock" for path in folder.iterdir()):
        return False
    if not (folder / "config.json").is_file():
        raise FileExistsError(
            f"{str(folder)!r} is not empty and no run. Pass another --out; nothing was changed."
        )
    if not _has_an_epoch(folder):
        return False  # refused at its first batch, for instance for its data: nothing to lose
    stored = json.loads((folder / "config.json").read_text())["arguments"]
    stored.setdefault("precision", "float32")  # older versions knew no other
    wanted = _identity(args)
    different = [key for key in IDENTITY if stored.get(key) != wanted[key]]
    if different:
        details = ", ".join(
            f"{key.replace('start', 'from')} {stored.get(key)} there, {wanted[key]} here"
            for key in different
        )
        raise FileExistsError(
            f"{str(folder)!r} holds another run: {details}. Pass another --out. Nothing changed."
        )
    return (folder / "model.keras").is_file()


def _refuse_finished(folder, args):
    if is_finished(folder, args):
        raise FileExistsError(
            f"{str(folder)!r} holds the finished run of this very command. To train again, pass "
            "another --out."
        )


def _has_an_epoch(folder):
    """Return whether a run folder holds more than an attempt that failed at once."""
    own = {"config.json", "history.csv", "samples", "checkpoints", ".lock"}
    return (
        not own.issuperset(path.name for path in folder.iterdir())
        or any((folder / "samples").glob("*.png"))
        or any(file.stem != "epoch_0000" for file in (folder / "checkpoints").glob("*.keras"))
    )


def run(args, folder: Path):
    """Train, or go on with a training that was cut off, and save the model."""
    epochs = args.epochs or RECIPES[args.family].epochs
    chosen = precision.first(args.precision)
    with hosts.all_ready():
        _refuse_finished(folder, args)
        data, test = load_data(args, RECIPES[args.family])
    model = _model(args, data, chosen)
    test = divided(test, backends.parts(model))
    with contextlib.ExitStack() as stack:
        with hosts.all_ready():
            if backends.is_first():
                stack.enter_context(locked(folder))
            _refuse_finished(folder, args)  # another command may have come first
            settings = settled(folder)
            if settings is None:
                model, settings = _quickest(model, args, data, epochs * len(data))
                if backends.is_first():
                    settle(folder, args, settings, data.class_names)
            else:
                if settings["precision"] != chosen:
                    model = _model(args, data, settings["precision"])
                compile_step(model, settings["jit_compile"])
        options = {
            "epochs": epochs,
            "validation_data": test,
            "callbacks": film(args, test, folder),
            "verbose": _verbose(),
        }
        finish(folder, model, data, **options)


def _verbose():
    """Return how much `fit` prints."""
    if not backends.is_first():
        return 0
    # A moving progress bar for people, one line an epoch for log files.
    return 1 if sys.stdout.isatty() else 2


def arguments(family: str, **given) -> argparse.Namespace:
    """Return the arguments of a run in which all is as its family has it, but what is given."""
    defaults = {**dict.fromkeys(IDENTITY), "seed": 0, "precision": "float32"}
    return argparse.Namespace(**{**defaults, "family": family, **given})


def built(args):
    """Return the model of a run, untrained, its data and its test data."""
    data, test = load_data(args, RECIPES[args.family])
    return _model(args, data, precision.first(args.precision)), data, test


def _model(args, data, chosen):
    """Return the model of a run, untrained, that computes in a precision."""
    keras.utils.set_random_seed(args.seed)  # the networks' first weights
    with precision.computing_in(chosen):
        build = RECIPES[args.family].build
        model = build(data.image_shape, args.seed, **choices(args, data))
    if args.start is not None:
        _begin_with(model, args)
    return model


def film(args, test, folder) -> list:
    """Return the callbacks that draw a picture after every epoch, and join them at the end."""
    samples = folder / "samples"
    return [RECIPES[args.family].watch(test, samples), TrainingGif(samples)]


def finish(folder, model, data, *, epochs, callbacks, **options):
    """Train a model to the end, from wherever the folder holds it, and save it there."""
    steps = epochs * options.get("steps_per_epoch", len(data))
    model.fit(
        data,
        epochs=epochs,
        callbacks=[
            WarmUpAndRest(float(model.optimizer.learning_rate), steps),
            *callbacks,
            Resume(folder),
        ],
        **options,
    )
    if backends.is_first():
        model.save(folder / "model.keras")
        shutil.rmtree(folder / "checkpoints")
        return
    with tempfile.TemporaryDirectory() as elsewhere:  # saving is done together, on JAX
        model.save(Path(elsewhere, "model.keras"))


class WarmUpAndRest(keras.callbacks.Callback):
    """Raises the learning rate quickly at first, and lowers it to the end: short trainings gain.

    Args:
        rate: the highest learning rate.
        steps: how many steps the training has in all.
    """

    def __init__(self, rate: float, steps: int):
        super().__init__()
        self.rate, self.rise = rate, steps // 20
        self.fall = max(1, steps - self.rise)

    def rate_at(self, step: int) -> float:
        """Return the rate of a step: from a twentieth to the highest, and by a cosine to 1 %."""
        # In Python's numbers: Keras's own schedules, called outside of a step, are compiled anew
        # by JAX in every call, which takes longer than many a step.
        if step < self.rise:
            return self.rate * (0.05 + 0.95 * step / self.rise)
        done = min(1.0, (step - self.rise) / self.fall)
        return self.rate * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * done)))

    def on_train_batch_begin(self, batch, logs=None):
        """Set the rate of this step."""
        optimizer = self.model.optimizer
        optimizer.learning_rate = self.rate_at(int(optimizer.iterations))


def _quickest(model, args, data, steps):
    """Return the model at the quickest pace that was asked for, ready to train, and what that is.

    Args:
        model: as `built` returns it.
        args: the arguments; of `--precision auto`, those that may be quicker are timed, too.
        data: what it trains on.
        steps: how many steps the training has.
    """
    chosen = precision.first(args.precision)
    tries = precision.others() if args.precision == "auto" else ()
    if steps < LEAST_STEPS or not (tries or keras.backend.backend() == "tensorflow"):
        compile_step(model, False)  # nothing to be gained
        return model, {"jit_compile": False, "precision": chosen}
    pace = plain_pace(model, data)
    enough = precision.WORTH_IT * pace.step
    for other in tries:
        if not may_pay(pace, steps * pace.step):
            break
        tried = _model(args, data, other)
        found = plain_pace(tried, data, slowest=2.0 * pace.step)
        if found.step < min(enough, pace.step):
            model, pace, chosen = tried, found, other
    pace = quicker_pace(model, data, pace, steps * pace.step)
    return model, {"jit_compile": pace.jit_compile, "precision": chosen}


def _begin_with(model, args):
    """Give a new model the weights of a trained one; all else begins anew."""
    trained = load_model(args.start)
    shapes, wanted = ([weight.shape for weight in m.weights] for m in (trained, model))
    if type(trained) is not type(model) or shapes != wanted:
        raise ValueError(
            f"--from takes a model that `keras-imgen train {args.family}` made with the same "
            f"options, whose weights fit. Received: {args.start!r}, a {type(trained).__name__} of "
            f"{trained.count_params():,} weights for one of {model.count_params():,}. Other models "
            "are trained further in Python, with load_model and fit."
        )
    model.set_weights(trained.get_weights())


def _identity(args):
    """Return what was asked for, defaults filled in."""
    given = {key: getattr(args, key) for key in IDENTITY}
    recipe = RECIPES[args.family]
    return {k: getattr(recipe, k, None) if v is None else v for k, v in given.items()}


def settled(folder) -> dict | None:
    """Return what was settled when a run began, or None if there is nothing to go on with."""
    if not folder.is_dir() or not _has_an_epoch(folder):
        return None
    config = json.loads((folder / "config.json").read_text())
    # Older versions settled nothing, or no precision.
    return {"jit_compile": False, "precision": "float32", **config.get("settled", {})}


def settle(folder, args, settings: dict, class_names=None) -> None:
    """Write what a run is, and what was chosen by timing: going on, it must not choose anew."""
    config = {
        "arguments": _identity(args),
        "settled": settings,
        "class_names": class_names,
        "folder": folder_named(args.data),
        "versions": {
            "keras_imgen": __version__,
            "keras": keras.__version__,
            "python": platform.python_version(),
        },
        "backend": keras.backend.backend(),
    }
    with write_whole(folder / "config.json") as unfinished:
        unfinished.write_text(json.dumps(config, indent=2) + "\n")
