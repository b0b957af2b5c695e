"""`keras-imgen train`: one training and the folder that it leaves.

A run folder holds `config.json` (written first: arguments, versions, what was settled by timing),
`history.csv`, `samples/*.png`, `samples.gif`, while training goes on `checkpoints/` and, when it is
complete, `model.keras`. The same command again goes on after a crash; a folder that holds anything
else is left alone.
"""

import json
import platform
import shutil
import sys
from pathlib import Path

import keras

from keras_imgen import __version__, load_model
from keras_imgen.callbacks import Resume, TrainingGif
from keras_imgen.cli.datasets import folder_named, load_data
from keras_imgen.cli.pace import LEAST_STEPS, compile_step, plain_pace, quicker_pace
from keras_imgen.cli.recipes import RECIPES, choices
from keras_imgen.files import locked, write_whole

# What makes two runs the same run: their results would be equal.
IDENTITY = (
    *("family", "data", "size", "crops", "channels", "stream", "frames", "labels"),
    *("binarize", "sigma", "start", "epochs", "batch_size", "seed"),
)


def train(args) -> None:
    """Train one family as the arguments say."""
    folder = Path(args.out or f"runs/{args.family}")
    _refuse_finished(folder, args)
    run(args, folder)
    print(f"\nThe model is {folder / 'model.keras'}; pictures of its training lie beside it.")


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
    model, data, test = built(args)
    epochs = args.epochs or RECIPES[args.family].epochs
    with locked(folder):
        _refuse_finished(folder, args)  # another process may have come first
        settings = settled(folder)
        if settings is None:
            settings = {"jit_compile": _jit_compile(model, data, epochs * len(data))}
            settle(folder, args, settings, data.class_names)
        else:
            compile_step(model, settings["jit_compile"])
        options = {
            "epochs": epochs,
            "validation_data": test,
            "callbacks": film(args, test, folder),
            # A moving progress bar for people, one line an epoch for log files.
            "verbose": 1 if sys.stdout.isatty() else 2,
        }
        finish(folder, model, data, **options)


def built(args):
    """Return the model of a run, untrained, its data and its test data."""
    recipe = RECIPES[args.family]
    data, test = load_data(args, recipe)
    keras.utils.set_random_seed(args.seed)  # the networks' first weights
    model = recipe.build(data.image_shape, args.seed, **choices(args, data))
    if args.start is not None:
        _begin_with(model, args)
    return model, data, test


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
    model.save(folder / "model.keras")
    shutil.rmtree(folder / "checkpoints")


class WarmUpAndRest(keras.callbacks.Callback):
    """Raises the learning rate quickly at first, and lowers it to the end: short trainings gain.

    Args:
        rate: the highest learning rate.
        steps: how many steps the training has in all.
    """

    def __init__(self, rate: float, steps: int):
        super().__init__()
        self.schedule = keras.optimizers.schedules.CosineDecay(
            rate / 20,
            decay_steps=max(1, steps - steps // 20),
            warmup_target=rate,
            warmup_steps=steps // 20,
            alpha=0.01,
        )

    def on_train_batch_begin(self, batch, logs=None):
        """Set the rate of this step."""
        optimizer = self.model.optimizer
        optimizer.learning_rate = float(self.schedule(optimizer.iterations))


def _jit_compile(model, data, steps):
    """Return whether a training of so many steps is quicker with XLA; the model is ready for it."""
    if steps < LEAST_STEPS:  # nothing to be gained
        compile_step(model, False)
        return False
    plain = plain_pace(model, data)
    return quicker_pace(model, data, plain, steps * plain.step).jit_compile


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
    return config.get("settled", {"jit_compile": False})  # older versions settled nothing


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
